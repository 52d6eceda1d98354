// SPDX-License-Identifier: MIT
/*
 * What every command gets: the options, standard output, progress. A command is one function in a file of
 * its own, cmd_<name>.c; main.c calls it, flushes standard output, prints the error and chooses the exit
 * code by the status.
 */
#ifndef GLM_CLI_CLI_H
#define GLM_CLI_CLI_H

#include "cli/options.h"
#include "cli/out.h"
#include "cli/progress.h"

typedef struct cli_context {
    cli_args args;
    cli_out out;
    cli_progress progress;
} cli_context;

typedef glm_status cli_command_fn(cli_context *cli, glm_error *err);

cli_command_fn cmd_run;
cli_command_fn cmd_score;
cli_command_fn cmd_tokenize;
cli_command_fn cmd_detokenize;
cli_command_fn cmd_render;
cli_command_fn cmd_parse;
cli_command_fn cmd_inspect;
cli_command_fn cmd_bench;
cli_command_fn cmd_quantize;
cli_command_fn cmd_imatrix;
cli_command_fn cmd_receipt;
cli_command_fn cmd_serve;
cli_command_fn cmd_config;
cli_command_fn cmd_help;
cli_command_fn cmd_version;

/** A note on standard error ("glm: ..."), unless --quiet. Takes a progress bar away first. */
void cli_note(cli_context *cli, const char *fmt, ...) GLM_PRINTF(2, 3);

/** The same even with --quiet. */
void cli_warn(cli_context *cli, const char *fmt, ...) GLM_PRINTF(2, 3);

/** Print an error as the line and the hint of the contract. */
void cli_print_error(const glm_error *err);

#endif
