// SPDX-License-Identifier: MIT
/*
 * What all variants of kernels/qmatmul.h share: where a row lies, and the scale of a block.
 */
#ifndef GLM_KERNELS_ACT_H
#define GLM_KERNELS_ACT_H

#include "kernels/qmatmul.h"
#include "quant/half.h"

static inline const void *glm_act_row(const glm_act_rows *x, uint32_t t)
{
    return (const char *)x->data + (x->row ? x->row[t] : t) * x->stride_bytes;
}

typedef struct glm_act_scale {
    float d;
    float inverse; /* 0: all integers are 0 */
} glm_act_scale;

/** The scale of a block whose largest |x| has the bits `top`. */
static inline glm_act_scale glm_act_scale_of(uint32_t top)
{
    float a = glm_f32_from_bits(top);
    if (top >= 0x7f800000) /* infinite, NaN */
        return (glm_act_scale){glm_f32_from_bits(0x7fc00000), 0};
    if (a < 0x1p-100F)
        return (glm_act_scale){0, 0};
    return (glm_act_scale){a / 127, 127 / a};
}

#endif
