// SPDX-License-Identifier: MIT
/*
 * Stop strings in a stream of text: what may still become part of one is held back. Of several that end
 * in the same piece the one that begins first ends the text.
 */
#ifndef GLM_CORE_STOP_TEXT_H
#define GLM_CORE_STOP_TEXT_H

#include "core/str.h"

typedef struct glm_stop_text {
    const char *const *stops; /* [n_stops], not empty strings */
    size_t n_stops;
    glm_str held; /* the end of the text that may begin a stop string */
    bool has_stopped;
    size_t stop_index; /* which one, once it has */
} glm_stop_text;

/** Called with text that is certain. */
typedef void glm_stop_text_fn(void *ctx, const char *text, size_t length);

/** Take a piece of text; sets has_stopped when a stop string is complete, and ignores text after it. */
void glm_stop_text_feed(glm_stop_text *stop, const char *text, size_t length, glm_stop_text_fn *fn,
                        void *ctx);

/** The text is over: hand out what was held. */
void glm_stop_text_end(glm_stop_text *stop, glm_stop_text_fn *fn, void *ctx);

#endif
