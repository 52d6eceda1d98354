// SPDX-License-Identifier: MIT
/*
 * From the body of a request to a constraint: the fields of Chat Completions, Responses and Messages that ask for one, and
 * those of vLLM and llama.cpp. Their names are apart, so one reader serves all.
 */
#include <stdlib.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/json_write.h"
#include "core/mem.h"
#include "glm/constraint.h"

#define DEPTH_MAX 64
#define NAMES_MAX 512

struct reader {
    const glm_json *root;
    glm_constraint_params params;
    glm_str text, tools;
    const char *names[NAMES_MAX];
    const char *field; /* where params.text comes from, for errors */
};

static glm_status refuse(glm_error *err, const char *field, const char *expected)
{
    return glm_fail(err, GLM_EARG, "%s: expected %s", field, expected);
}

/* The member, or NULL when it is not there or null. */
static const glm_json *member(const glm_json *object, const char *name)
{
    const glm_json *value = glm_json_get(object, name);
    return glm_json_is_null(value) ? NULL : value;
}

static bool is_type(const glm_json *value, glm_json_type type)
{
    return value && value->type == type;
}

static bool is_true(const glm_json *value)
{
    return is_type(value, GLM_JSON_BOOL) && value->boolean;
}

/* ---- What the answer is ---- */

/* Take `value` as the source: a string as it is (or as JSON), anything else spelled as JSON. */
static void take_text(struct reader *r, glm_constraint_kind kind, const char *field,
                      const glm_json *value)
{
    glm_str_clear(&r->text);
    if (value->type == GLM_JSON_STRING)
        glm_str_append(&r->text, value->text, value->length);
    else
        glm_json_spell(&r->text, value);
    r->params.kind = kind;
    r->field = field;
}

/* {"type": "json_schema", ...} in any of its three shapes. */
static glm_status read_format(struct reader *r, const char *field, const glm_json *format,
                              glm_error *err)
{
    const glm_json *type = member(format, "type"), *inner = member(format, "json_schema");
    if (!format)
        return GLM_OK;
    if (format->type != GLM_JSON_OBJECT || !is_type(type, GLM_JSON_STRING))
        return refuse(err, field, "an object with a type");
    if (glm_json_is(type, "text"))
        return GLM_OK;
    const glm_json *schema = member(inner ? inner : format, "schema");
    if (schema && schema->type != GLM_JSON_OBJECT)
        return refuse(err, field, "a schema that is an object");
    if (glm_json_is(type, "json_object") && !schema) {
        r->params.kind = GLM_CONSTRAINT_JSON_OBJECT;
        r->field = field;
        return GLM_OK;
    }
    if (!glm_json_is(type, "json_schema") && !glm_json_is(type, "json_object"))
        return refuse(err, field, "type text, json_object or json_schema");
    if (!schema)
        return refuse(err, field, "a schema");
    take_text(r, GLM_CONSTRAINT_JSON_SCHEMA, field, schema);
    r->params.strict = is_true(member(inner ? inner : format, "strict"));
    return GLM_OK;
}

static glm_status read_source(struct reader *r, const glm_json *object, const char *name,
                              const char *field, glm_constraint_kind kind, glm_error *err)
{
    const glm_json *value = member(object, name);
    if (!value)
        return GLM_OK;
    bool is_string = value->type == GLM_JSON_STRING;
    bool is_good = kind == GLM_CONSTRAINT_JSON_SCHEMA ? is_string || value->type == GLM_JSON_OBJECT
                   : kind == GLM_CONSTRAINT_CHOICE    ? value->type == GLM_JSON_ARRAY
                                                      : is_string;
    if (!is_good)
        return refuse(err, field,
                      kind == GLM_CONSTRAINT_JSON_SCHEMA ? "a JSON Schema"
                      : kind == GLM_CONSTRAINT_CHOICE    ? "a list of strings"
                                                         : "a string");
    take_text(r, kind, field, value);
    return GLM_OK;
}

static glm_status read_content(struct reader *r, glm_error *err)
{
    const glm_json *outputs = member(r->root, "structured_outputs");
    const struct {
        const glm_json *object;
        const char *name, *field;
        glm_constraint_kind kind;
    } sources[] = {
        {r->root, "grammar", "grammar", GLM_CONSTRAINT_GBNF},
        {r->root, "json_schema", "json_schema", GLM_CONSTRAINT_JSON_SCHEMA},
        {r->root, "guided_json", "guided_json", GLM_CONSTRAINT_JSON_SCHEMA},
        {r->root, "guided_regex", "guided_regex", GLM_CONSTRAINT_REGEX},
        {r->root, "guided_choice", "guided_choice", GLM_CONSTRAINT_CHOICE},
        {r->root, "guided_grammar", "guided_grammar", GLM_CONSTRAINT_GBNF},
        {outputs, "json", "structured_outputs.json", GLM_CONSTRAINT_JSON_SCHEMA},
        {outputs, "regex", "structured_outputs.regex", GLM_CONSTRAINT_REGEX},
        {outputs, "choice", "structured_outputs.choice", GLM_CONSTRAINT_CHOICE},
        {outputs, "grammar", "structured_outputs.grammar", GLM_CONSTRAINT_GBNF},
    };
    glm_status st = GLM_OK;
    if (outputs && outputs->type != GLM_JSON_OBJECT)
        return refuse(err, "structured_outputs", "an object");
    if (member(outputs, "structural_tag"))
        return glm_fail(err, GLM_EUNSUPP, "structured_outputs.structural_tag: not supported");
    for (size_t i = 0; i < sizeof sources / sizeof *sources && st == GLM_OK; i++)
        st = read_source(r, sources[i].object, sources[i].name, sources[i].field, sources[i].kind,
                         err);
    if (st == GLM_OK && is_true(member(outputs, "json_object")))
        r->params.kind = GLM_CONSTRAINT_JSON_OBJECT;
    if (st == GLM_OK)
        st = read_format(r, "response_format", member(r->root, "response_format"), err);
    if (st == GLM_OK)
        st = read_format(r, "text.format", member(member(r->root, "text"), "format"), err);
    if (st == GLM_OK)
        st = read_format(r, "output_config.format",
                         member(member(r->root, "output_config"), "format"), err);
    if (st == GLM_OK)
        st = read_format(r, "output_format", member(r->root, "output_format"), err);
    return st;
}

/* ---- Tools ---- */

/* The name of a tool, or of a choice of one: inside "function" or "custom", or at top level. */
static const glm_json *name_of(const glm_json *tool)
{
    const glm_json *inner = member(tool, "function");
    if (!inner && is_type(member(tool, "custom"), GLM_JSON_OBJECT))
        inner = member(tool, "custom");
    const glm_json *name = member(inner ? inner : tool, "name");
    return is_type(name, GLM_JSON_STRING) ? name : NULL;
}

static bool has_tool(const glm_json *tools, const glm_json *name)
{
    for (const glm_json *t = tools->first; t; t = t->next) {
        const glm_json *other = name_of(t);
        if (other && glm_text_equal((glm_text){other->text, other->length},
                                    (glm_text){name->text, name->length}))
            return true;
    }
    return false;
}

static glm_status choose_tool(struct reader *r, const glm_json *tools, const glm_json *choice,
                              glm_error *err)
{
    const glm_json *name = name_of(choice);
    if (!name || !has_tool(tools, name))
        return refuse(err, "tool_choice", "the name of a tool that is offered");
    if (r->params.n_tool_names == NAMES_MAX)
        return refuse(err, "tool_choice", "at most 512 tools");
    r->names[r->params.n_tool_names++] = name->text;
    return GLM_OK;
}

/* {"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}, or the same flat. */
static glm_status read_allowed(struct reader *r, const glm_json *tools, const glm_json *choice,
                               glm_error *err)
{
    const glm_json *inner = member(choice, "allowed_tools");
    const glm_json *from = inner ? inner : choice, *list = member(from, "tools");
    glm_status st = GLM_OK;
    if (!is_type(list, GLM_JSON_ARRAY) || !list->first)
        return refuse(err, "tool_choice.allowed_tools.tools", "a list of tools");
    for (const glm_json *t = list->first; t && st == GLM_OK; t = t->next)
        st = choose_tool(r, tools, t, err);
    if (glm_json_is(member(from, "mode"), "required"))
        r->params.tool_choice = GLM_TOOL_CHOICE_REQUIRED;
    return st;
}

static glm_status read_choice(struct reader *r, const glm_json *tools, const glm_json *choice,
                              glm_error *err)
{
    const glm_json *type = choice->type == GLM_JSON_OBJECT ? member(choice, "type") : choice;
    if (!is_type(type, GLM_JSON_STRING))
        return refuse(err, "tool_choice", "a string, or an object with a type");
    if (glm_json_is(member(choice, "disable_parallel_tool_use"), "true") ||
        is_true(member(choice, "disable_parallel_tool_use")))
        r->params.single_call = true;
    if (glm_json_is(type, "auto"))
        return GLM_OK;
    if (glm_json_is(type, "none")) {
        r->params.tool_choice = GLM_TOOL_CHOICE_NONE;
        return GLM_OK;
    }
    if (!tools || !tools->first)
        return refuse(err, "tool_choice", "tools to choose from");
    if (glm_json_is(type, "allowed_tools"))
        return read_allowed(r, tools, choice, err);
    r->params.tool_choice = GLM_TOOL_CHOICE_REQUIRED;
    if (glm_json_is(type, "required") || glm_json_is(type, "any"))
        return GLM_OK;
    if (choice->type != GLM_JSON_OBJECT ||
        !(glm_json_is(type, "function") || glm_json_is(type, "tool") ||
          glm_json_is(type, "custom")))
        return refuse(err, "tool_choice", "auto, none, required or a tool");
    return choose_tool(r, tools, choice, err);
}

static bool has_strict(const glm_json *tools)
{
    for (const glm_json *t = tools->first; t; t = t->next) {
        if (is_true(member(member(t, "function"), "strict")) || is_true(member(t, "strict")))
            return true;
    }
    return false;
}

/* Drop what is no function that the model could call: entries like {"type": "web_search"}. */
static void spell_tools(struct reader *r, const glm_json *tools)
{
    const char *separator = "[";
    for (const glm_json *t = tools->first; t; t = t->next) {
        if (!name_of(t))
            continue;
        glm_str_append_c(&r->tools, separator);
        glm_json_spell(&r->tools, t);
        separator = ",";
    }
    glm_str_append_c(&r->tools, *separator == '[' ? "[]" : "]");
}

static glm_status read_tools(struct reader *r, glm_error *err)
{
    const glm_json *tools = member(r->root, "tools"), *choice = member(r->root, "tool_choice");
    const glm_json *parallel = member(r->root, "parallel_tool_calls");
    if (tools && tools->type != GLM_JSON_ARRAY)
        return refuse(err, "tools", "a list");
    if (parallel && parallel->type != GLM_JSON_BOOL)
        return refuse(err, "parallel_tool_calls", "a boolean");
    r->params.tool_names = r->names;
    r->params.single_call = parallel && !parallel->boolean;
    glm_status st = choice ? read_choice(r, tools, choice, err) : GLM_OK;
    if (st != GLM_OK || !tools || !tools->first)
        return st;
    /* Calls that nothing is said about are left to the model. */
    if (r->params.kind == GLM_CONSTRAINT_FREE && !r->params.single_call &&
        r->params.n_tool_names == 0 && r->params.tool_choice == GLM_TOOL_CHOICE_AUTO &&
        !has_strict(tools))
        return GLM_OK;
    spell_tools(r, tools);
    r->params.tools = r->tools.data;
    r->params.tools_length = r->tools.length;
    return GLM_OK;
}

glm_status glm_constraint_create_for_request(glm_constraint **out, glm_model *model,
                                             const char *json, size_t size, bool in_reasoning,
                                             glm_error *err)
{
    struct reader r = {.params = glm_constraint_params_default()};
    glm_arena arena;
    *out = NULL;
    glm_arena_init(&arena, glm_add_size(glm_mul_size(size, (size_t)8), (size_t)16 << 20));
    glm_status st = glm_json_read(&r.root, &arena, json, size, DEPTH_MAX, err);
    if (st == GLM_OK)
        st = read_content(&r, err);
    if (st == GLM_OK)
        st = read_tools(&r, err);
    if (st == GLM_OK && (r.text.has_failed || r.tools.has_failed))
        st = glm_fail(err, GLM_ENOMEM, "a constraint");
    if (st == GLM_OK && (r.params.kind != GLM_CONSTRAINT_FREE || r.params.tools)) {
        r.params.text = r.text.data;
        r.params.length = r.text.length;
        r.params.in_reasoning = in_reasoning;
        st = glm_constraint_create(out, model, &r.params, err);
        if (st != GLM_OK && r.field)
            st = glm_fail_context(err, st, "%s", r.field);
    }
    glm_str_deinit(&r.text);
    glm_str_deinit(&r.tools);
    glm_arena_deinit(&arena);
    return st;
}
