// SPDX-License-Identifier: MIT
#include "kernels/x86/qvec_avx512vnni.h"

#include "kernels/simd/qmatmul.h"
