// SPDX-License-Identifier: MIT
/* Requests of Messages in Chat Completions' shape: blocks become parts, results of tools messages of their own. */
#include <stdio.h>
#include <string.h>

#include "server/chat_input.h"

/* Text of a content part, or of a list of them, joined by a newline where none stands. */
static void append_text(glm_str *out, const glm_json *content)
{
    if (!content)
        return;
    if (content->type == GLM_JSON_STRING) {
        glm_str_append(out, content->text, content->length);
        return;
    }
    for (const glm_json *part = content->first; part; part = part->next) {
        const glm_json *text = glm_json_get(part, "text");
        if (!text || text->type != GLM_JSON_STRING)
            continue;
        if (out->length > 0 && out->data[out->length - 1] != '\n')
            glm_str_append_c(out, "\n");
        glm_str_append(out, text->text, text->length);
    }
}

static void write_text_message(glm_json_writer *w, const char *role, const glm_str *text)
{
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", role);
    glm_json_put_text(w, "content", glm_str_text(text));
    glm_json_end_object(w);
}

static void write_system(glm_json_writer *w, const glm_json *system)
{
    if (!system)
        return;
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", "system");
    glm_json_write_key(w, "content");
    if (system->type == GLM_JSON_STRING) {
        glm_json_copy(w, system);
    } else { /* blocks stay parts, so that a billing block is seen as one; a newline between them */
        glm_json_begin_array(w);
        bool ends_line = true;
        for (const glm_json *b = system->first; b; b = b->next) {
            const glm_json *text = glm_json_get(b, "text");
            if (!text || text->type != GLM_JSON_STRING)
                continue;
            bool is_billing = strncmp(text->text, "x-anthropic-billing-header:", 27) == 0;
            if (!ends_line && !is_billing)
                glm_json_write_c(w, "\n");
            glm_json_begin_object(w);
            glm_json_put_c(w, "type", "text");
            glm_json_put_text(w, "text", (glm_text){text->text, text->length});
            glm_json_end_object(w);
            if (!is_billing)
                ends_line = text->length == 0 || text->text[text->length - 1] == '\n';
        }
        glm_json_end_array(w);
    }
    glm_json_end_object(w);
}

/* The content of a tool's result: text, or parts the template knows. */
static void write_result_content(glm_json_writer *w, const glm_json *content)
{
    glm_str text = {0};
    bool is_plain = true;
    for (const glm_json *p = content && content->type == GLM_JSON_ARRAY ? content->first : NULL; p;
         p = p->next)
        is_plain &= glm_json_is(glm_json_get(p, "type"), "text");
    if (content && content->type == GLM_JSON_ARRAY && !is_plain) {
        glm_json_copy(w, content);
        return;
    }
    append_text(&text, content);
    glm_json_write_text(w, glm_str_text(&text));
    glm_str_deinit(&text);
}

/* A user's message: its tool results first, then its text and media as one message. */
static void write_user(glm_json_writer *w, const glm_json *content, const char *role)
{
    bool has_rest = false;
    if (content->type == GLM_JSON_STRING) {
        glm_str text = {0};
        append_text(&text, content);
        write_text_message(w, role, &text);
        glm_str_deinit(&text);
        return;
    }
    for (const glm_json *p = content->first; p; p = p->next) {
        if (!glm_json_is(glm_json_get(p, "type"), "tool_result")) {
            has_rest = true;
            continue;
        }
        glm_json_begin_object(w);
        glm_json_put_c(w, "role", "tool");
        const glm_json *id = glm_field(p, "tool_use_id");
        if (id && id->type == GLM_JSON_STRING)
            glm_json_put_c(w, "tool_call_id", id->text);
        glm_json_write_key(w, "content");
        write_result_content(w, glm_field(p, "content"));
        glm_json_end_object(w);
    }
    if (!has_rest)
        return;
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", role);
    glm_json_write_key(w, "content");
    glm_json_begin_array(w);
    bool ends_line = true;
    for (const glm_json *p = content->first; p; p = p->next) {
        const glm_json *type = glm_json_get(p, "type");
        const glm_json *text = glm_json_get(p, "text");
        if (glm_json_is(type, "tool_result"))
            continue;
        if (!ends_line)
            glm_json_write_c(w, "\n");
        if (glm_json_is(type, "document")) {
            glm_json_begin_object(w);
            glm_json_put_c(w, "type", "image");
            glm_json_end_object(w);
        } else {
            glm_json_copy(w, p);
        }
        ends_line = text && text->type == GLM_JSON_STRING && text->length > 0 &&
                    text->text[text->length - 1] == '\n';
    }
    glm_json_end_array(w);
    glm_json_end_object(w);
}

static void write_tool_uses(glm_json_writer *w, const glm_json *content)
{
    bool has_calls = false;
    for (const glm_json *p = content->first; p; p = p->next) {
        if (!glm_json_is(glm_json_get(p, "type"), "tool_use"))
            continue;
        const glm_json *name = glm_field(p, "name"), *id = glm_field(p, "id"),
                       *input = glm_field(p, "input");
        if (!has_calls) {
            glm_json_write_key(w, "tool_calls");
            glm_json_begin_array(w);
        }
        has_calls = true;
        glm_json_begin_object(w);
        if (id && id->type == GLM_JSON_STRING)
            glm_json_put_c(w, "id", id->text);
        glm_json_write_key(w, "function");
        glm_json_begin_object(w);
        if (name && name->type == GLM_JSON_STRING)
            glm_json_put_c(w, "name", name->text);
        if (input) {
            glm_json_write_key(w, "arguments");
            glm_json_copy(w, input);
        }
        glm_json_end_object(w);
        glm_json_end_object(w);
    }
    if (has_calls)
        glm_json_end_array(w);
}

static void write_assistant(glm_json_writer *w, const glm_json *content)
{
    glm_str text = {0}, thinking = {0};
    if (content->type == GLM_JSON_STRING) {
        append_text(&text, content);
        write_text_message(w, "assistant", &text);
        glm_str_deinit(&text);
        return;
    }
    for (const glm_json *p = content->first; p; p = p->next) {
        const glm_json *type = glm_json_get(p, "type");
        const glm_json *t = glm_json_get(p, glm_json_is(type, "thinking") ? "thinking" : "text");
        if (t && t->type == GLM_JSON_STRING)
            glm_str_append(glm_json_is(type, "thinking") ? &thinking : &text, t->text, t->length);
    }
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", "assistant");
    glm_json_put_text(w, "content", glm_str_text(&text));
    if (thinking.length > 0 && strspn(thinking.data, " \t\r\n") < thinking.length) {
        glm_json_put_text(w, "reasoning_content", glm_str_text(&thinking));
    }
    write_tool_uses(w, content);
    glm_json_end_object(w);
    glm_str_deinit(&text);
    glm_str_deinit(&thinking);
}

static bool write_message(glm_json_writer *w, const glm_json *m, size_t index, glm_field_error *err)
{
    char path[48];
    const glm_json *role = glm_field(m, "role"), *content = glm_field(m, "content");
    snprintf(path, sizeof path, "messages[%zu]", index);
    if (m->type != GLM_JSON_OBJECT || !role || role->type != GLM_JSON_STRING)
        return glm_field_refuse(err, path, "%s.role: expected user or assistant", path);
    if (!content || (content->type != GLM_JSON_STRING && content->type != GLM_JSON_ARRAY))
        return glm_field_refuse(err, path, "%s.content: expected a string or a list of blocks",
                                path);
    for (const glm_json *p = content->type == GLM_JSON_ARRAY ? content->first : NULL; p;
         p = p->next)
        if (p->type != GLM_JSON_OBJECT)
            return glm_field_refuse(err, path, "%s.content: expected blocks that are objects",
                                    path);
    if (glm_json_is(role, "assistant"))
        write_assistant(w, content);
    else
        write_user(w, content, glm_json_is(role, "system") ? "system" : "user");
    return true;
}

/* Tools of the server's side have no schema and are left out. */
static void write_tools(glm_json_writer *w, const glm_json *tools)
{
    glm_json_begin_array(w);
    for (const glm_json *t = tools->first; t; t = t->next) {
        if (!glm_field(t, "input_schema"))
            continue;
        static const char *const kept[] = {"name", "description", "input_schema", "strict",
                                           "defer_loading"};
        glm_json_begin_object(w);
        glm_copy_fields(w, t, kept, sizeof kept / sizeof *kept);
        glm_json_end_object(w);
    }
    glm_json_end_array(w);
}

bool glm_chat_of_messages(glm_str *out, const glm_json *root, glm_field_error *err)
{
    const glm_json *messages = glm_field(root, "messages"), *tools = glm_field(root, "tools");
    const glm_json *system = glm_field(root, "system");
    static const char *const switches[] = {"thinking", "output_config", "context_management",
                                           "chat_template_kwargs"};
    if (!messages || messages->type != GLM_JSON_ARRAY || !messages->first)
        return glm_field_refuse(err, "messages", "messages: expected a list of messages");
    if (system && system->type != GLM_JSON_STRING && system->type != GLM_JSON_ARRAY)
        return glm_field_refuse(err, "system", "system: expected a string or a list of blocks");
    if (tools && tools->type != GLM_JSON_ARRAY)
        return glm_field_refuse(err, "tools", "tools: expected a list");
    glm_json_writer w = glm_json_writer_of(out);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "messages");
    glm_json_begin_array(&w);
    write_system(&w, system);
    size_t index = 0;
    for (const glm_json *m = messages->first; m; m = m->next)
        if (!write_message(&w, m, index++, err))
            return false;
    glm_json_end_array(&w);
    if (tools) {
        glm_json_write_key(&w, "tools");
        write_tools(&w, tools);
    }
    glm_copy_fields(&w, root, switches, sizeof switches / sizeof *switches);
    /* A conversation that ends with the assistant's words is to be gone on with. */
    const glm_json *last = messages->first;
    while (last->next)
        last = last->next;
    if (glm_json_is(glm_json_get(last, "role"), "assistant")) {
        glm_json_put_bool(&w, "continue_final_message", true);
    }
    glm_json_end_object(&w);
    return out->has_failed ? glm_field_refuse(err, "messages", "messages: no memory") : true;
}
