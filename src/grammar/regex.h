// SPDX-License-Identifier: MIT
/* Regular expressions as pieces of a program (the syntax: glm_grammar_compile_regex). Private to the folder. */
#ifndef GLM_GRAMMAR_REGEX_H
#define GLM_GRAMMAR_REGEX_H

#include "core/str.h"
#include "grammar/program.h"

enum glm_regex_mode {
    GLM_REGEX_WHOLE, /* the text matches from end to end */
    /* The expression is found somewhere in the text: anywhere unless "^" and "$" at the ends of a top-level
     * alternative say where (JSON Schema, "pattern"). */
    GLM_REGEX_SEARCH,
    GLM_REGEX_JSON_SEARCH, /* the same inside a JSON string, characters spelled as there */
};

/**
 * Write the expression so that `next` follows it; *start is the place where it begins. A program that fails
 * for its size is no error here (glm_prog_finish says it).
 *
 * Errors: GLM_EARG (damaged), GLM_EUNSUPP, GLM_ELIMIT (nesting), GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_regex_write(glm_prog *p, uint32_t *start, glm_text regex,
                                          enum glm_regex_mode mode, uint32_t next, glm_error *err);

#endif
