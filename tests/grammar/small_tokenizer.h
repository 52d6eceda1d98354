// SPDX-License-Identifier: MIT
/* A tokenizer of all bytes, some longer tokens that lie across the borders of grammars, and the tags of calls. */
#ifndef GLM_TESTS_GRAMMAR_SMALL_TOKENIZER_H
#define GLM_TESTS_GRAMMAR_SMALL_TOKENIZER_H

#include <string.h>

#include "tokenizer/build.h"

#define SMALL_N_VOCAB 384
#define SMALL_STOP 383

/** GLM_OK and the tokenizer, or what building one can fail with. */
static inline glm_status small_tokenizer(glm_tokenizer **out, glm_error *err)
{
    static const char *const tokens[] = {
        "aa",      "ab",    "abc",  "abcdefghijkl",
        "the",     "12",    "123",  "0.",
        "{\"",     "\"}",   "\":",  "\",",
        "\"a",     "a\"",   "ab\"", "ab\":",
        "\\\"",    "\\u00", "\\n",  "a\\",
        "],",      "}}",    "true", "tru",
        "[[",      "((",    "))",   ".*",
        "|b",      "::=",   "null", "---------",
        "\"a\":1", "}]}",   "(a|",  ");\"",
        "-1",      "1e5",   "e+",   "xyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzy"};
    static const char *const added[] = {"<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>",
                                        "<arg_value>", "</arg_value>", "</think>"};
    struct glm_build b;
    size_t id = 0;
    glm_status st = glm_build_init(&b, err);
    for (unsigned byte = 0, moved = 0x100; st == GLM_OK && byte < 256; byte++) {
        bool is_own = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        unsigned cp = is_own ? byte : moved++; /* its letter in the byte-level alphabet */
        char text[2] = {(char)(cp >= 0x80 ? 0xC0 | cp >> 6 : cp), (char)(0x80 | (cp & 0x3F))};
        st = glm_build_token(&b, id++, text, cp >= 0x80 ? 2 : 1, GLM_SPELLED_AS_LETTERS, err);
    }
    for (size_t i = 0; st == GLM_OK && i < sizeof tokens / sizeof *tokens; i++)
        st = glm_build_token(&b, id++, tokens[i], strlen(tokens[i]), GLM_SPELLED_AS_LETTERS, err);
    for (size_t i = 0; st == GLM_OK && i < sizeof added / sizeof *added; i++)
        st = glm_build_added(&b, id++, added[i], strlen(added[i]), false, err);
    if (st == GLM_OK) {
        b.tok->ignore_merges = true;
        st = glm_build_finish(&b, out, err);
    }
    glm_build_deinit(&b);
    return st;
}

#endif
