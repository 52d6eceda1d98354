// SPDX-License-Identifier: MIT
/*
 * Attention over gathered rows of the latent cache, in two passes: all scores of the selected set and their
 * maximum, then weights and sums. No online rescaling, so the bits do not depend on tiling.
 *
 * A cache row is [kv_rank latents | d_rope rotary key] in one of the KV types; rows are given by pointer because
 * they lie in pages.
 */
#ifndef GLM_KERNELS_ATTENTION_H
#define GLM_KERNELS_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "quant/kv_format.h"

/** Store n float32 at `row` as `type` (quant/kv_format.h), rounded to nearest even (F16: overflow becomes infinity). */
typedef void glm_kv_encode_fn(void *row, const float *x, size_t n, glm_kv_store type);

typedef struct glm_attn_rows {
    const void *const *row; /* [n_sel] pointers to rows, in ascending position */
    uint32_t n_sel;
    uint32_t n_row;   /* elements a row: kv_rank + d_rope */
    uint32_t n_value; /* leading elements that are the value: kv_rank */
    glm_kv_store type;
} glm_attn_rows;

/** Query heads a call of the kernels below may have. */
#define GLM_ATTN_HEADS_MAX 64u
/** Rows whose weights share a scale in glm_attn_sum_q8_fn, and the largest of those weights. */
#define GLM_ATTN_SUM_ROWS 2048u
#define GLM_ATTN_SUM_ONE 16383

/** Floats of scratch, 64-byte aligned, that the kernels below need for rows of n_row elements. */
static inline size_t glm_attn_scratch_floats(size_t n_row)
{
    size_t rows = glm_mul_size(16, glm_align_size(n_row, 16)); /* decoded */
    size_t sums = glm_mul_size(GLM_ATTN_HEADS_MAX, glm_kv_blocks(n_row));
    /* A block's columns of all rows, two bytes of weight for four heads, two floats. */
    const size_t block = GLM_ATTN_SUM_ROWS * (GLM_KV_BLOCK + 2 * 4 + 2 * 4) / 4;
    return glm_add_size(rows < block ? block : rows, sums);
}

/**
 * z[h * z_stride + s - s0] = dot(q + h * n_row, row s) * scale, the dot in the order of kernels/matmul.h, for h in
 * 0..n_heads-1 and s in s0..s0+n-1. Rows are F32, F16 or BF16.
 *
 * @param q        [n_heads, n_row]
 * @param n_heads  1..GLM_ATTN_HEADS_MAX
 */
typedef void glm_attn_scores_fn(float *z, size_t z_stride, const float *q, uint32_t n_heads,
                                const glm_attn_rows *rows, uint32_t s0, uint32_t n, float scale,
                                float *scratch);

/**
 * The same for Q8 rows and Q8 queries: for each block b of GLM_KV_BLOCK elements, ascending, from 0,
 * acc = fma(fl(sum_b * row scale b), query scale b, acc), where sum_b is the exact integer sum of the products of bytes;
 * then z = acc * scale.
 *
 * @param q               n_heads Q8 rows of n_row elements, q_stride_bytes apart
 * @param q_stride_bytes  a multiple of 4
 */
typedef void glm_attn_scores_q8_fn(float *z, size_t z_stride, const void *q, size_t q_stride_bytes,
                                   uint32_t n_heads, const glm_attn_rows *rows, uint32_t s0,
                                   uint32_t n, float scale, float *scratch);

/**
 * z[s] = exp(z[s] - max z) in place; returns their sum in 16 partial sums (s mod 16) and the tree of
 * kernels/matmul.h.
 *
 * @param n  at least 1
 */
typedef float glm_softmax_fn(float *z, size_t n);

/**
 * out[h * n_value + j] = (sum over s of p[h * p_stride + s] * row s [j]) * (1 / norm[h]), the sum one chain
 * acc = fma(p, value, acc) from 0 with s ascending, for all heads and j. Rows are F32, F16 or BF16.
 *
 * @param out      [n_heads, n_value]
 * @param n_heads  1..GLM_ATTN_HEADS_MAX
 */
typedef void glm_attn_sum_fn(float *out, const float *p, size_t p_stride, const float *norm,
                             uint32_t n_heads, const glm_attn_rows *rows, float *scratch);

/**
 * The same for Q8 rows, as sums of integers. For each head and block of GLM_KV_BLOCK elements, over each GLM_ATTN_SUM_ROWS rows
 * in turn: t_s = fl(p_s * scale of row s), M the largest of them, n_s = fl(t_s * fl(16383 / M)) to the nearest even integer,
 * hi_s = n_s / 128 and lo_s = n_s mod 128, both 7 bits; the exact integer sums H_j of hi_s and L_j of lo_s times the bytes;
 * acc_j = fma(fma(H_j, 128, L_j), fl(M / 16383), acc_j) from 0. Last, out = acc * (1 / norm[h]). Where M is below GLM_KV_TINY
 * a step adds nothing; where a t_s is NaN or infinite the block becomes NaN.
 *
 * @param p  not negative
 * Error: n_s is within half of M / 16383, 1/8 of the rounding of a value to its byte when one row has all the weight.
 */
typedef void glm_attn_sum_q8_fn(float *out, const float *p, size_t p_stride, const float *norm,
                                uint32_t n_heads, const glm_attn_rows *rows, float *scratch);

#endif
