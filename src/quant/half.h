// SPDX-License-Identifier: MIT
/*
 * Small float formats to float32 and back, bit by bit, and unaligned loads. Files are little endian and so is
 * every machine this builds for.
 */
#ifndef GLM_QUANT_HALF_H
#define GLM_QUANT_HALF_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blocks are read as little endian");

static inline uint16_t glm_load_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t glm_load_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void glm_store_u16(void *p, uint32_t v)
{
    uint16_t low = (uint16_t)v;
    memcpy(p, &low, sizeof low);
}

static inline void glm_store_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline float glm_f32_from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t glm_f32_to_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline float glm_load_f32(const void *p)
{
    return glm_f32_from_bits(glm_load_u32(p));
}

/** IEEE 754 binary16, exact. A signalling NaN becomes quiet. */
static inline float glm_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest >= 0x7c00) /* infinity, NaN */
        return glm_f32_from_bits(sign | 0x7f800000 | (rest & 0x3ff) << 13 |
                                 (rest > 0x7c00 ? 0x400000 : 0));
    if (rest < 0x400) /* zero, subnormal: rest * 2^-24 is exact */
        return glm_f32_from_bits(sign | glm_f32_to_bits((float)rest * 0x1p-24F));
    return glm_f32_from_bits(sign | ((rest << 13) + (112U << 23)));
}

/** To IEEE 754 binary16, nearest even; overflow becomes infinity, NaN stays a (quiet) NaN. */
static inline uint16_t glm_f16_from_f32(float v)
{
    uint32_t bits = glm_f32_to_bits(v), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    if (rest >= 0x477ff000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) { /* below 2^-14: adding 2^-1 leaves the rounded multiple of 2^-24 */
        float shifted = glm_f32_from_bits(rest) + 0.5F;
        return (uint16_t)(sign | (glm_f32_to_bits(shifted) - 0x3f000000));
    }
    rest -= 112U << 23;
    return (uint16_t)(sign | (rest + 0xfff + (rest >> 13 & 1)) >> 13);
}

/** bfloat16: the upper half of a float32. */
static inline float glm_bf16_to_f32(uint16_t h)
{
    return glm_f32_from_bits((uint32_t)h << 16);
}

/** To bfloat16, nearest even; NaN stays a (quiet) NaN. */
static inline uint16_t glm_bf16_from_f32(float v)
{
    uint32_t bits = glm_f32_to_bits(v);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/**
 * FP8 E4M3 in its "fn" variant: no infinities, 0x7f and 0xff are NaN, the largest value is 448.
 * Source: Micikevicius et al. 2022, "FP8 formats for deep learning", table 1.
 */
static inline float glm_f8e4m3_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 0x80) << 24, rest = b & 0x7f;
    if (rest == 0x7f)
        return glm_f32_from_bits(sign | 0x7fc00000);
    if (rest < 8) /* zero, subnormal: rest * 2^-9 */
        return glm_f32_from_bits(sign | glm_f32_to_bits((float)rest * 0x1p-9F));
    return glm_f32_from_bits(sign | ((rest << 20) + (120U << 23)));
}

/** To FP8 E4M3, nearest even; saturates at 448, NaN becomes 0x7f. */
static inline uint8_t glm_f8e4m3_from_f32(float v)
{
    uint32_t bits = glm_f32_to_bits(v), sign = bits >> 24 & 0x80, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
        return (uint8_t)(sign | 0x7f);
    if (rest >= 0x43e00000) /* 448 */
        return (uint8_t)(sign | 0x7e);
    if (rest < 0x3c800000) { /* below 2^-6: adding 2^14 leaves the rounded multiple of 2^-9 */
        float shifted = glm_f32_from_bits(rest) + 0x1p14F;
        return (uint8_t)(sign | (glm_f32_to_bits(shifted) - 0x46800000));
    }
    rest -= 120U << 23;
    return (uint8_t)(sign | (rest + 0x7ffff + (rest >> 20 & 1)) >> 20);
}

/** Half of the power of two that an E8M0 byte stands for: 2^(b - 128), exact for 0..254. */
static inline float glm_e8m0_half_to_f32(uint8_t b)
{
    return glm_f32_from_bits(b < 2 ? 0x200000U << b : (uint32_t)(b - 1) << 23);
}

#endif
