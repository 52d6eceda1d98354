// SPDX-License-Identifier: MIT
#include "kernels/arm/qvec_sve.h"

#include "kernels/simd/qmatmul.h"
