// SPDX-License-Identifier: MIT
/*
 * Matrix products against the machine's limits, one JSON line a result:
 *
 *     bench_kernels [--isa NAME] [--mib N] [--repeats N] [--type NAME]
 *
 * "read": bytes a second one thread reads from a buffer of N MiB. "row_vector": a matrix of that size times one row, and its share
 * of the read rate of the same repetition. "gemm": 512 tokens times 256 rows, and its share of OpenBLAS's sgemm (one
 * thread) of the same repetition, where it was built with it. "q_row_vector", "q_gemm": the same for a block format in integers
 * (activations already quantised), the latter for 16 tokens too; operations are two a multiply-add. Times are of the thread's own clock; medians of the
 * repetitions with the least and the greatest.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"

#ifdef GLM_HAS_OPENBLAS
#include <cblas.h>
#endif

enum { REPEATS_MAX = 99, N_COLS = 6144, N_TOK = 512, N_OUT = 256 };

typedef struct bench {
    glm_kernels k;
    size_t size_bytes;
    int n_repeats;
    unsigned char *weights;
    float *x, *out, *scratch;
    void *acts; /* x in integers */
    const char *only;
} bench;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void print_spread(const char *name, double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    printf(", \"%s\": %.4g, \"%s_min\": %.4g, \"%s_max\": %.4g", name, v[n / 2], name, v[0], name,
           v[n - 1]);
}

/* Bytes a second of adding up the buffer in 8 chains of 64 bits. */
static double read_rate(const bench *b)
{
    const uint64_t *p = (const void *)b->weights;
    size_t n = b->size_bytes / 64 * 8;
    uint64_t sum[8] = {0};
    double start = seconds();
    for (size_t i = 0; i < n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sum[j] += p[i + j];
    double took = seconds() - start;
    volatile uint64_t keep = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
    (void)keep;
    return (double)(n * 8) / took;
}

static glm_mat matrix(const bench *b, glm_type type, uint32_t n_rows)
{
    const glm_type_info *info = glm_type_get(type);
    size_t row_bytes = (size_t)N_COLS / info->n_elems * info->n_bytes;
    if (n_rows == 0)
        n_rows = (uint32_t)(b->size_bytes / row_bytes);
    return (glm_mat){.type = type,
                     .n_rows = n_rows,
                     .n_cols = N_COLS,
                     .row_stride_bytes = row_bytes,
                     .data = b->weights,
                     .tensor_scale = 1};
}

static void row_vector(const bench *b, glm_type type)
{
    double rate[REPEATS_MAX], limit[REPEATS_MAX], share[REPEATS_MAX];
    glm_mat w = matrix(b, type, 0);
    size_t bytes = w.n_rows * w.row_stride_bytes;
    for (int i = 0; i < b->n_repeats; i++) {
        limit[i] = read_rate(b);
        double start = seconds();
        b->k.matmul(b->out, w.n_rows, &w, 0, w.n_rows, b->x, N_COLS, 1, b->scratch);
        rate[i] = (double)bytes / (seconds() - start);
        share[i] = rate[i] / limit[i];
    }
    printf("{\"bench\": \"row_vector\", \"isa\": \"%s\", \"type\": \"%s\", \"bytes\": %zu",
           glm_isa_name(b->k.isa), glm_type_name(type), bytes);
    print_spread("bytes_per_s", rate, b->n_repeats);
    print_spread("read_bytes_per_s", limit, b->n_repeats);
    print_spread("share_of_read", share, b->n_repeats);
    printf("}\n");
}

#ifdef GLM_HAS_OPENBLAS
enum { HAS_BLAS = 1 };
#else
enum { HAS_BLAS = 0 };
#endif

static double blas_seconds(const bench *b, const float *w, uint32_t n_cols)
{
#ifdef GLM_HAS_OPENBLAS
    double start = seconds();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N_TOK, N_OUT, (int)n_cols, 1, b->x,
                (int)n_cols, w, (int)n_cols, 0, b->out, N_OUT);
    return seconds() - start;
#else
    (void)b, (void)w, (void)n_cols;
    return 0;
#endif
}

static void gemm(const bench *b, glm_type type, uint32_t n_cols)
{
    double rate[REPEATS_MAX], share[REPEATS_MAX], flop = 2.0 * N_TOK * N_OUT * n_cols;
    glm_mat w = matrix(b, type, N_OUT);
    w.n_cols = n_cols;
    w.row_stride_bytes = (size_t)n_cols / glm_type_get(type)->n_elems * glm_type_get(type)->n_bytes;
    const float *dense = (const void *)b->weights;
    for (int i = 0; i < b->n_repeats; i++) {
        double blas = blas_seconds(b, dense, n_cols), start = seconds();
        b->k.matmul(b->out, N_OUT, &w, 0, N_OUT, b->x, n_cols, N_TOK, b->scratch);
        double took = seconds() - start;
        rate[i] = flop / took;
        share[i] = blas / took;
    }
    printf("{\"bench\": \"gemm\", \"isa\": \"%s\", \"type\": \"%s\", \"n_tok\": %d, \"n_rows\": "
           "%d, \"n_cols\": %u",
           glm_isa_name(b->k.isa), glm_type_name(type), N_TOK, N_OUT, n_cols);
    print_spread("flop_per_s", rate, b->n_repeats);
    if (HAS_BLAS)
        print_spread("share_of_openblas", share, b->n_repeats);
    printf("}\n");
}

/* ---- Integers ---- */

static glm_act_rows quantized(const bench *b, glm_type type, uint32_t n_tok)
{
    size_t stride = glm_act_row_bytes(N_COLS);
    for (uint32_t t = 0; t < n_tok; t++)
        b->k.act_quantize((char *)b->acts + t * stride, b->x + (size_t)t * N_COLS, N_COLS,
                          glm_act_layout_of(type));
    return (glm_act_rows){b->acts, stride, NULL, n_tok};
}

static void q_row_vector(const bench *b, glm_type type)
{
    double rate[REPEATS_MAX], limit[REPEATS_MAX], share[REPEATS_MAX];
    glm_mat w = matrix(b, type, 0);
    glm_act_rows x = quantized(b, type, 1);
    size_t bytes = w.n_rows * w.row_stride_bytes;
    for (int i = 0; i < b->n_repeats; i++) {
        limit[i] = read_rate(b);
        double start = seconds();
        b->k.qmatmul(b->out, w.n_rows, &w, 0, w.n_rows, &x, b->scratch);
        rate[i] = (double)bytes / (seconds() - start);
        share[i] = rate[i] / limit[i];
    }
    printf("{\"bench\": \"q_row_vector\", \"isa\": \"%s\", \"type\": \"%s\", \"bytes\": %zu",
           glm_isa_name(b->k.isa), glm_type_name(type), bytes);
    print_spread("bytes_per_s", rate, b->n_repeats);
    print_spread("read_bytes_per_s", limit, b->n_repeats);
    print_spread("share_of_read", share, b->n_repeats);
    printf("}\n");
}

static void q_gemm(const bench *b, glm_type type, uint32_t n_tok)
{
    double rate[REPEATS_MAX];
    glm_mat w = matrix(b, type, N_OUT);
    glm_act_rows x = quantized(b, type, n_tok);
    for (int i = 0; i < b->n_repeats; i++) {
        double start = seconds();
        b->k.qmatmul(b->out, N_OUT, &w, 0, N_OUT, &x, b->scratch);
        rate[i] = 2.0 * n_tok * N_OUT * N_COLS / (seconds() - start);
    }
    printf("{\"bench\": \"q_gemm\", \"isa\": \"%s\", \"type\": \"%s\", \"n_tok\": %u, "
           "\"n_rows\": %d, \"n_cols\": %d",
           glm_isa_name(b->k.isa), glm_type_name(type), n_tok, N_OUT, N_COLS);
    print_spread("op_per_s", rate, b->n_repeats);
    printf("}\n");
}

static bool is_wanted(const bench *b, glm_type type)
{
    return !b->only || strcmp(b->only, glm_type_name(type)) == 0;
}

static void run_integers(const bench *b)
{
    for (uint32_t i = 0; i < 64; i++) {
        glm_type type = (glm_type)i;
        if (glm_act_layout_of(type) == GLM_ACT_NONE || !is_wanted(b, type))
            continue;
        q_row_vector(b, type);
        q_gemm(b, type, 16);
        q_gemm(b, type, N_TOK);
    }
}

static int run(bench *b)
{
    static const glm_type types[] = {GLM_TYPE_F32, GLM_TYPE_BF16, GLM_TYPE_F16, GLM_TYPE_F8_E4M3};
    size_t n_out = b->size_bytes / (N_COLS / 256 * 50); /* the smallest type */
    if (n_out < (size_t)N_TOK * N_OUT)
        n_out = (size_t)N_TOK * N_OUT;
    b->weights = malloc(b->size_bytes);
    b->x = malloc((size_t)N_TOK * N_COLS * sizeof(float));
    b->out = malloc(n_out * sizeof(float));
    b->scratch = aligned_alloc(64, glm_matmul_scratch_floats(N_COLS) * sizeof(float));
    b->acts = aligned_alloc(64, glm_act_row_bytes(N_COLS) * N_TOK);
    if (!b->weights || !b->x || !b->out || !b->scratch || !b->acts) {
        fprintf(stderr, "bench_kernels: not enough memory\n");
        return 1;
    }
    memset(b->weights, 0x3c, b->size_bytes);
    for (size_t i = 0; i < (size_t)N_TOK * N_COLS; i++)
        b->x[i] = (float)(i * 7919 % 1000) * 1e-3F - 0.5F;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (is_wanted(b, types[i]))
            row_vector(b, types[i]);
    static const uint32_t widths[] = {2048, 4096, 6144};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 3; j++)
            if (is_wanted(b, types[i]))
                gemm(b, types[i], widths[j]);
    run_integers(b);
    return 0;
}

int main(int argc, char **argv)
{
    bench b = {.size_bytes = (size_t)256 << 20, .n_repeats = 5};
    glm_isa isa = glm_kernels_best_isa();
    for (int i = 1; i < argc; i += 2) {
        unsigned long n = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
        if (i + 1 < argc && strcmp(argv[i], "--isa") == 0 && glm_isa_parse(argv[i + 1], &isa) &&
            glm_isa_is_usable(isa))
            continue;
        if (strcmp(argv[i], "--mib") == 0 && n >= 16 && n <= 65536)
            b.size_bytes = (size_t)n << 20;
        else if (strcmp(argv[i], "--repeats") == 0 && n >= 1 && n <= REPEATS_MAX)
            b.n_repeats = (int)n;
        else if (i + 1 < argc && strcmp(argv[i], "--type") == 0)
            b.only = argv[i + 1];
        else {
            fprintf(stderr, "usage: bench_kernels [--isa NAME] [--mib 16..] [--repeats 1..99] "
                            "[--type NAME]\n");
            return 2;
        }
    }
#ifdef GLM_HAS_OPENBLAS
    openblas_set_num_threads(1);
#else
    fprintf(stderr, "bench_kernels: built without OpenBLAS, so without its figures\n");
#endif
    glm_kernels_init(&b.k, isa);
    int code = run(&b);
    free(b.weights);
    free(b.x);
    free(b.out);
    free(b.scratch);
    free(b.acts);
    return code;
}
