// SPDX-License-Identifier: MIT
/*
 * 256 values -1, 0, 1 times d, five to a byte in base 3: the digit n of byte q is ((q * 3^n mod 256) * 3) >> 8.
 * Of the first 32 bytes come elements 0..159 (digit n of byte l is element 32 * n + l), of the next 16 elements
 * 160..239, of the last 4 (four digits each) elements 240..255.
 */
#ifndef GLM_QUANT_TQ1_0_H
#define GLM_QUANT_TQ1_0_H

#include "quant/half.h"
#include "quant/ints.h"

typedef struct glm_block_tq1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint8_t d[2]; /* f16 */
} glm_block_tq1_0;

static_assert(sizeof(glm_block_tq1_0) == 54, "layout in files");

static inline void glm_block_tq1_0_decode(float *out, const glm_block_tq1_0 *b)
{
    static const uint8_t pow3[5] = {1, 3, 9, 27, 81};
    float d = glm_f16_to_f32(glm_load_u16(b->d));
    for (int n = 0; n < 5; n++) {
        for (int l = 0; l < 32; l++)
            out[32 * n + l] = d * (float)(((uint8_t)(b->qs[l] * pow3[n]) * 3 >> 8) - 1);
        for (int l = 0; l < 16; l++)
            out[160 + 16 * n + l] = d * (float)(((uint8_t)(b->qs[32 + l] * pow3[n]) * 3 >> 8) - 1);
    }
    for (int n = 0; n < 4; n++)
        for (int l = 0; l < 4; l++)
            out[240 + 4 * n + l] = d * (float)(((uint8_t)(b->qh[l] * pow3[n]) * 3 >> 8) - 1);
}

/** The byte whose first n <= 5 base-3 digits the decoder reads as q[0], q[stride], ...: their fraction of 256, rounded up. */
static inline uint8_t glm_tq1_0_byte(const uint8_t *q, int stride, int n)
{
    int v = 0;
    for (int i = 0; i < 5; i++)
        v = 3 * v + (i < n ? q[i * stride] : 0);
    return (uint8_t)((v * 256 + 242) / 243);
}

/** Write a block: d as f16 bits, 256 codes 0..2. */
static inline void glm_block_tq1_0_pack(glm_block_tq1_0 *b, uint16_t d, const uint8_t *q)
{
    glm_store_u16(b->d, d);
    for (int l = 0; l < 32; l++)
        b->qs[l] = glm_tq1_0_byte(q + l, 32, 5);
    for (int l = 0; l < 16; l++)
        b->qs[32 + l] = glm_tq1_0_byte(q + 160 + l, 16, 5);
    for (int l = 0; l < 4; l++)
        b->qh[l] = glm_tq1_0_byte(q + 240 + l, 4, 4);
}

static inline void glm_block_tq1_0_ints(glm_int_block *out, const glm_block_tq1_0 *b)
{
    static const uint8_t pow3[5] = {1, 3, 9, 27, 81};
    out->d = glm_f16_to_f32(glm_load_u16(b->d));
    out->m = 0;
    for (int g = 0; g < 16; g++)
        glm_int_group(out, g, 1, 0);
    for (int n = 0; n < 5; n++) {
        for (int l = 0; l < 32; l++)
            out->q[32 * n + l] = (int8_t)(((uint8_t)(b->qs[l] * pow3[n]) * 3 >> 8) - 1);
        for (int l = 0; l < 16; l++)
            out->q[160 + 16 * n + l] = (int8_t)(((uint8_t)(b->qs[32 + l] * pow3[n]) * 3 >> 8) - 1);
    }
    for (int n = 0; n < 4; n++)
        for (int l = 0; l < 4; l++)
            out->q[240 + 4 * n + l] = (int8_t)(((uint8_t)(b->qh[l] * pow3[n]) * 3 >> 8) - 1);
}

#endif
