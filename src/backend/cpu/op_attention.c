// SPDX-License-Identifier: MIT
#include "backend/cpu/cpu_internal.h"

typedef struct attention_job {
    glm_cpu *cpu;
    const glm_op_attention *op;
    uint32_t heads;  /* a chunk */
    uint32_t groups; /* chunks a row */
} attention_job;

/* Scores of some heads of row t; queries become Q8 once where rows are. */
static void score(const attention_job *job, glm_cpu_worker *w, const glm_attn_rows *rows,
                  const float *q, uint32_t n_heads, size_t stride)
{
    const glm_op_attention *op = job->op;
    const glm_kernels *k = &job->cpu->k;
    if (op->type != GLM_KV_STORE_Q8) {
        k->attn_scores(w->scores, stride, q, n_heads, rows, 0, rows->n_sel, op->scale, w->tile);
        return;
    }
    const size_t row_bytes = glm_kv_row_bytes(GLM_KV_STORE_Q8, op->n_row);
    for (uint32_t h = 0; h < n_heads; h++)
        k->kv_encode((char *)w->q8 + h * row_bytes, q + (size_t)h * op->n_row, op->n_row, op->type);
    k->attn_scores_q8(w->scores, stride, w->q8, row_bytes, n_heads, rows, 0, rows->n_sel, op->scale,
                      w->tile);
}

/* One row, some heads: gather, score, weigh, sum. */
static void attention_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const attention_job *job = ctx;
    const glm_op_attention *op = job->op;
    glm_cpu_worker *w = &job->cpu->worker[worker];
    uint32_t t = chunk / job->groups;
    uint32_t h0 = chunk % job->groups * job->heads;
    uint32_t n_heads = glm_cpu_min(job->heads, op->n_heads - h0);
    uint32_t n_sel = op->n_sel[t];

    op->gather(w->row, op->ctx, t, 0, n_sel);
    glm_attn_rows rows = {
        .row = w->row,
        .n_sel = n_sel,
        .n_row = op->n_row,
        .n_value = op->n_value,
        .type = op->type,
    };
    const size_t head = (size_t)t * op->n_heads + h0, stride = glm_cpu_score_stride(n_sel);
    score(job, w, &rows, glm_cpu_floats(op->q) + head * op->n_row, n_heads, stride);
    float norm[GLM_ATTN_HEADS_MAX];
    for (uint32_t h = 0; h < n_heads; h++)
        norm[h] = job->cpu->k.softmax(w->scores + h * stride, n_sel);
    glm_attn_sum_fn *sum =
        op->type == GLM_KV_STORE_Q8 ? job->cpu->k.attn_sum_q8 : job->cpu->k.attn_sum;
    sum(glm_cpu_floats(op->out) + head * op->n_value, w->scores, stride, norm, n_heads, &rows,
        w->tile);
}

void glm_cpu_attention(glm_backend *backend, const glm_op_attention *op)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    uint32_t heads = glm_cpu_min(cpu->heads_per_chunk, op->n_heads);
    /* A lone row must still feed every worker. */
    while (heads > 1 && (size_t)op->n_tok * ((op->n_heads + heads - 1) / heads) < cpu->n_threads)
        heads = (heads + 1) / 2;
    attention_job job = {cpu, op, heads, (op->n_heads + heads - 1) / heads};
    glm_pool_run(cpu->pool, attention_chunk, &job, op->n_tok * job.groups);
}
