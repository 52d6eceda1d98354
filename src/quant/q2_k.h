// SPDX-License-Identifier: MIT
/*
 * 256 values of 2 bits in 16 groups of 16, each with a 4-bit scale and a 4-bit minimum:
 * d * scale * q - dmin * min. Each half of 128 values lies in 32 bytes: bits 2i and 2i+1 of byte l hold
 * element 32 * i + l of that half.
 */
#ifndef GLM_QUANT_Q2_K_H
#define GLM_QUANT_Q2_K_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q2_k {
    uint8_t scales[16]; /* low nibble: scale, high nibble: minimum */
    uint8_t qs[64];
    uint8_t d[2];    /* f16 */
    uint8_t dmin[2]; /* f16 */
} glm_block_q2_k;

static_assert(sizeof(glm_block_q2_k) == 84, "layout in files");

static inline void glm_block_q2_k_decode(float *out, const glm_block_q2_k *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d)), dmin = glm_f16_to_f32(glm_load_u16(b->dmin));
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)(b->scales[g] & 15), min = dmin * (float)(b->scales[g] >> 4);
        const uint8_t *qs = b->qs + g / 8 * 32 + g % 2 * 16;
        int shift = g / 2 % 4 * 2;
        for (int l = 0; l < 16; l++)
            out[g * 16 + l] = scale * (float)(qs[l] >> shift & 3) - min;
    }
}

/** Write a block: d and dmin as f16 bits, 16 scales and minima 0..15, 256 codes 0..3. */
static inline void glm_block_q2_k_pack(glm_block_q2_k *b, uint16_t d, uint16_t dmin,
                                       const uint8_t *scale, const uint8_t *min, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    glm_store_u16(b->dmin, dmin);
    for (int g = 0; g < 16; g++)
        b->scales[g] = (uint8_t)(scale[g] | min[g] << 4);
    for (int half = 0; half < 2; half++, q += 128)
        for (int l = 0; l < 32; l++)
            b->qs[half * 32 + l] =
                (uint8_t)(q[l] | q[l + 32] << 2 | q[l + 64] << 4 | q[l + 96] << 6);
}

static inline void glm_block_q2_k_ints(glm_int_block *out, const glm_block_q2_k *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = -glm_f16_to_f32(glm_load_u16(b->dmin));
    for (int g = 0; g < 16; g++) {
        const uint8_t *qs = b->qs + g / 8 * 32 + g % 2 * 16;
        int shift = g / 2 % 4 * 2;
        glm_int_group(out, g, b->scales[g] & 15, b->scales[g] >> 4);
        for (int l = 0; l < 16; l++)
            out->q[g * 16 + l] = (int8_t)(qs[l] >> shift & 3);
    }
}

#endif
