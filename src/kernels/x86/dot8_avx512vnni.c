// SPDX-License-Identifier: MIT
#define KERNEL(slot) glm_##slot##_avx512vnni
#include "kernels/x86/dot8_avx512.h"

#include "kernels/simd/dot8.h"
