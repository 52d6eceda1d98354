// SPDX-License-Identifier: MIT
/*
 * 256 values of 4 bits through the table of IQ4_NL in 8 groups of 32, each with a 6-bit scale:
 * d * (scale - 32) * value. 16 bytes a group, nibbles as in Q4_0.
 */
#ifndef GLM_QUANT_IQ4_XS_H
#define GLM_QUANT_IQ4_XS_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq4_xs {
    uint8_t d[2];        /* f16 */
    uint8_t scales_h[2]; /* two upper bits of 8 scales, the first lowest */
    uint8_t scales_l[4]; /* four low bits, the low nibble first */
    uint8_t qs[128];
} glm_block_iq4_xs;

static_assert(sizeof(glm_block_iq4_xs) == 136, "layout in files");

static inline void glm_block_iq4_xs_decode(float *out, const glm_block_iq4_xs *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    uint32_t scales_h = glm_load_u16(b->scales_h);
    for (int g = 0; g < 8; g++) {
        int low = b->scales_l[g / 2] >> (g % 2 * 4) & 15, high = (int)(scales_h >> (2 * g) & 3);
        float scale = d * (float)((low | high << 4) - 32);
        const uint8_t *qs = b->qs + g * 16;
        for (int j = 0; j < 16; j++) {
            out[g * 32 + j] = scale * (float)glm_iq4_values[qs[j] & 15];
            out[g * 32 + j + 16] = scale * (float)glm_iq4_values[qs[j] >> 4];
        }
    }
}

/** Write a block: d as f16 bits, 8 scales -32..31, 256 indices 0..15. */
static inline void glm_block_iq4_xs_pack(glm_block_iq4_xs *b, uint16_t d, const int8_t *scale,
                                         const uint8_t *q)
{
    uint32_t high = 0;
    for (int g = 0; g < 8; g++)
        high |= (uint32_t)((scale[g] + 32) >> 4) << (2 * g);
    glm_store_u16(b->d, d);
    glm_store_u16(b->scales_h, high);
    for (int g = 0; g < 4; g++)
        b->scales_l[g] =
            (uint8_t)(((scale[2 * g] + 32) & 15) | ((scale[2 * g + 1] + 32) & 15) << 4);
    for (int g = 0; g < 8; g++)
        for (int j = 0; j < 16; j++)
            b->qs[g * 16 + j] = (uint8_t)(q[g * 32 + j] | q[g * 32 + 16 + j] << 4);
}

static inline void glm_block_iq4_xs_ints(glm_int_block *out, const glm_block_iq4_xs *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    uint32_t scales_h = glm_load_u16(b->scales_h);
    for (int g = 0; g < 8; g++) {
        int low = b->scales_l[g / 2] >> (g % 2 * 4) & 15, high = (int)(scales_h >> (2 * g) & 3);
        const uint8_t *qs = b->qs + g * 16;
        for (int i = 0; i < 2; i++)
            glm_int_group(out, 2 * g + i, (low | high << 4) - 32, 0);
        for (int j = 0; j < 16; j++) {
            out->q[g * 32 + j] = glm_iq4_values[qs[j] & 15];
            out->q[g * 32 + j + 16] = glm_iq4_values[qs[j] >> 4];
        }
    }
}

#endif
