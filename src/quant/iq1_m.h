// SPDX-License-Identifier: MIT
/*
 * 256 values in 32 octets as in IQ1_S, the shift's sign for each octet (bit 3 of its nibble of qh, below it
 * three bits of the index), a 3-bit scale for two octets. The upper nibbles of the four 16-bit words of scales
 * make d, the lowest first.
 */
#ifndef GLM_QUANT_IQ1_M_H
#define GLM_QUANT_IQ1_M_H

#include <stdbool.h>

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq1_m {
    uint8_t qs[32];
    uint8_t qh[16];
    uint8_t scales[8]; /* 4 16-bit words of four 3-bit scales and 4 bits of d */
} glm_block_iq1_m;

static_assert(sizeof(glm_block_iq1_m) == 56, "layout in files");

static inline void glm_block_iq1_m_decode(float *out, const glm_block_iq1_m *b)
{
    uint32_t word[4], bits = 0;
    for (int i = 0; i < 4; i++) {
        word[i] = glm_load_u16(b->scales + 2 * i);
        bits |= word[i] >> 12 << (4 * i);
    }
    float d = glm_f16_to_f32((uint16_t)bits);
    for (int i = 0; i < 32; i++) {
        int high = b->qh[i / 2] >> (i % 2 * 4) & 15;
        float scale = d * (float)(2 * (word[i / 8] >> (i / 2 % 4 * 3) & 7) + 1);
        glm_iq1_decode8(out + i * 8, glm_iq1_grid[b->qs[i] | (high & 7) << 8], scale,
                        high & 8 ? -0.125F : 0.125F);
    }
}

static inline void glm_block_iq1_m_ints(glm_int_block *out, const glm_block_iq1_m *b)
{
    uint32_t word[4], bits = 0;
    for (int i = 0; i < 4; i++) {
        word[i] = glm_load_u16(b->scales + 2 * i);
        bits |= word[i] >> 12 << (4 * i);
    }
    out->d = glm_f16_to_f32((uint16_t)bits) * 0.125F;
    out->m = 0;
    for (int i = 0; i < 32; i++) {
        int high = b->qh[i / 2] >> (i % 2 * 4) & 15;
        glm_int_group(out, i / 2, (int)(2 * (word[i / 8] >> (i / 2 % 4 * 3) & 7) + 1), 0);
        glm_iq1_ints8(out->q + i * 8, glm_iq1_grid[b->qs[i] | (high & 7) << 8], high & 8 ? -1 : 1);
    }
}

/** Write a block: d as f16 bits, 16 scales 0..7, 32 indices 0..2047, and whether an octet is shifted down. */
static inline void glm_block_iq1_m_pack(glm_block_iq1_m *b, uint16_t d, const uint8_t *scale,
                                        const uint16_t *index, const bool *is_minus)
{
    for (int i = 0; i < 32; i++)
        b->qs[i] = (uint8_t)index[i];
    for (int i = 0; i < 16; i++) {
        int low = index[2 * i] >> 8 | (is_minus[2 * i] ? 8 : 0);
        int high = index[2 * i + 1] >> 8 | (is_minus[2 * i + 1] ? 8 : 0);
        b->qh[i] = (uint8_t)(low | high << 4);
    }
    for (int i = 0; i < 4; i++) {
        uint32_t word = (uint32_t)(d >> (4 * i) & 15) << 12;
        for (int j = 0; j < 4; j++)
            word |= (uint32_t)scale[4 * i + j] << (3 * j);
        glm_store_u16(b->scales + 2 * i, word);
    }
}

#endif
