// SPDX-License-Identifier: MIT
#include "backend/cpu/cpu_internal.h"

/* Keys scored by one chunk. */
#define KEYS_PER_CHUNK 1024
/* Index heads at most (the loader's limit); their weights lie on the stack. */
#define INDEX_HEADS_MAX 1024

typedef struct index_job {
    glm_cpu *cpu;
    const glm_op_index *op;
    uint32_t t0, n_tok; /* rows of this pass */
    uint32_t runs;      /* chunks a row */
} index_job;

static float *scores_of(const index_job *job, uint32_t t)
{
    return job->cpu->index_scores + (size_t)(t - job->t0) * job->cpu->limits.n_keys;
}

static void score_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const index_job *job = ctx;
    const glm_op_index *op = job->op;
    uint32_t t = job->t0 + chunk / job->runs;
    uint32_t position = chunk % job->runs * KEYS_PER_CHUNK;
    if (op->n_keys[t] <= op->k || position >= op->n_keys[t])
        return;
    uint32_t end = glm_cpu_min(op->n_keys[t], position + KEYS_PER_CHUNK);
    float w[INDEX_HEADS_MAX];
    const float *w_in = glm_cpu_floats(op->w) + (size_t)t * op->n_heads;
    for (uint32_t h = 0; h < op->n_heads; h++)
        w[h] = w_in[h] * op->w_scale;
    const float *q = glm_cpu_floats(op->q) + (size_t)t * op->n_heads * op->d_head;
    float *score = scores_of(job, t);
    while (position < end) {
        uint32_t n;
        size_t stride;
        const void *keys = op->run(op->ctx, t, position, &n, &stride);
        n = glm_cpu_min(n, end - position);
        job->cpu->k.index_scores(score + position, q, w, op->n_heads, op->d_head, keys, stride, n,
                                 op->type, job->cpu->worker[worker].tile);
        position += n;
    }
}

static void select_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const index_job *job = ctx;
    const glm_op_index *op = job->op;
    uint32_t t = job->t0 + chunk;
    int32_t *sel = op->sel + (size_t)t * op->k;
    if (op->n_keys[t] > op->k) {
        job->cpu->k.topk(sel, op->k, scores_of(job, t), op->n_keys[t],
                         job->cpu->worker[worker].topk);
        op->n_sel[t] = op->k;
        return;
    }
    for (uint32_t s = 0; s < op->n_keys[t]; s++)
        sel[s] = (int32_t)s;
    op->n_sel[t] = op->n_keys[t];
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
        if (longest > op->k)
            glm_pool_run(cpu->pool, score_chunk, &job, job.n_tok * job.runs);
        glm_pool_run(cpu->pool, select_chunk, &job, job.n_tok);
    }
}
