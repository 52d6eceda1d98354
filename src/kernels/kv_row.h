// SPDX-License-Identifier: MIT
/* A stored cache row (quant/kv_format.h) to and from float32, scalar. */
#ifndef GLM_KERNELS_KV_ROW_H
#define GLM_KERNELS_KV_ROW_H

#include <math.h>
#include <string.h>

#include "quant/half.h"
#include "quant/kv_format.h"

/* Scale of a Q8 block: NaN when it holds NaN or an infinity. *inverse is what values are multiplied by. */
static inline float glm_q8_scale(const float *x, size_t n, float *inverse)
{
    float max = 0, poison = 0;
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        max = a > max ? a : max;
        poison += x[i] * 0; /* NaN from NaN and infinities, else zero */
    }
    *inverse = max < GLM_KV_TINY ? 0 : 127.0F / max;
    if (poison != 0) { /* NaN */
        *inverse = 0;
        return NAN;
    }
    return max < GLM_KV_TINY ? 0 : max / 127.0F;
}

static inline int8_t glm_q8_value(float x, float inverse)
{
    return (int8_t)lrintf(x * inverse);
}

static inline void glm_q8_encode_row(void *row, const float *x, size_t n)
{
    int8_t *bytes = row;
    for (size_t b = 0; b < glm_kv_blocks(n); b++) {
        size_t i0 = b * GLM_KV_BLOCK, n_block = n - i0 < GLM_KV_BLOCK ? n - i0 : GLM_KV_BLOCK;
        float inverse, scale = glm_q8_scale(x + i0, n_block, &inverse);
        for (size_t i = i0; i < i0 + n_block; i++)
            bytes[i] = inverse == 0 ? 0 : glm_q8_value(x[i], inverse);
        memcpy(bytes + glm_kv_scales_at(n) + b * sizeof scale, &scale, sizeof scale);
    }
    for (size_t i = n; i % 4 != 0; i++)
        bytes[i] = 0;
}

/** Scale of block b of a Q8 row of n values. */
static inline float glm_q8_row_scale(const void *row, size_t n, size_t b)
{
    float scale;
    memcpy(&scale, (const char *)row + glm_kv_scales_at(n) + b * sizeof scale, sizeof scale);
    return scale;
}

/** Values i0..i0+n-1 of a row of n_row values. */
static inline void glm_kv_decode_c(float *out, const void *row, size_t n_row, size_t i0, size_t n,
                                   glm_kv_store type)
{
    const char *bytes = row;
    switch (type) {
    case GLM_KV_STORE_F32:
        memcpy(out, bytes + 4 * i0, n * sizeof *out);
        break;
    case GLM_KV_STORE_F16:
        for (size_t i = 0; i < n; i++)
            out[i] = glm_f16_to_f32(glm_load_u16(bytes + 2 * (i0 + i)));
        break;
    case GLM_KV_STORE_BF16:
        for (size_t i = 0; i < n; i++)
            out[i] = glm_bf16_to_f32(glm_load_u16(bytes + 2 * (i0 + i)));
        break;
    case GLM_KV_STORE_Q8:
        for (size_t i = i0; i < i0 + n; i++)
            out[i - i0] =
                (float)((const int8_t *)row)[i] * glm_q8_row_scale(row, n_row, i / GLM_KV_BLOCK);
        break;
    }
}

#endif
