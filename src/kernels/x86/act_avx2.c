// SPDX-License-Identifier: MIT
#include <immintrin.h>
#include <string.h>

#include "kernels/act.h"
#include "kernels/kernels_internal.h"

/* The bits of the largest |x| of 32, and of `top`. */
static __m256i top_of(__m256i top, const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    for (int i = 0; i < 4; i++) {
        __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + 8 * i));
        top = _mm256_max_epu32(top, _mm256_and_si256(bits, magnitude));
    }
    return top;
}

static uint32_t largest(__m256i a)
{
    __m128i b = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epu32(b, _mm_shuffle_epi32(b, 0x4e));
    b = _mm_max_epu32(b, _mm_shuffle_epi32(b, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(b);
}

static __m256i integers(const float *x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

/* 32 integers; returns their sums by 4. */
static __m256i quantize_32(int8_t *q, const float *x, float inverse)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256 factor = _mm256_set1_ps(inverse);
    __m256i a = _mm256_packs_epi32(integers(x, factor), integers(x + 8, factor));
    __m256i b = _mm256_packs_epi32(integers(x + 16, factor), integers(x + 24, factor));
    a = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
    if (inverse == 0)
        a = _mm256_setzero_si256();
    _mm256_storeu_si256((__m256i *)(void *)q, a);
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), a);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/* The sums of the first and of the last 16. */
static void halves(int sum[2], __m256i by_4)
{
    __m256i a = _mm256_add_epi32(by_4, _mm256_shuffle_epi32(by_4, 0x4e));
    a = _mm256_add_epi32(a, _mm256_shuffle_epi32(a, 0xb1));
    sum[0] = _mm256_cvtsi256_si32(a);
    sum[1] = _mm256_extract_epi32(a, 4);
}

static void quantize_256(glm_act_256 *out, const float *x)
{
    __m256i top = _mm256_setzero_si256();
    for (int i = 0; i < 8; i++)
        top = top_of(top, x + 32 * i);
    glm_act_scale s = glm_act_scale_of(largest(top));
    out->d = s.d;
    memset(out->unused, 0, sizeof out->unused);
    for (int i = 0; i < 8; i++) {
        int sum[2];
        halves(sum, quantize_32(out->q + 32 * i, x + 32 * i, s.inverse));
        out->sum16[2 * i] = (int16_t)sum[0];
        out->sum16[2 * i + 1] = (int16_t)sum[1];
        out->sum32[i] = (int16_t)(sum[0] + sum[1]);
    }
}

void glm_act_quantize_avx2(void *out, const float *x, uint32_t n, glm_act_layout layout)
{
    if (layout == GLM_ACT_256) {
        for (uint32_t k = 0; k < n; k += 256)
            quantize_256((glm_act_256 *)out + k / 256, x + k);
        return;
    }
    if (n % 256)
        memset((glm_act_32 *)out + n / 256, 0, sizeof(glm_act_32));
    for (uint32_t k = 0; k < n; k += 32) {
        glm_act_32 *a = (glm_act_32 *)out + k / 256;
        uint32_t b = k % 256 / 32;
        glm_act_scale s = glm_act_scale_of(largest(top_of(_mm256_setzero_si256(), x + k)));
        int sum[2];
        halves(sum, quantize_32(a->q + 32 * b, x + k, s.inverse));
        a->d[b] = s.d;
        a->sum[b] = sum[0] + sum[1];
    }
}
