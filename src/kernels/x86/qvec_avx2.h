// SPDX-License-Identifier: MIT
/*
 * Vectors for AVX2, FMA and F16C, in the vocabulary that simd/qmatmul.h is written in (listed there). To be included by files with
 * the suffix _avx2.c; and, with Q_VNNI defined, by those with _avxvnni.c, whose dot products of bytes are one instruction.
 */
#ifndef GLM_KERNELS_X86_QVEC_AVX2_H
#define GLM_KERNELS_X86_QVEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#if defined Q_VNNI && !defined KERNEL
#define KERNEL(slot) glm_##slot##_avxvnni
#elif !defined KERNEL
#define KERNEL(slot) glm_##slot##_avx2
#endif
#define Q_TILE_IS_8 0
#define QV static inline __attribute__((always_inline))

#define Q_ROWS "kernels/x86/qline.h"
#ifndef Q_VNNI
#define Q_SUM16 "kernels/x86/qsum16.h"
#endif

enum {
    QR = 8,     /* rows of a panel, lanes of a vector */
    Q_TILE = 4, /* tokens of a register tile */
#ifdef Q_VNNI
    Q_WIDE_SIGNED = 0, /* 8-bit codes are stored with 128 added */
#else
    Q_WIDE_SIGNED = 1, /* 8-bit codes are stored as they are and need qi_dot_signed */
#endif
};

typedef __m256i qi;
typedef __m256 qf;

QV qi qi_zero(void)
{
    return _mm256_setzero_si256();
}

QV qi qi_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

QV void qi_store(void *p, qi a)
{
    _mm256_storeu_si256(p, a);
}

QV qi qi_set1(int32_t a)
{
    return _mm256_set1_epi32(a);
}

QV qi qi_set1_8(int a)
{
    return _mm256_set1_epi8((char)a);
}

QV qi qi_bcast(const void *p)
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return _mm256_set1_epi32(v);
}

QV qi qi_add(qi a, qi b)
{
    return _mm256_add_epi32(a, b);
}

QV qi qi_sub(qi a, qi b)
{
    return _mm256_sub_epi32(a, b);
}

QV qi qi_add8(qi a, qi b)
{
    return _mm256_add_epi8(a, b);
}

/* Bytes without sign: the difference, 0 where it would be less; the smaller. */
QV qi qi_sub8(qi a, qi b)
{
    return _mm256_subs_epu8(a, b);
}

QV qi qi_min8(qi a, qi b)
{
    return _mm256_min_epu8(a, b);
}

/* a with the bits of `value` in bytes where a bit of test & bit, which is one a byte, is set. */
QV qi qi_or_where(qi a, qi test, qi bit, qi value)
{
    __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(test, bit), bit);
    return _mm256_or_si256(a, _mm256_and_si256(is_set, value));
}

QV qi qi_mul(qi a, qi b)
{
    return _mm256_mullo_epi32(a, b);
}

QV qi qi_max(qi a, qi b)
{
    return _mm256_max_epi32(a, b);
}

QV qi qi_and(qi a, qi b)
{
    return _mm256_and_si256(a, b);
}

QV qi qi_xor(qi a, qi b)
{
    return _mm256_xor_si256(a, b);
}

QV qi qi_or(qi a, qi b)
{
    return _mm256_or_si256(a, b);
}

QV qi qi_srl(qi a, unsigned n)
{
    return _mm256_srli_epi32(a, (int)n);
}

QV qi qi_sra(qi a, unsigned n)
{
    return _mm256_srai_epi32(a, (int)n);
}

QV qi qi_sll(qi a, unsigned n)
{
    return _mm256_slli_epi32(a, (int)n);
}

/* table and patterns: 16 bytes, the same in every 128-bit lane. */
QV qi qi_table(const void *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(p));
}

QV qi qi_shuffle8(qi a, qi index)
{
    return _mm256_shuffle_epi8(a, index);
}

/* w 0..127: pairs of products fit 16 bits; with Q_VNNI 0..255. */
QV qi qi_dot(qi acc, qi w, qi x)
{
#ifdef Q_VNNI
    return _mm256_dpbusd_epi32(acc, w, x);
#else
    __m256i pairs = _mm256_maddubs_epi16(w, x);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

QV qi qi_dot_bcast(qi acc, qi w, const void *x)
{
    return qi_dot(acc, w, qi_bcast(x));
}

/* w -128..127, x -127..127 */
QV qi qi_dot_signed(qi acc, qi w, qi x)
{
    return qi_dot(acc, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

QV qi qi_madd16(qi acc, qi a, qi b)
{
#ifdef Q_VNNI
    return _mm256_dpwssd_epi32(acc, a, b);
#else
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
#endif
}

#ifdef Q_SUM16
/* Sums of two products in 16 bits, w 0..128; w -128..127, x -127..127; and their sums. */
QV qi qi_pairs(qi w, qi x)
{
    return _mm256_maddubs_epi16(w, x);
}

QV qi qi_pairs_signed(qi w, qi x)
{
    return qi_pairs(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

/* In the order written: a tree of such sums, as the compiler makes it, needs more registers than there are. */
QV qi qi_add16(qi a, qi b)
{
    qi sum = _mm256_add_epi16(a, b);
    __asm__("" : "+x"(sum));
    return sum;
}
#endif

QV qf qf_zero(void)
{
    return _mm256_setzero_ps();
}

QV qf qf_load(const void *p)
{
    return _mm256_loadu_ps(p);
}

QV void qf_store(void *p, qf a)
{
    _mm256_storeu_ps(p, a);
}

QV qf qf_set1(float a)
{
    return _mm256_set1_ps(a);
}

QV qf qf_mul(qf a, qf b)
{
    return _mm256_mul_ps(a, b);
}

QV qf qf_fma(qf a, qf b, qf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

QV qf qf_from_qi(qi a)
{
    return _mm256_cvtepi32_ps(a);
}

QV qf qf_from_bits(qi a)
{
    return _mm256_castsi256_ps(a);
}

/* 16-bit halves in the low parts of 32-bit lanes. */
QV qf qf_from_halves(qi a)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    __m256i words = _mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_setzero_si256());
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(words, 0x08)));
}

QV __m256i qi_two_rows(const uint8_t *p, size_t stride4)
{
    __m256i a = _mm256_castsi128_si256(_mm_loadu_si128((const void *)p));
    return _mm256_inserti128_si256(a, _mm_loadu_si128((const void *)(p + stride4)), 1);
}

/* 4 x 4 words in each 128-bit lane. */
QV void qi_transpose4(qi w[4])
{
    qi ab = _mm256_unpacklo_epi32(w[0], w[1]), cd = _mm256_unpacklo_epi32(w[2], w[3]);
    qi ab2 = _mm256_unpackhi_epi32(w[0], w[1]), cd2 = _mm256_unpackhi_epi32(w[2], w[3]);
    w[0] = _mm256_unpacklo_epi64(ab, cd);
    w[1] = _mm256_unpackhi_epi64(ab, cd);
    w[2] = _mm256_unpacklo_epi64(ab2, cd2);
    w[3] = _mm256_unpackhi_epi64(ab2, cd2);
}

/* 16 bytes of each of QR rows: out[i] holds 32-bit word i of row r in lane r. */
QV void qi_words4(qi out[4], const uint8_t *p, size_t stride)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        out[i] = qi_two_rows(p + i * stride, 4 * stride);
    qi_transpose4(out);
}

/* The sum of 4 rows' words in each 128-bit lane: word j is row j's. */
QV qi qi_sum_four(const qi *row)
{
    qi ab = qi_add(_mm256_unpacklo_epi32(row[0], row[1]), _mm256_unpackhi_epi32(row[0], row[1]));
    qi cd = qi_add(_mm256_unpacklo_epi32(row[2], row[3]), _mm256_unpackhi_epi32(row[2], row[3]));
    return qi_add(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}

/* The sums of all lanes of 8 vectors. */
QV qi qi_sum_rows(const qi *row)
{
    qi a = qi_sum_four(row), b = qi_sum_four(row + 4);
    return qi_add(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

/* ---- Along the rows (x86/qline.h) ---- */

/* 32 bytes of a block: one fills a vector. */
QV qi q_blocks32(const uint8_t *p, size_t size)
{
    (void)size;
    return qi_load(p);
}

/* Of 128-bit lanes: a0 + a1, b0 + b1. */
QV qi q_add_pairs(qi a, qi b)
{
    return qi_add(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

/* Lane i: the sum of all lanes of a[i]. */
QV qi q_add_lanes(const qi a[2])
{
    return q_add_pairs(a[0], a[1]);
}

/* Word i of two in all words of lane i. */
QV qi q_each_4_times(const void *p)
{
    return _mm256_setr_m128i(_mm_shuffle_epi32(_mm_loadl_epi64(p), 0x00),
                             _mm_shuffle_epi32(_mm_loadl_epi64(p), 0x55));
}

/* 8 halves as floats. */
QV qf q_from_16(const uint64_t four[2])
{
    return _mm256_cvtph_ps(_mm_set_epi64x((long long)four[1], (long long)four[0]));
}

/* Lane i, a constant. */
QV __m128 q_lane(qf a, int i)
{
    return i ? _mm256_extractf128_ps(a, 1) : _mm256_castps256_ps128(a);
}

QV qi q_twice(const void *p)
{
    return qi_load(p);
}

/* 32-bit words shifted; there is no upper half. */
QV qi q_sll_halves(qi a, unsigned low, unsigned high)
{
    (void)high;
    return qi_sll(a, low);
}

QV qi q_srl_halves(qi a, unsigned low, unsigned high)
{
    (void)high;
    return qi_srl(a, low);
}

QV qi q_first256(__m256i a)
{
    return a;
}

/* ---- Code books, row by row (x86/qrow.h) ---- */

QV qi qi_andnot(qi a, qi b) /* b without the bits of a */
{
    return _mm256_andnot_si256(a, b);
}

QV qi q_lanes(__m128i a) /* the same 16 bytes in each lane */
{
    return _mm256_broadcastsi128_si256(a);
}

QV qi q_first(__m128i a) /* in the first lane, zeros in the others */
{
    return _mm256_zextsi128_si256(a);
}

QV __m128i q_two_octets(const uint64_t *a, const uint64_t *b)
{
    __m128i low = _mm_loadl_epi64((const void *)a);
    return _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(low), (const void *)b));
}

QV __m128i q_four_quads(const uint32_t *const *at)
{
    __m128i four = _mm_cvtsi32_si128((int)*at[0]);
    four = _mm_insert_epi32(four, (int)*at[1], 1);
    four = _mm_insert_epi32(four, (int)*at[2], 2);
    return _mm_insert_epi32(four, (int)*at[3], 3);
}

/* 4 entries of 8 bytes; 8 of 4. */
QV qi q_octets(const uint64_t *const *at)
{
    __m128i high = q_two_octets(at[2], at[3]);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(q_two_octets(at[0], at[1])), high, 1);
}

QV qi q_quads(const uint32_t *const *at)
{
    __m128i high = q_four_quads(at + 4);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(q_four_quads(at)), high, 1);
}

/* x, the bytes whose bit is set in the 4 of sign negated. */
QV qi q_negate(qi x, const uint8_t *sign)
{
    const __m256i byte =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i is_set = _mm256_and_si256(_mm256_shuffle_epi8(qi_bcast(sign), byte), bit);
    is_set = _mm256_cmpeq_epi8(is_set, bit);
    return _mm256_sub_epi8(_mm256_xor_si256(x, is_set), is_set);
}

/* acc += pairs of products w x, which fit 16 bits, times a scale each. */
QV qi q_madd_scaled(qi acc, qi w, qi x, qi scale)
{
    return qi_madd16(acc, _mm256_maddubs_epi16(w, x), scale);
}

/* 16 indices: 8 bits in low, the ninth in 2 bytes of high. */
QV void q_index9(uint16_t *out, const uint8_t *low, const uint8_t *high)
{
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                          8192, 16384, -32768);
    int16_t word;
    __builtin_memcpy(&word, high, sizeof word);
    __m256i ninth = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(word), bit), bit);
    ninth = _mm256_and_si256(ninth, _mm256_set1_epi16(256));
    __m256i index = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)low));
    _mm256_storeu_si256((void *)out, _mm256_or_si256(index, ninth));
}

#endif
