// SPDX-License-Identifier: MIT
#include "core/stop_text.h"

#include <string.h>

/* How much of the end of `text` is the beginning of a stop string that is not complete. */
static size_t open_length(const glm_stop_text *stop, const char *text, size_t length)
{
    size_t longest = 0;
    for (size_t i = 0; i < stop->n_stops; i++) {
        size_t n = strlen(stop->stops[i]) - 1;
        if (n > length)
            n = length;
        for (; n > longest; n--)
            if (memcmp(text + length - n, stop->stops[i], n) == 0) {
                longest = n;
                break;
            }
    }
    return longest;
}

/* Where the first complete stop string begins, or `length`. */
static size_t find_stop(glm_stop_text *stop, const char *text, size_t length)
{
    size_t first = length;
    for (size_t i = 0; i < stop->n_stops; i++) {
        const char *at = memmem(text, length, stop->stops[i], strlen(stop->stops[i]));
        if (at && (size_t)(at - text) < first) {
            first = (size_t)(at - text);
            stop->stop_index = i;
        }
    }
    return first;
}

void glm_stop_text_feed(glm_stop_text *stop, const char *text, size_t length, glm_stop_text_fn *fn,
                        void *ctx)
{
    if (stop->has_stopped)
        return;
    if (stop->n_stops == 0) {
        fn(ctx, text, length);
        return;
    }
    glm_str *held = &stop->held;
    glm_str_append(held, text, length);
    if (held->has_failed)
        return; /* the owner looks at held.has_failed at the end */
    size_t end = find_stop(stop, held->data, held->length);
    if (end < held->length)
        stop->has_stopped = true;
    else
        end = held->length - open_length(stop, held->data, held->length);
    if (end > 0)
        fn(ctx, held->data, end);
    memmove(held->data, held->data + end, held->length - end);
    glm_str_truncate(held, stop->has_stopped ? 0 : held->length - end);
}

void glm_stop_text_end(glm_stop_text *stop, glm_stop_text_fn *fn, void *ctx)
{
    if (!stop->has_stopped && stop->held.length > 0)
        fn(ctx, stop->held.data, stop->held.length);
    glm_str_deinit(&stop->held);
}
