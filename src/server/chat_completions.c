// SPDX-License-Identifier: MIT
/* Chat Completions: one chunk or message a choice. Source: OpenAI's API reference; deltas of reasoning as llama.cpp, SGLang and
 * DeepSeek name them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/sse.h"
#include "server/chat_input.h"
#include "server/generation.h"
#include "server/limits.h"

static const char *finish_name(glm_ending ending)
{
    switch (ending) {
    case GLM_ENDING_TOOL_CALLS:
        return "tool_calls";
    case GLM_ENDING_LENGTH:
    case GLM_ENDING_CONTEXT:
        return "length";
    default:
        return "stop";
    }
}

static void write_usage(glm_json_writer *w, const glm_generation *g)
{
    uint32_t n = glm_generation_n_tokens(g);
    glm_json_begin_object(w);
    glm_json_put_u64(w, "prompt_tokens", g->n_prompt);
    glm_json_put_u64(w, "completion_tokens", n);
    glm_json_put_u64(w, "total_tokens", (uint64_t)g->n_prompt + n);
    glm_json_write_key(w, "prompt_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "cached_tokens", g->n_cached);
    glm_json_write_key(w, "cache_write_tokens");
    glm_json_write_u64(w, 0); /* what is kept costs a client nothing */
    glm_json_end_object(w);
    glm_json_write_key(w, "completion_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "reasoning_tokens", glm_generation_n_reasoning(g));
    glm_json_end_object(w);
    glm_json_end_object(w);
}

static void write_start(glm_json_writer *w, const glm_generation *g, const char *object)
{
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", g->id);
    glm_json_put_c(w, "object", object);
    glm_json_put_i64(w, "created", g->created);
    glm_json_put_c(w, "model", g->model);
    glm_json_put_c(w, "system_fingerprint", g->server->fingerprint);
}

/* ---- Streams ---- */

typedef struct chunk {
    glm_str json;
    glm_json_writer w;
} chunk;

/* Up to the opened delta. */
static void open_chunk(chunk *k, const glm_generation *g, uint32_t index)
{
    k->json = (glm_str){0};
    k->w = glm_json_writer_of(&k->json);
    write_start(&k->w, g, "chat.completion.chunk");
    glm_json_write_key(&k->w, "choices");
    glm_json_begin_array(&k->w);
    glm_json_begin_object(&k->w);
    glm_json_put_u64(&k->w, "index", index);
    glm_json_write_key(&k->w, "delta");
    glm_json_begin_object(&k->w);
}

static void close_chunk(chunk *k, glm_generation *g, glm_choice *c, const char *finish)
{
    glm_json_writer *w = &k->w;
    glm_json_end_object(w);
    if (g->wants_logprobs && c && c->logprobs.length > 0) {
        glm_json_write_key(w, "logprobs");
        glm_json_begin_object(w);
        glm_json_write_key(w, "content");
        glm_str list = {0};
        glm_str_append_c(&list, "[");
        glm_str_append_text(&list, glm_str_text(&c->logprobs));
        glm_str_append_c(&list, "]");
        glm_json_write_raw(w, glm_str_text(&list));
        glm_str_deinit(&list);
        glm_json_put_null(w, "refusal");
        glm_json_end_object(w);
        glm_str_clear(&c->logprobs);
    }
    glm_json_write_key(w, "finish_reason");
    if (finish)
        glm_json_write_c(w, finish);
    else
        glm_json_write_null(w);
    glm_json_end_object(w);
    glm_json_end_array(w);
    if (g->include_usage) {
        glm_json_write_key(w, "usage");
        if (g->continuous_usage)
            write_usage(w, g);
        else
            glm_json_write_null(w);
    }
    glm_json_end_object(w);
    glm_sse_event(&g->out, NULL, glm_str_text(&k->json));
    glm_str_deinit(&k->json);
}

static void send_role(glm_generation *g)
{
    for (uint32_t i = 0; i < g->n_choices; i++) {
        chunk k;
        open_chunk(&k, g, i);
        glm_json_put_c(&k.w, "role", "assistant");
        glm_json_put_c(&k.w, "content", "");
        close_chunk(&k, g, NULL, NULL);
    }
}

static void begin(glm_generation *g)
{
    if (!g->streams)
        return;
    glm_generation_open_stream(g);
    if (g->server->p.early_role_chunk)
        send_role(g);
}

static void write_call_delta(glm_json_writer *w, const glm_choice *c, const glm_chat_event *event)
{
    bool is_begin = event->type == GLM_CHAT_EVENT_CALL_BEGIN;
    glm_text text = {event->text, event->length};
    glm_json_write_key(w, "tool_calls");
    glm_json_begin_array(w);
    glm_json_begin_object(w);
    glm_json_put_u64(w, "index", event->call);
    if (is_begin) {
        glm_json_put_c(w, "id", c->call_ids[event->call].id);
        glm_json_put_c(w, "type", "function");
    }
    glm_json_write_key(w, "function");
    glm_json_begin_object(w);
    if (is_begin) {
        glm_json_put_text(w, "name", text);
    }
    glm_json_put_text(w, "arguments", is_begin ? (glm_text){"", 0} : text);
    glm_json_end_object(w);
    glm_json_end_object(w);
    glm_json_end_array(w);
}

static void delta(glm_generation *g, glm_choice *c, const glm_chat_event *event)
{
    if (!g->streams || event->type == GLM_CHAT_EVENT_CALL_END ||
        event->type == GLM_CHAT_EVENT_CALL_CUT)
        return;
    chunk k;
    open_chunk(&k, g, c->index);
    switch (event->type) {
    case GLM_CHAT_EVENT_REASONING:
    case GLM_CHAT_EVENT_CONTENT:
        glm_json_write_key(&k.w,
                           event->type == GLM_CHAT_EVENT_CONTENT ? "content" : "reasoning_content");
        glm_json_write_text(&k.w, (glm_text){event->text, event->length});
        break;
    default:
        write_call_delta(&k.w, c, event);
    }
    close_chunk(&k, g, c, NULL);
}

static void token(glm_generation *g, glm_choice *c, const glm_event *event)
{
    if (!g->wants_logprobs)
        return;
    if (c->logprobs.length > 0)
        glm_str_append_c(&c->logprobs, ", ");
    glm_json_writer w = glm_json_writer_of(&c->logprobs);
    glm_write_logprob(&w, g->server, event);
}

static void over(glm_generation *g, glm_choice *c)
{
    if (!g->streams)
        return;
    chunk k;
    open_chunk(&k, g, c->index);
    close_chunk(&k, g, c, finish_name(c->ending));
}

static void end_stream(glm_generation *g)
{
    if (g->include_usage) {
        glm_str json = {0};
        glm_json_writer w = glm_json_writer_of(&json);
        write_start(&w, g, "chat.completion.chunk");
        glm_json_write_key(&w, "choices");
        glm_json_begin_array(&w);
        glm_json_end_array(&w);
        glm_json_write_key(&w, "usage");
        write_usage(&w, g);
        glm_json_end_object(&w);
        glm_sse_event(&g->out, NULL, glm_str_text(&json));
        glm_str_deinit(&json);
    }
    glm_sse_event(&g->out, NULL, glm_text_c("[DONE]"));
}

/* ---- Whole answers ---- */

static void write_calls(glm_json_writer *w, const glm_choice *c, const glm_chat_message *m)
{
    glm_json_write_key(w, "tool_calls");
    glm_json_begin_array(w);
    for (size_t i = 0; i < m->n_calls && i < c->n_calls; i++) {
        glm_json_begin_object(w);
        glm_json_put_c(w, "id", c->call_ids[i].id);
        glm_json_put_c(w, "type", "function");
        glm_json_write_key(w, "function");
        glm_json_begin_object(w);
        glm_json_put_text(w, "name", (glm_text){m->calls[i].name, m->calls[i].name_length});
        glm_json_put_text(w, "arguments",
                          (glm_text){m->calls[i].arguments, m->calls[i].arguments_length});
        glm_json_end_object(w);
        glm_json_end_object(w);
    }
    glm_json_end_array(w);
}

static void write_message(glm_json_writer *w, const glm_generation *g, const glm_choice *c)
{
    const glm_chat_message *m = c->parser ? glm_chat_parser_message(c->parser) : NULL;
    glm_json_begin_object(w);
    glm_json_put_c(w, "role", "assistant");
    glm_json_write_key(w, "content");
    if (m && m->n_calls > 0 && c->text.length == 0)
        glm_json_write_null(w);
    else
        glm_json_write_text(w, glm_str_text(&c->text));
    glm_json_put_null(w, "refusal");
    if (m && m->reasoning_length > 0 && !g->hides_reasoning) {
        glm_json_put_text(w, "reasoning_content", (glm_text){m->reasoning, m->reasoning_length});
    }
    if (m && m->n_calls > 0)
        write_calls(w, c, m);
    glm_json_end_object(w);
}

static void write_choice(glm_json_writer *w, const glm_generation *g, const glm_choice *c)
{
    glm_json_begin_object(w);
    glm_json_put_u64(w, "index", c->index);
    glm_json_write_key(w, "message");
    write_message(w, g, c);
    glm_json_write_key(w, "logprobs");
    if (g->wants_logprobs) {
        glm_json_begin_object(w);
        glm_json_write_key(w, "content");
        glm_json_begin_array(w);
        if (c->logprobs.length > 0)
            glm_json_write_raw(w, glm_str_text(&c->logprobs));
        glm_json_end_array(w);
        glm_json_put_null(w, "refusal");
        glm_json_end_object(w);
    } else {
        glm_json_write_null(w);
    }
    glm_json_put_c(w, "finish_reason", finish_name(c->ending));
    glm_json_end_object(w);
}

static void end(glm_generation *g)
{
    if (g->streams) {
        end_stream(g);
        return;
    }
    glm_json_writer w = glm_json_writer_of(&g->out);
    write_start(&w, g, "chat.completion");
    glm_json_write_key(&w, "choices");
    glm_json_begin_array(&w);
    for (uint32_t i = 0; i < g->n_choices; i++)
        write_choice(&w, g, &g->choices[i]);
    glm_json_end_array(&w);
    glm_json_write_key(&w, "usage");
    write_usage(&w, g);
    glm_json_end_object(&w);
}

static void fail(glm_generation *g, int status, const char *message)
{
    glm_str json = {0};
    glm_error_body(&json, DIALECT_OPENAI, status, NULL, NULL, message, g->call->request_id);
    glm_sse_event(&g->out, NULL, glm_str_text(&json));
    glm_str_deinit(&json);
}

/* A comment; a chunk for those who asked for one, as llama.cpp sends it. */
static void keep_alive(glm_generation *g)
{
    if (!g->wants_progress || !g->progress.n_done) {
        glm_generation_tell_progress(g);
        return;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    write_start(&w, g, "chat.completion.chunk");
    glm_json_write_key(&w, "choices");
    glm_json_begin_array(&w);
    glm_json_end_array(&w);
    glm_json_write_key(&w, "prompt_progress");
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "total", g->n_prompt);
    glm_json_put_u64(&w, "cache", g->n_cached);
    glm_json_put_u64(&w, "processed", g->progress.n_done);
    glm_json_put_double(&w, "seconds_left", g->progress.seconds_left);
    glm_json_end_object(&w);
    glm_json_end_object(&w);
    glm_sse_event(&g->out, NULL, glm_str_text(&json));
    glm_str_deinit(&json);
}

static const glm_voice voice = {.begin = begin,
                                .delta = delta,
                                .token = token,
                                .over = over,
                                .end = end,
                                .fail = fail,
                                .keep_alive = keep_alive};

/* ---- Requests ---- */

/* Fields that ask for what this server does not do. */
static bool refuse_unsupported(const glm_json *root, glm_field_error *err)
{
    static const char *const names[] = {"audio", "functions", "function_call",
                                        "web_search_options"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (glm_field(root, names[i]))
            return glm_field_refuse(err, names[i], "%s: not supported%s", names[i],
                                    i == 1 || i == 2 ? "; use tools and tool_choice" : "");
    const glm_json *modalities = glm_field(root, "modalities");
    for (const glm_json *m = modalities ? modalities->first : NULL; m; m = m->next)
        if (!glm_json_is(m, "text"))
            return glm_field_refuse(err, "modalities",
                                    "modalities: other than text is not supported");
    return true;
}

static bool read_logprobs(glm_generation *g, glm_field_error *err)
{
    int64_t n_top = 0;
    if (!glm_field_bool(g->root, "logprobs", &g->wants_logprobs, err) ||
        !glm_field_int(g->root, "top_logprobs", 0, TOP_LOGPROBS_MAX, &n_top, err))
        return false;
    if (n_top > 0 && !g->wants_logprobs)
        return glm_field_refuse(err, "top_logprobs", "top_logprobs: expected logprobs with it");
    g->n_top = (uint32_t)n_top;
    return true;
}

static bool read_limits(glm_generation *g, int64_t *max_tokens, glm_field_error *err)
{
    int64_t n = 1, most = -1, least = -1;
    if (!glm_field_int(g->root, "n", 1, CHOICES_MAX, &n, err) ||
        !glm_field_int(g->root, "max_tokens", -1, INT64_MAX, &least, err) ||
        !glm_field_int(g->root, "max_completion_tokens", -1, INT64_MAX, &most, err))
        return false;
    if (most == 0 || (most < 0 && least == 0))
        return glm_field_refuse(err, most == 0 ? "max_completion_tokens" : "max_tokens",
                                "%s: expected an integer from 1",
                                most == 0 ? "max_completion_tokens" : "max_tokens");
    g->n_choices = (uint32_t)n;
    *max_tokens = most > 0 ? most : least > 0 ? least : 0;
    return true;
}

/* ---- Tools that are no functions ---- */

/* A tool that the vendor's own service would run: clients offer them to every server. */
static bool is_of_service(const glm_json *tool)
{
    const glm_json *type = glm_json_get(tool, "type");
    return glm_json_is(type, "web_search") || glm_json_is(type, "retrieval") ||
           glm_json_is(type, "mcp");
}

static const glm_json *custom_of(const glm_json *tool)
{
    const glm_json *custom = glm_field(tool, "custom");
    return custom && custom->type == GLM_JSON_OBJECT ? custom : NULL;
}

/* A custom tool is a function whose one argument is its input. */
static void write_custom(glm_json_writer *w, const glm_json *custom)
{
    static const char *const kept[] = {"name", "description"};
    glm_json_begin_object(w);
    glm_json_put_c(w, "type", "function");
    glm_json_write_key(w, "function");
    glm_json_begin_object(w);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const glm_json *value = glm_field(custom, kept[i]);
        if (!value)
            continue;
        glm_json_write_key(w, kept[i]);
        glm_json_copy(w, value);
    }
    glm_json_write_key(w, "parameters");
    glm_json_write_raw(w, glm_text_c("{\"type\": \"object\", \"properties\": {\"input\": "
                                     "{\"type\": \"string\"}}, \"required\": [\"input\"]}"));
    glm_json_end_object(w);
    glm_json_end_object(w);
}

static void write_tools(glm_json_writer *w, const glm_json *tools)
{
    glm_json_begin_array(w);
    for (const glm_json *t = tools->first; t; t = t->next) {
        if (is_of_service(t))
            continue;
        if (custom_of(t))
            write_custom(w, custom_of(t));
        else
            glm_json_copy(w, t);
    }
    glm_json_end_array(w);
}

/* The request again, when it offers tools that are no functions; else nothing. */
static void write_functions(glm_str *out, const glm_json *root)
{
    const glm_json *tools = glm_field(root, "tools");
    bool has_others = false;
    for (const glm_json *t = tools && tools->type == GLM_JSON_ARRAY ? tools->first : NULL; t;
         t = t->next)
        has_others |= is_of_service(t) || custom_of(t);
    if (!has_others)
        return;
    glm_json_writer w = glm_json_writer_of(out);
    glm_json_begin_object(&w);
    for (const glm_json *m = root->first; m; m = m->next) {
        glm_json_write_key(&w, m->key);
        if (m == tools)
            write_tools(&w, m);
        else
            glm_json_copy(&w, m);
    }
    glm_json_end_object(&w);
}

void glm_handle_chat(glm_call *call)
{
    glm_generation *g = glm_generation_create(call);
    if (!g)
        return;
    const glm_json *root = g->root;
    glm_generation_params p = {.voice = &voice, .request = glm_request_params_default()};
    glm_sampler_params sampler = glm_sampler_params_of(g->server->model);
    glm_field_error err;
    bool includes = true;
    glm_text format = {NULL, 0};
    p.request.sampler = &sampler;
    glm_new_id(g->id, "chatcmpl-");
    if (!refuse_unsupported(root, &err) || !glm_read_stream(g, &err) || !read_logprobs(g, &err) ||
        !read_limits(g, &p.max_tokens, &err) ||
        !glm_read_sampling(g, "stop", &sampler, &p.request, &err) ||
        !glm_field_bool(root, "include_reasoning", &includes, &err) ||
        !glm_field_text(root, "reasoning_format", &format, &err)) {
        glm_generation_refuse(g, &err);
        return;
    }
    g->tags_reasoning = format.data && glm_text_is(format, "none");
    g->hides_reasoning = !includes || g->tags_reasoning;
    glm_str json = {0};
    glm_chat_input input = {.root = root, .tree = root, .json = glm_http_body(call->x)};
    write_functions(&json, root);
    if (json.length > 0) {
        input.tree = NULL;
        input.json = glm_str_text(&json);
    }
    glm_chat_start_generation(g, &input, &p);
    glm_str_deinit(&json);
}

void glm_handle_count_chat(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    glm_str json = {0};
    if (!glm_read_body(call, &arena, &root))
        return;
    write_functions(&json, root);
    glm_chat_count(call, json.length > 0 ? glm_str_text(&json) : glm_http_body(call->x),
                   "response.input_tokens");
    glm_str_deinit(&json);
    glm_arena_deinit(&arena);
}
