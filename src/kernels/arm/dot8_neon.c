// SPDX-License-Identifier: MIT
#include "kernels/arm/dot8_neon.h"

#include "kernels/simd/dot8.h"
