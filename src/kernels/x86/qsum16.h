// SPDX-License-Identifier: MIT
/*
 * Sums of products in 16 bits, for instruction sets whose product of bytes gives sums of two in 16 bits and takes another instruction
 * to widen them: as many are added up first as fit (shape.steps), and the instruction that widens multiplies by the group's scale too.
 * All sums are exact, so the bits are those of every other way. Included by simd/qsink.h (Q_SUM16); needs of the vocabulary besides
 * qi_pairs, qi_pairs_signed and qi_add16.
 *
 * A product of a code 0..max with an activation -127..127 is at most 127 max, a pair of them 254 max: 8 pairs of codes of 4 bits (max
 * 15), 4 of codes of 5 bits (31) and 2 of 6 bits (63) fit 32,767, and one of any (128).
 */
#ifndef GLM_KERNELS_X86_QSUM16_H
#define GLM_KERNELS_X86_QSUM16_H

/* shape.steps for codes up to max and scales for `group` columns. */
QV int steps_of(int group, int max)
{
    const int n = 32767 / (254 * max), whole = group / 4;
    const int steps = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
    return steps < whole ? steps : whole;
}

/* A value of 16 bits in both halves of a lane. */
QV qi panel_scale(qi scale)
{
    return qi_or(qi_and(scale, qi_set1(0xffff)), qi_sll(scale, 16));
}

QV qi pairs(shape s, qi w, qi x)
{
    return s.is_signed ? qi_pairs_signed(w, x) : qi_pairs(w, x);
}

/* ---- One token ---- */

/* Whether a group's sum fits 16 bits and is wanted as it is. */
QV bool is_whole(shape s)
{
    return s.n_elems == 256 && 4 * s.steps == s.group && !s.offset;
}

/* Blocks of 32 come in two halves in turns, so each piece of them has a part of its own. */
QV void add_code(sink *s, int slot, int column4, qi code)
{
    const unsigned steps = (unsigned)s->s.steps, at = (unsigned)column4 % steps;
    const unsigned i =
        s->s.n_elems == 32 && steps >= 4 ? (unsigned)column4 % 8 / steps : (unsigned)slot;
    qi two = pairs(s->s, code, qi_bcast(s->x.b32->q + 4 * column4));
    s->part[i] = at == 0 ? two : qi_add16(s->part[i], two);
    if (at == steps - 1 && !is_whole(s->s))
        s->sum[slot] = qi_madd16(s->sum[slot], s->part[i], qi_set1(0x10001));
}

QV qi scaled_sum(const sink *s, int slot, qi less, qi scale)
{
    if (is_whole(s->s))
        return qi_madd16(qi_zero(), s->part[slot], panel_scale(scale));
    return qi_mul(qi_add(s->sum[slot], less), scale);
}

/* ---- A panel ---- */

/* sum[t] += factor times 4 * n columns of codes times token t's; both halves of factor's lanes are equal. */
QV void dot_scaled(shape s, int n_tok, int n, qi *sum, const panel *p, int column4,
                   const glm_act_32 *const *x, qi factor)
{
#pragma GCC unroll 8
    for (int c = 0; c < n; c += s.steps) {
        qi part[Q_TILE];
#pragma GCC unroll 8
        for (int i = 0; i < s.steps; i++) {
            qi w = qi_load(p->q[column4 + c + i]);
#pragma GCC unroll 4
            for (int t = 0; t < n_tok; t++) {
                qi two = pairs(s, w, qi_bcast(x[t]->q + 4 * (column4 + c + i)));
                part[t] = i ? qi_add16(part[t], two) : two;
            }
        }
#pragma GCC unroll 4
        for (int t = 0; t < n_tok; t++)
            sum[t] = qi_madd16(sum[t], part[t], factor);
    }
}

#endif
