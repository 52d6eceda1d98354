// SPDX-License-Identifier: MIT
/*
 * Readers of the formats whose codes are indices into books (IQ1, IQ2, IQ3).
 * Indices differ from row to row, so each row's 256 codes are looked up on
 * their own (codes_<type>: Q_ROWS or simd/qlookup.h); the rows then go the way
 * of any format with a byte a column. `codes` has room for QR rows of 256
 * bytes.
 */
#ifndef GLM_KERNELS_SIMD_QCODEBOOK_H
#define GLM_KERNELS_SIMD_QCODEBOOK_H

#ifdef Q_ROWS
#include Q_ROWS
#else
#include "kernels/simd/qlookup.h"
#endif
#include "kernels/simd/qunpack.h"

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

/* Codes of all rows to the sink; scale[g] is group g's. */
QV void put_rows(sink *s, const uint8_t *codes, const qi *scale)
{
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
    qi scale[8];
    codes_iq2_xxs(codes, p, stride);
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        qi w[4];
        qi_words4(w, p + 2 + 16 * c, stride);
        scale[2 * c] = odd_scale(qi_srl(w[1], 28));
        scale[2 * c + 1] = odd_scale(qi_srl(w[3], 28));
    }
    put_rows(s, codes, scale);
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
    qi scale[16];
    codes_iq2_xs(codes, p, stride);
    read_16_nibbles(scale, p + 66, stride);
    put_rows(s, codes, scale);
}

QV void read_iq2_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    qi scale[16];
    codes_iq2_s(codes, p, stride);
    read_16_nibbles(scale, p + 74, stride);
    put_rows(s, codes, scale);
}

QV void read_iq3_xxs(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    qi scale[8];
    codes_iq3_xxs(codes, p, stride);
    qi_words4(scale, p + 66, stride);
    qi_words4(scale + 4, p + 82, stride);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(qi_srl(scale[g], 28));
    put_rows(s, codes, scale);
}

QV void read_iq3_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    qi scale[8], tail[4];
    qi_words4(tail, p + 94, stride);
    codes_iq3_s(codes, p, stride);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(nibble_of(tail[3], g));
    put_rows(s, codes, scale);
}

QV void read_iq1_s(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    qi scale[8], w[4];
    codes_iq1_s(codes, p, stride);
    qi_words4(w, p + 34, stride);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        scale[g] = odd_scale(qi_and(qi_srl(w[g / 2], (unsigned)(g % 2 * 16 + 12)), qi_set1(7)));
    put_rows(s, codes, scale);
}

QV void read_iq1_m(sink *s, const uint8_t *p, size_t stride, uint8_t *codes)
{
    qi scale[16], w[4];
    qi_words4(w, p + 40, stride);
    codes_iq1_m(codes, p, stride);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        qi word = qi_srl(w[2 + i / 2], (unsigned)(i % 2 * 16));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            scale[4 * i + j] = odd_scale(qi_and(qi_srl(word, (unsigned)(3 * j)), qi_set1(7)));
    }
    put_rows(s, codes, scale);
}

#endif
