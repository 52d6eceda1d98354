// SPDX-License-Identifier: MIT
/*
 * 32 values of FP4 E2M1 with one E8M0 scale: nibbles as in Q4_0. The table holds doubled values, the scale is
 * halved. Source: OCP Microscaling Formats 1.0, section 5.3.
 */
#ifndef GLM_QUANT_MXFP4_H
#define GLM_QUANT_MXFP4_H

#include "quant/codebooks.h"
#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_mxfp4 {
    uint8_t e; /* E8M0 */
    uint8_t qs[16];
} glm_block_mxfp4;

static_assert(sizeof(glm_block_mxfp4) == 17, "layout in files");

static inline void glm_block_mxfp4_decode(float *out, const glm_block_mxfp4 *b)
{
    float d = glm_e8m0_half_to_f32(b->e);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)glm_e2m1_doubled[b->qs[j] & 15];
        out[j + 16] = d * (float)glm_e2m1_doubled[b->qs[j] >> 4];
    }
}

/** Write a block: the exponent byte, 32 codes 0..15. */
static inline void glm_block_mxfp4_pack(glm_block_mxfp4 *b, uint8_t e, const uint8_t *q)
{
    b->e = e;
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(q[j] | q[j + 16] << 4);
}

static inline void glm_block_mxfp4_ints(glm_int_block *out, const glm_block_mxfp4 *b)
{
    out->d = glm_e8m0_half_to_f32(b->e);
    out->m = 0;
    for (int g = 0; g < 2; g++)
        glm_int_group(out, g, 1, 0);
    for (int j = 0; j < 16; j++) {
        out->q[j] = glm_e2m1_doubled[b->qs[j] & 15];
        out->q[j + 16] = glm_e2m1_doubled[b->qs[j] >> 4];
    }
}

#endif
