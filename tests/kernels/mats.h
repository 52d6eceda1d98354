// SPDX-License-Identifier: MIT
/* Stored matrices for the checks of products (check_matmul.c makes them). */
#ifndef GLM_TESTS_KERNELS_MATS_H
#define GLM_TESTS_KERNELS_MATS_H

#include "harness.h"
#include "quant/mat.h"

/** Every type with a decoder. */
extern const glm_type chk_types[];
extern const size_t chk_n_types;

/** A matrix of one case: a size that straddles the vector widths and tiles, a fill; it ends where an unmapped page begins. */
glm_mat chk_pick_mat(chk_ctx *ctx, glm_type type, unsigned kind);

/** Name the case in ctx->what. */
void chk_describe_mat(chk_ctx *ctx, const glm_mat *w, uint32_t at, uint32_t n, uint32_t n_tok,
                      unsigned kind);

/** Values of row r by the reference decoder and the definition of the scales, apart from the kernels' code. */
void chk_row_values(double *out, const glm_mat *w, uint32_t r);

#endif
