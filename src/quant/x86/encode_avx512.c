// SPDX-License-Identifier: MIT
/* The encoders for AVX-512. */
#define GLM_ENCODE_ROW glm_encode_row_avx512
#include "quant/encode/row.h"
