// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "kernels/act.h"
#include "mats.h"
#include "quant/formats.h"

/* Scale of element k of a quantised row. */
static float scale_of(const void *row, uint32_t k, glm_act_layout layout)
{
    const char *block = (const char *)row + k / 256 * GLM_ACT_BYTES;
    return layout == GLM_ACT_32 ? ((const glm_act_32 *)(const void *)block)->d[k % 256 / 32]
                                : ((const glm_act_256 *)(const void *)block)->d;
}

static int8_t integer_of(const void *row, uint32_t k)
{
    return ((const int8_t *)row)[k / 256 * GLM_ACT_BYTES + k % 256];
}

/* The contract of the quantised row, element by element. */
static void check_row(chk_ctx *ctx, const void *row, const float *x, uint32_t n,
                      glm_act_layout layout)
{
    const uint32_t block = layout == GLM_ACT_32 ? 32 : 256;
    for (uint32_t k0 = 0; k0 < n; k0 += block) {
        float a = 0, d = scale_of(row, k0, layout);
        bool is_finite = true;
        for (uint32_t k = k0; k < k0 + block; k++) {
            is_finite = is_finite && isfinite(x[k]);
            a = fmaxf(a, fabsf(x[k]));
        }
        ctx->n_cases++;
        if (is_finite ? d != (a < 0x1p-100F ? 0 : a / 127) : !isnan(d))
            chk_fail(ctx, "scale %a of a block with maximum %a", (double)d, (double)a);
        for (uint32_t k = k0; k < k0 + block && is_finite; k++)
            chk_near(ctx, (float)integer_of(row, k) * d, (double)x[k],
                     (double)(a < 0x1p-100F ? a : a * 0.00394F), k);
        for (uint32_t k = k0; k < k0 + block; k++)
            if (!is_finite && integer_of(row, k) != 0)
                chk_fail(ctx, "[%u]: %d in a block that is not finite", k, integer_of(row, k));
    }
    for (uint32_t k0 = 0; k0 < n; k0 += 16) {
        const char *at = (const char *)row + k0 / 256 * GLM_ACT_BYTES;
        const glm_act_256 *a256 = (const void *)at;
        const glm_act_32 *a32 = (const void *)at;
        int sum16 = 0, sum32 = 0;
        for (uint32_t k = 0; k < 16; k++)
            sum16 += integer_of(row, k0 + k);
        for (uint32_t k = k0 / 32 * 32; k < k0 / 32 * 32 + 32; k++)
            sum32 += integer_of(row, k);
        ctx->n_cases++;
        if (layout == GLM_ACT_32
                ? a32->sum[k0 % 256 / 32] != sum32
                : a256->sum16[k0 % 256 / 16] != sum16 || a256->sum32[k0 % 256 / 32] != sum32)
            chk_fail(ctx, "[%u]: sums", k0);
    }
}

static void one_row(chk_ctx *ctx, glm_act_layout layout, unsigned kind)
{
    uint32_t n =
        layout == GLM_ACT_32 ? 32 * (1 + chk_below(ctx, 40)) : 256 * (1 + chk_below(ctx, 6));
    float *x = chk_floats(n);
    size_t size = glm_act_row_bytes(n);
    void *want = chk_scratch(size / 4), *got = chk_scratch(size / 4);
    snprintf(ctx->what, sizeof ctx->what, "blocks of %d, n=%u fill=%u",
             layout == GLM_ACT_32 ? 32 : 256, n, kind);
    chk_fill(ctx, x, n, kind);
    memset(want, 0x5a, size);
    memset(got, 0x5a, size);
    ctx->ref->act_quantize(want, x, n, layout);
    if (ctx->is_reference)
        check_row(ctx, want, x, n, layout);
    ctx->k->act_quantize(got, x, n, layout);
    ctx->n_cases++;
    for (size_t i = 0; i < size; i++)
        if (((uint8_t *)got)[i] != ((uint8_t *)want)[i]) {
            chk_fail(ctx, "byte %zu: %02x, reference %02x", i, ((uint8_t *)got)[i],
                     ((uint8_t *)want)[i]);
            break;
        }
    chk_release(ctx);
}

void chk_act_quantize(chk_ctx *ctx)
{
    for (unsigned i = 0; i < 120; i++) {
        one_row(ctx, GLM_ACT_32, i);
        one_row(ctx, GLM_ACT_256, i);
    }
}

/* Result (r, t) of the reference against double arithmetic on what the decoder says; the bound allows for its rounding. */
static void check_dot(chk_ctx *ctx, float got, const glm_mat *w, const double *row, const void *x,
                      glm_act_layout layout)
{
    const glm_type_info *info = glm_type_get(w->type);
    double sum = 0, sum_of_abs = 0, top_w = 0;
    for (uint32_t k = 0; k < w->n_cols; k++) {
        if (k % info->n_elems == 0) {
            top_w = 0; /* minima may cancel in single values, not in all of a block */
            for (uint32_t i = k; i < k + info->n_elems; i++)
                top_w = fmax(top_w, fabs(row[i]));
        }
        double v = (double)integer_of(x, k) * (double)scale_of(x, k, layout);
        sum += row[k] * v;
        sum_of_abs += 3 * top_w * fabs(v);
    }
    double n_blocks = (double)w->n_cols / info->n_elems;
    if (sum_of_abs < 0x1p120 && sum_of_abs > 0x1p-90)
        chk_near(ctx, got, sum, (2 * n_blocks + 6) * 0x1p-24 * sum_of_abs, 0);
}

static void one_product(chk_ctx *ctx, glm_type type, unsigned kind)
{
    const glm_act_layout layout = glm_act_layout_of(type);
    glm_mat w = chk_pick_mat(ctx, type, kind);
    uint32_t row0 = chk_below(ctx, w.n_rows), n_rows = 1 + chk_below(ctx, w.n_rows - row0);
    uint32_t n_tok = CHK_PICK(ctx, 1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 65, 259);
    size_t out_stride = n_rows + chk_below(ctx, 3), n_out = out_stride * (n_tok - 1) + n_rows;
    size_t stride = glm_act_row_bytes(w.n_cols);
    float *x = chk_floats(w.n_cols), *got = chk_floats(n_out), *want = chk_floats(n_out);
    char *acts = (char *)chk_scratch(stride * n_tok / 4);
    void *scratch = chk_scratch(GLM_QMATMUL_SCRATCH_BYTES / 4);
    uint32_t order[259];
    bool is_ordered = chk_below(ctx, 2);
    for (uint32_t t = 0; t < n_tok; t++) {
        chk_fill(ctx, x, w.n_cols, kind / 2 + t);
        ctx->ref->act_quantize(acts + t * stride, x, w.n_cols, layout);
        order[t] = chk_below(ctx, n_tok);
    }
    glm_act_rows rows = {acts, stride, is_ordered ? order : NULL, n_tok};
    chk_describe_mat(ctx, &w, row0, n_rows, n_tok, kind);
    chk_poison(got, n_out);
    chk_poison(want, n_out);
    ctx->ref->qmatmul(want, out_stride, &w, row0, n_rows, &rows, scratch);
    if (ctx->is_reference) {
        double *row = calloc(w.n_cols, sizeof *row);
        for (uint32_t r = 0; r < n_rows && row; r++) {
            chk_row_values(row, &w, row0 + r);
            for (uint32_t t = 0; t < n_tok; t++)
                check_dot(ctx, want[t * out_stride + r], &w, row, glm_act_row(&rows, t), layout);
        }
        free(row);
    }
    ctx->k->qmatmul(got, out_stride, &w, row0, n_rows, &rows, scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

/* All codes at their ends: the largest sums that the contract allows. */
static void extremes(chk_ctx *ctx, glm_type type)
{
    static const uint8_t fills[] = {0x00, 0xff, 0x7f, 0x80, 0xf0, 0x0f, 0x88};
    const glm_type_info *info = glm_type_get(type);
    const glm_act_layout layout = glm_act_layout_of(type);
    const uint32_t n_cols = 1024, n_rows = 16; /* long enough for products along the rows */
    size_t row_bytes = n_cols / info->n_elems * info->n_bytes, stride = glm_act_row_bytes(n_cols);
    for (size_t f = 0; f < sizeof fills; f++)
        for (int sign = -1; sign <= 1; sign += 2) {
            unsigned char *data = chk_alloc(row_bytes * n_rows);
            memset(data, fills[f], row_bytes * n_rows);
            glm_mat w = {.type = type,
                         .n_rows = n_rows,
                         .n_cols = n_cols,
                         .row_stride_bytes = row_bytes,
                         .data = data,
                         .tensor_scale = 1};
            float *x = chk_floats(n_cols), *got = chk_floats(n_rows), *want = chk_floats(n_rows);
            void *act = chk_scratch(stride / 4),
                 *scratch = chk_scratch(GLM_QMATMUL_SCRATCH_BYTES / 4);
            for (uint32_t k = 0; k < n_cols; k++)
                x[k] = (float)sign;
            ctx->ref->act_quantize(act, x, n_cols, layout);
            glm_act_rows rows = {act, stride, NULL, 1};
            snprintf(ctx->what, sizeof ctx->what, "%s of bytes %02x times %d", glm_type_name(type),
                     fills[f], sign);
            ctx->ref->qmatmul(want, n_rows, &w, 0, n_rows, &rows, scratch);
            ctx->k->qmatmul(got, n_rows, &w, 0, n_rows, &rows, scratch);
            chk_equal(ctx, got, want, n_rows);
            chk_release(ctx);
        }
}

void chk_qmatmul(chk_ctx *ctx)
{
    for (size_t i = 0; i < chk_n_types; i++) {
        if (glm_act_layout_of(chk_types[i]) == GLM_ACT_NONE)
            continue;
        for (unsigned j = 0; j < 30; j++)
            one_product(ctx, chk_types[i], j);
        extremes(ctx, chk_types[i]);
    }
}
