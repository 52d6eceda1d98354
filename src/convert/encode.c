// SPDX-License-Identifier: MIT
#include "convert/encode.h"

#include <math.h>
#include <string.h>

#include "quant/half.h"
#include "quant/q8_0.h"

static void encode_f32(void *blocks, const float *x, const float *importance, size_t n_blocks)
{
    (void)importance;
    memcpy(blocks, x, n_blocks * sizeof *x);
}

static void encode_f16(void *blocks, const float *x, const float *importance, size_t n_blocks)
{
    (void)importance;
    for (size_t i = 0; i < n_blocks; i++) {
        uint16_t half = glm_f16_from_f32(x[i]);
        memcpy((unsigned char *)blocks + i * sizeof half, &half, sizeof half);
    }
}

static void encode_bf16(void *blocks, const float *x, const float *importance, size_t n_blocks)
{
    (void)importance;
    for (size_t i = 0; i < n_blocks; i++) {
        uint16_t half = glm_bf16_from_f32(x[i]);
        memcpy((unsigned char *)blocks + i * sizeof half, &half, sizeof half);
    }
}

static void encode_q8_0(void *blocks, const float *x, const float *importance, size_t n_blocks)
{
    (void)importance;
    glm_block_q8_0 *out = blocks;
    for (size_t i = 0; i < n_blocks; i++, x += 32) {
        float largest = 0.0F;
        for (int j = 0; j < 32; j++)
            largest = fmaxf(largest, fabsf(x[j]));
        float d = largest / 127.0F, inverse = d > 0.0F ? 1.0F / d : 0.0F;
        uint16_t half = glm_f16_from_f32(d);
        memcpy(out[i].d, &half, sizeof half);
        for (int j = 0; j < 32; j++)
            out[i].qs[j] = (int8_t)lrintf(x[j] * inverse);
    }
}

glm_encode_fn *glm_encode_get(glm_type type)
{
    switch (type) {
    case GLM_TYPE_F32:
        return encode_f32;
    case GLM_TYPE_F16:
        return encode_f16;
    case GLM_TYPE_BF16:
        return encode_bf16;
    case GLM_TYPE_Q8_0:
        return encode_q8_0;
    default:
        return NULL;
    }
}
