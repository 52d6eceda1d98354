// SPDX-License-Identifier: MIT
/*
 * From blocks as they lie in files to codes, whose lanes are rows: a reader a format, written once for all instruction sets. p is
 * the block of the first of QR rows, `stride` apart from the next row's. Layouts and meanings are those of src/quant.
 *
 * A reader hands what it finds to a sink (simd/qsink.h), which either stores it as a panel or multiplies at once:
 *
 *     put_factors(s, b, d, m)      d and m of block b (m only where the format has minima), first of all for a block
 *     put_min_pair(s, i, pair)     16-bit minima of groups 2 i and 2 i + 1
 *     put_code(s, slot, column4, code)    codes of columns 4 column4 .. 4 column4 + 3, on behalf of an open group
 *     end_group(s, slot, g, scale)        closes group g (blocks of 256); `slot` names one of up to 4 groups open at once
 *     end_block(s, b)              closes block b (blocks of 32; slot 0)
 *
 * qi_words4 gives the 32-bit words of 16 bytes of each row, so word i of a chunk holds the bytes of columns 4 i .. 4 i + 3 where
 * a byte is a column, and masks and shifts act on all of them.
 */
#ifndef GLM_KERNELS_SIMD_QUNPACK_H
#define GLM_KERNELS_SIMD_QUNPACK_H

#include "kernels/simd/qsink.h"

/* ---- Small parts ---- */

/* Byte b of each 32-bit word, zero-extended; with sign. */
QV qi byte_of(qi a, int b)
{
    return qi_and(qi_srl(a, (unsigned)(8 * b)), qi_set1(0xff));
}

QV qi signed_byte_of(qi a, int b)
{
    return qi_sra(qi_sll(a, (unsigned)(24 - 8 * b)), 24);
}

/* Bytes 2 i and 2 i + 1 of each 32-bit word as two 16-bit values. */
QV qi byte_pair(qi a, int i)
{
    qi both = qi_srl(a, (unsigned)(16 * i));
    return qi_or(qi_and(both, qi_set1(0xff)), qi_and(qi_sll(both, 8), qi_set1(0xff0000)));
}

/* Bits `from` and up of each byte, moved to bit `to`, as many as mask (which lies at `to`) says. */
QV qi bits(qi a, unsigned from, unsigned to, int mask)
{
    qi moved = from > to ? qi_srl(a, from - to) : from < to ? qi_sll(a, to - from) : a;
    return qi_and(moved, qi_set1_8(mask));
}

/* An f16 in the low, one in the high half of each 32-bit word. */
QV qf low_half(qi a)
{
    return qf_from_halves(a);
}

QV qf high_half(qi a)
{
    return qf_from_halves(qi_srl(a, 16));
}

/* The f16 of each row that begins, ends 16 bytes of its block. */
QV qf first_half(const uint8_t *p, size_t stride)
{
    qi w[4];
    qi_words4(w, p, stride);
    return low_half(w[0]);
}

QV qf last_half(const uint8_t *p, size_t stride)
{
    qi w[4];
    qi_words4(w, p, stride);
    return high_half(w[3]);
}

QV qf negative(qf a)
{
    return qf_mul(a, qf_set1(-1));
}

/* 8-bit codes as the products take them: with 128 added where those are unsigned. */
QV qi wide_code(qi a)
{
    return Q_WIDE_SIGNED ? a : qi_add8(a, qi_set1_8(128));
}

QV qi iq4_table(void)
{
    return wide_code(qi_table(glm_iq4_values));
}

/* ---- Blocks of 32 ---- */

QV void read_q8_0(sink *s, const uint8_t *p, size_t stride, int b)
{
    put_factors(s, b, first_half(p, stride), qf_zero());
#pragma GCC unroll 2
    for (int c = 0; c < 2; c++) {
        qi w[4];
        qi_words4(w, p + 2 + 16 * c, stride);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            put_code(s, 0, 8 * b + 4 * c + i, wide_code(w[i]));
    }
    end_block(s, b);
}

/* 16 bytes whose low nibbles are columns 0..15 and whose high ones columns 16..31, as codes or as indices. */
QV void put_nibbles(sink *s, const uint8_t *p, size_t stride, int b, bool has_table, qi table)
{
    qi w[4];
    qi_words4(w, p, stride);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        qi low = bits(w[i], 0, 0, 15), high = bits(w[i], 4, 0, 15);
        put_code(s, 0, 8 * b + i, has_table ? qi_shuffle8(table, low) : low);
        put_code(s, 0, 8 * b + 4 + i, has_table ? qi_shuffle8(table, high) : high);
    }
    end_block(s, b);
}

QV void read_q4_0(sink *s, const uint8_t *p, size_t stride, int b)
{
    put_factors(s, b, first_half(p, stride), qf_zero());
    put_nibbles(s, p + 2, stride, b, false, qi_zero());
}

QV void read_q4_1(sink *s, const uint8_t *p, size_t stride, int b)
{
    qi head[4];
    qi_words4(head, p, stride);
    put_factors(s, b, low_half(head[0]), high_half(head[0]));
    put_nibbles(s, p + 4, stride, b, false, qi_zero());
}

QV void read_iq4_nl(sink *s, const uint8_t *p, size_t stride, int b)
{
    put_factors(s, b, first_half(p, stride), qf_zero());
    put_nibbles(s, p + 2, stride, b, true, iq4_table());
}

QV void read_mxfp4(sink *s, const uint8_t *p, size_t stride, int b)
{
    /* 2^(e - 128), as glm_e8m0_half_to_f32: below e = 2 the second is the larger. */
    qi head[4];
    qi_words4(head, p, stride);
    qi e = qi_and(head[0], qi_set1(0xff));
    qi normal = qi_sll(qi_sub(e, qi_set1(1)), 23), small = qi_sll(qi_add(e, qi_set1(1)), 21);
    put_factors(s, b, qf_from_bits(qi_max(normal, small)), qf_zero());
    put_nibbles(s, p + 1, stride, b, true, qi_add8(qi_table(glm_e2m1_doubled), qi_set1_8(16)));
}

/* Nibbles with fifth bits: bit k of `high` is column k's. */
QV void put_five_bits(sink *s, const uint8_t *p, size_t stride, int b, qi high)
{
    static const uint8_t byte_of[4][16] = {
        {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12},
        {1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13, 13, 13, 13},
        {2, 2, 2, 2, 6, 6, 6, 6, 10, 10, 10, 10, 14, 14, 14, 14},
        {3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15},
    };
    const qi fifth = qi_set1_8(16);
    qi w[4];
    qi_words4(w, p, stride);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const qi bit = qi_set1(i % 2 ? (int32_t)0x80402010 : 0x08040201);
        qi first = qi_shuffle8(high, qi_table(byte_of[i / 2]));
        qi second = qi_shuffle8(high, qi_table(byte_of[2 + i / 2]));
        put_code(s, 0, 8 * b + i, qi_or_where(bits(w[i], 0, 0, 15), first, bit, fifth));
        put_code(s, 0, 8 * b + 4 + i, qi_or_where(bits(w[i], 4, 0, 15), second, bit, fifth));
    }
    end_block(s, b);
}

QV void read_q5_0(sink *s, const uint8_t *p, size_t stride, int b)
{
    qi head[4];
    qi_words4(head, p, stride);
    put_factors(s, b, low_half(head[0]), qf_zero());
    put_five_bits(s, p + 6, stride, b, qi_or(qi_srl(head[0], 16), qi_sll(head[1], 16)));
}

QV void read_q5_1(sink *s, const uint8_t *p, size_t stride, int b)
{
    qi head[4];
    qi_words4(head, p, stride);
    put_factors(s, b, low_half(head[0]), high_half(head[0]));
    put_five_bits(s, p + 8, stride, b, head[1]);
}

/* ---- Blocks of 256 ---- */

/* Q4_K, Q5_K: 16 bytes of d, dmin and the 6-bit scales and minima (quant/k_scales.h). Byte g % 4 of scales[g / 4] is group g's. */
QV void read_k_header(sink *s, const uint8_t *p, size_t stride, qi scales[2])
{
    qi w[4];
    qi_words4(w, p, stride);
    put_factors(s, 0, low_half(w[0]), negative(high_half(w[0])));
    scales[0] = bits(w[1], 0, 0, 63);
    scales[1] = qi_or(bits(w[3], 0, 0, 15), bits(w[1], 6, 4, 3 << 4));
    qi mins[2] = {bits(w[2], 0, 0, 63), qi_or(bits(w[3], 4, 0, 15), bits(w[2], 6, 4, 3 << 4))};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        put_min_pair(s, i, byte_pair(mins[i / 2], i % 2));
}

QV void read_q4_k(sink *s, const uint8_t *p, size_t stride)
{
    qi scales[2];
    read_k_header(s, p, stride, scales);
#pragma GCC unroll 4
    for (int g = 0; g < 8; g += 2) { /* 32 bytes */
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) {
            qi w[4];
            qi_words4(w, p + 16 + 16 * (g + c), stride);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                put_code(s, 0, 8 * g + 4 * c + i, bits(w[i], 0, 0, 15));
                put_code(s, 1, 8 * g + 8 + 4 * c + i, bits(w[i], 4, 0, 15));
            }
        }
        end_group(s, 0, g, byte_of(scales[g / 4], g % 4));
        end_group(s, 1, g + 1, byte_of(scales[g / 4], g % 4 + 1));
    }
}

QV void read_q5_k(sink *s, const uint8_t *p, size_t stride)
{
    qi scales[2], h[8];
    read_k_header(s, p, stride, scales);
    qi_words4(h, p + 16, stride);
    qi_words4(h + 4, p + 32, stride);
#pragma GCC unroll 4
    for (int g = 0; g < 8; g += 2) {
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) {
            qi w[4];
            qi_words4(w, p + 48 + 16 * (g + c), stride);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                qi high = h[4 * c + i];
                put_code(s, 0, 8 * g + 4 * c + i,
                         qi_or(bits(w[i], 0, 0, 15), bits(high, (unsigned)g, 4, 16)));
                put_code(s, 1, 8 * g + 8 + 4 * c + i,
                         qi_or(bits(w[i], 4, 0, 15), bits(high, (unsigned)g + 1, 4, 16)));
            }
        }
        end_group(s, 0, g, byte_of(scales[g / 4], g % 4));
        end_group(s, 1, g + 1, byte_of(scales[g / 4], g % 4 + 1));
    }
}

QV void read_q2_k(sink *s, const uint8_t *p, size_t stride)
{
    qi scales[4], tail[4];
    qi_words4(tail, p + 68, stride);
    put_factors(s, 0, low_half(tail[3]), negative(high_half(tail[3])));
    qi_words4(scales, p, stride);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        put_min_pair(s, i, byte_pair(bits(scales[i / 2], 4, 0, 15), i % 2));
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) { /* 16 columns of each quarter of half c / 2 */
        int g = c / 2 * 8 + c % 2;
        qi w[4];
        qi_words4(w, p + 16 + 16 * c, stride);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_code(s, j, 4 * (g + 2 * j) + i, bits(w[i], (unsigned)(2 * j), 0, 3));
            end_group(s, j, g + 2 * j,
                      byte_of(bits(scales[(g + 2 * j) / 4], 0, 0, 15), (g + 2 * j) % 4));
        }
    }
}

QV void read_tq2_0(sink *s, const uint8_t *p, size_t stride)
{
    put_factors(s, 0, last_half(p + 50, stride), qf_zero());
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        qi w[8];
        qi_words4(w, p + 32 * half, stride);
        qi_words4(w + 4, p + 32 * half + 16, stride);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int g = 4 * half + j;
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++)
                put_code(s, 0, 8 * g + i, bits(w[i], (unsigned)(2 * j), 0, 3));
            end_group(s, 0, g, qi_set1(1));
        }
    }
}

/* The first digit of bytes as quant/tq1_0.h reads them, 3 * v / 256; and v for the next one. */
QV qi digit_of(qi *v)
{
    const qi one = qi_set1_8(1);
    qi at_least_1 = qi_min8(qi_sub8(*v, qi_set1_8(85)), one);
    qi at_least_2 = qi_min8(qi_sub8(*v, qi_set1_8(170)), one);
    *v = qi_add8(qi_add8(*v, *v), *v);
    return qi_add8(at_least_1, at_least_2);
}

QV void read_tq1_0(sink *s, const uint8_t *p, size_t stride)
{
    qi w[8], tail[4];
    qi_words4(tail, p + 38, stride);
    put_factors(s, 0, high_half(tail[3]), qf_zero());
    qi_words4(w, p, stride);
    qi_words4(w + 4, p + 16, stride);
#pragma GCC unroll 5
    for (int n = 0; n < 5; n++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            put_code(s, 0, 8 * n + i, digit_of(&w[i]));
        end_group(s, 0, n, qi_set1(1));
    }
    qi_words4(w, p + 32, stride);
#pragma GCC unroll 5
    for (int n = 0; n < 5; n++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            put_code(s, 0, 40 + 4 * n + i, digit_of(&w[i]));
        if (n % 2)
            end_group(s, 0, 5 + n / 2, qi_set1(1));
    }
    qi last = qi_or(qi_srl(tail[2], 16), qi_sll(tail[3], 16));
#pragma GCC unroll 4
    for (int n = 0; n < 4; n++)
        put_code(s, 0, 60 + n, digit_of(&last));
    end_group(s, 0, 7, qi_set1(1));
}

QV void read_q3_k(sink *s, const uint8_t *p, size_t stride)
{
    qi h[8], t[4];
    put_factors(s, 0, last_half(p + 94, stride), qf_zero());
    qi_words4(h, p, stride);
    qi_words4(h + 4, p + 16, stride);
    qi_words4(t, p + 92, stride); /* words 1..3: the scales */
    qi scales[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        scales[i] = qi_add8(qi_or(bits(t[1 + i % 2], (unsigned)(i / 2 * 4), 0, 15),
                                  bits(t[3], (unsigned)(2 * i), 4, 3 << 4)),
                            qi_set1_8(-32));
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        int g = c / 2 * 8 + c % 2;
        qi w[4];
        qi_words4(w, p + 32 + 16 * c, stride);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            unsigned bit = (unsigned)(c / 2 * 4 + j);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_code(
                    s, j, 4 * (g + 2 * j) + i,
                    qi_or(bits(w[i], (unsigned)(2 * j), 0, 3), bits(h[c % 2 * 4 + i], bit, 2, 4)));
            end_group(s, j, g + 2 * j, signed_byte_of(scales[(g + 2 * j) / 4], (g + 2 * j) % 4));
        }
    }
}

QV void read_q6_k(sink *s, const uint8_t *p, size_t stride)
{
    qi scales[4];
    put_factors(s, 0, last_half(p + 194, stride), qf_zero());
    qi_words4(scales, p + 192, stride);
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) { /* 16 columns of each quarter of half c / 2 */
        const uint8_t *ql = p + c / 2 * 64 + c % 2 * 16;
        int g = c / 2 * 8 + c % 2;
        qi low[8], h[4];
        qi_words4(low, ql, stride);
        qi_words4(low + 4, ql + 32, stride);
        qi_words4(h, p + 128 + 16 * c, stride);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                put_code(s, j, 4 * (g + 2 * j) + i,
                         qi_or(bits(low[j % 2 * 4 + i], j < 2 ? 0 : 4, 0, 15),
                               bits(h[i], (unsigned)(2 * j), 4, 3 << 4)));
            end_group(s, j, g + 2 * j, signed_byte_of(scales[(g + 2 * j) / 4], (g + 2 * j) % 4));
        }
    }
}

QV void read_iq4_xs(sink *s, const uint8_t *p, size_t stride)
{
    const qi table = iq4_table();
    qi head[4];
    qi_words4(head, p, stride);
    put_factors(s, 0, low_half(head[0]), qf_zero());
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
        qi w[4];
        qi_words4(w, p + 8 + 16 * g, stride);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            put_code(s, 0, 8 * g + i, qi_shuffle8(table, bits(w[i], 0, 0, 15)));
            put_code(s, 0, 8 * g + 4 + i, qi_shuffle8(table, bits(w[i], 4, 0, 15)));
        }
        qi scale = qi_or(qi_and(qi_srl(head[1], (unsigned)(4 * g)), qi_set1(15)),
                         qi_sll(qi_and(qi_srl(head[0], (unsigned)(16 + 2 * g)), qi_set1(3)), 4));
        end_group(s, 0, g, qi_sub(scale, qi_set1(32)));
    }
}

#endif
