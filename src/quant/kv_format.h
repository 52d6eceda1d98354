// SPDX-License-Identifier: MIT
/*
 * How rows of the cache are stored: n float32 values as F32, F16 or BF16 (rounded to nearest even), or as Q8.
 *
 * A Q8 row is n signed bytes in -127..127, zeros up to a multiple of 4, then one float32 scale for each block of
 * GLM_KV_BLOCK values from the row's begin (the last may be shorter): value i = byte i * scale i / GLM_KV_BLOCK, rounded
 * once. With GLM-5.2's widths that is four scales for the 512 latents and one for the 64 rotary elements: 596 bytes.
 * scale = (largest magnitude) / 127, byte = x * (127 / largest magnitude) to nearest even; a block whose largest magnitude
 * is below GLM_KV_TINY is all zeros, and one with NaN or an infinity is all NaN (scale NaN), so that nothing hides.
 *
 * Blocks of 128 as the FP8 caches of GPU engines have them (vLLM, fp8_ds_mla); bytes rather than FP8 because every
 * processor multiplies them exactly.
 */
#ifndef GLM_QUANT_KV_FORMAT_H
#define GLM_QUANT_KV_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

typedef enum glm_kv_store {
    GLM_KV_STORE_F32,
    GLM_KV_STORE_F16,
    GLM_KV_STORE_BF16,
    GLM_KV_STORE_Q8,
} glm_kv_store;

#define GLM_KV_BLOCK 128u
#define GLM_KV_TINY 0x1p-100F

/** Blocks of a Q8 row, and where its scales begin. */
static inline size_t glm_kv_blocks(size_t n)
{
    return (n + GLM_KV_BLOCK - 1) / GLM_KV_BLOCK;
}

static inline size_t glm_kv_scales_at(size_t n)
{
    return (n + 3) / 4 * 4;
}

/** Bytes of a row of n values; SIZE_MAX when that cannot be counted. */
static inline size_t glm_kv_row_bytes(glm_kv_store type, size_t n)
{
    if (type == GLM_KV_STORE_Q8)
        return glm_add_size(glm_align_size(n, 4), glm_mul_size(glm_kv_blocks(n), sizeof(float)));
    return glm_mul_size(n, type == GLM_KV_STORE_F32 ? 4 : 2);
}

/*
 * Q8 index keys lie in groups of 16 positions, so that a vector of words holds four values of each: word k of lane l at
 * byte (16 k + l) * 4, then a float32 scale for each lane. One scale a key, whatever its length; else as a block above.
 */
#define GLM_INDEX_GROUP 16u

/** Bytes of a group of keys of d values (2,112 for GLM-5.2); a multiple of 64. */
static inline size_t glm_index_group_bytes(size_t d)
{
    return glm_mul_size(glm_add_size(glm_align_size(d, 4), 4), GLM_INDEX_GROUP);
}

#endif
