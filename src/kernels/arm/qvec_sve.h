// SPDX-License-Identifier: MIT
/*
 * Vectors for SVE in the vocabulary that simd/qmatmul.h is written in (listed there). To be included by files with the suffix _sve256.c or _sve512.c
 * only, which give the length of vectors (arm/vec_sve.h); with Q_I8MM defined, by those with _svei8mm256.c or _svei8mm512.c, which multiply
 * small matrices (simd/qmmla.h).
 */
#ifndef GLM_KERNELS_ARM_QVEC_SVE_H
#define GLM_KERNELS_ARM_QVEC_SVE_H

#include <arm_neon.h>
#include <arm_sve.h>
#include <stddef.h>
#include <stdint.h>

#ifdef Q_I8MM
#define Q_COLUMNS "kernels/simd/qmmla.h"
#if __ARM_FEATURE_SVE_BITS == 256
#define KERNEL(slot) glm_##slot##_svei8mm256
#else
#define KERNEL(slot) glm_##slot##_svei8mm512
#endif
#elif __ARM_FEATURE_SVE_BITS == 256
#define KERNEL(slot) glm_##slot##_sve256
#else
#define KERNEL(slot) glm_##slot##_sve512
#endif
#define Q_TILE_IS_8 1
#define QV static inline __attribute__((always_inline))

#include "kernels/simd/qspread.h"

enum {
    QR = __ARM_FEATURE_SVE_BITS / 32, /* rows of a panel, lanes of a vector */
    Q_TILE = 8,                       /* tokens of a register tile */
    Q_WIDE_SIGNED = 1,                /* 8-bit codes are stored as they are */
};

#define SVE_FIXED __attribute__((arm_sve_vector_bits(__ARM_FEATURE_SVE_BITS)))
typedef svint32_t qi SVE_FIXED;
typedef svuint8_t q_u8 SVE_FIXED;
typedef svfloat32_t qf SVE_FIXED;
typedef svbool_t q_bools SVE_FIXED; /* a bit a byte */

/* All lanes; all bytes. */
#define Q_ALL svptrue_b32()
#define Q_ALL8 svptrue_b8()

QV qi qi_zero(void)
{
    return svdup_s32(0);
}

QV qi qi_load(const void *p)
{
    return svreinterpret_s32_u8(svld1_u8(Q_ALL8, p));
}

QV void qi_store(void *p, qi a)
{
    svst1_u8(Q_ALL8, p, svreinterpret_u8_s32(a));
}

QV qi qi_set1(int32_t a)
{
    return svdup_s32(a);
}

QV qi qi_set1_8(int a)
{
    return svreinterpret_s32_s8(svdup_s8((int8_t)a));
}

QV qi qi_bcast(const void *p)
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return svdup_s32(v);
}

QV qi qi_add(qi a, qi b)
{
    return svadd_s32_x(Q_ALL, a, b);
}

QV qi qi_sub(qi a, qi b)
{
    return svsub_s32_x(Q_ALL, a, b);
}

/* Bytes without sign. */
QV q_u8 q_bytes(qi a)
{
    return svreinterpret_u8_s32(a);
}

QV qi q_words(q_u8 a)
{
    return svreinterpret_s32_u8(a);
}

QV qi qi_add8(qi a, qi b)
{
    return q_words(svadd_u8_x(Q_ALL8, q_bytes(a), q_bytes(b)));
}

/* Bytes without sign: the difference, 0 where it would be less; the smaller. */
QV qi qi_sub8(qi a, qi b)
{
    return q_words(svqsub_u8(q_bytes(a), q_bytes(b)));
}

QV qi qi_min8(qi a, qi b)
{
    return q_words(svmin_u8_x(Q_ALL8, q_bytes(a), q_bytes(b)));
}

QV qi qi_mul(qi a, qi b)
{
    return svmul_s32_x(Q_ALL, a, b);
}

QV qi qi_max(qi a, qi b)
{
    return svmax_s32_x(Q_ALL, a, b);
}

QV qi qi_and(qi a, qi b)
{
    return svand_s32_x(Q_ALL, a, b);
}

QV qi qi_xor(qi a, qi b)
{
    return sveor_s32_x(Q_ALL, a, b);
}

QV qi qi_or(qi a, qi b)
{
    return svorr_s32_x(Q_ALL, a, b);
}

/* a with the bits of `value`, not yet set in a, in bytes where a bit of test & bit, which is one a byte, is set. */
QV qi qi_or_where(qi a, qi test, qi bit, qi value)
{
    svbool_t is_set = svcmpne_n_u8(Q_ALL8, q_bytes(qi_and(test, bit)), 0);
    return q_words(svorr_u8_m(is_set, q_bytes(a), q_bytes(value)));
}

QV qi qi_srl(qi a, unsigned n)
{
    return svreinterpret_s32_u32(svlsr_n_u32_x(Q_ALL, svreinterpret_u32_s32(a), n));
}

QV qi qi_sra(qi a, unsigned n)
{
    return svasr_n_s32_x(Q_ALL, a, n);
}

QV qi qi_sll(qi a, unsigned n)
{
    return svlsl_n_s32_x(Q_ALL, a, n);
}

/* table and patterns: 16 bytes, the same in every 128 bits. Indices are below 16. */
QV qi qi_table(const void *p)
{
    return q_words(svld1rq_u8(Q_ALL8, p));
}

/* Within each 128 bits: the instruction counts bytes from the vector's first. */
QV qi qi_shuffle8(qi a, qi index)
{
    q_u8 first = svand_n_u8_x(Q_ALL8, svindex_u8(0, 1), 0xf0);
    return q_words(svtbl_u8(q_bytes(a), svorr_u8_x(Q_ALL8, q_bytes(index), first)));
}

/* Codes are below 128, so both factors have a sign. */
QV qi qi_dot_signed(qi acc, qi w, qi x)
{
    return svdot_s32(acc, svreinterpret_s8_s32(w), svreinterpret_s8_s32(x));
}

QV qi qi_dot(qi acc, qi w, qi x)
{
    return qi_dot_signed(acc, w, x);
}

QV qi qi_dot_bcast(qi acc, qi w, const void *x)
{
    return qi_dot_signed(acc, w, qi_bcast(x));
}

/* The lower and the upper halves of the lanes by shifts: base SVE has no product of pairs of 16 bits. */
QV qi qi_madd16(qi acc, qi a, qi b)
{
    qi low = qi_mul(svexth_s32_x(Q_ALL, a), svexth_s32_x(Q_ALL, b));
    return svmla_s32_x(Q_ALL, qi_add(acc, low), qi_sra(a, 16), qi_sra(b, 16));
}

#ifdef Q_I8MM
/* Words side by side: of the first halves of a and b, of the second. */
QV qi qi_zip_low(qi a, qi b)
{
    return svzip1_s32(a, b);
}

QV qi qi_zip_high(qi a, qi b)
{
    return svzip2_s32(a, b);
}

/* The even, the odd pairs of words of a, then those of b. */
QV qi qi_even_pairs(qi a, qi b)
{
    return svreinterpret_s32_s64(svuzp1_s64(svreinterpret_s64_s32(a), svreinterpret_s64_s32(b)));
}

QV qi qi_odd_pairs(qi a, qi b)
{
    return svreinterpret_s32_s64(svuzp2_s64(svreinterpret_s64_s32(a), svreinterpret_s64_s32(b)));
}

/* 8 bytes at p, then 8 at q, in each 128 bits. */
QV qi qi_bcast_two(const void *p, const void *q)
{
    int64_t first, second;
    __builtin_memcpy(&first, p, sizeof first);
    __builtin_memcpy(&second, q, sizeof second);
    return svreinterpret_s32_s64(svdupq_n_s64(first, second));
}

/* In each 128 bits: rows i of a times rows j of b, of 8 signed bytes each, are added to word 2 i + j. */
QV qi qi_mmla(qi acc, qi a, qi b)
{
    return svmmla_s32(acc, svreinterpret_s8_s32(a), svreinterpret_s8_s32(b));
}
#endif

QV qf qf_zero(void)
{
    return svdup_f32(0);
}

QV qf qf_load(const void *p)
{
    return svreinterpret_f32_u8(svld1_u8(Q_ALL8, p));
}

QV void qf_store(void *p, qf a)
{
    svst1_u8(Q_ALL8, p, svreinterpret_u8_f32(a));
}

QV qf qf_set1(float a)
{
    return svdup_f32(a);
}

QV qf qf_mul(qf a, qf b)
{
    return svmul_f32_x(Q_ALL, a, b);
}

QV qf qf_fma(qf a, qf b, qf c)
{
    return svmla_f32_x(Q_ALL, c, a, b);
}

QV qf qf_from_qi(qi a)
{
    return svcvt_f32_s32_x(Q_ALL, a);
}

QV qf qf_from_bits(qi a)
{
    return svreinterpret_f32_s32(a);
}

/* 16-bit halves in the low parts of 32-bit lanes. */
QV qf qf_from_halves(qi a)
{
    return svcvt_f32_f16_x(Q_ALL, svreinterpret_f16_s32(a));
}

/* 16 bytes of each of QR rows: out[i] holds 32-bit word i of row r in lane r. */
QV void qi_words4(qi out[4], const uint8_t *p, size_t stride)
{
    const svuint32_t at = svindex_u32(0, (uint32_t)stride);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        out[i] = svld1_gather_u32offset_s32(Q_ALL, (const void *)(p + 4 * i), at);
}

/* Part i of a row's codes, 4 QR of them: a table's value each, minus where its bit of `sign` is set, else plus. */
QV qi q_select(const uint8_t *codes, const uint64_t *sign, int i, qi plus, qi minus)
{
    q_bools is_minus;
    __builtin_memcpy(&is_minus, (const uint8_t *)sign + (size_t)i * sizeof is_minus,
                     sizeof is_minus);
    qi code = qi_load(codes);
    return q_words(
        svsel_u8(is_minus, q_bytes(qi_shuffle8(minus, code)), q_bytes(qi_shuffle8(plus, code))));
}

#endif
