// SPDX-License-Identifier: MIT
/*
 * 32 values of 8 bits: q * d.
 */
#ifndef GLM_QUANT_Q8_0_H
#define GLM_QUANT_Q8_0_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q8_0 {
    uint8_t d[2]; /* f16 */
    int8_t qs[32];
} glm_block_q8_0;

static_assert(sizeof(glm_block_q8_0) == 34, "layout in files");

static inline void glm_block_q8_0_decode(float *out, const glm_block_q8_0 *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int j = 0; j < 32; j++)
        out[j] = d * (float)b->qs[j];
}

/** Write a block: d as f16 bits, 32 values -128..127. */
static inline void glm_block_q8_0_pack(glm_block_q8_0 *b, uint16_t d, const int8_t *q)
{
    glm_store_u16(b->d, d);
    memcpy(b->qs, q, 32);
}

static inline void glm_block_q8_0_ints(glm_int_block *out, const glm_block_q8_0 *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 0);
    memcpy(out->q, b->qs, sizeof b->qs);
}

#endif
