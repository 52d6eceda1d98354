// SPDX-License-Identifier: MIT
/* 8-bit dot products for AVX2 (simd/dot8.h). To be included by files with the suffix _avx2.c only. */
#ifndef GLM_KERNELS_X86_DOT8_AVX2_H
#define GLM_KERNELS_X86_DOT8_AVX2_H

#include "kernels/x86/vec_avx2.h"

enum { DOT8_HEADS = 4, DOT8_VECS = 2, SUM_HEADS = 2, DOT8_BIAS = 0 };

/* The byte product takes one factor without sign: the magnitude of the rows, whose sign goes to the query. Two products
 * are at most 2 * 127 * 127 and fit 16 bits. */
typedef struct vq {
    __m256i rows, magnitude;
} vq;

static inline vq vq_load(const void *p)
{
    __m256i rows = _mm256_loadu_si256(p);
    return (vq){rows, _mm256_abs_epi8(rows)};
}

static inline vi vi_dot4(vi acc, vq rows, uint32_t four)
{
    __m256i query = _mm256_sign_epi8(_mm256_set1_epi32((int32_t)four), rows.rows);
    __m256i pairs = _mm256_maddubs_epi16(rows.magnitude, query);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline vi vi_dot4_weights(vi acc, vi values, uint32_t four)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32((int32_t)four), values);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline vi vi_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* To the nearest even integer. */
static inline vi vi_from_float(vf a)
{
    return _mm256_cvtps_epi32(a);
}

static inline vi vi_shift7(vi a)
{
    return _mm256_srli_epi32(a, 7);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}

/* The lowest byte of each lane. */
static inline void vi_store_bytes(void *p, vi a)
{
    const __m256i low =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i bytes = _mm256_shuffle_epi8(a, low);
    _mm_storel_epi64(
        p, _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
}

/* Byte i of a, b, c, d side by side, for 16 i. */
static inline void byte_interleave4(void *out, const void *a, const void *b, const void *c,
                                    const void *d)
{
    __m128i r0 = _mm_loadu_si128(a), r1 = _mm_loadu_si128(b), r2 = _mm_loadu_si128(c),
            r3 = _mm_loadu_si128(d);
    __m128i ab0 = _mm_unpacklo_epi8(r0, r1), ab1 = _mm_unpackhi_epi8(r0, r1);
    __m128i cd0 = _mm_unpacklo_epi8(r2, r3), cd1 = _mm_unpackhi_epi8(r2, r3);
    __m128i *to = out;
    _mm_storeu_si128(to, _mm_unpacklo_epi16(ab0, cd0));
    _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(ab0, cd0));
    _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(ab1, cd1));
    _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(ab1, cd1));
}

static inline vf vf_from_int(vi a)
{
    return _mm256_cvtepi32_ps(a);
}

static inline void dword_transpose4(void *out, size_t stride_bytes, const void *a, const void *b,
                                    const void *c, const void *d)
{
    __m128 r0 = _mm_loadu_ps(a), r1 = _mm_loadu_ps(b), r2 = _mm_loadu_ps(c), r3 = _mm_loadu_ps(d);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    char *to = out;
    _mm_storeu_ps((float *)(void *)to, r0);
    _mm_storeu_ps((float *)(void *)(to + stride_bytes), r1);
    _mm_storeu_ps((float *)(void *)(to + 2 * stride_bytes), r2);
    _mm_storeu_ps((float *)(void *)(to + 3 * stride_bytes), r3);
}

#endif
