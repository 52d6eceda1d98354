// SPDX-License-Identifier: MIT
/*
 * What the commands that need only a tokenizer share, and run and score with them: a tokenizer from MODEL,
 * text to ids, chat requests with errors that name their file.
 */
#ifndef GLM_CLI_TOKENS_H
#define GLM_CLI_TOKENS_H

#include "cli/cli.h"
#include "cli/ids.h"
#include "glm/chat.h"
#include "glm/tokenizer.h"

/**
 * Open the tokenizer of `name` (MODEL or NULL); no weights are needed. The caller closes *out.
 * @param format  out, may be NULL: the chat format of the package, with a warning if its template is not known
 */
GLM_MUST_CHECK glm_status cli_tokenizer_open(cli_context *cli, const char *name,
                                             glm_tokenizer **out, glm_chat_template *format,
                                             glm_error *err);

/** Say so when a package's chat template is not a published one. */
void cli_warn_template(cli_context *cli, const glm_chat_template *format, const char *path);

/** Append the ids of text. GLM_EFORMAT when `tokenizer` is NULL: the package has none. */
GLM_MUST_CHECK glm_status cli_encode(const glm_tokenizer *tokenizer, const char *text,
                                     size_t length, bool match_added, cli_ids *ids, glm_error *err);

/** glm_chat_create, with an error for a package without a tokenizer. */
GLM_MUST_CHECK glm_status cli_chat_create(glm_chat **out, const glm_tokenizer *tokenizer,
                                          glm_error *err);

/** glm_chat_request_read; what is wrong with the request is GLM_EFORMAT and names `where`. */
GLM_MUST_CHECK glm_status cli_request_read(glm_chat_request **out, const glm_str *json,
                                           const char *where, glm_error *err);

/** Put the tools of the file at `path` into the request; its text is appended to *json. */
GLM_MUST_CHECK glm_status cli_request_tools(glm_chat_request *request, const char *path,
                                            glm_str *json, glm_error *err);

#endif
