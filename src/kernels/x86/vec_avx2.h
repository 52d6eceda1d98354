// SPDX-License-Identifier: MIT
/*
 * Vectors for AVX2 + FMA + F16C, in the vocabulary that kernels/simd is written in (listed in simd/vec.h). To be
 * included by files with the suffix _avx2.c only.
 */
#ifndef GLM_KERNELS_X86_VEC_AVX2_H
#define GLM_KERNELS_X86_VEC_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL(slot) glm_##slot##_avx2
#define GLM_TILE_TOK 3

enum {
    VL = 8,                  /* float32s a vector */
    TILE_TOK = GLM_TILE_TOK, /* tokens of a register tile: 4 rows each, one accumulator */
    ROPE_PAIRS = 4,          /* pairs a rope step */
};

typedef __m256 vf;
typedef __m256i vi;

static inline vf vf_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vf vf_set1(float a)
{
    return _mm256_set1_ps(a);
}

static inline vf vf_load(const void *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vf_store(void *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf vf_greater(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_less(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vi vi_set1(uint32_t a)
{
    return _mm256_set1_epi32((int32_t)a);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm256_sub_epi32(a, b);
}

static inline vi vi_half(vi a)
{
    return _mm256_srai_epi32(a, 1);
}

static inline vi vi_to_exponent(vi a)
{
    return _mm256_slli_epi32(a, 23);
}

static inline vi vi_from_vf(vf a)
{
    return _mm256_castps_si256(a);
}

static inline vf vf_from_vi(vi a)
{
    return _mm256_castsi256_ps(a);
}

static inline vf vf_load_bf16(const void *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}

static inline vf vf_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}

/*
 * The byte's bits at their place in a half are 2^-8 of its value; conversion takes subnormals without delay. 0x7f, NaN,
 * is what carries into bit 14, and gets the half's whole exponent.
 */
static inline vf vf_load_f8_e4m3(const void *p)
{
    __m128i half = _mm_slli_epi16(_mm_cvtepi8_epi16(_mm_loadl_epi64(p)), 7);
    half = _mm_and_si128(half, _mm_set1_epi16((short)0xbf80));
    __m128i carry =
        _mm_and_si128(_mm_add_epi16(half, _mm_set1_epi16(0x80)), _mm_set1_epi16(0x4000));
    return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(half, carry)), _mm256_set1_ps(256));
}

/* A byte's bits at their place in a float32: 2^-120 of its value; NaN is taken for 480. */
static inline vf vf_load_f8_bits(const void *p)
{
    __m256i bits = _mm256_slli_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)), 20);
    return _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi32((int)0x87f00000)));
}

typedef __m128i vb;

static inline vb vb_zero(void)
{
    return _mm_setzero_si128();
}

static inline vb vb_max_doubled(vb a, const void *p)
{
    __m128i b = _mm_loadu_si128(p);
    return _mm_max_epu8(a, _mm_add_epi8(b, b));
}

static inline bool vb_has(vb a, int byte)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(a, _mm_set1_epi8((char)byte))) != 0;
}

static inline vf vf_load_i8(const void *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)));
}

static inline void vf_store_f16(void *p, vf a)
{
    _mm_storeu_si128(p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline void vf_store_bf16(void *p, vf a)
{
    __m256i bits = _mm256_castps_si256(a), upper = _mm256_srli_epi32(bits, 16);
    __m256i even = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    __m256i h = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), quiet, is_nan);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08);
    _mm_storeu_si128(p, _mm256_castsi256_si128(packed));
}

/* x[0..7]: four pairs (a, b) become (a cos - b sin, a sin + b cos), the second product of each rounded. */
static inline void vf_rope_step(float *x, const float *cos_table, const float *sin_table)
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    __m256 c = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(cos_table)), twice);
    __m256 s = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(sin_table)), twice);
    __m256 v = _mm256_loadu_ps(x);
    __m256 cs = _mm256_blend_ps(c, s, 0xaa), sc = _mm256_blend_ps(s, c, 0xaa);
    __m256 second = _mm256_mul_ps(_mm256_movehdup_ps(v), sc);
    _mm256_storeu_ps(x, _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, second));
}

/* The trees of four sums whose 16 partial sums lie at p, 16 floats apart. */
static inline __m128 vec_tree_to_4(const float *p)
{
    __m256 s = _mm256_add_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
    return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}

static inline void vec_tree4(float out[4], const float *p)
{
    __m128 a = vec_tree_to_4(p), b = vec_tree_to_4(p + 16);
    __m128 c = vec_tree_to_4(p + 32), d = vec_tree_to_4(p + 48);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(a, c), _mm_add_ps(b, d)));
}

#endif
