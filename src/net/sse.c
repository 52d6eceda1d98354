// SPDX-License-Identifier: MIT
#include "net/sse.h"

void glm_sse_event(glm_str *out, const char *name, glm_text data)
{
    if (name) {
        glm_str_append_c(out, "event: ");
        glm_str_append_c(out, name);
        glm_str_append_c(out, "\n");
    }
    glm_str_append_c(out, "data: ");
    glm_str_append_text(out, data);
    glm_str_append_c(out, "\n\n");
}

void glm_sse_comment(glm_str *out, const char *text)
{
    glm_str_append_c(out, ": ");
    glm_str_append_c(out, text);
    glm_str_append_c(out, "\n\n");
}
