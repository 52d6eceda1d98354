// SPDX-License-Identifier: MIT
/*
 * What must hold of a grammar that compiled: masks say exactly what advancing admits, whatever way an answer takes; what
 * cannot be followed says so by a status. Shared by the targets of the grammar compilers.
 */
#ifndef GLM_FUZZ_GRAMMAR_H
#define GLM_FUZZ_GRAMMAR_H

#include <stdint.h>

#include "../tests/grammar/small_tokenizer.h"
#include "grammar/grammar.h"
#include "must.h"

#define STEPS 10

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12; /* xorshift64*, Vigna 2016 */
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

static void must_walk(const glm_grammar *g, const glm_grammar_vocab *vocab, uint64_t seed)
{
    uint64_t mask[(SMALL_N_VOCAB + 63) / 64];
    glm_matcher *m = NULL;
    glm_error err;
    bool has_ended = false;
    glm_status st = glm_matcher_create(&m, g, vocab, &err);
    for (int step = 0; st == GLM_OK && step < STEPS; step++) {
        st = glm_matcher_mask(m, mask, &err);
        int32_t chosen = -1;
        uint32_t n = 0;
        for (int32_t id = 0; st == GLM_OK && id < SMALL_N_VOCAB; id++) {
            bool is_allowed = mask[id / 64] >> id % 64 & 1;
            glm_status goes = glm_matcher_advance(m, id, &err);
            if (goes == GLM_OK)
                MUST(glm_matcher_rollback(m, 1, &err) == GLM_OK);
            if (goes == GLM_ELIMIT)
                st = goes;
            else
                MUST((goes == GLM_OK) == is_allowed);
            if (is_allowed && next_random(&seed) % ++n == 0)
                chosen = id;
        }
        if (st == GLM_OK && chosen < 0)
            MUST(has_ended); /* else a mask led to where nothing may follow */
        if (st != GLM_OK || chosen < 0)
            break;
        has_ended = chosen == SMALL_STOP;
        st = glm_matcher_advance(m, chosen, &err);
    }
    MUST(st == GLM_OK || st == GLM_ELIMIT);
    glm_matcher_destroy(m);
}

/* The grammar that a compiler made of `size` bytes, or the failure it told. */
static void must_hold(glm_grammar *g, glm_status st, const glm_error *err, size_t size)
{
    static glm_grammar_vocab *vocab; /* kept between inputs */
    static glm_tokenizer *tok;
    if (!vocab) {
        static const int32_t stops[] = {SMALL_STOP};
        glm_error own;
        MUST(small_tokenizer(&tok, &own) == GLM_OK);
        MUST(glm_grammar_vocab_create(&vocab, tok, SMALL_N_VOCAB, stops, 1, &own) == GLM_OK);
    }
    if (st != GLM_OK) {
        MUST(!g && err->status == st && err->text[0]);
        return;
    }
    glm_error own;
    if (size % 2)
        MUST(glm_grammar_bind(g, vocab, &own) == GLM_OK);
    must_walk(g, vocab, size + 1);
    glm_grammar_destroy(g);
}

#endif
