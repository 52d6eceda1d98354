// SPDX-License-Identifier: MIT
/*
 * What a chat request says about generation: sampling, limits, stop strings, thinking budget. Names and ranges
 * are those of Chat Completions and its common extensions; an option of the command line beats the request,
 * and the request beats the model's defaults.
 */
#ifndef GLM_CLI_REQUEST_H
#define GLM_CLI_REQUEST_H

#include "cli/generate.h"
#include "core/arena.h"
#include "core/str.h"

/** A request's own copy of what a generator borrows from it; all zero is the empty one. */
typedef struct cli_request {
    glm_arena arena;
    const char **stops;
    glm_logit_bias *bias;
} cli_request;

void cli_request_deinit(cli_request *r);

/**
 * Change in *g what `json`, a chat request that glm_chat_request_read accepted, says and no option does. *g
 * borrows from *r from then on.
 *
 * Errors: GLM_EFORMAT names the field, what was expected and what was found; GLM_EUNSUPP a field that asks for
 * what one answer on a terminal cannot give (n, logprobs ...); GLM_ENOMEM. Then *g is as it was or in part changed.
 */
GLM_MUST_CHECK glm_status cli_request_apply(cli_request *r, cli_generator *g, glm_text json,
                                            glm_error *err);

#endif
