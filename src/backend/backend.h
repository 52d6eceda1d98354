// SPDX-License-Identifier: MIT
/*
 * The second seam: what a device must be able to do. The model enqueues these operations in order; a backend runs
 * them in order, on as many threads or units as it likes, and gives the bits that the kernels' contracts fix (CPU)
 * or stays within each op's bound (devices). The CPU backend is the reference of all others.
 *
 * Buffers hold float32 activations. Weights are glm_mat descriptors that point into the model's mapping. Small host
 * arrays (tokens, positions, selections, routing) are plain pointers, borrowed until the call returns.
 *
 * Ops cannot fail: shapes were proven when the model was bound and memory was planned at creation.
 */
#ifndef GLM_BACKEND_BACKEND_H
#define GLM_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"
#include "quant/kv_format.h"
#include "quant/mat.h"

typedef struct glm_backend glm_backend;

/** A place in a backend's memory. On the CPU base is a host pointer. */
typedef struct glm_buf {
    void *base;
    size_t offset_bytes;
} glm_buf;

/** The buffer n float32 further on. */
static inline glm_buf glm_buf_at(glm_buf buf, size_t n)
{
    return (glm_buf){buf.base, buf.offset_bytes + n * sizeof(float)};
}

/** Rows of a table: out [n_tok, table->n_cols] = rows token[t] of the table. */
typedef struct glm_op_embed {
    const glm_mat *table;
    const int32_t *token; /* [n_tok] */
    uint32_t n_tok;
    glm_buf out;
} glm_op_embed;

/** RMS norm of n_tok rows of n values; layer norm when bias is given. out may be x. */
typedef struct glm_op_norm {
    glm_buf x, out;
    size_t x_stride, out_stride; /* floats from row to row */
    uint32_t n_tok, n;
    const float *weight; /* [n] */
    const float *bias;   /* [n] or NULL */
    float eps;
} glm_op_norm;

/** Rotate adjacent pairs, in place, of n_heads vectors a row. */
typedef struct glm_op_rope {
    glm_buf x; /* first value to rotate of row 0, head 0 */
    size_t tok_stride, head_stride;
    uint32_t n_tok, n_heads, n_pairs;
    const float *cos_table, *sin_table; /* [n_tok, n_pairs] */
} glm_op_rope;

#define GLM_MATMUL_OUTPUTS_MAX 4

/** Several matrices times the same rows. */
typedef struct glm_op_matmul {
    glm_buf x;
    size_t x_stride;
    uint32_t n_tok;
    uint32_t n_out; /* matrices, 1..GLM_MATMUL_OUTPUTS_MAX */
    struct {
        const glm_mat *w; /* [n_rows, n_cols] */
        glm_buf out;      /* [n_tok, n_rows] */
        size_t stride;
    } out[GLM_MATMUL_OUTPUTS_MAX];
} glm_op_matmul;

/** One small matrix a head. out[t, h, :] = W_h x[t, h, :], or with `transposed` the sum of W_h's rows weighted by x. */
typedef struct glm_op_head_matmul {
    const glm_mat *w; /* [n_heads] */
    bool transposed;
    uint32_t n_heads, n_tok;
    glm_buf x, out;
    size_t x_tok_stride, x_head_stride, out_tok_stride, out_head_stride;
} glm_op_head_matmul;

/** out[t, h, 0..n-1] = x[t, h, 0..n-1] */
typedef struct glm_op_copy_heads {
    glm_buf x, out;
    size_t x_tok_stride, x_head_stride, out_tok_stride, out_head_stride;
    uint32_t n_tok, n_heads, n;
} glm_op_copy_heads;

/** Store n_tok rows of n values in cache rows of the given type. */
typedef struct glm_op_kv_store {
    glm_buf x;
    size_t x_stride;
    uint32_t n_tok, n;
    glm_kv_store type;
    void *const *row; /* [n_tok] */
} glm_op_kv_store;

/** n_vec vectors of n values behind each other, each times the Walsh-Hadamard matrix (kernels/indexer.h), in place. */
typedef struct glm_op_hadamard {
    glm_buf x;
    size_t n_vec;
    uint32_t n;
} glm_op_hadamard;

/** Pointers to the cache rows of the selected positions first..first+n-1 of row t of a step. Thread-safe. */
typedef void glm_gather_fn(const void **row, const void *ctx, uint32_t t, uint32_t first,
                           uint32_t n);

/** Softmax attention of each row over its own selected cache rows; both passes of kernels/attention.h. */
typedef struct glm_op_attention {
    glm_buf q;   /* [n_tok, n_heads, n_row] */
    glm_buf out; /* [n_tok, n_heads, n_value] */
    uint32_t n_tok, n_heads, n_row, n_value;
    float scale;
    glm_kv_store type;     /* of the cache rows */
    const uint32_t *n_sel; /* [n_tok], each at least 1 */
    glm_gather_fn *gather;
    const void *ctx;
} glm_op_attention;

/** The run of consecutive index keys of row t's sequence that begins at `position`: its address; *n is how many follow
 * each other `*stride_bytes` apart. Q8: `position` begins a group, and groups lie that far apart. Thread-safe. */
typedef const void *glm_key_run_fn(const void *ctx, uint32_t t, uint32_t position, uint32_t *n,
                                   size_t *stride_bytes);

/** Score all keys of each row and select the best k positions (kernels/indexer.h). */
typedef struct glm_op_index {
    glm_buf q; /* [n_tok, n_heads, d_head]; lost if keys are Q8 */
    glm_buf w; /* [n_tok, n_heads]; multiplied by w_scale first; lost if keys are Q8 */
    float w_scale;
    uint32_t n_tok, n_heads, d_head;
    glm_kv_store type;      /* of the keys */
    const uint32_t *n_keys; /* [n_tok]; rows with n_keys <= k get 0..n_keys-1 without scoring */
    uint32_t k;
    int32_t *sel;    /* out [n_tok, k] ascending positions */
    uint32_t *n_sel; /* out [n_tok] min(k, n_keys) */
    glm_key_run_fn *run;
    const void *ctx;
} glm_op_index;

/** Sigmoid routing with a bias for the choice only and group limits (model reference: DeepSeek-V3, eq. 15-16). */
typedef struct glm_op_router {
    glm_buf x; /* [n_tok, d_model] */
    uint32_t n_tok;
    const glm_mat *w;  /* [n_expert, d_model] */
    const float *bias; /* [n_expert] */
    uint32_t n_expert, n_used, n_group, n_group_used;
    bool normalise;
    float scale;
    int32_t *expert; /* out [n_tok, n_used] ascending */
    float *weight;   /* out [n_tok, n_used] */
} glm_op_router;

/** One expert's share of a step. */
typedef struct glm_ffn_part {
    glm_mat gate, up, down; /* [d_ff, d_model], [d_ff, d_model], [d_model, d_ff] */
    uint32_t n_slot;
    const uint32_t *tok; /* [n_slot] rows of x, ascending */
} glm_ffn_part;

/**
 * SwiGLU experts. Each (part, row) result y = down (silu(gate x) * (up x)) is whole before it is added:
 * acc[t] = fma(weight, y, acc[t]) in the order of parts.
 */
typedef struct glm_op_ffn {
    glm_buf x;   /* [n_tok, d_model] */
    glm_buf acc; /* io [n_tok, d_model] */
    uint32_t n_tok, d_model;
    const glm_ffn_part *part; /* [n_part], ascending by expert, a shared expert last */
    uint32_t n_part;
    uint32_t n_slot;           /* of all parts */
    uint32_t d_ff_max;         /* of all parts */
    const float *weight;       /* [n_slot] in the order of parts and their rows */
    const uint32_t *tok_slot0; /* [n_tok + 1] into tok_slot */
    const uint32_t *tok_slot;  /* [n_slot] slots of each row, ascending */
} glm_op_ffn;

/** What a backend must have room for. */
typedef struct glm_backend_limits {
    uint32_t n_tok;   /* rows a step */
    uint32_t n_cols;  /* widest matrix */
    uint32_t n_row;   /* elements of the widest cache row or index key */
    uint32_t n_sel;   /* most positions a row may attend to */
    uint32_t n_keys;  /* most index keys a row may score; 0: no indexer */
    uint32_t n_slot;  /* most slots an ffn op may have */
    size_t n_hidden;  /* most slots times d_ff_max of one ffn op */
    uint32_t d_model; /* of ffn ops */
    uint32_t n_expert;
    bool
        is_integer; /* fast precision: products with quantised weights may round rows to 8 bits (docs/numerics.md) */
} glm_backend_limits;

typedef struct glm_backend_ops {
    const char *name;
    void (*destroy)(glm_backend *backend);
    glm_status (*buf_create)(glm_backend *backend, glm_buf *out, size_t size_bytes, glm_error *err);
    void (*buf_destroy)(glm_backend *backend, glm_buf buf);
    /** Copy to or from the host; waits for what was enqueued before. */
    void (*read)(glm_backend *backend, void *dst, glm_buf src, size_t size_bytes);
    void (*write)(glm_backend *backend, glm_buf dst, const void *src, size_t size_bytes);
    void (*zero)(glm_backend *backend, glm_buf buf, size_t size_bytes);

    void (*embed)(glm_backend *backend, const glm_op_embed *op);
    void (*norm)(glm_backend *backend, const glm_op_norm *op);
    void (*rope)(glm_backend *backend, const glm_op_rope *op);
    void (*matmul)(glm_backend *backend, const glm_op_matmul *op);
    void (*head_matmul)(glm_backend *backend, const glm_op_head_matmul *op);
    void (*copy_heads)(glm_backend *backend, const glm_op_copy_heads *op);
    void (*kv_store)(glm_backend *backend, const glm_op_kv_store *op);
    /** The same for index keys: Q8 goes to lanes of groups. */
    void (*index_store)(glm_backend *backend, const glm_op_kv_store *op);
    void (*hadamard)(glm_backend *backend, const glm_op_hadamard *op);
    void (*attention)(glm_backend *backend, const glm_op_attention *op);
    void (*index)(glm_backend *backend, const glm_op_index *op);
    void (*router)(glm_backend *backend, const glm_op_router *op);
    void (*ffn)(glm_backend *backend, const glm_op_ffn *op);
    /** x[i] += y[i] for n values. */
    void (*add)(glm_backend *backend, glm_buf x, glm_buf y, size_t n);
} glm_backend_ops;

/** Every backend begins with this. */
struct glm_backend {
    const glm_backend_ops *ops;
};

#endif
