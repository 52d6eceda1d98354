// SPDX-License-Identifier: MIT
/* The "tools" list of a request, in the shapes of the three public APIs, as the inner function objects. */
#include <string.h>

#include "chat/conversation_internal.h"
#include "core/mem.h"

static glm_status add_member(glm_conversation *c, glm_json *object, glm_json **tail,
                             const glm_json *value, const char *key, size_t key_length,
                             glm_error *err)
{
    glm_json *copy = glm_arena_alloc_small(&c->arena, sizeof *copy);
    if (!copy)
        return glm_conversation_no_room(c, err);
    *copy = *value;
    copy->key = key;
    copy->key_length = key_length;
    copy->next = NULL;
    if (*tail)
        (*tail)->next = copy;
    else
        object->first = copy;
    *tail = copy;
    object->length++;
    return GLM_OK;
}

static bool is_hidden(const glm_json *member)
{
    glm_text key = {member->key, member->key_length};
    return glm_text_is(key, "strict") || glm_text_is(key, "defer_loading");
}

/* A function object as given, without the two members the template drops. */
static glm_status copy_shown(glm_conversation *c, glm_json *object, const glm_json *function,
                             glm_error *err)
{
    glm_json *tail = NULL;
    for (const glm_json *m = function->first; m; m = m->next) {
        if (is_hidden(m))
            continue;
        glm_status st = add_member(c, object, &tail, m, m->key, m->key_length, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

/* A flat tool (Responses, Messages) as the function object it stands for. */
static glm_status rebuild_flat(glm_conversation *c, glm_json *object, const glm_json *tool,
                               glm_error *err)
{
    const glm_json *schema = glm_json_get(tool, "parameters");
    if (glm_json_is_null(schema))
        schema = glm_json_get(tool, "input_schema");
    const struct {
        const char *key;
        const glm_json *value;
    } members[] = {
        {"name", glm_json_get(tool, "name")},
        {"description", glm_json_get(tool, "description")},
        {"parameters", schema},
    };
    glm_json *tail = NULL;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (glm_json_is_null(members[i].value))
            continue;
        glm_status st = add_member(c, object, &tail, members[i].value, members[i].key,
                                   strlen(members[i].key), err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

/* {"type": "function", "function": {...}}: as given, or made around a tool that came without. */
static glm_status wrap(glm_conversation *c, glm_tool *tool, const glm_json *value, bool is_wrapped,
                       glm_error *err)
{
    static const glm_json type = {.type = GLM_JSON_STRING, .text = "function", .length = 8};
    tool->whole = value;
    if (is_wrapped)
        return GLM_OK;
    glm_json *whole = glm_arena_alloc_small(&c->arena, sizeof *whole), *tail = NULL;
    if (!whole)
        return glm_conversation_no_room(c, err);
    whole->type = GLM_JSON_OBJECT;
    glm_status st = add_member(c, whole, &tail, &type, "type", strlen("type"), err);
    if (st == GLM_OK)
        st = add_member(c, whole, &tail, tool->json, "function", strlen("function"), err);
    tool->whole = whole;
    return st;
}

static glm_status read_tool(glm_conversation *c, glm_tool *tool, const glm_json *value,
                            const char *path, glm_error *err)
{
    if (value->type != GLM_JSON_OBJECT)
        return glm_conversation_mistyped(err, path, "object", value);
    const glm_json *function = glm_json_get(value, "function");
    bool is_wrapped = !glm_json_is_null(function);
    glm_path where = glm_path_of("%s.function", path);
    if (is_wrapped && function->type != GLM_JSON_OBJECT)
        return glm_conversation_mistyped(err, where.text, "object", function);
    const glm_json *inner = is_wrapped ? function : value;
    const char *base = is_wrapped ? where.text : path;

    const glm_json *name = glm_json_get(inner, "name");
    glm_path member = glm_path_of("%s.name", base);
    if (!glm_json_is_type(name, GLM_JSON_STRING))
        return glm_conversation_mistyped(err, member.text, "string", name);
    static const char *const schemas[] = {"parameters", "input_schema"};
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        const glm_json *schema = glm_json_get(inner, schemas[i]);
        member = glm_path_of("%s.%s", base, schemas[i]);
        if (!glm_json_is_null(schema) && schema->type != GLM_JSON_OBJECT)
            return glm_conversation_mistyped(err, member.text, "object", schema);
    }

    glm_json *object = glm_arena_alloc_small(&c->arena, sizeof *object);
    if (!object)
        return glm_conversation_no_room(c, err);
    object->type = GLM_JSON_OBJECT;
    bool is_flat =
        !is_wrapped && (glm_json_get(value, "type") || glm_json_get(value, "input_schema"));
    glm_status st =
        is_flat ? rebuild_flat(c, object, value, err) : copy_shown(c, object, inner, err);
    if (st != GLM_OK)
        return st;
    const glm_json *deferred = glm_json_get(inner, "defer_loading");
    const glm_json *parameters = glm_json_get(object, "parameters");
    tool->name = glm_json_to_text(name);
    tool->is_deferred = glm_json_is_type(deferred, GLM_JSON_BOOL) && deferred->boolean;
    tool->json = object;
    tool->parameters = glm_json_is_null(parameters) ? NULL : parameters;
    return wrap(c, tool, value, is_wrapped, err);
}

glm_status glm_conversation_read_tools(glm_conversation *c, const glm_json *list, glm_error *err)
{
    glm_tool *tools = NULL;
    size_t n = 0;
    if (!glm_json_is_null(list)) {
        if (list->type != GLM_JSON_ARRAY)
            return glm_conversation_mistyped(err, "tools", "list", list);
        n = list->length;
    }
    if (n > GLM_CONVERSATION_TOOLS_MAX)
        return glm_fail(err, GLM_EARG, "tools: expected at most %d, got %zu",
                        GLM_CONVERSATION_TOOLS_MAX, n);
    if (n > 0) {
        tools = glm_arena_new_array(&c->arena, glm_tool, n);
        if (!tools)
            return glm_conversation_no_room(c, err);
        size_t index = 0;
        for (const glm_json *item = list->first; item; item = item->next, index++) {
            glm_path path = glm_path_of("tools[%zu]", index);
            glm_status st = read_tool(c, &tools[index], item, path.text, err);
            if (st != GLM_OK)
                return st;
        }
    }
    c->tools = tools;
    c->n_tools = n;
    return GLM_OK;
}
