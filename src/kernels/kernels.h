// SPDX-License-Identifier: MIT
/*
 * The kernel table: pure, single-threaded functions on raw pointers, one slot a family, filled for the best
 * instruction set of this machine. Contracts (shapes, summation order, error bound) stand in the header of
 * each family; the scalar reference in <family>_c.c is the specification and every variant gives its bits.
 *
 * Who calls: src/backend/cpu only. Kernels cannot fail: shapes and offsets were proven when weights were bound.
 */
#ifndef GLM_KERNELS_KERNELS_H
#define GLM_KERNELS_KERNELS_H

#include <stdbool.h>

#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/indexer.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/qmatmul.h"

typedef enum glm_isa {
    GLM_ISA_SCALAR,
    GLM_ISA_AVX2,       /* AVX2, FMA, F16C */
    GLM_ISA_AVXVNNI,    /* and AVX-VNNI: processors without AVX-512 */
    GLM_ISA_AVX512,     /* AVX2 and AVX-512 F, BW, VL, DQ */
    GLM_ISA_AVX512VNNI, /* and AVX-512 VNNI */
    GLM_ISA_AMX,        /* and AMX-INT8 */
    GLM_ISA_NEON,
    GLM_ISA_DOTPROD, /* and dot products of bytes */
    GLM_ISA_I8MM,    /* and products of matrices of bytes */
    GLM_ISA_SVE,     /* NEON and SVE with vectors of 256 or 512 bits; of 128 they gain nothing */
    GLM_ISA_SVEI8MM, /* and products of matrices of bytes in them */
    GLM_ISA_COUNT,
} glm_isa;

typedef struct glm_kernels {
    glm_isa isa;
    glm_matmul_fn *matmul;
    glm_act_quantize_fn *act_quantize;
    glm_qmatmul_fn *qmatmul;
    glm_row_sum_fn *row_sum;
    glm_decode_row_fn *decode_row;
    glm_rmsnorm_fn *rmsnorm;
    glm_layernorm_fn *layernorm;
    glm_rope_fn *rope;
    glm_silu_mul_fn *silu_mul;
    glm_sigmoid_fn *sigmoid;
    glm_add_fn *add;
    glm_axpy_fn *axpy;
    glm_kv_encode_fn *kv_encode;
    glm_attn_scores_fn *attn_scores;
    glm_attn_scores_q8_fn *attn_scores_q8;
    glm_softmax_fn *softmax;
    glm_attn_sum_fn *attn_sum;
    glm_attn_sum_q8_fn *attn_sum_q8;
    glm_index_scores_fn *index_scores;
    glm_hadamard_fn *hadamard;
    glm_index_key_q8_fn *index_key_q8;
    glm_index_query_q8_fn *index_query_q8;
    glm_index_scores_q8_fn *index_scores_q8;
    glm_topk_fn *topk;
} glm_kernels;

/** Fill *k for `isa`: scalar first, then everything that level and those below it have. */
void glm_kernels_init(glm_kernels *k, glm_isa isa);

/** The highest level that glm_isa_is_usable, AMX apart: its instructions never ran on hardware, so it is only taken by name. */
glm_isa glm_kernels_best_isa(void);

/** "scalar", "avx2", ...; "unknown" otherwise. */
const char *glm_isa_name(glm_isa isa);

/** The level called `name`; false when there is none of that name in any build. */
bool glm_isa_parse(const char *name, glm_isa *out);

/** Whether `isa` is compiled in and this processor and operating system run it (raw CPUID, XGETBV, HWCAP). */
bool glm_isa_is_usable(glm_isa isa);

#endif
