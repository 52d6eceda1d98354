// SPDX-License-Identifier: MIT
/*
 * The 12 bytes that hold 8 scales and 8 minima of 6 bits in Q4_K and Q5_K: bytes 0..3 are scales 0..3 and bytes
 * 4..7 minima 0..3 in their low six bits; bytes 8..11 hold the low nibbles of scales and minima 4..7, whose upper
 * two bits are the upper two of bytes 0..3 and 4..7.
 */
#ifndef GLM_QUANT_K_SCALES_H
#define GLM_QUANT_K_SCALES_H

#include <stdint.h>

static inline int glm_k_scale(const uint8_t *scales, int g)
{
    return g < 4 ? scales[g] & 63 : (scales[g + 4] & 15) | scales[g - 4] >> 6 << 4;
}

static inline int glm_k_min(const uint8_t *scales, int g)
{
    return g < 4 ? scales[g + 4] & 63 : scales[g + 4] >> 4 | scales[g] >> 6 << 4;
}

/** The inverse: 8 scales and 8 minima, each 0..63, into the 12 bytes. */
static inline void glm_k_pack(uint8_t *scales, const uint8_t *scale, const uint8_t *min)
{
    for (int g = 0; g < 4; g++) {
        scales[g] = (uint8_t)(scale[g] | scale[g + 4] >> 4 << 6);
        scales[g + 4] = (uint8_t)(min[g] | min[g + 4] >> 4 << 6);
        scales[g + 8] = (uint8_t)((scale[g + 4] & 15) | (min[g + 4] & 15) << 4);
    }
}

#endif
