// SPDX-License-Identifier: MIT
/*
 * The source of the AVX-VNNI kernel, compiled for AVX-512 VNNI at 256 bits: the same instructions in another encoding, which processors
 * without AVX-VNNI run.
 */
#include "harness.h"

#define Q_VNNI
#define KERNEL(slot) chk_##slot##_avxvnni
#include "kernels/x86/qvec_avx2.h"

#include "kernels/simd/qmatmul.h"
