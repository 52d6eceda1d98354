// SPDX-License-Identifier: MIT
/* grammar: any bytes as a JSON Schema (first byte even: strict), or behind a byte of 't' as a list of tools. */
#include "grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    glm_grammar *g = NULL;
    glm_error err = {0};
    glm_status st;
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] == 't') {
        glm_grammar_tools tools = {.json = {text, size - 1}, .is_single = size % 3 == 0};
        st = glm_grammar_compile_tools(&g, &tools, &err);
    } else {
        st = glm_grammar_compile_schema(&g, text, size - 1, data[0] % 2 == 0, &err);
    }
    must_hold(g, st, &err, size);
    return 0;
}
