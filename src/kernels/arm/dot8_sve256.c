// SPDX-License-Identifier: MIT
#include "kernels/arm/dot8_sve.h"

#include "kernels/simd/dot8.h"
