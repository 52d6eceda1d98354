// SPDX-License-Identifier: MIT
/* What the encoders need of AVX2 beyond the compiler's vector types: a < b ? ... : ... in one or two instructions. */
#ifndef GLM_QUANT_X86_VEC_AVX2_H
#define GLM_QUANT_X86_VEC_AVX2_H

#include <immintrin.h>

static inline vec_f vec_min(vec_f a, vec_f b)
{
    return (vec_f)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline vec_f vec_max(vec_f a, vec_f b)
{
    return (vec_f)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline vec_f vec_less(vec_f a, vec_f b, vec_f yes, vec_f no)
{
    __m256 mask = _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ);
    return (vec_f)_mm256_blendv_ps((__m256)no, (__m256)yes, mask);
}

/** One bit a lane where v < 0. */
static inline uint32_t vec_negative(vec_f v)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, _mm256_setzero_ps(), _CMP_LT_OQ));
}

#endif
