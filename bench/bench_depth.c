// SPDX-License-Identifier: MIT
/*
 * Decoding and prompts behind long contexts. The cache is filled with random rows and keys in the engine's own formats, so that a
 * depth of a million tokens costs seconds; what a step then does is what it does behind a real context, but for the values.
 *
 *     bench_depth MODEL [--threads N] [--kv-type T] [--index-type T] [--isa NAME] [--tokens N] [--prompt N] [--clock]
 *                 DEPTH...
 *
 * One JSON line a depth: milliseconds a token (median of --tokens, default 16), what they exceed those of the first depth by, and
 * the bound of that excess: attention's floating point operations over the FMA peak, the indexer's over the 8-bit peak, both
 * measured in this run. "to_selection_ms" is the time from a layer's begin to its selection, indexer and two small products.
 * Of one thread all times are processor times unless --clock is given; of several, the clock's.
 * "rss_anon_mib" is the process's anonymous memory, "cache_mib" the cache's share of it.
 * With --prompt N also tokens a second of a prompt of N tokens at that depth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "engine/engine_internal.h"
#include "kernels/kernels.h"

#define TOKENS_MAX 256u
#define POOL_BYTES ((size_t)1 << 20)
#define PIECE 4096u

typedef struct bench {
    glm_model *model;
    glm_model_info info;
    glm_engine *engine;
    glm_session *session;
    float *logits;
    unsigned char *rows,
        *keys;    /* [POOL_BYTES + a row] random values as stored; Q8 without scales */
    int32_t *ids; /* [n_ids] random */
    uint32_t n_ids, n_tokens, n_prompt;
    bool has_clock;                    /* times are the clock's, of one thread too */
    double fma_peak, int8_peak;        /* operations a second, all threads */
    double first_ms;                   /* a token at the first depth */
    uint64_t last_ns, to_selection_ns; /* of the tapped tokens */
} bench;

/* Processor time of a lone thread, which others on the machine do not lengthen; else the clock. */
static uint64_t now_ns(const bench *b)
{
    struct timespec t;
    clock_gettime(b->engine->info.n_threads == 1 && !b->has_clock ? CLOCK_PROCESS_CPUTIME_ID
                                                                  : CLOCK_MONOTONIC,
                  &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK) {
        fprintf(stderr, "bench_depth: %s\n", err->text);
        exit(1);
    }
}

static void *need(size_t n)
{
    void *p = malloc(n);
    if (!p)
        must(GLM_ENOMEM, &(glm_error){.text = "no memory"});
    return p;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_value);
    return x[n / 2];
}

/* ---- Peaks: twelve sums that do not wait for each other, in the widest registers of the engine's level ---- */

#define PEAK_STEPS 4000000u

#if defined __x86_64__
#define TWELVE(op, r)                                                                              \
    op " %%" r "12, %%" r "13, %%" r "0\n" op " %%" r "12, %%" r "13, %%" r "1\n" op " %%" r       \
       "12, %%" r "13, %%" r "2\n" op " %%" r "12, %%" r "13, %%" r "3\n" op " %%" r "12, %%" r    \
       "13, %%" r "4\n" op " %%" r "12, %%" r "13, %%" r "5\n" op " %%" r "12, %%" r "13, %%" r    \
       "6\n" op " %%" r "12, %%" r "13, %%" r "7\n" op " %%" r "12, %%" r "13, %%" r "8\n" op      \
       " %%" r "12, %%" r "13, %%" r "9\n" op " %%" r "12, %%" r "13, %%" r "10\n" op " %%" r      \
       "12, %%" r "13, %%" r "11\n"
#define LOOP(body)                                                                                 \
    do {                                                                                           \
        uint64_t n = PEAK_STEPS;                                                                   \
        __asm__ volatile("vzeroall\n1:\n" body "dec %0\njnz 1b\nvzeroupper\n"                      \
                         : "+r"(n)                                                                 \
                         :                                                                         \
                         : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",   \
                           "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");                    \
    } while (0)
/* Products of AVX2: pairs to 16 bits, four to 32, a sum. */
#define MADD(d)                                                                                    \
    "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\nvpmaddwd %%ymm14, %%ymm15, %%ymm14\nvpaddd %%ymm14, "   \
    "%%ymm" d ", %%ymm" d "\n"
#endif

typedef struct peak_job {
    glm_isa isa;
    bool is_int8;
} peak_job;

static void peak_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const peak_job *job = ctx;
    (void)worker;
    (void)chunk;
#if defined __x86_64__
    if (!job->is_int8 && job->isa >= GLM_ISA_AVX512)
        LOOP(TWELVE("vfmadd231ps", "zmm"));
    else if (!job->is_int8 && job->isa == GLM_ISA_AVX2)
        LOOP(TWELVE("vfmadd231ps", "ymm"));
    else if (job->isa == GLM_ISA_AVX512VNNI)
        LOOP(TWELVE("vpdpbusd", "zmm"));
    else if (job->isa >= GLM_ISA_AVX2)
        LOOP(MADD("0") MADD("1") MADD("2") MADD("3") MADD("4") MADD("5"));
#else
    (void)job;
#endif
}

static double peak(const bench *b, bool is_int8)
{
    enum { RUNS = 5 };
    glm_isa isa;
    double rate[RUNS];
    const uint32_t n = b->engine->info.n_threads;
    if (!glm_isa_parse(b->engine->info.isa, &isa) || isa < GLM_ISA_AVX2 || isa > GLM_ISA_AVX512VNNI)
        return 0;
    const double lanes = isa >= GLM_ISA_AVX512 ? 16 : 8;
    double operations = 12 * lanes * 2;
    if (is_int8)
        operations = isa == GLM_ISA_AVX512VNNI ? 12 * 64 * 2 : 6 * 32 * 2;
    peak_job job = {isa, is_int8};
    for (int run = 0; run < RUNS; run++) {
        uint64_t begin = now_ns(b);
        glm_pool_run(b->engine->pool, peak_chunk, &job, n);
        rate[run] = operations * PEAK_STEPS * n / ((double)(now_ns(b) - begin) * 1e-9);
    }
    return median(rate, RUNS);
}

/* ---- Random contexts ---- */

static glm_kv_store store_of(glm_kv_type type)
{
    return type == GLM_KV_F32   ? GLM_KV_STORE_F32
           : type == GLM_KV_F16 ? GLM_KV_STORE_F16
           : type == GLM_KV_Q8  ? GLM_KV_STORE_Q8
                                : GLM_KV_STORE_BF16;
}

/* About normal, as stored in `type`. */
static unsigned char *make_pool(glm_kv_store type, uint64_t seed)
{
    const size_t bytes = type == GLM_KV_STORE_Q8 ? 1 : glm_kv_row_bytes(type, 1);
    const size_t n = (POOL_BYTES + 65536) / bytes;
    unsigned char *pool = need(n * bytes);
    glm_kernels k;
    glm_kernels_init(&k, GLM_ISA_SCALAR);
    for (size_t i = 0; i < n; i++) {
        float x = -2;
        for (uint64_t j = 0; j < 4; j++)
            x += (float)glm_rng_double(seed, 4 * i + j);
        int8_t q = (int8_t)(x * 50);
        if (type == GLM_KV_STORE_Q8)
            pool[i] = (unsigned char)q;
        else
            k.kv_encode(pool + i * bytes, &x, 1, type);
    }
    return pool;
}

static void fill_position(const bench *b, uint32_t layer, uint32_t p, uint64_t *seed)
{
    const glm_config *c = &b->engine->model->config;
    const glm_kv_store type = store_of(b->engine->info.kv_type);
    const glm_kv_store index_type = store_of(b->engine->info.index_type);
    const uint32_t n_row = c->kv_rank + c->d_rope, d = c->index_d_head;
    const float scale = 0.02F;
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    size_t at = (*seed >> 33) % (POOL_BYTES / 4) * 4;
    unsigned char *row = glm_kv_row(b->session->seq, layer, p);
    memcpy(row, b->rows + at, glm_kv_row_bytes(type, n_row));
    if (type == GLM_KV_STORE_Q8)
        for (size_t i = 0; i < glm_kv_blocks(n_row); i++)
            memcpy(row + glm_kv_scales_at(n_row) + i * sizeof scale, &scale, sizeof scale);
    if (!c->index_topk || !c->owns_indexer[layer])
        return;
    unsigned char *key = glm_kv_index_row(b->session->seq, layer, p);
    if (index_type != GLM_KV_STORE_Q8) {
        memcpy(key, b->keys + at, glm_kv_row_bytes(index_type, d));
        return;
    }
    for (size_t i = 0; i < glm_kv_scales_at(d); i += 4)
        memcpy(key + i * GLM_INDEX_GROUP, b->keys + at + i, 4);
    memcpy(key + glm_kv_scales_at(d) * GLM_INDEX_GROUP, &scale, sizeof scale);
}

static void fill_to(bench *b, uint32_t depth)
{
    uint64_t seed = depth + 1;
    for (uint32_t length = glm_session_length(b->session), n; length < depth; length += n) {
        glm_error err;
        n = depth - length < PIECE ? depth - length : PIECE;
        must(glm_kv_seq_reserve(b->session->seq, n, &err), &err);
        for (uint32_t layer = 0; layer < b->engine->model->config.n_layer; layer++)
            for (uint32_t p = length; p < length + n; p++)
                fill_position(b, layer, p, &seed);
        glm_kv_seq_commit(b->session->seq, n);
    }
}

/* ---- Measuring ---- */

static void step(bench *b, const int32_t *ids, uint32_t n)
{
    glm_error err;
    glm_step_item item = {.session = b->session,
                          .tokens = ids,
                          .n_tokens = n,
                          .rows = GLM_ROWS_LAST,
                          .logits = b->logits};
    must(glm_step(b->engine, &item, 1, &err), &err);
}

static void rewind_to(bench *b, uint32_t depth)
{
    glm_error err;
    must(glm_session_truncate(b->session, depth, &err), &err);
}

static void note_time(void *ctx, const glm_tap *tap)
{
    bench *b = ctx;
    uint64_t now = now_ns(b);
    if (strncmp(tap->name, "selected", 8) == 0)
        b->to_selection_ns += now - b->last_ns;
    b->last_ns = now_ns(b);
}

/* Milliseconds by the formula for one token behind `depth` others. */
static double bound_ms(const bench *b, uint32_t depth)
{
    const glm_config *c = &b->engine->model->config;
    double n_full = 0, keys = c->index_topk && depth > c->index_topk ? depth : 0;
    for (uint32_t i = 0; i < c->n_layer; i++)
        n_full += c->index_topk ? c->owns_indexer[i] != 0 : 0;
    double seen = c->index_topk && depth > c->index_topk ? c->index_topk : depth;
    double attention = 2.0 * c->n_layer * c->n_heads * (2.0 * c->kv_rank + c->d_rope) * seen;
    double indexer = n_full * c->index_n_heads * (2.0 * c->index_d_head + 2) * keys;
    return b->fma_peak > 0 ? 1e3 * (attention / b->fma_peak + indexer / b->int8_peak) : 0;
}

/* Anonymous memory of this process in MiB; 0 when it cannot be read. */
static double rss_anon_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtod(line + 8, NULL);
    if (file)
        fclose(file);
    return kib / 1024;
}

static void measure(bench *b, uint32_t depth)
{
    double ms[TOKENS_MAX], to_selection = 0, prompt = 0;
    fill_to(b, depth);
    b->fma_peak = peak(b, false);
    b->int8_peak = peak(b, true);
    for (uint32_t i = 0; i < b->n_tokens; i++) /* brings the experts of these tokens into memory */
        step(b, b->ids + i, 1);
    rewind_to(b, depth);
    for (uint32_t i = 0; i < b->n_tokens; i++) {
        uint64_t begin = now_ns(b);
        step(b, b->ids + i, 1);
        ms[i] = (double)(now_ns(b) - begin) * 1e-6;
    }
    rewind_to(b, depth);
    b->to_selection_ns = 0;
    glm_engine_set_tap(b->engine, note_time, b);
    for (uint32_t i = 0; i < b->n_tokens; i++) {
        b->last_ns = now_ns(b);
        step(b, b->ids + i, 1);
    }
    glm_engine_set_tap(b->engine, NULL, NULL);
    to_selection = (double)b->to_selection_ns * 1e-6 / b->n_tokens;
    rewind_to(b, depth);
    if (b->n_prompt) {
        step(b, b->ids, b->n_prompt);
        rewind_to(b, depth);
        uint64_t begin = now_ns(b);
        step(b, b->ids, b->n_prompt);
        prompt = b->n_prompt / ((double)(now_ns(b) - begin) * 1e-9);
        rewind_to(b, depth);
    }
    static const char *const types[] = {"f32", "f16", "bf16", "q8"};
    const double middle = median(ms, b->n_tokens);
    if (b->first_ms == 0)
        b->first_ms = middle;
    printf("{\"case\":\"depth\",\"isa\":\"%s\",\"threads\":%u,\"kv_type\":\"%s\",\"index_type\":\"%"
           "s\","
           "\"depth\":%u,\"ms\":{\"median\":%.3f,\"min\":%.3f,\"max\":%.3f},\"tok_s\":%.2f,"
           "\"extra_ms\":%.3f,\"bound_ms\":%.3f,\"extra_over_bound\":%.2f,\"to_selection_ms\":%.3f,"
           "\"fma_gops\":%.0f,\"int8_gops\":%.0f,\"rss_anon_mib\":%.1f,\"cache_mib\":%.1f",
           b->engine->info.isa, b->engine->info.n_threads, types[b->engine->info.kv_type],
           types[b->engine->info.index_type], depth, middle, ms[0], ms[b->n_tokens - 1],
           1e3 / middle, middle - b->first_ms, bound_ms(b, depth),
           bound_ms(b, depth) > 0 ? (middle - b->first_ms) / bound_ms(b, depth) : 0, to_selection,
           b->fma_peak * 1e-9, b->int8_peak * 1e-9, rss_anon_mib(),
           (double)b->engine->info.kv_bytes / 1048576 * depth / b->engine->info.n_ctx);
    if (b->n_prompt)
        printf(",\"prompt\":%u,\"prompt_tok_s\":%.2f", b->n_prompt, prompt);
    printf("}\n");
    fflush(stdout);
}

static bool parse_type(const char *text, glm_kv_type *out)
{
    static const char *const types[] = {"f32", "f16", "bf16", "q8"};
    for (int i = 0; i < 4; i++)
        if (strcmp(text, types[i]) == 0) {
            *out = (glm_kv_type)i;
            return true;
        }
    return false;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench_depth MODEL [--threads N] [--kv-type T] [--index-type T] [--isa NAME] "
            "[--tokens 1..256] [--prompt N] [--clock] DEPTH...\n");
    return 2;
}

static void open_bench(bench *b, const char *path, glm_engine_params *params)
{
    glm_error err;
    glm_model_params mp = glm_model_params_default();
    must(glm_model_open(&b->model, path, &mp, &err), &err);
    glm_model_get_info(b->model, &b->info);
    must(glm_engine_create(&b->engine, b->model, params, &err), &err);
    must(glm_session_open(&b->session, b->engine, &err), &err);
    b->logits = need(b->info.n_vocab * sizeof(float));
    b->rows = make_pool(store_of(b->engine->info.kv_type), 1);
    b->keys = make_pool(store_of(b->engine->info.index_type), 2);
    b->n_ids = b->n_prompt + TOKENS_MAX;
    b->ids = need(b->n_ids * sizeof *b->ids);
    for (uint32_t i = 0; i < b->n_ids; i++)
        b->ids[i] = (int32_t)(glm_rng_u64(3, i) % b->info.n_vocab);
}

static void close_bench(bench *b)
{
    glm_session_close(b->session);
    glm_engine_destroy(b->engine);
    glm_model_close(b->model);
    free(b->logits);
    free(b->rows);
    free(b->keys);
    free(b->ids);
}

int main(int argc, char **argv)
{
    bench b = {.n_tokens = 16};
    glm_engine_params params = glm_engine_params_default();
    uint32_t depth[64], n_depth = 0;
    for (int i = 2; i < argc; i++) {
        bool has_value = i + 1 < argc, is_option = strncmp(argv[i], "--", 2) == 0;
        if (!is_option && n_depth < 64)
            depth[n_depth++] = (uint32_t)strtoul(argv[i], NULL, 10);
        else if (strcmp(argv[i], "--clock") == 0)
            b.has_clock = true;
        else if (has_value && strcmp(argv[i], "--threads") == 0)
            params.n_threads = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (has_value && strcmp(argv[i], "--tokens") == 0)
            b.n_tokens = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (has_value && strcmp(argv[i], "--prompt") == 0)
            b.n_prompt = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (has_value && strcmp(argv[i], "--isa") == 0)
            params.isa = argv[++i];
        else if (!has_value || (strcmp(argv[i], "--kv-type") == 0
                                    ? !parse_type(argv[++i], &params.kv_type)
                                    : strcmp(argv[i], "--index-type") != 0 ||
                                          !parse_type(argv[++i], &params.index_type)))
            return usage();
    }
    if (argc < 2 || n_depth == 0 || b.n_tokens < 1 || b.n_tokens > TOKENS_MAX ||
        b.n_prompt > 1u << 16)
        return usage();
    for (uint32_t i = 0; i < n_depth; i++) {
        uint32_t n = depth[i] + TOKENS_MAX + b.n_prompt + 8;
        params.n_ctx = n > params.n_ctx ? n : params.n_ctx;
    }
    open_bench(&b, argv[1], &params);
    for (uint32_t i = 0; i < n_depth; i++)
        measure(&b, depth[i]);
    close_bench(&b);
    return 0;
}
