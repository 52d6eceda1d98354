// SPDX-License-Identifier: MIT
/*
 * Completions: raw text, no template. One prompt, or several, which run side by side; echo with the log-probabilities of the
 * prompt, as evaluation harnesses need them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "net/sse.h"
#include "server/generation.h"
#include "server/limits.h"

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
} entries;

/* What a choice keeps: all its tokens, or in a stream those not sent yet. */
typedef struct spoken {
    entries made;
    glm_str text;    /* of a stream with log-probabilities or ids, until its token comes */
    uint64_t offset; /* of the next token in the answer's text */
    bool has_echoed;
} spoken;

/* The state of a request. */
typedef struct completion {
    const glm_json *prompts[PROMPTS_MAX]; /* strings, or lists of ids */
    size_t first[PROMPTS_MAX + 1];        /* of each in ids */
    uint32_t n_prompts;
    int32_t *ids;
    bool echo, tells_ids, has_prefix;
    bool echoes_only; /* the token that is generated nevertheless is no part of the answer */
    glm_generation_params params;
    glm_sampler_params sampler;
    entries prompt[PROMPTS_MAX]; /* with echo and log-probabilities */
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
        return; /* without memory the lists are shorter */
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

/* A piece as a key or a member of a list: what is no text by itself is spelled as its bytes, so that no two are alike. */
static void spell_piece(glm_str *out, glm_text piece)
{
    glm_str valid = {0};
    glm_utf8_append_valid(&valid, piece);
    if (glm_text_equal(glm_str_text(&valid), piece) && !memchr(piece.data, 0, piece.length)) {
        glm_str_append_text(out, piece);
    } else {
        glm_str_append_c(out, "bytes:");
        for (size_t i = 0; i < piece.length; i++) {
            char hex[8];
            snprintf(hex, sizeof hex, "\\x%02x", (unsigned)(unsigned char)piece.data[i]);
            glm_str_append_c(out, hex);
        }
    }
    glm_str_deinit(&valid);
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
        spell_piece(&key, bytes_of(s, t->id));
        if (key.data && !key.has_failed) {
            glm_json_write_key(w, key.data);
            glm_write_finite(w, t->logprob);
        }
        glm_str_deinit(&key);
    }
    glm_json_end_object(w);
}

static void write_tokens(glm_json_writer *w, const glm_server *s, const entries *e)
{
    for (size_t i = 0; i < e->n; i++) {
        glm_str piece = {0};
        spell_piece(&piece, bytes_of(s, e->item[i].id));
        glm_json_write_text(w, glm_str_text(&piece));
        glm_str_deinit(&piece);
    }
}

static void write_logprob_list(glm_json_writer *w, const entries *e)
{
    for (size_t i = 0; i < e->n; i++) {
        if (isnan(e->item[i].logprob))
            glm_json_write_null(w);
        else
            glm_write_finite(w, e->item[i].logprob);
    }
}

static void write_tops(glm_json_writer *w, const glm_server *s, const entries *e, uint32_t n_top)
{
    for (size_t i = 0; i < e->n; i++) {
        if (n_top == 0 || isnan(e->item[i].logprob))
            glm_json_write_null(w);
        else
            write_top(w, s, e, &e->item[i]);
    }
}

static void write_offsets(glm_json_writer *w, const glm_server *s, const entries *e,
                          uint64_t *offset)
{
    for (size_t i = 0; i < e->n; i++) {
        glm_json_write_u64(w, *offset);
        *offset += bytes_of(s, e->item[i].id).length;
    }
}

/* The four lists over entries of the prompt (of echo) and of the answer, whose text starts at *offset; moves it on. */
static void write_lists(glm_json_writer *w, const glm_generation *g, const entries *prompt,
                        const entries *made, uint64_t *offset)
{
    glm_json_begin_object(w);
    glm_json_write_key(w, "tokens");
    glm_json_begin_array(w);
    write_tokens(w, g->server, prompt);
    write_tokens(w, g->server, made);
    glm_json_end_array(w);
    glm_json_write_key(w, "token_logprobs");
    glm_json_begin_array(w);
    write_logprob_list(w, prompt);
    write_logprob_list(w, made);
    glm_json_end_array(w);
    glm_json_write_key(w, "top_logprobs");
    glm_json_begin_array(w);
    write_tops(w, g->server, prompt, g->n_top);
    write_tops(w, g->server, made, g->n_top);
    glm_json_end_array(w);
    glm_json_write_key(w, "text_offset");
    glm_json_begin_array(w);
    write_offsets(w, g->server, prompt, offset);
    write_offsets(w, g->server, made, offset);
    glm_json_end_array(w);
    glm_json_end_object(w);
}

/* ---- Answers ---- */

static const char *finish_name(const glm_choice *c)
{
    const completion *k = c->g->state;
    if (k->echoes_only)
        return "length";
    return c->ending == GLM_ENDING_LENGTH || c->ending == GLM_ENDING_CONTEXT ? "length" : "stop";
}

static void write_start(glm_json_writer *w, const glm_generation *g)
{
    glm_json_begin_object(w);
    glm_json_put_c(w, "id", g->id);
    glm_json_put_c(w, "object", "text_completion");
    glm_json_put_i64(w, "created", g->created);
    glm_json_put_c(w, "model", g->model);
    glm_json_put_c(w, "system_fingerprint", g->server->fingerprint);
    glm_json_write_key(w, "choices");
    glm_json_begin_array(w);
}

static void write_usage(glm_json_writer *w, const glm_generation *g)
{
    const completion *k = g->state;
    uint64_t n = k->echoes_only ? 0 : glm_generation_n_tokens(g);
    glm_json_write_key(w, "usage");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "prompt_tokens", g->n_prompt);
    glm_json_put_u64(w, "completion_tokens", n);
    glm_json_put_u64(w, "total_tokens", g->n_prompt + n);
    glm_json_write_key(w, "prompt_tokens_details");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "cached_tokens", g->n_cached);
    glm_json_write_key(w, "cache_write_tokens");
    glm_json_write_u64(w, 0); /* what is kept costs a client nothing */
    glm_json_end_object(w);
    glm_json_end_object(w);
}

/* What c->state is, made when it is first asked for; NULL without memory. */
static spoken *spoken_of(glm_choice *c)
{
    if (!c->state)
        c->state = glm_new(spoken);
    return c->state;
}

static void append_prompt(glm_str *text, const glm_choice *c)
{
    for (size_t i = 0; i < c->part->n_ids; i++)
        glm_str_append_text(text, bytes_of(c->g->server, c->part->ids[i]));
}

static void write_ids(glm_json_writer *w, const glm_choice *c, const entries *made, bool is_first)
{
    glm_json_write_key(w, "prompt_token_ids");
    if (is_first) {
        glm_json_begin_array(w);
        for (size_t i = 0; i < c->part->n_ids; i++)
            glm_json_write_i64(w, c->part->ids[i]);
        glm_json_end_array(w);
    } else {
        glm_json_write_null(w);
    }
    glm_json_write_key(w, "token_ids");
    glm_json_begin_array(w);
    for (size_t i = 0; i < made->n; i++)
        glm_json_write_i64(w, made->item[i].id);
    glm_json_end_array(w);
}

/* A piece of a stream, with the entries that wait; the first one has the prompt before it when that is to be echoed. */
static void send_chunk(glm_generation *g, glm_choice *c, glm_text text, const char *finish)
{
    static const entries none;
    const completion *k = g->state;
    glm_str json = {0}, whole = {0};
    spoken *said = spoken_of(c);
    bool echoes = k->echo && said && !said->has_echoed;
    if (echoes)
        append_prompt(&whole, c);
    glm_str_append_text(&whole, text);
    glm_json_writer w = glm_json_writer_of(&json);
    write_start(&w, g);
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "index", c->index);
    glm_json_put_text(&w, "text", glm_str_text(&whole));
    glm_json_write_key(&w, "logprobs");
    if (g->wants_logprobs && said && (echoes || said->made.n > 0))
        write_lists(&w, g, echoes ? &k->prompt[c->part->index] : &none, &said->made, &said->offset);
    else
        glm_json_write_null(&w);
    glm_json_write_key(&w, "finish_reason");
    if (finish)
        glm_json_write_c(&w, finish);
    else
        glm_json_write_null(&w);
    if (k->tells_ids)
        write_ids(&w, c, said ? &said->made : &none, said && !said->has_echoed);
    glm_json_end_object(&w);
    glm_json_end_array(&w);
    if (g->include_usage) {
        if (g->continuous_usage) {
            write_usage(&w, g);
        } else {
            glm_json_put_null(&w, "usage");
        }
    }
    glm_json_end_object(&w);
    glm_sse_event(&g->out, NULL, glm_str_text(&json));
    glm_str_deinit(&json);
    glm_str_deinit(&whole);
    if (said) {
        said->has_echoed = true;
        said->made.n = said->made.n_tops = 0;
    }
}

static void begin(glm_generation *g)
{
    if (g->streams)
        glm_generation_open_stream(g);
}

static void delta(glm_generation *g, glm_choice *c, const glm_chat_event *event)
{
    const completion *k = g->state;
    spoken *said = g->wants_logprobs || k->tells_ids ? spoken_of(c) : NULL;
    if (!g->streams || k->echoes_only)
        return;
    if (said)
        glm_str_append(&said->text, event->text, event->length);
    else
        send_chunk(g, c, (glm_text){event->text, event->length}, NULL);
}

/* A chunk a token, with the text that the token completed. */
static void token(glm_generation *g, glm_choice *c, const glm_event *event)
{
    const completion *k = g->state;
    spoken *said = g->wants_logprobs || k->tells_ids ? spoken_of(c) : NULL;
    if (!said || k->echoes_only)
        return;
    add_entry(&said->made, event->id, event->logprob, event->top, event->n_top);
    if (g->streams) {
        send_chunk(g, c, glm_str_text(&said->text), NULL);
        glm_str_clear(&said->text);
    }
}

static void prompt_logprobs(glm_generation *g, const glm_part *part, const glm_event *event)
{
    completion *k = g->state;
    for (uint32_t i = 0; i < event->n_logprob; i++)
        add_entry(&k->prompt[part->index], part->ids[event->first + i], event->prompt_logprob[i],
                  event->prompt_top ? event->prompt_top + (size_t)i * event->n_top : NULL,
                  event->prompt_top ? event->n_top : 0);
}

static void over(glm_generation *g, glm_choice *c)
{
    const spoken *said = c->state;
    if (g->streams)
        send_chunk(g, c, said ? glm_str_text(&said->text) : (glm_text){"", 0}, finish_name(c));
}

static void free_choices(glm_generation *g)
{
    for (uint32_t i = 0; g->choices && i < g->n_choices; i++) {
        spoken *said = g->choices[i].state;
        if (!said)
            continue;
        free_entries(&said->made);
        glm_str_deinit(&said->text);
    }
}

/* The pieces of a generation that the generation itself does not know of. */
static void free_state(glm_generation *g)
{
    completion *k = g->state;
    free(k->ids);
    for (uint32_t i = 0; i < k->n_prompts; i++)
        free_entries(&k->prompt[i]);
    glm_constraint_release(k->params.request.constraint);
    free_choices(g);
}

static void write_choice(glm_json_writer *w, const glm_generation *g, const glm_choice *c)
{
    static const spoken nothing;
    const completion *k = g->state;
    const spoken *said = c->state ? c->state : &nothing;
    uint64_t offset = 0;
    glm_str text = {0};
    if (k->echo)
        append_prompt(&text, c);
    if (!k->echoes_only)
        glm_str_append_text(&text, glm_str_text(&c->text));
    glm_json_begin_object(w);
    glm_json_put_u64(w, "index", c->index);
    glm_json_put_text(w, "text", glm_str_text(&text));
    glm_json_write_key(w, "logprobs");
    if (g->wants_logprobs)
        write_lists(w, g, &k->prompt[c->part->index], &said->made, &offset);
    else
        glm_json_write_null(w);
    glm_json_put_c(w, "finish_reason", finish_name(c));
    if (k->tells_ids)
        write_ids(w, c, &said->made, true);
    glm_json_end_object(w);
    glm_str_deinit(&text);
}

static void end_stream(glm_generation *g)
{
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
}

static void end(glm_generation *g)
{
    if (g->streams) {
        end_stream(g);
        return;
    }
    glm_json_writer w = glm_json_writer_of(&g->out);
    write_start(&w, g);
    for (uint32_t i = 0; i < g->n_choices; i++)
        write_choice(&w, g, &g->choices[i]);
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

static const glm_voice voice = {.begin = begin,
                                .delta = delta,
                                .token = token,
                                .over = over,
                                .end = end,
                                .fail = fail,
                                .keep_alive = glm_generation_tell_progress,
                                .prompt_logprobs = prompt_logprobs,
                                .free_state = free_state};

/* ---- Requests ---- */

static bool is_ids(const glm_json *list)
{
    return list->type == GLM_JSON_ARRAY && list->first && list->first->type == GLM_JSON_NUMBER;
}

static bool read_prompts(completion *k, const glm_json *root, glm_field_error *err)
{
    const glm_json *prompt = glm_field(root, "prompt");
    if (!prompt || (prompt->type != GLM_JSON_STRING && prompt->type != GLM_JSON_ARRAY))
        return glm_field_refuse(err, "prompt", "prompt: expected a string or a list");
    if (prompt->type == GLM_JSON_STRING || is_ids(prompt)) {
        k->prompts[k->n_prompts++] = prompt;
        return true;
    }
    if (!prompt->first || prompt->length > PROMPTS_MAX)
        return glm_field_refuse(err, "prompt", "prompt: expected 1 to %u prompts, got %zu",
                                PROMPTS_MAX, prompt->length);
    for (const glm_json *item = prompt->first; item; item = item->next) {
        if (item->type != GLM_JSON_STRING && !is_ids(item))
            return glm_field_refuse(err, "prompt",
                                    "prompt: expected strings or lists of token ids");
        k->prompts[k->n_prompts++] = item;
    }
    return true;
}

/* One prompt's ids, without anything added unless that was asked for, behind those that k->ids has. */
static bool encode(completion *k, const glm_server *s, const glm_json *prompt, size_t *n,
                   glm_field_error *err)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    if (prompt->type == GLM_JSON_STRING) {
        if (glm_encode_text(&ids, &n_ids, s, (glm_text){prompt->text, prompt->length}, 0,
                            k->has_prefix && prompt->length > 0, NULL) != GLM_OK)
            return glm_field_refuse(err, "prompt", "prompt: no memory");
    } else if (!(ids = glm_new_array(int32_t, prompt->length))) {
        return glm_field_refuse(err, "prompt", "prompt: no memory");
    }
    const bool is_list = prompt->type == GLM_JSON_ARRAY;
    for (const glm_json *item = is_list ? prompt->first : NULL; item; item = item->next) {
        int64_t id;
        if (item->type != GLM_JSON_NUMBER || !glm_json_text_i64(item->text, item->length, &id) ||
            id < 0 || id >= (int64_t)s->info.n_vocab) {
            free(ids);
            return glm_field_refuse(err, "prompt", "prompt: expected token ids below %u",
                                    s->info.n_vocab);
        }
        ids[n_ids++] = (int32_t)id;
    }
    int32_t *all = n_ids ? realloc(k->ids, (*n + n_ids) * sizeof *ids) : NULL;
    if (all) {
        memcpy(all + *n, ids, n_ids * sizeof *ids);
        k->ids = all;
        *n += n_ids;
    }
    free(ids);
    return all || glm_field_refuse(err, "prompt", "prompt: expected text, got none");
}

static bool encode_all(completion *k, const glm_server *s, glm_field_error *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < k->n_prompts; i++) {
        if (!encode(k, s, k->prompts[i], &n, err))
            return false;
        k->first[i + 1] = n;
    }
    return true;
}

static bool read_fields(glm_generation *g, completion *k, int64_t *max_tokens, glm_field_error *err)
{
    const glm_json *root = g->root;
    int64_t n = 1, best = -1, n_top = -1;
    const glm_json *logprobs = glm_field(root, "logprobs");
    *max_tokens = 16;
    if (!read_prompts(k, root, err) || !glm_field_int(root, "n", 1, CHOICES_MAX, &n, err) ||
        !glm_field_int(root, "best_of", 1, CHOICES_MAX, &best, err) ||
        !glm_field_int(root, "max_tokens", -1, INT64_MAX, max_tokens, err) ||
        !glm_field_bool(root, "echo", &k->echo, err) ||
        !glm_field_bool(root, "return_token_ids", &k->tells_ids, err) ||
        !glm_field_bool(root, "add_special_tokens", &k->has_prefix, err) ||
        !glm_read_stream(g, err))
        return false;
    if (glm_field(root, "suffix"))
        return glm_field_refuse(err, "suffix", "suffix: not supported");
    if (glm_field(root, "prompt_logprobs"))
        return glm_field_refuse(err, "prompt_logprobs",
                                "prompt_logprobs: not supported; echo with logprobs gives them");
    if (best > 0 && best != n)
        return glm_field_refuse(err, "best_of", "best_of: other than n is not supported");
    if (logprobs && !glm_field_int(root, "logprobs", 0, TOP_LOGPROBS_MAX, &n_top, err))
        return false;
    if (*max_tokens == 0 && !k->echo)
        return glm_field_refuse(err, "max_tokens", "max_tokens: expected 1 or more without echo");
    g->n_choices = (uint32_t)n;
    g->wants_logprobs = n_top >= 0;
    g->n_top = n_top > 0 ? (uint32_t)n_top : g->wants_logprobs ? 1 : 0;
    return true;
}

void glm_handle_completions(glm_call *call)
{
    glm_generation *g = glm_generation_create(call);
    if (!g)
        return;
    completion *k = glm_new(completion);
    glm_field_error field;
    glm_error err;
    if (!k) {
        glm_field_refuse(&field, "prompt", "prompt: no memory");
        glm_generation_refuse(g, &field);
        return;
    }
    glm_generation_params *p = &k->params;
    *p = (glm_generation_params){.voice = &voice, .request = glm_request_params_default()};
    k->sampler = glm_sampler_params_of(g->server->model);
    p->request.sampler = &k->sampler;
    k->has_prefix = g->server->p.prefixes_raw;
    g->voice = &voice;
    g->state = k;
    glm_new_id(g->id, "cmpl-");
    if (!read_fields(g, k, &p->max_tokens, &field) ||
        !glm_read_sampling(g, "stop", &k->sampler, &p->request, &field) ||
        !encode_all(k, g->server, &field)) {
        glm_generation_refuse(g, &field);
        return;
    }
    glm_status st = glm_read_constraint(&p->request.constraint, g, NULL, false, &err);
    if (st != GLM_OK) {
        glm_generation_discard(g);
        glm_answer_status(call, st, &err);
        return;
    }
    k->echoes_only = p->max_tokens == 0;
    p->max_tokens = k->echoes_only ? 1 : p->max_tokens < 0 ? 0 : p->max_tokens;
    p->request.want_prompt_logprobs = k->echo && g->wants_logprobs;
    p->ids = k->ids;
    p->first = k->first;
    p->n_ids = k->first[k->n_prompts];
    p->n_prompts = k->n_prompts;
    for (uint32_t i = 0; p->request.want_prompt_logprobs && i < k->n_prompts; i++)
        add_entry(&k->prompt[i], k->ids[k->first[i]], (double)NAN, NULL, 0);
    glm_generation_start(g, p);
}
