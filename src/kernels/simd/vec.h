// SPDX-License-Identifier: MIT
/*
 * What the vector variants share. The files of this folder are written once in a small vocabulary and compiled once an
 * instruction set: x86/matmul_avx2.c is vec_avx2.h followed by simd/matmul.h. A vec_<isa>.h gives
 *
 *     KERNEL(slot)                 the function's name
 *     VL, TILE_TOK, ROPE_PAIRS     sizes
 *     vf, vf_zero set1 load store add sub mul div fma     VL float32s; loads and stores need no alignment
 *     vf_greater(a, b), vf_less    a > b ? a : b, a < b ? a : b (b when either is NaN)
 *     vi, vi_set1 add sub half to_exponent from_vf, vf_from_vi     VL 32-bit integers
 *     vf_load_f8_bits, vb, vb_zero max_doubled has           bytes as they are; 16 bytes: max(a, 2 * those at p); any equal?
 *     vf_load_bf16 f16 f8_e4m3 i8, vf_store_f16 bf16         VL elements to and from float32
 *     vf_rope_step                 ROPE_PAIRS pairs
 *     vec_tree4                    the last four steps of four sums at once
 *
 * Everything here is static inline: no wide instruction may reach an object file of the baseline.
 */
#ifndef GLM_KERNELS_SIMD_VEC_H
#define GLM_KERNELS_SIMD_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/kernels_internal.h"
#include "kernels/kv_row.h"
#include "kernels/sum16.h"
#include "quant/half.h"

#define INLINE static inline __attribute__((always_inline))

enum { NV = 16 / VL }; /* vectors that hold 16 partial sums */

/* The first n < VL elements, zeros above. */
INLINE vf vf_load_part(const float *p, size_t n)
{
    float lanes[VL] = {0};
    memcpy(lanes, p, n * sizeof *p);
    return vf_load(lanes);
}

INLINE void vf_store_part(float *p, vf a, size_t n)
{
    float lanes[VL];
    vf_store(lanes, a);
    memcpy(p, lanes, n * sizeof *p);
}

INLINE size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

/*
 * float32s of elements i0..i0+n-1 of a stored row of n_row, and zeros up to a multiple of 16. In a Q8 row they lie in one
 * block.
 */
INLINE void kv_decode(float *out, const void *row, size_t n_row, size_t i0, size_t n,
                      glm_kv_store type)
{
    const char *bytes = row;
    vf scale =
        vf_set1(type == GLM_KV_STORE_Q8 ? glm_q8_row_scale(row, n_row, i0 / GLM_KV_BLOCK) : 1);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        switch (type) {
        case GLM_KV_STORE_F32:
            vf_store(out + i, vf_load(bytes + 4 * (i0 + i)));
            break;
        case GLM_KV_STORE_F16:
            vf_store(out + i, vf_load_f16(bytes + 2 * (i0 + i)));
            break;
        case GLM_KV_STORE_BF16:
            vf_store(out + i, vf_load_bf16(bytes + 2 * (i0 + i)));
            break;
        case GLM_KV_STORE_Q8:
            vf_store(out + i, vf_mul(vf_load_i8(bytes + i0 + i), scale));
            break;
        }
    glm_kv_decode_c(out + i, row, n_row, i0 + i, n - i, type);
    for (i = n; i % 16 != 0; i++)
        out[i] = 0;
}

#endif
