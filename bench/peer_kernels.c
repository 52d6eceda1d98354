// SPDX-License-Identifier: MIT
/*
 * Our integer products beside ik_llama.cpp's own (iqk_mul_mat) on the same bytes and shapes, in turns, one thread. Activations are
 * quantised before in both. Built outside the tree against the peer's headers and library: `bench/peer.py kernels`.
 *
 *     peer_kernels [-n ROUNDS] [-t TYPE] [-s SHAPE] [--isa NAME] [--mib N]
 *
 * One JSON line a type and shape: one token times a matrix that fits the second-level cache ("cache") and one of 64 MiB
 * ("memory"), GB/s of weights; 512 tokens times 256 rows, Gop/s. Medians of the rounds with the lowest and highest; `ratio` is the
 * median of the rounds' own ratios. Time is the thread's processor time.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ggml.h>
#include <iqk/iqk_mul_mat.h>

#include "kernels/kernels.h"
#include "quant/types.h"

enum { N_COLS = 6144, GEMM_TOK = 512, GEMM_ROWS = 256, ROUNDS_MAX = 64 };

typedef struct bench {
    glm_kernels k;
    int type;
    uint32_t n_rows, n_tok;
    uint8_t *weights;
    size_t row_bytes;
    void *acts, *peer_acts, *scratch;
    size_t peer_act_bytes;
    int peer_act_type;
    float *out, *peer_out;
    const char *shape; /* the only one, or NULL */
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *room(size_t size)
{
    void *p = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (!p) {
        fprintf(stderr, "no memory for %zu bytes\n", size);
        exit(1);
    }
    memset(p, 0, size);
    return p;
}

static float uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(int32_t)(*state >> 32) * 0x1p-31F;
}

static void run_ours(const bench *b)
{
    glm_mat w = {.type = (glm_type)b->type,
                 .n_rows = b->n_rows,
                 .n_cols = N_COLS,
                 .row_stride_bytes = b->row_bytes,
                 .data = b->weights,
                 .tensor_scale = 1};
    glm_act_rows x = {b->acts, glm_act_row_bytes(N_COLS), NULL, b->n_tok};
    b->k.qmatmul(b->out, b->n_rows, &w, 0, b->n_rows, &x, b->scratch);
}

static void run_peer(const bench *b)
{
    if (!iqk_mul_mat(b->n_rows, b->n_tok, N_COLS, b->type, b->weights, (long)b->row_bytes,
                     b->peer_act_type, b->peer_acts, (long)b->peer_act_bytes, b->peer_out,
                     b->n_rows, 0, 1)) {
        fprintf(stderr, "the peer has no product of type %d\n", b->type);
        exit(1);
    }
}

typedef void run_fn(const bench *b);

static double seconds(const bench *b, run_fn *run, double least)
{
    double start = now(), end;
    int n = 0;
    do {
        run(b);
        n++;
        end = now();
    } while (end - start < least);
    return (end - start) / n;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, compare);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static double difference(const bench *b)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < (size_t)b->n_rows * b->n_tok; i++) {
        d += pow((double)b->out[i] - (double)b->peer_out[i], 2);
        s += pow((double)b->peer_out[i], 2);
    }
    return sqrt(d / s);
}

static void measure(bench *b, const char *shape, uint32_t n_rows, uint32_t n_tok, int rounds,
                    double least)
{
    if (b->shape && strcmp(b->shape, shape) != 0)
        return;
    double ours[ROUNDS_MAX], peer[ROUNDS_MAX], ratio[ROUNDS_MAX];
    b->n_rows = n_rows;
    b->n_tok = n_tok;
    double work =
        n_tok == 1 ? (double)n_rows * (double)b->row_bytes : 2.0 * n_tok * (double)n_rows * N_COLS;
    run_ours(b);
    run_peer(b);
    for (int i = 0; i < rounds; i++) {
        ours[i] = work / seconds(b, run_ours, least) * 1e-9;
        peer[i] = work / seconds(b, run_peer, least) * 1e-9;
        ratio[i] = ours[i] / peer[i];
    }
    double r = median(ratio, rounds), o = median(ours, rounds), p = median(peer, rounds);
    printf(
        "{\"type\": \"%s\", \"shape\": \"%s\", \"isa\": \"%s\", \"unit\": \"%s\", \"ours\": %.2f, "
        "\"ours_range\": [%.2f, %.2f], \"peer\": %.2f, \"peer_range\": [%.2f, %.2f], "
        "\"ratio\": %.3f, \"ratio_range\": [%.3f, %.3f], \"rounds\": %d, \"difference\": %.5f}\n",
        ggml_type_name((enum ggml_type)b->type), shape, glm_isa_name(b->k.isa),
        n_tok == 1 ? "GB/s" : "Gop/s", o, ours[0], ours[rounds - 1], p, peer[0], peer[rounds - 1],
        r, ratio[0], ratio[rounds - 1], rounds, difference(b));
    fflush(stdout);
}

/* IQ1, which takes minutes to encode: any bits are weights, with d = 2^-6 in its place. */
static void fill_iq1(uint8_t *p, enum ggml_type type, size_t n_blocks)
{
    uint64_t state = 3;
    const size_t n = ggml_type_size(type);
    for (size_t i = 0; i < n_blocks * n; i++)
        p[i] = (uint8_t)(127 * uniform(&state) + 128);
    for (uint8_t *b = p; b < p + n_blocks * n; b += n) {
        if (type == GGML_TYPE_IQ1_S) {
            b[0] = 0;
            b[1] = 0x24;
        } else { /* the upper nibbles of four words */
            for (size_t i = 0; i < 4; i++)
                b[n - 7 + 2 * i] &= 15;
            b[n - 3] |= 0x40;
            b[n - 1] |= 0x20;
        }
    }
}

static void fill_weights(bench *b, size_t n_rows)
{
    const enum ggml_type type = (enum ggml_type)b->type;
    const size_t n_distinct = type >= GGML_TYPE_IQ2_XXS ? 4 : 32; /* these are slow to encode */
    float *x = room(sizeof *x * n_distinct * N_COLS), *one = room(sizeof *one * N_COLS);
    uint64_t state = 1;
    for (size_t i = 0; i < n_distinct * N_COLS; i++)
        x[i] = 0.02F * (uniform(&state) + uniform(&state) + uniform(&state));
    for (size_t i = 0; i < N_COLS; i++)
        one[i] = 1;
    if (type == GGML_TYPE_IQ1_S || type == GGML_TYPE_IQ1_M)
        fill_iq1(b->weights, type, n_distinct * N_COLS / 256);
    else
        ggml_quantize_chunk(type, x, b->weights, 0, (int64_t)n_distinct, N_COLS, one, NULL);
    for (size_t r = n_distinct; r < n_rows; r++)
        memcpy(b->weights + r * b->row_bytes, b->weights + r % n_distinct * b->row_bytes,
               b->row_bytes);
    free(x);
    free(one);
}

static void fill_acts(bench *b)
{
    const size_t stride = glm_act_row_bytes(N_COLS);
    float *x = room(sizeof *x * N_COLS);
    uint64_t state = 2;
    ggml_from_float_t from_float =
        ggml_internal_get_type_traits((enum ggml_type)b->peer_act_type).from_float;
    for (size_t t = 0; t < GEMM_TOK; t++) {
        for (size_t i = 0; i < N_COLS; i++)
            x[i] = uniform(&state) + uniform(&state);
        b->k.act_quantize((char *)b->acts + t * stride, x, N_COLS,
                          glm_act_layout_of((glm_type)b->type));
        from_float(x, (char *)b->peer_acts + t * b->peer_act_bytes, N_COLS);
    }
    free(x);
}

static void bench_type(glm_isa isa, int type, const char *shape, int rounds, size_t n_bytes)
{
    bench b = {.type = type, .shape = shape};
    glm_kernels_init(&b.k, isa);
    b.peer_act_type = ggml_internal_get_type_traits((enum ggml_type)type).vec_dot_type;
    b.peer_act_bytes = ggml_row_size((enum ggml_type)b.peer_act_type, N_COLS);
    b.row_bytes = ggml_row_size((enum ggml_type)type, N_COLS);
    uint32_t in_memory = (uint32_t)(n_bytes / b.row_bytes / 32 * 32);
    uint32_t in_cache = (uint32_t)((384U << 10) / b.row_bytes / 32 * 32);
    size_t n_out =
        (size_t)GEMM_TOK * GEMM_ROWS > in_memory ? (size_t)GEMM_TOK * GEMM_ROWS : in_memory;
    b.weights = room(in_memory * b.row_bytes + 4096);
    b.acts = room(GEMM_TOK * glm_act_row_bytes(N_COLS));
    b.peer_acts = room(GEMM_TOK * b.peer_act_bytes + 4096);
    b.scratch = room(GLM_QMATMUL_SCRATCH_BYTES);
    b.out = room(n_out * sizeof *b.out);
    b.peer_out = room(n_out * sizeof *b.out);
    fill_weights(&b, in_memory);
    fill_acts(&b);
    measure(&b, "cache", in_cache, 1, rounds, 0.01);
    measure(&b, "memory", in_memory, 1, rounds, 0);
    measure(&b, "gemm", GEMM_ROWS, GEMM_TOK, rounds, 0);
    free(b.weights);
    free(b.acts);
    free(b.peer_acts);
    free(b.scratch);
    free(b.out);
    free(b.peer_out);
}

int main(int argc, char **argv)
{
    static const int types[] = {
        GGML_TYPE_Q4_0,    GGML_TYPE_Q4_1,  GGML_TYPE_Q5_0,    GGML_TYPE_Q5_1,   GGML_TYPE_Q8_0,
        GGML_TYPE_Q2_K,    GGML_TYPE_Q3_K,  GGML_TYPE_Q4_K,    GGML_TYPE_Q5_K,   GGML_TYPE_Q6_K,
        GGML_TYPE_IQ1_S,   GGML_TYPE_IQ1_M, GGML_TYPE_IQ2_XXS, GGML_TYPE_IQ2_XS, GGML_TYPE_IQ2_S,
        GGML_TYPE_IQ3_XXS, GGML_TYPE_IQ3_S, GGML_TYPE_IQ4_NL,  GGML_TYPE_IQ4_XS, GGML_TYPE_MXFP4,
    };
    int rounds = 5;
    const char *only = NULL, *shape = NULL;
    size_t mib = 64;
    glm_isa isa = glm_kernels_best_isa();
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-n") == 0)
            rounds = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "-t") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "-s") == 0)
            shape = argv[i + 1];
        else if (strcmp(argv[i], "--mib") == 0)
            mib = (size_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--isa") != 0 || !glm_isa_parse(argv[i + 1], &isa))
            return 2;
    }
    if (rounds < 1 || rounds > ROUNDS_MAX || mib < 1)
        return 2;
    struct ggml_init_params params = {.mem_size = 1024}; /* fills the peer's tables */
    ggml_free(ggml_init(params));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!only || strcmp(only, ggml_type_name((enum ggml_type)types[i])) == 0)
            bench_type(isa, types[i], shape, rounds, mib << 20);
    return 0;
}
