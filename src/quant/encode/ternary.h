// SPDX-License-Identifier: MIT
/*
 * IQ1_S and IQ1_M: octets of -1, 0, 1 out of a book of 2048, all shifted by +-1/8, times a group's scale, an odd multiple of the block's.
 *
 * A third of all 6561 octets is in the book, so the best one at a given scale is found by changing the nearest octet where that
 * costs least: no change, one, two or three, cheapest first, until one is in the book.
 */
#ifndef GLM_QUANT_ENCODE_TERNARY_H
#define GLM_QUANT_ENCODE_TERNARY_H

#include "quant/encode/single.h"

enum { N_OCTETS = 6561, NO_ENTRY = 0xffff };

/* Index of the octet whose value i is digit i in base 3, less 1; or NO_ENTRY. */
typedef struct octet_book {
    uint16_t index[N_OCTETS];
} octet_book;

static inline void octet_book_init(octet_book *k)
{
    memset(k->index, 0xff, sizeof k->index);
    for (int e = 0; e < 2048; e++) {
        int code = 0;
        for (int i = 7; i >= 0; i--)
            code = 3 * code + (glm_iq1_grid[e] >> (2 * i) & 3);
        k->index[code] = (uint16_t)e;
    }
}

/* One octet at one scale and shift. */
typedef struct octet_fit {
    int index;
    float err;    /* sum w (x - s (v + delta))^2 */
    float xq, qq; /* sums of w x (v + delta) and w (v + delta)^2 */
} octet_fit;

/* Ways to change one value of an octet, cheapest first: what it costs more, and what it adds to the code. */
typedef struct octet_changes {
    float cost[8];
    int step[8];
} octet_changes;

/** Put changes in order: a change's place is the number of those that come before it. */
static inline void sort_changes(octet_changes *out, const octet_changes *c)
{
    int32_t place[8];
    for (int h = 0; h < 8; h += 4) {
        quad_f cost = quad_load(c->cost + h);
        quad_i before = {0}, number = {h, h + 1, h + 2, h + 3};
        for (int j = 0; j < 8; j++) {
            quad_f other = c->cost[j] - (quad_f){0};
            before -= (other < cost) | ((other == cost) & (j < number));
        }
        memcpy(place + h, &before, sizeof before);
    }
    for (int i = 0; i < 8; i++) {
        out->cost[place[i]] = c->cost[i];
        out->step[place[i]] = c->step[i];
    }
}

/** The cheapest one, two or three changes after which `code` is in the book; the code, or -1 if there are none. */
static inline int cheapest_change(const octet_book *k, int code, const octet_changes *c)
{
    float best = INFINITY;
    int found = -1;
    for (int i = 0; i < 8 && c->cost[i] < best; i++) {
        int one = code + c->step[i];
        if (k->index[one] != NO_ENTRY) {
            best = c->cost[i];
            found = one;
            break;
        }
        for (int j = i + 1; j < 8 && c->cost[i] + c->cost[j] < best; j++) {
            int two = one + c->step[j];
            if (k->index[two] != NO_ENTRY) {
                best = c->cost[i] + c->cost[j];
                found = two;
                break;
            }
            for (int l = j + 1; l < 8 && c->cost[i] + c->cost[j] + c->cost[l] < best; l++)
                if (k->index[two + c->step[l]] != NO_ENTRY) {
                    best = c->cost[i] + c->cost[j] + c->cost[l];
                    found = two + c->step[l];
                    break;
                }
        }
    }
    return found;
}

static inline float sum_of_4(quad_f v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

/** The code of the octet nearest to x / s - delta, and what changing each of its values costs. */
static inline int nearest_octet(octet_changes *change, const float *x, const float *w, float s,
                                float delta)
{
    static const float power_of_3[8] = {1, 3, 9, 27, 81, 243, 729, 2187};
    const quad_f zero = {0}, one = 1 - zero;
    quad_f code = zero;
    float inv = inverse(s);
    for (int h = 0; h < 8; h += 4) {
        quad_f t = quad_load(x + h) * inv - delta, power = quad_load(power_of_3 + h);
        quad_f v = quad_select(t > 1, one, quad_select(t < -1, -one, t)) + 0x1.8p23F - 0x1.8p23F;
        quad_f side = quad_select(t > 0, one, -one), other = quad_select(v == 0, side, zero);
        quad_f near = t - v, far = t - other;
        quad_f cost = quad_load(w + h) * (far * far - near * near);
        quad_i step = __builtin_convertvector((other - v) * power, quad_i);
        memcpy(change->cost + h, &cost, sizeof cost);
        memcpy(change->step + h, &step, sizeof step);
        code += (v + 1) * power; /* exact */
    }
    return (int)sum_of_4(code);
}

static inline octet_fit fit_octet(const octet_book *k, const float *x, const float *w, float s,
                                  float delta)
{
    static const float unit[8] = {1,       0x1p-2F,  0x1p-4F,  0x1p-6F,
                                  0x1p-8F, 0x1p-10F, 0x1p-12F, 0x1p-14F};
    octet_changes change, sorted;
    int code = nearest_octet(&change, x, w, s, delta);
    if (k->index[code] == NO_ENTRY) {
        sort_changes(&sorted, &change);
        code = cheapest_change(k, code, &sorted);
    }
    octet_fit f = {.index = code < 0 ? 0 : k->index[code]};
    int32_t entry = glm_iq1_grid[f.index];
    quad_f err = {0}, xq = err, qq = err;
    for (int h = 0; h < 8; h += 4) {
        quad_i bits = entry & (quad_i){3 << 2 * h, 12 << 2 * h, 48 << 2 * h, 192 << 2 * h};
        quad_f v = __builtin_convertvector(bits, quad_f) * quad_load(unit + h) - 1 + delta;
        quad_f value = quad_load(x + h), weight = quad_load(w + h), diff = value - s * v;
        err += weight * (diff * diff);
        xq += weight * value * v;
        qq += weight * v * v;
    }
    f.err = sum_of_4(err);
    f.xq = sum_of_4(xq);
    f.qq = sum_of_4(qq);
    return f;
}

/* A group of 32 with one shift (IQ1_S) or of 16 with a shift an octet (IQ1_M). */
typedef struct shifted_group {
    int n_octets;
    bool is_shared; /* one shift for all octets */
    int index[4];
    bool is_minus[4];
    float err, xq, qq;
} shifted_group;

/** Fill g with the best octets and shifts at scale s. */
static inline void fit_shifts(shifted_group *g, const octet_book *k, const float *x, const float *w,
                              float s)
{
    octet_fit fits[2][4];
    float err[2] = {0, 0};
    for (int o = 0; o < g->n_octets; o++)
        for (int m = 0; m < 2; m++) {
            fits[m][o] = fit_octet(k, x + 8 * o, w + 8 * o, s, m ? -0.125F : 0.125F);
            err[m] += fits[m][o].err;
        }
    g->err = g->xq = g->qq = 0;
    for (int o = 0; o < g->n_octets; o++) {
        int m = g->is_shared ? err[1] < err[0] : fits[1][o].err < fits[0][o].err;
        g->index[o] = fits[m][o].index;
        g->is_minus[o] = m;
        g->err += fits[m][o].err;
        g->xq += fits[m][o].xq;
        g->qq += fits[m][o].qq;
    }
}

/* A block of 256 in groups with scales d * (2 * sc + 1), sc 0..7. */
typedef struct ternary {
    const octet_book *k;
    int n_groups;
    float d, err;
    uint8_t sc[16];
    shifted_group group[16];
} ternary;

static inline float root_mean_square(const float *x, const float *w, int n)
{
    float sum = 0, sum_w = 0;
    for (int i = 0; i < n; i++) {
        sum += w[i] * x[i] * x[i];
        sum_w += w[i];
    }
    return sqrtf(sum / sum_w);
}

/** A group's real scale: the least-squares scale of the best of n_tries around what suits normal values, and what suits a spike. */
static inline float ternary_scale(shifted_group *g, const octet_book *k, const float *x,
                                  const float *w, int n_tries)
{
    float rms = root_mean_square(x, w, 8 * g->n_octets), best = 0, best_err = INFINITY;
    for (int i = 0; i < n_tries && rms > 0; i++) {
        float s = i == n_tries - 1 ? greatest_magnitude(x, 8 * g->n_octets) / 1.125F
                                   : rms * (0.8F + 0.9F * (float)i / (float)(n_tries - 2));
        fit_shifts(g, k, x, w, s);
        if (g->err < best_err) {
            best_err = g->err;
            best = g->qq > 0 ? g->xq / g->qq : s;
        }
    }
    return best > 0 ? best : 0;
}

/** The d for which odd multiples come closest to the groups' scales: err weighs them. */
static inline float odd_common_scale(const float *s, const float *weight, int n)
{
    float top = 0, best = 0, best_err = INFINITY;
    for (int g = 0; g < n; g++)
        top = s[g] > top ? s[g] : top;
    for (int i = 0; i < 24; i++) {
        float d = top / (16 - 0.5F * (float)i), inv = inverse(d), err = 0;
        for (int g = 0; g < n; g++) {
            float diff = s[g] - d * (2 * round_even(clampf((s[g] * inv - 1) * 0.5F, 0, 7)) + 1);
            err += weight[g] * diff * diff;
        }
        if (err < best_err) {
            best_err = err;
            best = d;
        }
    }
    return best;
}

/** Choose every group's multiple at d as stored: those within `reach` of the wish s[g]. */
static inline void choose_odd(ternary *t, const block *b, float d, const float *s, int reach)
{
    float inv = inverse(d);
    int n = 256 / t->n_groups;
    t->d = d;
    t->err = 0;
    for (int g = 0; g < t->n_groups; g++) {
        int middle = (int)round_even(clampf((s[g] * inv - 1) * 0.5F, 0, 7));
        shifted_group best = t->group[g], next = best;
        best.err = INFINITY;
        for (int sc = middle - reach; sc <= middle + reach; sc++) {
            if (sc < 0 || sc > 7)
                continue;
            fit_shifts(&next, t->k, b->x + g * n, b->w + g * n, d * (float)(2 * sc + 1));
            if (next.err < best.err) {
                best = next;
                t->sc[g] = (uint8_t)sc;
            }
        }
        t->group[g] = best;
        t->err += best.err;
    }
}

/** Fill t, whose k, n_groups and groups' shapes are set. */
static inline void fit_ternary(ternary *t, const block *b, int n_tries)
{
    float s[16], weight[16], sum_x, sum_q;
    int n = 256 / t->n_groups;
    for (int g = 0; g < t->n_groups; g++) {
        s[g] = ternary_scale(&t->group[g], t->k, b->x + g * n, b->w + g * n, n_tries);
        weight[g] = t->group[g].qq;
    }
    float d = scale_from_f16(b, scale_to_f16(b, odd_common_scale(s, weight, t->n_groups)));
    choose_odd(t, b, d, s, 1);
    sum_x = sum_q = 0;
    for (int g = 0; g < t->n_groups; g++) {
        float multiple = (float)(2 * t->sc[g] + 1);
        sum_x += multiple * t->group[g].xq;
        sum_q += multiple * multiple * t->group[g].qq;
        s[g] = t->group[g].qq > 0 ? t->group[g].xq / t->group[g].qq : 0;
    }
    if (sum_q > 0 && sum_x > 0) {
        ternary next = *t;
        choose_odd(&next, b, scale_from_f16(b, scale_to_f16(b, sum_x / sum_q)), s,
                   t->n_groups == 16);
        if (next.err < t->err)
            *t = next;
    }
}

/** Indices and shifts by octet. */
static inline void finish_ternary(const ternary *t, uint16_t *index, bool *is_minus)
{
    int n = 32 / t->n_groups;
    for (int o = 0; o < 32; o++) {
        index[o] = (uint16_t)t->group[o / n].index[o % n];
        is_minus[o] = t->group[o / n].is_minus[o % n];
    }
}

static inline void encode_iq1(ternary *t, block *b, uint16_t *index, bool *is_minus, const float *x,
                              const float *w, int n_tries)
{
    block_init(b, x, w, 256);
    memset(t->group, 0, sizeof t->group);
    for (int g = 0; g < t->n_groups; g++) {
        t->group[g].n_octets = 32 / t->n_groups;
        t->group[g].is_shared = t->n_groups == 8;
    }
    fit_ternary(t, b, n_tries);
    finish_ternary(t, index, is_minus);
}

static inline void encode_row_iq1_s(void *out, const float *x, const float *weights, size_t n)
{
    octet_book k;
    block b;
    uint16_t index[32];
    bool is_minus[32];
    octet_book_init(&k);
    for (size_t i = 0; i < n / 256; i++) {
        ternary t = {.k = &k, .n_groups = 8};
        encode_iq1(&t, &b, index, is_minus, x + i * 256, weights ? weights + i * 256 : NULL, 4);
        glm_block_iq1_s_pack((glm_block_iq1_s *)out + i, scale_to_f16(&b, t.d), t.sc, index,
                             is_minus);
    }
}

static inline void encode_row_iq1_m(void *out, const float *x, const float *weights, size_t n)
{
    octet_book k;
    block b;
    uint16_t index[32];
    bool is_minus[32];
    octet_book_init(&k);
    for (size_t i = 0; i < n / 256; i++) {
        ternary t = {.k = &k, .n_groups = 16};
        encode_iq1(&t, &b, index, is_minus, x + i * 256, weights ? weights + i * 256 : NULL, 9);
        glm_block_iq1_m_pack((glm_block_iq1_m *)out + i, scale_to_f16(&b, t.d), t.sc, index,
                             is_minus);
    }
}

#endif
