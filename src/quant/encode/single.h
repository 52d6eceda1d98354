// SPDX-License-Identifier: MIT
/* Formats with one scale a block, f16 (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, TQ) or a power of two (MXFP4, and NVFP4's E4M3). */
#ifndef GLM_QUANT_ENCODE_SINGLE_H
#define GLM_QUANT_ENCODE_SINGLE_H

#include "quant/encode/scan.h"
#include "quant/formats.h"

/** The value of greatest magnitude, with its sign; the negative one of two. */
static inline float signed_peak(const float *x, int n)
{
    uint32_t most = 0; /* magnitude, then sign: in this order values compare as integers */
    for (int j = 0; j < n; j++) {
        uint32_t bits = glm_f32_to_bits(x[j]), key = bits << 1 | bits >> 31;
        most = key > most ? key : most;
    }
    return glm_f32_from_bits(most >> 1 | most << 31);
}

/** 16 scales that put the group's peak at t[i]. */
static inline void scales_of_peak(float s[GLM_LANES], float peak, const float t[GLM_LANES])
{
    for (int i = 0; i < GLM_LANES; i++)
        s[i] = peak / t[i];
}

/*
 * The best scale of a group, real-valued: the best of 16 that put its peak at t[i], then the least-squares scale of the codes that
 * this one gives.
 */
GLM_SPECIALISED float coarse_scale(const float *x, const float *w, int n, const float t[GLM_LANES],
                                   levels l)
{
    float s[GLM_LANES], err[GLM_LANES], xq, qq;
    scales_of_peak(s, signed_peak(x, n), t);
    scan_scales(err, x, w, n, s, l);
    float best = s[least_lane(err)];
    level_sums(&xq, &qq, x, w, n, best, l);
    return qq > 0 ? xq / qq : best;
}

/** Round 16 scales as they would be stored. */
static inline void round_scales(const block *b, float s[GLM_LANES])
{
    bool is_normal = true;
    for (int i = 0; i < GLM_LANES; i++) {
        float v = fabsf(s[i] * b->down);
        is_normal = is_normal && v > 0x1p-13F && v < 0x1p15F;
    }
    if (is_normal)
        for (int i = 0; i < GLM_LANES; i += GLM_VEC)
            vec_store(s + i, vec_11_bits(vec_load(s + i)));
    else
        for (int i = 0; i < GLM_LANES; i++)
            s[i] = scale_from_f16(b, scale_to_f16(b, s[i]));
}

/** The best f16 scale of a block: coarse_scale; unless step is 0 the best of 16 neighbours `step` apart, as they would be stored. */
GLM_SPECIALISED uint16_t best_f16_scale(const block *b, int n, const float t[GLM_LANES], float step,
                                        levels l)
{
    float s[GLM_LANES], err[GLM_LANES], centre = coarse_scale(b->x, b->w, n, t, l);
    if (step == 0)
        return scale_to_f16(b, centre);
    for (int i = 0; i < GLM_LANES; i++)
        s[i] = centre * (1 + (float)(i - 8) * step);
    round_scales(b, s);
    scan_scales(err, b->x, b->w, n, s, l);
    return scale_to_f16(b, s[least_lane(err)]);
}

static const levels levels_q4_0 = {LEVELS_INTEGER, -8, 7}, levels_q5_0 = {LEVELS_INTEGER, -16, 15},
                    levels_q8_0 = {LEVELS_INTEGER, -127, 127}, levels_round = {LEVELS_ROUND, 0, 0},
                    levels_iq4 = {LEVELS_IQ4, -127, 113}, levels_e2m1 = {LEVELS_E2M1, -12, 12},
                    levels_ternary = {LEVELS_INTEGER, -1, 1};

/* Where the peak of a block may go: near either end of the levels, and a little beyond, which clips it. */
static const float peak_q4_0[GLM_LANES] = {-9,    -8.6F, -8.3F, -8,   -7.7F, -7.4F, -7,   -6.6F,
                                           -6.2F, 7.9F,  7.5F,  7.2F, 7,     6.7F,  6.3F, 6};
static const float peak_q5_0[GLM_LANES] = {-17, -16.5F, -16.2F, -16, -15.6F, -15.2F, -14.8F, -14.4F,
                                           -14, 15.6F,  15.3F,  15,  14.6F,  14.2F,  13.8F,  13.4F};
static const float peak_q8_0[GLM_LANES] = {127, 126.5F, 126, 125.5F, 125, 124.5F, 124, 123.5F,
                                           123, 122,    121, 120,    119, 118,    117, 116};
static const float peak_iq4[GLM_LANES] = {-140, -133, -127, -121, -115, -109, -104, -98,
                                          -92,  126,  120,  113,  107,  101,  95,   89};

static inline void encode_q8_0(glm_block_q8_0 *out, const float *x, const float *w)
{
    block b;
    float s[GLM_LANES], err[GLM_LANES];
    int8_t q[32];
    block_init(&b, x, w, 32);
    scales_of_peak(s, b.amax, peak_q8_0);
    round_scales(&b, s);
    scan_scales(err, b.x, b.w, 32, s, levels_round);
    float best = s[least_lane(err)], inv = inverse(best);
    for (int j = 0; j < 32; j++)
        q[j] = (int8_t)(int)level(b.x[j] * inv, levels_q8_0);
    glm_block_q8_0_pack(out, scale_to_f16(&b, best), q);
}

/** d and codes of a block of 32 with one f16 scale. */
GLM_SPECIALISED uint16_t encode_one_scale(uint8_t q[32], const float *x, const float *w,
                                          const float t[GLM_LANES], float step, levels l)
{
    block b;
    block_init(&b, x, w, 32);
    uint16_t d = best_f16_scale(&b, 32, t, step, l);
    encode_levels(q, b.x, 32, scale_from_f16(&b, d), l);
    return d;
}

static inline void encode_q4_0(glm_block_q4_0 *out, const float *x, const float *w)
{
    uint8_t q[32];
    uint16_t d = encode_one_scale(q, x, w, peak_q4_0, 0, levels_q4_0);
    glm_block_q4_0_pack(out, d, q);
}

static inline void encode_q5_0(glm_block_q5_0 *out, const float *x, const float *w)
{
    uint8_t q[32];
    uint16_t d = encode_one_scale(q, x, w, peak_q5_0, 0, levels_q5_0);
    glm_block_q5_0_pack(out, d, q);
}

static inline void encode_iq4_nl(glm_block_iq4_nl *out, const float *x, const float *w)
{
    uint8_t q[32];
    uint16_t d = encode_one_scale(q, x, w, peak_iq4, 0.004F, levels_iq4);
    glm_block_iq4_nl_pack(out, d, q);
}

/* How much of a group's range the 16 starts of an affine fit cut off, at its lower and its upper end. */
static const float trim[4] = {-0.02F, 0.01F, 0.04F, 0.08F};

/** 16 starts for the codes 0..q_max over [low, high], `width` times the trims. */
static inline void affine_starts(float a[GLM_LANES], float b[GLM_LANES], float low, float high,
                                 float q_max, float width)
{
    for (int i = 0; i < GLM_LANES; i++) {
        float range = high - low, cut_low = trim[i % 4] * width, cut_high = trim[i / 4] * width;
        a[i] = range * (1 - cut_low - cut_high) / q_max;
        b[i] = -(low + range * cut_low);
    }
}

/** The least and the greatest of n values, n a multiple of 16. */
static inline void min_max(float *low, float *high, const float *x, int n)
{
    float least[GLM_LANES], most[GLM_LANES];
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f a = vec_load(x + i), b = a;
        for (int j = i + GLM_LANES; j < n; j += GLM_LANES) {
            a = vec_min(vec_load(x + j), a);
            b = vec_max(vec_load(x + j), b);
        }
        vec_store(least + i, a);
        vec_store(most + i, b);
    }
    for (int h = GLM_LANES / 2; h > 0; h /= 2)
        for (int i = 0; i < h; i++) {
            least[i] = least[i + h] < least[i] ? least[i + h] : least[i];
            most[i] = most[i + h] > most[i] ? most[i + h] : most[i];
        }
    *low = least[0];
    *high = most[0];
}

/** d, m and codes of a block of 32 with d * q + m. */
static inline void encode_scale_and_min(uint8_t q[32], uint16_t dm[2], const float *x,
                                        const float *w, float q_max, float width)
{
    block b;
    float a[GLM_LANES], shift[GLM_LANES], err[GLM_LANES], low, high;
    block_init(&b, x, w, 32);
    min_max(&low, &high, b.x, 32);
    affine_starts(a, shift, low, high, q_max, width);
    fit_affine(a, shift, b.x, b.w, 32, q_max, false);
    round_scales(&b, a);
    round_scales(&b, shift);
    scan_affine(err, b.x, b.w, 32, a, shift, q_max);
    int best = least_lane(err);
    encode_affine(q, b.x, 32, a[best], shift[best], q_max);
    dm[0] = scale_to_f16(&b, a[best]);
    dm[1] = scale_to_f16(&b, -shift[best]);
}

static inline void encode_q4_1(glm_block_q4_1 *out, const float *x, const float *w)
{
    uint8_t q[32];
    uint16_t dm[2];
    encode_scale_and_min(q, dm, x, w, 15, 1);
    glm_block_q4_1_pack(out, dm[0], dm[1], q);
}

static inline void encode_q5_1(glm_block_q5_1 *out, const float *x, const float *w)
{
    uint8_t q[32];
    uint16_t dm[2];
    encode_scale_and_min(q, dm, x, w, 31, 0.5F);
    glm_block_q5_1_pack(out, dm[0], dm[1], q);
}

/* Three powers of two keep the greatest of 32 values inside the levels or within twice them. */
static inline void encode_mxfp4(glm_block_mxfp4 *out, const float *x, const float *w)
{
    block b;
    uint8_t q[32];
    block_init(&b, x, w, 32);
    int top = (int)(glm_f32_to_bits(0.125F * b.down) >> 23) + 1, best = 0;
    float best_err = INFINITY;
    for (int e = top - 1; e <= top + 1; e++) {
        float scale = glm_e8m0_half_to_f32((uint8_t)e) * b.up;
        float err = scale_cost(b.x, b.w, 32, scale, levels_e2m1);
        if (err < best_err) {
            best = e;
            best_err = err;
        }
    }
    encode_levels(q, b.x, 32, glm_e8m0_half_to_f32((uint8_t)best) * b.up, levels_e2m1);
    glm_block_mxfp4_pack(out, (uint8_t)best, q);
}

/** The greatest unsigned E4M3 code, 0x7e at most, whose value is <= v. */
static inline int e4m3_below(float v)
{
    if (v >= 448)
        return 0x7e;
    if (v < 0x1p-6F)
        return (int)(v * 0x1p9F);
    return (int)(glm_f32_to_bits(v) >> 20) - (120 << 3);
}

/* Sixteen scales up from the one that puts the group's peak a little beyond the levels. */
static inline void encode_nvfp4(glm_block_nvfp4 *out, const float *x, const float *w)
{
    block b;
    uint8_t q[64], e[4];
    block_init(&b, x, w, 64);
    for (int g = 0; g < 4; g++) {
        const float *at = b.x + g * 16;
        float s[GLM_LANES], err[GLM_LANES], peak = greatest_magnitude(at, 16) * b.down;
        int first = e4m3_below(peak * (2 / 15.0F));
        first = first > 0x7e - 15 ? 0x7e - 15 : first;
        for (int i = 0; i < GLM_LANES; i++)
            s[i] = glm_f8e4m3_to_f32((uint8_t)(first + i)) * 0.5F * b.up;
        scan_scales(err, at, b.w + g * 16, 16, s, levels_e2m1);
        int best = least_lane(err);
        e[g] = (uint8_t)(first + best);
        encode_levels(q + g * 16, at, 16, s[best], levels_e2m1);
    }
    glm_block_nvfp4_pack(out, e, q);
}

/* A single value keeps its peak; normal ones put it at 2 to 3 times the scale. */
static const float peak_ternary[GLM_LANES] = {1,    1.1F, 1.22F, 1.35F, 1.5F, 1.65F, 1.82F, 2,
                                              2.2F, 2.4F, 2.65F, 2.9F,  3.2F, 3.7F,  4.4F,  5.5F};

static inline uint16_t encode_ternary(uint8_t q[256], const float *x, const float *w)
{
    block b;
    block_init(&b, x, w, 256);
    uint16_t d = best_f16_scale(&b, 256, peak_ternary, 0, levels_ternary);
    encode_levels(q, b.x, 256, scale_from_f16(&b, d), levels_ternary);
    return d;
}

static inline void encode_tq1_0(glm_block_tq1_0 *out, const float *x, const float *w)
{
    uint8_t q[256];
    uint16_t d = encode_ternary(q, x, w);
    glm_block_tq1_0_pack(out, d, q);
}

static inline void encode_tq2_0(glm_block_tq2_0 *out, const float *x, const float *w)
{
    uint8_t q[256];
    uint16_t d = encode_ternary(q, x, w);
    glm_block_tq2_0_pack(out, d, q);
}

#endif
