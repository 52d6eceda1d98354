// SPDX-License-Identifier: MIT
/*
 * Encoders by type: float32 values to stored blocks.
 */
#ifndef GLM_CONVERT_ENCODE_H
#define GLM_CONVERT_ENCODE_H

#include <stddef.h>

#include "quant/types.h"

/**
 * Encode n_blocks blocks.
 *
 * @param blocks      out, may lie unaligned
 * @param x           finite values, as many as the blocks hold
 * @param importance  weights of squared differences, one a value and >= 0; NULL: all equal
 */
typedef void glm_encode_fn(void *blocks, const float *x, const float *importance, size_t n_blocks);

/** The encoder of a type, or NULL for a type that cannot be written. */
glm_encode_fn *glm_encode_get(glm_type type);

#endif
