// SPDX-License-Identifier: MIT
/*
 * Vectors for Advanced SIMD of 64-bit Arm, in the vocabulary that kernels/simd is written in (listed in simd/vec.h).
 */
#ifndef GLM_KERNELS_ARM_VEC_NEON_H
#define GLM_KERNELS_ARM_VEC_NEON_H

#include <stdint.h>
#include <string.h>

#include "kernels/arm/vec128.h"

#define KERNEL(slot) glm_##slot##_neon
#define GLM_TILE_TOK 6

enum {
    VL = 4,                  /* float32s a vector */
    TILE_TOK = GLM_TILE_TOK, /* tokens of a register tile: 4 rows each, one accumulator */
    ROPE_PAIRS = 4,          /* pairs a rope step */
};

typedef float32x4_t vf;
typedef uint32x4_t vi;

static inline vf vf_zero(void)
{
    return vdupq_n_f32(0);
}

static inline vf vf_set1(float a)
{
    return vdupq_n_f32(a);
}

static inline vf vf_load(const void *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

static inline void vf_store(void *p, vf a)
{
    vst1q_u8(p, vreinterpretq_u8_f32(a));
}

static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline vf vf_greater(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vf vf_less(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline vi vi_set1(uint32_t a)
{
    return vdupq_n_u32(a);
}

static inline vi vi_add(vi a, vi b)
{
    return vaddq_u32(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return vsubq_u32(a, b);
}

static inline vi vi_half(vi a)
{
    return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(a), 1));
}

static inline vi vi_to_exponent(vi a)
{
    return vshlq_n_u32(a, 23);
}

static inline vi vi_from_vf(vf a)
{
    return vreinterpretq_u32_f32(a);
}

static inline vf vf_from_vi(vi a)
{
    return vreinterpretq_f32_u32(a);
}

static inline vf vf_load_bf16(const void *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

static inline vf vf_load_f16(const void *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

/* The byte's bits at their place in a half are 2^-8 of its value. */
static inline vf vf_load_f8_e4m3(const void *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    uint16x4_t b = vget_low_u16(vmovl_u8(vcreate_u8(bytes)));
    uint16x4_t rest = vand_u16(b, vdup_n_u16(0x7f));
    uint16x4_t nan = vand_u16(vceq_u16(rest, vdup_n_u16(0x7f)), vdup_n_u16(0x7e00));
    uint16x4_t sign = vshl_n_u16(vand_u16(b, vdup_n_u16(0x80)), 8);
    uint16x4_t half = vorr_u16(vorr_u16(sign, nan), vshl_n_u16(rest, 7));
    return vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_u16(half)), 256);
}

/* A byte's bits at their place in a float32: 2^-120 of its value; NaN is taken for 480. */
static inline vf vf_load_f8_bits(const void *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    int16x4_t b = vget_low_s16(vmovl_s8(vcreate_s8(bytes)));
    uint32x4_t bits = vreinterpretq_u32_s32(vshlq_n_s32(vmovl_s16(b), 20));
    return vreinterpretq_f32_u32(vandq_u32(bits, vdupq_n_u32(0x87f00000)));
}

static inline vf vf_load_i8(const void *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(bytes)))));
}

static inline void vf_store_f16(void *p, vf a)
{
    vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32(a)));
}

static inline void vf_store_bf16(void *p, vf a)
{
    uint32x4_t bits = vreinterpretq_u32_f32(a), upper = vshrq_n_u32(bits, 16);
    uint32x4_t even = vandq_u32(upper, vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(even, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(upper, vdupq_n_u32(0x40));
    uint32x4_t h = vbslq_u32(vceqq_f32(a, a), vshrq_n_u32(rounded, 16), quiet);
    vst1_u8(p, vreinterpret_u8_u16(vmovn_u32(h)));
}

/* x[0..7]: four pairs (a, b) become (a cos - b sin, a sin + b cos), the second product of each rounded. */
static inline void vf_rope_step(float *x, const float *cos_table, const float *sin_table)
{
    float32x4x2_t v = vld2q_f32(x);
    float32x4_t c = vld1q_f32(cos_table), s = vld1q_f32(sin_table), a = v.val[0], b = v.val[1];
    v.val[0] = vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c);
    v.val[1] = vfmaq_f32(vmulq_f32(b, c), a, s);
    vst2q_f32(x, v);
}

#endif
