// SPDX-License-Identifier: MIT
/*
 * Answers that are written beforehand, for tests of clients: the real engine, tokenizer, parser and server, with the ids of the
 * first rule whose texts the prompt holds.
 *
 *     [{"all": ["weather"], "none": ["It rains"], "answer": "Let me see.</think><tool_call>..."}, ...]
 *
 * In "answer" every spelling of an added token is that token. No rule: the model answers itself.
 */
#ifndef GLM_SERVER_SCRIPT_H
#define GLM_SERVER_SCRIPT_H

#include "core/arena.h"
#include "core/json.h"
#include "core/str.h"
#include "glm/tokenizer.h"

typedef struct glm_script {
    glm_arena arena;
    const glm_json *rules; /* or NULL */
} glm_script;

/** GLM_EIO, GLM_EFORMAT, GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_script_read(glm_script *script, const char *path, glm_error *err);
void glm_script_deinit(glm_script *script);

/** The ids of the answer to a prompt: [*n], to be freed; NULL without a rule. */
int32_t *glm_script_answer(const glm_script *script, const glm_tokenizer *tokenizer,
                           glm_text prompt, size_t *n);

#endif
