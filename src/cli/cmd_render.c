// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdio.h>

#include "cli/input.h"
#include "cli/tokens.h"
#include "core/json_write.h"

typedef struct rendering {
    cli_context *cli;
    const glm_chat *chat;
    glm_chat_generation generation;
} rendering;

static void print_ids(cli_out *out, const int32_t *ids, size_t n, const char *separator)
{
    for (size_t i = 0; i < n; i++)
        cli_printf(out, "%s%d", i ? separator : "", ids[i]);
}

/* Write one prompt: as text or ids, whole or as one line of JSON. */
static glm_status print_prompt(const rendering *r, glm_chat_prompt *prompt, bool is_line,
                               glm_error *err)
{
    cli_out *out = &r->cli->out;
    if (cli_flag(&r->cli->args, OPT_RENDER_IDS)) {
        const int32_t *ids;
        size_t n;
        glm_status st = glm_chat_prompt_ids(prompt, &ids, &n, err);
        if (st != GLM_OK)
            return st;
        cli_puts(out, is_line ? "[" : "");
        print_ids(out, ids, n, is_line ? ", " : " ");
        cli_puts(out, is_line ? "]\n" : "\n");
        return cli_out_flush(out, err);
    }
    size_t length;
    const char *text = glm_chat_prompt_text(prompt, &length);
    if (!is_line) {
        cli_write(out, text, length); /* unchanged: the prompt has no newline at its end */
        return cli_out_flush(out, err);
    }
    glm_str json = {0};
    glm_json_quote(&json, (glm_text){text, length});
    glm_status st = cli_out_json(out, &json, err);
    glm_str_deinit(&json);
    return st;
}

/* Render one request with the template's own defaults. */
static glm_status render(const rendering *r, const glm_str *json, const char *where, bool is_line,
                         glm_error *err)
{
    glm_chat_request *request = NULL;
    glm_chat_prompt *prompt = NULL;
    glm_status st = cli_request_read(&request, json, where, err);
    if (st != GLM_OK)
        return st;
    glm_chat_options options = glm_chat_options_of(r->generation);
    const char *warning = glm_chat_request_switches(request, GLM_CHAT_AS_TEMPLATE, &options);
    if (warning)
        cli_warn(r->cli, "%s: %s", where, warning);
    for (size_t i = 0; glm_chat_request_note(request, i); i++)
        cli_note(r->cli, "%s: %s", where, glm_chat_request_note(request, i));
    st = glm_chat_prompt_create(&prompt, r->chat, request, &options, err);
    if (st == GLM_OK)
        st = print_prompt(r, prompt, is_line, err);
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
    return st;
}

static glm_status on_line(void *ctx, const char *line, size_t length, size_t number, glm_error *err)
{
    glm_str json = {0};
    char where[32];
    snprintf(where, sizeof where, "line %zu", number);
    glm_str_append(&json, line, length);
    if (json.has_failed)
        return glm_fail(err, GLM_ENOMEM, "%s", where);
    glm_status st = render(ctx, &json, where, true, err);
    glm_str_deinit(&json);
    return st;
}

static glm_status render_all(rendering *r, glm_error *err)
{
    const cli_args *args = &r->cli->args;
    const char *path = cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-";
    if (cli_flag(args, OPT_LINES))
        return cli_read_lines(path, on_line, r, err);
    glm_str json = {0};
    glm_status st = cli_read_file(&json, path, CLI_INPUT_MAX, err);
    if (st == GLM_OK)
        st = render(r, &json, cli_input_name(path), false, err);
    glm_str_deinit(&json);
    return st;
}

glm_status cmd_render(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_tokenizer *tokenizer;
    glm_chat_template format;
    glm_status st = cli_tokenizer_open(cli, args->n_arguments ? args->arguments[0] : NULL,
                                       &tokenizer, &format, err);
    if (st != GLM_OK)
        return st;
    glm_chat *chat = NULL;
    st = cli_chat_create(&chat, tokenizer, err);
    if (st == GLM_OK) {
        rendering r = {.cli = cli, .chat = chat, .generation = format.generation};
        st = render_all(&r, err);
    }
    glm_chat_destroy(chat);
    glm_tokenizer_close(tokenizer);
    return st;
}
