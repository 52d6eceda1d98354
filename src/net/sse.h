// SPDX-License-Identifier: MIT
/* Server-sent events: frames around lines of JSON. Source: WHATWG HTML, 9.2. */
#ifndef GLM_NET_SSE_H
#define GLM_NET_SSE_H

#include "core/str.h"

/** Append one event; `name` may be NULL. `data` holds no line ends (JSON on one line). */
void glm_sse_event(glm_str *out, const char *name, glm_text data);

/** Append a comment, which readers skip. */
void glm_sse_comment(glm_str *out, const char *text);

#endif
