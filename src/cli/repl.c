// SPDX-License-Identifier: MIT
#include "cli/repl.h"

#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/line_edit.h"

/* Of answers remembered as tokens: 4 million tokens. */
#define MEMORY_BYTES ((size_t)16 << 20)

typedef struct conversation {
    cli_generator *g;
    const glm_chat *chat;
    glm_chat_request *request;
    glm_chat_options *options;
    bool shows_stats;
    bool is_over;
} conversation;

/* ---- Commands ---- */

typedef glm_status repl_fn(conversation *c, const char *argument, glm_error *err);

typedef struct repl_command {
    const char *name;
    const char *argument; /* as /help shows it */
    const char *help;
    repl_fn *fn;
} repl_command;

static repl_fn on_help;

static glm_status on_quit(conversation *c, const char *argument, glm_error *err)
{
    (void)argument;
    (void)err;
    c->is_over = true;
    return GLM_OK;
}

static glm_status on_clear(conversation *c, const char *argument, glm_error *err)
{
    (void)argument;
    (void)err;
    glm_chat_request_truncate(c->request, 0);
    cli_puts(&c->g->cli->out, "A new conversation.\n");
    return GLM_OK;
}

static glm_status on_system(conversation *c, const char *argument, glm_error *err)
{
    glm_chat_request_truncate(c->request, 0);
    cli_puts(&c->g->cli->out, "A new conversation.\n");
    if (!*argument)
        return GLM_OK;
    return glm_chat_request_add_text(c->request, GLM_CHAT_ROLE_SYSTEM, argument, strlen(argument),
                                     err);
}

/* Read "on" or "off"; without an argument only tell. */
static void set_switch(conversation *c, const char *name, bool *value, const char *argument)
{
    cli_out *out = &c->g->cli->out;
    if (strcmp(argument, "on") == 0)
        *value = true;
    else if (strcmp(argument, "off") == 0)
        *value = false;
    else if (*argument)
        cli_printf(out, "expected on or off\n");
    cli_printf(out, "%s: %s\n", name, *value ? "on" : "off");
}

static glm_status on_think(conversation *c, const char *argument, glm_error *err)
{
    (void)err;
    set_switch(c, "think", &c->options->thinking, argument);
    return GLM_OK;
}

static glm_status on_show(conversation *c, const char *argument, glm_error *err)
{
    (void)err;
    set_switch(c, "show", &c->g->show_thinking, argument);
    return GLM_OK;
}

static glm_status on_stats(conversation *c, const char *argument, glm_error *err)
{
    (void)err;
    set_switch(c, "stats", &c->shows_stats, argument);
    return GLM_OK;
}

static glm_status on_effort(conversation *c, const char *argument, glm_error *err)
{
    (void)err;
    if (strcmp(argument, "high") == 0)
        c->options->effort = GLM_CHAT_EFFORT_HIGH;
    else if (strcmp(argument, "max") == 0)
        c->options->effort = GLM_CHAT_EFFORT_MAX;
    else if (*argument)
        cli_puts(&c->g->cli->out, "expected high or max\n");
    cli_printf(&c->g->cli->out, "effort: %s\n",
               c->options->effort == GLM_CHAT_EFFORT_HIGH ? "high" : "max");
    return GLM_OK;
}

static const repl_command commands[] = {
    {"help", "", "show this list", on_help},
    {"clear", "", "begin a new conversation", on_clear},
    {"system", "TEXT", "begin a new conversation with a system message", on_system},
    {"think", "on|off", "whether the model reasons before it answers", on_think},
    {"effort", "high|max", "how long it reasons", on_effort},
    {"show", "on|off", "show the reasoning, dimmed", on_show},
    {"stats", "on|off", "tokens per second behind each answer", on_stats},
    {"quit", "", "leave (Ctrl-D does too)", on_quit},
};

static glm_status on_help(conversation *c, const char *argument, glm_error *err)
{
    (void)argument;
    (void)err;
    cli_out *out = &c->g->cli->out;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        cli_printf(out, "/%-7s%-10s%s\n", commands[i].name, commands[i].argument, commands[i].help);
    cli_puts(
        out,
        "Ctrl-C stops an answer and keeps the conversation. A line that ends with \\ goes on.\n");
    return GLM_OK;
}

static glm_status run_command(conversation *c, const char *line, glm_error *err)
{
    size_t length = strcspn(line + 1, " \t");
    const char *argument = line + 1 + length;
    argument += strspn(argument, " \t");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strlen(commands[i].name) == length && memcmp(commands[i].name, line + 1, length) == 0)
            return commands[i].fn(c, argument, err);
    cli_puts(&c->g->cli->out, "expected a command of /help\n");
    return GLM_OK;
}

/* ---- Turns ---- */

static void print_stats(conversation *c, const cli_answer *answer)
{
    cli_out *out = &c->g->cli->out;
    const glm_generate_result *r = &answer->result;
    bool is_dim = out->is_terminal && c->g->cli->args.is_color;
    char text[96] = "stopped";
    if (c->shows_stats && r->decode_s > 0)
        snprintf(text, sizeof text, "%u tokens, %.1f tokens/s, %u read before%s", r->n_generated,
                 r->n_generated / r->decode_s, r->n_prompt, answer->is_canceled ? ", stopped" : "");
    else if (!answer->is_canceled)
        return;
    cli_printf(out, "%s[%s]%s\n", is_dim ? "\033[2m" : "", text, is_dim ? "\033[0m" : "");
}

/* A turn that cannot be answered is taken back and told; the conversation goes on. */
static glm_status answer_turn(conversation *c, const glm_str *line, glm_error *err)
{
    cli_context *cli = c->g->cli;
    size_t n_before = glm_chat_request_n_messages(c->request);
    glm_status st =
        glm_chat_request_add_text(c->request, GLM_CHAT_ROLE_USER, line->data, line->length, err);
    if (st != GLM_OK)
        return st;
    cli_answer answer = {0};
    st = cli_generate_chat(c->g, c->chat, c->request, c->options, true, &answer, err);
    if (st == GLM_ECANCELED)
        answer.is_canceled = true;
    cli_interrupt_clear();
    cli_out_resume(&cli->out);
    cli_end_line(&cli->out);
    if (st == GLM_OK || st == GLM_ECANCELED) {
        if (answer.is_cut_in_reasoning)
            cli_puts(&cli->out, "(the limit came inside the reasoning)\n");
        print_stats(c, &answer);
    }
    cli_answer_deinit(&answer);
    if (st == GLM_ELIMIT || st == GLM_ECANCELED) {
        glm_chat_request_truncate(c->request, n_before);
        if (st == GLM_ELIMIT)
            cli_print_error(err);
        st = GLM_OK;
    }
    return st;
}

static glm_status converse(conversation *c, cli_line_edit *edit, glm_error *err)
{
    cli_out *out = &c->g->cli->out;
    glm_str line = {0};
    glm_status st = GLM_OK;
    while (st == GLM_OK && !c->is_over) {
        st = cli_out_flush(out, err);
        if (st != GLM_OK)
            break;
        cli_line_result result = cli_line_edit_read(edit, &line);
        if (line.has_failed)
            st = glm_fail(err, GLM_ENOMEM, "the message");
        else if (result == LINE_END)
            c->is_over = true;
        else if (result == LINE_INTERRUPTED)
            cli_interrupt_clear();
        else if (line.length > 0 && line.data[0] == '/')
            st = run_command(c, line.data, err);
        else if (line.length > 0)
            st = answer_turn(c, &line, err);
    }
    glm_str_deinit(&line);
    return st;
}

static void forget(cli_generator *g)
{
    glm_chat_memory_destroy(g->memory);
    g->memory = NULL;
}

glm_status cli_converse(cli_generator *g, const glm_chat *chat, glm_chat_request *request,
                        glm_chat_options *options, glm_error *err)
{
    conversation c = {
        .g = g, .chat = chat, .request = request, .options = options, .shows_stats = true};
    cli_line_edit *edit;
    glm_status st = glm_chat_memory_create(&g->memory, MEMORY_BYTES, err);
    if (st == GLM_OK)
        st = cli_line_edit_open(&edit, g->cli->args.history, err);
    if (st != GLM_OK) {
        forget(g);
        return st;
    }
    if (!cli_flag(&g->cli->args, OPT_QUIET))
        cli_printf(&g->cli->out, "%s. /help lists the commands, Ctrl-D leaves.\n",
                   g->engine->info.name ? g->engine->info.name : g->engine->info.architecture);
    st = converse(&c, edit, err);
    cli_line_edit_close(edit);
    forget(g);
    return st;
}
