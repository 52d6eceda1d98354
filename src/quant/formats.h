// SPDX-License-Identifier: MIT
/*
 * The list of formats that have a decoder. X(TYPE, name, n): glm_block_<name> is the layout of a block of n elements of
 * GLM_TYPE_<TYPE> and glm_block_<name>_decode its reference decoder, static inline so that kernels compile it for their
 * instruction set too: every rounding in it is the only one of its value, so all builds give the same bits.
 */
#ifndef GLM_QUANT_FORMATS_H
#define GLM_QUANT_FORMATS_H

#include "quant/float.h"
#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

// clang-format off
#define GLM_FLOAT_FORMATS(X) \
    X(F32, f32, 1) \
    X(F16, f16, 1) \
    X(BF16, bf16, 1) \
    X(F8_E4M3, f8_e4m3, 1)
#define GLM_BLOCK_FORMATS(X) \
    X(Q4_0, q4_0, 32) \
    X(Q4_1, q4_1, 32) \
    X(Q5_0, q5_0, 32) \
    X(Q5_1, q5_1, 32) \
    X(Q8_0, q8_0, 32) \
    X(Q2_K, q2_k, 256) \
    X(Q3_K, q3_k, 256) \
    X(Q4_K, q4_k, 256) \
    X(Q5_K, q5_k, 256) \
    X(Q6_K, q6_k, 256) \
    X(IQ1_S, iq1_s, 256) \
    X(IQ1_M, iq1_m, 256) \
    X(IQ2_XXS, iq2_xxs, 256) \
    X(IQ2_XS, iq2_xs, 256) \
    X(IQ2_S, iq2_s, 256) \
    X(IQ3_XXS, iq3_xxs, 256) \
    X(IQ3_S, iq3_s, 256) \
    X(IQ4_NL, iq4_nl, 32) \
    X(IQ4_XS, iq4_xs, 256) \
    X(TQ1_0, tq1_0, 256) \
    X(TQ2_0, tq2_0, 256) \
    X(MXFP4, mxfp4, 32) \
    X(NVFP4, nvfp4, 64)
// clang-format on

/*
 * Formats that integers stand for (quant/ints.h), X(TYPE, name, elements, group, offset, has_min, max): glm_block_<name>_ints
 * gives a block; scales and minima are equal within `group` elements; q + offset lies in 0..max, or |q| where offset is 128.
 */
// clang-format off
#define GLM_INT_FORMATS(X) \
    X(Q4_0, q4_0, 32, 32, 8, 0, 15) \
    X(Q4_1, q4_1, 32, 32, 0, 1, 15) \
    X(Q5_0, q5_0, 32, 32, 16, 0, 31) \
    X(Q5_1, q5_1, 32, 32, 0, 1, 31) \
    X(Q8_0, q8_0, 32, 32, 128, 0, 128) \
    X(IQ4_NL, iq4_nl, 32, 32, 128, 0, 127) \
    X(MXFP4, mxfp4, 32, 32, 16, 0, 28) \
    X(Q2_K, q2_k, 256, 16, 0, 1, 3) \
    X(Q3_K, q3_k, 256, 16, 4, 0, 7) \
    X(Q4_K, q4_k, 256, 32, 0, 1, 15) \
    X(Q5_K, q5_k, 256, 32, 0, 1, 31) \
    X(Q6_K, q6_k, 256, 16, 32, 0, 63) \
    X(IQ1_S, iq1_s, 256, 32, 16, 0, 25) \
    X(IQ1_M, iq1_m, 256, 16, 16, 0, 25) \
    X(IQ2_XXS, iq2_xxs, 256, 32, 64, 0, 107) \
    X(IQ2_XS, iq2_xs, 256, 16, 64, 0, 107) \
    X(IQ2_S, iq2_s, 256, 16, 64, 0, 107) \
    X(IQ3_XXS, iq3_xxs, 256, 32, 64, 0, 126) \
    X(IQ3_S, iq3_s, 256, 32, 16, 0, 31) \
    X(IQ4_XS, iq4_xs, 256, 32, 128, 0, 127) \
    X(TQ1_0, tq1_0, 256, 32, 1, 0, 2) \
    X(TQ2_0, tq2_0, 256, 32, 1, 0, 3)
// clang-format on

#endif
