// SPDX-License-Identifier: MIT
/* 8-bit dot products for AVX2 (simd/dot8.h). To be included by files with the suffix _avx2.c only. */
#ifndef GLM_KERNELS_X86_DOT8_AVX2_H
#define GLM_KERNELS_X86_DOT8_AVX2_H

#include "kernels/x86/vec_avx2.h"

enum { DOT8_HEADS = 4, DOT8_VECS = 2, DOT8_BIAS = 0 };

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
