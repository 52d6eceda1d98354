// SPDX-License-Identifier: MIT
/*
 * 256 values in 32 octets: 10-bit index into a book of 1024 (8 bits in qs, two in qh), 8 sign bits; 16 4-bit
 * scales: d * (0.5 + scale) / 4.
 */
#ifndef GLM_QUANT_IQ2_S_H
#define GLM_QUANT_IQ2_S_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq2_s {
    uint8_t d[2]; /* f16 */
    uint8_t qs[32];
    uint8_t signs[32];
    uint8_t qh[8];
    uint8_t scales[8];
} glm_block_iq2_s;

static_assert(sizeof(glm_block_iq2_s) == 82, "layout in files");

static inline void glm_block_iq2_s_decode(float *out, const glm_block_iq2_s *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int i = 0; i < 32; i++) {
        int index = b->qs[i] | (b->qh[i / 4] >> (i % 4 * 2) & 3) << 8;
        float scale = d * (0.5F + (float)(b->scales[i / 4] >> (i / 2 % 2 * 4) & 15)) * 0.25F;
        glm_iq2_decode8(out + i * 8, glm_iq2_s_grid[index], scale, b->signs[i]);
    }
}

static inline void glm_block_iq2_s_ints(glm_int_block *out, const glm_block_iq2_s *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d)) * 0.125F;
    out->m = 0;
    for (int i = 0; i < 32; i++) {
        int index = b->qs[i] | (b->qh[i / 4] >> (i % 4 * 2) & 3) << 8;
        glm_int_group(out, i / 2, 2 * (b->scales[i / 4] >> (i / 2 % 2 * 4) & 15) + 1, 0);
        glm_iq2_ints8(out->q + i * 8, glm_iq2_s_grid[index], b->signs[i]);
    }
}

/** Write a block: d as f16 bits, 16 scales 0..15, 32 indices 0..1023, 32 sets of signs. */
static inline void glm_block_iq2_s_pack(glm_block_iq2_s *b, uint16_t d, const uint8_t *scale,
                                        const uint16_t *index, const uint8_t *signs)
{
    glm_store_u16(b->d, d);
    memcpy(b->signs, signs, 32);
    for (int i = 0; i < 32; i++)
        b->qs[i] = (uint8_t)index[i];
    for (int i = 0; i < 8; i++) {
        const uint16_t *at = index + 4 * i;
        b->qh[i] = (uint8_t)(at[0] >> 8 | at[1] >> 8 << 2 | at[2] >> 8 << 4 | at[3] >> 8 << 6);
        b->scales[i] = (uint8_t)(scale[2 * i] | scale[2 * i + 1] << 4);
    }
}

#endif
