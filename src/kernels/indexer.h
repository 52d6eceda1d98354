// SPDX-License-Identifier: MIT
/*
 * The lightning indexer's scores and the exact selection of the best positions.
 */
#ifndef GLM_KERNELS_INDEXER_H
#define GLM_KERNELS_INDEXER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/attention.h"

/**
 * score[s] = sum over h of w[h] * relu(dot(q + h * d_head, key s)), relu(v) = v > 0 ? v : 0 (NaN gives 0), the dot in the
 * order of kernels/matmul.h, the sum one chain acc = fma(w[h], relu, acc) from 0 with h ascending.
 *
 * @param q        [n_heads, d_head]
 * @param w        [n_heads], constants folded in; may be negative
 * @param keys     n_keys rows of d_head elements of `type`, key_stride_bytes apart
 * @param scratch  [16 * d_head rounded up to 16] floats, 64-byte aligned
 * Source: DeepSeek-V3.2, eq. 1.
 */
typedef void glm_index_scores_fn(float *score, const float *q, const float *w, uint32_t n_heads,
                                 uint32_t d_head, const void *keys, size_t key_stride_bytes,
                                 uint32_t n_keys, glm_kv_store type, float *scratch);

/**
 * x times the orthonormal Walsh-Hadamard matrix of each block of m elements, m the largest power of two that divides n, in
 * place: for h = 1, 2, 4, ... m/2 the pairs (a, b) that lie h apart become (a + b, a - b), then each element is multiplied by
 * fl(1 / sqrt(m)). It cancels in a dot product of two rotated vectors and spreads single large elements before they are
 * rounded to 8 bits.
 * Source: DeepSeek-V3.2-Exp, inference/model.py, rotate_activation.
 */
typedef void glm_hadamard_fn(float *x, size_t n);

/** Store a key of d values in its lane of a group (quant/kv_format.h). */
typedef void glm_index_key_q8_fn(void *lane, const float *x, size_t d);

/** The queries of one row in 8 bits. */
typedef struct glm_index_query {
    const int8_t *q;    /* [n_heads, d_head rounded up to 4], zeros behind d_head */
    const int32_t *sum; /* [n_heads] of each head's bytes */
    const float *w;     /* [n_heads] head weight times the query's scale */
    uint32_t n_heads, d_head;
} glm_index_query;

/**
 * Quantise the queries of one row, one block and scale a head, in place: the bytes and then their sums take the place of the
 * floats, where glm_index_query_at finds them; w[h] becomes fl(w[h] * scale h).
 *
 * @param q       [n_heads, d_head]
 * @param w       [n_heads]
 * @param d_head  at least 2
 */
typedef void glm_index_query_q8_fn(float *q, float *w, uint32_t n_heads, uint32_t d_head);

static inline glm_index_query glm_index_query_at(const float *q, const float *w, uint32_t n_heads,
                                                 uint32_t d_head)
{
    const char *bytes = (const char *)q, *sums = bytes + n_heads * glm_kv_scales_at(d_head);
    return (glm_index_query){(const int8_t *)bytes, (const int32_t *)(const void *)sums, w, n_heads,
                             d_head};
}

/**
 * score[s] = acc * scale of key s, acc = fma(w[h], relu(sum_h), acc) from 0 with h ascending, sum_h the exact integer sum of
 * the products of the bytes of head h and key s.
 *
 * @param groups  of keys, the first at a group's begin; those that hold n_keys keys are read whole
 * @param next    as many groups that will be wanted next: asked for meanwhile, and need not be readable
 */
typedef void glm_index_scores_q8_fn(float *score, const glm_index_query *query, const void *groups,
                                    uint32_t n_keys, const void *next);

/**
 * The k best of n scores: higher score first, among equal scores the lower position. Writes the chosen positions in
 * ascending order. -0 equals +0; NaN counts as lower than everything.
 *
 * @param out      [k]
 * @param k        1..n
 * @param scratch  [n] 32-bit words
 */
typedef void glm_topk_fn(int32_t *out, uint32_t k, const float *score, uint32_t n,
                         uint32_t *scratch);

#endif
