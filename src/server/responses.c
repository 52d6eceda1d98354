// SPDX-License-Identifier: MIT
/*
 * OpenAI's Responses, without a store: items one behind the other, each with its events. Source: OpenAI's API reference; the
 * order of events that its SDKs and Codex insist on is in docs/server.md.
 */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/sse.h"
#include "server/chat_input.h"
#include "server/custom_input.h"
#include "server/generation.h"

typedef enum item {
    ITEM_NONE,
    ITEM_REASONING,
    ITEM_MESSAGE,
    ITEM_CALL,
    ITEM_CUSTOM, /* a call of a tool whose input is text */
} item;

typedef struct response_state {
    item item;
    char id[GLM_ID_BYTES]; /* of the open item */
    uint64_t index;        /* of it, or of the next one */
    uint64_t sequence;
    glm_str text; /* of the open item: reasoning, text, arguments or input */
    glm_str raw;  /* of the open custom call: its arguments */
    glm_custom_input input;
    glm_str name;     /* of the open call */
    glm_str items;    /* JSON of those that are complete, apart by commas */
    glm_str said;     /* text of a stream with log-probabilities, until its token comes */
    glm_str fresh;    /* log-probabilities not sent yet, apart by commas */
    glm_str logprobs; /* all of the open message's */
    uint64_t told_ns; /* when progress was last told */
    char call_id[GLM_ID_BYTES];
} response_state;

#define KEEP_ALIVE_S 5

/* ---- Objects ---- */

static void write_usage(glm_json_writer *w, const glm_generation *g)
{
    uint32_t n = glm_generation_n_tokens(g);
    glm_json_begin_object(w);
    glm_json_put_u64(w, "input_tokens", g->n_prompt);
    glm_json_write_key(w, "input_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "cached_tokens", g->n_cached);
    glm_json_write_key(w, "cache_write_tokens");
    glm_json_write_u64(w, 0); /* what is kept costs a client nothing */
    glm_json_end_object(w);
    glm_json_put_u64(w, "output_tokens", n);
    glm_json_write_key(w, "output_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "reasoning_tokens", glm_generation_n_reasoning(g));
    glm_json_end_object(w);
    glm_json_put_u64(w, "total_tokens", (uint64_t)g->n_prompt + n);
    glm_json_end_object(w);
}

/* A field of the request, as it came, or null. */
static void echo(glm_json_writer *w, const glm_generation *g, const char *name)
{
    const glm_json *value = glm_field(g->root, name);
    glm_json_write_key(w, name);
    if (value)
        glm_json_copy(w, value);
    else
        glm_json_write_null(w);
}

static void write_response(glm_json_writer *w, const glm_generation *g, const char *status,
                           const char *reason, const char *failure)
{
    const response_state *r = g->state;
    static const char *const echoed[] = {"instructions", "metadata",    "max_output_tokens",
                                         "reasoning",    "temperature", "text",
                                         "top_p",        "user"};
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", g->id);
    glm_json_put_c(w, "object", "response");
    glm_json_put_i64(w, "created_at", g->created);
    glm_json_put_c(w, "status", status);
    glm_json_write_key(w, "error");
    if (failure) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "code", "server_error");
        glm_json_put_c(w, "message", failure);
        glm_json_end_object(w);
    } else {
        glm_json_write_null(w);
    }
    glm_json_write_key(w, "incomplete_details");
    if (reason) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "reason", reason);
        glm_json_end_object(w);
    } else {
        glm_json_write_null(w);
    }
    glm_json_put_c(w, "model", g->model);
    glm_json_write_key(w, "output");
    glm_json_begin_array(w);
    if (r->items.length > 0)
        glm_json_write_raw(w, glm_str_text(&r->items));
    glm_json_end_array(w);
    for (size_t i = 0; i < sizeof echoed / sizeof *echoed; i++)
        echo(w, g, echoed[i]);
    glm_json_put_bool(w, "parallel_tool_calls", !g->single_call);
    glm_json_put_null(w, "previous_response_id");
    glm_json_put_bool(w, "store", false);
    glm_json_write_key(w, "tool_choice");
    const glm_json *choice = glm_field(g->root, "tool_choice");
    if (choice)
        glm_json_copy(w, choice);
    else
        glm_json_write_c(w, "auto");
    glm_json_write_key(w, "tools");
    const glm_json *tools = glm_field(g->root, "tools");
    if (tools) {
        glm_json_copy(w, tools);
    } else {
        glm_json_begin_array(w);
        glm_json_end_array(w);
    }
    glm_json_put_c(w, "truncation", "disabled");
    glm_json_write_key(w, "usage");
    if (strcmp(status, "in_progress") == 0)
        glm_json_write_null(w);
    else
        write_usage(w, g);
    glm_json_end_object(w);
}

/* A list of entries that are JSON apart by commas. */
static void write_logprobs(glm_json_writer *w, const glm_str *entries)
{
    glm_json_write_key(w, "logprobs");
    glm_json_begin_array(w);
    if (entries->length > 0)
        glm_json_write_raw(w, glm_str_text(entries));
    glm_json_end_array(w);
}

static void write_text_part(glm_json_writer *w, const char *type, glm_text text,
                            const glm_str *logprobs)
{
    glm_json_begin_object(w);
    glm_json_put_c(w, "type", type);
    glm_json_put_text(w, "text", text);
    if (strcmp(type, "output_text") == 0) {
        glm_json_write_key(w, "annotations");
        glm_json_begin_array(w);
        glm_json_end_array(w);
        write_logprobs(w, logprobs);
    }
    glm_json_end_object(w);
}

/* A name such as "ns__tool" of a namespace "ns" of the request goes back apart. */
static bool split_namespace(const glm_generation *g, glm_text name, glm_text *space, glm_text *tool)
{
    const glm_json *tools = glm_field(g->root, "tools");
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next) {
        const glm_json *n = glm_json_get(t, "name");
        if (!glm_json_is(glm_json_get(t, "type"), "namespace") || !n || n->type != GLM_JSON_STRING)
            continue;
        if (name.length > n->length + 2 && memcmp(name.data, n->text, n->length) == 0 &&
            memcmp(name.data + n->length, "__", 2) == 0) {
            *space = (glm_text){n->text, n->length};
            *tool = (glm_text){name.data + n->length + 2, name.length - n->length - 2};
            return true;
        }
    }
    return false;
}

static bool lists_custom(const glm_json *tools, glm_text name)
{
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next) {
        const glm_json *n = glm_json_get(t, "name");
        if (glm_json_is(glm_json_get(t, "type"), "custom") && n && n->type == GLM_JSON_STRING &&
            glm_text_equal((glm_text){n->text, n->length}, name))
            return true;
    }
    return false;
}

/* Whether the tool of that name takes text instead of arguments. */
static bool is_custom_tool(const glm_generation *g, glm_text name)
{
    glm_text space, tool;
    const glm_json *tools = glm_field(g->root, "tools");
    if (!split_namespace(g, name, &space, &tool))
        return lists_custom(tools, name);
    for (const glm_json *t = tools->first; t; t = t->next)
        if (glm_json_is(glm_json_get(t, "name"), space.data))
            return lists_custom(glm_field(t, "tools"), tool);
    return false;
}

static bool is_call(const response_state *r)
{
    return r->item == ITEM_CALL || r->item == ITEM_CUSTOM;
}

static void write_call_names(glm_json_writer *w, const glm_generation *g, const response_state *r)
{
    glm_text name = glm_str_text(&r->name), space, tool;
    glm_json_put_c(w, "call_id", r->call_id);
    if (split_namespace(g, name, &space, &tool)) {
        glm_json_put_text(w, "namespace", space);
        name = tool;
    }
    glm_json_put_text(w, "name", name);
}

/* The open item, as it begins or as it is when complete. */
static void write_item(glm_json_writer *w, const glm_generation *g, bool is_done)
{
    const response_state *r = g->state;
    glm_text text = is_done ? glm_str_text(&r->text) : (glm_text){"", 0};
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", r->id);
    if (is_call(r)) {
        glm_json_put_c(w, "type", r->item == ITEM_CALL ? "function_call" : "custom_tool_call");
        write_call_names(w, g, r);
        glm_json_write_key(w, r->item == ITEM_CALL ? "arguments" : "input");
        glm_json_write_text(w, text);
    } else {
        bool is_message = r->item == ITEM_MESSAGE;
        glm_json_put_c(w, "type", is_message ? "message" : "reasoning");
        if (is_message) {
            glm_json_put_c(w, "role", "assistant");
        } else {
            glm_json_write_key(w, "summary");
            glm_json_begin_array(w);
            glm_json_end_array(w);
            glm_json_put_null(w, "encrypted_content");
        }
        glm_json_write_key(w, "content");
        glm_json_begin_array(w);
        if (is_done)
            write_text_part(w, is_message ? "output_text" : "reasoning_text", text, &r->logprobs);
        glm_json_end_array(w);
    }
    glm_json_put_c(w, "status", is_done ? "completed" : "in_progress");
    glm_json_end_object(w);
}

/* ---- Events ---- */

typedef struct event_line {
    const char *name;
    glm_str json;
    glm_json_writer w;
} event_line;

static void open_event(event_line *e, glm_generation *g, const char *name)
{
    response_state *r = g->state;
    e->name = name;
    e->json = (glm_str){0};
    e->w = glm_json_writer_of(&e->json);
    glm_json_begin_object(&e->w);
    glm_json_put_c(&e->w, "type", name);
    glm_json_put_u64(&e->w, "sequence_number", r->sequence++);
}

static void close_event(event_line *e, glm_generation *g)
{
    glm_json_end_object(&e->w);
    if (g->streams)
        glm_sse_event(&g->out, e->name, glm_str_text(&e->json));
    glm_str_deinit(&e->json);
}

static void send_response(glm_generation *g, const char *name, const char *status,
                          const char *reason, const char *failure)
{
    event_line e;
    open_event(&e, g, name);
    glm_json_write_key(&e.w, "response");
    write_response(&e.w, g, status, reason, failure);
    close_event(&e, g);
}

/* item_id, output_index and, for parts, content_index. */
static void write_place(glm_json_writer *w, const response_state *r)
{
    glm_json_put_c(w, "item_id", r->id);
    glm_json_put_u64(w, "output_index", r->index);
    if (!is_call(r)) {
        glm_json_put_u64(w, "content_index", 0);
    }
}

static void send_part(glm_generation *g, const char *name, glm_text text)
{
    const response_state *r = g->state;
    event_line e;
    open_event(&e, g, name);
    write_place(&e.w, r);
    glm_json_write_key(&e.w, "part");
    write_text_part(&e.w, r->item == ITEM_MESSAGE ? "output_text" : "reasoning_text", text,
                    &r->logprobs);
    close_event(&e, g);
}

static void send_item(glm_generation *g, const char *name, bool is_done)
{
    const response_state *r = g->state;
    event_line e;
    open_event(&e, g, name);
    glm_json_put_u64(&e.w, "output_index", r->index);
    glm_json_write_key(&e.w, "item");
    write_item(&e.w, g, is_done);
    close_event(&e, g);
}

/* A piece, or all, of the open item's text. */
static void send_text(glm_generation *g, bool is_done, glm_text text)
{
    static const char *const names[][2] = {
        [ITEM_NONE] = {"", ""},
        [ITEM_REASONING] = {"response.reasoning_text.delta", "response.reasoning_text.done"},
        [ITEM_MESSAGE] = {"response.output_text.delta", "response.output_text.done"},
        [ITEM_CALL] = {"response.function_call_arguments.delta",
                       "response.function_call_arguments.done"},
        [ITEM_CUSTOM] = {"response.custom_tool_call_input.delta",
                         "response.custom_tool_call_input.done"},
    };
    static const char *const whole[] = {"text", "text", "text", "arguments", "input"};
    const response_state *r = g->state;
    event_line e;
    open_event(&e, g, names[r->item][is_done]);
    write_place(&e.w, r);
    if (r->item == ITEM_CALL && is_done) {
        glm_json_put_text(&e.w, "name", glm_str_text(&r->name));
    }
    glm_json_write_key(&e.w, is_done ? whole[r->item] : "delta");
    glm_json_write_text(&e.w, text);
    if (r->item == ITEM_MESSAGE) {
        write_logprobs(&e.w, is_done ? &r->logprobs : &r->fresh);
    }
    close_event(&e, g);
}

static void append_entries(glm_str *to, const glm_str *entries)
{
    if (to->length > 0)
        glm_str_append_c(to, ", ");
    glm_str_append_text(to, glm_str_text(entries));
}

/* The text that waited, with the log-probabilities of its tokens. */
static void send_said(glm_generation *g)
{
    response_state *r = g->state;
    if (r->said.length > 0 || r->fresh.length > 0)
        send_text(g, false, glm_str_text(&r->said));
    if (r->fresh.length > 0)
        append_entries(&r->logprobs, &r->fresh);
    glm_str_clear(&r->said);
    glm_str_clear(&r->fresh);
}

/* Of tokens of the message alone; reasoning, tags and calls have none here. */
static void token(glm_generation *g, glm_choice *c, const glm_event *event)
{
    response_state *r = g->state;
    (void)c;
    if (!g->wants_logprobs || r->item != ITEM_MESSAGE || event->is_end)
        return;
    glm_str entry = {0};
    glm_json_writer w = glm_json_writer_of(&entry);
    glm_write_logprob(&w, g->server, event);
    append_entries(&r->fresh, &entry);
    glm_str_deinit(&entry);
    send_said(g);
}

static void close_item(glm_generation *g)
{
    response_state *r = g->state;
    if (r->item == ITEM_NONE)
        return;
    send_said(g);
    send_text(g, true, glm_str_text(&r->text));
    if (!is_call(r))
        send_part(g, "response.content_part.done", glm_str_text(&r->text));
    send_item(g, "response.output_item.done", true);
    if (r->items.length > 0)
        glm_str_append_c(&r->items, ", ");
    glm_json_writer w = glm_json_writer_of(&r->items);
    write_item(&w, g, true);
    r->item = ITEM_NONE;
    r->index++;
}

static void open_item(glm_generation *g, item kind)
{
    static const char *const prefixes[] = {"", "rs_", "msg_", "fc_", "ctc_"};
    response_state *r = g->state;
    close_item(g);
    r->item = kind;
    glm_new_id(r->id, prefixes[kind]);
    glm_str_clear(&r->text);
    glm_str_clear(&r->logprobs);
    send_item(g, "response.output_item.added", false);
    if (!is_call(r))
        send_part(g, "response.content_part.added", (glm_text){"", 0});
}

static void open_call(glm_generation *g, const glm_call_id *id, glm_text name)
{
    response_state *r = g->state;
    close_item(g);
    glm_str_clear(&r->name);
    glm_str_append_text(&r->name, name);
    glm_str_clear(&r->raw);
    r->input = (glm_custom_input){0};
    memcpy(r->call_id, id->id, sizeof r->call_id);
    open_item(g, is_custom_tool(g, name) ? ITEM_CUSTOM : ITEM_CALL);
}

/* A piece of a custom call's arguments; at their end (NULL) the arguments themselves when they are no text called input. */
static void take_input(glm_generation *g, const glm_text *piece)
{
    response_state *r = g->state;
    const size_t had = r->text.length;
    if (piece) {
        glm_str_append_text(&r->raw, *piece);
        glm_custom_input_feed(&r->input, &r->text, *piece);
    } else if (!glm_custom_input_is_whole(&r->input) && !had) {
        glm_str_append_text(&r->text, glm_str_text(&r->raw));
    }
    if (r->text.length > had)
        send_text(g, false, (glm_text){r->text.data + had, r->text.length - had});
}

static void begin(glm_generation *g)
{
    if (!g->streams)
        return;
    glm_generation_open_stream(g);
    send_response(g, "response.created", "in_progress", NULL, NULL);
    send_response(g, "response.in_progress", "in_progress", NULL, NULL);
}

static void delta(glm_generation *g, glm_choice *c, const glm_chat_event *event)
{
    response_state *r = g->state;
    glm_text text = {event->text, event->length};
    switch (event->type) {
    case GLM_CHAT_EVENT_REASONING:
    case GLM_CHAT_EVENT_CONTENT: {
        item kind = event->type == GLM_CHAT_EVENT_CONTENT ? ITEM_MESSAGE : ITEM_REASONING;
        if (r->item != kind)
            open_item(g, kind);
        break;
    }
    case GLM_CHAT_EVENT_CALL_BEGIN:
        open_call(g, &c->call_ids[event->call], text);
        return;
    case GLM_CHAT_EVENT_CALL_ARGS:
        if (r->item == ITEM_CUSTOM) {
            take_input(g, &text);
            return;
        }
        break;
    case GLM_CHAT_EVENT_CALL_END:
        if (r->item == ITEM_CUSTOM)
            take_input(g, NULL);
        close_item(g);
        return;
    case GLM_CHAT_EVENT_CALL_CUT:
        r->item = ITEM_NONE;
        r->index++;
        return;
    }
    glm_str_append_text(&r->text, text);
    if (g->wants_logprobs && r->item == ITEM_MESSAGE)
        glm_str_append_text(&r->said, text);
    else
        send_text(g, false, text);
}

static void over(glm_generation *g, glm_choice *c)
{
    (void)c;
    close_item(g);
}

static void end(glm_generation *g)
{
    bool is_cut =
        g->choices[0].ending == GLM_ENDING_LENGTH || g->choices[0].ending == GLM_ENDING_CONTEXT;
    const char *reason = is_cut ? "max_output_tokens" : NULL;
    const char *status = is_cut ? "incomplete" : "completed";
    if (g->streams) {
        send_response(g, is_cut ? "response.incomplete" : "response.completed", status, reason,
                      NULL);
        return;
    }
    glm_json_writer w = glm_json_writer_of(&g->out);
    write_response(&w, g, status, reason, NULL);
}

static void fail(glm_generation *g, int status, const char *message)
{
    (void)status;
    send_response(g, "response.failed", "failed", NULL, message);
}

/* An event, as comments keep no Codex waiting. Its response may be long (tools): no more of them than are needed. */
static void keep_alive(glm_generation *g)
{
    response_state *r = g->state;
    const uint64_t now = glm_clock_ns();
    if (now - r->told_ns < (uint64_t)KEEP_ALIVE_S * 1000000000u) {
        glm_generation_tell_progress(g);
        return;
    }
    r->told_ns = now;
    event_line e;
    open_event(&e, g, "response.in_progress");
    glm_json_write_key(&e.w, "response");
    write_response(&e.w, g, "in_progress", NULL, NULL);
    if (g->progress.n_done) {
        glm_json_write_key(&e.w, "prompt_progress");
        glm_json_begin_object(&e.w);
        glm_json_put_u64(&e.w, "total", g->n_prompt);
        glm_json_put_u64(&e.w, "processed", g->progress.n_done);
        glm_json_put_double(&e.w, "seconds_left", g->progress.seconds_left);
        glm_json_end_object(&e.w);
    }
    close_event(&e, g);
}

static void free_state(glm_generation *g)
{
    response_state *r = g->state;
    glm_str_deinit(&r->text);
    glm_str_deinit(&r->raw);
    glm_str_deinit(&r->name);
    glm_str_deinit(&r->items);
    glm_str_deinit(&r->said);
    glm_str_deinit(&r->fresh);
    glm_str_deinit(&r->logprobs);
}

static const glm_voice voice = {.begin = begin,
                                .delta = delta,
                                .token = token,
                                .over = over,
                                .end = end,
                                .fail = fail,
                                .keep_alive = keep_alive,
                                .free_state = free_state};

/* ---- Requests ---- */

/* "include": ["message.output_text.logprobs"], and top_logprobs, which asks for them too. */
static bool read_logprobs(glm_generation *g, glm_field_error *err)
{
    const glm_json *include = glm_field(g->root, "include");
    int64_t n_top = 0;
    if (include && include->type != GLM_JSON_ARRAY)
        return glm_field_refuse(err, "include", "include: expected a list");
    if (!glm_field_int(g->root, "top_logprobs", 0, 20, &n_top, err))
        return false;
    for (const glm_json *i = include ? include->first : NULL; i; i = i->next)
        g->wants_logprobs |= glm_json_is(i, "message.output_text.logprobs");
    g->wants_logprobs |= n_top > 0;
    g->n_top = (uint32_t)n_top;
    return true;
}

static bool read_fields(glm_generation *g, int64_t *max_tokens, glm_field_error *err)
{
    static const char *const unsupported[] = {"previous_response_id", "conversation"};
    bool background = false;
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (glm_field(g->root, unsupported[i]))
            return glm_field_refuse(err, unsupported[i], "%s: not supported: nothing is stored",
                                    unsupported[i]);
    *max_tokens = 0;
    if (!read_logprobs(g, err))
        return false;
    if (!glm_field_bool(g->root, "background", &background, err) ||
        !glm_field_int(g->root, "max_output_tokens", 1, INT64_MAX, max_tokens, err) ||
        !glm_field_bool(g->root, "stream", &g->streams, err))
        return false;
    if (background)
        return glm_field_refuse(err, "background", "background: not supported");
    return true;
}

void glm_handle_responses(glm_call *call)
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
    glm_new_id(g->id, "resp_");
    g->state = glm_new(response_state);
    bool is_fine = g->state ? read_fields(g, &p.max_tokens, &err)
                            : glm_field_refuse(&err, "input", "input: no memory");
    is_fine = is_fine && glm_read_sampling(g, "stop", &sampler, &p.request, &err) &&
              glm_chat_of_responses(&json, root, &err);
    if (!is_fine) {
        glm_str_deinit(&json);
        glm_generation_refuse(g, &err);
        return;
    }
    glm_chat_input input = {.root = root, .json = glm_str_text(&json)};
    glm_chat_start_generation(g, &input, &p);
    glm_str_deinit(&json);
}

void glm_handle_no_response(glm_call *call)
{
    glm_answer_error(call, 404, "not_found", NULL, 0, "responses are not stored");
}

void glm_handle_count_responses(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    glm_field_error err;
    glm_str json = {0};
    if (!glm_read_body(call, &arena, &root))
        return;
    if (glm_chat_of_responses(&json, root, &err))
        glm_chat_count(call, glm_str_text(&json), "response.input_tokens");
    else
        glm_answer_error(call, 400, "invalid_value", err.param, 0, "%s", err.text);
    glm_str_deinit(&json);
    glm_arena_deinit(&arena);
}
