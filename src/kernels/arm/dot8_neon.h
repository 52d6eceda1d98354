// SPDX-License-Identifier: MIT
/* 8-bit dot products for Advanced SIMD of 64-bit Arm without its dot-product instructions (simd/dot8.h). */
#ifndef GLM_KERNELS_ARM_DOT8_NEON_H
#define GLM_KERNELS_ARM_DOT8_NEON_H

#include "kernels/arm/vec_neon.h"

enum { DOT8_HEADS = 4, DOT8_VECS = 4, DOT8_BIAS = 0, SUM_HEADS = 2 };

typedef int8x16_t vq;

static inline vq vq_load(const void *p)
{
    return vld1q_s8(p);
}

static inline vi vi_dot4(vi acc, vq rows, uint32_t four)
{
    int8x16_t query = vreinterpretq_s8_u32(vdupq_n_u32(four));
    int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(rows), vget_low_s8(query)));
    int32x4_t high = vpaddlq_s16(vmull_high_s8(rows, query));
    return vaddq_u32(acc, vreinterpretq_u32_s32(vpaddq_s32(low, high)));
}

static inline vi vi_dot4_weights(vi acc, vi values, uint32_t four)
{
    return vi_dot4(acc, vreinterpretq_s8_u32(values), four);
}

static inline vi vi_load(const void *p)
{
    return vreinterpretq_u32_u8(vld1q_u8(p));
}

/* To the nearest even integer. */
static inline vi vi_from_float(vf a)
{
    return vreinterpretq_u32_s32(vcvtnq_s32_f32(a));
}

static inline vi vi_shift7(vi a)
{
    return vshrq_n_u32(a, 7);
}

static inline vi vi_and(vi a, vi b)
{
    return vandq_u32(a, b);
}

/* The lowest byte of each lane. */
static inline void vi_store_bytes(void *p, vi a)
{
    uint16x4_t half = vmovn_u32(a);
    uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(half, half))), 0);
    memcpy(p, &bytes, sizeof bytes);
}

static inline vf vf_from_int(vi a)
{
    return vcvtq_f32_s32(vreinterpretq_s32_u32(a));
}

#endif
