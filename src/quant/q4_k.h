// SPDX-License-Identifier: MIT
/*
 * 256 values of 4 bits in 8 groups of 32, each with a 6-bit scale and a 6-bit minimum:
 * d * scale * q - dmin * min. 32 bytes hold two groups, the low nibbles the first.
 */
#ifndef GLM_QUANT_Q4_K_H
#define GLM_QUANT_Q4_K_H

#include "quant/half.h"
#include "quant/ints.h"
#include "quant/k_scales.h"

typedef struct glm_block_q4_k {
    uint8_t d[2];    /* f16 */
    uint8_t dmin[2]; /* f16 */
    uint8_t scales[12];
    uint8_t qs[128];
} glm_block_q4_k;

static_assert(sizeof(glm_block_q4_k) == 144, "layout in files");

static inline void glm_block_q4_k_decode(float *out, const glm_block_q4_k *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d)), dmin = glm_f16_to_f32(glm_load_u16(b->dmin));
    for (int g = 0; g < 8; g++) {
        float scale = d * (float)glm_k_scale(b->scales, g),
              min = dmin * (float)glm_k_min(b->scales, g);
        const uint8_t *qs = b->qs + g / 2 * 32;
        int shift = g % 2 * 4;
        for (int l = 0; l < 32; l++)
            out[g * 32 + l] = scale * (float)(qs[l] >> shift & 15) - min;
    }
}

/** Write a block: d and dmin as f16 bits, 8 scales and minima 0..63, 256 codes 0..15. */
static inline void glm_block_q4_k_pack(glm_block_q4_k *b, uint16_t d, uint16_t dmin,
                                       const uint8_t *scale, const uint8_t *min, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    glm_store_u16(b->dmin, dmin);
    glm_k_pack(b->scales, scale, min);
    for (int g = 0; g < 8; g += 2)
        for (int l = 0; l < 32; l++)
            b->qs[g * 16 + l] = (uint8_t)(q[g * 32 + l] | q[g * 32 + 32 + l] << 4);
}

static inline void glm_block_q4_k_ints(glm_int_block *out, const glm_block_q4_k *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = -glm_f16_to_f32(glm_load_u16(b->dmin));
    for (int g = 0; g < 8; g++) {
        const uint8_t *qs = b->qs + g / 2 * 32;
        int shift = g % 2 * 4;
        for (int i = 0; i < 2; i++)
            glm_int_group(out, 2 * g + i, glm_k_scale(b->scales, g), glm_k_min(b->scales, g));
        for (int l = 0; l < 32; l++)
            out->q[g * 32 + l] = (int8_t)(qs[l] >> shift & 15);
    }
}

#endif
