// SPDX-License-Identifier: MIT
/*
 * Tables of the formats whose codes are indices. An entry of a grid packs its values from the lowest bits up, as 2-bit
 * (IQ1, IQ2) or 3-bit (IQ3) indices into the few values that occur.
 */
#ifndef GLM_QUANT_CODEBOOKS_H
#define GLM_QUANT_CODEBOOKS_H

#include <stdint.h>

extern const int8_t glm_e2m1_doubled[16]; /* FP4 E2M1, times 2 */
extern const int8_t glm_iq4_values[16];
extern const uint8_t glm_iq3_xxs_values[8], glm_iq3_s_values[8];

extern const uint16_t glm_iq1_grid[2048]; /* values: code - 1 */
extern const uint16_t glm_iq2_xxs_grid[256], glm_iq2_xs_grid[512], glm_iq2_s_grid[1024];
extern const uint16_t glm_iq3_xxs_grid[256], glm_iq3_s_grid[512];

/* The same books as bytes, the first value lowest: magnitudes; for IQ1 32 times the index. */
extern const uint64_t glm_iq1_octets[2048];
extern const uint64_t glm_iq2_xxs_octets[256], glm_iq2_xs_octets[512], glm_iq2_s_octets[1024];
extern const uint32_t glm_iq3_xxs_quads[256], glm_iq3_s_quads[512];

/** 7 stored sign bits and the eighth that makes their number even. */
static inline uint32_t glm_iq_signs(uint32_t bits)
{
    return bits | (uint32_t)__builtin_parity(bits) << 7;
}

/** 8 values of an IQ2 grid entry: 8, 25 or 43, times scale, negated where a bit of signs is set. */
static inline void glm_iq2_decode8(float *out, uint32_t entry, float scale, uint32_t signs)
{
    for (int i = 0; i < 8; i++) {
        uint32_t code = entry >> (2 * i) & 3;
        float v = (float)(code == 0 ? 8 : code == 1 ? 25 : 43);
        out[i] = scale * (signs >> i & 1 ? -v : v);
    }
}

/** 4 values of an IQ3 grid entry, as glm_iq2_decode8. */
static inline void glm_iq3_decode4(float *out, uint32_t entry, const uint8_t *values, float scale,
                                   uint32_t signs)
{
    for (int i = 0; i < 4; i++) {
        float v = (float)values[entry >> (3 * i) & 7];
        out[i] = scale * (signs >> i & 1 ? -v : v);
    }
}

/** 8 values of the IQ1 grid: (value + delta) * scale. */
static inline void glm_iq1_decode8(float *out, uint32_t entry, float scale, float delta)
{
    for (int i = 0; i < 8; i++)
        out[i] = scale * ((float)(entry >> (2 * i) & 3) - 1 + delta);
}

#endif
