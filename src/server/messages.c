// SPDX-License-Identifier: MIT
/* Anthropic Messages: blocks one behind the other, named events. Source: Anthropic's API reference, version 2023-06-01. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "net/sse.h"
#include "server/chat_input.h"
#include "server/generation.h"

/* Opaque to clients, which keep it and send it back; some drop thinking that has none. */
#define SIGNATURE "Z2xtOnYx"

typedef enum block {
    BLOCK_NONE,
    BLOCK_THINKING,
    BLOCK_TEXT,
    BLOCK_TOOL,
} block;

typedef struct message_state {
    block block;
    uint64_t index; /* of the open block, or of the next one */
} message_state;

/* ---- Writing ---- */

static void write_usage(glm_json_writer *w, const glm_generation *g)
{
    glm_json_begin_object(w);
    glm_json_put_u64(w, "input_tokens", g->n_prompt - g->n_cached);
    glm_json_put_u64(w, "cache_creation_input_tokens", 0);
    glm_json_put_u64(w, "cache_read_input_tokens", g->n_cached);
    glm_json_put_u64(w, "output_tokens", glm_generation_n_tokens(g));
    glm_json_write_key(w, "output_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "thinking_tokens", glm_generation_n_reasoning(g));
    glm_json_end_object(w);
    glm_json_end_object(w);
}

static const char *stop_reason(const glm_choice *c)
{
    switch (c->ending) {
    case GLM_ENDING_TOOL_CALLS:
        return "tool_use";
    case GLM_ENDING_LENGTH:
        return "max_tokens";
    case GLM_ENDING_CONTEXT:
        return "model_context_window_exceeded";
    case GLM_ENDING_STOP_TEXT:
        return "stop_sequence";
    default:
        return "end_turn";
    }
}

static void write_stop(glm_json_writer *w, const glm_generation *g, const glm_choice *c)
{
    glm_json_put_c(w, "stop_reason", stop_reason(c));
    glm_json_write_key(w, "stop_sequence");
    if (c->ending == GLM_ENDING_STOP_TEXT && c->stop.stop_index < g->n_stops)
        glm_json_write_c(w, g->stops[c->stop.stop_index]);
    else
        glm_json_write_null(w);
}

static void write_message_start(glm_json_writer *w, const glm_generation *g)
{
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", g->id);
    glm_json_put_c(w, "type", "message");
    glm_json_put_c(w, "role", "assistant");
    glm_json_put_c(w, "model", g->model);
    glm_json_write_key(w, "content");
    glm_json_begin_array(w);
}

/* ---- Streams ---- */

typedef struct event_line {
    const char *name;
    glm_str json;
    glm_json_writer w;
} event_line;

static void open_event(event_line *e, const char *name)
{
    e->name = name;
    e->json = (glm_str){0};
    e->w = glm_json_writer_of(&e->json);
    glm_json_begin_object(&e->w);
    glm_json_put_c(&e->w, "type", name);
}

static void close_event(event_line *e, glm_generation *g)
{
    glm_json_end_object(&e->w);
    glm_sse_event(&g->out, e->name, glm_str_text(&e->json));
    glm_str_deinit(&e->json);
}

static void send_ping(glm_generation *g)
{
    event_line e;
    open_event(&e, "ping");
    close_event(&e, g);
}

static void keep_alive(glm_generation *g)
{
    if (g->progress.n_done)
        glm_generation_tell_progress(g);
    send_ping(g);
}

static void begin(glm_generation *g)
{
    if (!g->streams)
        return;
    event_line e;
    glm_generation_open_stream(g);
    open_event(&e, "message_start");
    glm_json_write_key(&e.w, "message");
    write_message_start(&e.w, g);
    glm_json_end_array(&e.w);
    glm_json_put_null(&e.w, "stop_reason");
    glm_json_put_null(&e.w, "stop_sequence");
    glm_json_write_key(&e.w, "usage");
    write_usage(&e.w, g);
    glm_json_end_object(&e.w);
    close_event(&e, g);
    send_ping(g);
}

static void send_delta(glm_generation *g, uint64_t index, const char *type, const char *key,
                       glm_text text)
{
    event_line e;
    open_event(&e, "content_block_delta");
    glm_json_put_u64(&e.w, "index", index);
    glm_json_write_key(&e.w, "delta");
    glm_json_begin_object(&e.w);
    glm_json_put_c(&e.w, "type", type);
    glm_json_put_text(&e.w, key, text);
    glm_json_end_object(&e.w);
    close_event(&e, g);
}

static void close_block(glm_generation *g, message_state *m)
{
    event_line e;
    if (m->block == BLOCK_NONE)
        return;
    if (m->block == BLOCK_THINKING)
        send_delta(g, m->index, "signature_delta", "signature", glm_text_c(SIGNATURE));
    open_event(&e, "content_block_stop");
    glm_json_put_u64(&e.w, "index", m->index);
    close_event(&e, g);
    m->block = BLOCK_NONE;
    m->index++;
}

static void open_block(glm_generation *g, message_state *m, block kind, const char *id,
                       glm_text name)
{
    event_line e;
    close_block(g, m);
    m->block = kind;
    open_event(&e, "content_block_start");
    glm_json_put_u64(&e.w, "index", m->index);
    glm_json_write_key(&e.w, "content_block");
    glm_json_begin_object(&e.w);
    if (kind == BLOCK_THINKING) {
        glm_json_put_c(&e.w, "type", "thinking");
        glm_json_put_c(&e.w, "thinking", "");
        glm_json_put_c(&e.w, "signature", "");
    } else if (kind == BLOCK_TEXT) {
        glm_json_put_c(&e.w, "type", "text");
        glm_json_put_c(&e.w, "text", "");
    } else {
        glm_json_put_c(&e.w, "type", "tool_use");
        glm_json_put_c(&e.w, "id", id);
        glm_json_put_text(&e.w, "name", name);
        glm_json_write_key(&e.w, "input");
        glm_json_begin_object(&e.w);
        glm_json_end_object(&e.w);
    }
    glm_json_end_object(&e.w);
    close_event(&e, g);
}

static void delta(glm_generation *g, glm_choice *c, const glm_chat_event *event)
{
    message_state *m = g->state;
    glm_text text = {event->text, event->length};
    if (!g->streams)
        return;
    switch (event->type) {
    case GLM_CHAT_EVENT_REASONING:
        if (m->block != BLOCK_THINKING)
            open_block(g, m, BLOCK_THINKING, NULL, text);
        send_delta(g, m->index, "thinking_delta", "thinking", text);
        break;
    case GLM_CHAT_EVENT_CONTENT:
        if (m->block != BLOCK_TEXT)
            open_block(g, m, BLOCK_TEXT, NULL, text);
        send_delta(g, m->index, "text_delta", "text", text);
        break;
    case GLM_CHAT_EVENT_CALL_BEGIN:
        open_block(g, m, BLOCK_TOOL, c->call_ids[event->call].id, text);
        break;
    case GLM_CHAT_EVENT_CALL_ARGS:
        send_delta(g, m->index, "input_json_delta", "partial_json", text);
        break;
    default:
        close_block(g, m);
    }
}

static void over(glm_generation *g, glm_choice *c)
{
    message_state *m = g->state;
    (void)c;
    if (g->streams)
        close_block(g, m);
}

static void end_stream(glm_generation *g)
{
    event_line e;
    open_event(&e, "message_delta");
    glm_json_write_key(&e.w, "delta");
    glm_json_begin_object(&e.w);
    write_stop(&e.w, g, &g->choices[0]);
    glm_json_end_object(&e.w);
    glm_json_write_key(&e.w, "usage");
    write_usage(&e.w, g);
    close_event(&e, g);
    open_event(&e, "message_stop");
    close_event(&e, g);
}

/* ---- Whole answers ---- */

static void write_blocks(glm_json_writer *w, const glm_choice *c)
{
    const glm_chat_message *m = glm_chat_parser_message(c->parser);
    if (m->reasoning_length > 0) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "type", "thinking");
        glm_json_put_text(w, "thinking", (glm_text){m->reasoning, m->reasoning_length});
        glm_json_put_c(w, "signature", SIGNATURE);
        glm_json_end_object(w);
    }
    if (c->text.length > 0) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "type", "text");
        glm_json_put_text(w, "text", glm_str_text(&c->text));
        glm_json_end_object(w);
    }
    for (size_t i = 0; i < m->n_calls && i < c->n_calls; i++) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "type", "tool_use");
        glm_json_put_c(w, "id", c->call_ids[i].id);
        glm_json_put_text(w, "name", (glm_text){m->calls[i].name, m->calls[i].name_length});
        glm_json_write_key(w, "input");
        glm_json_write_raw(w, (glm_text){m->calls[i].arguments, m->calls[i].arguments_length});
        glm_json_end_object(w);
    }
}

static void end(glm_generation *g)
{
    if (g->streams) {
        end_stream(g);
        return;
    }
    glm_json_writer w = glm_json_writer_of(&g->out);
    write_message_start(&w, g);
    write_blocks(&w, &g->choices[0]);
    glm_json_end_array(&w);
    write_stop(&w, g, &g->choices[0]);
    glm_json_write_key(&w, "usage");
    write_usage(&w, g);
    glm_json_end_object(&w);
}

static void fail(glm_generation *g, int status, const char *message)
{
    glm_str json = {0};
    glm_error_body(&json, DIALECT_ANTHROPIC, status == 503 ? 529 : status, NULL, NULL, message,
                   g->call->request_id);
    glm_sse_event(&g->out, "error", glm_str_text(&json));
    glm_str_deinit(&json);
}

static const glm_voice voice = {.begin = begin,
                                .delta = delta,
                                .over = over,
                                .end = end,
                                .fail = fail,
                                .keep_alive = keep_alive};

/* ---- Requests: from blocks to Chat Completions' shape ---- */

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
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
            const glm_json *value = glm_field(t, kept[i]);
            if (!value)
                continue;
            glm_json_write_key(w, kept[i]);
            glm_json_copy(w, value);
        }
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
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        const glm_json *value = glm_field(root, switches[i]);
        if (!value)
            continue;
        glm_json_write_key(&w, switches[i]);
        glm_json_copy(&w, value);
    }
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

static bool read_fields(glm_generation *g, int64_t *max_tokens, glm_field_error *err)
{
    *max_tokens = 0;
    if (!glm_field(g->root, "max_tokens"))
        return glm_field_refuse(err, "max_tokens", "max_tokens: field required");
    return glm_field_int(g->root, "max_tokens", 1, INT64_MAX, max_tokens, err) &&
           glm_field_bool(g->root, "stream", &g->streams, err);
}

/* A5's words; what another one would mean is not known. */
static bool check_thinking(const glm_json *root, glm_field_error *err)
{
    static const char *const known[] = {"enabled", "disabled", "adaptive", "auto", "between_tools"};
    const glm_json *type = glm_field(glm_field(root, "thinking"), "type");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!type || glm_json_is(type, known[i]))
            return true;
    return glm_field_refuse(err, "thinking.type",
                            "thinking.type: expected enabled, disabled or adaptive");
}

/* Claude Code says nothing when it wants no thinking. */
static bool is_claude_cli(const glm_call *call)
{
    const char *agent = glm_http_header(call->x, "User-Agent");
    return agent && strncasecmp(agent, "claude-cli/", 11) == 0;
}

void glm_handle_messages(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    if (!glm_read_body(call, &arena, &root))
        return;
    glm_generation *g = glm_generation_create(call, &arena, root);
    if (!g || !glm_read_model(g))
        return;
    glm_generation_params p = {.voice = &voice, .request = glm_request_params_default()};
    glm_sampler_params sampler = glm_sampler_params_of(g->server->model);
    glm_field_error err;
    glm_str json = {0};
    p.request.sampler = &sampler;
    glm_new_id(g->id, "msg_");
    g->state = glm_new(message_state);
    bool is_fine = g->state ? read_fields(g, &p.max_tokens, &err)
                            : glm_field_refuse(&err, "messages", "messages: no memory");
    is_fine = is_fine && glm_read_sampling(g, "stop_sequences", &sampler, &p.request, &err) &&
              check_thinking(root, &err) && glm_chat_of_messages(&json, root, &err) &&
              glm_check_tool_results(glm_field(root, "messages"), &err);
    if (!is_fine) {
        glm_str_deinit(&json);
        glm_generation_refuse(g, &err);
        return;
    }
    glm_chat_input input = {.root = root,
                            .json = glm_str_text(&json),
                            .thinks_not = !glm_field(root, "thinking") && is_claude_cli(call)};
    glm_chat_start_generation(g, &input, &p);
    glm_str_deinit(&json);
}

void glm_handle_count_messages(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    glm_field_error err;
    glm_str json = {0};
    if (!glm_read_body(call, &arena, &root))
        return;
    if (glm_chat_of_messages(&json, root, &err))
        glm_chat_count(call, glm_str_text(&json), NULL);
    else
        glm_answer_error(call, 400, NULL, err.param, 0, "%s", err.text);
    glm_str_deinit(&json);
    glm_arena_deinit(&arena);
}
