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
    /* What is written lies behind what is still to be read. */
    for (uint32_t h = 0; h < n_heads; h++) {
        float inverse, scale = glm_q8_scale(q + (size_t)h * d_head, d_head, &inverse);
        for (size_t i = 0; i < stride; i++) {
            float x;
            memcpy(&x, (char *)q + ((size_t)h * d_head + (i < d_head ? i : 0)) * sizeof x,
                   sizeof x);
            bytes[h * stride + i] =
                (char)(i < d_head && inverse != 0 ? glm_q8_value(x, inverse) : 0);
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
                           uint32_t n_keys, const void *next)
{
    (void)next;
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
static inline uint32_t order_of(float score)
{
    uint32_t bits = glm_f32_to_bits(score + 0.0F); /* -0 + 0 = +0 */
    uint32_t order = bits ^ ((0U - (bits >> 31)) | 0x80000000);
    return score != score ? 0 : order;
}

static inline float score_of(uint32_t order)
{
    return glm_f32_from_bits(order >> 31 ? order ^ 0x80000000 : ~order);
}

enum { DIGITS = 2048 };

/*
 * The k-th largest of n numbers by digits of 11, 11 and 10 bits: count the digits, find from above the one that holds it, go on
 * with the numbers that have it. Destroys them. *n_equal becomes how many equal to the result belong to the k.
 */
static uint32_t find_kth(uint32_t *number, uint32_t n, uint32_t k, uint32_t *n_equal)
{
    static const struct {
        int shift;
        uint32_t mask;
    } rounds[3] = {{21, 0x7ff}, {10, 0x7ff}, {0, 0x3ff}};
    uint32_t found = 0;
    for (int r = 0; r < 3; r++) {
        uint32_t count[DIGITS] = {0}, n_kept = 0, digit = rounds[r].mask;
        for (uint32_t i = 0; i < n; i++)
            count[number[i] >> rounds[r].shift & rounds[r].mask]++;
        while (count[digit] < k)
            k -= count[digit--];
        for (uint32_t i = 0; i < n; i++) {
            uint32_t kept = number[i];
            number[n_kept] = kept; /* n_kept <= i */
            n_kept += (kept >> rounds[r].shift & rounds[r].mask) == digit;
        }
        n = n_kept;
        found |= digit << rounds[r].shift;
    }
    *n_equal = k;
    return found;
}

/*
 * A score that probably at least k of n scores reach, and not many more, from every 16th of them: the sample's share of the k,
 * and five times its deviation. Any value is right; a bad one costs time.
 */
static float guess_bound(const float *score, uint32_t n, uint32_t k, uint32_t *scratch)
{
    enum { STEP = 16 };
    uint32_t n_sample = n / STEP, n_equal;
    for (uint32_t i = 0; i < n_sample; i++)
        scratch[i] = order_of(score[(size_t)i * STEP]);
    uint32_t wanted = k / STEP + (uint32_t)(5 * sqrtf((float)k / STEP)) + 8;
    return score_of(find_kth(scratch, n_sample, wanted < n_sample ? wanted : n_sample, &n_equal));
}

/* Positions of the scores that reach `bound`, ascending; stops behind `max` of them. */
static uint32_t find_candidates(uint32_t *position, uint32_t max, const float *score, uint32_t n,
                                float bound)
{
    enum { BLOCK = 16 };
    uint32_t n_found = 0, i = 0;
    for (; i + BLOCK <= n && n_found <= max; i += BLOCK) {
        int reached = 0;
        for (uint32_t j = 0; j < BLOCK; j++)
            reached |= score[i + j] >= bound;
        for (uint32_t j = 0; reached && j < BLOCK; j++) {
            position[n_found] = i + j;
            n_found += score[i + j] >= bound;
        }
    }
    for (; i < n && n_found <= max; i++)
        if (score[i] >= bound)
            position[n_found++] = i;
    return n_found;
}

/* The best k among n_from positions (NULL: all). `number` holds n_from words. */
static void choose(int32_t *out, uint32_t k, const float *score, const uint32_t *from,
                   uint32_t n_from, uint32_t *number)
{
    for (uint32_t i = 0; i < n_from; i++)
        number[i] = order_of(score[from ? from[i] : i]);
    uint32_t n_equal, kth = find_kth(number, n_from, k, &n_equal);
    for (uint32_t i = 0, n_out = 0; n_out < k; i++) {
        const uint32_t position = from ? from[i] : i, order = order_of(score[position]);
        if (order < kth || (order == kth && n_equal == 0))
            continue;
        n_equal -= order == kth;
        out[n_out++] = (int32_t)position;
    }
}

void glm_topk_c(int32_t *out, uint32_t k, const float *score, uint32_t n, uint32_t *scratch)
{
    if (n >= 1024 && n / 8 >= k) {
        const uint32_t most = n / 2 - 16; /* candidates beside which their numbers fit */
        float bound = guess_bound(score, n, k, scratch);
        uint32_t n_found = find_candidates(scratch, most, score, n, bound);
        if (n_found >= k && n_found <= most) {
            choose(out, k, score, scratch, n_found, scratch + n_found);
            return;
        }
    }
    choose(out, k, score, NULL, n, scratch);
}
