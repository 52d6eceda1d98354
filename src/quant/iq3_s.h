// SPDX-License-Identifier: MIT
/*
 * 256 values in 64 quadruples: 9-bit index into a book of 512 (8 bits in qs, one in qh), a sign bit a value; 8
 * 4-bit scales: d * (1 + 2 * scale).
 */
#ifndef GLM_QUANT_IQ3_S_H
#define GLM_QUANT_IQ3_S_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq3_s {
    uint8_t d[2]; /* f16 */
    uint8_t qs[64];
    uint8_t qh[8];
    uint8_t signs[32];
    uint8_t scales[4];
} glm_block_iq3_s;

static_assert(sizeof(glm_block_iq3_s) == 110, "layout in files");

static inline void glm_block_iq3_s_decode(float *out, const glm_block_iq3_s *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int i = 0; i < 64; i++) {
        int index = b->qs[i] | (b->qh[i / 8] >> i % 8 & 1) << 8;
        float scale = d * (float)(1 + 2 * (b->scales[i / 16] >> (i / 8 % 2 * 4) & 15));
        glm_iq3_decode4(out + i * 4, glm_iq3_s_grid[index], glm_iq3_s_values, scale,
                        (uint32_t)b->signs[i / 2] >> (i % 2 * 4));
    }
}

static inline void glm_block_iq3_s_ints(glm_int_block *out, const glm_block_iq3_s *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int i = 0; i < 64; i++) {
        int index = b->qs[i] | (b->qh[i / 8] >> i % 8 & 1) << 8;
        glm_int_group(out, i / 4, 1 + 2 * (b->scales[i / 16] >> (i / 8 % 2 * 4) & 15), 0);
        glm_iq3_ints4(out->q + i * 4, glm_iq3_s_grid[index], glm_iq3_s_values,
                      (uint32_t)b->signs[i / 2] >> (i % 2 * 4));
    }
}

/** Write a block: d as f16 bits, 8 scales 0..15, 64 indices 0..511, 32 sets of signs. */
static inline void glm_block_iq3_s_pack(glm_block_iq3_s *b, uint16_t d, const uint8_t *scale,
                                        const uint16_t *index, const uint8_t *signs)
{
    glm_store_u16(b->d, d);
    memcpy(b->signs, signs, 32);
    for (int i = 0; i < 8; i++) {
        uint32_t high = 0;
        for (int j = 0; j < 8; j++) {
            b->qs[i * 8 + j] = (uint8_t)index[i * 8 + j];
            high |= (uint32_t)(index[i * 8 + j] >> 8) << j;
        }
        b->qh[i] = (uint8_t)high;
    }
    for (int i = 0; i < 4; i++)
        b->scales[i] = (uint8_t)(scale[2 * i] | scale[2 * i + 1] << 4);
}

#endif
