// SPDX-License-Identifier: MIT
/* The builds of the encoders, one an instruction set; all give the same bytes. Arguments as glm_quant_encode_row's, checked. */
#ifndef GLM_QUANT_ENCODE_INTERNAL_H
#define GLM_QUANT_ENCODE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

typedef void glm_encode_row_fn(void *out, uint32_t type, const float *x, const float *weights,
                               size_t n);

glm_encode_row_fn glm_encode_row_c;
#ifdef __x86_64__
glm_encode_row_fn glm_encode_row_avx2, glm_encode_row_avx512;
#endif

#endif
