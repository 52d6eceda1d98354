// SPDX-License-Identifier: MIT
/*
 * Completions: raw text, no template. One prompt, or a batch of them, which are run one behind the other; echo with the
 * log-probabilities of the prompt, as evaluation harnesses need them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "net/sse.h"
#include "server/generation.h"

#define PROMPTS_MAX 256u
#define CHOICES_MAX 8

/* One token of the legacy log-probabilities object. */
typedef struct entry {
    int32_t id;
    double logprob; /* NaN: none, the first of a prompt */
    uint32_t first_top, n_top;
} entry;

typedef struct entries {
    entry *item;
    glm_token_logprob *top;
    size_t n, n_tops, capacity, tops_capacity;
    bool has_failed;
} entries;

/* What a batch carries from prompt to prompt. */
typedef struct batch {
    const glm_json *prompts[PROMPTS_MAX]; /* strings, or lists of ids */
    uint32_t n_prompts;
    bool echo;
} batch;

/* The state of one prompt's generation. */
typedef struct completion {
    batch batch;
    int32_t *ids; /* [n_ids] of the prompt */
    size_t n_ids;
    entries prompt; /* of echo */
} completion;

/* ---- Log-probabilities ---- */

static bool grow(void **memory, size_t *capacity, size_t n, size_t size)
{
    if (n <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 256;
    wanted = wanted < n ? n : wanted;
    void *more = realloc(*memory, glm_mul_size(wanted, size));
    if (!more)
        return false;
    *memory = more;
    *capacity = wanted;
    return true;
}

static void add_entry(entries *e, int32_t id, double logprob, const glm_token_logprob *top,
                      uint32_t n_top)
{
    if (!grow((void **)&e->item, &e->capacity, e->n + 1, sizeof *e->item) ||
        !grow((void **)&e->top, &e->tops_capacity, e->n_tops + n_top, sizeof *e->top)) {
        e->has_failed = true;
        return;
    }
    e->item[e->n++] =
        (entry){.id = id, .logprob = logprob, .first_top = (uint32_t)e->n_tops, .n_top = n_top};
    if (n_top)
        memcpy(e->top + e->n_tops, top, n_top * sizeof *top);
    e->n_tops += n_top;
}

static void free_entries(entries *e)
{
    free(e->item);
    free(e->top);
    *e = (entries){0};
}

static glm_text bytes_of(const glm_server *s, int32_t id)
{
    glm_text t;
    t.data = glm_tokenizer_bytes(s->tokenizer, id, &t.length);
    return t;
}

/* {piece: logprob}; of pieces that look alike the first, which is the more probable, stands. */
static void write_top(glm_json_writer *w, const glm_server *s, const entries *e, const entry *item)
{
    glm_json_begin_object(w);
    for (uint32_t i = 0; i < item->n_top; i++) {
        const glm_token_logprob *t = &e->top[item->first_top + i];
        if (t->id < 0)
            break;
        glm_str key = {0};
        glm_str_append_text(&key, bytes_of(s, t->id));
        if (key.data && !key.has_failed && memchr(key.data, 0, key.length) == NULL) {
            glm_json_write_key(w, key.data);
            glm_write_finite(w, t->logprob);
        }
        glm_str_deinit(&key);
    }
    glm_json_end_object(w);
}

/* The four lists over prompt entries (of echo) and generated ones. */
static void write_lists(glm_json_writer *w, const glm_server *s, const entries *const *all,
                        size_t n, uint32_t n_top)
{
    glm_json_write_key(w, "tokens");
    glm_json_begin_array(w);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < all[k]->n; i++)
            glm_json_write_text(w, bytes_of(s, all[k]->item[i].id));
    glm_json_end_array(w);
    glm_json_write_key(w, "token_logprobs");
    glm_json_begin_array(w);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < all[k]->n; i++) {
            double x = all[k]->item[i].logprob;
            if (x != x)
                glm_json_write_null(w);
            else
                glm_write_finite(w, x);
        }
    glm_json_end_array(w);
    glm_json_write_key(w, "top_logprobs");
    glm_json_begin_array(w);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < all[k]->n; i++) {
            const entry *item = &all[k]->item[i];
            if (n_top == 0 || item->logprob != item->logprob)
                glm_json_write_null(w);
            else
                write_top(w, s, all[k], item);
        }
    glm_json_end_array(w);
    glm_json_write_key(w, "text_offset");
    glm_json_begin_array(w);
    uint64_t offset = 0;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < all[k]->n; i++) {
            glm_json_write_u64(w, offset);
            offset += bytes_of(s, all[k]->item[i].id).length;
        }
    glm_json_end_array(w);
}

static void write_logprobs(glm_json_writer *w, const glm_generation *g, const glm_choice *c)
{
    const completion *k = g->state;
    static const entries none;
    const entries *made = c->state ? c->state : &none;
    const entries *all[2] = {&k->prompt, made};
    if (!g->wants_logprobs) {
        glm_json_write_null(w);
        return;
    }
    glm_json_begin_object(w);
    write_lists(w, g->server, all, 2, g->n_top);
    glm_json_end_object(w);
}

/* ---- Answers ---- */

static const char *finish_name(const glm_choice *c)
{
    return c->ending == GLM_ENDING_LENGTH || c->ending == GLM_ENDING_CONTEXT ? "length" : "stop";
}

static void write_start(glm_json_writer *w, const glm_generation *g)
{
    glm_json_begin_object(w);
    glm_json_write_key(w, "id");
    glm_json_write_c(w, g->id);
    glm_json_write_key(w, "object");
    glm_json_write_c(w, "text_completion");
    glm_json_write_key(w, "created");
    glm_json_write_i64(w, g->created);
    glm_json_write_key(w, "model");
    glm_json_write_c(w, g->model);
    glm_json_write_key(w, "choices");
    glm_json_begin_array(w);
}

static void write_usage(glm_json_writer *w, const glm_generation *g)
{
    uint32_t n = glm_generation_n_tokens(g);
    glm_json_write_key(w, "usage");
    glm_json_begin_object(w);
    glm_json_write_key(w, "prompt_tokens");
    glm_json_write_u64(w, g->n_prompt);
    glm_json_write_key(w, "completion_tokens");
    glm_json_write_u64(w, n);
    glm_json_write_key(w, "total_tokens");
    glm_json_write_u64(w, (uint64_t)g->n_prompt + n);
    glm_json_write_key(w, "prompt_tokens_details");
    glm_json_begin_object(w);
    glm_json_write_key(w, "cached_tokens");
    glm_json_write_u64(w, g->n_cached);
    glm_json_end_object(w);
    glm_json_end_object(w);
}

static void send_chunk(glm_generation *g, const glm_choice *c, glm_text text, const char *finish)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    write_start(&w, g);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "index");
    glm_json_write_u64(&w, c->index);
    glm_json_write_key(&w, "text");
    glm_json_write_text(&w, text);
    glm_json_write_key(&w, "logprobs");
    glm_json_write_null(&w);
    glm_json_write_key(&w, "finish_reason");
    if (finish)
        glm_json_write_c(&w, finish);
    else
        glm_json_write_null(&w);
    glm_json_end_object(&w);
    glm_json_end_array(&w);
    if (g->include_usage) {
        if (g->continuous_usage)
            write_usage(&w, g);
        else {
            glm_json_write_key(&w, "usage");
            glm_json_write_null(&w);
        }
    }
    glm_json_end_object(&w);
    glm_sse_event(&g->out, NULL, glm_str_text(&json));
    glm_str_deinit(&json);
}

static void begin(glm_generation *g)
{
    if (g->streams)
        glm_generation_open_stream(g);
}

static void delta(glm_generation *g, glm_choice *c, const glm_chat_event *event)
{
    if (g->streams)
        send_chunk(g, c, (glm_text){event->text, event->length}, NULL);
}

static void token(glm_generation *g, glm_choice *c, const glm_event *event)
{
    if (!g->wants_logprobs || g->streams)
        return;
    if (!c->state)
        c->state = glm_new(entries);
    if (c->state)
        add_entry(c->state, event->id, event->logprob, event->top, event->n_top);
}

static void prompt_logprobs(glm_generation *g, const glm_event *event)
{
    completion *k = g->state;
    for (uint32_t i = 0; i < event->n_logprob; i++)
        add_entry(&k->prompt, k->ids[event->first + i], event->prompt_logprob[i],
                  event->prompt_top ? event->prompt_top + (size_t)i * event->n_top : NULL,
                  event->prompt_top ? event->n_top : 0);
}

static void over(glm_generation *g, glm_choice *c)
{
    if (g->streams)
        send_chunk(g, c, (glm_text){"", 0}, finish_name(c));
}

/* The pieces of a generation that the generation itself does not know of. */
static void free_state(glm_generation *g)
{
    completion *k = g->state;
    free(k->ids);
    free_entries(&k->prompt);
    for (uint32_t i = 0; g->choices && i < g->n_choices; i++)
        if (g->choices[i].state)
            free_entries(g->choices[i].state);
}

static void end(glm_generation *g)
{
    const completion *k = g->state;
    if (g->streams) {
        if (g->include_usage) {
            glm_str json = {0};
            glm_json_writer w = glm_json_writer_of(&json);
            write_start(&w, g);
            glm_json_end_array(&w);
            write_usage(&w, g);
            glm_json_end_object(&w);
            glm_sse_event(&g->out, NULL, glm_str_text(&json));
            glm_str_deinit(&json);
        }
        glm_sse_event(&g->out, NULL, glm_text_c("[DONE]"));
        return;
    }
    glm_json_writer w = glm_json_writer_of(&g->out);
    write_start(&w, g);
    for (uint32_t i = 0; i < g->n_choices; i++) {
        const glm_choice *c = &g->choices[i];
        glm_str text = {0};
        for (size_t t = 0; k->batch.echo && t < k->n_ids; t++)
            glm_str_append_text(&text, bytes_of(g->server, k->ids[t]));
        glm_str_append_text(&text, glm_str_text(&c->text));
        glm_json_begin_object(&w);
        glm_json_write_key(&w, "index");
        glm_json_write_u64(&w, c->index);
        glm_json_write_key(&w, "text");
        glm_json_write_text(&w, glm_str_text(&text));
        glm_json_write_key(&w, "logprobs");
        write_logprobs(&w, g, c);
        glm_json_write_key(&w, "finish_reason");
        glm_json_write_c(&w, finish_name(c));
        glm_json_end_object(&w);
        glm_str_deinit(&text);
    }
    glm_json_end_array(&w);
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

static void keep_alive(glm_generation *g)
{
    glm_sse_comment(&g->out, "keep-alive");
}

static const glm_voice voice = {.begin = begin,
                                .delta = delta,
                                .token = token,
                                .over = over,
                                .end = end,
                                .fail = fail,
                                .keep_alive = keep_alive,
                                .prompt_logprobs = prompt_logprobs,
                                .free_state = free_state};

/* ---- Requests ---- */

static bool is_ids(const glm_json *list)
{
    return list->type == GLM_JSON_ARRAY && list->first && list->first->type == GLM_JSON_NUMBER;
}

static bool read_prompts(batch *b, const glm_json *root, glm_field_error *err)
{
    const glm_json *prompt = glm_field(root, "prompt");
    if (!prompt || (prompt->type != GLM_JSON_STRING && prompt->type != GLM_JSON_ARRAY))
        return glm_field_refuse(err, "prompt", "prompt: expected a string or a list");
    if (prompt->type == GLM_JSON_STRING || is_ids(prompt)) {
        b->prompts[b->n_prompts++] = prompt;
        return true;
    }
    if (!prompt->first || prompt->length > PROMPTS_MAX)
        return glm_field_refuse(err, "prompt", "prompt: expected 1 to %u prompts, got %zu",
                                PROMPTS_MAX, prompt->length);
    for (const glm_json *item = prompt->first; item; item = item->next) {
        if (item->type != GLM_JSON_STRING && !is_ids(item))
            return glm_field_refuse(err, "prompt",
                                    "prompt: expected strings or lists of token ids");
        b->prompts[b->n_prompts++] = item;
    }
    return true;
}

/* The ids of a prompt, without anything added. */
static bool encode(completion *k, const glm_server *s, const glm_json *prompt, bool adds_special,
                   glm_field_error *err)
{
    if (prompt->type == GLM_JSON_STRING) {
        if (glm_tokenizer_encode(&k->ids, &k->n_ids, s->tokenizer, prompt->text, prompt->length, 0,
                                 NULL) != GLM_OK)
            return glm_field_refuse(err, "prompt", "prompt: no memory");
        (void)adds_special; /* GLM's tokenizers add none */
    } else {
        k->ids = glm_new_array(int32_t, prompt->length);
        if (!k->ids)
            return glm_field_refuse(err, "prompt", "prompt: no memory");
        for (const glm_json *item = prompt->first; item; item = item->next) {
            int64_t id;
            if (item->type != GLM_JSON_NUMBER ||
                !glm_json_text_i64(item->text, item->length, &id) || id < 0 ||
                id >= (int64_t)s->info.n_vocab)
                return glm_field_refuse(err, "prompt", "prompt: expected token ids below %u",
                                        s->info.n_vocab);
            k->ids[k->n_ids++] = (int32_t)id;
        }
    }
    if (k->n_ids == 0)
        return glm_field_refuse(err, "prompt", "prompt: expected text, got none");
    return true;
}

static bool read_fields(glm_generation *g, batch *b, int64_t *max_tokens, glm_field_error *err)
{
    const glm_json *root = g->root;
    int64_t n = 1, best = -1, n_top = -1;
    const glm_json *logprobs = glm_field(root, "logprobs");
    const glm_json *options = glm_field(root, "stream_options");
    *max_tokens = 16;
    if (!read_prompts(b, root, err) || !glm_field_int(root, "n", 1, CHOICES_MAX, &n, err) ||
        !glm_field_int(root, "best_of", 1, CHOICES_MAX, &best, err) ||
        !glm_field_int(root, "max_tokens", -1, INT64_MAX, max_tokens, err) ||
        !glm_field_bool(root, "echo", &b->echo, err) ||
        !glm_field_bool(root, "stream", &g->streams, err))
        return false;
    if (glm_field(root, "suffix"))
        return glm_field_refuse(err, "suffix", "suffix: not supported");
    if (best > 0 && best != n)
        return glm_field_refuse(err, "best_of", "best_of: other than n is not supported");
    if (logprobs && !glm_field_int(root, "logprobs", 0, 20, &n_top, err))
        return false;
    if (*max_tokens == 0 && !b->echo)
        return glm_field_refuse(err, "max_tokens", "max_tokens: expected 1 or more without echo");
    if (b->n_prompts > 1 && g->streams)
        return glm_field_refuse(err, "prompt", "prompt: streams of several are not supported");
    if (options && (options->type != GLM_JSON_OBJECT ||
                    !glm_field_bool(options, "include_usage", &g->include_usage, err) ||
                    !glm_field_bool(options, "continuous_usage_stats", &g->continuous_usage, err)))
        return glm_field_refuse(err, "stream_options", "stream_options: expected an object");
    g->include_usage |= g->continuous_usage;
    g->n_choices = (uint32_t)n;
    g->wants_logprobs = n_top >= 0;
    g->n_top = n_top > 0 ? (uint32_t)n_top : g->wants_logprobs ? 1 : 0;
    return true;
}

void glm_handle_completions(glm_call *call)
{
    glm_arena arena;
    const glm_json *root;
    if (!glm_read_body(call, &arena, &root))
        return;
    glm_generation *g = glm_generation_create(call, &arena, root);
    if (!g || !glm_read_model(g))
        return;
    completion *k = glm_new(completion);
    glm_generation_params p = {.voice = &voice, .request = glm_request_params_default()};
    glm_sampler_params sampler = glm_sampler_params_of(g->server->model);
    glm_field_error err;
    glm_new_id(g->id, "cmpl-");
    p.request.sampler = &sampler;
    bool is_fine = k ? read_fields(g, &k->batch, &p.max_tokens, &err)
                     : glm_field_refuse(&err, "prompt", "prompt: no memory");
    is_fine = is_fine && glm_read_sampling(g, "stop", &sampler, &p.request, &err);
    if (is_fine && k->batch.n_prompts > 1)
        is_fine = glm_field_refuse(&err, "prompt", "prompt: several at once are not supported yet");
    is_fine = is_fine && encode(k, g->server, k->batch.prompts[0], false, &err);
    glm_error failure;
    glm_status st =
        is_fine ? glm_read_constraint(&p.request.constraint, g, NULL, false, &failure) : GLM_EARG;
    if (st != GLM_OK) {
        if (k)
            free(k->ids);
        free(k);
        if (!is_fine) {
            glm_generation_refuse(g, &err);
            return;
        }
        glm_generation_discard(g);
        glm_answer_status(call, st, &failure);
        return;
    }
    g->state = k;
    p.ids = k->ids;
    p.n_ids = k->n_ids;
    p.max_tokens = p.max_tokens == 0 ? 1 : p.max_tokens < 0 ? 0 : p.max_tokens;
    p.request.want_prompt_logprobs = k->batch.echo && g->wants_logprobs;
    if (p.request.want_prompt_logprobs)
        add_entry(&k->prompt, k->ids[0], (double)NAN, NULL, 0);
    glm_generation_start(g, &p);
    glm_constraint_release(p.request.constraint);
}
