// SPDX-License-Identifier: MIT
#define Q_VNNI
#include "kernels/x86/qvec_avx2.h"

#include "kernels/simd/qmatmul.h"
