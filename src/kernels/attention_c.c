// SPDX-License-Identifier: MIT
#include "kernels/attention.h"

#include "kernels/exp.h"
#include "kernels/kernels_internal.h"
#include "kernels/kv_row.h"
#include "kernels/sum16.h"

void glm_kv_encode_c(void *row, const float *x, size_t n, glm_kv_store type)
{
    switch (type) {
    case GLM_KV_STORE_F32:
        memcpy(row, x, n * sizeof *x);
        break;
    case GLM_KV_STORE_F16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h = glm_f16_from_f32(x[i]);
            memcpy((char *)row + 2 * i, &h, sizeof h);
        }
        break;
    case GLM_KV_STORE_BF16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h = glm_bf16_from_f32(x[i]);
            memcpy((char *)row + 2 * i, &h, sizeof h);
        }
        break;
    case GLM_KV_STORE_Q8:
        glm_q8_encode_row(row, x, n);
        break;
    }
}

void glm_attn_scores_c(float *z, size_t z_stride, const float *q, uint32_t n_heads,
                       const glm_attn_rows *rows, uint32_t s0, uint32_t n, float scale,
                       float *scratch)
{
    for (uint32_t i = 0; i < n; i++) {
        glm_kv_decode_c(scratch, rows->row[s0 + i], rows->n_row, 0, rows->n_row, rows->type);
        for (uint32_t h = 0; h < n_heads; h++)
            z[h * z_stride + i] =
                glm_dot16(q + (size_t)h * rows->n_row, scratch, rows->n_row) * scale;
    }
}

void glm_attn_scores_q8_c(float *z, size_t z_stride, const void *q, size_t q_stride_bytes,
                          uint32_t n_heads, const glm_attn_rows *rows, uint32_t s0, uint32_t n,
                          float scale, float *scratch)
{
    (void)scratch;
    const uint32_t n_row = rows->n_row;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t h = 0; h < n_heads; h++) {
            const int8_t *a = (const int8_t *)q + h * q_stride_bytes, *b = rows->row[s0 + i];
            float acc = 0;
            for (uint32_t block = 0; block < glm_kv_blocks(n_row); block++) {
                int32_t sum = 0;
                for (uint32_t j = block * GLM_KV_BLOCK; j < n_row && j < (block + 1) * GLM_KV_BLOCK;
                     j++)
                    sum += a[j] * b[j];
                acc = fmaf((float)sum * glm_q8_row_scale(b, n_row, block),
                           glm_q8_row_scale(a, n_row, block), acc);
            }
            z[h * z_stride + i] = acc * scale;
        }
}

float glm_softmax_c(float *z, size_t n)
{
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++)
        max = z[i] > max ? z[i] : max;
    float p[16] = {0};
    for (size_t i = 0; i < n; i++) {
        z[i] = glm_expf(z[i] - max);
        p[i % 16] += z[i];
    }
    return glm_sum16_tree(p);
}

void glm_attn_sum_c(float *out, const float *p, size_t p_stride, const float *norm,
                    uint32_t n_heads, const glm_attn_rows *rows, float *scratch)
{
    uint32_t n_value = rows->n_value;
    for (size_t i = 0; i < (size_t)n_heads * n_value; i++)
        out[i] = 0;
    for (uint32_t s = 0; s < rows->n_sel; s++) {
        glm_kv_decode_c(scratch, rows->row[s], rows->n_row, 0, n_value, rows->type);
        for (uint32_t h = 0; h < n_heads; h++)
            for (uint32_t j = 0; j < n_value; j++) {
                float *acc = &out[(size_t)h * n_value + j];
                *acc = fmaf(p[h * p_stride + s], scratch[j], *acc);
            }
    }
    for (uint32_t h = 0; h < n_heads; h++) {
        float factor = 1 / norm[h];
        for (uint32_t j = 0; j < n_value; j++)
            out[(size_t)h * n_value + j] *= factor;
    }
}

/* Adds the rows s0..s0+n-1 of block b of one head to acc, [GLM_KV_BLOCK]. */
static void add_rows_q8(float *acc, const float *p, const glm_attn_rows *rows, uint32_t b,
                        uint32_t s0, uint32_t n)
{
    float max = 0, poison = 0;
    for (uint32_t s = s0; s < s0 + n; s++) {
        float t = p[s] * glm_q8_row_scale(rows->row[s], rows->n_row, b);
        max = t > max ? t : max;
        poison += t * 0;
    }
    if (max < GLM_KV_TINY && poison == 0)
        return;
    const float step = poison != 0 ? NAN : max / GLM_ATTN_SUM_ONE, inverse = GLM_ATTN_SUM_ONE / max;
    for (uint32_t j = b * GLM_KV_BLOCK; j < rows->n_value && j < (b + 1) * GLM_KV_BLOCK; j++) {
        int32_t high = 0, low = 0;
        for (uint32_t s = s0; poison == 0 && s < s0 + n; s++) {
            float t = p[s] * glm_q8_row_scale(rows->row[s], rows->n_row, b);
            int32_t weight = (int32_t)lrintf(t * inverse),
                    value = ((const int8_t *)rows->row[s])[j];
            high += weight / 128 * value;
            low += weight % 128 * value;
        }
        float *a = &acc[j - b * GLM_KV_BLOCK];
        *a = fmaf(fmaf((float)high, 128, (float)low), step, *a);
    }
}

void glm_attn_sum_q8_c(float *out, const float *p, size_t p_stride, const float *norm,
                       uint32_t n_heads, const glm_attn_rows *rows, float *scratch)
{
    (void)scratch;
    for (uint32_t h = 0; h < n_heads; h++)
        for (uint32_t b = 0; b * GLM_KV_BLOCK < rows->n_value; b++) {
            float acc[GLM_KV_BLOCK] = {0};
            for (uint32_t s = 0; s < rows->n_sel; s += GLM_ATTN_SUM_ROWS) {
                uint32_t left = rows->n_sel - s;
                add_rows_q8(acc, p + h * p_stride, rows, b, s,
                            left < GLM_ATTN_SUM_ROWS ? left : GLM_ATTN_SUM_ROWS);
            }
            for (uint32_t j = b * GLM_KV_BLOCK; j < rows->n_value && j < (b + 1) * GLM_KV_BLOCK;
                 j++)
                out[(size_t)h * rows->n_value + j] = acc[j - b * GLM_KV_BLOCK] * (1 / norm[h]);
        }
}
