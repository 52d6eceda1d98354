// SPDX-License-Identifier: MIT
/*
 * 256 values in 8 groups of 32: eight 8-bit indices into a book of 256 quadruples; a 32-bit word a group: four
 * times 7 sign bits and, on top, a 4-bit scale: d * (0.5 + scale) / 2.
 */
#ifndef GLM_QUANT_IQ3_XXS_H
#define GLM_QUANT_IQ3_XXS_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq3_xxs {
    uint8_t d[2]; /* f16 */
    uint8_t qs[64];
    uint8_t signs[32]; /* 8 32-bit words */
} glm_block_iq3_xxs;

static_assert(sizeof(glm_block_iq3_xxs) == 98, "layout in files");

static inline void glm_block_iq3_xxs_decode(float *out, const glm_block_iq3_xxs *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 8; g++) {
        uint32_t rest = glm_load_u32(b->signs + 4 * g);
        float scale = d * (0.5F + (float)(rest >> 28)) * 0.5F;
        for (int i = 0; i < 8; i++) {
            uint32_t signs = glm_iq_signs(rest >> (7 * (i / 2)) & 127) >> (i % 2 * 4);
            glm_iq3_decode4(out + g * 32 + i * 4, glm_iq3_xxs_grid[b->qs[g * 8 + i]],
                            glm_iq3_xxs_values, scale, signs);
        }
    }
}

static inline void glm_block_iq3_xxs_ints(glm_int_block *out, const glm_block_iq3_xxs *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d)) * 0.25F;
    out->m = 0;
    for (int g = 0; g < 8; g++) {
        uint32_t rest = glm_load_u32(b->signs + 4 * g);
        for (int i = 0; i < 2; i++)
            glm_int_group(out, 2 * g + i, (int)(2 * (rest >> 28) + 1), 0);
        for (int i = 0; i < 8; i++) {
            uint32_t signs = glm_iq_signs(rest >> (7 * (i / 2)) & 127) >> (i % 2 * 4);
            glm_iq3_ints4(out->q + g * 32 + i * 4, glm_iq3_xxs_grid[b->qs[g * 8 + i]],
                          glm_iq3_xxs_values, signs);
        }
    }
}

/** Write a block: d as f16 bits, 8 scales 0..15, 64 indices 0..255, 32 sets of signs with an even number of them. */
static inline void glm_block_iq3_xxs_pack(glm_block_iq3_xxs *b, uint16_t d, const uint8_t *scale,
                                          const uint16_t *index, const uint8_t *signs)
{
    glm_store_u16(b->d, d);
    for (int i = 0; i < 64; i++)
        b->qs[i] = (uint8_t)index[i];
    for (int g = 0; g < 8; g++) {
        uint32_t rest = (uint32_t)scale[g] << 28;
        for (int i = 0; i < 4; i++)
            rest |= (uint32_t)(signs[g * 4 + i] & 127) << (7 * i);
        glm_store_u32(b->signs + 4 * g, rest);
    }
}

#endif
