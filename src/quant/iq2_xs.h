// SPDX-License-Identifier: MIT
/*
 * 256 values in 32 octets: 9-bit index into a book of 512, 7 sign bits; 16 4-bit scales: d * (0.5 + scale) / 4.
 */
#ifndef GLM_QUANT_IQ2_XS_H
#define GLM_QUANT_IQ2_XS_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq2_xs {
    uint8_t d[2];   /* f16 */
    uint8_t qs[64]; /* 32 16-bit words, the index in the low bits */
    uint8_t scales[8];
} glm_block_iq2_xs;

static_assert(sizeof(glm_block_iq2_xs) == 74, "layout in files");

static inline void glm_block_iq2_xs_decode(float *out, const glm_block_iq2_xs *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int i = 0; i < 32; i++) {
        uint32_t q = glm_load_u16(b->qs + 2 * i);
        float scale = d * (0.5F + (float)(b->scales[i / 4] >> (i / 2 % 2 * 4) & 15)) * 0.25F;
        glm_iq2_decode8(out + i * 8, glm_iq2_xs_grid[q & 511], scale, glm_iq_signs(q >> 9));
    }
}

static inline void glm_block_iq2_xs_ints(glm_int_block *out, const glm_block_iq2_xs *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d)) * 0.125F;
    out->m = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t q = glm_load_u16(b->qs + 2 * i);
        glm_int_group(out, i / 2, 2 * (b->scales[i / 4] >> (i / 2 % 2 * 4) & 15) + 1, 0);
        glm_iq2_ints8(out->q + i * 8, glm_iq2_xs_grid[q & 511], glm_iq_signs(q >> 9));
    }
}

/** Write a block: d as f16 bits, 16 scales 0..15, 32 indices 0..511, 32 sets of signs with an even number of them. */
static inline void glm_block_iq2_xs_pack(glm_block_iq2_xs *b, uint16_t d, const uint8_t *scale,
                                         const uint16_t *index, const uint8_t *signs)
{
    glm_store_u16(b->d, d);
    for (int i = 0; i < 32; i++)
        glm_store_u16(b->qs + 2 * i, index[i] | (uint32_t)(signs[i] & 127) << 9);
    for (int i = 0; i < 8; i++)
        b->scales[i] = (uint8_t)(scale[2 * i] | scale[2 * i + 1] << 4);
}

#endif
