// SPDX-License-Identifier: MIT
/*
 * Encoders: a row of float32 into the blocks of a type, the inverse of quant.h. Every type searches for the codes with
 * the least sum of weight * (x - decoded)^2; docs/quantisation.md says how. Calls share no state: rows may be encoded by
 * any thread in any order, and the bytes depend on neither that nor the processor's instruction set.
 *
 *     glm_encoder encoder;
 *     glm_encoder_init(&encoder); // once
 *     if (glm_quant_can_encode(type))
 *         status = glm_quant_encode_row(&encoder, out, type, x, importance, n_cols, &err);
 */
#ifndef GLM_QUANT_ENCODE_H
#define GLM_QUANT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

/** The build of the encoders for this processor; read only once filled, so threads may share it. */
typedef struct glm_encoder {
    void (*row)(void *out, uint32_t type, const float *x, const float *weights, size_t n);
} glm_encoder;

/** Ask the processor what it can run. Cannot fail. */
void glm_encoder_init(glm_encoder *encoder);

/** Whether glm_quant_encode_row writes this type: all that have a decoder. */
bool glm_quant_can_encode(uint32_t type);

/**
 * Encode one row.
 *
 * @param out      the row's blocks, as many bytes as glm_type_size says; any alignment
 * @param x        [n] finite values. A block whose scale would exceed the format's (65504 for f16) saturates there
 * @param weights  [n] finite importances >= 0, one a column, usually the mean square of the input that meets it; NULL: all
 *                 alike. Only ratios inside a block matter. A weight below 2^-24 of its block's greatest counts as that
 * @param n        a multiple of the type's block
 * GLM_EARG: a type without encoder, or n is no multiple. GLM_ENUMERIC: a value or weight is not finite or a weight is
 * negative; the text has its index. `out` is untouched then.
 */
glm_status glm_quant_encode_row(const glm_encoder *encoder, void *out, uint32_t type,
                                const float *x, const float *weights, size_t n,
                                glm_error *err) GLM_MUST_CHECK;

#endif
