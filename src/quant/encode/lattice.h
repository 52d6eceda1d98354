// SPDX-License-Identifier: MIT
/*
 * Formats whose codes are indices into a book of vectors (IQ2, IQ3): magnitudes from the book, signs apart, a group's scale an odd
 * multiple of the block's.
 *
 * At scale s an entry v costs sum w (|x| - s v)^2 = const + s (s Q - 2 X) with Q = sum w v^2 and X = sum w |x| v: the best entry for
 * every scale lies on the lower envelope of the lines s Q - 2 X. The envelope is found once a vector, exactly, over the whole
 * book; after that any scale costs a handful of lines, and the search over the block's scale can afford to try all 16 of every group.
 */
#ifndef GLM_QUANT_ENCODE_LATTICE_H
#define GLM_QUANT_ENCODE_LATTICE_H

#include "quant/encode/single.h"

enum { BOOK_MAX = 1024, HULL_MAX = 16, N_MULTIPLES = 16 };

/* A code book, expanded: value i of entry e is v[i * n + e]. */
typedef struct book {
    int n, dims;
    float v[8 * BOOK_MAX];
    float least, most;    /* of all values */
    float norm[BOOK_MAX]; /* sum of squares: the q of a line where all weights are 1 */
} book;

static inline void book_init(book *k, const uint16_t *grid, int n, int dims, const uint8_t *values)
{
    int bits = dims == 8 ? 2 : 3;
    k->n = n;
    k->dims = dims;
    k->least = k->most = (float)values[0];
    for (int e = 0; e < n; e++) {
        k->norm[e] = 0;
        for (int i = 0; i < dims; i++) {
            float v = (float)values[grid[e] >> (bits * i) & ((1 << bits) - 1)];
            k->v[i * n + e] = v;
            k->least = v < k->least ? v : k->least;
            k->most = v > k->most ? v : k->most;
            k->norm[e] += v * v;
        }
    }
}

enum { N_TANGENTS = 4 };

/* A line joins the envelope if it is below it by this share somewhere: costs s (s q - x2) are negative, of the size of the vector's
 * energy, and what is left out is only ever seen near the crossing of two other lines. */
#define WORTH_IT 1.002F

/* The lines s * q - x2 of the envelope. */
typedef struct hull {
    int n;
    float x2[HULL_MAX], q[HULL_MAX];
    uint16_t entry[HULL_MAX];
} hull;

/* The lines of all entries; after keep_below of some, padded to 16 with lines that never win. */
typedef struct lines {
    int n;
    float x2[BOOK_MAX], q[BOOK_MAX];
    uint16_t entry[BOOK_MAX];
} lines;

static inline float line_at(float x2, float q, float s)
{
    return s * q - x2;
}

/**
 * The lines of a vector with magnitudes and weights (NULL: all 1), p[i] = w[i] |x[i]|, and which of them is least at each s[i]. If `flip`, one value
 * must take the wrong sign: the one that costs least, which for an entry is the one with the least p v.
 */
GLM_SPECIALISED void all_lines(lines *all, int least[N_TANGENTS], const book *k, const float *p,
                               const float *w, const float s[N_TANGENTS], int dims, bool flip)
{
    float value[N_TANGENTS][GLM_LANES];
    float index[N_TANGENTS][GLM_LANES]; /* exact: at most 1024 */
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f best[N_TANGENTS], at[N_TANGENTS], here = vec_set(0);
        for (int t = 0; t < N_TANGENTS; t++) {
            best[t] = vec_set(INFINITY);
            at[t] = here;
        }
        for (int e = i; e < k->n; e += GLM_LANES) {
            vec_f x = vec_set(0), q = x, wrong = vec_set(INFINITY);
            for (int d = 0; d < dims; d++) {
                vec_f v = vec_load(k->v + d * k->n + e), pv = p[d] * v;
                x += pv;
                if (w)
                    q += w[d] * (v * v);
                if (flip)
                    wrong = vec_min(pv, wrong);
            }
            q = w ? q : vec_load(k->norm + e);
            x = flip ? x - 2 * wrong : x;
            x += x;
            vec_store(all->x2 + e, x);
            vec_store(all->q + e, q);
            for (int t = 0; t < N_TANGENTS; t++) {
                vec_f v = s[t] * q - x;
                at[t] = vec_less(v, best[t], here, at[t]);
                best[t] = vec_min(v, best[t]);
            }
            here += GLM_LANES;
        }
        for (int t = 0; t < N_TANGENTS; t++) {
            vec_store(value[t] + i, best[t]);
            vec_store(index[t] + i, at[t]);
        }
    }
    all->n = k->n;
    for (int t = 0; t < N_TANGENTS; t++) {
        int lane = least_lane(value[t]);
        least[t] = (int)index[t][lane] + lane;
    }
}

/** Which line is least at s. */
GLM_SPECIALISED int least_line(const lines *all, float s)
{
    float value[GLM_LANES];
    float index[GLM_LANES];
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f best = vec_set(INFINITY), at = vec_set(0), here = at;
        for (int e = i; e < all->n; e += GLM_LANES) {
            vec_f v = s * vec_load(all->q + e) - vec_load(all->x2 + e);
            at = vec_less(v, best, here, at);
            best = vec_min(v, best);
            here += GLM_LANES;
        }
        vec_store(value + i, best);
        vec_store(index + i, at);
    }
    int lane = least_lane(value);
    return (int)index[lane] + lane;
}

static inline int hull_add(hull *h, float x2, float q, int entry)
{
    h->x2[h->n] = x2;
    h->q[h->n] = q;
    h->entry[h->n] = (uint16_t)entry;
    return h->n++;
}

/** Where two lines of a hull meet. */
static inline float crossing(const hull *h, int a, int b)
{
    return (h->x2[a] - h->x2[b]) / (h->q[a] - h->q[b]);
}

/** Keep of all entries' lines those that lie below the hull's at one of its crossings s, where it has the values u. */
GLM_SPECIALISED void keep_below(lines *all, const float *s, const float *u)
{
    int kept = 0;
    for (int e = 0; e < all->n; e += GLM_LANES) {
        uint32_t below = 0;
        for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
            vec_f x2 = vec_load(all->x2 + e + i), q = vec_load(all->q + e + i), least = vec_set(1);
            for (int t = 0; t < N_TANGENTS - 1; t++)
                least = vec_min(s[t] * q - x2 - u[t], least);
            below |= vec_negative(least) << i;
        }
        for (; below; below &= below - 1) {
            int from = e + __builtin_ctz(below);
            all->x2[kept] = all->x2[from];
            all->q[kept] = all->q[from];
            all->entry[kept++] = (uint16_t)from;
        }
    }
    for (; kept % GLM_LANES != 0; kept++) {
        all->x2[kept] = 0;
        all->q[kept] = INFINITY;
    }
    all->n = kept;
}

/** The lower envelope of a vector's lines for scales from low to 30 * low. */
GLM_SPECIALISED void find_hull(hull *h, const book *k, const float *p, const float *w, float low,
                               float peak, int dims, bool flip)
{
    struct {
        int a, b;
    } todo[2 * HULL_MAX];
    /* Where most lines change: up to the scale at which the greatest value meets the book's least. */
    float high = clampf(0.7F * peak / k->least, 1.5F * low, 30 * low), middle = sqrtf(low * high);
    float s[N_TANGENTS] = {low, middle, high, 30 * low}, u[N_TANGENTS];
    int least[N_TANGENTS], n_todo = 0;
    lines all;
    all_lines(&all, least, k, p, w, s, dims, flip);
    h->n = 0;
    for (int t = 0; t < N_TANGENTS; t++) {
        int e = least[t];
        if (t > 0 && !(all.q[e] < h->q[h->n - 1]))
            continue;
        int c = hull_add(h, all.x2[e], all.q[e], e);
        if (c == 0)
            continue;
        s[n_todo] = crossing(h, c - 1, c);
        u[n_todo] = line_at(h->x2[c], h->q[c], s[n_todo]) * WORTH_IT;
        todo[n_todo].a = c - 1;
        todo[n_todo++].b = c;
    }
    for (int t = n_todo; t < N_TANGENTS - 1 && n_todo > 0; t++) {
        s[t] = s[0];
        u[t] = u[0];
    }
    if (n_todo > 0)
        keep_below(&all, s, u);
    while (all.n > 0 && n_todo > 0 && h->n < HULL_MAX) {
        int a = todo[--n_todo].a, b = todo[n_todo].b;
        float at = crossing(h, a, b), value = line_at(h->x2[a], h->q[a], at) * WORTH_IT;
        int e = least_line(&all, at);
        if (!(line_at(all.x2[e], all.q[e], at) < value) || !(all.q[e] < h->q[a]) ||
            !(all.q[e] > h->q[b]))
            continue;
        int c = hull_add(h, all.x2[e], all.q[e], all.entry[e]);
        todo[n_todo].a = a;
        todo[n_todo++].b = c;
        todo[n_todo].a = c;
        todo[n_todo++].b = b;
    }
}

/** Add to sum[i] what the best line costs at scale s[i]. */
static inline void add_cost(float sum[GLM_LANES], const hull *h, const float s[GLM_LANES])
{
    for (int i = 0; i < GLM_LANES; i += GLM_VEC) {
        vec_f scale = vec_load(s + i), best = vec_set(INFINITY);
        for (int j = 0; j < h->n; j++) {
            vec_f v = scale * h->q[j] - h->x2[j];
            best = vec_min(v, best);
        }
        vec_store(sum + i, vec_load(sum + i) + scale * best);
    }
}

/** The line of a hull that costs least at s. */
static inline int best_line(const hull *h, float s)
{
    int best = 0;
    for (int j = 1; j < h->n; j++)
        if (line_at(h->x2[j], h->q[j], s) < line_at(h->x2[best], h->q[best], s))
            best = j;
    return best;
}

/* find_hull for each case of its inner loop. */
static inline void find_one_hull(hull *h, const book *k, const float *p, const float *w, float low,
                                 float peak, bool flip)
{
    if (k->dims == 8 && flip && w)
        find_hull(h, k, p, w, low, peak, 8, true);
    else if (k->dims == 8 && flip)
        find_hull(h, k, p, NULL, low, peak, 8, true);
    else if (k->dims == 8 && w)
        find_hull(h, k, p, w, low, peak, 8, false);
    else if (k->dims == 8)
        find_hull(h, k, p, NULL, low, peak, 8, false);
    else if (flip && w)
        find_hull(h, k, p, w, low, peak, 4, true);
    else if (flip)
        find_hull(h, k, p, NULL, low, peak, 4, true);
    else if (w)
        find_hull(h, k, p, w, low, peak, 4, false);
    else
        find_hull(h, k, p, NULL, low, peak, 4, false);
}

/*
 * A block of 256 in 32 octets, each one vector of 8 or two of 4. Where 7 bits hold 8 signs, an octet with an odd number of
 * minus signs must give one value the wrong sign: with vectors of 4 in either of the two, hence the second hulls.
 */
typedef struct lattice {
    const book *k;
    int n_groups;
    bool is_even; /* the number of minus signs of an octet */
    float factor; /* a group's scale is factor * d * (2 * sc + 1) */
    float d;      /* as stored, in the search's range, times factor */
    float err;    /* without sum w x^2 */
    uint8_t sc[16];
    bool has_flip[32]; /* octets that need a wrong sign */
    hull hulls[64];    /* by vector; of octets as one vector, with the wrong sign where needed */
    hull flipped[64];  /* vectors of 4 with a wrong sign, where the octet needs one */
} lattice;

static inline int minus_signs(const float *x)
{
    int signs = 0;
    for (int i = 0; i < 8; i++)
        signs |= (x[i] < 0) << i;
    return signs;
}

/** The least scale worth a look for a group: its peak beyond the book's greatest value. A range of 1.25^15 above it is all. */
static inline float lowest_scale(const book *k, const float *x, int n)
{
    float peak = greatest_magnitude(x, n);
    return peak > 0 ? 0.6F * peak / k->most : 1;
}

/** Find all hulls of a block. */
static inline void lattice_init(lattice *t, const block *b)
{
    const book *k = t->k;
    int n_group = 256 / t->n_groups, per_octet = 8 / k->dims;
    for (int o = 0; o < 32; o++)
        t->has_flip[o] = t->is_even && __builtin_parity((unsigned)minus_signs(b->x + 8 * o));
    for (int i = 0; i < 256 / k->dims; i++) {
        float p[8], low = lowest_scale(k, b->x + i * k->dims / n_group * n_group, n_group);
        const float *w = b->w + i * k->dims;
        for (int j = 0; j < k->dims; j++)
            p[j] = w[j] * fabsf(b->x[i * k->dims + j]);
        bool flip = t->has_flip[i / per_octet];
        float peak = greatest_magnitude(b->x + i * k->dims, k->dims);
        const float *wp = b->is_plain ? NULL : w;
        find_one_hull(&t->hulls[i], k, p, wp, low, peak, flip && per_octet == 1);
        if (flip && per_octet == 2)
            find_one_hull(&t->flipped[i], k, p, wp, low, peak, true);
    }
}

/** Add to sum[i] what an octet costs at scale s[i]. */
static inline void add_octet_cost(float sum[GLM_LANES], const lattice *t, int o,
                                  const float s[GLM_LANES])
{
    if (t->k->dims == 8) {
        add_cost(sum, &t->hulls[o], s);
        return;
    }
    const hull *first = &t->hulls[2 * o], *second = first + 1;
    if (!t->has_flip[o]) {
        add_cost(sum, first, s);
        add_cost(sum, second, s);
        return;
    }
    float a[GLM_LANES] = {0}, c[GLM_LANES] = {0};
    add_cost(a, &t->flipped[2 * o], s);
    add_cost(a, second, s);
    add_cost(c, first, s);
    add_cost(c, &t->flipped[2 * o + 1], s);
    for (int i = 0; i < GLM_LANES; i++)
        sum[i] += a[i] < c[i] ? a[i] : c[i];
}

/** Choose every group's multiple at d (times factor): all 16 are tried. */
static inline float choose_multiples(const lattice *t, float d, uint8_t *sc)
{
    float s[GLM_LANES], total = 0;
    for (int i = 0; i < N_MULTIPLES; i++)
        s[i] = d * (float)(2 * i + 1);
    for (int g = 0, n = 32 / t->n_groups; g < t->n_groups; g++) {
        float err[GLM_LANES] = {0};
        for (int o = g * n; o < g * n + n; o++)
            add_octet_cost(err, t, o, s);
        int best = least_lane(err);
        sc[g] = (uint8_t)best;
        total += err[best];
    }
    return total;
}

/** The vectors' hulls that octet o takes at scale s (one or two), and where it takes the wrong sign (0, 1; -1: nowhere). */
static inline int octet_choice(const lattice *t, int o, float s, const hull *choice[2])
{
    if (t->k->dims == 8) {
        choice[0] = &t->hulls[o];
        return t->has_flip[o] ? 0 : -1;
    }
    float cost[2] = {0, 0};
    int wrong = -1;
    if (t->has_flip[o]) {
        for (int i = 0; i < 2; i++) {
            const hull *f = &t->flipped[2 * o + i], *p = &t->hulls[2 * o + 1 - i];
            int at_f = best_line(f, s), at_p = best_line(p, s);
            cost[i] = line_at(f->x2[at_f], f->q[at_f], s) + line_at(p->x2[at_p], p->q[at_p], s);
        }
        wrong = cost[1] < cost[0];
    }
    for (int i = 0; i < 2; i++)
        choice[i] = wrong == i ? &t->flipped[2 * o + i] : &t->hulls[2 * o + i];
    return wrong;
}

/** The least-squares d (times factor) of the entries chosen. */
static inline float refit_lattice(const lattice *t)
{
    float sum_x = 0, sum_q = 0;
    for (int o = 0; o < 32; o++) {
        const hull *choice[2];
        float multiple = (float)(2 * t->sc[o * t->n_groups / 32] + 1), s = t->d * multiple;
        octet_choice(t, o, s, choice);
        for (int i = 0; i < 8 / t->k->dims; i++) {
            int at = best_line(choice[i], s);
            sum_x += multiple * 0.5F * choice[i]->x2[at];
            sum_q += multiple * multiple * choice[i]->q[at];
        }
    }
    return sum_q > 0 ? sum_x / sum_q : t->d;
}

/** Take d (times factor, still to be rounded) if it costs less than what t has. */
static inline bool try_lattice(lattice *t, const block *b, float d)
{
    uint8_t sc[16];
    d = scale_from_f16(b, scale_to_f16(b, d / t->factor)) * t->factor;
    float err = choose_multiples(t, d, sc);
    if (!(err < t->err))
        return false;
    t->d = d;
    t->err = err;
    memcpy(t->sc, sc, sizeof sc);
    return true;
}

/** The scale that suits group g best, of 16 over the range its hulls were made for, a quarter apart. */
static inline float group_scale(const lattice *t, const block *b, int g)
{
    int n = 32 / t->n_groups;
    float s[GLM_LANES], err[GLM_LANES] = {0}, v = lowest_scale(t->k, b->x + g * n * 8, n * 8);
    for (int i = 0; i < GLM_LANES; i++, v *= 1.25F)
        s[i] = v;
    for (int o = g * n; o < g * n + n; o++)
        add_octet_cost(err, t, o, s);
    return s[least_lane(err)];
}

/**
 * Choose d and every group's multiple: n_tries for d, from what makes the greatest multiple meet the greatest scale of a group down
 * to half of that, then refits.
 */
static inline void fit_lattice(lattice *t, const block *b, int n_tries)
{
    lattice_init(t, b);
    t->d = 0;
    t->err = 0;
    memset(t->sc, 0, sizeof t->sc);
    float top = 0;
    for (int g = 0; g < t->n_groups && b->amax > 0; g++) {
        float s = group_scale(t, b, g);
        top = s > top ? s : top;
    }
    for (int i = 0; i < n_tries; i++)
        try_lattice(t, b, top / 31 * (0.8F + 1.4F * (float)i / (float)n_tries));
    for (int i = 0; i < 2 && try_lattice(t, b, refit_lattice(t)); i++)
        continue;
}

/** Indices and signs of the block as chosen. */
static inline void finish_lattice(const lattice *t, const block *b, uint16_t *index, uint8_t *signs)
{
    const book *k = t->k;
    for (int o = 0; o < 32; o++) {
        const hull *choice[2];
        float s = t->d * (float)(2 * t->sc[o * t->n_groups / 32] + 1);
        int wrong = octet_choice(t, o, s, choice), bits = minus_signs(b->x + 8 * o);
        for (int i = 0; i < 8 / k->dims; i++) {
            int e = choice[i]->entry[best_line(choice[i], s)], at = 8 * o + i * k->dims, worst = 0;
            index[at / k->dims] = (uint16_t)e;
            if (wrong != i)
                continue;
            float least = INFINITY;
            for (int j = 0; j < k->dims; j++) {
                float pv = b->w[at + j] * fabsf(b->x[at + j]) * k->v[j * k->n + e];
                worst = pv < least ? j : worst;
                least = pv < least ? pv : least;
            }
            bits ^= 1 << (i * k->dims + worst);
        }
        signs[o] = (uint8_t)bits;
    }
}

static const uint8_t iq2_values[4] = {8, 25, 43, 0};

#define DEFINE_LATTICE(name, grid, n_entries, n_dims, values, groups, even, unit, tries)           \
    static inline void encode_##name(glm_block_##name *out, const float *x, const float *w,        \
                                     const book *k)                                                \
    {                                                                                              \
        block b;                                                                                   \
        lattice t = {.k = k, .n_groups = groups, .is_even = even, .factor = unit};                 \
        uint16_t index[64];                                                                        \
        uint8_t signs[32];                                                                         \
        block_init(&b, x, w, 256);                                                                 \
        fit_lattice(&t, &b, tries);                                                                \
        finish_lattice(&t, &b, index, signs);                                                      \
        glm_block_##name##_pack(out, scale_to_f16(&b, t.d / unit), t.sc, index, signs);            \
    }                                                                                              \
    static inline void encode_row_##name(void *out, const float *x, const float *weights,          \
                                         size_t n)                                                 \
    {                                                                                              \
        book k;                                                                                    \
        book_init(&k, grid, n_entries, n_dims, values);                                            \
        for (size_t i = 0; i < n / 256; i++)                                                       \
            encode_##name((glm_block_##name *)out + i, x + i * 256,                                \
                          weights ? weights + i * 256 : NULL, &k);                                 \
    }
DEFINE_LATTICE(iq2_xxs, glm_iq2_xxs_grid, 256, 8, iq2_values, 8, true, 0.125F, 24)
DEFINE_LATTICE(iq2_xs, glm_iq2_xs_grid, 512, 8, iq2_values, 16, true, 0.125F, 24)
DEFINE_LATTICE(iq2_s, glm_iq2_s_grid, 1024, 8, iq2_values, 16, false, 0.125F, 14)
DEFINE_LATTICE(iq3_xxs, glm_iq3_xxs_grid, 256, 4, glm_iq3_xxs_values, 8, true, 0.25F, 10)
DEFINE_LATTICE(iq3_s, glm_iq3_s_grid, 512, 4, glm_iq3_s_values, 8, false, 1, 8)
#undef DEFINE_LATTICE

#endif
