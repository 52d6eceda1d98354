// SPDX-License-Identifier: MIT
/*
 * Tokens as a trie of their bytes, in one array in depth-first order: a walk goes up the array and, where a
 * byte is refused, jumps over all that begins so. Private to the folder.
 */
#ifndef GLM_GRAMMAR_TRIE_H
#define GLM_GRAMMAR_TRIE_H

#include "tokenizer/tokenizer.h"

typedef struct glm_trie_node {
    int32_t id;     /* the token that ends here, or -1 */
    uint32_t skip;  /* the next node that does not begin with this one */
    uint16_t depth; /* 0: first byte of a token */
    uint8_t byte;
} glm_trie_node;

typedef struct glm_trie {
    glm_trie_node *nodes; /* [n] */
    size_t n;
} glm_trie;

/**
 * Build from the ordinary tokens in `order` whose bit is set in `only` (NULL: all). False: no memory; *trie is as it was.
 */
GLM_MUST_CHECK bool glm_trie_init(glm_trie *trie, const glm_tokenizer *tok,
                                  const struct glm_token_order *order, const uint64_t *only);
void glm_trie_deinit(glm_trie *trie);

#endif
