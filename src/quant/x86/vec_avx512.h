// SPDX-License-Identifier: MIT
/* As vec_avx2.h, with the mask registers of AVX-512. */
#ifndef GLM_QUANT_X86_VEC_AVX512_H
#define GLM_QUANT_X86_VEC_AVX512_H

#include <immintrin.h>

static inline vec_f vec_min(vec_f a, vec_f b)
{
    return (vec_f)_mm512_min_ps((__m512)a, (__m512)b);
}

static inline vec_f vec_max(vec_f a, vec_f b)
{
    return (vec_f)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline vec_f vec_less(vec_f a, vec_f b, vec_f yes, vec_f no)
{
    __mmask16 mask = _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
    return (vec_f)_mm512_mask_blend_ps(mask, (__m512)no, (__m512)yes);
}

/** One bit a lane where v < 0. */
static inline uint32_t vec_negative(vec_f v)
{
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_LT_OQ);
}

#endif
