// SPDX-License-Identifier: MIT
#include "kernels/x86/qvec_avx2.h"

#include "kernels/simd/qmatmul.h"
