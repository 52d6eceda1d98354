// SPDX-License-Identifier: MIT
/* The source of the AMX kernel with a model of its tiles: what it does with AVX-512 VNNI beside them is run as it is. */
#include "amx_model.h"
#include "harness.h"

#define KERNEL(slot) chk_##slot##_amx
#define Q_MANY "kernels/x86/qamx.h"
#include "kernels/x86/qvec_avx512vnni.h"

#include "kernels/simd/qmatmul.h"
