// SPDX-License-Identifier: MIT
/*
 * Every kernel function by name: glm_<slot>_<isa>. Only kernels.c and the files that define them include this.
 */
#ifndef GLM_KERNELS_KERNELS_INTERNAL_H
#define GLM_KERNELS_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

/* The slots that have vector variants (kernels/simd), those of 8-bit dot products and of integer matrix products, and all: X(slot). */
// clang-format off
#define GLM_DOT8_SLOTS(X) \
    X(attn_scores_q8) \
    X(attn_sum_q8) \
    X(index_scores_q8)
#define GLM_QMATMUL_SLOTS(X) \
    X(qmatmul) \
    X(act_quantize)
#define GLM_SIMD_SLOTS(X) \
    X(matmul) \
    X(row_sum) \
    X(decode_row) \
    X(rmsnorm) \
    X(layernorm) \
    X(rope) \
    X(silu_mul) \
    X(sigmoid) \
    X(add) \
    X(axpy) \
    X(kv_encode) \
    X(attn_scores) \
    X(softmax) \
    X(attn_sum) \
    X(index_scores) \
    GLM_DOT8_SLOTS(X)
#define GLM_KERNEL_SLOTS(X) \
    GLM_SIMD_SLOTS(X) \
    X(hadamard) \
    X(index_key_q8) \
    X(index_query_q8) \
    GLM_QMATMUL_SLOTS(X) \
    X(topk)
// clang-format on

#define GLM_DECLARE(slot) glm_##slot##_fn glm_##slot##_c;
GLM_KERNEL_SLOTS(GLM_DECLARE)
#undef GLM_DECLARE

#define GLM_DECLARE(slot)                                                                          \
    glm_##slot##_fn glm_##slot##_avx2, glm_##slot##_avx512, glm_##slot##_neon,                     \
        glm_##slot##_sve256, glm_##slot##_sve512;
GLM_SIMD_SLOTS(GLM_DECLARE)
#undef GLM_DECLARE

#define GLM_DECLARE(slot) glm_##slot##_fn glm_##slot##_avx512vnni;
GLM_DOT8_SLOTS(GLM_DECLARE)
GLM_DECLARE(qmatmul)
#undef GLM_DECLARE

glm_qmatmul_fn glm_qmatmul_avxvnni, glm_qmatmul_amx, glm_qmatmul_neon, glm_qmatmul_dotprod,
    glm_qmatmul_i8mm, glm_qmatmul_sve256, glm_qmatmul_sve512, glm_qmatmul_svei8mm256,
    glm_qmatmul_svei8mm512;

#define GLM_DECLARE(slot) glm_##slot##_fn glm_##slot##_avx2;
GLM_QMATMUL_SLOTS(GLM_DECLARE)
#undef GLM_DECLARE

#endif
