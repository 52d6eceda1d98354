// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "kernels/kv_row.h"

static const char *const store_names[] = {"f32", "f16", "bf16", "q8"};
enum { N_STORES = 4, N_FLOAT_STORES = 3 };

/* Half a step of the block's scale; all of a block with NaN or an infinity is NaN. */
static void check_q8(chk_ctx *ctx, const float *got, const float *x, uint32_t n)
{
    for (uint32_t i0 = 0; i0 < n; i0 += GLM_KV_BLOCK) {
        uint32_t end = i0 + GLM_KV_BLOCK < n ? i0 + GLM_KV_BLOCK : n;
        double max = 0;
        bool is_finite = true;
        for (uint32_t i = i0; i < end; i++) {
            is_finite &= isfinite(x[i]) != 0;
            max = fmax(max, fabs((double)x[i]));
        }
        for (uint32_t i = i0; i < end; i++)
            if (is_finite)
                chk_near(ctx, got[i], (double)x[i],
                         max < (double)GLM_KV_TINY ? max : max / 254 * 1.0001, i);
            else if (!isnan(got[i]))
                chk_fail(ctx, "[%u]: %a hides a NaN or an infinity", i, (double)got[i]);
    }
}

void chk_kv_encode(chk_ctx *ctx)
{
    for (uint32_t n = 1; n <= 200; n += n < 70 ? 1 : 31)
        for (unsigned kind = 0; kind < N_STORES * CHK_N_FILLS; kind++) {
            glm_kv_store type = (glm_kv_store)(kind % N_STORES);
            unsigned fill = kind / N_STORES;
            snprintf(ctx->what, sizeof ctx->what, "%s n=%u fill=%u", store_names[type], n, fill);
            size_t bytes = glm_kv_row_bytes(type, n);
            float *x = chk_floats(n), *got_values = chk_floats(n), *want_values = chk_floats(n);
            void *got = chk_alloc(bytes), *want = chk_alloc(bytes);
            chk_fill(ctx, x, n, fill);
            if (type != GLM_KV_STORE_Q8 &&
                (fill == 1 || fill == 2)) /* near the ends of the range of F16 */
                for (uint32_t i = 0; i < n; i++)
                    x[i] = chk_unit(ctx) * (fill == 1 ? 0x1.2p16F : 0x1p-14F);
            ctx->ref->kv_encode(want, x, n, type);
            ctx->k->kv_encode(got, x, n, type);
            glm_kv_decode_c(got_values, got, n, 0, n, type);
            glm_kv_decode_c(want_values, want, n, 0, n, type);
            chk_equal(ctx, got_values, want_values, n);
            if (ctx->is_reference && (type == GLM_KV_STORE_F16 || type == GLM_KV_STORE_BF16) &&
                fill != 1)
                for (uint32_t i = 0; i < n; i++) {
                    double u = type == GLM_KV_STORE_F16 ? 0x1p-11 : 0x1p-8;
                    double least = type == GLM_KV_STORE_F16 ? 0x1p-25 : 0x1p-134;
                    if (fabsf(x[i]) < 65504)
                        chk_near(ctx, want_values[i], (double)x[i], u * fabs((double)x[i]) + least,
                                 i);
                }
            if (ctx->is_reference && type == GLM_KV_STORE_Q8)
                check_q8(ctx, want_values, x, n);
            chk_release(ctx);
        }
}

typedef struct cache {
    glm_attn_rows rows;
    float *values; /* [n_sel, n_row], decoded */
} cache;

/* Rows scattered over a page in any order of addresses. */
static cache make_cache(chk_ctx *ctx, glm_kv_store type, uint32_t n_sel, uint32_t n_row,
                        uint32_t n_value, unsigned kind)
{
    size_t bytes = glm_kv_row_bytes(type, n_row);
    const void **row = chk_alloc(n_sel * sizeof *row);
    cache c = {{row, n_sel, n_row, n_value, type}, chk_floats((size_t)n_sel * n_row)};
    float *x = chk_floats(n_row);
    char *page = chk_alloc(bytes * n_sel);
    uint32_t step = n_sel % 7 ? 7 : 1;
    for (uint32_t s = 0; s < n_sel; s++) {
        void *at = page + (size_t)s * step % n_sel * bytes;
        chk_fill(ctx, x, n_row, kind);
        ctx->ref->kv_encode(at, x, n_row, type);
        glm_kv_decode_c(c.values + (size_t)s * n_row, at, n_row, 0, n_row, type);
        row[s] = at;
    }
    return c;
}

static void describe(chk_ctx *ctx, const glm_attn_rows *rows, uint32_t n_heads, uint32_t s0,
                     uint32_t n, unsigned kind)
{
    snprintf(ctx->what, sizeof ctx->what,
             "%s n_heads=%u n_row=%u n_value=%u n_sel=%u s0=%u n=%u fill=%u",
             store_names[rows->type], n_heads, rows->n_row, rows->n_value, rows->n_sel, s0, n,
             kind);
}

static size_t scratch_floats(uint32_t n_row)
{
    return glm_attn_scratch_floats(n_row);
}

static void attn_scores(chk_ctx *ctx, glm_kv_store type, unsigned kind)
{
    uint32_t n_heads = CHK_PICK(ctx, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 20);
    uint32_t n_sel = CHK_PICK(ctx, 1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 50);
    uint32_t n_row = CHK_PICK(ctx, 1, 8, 15, 16, 17, 24, 40, 64, 80, 96, 144, 576);
    cache c = make_cache(ctx, type, n_sel, n_row, n_row, kind);
    uint32_t s0 = chk_below(ctx, n_sel), n = 1 + chk_below(ctx, n_sel - s0);
    size_t z_stride = n + chk_below(ctx, 3), n_out = z_stride * (n_heads - 1) + n;
    float *q = chk_floats((size_t)n_heads * n_row), scale = chk_unit(ctx);
    float *got = chk_floats(n_out), *want = chk_floats(n_out),
          *scratch = chk_scratch(scratch_floats(n_row));
    describe(ctx, &c.rows, n_heads, s0, n, kind);
    chk_fill(ctx, q, (size_t)n_heads * n_row, kind / 2);
    chk_poison(got, n_out);
    chk_poison(want, n_out);
    ctx->ref->attn_scores(want, z_stride, q, n_heads, &c.rows, s0, n, scale, scratch);
    for (uint32_t i = 0; i < n * n_heads && ctx->is_reference; i++) {
        uint32_t h = i / n, s = i % n;
        double sum = 0, sum_of_abs = 0;
        for (uint32_t j = 0; j < n_row; j++) {
            double product =
                (double)q[h * n_row + j] * (double)c.values[(size_t)(s0 + s) * n_row + j];
            sum += product;
            sum_of_abs += fabs(product);
        }
        if (sum_of_abs < 0x1p127)
            chk_near(ctx, want[h * z_stride + s], sum * (double)scale,
                     chk_dot_bound(n_row + 16, sum_of_abs) * fabs((double)scale) + 0x1p-149, i);
    }
    ctx->k->attn_scores(got, z_stride, q, n_heads, &c.rows, s0, n, scale, scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

/* Queries may lie further apart than a row is long. */
static void attn_scores_q8(chk_ctx *ctx, unsigned kind)
{
    uint32_t n_heads = CHK_PICK(ctx, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 20, 64);
    uint32_t n_sel = CHK_PICK(ctx, 1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 50, 65);
    uint32_t n_row = CHK_PICK(ctx, 1, 8, 15, 16, 17, 40, 80, 127, 128, 129, 144, 256, 259, 576);
    cache c = make_cache(ctx, GLM_KV_STORE_Q8, n_sel, n_row, n_row, kind);
    uint32_t s0 = chk_below(ctx, n_sel), n = 1 + chk_below(ctx, n_sel - s0);
    size_t z_stride = n + chk_below(ctx, 3), n_out = z_stride * (n_heads - 1) + n;
    size_t bytes = glm_kv_row_bytes(GLM_KV_STORE_Q8, n_row),
           q_stride = bytes + 4 * chk_below(ctx, 3);
    float *x = chk_floats(n_row), *values = chk_floats((size_t)n_heads * n_row);
    float *got = chk_floats(n_out), *want = chk_floats(n_out),
          *scratch = chk_scratch(scratch_floats(n_row)), scale = chk_unit(ctx);
    char *q = chk_alloc(q_stride * (n_heads - 1) + bytes);
    for (uint32_t h = 0; h < n_heads; h++) {
        chk_fill(ctx, x, n_row, kind / 2);
        ctx->ref->kv_encode(q + h * q_stride, x, n_row, GLM_KV_STORE_Q8);
        glm_kv_decode_c(values + (size_t)h * n_row, q + h * q_stride, n_row, 0, n_row,
                        GLM_KV_STORE_Q8);
    }
    describe(ctx, &c.rows, n_heads, s0, n, kind);
    chk_poison(got, n_out);
    chk_poison(want, n_out);
    ctx->ref->attn_scores_q8(want, z_stride, q, q_stride, n_heads, &c.rows, s0, n, scale, scratch);
    for (uint32_t i = 0; i < n * n_heads && ctx->is_reference; i++) {
        uint32_t h = i / n, s = i % n;
        double sum = 0, sum_of_abs = 0;
        for (uint32_t j = 0; j < n_row; j++) {
            double product =
                (double)values[h * n_row + j] * (double)c.values[(size_t)(s0 + s) * n_row + j];
            sum += product;
            sum_of_abs += fabs(product);
        }
        /* Two roundings a decoded product, three a block, one for the scale. */
        if (sum_of_abs < 0x1p127 && isfinite(sum))
            chk_near(ctx, want[h * z_stride + s], sum * (double)scale,
                     (6 + 2 * (double)glm_kv_blocks(n_row)) * 0x1p-24 * sum_of_abs *
                             fabs((double)scale) +
                         0x1p-120,
                     i);
    }
    ctx->k->attn_scores_q8(got, z_stride, q, q_stride, n_heads, &c.rows, s0, n, scale, scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

static void attn_sum(chk_ctx *ctx, glm_kv_store type, unsigned kind)
{
    const bool is_q8 = type == GLM_KV_STORE_Q8;
    glm_attn_sum_fn *reference = is_q8 ? ctx->ref->attn_sum_q8 : ctx->ref->attn_sum;
    uint32_t n_heads = CHK_PICK(ctx, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 20, 64);
    uint32_t n_sel = CHK_PICK(ctx, 1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 50, 63, 64, 65, 140);
    if (is_q8 && kind % 40 == 7) /* more than share a scale */
        n_sel = GLM_ATTN_SUM_ROWS + 1 + chk_below(ctx, 40);
    uint32_t n_value = CHK_PICK(ctx, 1, 8, 15, 16, 17, 24, 40, 63, 64, 65, 80, 128, 144, 512);
    uint32_t n_row = n_value + CHK_PICK(ctx, 0, 1, 8, 16, 64);
    cache c = make_cache(ctx, type, n_sel, n_row, n_value, kind);
    size_t p_stride = n_sel + chk_below(ctx, 3), n_out = (size_t)n_heads * n_value;
    float *p = chk_floats(p_stride * (n_heads - 1) + n_sel), *norm = chk_floats(n_heads);
    float *got = chk_floats(n_out), *want = chk_floats(n_out),
          *scratch = chk_scratch(scratch_floats(n_row));
    describe(ctx, &c.rows, n_heads, 0, n_sel, kind);
    chk_fill(ctx, p, p_stride * (n_heads - 1) + n_sel, kind / 2);
    for (size_t i = 0; is_q8 && i < p_stride * (n_heads - 1) + n_sel; i++)
        p[i] = fabsf(p[i]);
    for (uint32_t h = 0; h < n_heads; h++)
        norm[h] = 1.5F + chk_unit(ctx);
    chk_poison(got, n_out);
    reference(want, p, p_stride, norm, n_heads, &c.rows, scratch);
    for (uint32_t i = 0; i < n_out && ctx->is_reference; i++) {
        uint32_t h = i / n_value, j = i % n_value;
        double sum = 0, sum_of_abs = 0, largest = 0;
        for (uint32_t s = 0; s < n_sel; s++) {
            double product = (double)p[h * p_stride + s] * (double)c.values[(size_t)s * n_row + j];
            sum += product;
            sum_of_abs += fabs(product);
            if (is_q8) /* what half a unit of the largest weight's scale does to a value */
                largest = fmax(
                    largest, (double)p[h * p_stride + s] *
                                 (double)glm_q8_row_scale(c.rows.row[s], n_row, j / GLM_KV_BLOCK));
        }
        if (is_q8 && !isfinite(sum_of_abs + largest))
            continue;
        if (sum_of_abs < 0x1p127)
            chk_near(ctx, want[i], sum / (double)norm[h],
                     (n_sel + 3) * (0x1p-24 * sum_of_abs + 0x1p-149) / (double)norm[h] + 0x1p-149 +
                         (is_q8 ? n_sel * (largest / GLM_ATTN_SUM_ONE * 0.51 * 127 + 0x1p-93) : 0),
                     i);
    }
    (is_q8 ? ctx->k->attn_sum_q8 : ctx->k->attn_sum)(got, p, p_stride, norm, n_heads, &c.rows,
                                                     scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

void chk_attn_scores(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 300; kind++)
        attn_scores(ctx, (glm_kv_store)(kind % N_FLOAT_STORES), kind / N_FLOAT_STORES);
}

void chk_attn_scores_q8(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 200; kind++)
        attn_scores_q8(ctx, kind);
}

void chk_attn_sum(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 300; kind++)
        attn_sum(ctx, (glm_kv_store)(kind % N_FLOAT_STORES), kind / N_FLOAT_STORES);
}

void chk_attn_sum_q8(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 200; kind++)
        attn_sum(ctx, GLM_KV_STORE_Q8, kind);
}

static void index_scores(chk_ctx *ctx, glm_kv_store type, unsigned kind)
{
    uint32_t n_heads = CHK_PICK(ctx, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 32);
    uint32_t d_head = CHK_PICK(ctx, 1, 8, 15, 16, 17, 32, 40, 64, 128);
    uint32_t n_keys = CHK_PICK(ctx, 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 50);
    size_t bytes = glm_kv_row_bytes(type, d_head), stride = bytes + chk_below(ctx, 3) * 2;
    char *keys = chk_alloc(stride * (n_keys - 1) + bytes);
    float *x = chk_floats(d_head), *values = chk_floats((size_t)d_head * n_keys);
    float *q = chk_floats((size_t)n_heads * d_head), *w = chk_floats(n_heads);
    float *got = chk_floats(n_keys), *want = chk_floats(n_keys),
          *scratch = chk_scratch(scratch_floats(d_head));
    for (uint32_t s = 0; s < n_keys; s++) {
        chk_fill(ctx, x, d_head, kind);
        ctx->ref->kv_encode(keys + s * stride, x, d_head, type);
        glm_kv_decode_c(values + (size_t)s * d_head, keys + s * stride, d_head, 0, d_head, type);
    }
    chk_fill(ctx, q, (size_t)n_heads * d_head, kind / 2);
    chk_fill(ctx, w, n_heads, kind % 2 ? 0 : kind / 3);
    snprintf(ctx->what, sizeof ctx->what, "%s n_heads=%u d_head=%u n_keys=%u fill=%u",
             store_names[type], n_heads, d_head, n_keys, kind);
    ctx->ref->index_scores(want, q, w, n_heads, d_head, keys, stride, n_keys, type, scratch);
    for (uint32_t s = 0; s < n_keys && ctx->is_reference; s++) {
        double score = 0, bound = 0;
        for (uint32_t h = 0; h < n_heads; h++) {
            double sum = 0, sum_of_abs = 0;
            for (uint32_t j = 0; j < d_head; j++) {
                double product = (double)q[h * d_head + j] * (double)values[(size_t)s * d_head + j];
                sum += product;
                sum_of_abs += fabs(product);
            }
            score += (double)w[h] * fmax(sum, 0);
            bound += fabs((double)w[h]) *
                         (chk_dot_bound(d_head, sum_of_abs) + n_heads * 0x1p-24 * sum_of_abs) +
                     n_heads * 0x1p-149;
        }
        if (bound < 0x1p80)
            chk_near(ctx, want[s], score, bound, s);
    }
    chk_poison(got, n_keys);
    ctx->k->index_scores(got, q, w, n_heads, d_head, keys, stride, n_keys, type, scratch);
    chk_equal(ctx, got, want, n_keys);
    chk_release(ctx);
}

void chk_index_scores(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 300; kind++)
        index_scores(ctx, (glm_kv_store)(kind % 3), kind / 3);
}

/* Against the sum over the matrix: element (i, j) is -1 where i & j has an odd number of ones. */
void chk_hadamard(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 20 * CHK_N_FILLS; kind++) {
        uint32_t n = CHK_PICK(ctx, 1, 2, 3, 4, 6, 8, 16, 24, 48, 64, 80, 128, 256, 384);
        uint32_t m = n & (~n + 1);
        float *x = chk_floats(n), *got = chk_floats(n);
        snprintf(ctx->what, sizeof ctx->what, "n=%u fill=%u", n, kind);
        chk_fill(ctx, x, n, kind);
        memcpy(got, x, n * sizeof *x);
        ctx->k->hadamard(got, n);
        for (uint32_t i = 0; i < n; i++) {
            double sum = 0, sum_of_abs = 0;
            for (uint32_t j = 0; j < m; j++) {
                double value = (double)x[i / m * m + j];
                sum += __builtin_parity(i % m & j) ? -value : value;
                sum_of_abs += fabs(value);
            }
            if (isfinite(sum_of_abs))
                chk_near(ctx, got[i], sum / sqrt(m), 12 * 0x1p-24 * sum_of_abs / sqrt(m) + 0x1p-148,
                         i);
            else if (isfinite(got[i]))
                chk_fail(ctx, "[%u]: %a hides a NaN or an infinity", i, (double)got[i]);
        }
        chk_release(ctx);
    }
}

/* The value at place i of a lane, decoded. */
static double lane_value(const char *lane, uint32_t d, uint32_t i)
{
    float scale;
    memcpy(&scale, lane + glm_kv_scales_at(d) * GLM_INDEX_GROUP, sizeof scale);
    return (double)(int8_t)lane[i / 4 * 4 * GLM_INDEX_GROUP + i % 4] * (double)scale;
}

/* All lanes of a group, in any order: each within half a step, padding zero, nothing but the lane written. */
void chk_index_key_q8(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 10 * CHK_N_FINITE_FILLS; kind++) {
        uint32_t d = CHK_PICK(ctx, 2, 3, 8, 15, 16, 17, 64, 128, 200);
        size_t bytes = glm_index_group_bytes(d);
        char *group = chk_alloc(bytes);
        float *x = chk_floats((size_t)GLM_INDEX_GROUP * d);
        memset(group, 0x55, bytes);
        snprintf(ctx->what, sizeof ctx->what, "d=%u fill=%u", d, kind);
        chk_fill(ctx, x, (size_t)GLM_INDEX_GROUP * d, kind % CHK_N_FINITE_FILLS);
        for (uint32_t i = 0; i < GLM_INDEX_GROUP; i++) {
            uint32_t lane = i * 5 % GLM_INDEX_GROUP;
            ctx->k->index_key_q8(group + lane * 4, x + (size_t)lane * d, d);
        }
        for (uint32_t lane = 0; lane < GLM_INDEX_GROUP; lane++) {
            double max = 0;
            for (uint32_t i = 0; i < d; i++)
                max = fmax(max, fabs((double)x[(size_t)lane * d + i]));
            for (uint32_t i = 0; i < d; i++)
                chk_near(ctx, (float)lane_value(group + lane * 4, d, i),
                         (double)x[(size_t)lane * d + i],
                         max < (double)GLM_KV_TINY ? max : max / 254 * 1.0001, i);
            for (uint32_t i = d; i % 4 != 0; i++)
                if (group[i / 4 * 4 * GLM_INDEX_GROUP + lane * 4 + i % 4] != 0)
                    chk_fail(ctx, "lane %u: padding is not zero", lane);
        }
        chk_release(ctx);
    }
}

void chk_index_query_q8(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 10 * CHK_N_FINITE_FILLS; kind++) {
        uint32_t d = CHK_PICK(ctx, 2, 3, 4, 15, 16, 17, 64, 128),
                 n_heads = CHK_PICK(ctx, 1, 2, 5, 32);
        size_t n = (size_t)n_heads * d;
        float *q = chk_floats(n), *x = chk_floats(n), *w = chk_floats(n_heads),
              *w0 = chk_floats(n_heads);
        snprintf(ctx->what, sizeof ctx->what, "n_heads=%u d=%u fill=%u", n_heads, d, kind);
        chk_fill(ctx, x, n, kind % CHK_N_FINITE_FILLS);
        chk_fill(ctx, w0, n_heads, 0);
        memcpy(q, x, n * sizeof *q);
        memcpy(w, w0, n_heads * sizeof *w);
        ctx->k->index_query_q8(q, w, n_heads, d);
        glm_index_query query = glm_index_query_at(q, w, n_heads, d);
        size_t stride = glm_kv_scales_at(d);
        for (uint32_t h = 0; h < n_heads; h++) {
            double max = 0;
            int32_t sum = 0;
            for (uint32_t i = 0; i < d; i++) {
                max = fmax(max, fabs((double)x[h * d + i]));
                sum += query.q[h * stride + i];
            }
            double scale = max < (double)GLM_KV_TINY ? 0 : max / 127;
            chk_near(ctx, w[h], (double)w0[h] * scale,
                     fabs((double)w0[h]) * scale * 0x1p-22 + 0x1p-149, h);
            for (uint32_t i = 0; i < d; i++)
                chk_near(ctx, (float)(query.q[h * stride + i] * scale), (double)x[h * d + i],
                         scale == 0 ? max : scale / 2 * 1.0001, i);
            if (query.sum[h] != sum)
                chk_fail(ctx, "head %u: sum %d, expected %d", h, query.sum[h], sum);
        }
        chk_release(ctx);
    }
}

static void index_scores_q8(chk_ctx *ctx, unsigned kind)
{
    uint32_t n_heads = CHK_PICK(ctx, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 32);
    uint32_t d_head = CHK_PICK(ctx, 2, 3, 8, 15, 16, 17, 32, 40, 64, 128, 300);
    uint32_t n_keys = CHK_PICK(ctx, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 48, 50, 64);
    size_t n_groups = (n_keys + GLM_INDEX_GROUP - 1) / GLM_INDEX_GROUP;
    size_t group_bytes = glm_index_group_bytes(d_head);
    char *groups = chk_alloc(n_groups * group_bytes);
    float *x = chk_floats(d_head), *q = chk_floats((size_t)n_heads * d_head);
    float *w = chk_floats(n_heads), *got = chk_floats(n_keys), *want = chk_floats(n_keys);
    for (size_t i = 0; i < n_groups * group_bytes; i++) /* lanes without a key hold anything */
        groups[i] = (char)chk_below(ctx, 256);
    for (uint32_t s = 0; s < n_keys; s++) {
        chk_fill(ctx, x, d_head, kind);
        ctx->ref->index_key_q8(groups + s / GLM_INDEX_GROUP * group_bytes + s % GLM_INDEX_GROUP * 4,
                               x, d_head);
    }
    chk_fill(ctx, q, (size_t)n_heads * d_head, kind / 2);
    chk_fill(ctx, w, n_heads, kind % 2 ? 0 : kind / 3);
    ctx->ref->index_query_q8(q, w, n_heads, d_head);
    glm_index_query query = glm_index_query_at(q, w, n_heads, d_head);
    snprintf(ctx->what, sizeof ctx->what, "n_heads=%u d_head=%u n_keys=%u fill=%u", n_heads, d_head,
             n_keys, kind);
    ctx->ref->index_scores_q8(want, &query, groups, n_keys, NULL);
    for (uint32_t s = 0; s < n_keys && ctx->is_reference; s++) {
        const char *lane = groups + s / GLM_INDEX_GROUP * group_bytes + s % GLM_INDEX_GROUP * 4;
        double score = 0, sum_of_abs = 0;
        for (uint32_t h = 0; h < n_heads; h++) {
            double sum = 0;
            for (uint32_t i = 0; i < d_head; i++)
                sum +=
                    (double)query.q[h * glm_kv_scales_at(d_head) + i] * lane_value(lane, d_head, i);
            score += (double)w[h] * fmax(sum, 0);
            sum_of_abs += fabs((double)w[h] * sum);
        }
        if (isfinite(score) && sum_of_abs < 0x1p120)
            chk_near(ctx, want[s], score, (n_heads + 4) * 0x1p-23 * sum_of_abs + 0x1p-120, s);
    }
    chk_poison(got, n_keys);
    ctx->k->index_scores_q8(got, &query, groups, n_keys, NULL);
    chk_equal(ctx, got, want, n_keys);
    chk_release(ctx);
}

void chk_index_scores_q8(chk_ctx *ctx)
{
    for (unsigned kind = 0; kind < 300; kind++)
        index_scores_q8(ctx, kind);
}

/* ---- Top-k, against sorting by the rule's own words ---- */

typedef struct scored {
    float score;
    int32_t at;
} scored;

static int by_rank(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    bool x_nan = isnan(x->score), y_nan = isnan(y->score);
    if (x_nan != y_nan)
        return x_nan ? 1 : -1;
    if (!x_nan && x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static int by_position(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void topk(chk_ctx *ctx, uint32_t n, uint32_t k, unsigned kind)
{
    float *score = chk_floats(n);
    int32_t *got = chk_alloc(k * sizeof *got), *want = chk_alloc(k * sizeof *want);
    uint32_t *scratch = chk_alloc(n * sizeof *scratch);
    scored *sorted = chk_alloc(n * sizeof *sorted);
    snprintf(ctx->what, sizeof ctx->what, "n=%u k=%u fill=%u", n, k, kind);
    chk_fill(ctx, score, n, kind);
    if (kind % CHK_N_FILLS == 0 && kind > 0) /* many ties */
        for (uint32_t i = 0; i < n; i++)
            score[i] = (float)((int)chk_below(ctx, 5) - 2) * (chk_below(ctx, 2) ? 1.0F : -1.0F);
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (scored){score[i], (int32_t)i};
    qsort(sorted, n, sizeof *sorted, by_rank);
    for (uint32_t i = 0; i < k; i++)
        want[i] = sorted[i].at;
    qsort(want, k, sizeof *want, by_position);
    memset(got, 0xff, k * sizeof *got);
    ctx->k->topk(got, k, score, n, scratch);
    ctx->n_cases++;
    for (uint32_t i = 0; i < k; i++)
        if (got[i] != want[i]) {
            chk_fail(ctx, "[%u]: %d, expected %d", i, got[i], want[i]);
            break;
        }
    chk_release(ctx);
}

void chk_topk(chk_ctx *ctx)
{
    for (uint32_t n = 1; n <= 40; n++)
        for (uint32_t k = 1; k <= n; k += 1 + n / 8)
            for (unsigned kind = 0; kind <= CHK_N_FILLS; kind++)
                topk(ctx, n, k, kind);
    for (unsigned kind = 0; kind < 4 * CHK_N_FILLS; kind++) {
        uint32_t n = CHK_PICK(ctx, 63, 64, 65, 1000, 4097, 20000);
        topk(ctx, n, 1 + chk_below(ctx, n), kind);
        topk(ctx, n, 1 + chk_below(ctx, n / 8), kind); /* few of many */
    }
}
