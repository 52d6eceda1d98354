// SPDX-License-Identifier: MIT
/* 8-bit dot products for SVE (simd/dot8.h). To be included by files with the suffix _sve256.c or _sve512.c only. */
#ifndef GLM_KERNELS_ARM_DOT8_SVE_H
#define GLM_KERNELS_ARM_DOT8_SVE_H

#include "kernels/arm/vec_sve.h"

enum { DOT8_HEADS = 4, DOT8_VECS = 32 / VL, DOT8_BIAS = 0, SUM_HEADS = 2 };

typedef svint8_t vq SVE_FIXED;

static inline vq vq_load(const void *p)
{
    return svld1_s8(svptrue_b8(), p);
}

static inline vi vi_dot4(vi acc, vq rows, uint32_t four)
{
    vq query = svreinterpret_s8_u32(svdup_u32(four));
    return svreinterpret_u32_s32(svdot_s32(svreinterpret_s32_u32(acc), rows, query));
}

static inline vi vi_dot4_weights(vi acc, vi values, uint32_t four)
{
    return vi_dot4(acc, svreinterpret_s8_u32(values), four);
}

static inline vi vi_load(const void *p)
{
    return svreinterpret_u32_u8(svld1_u8(svptrue_b8(), p));
}

/* To the nearest even integer. */
static inline vi vi_from_float(vf a)
{
    return svreinterpret_u32_s32(svcvt_s32_f32_x(V_ALL, svrintn_f32_x(V_ALL, a)));
}

static inline vi vi_shift7(vi a)
{
    return svlsr_n_u32_x(V_ALL, a, 7);
}

static inline vi vi_and(vi a, vi b)
{
    return svand_u32_x(V_ALL, a, b);
}

/* The lowest byte of each lane. */
static inline void vi_store_bytes(void *p, vi a)
{
    svst1b_u32(V_ALL, p, a);
}

static inline vf vf_from_int(vi a)
{
    return svcvt_f32_s32_x(V_ALL, svreinterpret_s32_u32(a));
}

#endif
