// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mats.h"
#include "quant/formats.h"
#include "quant/quant.h"

const glm_type chk_types[] = {
#define TYPE(type, name, n) GLM_TYPE_##type,
    GLM_FLOAT_FORMATS(TYPE) GLM_BLOCK_FORMATS(TYPE)
#undef TYPE
};
const size_t chk_n_types = sizeof chk_types / sizeof chk_types[0];

/* One stored element or block that stands for ordinary numbers. */
static void make_block(chk_ctx *ctx, unsigned char *out, const glm_type_info *info, float value,
                       bool has_nan)
{
    uint16_t h;
    float values[256];
    bool is_ordinary;
    switch (info->type) {
    case GLM_TYPE_F32:
        memcpy(out, &value, sizeof value);
        return;
    case GLM_TYPE_F16:
        h = glm_f16_from_f32(value);
        memcpy(out, &h, sizeof h);
        return;
    case GLM_TYPE_BF16:
        h = glm_bf16_from_f32(value);
        memcpy(out, &h, sizeof h);
        return;
    default:
        do { /* random bytes, but for scales that are infinite or NaN */
            for (uint32_t i = 0; i < info->n_bytes; i++)
                out[i] = (unsigned char)chk_rand(ctx);
            glm_quant_get(info->type)(values, out, 1);
            is_ordinary = true;
            for (uint32_t i = 0; i < info->n_elems; i++)
                is_ordinary = is_ordinary && fabsf(values[i]) < 0x1p40F;
        } while (!is_ordinary && !has_nan);
    }
}

/* A matrix of at least n_rows and n_cols wide, rows apart by an odd number of bytes now and then. */
static glm_mat make_mat(chk_ctx *ctx, glm_type type, uint32_t n_rows, uint32_t n_cols,
                        unsigned kind)
{
    const glm_type_info *info = glm_type_get(type);
    size_t row_bytes = n_cols / info->n_elems * info->n_bytes;
    size_t stride = row_bytes + chk_below(ctx, 3);
    unsigned char *data = chk_alloc(stride * (n_rows - 1) + row_bytes);
    float *values = chk_floats(n_cols);
    bool has_nan = type == GLM_TYPE_F8_E4M3 && chk_below(ctx, 2), has_huge = chk_below(ctx, 2);
    for (uint32_t r = 0; r < n_rows; r++) {
        chk_fill(ctx, values, n_cols, kind);
        for (uint32_t c = 0; c < n_cols; c += info->n_elems)
            make_block(ctx, data + r * stride + c / info->n_elems * info->n_bytes, info, values[c],
                       has_nan);
    }
    glm_mat w = {.type = type,
                 .n_rows = n_rows,
                 .n_cols = n_cols,
                 .row_stride_bytes = stride,
                 .data = data,
                 .tensor_scale = chk_below(ctx, 4) ? 1 : chk_unit(ctx)};
    if (type == GLM_TYPE_F8_E4M3 && chk_below(ctx, 4)) {
        w.scale_row0 = chk_below(ctx, 2) ? chk_below(ctx, 200) : 116 + chk_below(ctx, 12);
        w.scale_stride = (n_cols + 127) / 128 + chk_below(ctx, 2);
        size_t n_scale_rows = (w.scale_row0 + n_rows - 1) / 128 + 1;
        size_t n_scales = (n_scale_rows - 1) * w.scale_stride + (n_cols + 127) / 128;
        unsigned char *scale = chk_alloc(n_scales * 4 + chk_below(ctx, 2));
        w.scale = scale;
        for (size_t i = 0; i < n_scales; i++) {
            float s = chk_below(ctx, 8) || !has_huge ? chk_unit(ctx)
                                                     : chk_unit(ctx) * (i % 2 ? 0x1p121F : 0x1p30F);
            memcpy(scale + 4 * i, &s, sizeof s);
        }
    }
    return w;
}

glm_mat chk_pick_mat(chk_ctx *ctx, glm_type type, unsigned kind)
{
    const glm_type_info *info = glm_type_get(type);
    uint32_t n_cols = info->n_elems * (1 + chk_below(ctx, 5));
    if (info->n_elems == 1)
        n_cols = chk_below(ctx, 3)
                     ? 1 + chk_below(ctx, 150)
                     : CHK_PICK(ctx, 255, 256, 257, 511, 512, 513, 527, 640, 1030, 1100);
    else if (info->n_elems < 256)
        n_cols = info->n_elems * CHK_PICK(ctx, 1, 2, 3, 7, 15, 16, 17, 33);
    uint32_t n_rows = CHK_PICK(ctx, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 31, 32, 33, 37, 70);
    return make_mat(ctx, type, n_rows, n_cols, kind);
}

void chk_describe_mat(chk_ctx *ctx, const glm_mat *w, uint32_t at, uint32_t n, uint32_t n_tok,
                      unsigned kind)
{
    snprintf(ctx->what, sizeof ctx->what, "%s [%u, %u] at=%u n=%u n_tok=%u fill=%u%s%s",
             glm_type_name(w->type), w->n_rows, w->n_cols, at, n, n_tok, kind,
             w->scale ? " scaled" : "", w->tensor_scale != 1 ? " tensor scale" : "");
}

void chk_row_values(double *out, const glm_mat *w, uint32_t r)
{
    const glm_type_info *info = glm_type_get(w->type);
    float values[256];
    for (uint32_t c = 0; c < w->n_cols; c++) {
        if (c % info->n_elems == 0)
            glm_quant_get(w->type)(values,
                                   (const char *)w->data + r * w->row_stride_bytes +
                                       c / info->n_elems * info->n_bytes,
                                   1);
        float v = values[c % info->n_elems];
        if (w->scale) {
            float s;
            memcpy(&s,
                   (const char *)w->scale +
                       4 * ((w->scale_row0 + r) / 128 * w->scale_stride + c / 128),
                   sizeof s);
            v *= s;
        }
        out[c] = (double)(w->tensor_scale != 1 ? v * w->tensor_scale : v);
    }
}

static void check_matmul(chk_ctx *ctx, glm_mat w, uint32_t n_tok, unsigned kind)
{
    uint32_t row0 = chk_below(ctx, w.n_rows), n_rows = 1 + chk_below(ctx, w.n_rows - row0);
    size_t x_stride = w.n_cols + chk_below(ctx, 3), out_stride = n_rows + chk_below(ctx, 3);
    size_t n_out = out_stride * (n_tok - 1) + n_rows;
    float *x = chk_floats(x_stride * (n_tok - 1) + w.n_cols);
    float *got = chk_floats(n_out), *want = chk_floats(n_out);
    float *scratch = chk_scratch(glm_matmul_scratch_floats(w.n_cols));
    chk_describe_mat(ctx, &w, row0, n_rows, n_tok, kind);
    chk_fill(ctx, x, x_stride * (n_tok - 1) + w.n_cols, kind / 2);
    chk_poison(got, n_out);
    chk_poison(want, n_out);
    ctx->ref->matmul(want, out_stride, &w, row0, n_rows, x, x_stride, n_tok, scratch);
    if (ctx->is_reference) {
        double *row = calloc(w.n_cols, sizeof *row);
        for (uint32_t r = 0; r < n_rows && row; r++) {
            chk_row_values(row, &w, row0 + r);
            for (uint32_t t = 0; t < n_tok; t++) {
                double sum = 0, sum_of_abs = 0;
                for (uint32_t c = 0; c < w.n_cols; c++) {
                    double product = row[c] * (double)x[t * x_stride + c];
                    sum += product;
                    sum_of_abs += fabs(product);
                }
                if (sum_of_abs < 0x1p127)
                    chk_near(ctx, want[t * out_stride + r], sum,
                             chk_dot_bound(w.n_cols, sum_of_abs), r);
            }
        }
        free(row);
    }
    ctx->k->matmul(got, out_stride, &w, row0, n_rows, x, x_stride, n_tok, scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

static void one_matmul(chk_ctx *ctx, glm_type type, unsigned kind)
{
    glm_mat w = chk_pick_mat(ctx, type, kind);
    uint32_t n_tok = CHK_PICK(ctx, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 24, 25, 95, 97);
    check_matmul(ctx, w, w.n_cols > 600 && n_tok > 25 ? 7 : n_tok, kind);
}

/* One token and whole vectors have code of their own for F8_E4M3, with NaN and large scales as its exceptions. */
static void one_token_f8(chk_ctx *ctx, unsigned kind)
{
    uint32_t n_rows = 4 + chk_below(ctx, 20), n_cols = 16 * (1 + chk_below(ctx, 40));
    glm_mat w = make_mat(ctx, GLM_TYPE_F8_E4M3, n_rows, n_cols, kind);
    w.tensor_scale = 1;
    check_matmul(ctx, w, 1, kind);
}

static void one_row_sum(chk_ctx *ctx, glm_type type, unsigned kind)
{
    glm_mat w = chk_pick_mat(ctx, type, kind);
    uint32_t block = glm_type_get(type)->n_elems, n_blocks = w.n_cols / block;
    uint32_t block0 = chk_below(ctx, n_blocks),
             n_cols = block * (1 + chk_below(ctx, n_blocks - block0));
    uint32_t col0 = block0 * block;
    uint32_t n_tok = CHK_PICK(ctx, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 25);
    size_t a_stride = w.n_rows + chk_below(ctx, 3), out_stride = n_cols + chk_below(ctx, 3);
    size_t n_out = out_stride * (n_tok - 1) + n_cols;
    float *a = chk_floats(a_stride * (n_tok - 1) + w.n_rows);
    float *got = chk_floats(n_out), *want = chk_floats(n_out);
    float *scratch = chk_scratch(glm_matmul_scratch_floats(w.n_cols));
    chk_describe_mat(ctx, &w, col0, n_cols, n_tok, kind);
    chk_fill(ctx, a, a_stride * (n_tok - 1) + w.n_rows, kind / 2);
    chk_poison(got, n_out);
    chk_poison(want, n_out);
    ctx->ref->row_sum(want, out_stride, &w, col0, n_cols, a, a_stride, n_tok, scratch);
    if (ctx->is_reference) {
        double *row = calloc(w.n_cols, sizeof *row);
        double *sum = calloc((size_t)n_cols * n_tok * 2, sizeof *sum),
               *sum_of_abs = sum + (size_t)n_cols * n_tok;
        for (uint32_t r = 0; r < w.n_rows && row && sum; r++) {
            chk_row_values(row, &w, r);
            for (size_t i = 0; i < (size_t)n_cols * n_tok; i++) {
                double product = row[col0 + i % n_cols] * (double)a[i / n_cols * a_stride + r];
                sum[i] += product;
                sum_of_abs[i] += fabs(product);
            }
        }
        for (size_t i = 0; i < (size_t)n_cols * n_tok && sum; i++)
            if (sum_of_abs[i] < 0x1p127)
                chk_near(ctx, want[i / n_cols * out_stride + i % n_cols], sum[i],
                         w.n_rows * (0x1p-24 * sum_of_abs[i] + 0x1p-149), i);
        free(sum);
        free(row);
    }
    ctx->k->row_sum(got, out_stride, &w, col0, n_cols, a, a_stride, n_tok, scratch);
    chk_equal(ctx, got, want, n_out);
    chk_release(ctx);
}

static void one_decode_row(chk_ctx *ctx, glm_type type, unsigned kind)
{
    glm_mat w = chk_pick_mat(ctx, type, kind);
    uint32_t r = chk_below(ctx, w.n_rows);
    float *got = chk_floats(w.n_cols), *want = chk_floats(w.n_cols);
    chk_describe_mat(ctx, &w, r, 1, 0, kind);
    chk_poison(got, w.n_cols);
    ctx->ref->decode_row(want, &w, r);
    if (ctx->is_reference) {
        double *row = calloc(w.n_cols, sizeof *row);
        if (row)
            chk_row_values(row, &w, r);
        for (uint32_t c = 0; c < w.n_cols && row; c++)
            chk_near(ctx, want[c], row[c], 0, c);
        free(row);
    }
    ctx->k->decode_row(got, &w, r);
    chk_equal(ctx, got, want, w.n_cols);
    chk_release(ctx);
}

/* The float types often, the block types each a few times. */
static void each_type(chk_ctx *ctx, unsigned n_float, unsigned n_block,
                      void (*fn)(chk_ctx *, glm_type, unsigned))
{
    for (size_t i = 0; i < chk_n_types; i++) {
        unsigned n = glm_type_get(chk_types[i])->n_elems == 1 ? n_float : n_block;
        for (unsigned j = 0; j < n; j++)
            fn(ctx, chk_types[i], j);
    }
}

void chk_matmul(chk_ctx *ctx)
{
    each_type(ctx, 150, 12, one_matmul);
    for (unsigned i = 0; i < 100; i++)
        one_token_f8(ctx, i);
}

void chk_row_sum(chk_ctx *ctx)
{
    each_type(ctx, 150, 12, one_row_sum);
}

void chk_decode_row(chk_ctx *ctx)
{
    each_type(ctx, 200, 30, one_decode_row);
}
