// SPDX-License-Identifier: MIT
/*
 * 32 values of 4 bits: q * d + m. Byte j holds elements j (low nibble) and j + 16.
 */
#ifndef GLM_QUANT_Q4_1_H
#define GLM_QUANT_Q4_1_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q4_1 {
    uint8_t d[2]; /* f16 */
    uint8_t m[2]; /* f16 */
    uint8_t qs[16];
} glm_block_q4_1;

static_assert(sizeof(glm_block_q4_1) == 20, "layout in files");

static inline void glm_block_q4_1_decode(float *out, const glm_block_q4_1 *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d)), m = glm_f16_to_f32(glm_load_u16(b->m));
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)(b->qs[j] & 15) + m;
        out[j + 16] = d * (float)(b->qs[j] >> 4) + m;
    }
}

/** Write a block: d and m as f16 bits, 32 codes 0..15. */
static inline void glm_block_q4_1_pack(glm_block_q4_1 *b, uint16_t d, uint16_t m, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    glm_store_u16(b->m, m);
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(q[j] | q[j + 16] << 4);
}

static inline void glm_block_q4_1_ints(glm_int_block *out, const glm_block_q4_1 *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = glm_f16_to_f32(glm_load_u16(b->m));
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 1);
    for (int j = 0; j < 16; j++) {
        out->q[j] = (int8_t)(b->qs[j] & 15);
        out->q[j + 16] = (int8_t)(b->qs[j] >> 4);
    }
}

#endif
