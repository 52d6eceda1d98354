// SPDX-License-Identifier: MIT
/* The body of every build: GLM_ENCODE_ROW names the one function it exports. */
#include "quant/encode/lattice.h"
#include "quant/encode/single.h"
#include "quant/encode/super.h"
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

#define GLM_ENCODERS(X)                                                                            \
    X(F32, f32, 1)                                                                                 \
    X(F16, f16, 1)                                                                                 \
    X(BF16, bf16, 1)                                                                               \
    X(Q4_0, q4_0, 32)                                                                              \
    X(Q4_1, q4_1, 32)                                                                              \
    X(Q5_0, q5_0, 32)                                                                              \
    X(Q5_1, q5_1, 32)                                                                              \
    X(Q8_0, q8_0, 32)                                                                              \
    X(Q2_K, q2_k, 256)                                                                             \
    X(Q3_K, q3_k, 256)                                                                             \
    X(Q4_K, q4_k, 256)                                                                             \
    X(Q5_K, q5_k, 256)                                                                             \
    X(Q6_K, q6_k, 256)                                                                             \
    X(IQ4_NL, iq4_nl, 32)                                                                          \
    X(IQ4_XS, iq4_xs, 256)                                                                         \
    X(MXFP4, mxfp4, 32)                                                                            \
    X(NVFP4, nvfp4, 64)                                                                            \
    X(TQ1_0, tq1_0, 256)                                                                           \
    X(TQ2_0, tq2_0, 256)

/* Types whose code book is expanded once a row. */
#define GLM_BOOK_ENCODERS(X)                                                                       \
    X(IQ2_XXS, iq2_xxs)                                                                            \
    X(IQ2_XS, iq2_xs)                                                                              \
    X(IQ2_S, iq2_s)                                                                                \
    X(IQ3_XXS, iq3_xxs)                                                                            \
    X(IQ3_S, iq3_s)

void GLM_ENCODE_ROW(void *out, uint32_t type, const float *x, const float *weights, size_t n)
{
#define CASE(type, name, n_elems)                                                                  \
    case GLM_TYPE_##type:                                                                          \
        for (size_t i = 0; i < n / n_elems; i++)                                                   \
            encode_##name((glm_block_##name *)out + i, x + i * n_elems,                            \
                          weights ? weights + i * n_elems : NULL);                                 \
        break;
#define BOOK_CASE(type, name)                                                                      \
    case GLM_TYPE_##type:                                                                          \
        encode_row_##name(out, x, weights, n);                                                     \
        break;
    switch (type) {
        GLM_ENCODERS(CASE)
        GLM_BOOK_ENCODERS(BOOK_CASE)
    default:
        break;
    }
#undef BOOK_CASE
#undef CASE
}
