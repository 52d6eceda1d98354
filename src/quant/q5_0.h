// SPDX-License-Identifier: MIT
/*
 * 32 values of 5 bits: (q - 16) * d. Low nibbles as in Q4_0; bit j of qh is the fifth bit of element j.
 */
#ifndef GLM_QUANT_Q5_0_H
#define GLM_QUANT_Q5_0_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q5_0 {
    uint8_t d[2]; /* f16 */
    uint8_t qh[4];
    uint8_t qs[16];
} glm_block_q5_0;

static_assert(sizeof(glm_block_q5_0) == 22, "layout in files");

static inline void glm_block_q5_0_decode(float *out, const glm_block_q5_0 *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    uint32_t qh = glm_load_u32(b->qh);
    for (int j = 0; j < 16; j++) {
        int low = (b->qs[j] & 15) | (int)(qh >> j & 1) << 4;
        int high = b->qs[j] >> 4 | (int)(qh >> (j + 16) & 1) << 4;
        out[j] = d * (float)(low - 16);
        out[j + 16] = d * (float)(high - 16);
    }
}

/** Write a block: d as f16 bits, 32 codes 0..31. */
static inline void glm_block_q5_0_pack(glm_block_q5_0 *b, uint16_t d, const uint8_t *q)
{
    uint32_t qh = 0;
    for (int j = 0; j < 32; j++)
        qh |= (uint32_t)(q[j] >> 4) << j;
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)((q[j] & 15) | q[j + 16] << 4);
    glm_store_u16(b->d, d);
    glm_store_u32(b->qh, qh);
}

static inline void glm_block_q5_0_ints(glm_int_block *out, const glm_block_q5_0 *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    uint32_t qh = glm_load_u32(b->qh);
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 0);
    for (int j = 0; j < 16; j++) {
        int low = (b->qs[j] & 15) | (int)(qh >> j & 1) << 4;
        int high = b->qs[j] >> 4 | (int)(qh >> (j + 16) & 1) << 4;
        out->q[j] = (int8_t)(low - 16);
        out->q[j + 16] = (int8_t)(high - 16);
    }
}

#endif
