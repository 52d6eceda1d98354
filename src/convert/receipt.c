// SPDX-License-Identifier: MIT
/* glm_receipt_measure: two models over one text, row by row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/watch.h"
#include "formats/identity.h"
#include "glm/quantize.h"
#include "model/loaded.h"

#define WINDOW_MAX 4096u
#define STEP_TOKENS 128u /* rows of logits held at once, of both models */
#define TAPS_MAX 1100u   /* two a layer */
#define NAME_BYTES 32

/* What one layer of the reference chose in the step at hand. */
typedef struct choice {
    char name[NAME_BYTES];
    int32_t *data; /* [n_rows, n_cols] */
    size_t capacity, n_rows, n_cols;
    uint32_t position;
} choice;

typedef struct measurement {
    glm_engine *engine[2]; /* reference, quantised */
    glm_receipt *out;
    const glm_receipt_params *params;
    glm_error *err;
    uint32_t n_vocab, window, step;
    float *logits[2]; /* [step, n_vocab] */
    double *kl;       /* [n_tokens] */
    size_t n_kl;
    uint64_t n_same, n_predicted;
    double nll[2];

    choice *choice; /* [TAPS_MAX] */
    uint32_t n_choice;
    bool is_reference; /* taps come from the reference */
    glm_status tap_status;
    double experts, selection; /* sums of shares */
    uint64_t n_experts, n_selection;

    /* Of the sequence at hand: its rows that are compared, by position, and whether each model has found all of their tokens. */
    uint32_t row_begin, row_end;
    bool is_found[2];
    uint64_t n_task[GLM_RECEIPT_TOOL_CALL + 1], n_done[2][GLM_RECEIPT_TOOL_CALL + 1];
} measurement;

static bool is_compared(const measurement *m, size_t position)
{
    return position >= m->row_begin && position < m->row_end;
}

/* ---- Choices ---- */

static choice *find_choice(measurement *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_choice; i++)
        if (strcmp(m->choice[i].name, name) == 0)
            return &m->choice[i];
    if (!m->is_reference || m->n_choice == TAPS_MAX || strlen(name) >= NAME_BYTES)
        return NULL;
    choice *c = &m->choice[m->n_choice++];
    strcpy(c->name, name);
    return c;
}

static void keep_choice(measurement *m, const glm_tap *tap)
{
    choice *c = find_choice(m, tap->name);
    const size_t n = glm_mul_size(tap->n_rows, tap->n_cols);
    if (c && n > c->capacity) {
        free(c->data);
        c->data = glm_new_array(int32_t, n);
        c->capacity = c->data ? n : 0;
    }
    if (!c || !c->data) {
        m->tap_status = GLM_ENOMEM;
        return;
    }
    memcpy(c->data, tap->data, n * sizeof(int32_t));
    c->n_rows = tap->n_rows;
    c->n_cols = tap->n_cols;
    c->position = tap->position;
}

/* Of the members of a, how many share are in b; both ascend and end at the first -1. */
static double share(const int32_t *a, const int32_t *b, size_t n)
{
    size_t n_a = 0, n_both = 0;
    for (size_t i = 0, k = 0; i < n && a[i] >= 0; i++) {
        while (k < n && b[k] >= 0 && b[k] < a[i])
            k++;
        n_both += k < n && b[k] == a[i];
        n_a++;
    }
    return n_a ? (double)n_both / (double)n_a : 1.0;
}

static void compare_choice(measurement *m, const glm_tap *tap, bool is_selection)
{
    const choice *c = find_choice(m, tap->name);
    if (!c || c->n_rows != tap->n_rows || c->n_cols != tap->n_cols ||
        c->position != tap->position) {
        m->tap_status = GLM_EINTERNAL;
        return;
    }
    const int32_t *data = tap->data;
    for (size_t r = 0; r < tap->n_rows; r++) {
        /* While a row sees no more than it may select there is nothing to choose. */
        if (!is_compared(m, tap->position + r) ||
            (is_selection && tap->position + r + 1 <= tap->n_cols))
            continue;
        double s = share(c->data + r * c->n_cols, data + r * c->n_cols, c->n_cols);
        if (is_selection) {
            m->selection += s;
            m->n_selection++;
        } else {
            m->experts += s;
            m->n_experts++;
        }
    }
}

static void on_tap(void *ctx, const glm_tap *tap)
{
    measurement *m = ctx;
    bool is_selection = strncmp(tap->name, "selected.", 9) == 0;
    bool is_experts = strncmp(tap->name, "experts.", 8) == 0;
    if (m->tap_status != GLM_OK || (!is_selection && !is_experts))
        return;
    if (m->is_reference)
        keep_choice(m, tap);
    else
        compare_choice(m, tap, is_selection);
}

/* ---- Rows ---- */

static uint32_t argmax(const float *x, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* log of the sum of exponentials */
static double log_sum(const float *x, uint32_t n, double max)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

/* next: the token that follows, or -1. */
static void compare_row(measurement *m, const float *p, const float *q, int32_t next)
{
    const uint32_t n = m->n_vocab, best_p = argmax(p, n), best_q = argmax(q, n);
    const double log_p = log_sum(p, n, (double)p[best_p]);
    const double log_q = log_sum(q, n, (double)q[best_q]);
    double kl = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        double a = (double)p[i] - log_p;
        kl += exp(a) * (a - ((double)q[i] - log_q));
    }
    m->kl[m->n_kl++] = kl > 0.0 ? kl : 0.0; /* rounding may leave a little less than nothing */
    m->n_same += best_p == best_q;
    if (next < 0)
        return;
    m->is_found[0] &= best_p == (uint32_t)next;
    m->is_found[1] &= best_q == (uint32_t)next;
    m->nll[0] += log_p - (double)p[next];
    m->nll[1] += log_q - (double)q[next];
    m->n_predicted++;
}

/* The tokens of a sequence from position `at` on: tokens + at, n of them. */
static glm_status run_step(measurement *m, glm_session *const *session, const int32_t *tokens,
                           uint32_t n_all, uint32_t at, uint32_t n)
{
    const bool has_rows = at < m->row_end && at + n > m->row_begin;
    for (int k = 0; k < 2; k++) {
        m->is_reference = k == 0;
        const glm_step_item item = {.session = session[k],
                                    .tokens = tokens + at,
                                    .n_tokens = n,
                                    .rows = has_rows ? GLM_ROWS_ALL : GLM_ROWS_NONE,
                                    .logits = has_rows ? m->logits[k] : NULL};
        glm_status st = glm_step(m->engine[k], &item, 1, m->err);
        if (st == GLM_OK && m->tap_status != GLM_OK)
            st = glm_fail(m->err, m->tap_status, "choices of a layer");
        if (st != GLM_OK)
            return glm_fail_context(m->err, st, k == 0 ? "reference" : "quantised model");
    }
    for (uint32_t r = 0; r < n; r++)
        if (is_compared(m, at + r))
            compare_row(m, m->logits[0] + (size_t)r * m->n_vocab,
                        m->logits[1] + (size_t)r * m->n_vocab,
                        at + r + 1 < n_all ? tokens[at + r + 1] : -1);
    return GLM_OK;
}

static glm_status run_sequence(measurement *m, size_t first, uint32_t n)
{
    const glm_receipt_params *p = m->params;
    glm_session *session[2] = {NULL, NULL};
    glm_status st = glm_session_open(&session[0], m->engine[0], m->err);
    if (st == GLM_OK)
        st = glm_session_open(&session[1], m->engine[1], m->err);
    for (uint32_t at = 0; at < n && st == GLM_OK;) {
        uint32_t n_now = n - at < m->step ? n - at : m->step;
        st = run_step(m, session, p->tokens + first, n, at, n_now);
        at += n_now;
        if (st == GLM_OK && p->progress && !p->progress(p->ctx, "receipt", first + at, p->n_tokens))
            st = glm_fail(m->err, GLM_ECANCELED, "receipt: canceled");
    }
    glm_session_close(session[0]);
    glm_session_close(session[1]);
    return st;
}

static glm_status run_windows(measurement *m)
{
    const size_t n_tokens = m->params->n_tokens;
    glm_status st = GLM_OK;
    for (size_t first = 0; first < n_tokens && st == GLM_OK; first += m->window) {
        size_t left = n_tokens - first;
        m->row_end = left < m->window ? (uint32_t)left : m->window;
        st = run_sequence(m, first, m->row_end);
    }
    return st;
}

static glm_status run_conversations(measurement *m)
{
    size_t first = 0;
    glm_status st = GLM_OK;
    for (size_t i = 0; i < m->params->n_sequences && st == GLM_OK; i++) {
        const glm_receipt_sequence *s = &m->params->sequences[i];
        m->row_begin = s->n_prompt - 1;
        m->row_end = s->n_prompt + s->n_answer - 1;
        m->is_found[0] = m->is_found[1] = true;
        st = run_sequence(m, first, s->n_prompt + s->n_answer);
        first += s->n_prompt + s->n_answer;
        m->n_task[s->task]++;
        for (int k = 0; k < 2; k++)
            m->n_done[k][s->task] += m->is_found[k];
    }
    return st;
}

/* ---- Results ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double share_done(const measurement *m, int model, glm_receipt_task task)
{
    return m->n_task[task] ? (double)m->n_done[model][task] / (double)m->n_task[task] : (double)NAN;
}

static glm_status finish(measurement *m)
{
    glm_receipt *r = m->out;
    double sum = 0.0;
    for (size_t i = 0; i < m->n_kl; i++)
        sum += m->kl[i];
    if (!isfinite(sum))
        return glm_fail(m->err, GLM_ENUMERIC, "receipt: expected finite logits");
    qsort(m->kl, m->n_kl, sizeof *m->kl, compare_doubles);
    const double n = (double)m->n_kl, n_predicted = (double)m->n_predicted;
    r->kl_mean = sum / n;
    r->kl_p99 = m->kl[(m->n_kl - 1) * 99 / 100];
    r->kl_max = m->kl[m->n_kl - 1];
    r->top1 = (double)m->n_same / n;
    r->perplexity_reference = m->n_predicted ? exp(m->nll[0] / n_predicted) : (double)NAN;
    r->perplexity = m->n_predicted ? exp(m->nll[1] / n_predicted) : (double)NAN;
    r->experts_overlap = m->n_experts ? m->experts / (double)m->n_experts : (double)NAN;
    r->selection_overlap = m->n_selection ? m->selection / (double)m->n_selection : (double)NAN;
    r->n_selection_rows = m->n_selection;
    r->n_rows = m->n_kl;
    r->n_needle = m->n_task[GLM_RECEIPT_NEEDLE];
    r->n_tool_calls = m->n_task[GLM_RECEIPT_TOOL_CALL];
    r->needle_reference = share_done(m, 0, GLM_RECEIPT_NEEDLE);
    r->needle = share_done(m, 1, GLM_RECEIPT_NEEDLE);
    r->tool_calls_reference = share_done(m, 0, GLM_RECEIPT_TOOL_CALL);
    r->tool_calls = share_done(m, 1, GLM_RECEIPT_TOOL_CALL);
    r->n_tokens = m->params->n_tokens;
    r->window = m->window;
    return GLM_OK;
}

/* Who was compared with whom. */
static glm_status name_models(measurement *m)
{
    glm_receipt *r = m->out;
    glm_model_info info;
    glm_engine_info engine;
    const glm_model *reference = glm_watch_model(m->engine[0]);
    glm_model_get_info(reference, &info);
    glm_engine_get_info(m->engine[1], &engine);
    snprintf(r->version, sizeof r->version, "%s", glm_version());
    snprintf(r->reference_name, sizeof r->reference_name, "%s", info.name ? info.name : "");
    snprintf(r->text_sha256, sizeof r->text_sha256, "%s",
             m->params->text_sha256 ? m->params->text_sha256 : "");
    snprintf(r->text_name, sizeof r->text_name, "%s",
             m->params->text_name ? m->params->text_name : "");
    snprintf(r->precision, sizeof r->precision, "%s",
             engine.precision == GLM_PRECISION_EXACT ? "exact" : "fast");
    glm_status st = glm_model_id(reference, r->reference, m->err);
    return st == GLM_OK
               ? glm_identity_tensors(glm_watch_model(m->engine[1])->file, r->tensors, m->err)
               : st;
}

static glm_status check_sequences(const measurement *m)
{
    const glm_receipt_params *p = m->params;
    size_t left = p->n_tokens;
    for (size_t i = 0; i < p->n_sequences; i++) {
        const glm_receipt_sequence *s = &p->sequences[i];
        const uint64_t n = (uint64_t)s->n_prompt + s->n_answer;
        if (s->n_prompt == 0 || s->n_answer == 0 || n > m->window || n > left ||
            (unsigned)s->task > GLM_RECEIPT_TOOL_CALL)
            return glm_fail(m->err, GLM_EARG,
                            "conversation %zu: expected a prompt and an answer of at most %u "
                            "tokens together, got %u and %u",
                            i + 1, m->window, s->n_prompt, s->n_answer);
        left -= (size_t)n;
    }
    if (left > 0)
        return glm_fail(m->err, GLM_EARG, "conversations: expected all of %zu tokens, got %zu less",
                        p->n_tokens, left);
    return GLM_OK;
}

static glm_status check_params(measurement *m)
{
    const glm_receipt_params *p = m->params;
    glm_model_info a, b;
    glm_engine_info e[2];
    glm_model_get_info(glm_watch_model(m->engine[0]), &a);
    glm_model_get_info(glm_watch_model(m->engine[1]), &b);
    glm_engine_get_info(m->engine[0], &e[0]);
    glm_engine_get_info(m->engine[1], &e[1]);
    if (m->engine[0] == m->engine[1])
        return glm_fail(m->err, GLM_EARG, "receipt: expected two engines, got one twice");
    if (a.n_vocab != b.n_vocab || a.n_layer != b.n_layer || a.n_expert != b.n_expert ||
        a.index_topk != b.index_topk || a.n_expert_used != b.n_expert_used)
        return glm_fail(m->err, GLM_EARG,
                        "receipt: expected two forms of one model, got %u tokens, %u layers, %u of "
                        "%u experts and %u, %u, %u of %u",
                        a.n_vocab, a.n_layer, a.n_expert_used, a.n_expert, b.n_vocab, b.n_layer,
                        b.n_expert_used, b.n_expert);
    if (p->n_tokens < 2)
        return glm_fail(m->err, GLM_EARG, "text: expected at least two tokens, got %zu",
                        p->n_tokens);
    uint32_t n_ctx = e[0].n_ctx < e[1].n_ctx ? e[0].n_ctx : e[1].n_ctx;
    m->window = p->window ? p->window : n_ctx < WINDOW_MAX ? n_ctx : WINDOW_MAX;
    if (m->window > n_ctx)
        return glm_fail(m->err, GLM_EARG, "window: expected at most %u tokens, got %u", n_ctx,
                        m->window);
    m->n_vocab = a.n_vocab;
    m->step = STEP_TOKENS;
    for (int k = 0; k < 2; k++) /* a step is one block of rows in either engine */
        m->step = e[k].chunk < m->step ? e[k].chunk : m->step;
    return p->sequences ? check_sequences(m) : GLM_OK;
}

static glm_status make_room(measurement *m)
{
    const size_t n = glm_mul_size(m->step, m->n_vocab);
    m->logits[0] = glm_new_array(float, n);
    m->logits[1] = glm_new_array(float, n);
    m->kl = glm_new_array(double, m->params->n_tokens);
    m->choice = glm_new_array(choice, TAPS_MAX);
    if (!m->logits[0] || !m->logits[1] || !m->kl || !m->choice)
        return glm_fail(m->err, GLM_ENOMEM, "receipt: logits of %u rows", m->step);
    return GLM_OK;
}

static glm_status measure(measurement *m)
{
    glm_status st = check_params(m);
    if (st == GLM_OK)
        st = make_room(m);
    if (st == GLM_OK)
        st = name_models(m);
    if (st != GLM_OK)
        return st;
    for (int k = 0; k < 2; k++)
        glm_engine_set_tap(m->engine[k], on_tap, m);
    st = m->params->sequences ? run_conversations(m) : run_windows(m);
    for (int k = 0; k < 2; k++)
        glm_engine_set_tap(m->engine[k], NULL, NULL);
    return st == GLM_OK ? finish(m) : st;
}

glm_status glm_receipt_measure(glm_receipt *out, glm_engine *reference, glm_engine *quantised,
                               const glm_receipt_params *params, glm_error *err)
{
    glm_receipt receipt = {0};
    measurement m = {
        .engine = {reference, quantised}, .out = &receipt, .params = params, .err = err};
    glm_status st = measure(&m);
    if (st == GLM_OK)
        *out = receipt;
    for (uint32_t i = 0; m.choice && i < m.n_choice; i++)
        free(m.choice[i].data);
    free(m.choice);
    free(m.logits[0]);
    free(m.logits[1]);
    free(m.kl);
    return st;
}
