// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <string.h>

#include "cli/input.h"
#include "cli/tokens.h"
#include "core/json.h"
#include "core/json_write.h"

typedef struct tokenizing {
    cli_context *cli;
    const glm_tokenizer *tokenizer;
    bool match_added;
} tokenizing;

static void print_ids(cli_out *out, const cli_ids *ids, const char *separator)
{
    for (size_t i = 0; i < ids->n; i++)
        cli_printf(out, "%s%d", i ? separator : "", ids->data[i]);
}

static glm_status print_pieces(const tokenizing *t, const cli_ids *ids, glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_array(&w);
    for (size_t i = 0; i < ids->n; i++) {
        size_t length;
        const char *bytes = glm_tokenizer_bytes(t->tokenizer, ids->data[i], &length);
        glm_json_begin_array(&w);
        glm_json_write_i64(&w, ids->data[i]);
        glm_json_write_text(&w, (glm_text){bytes, bytes ? length : 0});
        glm_json_end_array(&w);
    }
    glm_json_end_array(&w);
    glm_status st = cli_out_json(&t->cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

static glm_status on_line(void *ctx, const char *line, size_t length, size_t number, glm_error *err)
{
    const tokenizing *t = ctx;
    glm_arena arena;
    glm_arena_init(&arena, SIZE_MAX / 2); /* lines are bounded where they are read */
    const glm_json *text;
    cli_ids ids = {0};
    glm_status st = glm_json_read(&text, &arena, line, length, 1, err);
    if (st == GLM_OK && text->type != GLM_JSON_STRING)
        st = glm_fail(err, GLM_EFORMAT, "expected a JSON string, got %.32s", line);
    if (st == GLM_OK)
        st = cli_encode(t->tokenizer, text->text, text->length, t->match_added, &ids, err);
    if (st == GLM_OK) {
        cli_puts(&t->cli->out, "[");
        print_ids(&t->cli->out, &ids, ", ");
        cli_puts(&t->cli->out, "]\n");
        st = cli_out_flush(&t->cli->out, err);
    } else {
        glm_fail_context(err, st, "line %zu", number);
    }
    cli_ids_deinit(&ids);
    glm_arena_deinit(&arena);
    return st;
}

static glm_status tokenize_text(const tokenizing *t, glm_error *err)
{
    const cli_args *args = &t->cli->args;
    glm_str file = {0};
    cli_ids ids = {0};
    glm_status st = GLM_OK;
    glm_text text;
    if (cli_is_set(args, OPT_TOKENIZE_TEXT)) {
        text = glm_text_c(cli_text(args, OPT_TOKENIZE_TEXT));
    } else {
        const char *path = cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-";
        st = cli_read_file(&file, path, CLI_INPUT_MAX, err);
        text = glm_str_text(&file);
    }
    if (st == GLM_OK)
        st = cli_encode(t->tokenizer, text.data, text.length, t->match_added, &ids, err);
    if (st == GLM_OK && cli_flag(args, OPT_JSON)) {
        st = print_pieces(t, &ids, err);
    } else if (st == GLM_OK) {
        print_ids(&t->cli->out, &ids, " ");
        cli_puts(&t->cli->out, "\n");
    }
    cli_ids_deinit(&ids);
    glm_str_deinit(&file);
    return st;
}

glm_status cmd_tokenize(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_tokenizer *tokenizer;
    glm_status st = cli_tokenizer_open(cli, args->n_arguments ? args->arguments[0] : NULL,
                                       &tokenizer, NULL, err);
    if (st != GLM_OK)
        return st;
    tokenizing t = {.cli = cli, .tokenizer = tokenizer, .match_added = !cli_flag(args, OPT_PLAIN)};
    if (cli_flag(args, OPT_LINES))
        st = cli_read_lines(cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-", on_line,
                            &t, err);
    else
        st = tokenize_text(&t, err);
    glm_tokenizer_close(tokenizer);
    return st;
}
