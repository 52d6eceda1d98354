// SPDX-License-Identifier: MIT
/* What the files of the CPU backend share. */
#ifndef GLM_BACKEND_CPU_INTERNAL_H
#define GLM_BACKEND_CPU_INTERNAL_H

#include "backend/cpu/cpu.h"
#include "core/mem.h"

/** Scratch of one worker. */
typedef struct glm_cpu_worker {
    float *matmul;    /* glm_matmul_scratch_floats(limits.n_cols) */
    float *tile;      /* glm_attn_scratch_floats(limits.n_row) */
    float *scores;    /* attention: heads_per_chunk rows of glm_cpu_score_stride(limits.n_sel) */
    void *q8;         /* heads_per_chunk Q8 rows of limits.n_row */
    const void **row; /* [limits.n_sel] */
    uint32_t *topk;   /* [limits.n_keys] */
    void *acts;       /* glm_cpu_worker_act_bytes */
    float *up;        /* glm_cpu_up_floats: some rows of up for all slots of a part */
} glm_cpu_worker;

typedef struct glm_cpu {
    glm_backend base;
    glm_pool *pool;
    uint32_t n_threads;
    glm_kernels k;
    glm_backend_limits limits;
    uint32_t heads_per_chunk; /* attention heads whose scores a worker holds at once */
    uint32_t index_tok;       /* rows whose index scores are held at once */
    glm_cpu_worker *worker;   /* [n_threads] */
    float *index_scores;      /* [index_tok, limits.n_keys] */
    int32_t *candidates;      /* [n_threads, limits.n_sel] positions */
    float *ffn_x;             /* [n_slot, d_model] rows gathered by expert */
    void *acts
        [GLM_ACT_LAYOUTS]; /* [n_tok, n_cols] an op's rows in 8 bits, in each layout that has any */
    void
        *ffn_acts; /* [n_slot, d_ff_max] ffn_h in 8 bits, in the layout of its part's down matrix */
    float *ffn_h;  /* [limits.n_hidden] slots by d_ff_max */
    float *ffn_y;  /* [n_slot, d_model] */
    float *router; /* [n_tok, n_expert] */
    void *memory;  /* all of the above */
} glm_cpu;

static inline glm_cpu *glm_cpu_of(glm_backend *backend)
{
    return (glm_cpu *)(void *)backend;
}

static inline float *glm_cpu_floats(glm_buf buf)
{
    return (float *)(void *)((unsigned char *)buf.base + buf.offset_bytes);
}

static inline uint32_t glm_cpu_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/** Floats from head to head of attention scores: rows of a power of two would meet in few sets of the caches. */
static inline size_t glm_cpu_score_stride(size_t n_sel)
{
    return glm_add_size(glm_align_size(n_sel, 16), 16);
}

/** Fewer values are quantised by the caller of a run alone: waking others would cost more. */
#define GLM_CPU_ALONE_MAX 32768u

/** Bytes of a worker's own quantised rows: at least one of limits.n_cols; 0 without is_integer. */
size_t glm_cpu_worker_act_bytes(const glm_backend_limits *limits);

/** Floats of a worker's piece of up: at least 16 rows for as many slots as a part can have. */
static inline uint32_t glm_cpu_up_floats(const glm_backend_limits *limits)
{
    return limits->n_tok > 4096 ? limits->n_tok * 16 : 65536;
}

/** Rows that matrices multiply: float32, and 8-bit integers in the layouts that were asked for. */
typedef struct glm_cpu_rows {
    const float *x;
    size_t x_stride;
    uint32_t n_tok;
    void *acts[GLM_ACT_LAYOUTS];
    size_t act_stride;
    const uint32_t
        *act_row; /* [n_tok] which rows of acts, NULL: 0, 1, ... ; x is not read through it */
} glm_cpu_rows;

/** The bit 1 << layout of the activations that products with w read; 1 << GLM_ACT_NONE: float32. */
uint32_t glm_cpu_layout_bit(const glm_cpu *cpu, const glm_mat *w);

/** Fill acts 0..n_tok-1 of each layout in `layouts` from x; on the pool if it pays. */
void glm_cpu_quantize(glm_cpu *cpu, const glm_cpu_rows *rows, uint32_t n_cols, uint32_t layouts);

/** out = rows row0..row0+n_rows-1 of w times x, by integers where w's type has them and the precision allows. */
void glm_cpu_product(const glm_cpu *cpu, uint32_t worker, float *out, size_t out_stride,
                     const glm_mat *w, uint32_t row0, uint32_t n_rows, const glm_cpu_rows *x);

/** Rows of w that make a chunk: enough bytes to be worth taking, few enough to spread over the workers. */
uint32_t glm_cpu_chunk_rows(const glm_cpu *cpu, const glm_mat *w, uint32_t n_tok);

void glm_cpu_matmul(glm_backend *backend, const glm_op_matmul *op);
void glm_cpu_head_matmul(glm_backend *backend, const glm_op_head_matmul *op);
void glm_cpu_attention(glm_backend *backend, const glm_op_attention *op);
void glm_cpu_index(glm_backend *backend, const glm_op_index *op);
void glm_cpu_router(glm_backend *backend, const glm_op_router *op);
void glm_cpu_ffn(glm_backend *backend, const glm_op_ffn *op);

#endif
