// SPDX-License-Identifier: MIT
/*
 * The inner product of simd/qmatmul.h on instructions that multiply matrices of bytes: in each 128 bits, 2 tokens by 8 columns times
 * 8 columns by 2 rows. A panel is arranged for that once, before all tokens use it. Beside the vocabulary of simd/qmatmul.h this needs
 * qi_zip_low, qi_zip_high, qi_even_pairs, qi_odd_pairs, qi_bcast_two and qi_mmla (arm/qvec_neon.h tells what they do).
 */
#ifndef GLM_KERNELS_SIMD_QMMLA_H
#define GLM_KERNELS_SIMD_QMMLA_H

/* The first n4 words of each row: columns 8 i .. 8 i + 7 lie side by side, of the first half of the rows in q[2 i], of the other in
 * q[2 i + 1]. n4 is even. */
QV void arrange(panel *p, int n4)
{
    for (int i = 0; i < n4; i += 2) {
        qi even = qi_load(p->q[i]), odd = qi_load(p->q[i + 1]);
        qi_store(p->q[i], qi_zip_low(even, odd));
        qi_store(p->q[i + 1], qi_zip_high(even, odd));
    }
}

/* sum[t] += 4 * n columns of codes, all with sign, times token t's; n is even. Where there is one token it is taken twice. */
QV void dot_columns(shape s, int n_tok, int n, qi *sum, const panel *p, int column4,
                    const glm_act_32 *const *x)
{
    (void)s;
    const int n_pairs = (n_tok + 1) / 2;
    qi low[Q_TILE / 2], high[Q_TILE / 2];
#pragma GCC unroll 4
    for (int t = 0; t < n_pairs; t++)
        low[t] = high[t] = qi_zero();
#pragma GCC unroll 4
    for (int i = 0; i < n; i += 2) {
        qi first = qi_load(p->q[column4 + i]), second = qi_load(p->q[column4 + i + 1]);
        const int at = 4 * (column4 + i);
#pragma GCC unroll 4
        for (int t = 0; t < n_pairs; t++) {
            qi two = qi_bcast_two(x[2 * t]->q + at, x[2 * t + (n_tok > 1)]->q + at);
            low[t] = qi_mmla(low[t], two, first);
            high[t] = qi_mmla(high[t], two, second);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < n_pairs; t++) {
        sum[2 * t] = qi_add(sum[2 * t], qi_even_pairs(low[t], high[t]));
        if (n_tok > 1)
            sum[2 * t + 1] = qi_add(sum[2 * t + 1], qi_odd_pairs(low[t], high[t]));
    }
}

#endif
