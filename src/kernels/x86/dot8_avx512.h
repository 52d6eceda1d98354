// SPDX-License-Identifier: MIT
/*
 * 8-bit dot products for AVX-512, without and with its VNNI part (simd/dot8.h). To be included by files with the suffixes
 * _avx512.c and _avx512vnni.c only; the latter's flags choose the second form.
 */
#ifndef GLM_KERNELS_X86_DOT8_AVX512_H
#define GLM_KERNELS_X86_DOT8_AVX512_H

#include "kernels/x86/vec_avx512.h"

enum { DOT8_HEADS = 8, DOT8_VECS = 2, SUM_HEADS = 4 };

#ifdef __AVX512VNNI__

/* The instruction takes one factor without sign: the rows, moved up by 128. */
enum { DOT8_BIAS = 128 };
typedef __m512i vq;

static inline vq vq_load(const void *p)
{
    return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8((char)-128));
}

static inline vi vi_dot4(vi acc, vq rows, uint32_t four)
{
    return _mm512_dpbusd_epi32(acc, rows, _mm512_set1_epi32((int32_t)four));
}

static inline vi vi_dot4_weights(vi acc, vi values, uint32_t four)
{
    return _mm512_dpbusd_epi32(acc, _mm512_set1_epi32((int32_t)four), values);
}

#else

/* As for AVX2: magnitudes of the rows, their signs to the query. */
enum { DOT8_BIAS = 0 };
typedef struct vq {
    __m512i magnitude;
    __mmask64 is_negative;
} vq;

static inline vq vq_load(const void *p)
{
    __m512i rows = _mm512_loadu_si512(p);
    return (vq){_mm512_abs_epi8(rows), _mm512_movepi8_mask(rows)};
}

static inline vi vi_dot4(vi acc, vq rows, uint32_t four)
{
    __m512i query = _mm512_set1_epi32((int32_t)four);
    query = _mm512_mask_sub_epi8(query, rows.is_negative, _mm512_setzero_si512(), query);
    __m512i pairs = _mm512_maddubs_epi16(rows.magnitude, query);
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

static inline vi vi_dot4_weights(vi acc, vi values, uint32_t four)
{
    __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi32((int32_t)four), values);
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

#endif

static inline vi vi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

/* To the nearest even integer. */
static inline vi vi_from_float(vf a)
{
    return _mm512_cvtps_epi32(a);
}

static inline vi vi_shift7(vi a)
{
    return _mm512_srli_epi32(a, 7);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}

/* The lowest byte of each lane. */
static inline void vi_store_bytes(void *p, vi a)
{
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8(a));
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
    return _mm512_cvtepi32_ps(a);
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
