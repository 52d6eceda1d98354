// SPDX-License-Identifier: MIT
/*
 * Reading the selected rows of a decode step from the cache: rows of a layer together, or rows of the layers that share a
 * selection side by side. True GLM-5.2 widths and schedule, one thread, random selections of 2,048 positions.
 *
 * usage: bench_kv [context tokens, default 16384] [runs, default 7]
 * One JSON line a layout: median, lowest and highest GB/s of row bytes read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "model/kv.h"

#define N_LAYER 78u
#define N_ROW 576u
#define N_SEL 2048u
#define RUNS_MAX 101u

static uint8_t owners[N_LAYER];

static void make_schedule(void)
{
    for (uint32_t i = 0; i < N_LAYER; i++)
        owners[i] = (i < 3) || (i >= 2 && (i - 2) % 4 == 0);
}

/* n distinct ascending positions below n_ctx. */
static void draw(int32_t *position, uint32_t n, uint32_t n_ctx, uint64_t *seed)
{
    uint32_t taken = 0;
    for (uint32_t p = 0; p < n_ctx && taken < n; p++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        if ((*seed >> 33) % (n_ctx - p) < n - taken)
            position[taken++] = (int32_t)p;
    }
}

/* Touch every line of a row. */
static uint64_t read_row(const unsigned char *row)
{
    uint64_t sum = 0, word;
    for (uint32_t i = 0; i < N_ROW * 2; i += 8) {
        memcpy(&word, row + i, 8);
        sum += word;
    }
    return sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int bench_layout(glm_kv_layout layout, const char *name, uint32_t n_ctx, uint32_t runs)
{
    glm_kv_shape shape = {.n_layer = N_LAYER,
                          .n_row = N_ROW,
                          .d_index = 128,
                          .owns_indexer = owners,
                          .type = GLM_KV_STORE_F16,
                          .index_type = GLM_KV_STORE_F16,
                          .layout = layout,
                          .n_page = n_ctx / GLM_KV_PAGE_TOKENS + 1};
    glm_kv *kv;
    glm_kv_seq *seq;
    glm_error err;
    if (glm_kv_create(&kv, &shape, &err) != GLM_OK ||
        glm_kv_seq_create(&seq, kv, n_ctx, &err) != GLM_OK ||
        glm_kv_seq_reserve(seq, n_ctx, &err) != GLM_OK) {
        fprintf(stderr, "bench_kv: %s\n", err.text);
        return 1;
    }
    glm_kv_seq_commit(seq, n_ctx);
    for (uint32_t layer = 0; layer < N_LAYER; layer++)
        for (uint32_t p = 0; p < n_ctx; p++)
            memset(glm_kv_row(seq, layer, p), (int)(layer + p), N_ROW * 2);

    static int32_t position[N_SEL];
    static const void *row[N_SEL];
    double rate[RUNS_MAX];
    uint64_t seed = 1, sum = 0;
    for (uint32_t run = 0; run < runs + 1; run++) {
        uint64_t begin = glm_clock_ns();
        for (uint32_t layer = 0; layer < N_LAYER; layer++) {
            if (owners[layer])
                draw(position, N_SEL, n_ctx, &seed);
            glm_kv_gather(row, seq, layer, position, 0, N_SEL);
            for (uint32_t i = 0; i < N_SEL; i++)
                sum += read_row(row[i]);
        }
        double bytes = (double)N_LAYER * N_SEL * N_ROW * 2;
        if (run) /* the first warms up */
            rate[run - 1] = bytes / (double)(glm_clock_ns() - begin);
    }
    qsort(rate, runs, sizeof rate[0], by_value);
    printf("{\"bench\":\"kv_rows\",\"layout\":\"%s\",\"context\":%u,\"runs\":%u,\"gbs\":{"
           "\"median\":%.2f,"
           "\"min\":%.2f,\"max\":%.2f},\"check\":%llu}\n",
           name, n_ctx, runs, rate[runs / 2], rate[0], rate[runs - 1],
           (unsigned long long)(sum & 1));
    glm_kv_seq_destroy(seq);
    glm_kv_destroy(kv);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long n_ctx = argc > 1 ? strtoul(argv[1], NULL, 10) : 16384;
    unsigned long runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 7;
    if (n_ctx < N_SEL || n_ctx > 1u << 20 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench_kv [context %u..1048576] [runs 1..%u]\n", N_SEL, RUNS_MAX);
        return 2;
    }
    make_schedule();
    int failed = bench_layout(GLM_KV_BY_LAYER, "by_layer", (uint32_t)n_ctx, (uint32_t)runs);
    return failed ? failed
                  : bench_layout(GLM_KV_BY_GROUP, "by_group", (uint32_t)n_ctx, (uint32_t)runs);
}
