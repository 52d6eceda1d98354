// SPDX-License-Identifier: MIT
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One buffer for everything: inputs, outputs and scratch of shapes of GLM-5.2's widths. */
enum {
    N_HEADS = 64,
    N_ROW = 576,
    N_VALUE = 512,
    N_SEL = 512,
    N_COLS = 6144,
    N_ROWS = 512,
    N_TOK = 64
};

typedef struct state {
    const glm_kernels *k;
    float *x, *out, *scratch;
    unsigned char *data;
    const void *row[N_SEL];
    glm_attn_rows rows, rows_q8;
    glm_type type;
    uint32_t n_tok;
} state;

static glm_mat mat(const state *s)
{
    const glm_type_info *info = glm_type_get(s->type);
    return (glm_mat){.type = s->type,
                     .n_rows = N_ROWS,
                     .n_cols = N_COLS,
                     .row_stride_bytes = (size_t)N_COLS / info->n_elems * info->n_bytes,
                     .data = s->data,
                     .tensor_scale = 1};
}

static void run_matmul(state *s)
{
    glm_mat w = mat(s);
    s->k->matmul(s->out, N_ROWS, &w, 0, N_ROWS, s->x, N_COLS, s->n_tok, s->scratch);
}

static void run_row_sum(state *s)
{
    glm_mat w = mat(s);
    s->k->row_sum(s->out, N_COLS, &w, 0, N_COLS, s->x, N_ROWS, s->n_tok, s->scratch);
}

static void run_decode_row(state *s)
{
    glm_mat w = mat(s);
    for (uint32_t r = 0; r < N_ROWS; r++)
        s->k->decode_row(s->out, &w, r);
}

static void run_rmsnorm(state *s)
{
    s->k->rmsnorm(s->out, s->x, s->x, N_COLS, 1e-5F);
}

static void run_layernorm(state *s)
{
    s->k->layernorm(s->out, s->x, s->x, s->x, N_COLS, 1e-6F);
}

static void run_rope(state *s)
{
    s->k->rope(s->out, s->x, s->x + 32, 32);
}

static void run_silu_mul(state *s)
{
    s->k->silu_mul(s->out, s->x, s->x, N_COLS);
}

static void run_sigmoid(state *s)
{
    s->k->sigmoid(s->out, s->x, N_COLS);
}

static void run_add(state *s)
{
    s->k->add(s->out, s->x, N_COLS);
}

static void run_axpy(state *s)
{
    s->k->axpy(s->out, 1, s->x, N_COLS);
}

static void run_kv_encode(state *s)
{
    s->k->kv_encode(s->out, s->x, N_COLS, GLM_KV_STORE_F16);
}

static void run_attn_scores(state *s)
{
    s->k->attn_scores(s->out, N_SEL, s->x, N_HEADS, &s->rows, 0, N_SEL, 0.1F, s->scratch);
}

static void run_attn_scores_q8(state *s)
{
    s->k->attn_scores_q8(s->out, N_SEL, s->data, N_ROW + 32, N_HEADS, &s->rows_q8, 0, N_SEL, 0.1F,
                         s->scratch);
}

static void run_attn_sum_q8(state *s)
{
    s->k->attn_sum_q8(s->out, s->x, N_SEL, s->x, N_HEADS, &s->rows_q8, s->scratch);
}

static void run_softmax(state *s)
{
    memcpy(s->out, s->x, N_COLS * sizeof(float));
    s->k->softmax(s->out, N_COLS);
}

static void run_attn_sum(state *s)
{
    s->k->attn_sum(s->out, s->x, N_SEL, s->x, N_HEADS, &s->rows, s->scratch);
}

static void run_index_scores(state *s)
{
    s->k->index_scores(s->out, s->x, s->x, 32, 128, s->data, 256, 4096, GLM_KV_STORE_F16,
                       s->scratch);
}

static void run_index_scores_q8(state *s)
{
    glm_index_query query = glm_index_query_at(s->x, s->x, 32, 128);
    s->k->index_scores_q8(s->out, &query, s->data, 4096, s->data);
}

static void run_hadamard(state *s)
{
    s->k->hadamard(s->x, 128);
}

static void run_topk(state *s)
{
    s->k->topk((int32_t *)(void *)s->out, 2048, s->x, 131072, (uint32_t *)(void *)s->data);
}

/* Of this thread, so that a busy machine costs little. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The best of calls that fill 50 ms. */
static double best_of(state *s, void (*fn)(state *))
{
    double best = 1e9, end = seconds() + 0.05;
    int n = 0;
    do {
        double start = seconds();
        fn(s);
        double took = seconds() - start;
        best = took < best ? took : best;
    } while (++n < 3 || seconds() < end);
    return best;
}

static void one(state *s, const char *only, const char *family, const char *slot, const char *shape,
                void (*fn)(state *), double flop, double bytes)
{
    if (only && strcmp(only, family) != 0 && strcmp(only, slot) != 0)
        return;
    double took = best_of(s, fn);
    printf("%-7s %-12s %-28s %10.2f us", glm_isa_name(s->k->isa), slot, shape, took * 1e6);
    if (flop > 0)
        printf(" %8.2f Gflop/s", flop / took * 1e-9);
    if (bytes > 0)
        printf(" %8.2f GB/s", bytes / took * 1e-9);
    printf("\n");
}

static void bench_matrices(state *s, const char *only)
{
    static const glm_type types[] = {GLM_TYPE_F32,     GLM_TYPE_BF16, GLM_TYPE_F16,
                                     GLM_TYPE_F8_E4M3, GLM_TYPE_Q8_0, GLM_TYPE_Q4_0,
                                     GLM_TYPE_Q4_K,    GLM_TYPE_Q6_K, GLM_TYPE_IQ2_XXS};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char shape[64];
        s->type = types[i];
        glm_mat w = mat(s);
        double bytes = (double)w.row_stride_bytes * N_ROWS, flop = 2.0 * N_ROWS * N_COLS;
        snprintf(shape, sizeof shape, "%s [512, 6144]", glm_type_name(types[i]));
        one(s, only, "matmul", "decode_row", shape, run_decode_row, 0, bytes);
        static const uint32_t n_toks[] = {1, 4, N_TOK};
        for (size_t j = 0; j < 3; j++) {
            s->n_tok = n_toks[j];
            snprintf(shape, sizeof shape, "%s [512, 6144] x %u", glm_type_name(types[i]), s->n_tok);
            one(s, only, "matmul", "matmul", shape, run_matmul, flop * s->n_tok, bytes);
            one(s, only, "matmul", "row_sum", shape, run_row_sum, flop * s->n_tok, bytes);
        }
    }
}

static size_t scratch_floats(void)
{
    size_t matmul = glm_matmul_scratch_floats(N_COLS), attention = glm_attn_scratch_floats(N_ROW);
    return glm_align_size(matmul > attention ? matmul : attention, 16);
}

void chk_bench(glm_isa isa, const char *only)
{
    glm_kernels k;
    glm_kernels_init(&k, isa);
    size_t n = (size_t)N_TOK * N_COLS;
    state s = {.k = &k,
               .x = aligned_alloc(64, n * sizeof(float)),
               .out = aligned_alloc(64, n * sizeof(float)),
               .scratch = aligned_alloc(64, scratch_floats() * sizeof(float)),
               .data = aligned_alloc(64, (size_t)N_ROWS * N_COLS * sizeof(float))};
    if (s.x && s.out && s.scratch && s.data) {
        for (size_t i = 0; i < n; i++)
            s.x[i] = s.out[i] = (float)(i * 7919 % 1000 + 1) * 1e-3F;
        memset(s.data, 0x11, (size_t)N_ROWS * N_COLS * sizeof(float));
        for (size_t i = 0; i < N_SEL; i++)
            s.row[i] = s.data + i * 7 % N_SEL * N_ROW * 2;
        s.rows = (glm_attn_rows){s.row, N_SEL, N_ROW, N_VALUE, GLM_KV_STORE_F16};
        s.rows_q8 = (glm_attn_rows){s.row, N_SEL, N_ROW, N_VALUE, GLM_KV_STORE_Q8};
        bench_matrices(&s, only);
        one(&s, only, "norm", "rmsnorm", "6144", run_rmsnorm, 0, N_COLS * 12);
        one(&s, only, "norm", "layernorm", "6144", run_layernorm, 0, N_COLS * 16);
        one(&s, only, "norm", "rope", "32 pairs", run_rope, 0, 0);
        one(&s, only, "elementwise", "silu_mul", "6144", run_silu_mul, 0, N_COLS * 12);
        one(&s, only, "elementwise", "sigmoid", "6144", run_sigmoid, 0, N_COLS * 8);
        one(&s, only, "elementwise", "add", "6144", run_add, 0, N_COLS * 12);
        one(&s, only, "elementwise", "axpy", "6144", run_axpy, 0, N_COLS * 12);
        one(&s, only, "attention", "kv_encode", "6144 f16", run_kv_encode, 0, N_COLS * 6);
        one(&s, only, "attention", "attn_scores", "64 heads x 576 x 512 f16", run_attn_scores,
            2.0 * N_HEADS * N_ROW * N_SEL, 0);
        one(&s, only, "attention", "attn_scores_q8", "64 heads x 576 x 512 q8", run_attn_scores_q8,
            2.0 * N_HEADS * N_ROW * N_SEL, 0);
        one(&s, only, "attention", "attn_sum_q8", "64 heads x 512 x 512 q8", run_attn_sum_q8,
            2.0 * N_HEADS * N_VALUE * N_SEL, 0);
        one(&s, only, "attention", "softmax", "6144", run_softmax, 0, N_COLS * 8);
        one(&s, only, "attention", "attn_sum", "64 heads x 512 x 512 f16", run_attn_sum,
            2.0 * N_HEADS * N_VALUE * N_SEL, 0);
        one(&s, only, "indexer", "index_scores", "32 heads x 128 x 4096 f16", run_index_scores,
            2.0 * 32 * 128 * 4096, 0);
        one(&s, only, "indexer", "index_scores_q8", "32 heads x 128 x 4096 q8", run_index_scores_q8,
            2.0 * 32 * 128 * 4096, 0);
        one(&s, only, "indexer", "hadamard", "128", run_hadamard, 7 * 128, 0);
        one(&s, only, "indexer", "topk", "2048 of 131072", run_topk, 0, 131072 * 4);
    }
    free(s.x);
    free(s.out);
    free(s.scratch);
    free(s.data);
}
