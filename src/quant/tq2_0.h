// SPDX-License-Identifier: MIT
/*
 * 256 values q - 1 of 2 bits times d; bits as in Q2_K.
 */
#ifndef GLM_QUANT_TQ2_0_H
#define GLM_QUANT_TQ2_0_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_tq2_0 {
    uint8_t qs[64];
    uint8_t d[2]; /* f16 */
} glm_block_tq2_0;

static_assert(sizeof(glm_block_tq2_0) == 66, "layout in files");

static inline void glm_block_tq2_0_decode(float *out, const glm_block_tq2_0 *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 8; g++)
        for (int l = 0; l < 32; l++)
            out[g * 32 + l] = d * (float)((b->qs[g / 4 * 32 + l] >> (g % 4 * 2) & 3) - 1);
}

/** Write a block: d as f16 bits, 256 codes 0..2. */
static inline void glm_block_tq2_0_pack(glm_block_tq2_0 *b, uint16_t d, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    for (int half = 0; half < 2; half++, q += 128)
        for (int l = 0; l < 32; l++)
            b->qs[half * 32 + l] =
                (uint8_t)(q[l] | q[l + 32] << 2 | q[l + 64] << 4 | q[l + 96] << 6);
}

static inline void glm_block_tq2_0_ints(glm_int_block *out, const glm_block_tq2_0 *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 16; g++)
        glm_int_group(out, g, 1, 0);
    for (int g = 0; g < 8; g++)
        for (int l = 0; l < 32; l++)
            out->q[g * 32 + l] = (int8_t)((b->qs[g / 4 * 32 + l] >> (g % 4 * 2) & 3) - 1);
}

#endif
