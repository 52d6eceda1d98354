// SPDX-License-Identifier: MIT
/* The body of every build: GLM_ENCODE_ROW names the one function it exports. */
#include "quant/encode/lattice.h"
#include "quant/encode/single.h"
#include "quant/encode/super.h"
#include "quant/encode/ternary.h"
#include "quant/encode_internal.h"
#include "quant/formats.h"
#include "quant/types.h"

static inline void encode_f32(glm_block_f32 *out, const float *x, const float *w)
{
    (void)w;
    memcpy(out->bytes, x, 4);
}

/* Overflow saturates: a weight that was finite stays finite. */
static inline void encode_f16(glm_block_f16 *out, const float *x, const float *w)
{
    (void)w;
    glm_store_u16(out->bytes, glm_f16_from_f32(clampf(*x, -65504, 65504)));
}

static inline void encode_bf16(glm_block_bf16 *out, const float *x, const float *w)
{
    (void)w;
    uint16_t h = glm_bf16_from_f32(*x);
    glm_store_u16(out->bytes, (h & 0x7fff) == 0x7f80 ? h - 1U : h);
}

static inline void encode_f8_e4m3(glm_block_f8_e4m3 *out, const float *x, const float *w)
{
    (void)w;
    out->byte = glm_f8e4m3_from_f32(*x);
}

#define DEFINE_ROW(name, n_elems)                                                                  \
    static void encode_row_##name(void *out, const float *x, const float *weights, size_t n)       \
    {                                                                                              \
        glm_block_##name *blocks = out;                                                            \
        for (size_t i = 0; i < n / n_elems; i++)                                                   \
            encode_##name(blocks + i, x + i * n_elems, weights ? weights + i * n_elems : NULL);    \
    }
DEFINE_ROW(f32, 1)
DEFINE_ROW(f16, 1)
DEFINE_ROW(bf16, 1)
DEFINE_ROW(f8_e4m3, 1)
DEFINE_ROW(q4_0, 32)
DEFINE_ROW(q4_1, 32)
DEFINE_ROW(q5_0, 32)
DEFINE_ROW(q5_1, 32)
DEFINE_ROW(q8_0, 32)
DEFINE_ROW(q2_k, 256)
DEFINE_ROW(q3_k, 256)
DEFINE_ROW(q4_k, 256)
DEFINE_ROW(q5_k, 256)
DEFINE_ROW(q6_k, 256)
DEFINE_ROW(iq4_nl, 32)
DEFINE_ROW(iq4_xs, 256)
DEFINE_ROW(mxfp4, 32)
DEFINE_ROW(nvfp4, 64)
DEFINE_ROW(tq1_0, 256)
DEFINE_ROW(tq2_0, 256)

void GLM_ENCODE_ROW(void *out, uint32_t type, const float *x, const float *weights, size_t n)
{
#define CASE(type, name, n_elems)                                                                  \
    case GLM_TYPE_##type:                                                                          \
        encode_row_##name(out, x, weights, n);                                                     \
        break;
    switch (type) {
        GLM_FLOAT_FORMATS(CASE)
        GLM_BLOCK_FORMATS(CASE)
    default:
        break;
    }
#undef CASE
}
