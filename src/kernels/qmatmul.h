// SPDX-License-Identifier: MIT
/*
 * Products of a block-quantised matrix with rows of 8-bit integers: the fast precision's matmul.
 *
 * Activations. A row x is cut into scale blocks of 32 (weights in blocks of 32) or 256 (weights in blocks of 256). For each
 *
 *     a = max |x[k]|;  d = fl(a / 127);  q[k] = round to nearest even of fl(x[k] * fl(127 / a))
 *
 * d = 0 and q = 0 where a < 2^-100; d = NaN and q = 0 where an x[k] is infinite or NaN. |q| <= 127, so |x - d q| <= a * 0.00394.
 *
 * Weights. A block is integers (quant/ints.h): its value at k is dw * scale[g] * q[k] + mw * min[g], g = k / 16.
 *
 * Order of the sum, with blocks b ascending from acc = 0 (s, t are exact 32-bit integers, rounded to float32 once):
 *
 *     s = sum over g of scale[g] * (sum over k in g of qw[k] * qx[k]);   t = sum over g of min[g] * (sum over k in g of qx[k])
 *     acc = fma(fl(dw * dx), (float)s, acc);  if the format has minima: acc = fma(fl(mw * dx), (float)t, acc)
 *     result = acc, times the matrix's tensor scale (rounded) where that is not 1
 *
 * whatever the number of rows or tokens computed beside it. Source of the scheme (integer sums inside a block, float chain across):
 * Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", section 2.2.
 *
 * Error against the exact product of the values that the integers stand for, while all terms are normal float32s, with n
 * blocks: (2 n + 4) * 2^-24 * (sum over b of |dw dx s| + |mw dx t|).
 */
#ifndef GLM_KERNELS_QMATMUL_H
#define GLM_KERNELS_QMATMUL_H

#include <stddef.h>
#include <stdint.h>

#include "quant/mat.h"

typedef enum glm_act_layout {
    GLM_ACT_NONE, /* no integer product: use glm_matmul_fn */
    GLM_ACT_32,   /* scale blocks of 32 */
    GLM_ACT_256,  /* scale blocks of 256 */
    GLM_ACT_LAYOUTS,
} glm_act_layout;

/** The layout of activations that products with weights of `type` take. */
glm_act_layout glm_act_layout_of(glm_type type);

/** 256 activations with a scale each 32. Both kinds take 320 bytes, five cache lines. */
typedef struct glm_act_32 {
    int8_t q[256];
    float d[8];
    int32_t sum[8]; /* of q */
} glm_act_32;

/** 256 activations with one scale. */
typedef struct glm_act_256 {
    int8_t q[256];
    int16_t sum16[16]; /* of q, by 16 */
    int16_t sum32[8];  /* of q, by 32 */
    float d;
    float unused[3]; /* 0 */
} glm_act_256;

#define GLM_ACT_BYTES 320

/** Bytes of a row of n_cols activations in either layout: whole blocks of GLM_ACT_BYTES. */
static inline size_t glm_act_row_bytes(uint32_t n_cols)
{
    return ((size_t)n_cols + 255) / 256 * GLM_ACT_BYTES;
}

/**
 * Quantise a row.
 *
 * @param out  [glm_act_row_bytes(n)], 64-byte aligned; elements past n are 0
 * @param x    [n]
 * @param n    a multiple of 32 (GLM_ACT_32) or 256 (GLM_ACT_256)
 */
typedef void glm_act_quantize_fn(void *out, const float *x, uint32_t n, glm_act_layout layout);

/** n_tok quantised rows: token t is row[t], or t where row is NULL. */
typedef struct glm_act_rows {
    const void *data;
    size_t stride_bytes; /* a multiple of 64 */
    const uint32_t *row;
    uint32_t n_tok;
} glm_act_rows;

/** Bytes of scratch that glm_qmatmul_fn needs; glm_matmul_scratch_floats gives at least as much. */
#define GLM_QMATMUL_SCRATCH_BYTES 32768

/**
 * out[t * out_stride + r - row0] = row r of w times token t of x, for r in row0..row0+n_rows-1.
 *
 * @param w        of a type with a layout (glm_act_layout_of)
 * @param x        w->n_cols activations a row in that layout
 * @param scratch  [GLM_QMATMUL_SCRATCH_BYTES], 64-byte aligned, contents irrelevant
 */
typedef void glm_qmatmul_fn(float *out, size_t out_stride, const glm_mat *w, uint32_t row0,
                            uint32_t n_rows, const glm_act_rows *x, void *scratch);

#endif
