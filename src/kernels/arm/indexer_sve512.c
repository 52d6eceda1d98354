// SPDX-License-Identifier: MIT
#include "kernels/arm/vec_sve.h"

#include "kernels/simd/indexer.h"
