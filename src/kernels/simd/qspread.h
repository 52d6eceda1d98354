// SPDX-License-Identifier: MIT
/*
 * Code books: bits of an entry to bytes, by shifts and masks. Part of the vocabulary of simd/qmatmul.h; needs QV.
 */
#ifndef GLM_KERNELS_SIMD_QSPREAD_H
#define GLM_KERNELS_SIMD_QSPREAD_H

#include <stdint.h>

/* Each bit of 8, 2 bits of 16, 3 bits of 12, 7 bits of 28 to a byte of its own. */
QV uint64_t q_spread1(uint32_t eight)
{
    uint64_t low = (uint64_t)(eight & 127) * UINT64_C(0x02040810204081); /* bit i to 8 i */
    return (low & UINT64_C(0x0001010101010101)) | (uint64_t)(eight >> 7) << 56;
}

QV uint64_t q_spread2(uint32_t entry)
{
    uint64_t a = (entry | (uint64_t)entry << 24) & UINT64_C(0x000000ff000000ff);
    a = (a | a << 12) & UINT64_C(0x000f000f000f000f);
    return (a | a << 6) & UINT64_C(0x0303030303030303);
}

QV uint32_t q_spread3(uint32_t entry)
{
    uint32_t a = (entry | entry << 10) & 0x003f003f;
    return (a | a << 5) & 0x07070707;
}

QV uint32_t q_spread7(uint32_t bits28)
{
    return (bits28 & 0x7f) | (bits28 & 0x3f80) << 1 | (bits28 & 0x1fc000) << 2 |
           (bits28 & 0xfe00000) << 3;
}

#endif
