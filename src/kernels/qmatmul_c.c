// SPDX-License-Identifier: MIT
#include "kernels/qmatmul.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/act.h"
#include "kernels/kernels_internal.h"
#include "quant/formats.h"

static_assert(sizeof(glm_act_32) == GLM_ACT_BYTES && sizeof(glm_act_256) == GLM_ACT_BYTES,
              "one stride for both");

glm_act_layout glm_act_layout_of(glm_type type)
{
#define CASE(TYPE, name, n_elems, group, offset, has_min, max)                                     \
    case GLM_TYPE_##TYPE:                                                                          \
        return n_elems == 32 ? GLM_ACT_32 : GLM_ACT_256;
    switch (type) {
        GLM_INT_FORMATS(CASE)
    default:
        return GLM_ACT_NONE;
    }
#undef CASE
}

/* The scale block x[0..n-1]; returns its scale. */
static float quantize_block(int8_t *q, const float *x, int n)
{
    uint32_t top = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits = glm_f32_to_bits(x[i]) & 0x7fffffff;
        top = bits > top ? bits : top;
    }
    glm_act_scale s = glm_act_scale_of(top);
    for (int i = 0; i < n; i++)
        q[i] = s.inverse == 0 ? 0 : (int8_t)lrintf(x[i] * s.inverse);
    return s.d;
}

static int sum_of(const int8_t *q, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += q[i];
    return sum;
}

void glm_act_quantize_c(void *out, const float *x, uint32_t n, glm_act_layout layout)
{
    memset(out, 0, glm_act_row_bytes(n));
    if (layout == GLM_ACT_256) {
        glm_act_256 *a = out;
        for (uint32_t k = 0; k < n; k += 256, a++) {
            a->d = quantize_block(a->q, x + k, 256);
            for (int g = 0; g < 16; g++)
                a->sum16[g] = (int16_t)sum_of(a->q + 16 * g, 16);
            for (int g = 0; g < 8; g++)
                a->sum32[g] = (int16_t)sum_of(a->q + 32 * g, 32);
        }
        return;
    }
    for (uint32_t k = 0; k < n; k += 32) {
        glm_act_32 *a = (glm_act_32 *)out + k / 256;
        uint32_t b = k % 256 / 32;
        a->d[b] = quantize_block(a->q + 32 * b, x + k, 32);
        a->sum[b] = sum_of(a->q + 32 * b, 32);
    }
}

/* acc, one block further. */
static float add_block(float acc, const glm_int_block *w, uint32_t n, bool has_min, const int8_t *q,
                       float d)
{
    int32_t s = 0, t = 0;
    for (uint32_t g = 0; g < n / 16; g++) {
        int32_t dot = 0, sum = 0;
        for (uint32_t k = 16 * g; k < 16 * g + 16; k++) {
            dot += w->q[k] * q[k];
            sum += q[k];
        }
        s += w->scale[g] * dot;
        t += w->min[g] * sum;
    }
    acc = fmaf(w->d * d, (float)s, acc);
    return has_min ? fmaf(w->m * d, (float)t, acc) : acc;
}

static float dot_row(const glm_mat *w, uint32_t r, const void *x)
{
    const char *row = (const char *)w->data + r * w->row_stride_bytes;
    float acc = 0;
    glm_int_block b;
#define CASE(TYPE, name, n_elems, group, offset, has_min, max)                                     \
    case GLM_TYPE_##TYPE:                                                                          \
        for (uint32_t k = 0; k < w->n_cols; k += n_elems) {                                        \
            const void *block = row + k / n_elems * sizeof(glm_block_##name);                      \
            const glm_act_32 *a = (const glm_act_32 *)x + k / 256;                                 \
            const glm_act_256 *a256 = (const glm_act_256 *)x + k / 256;                            \
            glm_block_##name##_ints(&b, block);                                                    \
            acc = add_block(acc, &b, n_elems, has_min, a->q + k % 256,                             \
                            n_elems == 32 ? a->d[k % 256 / 32] : a256->d);                         \
        }                                                                                          \
        break;
    switch (w->type) {
        GLM_INT_FORMATS(CASE)
    default:
        assert(0 && "a type without integers");
        break;
    }
#undef CASE
    return w->tensor_scale != 1 ? acc * w->tensor_scale : acc;
}

void glm_qmatmul_c(float *out, size_t out_stride, const glm_mat *w, uint32_t row0, uint32_t n_rows,
                   const glm_act_rows *x, void *scratch)
{
    (void)scratch;
    for (uint32_t t = 0; t < x->n_tok; t++)
        for (uint32_t r = 0; r < n_rows; r++)
            out[t * out_stride + r] = dot_row(w, row0 + r, glm_act_row(x, t));
}
