// SPDX-License-Identifier: MIT
#include "backend/cpu/cpu_internal.h"

/* Keys and rows scored by one chunk: neighbouring rows of a prompt share the keys while they are in the caches. */
#define KEYS_PER_CHUNK 1024
#define ROWS_PER_CHUNK 8

typedef struct index_job {
    glm_cpu *cpu;
    const glm_op_index *op;
    uint32_t t0, n_tok; /* rows of this pass */
    uint32_t runs;      /* chunks of keys */
} index_job;

static float *scores_of(const index_job *job, uint32_t t)
{
    return job->cpu->index_scores + (size_t)(t - job->t0) * job->cpu->limits.n_keys;
}

static float *query_of(const glm_op_index *op, uint32_t t)
{
    return glm_cpu_floats(op->q) + (size_t)t * op->n_heads * op->d_head;
}

static float *weights_of(const glm_op_index *op, uint32_t t)
{
    return glm_cpu_floats(op->w) + (size_t)t * op->n_heads;
}

/* Fold the constant into the weights; Q8: quantise the queries. */
static void query_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const index_job *job = ctx;
    const glm_op_index *op = job->op;
    uint32_t t = job->t0 + chunk;
    if (op->n_keys[t] <= op->k)
        return;
    float *w = weights_of(op, t);
    for (uint32_t h = 0; h < op->n_heads; h++)
        w[h] *= op->w_scale;
    if (op->type == GLM_KV_STORE_Q8)
        job->cpu->k.index_query_q8(query_of(op, t), w, op->n_heads, op->d_head);
}

/* Scores of row t and the keys begin..end-1. */
static void score_row(const index_job *job, uint32_t worker, uint32_t t, uint32_t begin,
                      uint32_t end)
{
    const glm_op_index *op = job->op;
    const glm_kernels *k = &job->cpu->k;
    const float *q = query_of(op, t), *w = weights_of(op, t);
    const glm_index_query query = glm_index_query_at(q, w, op->n_heads, op->d_head);
    uint32_t n;
    size_t stride;
    const void *keys = op->run(op->ctx, t, begin, &n, &stride);
    for (uint32_t position = begin; position < end;) {
        uint32_t n_now = glm_cpu_min(n, end - position);
        const void *now = keys;
        const size_t now_stride = stride;
        float *score = scores_of(job, t) + position;
        position += n_now;
        if (position < op->n_keys[t]) /* behind the chunk: likely this worker's too */
            keys = op->run(op->ctx, t, position, &n, &stride);
        if (op->type == GLM_KV_STORE_Q8)
            k->index_scores_q8(score, &query, now, n_now, keys);
        else
            k->index_scores(score, q, w, op->n_heads, op->d_head, now, now_stride, n_now, op->type,
                            job->cpu->worker[worker].tile);
    }
}

static void score_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const index_job *job = ctx;
    const glm_op_index *op = job->op;
    uint32_t first = job->t0 + chunk / job->runs * ROWS_PER_CHUNK;
    uint32_t last = glm_cpu_min(first + ROWS_PER_CHUNK, job->t0 + job->n_tok);
    uint32_t begin = chunk % job->runs * KEYS_PER_CHUNK;
    for (uint32_t t = first; t < last; t++)
        if (op->n_keys[t] > op->k && op->n_keys[t] > begin)
            score_row(job, worker, t, begin, glm_cpu_min(op->n_keys[t], begin + KEYS_PER_CHUNK));
}

/*
 * A row's best k: when there are more workers than rows, each of several parts of the row gives its own best first. All of the
 * row's best are among them, and the parts' candidates ascend, so that ties go to the lower position as before.
 */
typedef struct select_job {
    const index_job *index;
    uint32_t parts; /* a row */
} select_job;

/* Parts of a row of n_keys; few enough that candidates are at most half of the keys. */
static uint32_t parts_of(const select_job *job, uint32_t t)
{
    uint32_t most = job->index->op->n_keys[t] / (2 * job->index->op->k);
    return most < 1 ? 1 : glm_cpu_min(job->parts, most);
}

static int32_t *candidates_of(const select_job *job, uint32_t t)
{
    const index_job *index = job->index;
    return index->cpu->candidates + (size_t)(t - index->t0) * job->parts * index->op->k;
}

static void select_part(void *ctx, uint32_t worker, uint32_t chunk)
{
    const select_job *job = ctx;
    const index_job *index = job->index;
    const glm_op_index *op = index->op;
    const uint32_t t = index->t0 + chunk / job->parts, part = chunk % job->parts;
    const uint32_t n_keys = op->n_keys[t], parts = parts_of(job, t);
    if (n_keys <= op->k || parts == 1 || part >= parts)
        return;
    const uint32_t begin = (uint32_t)((uint64_t)n_keys * part / parts);
    const uint32_t end = (uint32_t)((uint64_t)n_keys * (part + 1) / parts);
    int32_t *out = candidates_of(job, t) + (size_t)part * op->k;
    index->cpu->k.topk(out, op->k, scores_of(index, t) + begin, end - begin,
                       index->cpu->worker[worker].topk);
    for (uint32_t i = 0; i < op->k; i++)
        out[i] += (int32_t)begin;
}

/* The best of the candidates: their scores move to the row's begin, which no part needs any more. */
static void merge_parts(const select_job *job, uint32_t worker, uint32_t t, int32_t *sel)
{
    const index_job *index = job->index;
    const uint32_t k = index->op->k, n = parts_of(job, t) * k;
    const int32_t *candidate = candidates_of(job, t);
    float *score = scores_of(index, t);
    for (uint32_t i = 0; i < n; i++)
        score[i] = score[candidate[i]]; /* candidate[i] >= i: they ascend */
    index->cpu->k.topk(sel, k, score, n, index->cpu->worker[worker].topk);
    for (uint32_t i = 0; i < k; i++)
        sel[i] = candidate[sel[i]];
}

static void select_row(void *ctx, uint32_t worker, uint32_t chunk)
{
    const select_job *job = ctx;
    const index_job *index = job->index;
    const glm_op_index *op = index->op;
    const uint32_t t = index->t0 + chunk, n_keys = op->n_keys[t];
    int32_t *sel = op->sel + (size_t)t * op->k;
    op->n_sel[t] = glm_cpu_min(n_keys, op->k);
    if (n_keys <= op->k)
        for (uint32_t s = 0; s < n_keys; s++)
            sel[s] = (int32_t)s;
    else if (parts_of(job, t) > 1)
        merge_parts(job, worker, t, sel);
    else
        index->cpu->k.topk(sel, op->k, scores_of(index, t), n_keys,
                           index->cpu->worker[worker].topk);
}

void glm_cpu_index(glm_backend *backend, const glm_op_index *op)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    index_job job = {.cpu = cpu, .op = op};
    for (job.t0 = 0; job.t0 < op->n_tok; job.t0 += job.n_tok) {
        job.n_tok = glm_cpu_min(cpu->index_tok ? cpu->index_tok : op->n_tok, op->n_tok - job.t0);
        uint32_t longest = 0;
        for (uint32_t t = job.t0; t < job.t0 + job.n_tok; t++)
            longest = op->n_keys[t] > longest ? op->n_keys[t] : longest;
        job.runs = (longest + KEYS_PER_CHUNK - 1) / KEYS_PER_CHUNK;
        uint32_t groups = (job.n_tok + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
        select_job select = {&job, cpu->n_threads / job.n_tok};
        select.parts = select.parts < 1 ? 1 : select.parts;
        if (longest > op->k) {
            glm_pool_run(cpu->pool, query_chunk, &job, job.n_tok);
            glm_pool_run(cpu->pool, score_chunk, &job, groups * job.runs);
            if (select.parts > 1)
                glm_pool_run(cpu->pool, select_part, &select, job.n_tok * select.parts);
        }
        glm_pool_run(cpu->pool, select_row, &select, job.n_tok);
    }
}
