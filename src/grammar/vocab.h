// SPDX-License-Identifier: MIT
/*
 * A vocabulary as grammars see it: the trie of its ordinary tokens, the tables of the texts that many grammars
 * share, and the tags of tool calls, which are tokens of their own and stand in a program as bytes that no UTF-8
 * has. Private to the folder.
 */
#ifndef GLM_GRAMMAR_VOCAB_H
#define GLM_GRAMMAR_VOCAB_H

#include "grammar/grammar.h"
#include "grammar/program.h"
#include "grammar/text_table.h"
#include "grammar/trie.h"

/* Tags by their order here; tag t is byte GLM_TAG_BYTE + t. */
enum glm_tag {
    GLM_TAG_CALL,
    GLM_TAG_CALL_END,
    GLM_TAG_KEY,
    GLM_TAG_KEY_END,
    GLM_TAG_VALUE,
    GLM_TAG_VALUE_END,
    GLM_TAGS,
};
#define GLM_TAG_BYTE 0xF8

struct glm_grammar_vocab {
    const glm_tokenizer *tok;
    size_t n_vocab, n_words;
    glm_trie all;   /* but tokens with bytes that are tags */
    glm_trie names; /* characters of a JSON string without escapes, perhaps none, then a quote */
    glm_text_table tables[GLM_TEXT_STANDARD];
    int32_t tags[GLM_TAGS]; /* -1: the tokenizer lacks it */
    int32_t stops[GLM_GRAMMAR_STOPS_MAX];
    size_t n_stops;
};

/** The text of a standard kind, made when `p` has none yet. */
uint32_t glm_standard_text(glm_prog *p, enum glm_text_kind kind);

/** True when no byte of token `id` is a tag; ids that are no ordinary tokens give false. */
bool glm_vocab_has(const glm_grammar_vocab *vocab, int32_t id, const char **bytes, size_t *size);

#endif
