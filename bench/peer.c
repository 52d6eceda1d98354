// SPDX-License-Identifier: MIT
/*
 * Runs a GGUF through llama.cpp or ik_llama.cpp, as a yardstick; built by bench/peer.py against a copy of either, never by us.
 *
 *     peer speed MODEL THREADS UBATCH CASE...    one JSON line a case
 *         p:N:D  a prompt of N tokens behind D others
 *         d:D:K  K tokens one by one behind D; D and what follows the last colon may be left out as 0
 *         b:S:K  S sequences at once, K tokens each
 *     peer logits MODEL THREADS OUT ID...        float32 [n_ids, n_vocab] of one sequence, cache in float32
 *
 * Each case runs twice with the same tokens and the second time counts. PEER_IK: ik_llama.cpp, with its best flags (flash attention,
 * latent attention, sparse attention, fused experts, 8-bit cache; its other way of latent attention when all cases are prompts with
 * a depth). There the cache before a depth is made of 512 real rows in random order, with other low bits in 16-bit index keys,
 * through its saved states; else a depth is filled by prompts.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llama.h"

#define BATCH 512
#define CASES_MAX 32

typedef struct wanted {
    const char *text;
    char kind;
    int first, second;
} wanted;

typedef struct peer {
    struct llama_model *model;
    struct llama_context *ctx;
    struct llama_batch batch;
    int n_vocab;
    unsigned seed;
} peer;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(bool is_fine, const char *what)
{
    if (!is_fine) {
        fprintf(stderr, "peer: %s failed\n", what);
        exit(1);
    }
}

static void only_errors(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)ctx;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

static int random_id(peer *p)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return (int)((p->seed >> 8) % (unsigned)p->n_vocab);
}

static void put(peer *p, int id, int position, int sequence, bool has_output)
{
    struct llama_batch *b = &p->batch;
    int i = b->n_tokens++;
    b->token[i] = id;
    b->pos[i] = position;
    b->n_seq_id[i] = 1;
    b->seq_id[i][0] = sequence;
    b->logits[i] = has_output;
}

static void decode(peer *p)
{
    must(llama_decode(p->ctx, p->batch) == 0, "llama_decode");
    llama_synchronize(p->ctx);
    p->batch.n_tokens = 0;
}

static void clear(peer *p)
{
#ifdef PEER_IK
    llama_kv_cache_clear(p->ctx);
#else
    llama_memory_clear(llama_get_memory(p->ctx), true);
#endif
}

/* What a context is opened for. */
typedef struct needs {
    int threads, ubatch, n_ctx, n_seq;
    bool is_float;       /* cache without 8-bit rows */
    bool is_deep_prompt; /* prompts with a depth only */
} needs;

static void open_peer(peer *p, const char *path, const needs *need)
{
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    p->model = llama_model_load_from_file(path, mp);
    must(p->model, path);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = (unsigned)(need->n_ctx + 255) / 256 * 256;
    cp.n_batch = BATCH;
    cp.n_ubatch = (unsigned)need->ubatch;
    cp.n_seq_max = (unsigned)need->n_seq;
    cp.n_threads = cp.n_threads_batch = need->threads;
#ifdef PEER_IK
    cp.flash_attn = true;
    cp.mla_attn = need->is_deep_prompt ? 1 : 3;
    cp.dsa = true;
    cp.fused_moe_up_gate = true;
    cp.fused_up_gate = true;
    cp.graph_reuse = true;
    cp.type_k = need->is_float ? GGML_TYPE_F16 : GGML_TYPE_Q8_0;
#else
    cp.kv_unified = true;
    if (need->is_float)
        cp.type_k = cp.type_v = GGML_TYPE_F32;
#endif
    p->ctx = llama_init_from_model(p->model, cp);
    must(p->ctx, "llama_init_from_model");
    p->n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(p->model));
    p->batch = llama_batch_init(BATCH, 0, 1);
    p->seed = 1;
}

/* Random tokens of the first sequence at positions from..from + n. */
static void fill(peer *p, int from, int n)
{
    for (int i = 0; i < n; i++) {
        put(p, random_id(p), from + i, 0, i == n - 1);
        if (p->batch.n_tokens == BATCH || i == n - 1)
            decode(p);
    }
}

static void cut(peer *p, int length)
{
#ifdef PEER_IK
    must(llama_kv_cache_seq_rm(p->ctx, -1, length, -1), "llama_kv_cache_seq_rm");
#else
    must(llama_memory_seq_rm(llama_get_memory(p->ctx), -1, length, -1), "llama_memory_seq_rm");
#endif
}

#ifdef PEER_IK
/* A saved sequence (src/llama.cpp, llama_data_write, state version 4): u32 cells, (i32 position, u32 0) a cell, u32 kind of values,
 * u32 layers, (i32 type, u64 row bytes, rows) a layer, u32 0, u32 has index keys, (i32 type, u64 row bytes, rows) a full layer. */
typedef struct growing {
    peer *p;
    const uint8_t *from, *end;
    uint8_t *to;
    int n;
} growing;

static void copy(growing *g, size_t n)
{
    must(n <= (size_t)(g->end - g->from), "reading a saved sequence");
    memcpy(g->to, g->from, n);
    g->from += n;
    g->to += n;
}

static void grow_rows(growing *g, bool is_key)
{
    int32_t type;
    uint64_t row;
    memcpy(&type, g->from, sizeof type);
    memcpy(&row, g->from + sizeof type, sizeof row);
    copy(g, sizeof type + sizeof row);
    must(row * BATCH <= (size_t)(g->end - g->from), "reading a layer of a saved sequence");
    for (int i = 0; i < g->n; i++, g->to += row) {
        memcpy(g->to, g->from + (size_t)(random_id(g->p) % BATCH) * row, row);
        for (uint64_t k = 0; is_key && type == GGML_TYPE_F16 && k < row; k += 2)
            g->to[k] ^= (uint8_t)(random_id(g->p) & 15);
    }
    g->from += row * BATCH;
}

/* A sequence of n cells out of BATCH. */
static void grow(peer *p, int n)
{
    fill(p, 0, BATCH);
    const size_t n_bytes = llama_state_seq_get_size(p->ctx, 0, 0);
    uint8_t *small = malloc(n_bytes), *large = malloc(n_bytes * ((size_t)n / BATCH + 1));
    must(small && large, "memory for a saved sequence");
    must(llama_state_seq_get_data(p->ctx, small, n_bytes, 0, 0) == n_bytes, "saving a sequence");
    growing g = {p, small, small + n_bytes, large, n};
    uint32_t head[2], n_layer, has_keys;
    memcpy(head, g.from, 4);
    must(head[0] == BATCH, "a saved sequence without gaps");
    g.from += 4 + 8 * BATCH;
    memcpy(g.to, &n, 4);
    g.to += 4;
    for (int i = 0; i < n; i++, g.to += 8)
        memcpy(g.to, (int32_t[]){i, 0}, 8);
    copy(&g, 8);
    memcpy(head, g.to - 8, 8);
    must(head[0] == 2, "a saved sequence without values");
    n_layer = head[1];
    for (uint32_t i = 0; i < n_layer; i++)
        grow_rows(&g, false);
    copy(&g, 8);
    memcpy(&has_keys, g.to - 4, 4);
    while (has_keys && g.from < g.end)
        grow_rows(&g, true);
    clear(p);
    must(llama_state_seq_set_data(p->ctx, large, (size_t)(g.to - large), 0, 0) > 0,
         "loading a saved sequence");
    free(small);
    free(large);
}
#else
static void grow(peer *p, int n)
{
    fill(p, 0, n);
}
#endif

/* Seconds of one pass. */
static double pass(peer *p, const wanted *w, int depth)
{
    const double start = now_s();
    if (w->kind == 'p')
        fill(p, depth, w->first);
    for (int i = 0; w->kind != 'p' && i < w->second; i++) {
        for (int s = 0; s < (w->kind == 'b' ? w->first : 1); s++)
            put(p, random_id(p), depth + i, s, true);
        decode(p);
    }
    return now_s() - start;
}

/* Tokens a second of one case. */
static double measure(peer *p, const wanted *w)
{
    const int depth = w->kind == 'd' ? w->first : w->kind == 'p' ? w->second : 0;
    clear(p);
    if (depth > 0)
        grow(p, depth);
    const unsigned seed = p->seed;
    pass(p, w, depth);
    cut(p, depth);
    p->seed = seed;
    const double seconds = pass(p, w, depth);
    return (w->kind == 'p'   ? w->first
            : w->kind == 'b' ? w->first * w->second
                             : w->second) /
           seconds;
}

static int speed(int n, char **argument)
{
    wanted w[CASES_MAX];
    needs need = {.threads = atoi(argument[1]),
                  .ubatch = atoi(argument[2]),
                  .n_ctx = BATCH,
                  .n_seq = 1,
                  .is_deep_prompt = true};
    int n_cases = n - 3;
    must(n_cases > 0 && n_cases <= CASES_MAX, "reading the cases");
    for (int i = 0; i < n_cases; i++) {
        w[i] = (wanted){.text = argument[3 + i], .kind = argument[3 + i][0]};
        must(sscanf(w[i].text + 1, ":%d:%d", &w[i].first, &w[i].second) >= 1, w[i].text);
        int room =
            w[i].kind == 'b' ? w[i].first * (w[i].second + 32) : w[i].first + w[i].second + 32;
        need.n_ctx = room > need.n_ctx ? room : need.n_ctx;
        need.n_seq = w[i].kind == 'b' && w[i].first > need.n_seq ? w[i].first : need.n_seq;
        need.is_deep_prompt &= w[i].kind == 'p' && w[i].second > 0;
    }
    peer p = {0};
    double start = now_s();
    open_peer(&p, argument[0], &need);
    printf("{\"case\": \"load\", \"seconds\": %.4f}\n", now_s() - start);
    put(&p, 1, 0, 0, true);
    decode(&p);
    for (int i = 0; i < n_cases; i++) {
        printf("{\"case\": \"%s\", \"tok_s\": %.3f}\n", w[i].text, measure(&p, &w[i]));
        fflush(stdout);
    }
    llama_free(p.ctx);
    return 0;
}

static int logits(int n, char **argument)
{
    peer p = {0};
    const int n_ids = n - 3;
    must(n_ids > 0 && n_ids <= BATCH, "reading the ids");
    open_peer(&p, argument[0],
              &(needs){.threads = atoi(argument[1]),
                       .ubatch = BATCH,
                       .n_ctx = BATCH,
                       .n_seq = 1,
                       .is_float = true});
    FILE *out = fopen(argument[2], "wb");
    must(out, argument[2]);
    for (int i = 0; i < n_ids; i++)
        put(&p, atoi(argument[3 + i]), i, 0, true);
    decode(&p);
    for (int i = 0; i < n_ids; i++)
        must(fwrite(llama_get_logits_ith(p.ctx, i), sizeof(float), (size_t)p.n_vocab, out) ==
                 (size_t)p.n_vocab,
             argument[2]);
    must(fclose(out) == 0, argument[2]);
    llama_free(p.ctx);
    return 0;
}

int main(int argc, char **argv)
{
    llama_log_set(only_errors, NULL);
    llama_backend_init();
    if (argc >= 6 && strcmp(argv[1], "speed") == 0)
        return speed(argc - 2, argv + 2);
    if (argc >= 6 && strcmp(argv[1], "logits") == 0)
        return logits(argc - 2, argv + 2);
    fprintf(stderr,
            "usage: peer speed MODEL THREADS UBATCH CASE... | logits MODEL THREADS OUT ID...\n");
    return 2;
}
