// SPDX-License-Identifier: MIT
/*
 * kernels/qmatmul.h in vectors. QR rows of the matrix and 256 columns are unpacked into a panel of 8-bit codes, four columns of a
 * row in one 32-bit lane (4 to 5 KiB: it stays in the first-level cache), and up to Q_TOK tokens use it: a lane is a row, so no
 * sum ever crosses lanes, and one token and many run the same code. Each format has an unpacker (simd/qunpack.h), each layout of
 * activations one register tile.
 *
 * A code is what an 8-bit unsigned times signed product takes: q plus the format's offset. The offset's share is taken out in
 * integers: from the sums of activations by 32, or by group with factors of -offset times the group's scale.
 *
 * The vocabulary (x86/qvec_avx2.h ...): KERNEL, QR, Q_TILE, Q_WIDE_SIGNED; qi and qf, vectors of QR 32-bit integers and floats;
 * qi_zero load store set1 set1_8 bcast add sub add8 sub8 min8 mul and or srl sra sll; qi_table (16 bytes in each 128-bit lane),
 * qi_shuffle8, qi_or_where; qi_dot, qi_dot_signed (4 products of 8 bits a lane), qi_madd16 (2 of 16 bits); qi_words4 (16
 * bytes of each row); qf_zero load store set1 mul fma from_qi from_bits from_halves. Q_ROWS, Q_COLUMNS and Q_MANY
 * name files with products of the instruction set's own: a code book's rows times one token, a panel's columns times several (simd/qmmla.h), a
 * panel times a fixed number of tokens (x86/qamx.h). Q_SUM16 names x86/qsum16.h where sums are held in 16 bits first.
 */
#ifndef GLM_KERNELS_SIMD_QMATMUL_H
#define GLM_KERNELS_SIMD_QMATMUL_H

#include <assert.h>
#include <string.h>

#include "kernels/act.h"
#include "kernels/kernels_internal.h"
#include "quant/formats.h"

enum {
    Q_TOK = 256, /* tokens that share a panel */
};

#include "kernels/simd/qcodebook.h"
#include "kernels/simd/qunpack.h"

#ifdef Q_COLUMNS
#include Q_COLUMNS
#else
QV void arrange(panel *p, int n4) /* a panel's first n4 words a row, before its use by many */
{
    (void)p;
    (void)n4;
}

/* sum[t] += 4 * n columns of codes times token t's. */
QV void dot_columns(shape s, int n_tok, int n, qi *sum, const panel *p, int column4,
                    const glm_act_32 *const *x)
{
#ifdef Q_SUM16
    dot_scaled(s, n_tok, n, sum, p, column4, x, qi_set1(0x10001));
#else
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        qi w = qi_load(p->q[column4 + i]);
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
            sum[t] = dot(s, sum[t], w, x[t]->q + 4 * (column4 + i));
    }
#endif
}
#endif

/* total[t] += group g of the panel, times its scale, times token t's columns. */
QV void add_group(shape s, int n_tok, qi *total, const panel *p, int g, const glm_act_256 *const *x)
{
    const glm_act_32 *const *q = (const glm_act_32 *const *)(const void *)x;
    const int n = s.group / 4;
    qi scale = qi_load(p->scale[g]);
#ifdef Q_SUM16
    dot_scaled(s, n_tok, n, total, p, g * n, q, scale);
#else
    qi sum[Q_TILE];
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
        sum[t] = qi_zero();
    dot_columns(s, n_tok, n, sum, p, g * n, q);
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
        total[t] = qi_add(total[t], qi_mul(sum[t], scale));
#endif
}

/* Blocks of 32: n_blocks steps of the chain for n_tok tokens. */
QV void tile_32(shape s, int n_tok, float *acc, const panel *p, const glm_act_32 *const *x,
                int n_blocks)
{
    qf chain[Q_TILE];
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
        chain[t] = qf_load(acc + t * QR);
    for (int b = 0; b < n_blocks; b++) {
        qi sum[Q_TILE];
        qf d = qf_load(p->d[b]);
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++) {
            sum[t] = minus_offset_32(s, x[t], b);
        }
        dot_columns(s, n_tok, 8, sum, p, 8 * b, x);
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++) {
            qf dx = qf_set1(x[t]->d[b]);
            chain[t] = qf_fma(qf_mul(d, dx), qf_from_qi(sum[t]), chain[t]);
            if (s.has_min)
                chain[t] =
                    qf_fma(qf_mul(qf_load(p->m[b]), dx), qf_set1((float)x[t]->sum[b]), chain[t]);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
        qf_store(acc + t * QR, chain[t]);
}

/* sum[t] += pairs of the panel times token t's sums by group. */
QV void add_pairs(shape s, int n_tok, qi *sum, const panel *p, const glm_act_256 *const *x)
{
/* GCC at -O1, as the sanitizers' builds have it, folds this loop and warns that it ignores the annotation. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#pragma GCC unroll 8
#endif
    for (int i = 0; i < 128 / s.group; i++) {
        qi w = qi_load(p->pair[i]);
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
            sum[t] = qi_madd16(sum[t], w, sums_of_pair(s, x[t], i));
    }
}

/* One block of 256: one step of the chain for n_tok tokens. */
QV void tile_256(shape s, int n_tok, float *acc, const panel *p, const glm_act_256 *const *x)
{
    qi total[Q_TILE];
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++)
        total[t] = qi_zero();
    if (s.offset)
        add_pairs(s, n_tok, total, p, x);
    for (int g = 0; g < 256 / s.group; g++)
        add_group(s, n_tok, total, p, g, x);
    qi low[Q_TILE];
    if (s.has_min) {
#pragma GCC unroll 8
        for (int t = 0; t < n_tok; t++)
            low[t] = qi_zero();
        add_pairs(s, n_tok, low, p, x);
    }
#pragma GCC unroll 8
    for (int t = 0; t < n_tok; t++) {
        qf dx = qf_set1(x[t]->d), chain = qf_load(acc + t * QR);
        chain = qf_fma(qf_mul(qf_load(p->d[0]), dx), qf_from_qi(total[t]), chain);
        if (s.has_min)
            chain = qf_fma(qf_mul(qf_load(p->m[0]), dx), qf_from_qi(low[t]), chain);
        qf_store(acc + t * QR, chain);
    }
}

#ifdef Q_MANY
#include Q_MANY
#else
/* Around a product with n_tok tokens. */
QV void begin_many(uint32_t n_tok)
{
    (void)n_tok;
}

QV void end_many(uint32_t n_tok)
{
    (void)n_tok;
}
#endif

/* Tokens 0..n_tok-1, whose blocks of this panel's columns are x: the largest tiles first. */
#define TILES(n, call)                                                                             \
    for (; t + n <= n_tok; t += n)                                                                 \
    call

QV void tiles_32(shape s, uint32_t n_tok, float *acc, const panel *p, const glm_act_32 *const *x,
                 int n_blocks)
{
    uint32_t t = 0;
#ifdef Q_MANY
    TILES(MANY, many_32(s, acc + t * QR, p, x + t, n_blocks));
#endif
#define CALL(n) tile_32(s, n, acc + t * QR, p, x + t, n_blocks)
#if Q_TILE_IS_8
    TILES(8, CALL(8));
#endif
    TILES(4, CALL(4));
    TILES(2, CALL(2));
    TILES(1, CALL(1));
#undef CALL
}

QV void tiles_256(shape s, uint32_t n_tok, float *acc, const panel *p, const glm_act_256 *const *x)
{
    uint32_t t = 0;
#ifdef Q_MANY
    TILES(MANY, many_256(s, acc + t * QR, p, x + t));
#endif
#define CALL(n) tile_256(s, n, acc + t * QR, p, x + t)
#if Q_TILE_IS_8
    TILES(8, CALL(8));
#endif
    TILES(4, CALL(4));
    TILES(2, CALL(2));
    TILES(1, CALL(1));
#undef CALL
}

/* The kinds of panels that formats make: a function each, however many formats share it. */
#define DEFINE_32(name, ...)                                                                       \
    static void name(uint32_t n_tok, float *acc, const panel *p, const void *const *x,             \
                     int n_blocks)                                                                 \
    {                                                                                              \
        tiles_32((shape){32, 32, __VA_ARGS__}, n_tok, acc, p,                                      \
                 (const glm_act_32 *const *)(const void *)x, n_blocks);                            \
    }
#define DEFINE_256(name, ...)                                                                      \
    static void name(uint32_t n_tok, float *acc, const panel *p, const void *const *x,             \
                     int n_blocks)                                                                 \
    {                                                                                              \
        (void)n_blocks;                                                                            \
        tiles_256((shape){256, __VA_ARGS__}, n_tok, acc, p,                                        \
                  (const glm_act_256 *const *)(const void *)x);                                    \
    }

DEFINE_32(run_32_min, 8, 0, true, false)
DEFINE_32(run_32_8, 8, 8, false, false)
DEFINE_32(run_32_16, 4, 16, false, false)
DEFINE_32(run_32_wide, 1, Q_WIDE_SIGNED ? 0 : 128, false, Q_WIDE_SIGNED)
DEFINE_256(run_256_16_min, 16, 4, 0, true, false)
DEFINE_256(run_256_16, 16, 4, 1, false, false) /* any offset: it is in the pairs */
DEFINE_256(run_256_32_min, 32, 8, 0, true, false)
DEFINE_256(run_256_32, 32, 8, 1, false, false)
DEFINE_256(run_256_wide, 32, 1, !Q_WIDE_SIGNED, false, Q_WIDE_SIGNED)
#ifdef Q_SUM16 /* codes that leave less room in 16 bits */
DEFINE_32(run_32_min_4, 4, 0, true, false)
DEFINE_256(run_256_16_2, 16, 2, 1, false, false)
DEFINE_256(run_256_16_1, 16, 1, 1, false, false)
DEFINE_256(run_256_32_min_4, 32, 4, 0, true, false)
DEFINE_256(run_256_32_4, 32, 4, 1, false, false)
DEFINE_256(run_256_32_1, 32, 1, 1, false, false)
#define FEWER(is_fewer, fewer, most) ((is_fewer) ? (fewer) : (most))
#else
QV int steps_of(int group, int max)
{
    (void)group;
    (void)max;
    return 0;
}
#define FEWER(is_fewer, fewer, most) (most)
#endif

typedef void run_fn(uint32_t n_tok, float *acc, const panel *p, const void *const *x, int n_blocks);

static run_fn *run_of(int n_elems, int group, int offset, bool has_min, int max)
{
    const int steps = steps_of(group, max);
    (void)steps;
    if (n_elems == 32)
        return has_min         ? FEWER(steps < 8, run_32_min_4, run_32_min)
               : offset == 128 ? run_32_wide
               : offset == 8   ? run_32_8
                               : run_32_16;
    if (offset == 128)
        return run_256_wide;
    if (group == 16)
        return has_min
                   ? run_256_16_min
                   : FEWER(steps == 1, run_256_16_1, FEWER(steps == 2, run_256_16_2, run_256_16));
    return has_min ? FEWER(steps < 8, run_256_32_min_4, run_256_32_min)
                   : FEWER(steps == 1, run_256_32_1, FEWER(steps < 8, run_256_32_4, run_256_32));
}

/* ---- Formats ---- */

QV shape shape_of(int n_elems, int group, int offset, bool has_min, int max)
{
    bool is_signed = Q_WIDE_SIGNED && offset == 128;
    return (shape){n_elems, group,    steps_of(group, max), is_signed ? 0 : offset,
                   has_min, is_signed};
}

#define MAX_OF(TYPE, name, n_elems, group, offset, has_min, max) max_##name = (max),
enum { GLM_INT_FORMATS(MAX_OF) };
#undef MAX_OF

/* A panel of n_blocks blocks of each row; codes has room for QR rows of 256 bytes. */
typedef void unpack_fn(panel *out, const uint8_t *p, size_t stride, int n_blocks, uint8_t *codes);

/* The steps of the chain acc[QR] that n_blocks blocks of each row and one token make. */
typedef void one_fn(float *acc, const uint8_t *p, size_t stride, int n_blocks, const void *x);

#define UNPACK(name)                                                                               \
    static void unpack_##name(panel *out, const uint8_t *p, size_t stride, int n_blocks,           \
                              uint8_t *codes)
#define ONE(name)                                                                                  \
    static void one_##name(float *acc, const uint8_t *p, size_t stride, int n_blocks, const void *x)

#define DEFINE_32_FORMAT(name, off, min_too)                                                       \
    UNPACK(name)                                                                                   \
    {                                                                                              \
        sink s = {.s = shape_of(32, 32, off, min_too, max_##name), .is_panel = true, .p = out};    \
        (void)codes;                                                                               \
        for (int b = 0; b < n_blocks; b++)                                                         \
            read_##name(&s, p + (size_t)b * sizeof(glm_block_##name), stride, b);                  \
    }                                                                                              \
    ONE(name)                                                                                      \
    {                                                                                              \
        sink s = {.s = shape_of(32, 32, off, min_too, max_##name), .x = {x}};                      \
        s.chain = qf_load(acc);                                                                    \
        for (int b = 0; b < n_blocks; b++)                                                         \
            read_##name(&s, p + (size_t)b * sizeof(glm_block_##name), stride, b);                  \
        qf_store(acc, s.chain);                                                                    \
    }
#define DEFINE_256_FORMAT(name, grp, off, min_too)                                                 \
    UNPACK(name)                                                                                   \
    {                                                                                              \
        sink s = {.s = shape_of(256, grp, off, min_too, max_##name), .is_panel = true, .p = out};  \
        (void)n_blocks;                                                                            \
        (void)codes;                                                                               \
        read_##name(&s, p, stride);                                                                \
        if (s.s.offset)                                                                            \
            put_offset_pairs(out, 256 / grp, s.s.offset);                                          \
    }                                                                                              \
    ONE(name)                                                                                      \
    {                                                                                              \
        sink s = {.s = shape_of(256, grp, off, min_too, max_##name), .x = {x}};                    \
        (void)n_blocks;                                                                            \
        s.chain = qf_load(acc);                                                                    \
        read_##name(&s, p, stride);                                                                \
        add_to_chain(&s, s.x.b256->d);                                                             \
        qf_store(acc, s.chain);                                                                    \
    }

/* Code books: one token has products of its own where the instruction set has them (Q_ROWS). */
#ifdef Q_ROWS
#define DEFINE_BOOK_ONE(name, grp, off)                                                            \
    ONE(name)                                                                                      \
    {                                                                                              \
        sink s = {.s = shape_of(256, grp, off, false, max_##name), .x = {x}};                      \
        (void)n_blocks;                                                                            \
        s.chain = qf_load(acc);                                                                    \
        put_d_##name(&s, p, stride);                                                               \
        s.total = rows_##name(p, stride, s.x.b256);                                                \
        add_to_chain(&s, s.x.b256->d);                                                             \
        qf_store(acc, s.chain);                                                                    \
    }
#else
#define DEFINE_BOOK_ONE(name, grp, off) enum { one_##name = 0 };
#endif
#define DEFINE_BOOK_FORMAT(name, grp, off)                                                         \
    UNPACK(name)                                                                                   \
    {                                                                                              \
        sink s = {.s = shape_of(256, grp, off, false, max_##name), .is_panel = true, .p = out};    \
        (void)n_blocks;                                                                            \
        put_d_##name(&s, p, stride);                                                               \
        read_##name(&s, p, stride, codes);                                                         \
        put_offset_pairs(out, 256 / grp, off);                                                     \
    }                                                                                              \
    DEFINE_BOOK_ONE(name, grp, off)

DEFINE_32_FORMAT(q4_0, 8, false)
DEFINE_32_FORMAT(q4_1, 0, true)
DEFINE_32_FORMAT(q5_0, 16, false)
DEFINE_32_FORMAT(q5_1, 0, true)
DEFINE_32_FORMAT(q8_0, 128, false)
DEFINE_32_FORMAT(iq4_nl, 128, false)
DEFINE_32_FORMAT(mxfp4, 16, false)
DEFINE_256_FORMAT(q2_k, 16, 0, true)
DEFINE_256_FORMAT(q3_k, 16, 4, false)
DEFINE_256_FORMAT(q4_k, 32, 0, true)
DEFINE_256_FORMAT(q5_k, 32, 0, true)
DEFINE_256_FORMAT(q6_k, 16, 32, false)
DEFINE_256_FORMAT(iq4_xs, 32, 128, false)
DEFINE_256_FORMAT(tq1_0, 32, 1, false)
DEFINE_256_FORMAT(tq2_0, 32, 1, false)
DEFINE_BOOK_FORMAT(iq1_s, 32, 16)
DEFINE_BOOK_FORMAT(iq1_m, 16, 16)
DEFINE_BOOK_FORMAT(iq2_xxs, 32, 64)
DEFINE_BOOK_FORMAT(iq2_xs, 16, 64)
DEFINE_BOOK_FORMAT(iq2_s, 16, 64)
DEFINE_BOOK_FORMAT(iq3_xxs, 32, 64)
DEFINE_BOOK_FORMAT(iq3_s, 32, 16)

typedef struct format {
    uint32_t n_elems, n_bytes; /* a block */
    unpack_fn *unpack;
    run_fn *run;
    one_fn *one; /* NULL: a panel for one token too */
} format;

static format format_of(glm_type type)
{
#define CASE(TYPE, name, n_elems, group, offset, has_min, max)                                     \
    case GLM_TYPE_##TYPE:                                                                          \
        return (format){n_elems, sizeof(glm_block_##name), unpack_##name,                          \
                        run_of(n_elems, group, offset, has_min, max), one_##name};
    switch (type) {
        GLM_INT_FORMATS(CASE)
    default:
        assert(0 && "a type without integers");
        return (format){0};
    }
#undef CASE
}

#ifdef Q_ROWS
typedef void lines_fn(float *out, const uint8_t *const *row, uint32_t n_cols, const void *x,
                      line_place place);

/* NULL where formats gain nothing from it, or rows are too short: what begins and ends four rows is more than it saves. */
static lines_fn *lines_of(glm_type type, uint32_t n_cols)
{
    if (n_cols < LINE_COLS_MIN)
        return NULL;
    return type == GLM_TYPE_Q8_0 ? lines_q8_0 : type == GLM_TYPE_Q6_K ? lines_q6_k : NULL;
}

static bool multiply_lines(float *out, const glm_mat *w, uint32_t row0, uint32_t n_rows,
                           const void *x)
{
    lines_fn *lines = lines_of(w->type, w->n_cols);
    if (!lines)
        return false;
    const size_t stride = w->row_stride_bytes;
    for (uint32_t r = 0; r < n_rows; r += LINES) {
        const uint8_t *row[LINES];
        float sums[LINES];
        uint32_t n = n_rows - r < LINES ? n_rows - r : LINES;
        for (uint32_t i = 0; i < LINES; i++) /* what is missing repeats the last row */
            row[i] = (const uint8_t *)w->data + (row0 + r + (i < n ? i : n - 1)) * stride;
        line_place place = {r + 2 * LINES <= n_rows ? LINES * stride : 0, r == 0};
        lines(sums, row, w->n_cols, x, place);
        for (uint32_t i = 0; i < n; i++)
            out[r + i] = w->tensor_scale != 1 ? sums[i] * w->tensor_scale : sums[i];
    }
    return true;
}
#endif

/* ---- The product ---- */

typedef struct work {
    panel panel;
    _Alignas(64) float acc[Q_TOK * QR];
    /* QR rows' blocks of a panel where the matrix has fewer: at most 8 of 34 bytes or 210 a row. */
    uint8_t rows[QR * 8 * 34];
    uint8_t codes[QR * 256]; /* of formats with code books, row by row */
} work;
static_assert(sizeof(work) <= GLM_QMATMUL_SCRATCH_BYTES, "scratch");

/* Asks for n_bytes of each of QR rows. */
QV void ask_for(const uint8_t *p, size_t stride, size_t n_bytes)
{
    for (uint32_t i = 0; i < QR; i++)
        for (size_t at = 0; at < n_bytes; at += 64)
            __builtin_prefetch(p + i * stride + at, 0, 2);
}

/* Rows r..r+n_rows-1 <= QR times tokens t..t+n_tok-1 <= Q_TOK; the sums lie in work->acc. Weights come from memory while others
 * are worked on: those of the next rows unless is_last, and of the rows themselves if is_first. */
static void rows_times_tokens(work *s, const format *f, const glm_mat *w, uint32_t r,
                              uint32_t n_rows, const glm_act_rows *x, uint32_t t, uint32_t n_tok,
                              bool is_first, bool is_last)
{
    const uint8_t *base = (const uint8_t *)w->data + r * w->row_stride_bytes;
    const void *token[Q_TOK];
    for (uint32_t i = 0; i < n_tok; i++)
        token[i] = glm_act_row(x, t + i);
    memset(s->acc, 0, n_tok * QR * sizeof(float));
    for (uint32_t k = 0; k < w->n_cols; k += 256) {
        uint32_t n = w->n_cols - k < 256 ? w->n_cols - k : 256, n_blocks = n / f->n_elems;
        const uint8_t *p = base + k / f->n_elems * f->n_bytes;
        size_t stride = w->row_stride_bytes, n_bytes = (size_t)n_blocks * f->n_bytes;
        if (n_rows < QR) { /* what is missing repeats the last row */
            for (uint32_t i = 0; i < QR; i++)
                memcpy(s->rows + i * n_bytes, p + (i < n_rows ? i : n_rows - 1) * stride, n_bytes);
            p = s->rows;
            stride = n_bytes;
        } else { /* of a run's first rows nobody has asked for any */
            const size_t ahead = 512 / f->n_elems * f->n_bytes;
            if (!is_last)
                ask_for(p + QR * stride, stride, n_bytes);
            if (is_first && k + 768 <= w->n_cols)
                ask_for(p + ahead, stride, n_bytes);
        }
        if (n_tok == 1 && f->one) {
            f->one(s->acc, p, stride, (int)n_blocks, token[0]);
            token[0] = (const char *)token[0] + GLM_ACT_BYTES;
            continue;
        }
        f->unpack(&s->panel, p, stride, (int)n_blocks, s->codes);
        arrange(&s->panel, (int)n / 4);
        f->run(n_tok, s->acc, &s->panel, token, (int)n_blocks);
        for (uint32_t i = 0; i < n_tok; i++)
            token[i] = (const char *)token[i] + GLM_ACT_BYTES;
    }
}

void KERNEL(qmatmul)(float *out, size_t out_stride, const glm_mat *w, uint32_t row0,
                     uint32_t n_rows, const glm_act_rows *x, void *scratch)
{
    work *s = scratch;
    const format f = format_of(w->type);
    const bool is_scaled = w->tensor_scale != 1;
#ifdef Q_ROWS
    if (x->n_tok == 1 && multiply_lines(out, w, row0, n_rows, glm_act_row(x, 0)))
        return;
#endif
    begin_many(x->n_tok);
    for (uint32_t t = 0; t < x->n_tok; t += Q_TOK) {
        uint32_t n_tok = x->n_tok - t < Q_TOK ? x->n_tok - t : Q_TOK;
        for (uint32_t r = 0; r < n_rows; r += QR) {
            uint32_t n = n_rows - r < QR ? n_rows - r : QR;
            rows_times_tokens(s, &f, w, row0 + r, n, x, t, n_tok, r == 0, r + 2 * QR > n_rows);
            for (uint32_t i = 0; i < n_tok; i++) {
                float *sums = s->acc + i * QR;
                if (is_scaled)
                    qf_store(sums, qf_mul(qf_load(sums), qf_set1(w->tensor_scale)));
                memcpy(out + (t + i) * out_stride + r, sums, n * sizeof *out);
            }
        }
    }
    end_many(x->n_tok);
}

#endif
