// SPDX-License-Identifier: MIT
#include "backend/cpu/cpu.h"

#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "core/mem.h"

/* Attention scores a worker holds: as many heads as fit here, at least one. */
#define SCORE_BYTES_MAX ((size_t)1 << 20)
/* Index scores held at once over all rows, at least one row. */
#define INDEX_SCORE_BYTES_MAX ((size_t)16 << 20)

static uint32_t heads_per_chunk(const glm_backend_limits *limits)
{
    size_t per_head = glm_mul_size(glm_cpu_score_stride(limits->n_sel), sizeof(float));
    size_t heads = SCORE_BYTES_MAX / per_head;
    return heads < 1 ? 1 : heads > GLM_ATTN_HEADS_MAX ? GLM_ATTN_HEADS_MAX : (uint32_t)heads;
}

static uint32_t index_tok(const glm_backend_limits *limits)
{
    if (!limits->n_keys)
        return 0;
    size_t n = INDEX_SCORE_BYTES_MAX / glm_mul_size(limits->n_keys, sizeof(float));
    n = n < 1 ? 1 : n;
    return n > limits->n_tok ? limits->n_tok : (uint32_t)n;
}

/* Rows of a head's values that a worker quantises at once: at least so many bytes. */
#define WORKER_ACT_BYTES ((size_t)64 << 10)

size_t glm_cpu_worker_act_bytes(const glm_backend_limits *limits)
{
    size_t row = glm_act_row_bytes(limits->n_cols);
    return !limits->is_integer ? 0 : row > WORKER_ACT_BYTES ? row : WORKER_ACT_BYTES;
}

/* One formula for the layout: sizes when base is NULL, pointers when it is not. */
typedef struct layout {
    unsigned char *base;
    size_t used;
} layout;

static void *take(layout *l, size_t n, size_t size)
{
    size_t at = l->used;
    l->used = glm_add_size(at, glm_align_size(glm_mul_size(n, size), 64));
    return l->base && l->used != SIZE_MAX ? l->base + at : NULL;
}

static void lay_out(glm_cpu *cpu, layout *l, uint32_t n_threads)
{
    const glm_backend_limits *lim = &cpu->limits;
    size_t q8 = glm_kv_row_bytes(GLM_KV_STORE_Q8, lim->n_row);
    for (uint32_t i = 0; i < n_threads; i++) {
        glm_cpu_worker w = {
            .matmul = take(l, glm_matmul_scratch_floats(lim->n_cols), sizeof(float)),
            .tile = take(l, glm_attn_scratch_floats(lim->n_row), sizeof(float)),
            .scores = take(l, glm_mul_size(heads_per_chunk(lim), glm_cpu_score_stride(lim->n_sel)),
                           sizeof(float)),
            .q8 = take(l, heads_per_chunk(lim), q8),
            .row = take(l, lim->n_sel, sizeof(void *)),
            .topk = take(l, lim->n_keys, sizeof(uint32_t)),
            .acts = take(l, glm_cpu_worker_act_bytes(lim), 1),
            .up = take(l, glm_cpu_up_floats(lim), sizeof(float)),
        };
        if (cpu->worker)
            cpu->worker[i] = w;
    }
    cpu->index_scores = take(l, glm_mul_size(index_tok(lim), lim->n_keys), sizeof(float));
    cpu->candidates = take(l, glm_mul_size(n_threads, lim->n_sel), sizeof(int32_t));
    cpu->ffn_x = take(l, glm_mul_size(lim->n_slot, lim->d_model), sizeof(float));
    size_t act_row = lim->is_integer ? glm_act_row_bytes(lim->n_cols) : 0;
    for (int i = GLM_ACT_32; i < GLM_ACT_LAYOUTS; i++)
        cpu->acts[i] = take(l, lim->n_tok, act_row);
    /* Whole blocks a slot. */
    size_t n_blocks = lim->is_integer ? glm_add_size(lim->n_hidden / 256, lim->n_slot) : 0;
    cpu->ffn_acts = take(l, n_blocks, GLM_ACT_BYTES);
    cpu->ffn_h = take(l, lim->n_hidden, sizeof(float));
    cpu->ffn_y = take(l, glm_mul_size(lim->n_slot, lim->d_model), sizeof(float));
    cpu->router = take(l, glm_mul_size(lim->n_tok, lim->n_expert), sizeof(float));
}

size_t glm_cpu_backend_bytes(const glm_backend_limits *limits, uint32_t n_threads)
{
    glm_cpu cpu = {.limits = *limits};
    layout l = {0};
    lay_out(&cpu, &l, n_threads);
    return l.used;
}

static void cpu_destroy(glm_backend *backend)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    free(cpu->worker);
    free(cpu->memory);
    free(cpu);
}

static glm_status cpu_buf_create(glm_backend *backend, glm_buf *out, size_t size_bytes,
                                 glm_error *err)
{
    (void)backend;
    void *base = glm_alloc_aligned(size_bytes);
    if (!base)
        return glm_fail(err, GLM_ENOMEM, "activations: %zu bytes of memory", size_bytes);
    *out = (glm_buf){base, 0};
    return GLM_OK;
}

static void cpu_buf_destroy(glm_backend *backend, glm_buf buf)
{
    (void)backend;
    free(buf.base);
}

static void cpu_read(glm_backend *backend, void *dst, glm_buf src, size_t size_bytes)
{
    (void)backend;
    memcpy(dst, glm_cpu_floats(src), size_bytes);
}

static void cpu_write(glm_backend *backend, glm_buf dst, const void *src, size_t size_bytes)
{
    (void)backend;
    memcpy(glm_cpu_floats(dst), src, size_bytes);
}

static void cpu_zero(glm_backend *backend, glm_buf buf, size_t size_bytes)
{
    (void)backend;
    memset(glm_cpu_floats(buf), 0, size_bytes);
}

static void cpu_embed(glm_backend *backend, const glm_op_embed *op)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    float *out = glm_cpu_floats(op->out);
    for (uint32_t t = 0; t < op->n_tok; t++)
        cpu->k.decode_row(out + (size_t)t * op->table->n_cols, op->table, (uint32_t)op->token[t]);
}

/* Rows of small work: a chunk is this many of them. */
#define ROWS_PER_CHUNK 8

static uint32_t row_chunks(uint32_t n_rows)
{
    return (n_rows + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
}

typedef struct norm_job {
    glm_cpu *cpu;
    const glm_op_norm *op;
} norm_job;

static void norm_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const norm_job *job = ctx;
    const glm_op_norm *op = job->op;
    uint32_t end = glm_cpu_min(op->n_tok, (chunk + 1) * ROWS_PER_CHUNK);
    for (uint32_t t = chunk * ROWS_PER_CHUNK; t < end; t++) {
        const float *x = glm_cpu_floats(op->x) + t * op->x_stride;
        float *out = glm_cpu_floats(op->out) + t * op->out_stride;
        if (op->bias)
            job->cpu->k.layernorm(out, x, op->weight, op->bias, op->n, op->eps);
        else
            job->cpu->k.rmsnorm(out, x, op->weight, op->n, op->eps);
    }
}

static void cpu_norm(glm_backend *backend, const glm_op_norm *op)
{
    norm_job job = {glm_cpu_of(backend), op};
    glm_pool_run(job.cpu->pool, norm_chunk, &job, row_chunks(op->n_tok));
}

typedef struct rope_job {
    glm_cpu *cpu;
    const glm_op_rope *op;
} rope_job;

static void rope_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const rope_job *job = ctx;
    const glm_op_rope *op = job->op;
    uint32_t end = glm_cpu_min(op->n_tok, (chunk + 1) * ROWS_PER_CHUNK);
    for (uint32_t t = chunk * ROWS_PER_CHUNK; t < end; t++) {
        float *x = glm_cpu_floats(op->x) + t * op->tok_stride;
        size_t angle = (size_t)t * op->n_pairs;
        for (uint32_t h = 0; h < op->n_heads; h++)
            job->cpu->k.rope(x + h * op->head_stride, op->cos_table + angle, op->sin_table + angle,
                             op->n_pairs);
    }
}

static void cpu_rope(glm_backend *backend, const glm_op_rope *op)
{
    rope_job job = {glm_cpu_of(backend), op};
    glm_pool_run(job.cpu->pool, rope_chunk, &job, row_chunks(op->n_tok));
}

static void cpu_copy_heads(glm_backend *backend, const glm_op_copy_heads *op)
{
    (void)backend;
    for (uint32_t t = 0; t < op->n_tok; t++) {
        const float *x = glm_cpu_floats(op->x) + t * op->x_tok_stride;
        float *out = glm_cpu_floats(op->out) + t * op->out_tok_stride;
        for (uint32_t h = 0; h < op->n_heads; h++)
            memcpy(out + h * op->out_head_stride, x + h * op->x_head_stride, op->n * sizeof(float));
    }
}

static void cpu_kv_store(glm_backend *backend, const glm_op_kv_store *op)
{
    glm_cpu *cpu = glm_cpu_of(backend);
    for (uint32_t t = 0; t < op->n_tok; t++)
        cpu->k.kv_encode(op->row[t], glm_cpu_floats(op->x) + t * op->x_stride, op->n, op->type);
}

static void cpu_index_store(glm_backend *backend, const glm_op_kv_store *op)
{
    if (op->type != GLM_KV_STORE_Q8) {
        cpu_kv_store(backend, op);
        return;
    }
    for (uint32_t t = 0; t < op->n_tok; t++)
        glm_cpu_of(backend)->k.index_key_q8(op->row[t], glm_cpu_floats(op->x) + t * op->x_stride,
                                            op->n);
}

/* Vectors of a chunk: those of a row of queries. */
#define HADAMARD_PER_CHUNK 32

typedef struct hadamard_job {
    glm_cpu *cpu;
    const glm_op_hadamard *op;
} hadamard_job;

static void hadamard_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const hadamard_job *job = ctx;
    const glm_op_hadamard *op = job->op;
    size_t first = (size_t)chunk * HADAMARD_PER_CHUNK;
    for (size_t i = first; i < first + HADAMARD_PER_CHUNK && i < op->n_vec; i++)
        job->cpu->k.hadamard(glm_cpu_floats(op->x) + i * op->n, op->n);
}

static void cpu_hadamard(glm_backend *backend, const glm_op_hadamard *op)
{
    hadamard_job job = {glm_cpu_of(backend), op};
    glm_pool_run(job.cpu->pool, hadamard_chunk, &job,
                 (uint32_t)((op->n_vec + HADAMARD_PER_CHUNK - 1) / HADAMARD_PER_CHUNK));
}

static void cpu_add(glm_backend *backend, glm_buf x, glm_buf y, size_t n)
{
    glm_cpu_of(backend)->k.add(glm_cpu_floats(x), glm_cpu_floats(y), n);
}

static const glm_backend_ops cpu_ops = {
    .name = "cpu",
    .destroy = cpu_destroy,
    .buf_create = cpu_buf_create,
    .buf_destroy = cpu_buf_destroy,
    .read = cpu_read,
    .write = cpu_write,
    .zero = cpu_zero,
    .embed = cpu_embed,
    .norm = cpu_norm,
    .rope = cpu_rope,
    .matmul = glm_cpu_matmul,
    .head_matmul = glm_cpu_head_matmul,
    .copy_heads = cpu_copy_heads,
    .kv_store = cpu_kv_store,
    .index_store = cpu_index_store,
    .hadamard = cpu_hadamard,
    .attention = glm_cpu_attention,
    .index = glm_cpu_index,
    .router = glm_cpu_router,
    .ffn = glm_cpu_ffn,
    .add = cpu_add,
};

glm_status glm_cpu_backend_create(glm_backend **out, glm_pool *pool, glm_isa isa,
                                  const glm_backend_limits *limits, glm_error *err)
{
    uint32_t n_threads = glm_pool_threads(pool);
    size_t bytes = glm_cpu_backend_bytes(limits, n_threads);
    glm_cpu *cpu = glm_new(glm_cpu);
    glm_cpu_worker *worker = glm_new_array(glm_cpu_worker, n_threads);
    void *memory = bytes == SIZE_MAX ? NULL : glm_alloc_aligned(bytes);
    if (!cpu || !worker || !memory) {
        free(cpu);
        free(worker);
        free(memory);
        return glm_fail(err, GLM_ENOMEM, "scratch memory of the CPU backend: %zu bytes", bytes);
    }
    cpu->base.ops = &cpu_ops;
    cpu->pool = pool;
    cpu->n_threads = n_threads;
    cpu->limits = *limits;
    cpu->heads_per_chunk = heads_per_chunk(limits);
    cpu->index_tok = index_tok(limits);
    cpu->worker = worker;
    cpu->memory = memory;
    glm_kernels_init(&cpu->k, isa);
    layout l = {.base = memory};
    lay_out(cpu, &l, n_threads);
    *out = &cpu->base;
    return GLM_OK;
}
