// SPDX-License-Identifier: MIT
#define Q_DOTPROD
#define Q_I8MM
#include "kernels/arm/qvec_neon.h"

#include "kernels/simd/qmatmul.h"
