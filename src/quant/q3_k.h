// SPDX-License-Identifier: MIT
/*
 * 256 values of 3 bits in 16 groups of 16, each with a 6-bit scale: d * (scale - 32) * (q - 4). The two low
 * bits lie as in Q2_K; bit i of hmask[l] is the third bit of element 32 * i + l. Scale j < 8 has its low four
 * bits in the low nibble of scales[j], j >= 8 in the high nibble of scales[j - 8]; bits 2 * (j / 4) and up of
 * scales[8 + j % 4] are its upper two.
 */
#ifndef GLM_QUANT_Q3_K_H
#define GLM_QUANT_Q3_K_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q3_k {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint8_t d[2]; /* f16 */
} glm_block_q3_k;

static_assert(sizeof(glm_block_q3_k) == 110, "layout in files");

static inline void glm_block_q3_k_decode(float *out, const glm_block_q3_k *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 16; g++) {
        int low = b->scales[g % 8] >> (g / 8 * 4) & 15;
        int high = b->scales[8 + g % 4] >> (g / 4 * 2) & 3;
        float scale = d * (float)((low | high << 4) - 32);
        const uint8_t *qs = b->qs + g / 8 * 32 + g % 2 * 16, *hmask = b->hmask + g % 2 * 16;
        int shift = g / 2 % 4 * 2;
        for (int l = 0; l < 16; l++) {
            int q = (qs[l] >> shift & 3) | (hmask[l] >> g / 2 & 1) << 2;
            out[g * 16 + l] = scale * (float)(q - 4);
        }
    }
}

/** Write a block: d as f16 bits, 16 scales -32..31, 256 codes 0..7. */
static inline void glm_block_q3_k_pack(glm_block_q3_k *b, uint16_t d, const int8_t *scale,
                                       const uint8_t *q)
{
    glm_store_u16(b->d, d);
    for (int j = 0; j < 8; j++)
        b->scales[j] = (uint8_t)(((scale[j] + 32) & 15) | ((scale[j + 8] + 32) & 15) << 4);
    for (int j = 0; j < 4; j++) {
        int high = 0;
        for (int i = 0; i < 4; i++)
            high |= (scale[4 * i + j] + 32) >> 4 << (2 * i);
        b->scales[8 + j] = (uint8_t)high;
    }
    for (int l = 0; l < 32; l++) {
        int high = 0;
        for (int i = 0; i < 8; i++)
            high |= q[32 * i + l] >> 2 << i;
        b->hmask[l] = (uint8_t)high;
    }
    for (int half = 0; half < 2; half++, q += 128)
        for (int l = 0; l < 32; l++)
            b->qs[half * 32 + l] = (uint8_t)((q[l] & 3) | (q[l + 32] & 3) << 2 |
                                             (q[l + 64] & 3) << 4 | (q[l + 96] & 3) << 6);
}

static inline void glm_block_q3_k_ints(glm_int_block *out, const glm_block_q3_k *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 16; g++) {
        int low = b->scales[g % 8] >> (g / 8 * 4) & 15;
        int high = b->scales[8 + g % 4] >> (g / 4 * 2) & 3;
        const uint8_t *qs = b->qs + g / 8 * 32 + g % 2 * 16, *hmask = b->hmask + g % 2 * 16;
        int shift = g / 2 % 4 * 2;
        glm_int_group(out, g, (low | high << 4) - 32, 0);
        for (int l = 0; l < 16; l++)
            out->q[g * 16 + l] =
                (int8_t)(((qs[l] >> shift & 3) | (hmask[l] >> g / 2 & 1) << 2) - 4);
    }
}

#endif
