// SPDX-License-Identifier: MIT
#include "kernels/x86/dot8_avx512.h"

#include "kernels/simd/dot8.h"
