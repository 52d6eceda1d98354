// SPDX-License-Identifier: MIT
/*
 * What a text (grammar/program.h) means for every token of a vocabulary, so that a run of its units needs no walk.
 * A token that begins with at least one unit is of one of two kinds:
 *
 *   - inner: units to its end, the last perhaps begun only; it needs `units` units (the begun one included);
 *   - leaving: units, then bytes that are no unit: its tail. Leaving tokens are kept as a trie of their tails.
 *
 * Units are prefix-free, so both are what a greedy reading gives. Private to the folder.
 */
#ifndef GLM_GRAMMAR_TEXT_TABLE_H
#define GLM_GRAMMAR_TEXT_TABLE_H

#include "grammar/grammar.h"
#include "grammar/program.h"

#define GLM_TEXT_SETS 16 /* sets of inner tokens by number of units */
#define GLM_TEXT_NEAR 40 /* units up to which counted texts are followed */

typedef struct glm_text_token {
    int32_t id;
    uint32_t units;
} glm_text_token;

/* A point of a tail; `skip` as in grammar/trie.h. */
typedef struct glm_tail_node {
    uint32_t skip;
    uint32_t first, n; /* tokens whose tail ends here: leaving[first..], by units */
    uint16_t depth;
    uint8_t byte;
} glm_tail_node;

typedef struct glm_text_table {
    uint64_t *inner;               /* [n_words] all inner tokens */
    uint64_t *sets[GLM_TEXT_SETS]; /* [n_words] inner tokens of at most i + 1 units */
    glm_text_token *longer;        /* [n_longer] inner tokens of more than GLM_TEXT_SETS units */
    size_t n_longer;
    int32_t *far; /* [n_far] tokens of both kinds of more than GLM_TEXT_NEAR units */
    size_t n_far;
    glm_text_token *leaving; /* [n_leaving] */
    size_t n_leaving;
    glm_tail_node *tails; /* [n_tails] */
    size_t n_tails;
    uint8_t first[32]; /* bit set: bytes that begin a unit */
    uint8_t left[32];  /* the bytes that a tail may begin with */
    uint32_t most;     /* units of the longest inner token */
} glm_text_table;

/**
 * Read the tokens of `vocab`, whose trie `all` exists, with the units of rule `rule` of `prog`, which is finished.
 *
 * @param left  only tails that begin with one of these bytes are kept (a set of 256 bits); NULL: all
 * Errors: GLM_ENOMEM. deinit accepts what failed.
 */
GLM_MUST_CHECK glm_status glm_text_table_init(glm_text_table *t, const glm_grammar_vocab *vocab,
                                              const glm_prog *prog, uint32_t rule,
                                              const uint8_t left[32]);
void glm_text_table_deinit(glm_text_table *t);

/** OR the inner tokens of at most `units` units into `mask`; UINT32_MAX: all. */
void glm_text_table_inner(const glm_text_table *t, size_t n_words, uint32_t units, uint64_t *mask);

#endif
