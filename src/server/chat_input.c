// SPDX-License-Identifier: MIT
#include "server/chat_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "glm/constraint.h"

/* What a request says of tools and format, on its way to a constraint. */
typedef struct wishes {
    glm_constraint_params params;
    glm_str tools, text; /* JSON that params points to */
    const char *names[GLM_CHOICES_MAX];
    bool needs_constraint;
} wishes;

/* ---- Choice of tools ---- */

static bool has_tool(const glm_json *root, const char *name)
{
    const glm_json *tools = glm_field(root, "tools");
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next) {
        const glm_json *function = glm_json_get(t, "function");
        if (glm_json_is(glm_json_get(function ? function : t, "name"), name))
            return true;
    }
    return false;
}

static bool add_name(wishes *w, const glm_json *root, const glm_json *name, glm_field_error *err)
{
    if (!name || name->type != GLM_JSON_STRING)
        return glm_field_refuse(err, "tool_choice", "tool_choice: expected the name of a tool");
    if (!has_tool(root, name->text))
        return glm_field_refuse(err, "tool_choice",
                                "tool_choice: expected an offered tool, got %.64s", name->text);
    if (w->params.n_tool_names == GLM_CHOICES_MAX)
        return glm_field_refuse(err, "tool_choice", "tool_choice: expected at most %u tools",
                                GLM_CHOICES_MAX);
    w->names[w->params.n_tool_names++] = name->text;
    w->params.tool_names = w->names;
    w->needs_constraint = true;
    return true;
}

/* {"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}, also without the inner object. */
static bool read_allowed(wishes *w, const glm_json *root, const glm_json *choice,
                         glm_field_error *err)
{
    const glm_json *allowed = glm_field(choice, "allowed_tools");
    if (!allowed || allowed->type != GLM_JSON_OBJECT)
        allowed = choice;
    if (glm_json_is(glm_json_get(allowed, "mode"), "required"))
        w->params.tool_choice = GLM_TOOL_CHOICE_REQUIRED;
    const glm_json *tools = glm_field(allowed, "tools");
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next) {
        const glm_json *function = glm_json_get(t, "function");
        if (!add_name(w, root, glm_json_get(function ? function : t, "name"), err))
            return false;
    }
    return true;
}

/* All three APIs' spellings. */
static bool read_tool_choice(wishes *w, const glm_json *root, glm_field_error *err)
{
    const glm_json *choice = glm_field(root, "tool_choice");
    const glm_json *tools = glm_field(root, "tools");
    if (!choice)
        return true;
    const glm_json *type = choice->type == GLM_JSON_OBJECT ? glm_json_get(choice, "type") : choice;
    bool is_free = glm_json_is(type, "auto") || glm_json_is(type, "none");
    if (!is_free && (!tools || !tools->first))
        return glm_field_refuse(err, "tool_choice", "tool_choice: expected tools with it");
    if (glm_json_is(type, "auto"))
        return true;
    if (glm_json_is(type, "none")) {
        w->params.tool_choice = GLM_TOOL_CHOICE_NONE;
        w->needs_constraint = tools && tools->first;
        return true;
    }
    if (glm_json_is(type, "required") || glm_json_is(type, "any")) {
        w->params.tool_choice = GLM_TOOL_CHOICE_REQUIRED;
        w->needs_constraint = true;
        return true;
    }
    if (glm_json_is(type, "allowed_tools"))
        return read_allowed(w, root, choice, err);
    if (choice->type == GLM_JSON_OBJECT &&
        (glm_json_is(type, "function") || glm_json_is(type, "tool") ||
         glm_json_is(type, "custom"))) {
        const glm_json *function = glm_field(choice, "function");
        w->params.tool_choice = GLM_TOOL_CHOICE_REQUIRED;
        return add_name(w, root, glm_json_get(function ? function : choice, "name"), err);
    }
    return glm_field_refuse(err, "tool_choice",
                            "tool_choice: expected auto, none, required or the name of a tool");
}

static bool is_strict_tool(const glm_json *tools)
{
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next) {
        const glm_json *function = glm_json_get(t, "function");
        const glm_json *strict = glm_json_get(function ? function : t, "strict");
        if (strict && strict->type == GLM_JSON_BOOL && strict->boolean)
            return true;
    }
    return false;
}

/* ---- Format ---- */

static void put_json(wishes *w, const glm_json *value)
{
    glm_json_writer writer = glm_json_writer_of(&w->text);
    glm_str_clear(&w->text);
    glm_json_copy(&writer, value);
    w->params.text = w->text.data;
    w->params.length = w->text.length;
    w->needs_constraint = true;
}

static bool read_schema(wishes *w, const glm_json *format, glm_field_error *err)
{
    const glm_json *inner = glm_field(format, "json_schema");
    if (!inner)
        inner = format;
    const glm_json *schema = glm_field(inner, "schema");
    const glm_json *strict = glm_field(inner, "strict");
    if (!schema || (schema->type != GLM_JSON_OBJECT && schema->type != GLM_JSON_BOOL))
        return glm_field_refuse(err, "response_format.json_schema.schema",
                                "response_format.json_schema.schema: expected an object");
    w->params.kind = GLM_CONSTRAINT_JSON_SCHEMA;
    w->params.strict = strict && strict->type == GLM_JSON_BOOL && strict->boolean;
    put_json(w, schema);
    return true;
}

static bool read_format(wishes *w, const glm_json *format, glm_field_error *err)
{
    const glm_json *type = glm_json_get(format, "type");
    if (!format || glm_json_is(type, "text"))
        return true;
    if (glm_json_is(type, "json_object") && !glm_field(format, "schema")) {
        w->params.kind = GLM_CONSTRAINT_JSON_OBJECT;
        w->needs_constraint = true;
        return true;
    }
    if (glm_json_is(type, "json_schema") || glm_json_is(type, "json_object"))
        return read_schema(w, format, err);
    return glm_field_refuse(err, "response_format.type",
                            "response_format.type: expected text, json_object or json_schema");
}

/* vLLM's and llama.cpp's names for the same. */
static bool read_extras(wishes *w, const glm_json *root, glm_field_error *err)
{
    const glm_json *outputs = glm_field(root, "structured_outputs");
    const struct {
        const glm_json *value;
        const char *name;
        glm_constraint_kind kind;
        bool is_text;
    } extras[] = {
        {glm_field(outputs, "json"), "structured_outputs.json", GLM_CONSTRAINT_JSON_SCHEMA, false},
        {glm_field(outputs, "regex"), "structured_outputs.regex", GLM_CONSTRAINT_REGEX, true},
        {glm_field(outputs, "choice"), "structured_outputs.choice", GLM_CONSTRAINT_CHOICE, false},
        {glm_field(outputs, "grammar"), "structured_outputs.grammar", GLM_CONSTRAINT_GBNF, true},
        {glm_field(root, "guided_json"), "guided_json", GLM_CONSTRAINT_JSON_SCHEMA, false},
        {glm_field(root, "guided_regex"), "guided_regex", GLM_CONSTRAINT_REGEX, true},
        {glm_field(root, "guided_choice"), "guided_choice", GLM_CONSTRAINT_CHOICE, false},
        {glm_field(root, "guided_grammar"), "guided_grammar", GLM_CONSTRAINT_GBNF, true},
        {glm_field(root, "json_schema"), "json_schema", GLM_CONSTRAINT_JSON_SCHEMA, false},
        {glm_field(root, "grammar"), "grammar", GLM_CONSTRAINT_GBNF, true},
    };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        const glm_json *value = extras[i].value;
        if (!value)
            continue;
        w->params.kind = extras[i].kind;
        if (value->type == GLM_JSON_STRING) {
            w->params.text = value->text;
            w->params.length = value->length;
            w->needs_constraint = true;
        } else if (extras[i].is_text) {
            return glm_field_refuse(err, extras[i].name, "%s: expected a string", extras[i].name);
        } else {
            put_json(w, value);
        }
    }
    return true;
}

/* ---- All of it ---- */

static bool read_wishes(wishes *w, glm_generation *g, const glm_chat_input *input,
                        glm_field_error *err)
{
    const glm_json *root = input->root;
    bool parallel = true, single = false;
    const glm_json *choice = glm_field(root, "tool_choice");
    if (!read_tool_choice(w, root, err) || !read_extras(w, root, err) ||
        !read_format(w, input->format ? input->format : glm_field(root, "response_format"), err) ||
        !glm_field_bool(root, "parallel_tool_calls", &parallel, err))
        return false;
    if (choice && choice->type == GLM_JSON_OBJECT &&
        !glm_field_bool(choice, "disable_parallel_tool_use", &single, err))
        return false;
    g->single_call = !parallel || single;
    w->params.single_call = g->single_call;
    return true;
}

/* The tools as the conversation's JSON has them: functions by the names the prompt shows. */
static void put_tools(wishes *w, const glm_json *tools)
{
    if (!tools || !tools->first)
        return;
    glm_json_writer writer = glm_json_writer_of(&w->tools);
    glm_json_copy(&writer, tools);
    w->params.tools = w->tools.data;
    w->params.tools_length = w->tools.length;
    w->needs_constraint |= is_strict_tool(tools);
}

static glm_status constrain(glm_generation *g, wishes *w, const glm_chat_prompt *prompt,
                            glm_request_params *request, glm_error *err)
{
    if (!w->needs_constraint)
        return GLM_OK;
    if (w->tools.has_failed || w->text.has_failed)
        return glm_fail(err, GLM_ENOMEM, "response_format");
    w->params.in_reasoning = glm_chat_prompt_start(prompt) == GLM_CHAT_START_REASONING;
    return glm_constraint_create(&request->constraint, g->server->model, &w->params, err);
}

static glm_status render(glm_chat_prompt **out, const glm_server *s, glm_chat_request *request,
                         const glm_chat_input *input, bool *reasons, glm_error *err)
{
    glm_chat_options options = s->options;
    options.thinking = !input->thinks_not;
    (void)glm_chat_request_switches(request, GLM_CHAT_AS_VENDOR, &options);
    *reasons = options.thinking;
    return glm_chat_prompt_create(out, s->chat, request, &options, err);
}

/* The tree of the conversation's own JSON, for its tools. */
static const glm_json *tools_of(const glm_chat_input *input, glm_arena *arena)
{
    const glm_json *tree;
    glm_arena_init(arena, input->json.length * 40 + ((size_t)1 << 20));
    if (glm_json_read(&tree, arena, input->json.data, input->json.length, 64, NULL) != GLM_OK)
        return NULL;
    return glm_field(tree, "tools");
}

void glm_chat_start_generation(glm_generation *g, const glm_chat_input *input,
                               glm_generation_params *p)
{
    glm_server *s = g->server;
    glm_call *call = g->call;
    wishes w = {.params = glm_constraint_params_default()};
    glm_chat_prompt *prompt = NULL;
    glm_field_error field;
    glm_arena arena;
    glm_error err;
    bool reasons = false;
    if (!read_wishes(&w, g, input, &field) ||
        !glm_read_think_budget(input->root, &p->request.think_budget, &field)) {
        glm_str_deinit(&w.text);
        glm_generation_refuse(g, &field);
        return;
    }
    put_tools(&w, tools_of(input, &arena));
    glm_status st = glm_chat_request_read(&p->chat, input->json.data, input->json.length, &err);
    if (st == GLM_OK && glm_chat_request_n_messages(p->chat) == 0)
        st = glm_fail(&err, GLM_EARG, "messages: expected at least one message");
    if (st == GLM_OK)
        st = render(&prompt, s, p->chat, input, &reasons, &err);
    if (st == GLM_OK)
        st = glm_chat_prompt_ids(prompt, &p->ids, &p->n_ids, &err);
    if (st == GLM_OK)
        st = constrain(g, &w, prompt, &p->request, &err);
    p->prompt = prompt;
    p->request.think_end_id = glm_chat_think_end_id(s->chat);
    if (!reasons)
        p->request.think_budget = 0;
    if (st == GLM_OK) {
        glm_generation_start(g, p);
    } else {
        glm_chat_request_destroy(p->chat);
        glm_generation_discard(g);
        glm_answer_status(call, st, &err);
    }
    glm_constraint_release(p->request.constraint);
    glm_chat_prompt_destroy(prompt);
    glm_str_deinit(&w.text);
    glm_str_deinit(&w.tools);
    glm_arena_deinit(&arena);
}

void glm_chat_count(glm_call *call, glm_text json, const char *object)
{
    glm_chat_request *request = NULL;
    glm_chat_prompt *prompt = NULL;
    const glm_chat_input input = {0};
    const int32_t *ids;
    size_t n = 0;
    bool reasons;
    glm_error err;
    glm_status st = glm_chat_request_read(&request, json.data, json.length, &err);
    if (st == GLM_OK)
        st = render(&prompt, call->server, request, &input, &reasons, &err);
    if (st == GLM_OK)
        st = glm_chat_prompt_ids(prompt, &ids, &n, &err);
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
    if (st != GLM_OK) {
        glm_answer_status(call, st, &err);
        return;
    }
    glm_str body = {0};
    glm_json_writer w = glm_json_writer_of(&body);
    glm_json_begin_object(&w);
    if (object) {
        glm_json_write_key(&w, "object");
        glm_json_write_c(&w, object);
    }
    glm_json_write_key(&w, "input_tokens");
    glm_json_write_u64(&w, n);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &body);
    glm_str_deinit(&body);
}
