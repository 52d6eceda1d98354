// SPDX-License-Identifier: MIT
#define Q_DOTPROD
#include "kernels/arm/qvec_neon.h"

#include "kernels/simd/qmatmul.h"
