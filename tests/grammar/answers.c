// SPDX-License-Identifier: MIT
/*
 * Answers under schemas, for tests/grammar/suite.py. A JSON line in, {"schema": ..., "texts": [...]}; a JSON line out:
 * {"error": "..."} or {"ignored": "...", "answers": [random answers], "accepts": [for each text]}.
 *
 *     answers TOKENIZER_FOLDER strict|loose
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/json_write.h"
#include "walk.h"

#define N_WALKS 8
#define LINE_MAX_BYTES ((size_t)1 << 20)

static uint64_t mask[(WALK_N_VOCAB + 63) / 64];

static glm_status walk(const glm_tokenizer *tok, glm_matcher *m, uint64_t *seed, glm_str *text,
                       glm_error *err)
{
    glm_status st = glm_matcher_reset(m, err);
    glm_str_clear(text);
    for (size_t step = 0; st == GLM_OK && step < WALK_MAX; step++) {
        st = glm_matcher_mask(m, mask, err);
        int32_t id = st == GLM_OK ? walk_choose(tok, mask, step, seed) : -1;
        if (st == GLM_OK && id < 0)
            return glm_fail(err, GLM_EUNSUPP, "no token may follow");
        if (st == GLM_OK)
            st = glm_matcher_advance(m, id, err);
        if (st != GLM_OK || id == WALK_STOP)
            return st;
        size_t size;
        const char *bytes = glm_tok_bytes(tok, id, &size);
        glm_str_append(text, bytes, size);
    }
    return st == GLM_OK ? glm_fail(err, GLM_ELIMIT, "no end") : st;
}

static bool accepts(const glm_tokenizer *tok, glm_matcher *m, const glm_json *text)
{
    glm_error err;
    bool goes = glm_matcher_reset(m, &err) == GLM_OK;
    for (size_t i = 0; i < text->length && goes; i++)
        goes = glm_matcher_advance(m, glm_tok_find_bytes(tok, text->text + i, 1), &err) == GLM_OK;
    return goes && glm_matcher_is_complete(m);
}

static glm_status answer(const glm_tokenizer *tok, const glm_grammar_vocab *vocab,
                         const glm_json *line, bool is_strict, glm_json_writer *w, glm_error *err)
{
    glm_grammar *g = NULL;
    glm_matcher *m = NULL;
    glm_str schema = {0}, text = {0};
    uint64_t seed = 7;
    glm_json_spell(&schema, glm_json_get(line, "schema"));
    glm_status st = glm_grammar_compile_schema(&g, schema.data, schema.length, is_strict, err);
    if (st == GLM_OK)
        st = glm_grammar_bind(g, vocab, err);
    if (st == GLM_OK)
        st = glm_matcher_create(&m, g, vocab, err);
    if (st == GLM_OK) {
        glm_json_write_key(w, "ignored");
        glm_json_write_c(w, glm_grammar_ignored(g));
        glm_json_write_key(w, "accepts");
        glm_json_begin_array(w);
        for (const glm_json *t = glm_json_get(line, "texts")->first; t; t = t->next)
            glm_json_write_bool(w, accepts(tok, m, t));
        glm_json_end_array(w);
        glm_json_write_key(w, "answers");
        glm_json_begin_array(w);
        for (int i = 0; st == GLM_OK && i < N_WALKS; i++) {
            st = walk(tok, m, &seed, &text, err);
            if (st == GLM_OK)
                glm_json_write_text(w, glm_str_text(&text));
        }
        glm_json_end_array(w);
    }
    glm_matcher_destroy(m);
    glm_grammar_destroy(g);
    glm_str_deinit(&schema);
    glm_str_deinit(&text);
    return st;
}

static glm_status answer_lines(const glm_tokenizer *tok, bool is_strict, glm_error *err)
{
    static const int32_t stops[] = {WALK_STOP};
    glm_grammar_vocab *vocab = NULL;
    char *line = malloc(LINE_MAX_BYTES);
    glm_status st = line ? glm_grammar_vocab_create(&vocab, tok, WALK_N_VOCAB, stops, 1, err)
                         : glm_fail(err, GLM_ENOMEM, "a line");
    while (st == GLM_OK && fgets(line, (int)LINE_MAX_BYTES, stdin)) {
        glm_arena arena;
        const glm_json *json;
        glm_str out = {0};
        glm_json_writer w = glm_json_writer_of(&out);
        glm_arena_init(&arena, (size_t)64 << 20);
        st = glm_json_read(&json, &arena, line, strlen(line), 128, err);
        if (st == GLM_OK) {
            glm_error own;
            glm_json_begin_object(&w);
            if (answer(tok, vocab, json, is_strict, &w, &own) != GLM_OK) {
                glm_json_write_key(&w, "error");
                glm_json_write_c(&w, own.text);
            }
            glm_json_end_object(&w);
            puts(out.data);
        }
        glm_str_deinit(&out);
        glm_arena_deinit(&arena);
    }
    glm_grammar_vocab_destroy(vocab);
    free(line);
    return st;
}

int main(int argc, char **argv)
{
    glm_tokenizer *tok = NULL;
    glm_error err;
    if (argc != 3) {
        fprintf(stderr, "usage: answers TOKENIZER_FOLDER strict|loose\n");
        return 2;
    }
    glm_status st = glm_tok_load_folder(&tok, argv[1], false, &err);
    if (st == GLM_OK)
        st = answer_lines(tok, strcmp(argv[2], "strict") == 0, &err);
    glm_tok_destroy(tok);
    if (st != GLM_OK)
        fprintf(stderr, "answers: %s\n", err.text);
    return st != GLM_OK;
}
