// SPDX-License-Identifier: MIT
/*
 * Rows of the formats whose codes are indices into books (IQ1, IQ2, IQ3). For one token nothing would be gained by turning rows into
 * lanes first: a row's values are gathered as bytes (quant/codebooks.h), multiplied by the token's columns and by the scales of
 * their groups, and added up in a vector, whose lanes are summed at the end, of QR rows together. The sums are integers, so their
 * order is free. For many tokens the same values, with signs and the format's offset, are a panel's codes (simd/qcodebook.h).
 *
 * Indices, signs and scales of a row are taken apart in vectors of 256 bits for every instruction set; values, products and sums are
 * vectors of QB bytes: q_lanes, q_octets, q_quads, q_negate, q_madd_scaled, q_index9 (qvec_avx2.h, qvec_avx512vnni.h).
 */
#ifndef GLM_KERNELS_X86_QROW_H
#define GLM_KERNELS_X86_QROW_H

#include "kernels/simd/qsink.h"

enum { QB = 4 * QR }; /* columns that a vector takes */

#define PAIRS_8(g) (g), 128, (g), 128, (g), 128, (g), 128, (g), 128, (g), 128, (g), 128, (g), 128
/* For each pair of columns the byte of its group's scale among 16, and a zero above it. */
static const uint8_t scale_words[256] = {
    PAIRS_8(0),  PAIRS_8(1),  PAIRS_8(2),  PAIRS_8(3),  PAIRS_8(4),  PAIRS_8(5),
    PAIRS_8(6),  PAIRS_8(7),  PAIRS_8(8),  PAIRS_8(9),  PAIRS_8(10), PAIRS_8(11),
    PAIRS_8(12), PAIRS_8(13), PAIRS_8(14), PAIRS_8(15),
};
#undef PAIRS_8
#define TIMES_8(i) (i), (i), (i), (i), (i), (i), (i), (i)
/* For each column the byte of its octet among 16. */
static const uint8_t octet_bytes[128] = {
    TIMES_8(0),  TIMES_8(1),  TIMES_8(2),  TIMES_8(3),  TIMES_8(4),  TIMES_8(5),
    TIMES_8(6),  TIMES_8(7),  TIMES_8(8),  TIMES_8(9),  TIMES_8(10), TIMES_8(11),
    TIMES_8(12), TIMES_8(13), TIMES_8(14), TIMES_8(15),
};
#undef TIMES_8

QV __m128i load128(const void *p)
{
    return _mm_loadu_si128(p);
}

QV __m256i load256(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* 16 indices from a vector, four at a time: one by one moves to integer registers would take longest. */
QV void take_indices(uint64_t index[4], __m256i words)
{
    __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
    index[0] = (uint64_t)_mm_cvtsi128_si64(low);
    index[1] = (uint64_t)_mm_extract_epi64(low, 1);
    index[2] = (uint64_t)_mm_cvtsi128_si64(high);
    index[3] = (uint64_t)_mm_extract_epi64(high, 1);
}

/* Index i of those. */
QV size_t index_at(const uint64_t *index, int i)
{
    return index[i / 4] >> (16 * (i % 4)) & 0xffff;
}

/* acc += values of columns QB * i .. times x times their groups' scales, of which `scale` has 16 bytes in each lane. */
QV qi add_scaled(qi acc, qi values, qi x, qi scale, int i)
{
    return q_madd_scaled(acc, values, x, qi_shuffle8(scale, qi_load(scale_words + QB * i)));
}

QV qi columns_of(const glm_act_256 *x, int i)
{
    return qi_load(x->q + QB * i);
}

/* What a row's values are for: codes of a panel, or a sum of products. */
typedef struct book_row {
    bool is_panel;
    uint8_t *codes;       /* [256] */
    const glm_act_256 *x; /* or one token... */
    qi scale, sum;        /* ... and the sum so far, whose scales lie in each lane */
} book_row;

/* Magnitudes of columns QB * i .. with their signs. */
QV void take_signed(book_row *t, int i, qi values, const uint8_t *sign, int offset)
{
    sign += QB / 8 * i;
    if (t->is_panel)
        qi_store(t->codes + QB * i, qi_add8(q_negate(values, sign), qi_set1_8(offset)));
    else
        t->sum = add_scaled(t->sum, values, q_negate(columns_of(t->x, i), sign), t->scale, i);
}

/* IQ1's values: 32 for each index, 8 more where the shift is up. A code is 8 for each index, plus 7 or 9. */
QV void take_shifted(book_row *t, int i, qi values)
{
    if (t->is_panel)
        qi_store(t->codes + QB * i, qi_add8(qi_srl(values, 2), qi_set1_8(7)));
    else
        t->sum = add_scaled(t->sum, values, columns_of(t->x, i), t->scale, i);
}

/* 2 * a + 1 of small bytes. */
QV __m128i odd_bytes(__m128i a)
{
    return _mm_add_epi8(_mm_add_epi8(a, a), _mm_set1_epi8(1));
}

/* The scales of 8 groups of 32 as those of 16. */
QV qi scales_of_32(__m128i a)
{
    return q_lanes(_mm_unpacklo_epi8(a, a));
}

/* 16 odd scales from the nibbles of 8 bytes, the low ones first. */
QV __m128i nibble_scales(__m128i a)
{
    const __m128i low = _mm_set1_epi8(15);
    __m128i both =
        _mm_unpacklo_epi8(_mm_and_si128(a, low), _mm_and_si128(_mm_srli_epi16(a, 4), low));
    return odd_bytes(both);
}

/* Bytes of 7 bits get the eighth that makes the number of ones even (glm_iq_signs). */
QV __m256i even_parity(__m256i seven)
{
    const __m256i odd = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    __m256i folded = _mm256_xor_si256(seven, _mm256_srli_epi16(seven, 4));
    folded = _mm256_and_si256(folded, _mm256_set1_epi8(15));
    return _mm256_or_si256(seven, _mm256_shuffle_epi8(odd, folded));
}

/* 8 words, 28 bits each: four signs of 7 bits, as bytes, and what is above them as scales. */
QV qi split_signs(uint8_t sign[32], __m256i word)
{
    __m256i seven = _mm256_and_si256(word, _mm256_set1_epi32(0x7f));
#define PART(i) _mm256_and_si256(_mm256_slli_epi32(word, i), _mm256_set1_epi32(0x7f << (8 * (i))))
    seven = _mm256_or_si256(_mm256_or_si256(seven, PART(1)), _mm256_or_si256(PART(2), PART(3)));
#undef PART
    _mm256_storeu_si256((void *)sign, even_parity(seven));
    __m256i scale = _mm256_srli_epi32(word, 28);
    __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(scale), _mm256_extracti128_si256(scale, 1));
    return scales_of_32(odd_bytes(_mm_packus_epi16(words, words)));
}

QV void row_iq2_xxs(book_row *t, const glm_block_iq2_xxs *b)
{
    uint8_t sign[32];
    __m256 low = _mm256_castsi256_ps(load256(b->qs)),
           high = _mm256_castsi256_ps(load256(b->qs + 32));
    __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
    t->scale = split_signs(sign, _mm256_permute4x64_epi64(odd, 0xd8));
#pragma GCC unroll 8
    for (int i = 0; i < 256 / QB; i++) {
        const uint64_t *at[QB / 8];
#pragma GCC unroll 8
        for (int j = 0; j < QB / 8; j++)
            at[j] = &glm_iq2_xxs_octets[b->qs[QB / 4 * i + j / 4 * 8 + j % 4]];
        take_signed(t, i, q_octets(at), sign, 64);
    }
}

/* The values of 8-column entries `index` of a book, with signs. */
QV void take_octets(book_row *t, const uint64_t *octets, const uint64_t *index,
                    const uint8_t sign[32])
{
#pragma GCC unroll 8
    for (int i = 0; i < 256 / QB; i++) {
        const uint64_t *at[QB / 8];
#pragma GCC unroll 8
        for (int j = 0; j < QB / 8; j++)
            at[j] = octets + index_at(index, QB / 8 * i + j);
        take_signed(t, i, q_octets(at), sign, 64);
    }
}

QV void row_iq2_xs(book_row *t, const glm_block_iq2_xs *b)
{
    uint8_t sign[32];
    uint64_t index[8];
    const __m256i nine = _mm256_set1_epi16(511);
    __m256i low = load256(b->qs), high = load256(b->qs + 32);
    take_indices(index, _mm256_and_si256(low, nine));
    take_indices(index + 4, _mm256_and_si256(high, nine));
    __m256i seven = _mm256_packus_epi16(_mm256_srli_epi16(low, 9), _mm256_srli_epi16(high, 9));
    _mm256_storeu_si256((void *)sign, even_parity(_mm256_permute4x64_epi64(seven, 0xd8)));
    t->scale = q_lanes(nibble_scales(_mm_loadl_epi64((const void *)b->scales)));
    take_octets(t, glm_iq2_xs_octets, index, sign);
}

/* 16 indices of 8 bits in qs, 2 in the four bytes of qh. */
QV void join_index10(uint64_t index[4], const uint8_t *qs, const uint8_t *qh)
{
    const __m256i byte = _mm256_setr_epi8(0, -1, 0, -1, 0, -1, 0, -1, 1, -1, 1, -1, 1, -1, 1, -1, 2,
                                          -1, 2, -1, 2, -1, 2, -1, 3, -1, 3, -1, 3, -1, 3, -1);
    const __m256i left = _mm256_set1_epi64x(0x0004001000400100);
    int32_t four;
    memcpy(&four, qh, sizeof four);
    __m256i high = _mm256_mullo_epi16(_mm256_shuffle_epi8(_mm256_set1_epi32(four), byte), left);
    high = _mm256_and_si256(high, _mm256_set1_epi16(0x300));
    take_indices(index, _mm256_or_si256(_mm256_cvtepu8_epi16(load128(qs)), high));
}

QV void row_iq2_s(book_row *t, const glm_block_iq2_s *b)
{
    uint64_t index[8];
    join_index10(index, b->qs, b->qh);
    join_index10(index + 4, b->qs + 16, b->qh + 4);
    t->scale = q_lanes(nibble_scales(_mm_loadl_epi64((const void *)b->scales)));
    take_octets(t, glm_iq2_s_octets, index, b->signs);
}

QV void row_iq3_xxs(book_row *t, const glm_block_iq3_xxs *b)
{
    uint8_t sign[32];
    t->scale = split_signs(sign, load256(b->signs));
#pragma GCC unroll 8
    for (int i = 0; i < 256 / QB; i++) {
        const uint32_t *at[QB / 4];
#pragma GCC unroll 16
        for (int j = 0; j < QB / 4; j++)
            at[j] = &glm_iq3_xxs_quads[b->qs[QB / 4 * i + j]];
        take_signed(t, i, q_quads(at), sign, 64);
    }
}

QV void row_iq3_s(book_row *t, const glm_block_iq3_s *b)
{
    uint16_t index[64];
    int32_t nibbles;
    memcpy(&nibbles, b->scales, sizeof nibbles);
#pragma GCC unroll 8
    for (int i = 0; i < 128 / QB; i++)
        q_index9(index + QB / 2 * i, b->qs + QB / 2 * i, b->qh + QB / 16 * i);
    t->scale = scales_of_32(nibble_scales(_mm_cvtsi32_si128(nibbles)));
#pragma GCC unroll 8
    for (int i = 0; i < 256 / QB; i++) {
        const uint32_t *at[QB / 4];
#pragma GCC unroll 16
        for (int j = 0; j < QB / 4; j++)
            at[j] = glm_iq3_s_quads + index[QB / 4 * i + j];
        take_signed(t, i, q_quads(at), b->signs, 16);
    }
}

/* 16 indices of 8 bits in qs, 3 from bits 0, 3, 6, 9 of the four words of qh on. */
QV void join_index11(uint64_t index[4], const uint8_t *qs, const uint8_t *qh)
{
    const __m256i word = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4,
                                          5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
    const __m256i left = _mm256_set1_epi64x(0x0000000400200100); /* the fourth goes right */
    long long four;
    memcpy(&four, qh, sizeof four);
    __m256i q = _mm256_shuffle_epi8(_mm256_set1_epi64x(four), word);
    __m256i high = _mm256_blend_epi16(_mm256_mullo_epi16(q, left), _mm256_srli_epi16(q, 1), 0x88);
    high = _mm256_and_si256(high, _mm256_set1_epi16(0x700));
    take_indices(index, _mm256_or_si256(_mm256_cvtepu8_epi16(load128(qs)), high));
}

/*
 * IQ1: four times a value and its shift, 4 * (8 * (i - 1) + 1) or 4 * (8 * (i - 1) - 1), is 32 * i, as the book has it, less 28
 * or 36. So four times the sum is taken, and divided in the end.
 */
QV qi quarter(qi sum)
{
    return qi_sra(sum, 2);
}

/* Octets of IQ1, and 8 more in those whose byte of `is_down` has bit 3 clear; no more where that is NULL. */
QV void take_iq1(book_row *t, const uint64_t *index, const qi *is_down)
{
#pragma GCC unroll 8
    for (int i = 0; i < 256 / QB; i++) {
        const uint64_t *at[QB / 8];
#pragma GCC unroll 8
        for (int j = 0; j < QB / 8; j++)
            at[j] = glm_iq1_octets + index_at(index, QB / 8 * i + j);
        qi values = q_octets(at);
        if (is_down) {
            qi each = qi_shuffle8(is_down[QB * i / 128], qi_load(octet_bytes + QB * i % 128));
            values = qi_or(values, qi_andnot(each, qi_set1_8(8)));
        }
        take_shifted(t, i, values);
    }
}

QV void row_iq1_s(book_row *t, const glm_block_iq1_s *b)
{
    uint64_t index[8];
    join_index11(index, b->qs, b->qh);
    join_index11(index + 4, b->qs + 16, b->qh + 8);
    __m128i qh = load128(b->qh), down = _mm_srai_epi16(qh, 15);
    if (t->is_panel) {
        __m128i each = _mm_packs_epi16(down, down);
        each = _mm_unpacklo_epi8(each, each);
        const qi is_down[2] = {q_lanes(_mm_unpacklo_epi8(each, each)),
                               q_lanes(_mm_unpackhi_epi8(each, each))};
        take_iq1(t, index, is_down);
        return;
    }
    __m128i odd = _mm_and_si128(_mm_srli_epi16(qh, 11), _mm_set1_epi16(14));
    odd = _mm_or_si128(odd, _mm_set1_epi16(1));
    __m128i less =
        _mm_xor_si128(_mm_and_si128(down, _mm_set1_epi16(-36 ^ -28)), _mm_set1_epi16(-28));
    t->scale = scales_of_32(_mm_packus_epi16(odd, odd));
    t->sum = q_first(_mm_madd_epi16(_mm_mullo_epi16(odd, less), load128(t->x->sum32)));
    take_iq1(t, index, NULL);
    t->sum = quarter(t->sum);
}

/* The 16 odd scales of three bits in four words. */
QV __m256i scales_iq1_m(const uint8_t *p)
{
    const __m256i word = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4,
                                          5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
    const __m256i left = _mm256_set1_epi64x(0x0001000800400200); /* to bits 9, 10, 11 */
    long long four;
    memcpy(&four, p, sizeof four);
    __m256i q = _mm256_mullo_epi16(_mm256_shuffle_epi8(_mm256_set1_epi64x(four), word), left);
    q = _mm256_and_si256(_mm256_srli_epi16(q, 8), _mm256_set1_epi16(14));
    return _mm256_or_si256(q, _mm256_set1_epi16(1));
}

QV void row_iq1_m(book_row *t, const glm_block_iq1_m *b)
{
    uint64_t index[8];
    const __m128i low4 = _mm_set1_epi8(15), three = _mm_set1_epi8(7);
    __m128i qh = load128(b->qh), even = _mm_and_si128(qh, low4);
    __m128i odd = _mm_and_si128(_mm_srli_epi16(qh, 4), low4);
    __m128i nibble[2] = {_mm_unpacklo_epi8(even, odd), _mm_unpackhi_epi8(even, odd)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        __m128i qs = load128(b->qs + 16 * i), high = _mm_and_si128(nibble[i], three);
        __m128i low_index = _mm_unpacklo_epi8(qs, high), high_index = _mm_unpackhi_epi8(qs, high);
        take_indices(index + 4 * i, _mm256_setr_m128i(low_index, high_index));
    }
    const qi is_down[2] = {q_lanes(nibble[0]), q_lanes(nibble[1])};
    if (!t->is_panel) {
        __m256i words = scales_iq1_m(b->scales);
        __m256i less = _mm256_madd_epi16(_mm256_mullo_epi16(words, _mm256_set1_epi16(-36)),
                                         load256(t->x->sum16));
        t->scale = q_lanes(
            _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
        t->sum =
            q_first(_mm_add_epi32(_mm256_castsi256_si128(less), _mm256_extracti128_si256(less, 1)));
    }
    take_iq1(t, index, is_down);
    t->sum = quarter(t->sum);
}

/* A block of QR rows: the sums of rows as lanes, and codes. */
#define DEFINE_ROWS(name)                                                                          \
    QV qi rows_##name(const uint8_t *p, size_t stride, const glm_act_256 *x)                       \
    {                                                                                              \
        qi sum[QR];                                                                                \
        for (int r = 0; r < QR; r++) {                                                             \
            book_row t = {.x = x, .sum = qi_zero()};                                               \
            row_##name(&t, (const void *)(p + (size_t)r * stride));                                \
            sum[r] = t.sum;                                                                        \
        }                                                                                          \
        return qi_sum_rows(sum);                                                                   \
    }                                                                                              \
    QV void codes_##name(uint8_t *codes, const uint8_t *p, size_t stride)                          \
    {                                                                                              \
        for (int r = 0; r < QR; r++) {                                                             \
            book_row t = {.is_panel = true, .codes = codes + 256 * r, .sum = qi_zero()};           \
            row_##name(&t, (const void *)(p + (size_t)r * stride));                                \
        }                                                                                          \
    }
DEFINE_ROWS(iq1_s)
DEFINE_ROWS(iq1_m)
DEFINE_ROWS(iq2_xxs)
DEFINE_ROWS(iq2_xs)
DEFINE_ROWS(iq2_s)
DEFINE_ROWS(iq3_xxs)
DEFINE_ROWS(iq3_s)

#endif
