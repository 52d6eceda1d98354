// SPDX-License-Identifier: MIT
/* What a compiled grammar is, for the compilers and the matcher. */
#ifndef GLM_GRAMMAR_GRAMMAR_INTERNAL_H
#define GLM_GRAMMAR_GRAMMAR_INTERNAL_H

#include "grammar/grammar.h"
#include "grammar/program.h"
#include "grammar/text_table.h"

struct glm_grammar {
    glm_prog prog;                  /* finished, once glm_grammar_finish has passed it */
    glm_str ignored;                /* keywords without effect, apart by commas */
    const glm_grammar_vocab *vocab; /* of the tables; NULL: none were made */
    glm_text_table *tables;         /* [prog.n_texts], of own texts */
};

/** Close g's program and hand it out; on failure, or when st is one, destroy it. */
GLM_MUST_CHECK glm_status glm_grammar_finish(glm_grammar **out, glm_grammar *g, glm_status st,
                                             glm_error *err);

/** The calls of tools as a piece of g's program, to the end of the rule: its start to *start. */
GLM_MUST_CHECK glm_status glm_tools_write(glm_grammar *g, const glm_grammar_tools *tools,
                                          uint32_t *start, glm_error *err);

#endif
