// SPDX-License-Identifier: MIT
/*
 * The input of a custom tool, which is text, out of the arguments of a call that come piece by piece: {"input": "..."} as the
 * server writes it.
 *
 *     glm_custom_input in = {0};
 *     glm_custom_input_feed(&in, &text, piece);   for each piece; text grows by what is certain
 *     if (!glm_custom_input_is_whole(&in)) ...    the arguments were something else
 */
#ifndef GLM_SERVER_CUSTOM_INPUT_H
#define GLM_SERVER_CUSTOM_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

typedef struct glm_custom_input {
    int state;         /* custom_input.c's */
    uint32_t n, value; /* bytes of the beginning that came; of an escape: digits and their value */
} glm_custom_input;

/** Append to *out the input that `piece`, which follows those before it, holds. */
void glm_custom_input_feed(glm_custom_input *in, glm_str *out, glm_text piece);

/** The arguments were one text called "input", and it is over. */
bool glm_custom_input_is_whole(const glm_custom_input *in);

#endif
