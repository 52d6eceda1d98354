// SPDX-License-Identifier: MIT
/*
 * Sixteen candidates side by side: the searches try 16 scales at once, one a lane, and walk over a group's elements. A lane
 * never meets another, so the sums have one order whatever the width of a register, and every build gives the same
 * bits. Written with the compiler's vector types; each build takes the widest it has.
 */
#ifndef GLM_QUANT_ENCODE_LANES_H
#define GLM_QUANT_ENCODE_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { GLM_LANES = 16 };

/* For the inner loops, which are compiled for each kind of levels or size of vectors. */
#define GLM_SPECIALISED static inline __attribute__((always_inline))

#if defined __AVX512F__
enum { GLM_VEC = 16 };
#elif defined __AVX2__
enum { GLM_VEC = 8 };
#else
enum { GLM_VEC = 4 };
#endif

typedef float vec_f __attribute__((vector_size(4 * GLM_VEC)));
typedef int32_t vec_i __attribute__((vector_size(4 * GLM_VEC)));

typedef float quad_f __attribute__((vector_size(16)));
typedef int32_t quad_i __attribute__((vector_size(16)));

static inline quad_f quad_load(const float *p)
{
    quad_f v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline quad_f quad_select(quad_i mask, quad_f yes, quad_f no)
{
    return (quad_f)((mask & (quad_i)yes) | (~mask & (quad_i)no));
}

static inline vec_f vec_load(const float *p)
{
    vec_f v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(float *p, vec_f v)
{
    memcpy(p, &v, sizeof v);
}

static inline vec_f vec_set(float v)
{
    return v - (vec_f){0};
}

/*
 * vec_min: a < b ? a : b; vec_max: a > b ? a : b; vec_less: a < b ? yes : no; vec_negative: one bit a lane where v < 0. Lane by lane,
 * the second of two that do not compare.
 */
#if defined __AVX512F__
#include "quant/x86/vec_avx512.h"
#elif defined __AVX2__
#include "quant/x86/vec_avx2.h"
#else
static inline vec_f vec_less(vec_f a, vec_f b, vec_f yes, vec_f no)
{
    vec_i mask = a < b;
    return (vec_f)((mask & (vec_i)yes) | (~mask & (vec_i)no));
}

static inline vec_f vec_min(vec_f a, vec_f b)
{
    return vec_less(a, b, a, b);
}

static inline vec_f vec_max(vec_f a, vec_f b)
{
    return vec_less(b, a, a, b);
}

static inline uint32_t vec_negative(vec_f v)
{
    vec_i bits = (v < 0) & (vec_i){1, 2, 4, 8};
    return (uint32_t)(bits[0] | bits[1] | bits[2] | bits[3]);
}
#endif

static inline vec_f vec_clamp(vec_f v, float low, float high)
{
    return vec_min(vec_max(v, vec_set(low)), vec_set(high));
}

/** To the nearest integer, ties to even, for |v| < 2^22. */
static inline vec_f vec_round(vec_f v)
{
    return v + 0x1.8p23F - 0x1.8p23F;
}

/** 1 / v; 0 where |v| is so small that it would overflow: a scale of 0 encodes 0. */
static inline vec_f vec_inverse(vec_f v)
{
    vec_f size = (vec_f)((vec_i)v & INT32_MAX), least = vec_set(1e-30F);
    return vec_less(size, least, vec_set(0), 1.0F / vec_less(size, least, vec_set(1), v));
}

/** The 11 leading bits of v, ties to even: the f16 of a normal result. Source: Dekker 1971, for |v| < 2^100. */
static inline vec_f vec_11_bits(vec_f v)
{
    vec_f big = v * 8193.0F;
    return big - (big - v);
}

/* The better of two quarters of the lanes, with their numbers; the first where they are alike. */
GLM_SPECIALISED void keep_less(quad_f *v, quad_i *lane, quad_f other, quad_i other_lane)
{
    quad_i less = other < *v;
    *v = quad_select(less, other, *v);
    *lane = (less & other_lane) | (~less & *lane);
}

/** The lane with the least value; NaN is never less. */
GLM_SPECIALISED int least_lane(const float v[GLM_LANES])
{
    quad_f part[4];
    quad_i lane[4] = {{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}, {12, 13, 14, 15}};
    memcpy(part, v, sizeof part);
    keep_less(&part[0], &lane[0], part[1], lane[1]);
    keep_less(&part[2], &lane[2], part[3], lane[3]);
    keep_less(&part[0], &lane[0], part[2], lane[2]);
    keep_less(&part[0], &lane[0], __builtin_shufflevector(part[0], part[0], 2, 3, 2, 3),
              __builtin_shufflevector(lane[0], lane[0], 2, 3, 2, 3));
    keep_less(&part[0], &lane[0], __builtin_shufflevector(part[0], part[0], 1, 1, 1, 1),
              __builtin_shufflevector(lane[0], lane[0], 1, 1, 1, 1));
    return lane[0][0];
}

#endif
