// SPDX-License-Identifier: MIT
/*
 * 32 values of 4 bits: (q - 8) * d. Byte j holds elements j (low nibble) and j + 16.
 */
#ifndef GLM_QUANT_Q4_0_H
#define GLM_QUANT_Q4_0_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_q4_0 {
    uint8_t d[2]; /* f16 */
    uint8_t qs[16];
} glm_block_q4_0;

static_assert(sizeof(glm_block_q4_0) == 18, "layout in files");

static inline void glm_block_q4_0_decode(float *out, const glm_block_q4_0 *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int j = 0; j < 16; j++)
        out[j] = d * (float)((b->qs[j] & 15) - 8);
    for (int j = 0; j < 16; j++)
        out[j + 16] = d * (float)((b->qs[j] >> 4) - 8);
}

/** Write a block: d as f16 bits, 32 codes 0..15. */
static inline void glm_block_q4_0_pack(glm_block_q4_0 *b, uint16_t d, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(q[j] | q[j + 16] << 4);
}

static inline void glm_block_q4_0_ints(glm_int_block *out, const glm_block_q4_0 *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 0);
    for (int j = 0; j < 16; j++) {
        out->q[j] = (int8_t)((b->qs[j] & 15) - 8);
        out->q[j + 16] = (int8_t)((b->qs[j] >> 4) - 8);
    }
}

#endif
