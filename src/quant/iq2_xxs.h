// SPDX-License-Identifier: MIT
/*
 * 256 values in 8 groups of 32: four 8-bit indices into a book of 256 octets, then 32 bits: four times 7 sign
 * bits and, on top, a 4-bit scale: d * (0.5 + scale) / 4.
 */
#ifndef GLM_QUANT_IQ2_XXS_H
#define GLM_QUANT_IQ2_XXS_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq2_xxs {
    uint8_t d[2]; /* f16 */
    uint8_t qs[64];
} glm_block_iq2_xxs;

static_assert(sizeof(glm_block_iq2_xxs) == 66, "layout in files");

static inline void glm_block_iq2_xxs_decode(float *out, const glm_block_iq2_xxs *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 8; g++) {
        const uint8_t *index = b->qs + g * 8;
        uint32_t rest = glm_load_u32(index + 4);
        float scale = d * (0.5F + (float)(rest >> 28)) * 0.25F;
        for (int i = 0; i < 4; i++)
            glm_iq2_decode8(out + g * 32 + i * 8, glm_iq2_xxs_grid[index[i]], scale,
                            glm_iq_signs(rest >> (7 * i) & 127));
    }
}

static inline void glm_block_iq2_xxs_ints(glm_int_block *out, const glm_block_iq2_xxs *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d)) * 0.125F;
    out->m = 0;
    for (int g = 0; g < 8; g++) {
        const uint8_t *index = b->qs + g * 8;
        uint32_t rest = glm_load_u32(index + 4);
        for (int i = 0; i < 2; i++)
            glm_int_group(out, 2 * g + i, (int)(2 * (rest >> 28) + 1), 0);
        for (int i = 0; i < 4; i++)
            glm_iq2_ints8(out->q + g * 32 + i * 8, glm_iq2_xxs_grid[index[i]],
                          glm_iq_signs(rest >> (7 * i) & 127));
    }
}

/** Write a block: d as f16 bits, 8 scales 0..15, 32 indices 0..255, 32 sets of signs with an even number of them. */
static inline void glm_block_iq2_xxs_pack(glm_block_iq2_xxs *b, uint16_t d, const uint8_t *scale,
                                          const uint16_t *index, const uint8_t *signs)
{
    glm_store_u16(b->d, d);
    for (int g = 0; g < 8; g++) {
        uint32_t rest = (uint32_t)scale[g] << 28;
        for (int i = 0; i < 4; i++) {
            b->qs[g * 8 + i] = (uint8_t)index[g * 4 + i];
            rest |= (uint32_t)(signs[g * 4 + i] & 127) << (7 * i);
        }
        glm_store_u32(b->qs + g * 8 + 4, rest);
    }
}

#endif
