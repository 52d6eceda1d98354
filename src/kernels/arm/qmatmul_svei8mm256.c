// SPDX-License-Identifier: MIT
#define Q_I8MM
#include "kernels/arm/qvec_sve.h"

#include "kernels/simd/qmatmul.h"
