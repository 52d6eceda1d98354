// SPDX-License-Identifier: MIT
/*
 * A block on its way into a format. Values are scaled by a power of two so that the greatest magnitude lies in [1, 2), weights
 * likewise: squares neither overflow nor vanish, and the search sees the same numbers for 2^k * x as for x. Scales become f16 in
 * the true range.
 */
#ifndef GLM_QUANT_ENCODE_BLOCK_H
#define GLM_QUANT_ENCODE_BLOCK_H

#include <math.h>
#include <stdbool.h>

#include "quant/encode/lanes.h"
#include "quant/half.h"

enum { GLM_BLOCK_MAX = 256 };

typedef struct block {
    float x[GLM_BLOCK_MAX], w[GLM_BLOCK_MAX];
    float up, down; /* x = value * up, value = x * down; powers of two */
    float amax;     /* greatest |x|; 0 or in (0, 2) */
    bool is_plain;  /* all weights are 1 */
} block;

/** The power of two that brings v > 0 into [1, 2), or as near as a normal number can. */
static inline float power_to_one(float v)
{
    uint32_t e = glm_f32_to_bits(v) >> 23;
    e = e < 1 ? 1 : e > 253 ? 253 : e;
    return glm_f32_from_bits((254 - e) << 23);
}

static inline float greatest_magnitude(const float *x, int n)
{
    uint32_t most = 0; /* magnitudes order like their bits */
    for (int i = 0; i < n; i++) {
        uint32_t bits = glm_f32_to_bits(x[i]) & 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return glm_f32_from_bits(most);
}

/** Fill b from n values and their weights (NULL: all 1). */
static inline void block_init(block *b, const float *x, const float *weights, int n)
{
    float amax = greatest_magnitude(x, n);
    b->up = power_to_one(amax);
    b->down = 1 / b->up;
    b->amax = amax * b->up;
    for (int i = 0; i < n; i++)
        b->x[i] = x[i] * b->up;
    float wmax = weights ? greatest_magnitude(weights, n) : 0;
    float up = power_to_one(wmax);
    b->is_plain = !(wmax > 0);
    for (int i = 0; i < n; i++) {
        float w = wmax > 0 ? weights[i] * up : 1;
        b->w[i] = w < 0x1p-24F ? 0x1p-24F : w;
    }
}

/** A scale as stored: f16 bits of its true value, saturated. */
static inline uint16_t scale_to_f16(const block *b, float scale)
{
    uint16_t h = glm_f16_from_f32(scale * b->down);
    return (h & 0x7fff) > 0x7bff ? (uint16_t)((h & 0x8000) | 0x7bff) : h;
}

/** What a stored scale is worth to the search. */
static inline float scale_from_f16(const block *b, uint16_t h)
{
    return glm_f16_to_f32(h) * b->up;
}

static inline float inverse(float v)
{
    return v < 1e-30F && v > -1e-30F ? 0 : 1 / v;
}

/** As vec_round. */
static inline float round_even(float v)
{
    return v + 0x1.8p23F - 0x1.8p23F;
}

static inline float clampf(float v, float low, float high)
{
    v = v > low ? v : low;
    return v < high ? v : high;
}

#endif
