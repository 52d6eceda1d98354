// SPDX-License-Identifier: MIT
/*
 * AMX-INT8 for simd/qmatmul.h: 16 tokens times a panel of 16 rows. A panel's codes lie as the instruction wants its second factor: a row of a
 * tile holds four columns of each of the matrix's rows. A tile takes one group of columns that share a scale, so its sums are exact and whole;
 * scales and the chain of floats are the vectors' work.
 *
 * Tiles: 0 and 1 sums of [16 tokens, 16 rows] 32-bit integers; 2, 3 the two factors of a group of 32 columns; 4, 5 those of one of 16.
 * Source: Intel, Architecture Instruction Set Extensions Programming Reference, chapter 3 (TDPBSUD, LDTILECFG).
 */
#ifndef GLM_KERNELS_X86_QAMX_H
#define GLM_KERNELS_X86_QAMX_H

#ifndef AMX_CONFIGURE /* tests have a model */
#include "kernels/x86/amx.h"
#endif

enum { MANY = 16 }; /* tokens */
#define ROW_BYTES ((size_t)(4 * QR))

typedef struct products {
    _Alignas(64) int32_t of[MANY][QR];
} products;

/* 16 tokens' blocks at a constant distance, in place or copied. */
typedef struct many_tokens {
    const int8_t *q;
    size_t stride_bytes;
    _Alignas(64) int8_t copy[MANY][256];
} many_tokens;

/* Before and after a product with n_tok tokens: a thread has tiles only between. */
QV void begin_many(uint32_t n_tok)
{
    if (n_tok < MANY)
        return;
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t n_rows[16];
    } tiles = {.palette = 1,
               .row_bytes = {4 * QR, 4 * QR, 32, 4 * QR, 16, 4 * QR},
               .n_rows = {MANY, MANY, MANY, 8, MANY, 4}};
    static_assert(sizeof tiles == 64, "as the instruction reads it");
    AMX_CONFIGURE(&tiles);
}

QV void end_many(uint32_t n_tok)
{
    if (n_tok >= MANY)
        AMX_RELEASE();
}

QV void place_tokens(many_tokens *m, const glm_act_32 *const *x)
{
    bool is_even = true;
    m->q = x[0]->q;
    m->stride_bytes = (uintptr_t)x[1] - (uintptr_t)x[0];
    for (size_t t = 2; t < MANY; t++)
        is_even = is_even && (uintptr_t)x[t] - (uintptr_t)x[0] == t * m->stride_bytes;
    if (is_even)
        return;
    for (int t = 0; t < MANY; t++)
        memcpy(m->copy[t], x[t]->q, sizeof m->copy[t]);
    m->q = m->copy[0];
    m->stride_bytes = sizeof m->copy[0];
}

/* out[c] = 16 tokens times group g of `group` columns. c is the number of a tile and the rest constants, as the instructions want. */
#define GROUP_PRODUCTS(out, c, group, a, b, g)                                                     \
    do {                                                                                           \
        AMX_ZERO(c);                                                                               \
        AMX_LOAD(a, m->q + (g) * (group), m->stride_bytes);                                        \
        AMX_LOAD(b, p->q[(g) * (group) / 4], ROW_BYTES);                                           \
        AMX_DOT_SU(c, a, b);                                                                       \
        AMX_STORE(c, (out)[c].of, ROW_BYTES);                                                      \
    } while (0)

/* Groups g and g + 1. */
QV void two_groups(int group, products out[2], const panel *p, const many_tokens *m, int g)
{
    if (group == 32) {
        GROUP_PRODUCTS(out, 0, 32, 2, 3, g);
        GROUP_PRODUCTS(out, 1, 32, 2, 3, g + 1);
    } else {
        GROUP_PRODUCTS(out, 0, 16, 4, 5, g);
        GROUP_PRODUCTS(out, 1, 16, 4, 5, g + 1);
    }
}

/* As tile_32; an odd block at the end makes products that nobody uses. */
QV void many_32(shape s, float *acc, const panel *p, const glm_act_32 *const *x, int n_blocks)
{
    many_tokens m;
    products out[2];
    place_tokens(&m, x);
    for (int b = 0; b < n_blocks; b++) {
        if (b % 2 == 0)
            two_groups(32, out, p, &m, b);
        qf d = qf_load(p->d[b]);
        for (int t = 0; t < MANY; t++) {
            qi sum = qi_add(qi_load(out[b % 2].of[t]), minus_offset_32(s, x[t], b));
            qf dx = qf_set1(x[t]->d[b]), chain = qf_load(acc + t * QR);
            chain = qf_fma(qf_mul(d, dx), qf_from_qi(sum), chain);
            if (s.has_min)
                chain = qf_fma(qf_mul(qf_load(p->m[b]), dx), qf_set1((float)x[t]->sum[b]), chain);
            qf_store(acc + t * QR, chain);
        }
    }
}

/* As tile_256. */
QV void many_256(shape s, float *acc, const panel *p, const glm_act_256 *const *x)
{
    many_tokens m;
    products out[2];
    qi total[MANY];
    place_tokens(&m, (const glm_act_32 *const *)(const void *)x);
    for (int t = 0; t < MANY; t++)
        total[t] = qi_zero();
    if (s.offset)
        add_pairs(s, MANY, total, p, x);
    for (int g = 0; g < 256 / s.group; g += 2) {
        two_groups(s.group, out, p, &m, g);
        qi first = qi_load(p->scale[g]), second = qi_load(p->scale[g + 1]);
#pragma GCC unroll 16
        for (int t = 0; t < MANY; t++) {
            total[t] = qi_add(total[t], qi_mul(qi_load(out[0].of[t]), first));
            total[t] = qi_add(total[t], qi_mul(qi_load(out[1].of[t]), second));
        }
    }
    for (int t = 0; t < MANY; t++) {
        qf dx = qf_set1(x[t]->d), chain = qf_load(acc + t * QR);
        chain = qf_fma(qf_mul(qf_load(p->d[0]), dx), qf_from_qi(total[t]), chain);
        if (s.has_min) {
            qi low = qi_zero();
            for (int i = 0; i < 128 / s.group; i++)
                low = qi_madd16(low, qi_load(p->pair[i]), sums_of_pair(s, x[t], i));
            chain = qf_fma(qf_mul(qf_load(p->m[0]), dx), qf_from_qi(low), chain);
        }
        qf_store(acc + t * QR, chain);
    }
}

#undef GROUP_PRODUCTS
#undef ROW_BYTES
#endif
