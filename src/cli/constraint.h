// SPDX-License-Identifier: MIT
/* What constrains an answer of `glm run`: --json-schema, --regex, --grammar, or the fields of a request and its tools. */
#ifndef GLM_CLI_CONSTRAINT_H
#define GLM_CLI_CONSTRAINT_H

#include "cli/cli.h"
#include "core/str.h"
#include "glm/constraint.h"

/** All zero is: nothing. */
typedef struct cli_constraint {
    glm_constraint_kind kind; /* of an option */
    const char *where;        /* that option's name, for errors */
    glm_str text;
    glm_str request; /* JSON, where there is no option */
} cli_constraint;

void cli_constraint_deinit(cli_constraint *c);

/** Read what the options say. Errors: those of reading files. */
GLM_MUST_CHECK glm_status cli_constraint_read(cli_constraint *c, const cli_args *args,
                                              glm_error *err);

/**
 * Use what a request says beside the options: `json` is the request or empty, `tools` a list that takes the place of
 * the request's, or empty. Errors: GLM_EFORMAT, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status cli_constraint_use(cli_constraint *c, glm_text json, glm_text tools,
                                             glm_error *err);

/** Compile to *out, NULL when nothing is constrained, and tell what has no effect. The caller releases *out. */
GLM_MUST_CHECK glm_status cli_constraint_make(glm_constraint **out, const cli_constraint *c,
                                              cli_context *cli, glm_model *model, bool in_reasoning,
                                              glm_error *err);

#endif
