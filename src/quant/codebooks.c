// SPDX-License-Identifier: MIT
/*
 * The code books, as data: packed, and as the values that products multiply by.
 */
#include "quant/codebooks.h"

#include "quant/codebook_lists.h"

const int8_t glm_e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

const int8_t glm_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

const uint8_t glm_iq3_xxs_values[8] = {0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3e};
const uint8_t glm_iq3_s_values[8] = {0x01, 0x03, 0x05, 0x07, 0x09, 0x0b, 0x0d, 0x0f};

/* Packed as listed. */
#define ENTRY(e) e,
const uint16_t glm_iq1_grid[2048] = {GLM_IQ1_GRID(ENTRY)};
const uint16_t glm_iq2_xxs_grid[256] = {GLM_IQ2_XXS_GRID(ENTRY)};
const uint16_t glm_iq2_xs_grid[512] = {GLM_IQ2_XS_GRID(ENTRY)};
const uint16_t glm_iq2_s_grid[1024] = {GLM_IQ2_S_GRID(ENTRY)};
const uint16_t glm_iq3_xxs_grid[256] = {GLM_IQ3_XXS_GRID(ENTRY)};
const uint16_t glm_iq3_s_grid[512] = {GLM_IQ3_S_GRID(ENTRY)};

/* A byte a value, the first lowest: V maps an index to its value. */
#define QUAD(V, bits, e)                                                                           \
    (V((e) & ((1 << (bits)) - 1)) | V((e) >> (bits) & ((1 << (bits)) - 1)) << 8 |                  \
     V((e) >> 2 * (bits) & ((1 << (bits)) - 1)) << 16 |                                            \
     V((e) >> 3 * (bits) & ((1 << (bits)) - 1)) << 24)
#define OCTET(V, e) ((uint64_t)QUAD(V, 2, e) | (uint64_t)QUAD(V, 2, (e) >> 8) << 32)

#define IQ1_VALUE(i) (32U * (i))
#define IQ2_VALUE(i) (8U + 17U * (i) + ((i) >> 1)) /* 8, 25, 43 */
#define IQ3_XXS_VALUE(i) (4U + 8U * (i) + 2U * ((i) == 7))
#define IQ3_S_VALUE(i) (1U + 2U * (i))
#define IQ1_OCTET(e) OCTET(IQ1_VALUE, e##U),
#define IQ2_OCTET(e) OCTET(IQ2_VALUE, e##U),
#define IQ3_XXS_QUAD(e) QUAD(IQ3_XXS_VALUE, 3, e##U),
#define IQ3_S_QUAD(e) QUAD(IQ3_S_VALUE, 3, e##U),
_Alignas(64) const uint64_t glm_iq1_octets[2048] = {GLM_IQ1_GRID(IQ1_OCTET)};
_Alignas(64) const uint64_t glm_iq2_xxs_octets[256] = {GLM_IQ2_XXS_GRID(IQ2_OCTET)};
_Alignas(64) const uint64_t glm_iq2_xs_octets[512] = {GLM_IQ2_XS_GRID(IQ2_OCTET)};
_Alignas(64) const uint64_t glm_iq2_s_octets[1024] = {GLM_IQ2_S_GRID(IQ2_OCTET)};
_Alignas(64) const uint32_t glm_iq3_xxs_quads[256] = {GLM_IQ3_XXS_GRID(IQ3_XXS_QUAD)};
_Alignas(64) const uint32_t glm_iq3_s_quads[512] = {GLM_IQ3_S_GRID(IQ3_S_QUAD)};
