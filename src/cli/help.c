// SPDX-License-Identifier: MIT
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 80

const cli_exit_code cli_exit_codes[] = {
    {0, "done"},
    {1, "failed while working: a file is absent or unreadable, input or output, memory, numbers"},
    {2, "wrong usage: an unknown option, a bad value, options that exclude each other"},
    {3, "bad input file: damaged, unsupported or of the wrong format"},
    {4, "refused by a limit, such as the memory budget"},
    {130, "stopped by Ctrl-C"},
};
const size_t cli_n_exit_codes = sizeof cli_exit_codes / sizeof cli_exit_codes[0];

static bool has_option(cli_command_id command, size_t id)
{
    return cli_options[id].commands >> command & 1;
}

/* ---- Plain help ---- */

/* Write `text` in lines of at most COLUMNS, each behind `indent` blanks; the first line already has
 * `column` characters. An empty line separates paragraphs. */
static void wrap(cli_out *out, const char *text, size_t indent, size_t column)
{
    for (const char *s = text; *s;) {
        if (*s == '\n') {
            cli_puts(out, "\n");
            column = 0;
            s++;
            continue;
        }
        size_t length = strcspn(s, " \n");
        if (column > indent && column + 1 + length > COLUMNS) {
            cli_puts(out, "\n");
            column = 0;
        }
        if (column < indent) {
            cli_printf(out, "%*s", (int)(indent - column), "");
            column = indent;
        } else if (column > indent) {
            cli_puts(out, " ");
            column++;
        }
        cli_write(out, s, length);
        column += length;
        s += length;
        while (*s == ' ')
            s++;
    }
    cli_puts(out, "\n");
}

void cli_help_overview(cli_out *out)
{
    cli_puts(out, "glm runs models of the GLM-5.2 architecture.\n\n"
                  "usage: glm COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        cli_printf(out, "  %-12s%s\n", cli_commands[i].name, cli_commands[i].summary);
    cli_puts(
        out,
        "\n`glm help COMMAND` shows a command's options, `glm help --man COMMAND` its man page.\n"
        "Options also come from GLM_<NAME> in the environment and from a config file; `glm "
        "config`\n"
        "shows which hold.\n\n"
        "Exit codes:\n");
    for (size_t i = 0; i < cli_n_exit_codes; i++)
        cli_printf(out, "  %-5d%s\n", cli_exit_codes[i].code, cli_exit_codes[i].meaning);
}

/* "-p, --prompt TEXT" */
static void option_head(char *out, size_t size, const cli_option *option)
{
    char letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(out, size, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

/* The help sentence with choices and default. */
static void option_text(char *out, size_t size, const cli_option *option)
{
    bool names_choices = option->choices && strcmp(option->choices, option->argument) != 0;
    snprintf(out, size, "%s%s%s%s%s%s%s", option->help, names_choices ? " One of " : "",
             names_choices ? option->choices : "", names_choices ? "." : "",
             option->default_text ? " Default: " : "",
             option->default_text ? option->default_text : "", option->default_text ? "." : "");
}

void cli_help_command(cli_out *out, cli_command_id command)
{
    const cli_command *c = &cli_commands[command];
    cli_printf(out, "glm %s: %s\n\nusage: glm %s%s%s [OPTIONS]\n\n", c->name, c->summary, c->name,
               *c->arguments ? " " : "", c->arguments);
    wrap(out, c->text, 0, 0);
    cli_puts(out, "\nOptions:\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!has_option(command, i))
            continue;
        char head[128], text[512];
        option_head(head, sizeof head, &cli_options[i]);
        option_text(text, sizeof text, &cli_options[i]);
        cli_printf(out, "  %s", head);
        size_t column = 2 + strlen(head);
        if (column > 28) {
            cli_puts(out, "\n");
            column = 0;
        }
        wrap(out, text, 30, column);
    }
    cli_puts(
        out,
        "\nCounts take the suffixes K, M, G and T (powers of 1000), sizes also KiB, MiB, GiB and\n"
        "TiB (powers of 1024). A flag can be taken back with =off.\n\nExamples:\n");
    for (size_t i = 0; i < 3 && c->examples[i].command; i++)
        cli_printf(out, "  %s\n      %s\n", c->examples[i].command, c->examples[i].what);
}

/* ---- Man pages ---- */

/* Text for troff: no character is taken for a request or an escape. */
static void man_text(cli_out *out, const char *text)
{
    bool at_line_start = out->last == '\n';
    for (const char *s = text; *s; s++) {
        if (s[0] == '\n' && s[1] == '\n') {
            cli_puts(out, "\n.PP\n");
            s++;
            at_line_start = true;
            continue;
        }
        if (at_line_start && (*s == '.' || *s == '\''))
            cli_puts(out, "\\&");
        if (*s == '-')
            cli_puts(out, "\\-");
        else if (*s == '\\')
            cli_puts(out, "\\e");
        else if (*s == '\'')
            cli_puts(out, "\\(aq");
        else if (*s == '`')
            cli_puts(out, "\\(ga");
        else if (*s == '|')
            cli_puts(out, "|\\:"); /* a line may end behind it */
        else
            cli_write(out, s, 1);
        at_line_start = *s == '\n';
    }
}

static void man_title(cli_out *out, const char *name, const char *summary)
{
    cli_printf(out, ".TH \"%s\" \"1\" \"\" \"glm.c\" \"User Commands\"\n.SH NAME\n", name);
    man_text(out, name);
    cli_puts(out, " \\- ");
    man_text(out, summary);
}

static void man_exit_status(cli_out *out)
{
    cli_puts(out, "\n.SH EXIT STATUS\n");
    for (size_t i = 0; i < cli_n_exit_codes; i++) {
        cli_printf(out, ".TP\n.B %d\n", cli_exit_codes[i].code);
        man_text(out, cli_exit_codes[i].meaning);
        cli_puts(out, "\n");
    }
}

static void man_overview(cli_out *out)
{
    man_title(out, "glm", "run models of the GLM-5.2 architecture");
    cli_puts(out, "\n.SH SYNOPSIS\n.B glm\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
                  ".SH DESCRIPTION\nEach command has a page of its own.\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        cli_printf(out, ".TP\n.BR glm\\-%s (1)\n", cli_commands[i].name);
        man_text(out, cli_commands[i].summary);
        cli_puts(out, "\n");
    }
    man_exit_status(out);
}

static void man_options(cli_out *out, cli_command_id command)
{
    cli_puts(out, "\n.SH OPTIONS\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!has_option(command, i))
            continue;
        const cli_option *option = &cli_options[i];
        char text[512];
        option_text(text, sizeof text, option);
        cli_puts(out, ".TP\n\\fB");
        if (option->letter)
            cli_printf(out, "\\-%c\\fR, \\fB", option->letter);
        cli_puts(out, "\\-\\-");
        man_text(out, option->name);
        cli_puts(out, "\\fR");
        if (option->argument) {
            cli_puts(out, " \\fI");
            man_text(out, option->argument);
            cli_puts(out, "\\fR");
        }
        cli_puts(out, "\n");
        man_text(out, text);
        cli_puts(out, "\n");
    }
    cli_puts(out,
             ".PP\nCounts take the suffixes K, M, G and T (powers of 1000), sizes also KiB, MiB, "
             "GiB and TiB (powers of 1024). A flag can be taken back with =off.\n"
             ".SH ENVIRONMENT\nEvery option may be given as a variable:\n");
    const char *separator = "";
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!has_option(command, i))
            continue;
        char name[64];
        cli_environment_name(name, &cli_options[i]);
        cli_printf(out, "%s%s", separator, name);
        separator = ",\n";
    }
    cli_puts(out,
             ".\nFlags go before variables, variables before the config file.\n"
             ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/glm/config\n"
             "Lines of the form name = value; behind a line [COMMAND] they hold for that command "
             "only. A value in double quotes is a JSON string.");
}

void cli_help_man(cli_out *out, cli_command_id command)
{
    if (command == N_COMMANDS) {
        man_overview(out);
        return;
    }
    const cli_command *c = &cli_commands[command];
    char name[32];
    snprintf(name, sizeof name, "glm-%s", c->name);
    man_title(out, name, c->summary);
    cli_printf(out, "\n.SH SYNOPSIS\n.B glm %s\n", c->name);
    if (*c->arguments)
        cli_printf(out, "%s ", c->arguments);
    cli_puts(out, "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    man_text(out, c->text);
    man_options(out, command);
    cli_puts(out, "\n.SH EXAMPLES\n");
    for (size_t i = 0; i < 3 && c->examples[i].command; i++) {
        cli_puts(out, ".TP\n.B ");
        man_text(out, c->examples[i].command);
        cli_puts(out, "\n");
        man_text(out, c->examples[i].what);
        cli_puts(out, "\n");
    }
    man_exit_status(out);
    cli_puts(out, ".SH SEE ALSO\n.BR glm (1)\n");
}
