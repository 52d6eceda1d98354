// SPDX-License-Identifier: MIT
/* Anthropic Messages: blocks one behind the other, named events. Source: Anthropic's API reference, version 2023-06-01. */
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

/* ---- Requests ---- */

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
    glm_generation *g = glm_generation_create(call);
    if (!g)
        return;
    const glm_json *root = g->root;
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
