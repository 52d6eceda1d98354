// SPDX-License-Identifier: MIT
/* glm_imatrix_write: run a text, add up squares of inputs, write them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/imatrix.h"
#include "convert/plan.h"
#include "core/file_out.h"
#include "core/mem.h"
#include "engine/watch.h"
#include "formats/gguf_write.h"
#include "glm/quantize.h"

#define WINDOW_MAX 4096u
#define NAME_BYTES 160

/* The sums of one matrix tensor of the plan. */
typedef struct entry {
    const glm_plan_tensor *t;
    float *sum;      /* [n_stack, n_cols]; of up projections NULL: theirs are gate's */
    uint64_t *count; /* [n_stack] tokens */
    uint32_t twin;   /* index of gate's entry for up, else its own */
    bool is_owner;   /* of sum and count */
} entry;

/* Where a matrix of the weights belongs. */
typedef struct key {
    const void *data;
    uint32_t entry, stack;
} key;

typedef struct collector {
    glm_plan plan;
    entry *entry; /* [n_entry] */
    uint32_t n_entry;
    key *key; /* [n_key] sorted by data */
    size_t n_key;
    double *row; /* [widest] sums of one product */
    bool is_bad; /* a sum is no number any more */
    glm_imatrix_report *report;
    glm_error *err;
} collector;

static int compare_keys(const void *a, const void *b)
{
    const char *x = ((const key *)a)->data, *y = ((const key *)b)->data;
    return (x > y) - (x < y);
}

/* ---- The list of entries ---- */

static bool is_collected(const collector *c, const glm_plan_tensor *t)
{
    return t->n_dims > 1 && t->use != GLM_USE_EMBEDDING && t->use != GLM_USE_ROUTER &&
           t->use != GLM_USE_MTP && t->layer != c->plan.weights->config->n_layer;
}

static glm_status add_keys(collector *c, uint32_t index)
{
    const entry *e = &c->entry[index];
    for (uint32_t s = 0; s < e->t->n_stack; s++) {
        glm_mat mat;
        glm_status st = glm_plan_acquire(&c->plan, e->t, s, &mat, c->err);
        if (st != GLM_OK)
            return st;
        c->key[c->n_key++] = (key){mat.data, index, s};
        glm_plan_release(&c->plan, e->t, s);
    }
    return GLM_OK;
}

/* Gate and up of a layer read the same rows: up borrows gate's sums. It follows gate in the plan. */
static bool is_twin(const glm_plan_tensor *t, const glm_plan_tensor *before)
{
    return strstr(t->name, ".ffn_up") && strstr(before->name, ".ffn_gate") &&
           t->layer == before->layer && t->use == before->use;
}

static glm_status add_entry(collector *c, const glm_plan_tensor *t)
{
    entry *e = &c->entry[c->n_entry];
    *e = (entry){.t = t, .twin = c->n_entry};
    if (c->n_entry > 0 && is_twin(t, e[-1].t)) {
        e->twin = c->n_entry - 1;
    } else {
        e->is_owner = true;
        e->sum = glm_new_array(float, glm_mul_size(t->n_stack, t->n_cols));
        e->count = glm_new_array(uint64_t, t->n_stack);
        if (!e->sum || !e->count) {
            c->n_entry++;
            return glm_fail(c->err, GLM_ENOMEM, "sums of %s", t->name);
        }
    }
    return add_keys(c, c->n_entry++);
}

static glm_status make_entries(collector *c, const glm_weights *weights)
{
    glm_status st = glm_plan_create(&c->plan, weights, c->err);
    if (st != GLM_OK)
        return st;
    size_t n_key = 0, widest = 0;
    for (uint32_t i = 0; i < c->plan.n; i++) {
        n_key += c->plan.tensor[i].n_stack;
        widest = c->plan.tensor[i].n_cols > widest ? c->plan.tensor[i].n_cols : widest;
    }
    c->entry = glm_new_array(entry, c->plan.n);
    c->key = glm_new_array(key, n_key);
    c->row = glm_new_array(double, widest);
    if (!c->entry || !c->key || !c->row)
        return glm_fail(c->err, GLM_ENOMEM, "list of matrices");
    for (uint32_t i = 0; i < c->plan.n && st == GLM_OK; i++)
        if (is_collected(c, &c->plan.tensor[i]))
            st = add_entry(c, &c->plan.tensor[i]);
    qsort(c->key, c->n_key, sizeof *c->key, compare_keys);
    return st;
}

static void free_collector(collector *c)
{
    for (uint32_t i = 0; i < c->n_entry; i++)
        if (c->entry[i].is_owner) {
            free(c->entry[i].sum);
            free(c->entry[i].count);
        }
    free(c->entry);
    free(c->key);
    free(c->row);
    glm_plan_deinit(&c->plan);
}

/* ---- Adding up ---- */

static void add_rows(collector *c, const key *k, const float *x, size_t stride, uint32_t n_rows,
                     uint32_t n)
{
    entry *e = &c->entry[k->entry];
    if (!e->sum)
        return;
    memset(c->row, 0, n * sizeof *c->row);
    for (uint32_t r = 0; r < n_rows; r++)
        for (uint32_t i = 0; i < n; i++) {
            double v = (double)x[r * stride + i];
            c->row[i] += v * v;
        }
    float *sum = e->sum + (size_t)k->stack * n;
    for (uint32_t i = 0; i < n; i++) {
        sum[i] = (float)((double)sum[i] + c->row[i]);
        c->is_bad |= !isfinite(sum[i]);
    }
    e->count[k->stack] += n_rows;
}

static void on_product(void *ctx, const glm_mat *w, const float *x, size_t stride, uint32_t n_rows,
                       uint32_t n)
{
    collector *c = ctx;
    const key wanted = {.data = w->data};
    const key *k = bsearch(&wanted, c->key, c->n_key, sizeof *c->key, compare_keys);
    if (k && c->entry[k->entry].t->n_cols == n)
        add_rows(c, k, x, stride, n_rows, n);
}

/* The head's product is not run: its inputs are the states that a step gives. */
static void add_head(collector *c, const float *hidden, uint32_t n_rows)
{
    const glm_weights *w = c->plan.weights;
    on_product(c, &w->head, hidden, w->config->d_model, n_rows, w->config->d_model);
}

static glm_status run_window(collector *c, glm_engine *engine, const glm_imatrix_params *p,
                             size_t first, uint32_t n, float *hidden, uint32_t chunk)
{
    glm_session *session = NULL;
    glm_status st = glm_session_open(&session, engine, c->err);
    for (uint32_t at = 0; at < n && st == GLM_OK;) {
        uint32_t n_now = n - at < chunk ? n - at : chunk;
        const glm_step_item item = {.session = session,
                                    .tokens = p->tokens + first + at,
                                    .n_tokens = n_now,
                                    .rows = GLM_ROWS_ALL,
                                    .hidden = hidden};
        st = glm_step(engine, &item, 1, c->err);
        if (st == GLM_OK)
            add_head(c, hidden, n_now);
        at += n_now;
        if (st == GLM_OK && c->is_bad)
            st = glm_fail(c->err, GLM_ENUMERIC, "importance: a sum of squares is not finite");
        if (st == GLM_OK && p->progress && !p->progress(p->ctx, "imatrix", first + at, p->n_tokens))
            st = glm_fail(c->err, GLM_ECANCELED, "imatrix: canceled");
    }
    glm_session_close(session);
    return st;
}

static glm_status run_text(collector *c, glm_engine *engine, const glm_imatrix_params *p,
                           uint32_t window)
{
    glm_engine_info info;
    glm_engine_get_info(engine, &info);
    float *hidden =
        glm_new_array(float, glm_mul_size(info.chunk, c->plan.weights->config->d_model));
    glm_watch *watch = NULL;
    if (!hidden)
        return glm_fail(c->err, GLM_ENOMEM, "states of a step");
    glm_status st = glm_watch_begin(&watch, engine, on_product, c, c->err);
    for (size_t first = 0; first < p->n_tokens && st == GLM_OK; first += window) {
        size_t left = p->n_tokens - first;
        st = run_window(c, engine, p, first, left < window ? (uint32_t)left : window, hidden,
                        info.chunk);
        c->report->n_windows++;
    }
    glm_watch_end(watch);
    free(hidden);
    return st;
}

/* ---- The file ---- */

/* Matrices that nothing went through are left out: an indexer, where all positions were selected unseen. */
static bool is_empty(const entry *e)
{
    uint64_t n = 0;
    for (uint32_t s = 0; s < e->t->n_stack; s++)
        n += e->count[s];
    return n == 0;
}

/* Counts of experts differ; a matrix or a stack of heads has one, as llama.cpp writes it. */
static uint32_t n_counts(const entry *e)
{
    return e->t->use == GLM_USE_EXPERTS ? e->t->n_stack : 1;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->t->name, ((const entry *)b)->t->name);
}

static void put_entry(glm_gguf_head *head, const entry *e)
{
    char name[NAME_BYTES];
    const uint32_t m = n_counts(e);
    const uint64_t n = (uint64_t)e->t->n_stack * e->t->n_cols;
    const uint64_t sums[2] = {m, n / m}, counts[2] = {m, 1};
    snprintf(name, sizeof name, "%s.in_sum2", e->t->name);
    (void)glm_gguf_put_tensor(head, name, GLM_TYPE_F32, 2, sums, n * sizeof(float));
    snprintf(name, sizeof name, "%s.counts", e->t->name);
    (void)glm_gguf_put_tensor(head, name, GLM_TYPE_F32, 2, counts, m * sizeof(float));
}

static glm_status write_padded(const glm_file_out *file, const void *data, size_t size,
                               uint64_t *at, glm_error *err)
{
    static const unsigned char zeros[GLM_GGUF_ALIGNMENT];
    size_t gap = (GLM_GGUF_ALIGNMENT - size % GLM_GGUF_ALIGNMENT) % GLM_GGUF_ALIGNMENT;
    glm_status st = glm_file_out_write_at(file, data, size, *at, err);
    if (st == GLM_OK)
        st = glm_file_out_write_at(file, zeros, gap, *at + size, err);
    *at += size + gap;
    return st;
}

static glm_status write_entry(const collector *c, const entry *e, const glm_file_out *file,
                              uint64_t *at)
{
    const uint32_t m = n_counts(e);
    float *counts = glm_new_array(float, m);
    if (!counts)
        return glm_fail(c->err, GLM_ENOMEM, "counts of %s", e->t->name);
    for (uint32_t i = 0; i < m; i++)
        counts[i] = (float)e->count[i];
    size_t size = (size_t)e->t->n_stack * e->t->n_cols * sizeof(float);
    glm_status st = write_padded(file, e->sum, size, at, c->err);
    if (st == GLM_OK)
        st = write_padded(file, counts, m * sizeof(float), at, c->err);
    free(counts);
    return st;
}

static void put_facts(glm_gguf_head *head, const collector *c, const glm_imatrix_params *p,
                      uint32_t window)
{
    glm_str dataset = {0};
    glm_gguf_append_string(&dataset, glm_text_c(p->dataset ? p->dataset : "unnamed"));
    glm_gguf_put_string(head, "general.type", glm_text_c("imatrix"));
    glm_gguf_put_array(head, "imatrix.datasets", GLM_GGUF_STRING, 1, glm_str_text(&dataset));
    glm_gguf_put_u32(head, "imatrix.chunk_count", (uint32_t)c->report->n_windows);
    glm_gguf_put_u32(head, "imatrix.chunk_size", window);
    head->pairs.has_failed |= dataset.has_failed;
    glm_str_deinit(&dataset);
}

static glm_status write_file(collector *c, const char *out, const glm_imatrix_params *p,
                             uint32_t window)
{
    glm_gguf_head head = {0};
    glm_str bytes = {0};
    glm_file_out file = GLM_FILE_OUT_NONE;
    for (uint32_t i = 0; i < c->n_entry; i++) { /* sums of up are those of gate, and owned by it */
        c->entry[i].count = c->entry[c->entry[i].twin].count;
        c->entry[i].sum = c->entry[c->entry[i].twin].sum;
    }
    qsort(c->entry, c->n_entry, sizeof *c->entry, compare_entries);
    c->report->n_entries = 0;
    for (uint32_t i = 0; i < c->n_entry; i++)
        c->report->n_entries += !is_empty(&c->entry[i]);
    put_facts(&head, c, p, window);
    for (uint32_t i = 0; i < c->n_entry; i++)
        if (!is_empty(&c->entry[i]))
            put_entry(&head, &c->entry[i]);
    glm_status st = glm_gguf_head_finish(&head, GLM_GGUF_ALIGNMENT, &bytes, c->err);
    if (st == GLM_OK)
        st = glm_file_out_create(&file, out, false, c->err);
    uint64_t at = bytes.length;
    if (st == GLM_OK)
        st = glm_file_out_write_at(&file, bytes.data, bytes.length, 0, c->err);
    for (uint32_t i = 0; i < c->n_entry && st == GLM_OK; i++)
        if (!is_empty(&c->entry[i]))
            st = write_entry(c, &c->entry[i], &file, &at);
    if (st == GLM_OK)
        st = glm_file_out_commit(&file, c->err);
    glm_file_out_abandon(&file);
    glm_gguf_head_deinit(&head);
    glm_str_deinit(&bytes);
    return st;
}

/* ---- Report ---- */

static void report_layer(collector *c, const entry *e)
{
    glm_imatrix_report *r = c->report;
    glm_imatrix_layer layer = {.layer = e->t->layer};
    for (uint32_t s = 0; s < e->t->n_stack; s++) {
        layer.n_unseen += e->count[s] == 0;
        layer.n_rare += e->count[s] < GLM_IMATRIX_RARE;
    }
    if (layer.n_rare && r->n_layer < sizeof r->layer / sizeof r->layer[0])
        r->layer[r->n_layer++] = layer;
}

static void fill_report(collector *c, const glm_imatrix_params *p)
{
    c->report->n_tokens = p->n_tokens;
    c->report->n_expert = c->plan.weights->config->n_expert;
    for (uint32_t i = 0; i < c->n_entry; i++)
        if (c->entry[i].t->source == GLM_SOURCE_DOWN)
            report_layer(c, &c->entry[i]);
}

static glm_status check_params(const glm_engine *engine, const glm_imatrix_params *p,
                               uint32_t *window, glm_error *err)
{
    glm_engine_info info;
    glm_engine_get_info(engine, &info);
    uint32_t longest = info.n_ctx < WINDOW_MAX ? info.n_ctx : WINDOW_MAX;
    *window = p->window ? p->window : longest;
    if (p->n_tokens == 0)
        return glm_fail(err, GLM_EARG, "text: expected at least one token, got none");
    if (*window > info.n_ctx)
        return glm_fail(err, GLM_EARG, "window: expected at most the context of %u tokens, got %u",
                        info.n_ctx, *window);
    return GLM_OK;
}

glm_status glm_imatrix_write(glm_engine *engine, const char *out, const glm_imatrix_params *params,
                             glm_imatrix_report *report, glm_error *err)
{
    collector c = {.report = report, .err = err};
    uint32_t window = 0;
    memset(report, 0, sizeof *report);
    glm_status st = check_params(engine, params, &window, err);
    if (st == GLM_OK)
        st = make_entries(&c, glm_watch_weights(engine));
    if (st == GLM_OK)
        st = run_text(&c, engine, params, window);
    if (st == GLM_OK)
        fill_report(&c, params);
    if (st == GLM_OK)
        st = write_file(&c, out, params, window);
    free_collector(&c);
    return st;
}
