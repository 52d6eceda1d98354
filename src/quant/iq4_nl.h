// SPDX-License-Identifier: MIT
/*
 * 32 values of 4 bits through a table of 16, times d; nibbles as in Q4_0.
 */
#ifndef GLM_QUANT_IQ4_NL_H
#define GLM_QUANT_IQ4_NL_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_iq4_nl {
    uint8_t d[2]; /* f16 */
    uint8_t qs[16];
} glm_block_iq4_nl;

static_assert(sizeof(glm_block_iq4_nl) == 18, "layout in files");

static inline void glm_block_iq4_nl_decode(float *out, const glm_block_iq4_nl *b)
{
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)glm_iq4_values[b->qs[j] & 15];
        out[j + 16] = d * (float)glm_iq4_values[b->qs[j] >> 4];
    }
}

/** Write a block: d as f16 bits, 32 indices 0..15. */
static inline void glm_block_iq4_nl_pack(glm_block_iq4_nl *b, uint16_t d, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(q[j] | q[j + 16] << 4);
}

static inline void glm_block_iq4_nl_ints(glm_int_block *out, const glm_block_iq4_nl *b)
{
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 0);
    for (int j = 0; j < 16; j++) {
        out->q[j] = glm_iq4_values[b->qs[j] & 15];
        out->q[j + 16] = glm_iq4_values[b->qs[j] >> 4];
    }
}

#endif
