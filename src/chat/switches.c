// SPDX-License-Identifier: MIT
#include "chat/switches.h"

#include "chat/conversation_internal.h"

static bool is_true(const glm_json *value)
{
    return glm_json_is_type(value, GLM_JSON_BOOL) && value->boolean;
}

static bool is_false(const glm_json *value)
{
    return glm_json_is_type(value, GLM_JSON_BOOL) && !value->boolean;
}

/* The first that is there and not null. */
static const glm_json *first_of(const glm_json *a, const glm_json *b)
{
    return glm_json_is_null(a) ? b : a;
}

static const glm_json *kwargs_of(const glm_json *root)
{
    return glm_json_get(root, "chat_template_kwargs");
}

/* A switch by its name, in chat_template_kwargs or at top level. */
static const glm_json *find(const glm_json *root, const char *name)
{
    return first_of(glm_json_get(kwargs_of(root), name), glm_json_get(root, name));
}

static glm_status check(const glm_json *parent, const char *prefix, const char *name,
                        glm_json_type type, glm_json_type or_type, const char *expected,
                        glm_error *err)
{
    const glm_json *value = glm_json_get(parent, name);
    if (glm_json_is_null(value) || value->type == type || value->type == or_type)
        return GLM_OK;
    glm_path path = glm_path_of("%s%s", prefix, name);
    return glm_conversation_mistyped(err, path.text, expected, value);
}

static glm_status check_level(const glm_json *level, const char *prefix, glm_error *err)
{
    static const char *const booleans[] = {"enable_thinking", "clear_thinking",
                                           "add_generation_prompt", "continue_final_message"};
    for (size_t i = 0; i < sizeof booleans / sizeof *booleans; i++) {
        glm_status st =
            check(level, prefix, booleans[i], GLM_JSON_BOOL, GLM_JSON_BOOL, "boolean", err);
        if (st != GLM_OK)
            return st;
    }
    glm_status st =
        check(level, prefix, "reasoning_effort", GLM_JSON_STRING, GLM_JSON_STRING, "string", err);
    if (st == GLM_OK)
        st = check(level, prefix, "thinking", GLM_JSON_BOOL, GLM_JSON_OBJECT, "boolean or object",
                   err);
    return st;
}

glm_status glm_switches_check(const glm_json *root, glm_error *err)
{
    static const char *const objects[] = {"chat_template_kwargs", "reasoning", "output_config",
                                          "context_management"};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        glm_status st =
            check(root, "", objects[i], GLM_JSON_OBJECT, GLM_JSON_OBJECT, "object", err);
        if (st != GLM_OK)
            return st;
    }
    glm_status st = check_level(root, "", err);
    if (st == GLM_OK)
        st = check_level(kwargs_of(root), "chat_template_kwargs.", err);
    if (st == GLM_OK)
        st = check(glm_json_get(root, "thinking"), "thinking.", "type", GLM_JSON_STRING,
                   GLM_JSON_STRING, "string", err);
    if (st == GLM_OK)
        st = check(glm_json_get(root, "thinking"), "thinking.", "clear_thinking", GLM_JSON_BOOL,
                   GLM_JSON_BOOL, "boolean", err);
    if (st == GLM_OK)
        st = check(glm_json_get(root, "reasoning"), "reasoning.", "effort", GLM_JSON_STRING,
                   GLM_JSON_STRING, "string", err);
    if (st == GLM_OK)
        st = check(glm_json_get(root, "output_config"), "output_config.", "effort", GLM_JSON_STRING,
                   GLM_JSON_STRING, "string", err);
    return st;
}

static void set_bool(bool *out, const glm_json *value)
{
    if (glm_json_is_type(value, GLM_JSON_BOOL))
        *out = value->boolean;
}

void glm_switches_as_template(glm_switches *out, const glm_json *root)
{
    set_bool(&out->thinking, find(root, "enable_thinking"));
    set_bool(&out->clear_thinking, find(root, "clear_thinking"));
    set_bool(&out->add_generation_prompt, find(root, "add_generation_prompt"));
    const glm_json *effort = find(root, "reasoning_effort");
    if (glm_json_is_null(effort))
        return;
    out->effort = GLM_EFFORT_MAX;
    if (glm_json_is(effort, "high"))
        out->effort = GLM_EFFORT_HIGH;
    if (glm_json_is(effort, "low") && out->generation == GLM_GENERATION_5_3)
        out->effort = GLM_EFFORT_LOW;
}

/* What one level says outright: -1 off, 1 on, 0 nothing. */
static int explicit_thinking(const glm_json *level)
{
    const glm_json *thinking = glm_json_get(level, "thinking");
    const glm_json *type = glm_json_get(thinking, "type");
    const glm_json *enable = glm_json_get(level, "enable_thinking");
    if (is_false(enable) || is_false(thinking) || glm_json_is(type, "disabled"))
        return -1;
    return is_true(enable) || is_true(thinking) || !glm_json_is_null(type);
}

static bool is_off_effort(const glm_json *effort)
{
    return glm_json_is(effort, "none") || glm_json_is(effort, "minimal");
}

/* The rendering of an effort that leaves thinking on; false for a name that nobody documents. */
static bool map_effort(glm_effort *out, const glm_json *effort)
{
    static const struct {
        const char *name;
        glm_effort effort;
    } map[] = {
        {"low", GLM_EFFORT_HIGH},  {"medium", GLM_EFFORT_HIGH}, {"high", GLM_EFFORT_HIGH},
        {"xhigh", GLM_EFFORT_MAX}, {"max", GLM_EFFORT_MAX},
    };
    *out = GLM_EFFORT_MAX;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (glm_json_is(effort, map[i].name)) {
            *out = map[i].effort;
            return true;
        }
    return false;
}

/* Thinking and effort; returns the effort that is not known. */
static glm_text map_thinking(glm_switches *out, const glm_json *root)
{
    const glm_json *kwargs = kwargs_of(root);
    const glm_json *outer = glm_json_get(root, "reasoning_effort");
    outer = first_of(outer, glm_json_get(glm_json_get(root, "reasoning"), "effort"));
    outer = first_of(outer, glm_json_get(glm_json_get(root, "output_config"), "effort"));
    const glm_json *inner = glm_json_get(kwargs, "reasoning_effort");
    const glm_json *effort = first_of(inner, outer);
    glm_text unknown = {"", 0};

    int inside = explicit_thinking(kwargs);
    int on = inside ? inside : explicit_thinking(root);
    bool has_effort = !glm_json_is_null(effort);
    bool effort_yields = inside > 0 && glm_json_is_null(inner); /* kwargs beat a top-level off */
    if (on < 0 || (is_off_effort(effort) && !effort_yields)) {
        out->thinking = false;
        return unknown;
    }
    if (on > 0 || has_effort)
        out->thinking = true;
    if (has_effort && !is_off_effort(effort) && !map_effort(&out->effort, effort))
        unknown = glm_json_to_text(effort);
    if (glm_json_is(effort, "low") && out->generation == GLM_GENERATION_5_3)
        out->effort = GLM_EFFORT_LOW; /* its service takes low, high and max */
    return unknown;
}

/* Messages: the edit that clears thinking, unless it keeps all of it. Returns false when there is none. */
static bool clearing_edit(bool *clears, const glm_json *root)
{
    const glm_json *edits = glm_json_get(glm_json_get(root, "context_management"), "edits");
    if (!glm_json_is_type(edits, GLM_JSON_ARRAY))
        return false;
    for (const glm_json *edit = edits->first; edit; edit = edit->next)
        if (glm_json_is(glm_json_get(edit, "type"), "clear_thinking_20251015")) {
            *clears = !glm_json_is(glm_json_get(edit, "keep"), "all");
            return true;
        }
    return false;
}

glm_text glm_switches_as_vendor(glm_switches *out, const glm_json *root)
{
    (void)clearing_edit(&out->clear_thinking, root);
    set_bool(&out->clear_thinking, glm_json_get(glm_json_get(root, "thinking"), "clear_thinking"));
    set_bool(&out->clear_thinking, find(root, "clear_thinking"));
    set_bool(&out->add_generation_prompt, find(root, "add_generation_prompt"));
    set_bool(&out->continue_final, find(root, "continue_final_message"));
    return map_thinking(out, root);
}
