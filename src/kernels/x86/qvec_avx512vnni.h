// SPDX-License-Identifier: MIT
/*
 * Vectors for AVX-512 F, BW, VL, DQ, VNNI, in the vocabulary that simd/qmatmul.h is written in (listed there). To be included by
 * files with the suffix _avx512vnni.c or _amx.c only.
 */
#ifndef GLM_KERNELS_X86_QVEC_AVX512VNNI_H
#define GLM_KERNELS_X86_QVEC_AVX512VNNI_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#ifndef KERNEL
#define KERNEL(slot) glm_##slot##_avx512vnni
#endif
#define Q_TILE_IS_8 1
#define QV static inline __attribute__((always_inline))

#define Q_ROWS "kernels/x86/qline.h"

enum {
    QR = 16,           /* rows of a panel, lanes of a vector */
    Q_TILE = 8,        /* tokens of a register tile */
    Q_WIDE_SIGNED = 0, /* 8-bit codes are stored with 128 added */
};

typedef __m512i qi;
typedef __m512 qf;

QV qi qi_zero(void)
{
    return _mm512_setzero_si512();
}

QV qi qi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

QV void qi_store(void *p, qi a)
{
    _mm512_storeu_si512(p, a);
}

QV qi qi_set1(int32_t a)
{
    return _mm512_set1_epi32(a);
}

QV qi qi_set1_8(int a)
{
    return _mm512_set1_epi8((char)a);
}

QV qi qi_bcast(const void *p)
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

QV qi qi_add(qi a, qi b)
{
    return _mm512_add_epi32(a, b);
}

QV qi qi_sub(qi a, qi b)
{
    return _mm512_sub_epi32(a, b);
}

QV qi qi_add8(qi a, qi b)
{
    return _mm512_add_epi8(a, b);
}

/* Bytes without sign: the difference, 0 where it would be less; the smaller. */
QV qi qi_sub8(qi a, qi b)
{
    return _mm512_subs_epu8(a, b);
}

QV qi qi_min8(qi a, qi b)
{
    return _mm512_min_epu8(a, b);
}

/* a with the bits of `value`, not yet set in a, in bytes where a bit of test & bit, which is one a byte, is set. */
QV qi qi_or_where(qi a, qi test, qi bit, qi value)
{
    return _mm512_mask_add_epi8(a, _mm512_test_epi8_mask(test, bit), a, value);
}

QV qi qi_mul(qi a, qi b)
{
    return _mm512_mullo_epi32(a, b);
}

QV qi qi_max(qi a, qi b)
{
    return _mm512_max_epi32(a, b);
}

QV qi qi_and(qi a, qi b)
{
    return _mm512_and_si512(a, b);
}

QV qi qi_xor(qi a, qi b)
{
    return _mm512_xor_si512(a, b);
}

QV qi qi_or(qi a, qi b)
{
    return _mm512_or_si512(a, b);
}

QV qi qi_srl(qi a, unsigned n)
{
    return _mm512_srli_epi32(a, n);
}

QV qi qi_sra(qi a, unsigned n)
{
    return _mm512_srai_epi32(a, n);
}

QV qi qi_sll(qi a, unsigned n)
{
    return _mm512_slli_epi32(a, n);
}

/* table and patterns: 16 bytes, the same in every 128-bit lane. */
QV qi qi_table(const void *p)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128(p));
}

QV qi qi_shuffle8(qi a, qi index)
{
    return _mm512_shuffle_epi8(a, index);
}

QV qi qi_dot(qi acc, qi w, qi x)
{
    return _mm512_dpbusd_epi32(acc, w, x);
}

/* The same with a broadcast of four bytes, as one instruction, which compilers do not make of two. */
QV qi qi_dot_bcast(qi acc, qi w, const void *x)
{
    typedef struct __attribute__((packed, may_alias)) four {
        int8_t byte[4];
    } four;
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*(const four *)x));
    return acc;
}

QV qi qi_dot_signed(qi acc, qi w, qi x) /* no code needs it here */
{
    return qi_dot(acc, w, x);
}

QV qi qi_madd16(qi acc, qi a, qi b)
{
    return _mm512_dpwssd_epi32(acc, a, b);
}

QV qf qf_zero(void)
{
    return _mm512_setzero_ps();
}

QV qf qf_load(const void *p)
{
    return _mm512_loadu_ps(p);
}

QV void qf_store(void *p, qf a)
{
    _mm512_storeu_ps(p, a);
}

QV qf qf_set1(float a)
{
    return _mm512_set1_ps(a);
}

QV qf qf_mul(qf a, qf b)
{
    return _mm512_mul_ps(a, b);
}

QV qf qf_fma(qf a, qf b, qf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

QV qf qf_from_qi(qi a)
{
    return _mm512_cvtepi32_ps(a);
}

QV qf qf_from_bits(qi a)
{
    return _mm512_castsi512_ps(a);
}

/* 16-bit halves in the low parts of 32-bit lanes. */
QV qf qf_from_halves(qi a)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a));
}

/* Halves first: half as much work as inserting quarters. */
QV __m512i qi_four_rows(const uint8_t *p, size_t stride4)
{
    __m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const void *)p));
    low = _mm256_inserti128_si256(low, _mm_loadu_si128((const void *)(p + stride4)), 1);
    p += 2 * stride4;
    __m256i high = _mm256_castsi128_si256(_mm_loadu_si128((const void *)p));
    high = _mm256_inserti128_si256(high, _mm_loadu_si128((const void *)(p + stride4)), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* 4 x 4 words in each 128-bit lane. */
QV void qi_transpose4(qi w[4])
{
    qi ab = _mm512_unpacklo_epi32(w[0], w[1]), cd = _mm512_unpacklo_epi32(w[2], w[3]);
    qi ab2 = _mm512_unpackhi_epi32(w[0], w[1]), cd2 = _mm512_unpackhi_epi32(w[2], w[3]);
    w[0] = _mm512_unpacklo_epi64(ab, cd);
    w[1] = _mm512_unpackhi_epi64(ab, cd);
    w[2] = _mm512_unpacklo_epi64(ab2, cd2);
    w[3] = _mm512_unpackhi_epi64(ab2, cd2);
}

/* 16 bytes of each of QR rows: out[i] holds 32-bit word i of row r in lane r. */
QV void qi_words4(qi out[4], const uint8_t *p, size_t stride)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        out[i] = qi_four_rows(p + i * stride, 4 * stride);
    qi_transpose4(out);
}

/* The sum of 4 rows' words in each 128-bit lane: word j is row j's. */
QV qi qi_sum_four(const qi *row)
{
    qi ab = qi_add(_mm512_unpacklo_epi32(row[0], row[1]), _mm512_unpackhi_epi32(row[0], row[1]));
    qi cd = qi_add(_mm512_unpacklo_epi32(row[2], row[3]), _mm512_unpackhi_epi32(row[2], row[3]));
    return qi_add(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/* The sums of all lanes of 16 vectors. */
QV qi qi_sum_rows(const qi *row)
{
    qi a = qi_sum_four(row), b = qi_sum_four(row + 4), c = qi_sum_four(row + 8),
       d = qi_sum_four(row + 12);
    qi ab = qi_add(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
    qi cd = qi_add(_mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xdd));
    return qi_add(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
}

/* ---- Along the rows (x86/qline.h) ---- */

/* 32 bytes of a block, and of the next, which begins `size` later. */
QV qi q_blocks32(const uint8_t *p, size_t size)
{
    __m256i first = _mm256_loadu_si256((const void *)p);
    return _mm512_inserti64x4(_mm512_castsi256_si512(first),
                              _mm256_loadu_si256((const void *)(p + size)), 1);
}

/* Of 128-bit lanes: a0 + a1, a2 + a3, b0 + b1, b2 + b3. */
QV qi q_add_pairs(qi a, qi b)
{
    return qi_add(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/* Lane i: the sum of all lanes of a[i]. */
QV qi q_add_lanes(const qi a[4])
{
    return q_add_pairs(q_add_pairs(a[0], a[1]), q_add_pairs(a[2], a[3]));
}

/* Word i of four in all words of lane i. */
QV qi q_each_4_times(const void *p)
{
    const __m512i word = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_permutexvar_epi32(word, _mm512_castsi128_si512(_mm_loadu_si128(p)));
}

/* 16 halves as floats. */
QV qf q_from_16(const uint64_t four[4])
{
    return _mm512_cvtph_ps(_mm256_setr_epi64x((long long)four[0], (long long)four[1],
                                              (long long)four[2], (long long)four[3]));
}

/* Lane i, a constant. */
QV __m128 q_lane(qf a, int i)
{
    switch (i) {
    case 0:
        return _mm512_castps512_ps128(a);
    case 1:
        return _mm512_extractf32x4_ps(a, 1);
    case 2:
        return _mm512_extractf32x4_ps(a, 2);
    default:
        return _mm512_extractf32x4_ps(a, 3);
    }
}

/* The same 32 bytes in both halves. */
QV qi q_twice(const void *p)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(p));
}

/* 32-bit words shifted, by another number in the upper half. */
QV qi q_sll_halves(qi a, int low, int high)
{
    return _mm512_sllv_epi32(a, _mm512_setr_epi32(low, low, low, low, low, low, low, low, high,
                                                  high, high, high, high, high, high, high));
}

QV qi q_srl_halves(qi a, int low, int high)
{
    return _mm512_srlv_epi32(a, _mm512_setr_epi32(low, low, low, low, low, low, low, low, high,
                                                  high, high, high, high, high, high, high));
}

QV qi q_first256(__m256i a)
{
    return _mm512_zextsi256_si512(a);
}

/* ---- Code books, row by row (x86/qrow.h) ---- */

QV qi qi_andnot(qi a, qi b) /* b without the bits of a */
{
    return _mm512_andnot_si512(a, b);
}

QV qi q_lanes(__m128i a) /* the same 16 bytes in each lane */
{
    return _mm512_broadcast_i32x4(a);
}

QV qi q_first(__m128i a) /* in the first lane, zeros in the others */
{
    return _mm512_zextsi128_si512(a);
}

QV __m256i q_four_octets(const uint64_t *const *at)
{
    __m128i low = _mm_loadl_epi64((const void *)at[0]), high = _mm_loadl_epi64((const void *)at[2]);
    low = _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(low), (const void *)at[1]));
    high = _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(high), (const void *)at[3]));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

QV __m128i q_four_quads(const uint32_t *const *at)
{
    __m128i four = _mm_cvtsi32_si128((int)*at[0]);
    four = _mm_insert_epi32(four, (int)*at[1], 1);
    four = _mm_insert_epi32(four, (int)*at[2], 2);
    return _mm_insert_epi32(four, (int)*at[3], 3);
}

QV __m256i q_eight_quads(const uint32_t *const *at)
{
    __m128i high = q_four_quads(at + 4);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(q_four_quads(at)), high, 1);
}

/* 8 entries of 8 bytes; 16 of 4. */
QV qi q_octets(const uint64_t *const *at)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(q_four_octets(at)), q_four_octets(at + 4), 1);
}

QV qi q_quads(const uint32_t *const *at)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(q_eight_quads(at)), q_eight_quads(at + 8), 1);
}

/* x, the bytes whose bit is set in the 8 of sign negated. */
QV qi q_negate(qi x, const uint8_t *sign)
{
    uint64_t is_set;
    __builtin_memcpy(&is_set, sign, sizeof is_set);
    return _mm512_mask_sub_epi8(x, is_set, _mm512_setzero_si512(), x);
}

/* acc += pairs of products w x, which fit 16 bits, times a scale each. */
QV qi q_madd_scaled(qi acc, qi w, qi x, qi scale)
{
    return _mm512_dpwssd_epi32(acc, _mm512_maddubs_epi16(w, x), scale);
}

/* 32 indices: 8 bits in low, the ninth in 4 bytes of high. */
QV void q_index9(uint16_t *out, const uint8_t *low, const uint8_t *high)
{
    uint32_t has_ninth;
    __builtin_memcpy(&has_ninth, high, sizeof has_ninth);
    __m512i index = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)low));
    index = _mm512_mask_add_epi16(index, has_ninth, index, _mm512_set1_epi16(256));
    _mm512_storeu_si512(out, index);
}

#endif
