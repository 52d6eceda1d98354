// SPDX-License-Identifier: MIT
/*
 * From blocks as they lie in files to panels (simd/qmatmul.h): an unpacker a format, written once for all instruction sets. p is
 * the block of the panel's first row, `stride` apart from the next row's; n_blocks follow each other in a row (1 where blocks
 * have 256 elements). Layouts and meanings are those of src/quant; formats without an unpacker of their own go through their
 * integers in scalar code.
 *
 * qi_words4 gives the 32-bit words of 16 bytes of each row, so word i of a chunk holds the bytes of columns 4 i .. 4 i + 3 where
 * a byte is a column, and masks and shifts act on all of them.
 */
#ifndef GLM_KERNELS_SIMD_QUNPACK_H
#define GLM_KERNELS_SIMD_QUNPACK_H

typedef void unpack_fn(panel *out, const uint8_t *p, size_t stride, int n_blocks);

/* ---- Any format ---- */

/* The integers of one row's block: columns from `column` on, group g0 on. */
static void place_row(panel *out, const glm_int_block *b, int r, int n, int group, int offset,
                      int column)
{
    const bool is_signed = Q_WIDE_SIGNED && offset == 128;
    const bool has_groups = n == 256;
    for (int k = 0; k < n; k++)
        out->q[(column + k) / 4][r][k % 4] = (uint8_t)(b->q[k] + (is_signed ? 0 : offset));
    out->d[column / 32][r] = b->d;
    out->m[column / 32][r] = b->m;
    for (int g = 0; has_groups && g < n / group; g++) {
        int scale = b->scale[g * group / 16], min = b->min[g * group / 16];
        out->scale[g][r] = scale;
        out->pair[g / 2][r][g % 2] = (int16_t)(offset ? -offset * scale : min);
    }
}

#define DEFINE_UNPACK(name, n_elems, group, offset)                                                \
    static void unpack_##name(panel *out, const uint8_t *p, size_t stride, int n_blocks)           \
    {                                                                                              \
        glm_int_block b;                                                                           \
        for (int r = 0; r < QR; r++)                                                               \
            for (int i = 0; i < n_blocks; i++) {                                                   \
                const uint8_t *block = p + (size_t)r * stride;                                     \
                glm_block_##name##_ints(&b, (const glm_block_##name *)(const void *)block + i);    \
                place_row(out, &b, r, n_elems, group, offset, i *n_elems);                         \
            }                                                                                      \
    }
DEFINE_UNPACK(q4_1, 32, 32, 0)
DEFINE_UNPACK(q5_0, 32, 32, 16)
DEFINE_UNPACK(q5_1, 32, 32, 0)
DEFINE_UNPACK(q2_k, 256, 16, 0)
DEFINE_UNPACK(q3_k, 256, 16, 4)
DEFINE_UNPACK(q4_0, 32, 32, 8)
DEFINE_UNPACK(q5_k, 256, 32, 0)
DEFINE_UNPACK(iq4_nl, 32, 32, 128)
DEFINE_UNPACK(iq4_xs, 256, 32, 128)
DEFINE_UNPACK(mxfp4, 32, 32, 16)
DEFINE_UNPACK(iq1_s, 256, 32, 16)
DEFINE_UNPACK(iq1_m, 256, 16, 16)
DEFINE_UNPACK(iq2_xxs, 256, 32, 64)
DEFINE_UNPACK(iq2_xs, 256, 16, 64)
DEFINE_UNPACK(iq2_s, 256, 16, 64)
DEFINE_UNPACK(iq3_xxs, 256, 32, 64)
DEFINE_UNPACK(iq3_s, 256, 32, 16)
DEFINE_UNPACK(tq1_0, 256, 32, 1)
DEFINE_UNPACK(tq2_0, 256, 32, 1)

/* ---- Scales ---- */

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

/* The pairs that take out the offset of n groups: -offset * scale. */
QV void store_offset_pairs(panel *out, int n, int offset)
{
    const unsigned shift = (unsigned)__builtin_ctz((unsigned)offset);
    for (int i = 0; i < n / 2; i++) {
        qi even = qi_sub(qi_zero(), qi_sll(qi_load(out->scale[2 * i]), shift));
        qi odd = qi_sub(qi_zero(), qi_sll(qi_load(out->scale[2 * i + 1]), shift));
        qi_store(out->pair[i], qi_or(qi_and(even, qi_set1(0xffff)), qi_sll(odd, 16)));
    }
}

/* Q4_K, Q5_K: 16 bytes of d, dmin and the 6-bit scales and minima (quant/k_scales.h). */
QV void unpack_k_header(panel *out, const uint8_t *p, size_t stride)
{
    const qi low4 = qi_set1_8(15), low6 = qi_set1_8(63), two = qi_set1_8(3 << 4);
    qi w[4];
    qi_words4(w, p, stride);
    qf_store(out->d[0], qf_from_halves(w[0]));
    qf_store(out->m[0], qf_mul(qf_from_halves(qi_srl(w[0], 16)), qf_set1(-1)));
    qi scales[2] = {qi_and(w[1], low6), qi_or(qi_and(w[3], low4), qi_and(qi_srl(w[1], 2), two))};
    qi mins[2] = {qi_and(w[2], low6),
                  qi_or(qi_and(qi_srl(w[3], 4), low4), qi_and(qi_srl(w[2], 2), two))};
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++)
        qi_store(out->scale[g], byte_of(scales[g / 4], g % 4));
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        qi_store(out->pair[i], byte_pair(mins[i / 2], i % 2));
}

/* ---- Blocks of 32 ---- */

static void unpack_q8_0(panel *out, const uint8_t *p, size_t stride, int n_blocks)
{
    const qi flip = qi_set1_8(Q_WIDE_SIGNED ? 0 : 128);
    for (int b = 0; b < n_blocks; b++, p += sizeof(glm_block_q8_0)) {
        qf_store(out->d[b], qf_halves(p, stride));
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) {
            qi w[4];
            qi_words4(w, p + 2 + 16 * c, stride);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                qi_store(out->q[8 * b + 4 * c + i], qi_add8(w[i], flip));
        }
    }
}

/* ---- Blocks of 256 ---- */

static void unpack_q4_k(panel *out, const uint8_t *p, size_t stride, int n_blocks)
{
    const qi low4 = qi_set1_8(15);
    (void)n_blocks;
    unpack_k_header(out, p, stride);
    for (int c = 0; c < 8; c++) { /* 16 bytes: two groups' halves */
        qi w[4];
        qi_words4(w, p + 16 + 16 * c, stride);
        int column4 = c / 2 * 16 + c % 2 * 4;
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            qi_store(out->q[column4 + i], qi_and(w[i], low4));
            qi_store(out->q[column4 + 8 + i], qi_and(qi_srl(w[i], 4), low4));
        }
    }
}

static void unpack_q6_k(panel *out, const uint8_t *p, size_t stride, int n_blocks)
{
    const qi low4 = qi_set1_8(15), two = qi_set1_8(3 << 4);
    (void)n_blocks;
    for (int c = 0; c < 4; c++) { /* 16 columns of each quarter of half c / 2 */
        const uint8_t *ql = p + c / 2 * 64 + c % 2 * 16, *qh = p + 128 + c * 16;
        qi a[4], b[4], h[4];
        qi_words4(a, ql, stride);
        qi_words4(b, ql + 32, stride);
        qi_words4(h, qh, stride);
        uint8_t(*q)[QR][4] = out->q + c / 2 * 32 + c % 2 * 4;
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            qi_store(q[i], qi_or(qi_and(a[i], low4), qi_and(qi_sll(h[i], 4), two)));
            qi_store(q[8 + i], qi_or(qi_and(b[i], low4), qi_and(qi_sll(h[i], 2), two)));
            qi_store(q[16 + i], qi_or(qi_and(qi_srl(a[i], 4), low4), qi_and(h[i], two)));
            qi_store(q[24 + i], qi_or(qi_and(qi_srl(b[i], 4), low4), qi_and(qi_srl(h[i], 2), two)));
        }
    }
    qi s[4];
    qi_words4(s, p + 192, stride);
#pragma GCC unroll 16
    for (int g = 0; g < 16; g++)
        qi_store(out->scale[g], signed_byte_of(s[g / 4], g % 4));
    store_offset_pairs(out, 16, 32);
    qf_store(out->d[0], qf_halves(p + 208, stride));
}

#endif
