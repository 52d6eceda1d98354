// SPDX-License-Identifier: MIT
/* Requests of Responses in Chat Completions' shape: items become messages, namespaces and custom tools functions. */
#include <stdio.h>

#include "server/chat_input.h"

/* Content of an item: a string, or parts that become text and media. */
static void write_content(glm_json_writer *w, const glm_json *content)
{
    if (!content) {
        glm_json_write_c(w, "");
        return;
    }
    if (content->type != GLM_JSON_ARRAY) {
        glm_json_copy(w, content);
        return;
    }
    glm_json_begin_array(w);
    for (const glm_json *p = content->first; p; p = p->next) {
        const glm_json *type = glm_json_get(p, "type");
        const glm_json *text = glm_field(p, "text");
        if (!text)
            text = glm_field(p, "refusal");
        if (text && text->type == GLM_JSON_STRING) {
            glm_json_begin_object(w);
            glm_json_put_c(w, "type", "text");
            glm_json_write_key(w, "text");
            glm_json_copy(w, text);
            glm_json_end_object(w);
        } else if (glm_json_is(type, "input_image") || glm_json_is(type, "input_file")) {
            glm_json_begin_object(w);
            glm_json_put_c(w, "type", "image");
            glm_json_end_object(w);
        }
    }
    glm_json_end_array(w);
}

/* What a run of reasoning, message and calls becomes: one assistant's message. */
typedef struct turn {
    glm_str reasoning, content, calls;
    bool is_open;
} turn;

static void flush_turn(glm_json_writer *w, turn *t)
{
    if (t->is_open) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "role", "assistant");
        glm_json_put_text(w, "content", glm_str_text(&t->content));
        if (t->reasoning.length > 0) {
            glm_json_put_text(w, "reasoning_content", glm_str_text(&t->reasoning));
        }
        if (t->calls.length > 0) {
            glm_json_write_key(w, "tool_calls");
            glm_json_begin_array(w);
            glm_json_write_raw(w, glm_str_text(&t->calls));
            glm_json_end_array(w);
        }
        glm_json_end_object(w);
    }
    glm_str_deinit(&t->reasoning);
    glm_str_deinit(&t->content);
    glm_str_deinit(&t->calls);
    *t = (turn){0};
}

static void append_texts(glm_str *out, const glm_json *content)
{
    if (content && content->type == GLM_JSON_STRING)
        glm_str_append(out, content->text, content->length);
    for (const glm_json *p = content && content->type == GLM_JSON_ARRAY ? content->first : NULL; p;
         p = p->next) {
        const glm_json *text = glm_field(p, "text");
        if (text && text->type == GLM_JSON_STRING)
            glm_str_append(out, text->text, text->length);
    }
}

static void add_call(turn *t, const glm_json *call, bool is_custom)
{
    const glm_json *name = glm_field(call, "name"), *space = glm_field(call, "namespace");
    const glm_json *arguments = glm_field(call, is_custom ? "input" : "arguments");
    const glm_json *id = glm_field(call, "call_id");
    glm_str full = {0};
    if (!name || name->type != GLM_JSON_STRING)
        return;
    if (space && space->type == GLM_JSON_STRING) {
        glm_str_append(&full, space->text, space->length);
        glm_str_append_c(&full, "__");
    }
    glm_str_append(&full, name->text, name->length);
    if (t->calls.length > 0)
        glm_str_append_c(&t->calls, ", ");
    glm_json_writer w = glm_json_writer_of(&t->calls);
    glm_json_begin_object(&w);
    if (id && id->type == GLM_JSON_STRING)
        glm_json_put_c(&w, "id", id->text);
    glm_json_write_key(&w, "function");
    glm_json_begin_object(&w);
    glm_json_put_text(&w, "name", glm_str_text(&full));
    if (arguments && is_custom) {
        glm_json_write_key(&w, "arguments");
        glm_json_begin_object(&w);
        glm_json_write_key(&w, "input");
        glm_json_copy(&w, arguments);
        glm_json_end_object(&w);
    } else if (arguments) {
        glm_json_write_key(&w, "arguments");
        glm_json_copy(&w, arguments);
    }
    glm_json_end_object(&w);
    glm_json_end_object(&w);
    glm_str_deinit(&full);
    t->is_open = true;
}

static void write_output(glm_json_writer *w, const glm_json *value)
{
    const glm_json *id = glm_field(value, "call_id");
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", "tool");
    if (id && id->type == GLM_JSON_STRING)
        glm_json_put_c(w, "tool_call_id", id->text);
    glm_json_write_key(w, "content");
    write_content(w, glm_field(value, "output"));
    glm_json_end_object(w);
}

static bool write_input_item(glm_json_writer *w, turn *t, const glm_json *value, size_t index,
                             glm_field_error *err)
{
    char path[32];
    snprintf(path, sizeof path, "input[%zu]", index);
    if (value->type != GLM_JSON_OBJECT)
        return glm_field_refuse(err, path, "%s: expected an object", path);
    const glm_json *type = glm_field(value, "type"), *role = glm_field(value, "role");
    if (glm_json_is(type, "item_reference"))
        return glm_field_refuse(err, path, "%s: item_reference is not supported: nothing is stored",
                                path);
    if (glm_json_is(type, "reasoning")) {
        const glm_json *content = glm_field(value, "content");
        append_texts(&t->reasoning,
                     content && content->first ? content : glm_field(value, "summary"));
        t->is_open = true;
    } else if (glm_json_is(type, "function_call") || glm_json_is(type, "custom_tool_call")) {
        add_call(t, value, glm_json_is(type, "custom_tool_call"));
    } else if (glm_json_is(type, "function_call_output") ||
               glm_json_is(type, "custom_tool_call_output")) {
        flush_turn(w, t);
        write_output(w, value);
    } else if (role && role->type == GLM_JSON_STRING && (!type || glm_json_is(type, "message"))) {
        if (glm_json_is(role, "assistant")) {
            append_texts(&t->content, glm_field(value, "content"));
            t->is_open = true;
            return true;
        }
        flush_turn(w, t);
        glm_json_begin_object(w);
        glm_json_put_c(w, "role", role->text);
        glm_json_write_key(w, "content");
        write_content(w, glm_field(value, "content"));
        glm_json_end_object(w);
    }
    return true; /* items of other kinds are not for this model */
}

/* One function; members of a namespace are called namespace__name. */
static void write_tool(glm_json_writer *w, const glm_json *t, const glm_json *space)
{
    const glm_json *name = glm_field(t, "name");
    bool is_custom = glm_json_is(glm_json_get(t, "type"), "custom");
    glm_str full = {0};
    if (!name || name->type != GLM_JSON_STRING)
        return;
    if (space) {
        glm_str_append(&full, space->text, space->length);
        glm_str_append_c(&full, "__");
    }
    glm_str_append(&full, name->text, name->length);
    static const char *const kept[] = {"description", "parameters", "strict", "defer_loading"};
    glm_json_begin_object(w);
    glm_json_put_c(w, "type", "function");
    glm_json_put_text(w, "name", glm_str_text(&full));
    glm_copy_fields(w, t, kept, sizeof kept / sizeof *kept);
    if (is_custom) {
        glm_json_write_key(w, "parameters");
        glm_json_write_raw(
            w, glm_text_c("{\"type\": \"object\", \"properties\": {\"input\": {\"type\": "
                          "\"string\"}}, \"required\": [\"input\"]}"));
    }
    glm_json_end_object(w);
    glm_str_deinit(&full);
}

/* Tools that the service would run itself are left out: clients offer them to every server. */
static void write_tools(glm_json_writer *w, const glm_json *tools)
{
    glm_json_begin_array(w);
    for (const glm_json *t = tools->first; t; t = t->next) {
        const glm_json *type = glm_json_get(t, "type"), *name = glm_field(t, "name");
        if (glm_json_is(type, "function") || glm_json_is(type, "custom")) {
            write_tool(w, t, NULL);
        } else if (glm_json_is(type, "namespace") && name && name->type == GLM_JSON_STRING) {
            const glm_json *members = glm_field(t, "tools");
            for (const glm_json *m = members ? members->first : NULL; m; m = m->next)
                write_tool(w, m, name);
        }
    }
    glm_json_end_array(w);
}

static bool write_messages(glm_json_writer *w, const glm_json *root, glm_field_error *err)
{
    const glm_json *input = glm_field(root, "input"), *system = glm_field(root, "instructions");
    turn t = {0};
    if (!input || (input->type != GLM_JSON_STRING && input->type != GLM_JSON_ARRAY))
        return glm_field_refuse(err, "input", "input: expected a string or a list of items");
    if (system && system->type == GLM_JSON_STRING) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "role", "system");
        glm_json_write_key(w, "content");
        glm_json_copy(w, system);
        glm_json_end_object(w);
    }
    if (input->type == GLM_JSON_STRING) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "role", "user");
        glm_json_write_key(w, "content");
        glm_json_copy(w, input);
        glm_json_end_object(w);
        return true;
    }
    size_t index = 0;
    bool is_fine = true;
    for (const glm_json *i = input->first; i && is_fine; i = i->next)
        is_fine = write_input_item(w, &t, i, index++, err);
    flush_turn(w, &t);
    return is_fine;
}

bool glm_chat_of_responses(glm_str *out, const glm_json *root, glm_field_error *err)
{
    const glm_json *tools = glm_field(root, "tools");
    static const char *const switches[] = {"reasoning", "chat_template_kwargs", "thinking"};
    if (tools && tools->type != GLM_JSON_ARRAY)
        return glm_field_refuse(err, "tools", "tools: expected a list");
    glm_json_writer w = glm_json_writer_of(out);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "messages");
    glm_json_begin_array(&w);
    if (!write_messages(&w, root, err))
        return false;
    glm_json_end_array(&w);
    if (tools) {
        glm_json_write_key(&w, "tools");
        write_tools(&w, tools);
    }
    glm_copy_fields(&w, root, switches, sizeof switches / sizeof *switches);
    glm_json_end_object(&w);
    return out->has_failed ? glm_field_refuse(err, "input", "input: no memory") : true;
}
