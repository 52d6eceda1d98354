// SPDX-License-Identifier: MIT
/*
 * check-kernels: every slot of the kernel table, at every instruction set that this machine runs, bit for bit against
 * the scalar reference; the reference itself against double arithmetic within the bound of its contract.
 *
 * A family's file has one function a slot. It is called with the table under test; `ctx->is_reference` says that this
 * is the scalar table, to be held against the oracle.
 */
#ifndef GLM_TESTS_KERNELS_HARNESS_H
#define GLM_TESTS_KERNELS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

typedef struct chk_ctx {
    const glm_kernels *k;   /* under test */
    const glm_kernels *ref; /* scalar */
    bool is_reference;      /* k is the scalar table */
    const char *slot;
    uint64_t rng;
    uint64_t n_cases, n_failures;
    char what[256]; /* the shape under test, for messages */
} chk_ctx;

typedef void chk_fn(chk_ctx *ctx);

chk_fn chk_matmul, chk_row_sum, chk_decode_row;
chk_fn chk_act_quantize, chk_qmatmul;
glm_qmatmul_fn chk_qmatmul_avxvnni, chk_qmatmul_amx; /* stand_in_*.c, x86 only */
chk_fn chk_rmsnorm, chk_layernorm, chk_rope;
chk_fn chk_silu_mul, chk_sigmoid, chk_add, chk_axpy;
chk_fn chk_kv_encode, chk_attn_scores, chk_attn_scores_q8, chk_softmax, chk_attn_sum;
chk_fn chk_attn_sum_q8;
chk_fn chk_index_scores, chk_hadamard, chk_index_key_q8, chk_index_query_q8, chk_index_scores_q8;
chk_fn chk_topk;

/** Uniform 64 bits; below n (at least 1); in [-1, 1). */
uint64_t chk_rand(chk_ctx *ctx);
uint32_t chk_below(chk_ctx *ctx, uint32_t n);
float chk_unit(chk_ctx *ctx);

/** One of the values given. */
#define CHK_PICK(ctx, ...)                                                                         \
    ((const uint32_t[]){__VA_ARGS__})[chk_below(                                                   \
        ctx, (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))]

/**
 * size_bytes that end where an unmapped page begins, after 64 canary bytes. They live until chk_release, which also
 * looks at the canaries.
 */
void *chk_alloc(size_t size_bytes);
float *chk_floats(size_t n);
/** 64-byte aligned scratch of n floats (rounded up to 16). */
float *chk_scratch(size_t n);
void chk_release(chk_ctx *ctx);

/** Fill kinds in rotation: random, huge, subnormal, one-hot, all equal, and with infinities and NaN between. */
enum { CHK_N_FILLS = 6, CHK_N_FINITE_FILLS = 5 };
void chk_fill(chk_ctx *ctx, float *x, size_t n, unsigned kind);

/** Before a call: a pattern that is no result. */
void chk_poison(float *out, size_t n);

/** Count a case; report when a bit differs (all NaN are alike), also in the gaps between rows. */
void chk_equal(chk_ctx *ctx, const float *got, const float *want, size_t n);

/** Report when |got - exact| > bound; a case whose exact value or bound is beyond float32 is passed over. */
void chk_near(chk_ctx *ctx, float got, double exact, double bound, size_t index);

void chk_fail(chk_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** What glm_dot16 may differ from the exact sum: see kernels/matmul.h. */
double chk_dot_bound(size_t n, double sum_of_abs);

#endif
