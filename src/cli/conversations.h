// SPDX-License-Identifier: MIT
/*
 * The conversations `glm receipt` can measure with: JSON lines {"prompt": TEXT, "answer": TEXT, "task": NAME}. Texts are what
 * the model sees, control tokens spelled out; the task, "needle" or "tool_call", may be missing.
 */
#ifndef GLM_CLI_CONVERSATIONS_H
#define GLM_CLI_CONVERSATIONS_H

#include "cli/ids.h"
#include "core/str.h"
#include "glm/quantize.h"
#include "glm/tokenizer.h"

typedef struct cli_conversations {
    glm_receipt_sequence *data;
    size_t n, capacity;
} cli_conversations;

/**
 * Append the conversations in `text` to *out and their tokens, one conversation behind the other, to *ids.
 *
 * Errors: GLM_EFORMAT (with the line), GLM_ELIMIT, GLM_ENOMEM, those of cli_encode.
 */
GLM_MUST_CHECK glm_status cli_conversations_read(cli_conversations *out, cli_ids *ids,
                                                 const glm_str *text,
                                                 const glm_tokenizer *tokenizer, glm_error *err);
void cli_conversations_deinit(cli_conversations *conversations);

#endif
