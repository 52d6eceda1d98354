// SPDX-License-Identifier: MIT
/*
 * Vectors for NEON as every 64-bit Arm has it, in the vocabulary that simd/qmatmul.h is written in (listed there). To be included
 * by files with the suffix _neon.c; with Q_DOTPROD defined, by those with _dotprod.c, whose dot products are one instruction; with
 * Q_I8MM too by those with _i8mm.c, which multiply small matrices (simd/qmmla.h).
 */
#ifndef GLM_KERNELS_ARM_QVEC_NEON_H
#define GLM_KERNELS_ARM_QVEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#if defined Q_I8MM
#define KERNEL(slot) glm_##slot##_i8mm
#define Q_COLUMNS "kernels/simd/qmmla.h"
#elif defined Q_DOTPROD
#define KERNEL(slot) glm_##slot##_dotprod
#else
#define KERNEL(slot) glm_##slot##_neon
#endif
#define Q_TILE_IS_8 1
#define QV static inline __attribute__((always_inline))

#include "kernels/simd/qspread.h"

enum {
    QR = 4,            /* rows of a panel, lanes of a vector */
    Q_TILE = 8,        /* tokens of a register tile */
    Q_WIDE_SIGNED = 1, /* 8-bit codes are stored as they are */
};

typedef int32x4_t qi;
typedef float32x4_t qf;

QV qi qi_zero(void)
{
    return vdupq_n_s32(0);
}

QV qi qi_load(const void *p)
{
    return vreinterpretq_s32_u8(vld1q_u8(p));
}

QV void qi_store(void *p, qi a)
{
    vst1q_u8(p, vreinterpretq_u8_s32(a));
}

QV qi qi_set1(int32_t a)
{
    return vdupq_n_s32(a);
}

QV qi qi_set1_8(int a)
{
    return vreinterpretq_s32_s8(vdupq_n_s8((int8_t)a));
}

QV qi qi_bcast(const void *p)
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return vdupq_n_s32(v);
}

QV qi qi_add(qi a, qi b)
{
    return vaddq_s32(a, b);
}

QV qi qi_sub(qi a, qi b)
{
    return vsubq_s32(a, b);
}

/* Bytes without sign. */
QV uint8x16_t q_bytes(qi a)
{
    return vreinterpretq_u8_s32(a);
}

QV qi q_words(uint8x16_t a)
{
    return vreinterpretq_s32_u8(a);
}

QV qi qi_add8(qi a, qi b)
{
    return q_words(vaddq_u8(q_bytes(a), q_bytes(b)));
}

/* Bytes without sign: the difference, 0 where it would be less; the smaller. */
QV qi qi_sub8(qi a, qi b)
{
    return q_words(vqsubq_u8(q_bytes(a), q_bytes(b)));
}

QV qi qi_min8(qi a, qi b)
{
    return q_words(vminq_u8(q_bytes(a), q_bytes(b)));
}

/* a with the bits of `value`, not yet set in a, in bytes where a bit of test & bit, which is one a byte, is set. */
QV qi qi_or_where(qi a, qi test, qi bit, qi value)
{
    return vorrq_s32(a, vandq_s32(q_words(vtstq_u8(q_bytes(test), q_bytes(bit))), value));
}

QV qi qi_mul(qi a, qi b)
{
    return vmulq_s32(a, b);
}

QV qi qi_max(qi a, qi b)
{
    return vmaxq_s32(a, b);
}

QV qi qi_and(qi a, qi b)
{
    return vandq_s32(a, b);
}

QV qi qi_xor(qi a, qi b)
{
    return veorq_s32(a, b);
}

QV qi qi_or(qi a, qi b)
{
    return vorrq_s32(a, b);
}

QV qi qi_srl(qi a, unsigned n)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-(int32_t)n)));
}

QV qi qi_sra(qi a, unsigned n)
{
    return vshlq_s32(a, vdupq_n_s32(-(int32_t)n));
}

QV qi qi_sll(qi a, unsigned n)
{
    return vshlq_s32(a, vdupq_n_s32((int32_t)n));
}

/* table and patterns: 16 bytes. Indices are below 16. */
QV qi qi_table(const void *p)
{
    return qi_load(p);
}

QV qi qi_shuffle8(qi a, qi index)
{
    return q_words(vqtbl1q_u8(q_bytes(a), q_bytes(index)));
}

/* Codes are below 128, so both factors have a sign. */
QV qi qi_dot_signed(qi acc, qi w, qi x)
{
    int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
#ifdef Q_DOTPROD
    return vdotq_s32(acc, a, b);
#else
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}

QV qi qi_dot(qi acc, qi w, qi x)
{
    return qi_dot_signed(acc, w, x);
}

QV qi qi_dot_bcast(qi acc, qi w, const void *x)
{
    return qi_dot_signed(acc, w, qi_bcast(x));
}

QV qi qi_madd16(qi acc, qi a, qi b)
{
    int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
    return vaddq_s32(acc, vpaddq_s32(low, high));
}

#ifdef Q_I8MM
/* Words side by side: of the first halves of a and b, of the second. */
QV qi qi_zip_low(qi a, qi b)
{
    return vzip1q_s32(a, b);
}

QV qi qi_zip_high(qi a, qi b)
{
    return vzip2q_s32(a, b);
}

/* The even, the odd pairs of words of a, then those of b. */
QV qi qi_even_pairs(qi a, qi b)
{
    return vreinterpretq_s32_s64(vuzp1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
}

QV qi qi_odd_pairs(qi a, qi b)
{
    return vreinterpretq_s32_s64(vuzp2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
}

/* 8 bytes at p, then 8 at q, in each 128 bits. */
QV qi qi_bcast_two(const void *p, const void *q)
{
    return vreinterpretq_s32_s8(vcombine_s8(vld1_s8(p), vld1_s8(q)));
}

/* In each 128 bits: rows i of a times rows j of b, of 8 signed bytes each, are added to word 2 i + j. */
QV qi qi_mmla(qi acc, qi a, qi b)
{
    return vmmlaq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
#endif

QV qf qf_zero(void)
{
    return vdupq_n_f32(0);
}

QV qf qf_load(const void *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

QV void qf_store(void *p, qf a)
{
    vst1q_u8(p, vreinterpretq_u8_f32(a));
}

QV qf qf_set1(float a)
{
    return vdupq_n_f32(a);
}

QV qf qf_mul(qf a, qf b)
{
    return vmulq_f32(a, b);
}

QV qf qf_fma(qf a, qf b, qf c)
{
    return vfmaq_f32(c, a, b);
}

QV qf qf_from_qi(qi a)
{
    return vcvtq_f32_s32(a);
}

QV qf qf_from_bits(qi a)
{
    return vreinterpretq_f32_s32(a);
}

/* 16-bit halves in the low parts of 32-bit lanes. */
QV qf qf_from_halves(qi a)
{
    return vcvt_f32_f16(vreinterpret_f16_s16(vmovn_s32(a)));
}

/* 16 bytes of each of QR rows: out[i] holds 32-bit word i of row r in lane r. */
QV void qi_words4(qi out[4], const uint8_t *p, size_t stride)
{
    qi a = qi_load(p), b = qi_load(p + stride), c = qi_load(p + 2 * stride),
       d = qi_load(p + 3 * stride);
    int64x2_t ab = vreinterpretq_s64_s32(vtrn1q_s32(a, b)), /* words 0 and 2 of a, b */
        cd = vreinterpretq_s64_s32(vtrn1q_s32(c, d));
    int64x2_t ab2 = vreinterpretq_s64_s32(vtrn2q_s32(a, b)), /* words 1 and 3 */
        cd2 = vreinterpretq_s64_s32(vtrn2q_s32(c, d));
    out[0] = vreinterpretq_s32_s64(vzip1q_s64(ab, cd));
    out[1] = vreinterpretq_s32_s64(vzip1q_s64(ab2, cd2));
    out[2] = vreinterpretq_s32_s64(vzip2q_s64(ab, cd));
    out[3] = vreinterpretq_s32_s64(vzip2q_s64(ab2, cd2));
}

/* Part i of a row's codes, 16 of them: a table's value each, minus where its bit of `sign` is set, else plus. */
QV qi q_select(const uint8_t *codes, const uint64_t *sign, int i, qi plus, qi minus)
{
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    uint64_t signs = sign[i / 4] >> (i % 4 * 16);
    uint8x16_t at = vcombine_u8(vdup_n_u8((uint8_t)signs), vdup_n_u8((uint8_t)(signs >> 8)));
    qi code = qi_load(codes);
    return q_words(vbslq_u8(vtstq_u8(at, bit), q_bytes(qi_shuffle8(minus, code)),
                            q_bytes(qi_shuffle8(plus, code))));
}

#endif
