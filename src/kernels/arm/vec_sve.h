// SPDX-License-Identifier: MIT
/*
 * Vectors for SVE, in the vocabulary that kernels/simd is written in (listed in simd/vec.h). Compiled once for each length of vectors that gains
 * over 128 bits: the suffix of a file, _sve256.c or _sve512.c, gives -msve-vector-bits, and with it vectors that can be put in arrays.
 */
#ifndef GLM_KERNELS_ARM_VEC_SVE_H
#define GLM_KERNELS_ARM_VEC_SVE_H

#include <arm_sve.h>
#include <stdint.h>
#include <string.h>

#include "kernels/arm/vec128.h"

#if __ARM_FEATURE_SVE_BITS == 256
#define KERNEL(slot) glm_##slot##_sve256
#elif __ARM_FEATURE_SVE_BITS == 512
#define KERNEL(slot) glm_##slot##_sve512
#else
#error "vectors of 256 or 512 bits"
#endif
#define GLM_TILE_TOK 6

enum {
    VL = __ARM_FEATURE_SVE_BITS / 32, /* float32s a vector */
    TILE_TOK = GLM_TILE_TOK,          /* tokens of a register tile: 4 rows each, one accumulator */
    ROPE_PAIRS = VL,                  /* pairs a rope step */
};

#define SVE_FIXED __attribute__((arm_sve_vector_bits(__ARM_FEATURE_SVE_BITS)))
typedef svfloat32_t vf SVE_FIXED;
typedef svuint32_t vi SVE_FIXED;

/* All lanes. */
#define V_ALL svptrue_b32()

static inline vf vf_zero(void)
{
    return svdup_f32(0);
}

static inline vf vf_set1(float a)
{
    return svdup_f32(a);
}

static inline vf vf_load(const void *p)
{
    return svreinterpret_f32_u8(svld1_u8(svptrue_b8(), p));
}

static inline void vf_store(void *p, vf a)
{
    svst1_u8(svptrue_b8(), p, svreinterpret_u8_f32(a));
}

static inline vf vf_add(vf a, vf b)
{
    return svadd_f32_x(V_ALL, a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return svsub_f32_x(V_ALL, a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return svmul_f32_x(V_ALL, a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return svdiv_f32_x(V_ALL, a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return svmla_f32_x(V_ALL, c, a, b);
}

static inline vf vf_greater(vf a, vf b)
{
    return svsel_f32(svcmpgt_f32(V_ALL, a, b), a, b);
}

static inline vf vf_less(vf a, vf b)
{
    return svsel_f32(svcmplt_f32(V_ALL, a, b), a, b);
}

static inline vi vi_set1(uint32_t a)
{
    return svdup_u32(a);
}

static inline vi vi_add(vi a, vi b)
{
    return svadd_u32_x(V_ALL, a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return svsub_u32_x(V_ALL, a, b);
}

static inline vi vi_half(vi a)
{
    return svreinterpret_u32_s32(svasr_n_s32_x(V_ALL, svreinterpret_s32_u32(a), 1));
}

static inline vi vi_to_exponent(vi a)
{
    return svlsl_n_u32_x(V_ALL, a, 23);
}

static inline vi vi_from_vf(vf a)
{
    return svreinterpret_u32_f32(a);
}

static inline vf vf_from_vi(vi a)
{
    return svreinterpret_f32_u32(a);
}

static inline vf vf_load_bf16(const void *p)
{
    return svreinterpret_f32_u32(svlsl_n_u32_x(V_ALL, svld1uh_u32(V_ALL, p), 16));
}

/* Halves in the low parts of 32-bit lanes, where the conversion takes them from. */
static inline vf vf_from_low_halves(vi a)
{
    return svcvt_f32_f16_x(V_ALL, svreinterpret_f16_u32(a));
}

static inline vf vf_load_f16(const void *p)
{
    return vf_from_low_halves(svld1uh_u32(V_ALL, p));
}

/* The byte's bits at their place in a half are 2^-8 of its value. */
static inline vf vf_load_f8_e4m3(const void *p)
{
    vi b = svld1ub_u32(V_ALL, p), rest = svand_n_u32_x(V_ALL, b, 0x7f);
    vi sign = svlsl_n_u32_x(V_ALL, svand_n_u32_x(V_ALL, b, 0x80), 8);
    vi half = svorr_u32_x(V_ALL, sign, svlsl_n_u32_x(V_ALL, rest, 7));
    half = svorr_n_u32_m(svcmpeq_n_u32(V_ALL, rest, 0x7f), half, 0x7e00);
    return vf_mul(vf_from_low_halves(half), vf_set1(256));
}

/* A byte's bits at their place in a float32: 2^-120 of its value; NaN is taken for 480. */
static inline vf vf_load_f8_bits(const void *p)
{
    vi bits = svlsl_n_u32_x(V_ALL, svreinterpret_u32_s32(svld1sb_s32(V_ALL, p)), 20);
    return svreinterpret_f32_u32(svand_n_u32_x(V_ALL, bits, 0x87f00000));
}

static inline vf vf_load_i8(const void *p)
{
    return svcvt_f32_s32_x(V_ALL, svld1sb_s32(V_ALL, p));
}

static inline void vf_store_f16(void *p, vf a)
{
    svst1h_u32(V_ALL, p, svreinterpret_u32_f16(svcvt_f16_f32_x(V_ALL, a)));
}

static inline void vf_store_bf16(void *p, vf a)
{
    vi bits = svreinterpret_u32_f32(a), upper = svlsr_n_u32_x(V_ALL, bits, 16);
    vi round = svadd_n_u32_x(V_ALL, svand_n_u32_x(V_ALL, upper, 1), 0x7fff);
    vi rounded = svlsr_n_u32_x(V_ALL, vi_add(bits, round), 16);
    vi quiet = svorr_n_u32_x(V_ALL, upper, 0x40);
    svst1h_u32(V_ALL, p, svsel_u32(svcmpuo_f32(V_ALL, a, a), quiet, rounded));
}

/* x[0 .. 2 VL - 1]: pairs (a, b) become (a cos - b sin, a sin + b cos), the second product of each rounded. */
static inline void vf_rope_step(float *x, const float *cos_table, const float *sin_table)
{
    svfloat32x2_t v = svld2_f32(V_ALL, x);
    vf c = svld1_f32(V_ALL, cos_table), s = svld1_f32(V_ALL, sin_table);
    vf a = svget2_f32(v, 0), b = svget2_f32(v, 1);
    vf first = vf_fma(a, c, svneg_f32_x(V_ALL, vf_mul(b, s)));
    vf second = vf_fma(a, s, vf_mul(b, c));
    svst2_f32(V_ALL, x, svcreate2_f32(first, second));
}

#endif
