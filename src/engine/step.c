// SPDX-License-Identifier: MIT
/* A step: check, reserve, run blocks of rows through all layers, hand out rows, commit. */
#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/engine_internal.h"

static glm_status check_item(glm_engine *e, const glm_step_item *item, size_t i, glm_error *err)
{
    const uint32_t n_vocab = e->model->config.n_vocab;
    if (!item->session || item->session->engine != e)
        return glm_fail(err, GLM_EARG, "item %zu: expected a session of this engine", i);
    if (item->session->step == e->step)
        return glm_fail(err, GLM_EARG, "item %zu: its session occurs twice in the step", i);
    item->session->step = e->step;
    if (!item->n_tokens || !item->tokens)
        return glm_fail(err, GLM_EARG, "item %zu: expected at least one token", i);
    for (uint32_t t = 0; t < item->n_tokens; t++)
        if (item->tokens[t] < 0 || (uint32_t)item->tokens[t] >= n_vocab)
            return glm_fail(err, GLM_EARG, "item %zu: token %u: expected an id below %u, got %d", i,
                            t, n_vocab, item->tokens[t]);
    if (item->rows != GLM_ROWS_CHOSEN)
        return GLM_OK;
    for (uint32_t r = 0; r < item->n_row; r++)
        if (item->row[r] >= item->n_tokens || (r && item->row[r] <= item->row[r - 1]))
            return glm_fail(err, GLM_EARG,
                            "item %zu: row %u: expected ascending indices below %u, got %u", i, r,
                            item->n_tokens, item->row[r]);
    return GLM_OK;
}

/* Index among the item's outputs of its token t, or UINT32_MAX. */
static uint32_t output_of(const glm_step_item *item, uint32_t t)
{
    switch (item->rows) {
    case GLM_ROWS_NONE:
        return UINT32_MAX;
    case GLM_ROWS_LAST:
        return t + 1 == item->n_tokens ? 0 : UINT32_MAX;
    case GLM_ROWS_ALL:
        return t;
    case GLM_ROWS_CHOSEN:
        break;
    }
    uint32_t low = 0, high = item->n_row;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (item->row[middle] < t)
            low = middle + 1;
        else
            high = middle;
    }
    return low < item->n_row && item->row[low] == t ? low : UINT32_MAX;
}

typedef struct step {
    glm_engine *e;
    const glm_step_item *items;
    size_t n_items;
    size_t item;    /* the next row's item */
    uint32_t index; /* and token */
    glm_step_sink *sink;
    void *ctx;
} step;

/* The next rows, at most a chunk of them. Returns how many. */
static uint32_t fill_rows(step *s)
{
    glm_engine *e = s->e;
    uint32_t n = 0;
    while (n < e->info.chunk && s->item < s->n_items) {
        const glm_step_item *item = &s->items[s->item];
        e->token[n] = item->tokens[s->index];
        e->position[n] = glm_kv_seq_length(item->session->seq) + s->index;
        e->seq[n] = item->session->seq;
        e->session[n] = item->session;
        e->item[n] = (uint32_t)s->item;
        e->index[n] = s->index;
        n++;
        if (++s->index == item->n_tokens) {
            s->index = 0;
            s->item++;
        }
    }
    return n;
}

/* Sums of x * 0 are NaN as soon as one x is not finite. */
static bool is_finite_row(const float *x, uint32_t n)
{
    float sum = 0.0F;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * 0.0F;
    return sum == 0.0F;
}

static glm_status emit(step *s, uint32_t n, glm_error *err)
{
    glm_engine *e = s->e;
    const glm_config *c = &e->model->config;
    e->tap_row = e->out_row;
    glm_block_output(e->forward, e->block, e->out_row, n, e->out_logits, e->out_hidden);
    e->tap_row = NULL;
    for (uint32_t i = 0; i < n; i++)
        if ((e->out_logits[i] && !is_finite_row(e->out_logits[i], c->n_vocab)) ||
            (e->out_hidden[i] && !is_finite_row(e->out_hidden[i], c->d_model)))
            return glm_fail(err, GLM_ENUMERIC, "position %u: the outputs are not finite numbers",
                            e->position[e->out_row[i]]);
    return s->sink ? s->sink(s->ctx, e->index[e->out_row[0]], n, e->out_logits[0], err) : GLM_OK;
}

/* Outputs of the running block's rows, as many at once as the workspace holds. */
static glm_status hand_out(step *s, uint32_t n_tok, glm_error *err)
{
    glm_engine *e = s->e;
    const glm_config *c = &e->model->config;
    uint32_t n = 0;
    for (uint32_t t = 0; t < n_tok; t++) {
        const glm_step_item *item = &s->items[e->item[t]];
        uint32_t out = output_of(item, e->index[t]);
        if (out == UINT32_MAX)
            continue;
        e->out_row[n] = t;
        if (s->sink) {
            e->out_logits[n] = e->score_logits + (size_t)n * c->n_vocab;
            e->out_hidden[n] = NULL;
        } else {
            e->out_logits[n] = item->logits ? item->logits + (size_t)out * c->n_vocab : NULL;
            e->out_hidden[n] = item->hidden ? item->hidden + (size_t)out * c->d_model : NULL;
        }
        if (++n == e->n_out) {
            glm_status st = emit(s, n, err);
            if (st != GLM_OK)
                return st;
            n = 0;
        }
    }
    return n ? emit(s, n, err) : GLM_OK;
}

static glm_status run_block(step *s, uint32_t n_tok, glm_error *err)
{
    glm_engine *e = s->e;
    glm_batch batch = {n_tok, e->token, e->position, e->seq};
    glm_block_begin(e->block, &batch);
    for (uint32_t layer = 0; layer < e->model->config.n_layer; layer++) {
        if (atomic_load_explicit(&e->is_canceled, memory_order_relaxed))
            return glm_fail(err, GLM_ECANCELED, "step: canceled");
        glm_status st = glm_layer_forward(e->forward, layer, e->block, err);
        if (st != GLM_OK)
            return st;
    }
    glm_status st = hand_out(s, n_tok, err);
    if (glm_tensor_file_is_bad(e->model->file))
        return glm_fail(err, GLM_EIO,
                        "weights: a page could not be read (file truncated or drive failing)");
    return st;
}

glm_status glm_step_run(glm_engine *e, const glm_step_item *items, size_t n_items,
                        glm_step_sink *sink, void *ctx, glm_error *err)
{
    e->step++;
    glm_status st = GLM_OK;
    for (size_t i = 0; i < n_items && st == GLM_OK; i++)
        st = check_item(e, &items[i], i, err);
    if (st != GLM_OK)
        return st;
    size_t n_reserved = 0;
    while (n_reserved < n_items && st == GLM_OK) {
        const glm_step_item *item = &items[n_reserved++];
        st = glm_kv_seq_reserve(item->session->seq, item->n_tokens, err);
    }
    step s = {.e = e, .items = items, .n_items = n_items, .sink = sink, .ctx = ctx};
    while (st == GLM_OK) {
        uint32_t n_tok = fill_rows(&s);
        if (!n_tok)
            break;
        st = run_block(&s, n_tok, err);
    }
    for (size_t i = 0; i < n_reserved; i++) {
        glm_kv_seq *seq = items[i].session->seq;
        if (st == GLM_OK)
            glm_kv_seq_commit(seq, items[i].n_tokens);
        else
            glm_kv_seq_truncate(seq, glm_kv_seq_length(seq));
    }
    return st;
}

glm_status glm_step(glm_engine *engine, const glm_step_item *items, size_t n_items, glm_error *err)
{
    glm_engine_clear_cancel(engine);
    return glm_step_run(engine, items, n_items, NULL, NULL, err);
}

/* ---- Scoring ---- */

typedef struct scorer {
    glm_engine *e;
    const int32_t *tokens;
    size_t n_tokens;
    size_t done; /* tokens of earlier steps */
    glm_score_fn *fn;
    void *ctx;
} scorer;

/* log(sum(exp(x))) in double, in ascending order; *argmax is the lowest index of the largest value. */
static double log_sum_exp(const float *x, uint32_t n, int32_t *argmax)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)x[best]);
    *argmax = (int32_t)best;
    return (double)x[best] + log(sum);
}

static glm_status score_rows(void *ctx, uint32_t first, uint32_t n, const float *logits,
                             glm_error *err)
{
    scorer *s = ctx;
    const uint32_t n_vocab = s->e->model->config.n_vocab;
    for (uint32_t i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * n_vocab;
        double total = log_sum_exp(row, n_vocab, &s->e->score_argmax[i]);
        size_t next = s->done + first + i + 1;
        s->e->score_logprob[i] = next < s->n_tokens ? (double)row[s->tokens[next]] - total : NAN;
    }
    glm_score_block block = {
        .first = s->done + first,
        .n_rows = n,
        .logits = logits,
        .logprob = s->e->score_logprob,
        .argmax = s->e->score_argmax,
    };
    return s->fn(s->ctx, &block, err);
}

glm_status glm_engine_make_scores(glm_engine *e, glm_error *err)
{
    if (!e->score_logits)
        e->score_logits = glm_new_array(float, glm_mul_size(e->n_out, e->model->config.n_vocab));
    if (!e->score_logprob)
        e->score_logprob = glm_new_array(double, e->n_out);
    if (!e->score_argmax)
        e->score_argmax = glm_new_array(int32_t, e->n_out);
    if (!e->score_logits || !e->score_logprob || !e->score_argmax)
        return glm_fail(err, GLM_ENOMEM, "block of scores: no memory");
    return GLM_OK;
}

glm_status glm_score(glm_session *session, const int32_t *tokens, size_t n_tokens, uint32_t chunk,
                     glm_score_fn *fn, void *ctx, glm_error *err)
{
    glm_engine *e = session->engine;
    glm_status st = glm_engine_make_scores(e, err);
    if (st != GLM_OK)
        return st;
    const uint32_t n_vocab = e->model->config.n_vocab, length = glm_session_length(session);
    if (n_tokens > e->info.n_ctx - length)
        return glm_fail(err, GLM_ELIMIT, "context: expected at most %u more tokens, got %zu",
                        e->info.n_ctx - length, n_tokens);
    for (size_t i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= n_vocab)
            return glm_fail(err, GLM_EARG, "token %zu: expected an id below %u, got %d", i, n_vocab,
                            tokens[i]);
    scorer s = {.e = e, .tokens = tokens, .n_tokens = n_tokens, .fn = fn, .ctx = ctx};
    glm_engine_clear_cancel(e);
    const uint32_t n_max = chunk ? chunk : e->info.chunk;
    while (st == GLM_OK && s.done < n_tokens) {
        size_t left = n_tokens - s.done;
        uint32_t n = left < n_max ? (uint32_t)left : n_max;
        glm_step_item item = {
            .session = session, .tokens = tokens + s.done, .n_tokens = n, .rows = GLM_ROWS_ALL};
        st = glm_step_run(e, &item, 1, score_rows, &s, err);
        s.done += n;
    }
    if (st != GLM_OK)
        glm_kv_seq_truncate(session->seq, length);
    return st;
}
