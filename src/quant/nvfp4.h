// SPDX-License-Identifier: MIT
/*
 * 64 values of FP4 E2M1 in 4 groups of 16, each with an unsigned E4M3 scale (0x7f counts as 0); of a group's 8
 * bytes the low nibbles are elements 0..7, the high ones 8..15. The tensor's second scale is not applied here.
 */
#ifndef GLM_QUANT_NVFP4_H
#define GLM_QUANT_NVFP4_H

#include "quant/codebooks.h"
#include "quant/half.h"

typedef struct glm_block_nvfp4 {
    uint8_t e[4]; /* E4M3, sign bit clear */
    uint8_t qs[32];
} glm_block_nvfp4;

static_assert(sizeof(glm_block_nvfp4) == 36, "layout in files");

static inline void glm_block_nvfp4_decode(float *out, const glm_block_nvfp4 *b)
{
    for (int g = 0; g < 4; g++) {
        uint8_t e = b->e[g] & 0x7f;
        float d = e == 0x7f ? 0 : glm_f8e4m3_to_f32(e) * 0.5F;
        for (int l = 0; l < 8; l++) {
            out[g * 16 + l] = d * (float)glm_e2m1_doubled[b->qs[g * 8 + l] & 15];
            out[g * 16 + l + 8] = d * (float)glm_e2m1_doubled[b->qs[g * 8 + l] >> 4];
        }
    }
}

/** Write a block: 4 scales as unsigned E4M3, 64 codes 0..15. */
static inline void glm_block_nvfp4_pack(glm_block_nvfp4 *b, const uint8_t *e, const uint8_t *q)
{
    memcpy(b->e, e, 4);
    for (int g = 0; g < 4; g++)
        for (int l = 0; l < 8; l++)
            b->qs[g * 8 + l] = (uint8_t)(q[g * 16 + l] | q[g * 16 + 8 + l] << 4);
}

#endif
