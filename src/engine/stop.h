// SPDX-License-Identifier: MIT
/*
 * Stop strings in a stream of text. Bytes go in as they are generated; out come those that can no longer become part of a
 * stop string, so that no part of one is ever shown. The first stop string to be complete wins, the longest of those
 * that are complete at the same byte. Linear in the text (Knuth, Morris, Pratt 1977): a byte costs amortised constant
 * time for each stop string.
 *
 *     glm_stops_push(stops, bytes, n);
 *     text = glm_stops_take(stops, false, &length);   // show it
 *     if (glm_stops_hit(stops, &index)) ...           // nothing comes after it
 */
#ifndef GLM_ENGINE_STOP_H
#define GLM_ENGINE_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "glm/error.h"

#define GLM_STOPS_MAX 1024u
#define GLM_STOP_BYTES_MAX 65536u
/* Bytes that may be pushed between two calls of glm_stops_take. */
#define GLM_STOP_PUSH_MAX 8192u

typedef struct glm_stops glm_stops;

/**
 * A matcher for text[n], each not empty and valid UTF-8; n may be 0, then all text passes at once. The strings
 * are copied. Errors: GLM_EARG, GLM_ELIMIT (too many, too long), GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_stops_create(glm_stops **out, const char *const *text, size_t n,
                                           glm_error *err);
void glm_stops_destroy(glm_stops *stops);

/** Until called with true, stop strings are not looked for: text passes at once. A new matcher looks. */
void glm_stops_arm(glm_stops *stops, bool is_armed);

/** Append n bytes. What comes behind a stop string is dropped. */
void glm_stops_push(glm_stops *stops, const char *bytes, size_t n);

/**
 * The bytes that became free to show, borrowed until the next call; without `all`, what may still become part of
 * a stop string stays. After a hit: all that stood before it.
 */
const char *glm_stops_take(glm_stops *stops, bool all, size_t *length);

/** Whether a stop string was found, and which. */
bool glm_stops_hit(const glm_stops *stops, size_t *index);

#endif
