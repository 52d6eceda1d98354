// SPDX-License-Identifier: MIT
/* kernels/indexer.h in vectors: 16 keys at a time, decoded once for all heads. */
#include "kernels/kv_row.h"
#include "kernels/simd/tile.h"

enum { KEYS = 16 };

/* acc[i] = fma(w, relu(dots[i]), acc[i]) for 16 keys. */
INLINE void add_head(float *acc, const float *dots, float w)
{
    for (int j = 0; j < KEYS; j += VL)
        vf_store(acc + j,
                 vf_fma(vf_set1(w), vf_greater(vf_load(dots + j), vf_zero()), vf_load(acc + j)));
}

/* Scores of 16 keys (some of them zeros that nobody reads), heads ascending. */
static void score_keys(float score[KEYS], const float *q, const float *w, uint32_t n_heads,
                       uint32_t d_head, const float *keys, uint32_t n_keys)
{
    size_t stride = round16(d_head);
    memset(score, 0, KEYS * sizeof *score);
    for (uint32_t h = 0; h < n_heads; h += TILE_TOK) {
        uint32_t n_tok = n_heads - h < TILE_TOK ? n_heads - h : TILE_TOK;
        float dots[TILE_TOK][KEYS] = {0};
        for (uint32_t i = 0; i < n_keys; i += TILE_ROWS) {
            float lanes[TILE_LANES] = {0};
            tile_f32(n_tok, lanes, keys + i * stride, stride, q + (size_t)h * d_head, d_head,
                     d_head);
            for (uint32_t t = 0; t < n_tok; t++)
                vec_tree4(&dots[t][i], lanes + t * TILE_ROWS * 16);
        }
        for (uint32_t t = 0; t < n_tok; t++)
            add_head(score, dots[t], w[h + t]);
    }
}

void KERNEL(index_scores)(float *score, const float *q, const float *w, uint32_t n_heads,
                          uint32_t d_head, const void *keys, size_t key_stride_bytes,
                          uint32_t n_keys, glm_kv_store type, float *scratch)
{
    size_t stride = round16(d_head);
    for (uint32_t s = 0; s < n_keys; s += KEYS) {
        uint32_t n = n_keys - s < KEYS ? n_keys - s : KEYS;
        for (uint32_t i = 0; i < n; i++)
            kv_decode(scratch + i * stride, (const char *)keys + (s + i) * key_stride_bytes, d_head,
                      0, d_head, type);
        for (uint32_t i = n; i % TILE_ROWS != 0; i++)
            memset(scratch + i * stride, 0, stride * sizeof *scratch);
        float scores[KEYS];
        score_keys(scores, q, w, n_heads, d_head, scratch, n);
        memcpy(score + s, scores, n * sizeof *score);
    }
}
