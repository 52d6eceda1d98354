// SPDX-License-Identifier: MIT
/* Rows of activations as matrices read them: float32, and in 8 bits for those that take integers. */
#include "backend/cpu/cpu_internal.h"

#define ROWS_PER_CHUNK 4u

uint32_t glm_cpu_layout_bit(const glm_cpu *cpu, const glm_mat *w)
{
    return cpu->limits.is_integer ? 1U << glm_act_layout_of(w->type) : 1U << GLM_ACT_NONE;
}

typedef struct quantize_job {
    const glm_cpu *cpu;
    const glm_cpu_rows *rows;
    uint32_t n_cols, layouts;
} quantize_job;

static void quantize_rows(const quantize_job *job, uint32_t first, uint32_t end)
{
    const glm_cpu_rows *rows = job->rows;
    for (uint32_t t = first; t < end; t++)
        for (int layout = GLM_ACT_32; layout < GLM_ACT_LAYOUTS; layout++)
            if (job->layouts & 1U << layout)
                job->cpu->k.act_quantize((char *)rows->acts[layout] + t * rows->act_stride,
                                         rows->x + t * rows->x_stride, job->n_cols,
                                         (glm_act_layout)layout);
}

static void quantize_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const quantize_job *job = ctx;
    uint32_t first = chunk * ROWS_PER_CHUNK;
    quantize_rows(job, first, glm_cpu_min(first + ROWS_PER_CHUNK, job->rows->n_tok));
}

void glm_cpu_quantize(glm_cpu *cpu, const glm_cpu_rows *rows, uint32_t n_cols, uint32_t layouts)
{
    quantize_job job = {cpu, rows, n_cols, layouts & ~(1U << GLM_ACT_NONE)};
    if (!job.layouts)
        return;
    if ((size_t)rows->n_tok * n_cols <= GLM_CPU_ALONE_MAX)
        quantize_rows(&job, 0, rows->n_tok);
    else
        glm_pool_run(cpu->pool, quantize_chunk, &job,
                     (rows->n_tok + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK);
}

void glm_cpu_product(const glm_cpu *cpu, uint32_t worker, float *out, size_t out_stride,
                     const glm_mat *w, uint32_t row0, uint32_t n_rows, const glm_cpu_rows *x)
{
    float *scratch = cpu->worker[worker].matmul;
    glm_act_layout layout = cpu->limits.is_integer ? glm_act_layout_of(w->type) : GLM_ACT_NONE;
    if (layout == GLM_ACT_NONE) {
        cpu->k.matmul(out, out_stride, w, row0, n_rows, x->x, x->x_stride, x->n_tok, scratch);
        return;
    }
    glm_act_rows acts = {x->acts[layout], x->act_stride, x->act_row, x->n_tok};
    cpu->k.qmatmul(out, out_stride, w, row0, n_rows, &acts, scratch);
}
