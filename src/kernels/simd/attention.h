// SPDX-License-Identifier: MIT
/* kernels/attention.h in vectors: 16 gathered rows at a time become float32 in scratch, where all heads use them. */
#include <math.h>

#include "kernels/simd/exp.h"
#include "kernels/simd/tile.h"

enum { GATHER = 16 };

void KERNEL(kv_encode)(void *row, const float *x, size_t n, glm_kv_store type)
{
    char *bytes = row;
    size_t i = 0;
    if (type == GLM_KV_STORE_F16)
        for (; i + VL <= n; i += VL)
            vf_store_f16(bytes + 2 * i, vf_load(x + i));
    else if (type == GLM_KV_STORE_BF16)
        for (; i + VL <= n; i += VL)
            vf_store_bf16(bytes + 2 * i, vf_load(x + i));
    glm_kv_encode_c(bytes + 2 * i, x + i, n - i, type);
}

/* Four rows (n of them real) times all heads; z is at the first of the rows. */
static void score_rows(float *z, size_t z_stride, const float *q, uint32_t n_heads, uint32_t n_row,
                       const float *four, uint32_t n, float scale)
{
    for (uint32_t h = 0; h < n_heads; h += TILE_TOK) {
        uint32_t n_tok = n_heads - h < TILE_TOK ? n_heads - h : TILE_TOK;
        float lanes[TILE_LANES] = {0};
        tile_f32(n_tok, lanes, four, round16(n_row), q + (size_t)h * n_row, n_row, n_row);
        for (uint32_t t = 0; t < n_tok; t++) {
            float dots[TILE_ROWS];
            vec_tree4(dots, lanes + t * TILE_ROWS * 16);
            for (uint32_t i = 0; i < n; i++)
                z[(h + t) * z_stride + i] = dots[i] * scale;
        }
    }
}

void KERNEL(attn_scores)(float *z, size_t z_stride, const float *q, uint32_t n_heads,
                         const glm_attn_rows *rows, uint32_t s0, uint32_t n, float scale,
                         float *scratch)
{
    size_t stride = round16(rows->n_row), row_bytes = glm_kv_row_bytes(rows->type, rows->n_row);
    for (uint32_t s = 0; s < n; s += GATHER) {
        uint32_t n_tile = n - s < GATHER ? n - s : GATHER;
        for (uint32_t i = 0; i < n_tile; i++) {
            if (s0 + s + i + 2 * GATHER < rows->n_sel)
                for (size_t b = 0; b < row_bytes; b += 64)
                    prefetch(rows->row[s0 + s + i + 2 * GATHER], b);
            kv_decode(scratch + i * stride, rows->row[s0 + s + i], rows->n_row, 0, rows->n_row,
                      rows->type);
        }
        for (uint32_t i = n_tile; i % TILE_ROWS != 0; i++)
            memset(scratch + i * stride, 0, stride * sizeof *scratch);
        for (uint32_t i = 0; i < n_tile; i += TILE_ROWS)
            score_rows(z + s + i, z_stride, q, n_heads, rows->n_row, scratch + i * stride,
                       n_tile - i < TILE_ROWS ? n_tile - i : TILE_ROWS, scale);
    }
}

float KERNEL(softmax)(float *z, size_t n)
{
    vf m = vf_set1(-INFINITY);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        m = vf_greater(vf_load(z + i), m);
    float lanes[16], max = -INFINITY;
    vf_store(lanes, m);
    for (int j = 0; j < VL; j++)
        max = lanes[j] > max ? lanes[j] : max;
    for (; i < n; i++)
        max = z[i] > max ? z[i] : max;

    vf p[NV];
    m = vf_set1(max);
    for (int j = 0; j < NV; j++)
        p[j] = vf_zero();
    for (i = 0; i + 16 <= n; i += 16)
        for (int j = 0; j < NV; j++) {
            float *at = z + i + (size_t)j * VL;
            vf e = vf_exp(vf_sub(vf_load(at), m));
            vf_store(at, e);
            p[j] = vf_add(p[j], e);
        }
    for (int j = 0; j < NV; j++)
        vf_store(lanes + j * VL, p[j]);
    for (; i < n; i++) {
        z[i] = glm_expf(z[i] - max);
        lanes[i % 16] += z[i];
    }
    return glm_sum16_tree(lanes);
}

/*
 * 64 rows by 64 columns at a time are decoded into the first-level cache for all heads; the rows themselves stay in the
 * second for their other columns. The next rows are asked for meanwhile.
 */
void KERNEL(attn_sum)(float *out, const float *p, size_t p_stride, const float *norm,
                      uint32_t n_heads, const glm_attn_rows *rows, float *scratch)
{
    enum { SIDE = 64 };
    const uint32_t n_value = rows->n_value;
    const size_t side_bytes = glm_kv_row_bytes(rows->type, SIDE);
    memset(out, 0, (size_t)n_heads * n_value * sizeof *out);
    for (uint32_t s = 0; s < rows->n_sel; s += SIDE) {
        uint32_t n = rows->n_sel - s < SIDE ? rows->n_sel - s : SIDE;
        for (uint32_t c = 0; c < n_value; c += SIDE) {
            uint32_t width = n_value - c < SIDE ? n_value - c : SIDE;
            for (uint32_t i = 0; i < n; i++) {
                if (s + i + SIDE < rows->n_sel)
                    for (size_t b = 0; b < side_bytes; b += 64)
                        prefetch(rows->row[s + i + SIDE], c / SIDE * side_bytes + b);
                kv_decode(scratch + (size_t)i * SIDE, rows->row[s + i], rows->n_row, c, width,
                          rows->type);
            }
            sum_panel(out + c, n_value, scratch, SIDE, width, p + s, p_stride, n, n_heads);
        }
    }
    for (uint32_t h = 0; h < n_heads; h++) {
        float factor = 1 / norm[h], *row = out + (size_t)h * n_value;
        for (uint32_t j = 0; j < n_value; j++)
            row[j] *= factor;
    }
}
