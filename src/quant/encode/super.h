// SPDX-License-Identifier: MIT
/*
 * Blocks of 256 in groups with small integer scales under one f16 (Q6_K, Q3_K, IQ4_XS), or two with minima (Q4_K, Q5_K, Q2_K):
 * fit each group alone, choose the block's scale so that the groups' fall near integers, then let each group choose among
 * the integers around by what its values really cost; refit, and repeat once.
 */
#ifndef GLM_QUANT_ENCODE_SUPER_H
#define GLM_QUANT_ENCODE_SUPER_H

#include "quant/encode/single.h"

enum { GROUPS_MAX = 16 };

/** The first of 16 consecutive integers around v that stays inside low..high. */
static inline float window_start(float v, float low, float high)
{
    return clampf(round_even(v) - 8, low, high - 15 < low ? low : high - 15);
}

/* One block with signed scales d * sc[g]. */
typedef struct scaled {
    int n_groups, n; /* groups, values in each */
    levels l;        /* of the values */
    float sc_low, sc_high;
    float d;              /* as stored, in the search's range */
    float sc[GROUPS_MAX]; /* integers */
    float err;
} scaled;

/** d = target's best fit by integers: 16 candidates that put the greatest of s near an end of the scales. */
static inline float common_scale(const float *s, const float *weight, int n, float low, float high)
{
    float d[GLM_LANES], err[GLM_LANES], peak = signed_peak(s, n);
    for (int i = 0; i < GLM_LANES; i++)
        d[i] = peak / (low < 0 ? low + (float)i * -low * (1 / 64.0F)
                               : high - (float)i * high * (1 / 48.0F));
    levels l = {LEVELS_INTEGER, low, high};
    scan_scales(err, s, weight, n, d, l);
    return d[least_lane(err)];
}

/** Choose every group's scale among 16 around its wish s[g], at d as stored; sets err. */
GLM_SPECIALISED void choose_scales(scaled *k, const block *b, float d, const float *s)
{
    float inv = inverse(d);
    k->d = d;
    k->err = 0;
    for (int g = 0; g < k->n_groups; g++) {
        float real[GLM_LANES], err[GLM_LANES];
        float first = window_start(s[g] * inv, k->sc_low, k->sc_high);
        for (int i = 0; i < GLM_LANES; i++)
            real[i] = d * (first + (float)i);
        scan_scales(err, b->x + g * k->n, b->w + g * k->n, k->n, real, k->l);
        int best = least_lane(err);
        k->sc[g] = first + (float)best;
        k->err += err[best];
    }
}

/** The least-squares d of the codes that k stands for, and each group's least-squares scale. */
GLM_SPECIALISED float refit_scaled(const scaled *k, const block *b, float *s)
{
    float sum_xq = 0, sum_qq = 0;
    for (int g = 0; g < k->n_groups; g++) {
        float xq, qq;
        level_sums(&xq, &qq, b->x + g * k->n, b->w + g * k->n, k->n, k->d * k->sc[g], k->l);
        s[g] = qq > 0 ? xq / qq : 0;
        sum_xq += k->sc[g] * xq;
        sum_qq += k->sc[g] * k->sc[g] * qq;
    }
    return sum_qq > 0 ? sum_xq / sum_qq : k->d;
}

/** Fill d and sc of k from a block of 256; peaks: where a group's greatest value may go. */
GLM_SPECIALISED void fit_scaled(scaled *k, const block *b, const float peaks[GLM_LANES],
                                int n_rounds)
{
    float s[GROUPS_MAX], weight[GROUPS_MAX];
    for (int g = 0; g < k->n_groups; g++) {
        const float *x = b->x + g * k->n, *w = b->w + g * k->n;
        float xq;
        s[g] = coarse_scale(x, w, k->n, peaks, k->l);
        level_sums(&xq, &weight[g], x, w, k->n, s[g], k->l);
    }
    float d = common_scale(s, weight, k->n_groups, k->sc_low, k->sc_high);
    choose_scales(k, b, scale_from_f16(b, scale_to_f16(b, d)), s);
    for (int i = 0; i < n_rounds; i++) {
        scaled next = *k;
        d = refit_scaled(k, b, s);
        choose_scales(&next, b, scale_from_f16(b, scale_to_f16(b, d)), s);
        if (!(next.err < k->err))
            break;
        *k = next;
    }
}

GLM_SPECIALISED void finish_scaled(const scaled *k, const block *b, int8_t *sc, uint8_t *q)
{
    for (int g = 0; g < k->n_groups; g++) {
        sc[g] = (int8_t)(int)k->sc[g];
        encode_levels(q + g * k->n, b->x + g * k->n, k->n, k->d * k->sc[g], k->l);
    }
}

static const float peak_q6_k[GLM_LANES] = {-33, -32.5F, -32, -31.5F, -31, -30.5F, -30, -29.5F,
                                           -29, 31.5F,  31,  30.5F,  30,  29.5F,  29,  28.5F};
static const float peak_q3_k[GLM_LANES] = {-4.6F, -4.3F, -4,   -3.7F, -3.4F, -3.1F, -2.8F, -2.5F,
                                           -2.2F, 3.6F,  3.3F, 3,     2.7F,  2.4F,  2.1F,  1.8F};

static inline void encode_q6_k(glm_block_q6_k *out, const float *x, const float *w)
{
    block b;
    scaled k = {
        .n_groups = 16, .n = 16, .l = {LEVELS_INTEGER, -32, 31}, .sc_low = -128, .sc_high = 127};
    int8_t sc[16];
    uint8_t q[256];
    block_init(&b, x, w, 256);
    fit_scaled(&k, &b, peak_q6_k, 0);
    finish_scaled(&k, &b, sc, q);
    glm_block_q6_k_pack(out, scale_to_f16(&b, k.d), sc, q);
}

static inline void encode_q3_k(glm_block_q3_k *out, const float *x, const float *w)
{
    block b;
    scaled k = {
        .n_groups = 16, .n = 16, .l = {LEVELS_INTEGER, -4, 3}, .sc_low = -32, .sc_high = 31};
    int8_t sc[16];
    uint8_t q[256];
    block_init(&b, x, w, 256);
    fit_scaled(&k, &b, peak_q3_k, 0);
    finish_scaled(&k, &b, sc, q);
    glm_block_q3_k_pack(out, scale_to_f16(&b, k.d), sc, q);
}

static inline void encode_iq4_xs(glm_block_iq4_xs *out, const float *x, const float *w)
{
    block b;
    scaled k = {.n_groups = 8, .n = 32, .l = levels_iq4, .sc_low = -32, .sc_high = 31};
    int8_t sc[8];
    uint8_t q[256];
    block_init(&b, x, w, 256);
    fit_scaled(&k, &b, peak_iq4, 1);
    finish_scaled(&k, &b, sc, q);
    glm_block_iq4_xs_pack(out, scale_to_f16(&b, k.d), sc, q);
}

/* One block with scales d * sc[g] and minima dmin * mn[g]. */
typedef struct shifted {
    int n_groups, n;
    float q_max, sc_max; /* codes 0..q_max, scales and minima 0..sc_max */
    float d, dmin;
    float sc[GROUPS_MAX], mn[GROUPS_MAX];
    float err;
} shifted;

/** The best real a, b of a group for a * q - b, b >= 0, and what an error in them weighs: sums of w q^2 and w. */
static inline void fit_group(const shifted *k, const float *x, const float *w, float width,
                             float *best_a, float *best_b)
{
    float a[GLM_LANES], b[GLM_LANES], err[GLM_LANES], low, high;
    min_max(&low, &high, x, k->n);
    affine_starts(a, b, low < 0 ? low : 0, high > 0 ? high : 0, k->q_max, width);
    for (int i = 0; i < GLM_LANES; i++)
        b[i] = b[i] < 0 ? 0 : b[i];
    fit_affine(a, b, x, w, k->n, k->q_max, true);
    scan_affine(err, x, w, k->n, a, b, k->q_max);
    int best = least_lane(err);
    *best_a = a[best];
    *best_b = b[best];
}

/** Choose every group's scale and minimum at d, dmin as stored: 8 scales around the wish, with each the two nearest minima. */
static inline void choose_pairs(shifted *k, const block *b, float d, float dmin, const float *a,
                                const float *shift)
{
    float inv_d = inverse(d), inv_dmin = inverse(dmin);
    k->d = d;
    k->dmin = dmin;
    k->err = 0;
    for (int g = 0; g < k->n_groups; g++) {
        float real_a[GLM_LANES], real_b[GLM_LANES], sc[GLM_LANES], mn[GLM_LANES], err[GLM_LANES];
        float middle = round_even(a[g] * inv_d);
        for (int i = 0; i < GLM_LANES; i++) {
            sc[i] = clampf(middle + (float)(i / 2 - 4), 0, k->sc_max);
            real_a[i] = d * sc[i];
            /* The codes keep their middle when the scale changes. */
            float wish = (shift[g] + (real_a[i] - a[g]) * k->q_max * 0.5F) * inv_dmin;
            float near = round_even(clampf(wish, 0, k->sc_max));
            float next = near + (wish < near ? -1 : 1);
            mn[i] = i % 2 == 0 ? near : clampf(next, 0, k->sc_max);
            real_b[i] = dmin * mn[i];
        }
        scan_affine(err, b->x + g * k->n, b->w + g * k->n, k->n, real_a, real_b, k->q_max);
        int best = least_lane(err);
        k->sc[g] = sc[best];
        k->mn[g] = mn[best];
        k->err += err[best];
    }
}

/** Least squares for d and dmin given all codes, and for each group's own pair. */
static inline void refit_pairs(const shifted *k, const block *b, float *d, float *dmin, float *a,
                               float *shift)
{
    float dd = 0, dm = 0, mm = 0, xd = 0, xm = 0;
    for (int g = 0; g < k->n_groups; g++) {
        const float *x = b->x + g * k->n, *w = b->w + g * k->n;
        float scale = k->d * k->sc[g], min = k->dmin * k->mn[g], inv = inverse(scale);
        float sum_w = 0, sum_x = 0, sum_q = 0, sum_qq = 0, sum_xq = 0;
        for (int j = 0; j < k->n; j++) {
            float q = round_even(clampf((x[j] + min) * inv, 0, k->q_max)), wq = w[j] * q;
            sum_w += w[j];
            sum_x += w[j] * x[j];
            sum_q += wq;
            sum_qq += wq * q;
            sum_xq += wq * x[j];
        }
        dd += k->sc[g] * k->sc[g] * sum_qq;
        dm += k->sc[g] * k->mn[g] * sum_q;
        mm += k->mn[g] * k->mn[g] * sum_w;
        xd += k->sc[g] * sum_xq;
        xm += k->mn[g] * sum_x;
        float det = sum_qq * sum_w - sum_q * sum_q;
        a[g] = det > 0 ? (sum_xq * sum_w - sum_x * sum_q) / det : scale;
        shift[g] = det > 0 ? (a[g] * sum_q - sum_x) / sum_w : min;
        if (shift[g] < 0) {
            shift[g] = 0;
            a[g] = sum_qq > 0 ? sum_xq / sum_qq : 0;
        }
    }
    float det = dd * mm - dm * dm;
    *d = det > 0 ? (xd * mm - xm * dm) / det : dd > 0 ? xd / dd : k->d;
    *dmin = det > 0 ? (xd * dm - xm * dd) / det : 0;
}

static inline float as_stored(const block *b, float v)
{
    return scale_from_f16(b, scale_to_f16(b, v));
}

static inline void fit_shifted(shifted *k, const block *b, float width, int n_rounds)
{
    float a[GROUPS_MAX], shift[GROUPS_MAX], weight_a[GROUPS_MAX], weight_b[GROUPS_MAX];
    for (int g = 0; g < k->n_groups; g++) {
        fit_group(k, b->x + g * k->n, b->w + g * k->n, width, &a[g], &shift[g]);
        weight_b[g] = 0;
        for (int j = 0; j < k->n; j++)
            weight_b[g] += b->w[g * k->n + j];
        weight_a[g] = weight_b[g];
    }
    float d = common_scale(a, weight_a, k->n_groups, 0, k->sc_max);
    float dmin = common_scale(shift, weight_b, k->n_groups, 0, k->sc_max);
    choose_pairs(k, b, as_stored(b, d), as_stored(b, dmin), a, shift);
    for (int i = 0; i < n_rounds; i++) {
        shifted next = *k;
        refit_pairs(k, b, &d, &dmin, a, shift);
        choose_pairs(&next, b, as_stored(b, d), as_stored(b, dmin), a, shift);
        if (!(next.err < k->err))
            break;
        *k = next;
    }
}

static inline void finish_shifted(const shifted *k, const block *b, uint8_t *sc, uint8_t *mn,
                                  uint8_t *q)
{
    for (int g = 0; g < k->n_groups; g++) {
        sc[g] = (uint8_t)(int)k->sc[g];
        mn[g] = (uint8_t)(int)k->mn[g];
        encode_affine(q + g * k->n, b->x + g * k->n, k->n, k->d * k->sc[g], k->dmin * k->mn[g],
                      k->q_max);
    }
}

#define DEFINE_SHIFTED(name, groups, codes, scales, width, rounds)                                 \
    static inline void encode_##name(glm_block_##name *out, const float *x, const float *w)        \
    {                                                                                              \
        block b;                                                                                   \
        shifted k = {.n_groups = groups, .n = 256 / groups, .q_max = codes, .sc_max = scales};     \
        uint8_t sc[GROUPS_MAX], mn[GROUPS_MAX], q[256];                                            \
        block_init(&b, x, w, 256);                                                                 \
        fit_shifted(&k, &b, width, rounds);                                                        \
        finish_shifted(&k, &b, sc, mn, q);                                                         \
        glm_block_##name##_pack(out, scale_to_f16(&b, k.d), scale_to_f16(&b, k.dmin), sc, mn, q);  \
    }
DEFINE_SHIFTED(q2_k, 16, 3, 15, 2.5F, 1)
DEFINE_SHIFTED(q4_k, 8, 15, 63, 1, 1)
DEFINE_SHIFTED(q5_k, 8, 31, 63, 0.5F, 1)
#undef DEFINE_SHIFTED

#endif
