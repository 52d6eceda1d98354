// SPDX-License-Identifier: MIT
#include "kernels/x86/dot8_avx2.h"

#include "kernels/simd/dot8.h"
