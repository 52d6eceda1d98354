// SPDX-License-Identifier: MIT
/*
 * A block as integers: what products with 8-bit activations multiply by. The value of element k of a block is
 *
 *     d * scale[k / 16] * q[k] + m * min[k / 16]
 *
 * in exact arithmetic; the reference decoder gives it rounded once to float32. d and m are exact float32 (an f16 times a power of
 * two), m is 0 where a format has no minimum.
 *
 * |q| <= 128, |scale| <= 128 and |min| <= 63, so sums over 256 elements of products with 8-bit activations fit 32 bits.
 */
#ifndef GLM_QUANT_INTS_H
#define GLM_QUANT_INTS_H

#include "quant/codebooks.h"
#include "quant/half.h"

typedef struct glm_int_block {
    float d, m;
    int16_t scale[16], min[16];
    int8_t q[256];
} glm_int_block;

/** Scale and minimum of the 16 elements from 16 * g on. */
static inline void glm_int_group(glm_int_block *out, int g, int scale, int min)
{
    out->scale[g] = (int16_t)scale;
    out->min[g] = (int16_t)min;
}

/** 8 values of an IQ2 grid entry (8, 25 or 43), negated where a bit of signs is set. */
static inline void glm_iq2_ints8(int8_t *out, uint32_t entry, uint32_t signs)
{
    for (int i = 0; i < 8; i++) {
        uint32_t code = entry >> (2 * i) & 3;
        int v = code == 0 ? 8 : code == 1 ? 25 : 43;
        out[i] = (int8_t)(signs >> i & 1 ? -v : v);
    }
}

/** 4 values of an IQ3 grid entry, negated where a bit of signs is set. */
static inline void glm_iq3_ints4(int8_t *out, uint32_t entry, const uint8_t *values, uint32_t signs)
{
    for (int i = 0; i < 4; i++) {
        int v = values[entry >> (3 * i) & 7];
        out[i] = (int8_t)(signs >> i & 1 ? -v : v);
    }
}

/** 8 values of the IQ1 grid, times 8, plus the shift in eighths: -9..9. */
static inline void glm_iq1_ints8(int8_t *out, uint32_t entry, int shift)
{
    for (int i = 0; i < 8; i++)
        out[i] = (int8_t)(8 * ((int)(entry >> (2 * i) & 3) - 1) + shift);
}

#endif
