// SPDX-License-Identifier: MIT
#include "kernels/arm/qvec_neon.h"

#include "kernels/simd/qmatmul.h"
