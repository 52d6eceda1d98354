// SPDX-License-Identifier: MIT
#include "engine/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"

/* A bias of this and below is a ban. */
#define BAN (-100.0F)
#define BLOCK 512u /* ids whose weights are summed together */
#define LANES 16u  /* partial sums of a block, maxima side by side */

struct glm_sampler {
    glm_sampler_params params; /* bias points into our copy */
    uint32_t n_vocab, n_token;
    uint64_t n_drawn;
    double inverse_t;
    bool has_cut; /* top_k, top_p or min_p is on */

    glm_logit_bias *bias; /* [n_bias] */
    float *adjusted;      /* [n_token], after bias, penalties and limits; NULL: none is on */
    double *block_sum;    /* [blocks of n_token] */
    int32_t *heap;        /* [n_token] candidates; NULL without a cut */

    /* Tokens that penalties concern; all NULL without penalties. */
    uint32_t *n_generated; /* [n_token] */
    uint8_t *is_seen;      /* [n_token] */
    int32_t *seen;         /* [n_seen], at most n_token */
    uint32_t n_seen;
};

/* ---- Creation ---- */

glm_sampler_params glm_sampler_params_default(void)
{
    return (glm_sampler_params){.temperature = 1.0, .top_p = 1.0, .repeat_penalty = 1.0};
}

static bool is_within(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static glm_status check_range(const char *name, double x, double low, double high, glm_error *err)
{
    if (is_within(x, low, high))
        return GLM_OK;
    return glm_fail(err, GLM_EARG, "%s: expected %g to %g, got %g", name, low, high, x);
}

static glm_status check_params(const glm_sampler_params *p, uint32_t n_vocab, uint32_t n_token,
                               glm_error *err)
{
    if (!n_token || n_token > n_vocab || n_vocab > INT32_MAX)
        return glm_fail(err, GLM_EARG, "n_token: expected 1 to n_vocab (%u), got %u", n_vocab,
                        n_token);
    glm_status st = check_range("temperature", p->temperature, 0.0, 100.0, err);
    if (st == GLM_OK)
        st = check_range("top_p", p->top_p, 0.0, 1.0, err);
    if (st == GLM_OK)
        st = check_range("min_p", p->min_p, 0.0, 1.0, err);
    if (st == GLM_OK)
        st = check_range("presence_penalty", p->presence_penalty, -2.0, 2.0, err);
    if (st == GLM_OK)
        st = check_range("frequency_penalty", p->frequency_penalty, -2.0, 2.0, err);
    if (st == GLM_OK && (!(p->repeat_penalty > 0.0) || isinf(p->repeat_penalty)))
        st = glm_fail(err, GLM_EARG, "repeat_penalty: expected a number above 0, got %g",
                      p->repeat_penalty);
    for (size_t i = 0; i < p->n_bias && st == GLM_OK; i++) {
        if (p->bias[i].id < 0 || (uint32_t)p->bias[i].id >= n_vocab)
            st = glm_fail(err, GLM_EARG, "bias: expected ids below %u, got %d", n_vocab,
                          (int)p->bias[i].id);
        else if (isnan(p->bias[i].bias))
            st = glm_fail(err, GLM_EARG, "bias of id %d: expected a number", (int)p->bias[i].id);
    }
    return st;
}

static bool has_penalty(const glm_sampler_params *p)
{
    return p->repeat_penalty != 1.0 || p->presence_penalty != 0.0 || p->frequency_penalty != 0.0;
}

static glm_status make_tables(glm_sampler *s, glm_error *err)
{
    const glm_sampler_params *p = &s->params;
    bool ok = true;
    if (p->n_bias) {
        s->bias = glm_new_array(glm_logit_bias, p->n_bias);
        ok = s->bias != NULL;
        if (ok)
            memcpy(s->bias, p->bias, p->n_bias * sizeof *p->bias);
        s->params.bias = s->bias;
    }
    if (ok && (p->n_bias || has_penalty(p)))
        ok = (s->adjusted = glm_new_array(float, s->n_token)) != NULL;
    if (ok && has_penalty(p)) {
        s->n_generated = glm_new_array(uint32_t, s->n_token);
        s->is_seen = glm_new_array(uint8_t, s->n_token);
        s->seen = glm_new_array(int32_t, s->n_token);
        ok = s->n_generated && s->is_seen && s->seen;
    }
    if (ok && p->temperature > 0.0) {
        s->block_sum = glm_new_array(double, s->n_token / BLOCK + 1);
        if (s->has_cut)
            s->heap = glm_new_array(int32_t, s->n_token);
        ok = s->block_sum && (s->heap || !s->has_cut);
    }
    return ok ? GLM_OK : glm_fail(err, GLM_ENOMEM, "sampler over %u tokens: no memory", s->n_token);
}

glm_status glm_sampler_create(glm_sampler **out, const glm_sampler_params *params, uint32_t n_vocab,
                              uint32_t n_token, glm_error *err)
{
    glm_status st = check_params(params, n_vocab, n_token, err);
    if (st != GLM_OK)
        return st;
    glm_sampler *s = glm_new(glm_sampler);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "sampler: no memory");
    s->params = *params;
    s->n_vocab = n_vocab;
    s->n_token = n_token;
    if (s->params.top_k >= n_token)
        s->params.top_k = 0;
    s->has_cut = s->params.top_k || params->top_p < 1.0 || params->min_p > 0.0;
    /* Finite even for a denormal temperature, so that the best token's 0 stays 0. */
    s->inverse_t = params->temperature > 0.0 ? fmin(1.0 / params->temperature, DBL_MAX) : 0.0;
    st = make_tables(s, err);
    if (st != GLM_OK) {
        glm_sampler_destroy(s);
        return st;
    }
    *out = s;
    return GLM_OK;
}

void glm_sampler_destroy(glm_sampler *s)
{
    if (!s)
        return;
    free(s->bias);
    free(s->adjusted);
    free(s->block_sum);
    free(s->heap);
    free(s->n_generated);
    free(s->is_seen);
    free(s->seen);
    free(s);
}

/* ---- Bias and penalties ---- */

static void see(glm_sampler *s, int32_t id)
{
    if (s->is_seen[id])
        return;
    s->is_seen[id] = 1;
    s->seen[s->n_seen++] = id;
}

void glm_sampler_see(glm_sampler *s, int32_t id)
{
    if (s->is_seen && id >= 0 && (uint32_t)id < s->n_token)
        see(s, id);
}

void glm_sampler_accept(glm_sampler *s, int32_t id)
{
    s->n_drawn++;
    if (!s->is_seen || id < 0 || (uint32_t)id >= s->n_token)
        return;
    see(s, id);
    s->n_generated[id] += s->n_generated[id] < UINT32_MAX;
}

static void add_biases(float *x, uint32_t n_token, const glm_logit_bias *bias, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bias[i].id >= 0 && (uint32_t)bias[i].id < n_token)
            x[bias[i].id] = bias[i].bias <= BAN ? -INFINITY : x[bias[i].id] + bias[i].bias;
}

/* Ban all of x [n] that the mask does not allow. */
static void apply_mask(float *x, uint32_t n, const uint64_t *mask)
{
    for (uint32_t i = 0; i < n; i += 64) {
        uint64_t word = mask[i / 64];
        uint32_t end = n - i < 64 ? n - i : 64;
        if (word == UINT64_MAX)
            continue;
        for (uint32_t j = 0; j < end; j++)
            x[i + j] = word >> j & 1 ? x[i + j] : -INFINITY;
    }
}

/* The logits [n_token] to choose by: the caller's own, or a changed copy. */
static const float *adjust(glm_sampler *s, const float *logits, const glm_draw_limits *limits)
{
    const glm_sampler_params *p = &s->params;
    if (!p->n_bias && !s->is_seen && !limits)
        return logits;
    float *x = s->adjusted;
    memcpy(x, logits, s->n_token * sizeof *x);
    add_biases(x, s->n_token, p->bias, p->n_bias);
    for (uint32_t i = 0; i < s->n_seen; i++) {
        int32_t id = s->seen[i];
        double v = (double)x[id];
        v = v > 0.0 ? v / p->repeat_penalty : v * p->repeat_penalty;
        if (s->n_generated[id])
            v -= p->presence_penalty + p->frequency_penalty * (double)s->n_generated[id];
        x[id] = (float)v;
    }
    if (limits) {
        add_biases(x, s->n_token, limits->bias, limits->n_bias);
        if (limits->mask)
            apply_mask(x, s->n_token, limits->mask);
    }
    return x;
}

/* ---- The largest ---- */

/* The largest of x [n]; -infinity when there is nothing above it. LANES maxima side by side, so that the
 * compiler makes vectors of them; NaN never wins a comparison. */
static float max_of(const float *x, uint32_t n)
{
    float lane[LANES];
    for (uint32_t j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    float best = -INFINITY;
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    for (uint32_t j = 0; j < LANES; j++)
        best = lane[j] > best ? lane[j] : best;
    return best;
}

/* The lowest id of the largest of x [n], or -1 when there is nothing above -infinity. One pass over x and
 * one over the block that has it. */
static int32_t argmax(const float *x, uint32_t n)
{
    float best = -INFINITY;
    uint32_t first = 0;
    for (uint32_t i = 0; i < n; i += BLOCK) {
        float m = max_of(x + i, n - i < BLOCK ? n - i : BLOCK);
        if (m > best) {
            best = m;
            first = i;
        }
    }
    if (!(best > -INFINITY))
        return -1;
    while (x[first] != best)
        first++;
    return (int32_t)first;
}

/* ---- Weights ---- */

/* What +infinity is taken for. */
static double clamp_max(float max)
{
    return max > FLT_MAX ? (double)FLT_MAX : (double)max;
}

/*
 * exp(d) for d <= 0, and 0 for d < -700 and NaN; relative error below 1e-14. Our own, so that weights do not depend
 * on a library's version, and free of branches, so that the compiler makes vectors of it. d = n ln 2 + r with
 * |r| <= ln(2) / 2; the Taylor sum of exp(r) to r^11 / 11! leaves 6e-15; 2^n goes into the exponent.
 */
static inline double exp_negative(double d)
{
    const double shift = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    double shifted = d * 0x1.71547652b82fep+0 + shift;
    double n = shifted - shift;
    double r = (d - n * 0x1.62e42fefp-1) - n * 0x1.473de6af278edp-34;
    double p = 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    union {
        double value;
        uint64_t bits;
    } result = {p}, power = {shifted};
    result.bits += power.bits << 52;
    return d >= -700.0 ? result.value : 0.0;
}

static inline double weight_of(float x, double max, double inverse_t)
{
    float finite = FLT_MAX < x ? FLT_MAX : x; /* NaN stays NaN */
    return exp_negative(((double)finite - max) * inverse_t);
}

/* Sum of the weights of x [n], n <= BLOCK: LANES partial sums, then a tree. */
static double sum_block(const float *x, uint32_t n, double max, double inverse_t)
{
    double w[BLOCK], sum[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        w[i] = weight_of(x[i], max, inverse_t);
    uint32_t padded = (n + LANES - 1) / LANES * LANES;
    for (uint32_t i = n; i < padded; i++)
        w[i] = 0.0;
    for (uint32_t i = 0; i < padded; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            sum[j] += w[i + j];
    for (uint32_t half = LANES / 2; half; half /= 2)
        for (uint32_t j = 0; j < half; j++)
            sum[j] += sum[j + half];
    return sum[0];
}

/* Sum of the weights of x [n] over blocks in ascending order, and each block's in block_sum unless NULL. */
static double sum_weights(const float *x, uint32_t n, double max, double inverse_t,
                          double *block_sum)
{
    double total = 0.0;
    for (uint32_t i = 0; i < n; i += BLOCK) {
        double sum = sum_block(x + i, n - i < BLOCK ? n - i : BLOCK, max, inverse_t);
        if (block_sum)
            block_sum[i / BLOCK] = sum;
        total += sum;
    }
    return total;
}

void glm_sampler_logprobs(const float *logits, uint32_t n_vocab, const int32_t *id, uint32_t n,
                          double *logprob)
{
    float best = max_of(logits, n_vocab);
    double max = clamp_max(best);
    double log_sum = best > -INFINITY ? log(sum_weights(logits, n_vocab, max, 1.0, NULL)) : 0.0;
    for (uint32_t i = 0; i < n; i++) {
        float x = logits[id[i]];
        bool has_none = !(best > -INFINITY) || isnan(x);
        logprob[i] = has_none ? -INFINITY : fmin((double)x, (double)FLT_MAX) - max - log_sum;
    }
}

/* ---- Ranks ---- */

static bool ranks_before(const float *x, int32_t a, int32_t b)
{
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

/* Let heap[i] sink to its place. The root is the first by rank, or the last if `last_on_top`. */
static void sift_down(int32_t *heap, uint32_t n, uint32_t i, const float *x, bool last_on_top)
{
    int32_t id = heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && ranks_before(x, heap[child + 1], heap[child]) != last_on_top)
            child++;
        if (ranks_before(x, heap[child], id) == last_on_top)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = id;
}

static void make_heap(int32_t *heap, uint32_t n, const float *x, bool last_on_top)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i, x, last_on_top);
}

/* The k first of x [n] by rank into heap, in no order. Returns how many there are. */
static uint32_t choose_top_k(int32_t *heap, uint32_t k, const float *x, uint32_t n)
{
    uint32_t n_kept = 0, i = 0;
    for (; i < n && n_kept < k; i++)
        if (x[i] > -INFINITY)
            heap[n_kept++] = (int32_t)i;
    make_heap(heap, n_kept, x, true);
    for (; i < n; i++) {
        if (!(x[i] > x[heap[0]])) /* an equal one comes later and ranks behind */
            continue;
        heap[0] = (int32_t)i;
        sift_down(heap, n_kept, 0, x, true);
    }
    return n_kept;
}

uint32_t glm_sampler_top(const float *logits, uint32_t n_vocab, int32_t *top, uint32_t n)
{
    uint32_t n_top = n ? choose_top_k(top, n, logits, n_vocab) : 0;
    make_heap(top, n_top, logits, true);
    for (uint32_t left = n_top; left > 1;) { /* the last by rank goes behind the others */
        int32_t last = top[0];
        top[0] = top[--left];
        top[left] = last;
        sift_down(top, left, 0, logits, true);
    }
    return n_top;
}

/* All of x [n] that weigh at least `least` into heap, and perhaps some that weigh a little less. */
static uint32_t choose_heavy(int32_t *heap, const float *x, uint32_t n, double max, double t,
                             double least)
{
    double bound = least > 0.0 ? max + t * log(least) : -INFINITY;
    float cut = (float)(bound - fabs(bound) * 1e-6);
    cut = cut > -FLT_MAX ? cut : -FLT_MAX;
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        heap[n_kept] = (int32_t)i;
        n_kept += x[i] >= cut;
    }
    return n_kept;
}

/* ---- Drawing ---- */

/* Walk by id: the first whose running sum exceeds `target`. */
static int32_t draw_by_id(const glm_sampler *s, const float *x, double max, double target)
{
    double sum = 0.0;
    int32_t last = 0;
    for (uint32_t first = 0; first < s->n_token; first += BLOCK) {
        double block_sum = s->block_sum[first / BLOCK];
        if (sum + block_sum <= target && first + BLOCK < s->n_token) {
            sum += block_sum;
            continue;
        }
        uint32_t end = s->n_token - first < BLOCK ? s->n_token : first + BLOCK;
        for (uint32_t i = first; i < end; i++) {
            double w = weight_of(x[i], max, s->inverse_t);
            if (w == 0.0)
                continue;
            last = (int32_t)i;
            sum += w;
            if (sum > target)
                return last;
        }
    }
    return last; /* the token's own sum was rounded to the target or below */
}

/*
 * Walk by rank. Candidates come off the heap first to last and are laid behind it, so the kept ones end
 * up in heap[n_left..n-1], the first at the end.
 */
static int32_t draw_by_rank(const glm_sampler *s, const float *x, double max, uint32_t n,
                            double total, double u)
{
    int32_t *heap = s->heap;
    const double enough = s->params.top_p < 1.0 ? s->params.top_p * total : INFINITY;
    double kept = 0.0;
    uint32_t n_left = n;
    make_heap(heap, n, x, false);
    do {
        int32_t id = heap[0];
        double w = weight_of(x[id], max, s->inverse_t);
        if (n_left < n && w < s->params.min_p)
            break;
        heap[0] = heap[--n_left];
        sift_down(heap, n_left, 0, x, false);
        heap[n_left] = id;
        kept += w;
    } while (kept < enough && n_left);

    double sum = 0.0, target = u * kept;
    for (uint32_t i = n; i-- > n_left;) {
        sum += weight_of(x[heap[i]], max, s->inverse_t);
        if (sum > target)
            return heap[i];
    }
    return heap[n_left];
}

static int32_t draw_with_cut(const glm_sampler *s, const float *x, double max, double u)
{
    const glm_sampler_params *p = &s->params;
    uint32_t n;
    double total = 0.0;
    if (p->top_k) {
        n = choose_top_k(s->heap, p->top_k, x, s->n_token);
        for (uint32_t i = 0; i < n; i++)
            total += weight_of(x[s->heap[i]], max, s->inverse_t);
    } else {
        /* All that weigh less than (1 - top_p) of the mean have together less than what top_p leaves out. */
        double least = p->min_p;
        if (p->top_p < 1.0) {
            total = sum_weights(x, s->n_token, max, s->inverse_t, NULL);
            least = fmax(least, fmin((1.0 - p->top_p) * total / (double)s->n_token, 1.0));
        }
        n = choose_heavy(s->heap, x, s->n_token, max, p->temperature, least);
    }
    return draw_by_rank(s, x, max, n, total, u);
}

/* The chosen id, or -1 when everything is banned. */
static int32_t choose(const glm_sampler *s, const float *x)
{
    if (s->params.temperature == 0.0)
        return argmax(x, s->n_token);
    float best = max_of(x, s->n_token);
    if (!(best > -INFINITY))
        return -1;
    double max = clamp_max(best);
    double u = glm_rng_double(s->params.seed, s->n_drawn);
    if (s->has_cut)
        return draw_with_cut(s, x, max, u);
    double total = sum_weights(x, s->n_token, max, s->inverse_t, s->block_sum);
    return draw_by_id(s, x, max, u * total);
}

glm_status glm_sampler_reserve_limits(glm_sampler *s, glm_error *err)
{
    if (!s->adjusted && !(s->adjusted = glm_new_array(float, s->n_token)))
        return glm_fail(err, GLM_ENOMEM, "sampler over %u tokens: no memory", s->n_token);
    return GLM_OK;
}

/* The most probable id that the mask allows, under the unchanged logits; -1 when it allows none. */
static int32_t best_allowed(glm_sampler *s, const float *logits, const uint64_t *mask)
{
    memcpy(s->adjusted, logits, s->n_token * sizeof *logits);
    apply_mask(s->adjusted, s->n_token, mask);
    int32_t id = argmax(s->adjusted, s->n_token);
    for (uint32_t i = 0; i < s->n_token && id < 0; i++) /* what it allows is NaN or -infinity */
        if (mask[i / 64] >> i % 64 & 1)
            id = (int32_t)i;
    return id;
}

int32_t glm_sampler_draw_within(glm_sampler *s, const float *logits, const glm_draw_limits *limits,
                                double *logprob)
{
    int32_t id = choose(s, adjust(s, logits, limits));
    if (id < 0 && limits && limits->mask) {
        id = best_allowed(s, logits, limits->mask);
        if (id < 0)
            return -1;
    }
    if (id < 0)
        id = argmax(logits, s->n_token);
    if (id < 0)
        id = 0;
    if (logprob)
        glm_sampler_logprobs(logits, s->n_vocab, &id, 1, logprob);
    glm_sampler_accept(s, id);
    return id;
}

int32_t glm_sampler_draw(glm_sampler *s, const float *logits, double *logprob)
{
    return glm_sampler_draw_within(s, logits, NULL, logprob);
}
