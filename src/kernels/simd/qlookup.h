// SPDX-License-Identifier: MIT
/*
 * The codes of formats with code books, QR rows of 256 (simd/qcodebook.h): packed values first (quant/codebooks.h), then all at once
 * values by a table of two signs. For instruction sets that have no look-up of their own (x86/qrow.h).
 */
#ifndef GLM_KERNELS_SIMD_QLOOKUP_H
#define GLM_KERNELS_SIMD_QLOOKUP_H

#include "kernels/simd/qunpack.h"

/* 8 bits, each eight times. */
QV uint64_t each_bit_8_times(uint32_t eight)
{
    return q_spread1(eight) * 0xff;
}

/* Values of codes 0.. and their negatives, with the offset added. */
typedef struct book {
    uint8_t plus[16], minus[16];
} book;

#define BOOK_VALUE(i, v, offset) .plus[i] = (offset) + (v), .minus[i] = (offset) - (v)
static const book book_iq2 = {
    BOOK_VALUE(0, 8, 64),
    BOOK_VALUE(1, 25, 64),
    BOOK_VALUE(2, 43, 64),
};
static const book book_iq3_xxs = {
    BOOK_VALUE(0, 4, 64),  BOOK_VALUE(1, 12, 64), BOOK_VALUE(2, 20, 64), BOOK_VALUE(3, 28, 64),
    BOOK_VALUE(4, 36, 64), BOOK_VALUE(5, 44, 64), BOOK_VALUE(6, 52, 64), BOOK_VALUE(7, 62, 64),
};
static const book book_iq3_s = {
    BOOK_VALUE(0, 1, 16), BOOK_VALUE(1, 3, 16),  BOOK_VALUE(2, 5, 16),  BOOK_VALUE(3, 7, 16),
    BOOK_VALUE(4, 9, 16), BOOK_VALUE(5, 11, 16), BOOK_VALUE(6, 13, 16), BOOK_VALUE(7, 15, 16),
};
#undef BOOK_VALUE
/* 8 * (code - 1) plus or minus the shift of one, offset 16. */
static const book book_iq1 = {{9, 17, 25}, {7, 15, 23}};

/* All rows' sign bits get the eighth of each byte, which makes the number of ones even (glm_iq_signs). */
QV void complete_signs(uint64_t (*sign)[4])
{
    char *p = (char *)sign;
    for (size_t at = 0; at < QR * sizeof sign[0]; at += sizeof(qi)) {
        qi seven = qi_load(p + at), odd = qi_xor(seven, qi_srl(seven, 4));
        odd = qi_xor(qi_and(odd, qi_set1_8(15)), qi_and(qi_srl(odd, 2), qi_set1_8(3)));
        odd = qi_xor(odd, qi_srl(odd, 1));
        qi_store(p + at, qi_or(seven, qi_sll(qi_and(odd, qi_set1_8(1)), 7)));
    }
}

/* Packed values of all rows to codes. */
QV void select_rows(uint8_t *codes, uint64_t (*sign)[4], const book *b)
{
    const qi plus = qi_table(b->plus), minus = qi_table(b->minus);
    for (int r = 0; r < QR; r++)
#pragma GCC unroll 8
        for (int i = 0; i < 64 / QR; i++) {
            uint8_t *at = codes + 256 * r + 4 * QR * i;
            qi_store(at, q_select(at, sign[r], i, plus, minus));
        }
}

QV void put_octet(uint8_t *codes, int i, uint32_t entry)
{
    uint64_t eight = q_spread2(entry);
    memcpy(codes + 8 * i, &eight, sizeof eight);
}

QV void put_quad(uint8_t *codes, int i, uint32_t entry)
{
    uint32_t four = q_spread3(entry);
    memcpy(codes + 4 * i, &four, sizeof four);
}

QV void codes_iq2_xxs(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq2_xxs *b = (const void *)(p + (size_t)r * stride);
        for (int g = 0; g < 8; g++) {
            uint32_t four = q_spread7(glm_load_u32(b->qs + 8 * g + 4));
            memcpy((char *)sign[r] + 4 * g, &four, sizeof four);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_octet(codes + 256 * r, 4 * g + i, glm_iq2_xxs_grid[b->qs[8 * g + i]]);
        }
    }
    complete_signs(sign);
    select_rows(codes, sign, &book_iq2);
}

QV void codes_iq2_xs(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq2_xs *b = (const void *)(p + (size_t)r * stride);
        for (int g = 0; g < 8; g++) {
            uint32_t seven = 0;
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                uint32_t q = glm_load_u16(b->qs + 8 * g + 2 * i);
                put_octet(codes + 256 * r, 4 * g + i, glm_iq2_xs_grid[q & 511]);
                seven |= q >> 9 << (8 * i);
            }
            memcpy((char *)sign[r] + 4 * g, &seven, sizeof seven);
        }
    }
    complete_signs(sign);
    select_rows(codes, sign, &book_iq2);
}

QV void codes_iq2_s(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq2_s *b = (const void *)(p + (size_t)r * stride);
        memcpy(sign[r], b->signs, sizeof sign[r]);
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_octet(codes + 256 * r, 4 * g + i,
                          glm_iq2_s_grid[b->qs[4 * g + i] | (b->qh[g] >> (2 * i) & 3) << 8]);
    }
    select_rows(codes, sign, &book_iq2);
}

QV void codes_iq3_xxs(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq3_xxs *b = (const void *)(p + (size_t)r * stride);
        for (int g = 0; g < 8; g++) {
            uint32_t four = q_spread7(glm_load_u32(b->signs + 4 * g));
            memcpy((char *)sign[r] + 4 * g, &four, sizeof four);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++)
                put_quad(codes + 256 * r, 8 * g + i, glm_iq3_xxs_grid[b->qs[8 * g + i]]);
        }
    }
    complete_signs(sign);
    select_rows(codes, sign, &book_iq3_xxs);
}

QV void codes_iq3_s(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq3_s *b = (const void *)(p + (size_t)r * stride);
        memcpy(sign[r], b->signs, sizeof sign[r]);
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++)
                put_quad(codes + 256 * r, 8 * g + i,
                         glm_iq3_s_grid[b->qs[8 * g + i] | (b->qh[g] >> i & 1) << 8]);
    }
    select_rows(codes, sign, &book_iq3_s);
}

QV void codes_iq1_s(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq1_s *b = (const void *)(p + (size_t)r * stride);
        for (int g = 0; g < 8; g++) {
            uint32_t qh = glm_load_u16(b->qh + 2 * g), four = qh >> 15 ? UINT32_MAX : 0;
            memcpy((char *)sign[r] + 4 * g, &four, sizeof four);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_octet(codes + 256 * r, 4 * g + i,
                          glm_iq1_grid[b->qs[4 * g + i] | (qh >> (3 * i) & 7) << 8]);
        }
    }
    select_rows(codes, sign, &book_iq1);
}

QV void codes_iq1_m(uint8_t *codes, const uint8_t *p, size_t stride)
{
    uint64_t sign[QR][4];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq1_m *b = (const void *)(p + (size_t)r * stride);
        for (int g = 0; g < 4; g++) {
            uint32_t high = glm_load_u32(b->qh + 4 * g), shifts = 0;
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                uint32_t nibble = high >> (4 * i) & 15;
                shifts |= nibble >> 3 << i;
                put_octet(codes + 256 * r, 8 * g + i,
                          glm_iq1_grid[b->qs[8 * g + i] | (nibble & 7) << 8]);
            }
            sign[r][g] = each_bit_8_times(shifts);
        }
    }
    select_rows(codes, sign, &book_iq1);
}

#endif
