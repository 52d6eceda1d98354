// SPDX-License-Identifier: MIT
#include "kernels/indexer.h"

#include "kernels/kernels_internal.h"
#include "kernels/kv_row.h"
#include "kernels/sum16.h"

void glm_index_scores_c(float *score, const float *q, const float *w, uint32_t n_heads,
                        uint32_t d_head, const void *keys, size_t key_stride_bytes, uint32_t n_keys,
                        glm_kv_store type, float *scratch)
{
    for (uint32_t s = 0; s < n_keys; s++) {
        glm_kv_decode_c(scratch, (const char *)keys + s * key_stride_bytes, d_head, 0, d_head,
                        type);
        float acc = 0;
        for (uint32_t h = 0; h < n_heads; h++) {
            float dot = glm_dot16(q + (size_t)h * d_head, scratch, d_head);
            acc = fmaf(w[h], dot > 0 ? dot : 0, acc);
        }
        score[s] = acc;
    }
}

void glm_hadamard_c(float *x, size_t n)
{
    const size_t m = n & (~n + 1);
    const float factor = 1.0F / sqrtf((float)m);
    for (size_t i0 = 0; i0 < n; i0 += m)
        for (size_t h = 1; h < m; h *= 2)
            for (size_t i = i0; i < i0 + m; i += 2 * h)
                for (size_t j = i; j < i + h; j++) {
                    float a = x[j], b = x[j + h];
                    x[j] = a + b;
                    x[j + h] = a - b;
                }
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

void glm_index_key_q8_c(void *lane, const float *x, size_t d)
{
    char *at = lane;
    float inverse, scale = glm_q8_scale(x, d, &inverse);
    for (size_t i = 0; i < glm_kv_scales_at(d); i++) {
        int8_t value = i < d && inverse != 0 ? glm_q8_value(x[i], inverse) : 0;
        memcpy(at + i / 4 * 4 * GLM_INDEX_GROUP + i % 4, &value, sizeof value);
    }
    memcpy(at + glm_kv_scales_at(d) * GLM_INDEX_GROUP, &scale, sizeof scale);
}

void glm_index_query_q8_c(float *q, float *w, uint32_t n_heads, uint32_t d_head)
{
    const size_t stride = glm_kv_scales_at(d_head);
    char *bytes = (char *)q, *sums = bytes + n_heads * stride;
    for (uint32_t h = 0; h < n_heads;
         h++) { /* what is written lies behind what is still to be read */
        float inverse, scale = glm_q8_scale(q + (size_t)h * d_head, d_head, &inverse);
        for (size_t i = 0; i < stride; i++) {
            float x;
            memcpy(&x, (char *)q + ((size_t)h * d_head + (i < d_head ? i : 0)) * sizeof x,
                   sizeof x);
            bytes[h * stride + i] = i < d_head && inverse != 0 ? glm_q8_value(x, inverse) : 0;
        }
        w[h] *= scale;
    }
    for (uint32_t h = 0; h < n_heads; h++) {
        int32_t sum = 0;
        for (size_t i = 0; i < stride; i++)
            sum += ((const int8_t *)bytes)[h * stride + i];
        memcpy(sums + h * sizeof sum, &sum, sizeof sum);
    }
}

void glm_index_scores_q8_c(float *score, const glm_index_query *query, const void *groups,
                           uint32_t n_keys)
{
    const size_t stride = glm_kv_scales_at(query->d_head);
    for (uint32_t s = 0; s < n_keys; s++) {
        const char *lane = (const char *)groups +
                           s / GLM_INDEX_GROUP * glm_index_group_bytes(query->d_head) +
                           s % GLM_INDEX_GROUP * 4;
        float acc = 0, scale;
        for (uint32_t h = 0; h < query->n_heads; h++) {
            int32_t sum = 0;
            for (size_t i = 0; i < stride; i++)
                sum += query->q[h * stride + i] * (int8_t)lane[i / 4 * 4 * GLM_INDEX_GROUP + i % 4];
            acc = fmaf(query->w[h], sum > 0 ? (float)sum : 0, acc);
        }
        memcpy(&scale, lane + stride * GLM_INDEX_GROUP, sizeof scale);
        score[s] = acc * scale;
    }
}

/* Unsigned numbers in the order of the scores: NaN lowest, both zeros alike. */
static uint32_t order_of(float score)
{
    if (score != score)
        return 0;
    uint32_t bits = glm_f32_to_bits(score + 0.0F); /* -0 + 0 = +0 */
    return bits >> 31 ? ~bits : bits | 0x80000000;
}

/*
 * The k-th largest key by three rounds of counting 11, 11 and 10 bits: each round counts the keys that agree with the
 * bits found so far and walks the counts from above. *n_equal becomes how many keys equal to it belong to the k.
 */
static uint32_t find_kth(const uint32_t *key, uint32_t n, uint32_t k, uint32_t *n_equal)
{
    static const int shifts[3] = {21, 10, 0}, widths[3] = {11, 11, 10};
    uint32_t found = 0, mask = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t count[2048] = {0}, top = (1U << widths[round]) - 1;
        for (uint32_t i = 0; i < n; i++)
            if ((key[i] & mask) == found)
                count[key[i] >> shifts[round] & top]++;
        uint32_t digit = top;
        while (count[digit] < k)
            k -= count[digit--];
        found |= digit << shifts[round];
        mask |= top << shifts[round];
    }
    *n_equal = k;
    return found;
}

void glm_topk_c(int32_t *out, uint32_t k, const float *score, uint32_t n, uint32_t *scratch)
{
    for (uint32_t i = 0; i < n; i++)
        scratch[i] = order_of(score[i]);
    uint32_t n_equal, kth = find_kth(scratch, n, k, &n_equal);
    for (uint32_t i = 0, n_out = 0; n_out < k; i++) {
        bool is_equal = scratch[i] == kth && n_equal > 0;
        if (is_equal)
            n_equal--;
        if (is_equal || scratch[i] > kth)
            out[n_out++] = (int32_t)i;
    }
}
