// SPDX-License-Identifier: MIT
/*
 * Where readers of formats put what they find (simd/qunpack.h): into a panel that many tokens will use, or, for one token,
 * straight into its sum. Everything is inlined into one function a format and kind, where `is_panel` and the shape are constants and
 * the sums live in registers.
 */
#ifndef GLM_KERNELS_SIMD_QSINK_H
#define GLM_KERNELS_SIMD_QSINK_H

typedef struct panel {
    _Alignas(64) uint8_t q[64][QR][4]; /* columns 4 i .. 4 i + 3 of each row */
    int32_t scale[16][QR];    /* GLM_ACT_256: of each group of 16 or 32, as panel_scale has it */
    int16_t pair[8][QR][2];   /* GLM_ACT_256: minima, or -offset * scale, of two groups */
    float d[8][QR], m[8][QR]; /* of each block; GLM_ACT_256: d[0], m[0] */
} panel;

/* How a format's codes are used. */
typedef struct shape {
    int n_elems; /* a block: 32 or 256 */
    int group;   /* columns that share a scale: 16 or 32 */
    int steps; /* Q_SUM16: codes a row and lane, times activations, whose sums fit 16 bits; a power of two, or 0 */
    int offset;     /* of the codes, a power of two; 0: none */
    bool has_min;   /* minima in their own float term */
    bool is_signed; /* codes are stored as they are, -128..127 */
} shape;

typedef struct sink {
    shape s;
    bool is_panel; /* store to p; otherwise multiply */
    panel *p;
    union {
        const void *any;
        const glm_act_32 *b32;
        const glm_act_256 *b256;
    } x;
    qi sum[4];     /* of the open groups */
    qi part[4];    /* Q_SUM16: of their last codes, in 16 bits */
    qi total, low; /* of the block, of its minima */
    qf d, m, chain;
} sink;

QV qi dot(shape s, qi acc, qi w, const void *x)
{
    return s.is_signed ? qi_dot_signed(acc, w, qi_bcast(x)) : qi_dot_bcast(acc, w, x);
}

#ifdef Q_SUM16
#include Q_SUM16
#else
/* s->sum[slot] += codes times activations. */
QV void add_code(sink *s, int slot, int column4, qi code)
{
    s->sum[slot] = dot(s->s, s->sum[slot], code, s->x.b32->q + 4 * column4);
}

/* The sum of a group that is complete, times its scale. */
QV qi scaled_sum(const sink *s, int slot, qi less, qi scale)
{
    return qi_mul(qi_add(s->sum[slot], less), scale);
}

/* The scale of a group as panels hold it. */
QV qi panel_scale(qi scale)
{
    return scale;
}
#endif

/* -offset times the sum of the activations of block b. */
QV qi minus_offset_32(shape s, const glm_act_32 *x, int b)
{
    if (!s.offset)
        return qi_zero();
    unsigned shift = (unsigned)__builtin_ctz((unsigned)s.offset);
    return qi_sub(qi_zero(), qi_sll(qi_bcast(&x->sum[b]), shift));
}

/* The 16-bit sums of the activations of groups 2 i and 2 i + 1. */
QV qi sums_of_pair(shape s, const glm_act_256 *x, int i)
{
    return qi_bcast(s.group == 16 ? &x->sum16[2 * i] : &x->sum32[2 * i]);
}

/* The same of group g. */
QV qi minus_offset_256(shape s, const glm_act_256 *x, int g)
{
    if (!s.offset)
        return qi_zero();
    int32_t factor = g % 2 ? -s.offset * 65536 : -s.offset & 0xffff;
    return qi_madd16(qi_zero(), qi_set1(factor), sums_of_pair(s, x, g / 2));
}

QV void put_factors(sink *s, int b, qf d, qf m)
{
    if (s->is_panel) {
        qf_store(s->p->d[b], d);
        if (s->s.has_min)
            qf_store(s->p->m[b], m);
        return;
    }
    s->d = d;
    s->m = m;
    s->total = s->low = qi_zero();
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        s->sum[i] = qi_zero();
}

QV void put_min_pair(sink *s, int i, qi pair)
{
    if (s->is_panel)
        qi_store(s->p->pair[i], pair);
    else
        s->low = qi_madd16(s->low, pair, sums_of_pair(s->s, s->x.b256, i));
}

QV void put_code(sink *s, int slot, int column4, qi code)
{
    if (s->is_panel)
        qi_store(s->p->q[column4], code);
    else
        add_code(s, slot, column4, code);
}

QV void end_group(sink *s, int slot, int g, qi scale)
{
    if (s->is_panel) {
        qi_store(s->p->scale[g], panel_scale(scale));
        return;
    }
    qi less = minus_offset_256(s->s, s->x.b256, g);
    s->total = qi_add(s->total, scaled_sum(s, slot, less, scale));
    s->sum[slot] = qi_zero();
}

/* One step of the chain: s->total and s->low are the block's. */
QV void add_to_chain(sink *s, float dx)
{
    s->chain = qf_fma(qf_mul(s->d, qf_set1(dx)), qf_from_qi(s->total), s->chain);
    if (s->s.has_min)
        s->chain = qf_fma(qf_mul(s->m, qf_set1(dx)), qf_from_qi(s->low), s->chain);
}

QV void end_block(sink *s, int b)
{
    if (s->is_panel)
        return;
    s->total = qi_add(s->sum[0], minus_offset_32(s->s, s->x.b32, b));
    if (s->s.has_min)
        s->low = qi_bcast(&s->x.b32->sum[b]);
    add_to_chain(s, s->x.b32->d[b]);
}

/* The pairs that take out the offset of a panel's groups: -offset * scale. */
QV void put_offset_pairs(panel *out, int n_groups, int offset)
{
    const unsigned shift = (unsigned)__builtin_ctz((unsigned)offset);
    for (int i = 0; i < n_groups / 2; i++) {
        qi even = qi_sub(qi_zero(), qi_sll(qi_load(out->scale[2 * i]), shift));
        qi odd = qi_sub(qi_zero(), qi_sll(qi_load(out->scale[2 * i + 1]), shift));
        qi_store(out->pair[i], qi_or(qi_and(even, qi_set1(0xffff)), qi_sll(odd, 16)));
    }
}

#endif
