// SPDX-License-Identifier: MIT
/*
 * 256 values in 8 groups of 32: four 11-bit indices into a book of 2048 octets of -1, 0, 1 (8 bits in qs, three
 * in qh); the rest of a group's 16-bit qh: a 3-bit scale, d * (2 * scale + 1), and the sign of the shift 1/8
 * that is added to each value before scaling.
 */
#ifndef GLM_QUANT_IQ1_S_H
#define GLM_QUANT_IQ1_S_H

#include <stdbool.h>

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq1_s {
    uint8_t d[2]; /* f16 */
    uint8_t qs[32];
    uint8_t qh[16]; /* 8 16-bit words */
} glm_block_iq1_s;

static_assert(sizeof(glm_block_iq1_s) == 50, "layout in files");

static inline void glm_block_iq1_s_decode(float *out, const glm_block_iq1_s *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 8; g++) {
        uint32_t qh = glm_load_u16(b->qh + 2 * g);
        float scale = d * (float)(2 * (qh >> 12 & 7) + 1), delta = qh >> 15 ? -0.125F : 0.125F;
        for (int i = 0; i < 4; i++)
            glm_iq1_decode8(out + g * 32 + i * 8,
                            glm_iq1_grid[b->qs[g * 4 + i] | (qh >> (3 * i) & 7) << 8], scale,
                            delta);
    }
}

static inline void glm_block_iq1_s_ints(glm_int_block *out, const glm_block_iq1_s *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d)) * 0.125F;
    out->m = 0;
    for (int g = 0; g < 8; g++) {
        uint32_t qh = glm_load_u16(b->qh + 2 * g);
        for (int i = 0; i < 2; i++)
            glm_int_group(out, 2 * g + i, (int)(2 * (qh >> 12 & 7) + 1), 0);
        for (int i = 0; i < 4; i++)
            glm_iq1_ints8(out->q + g * 32 + i * 8,
                          glm_iq1_grid[b->qs[g * 4 + i] | (qh >> (3 * i) & 7) << 8],
                          qh >> 15 ? -1 : 1);
    }
}

/** Write a block: d as f16 bits, 8 scales 0..7, 32 indices 0..2047, and whether a group of four octets (its first) is shifted down. */
static inline void glm_block_iq1_s_pack(glm_block_iq1_s *b, uint16_t d, const uint8_t *scale,
                                        const uint16_t *index, const bool *is_minus)
{
    glm_store_u16(b->d, d);
    for (int g = 0; g < 8; g++) {
        uint32_t qh = (uint32_t)scale[g] << 12 | (is_minus[g * 4] ? 0x8000U : 0);
        for (int i = 0; i < 4; i++) {
            b->qs[g * 4 + i] = (uint8_t)index[g * 4 + i];
            qh |= (uint32_t)(index[g * 4 + i] >> 8) << (3 * i);
        }
        glm_store_u16(b->qh + 2 * g, qh);
    }
}

#endif
