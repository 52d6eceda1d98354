// SPDX-License-Identifier: MIT
/*
 * Encoding a row: what it loses and how fast it is, one JSON line a type, with and without importances:
 *
 *     bench_encode [--isa scalar|avx2|avx512] [--type NAME] [--rows N] [--repeats N]
 *
 * Rows are 4096 normal values of seed 1, importances lognormal (sigma 1.2). "error": sum of weight * (x - decoded)^2 over sum of
 * weight * x^2. "bytes_per_s": float32 bytes read a second of the thread's own clock; the median of the repetitions with the
 * least and the greatest. docs/quantisation.md compares with other encoders.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "core/rng.h"
#include "quant/encode.h"
#include "quant/encode_internal.h"
#include "quant/formats.h"
#include "quant/quant.h"
#include "quant/types.h"

enum { N_COLS = 4096, REPEATS_MAX = 99 };

typedef struct bench {
    glm_encoder encoder;
    const char *isa, *type;
    size_t n_rows;
    int n_repeats;
    float *x, *y, *weights;
    unsigned char *out;
} bench;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double normal(uint64_t seed, uint64_t i)
{
    double u = 1 - glm_rng_double(seed, 2 * i), v = glm_rng_double(seed, 2 * i + 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double error_of(const bench *b, const float *weights)
{
    double err = 0, all = 0;
    for (size_t i = 0; i < b->n_rows * N_COLS; i++) {
        double w = weights ? (double)weights[i % N_COLS] : 1, x = (double)b->x[i];
        err += w * (x - (double)b->y[i]) * (x - (double)b->y[i]);
        all += w * x * x;
    }
    return err / all;
}

static bool bench_type(const bench *b, uint32_t type, const float *weights)
{
    double rate[REPEATS_MAX];
    uint64_t row_bytes = 0;
    glm_error err;
    if (!glm_type_size(type, N_COLS, &row_bytes))
        return false;
    for (int i = 0; i < b->n_repeats; i++) {
        double start = seconds();
        for (size_t r = 0; r < b->n_rows; r++)
            if (glm_quant_encode_row(&b->encoder, b->out + r * row_bytes, type, b->x + r * N_COLS,
                                     weights, N_COLS, &err) != GLM_OK) {
                fprintf(stderr, "bench_encode: %s\n", err.text);
                return false;
            }
        rate[i] = (double)(b->n_rows * N_COLS * sizeof(float)) / (seconds() - start);
    }
    glm_quant_get(type)(b->y, b->out, b->n_rows * N_COLS / glm_type_get(type)->n_elems);
    qsort(rate, (size_t)b->n_repeats, sizeof *rate, by_value);
    printf("{\"bench\": \"encode\", \"isa\": \"%s\", \"type\": \"%s\", \"importance\": %s, "
           "\"error\": %.4e, "
           "\"bytes_per_s\": %.4g, \"bytes_per_s_min\": %.4g, \"bytes_per_s_max\": %.4g}\n",
           b->isa, glm_type_name(type), weights ? "true" : "false", error_of(b, weights),
           rate[b->n_repeats / 2], rate[0], rate[b->n_repeats - 1]);
    fflush(stdout);
    return true;
}

static bool choose_build(bench *b, const char *isa)
{
    glm_encoder_init(&b->encoder);
    if (strcmp(isa, "best") == 0)
        return true;
    if (strcmp(isa, "scalar") == 0)
        b->encoder.row = glm_encode_row_c;
#ifdef __x86_64__
    else if (strcmp(isa, "avx2") == 0 && glm_cpu_detect().has_avx2)
        b->encoder.row = glm_encode_row_avx2;
    else if (strcmp(isa, "avx512") == 0 && glm_cpu_detect().has_avx512)
        b->encoder.row = glm_encode_row_avx512;
#endif
    else
        return false;
    return true;
}

static bool parse(bench *b, int argc, char **argv)
{
    const char *isa = "best";
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--isa") == 0)
            isa = argv[i + 1];
        else if (strcmp(argv[i], "--type") == 0)
            b->type = argv[i + 1];
        else if (strcmp(argv[i], "--rows") == 0)
            b->n_rows = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--repeats") == 0)
            b->n_repeats = atoi(argv[i + 1]);
        else
            return false;
    }
    b->isa = isa;
    return choose_build(b, isa) && b->n_rows >= 1 && b->n_rows <= 65536 && b->n_repeats >= 1 &&
           b->n_repeats <= REPEATS_MAX;
}

int main(int argc, char **argv)
{
    bench b = {.n_rows = 16, .n_repeats = 5};
    if (!parse(&b, argc, argv)) {
        fprintf(stderr, "usage: bench_encode [--isa scalar|avx2|avx512] [--type NAME] [--rows N] "
                        "[--repeats N]\n");
        return 2;
    }
    size_t n = b.n_rows * N_COLS;
    b.x = malloc(n * sizeof *b.x);
    b.y = malloc(n * sizeof *b.y);
    b.weights = malloc(N_COLS * sizeof *b.weights);
    b.out = malloc(n * sizeof(float));
    if (!b.x || !b.y || !b.weights || !b.out)
        return 1;
    for (size_t i = 0; i < n; i++)
        b.x[i] = (float)(0.02 * normal(1, i));
    for (size_t i = 0; i < N_COLS; i++)
        b.weights[i] = (float)exp(1.2 * normal(2, i));
    bool ok = true;
#define BENCH(t, name, n_elems)                                                                    \
    if (!b.type || strcmp(b.type, glm_type_name(GLM_TYPE_##t)) == 0)                               \
        ok = ok && bench_type(&b, GLM_TYPE_##t, NULL) && bench_type(&b, GLM_TYPE_##t, b.weights);
    GLM_FLOAT_FORMATS(BENCH)
    GLM_BLOCK_FORMATS(BENCH)
#undef BENCH
    free(b.out);
    free(b.weights);
    free(b.y);
    free(b.x);
    return ok ? 0 : 1;
}
