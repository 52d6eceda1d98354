// SPDX-License-Identifier: MIT
#include <string.h>

#include "backend/cpu/cpu_internal.h"

/* A chunk of a matrix-vector product reads about this many bytes of weights. */
#define CHUNK_BYTES ((size_t)64 << 10)
/* Kernels of integers and of one token ask for the next rows of a chunk while they work on some: it should have several groups of
 * rows... */
#define INTEGER_CHUNK_BYTES ((size_t)256 << 10)
#define FLOAT_CHUNK_BYTES ((size_t)1 << 20)
/* ... but each worker so many chunks at least. */
#define CHUNKS_PER_WORKER 4u
/* Rows are cut at multiples of these, so that kernels work on whole groups of rows. */
#define ROW_GROUP 24
#define INTEGER_ROW_GROUP 16
/* Small products are not worth waking anybody: multiply-adds of a chunk at least. */
#define CHUNK_FMA_MIN ((size_t)32 << 10)

static uint32_t round_up(size_t n, uint32_t to)
{
    return (uint32_t)((n + to - 1) / to * to);
}

uint32_t glm_cpu_chunk_rows(const glm_cpu *cpu, const glm_mat *w, uint32_t n_tok)
{
    if (cpu->n_threads == 1)
        return w->n_rows;
    size_t by_bytes = CHUNK_BYTES / (w->row_stride_bytes ? w->row_stride_bytes : 1);
    size_t by_work = CHUNK_FMA_MIN / ((size_t)w->n_cols * n_tok);
    size_t rows = by_bytes > by_work ? by_bytes : by_work;
    if (n_tok > 8) {
        /* Packing a panel of weights pays only when many rows share the tokens' cache lines. */
        size_t spread = w->n_rows / (cpu->n_threads * 4u);
        rows = spread > rows ? spread : rows;
    }
    const bool is_integer = glm_cpu_layout_bit(cpu, w) != 1U << GLM_ACT_NONE;
    const uint32_t group = is_integer ? INTEGER_ROW_GROUP : ROW_GROUP;
    if (is_integer || n_tok == 1) {
        size_t most = w->n_rows / (cpu->n_threads * CHUNKS_PER_WORKER);
        size_t wanted = (is_integer ? INTEGER_CHUNK_BYTES : FLOAT_CHUNK_BYTES) /
                        (w->row_stride_bytes ? w->row_stride_bytes : 1);
        wanted = wanted < most ? wanted : most;
        rows = wanted > rows ? wanted : rows;
    }
    rows = round_up(rows < 1 ? 1 : rows, group);
    return rows > w->n_rows ? w->n_rows : (uint32_t)rows;
}

typedef struct matmul_job {
    glm_cpu *cpu;
    const glm_op_matmul *op;
    glm_cpu_rows x;
    uint32_t rows[GLM_MATMUL_OUTPUTS_MAX];      /* a chunk */
    uint32_t chunk_end[GLM_MATMUL_OUTPUTS_MAX]; /* chunks of outputs 0..i together */
} matmul_job;

static void matmul_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const matmul_job *job = ctx;
    const glm_op_matmul *op = job->op;
    uint32_t i = 0;
    while (chunk >= job->chunk_end[i])
        i++;
    uint32_t local = chunk - (i ? job->chunk_end[i - 1] : 0);
    const glm_mat *w = op->out[i].w;
    uint32_t row0 = local * job->rows[i];
    uint32_t n_rows = glm_cpu_min(job->rows[i], w->n_rows - row0);
    glm_cpu_product(job->cpu, worker, glm_cpu_floats(op->out[i].out) + row0, op->out[i].stride, w,
                    row0, n_rows, &job->x);
}

void glm_cpu_matmul(glm_backend *backend, const glm_op_matmul *op)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    uint32_t end = 0, layouts = 0, n_cols = op->out[0].w->n_cols;
    matmul_job job = {.cpu = cpu,
                      .op = op,
                      .x = {.x = glm_cpu_floats(op->x),
                            .x_stride = op->x_stride,
                            .n_tok = op->n_tok,
                            .act_stride = glm_act_row_bytes(n_cols)}};
    memcpy(job.x.acts, cpu->acts, sizeof job.x.acts);
    for (uint32_t i = 0; i < op->n_out; i++)
        layouts |= glm_cpu_layout_bit(cpu, op->out[i].w);
    glm_cpu_quantize(cpu, &job.x, n_cols, layouts);
    for (uint32_t i = 0; i < op->n_out; i++) {
        job.rows[i] = glm_cpu_chunk_rows(job.cpu, op->out[i].w, op->n_tok);
        end += (op->out[i].w->n_rows + job.rows[i] - 1) / job.rows[i];
        job.chunk_end[i] = end;
    }
    glm_pool_run(job.cpu->pool, matmul_chunk, &job, end);
}

typedef struct head_job {
    glm_cpu *cpu;
    const glm_op_head_matmul *op;
} head_job;

/* W_h times x in integers: rows are quantised here, as many at once as the worker has room for. */
static void head_integers(const head_job *job, uint32_t worker, uint32_t h, glm_act_layout layout)
{
    const glm_op_head_matmul *op = job->op;
    const glm_cpu *cpu = job->cpu;
    const glm_mat *w = &op->w[h];
    void *acts = cpu->worker[worker].acts;
    size_t stride = glm_act_row_bytes(w->n_cols);
    uint32_t piece = (uint32_t)(glm_cpu_worker_act_bytes(&cpu->limits) / stride);
    for (uint32_t t = 0; t < op->n_tok; t += piece) {
        uint32_t n = glm_cpu_min(piece, op->n_tok - t);
        const float *x = glm_cpu_floats(op->x) + h * op->x_head_stride + t * op->x_tok_stride;
        float *out = glm_cpu_floats(op->out) + h * op->out_head_stride + t * op->out_tok_stride;
        for (uint32_t i = 0; i < n; i++)
            cpu->k.act_quantize((char *)acts + i * stride, x + i * op->x_tok_stride, w->n_cols,
                                layout);
        glm_act_rows rows = {acts, stride, NULL, n};
        cpu->k.qmatmul(out, op->out_tok_stride, w, 0, w->n_rows, &rows, cpu->worker[worker].matmul);
    }
}

static void head_chunk(void *ctx, uint32_t worker, uint32_t h)
{
    const head_job *job = ctx;
    const glm_op_head_matmul *op = job->op;
    const glm_mat *w = &op->w[h];
    const float *x = glm_cpu_floats(op->x) + h * op->x_head_stride;
    float *out = glm_cpu_floats(op->out) + h * op->out_head_stride;
    float *scratch = job->cpu->worker[worker].matmul;
    if (!op->transposed && glm_cpu_layout_bit(job->cpu, w) != 1U << GLM_ACT_NONE)
        head_integers(job, worker, h, glm_act_layout_of(w->type));
    else if (op->transposed)
        job->cpu->k.row_sum(out, op->out_tok_stride, w, 0, w->n_cols, x, op->x_tok_stride,
                            op->n_tok, scratch);
    else
        job->cpu->k.matmul(out, op->out_tok_stride, w, 0, w->n_rows, x, op->x_tok_stride, op->n_tok,
                           scratch);
}

void glm_cpu_head_matmul(glm_backend *backend, const glm_op_head_matmul *op)
{
    head_job job = {glm_cpu_of(backend), op};
    glm_pool_run(job.cpu->pool, head_chunk, &job, op->n_heads);
}
