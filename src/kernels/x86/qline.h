// SPDX-License-Identifier: MIT
/*
 * One token times rows read along their length, four at once: for formats whose bytes are nearly their codes, where turning rows
 * into lanes costs more than adding up lanes does. Products stay in the lanes that their columns have; the lanes of four rows are
 * added up together, so that each 128 bits of a vector are a block's sums of four rows, and four chains are one vector. Memory is
 * read in few, long streams.
 *
 * Needs of the vocabulary (qvec_avx2.h, qvec_avx512vnni.h): q_blocks32, q_add_pairs, q_each_4_times, q_from_16, q_lane, q_twice,
 * q_sll_halves, q_srl_halves, q_first256.
 */
#ifndef GLM_KERNELS_X86_QLINE_H
#define GLM_KERNELS_X86_QLINE_H

#include "kernels/simd/qunpack.h"
#include "kernels/x86/qrow.h"

enum {
    LINES = 4,            /* rows */
    QS = QR / 4,          /* blocks whose sums of four rows fill a vector */
    LINE_COLS_MIN = 1024, /* shorter rows are not worth it */
};

/* Asks for what lies `ahead` of n_bytes of four rows, row by row: for short pieces. */
QV void ask_lines(const uint8_t *const p[LINES], size_t ahead, size_t n_bytes)
{
    if (!ahead)
        return;
#pragma GCC unroll 4
    for (int r = 0; r < LINES; r++)
        for (size_t at = 0; at < n_bytes; at += 64)
            __builtin_prefetch(p[r] + ahead + at, 0, 2);
}

/* Asks, where the next four rows follow these, for as much of them in the order of addresses as four rows have here: for long ones. */
QV void ask_linear(const uint8_t *first, const uint8_t *p, size_t ahead, size_t n_bytes)
{
    const uint8_t *from = first + ahead + LINES * (size_t)(p - first);
    if (!ahead)
        return;
    for (size_t at = 0; at < LINES * n_bytes; at += 64)
        __builtin_prefetch(from + at, 0, 2);
}

/* Where four rows stand among others of a product: the next four, if wanted, lie `ahead`; and nobody has asked for the first ones. */
typedef struct line_place {
    size_t ahead; /* 0: none */
    bool is_first;
} line_place;

/* The f16 at `at` of blocks 0..QS-1 of n_bytes: those of a block's four rows lie together. */
QV qf line_halves(const uint8_t *const p[LINES], size_t at, size_t n_bytes)
{
    uint64_t four[QS];
#pragma GCC unroll 4
    for (size_t b = 0; b < QS; b++) {
        four[b] = 0;
#pragma GCC unroll 4
        for (int r = 0; r < LINES; r++)
            four[b] |= (uint64_t)glm_load_u16(p[r] + b * n_bytes + at) << (16 * r);
    }
    return q_from_16(four);
}

/* n <= QS steps of four chains. */
QV __m128 line_chain(__m128 chain, qf d, qf s, int n)
{
#pragma GCC unroll 4
    for (int i = 0; i < QS; i++)
        if (i < n)
            chain = _mm_fmadd_ps(q_lane(d, i), q_lane(s, i), chain);
    return chain;
}

/* ---- Blocks of 32 ---- */

/* Eight blocks of four rows, of which n_blocks continue the chains. */
QV __m128 line_step_q8_0(__m128 chain, const uint8_t *const p[LINES], const glm_act_32 *x,
                         int n_blocks)
{
    enum { SIZE = sizeof(glm_block_q8_0) };
    qi sum[256 / QB];
#pragma GCC unroll 8
    for (int u = 0; u < 256 / QB; u++) {
        qi v[LINES], columns = qi_load(x->q + QB * u);
#pragma GCC unroll 4
        for (int r = 0; r < LINES; r++) {
            qi w = q_blocks32(p[r] + QB / 32 * u * SIZE + 2, SIZE);
            v[r] = Q_WIDE_SIGNED ? qi_dot_signed(qi_zero(), w, columns)
                                 : qi_dot(qi_zero(), wide_code(w), columns);
        }
        sum[u] = qi_sum_four(v);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 8 / QS; i++) {
        const uint8_t *at[LINES];
#pragma GCC unroll 4
        for (int r = 0; r < LINES; r++)
            at[r] = p[r] + QS * i * SIZE;
        qi s = q_add_pairs(sum[2 * i], sum[2 * i + 1]);
        if (!Q_WIDE_SIGNED)
            s = qi_sub(s, qi_sll(q_each_4_times(x->sum + QS * i), 7));
        qf dx = qf_from_bits(q_each_4_times(x->d + QS * i));
        chain = line_chain(chain, qf_mul(line_halves(at, 0, SIZE), dx), qf_from_qi(s),
                           n_blocks - QS * i);
    }
    return chain;
}

static void lines_q8_0(float *out, const uint8_t *const *row, uint32_t n_cols, const void *acts,
                       line_place place)
{
    enum { SIZE = sizeof(glm_block_q8_0) };
    const glm_act_32 *x = acts;
    const uint8_t *p[LINES] = {row[0], row[1], row[2], row[3]};
    __m128 chain = _mm_setzero_ps();
    for (; n_cols >= 256; n_cols -= 256, x++) {
        ask_lines(p, place.ahead, 8 * SIZE);
        if (place.is_first && n_cols >= 1024)
            ask_lines(p, 3 * 8 * SIZE, 8 * SIZE);
        chain = line_step_q8_0(chain, p, x, 8);
#pragma GCC unroll 4
        for (int r = 0; r < LINES; r++)
            p[r] += 8 * SIZE;
    }
    if (n_cols) {
        uint8_t rest[LINES][8 * SIZE];
        memset(rest, 0, sizeof rest);
        for (int r = 0; r < LINES; r++) {
            memcpy(rest[r], p[r], n_cols / 32 * SIZE);
            p[r] = rest[r];
        }
        chain = line_step_q8_0(chain, p, x, (int)n_cols / 32);
    }
    _mm_storeu_ps(out, chain);
}

/* ---- Blocks of 256 ---- */

#define WORD_8(w)                                                                                  \
    (w), (w) + 1, (w), (w) + 1, (w), (w) + 1, (w), (w) + 1, (w), (w) + 1, (w), (w) + 1, (w),       \
        (w) + 1, (w), (w) + 1
/* Each of eight words, eight times. */
static const uint8_t word_lanes[128] = {
    WORD_8(0), WORD_8(2), WORD_8(4), WORD_8(6), WORD_8(8), WORD_8(10), WORD_8(12), WORD_8(14),
};
#undef WORD_8

/* The scales of the columns of unit u, from those of 16 groups, eight of them in every 128 bits of `words`. */
QV qi unit_scales(const qi words[2], int u)
{
    int g = QB / 16 * u;
    return qi_shuffle8(words[g / 8], qi_load(word_lanes + 16 * (g % 8)));
}

/* The products of a block; the sum of all lanes is the block's. */
QV qi line_q6_k(const uint8_t *block, const glm_act_256 *x)
{
    const glm_block_q6_k *b = (const void *)block;
    const __m256i scale = _mm256_cvtepi8_epi16(load128(b->scales));
    const __m256i less = _mm256_madd_epi16(scale, load256(x->sum16)); /* times the offset, 32 */
    const qi words[2] = {q_lanes(_mm256_castsi256_si128(scale)),
                         q_lanes(_mm256_extracti128_si256(scale, 1))};
    qi sum = qi_sub(qi_zero(), qi_sll(q_first256(less), 5));
#pragma GCC unroll 8
    for (int u = 0; u < 256 / QB; u++) {
        int half = QB * u / 128, quarter = QB * u % 128 / 32;
        qi low = qi_load(b->ql + 64 * half + 32 * (quarter % 2)), high = q_twice(b->qh + 32 * half);
        low = bits(low, quarter < 2 ? 0 : 4, 0, 15);
        high = quarter == 0   ? q_sll_halves(high, 4, 2)
               : quarter == 1 ? q_sll_halves(high, 2, 0)
               : quarter == 2 ? q_srl_halves(high, 0, 2)
                              : q_srl_halves(high, 2, 4);
        sum = q_madd_scaled(sum, qi_or(low, qi_and(high, qi_set1_8(3 << 4))),
                            qi_load(x->q + QB * u), unit_scales(words, u));
    }
    return sum;
}

/* QS blocks of four rows, of which n continue the chains, d at `at` of each. */
#define DEFINE_LINES_256(name, at)                                                                 \
    QV __m128 line_step_##name(__m128 chain, const uint8_t *const p[LINES], const glm_act_256 *x,  \
                               int n)                                                              \
    {                                                                                              \
        enum { SIZE = sizeof(glm_block_##name) };                                                  \
        qi sum[QS];                                                                                \
        float dx[QS] = {0};                                                                        \
        _Pragma("GCC unroll 4") for (int i = 0; i < QS; i++)                                       \
        {                                                                                          \
            qi v[LINES];                                                                           \
            sum[i] = qi_zero();                                                                    \
            if (i >= n)                                                                            \
                continue;                                                                          \
            for (int r = 0; r < LINES; r++)                                                        \
                v[r] = line_##name(p[r] + i * SIZE, x + i);                                        \
            sum[i] = qi_sum_four(v);                                                               \
            dx[i] = x[i].d;                                                                        \
        }                                                                                          \
        qf d = qf_mul(line_halves(p, at, SIZE), qf_from_bits(q_each_4_times(dx)));                 \
        return line_chain(chain, d, qf_from_qi(q_add_lanes(sum)), n);                              \
    }                                                                                              \
    static void lines_##name(float *out, const uint8_t *const *row, uint32_t n_cols,               \
                             const void *acts, line_place place)                                   \
    {                                                                                              \
        enum { SIZE = sizeof(glm_block_##name) };                                                  \
        const glm_act_256 *x = acts;                                                               \
        const uint8_t *p[LINES] = {row[0], row[1], row[2], row[3]};                                \
        __m128 chain = _mm_setzero_ps();                                                           \
        uint32_t n = n_cols / 256;                                                                 \
        for (; n >= QS; n -= QS, x += QS) {                                                        \
            ask_linear(row[0], p[0], place.ahead, QS *SIZE);                                       \
            if (place.is_first && n >= 2 * QS)                                                     \
                ask_lines(p, QS *SIZE, QS *SIZE);                                                  \
            chain = line_step_##name(chain, p, x, QS);                                             \
            for (int r = 0; r < LINES; r++)                                                        \
                p[r] += QS * SIZE;                                                                 \
        }                                                                                          \
        if (n) {                                                                                   \
            uint8_t rest[LINES][QS * SIZE];                                                        \
            memset(rest, 0, sizeof rest);                                                          \
            for (int r = 0; r < LINES; r++) {                                                      \
                memcpy(rest[r], p[r], n *SIZE);                                                    \
                p[r] = rest[r];                                                                    \
            }                                                                                      \
            chain = line_step_##name(chain, p, x, (int)n);                                         \
        }                                                                                          \
        _mm_storeu_ps(out, chain);                                                                 \
    }
DEFINE_LINES_256(q6_k, 208)

#endif
