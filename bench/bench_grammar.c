// SPDX-License-Identifier: MIT
/*
 * Time of a mask on random answers under it: percentiles over all steps, the longest compile (tables included), and
 * the time to prepare the vocabulary once a model, one JSON line
 * with 1 answer a fresh matcher and one with 20, which find more masks kept.
 *
 *     bench_grammar TOKENIZER_FOLDER SCHEMAS.jsonl     (tests/data/grammar/schemas.jsonl)
 */
#include <stdio.h>
#include <stdlib.h>

#include "../tests/grammar/walk.h"
#include "core/clock.h"
#include "grammar/grammar.h"

#define STEPS_MAX ((size_t)1 << 18)
#define LINE_MAX_BYTES 65536

static uint64_t mask[(WALK_N_VOCAB + 63) / 64];
static uint64_t times[STEPS_MAX];
static size_t n_times;

static int compare(const void *va, const void *vb)
{
    const uint64_t *a = va, *b = vb;
    return *a < *b ? -1 : *a > *b;
}

static glm_status walk(const glm_tokenizer *tok, glm_matcher *m, uint64_t *seed, glm_error *err)
{
    glm_status st = glm_matcher_reset(m, err);
    int32_t id = 0;
    for (size_t step = 0; st == GLM_OK && id >= 0 && id != WALK_STOP && step < WALK_MAX; step++) {
        uint64_t start = glm_clock_ns();
        st = glm_matcher_mask(m, mask, err);
        if (n_times < STEPS_MAX)
            times[n_times++] = glm_clock_ns() - start;
        id = walk_choose(tok, mask, step, seed);
        if (st == GLM_OK && id >= 0)
            st = glm_matcher_advance(m, id, err);
    }
    return st;
}

static glm_status bench(const glm_tokenizer *tok, FILE *schemas, int n_walks, uint64_t *compile_max,
                        uint64_t *vocab_ns, glm_error *err)
{
    static const int32_t stops[] = {WALK_STOP};
    static char line[LINE_MAX_BYTES];
    glm_grammar_vocab *vocab = NULL;
    uint64_t seed = 1;
    uint64_t begin = glm_clock_ns();
    glm_status st = glm_grammar_vocab_create(&vocab, tok, WALK_N_VOCAB, stops, 1, err);
    *vocab_ns = glm_clock_ns() - begin;
    while (st == GLM_OK && fgets(line, sizeof line, schemas)) {
        glm_grammar *g = NULL;
        glm_matcher *m = NULL;
        uint64_t start = glm_clock_ns();
        st = glm_grammar_compile_schema(&g, line, strlen(line), true, err);
        if (st == GLM_OK)
            st = glm_grammar_bind(g, vocab, err);
        uint64_t took = glm_clock_ns() - start;
        *compile_max = took > *compile_max ? took : *compile_max;
        if (st == GLM_OK)
            st = glm_matcher_create(&m, g, vocab, err);
        for (int i = 0; st == GLM_OK && i < n_walks; i++)
            st = walk(tok, m, &seed, err);
        glm_matcher_destroy(m);
        glm_grammar_destroy(g);
    }
    glm_grammar_vocab_destroy(vocab);
    return st;
}

static void report(int n_walks, uint64_t compile_max, uint64_t vocab_ns)
{
    qsort(times, n_times, sizeof *times, compare);
    printf(
        "{\"bench\":\"grammar_mask\",\"answers\":%d,\"steps\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
        "\"max_us\":%.1f,\"compile_max_us\":%.1f,\"vocab_ms\":%.1f}\n",
        n_walks, n_times, (double)times[n_times / 2] / 1e3, (double)times[n_times * 99 / 100] / 1e3,
        (double)times[n_times - 1] / 1e3, (double)compile_max / 1e3, (double)vocab_ns / 1e6);
}

int main(int argc, char **argv)
{
    glm_tokenizer *tok = NULL;
    glm_error err;
    FILE *schemas = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!schemas) {
        fprintf(stderr, "usage: bench_grammar TOKENIZER_FOLDER SCHEMAS.jsonl\n");
        return 2;
    }
    glm_status st = glm_tok_load_folder(&tok, argv[1], false, &err);
    static const int n_walks[] = {1, 20};
    for (size_t i = 0; st == GLM_OK && i < sizeof n_walks / sizeof *n_walks; i++) {
        uint64_t compile_max = 0, vocab_ns = 0;
        n_times = 0;
        rewind(schemas);
        st = bench(tok, schemas, n_walks[i], &compile_max, &vocab_ns, &err);
        if (st == GLM_OK && n_times > 0)
            report(n_walks[i], compile_max, vocab_ns);
    }
    glm_tok_destroy(tok);
    fclose(schemas);
    if (st != GLM_OK) {
        fprintf(stderr, "bench_grammar: %s\n", err.text);
        return 1;
    }
    return 0;
}
