// SPDX-License-Identifier: MIT
/*
 * glm: the command line. Reads the options, calls the command, reports.
 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "cli/interrupt.h"

static cli_command_fn *const command_functions[N_COMMANDS] = {
    [CMD_RUN] = cmd_run,           [CMD_SCORE] = cmd_score,
    [CMD_TOKENIZE] = cmd_tokenize, [CMD_DETOKENIZE] = cmd_detokenize,
    [CMD_RENDER] = cmd_render,     [CMD_PARSE] = cmd_parse,
    [CMD_INSPECT] = cmd_inspect,   [CMD_BENCH] = cmd_bench,
    [CMD_QUANTIZE] = cmd_quantize, [CMD_IMATRIX] = cmd_imatrix,
    [CMD_RECEIPT] = cmd_receipt,   [CMD_SERVE] = cmd_serve,
    [CMD_CONFIG] = cmd_config,     [CMD_HELP] = cmd_help,
    [CMD_VERSION] = cmd_version,
};

static int exit_code(glm_status status)
{
    switch (status) {
    case GLM_OK:
        return 0;
    case GLM_EARG:
        return 2;
    case GLM_EFORMAT:
    case GLM_EUNSUPP:
        return 3;
    case GLM_ELIMIT:
        return 4;
    case GLM_ECANCELED:
        return 130;
    case GLM_ENOENT:
    case GLM_EIO:
    case GLM_ENOMEM:
    case GLM_ENUMERIC:
    case GLM_EINTERNAL:
    case GLM_EBUSY:
        break;
    }
    return 1;
}

static void say(cli_context *cli, const char *fmt, va_list args)
{
    char text[1200];
    vsnprintf(text, sizeof text, fmt, args);
    for (char *s = text; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            *s = '?';
    cli_progress_end(&cli->progress);
    fprintf(stderr, "glm: %s\n", text);
}

void cli_note(cli_context *cli, const char *fmt, ...)
{
    if (cli_flag(&cli->args, OPT_QUIET))
        return;
    va_list args;
    va_start(args, fmt);
    say(cli, fmt, args);
    va_end(args);
}

void cli_warn(cli_context *cli, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(cli, fmt, args);
    va_end(args);
}

void cli_print_error(const glm_error *err)
{
    fprintf(stderr, "glm: %s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "hint: %s\n", err->hint);
}

/* A closed standard descriptor would be given to the next file opened, and what is written to standard
 * output would land in it. Put a descriptor there that fails as a closed one does. */
static void hold_standard_descriptors(void)
{
    static const int modes[3] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            _exit(1);
}

static glm_status run_command(cli_context *cli, glm_error *err)
{
    if (cli->args.values[OPT_HELP].on) {
        if (cli->args.command == CMD_HELP)
            cli_help_overview(&cli->out);
        else
            cli_help_command(&cli->out, cli->args.command);
        return GLM_OK;
    }
    return command_functions[cli->args.command](cli, err);
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* writing beyond the limit on files is an error like a full disk */
    setlocale(LC_CTYPE, "");
    cli_interrupt_init();

    cli_context cli;
    glm_error err = {0};
    glm_status st = cli_args_init(&cli.args, argc, argv, &err);
    if (st != GLM_OK) {
        cli_print_error(&err);
        return exit_code(st);
    }
    cli_out_init(&cli.out, STDOUT_FILENO);
    cli_progress_init(&cli.progress, &cli.args);
    st = run_command(&cli, &err);
    cli_progress_end(&cli.progress);
    /* What was written before an error still goes out; the first error is the one told. */
    glm_error flush_err;
    glm_status flushed = cli_out_flush(&cli.out, st == GLM_OK ? &err : &flush_err);
    if (st == GLM_OK)
        st = flushed;
    if (st != GLM_OK && st != GLM_ECANCELED)
        cli_print_error(&err);
    cli_args_deinit(&cli.args);
    return exit_code(st);
}
