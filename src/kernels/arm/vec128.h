// SPDX-License-Identifier: MIT
/*
 * Parts of the vocabularies of kernels/simd that work on 128 bits on every Arm, whatever the length of its vectors: bytes in search of NaN,
 * trees of sums, 4 x 4 transpositions. For arm/vec_neon.h and arm/vec_sve.h.
 */
#ifndef GLM_KERNELS_ARM_VEC128_H
#define GLM_KERNELS_ARM_VEC128_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8x16_t vb;

static inline vb vb_zero(void)
{
    return vdupq_n_u8(0);
}

static inline vb vb_max_doubled(vb a, const void *p)
{
    return vmaxq_u8(a, vshlq_n_u8(vld1q_u8(p), 1));
}

static inline bool vb_has(vb a, int byte)
{
    return vmaxvq_u8(vceqq_u8(a, vdupq_n_u8((uint8_t)byte))) != 0;
}

/* The trees of four sums whose 16 partial sums lie at p, 16 floats apart. */
static inline float32x4_t vec_tree_to_4(const float *p)
{
    return vaddq_f32(vaddq_f32(vld1q_f32(p), vld1q_f32(p + 8)),
                     vaddq_f32(vld1q_f32(p + 4), vld1q_f32(p + 12)));
}

static inline void vec_tree4(float out[4], const float *p)
{
    float32x4_t a = vec_tree_to_4(p), b = vec_tree_to_4(p + 16);
    float32x4_t c = vec_tree_to_4(p + 32), d = vec_tree_to_4(p + 48);
    /* t0 + t2 and t1 + t3 of each sum, then their sum. */
    float32x2_t ua = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    float32x2_t ub = vadd_f32(vget_low_f32(b), vget_high_f32(b));
    float32x2_t uc = vadd_f32(vget_low_f32(c), vget_high_f32(c));
    float32x2_t ud = vadd_f32(vget_low_f32(d), vget_high_f32(d));
    vst1q_f32(out, vpaddq_f32(vcombine_f32(ua, ub), vcombine_f32(uc, ud)));
}

/* Byte i of a, b, c, d side by side, for 16 i. */
static inline void byte_interleave4(void *out, const void *a, const void *b, const void *c,
                                    const void *d)
{
    uint8x16x4_t rows = {{vld1q_u8(a), vld1q_u8(b), vld1q_u8(c), vld1q_u8(d)}};
    vst4q_u8(out, rows);
}

static inline void dword_transpose4(void *out, size_t stride_bytes, const void *a, const void *b,
                                    const void *c, const void *d)
{
    uint32x4_t r0 = vreinterpretq_u32_u8(vld1q_u8(a)), r1 = vreinterpretq_u32_u8(vld1q_u8(b));
    uint32x4_t r2 = vreinterpretq_u32_u8(vld1q_u8(c)), r3 = vreinterpretq_u32_u8(vld1q_u8(d));
    uint64x2_t t0 = vreinterpretq_u64_u32(vtrn1q_u32(r0, r1));
    uint64x2_t t1 = vreinterpretq_u64_u32(vtrn2q_u32(r0, r1));
    uint64x2_t t2 = vreinterpretq_u64_u32(vtrn1q_u32(r2, r3));
    uint64x2_t t3 = vreinterpretq_u64_u32(vtrn2q_u32(r2, r3));
    uint8_t *to = out;
    vst1q_u8(to, vreinterpretq_u8_u64(vtrn1q_u64(t0, t2)));
    vst1q_u8(to + stride_bytes, vreinterpretq_u8_u64(vtrn1q_u64(t1, t3)));
    vst1q_u8(to + 2 * stride_bytes, vreinterpretq_u8_u64(vtrn2q_u64(t0, t2)));
    vst1q_u8(to + 3 * stride_bytes, vreinterpretq_u8_u64(vtrn2q_u64(t1, t3)));
}

#endif
