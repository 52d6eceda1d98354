// SPDX-License-Identifier: MIT
/*
 * From MODEL on the command line to something that runs: bundled names, the options that all commands with
 * a model share, and what the user should be told on the way.
 */
#ifndef GLM_CLI_MODEL_H
#define GLM_CLI_MODEL_H

#include "cli/cli.h"
#include "glm/glm.h"

/**
 * The path that `name` (MODEL, or NULL when it is missing) stands for. What exists is taken as it is; `nano`
 * is the bundled model, looked up in models/ of the current folder, of the build tree or checkout the program
 * lies in, and in share/glm/models of the install prefix. A missing MODEL is told on standard error.
 *
 * Errors: GLM_ENOENT, GLM_ENOMEM. The caller frees *out.
 */
GLM_MUST_CHECK glm_status cli_model_path(cli_context *cli, const char *name, char **out,
                                         glm_error *err);

/** Open the model for looking at it: no engine. Notes of the package are told. */
GLM_MUST_CHECK glm_status cli_model_open(cli_context *cli, const char *name, glm_model **out,
                                         char **path, glm_error *err);

/** A model that runs. */
typedef struct cli_engine {
    glm_model *model;
    glm_engine *engine;
    glm_model_info info;
    glm_engine_info engine_info;
    double load_s;
} cli_engine;

/** How a command wants its engine, beyond the options. */
typedef struct cli_engine_needs {
    uint32_t n_sessions; /* 0: 1 */
    uint32_t n_ctx;      /* context when --ctx says nothing; 0: the model's */
    uint32_t n_ctx_most; /* the same, but the model's where that is shorter; 0: none */
    uint32_t chunk;      /* 0: the engine's */
    bool is_exact;       /* exact precision and its number formats, whatever the options say */
} cli_engine_needs;

/** An engine's parameters by the options. */
glm_engine_params cli_engine_params(const cli_args *args, const cli_engine_needs *needs);

/** Open model and engine by the options; Ctrl-C stops the engine's steps from here on. */
GLM_MUST_CHECK glm_status cli_engine_open(cli_engine *engine, cli_context *cli,
                                          const cli_engine_needs *needs, glm_error *err);
/** The same for another MODEL than the first argument. */
GLM_MUST_CHECK glm_status cli_engine_open_named(cli_engine *engine, cli_context *cli,
                                                const char *name, const cli_engine_needs *needs,
                                                glm_error *err);
/** Close both; a zeroed one is fine. */
void cli_engine_close(cli_engine *engine);

#endif
