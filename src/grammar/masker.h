// SPDX-License-Identifier: MIT
/*
 * Masks of states. What can follow a state is the union of what can follow its threads. Threads at a text take their
 * inner tokens from the text's table and walk only the tails of its leaving tokens, from where the text is left;
 * threads at the name of an object's further member do the same; the others walk the trie of all tokens, of which
 * they refuse most at the first byte.
 *
 * The table tells what a greedy reading of units gives, so it serves only where what follows the text begins with
 * other bytes than its units do; else such a thread walks the whole trie. Private to the folder.
 */
#ifndef GLM_GRAMMAR_MASKER_H
#define GLM_GRAMMAR_MASKER_H

#include "grammar/automaton.h"
#include "grammar/vocab.h"

typedef struct glm_masker {
    const glm_grammar *grammar;
    const glm_grammar_vocab *vocab;
    glm_automaton automaton;
    uint32_t *walk;   /* [GLM_TOKEN_BYTES_MAX + 1] states by depth */
    glm_thread *core; /* [thread_capacity] threads of the state at work that no table helps */
    glm_thread
        *others; /* [thread_capacity] threads of a state within a text that are not in the text */
    size_t thread_capacity;
} glm_masker;

/** Prepare for a grammar and a vocabulary, which are borrowed. deinit accepts what failed. Error: GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_masker_init(glm_masker *k, const glm_grammar *grammar,
                                          const glm_grammar_vocab *vocab);
void glm_masker_deinit(glm_masker *k);

/** The tokens that can come in `state` into mask [n_words]; false with automaton.status set. */
GLM_MUST_CHECK bool glm_masker_mask(glm_masker *k, uint32_t state, uint64_t *mask);

#endif
