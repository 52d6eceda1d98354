// SPDX-License-Identifier: MIT
/* grammar: any bytes as a GBNF grammar. */
#include "grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    glm_grammar *g = NULL;
    glm_error err = {0};
    glm_status st = glm_grammar_compile_gbnf(&g, (glm_text){(const char *)data, size}, &err);
    must_hold(g, st, &err, size);
    return 0;
}
