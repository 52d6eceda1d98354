// SPDX-License-Identifier: MIT
/* The encoders for any processor of the baseline. */
#define GLM_ENCODE_ROW glm_encode_row_c
#include "quant/encode/row.h"
