// SPDX-License-Identifier: MIT
/*
 * Constrained output: which tokens may come next so that the whole answer matches a grammar. A grammar is
 * compiled from a regular expression, a list of choices or a JSON Schema; a matcher walks one over the answer and gives a
 * bit mask of the vocabulary for each step. Bytes decide, never token boundaries: a token is allowed when its
 * bytes can follow, whatever they straddle.
 *
 *     glm_grammar_vocab_create(&vocab, tok, n_vocab, stops, n_stops, &err);   once a model
 *     glm_grammar_compile_regex(&grammar, text, &err);                        once a request
 *     glm_grammar_bind(grammar, vocab, &err);
 *     glm_matcher_create(&m, grammar, vocab, &err);                           once a sequence
 *     while (...) {
 *         glm_matcher_mask(m, mask, &err);           sample among the set bits
 *         glm_matcher_advance(m, id, &err);          a stop id ends it
 *     }
 *
 * Drafted tokens are checked by advancing over them and rolling back those not kept. Nothing is looked ahead
 * beyond one token: a mask may be empty only when the grammar itself has no way on (a class with no member).
 *
 * The matcher runs the grammar's program with all its stacks at once and remembers each set of stacks as the
 * state of an automaton that is built as it is needed; masks are kept by state. Memory of both is bounded;
 * when it is full the automaton is dropped and built anew from the states still in use.
 *
 * A vocabulary and a grammar never change once made and may be shared by threads; a matcher belongs to one
 * thread at a time. Used by engine and chat.
 */
#ifndef GLM_GRAMMAR_GRAMMAR_H
#define GLM_GRAMMAR_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"
#include "glm/error.h"
#include "tokenizer/tokenizer.h"

#define GLM_GRAMMAR_SOURCE_MAX ((size_t)256 << 10) /* bytes of a grammar's source */
#define GLM_GRAMMAR_TOOLS_MAX ((size_t)4 << 20)    /* bytes of a list of tools */
#define GLM_GRAMMAR_NESTING_MAX 64                 /* of groups in its source */
#define GLM_GRAMMAR_ROLLBACK_MAX 64                /* tokens that can be taken back */
#define GLM_GRAMMAR_STOPS_MAX 16                   /* stop ids of a vocabulary */

/* ---- The vocabulary ---- */

/** The ordinary tokens of a tokenizer as tries of their bytes. */
typedef struct glm_grammar_vocab glm_grammar_vocab;

/**
 * Build the tries. Added tokens are never allowed by a mask, except the stop ids where the grammar may end.
 *
 * @param n_vocab  width of the logits, at least glm_tok_n_ids; ids beyond the tokenizer are never allowed
 * @param stops    [n_stops], at most GLM_GRAMMAR_STOPS_MAX, each below n_vocab
 * Nothing of tok is kept but the pointer: it must outlive the vocabulary. The caller owns *out.
 * Errors: GLM_EARG, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_grammar_vocab_create(glm_grammar_vocab **out,
                                                   const glm_tokenizer *tok, size_t n_vocab,
                                                   const int32_t *stops, size_t n_stops,
                                                   glm_error *err);
void glm_grammar_vocab_destroy(glm_grammar_vocab *vocab);

/** 64-bit words of a mask: n_vocab / 64, rounded up. */
size_t glm_grammar_mask_words(const glm_grammar_vocab *vocab);

/* ---- Grammars ---- */

typedef struct glm_grammar glm_grammar;

/**
 * The whole answer matches the regular expression: literals, ".", classes, "\d \w \s" and their opposites,
 * groups, alternatives, "* + ? {m} {m,} {m,n}" (a lazy "?" behind them changes nothing), "\xHH \uHHHH" and
 * the usual escapes. "^" and "$" are allowed at the ends and change nothing. "." is any code point but a
 * newline; "\w \d \s" are those of ASCII.
 *
 * Errors: GLM_EARG (damaged; says where), GLM_EUNSUPP (back-references, look-around, \b, \p, inner anchors;
 * the text names it), GLM_ELIMIT, GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_grammar_compile_regex(glm_grammar **out, glm_text regex,
                                                    glm_error *err);

/** The answer is one of `choices` (n of them, at least 1), to the byte. Errors: GLM_EARG, GLM_ELIMIT, GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_grammar_compile_choice(glm_grammar **out, const glm_text *choices,
                                                     size_t n, glm_error *err);

/** The answer is one JSON object (grammar/json_rules.h says how it may be written). Error: GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_grammar_compile_json_object(glm_grammar **out, glm_error *err);

/**
 * The answer is JSON that the schema admits. Followed: type (and lists), enum, const, properties, required,
 * additionalProperties, items, prefixItems, min/maxItems up to 1000, min/maxLength up to 4096, pattern, format
 * (date, time, date-time, uuid, ipv4), bounds of integers, anyOf, oneOf (as anyOf), allOf, local $ref, nullable.
 * Properties come in the order of the schema, those not declared behind them and without escapes in their
 * names. Where "type" is missing, properties or required mean an object, items an array.
 *
 * Bounds that are not followed make the grammar a superset; glm_grammar_ignored names them, and the answer is
 * for a validator to check.
 *
 * @param is_strict  further properties are refused unless additionalProperties allows them, and keywords
 *                   that are not followed are GLM_EUNSUPP
 * Errors: GLM_EFORMAT (no JSON), GLM_EARG (no schema), GLM_EUNSUPP (names the keyword; a remote $ref always),
 * GLM_ELIMIT (source, nesting, size), GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_grammar_compile_schema(glm_grammar **out, const char *schema,
                                                     size_t size, bool is_strict, glm_error *err);

/**
 * The answer matches rule "root" of a grammar in GBNF (docs/constraints.md). Errors: GLM_EARG (damaged, a rule that is
 * not there; says the line), GLM_EUNSUPP (left recursion), GLM_ELIMIT, GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_grammar_compile_gbnf(glm_grammar **out, glm_text source,
                                                   glm_error *err);

/** Tools that may be called. */
typedef struct glm_grammar_tools {
    glm_text json; /* a list as "tools" of a request, in the shape of any of the public APIs */
    const glm_text *only; /* [n_only] the names that may be called; n_only 0: all */
    size_t n_only;
    bool is_single; /* one call, not several */
} glm_grammar_tools;

/**
 * The answer is calls of the tools, from the first tag to the last (grammar/tools.c). Arguments follow the schema of
 * functions that say "strict": true; those whose schema cannot be followed are named by glm_grammar_ignored.
 *
 * Errors: GLM_EFORMAT (no JSON), GLM_EARG (no list of tools; none may be called), GLM_ELIMIT, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_grammar_compile_tools(glm_grammar **out,
                                                    const glm_grammar_tools *tools, glm_error *err);

/**
 * Before the grammar is bound: the answer may also be calls of the tools, alone or behind what it was. Errors as above; then
 * *g is good for destroy only.
 */
GLM_MUST_CHECK glm_status glm_grammar_add_tools(glm_grammar *g, const glm_grammar_tools *tools,
                                                glm_error *err);

/** The keywords that had no effect, apart by commas; empty when all had. Borrowed from the grammar. */
const char *glm_grammar_ignored(const glm_grammar *grammar);

/**
 * Make the tables of the grammar's character classes for a vocabulary, which must outlive the grammar: a few milliseconds
 * a class. Without them masks are the same but may take milliseconds. To be called before the grammar is shared.
 * Error: GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_grammar_bind(glm_grammar *grammar, const glm_grammar_vocab *vocab,
                                           glm_error *err);

void glm_grammar_destroy(glm_grammar *grammar);

/* ---- Matching ---- */

typedef struct glm_matcher glm_matcher;

/** A matcher at the start; it borrows both. Errors: GLM_ENOMEM, GLM_ELIMIT. The caller owns *out. */
GLM_MUST_CHECK glm_status glm_matcher_create(glm_matcher **out, const glm_grammar *grammar,
                                             const glm_grammar_vocab *vocab, glm_error *err);
void glm_matcher_destroy(glm_matcher *m);

/** Back to the start; what is warm stays so. Errors: GLM_ENOMEM, GLM_ELIMIT; then nothing changed. */
GLM_MUST_CHECK glm_status glm_matcher_reset(glm_matcher *m, glm_error *err);

/**
 * The tokens that may come next: bit id % 64 of word id / 64.
 *
 * @param mask  [glm_grammar_mask_words]; all zero once a stop id was taken
 * Errors: GLM_ENOMEM, GLM_ELIMIT (the grammar is so ambiguous that its stacks exceed their bound).
 */
GLM_MUST_CHECK glm_status glm_matcher_mask(glm_matcher *m, uint64_t *mask, glm_error *err);

/** Take a token. Errors: GLM_EARG (not allowed here; nothing changed), GLM_ENOMEM, GLM_ELIMIT. */
GLM_MUST_CHECK glm_status glm_matcher_advance(glm_matcher *m, int32_t id, glm_error *err);

/** Take back the last n tokens. Error: GLM_EARG: more than were taken or than GLM_GRAMMAR_ROLLBACK_MAX. */
GLM_MUST_CHECK glm_status glm_matcher_rollback(glm_matcher *m, size_t n, glm_error *err);

/** True when the answer so far is whole: a stop id may come, or has. */
bool glm_matcher_is_complete(const glm_matcher *m);

#endif
