// SPDX-License-Identifier: MIT
#define KERNEL(slot) glm_##slot##_amx
#define Q_MANY "kernels/x86/qamx.h"
#include "kernels/x86/qvec_avx512vnni.h"

#include "kernels/simd/qmatmul.h"
