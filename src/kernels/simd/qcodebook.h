// SPDX-License-Identifier: MIT
/*
 * Readers of the formats whose codes are indices into books (IQ1, IQ2, IQ3). Indices differ from row to row, so each row's 256
 * codes are looked up on their own, packed values first (quant/codebooks.h), then all at once values by a table of two signs; the
 * rows then go the way of any format with a byte a column. `codes` has room for QR rows of 256 bytes.
 */
#ifndef GLM_KERNELS_SIMD_QCODEBOOK_H
#define GLM_KERNELS_SIMD_QCODEBOOK_H

#include "kernels/simd/qunpack.h"

/* 8 bits, each eight times. */
QV uint64_t each_bit_8_times(uint32_t eight)
{
    return q_spread1(eight) * 0xff;
}

/* Nibble i of each 32-bit word. */
QV qi nibble_of(qi a, int i)
{
    return qi_and(qi_srl(a, (unsigned)(4 * i)), qi_set1(15));
}

/* 2 * a + 1 */
QV qi odd_scale(qi a)
{
    return qi_add(qi_add(a, a), qi_set1(1));
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

/* Packed values of all rows to codes, and those to the sink; scale[g] is group g's. */
QV void put_rows(sink *s, uint8_t *codes, uint64_t (*sign)[4], const book *b, const qi *scale)
{
    const qi plus = qi_table(b->plus), minus = qi_table(b->minus);
    for (int r = 0; r < QR; r++)
#pragma GCC unroll 8
        for (int i = 0; i < 64 / QR; i++) {
            uint8_t *at = codes + 256 * r + 4 * QR * i;
            qi_store(at, q_select(at, sign[r], i, plus, minus));
        }
#pragma GCC unroll 16
    for (int c = 0; c < 16; c++) {
        qi w[4];
        qi_words4(w, codes + 16 * c, 256);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            put_code(s, 0, 4 * c + i, w[i]);
        if (16 * (c + 1) % s->s.group == 0)
            end_group(s, 0, 16 * c / s->s.group, scale[16 * c / s->s.group]);
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

/* The factor of a block, d_<type>(s, p, stride): d, as quant/ints.h has it. */
QV void put_scale_d(sink *s, const uint8_t *p, size_t stride, float factor)
{
    put_factors(s, 0, qf_mul(first_half(p, stride), qf_set1(factor)), qf_zero());
}

#define DEFINE_D(name, factor)                                                                     \
    QV void put_d_##name(sink *s, const uint8_t *p, size_t stride)                                 \
    {                                                                                              \
        put_scale_d(s, p, stride, factor);                                                         \
    }
DEFINE_D(iq1_s, 0.125F)
DEFINE_D(iq2_xxs, 0.125F)
DEFINE_D(iq2_xs, 0.125F)
DEFINE_D(iq2_s, 0.125F)
DEFINE_D(iq3_xxs, 0.25F)
DEFINE_D(iq3_s, 1)
#undef DEFINE_D

/* Of the upper nibbles of four words. */
QV void put_d_iq1_m(sink *s, const uint8_t *p, size_t stride)
{
    qi w[4], d = qi_zero();
    qi_words4(w, p + 40, stride);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        qi low = qi_and(qi_srl(w[2 + i], 12), qi_set1(15)), high = qi_srl(w[2 + i], 28);
        d = qi_or(d, qi_or(qi_sll(low, (unsigned)(8 * i)), qi_sll(high, (unsigned)(8 * i + 4))));
    }
    put_factors(s, 0, qf_mul(low_half(d), qf_set1(0.125F)), qf_zero());
}

QV void read_iq2_xxs(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[8];
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
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        qi w[4];
        qi_words4(w, p + 2 + 16 * c, stride);
        scale[2 * c] = odd_scale(qi_srl(w[1], 28));
        scale[2 * c + 1] = odd_scale(qi_srl(w[3], 28));
    }
    complete_signs(sign);
    put_rows(s, codes, sign, &book_iq2, scale);
}

/* 16 4-bit scales in 8 bytes that end a block, the low nibble first. */
QV void read_16_nibbles(qi *scale, const uint8_t *p, size_t stride)
{
    qi w[4];
    qi_words4(w, p - 8, stride);
#pragma GCC unroll 16
    for (int g = 0; g < 16; g++)
        scale[g] = odd_scale(nibble_of(w[2 + g / 8], g % 8));
}

QV void read_iq2_xs(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[16];
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
    read_16_nibbles(scale, p + 66, stride);
    complete_signs(sign);
    put_rows(s, codes, sign, &book_iq2, scale);
}

QV void read_iq2_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[16];
    for (int r = 0; r < QR; r++) {
        const glm_block_iq2_s *b = (const void *)(p + (size_t)r * stride);
        memcpy(sign[r], b->signs, sizeof sign[r]);
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_octet(codes + 256 * r, 4 * g + i,
                          glm_iq2_s_grid[b->qs[4 * g + i] | (b->qh[g] >> (2 * i) & 3) << 8]);
    }
    read_16_nibbles(scale, p + 74, stride);
    put_rows(s, codes, sign, &book_iq2, scale);
}

QV void read_iq3_xxs(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[8];
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
    qi_words4(scale, p + 66, stride);
    qi_words4(scale + 4, p + 82, stride);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(qi_srl(scale[g], 28));
    complete_signs(sign);
    put_rows(s, codes, sign, &book_iq3_xxs, scale);
}

QV void read_iq3_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[8], tail[4];
    qi_words4(tail, p + 94, stride);
    for (int r = 0; r < QR; r++) {
        const glm_block_iq3_s *b = (const void *)(p + (size_t)r * stride);
        memcpy(sign[r], b->signs, sizeof sign[r]);
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++)
                put_quad(codes + 256 * r, 8 * g + i,
                         glm_iq3_s_grid[b->qs[8 * g + i] | (b->qh[g] >> i & 1) << 8]);
    }
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(nibble_of(tail[3], g));
    put_rows(s, codes, sign, &book_iq3_s, scale);
}

QV void read_iq1_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[8], w[4];
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
    qi_words4(w, p + 34, stride);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(qi_and(qi_srl(w[g / 2], (unsigned)(g % 2 * 16 + 12)), qi_set1(7)));
    put_rows(s, codes, sign, &book_iq1, scale);
}

QV void read_iq1_m(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    uint64_t sign[QR][4];
    qi scale[16], w[4];
    qi_words4(w, p + 40, stride);
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
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        qi word = qi_srl(w[2 + i / 2], (unsigned)(i % 2 * 16));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            scale[4 * i + j] = odd_scale(qi_and(qi_srl(word, (unsigned)(3 * j)), qi_set1(7)));
    }
    put_rows(s, codes, sign, &book_iq1, scale);
}

#endif
