// SPDX-License-Identifier: MIT
/*
 * What 16 candidates would cost: sum of w * (x - decoded)^2 over a group, each lane quantising the group with its own scale.
 * The levels a code can stand for are the integers low..high, the same where no scale tried leaves them (ROUND), or one of two tables.
 */
#ifndef GLM_QUANT_ENCODE_SCAN_H
#define GLM_QUANT_ENCODE_SCAN_H

#include "quant/codebooks.h"
#include "quant/encode/block.h"

typedef enum level_kind { LEVELS_INTEGER, LEVELS_ROUND, LEVELS_IQ4, LEVELS_E2M1 } level_kind;

typedef struct levels {
    level_kind kind;
    float low, high; /* the least and the greatest level */
} levels;

enum { N_IQ4_STEPS = 15, N_E2M1_STEPS = 7 };

/* Between two levels the nearer one changes at `at`, by `by`: halfway between neighbours of glm_iq4_values, and of the
 * magnitudes of glm_e2m1_doubled. */
static const float iq4_at[N_IQ4_STEPS] = {-115.5F, -93.5F, -74,   -57,   -42, -28.5F, -16, -4.5F,
                                          7,       19,     31.5F, 45.5F, 61,  79,     101};
static const float iq4_by[N_IQ4_STEPS] = {23, 21, 18, 16, 14, 13, 12, 11,
                                          12, 12, 13, 15, 16, 20, 24};
static const float e2m1_at[N_E2M1_STEPS] = {0.5F, 1.5F, 2.5F, 3.5F, 5, 7, 10};
static const float e2m1_by[N_E2M1_STEPS] = {1, 1, 1, 1, 2, 2, 4};

/** The level nearest to t, lane by lane. */
GLM_SPECIALISED vec_f vec_level(vec_f t, levels l)
{
    if (l.kind == LEVELS_INTEGER)
        return vec_round(vec_clamp(t, l.low, l.high));
    if (l.kind == LEVELS_ROUND)
        return vec_round(t);
    if (l.kind == LEVELS_IQ4) {
        vec_f v = vec_set(-127);
        for (int i = 0; i < N_IQ4_STEPS; i++)
            v += (vec_f)((t > iq4_at[i]) & (vec_i)vec_set(iq4_by[i]));
        return v;
    }
    vec_i sign = (vec_i)t & INT32_MIN;
    vec_f magnitude = (vec_f)((vec_i)t & INT32_MAX), v = vec_set(0);
    for (int i = 0; i < N_E2M1_STEPS; i++)
        v += (vec_f)((magnitude > e2m1_at[i]) & (vec_i)vec_set(e2m1_by[i]));
    return (vec_f)((vec_i)v | sign);
}

/** err[i] = sum of w * (x - s[i] * level)^2. */
GLM_SPECIALISED void scan_scales(float err[GLM_LANES], const float *x, const float *w, int n,
                                 const float s[GLM_LANES], levels l)
{
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f scale = vec_load(s + i), inv = vec_inverse(scale), sum = vec_set(0);
        for (int j = 0; j < n; j++) {
            vec_f diff = x[j] - scale * vec_level(x[j] * inv, l);
            sum += w[j] * (diff * diff);
        }
        vec_store(err + i, sum);
    }
}

/** err[i] = sum of w * (x - (a[i] * q - b[i]))^2 with codes q 0..q_max. */
static inline void scan_affine(float err[GLM_LANES], const float *x, const float *w, int n,
                               const float a[GLM_LANES], const float b[GLM_LANES], float q_max)
{
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f scale = vec_load(a + i), shift = vec_load(b + i), inv = vec_inverse(scale),
              sum = vec_set(0);
        for (int j = 0; j < n; j++) {
            vec_f up = x[j] + shift;
            vec_f diff = up - scale * vec_round(vec_clamp(up * inv, 0, q_max));
            sum += w[j] * (diff * diff);
        }
        vec_store(err + i, sum);
    }
}

/** Quantise with each lane's a, b and replace them by the least-squares fit of the codes; b stays >= 0 if `positive`. */
static inline void fit_affine(float a[GLM_LANES], float b[GLM_LANES], const float *x,
                              const float *w, int n, float q_max, bool positive)
{
    float sum_w = 0, sum_x = 0;
    for (int j = 0; j < n; j++) {
        sum_w += w[j];
        sum_x += w[j] * x[j];
    }
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f scale = vec_load(a + i), shift = vec_load(b + i), inv = vec_inverse(scale);
        vec_f sum_q = vec_set(0), sum_qq = sum_q, sum_xq = sum_q;
        for (int j = 0; j < n; j++) {
            vec_f q = vec_round(vec_clamp((x[j] + shift) * inv, 0, q_max)), wq = w[j] * q;
            sum_q += wq;
            sum_qq += wq * q;
            sum_xq += wq * x[j];
        }
        vec_f zero = vec_set(0), one = vec_set(1);
        vec_f det = sum_qq * sum_w - sum_q * sum_q, safe = vec_less(zero, det, det, one);
        vec_f fit_a = (sum_xq * sum_w - sum_x * sum_q) / safe,
              fit_b = (fit_a * sum_q - sum_x) / vec_set(sum_w);
        if (positive) {
            vec_f only_a = sum_xq / vec_less(zero, sum_qq, sum_qq, one);
            fit_a = vec_less(fit_b, zero, only_a, fit_a);
            fit_b = vec_max(fit_b, zero);
        }
        vec_f good = vec_less(zero, fit_a, det, zero);
        vec_store(a + i, vec_less(zero, good, fit_a, scale));
        vec_store(b + i, vec_less(zero, good, fit_b, shift));
    }
}

/** The level nearest to t; the code of a level follows from code_of. */
GLM_SPECIALISED float level(float t, levels l)
{
    if (l.kind == LEVELS_INTEGER)
        return round_even(clampf(t, l.low, l.high));
    if (l.kind == LEVELS_IQ4) {
        float v = -127;
        for (int i = 0; i < N_IQ4_STEPS; i++)
            v += t > iq4_at[i] ? iq4_by[i] : 0;
        return v;
    }
    float magnitude = fabsf(t), v = 0;
    for (int i = 0; i < N_E2M1_STEPS; i++)
        v += magnitude > e2m1_at[i] ? e2m1_by[i] : 0;
    return t < 0 ? -v : v;
}

/** Stored codes of a group at scale s: level - low for integers, else the index in the table. */
GLM_SPECIALISED void encode_levels(uint8_t *q, const float *x, int n, float s, levels l)
{
    float inv = inverse(s);
    for (int j = 0; j < n; j++) {
        float t = x[j] * inv;
        int code = 0;
        if (l.kind == LEVELS_INTEGER)
            code = (int)(level(t, l) - l.low);
        else if (l.kind == LEVELS_IQ4)
            for (int i = 0; i < N_IQ4_STEPS; i++)
                code += t > iq4_at[i];
        else {
            for (int i = 0; i < N_E2M1_STEPS; i++)
                code += fabsf(t) > e2m1_at[i];
            code |= t < 0 && code ? 8 : 0;
        }
        q[j] = (uint8_t)code;
    }
}

static inline void encode_affine(uint8_t *q, const float *x, int n, float a, float b, float q_max)
{
    float inv = inverse(a);
    for (int j = 0; j < n; j++)
        q[j] = (uint8_t)(int)round_even(clampf((x[j] + b) * inv, 0, q_max));
}

/* Sums over a group's elements, 16 side by side: element j adds to lane j % 16, then halves are added to halves. */
static inline float sum_lanes(float v[GLM_LANES])
{
    for (int h = GLM_LANES / 2; h > 0; h /= 2)
        for (int i = 0; i < h; i++)
            v[i] += v[i + h];
    return v[0];
}

/** Sums over a group (16 or 32 values) encoded with scale s: *xq of w * x * level, *qq of w * level^2. */
GLM_SPECIALISED void level_sums(float *xq, float *qq, const float *x, const float *w, int n,
                                float s, levels l)
{
    float inv = inverse(s), by_lane_xq[GLM_LANES], by_lane_qq[GLM_LANES];
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f sum_xq = vec_set(0), sum_qq = sum_xq;
        for (int j = i; j < n; j += GLM_LANES) {
            vec_f v = vec_load(x + j), q = vec_level(v * inv, l), wq = vec_load(w + j) * q;
            sum_xq += wq * v;
            sum_qq += wq * q;
        }
        vec_store(by_lane_xq + i, sum_xq);
        vec_store(by_lane_qq + i, sum_qq);
    }
    *xq = sum_lanes(by_lane_xq);
    *qq = sum_lanes(by_lane_qq);
}

/** What one scale costs. */
GLM_SPECIALISED float scale_cost(const float *x, const float *w, int n, float s, levels l)
{
    float inv = inverse(s), by_lane[GLM_LANES];
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f sum = vec_set(0);
        for (int j = i; j < n; j += GLM_LANES) {
            vec_f v = vec_load(x + j), diff = v - s * vec_level(v * inv, l);
            sum += vec_load(w + j) * (diff * diff);
        }
        vec_store(by_lane + i, sum);
    }
    return sum_lanes(by_lane);
}

#endif
