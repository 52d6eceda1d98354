// SPDX-License-Identifier: MIT
/* The encoders for AVX2. */
#define GLM_ENCODE_ROW glm_encode_row_avx2
#include "quant/encode/row.h"
