// SPDX-License-Identifier: MIT
/*
 * Runs a GGUF through llama.cpp or ik_llama.cpp, as a yardstick; built by bench/peer.py against a copy of either, never by us.
 *
 *     peer speed MODEL THREADS UBATCH CASE...    one JSON line a case
 *         p:N    a prompt of N tokens
 *         d:N:K  K tokens one by one behind N
 *         b:S:K  S sequences at once, K tokens each
 *     peer logits MODEL THREADS OUT ID...        float32 [n_ids, n_vocab] of one sequence, cache in float32
 *
 * PEER_IK: ik_llama.cpp, with its best flags (flash attention, latent attention, sparse attention, fused experts).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llama.h"

#define BATCH 512
#define CASES_MAX 32
#define WARM_UP 1

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

static void open_peer(peer *p, const char *path, int threads, int ubatch, int n_ctx, int n_seq,
                      bool is_float)
{
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    p->model = llama_model_load_from_file(path, mp);
    must(p->model, path);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = (unsigned)(n_ctx + 255) / 256 * 256;
    cp.n_batch = BATCH;
    cp.n_ubatch = (unsigned)ubatch;
    cp.n_seq_max = (unsigned)n_seq;
    cp.n_threads = cp.n_threads_batch = threads;
#ifdef PEER_IK
    cp.flash_attn = true;
    cp.mla_attn = 3;
    cp.dsa = true;
    cp.fused_moe_up_gate = true;
    cp.fused_up_gate = true;
    cp.graph_reuse = true;
    cp.type_k = is_float ? GGML_TYPE_F16 : GGML_TYPE_Q8_0;
#else
    cp.kv_unified = true;
    if (is_float)
        cp.type_k = cp.type_v = GGML_TYPE_F32;
#endif
    p->ctx = llama_init_from_model(p->model, cp);
    must(p->ctx, "llama_init_from_model");
    p->n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(p->model));
    p->batch = llama_batch_init(BATCH, 0, 1);
    p->seed = 1;
}

static void fill(peer *p, int n)
{
    for (int i = 0; i < n; i++) {
        put(p, random_id(p), i, 0, i == n - 1);
        if (p->batch.n_tokens == BATCH || i == n - 1)
            decode(p);
    }
}

/* Tokens a second of one case. */
static double measure(peer *p, const wanted *w)
{
    clear(p);
    double start = now_s();
    if (w->kind == 'p') {
        fill(p, w->first);
        return w->first / (now_s() - start);
    }
    const int n_seq = w->kind == 'b' ? w->first : 1, depth = w->kind == 'b' ? 0 : w->first;
    fill(p, depth);
    for (int i = 0; i < WARM_UP + w->second; i++) {
        if (i == WARM_UP)
            start = now_s();
        for (int s = 0; s < n_seq; s++)
            put(p, random_id(p), depth + i, s, true);
        decode(p);
    }
    return n_seq * w->second / (now_s() - start);
}

static int speed(int n, char **argument)
{
    wanted w[CASES_MAX];
    int n_ctx = BATCH, n_seq = 1, n_cases = n - 3;
    must(n_cases > 0 && n_cases <= CASES_MAX, "reading the cases");
    for (int i = 0; i < n_cases; i++) {
        w[i] = (wanted){.text = argument[3 + i], .kind = argument[3 + i][0]};
        must(sscanf(w[i].text + 1, ":%d:%d", &w[i].first, &w[i].second) >= 1, w[i].text);
        int room =
            w[i].kind == 'b' ? w[i].first * (w[i].second + 32) : w[i].first + w[i].second + 32;
        n_ctx = room > n_ctx ? room : n_ctx;
        n_seq = w[i].kind == 'b' && w[i].first > n_seq ? w[i].first : n_seq;
    }
    peer p = {0};
    double start = now_s();
    open_peer(&p, argument[0], atoi(argument[1]), atoi(argument[2]), n_ctx, n_seq, false);
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
    open_peer(&p, argument[0], atoi(argument[1]), BATCH, BATCH, 1, true);
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
