// SPDX-License-Identifier: MIT
/*
 * The register tile under every dot product: 4 weight rows times up to TILE_TOK float32 rows, each result in 16
 * partial sums that are carried in memory from one piece of the columns to the next.
 *
 * Where a vector has fewer than 16 lanes, the tile runs over the piece once for each part of the partial sums, so
 * that every accumulator is one register; the piece must then fit the first-level cache.
 */
#ifndef GLM_KERNELS_SIMD_TILE_H
#define GLM_KERNELS_SIMD_TILE_H

#include "kernels/mat_row.h"
#include "kernels/simd/vec.h"
#include "quant/types.h"

enum {
    TILE_ROWS = 4,
    TILE_K = 512, /* columns a piece: 4 rows and TILE_TOK float32 rows in the first-level cache */
    TILE_LANES = TILE_TOK * TILE_ROWS * 16,
};

INLINE vf load_weights(glm_type type, const char *p, vf scale)
{
    switch (type) {
    case GLM_TYPE_BF16:
        return vf_load_bf16(p);
    case GLM_TYPE_F16:
        return vf_load_f16(p);
    case GLM_TYPE_F8_E4M3:
        return vf_mul(vf_load_f8_e4m3(p), scale);
    default:
        return vf_load(p);
    }
}

INLINE size_t weight_bytes(glm_type type)
{
    return type == GLM_TYPE_F32 ? 4 : type == GLM_TYPE_F8_E4M3 ? 1 : 2;
}

/* Ask for what the next tile reads, which for one token comes from memory; an address outside the matrix does no harm. */
INLINE void prefetch(const char *w, size_t offset)
{
    __builtin_prefetch((const void *)((uintptr_t)w + offset), 0, 2);
}

/* The same into the first-level cache, for types whose conversion leaves no time to wait. */
INLINE void prefetch_near(const char *w, size_t offset)
{
    __builtin_prefetch((const void *)((uintptr_t)w + offset), 0, 3);
}

/*
 * lanes[(t * TILE_ROWS + r) * 16 + l] += products of n16 times 16 columns. F8_E4M3: scale[r * scale_stride + b] is row r's
 * in the b-th 128 columns. type, n_tok and n_vec (vectors a pass: 1 or NV) are constants where this is inlined.
 */
INLINE void tile(glm_type type, int n_tok, int n_vec, float *lanes, const char *w,
                 size_t w_stride_bytes, const float *scale, size_t scale_stride, const float *x,
                 size_t x_stride, size_t n16)
{
    const size_t bytes = weight_bytes(type);
    for (int pass = 0; pass < NV; pass += n_vec) {
        vf acc[TILE_TOK][TILE_ROWS][NV], factor[TILE_ROWS];
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
#pragma GCC unroll 4
            for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
                for (int v = 0; v < n_vec; v++)
                    acc[t][r][v] = vf_load(lanes + (t * TILE_ROWS + r) * 16 + (pass + v) * VL);
#pragma GCC unroll 4
        for (int r = 0; r < TILE_ROWS; r++)
            factor[r] = vf_set1(1);
        for (size_t i = 0; i < n16; i++) {
            if (type == GLM_TYPE_F8_E4M3 && i % (GLM_SCALE_BLOCK / 16) == 0)
#pragma GCC unroll 4
                for (int r = 0; r < TILE_ROWS; r++)
                    factor[r] =
                        vf_set1(scale[(size_t)r * scale_stride + i / (GLM_SCALE_BLOCK / 16)]);
#pragma GCC unroll 4
            for (int v = 0; v < n_vec; v++) {
                size_t k = i * 16 + (size_t)((pass + v) * VL);
                vf xv[TILE_TOK];
#pragma GCC unroll 8
                for (int t = 0; t < n_tok; t++)
                    xv[t] = vf_load(x + (size_t)t * x_stride + k);
#pragma GCC unroll 4
                for (int r = 0; r < TILE_ROWS; r++) {
                    if (n_tok == 1 && v == 0) /* the next four rows */
                        prefetch(w, (size_t)(r + TILE_ROWS) * w_stride_bytes + k * bytes);
                    vf wv =
                        load_weights(type, w + (size_t)r * w_stride_bytes + k * bytes, factor[r]);
#pragma GCC unroll 8
                    for (int t = 0; t < n_tok; t++)
                        acc[t][r][v] = vf_fma(wv, xv[t], acc[t][r][v]);
                }
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
#pragma GCC unroll 4
            for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
                for (int v = 0; v < n_vec; v++)
                    vf_store(lanes + (t * TILE_ROWS + r) * 16 + (pass + v) * VL, acc[t][r][v]);
    }
}

/* The tile with 4 rows for n_tok = 1..TILE_TOK. */
INLINE void tile_tokens(glm_type type, uint32_t n_tok, float *lanes, const char *w,
                        size_t w_stride_bytes, const float *scale, size_t scale_stride,
                        const float *x, size_t x_stride, size_t n16)
{
    switch (n_tok) {
    case 1:
        tile(type, 1, NV, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
    case 2:
        tile(type, 2, 1, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
    case 3:
        tile(type, 3, 1, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
#if GLM_TILE_TOK > 3
    case 4:
        tile(type, 4, 1, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
    case 5:
        tile(type, 5, 1, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
    default:
        tile(type, 6, 1, lanes, w, w_stride_bytes, scale, scale_stride, x, x_stride, n16);
        break;
#endif
    }
}

/*
 * The tile over float32 weights that lie in zero-padded rows of scratch, n columns from x on, the last of which may
 * fill no vector: they are copied beside zeros.
 */
static inline void tile_f32(uint32_t n_tok, float *lanes, const float *w, size_t w_stride,
                            const float *x, size_t x_stride, size_t n)
{
    size_t n16 = n / 16, rest = n % 16;
    const char *bytes = (const char *)w;
    tile_tokens(GLM_TYPE_F32, n_tok, lanes, bytes, w_stride * sizeof *w, NULL, 0, x, x_stride, n16);
    if (rest == 0)
        return;
    float end[TILE_TOK * 16] = {0};
    for (uint32_t t = 0; t < n_tok; t++)
        memcpy(end + t * 16, x + t * x_stride + n16 * 16, rest * sizeof *x);
    tile_tokens(GLM_TYPE_F32, n_tok, lanes, bytes + n16 * 16 * sizeof *w, w_stride * sizeof *w,
                NULL, 0, end, 16, 1);
}

/*
 * out[t * out_stride + c] += (as one chain each) sum over r < n_rows of a[t * a_stride + r] * w[r * w_stride + c]: n_vec
 * vectors of columns times n_tok rows of factors, in registers.
 */
INLINE void sum_tile(int n_tok, int n_vec, float *out, size_t out_stride, const float *w,
                     size_t w_stride, const float *a, size_t a_stride, size_t n_rows)
{
    vf acc[TILE_TOK][4];
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++)
            acc[t][v] = vf_load(out + (size_t)t * out_stride + v * VL);
    for (size_t r = 0; r < n_rows; r++) {
        vf factor[TILE_TOK];
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
            factor[t] = vf_set1(a[(size_t)t * a_stride + r]);
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++) {
            vf wv = vf_load(w + r * w_stride + v * VL);
#pragma GCC unroll 8
            for (int t = 0; t < n_tok; t++)
                acc[t][v] = vf_fma(wv, factor[t], acc[t][v]);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++)
            vf_store(out + (size_t)t * out_stride + v * VL, acc[t][v]);
}

INLINE void sum_tile_tokens(uint32_t n_tok, int n_vec, float *out, size_t out_stride,
                            const float *w, size_t w_stride, const float *a, size_t a_stride,
                            size_t n_rows)
{
    switch (n_tok) {
    case 1:
        sum_tile(1, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
    case 2:
        sum_tile(2, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
    case 3:
        sum_tile(3, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
#if GLM_TILE_TOK > 3
    case 4:
        sum_tile(4, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
    case 5:
        sum_tile(5, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
    default:
        sum_tile(6, n_vec, out, out_stride, w, w_stride, a, a_stride, n_rows);
        break;
#endif
    }
}

/*
 * The same for any n_tok and n_cols: w holds n_rows rows of n_cols columns, padded to a multiple of 16. `out` carries
 * the sums from call to call.
 */
static inline void sum_panel(float *out, size_t out_stride, const float *w, size_t w_stride,
                             uint32_t n_cols, const float *a, size_t a_stride, uint32_t n_rows,
                             uint32_t n_tok)
{
    for (uint32_t t0 = 0; t0 < n_tok; t0 += TILE_TOK) {
        uint32_t n = n_tok - t0 < TILE_TOK ? n_tok - t0 : TILE_TOK, c = 0;
        float *o = out + t0 * out_stride;
        const float *f = a + t0 * a_stride;
        for (; c + 4 * VL <= n_cols; c += 4 * VL)
            sum_tile_tokens(n, 4, o + c, out_stride, w + c, w_stride, f, a_stride, n_rows);
        for (; c + VL <= n_cols; c += VL)
            sum_tile_tokens(n, 1, o + c, out_stride, w + c, w_stride, f, a_stride, n_rows);
        if (c == n_cols)
            continue;
        float end[TILE_TOK * VL] = {0};
        size_t size = (n_cols - c) * sizeof *out;
        for (uint32_t t = 0; t < n; t++)
            memcpy(end + t * VL, o + t * out_stride + c, size);
        sum_tile_tokens(n, 1, end, VL, w + c, w_stride, f, a_stride, n_rows);
        for (uint32_t t = 0; t < n; t++)
            memcpy(o + t * out_stride + c, end + t * VL, size);
    }
}

#endif
