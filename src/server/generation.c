// SPDX-License-Identifier: MIT
#include "server/generation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/sse.h"

/* While a prompt is read a client hears something this often. */
#define KEEP_ALIVE_S 10
#define NOT_FINITE (-9999.0)

/* ---- Life ---- */

glm_server *glm_generation_server(const glm_generation *g)
{
    return g->server;
}

glm_generation *glm_generation_next(const glm_generation *g)
{
    return g->next;
}

void glm_generation_lose_event(glm_generation *g)
{
    g->lost_event = true;
}

glm_generation *glm_generation_create(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    if (!glm_read_body(call, &arena, &root))
        return NULL;
    glm_generation *g = glm_new(glm_generation);
    if (!g) {
        glm_arena_deinit(&arena);
        glm_answer_error(call, 503, "no_memory", NULL, 1, "the server has no memory for this");
        return NULL;
    }
    g->server = call->server;
    g->call = call;
    g->arena = arena;
    g->root = root;
    g->created = (int64_t)time(NULL);
    g->n_choices = 1;
    return glm_read_model(g) ? g : NULL;
}

static void free_choices(glm_generation *g)
{
    for (uint32_t i = 0; g->choices && i < g->n_choices; i++) {
        glm_choice *c = &g->choices[i];
        glm_chat_parser_destroy(c->parser);
        glm_str_deinit(&c->stop.held);
        glm_str_deinit(&c->text);
        glm_str_deinit(&c->logprobs);
        free(c->call_ids);
        free(c->ids);
        free(c->state);
    }
    free(g->choices);
    g->choices = NULL;
}

/* Cancel what still runs; none of its events is heard of again. */
static void end_requests(glm_generation *g)
{
    for (uint32_t i = 0; i < g->n_submitted; i++)
        glm_request_release(g->parts[i].request);
    if (g->n_submitted)
        glm_server_forget(g->server, g);
    free(g->parts);
}

/* All but the call. */
static void free_parts(glm_generation *g)
{
    if (g->is_listed) {
        g->call->n_prompt = g->n_prompt;
        g->call->n_cached = g->n_cached;
        g->call->n_made = glm_generation_n_tokens(g);
    }
    end_requests(g);
    if (g->is_listed) {
        glm_key *key = glm_auth_of_owner(&g->server->auth, g->call->owner);
        if (key && key->n_active > 0)
            key->n_active--;
        g->server->n_generations--;
        if (g->previous)
            g->previous->next = g->next;
        else
            g->server->first = g->next;
        if (g->next)
            g->next->previous = g->previous;
    }
    if (g->voice && g->voice->free_state && g->state)
        g->voice->free_state(g);
    free_choices(g);
    free(g->state);
    glm_watch_free(g->timer);
    glm_chat_request_destroy(g->chat);
    glm_arena_deinit(&g->arena);
    glm_str_deinit(&g->out);
    free(g);
}

void glm_generation_discard(glm_generation *g)
{
    free_parts(g);
}

void glm_generation_refuse(glm_generation *g, const glm_field_error *err)
{
    glm_call *call = g->call;
    bool is_unsupported = strstr(err->text, "not supported") != NULL;
    free_parts(g);
    glm_answer_error(call, 400, is_unsupported ? "unsupported_parameter" : "invalid_value",
                     err->param, 0, "%s", err->text);
}

static void free_all(glm_generation *g)
{
    glm_call *call = g->call;
    free_parts(g);
    glm_call_free(call);
}

void glm_generation_lose_peer(glm_generation *g)
{
    g->call->end = "gone";
    free_all(g); /* releasing the request cancels it */
}

static void pause_all(glm_generation *g, bool is_paused)
{
    g->is_paused = is_paused;
    for (uint32_t i = 0; i < g->n_submitted; i++)
        if (g->parts[i].request)
            glm_request_pause(g->parts[i].request, is_paused);
}

void glm_generation_resume(glm_generation *g)
{
    if (g->is_paused)
        pause_all(g, false);
}

uint32_t glm_generation_n_tokens(const glm_generation *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_choices; i++)
        n += g->choices[i].n_tokens;
    return n;
}

uint32_t glm_generation_n_reasoning(const glm_generation *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_choices; i++)
        n += g->choices[i].n_reasoning;
    return n;
}

/* ---- Output ---- */

void glm_generation_open_stream(glm_generation *g)
{
    glm_http_exchange *x = g->call->x;
    glm_http_add_header(x, "Content-Type", "text/event-stream; charset=utf-8");
    glm_http_add_header(x, "Cache-Control", "no-cache");
    glm_http_add_header(x, "X-Accel-Buffering", "no");
    glm_call_note(g->call, 200, NULL);
    glm_http_begin(x, 200);
    g->has_begun = true;
}

/* Send what the voice wrote. */
static void flush(glm_generation *g)
{
    if (!g->has_begun || g->out.length == 0)
        return;
    bool is_slow = glm_http_write(g->call->x, glm_str_text(&g->out));
    glm_str_clear(&g->out);
    if (is_slow && !g->is_paused)
        pause_all(g, true);
}

static void measure(const glm_generation *g)
{
    glm_histogram *all = g->server->measured;
    glm_histogram_add(all, GLM_MEASURE_REQUEST,
                      (double)(glm_clock_ns() - g->call->begin_ns) * 1e-9);
    glm_histogram_add(all, GLM_MEASURE_PROMPT, (double)g->n_prompt);
    glm_histogram_add(all, GLM_MEASURE_GENERATION, glm_generation_n_tokens(g));
}

/* The answer is complete: end the exchange and everything. */
static void finish(glm_generation *g)
{
    glm_call *call = g->call;
    measure(g);
    g->voice->end(g);
    if (g->has_begun) {
        flush(g);
        glm_http_set_user(call->x, NULL);
        glm_http_end(call->x);
        free_all(g);
        return;
    }
    glm_str body = g->out;
    g->out = (glm_str){0};
    free_parts(g);
    glm_answer_json(call, 200, &body);
    glm_str_deinit(&body);
}

static void fail(glm_generation *g, int status, const char *message)
{
    glm_call *call = g->call;
    call->end = "failed";
    if (!g->has_begun) {
        free_parts(g);
        glm_answer_error(call, status, NULL, NULL, status >= 500 ? 1 : 0, "%s", message);
        return;
    }
    g->voice->fail(g, status, message);
    flush(g);
    glm_http_set_user(call->x, NULL);
    glm_http_end_last(call->x);
    free_all(g);
}

void glm_generation_tell_progress(glm_generation *g)
{
    char text[96] = "keep-alive";
    if (g->progress.n_done)
        snprintf(text, sizeof text, "prompt %u of %llu tokens, about %.0f s left",
                 g->progress.n_done, (unsigned long long)g->n_prompt, g->progress.seconds_left);
    glm_sse_comment(&g->out, text);
}

static void on_keep_alive(void *ctx)
{
    glm_generation *g = ctx;
    if (!g->n_unheard || !g->has_begun)
        return;
    g->voice->keep_alive(g);
    flush(g);
}

/* ---- Choices ---- */

static void end_choice(glm_generation *g, glm_choice *c, glm_ending ending)
{
    if (c->is_over)
        return;
    c->is_over = true;
    c->ending = ending;
    g->n_over++;
    g->voice->over(g, c);
}

/* Content that is certain not to be part of a stop string. */
static void on_content(void *ctx, const char *text, size_t length)
{
    glm_choice *c = ctx;
    glm_str_append(&c->text, text, length);
    glm_chat_event event = {.type = GLM_CHAT_EVENT_CONTENT, .text = text, .length = length};
    c->g->voice->delta(c->g, c, &event);
}

/* Reasoning as content: its text, which stop strings are not looked for in, between its tags. */
static void tag_reasoning(glm_choice *c, const glm_chat_event *event)
{
    const bool thinks = event->type == GLM_CHAT_EVENT_REASONING;
    if (thinks != c->is_thinking) {
        const glm_text tag = glm_text_c(thinks ? "<think>" : "</think>");
        on_content(c, tag.data, tag.length);
    }
    c->is_thinking = thinks;
    if (thinks)
        on_content(c, event->text, event->length);
}

static bool on_chat_event(void *ctx, const glm_chat_event *event)
{
    glm_choice *c = ctx;
    glm_generation *g = c->g;
    if (c->is_over || c->stop.has_stopped)
        return true;
    if (g->tags_reasoning)
        tag_reasoning(c, event);
    switch (event->type) {
    case GLM_CHAT_EVENT_CONTENT:
        glm_stop_text_feed(&c->stop, event->text, event->length, on_content, c);
        return true;
    case GLM_CHAT_EVENT_REASONING:
        if (!g->hides_reasoning)
            g->voice->delta(g, c, event);
        return true;
    case GLM_CHAT_EVENT_CALL_BEGIN: {
        glm_call_id *ids = realloc(c->call_ids, (event->call + 1) * sizeof *ids);
        if (!ids)
            return false;
        c->call_ids = ids;
        c->n_calls = event->call + 1;
        glm_new_id(ids[event->call].id, g->call->dialect == DIALECT_ANTHROPIC ? "toolu_" : "call_");
        g->voice->delta(g, c, event);
        return true;
    }
    default:
        g->voice->delta(g, c, event);
        if (event->type == GLM_CHAT_EVENT_CALL_END && g->single_call)
            c->stop.has_stopped = true; /* one call was asked for: what follows is not read */
        return true;
    }
}

static void feed_raw(glm_generation *g, glm_choice *c, const glm_event *event)
{
    if (event->length == 0)
        return;
    glm_str_append(&c->text, event->text, event->length);
    glm_chat_event delta = {
        .type = GLM_CHAT_EVENT_CONTENT, .text = event->text, .length = event->length};
    g->voice->delta(g, c, &delta);
}

/* Note the tokens of an answer; without memory for them it is not remembered. */
static void note_id(glm_choice *c, const glm_event *event)
{
    if (event->is_end || c->lost_ids)
        return;
    if (c->n_ids == c->ids_capacity) {
        size_t capacity = c->ids_capacity ? 2 * c->ids_capacity : 64;
        int32_t *ids = realloc(c->ids, capacity * sizeof *ids);
        if (!ids) {
            c->lost_ids = true;
            return;
        }
        c->ids = ids;
        c->ids_capacity = capacity;
    }
    c->ids[c->n_ids++] = event->id;
}

/* An answer that ended by itself: when it comes back as text, its tokens are known. */
static void remember(const glm_generation *g, const glm_choice *c)
{
    glm_error err;
    const glm_chat_message *message = glm_chat_parser_message(c->parser);
    const char *call_id = c->n_calls ? c->call_ids[0].id : NULL;
    if (c->lost_ids || (c->ending != GLM_ENDING_STOP && c->ending != GLM_ENDING_TOOL_CALLS))
        return;
    glm_status st = glm_chat_memory_keep(g->server->memory, &g->opening, message, call_id, c->ids,
                                         c->n_ids, &err);
    if (st != GLM_OK) /* it will be read as text */
        glm_server_log(g->server, 1, "%s", err.text);
}

static glm_choice *choice_of(const glm_part *part, const glm_event *event)
{
    const glm_generation *g = part->g;
    return &g->choices[part->index * (g->n_choices / g->n_parts) + event->choice];
}

/* How far all prompts together are. */
static void sum_progress(glm_generation *g)
{
    g->progress = (glm_progress){0};
    for (uint32_t i = 0; i < g->n_parts; i++) {
        const glm_progress *p = &g->parts[i].progress;
        g->progress.n_done += p->n_done;
        if (p->seconds_left > g->progress.seconds_left)
            g->progress.seconds_left = p->seconds_left;
    }
}

static void hear_of(glm_part *part)
{
    if (part->is_heard_of)
        return;
    part->is_heard_of = true;
    part->progress = (glm_progress){(uint32_t)part->n_ids, 0};
    part->g->n_unheard--;
}

static void time_token(glm_choice *c)
{
    glm_generation *g = c->g;
    const uint64_t now = glm_clock_ns();
    if (c->last_ns)
        glm_histogram_add(g->server->measured, GLM_MEASURE_TOKEN,
                          (double)(now - c->last_ns) * 1e-9);
    c->last_ns = now;
    if (g->call->first_s <= 0) {
        g->call->first_s = (double)(now - g->call->begin_ns) * 1e-9;
        glm_histogram_add(g->server->measured, GLM_MEASURE_FIRST_TOKEN, g->call->first_s);
    }
}

static void on_token(glm_part *part, const glm_event *event)
{
    glm_generation *g = part->g;
    glm_choice *c = choice_of(part, event);
    glm_error err;
    if (c->is_over)
        return;
    hear_of(part);
    time_token(c);
    c->n_tokens++;
    if (!c->parser) {
        feed_raw(g, c, event);
    } else {
        glm_chat_channel channel = glm_chat_parser_channel(c->parser);
        c->n_reasoning += channel == GLM_CHAT_CHANNEL_REASONING || channel == GLM_CHAT_CHANNEL_HELD;
        note_id(c, event);
        if (glm_chat_parser_feed(c->parser, &event->id, 1, &err) != GLM_OK) {
            fail(g, 500, err.text);
            return;
        }
    }
    if (g->voice->token)
        g->voice->token(g, c, event);
    if (c->stop.has_stopped) {
        bool is_call = g->single_call && c->n_calls > 0;
        if (is_call && glm_chat_parser_finish(c->parser, GLM_CHAT_END_STOP_TEXT, &err) != GLM_OK) {
            fail(g, 500, err.text);
            return;
        }
        end_choice(g, c, is_call ? GLM_ENDING_TOOL_CALLS : GLM_ENDING_STOP_TEXT);
    }
    if (g->n_over == g->n_choices) {
        finish(g); /* by stop strings: nothing more is to come that counts */
        return;
    }
    flush(g);
}

static glm_ending ending_of(const glm_generation *g, const glm_choice *c, const glm_event *event)
{
    switch (event->finish) {
    case GLM_FINISH_STOP_TEXT:
        return GLM_ENDING_STOP_TEXT;
    case GLM_FINISH_STOP:
        break;
    default:
        return c->part->n_ids + c->n_tokens >= g->server->engine.n_ctx ? GLM_ENDING_CONTEXT
                                                                       : GLM_ENDING_LENGTH;
    }
    if (!c->parser)
        return GLM_ENDING_STOP;
    switch (glm_chat_parser_message(c->parser)->finish) {
    case GLM_CHAT_FINISH_TOOL_CALLS:
        return GLM_ENDING_TOOL_CALLS;
    case GLM_CHAT_FINISH_LENGTH:
        return GLM_ENDING_LENGTH;
    default:
        return GLM_ENDING_STOP;
    }
}

static void on_finished(glm_part *part, const glm_event *event)
{
    glm_generation *g = part->g;
    glm_choice *c = choice_of(part, event);
    glm_error err;
    if (c->is_over)
        return;
    if (!c->parser)
        feed_raw(g, c, event);
    c->stop_index = event->stop_index;
    if (c->parser && glm_chat_parser_finish(c->parser, GLM_CHAT_END_LIMIT, &err) != GLM_OK) {
        fail(g, 500, err.text);
        return;
    }
    glm_stop_text_end(&c->stop, on_content, c);
    end_choice(g, c, c->stop.has_stopped ? GLM_ENDING_STOP_TEXT : ending_of(g, c, event));
    if (c->parser && event->finish == GLM_FINISH_STOP)
        remember(g, c);
    flush(g);
}

static glm_status submit_more(glm_generation *g, glm_generation_params *p, glm_error *err);

/* A prompt's answers are complete: another takes its place, or all is done. */
static void on_part_over(glm_part *part)
{
    glm_generation *g = part->g;
    glm_error err;
    hear_of(part);
    glm_request_release(part->request);
    part->request = NULL;
    if (++g->n_parts_over == g->n_parts) {
        finish(g);
        return;
    }
    glm_status st = g->params ? submit_more(g, g->params, &err) : GLM_OK;
    if (st != GLM_OK)
        fail(g, st == GLM_EBUSY ? 503 : 500, err.text);
    else
        flush(g);
}

static void on_done(glm_part *part, const glm_event *event)
{
    glm_generation *g = part->g;
    if (!event->error || event->error->status == GLM_EIO)
        g->server->cannot_read = event->error != NULL;
    if (!event->error) {
        glm_histogram_add(g->server->measured, GLM_MEASURE_QUEUE, event->queue_s);
        glm_histogram_add(g->server->measured, GLM_MEASURE_PREFILL, event->prefill_s);
        glm_histogram_add(g->server->measured, GLM_MEASURE_DECODE, event->decode_s);
    }
    if (g->lost_event)
        fail(g, 503, "the server has no memory for this");
    else if (!event->error)
        on_part_over(part);
    else if (event->error->status == GLM_ECANCELED)
        fail(g, 503, "the server is stopping");
    else
        fail(g, 500, event->error->text);
}

void glm_generation_feed(glm_part *part, const glm_event *event)
{
    glm_generation *g = part->g;
    if (event->n_cached) {
        g->n_cached = g->n_cached - part->n_cached + event->n_cached;
        part->n_cached = event->n_cached;
    }
    switch (event->kind) {
    case GLM_EVENT_STARTED:
        return;
    case GLM_EVENT_PREFILL:
        /* A prompt may fall back to fewer tokens than it hoped to share; nobody needs to see that. */
        if (event->n_done >= part->progress.n_done)
            part->progress = (glm_progress){event->n_done, event->seconds_left};
        sum_progress(g);
        on_keep_alive(g);
        return;
    case GLM_EVENT_PROMPT_LOGPROBS:
        if (g->voice->prompt_logprobs)
            g->voice->prompt_logprobs(g, part, event);
        return;
    case GLM_EVENT_TOKEN:
        on_token(part, event);
        return;
    case GLM_EVENT_FINISHED:
        on_finished(part, event);
        return;
    case GLM_EVENT_DONE:
        on_done(part, event);
        return;
    }
}

/* ---- Starting ---- */

static size_t longest_prompt(const glm_generation_params *p)
{
    size_t n = p->n_prompts ? 0 : p->n_ids;
    for (uint32_t i = 0; i < p->n_prompts; i++)
        if (p->first[i + 1] - p->first[i] > n)
            n = p->first[i + 1] - p->first[i];
    return n;
}

static glm_status make_parts(glm_generation *g, const glm_generation_params *p, glm_error *err)
{
    const uint32_t n = p->n_prompts ? p->n_prompts : 1;
    g->parts = glm_new_array(glm_part, n);
    if (!g->parts)
        return glm_fail(err, GLM_ENOMEM, "prompts");
    g->n_parts = n;
    g->n_choices *= n;
    for (uint32_t i = 0; i < n; i++) {
        size_t first = p->n_prompts ? p->first[i] : 0;
        size_t end = p->n_prompts ? p->first[i + 1] : p->n_ids;
        g->parts[i] = (glm_part){.g = g, .index = i, .ids = p->ids + first, .n_ids = end - first};
    }
    return GLM_OK;
}

static glm_status make_choices(glm_generation *g, const glm_generation_params *p, glm_error *err)
{
    g->choices = glm_new_array(glm_choice, g->n_choices);
    if (!g->choices)
        return glm_fail(err, GLM_ENOMEM, "choices");
    for (uint32_t i = 0; i < g->n_choices; i++) {
        glm_choice *c = &g->choices[i];
        c->g = g;
        c->part = &g->parts[i / (g->n_choices / g->n_parts)];
        c->index = i;
        c->stop = (glm_stop_text){.stops = g->stops, .n_stops = p->chat ? g->n_stops : 0};
        if (!p->chat)
            continue;
        glm_chat_parser_params params = glm_chat_parser_params_default();
        params.start = glm_chat_prompt_start(p->prompt);
        params.tools = g->chat;
        params.on_event = on_chat_event;
        params.ctx = c;
        glm_status st = glm_chat_parser_create(&c->parser, g->server->chat, &params, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

static bool check_quota(glm_generation *g)
{
    glm_server *s = g->server;
    const glm_key *key = glm_auth_of_owner(&s->auth, g->call->owner);
    glm_call *call = g->call;
    if (s->is_stopping) {
        glm_generation_discard(g);
        glm_answer_error(call, 503, "stopping", NULL, 5, "the server is stopping");
        return false;
    }
    uint32_t most = s->p.n_per_key ? s->p.n_per_key : 32;
    if (key && key->n_active >= most) {
        glm_generation_discard(g);
        glm_answer_error(call, 429, "rate_limit_exceeded", NULL, 1,
                         "this key has %u requests running, as many as it may", most);
        return false;
    }
    return true;
}

/* The prompt alone is longer than the context. */
static void refuse_overflow(glm_generation *g, size_t n_prompt)
{
    glm_call *call = g->call;
    uint32_t n_ctx = g->server->engine.n_ctx;
    const char *field = call->route->handler == glm_handle_completions ? "prompt"
                        : call->route->handler == glm_handle_responses ? "input"
                                                                       : "messages";
    glm_generation_discard(g);
    if (call->dialect == DIALECT_ANTHROPIC)
        glm_answer_error(call, 400, NULL, NULL, 0, "prompt is too long: %zu tokens > %u maximum",
                         n_prompt, n_ctx);
    else
        glm_answer_error(call, 400, "context_length_exceeded", field, 0,
                         "This model's maximum context length is %u tokens. However, your messages "
                         "resulted in %zu tokens. Please reduce the length of the messages.",
                         n_ctx, n_prompt);
}

static glm_status submit(glm_part *part, glm_generation_params *p, uint32_t n_choices,
                         glm_error *err)
{
    glm_generation *g = part->g;
    glm_server *s = g->server;
    glm_request_params *r = &p->request;
    size_t n_script = 0;
    int32_t *script = NULL;
    if (p->prompt) {
        size_t length;
        const char *text = glm_chat_prompt_text(p->prompt, &length);
        script = glm_script_answer(&s->script, s->tokenizer, (glm_text){text, length}, &n_script);
    }
    r->prompt = part->ids;
    r->n_prompt = part->n_ids;
    r->n_choices = n_choices;
    uint32_t room = s->engine.n_ctx - (uint32_t)part->n_ids;
    r->max_tokens = p->max_tokens > 0 && p->max_tokens < room ? (uint32_t)p->max_tokens : room;
    r->script = script;
    r->n_script = n_script;
    r->owner = g->call->owner;
    r->n_top_logprobs = g->n_top;
    r->want_logprobs = g->wants_logprobs;
    r->deadline_s = s->p.answer_s;
    r->fn = glm_server_take_event;
    r->ctx = part;
    if (!p->chat) {
        r->stop = g->stops;
        r->n_stop = g->n_stops;
    }
    glm_status st = glm_scheduler_submit(&part->request, s->scheduler, r, err);
    free(script);
    return st;
}

static void enlist(glm_generation *g)
{
    glm_server *s = g->server;
    g->is_listed = true;
    glm_key *key = glm_auth_of_owner(&s->auth, g->call->owner);
    if (key)
        key->n_active++;
    s->n_generations++;
    g->next = s->first;
    if (s->first)
        s->first->previous = g;
    s->first = g;
    glm_http_set_user(g->call->x, g);
}

/* Submit prompts until the engine has as many as it works on at once. When the queue is full the rest waits for those of this
 * generation that run, if there are any. */
static glm_status submit_more(glm_generation *g, glm_generation_params *p, glm_error *err)
{
    const uint32_t n_each = g->n_choices / g->n_parts;
    const uint32_t n_active = g->server->p.scheduler.max_active;
    const uint32_t n_most = n_active > n_each ? n_active / n_each : 1;
    glm_status st = GLM_OK;
    while (st == GLM_OK && g->n_submitted < g->n_parts &&
           g->n_submitted - g->n_parts_over < n_most) {
        glm_part *part = &g->parts[g->n_submitted];
        st = submit(part, p, n_each, err);
        if (st == GLM_OK)
            g->n_submitted++;
        if (st == GLM_OK && g->is_paused)
            glm_request_pause(part->request, true);
    }
    g->params = g->n_submitted < g->n_parts ? p : NULL;
    return st == GLM_EBUSY && g->n_submitted > g->n_parts_over ? GLM_OK : st;
}

void glm_generation_start(glm_generation *g, glm_generation_params *p)
{
    glm_server *s = g->server;
    glm_call *call = g->call;
    glm_error err;
    g->voice = p->voice;
    g->chat = p->chat;
    g->opening = p->opening;
    if (!check_quota(g))
        return;
    const size_t n_longest = longest_prompt(p);
    if (n_longest >= s->engine.n_ctx) {
        refuse_overflow(g, n_longest);
        return;
    }
    glm_status st = make_parts(g, p, &err);
    if (st == GLM_OK)
        st = make_choices(g, p, &err);
    if (st == GLM_OK)
        st = submit_more(g, p, &err);
    if (st != GLM_OK) {
        glm_generation_discard(g);
        glm_answer_status(call, st, &err);
        return;
    }
    enlist(g);
    g->n_prompt = p->n_ids;
    g->n_unheard = g->n_parts;
    g->voice->begin(g);
    flush(g);
    /* Without memory for it there are none. */
    if (g->streams &&
        glm_watch_timer(&g->timer, s->loop, KEEP_ALIVE_S, on_keep_alive, g, NULL) != GLM_OK)
        g->timer = NULL;
}

/* ---- Log-probabilities ---- */

void glm_write_finite(glm_json_writer *w, double logprob)
{
    glm_json_write_double(w, isfinite(logprob) ? logprob : NOT_FINITE);
}

static void write_token(glm_json_writer *w, const glm_server *s, int32_t id, double logprob)
{
    size_t n;
    const char *bytes = glm_tokenizer_bytes(s->tokenizer, id, &n);
    glm_json_put_text(w, "token", (glm_text){bytes, n});
    glm_json_write_key(w, "logprob");
    glm_write_finite(w, logprob);
    glm_json_write_key(w, "bytes");
    glm_json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        glm_json_write_u64(w, (unsigned char)bytes[i]);
    glm_json_end_array(w);
}

void glm_write_logprob(glm_json_writer *w, const glm_server *s, const glm_event *event)
{
    glm_json_begin_object(w);
    write_token(w, s, event->id, event->logprob);
    glm_json_write_key(w, "top_logprobs");
    glm_json_begin_array(w);
    for (uint32_t i = 0; i < event->n_top && event->top[i].id >= 0; i++) {
        glm_json_begin_object(w);
        write_token(w, s, event->top[i].id, event->top[i].logprob);
        glm_json_end_object(w);
    }
    glm_json_end_array(w);
    glm_json_end_object(w);
}
