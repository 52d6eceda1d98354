// SPDX-License-Identifier: MIT
/*
 * 256 values of 6 bits in 16 groups of 16, each with an 8-bit scale: d * scale * (q - 32). In each half of 128
 * values element 32 * i + l has its low four bits in byte l + 32 * (i % 2) of 64 (low nibble for i < 2) and its
 * upper two in bits 2i and 2i+1 of byte l of 32.
 */
#ifndef GLM_QUANT_Q6_K_H
#define GLM_QUANT_Q6_K_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q6_k {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint8_t d[2]; /* f16 */
} glm_block_q6_k;

static_assert(sizeof(glm_block_q6_k) == 210, "layout in files");

static inline void glm_block_q6_k_decode(float *out, const glm_block_q6_k *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)b->scales[g];
        int half = g / 8, i = g / 2 % 4, at = g % 2 * 16;
        const uint8_t *ql = b->ql + half * 64 + i % 2 * 32 + at, *qh = b->qh + half * 32 + at;
        for (int l = 0; l < 16; l++) {
            int q = (ql[l] >> (i / 2 * 4) & 15) | (qh[l] >> (i * 2) & 3) << 4;
            out[g * 16 + l] = scale * (float)(q - 32);
        }
    }
}

/** Write a block: d as f16 bits, 16 scales -128..127, 256 codes 0..63. */
static inline void glm_block_q6_k_pack(glm_block_q6_k *b, uint16_t d, const int8_t *scale,
                                       const uint8_t *q)
{
    glm_store_u16(b->d, d);
    memcpy(b->scales, scale, 16);
    for (int half = 0; half < 2; half++, q += 128)
        for (int l = 0; l < 32; l++) {
            b->ql[half * 64 + l] = (uint8_t)((q[l] & 15) | q[l + 64] << 4);
            b->ql[half * 64 + 32 + l] = (uint8_t)((q[l + 32] & 15) | q[l + 96] << 4);
            b->qh[half * 32 + l] = (uint8_t)(q[l] >> 4 | q[l + 32] >> 4 << 2 | q[l + 64] >> 4 << 4 |
                                             q[l + 96] >> 4 << 6);
        }
}

static inline void glm_block_q6_k_ints(glm_int_block *out, const glm_block_q6_k *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 16; g++) {
        int half = g / 8, i = g / 2 % 4, at = g % 2 * 16;
        const uint8_t *ql = b->ql + half * 64 + i % 2 * 32 + at, *qh = b->qh + half * 32 + at;
        glm_int_group(out, g, b->scales[g], 0);
        for (int l = 0; l < 16; l++)
            out->q[g * 16 + l] =
                (int8_t)(((ql[l] >> (i / 2 * 4) & 15) | (qh[l] >> (i * 2) & 3) << 4) - 32);
    }
}

#endif
