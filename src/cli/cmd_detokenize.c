// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/input.h"
#include "cli/tokens.h"
#include "core/json.h"
#include "core/json_write.h"

typedef struct detokenizing {
    cli_context *cli;
    const glm_tokenizer *tokenizer;
} detokenizing;

/* Append the bytes of all ids; one without a token is `bad`. */
static glm_status append_bytes(const detokenizing *d, const cli_ids *ids, glm_str *out,
                               glm_status bad, glm_error *err)
{
    for (size_t i = 0; i < ids->n; i++) {
        size_t length;
        const char *bytes = glm_tokenizer_bytes(d->tokenizer, ids->data[i], &length);
        if (!bytes)
            return glm_fail(err, bad, "id %zu: expected an id of the vocabulary, got %d", i + 1,
                            ids->data[i]);
        glm_str_append(out, bytes, length);
    }
    return out->has_failed ? glm_fail(err, GLM_ENOMEM, "the text") : GLM_OK;
}

/* The ids of a JSON list. */
static glm_status read_json_ids(const char *line, size_t length, cli_ids *ids, glm_error *err)
{
    glm_arena arena;
    glm_arena_init(&arena, SIZE_MAX / 2); /* lines are bounded where they are read */
    const glm_json *list;
    glm_status st = glm_json_read(&list, &arena, line, length, 2, err);
    if (st == GLM_OK && list->type != GLM_JSON_ARRAY)
        st = glm_fail(err, GLM_EFORMAT, "expected a JSON list of ids, got %.32s", line);
    for (const glm_json *item = st == GLM_OK ? list->first : NULL; item && st == GLM_OK;
         item = item->next) {
        uint64_t id;
        if (item->type != GLM_JSON_NUMBER || !glm_json_text_u64(item->text, item->length, &id) ||
            id > INT32_MAX) {
            st = glm_fail(err, GLM_EFORMAT, "item %zu: expected a token id", ids->n + 1);
        } else {
            int32_t value = (int32_t)id;
            st = cli_ids_append(ids, &value, 1, err);
        }
    }
    glm_arena_deinit(&arena);
    return st;
}

static glm_status on_line(void *ctx, const char *line, size_t length, size_t number, glm_error *err)
{
    const detokenizing *d = ctx;
    cli_ids ids = {0};
    glm_str text = {0}, json = {0};
    glm_status st = read_json_ids(line, length, &ids, err);
    if (st == GLM_OK)
        st = append_bytes(d, &ids, &text, GLM_EFORMAT, err);
    if (st == GLM_OK) {
        glm_json_quote(&json, glm_str_text(&text));
        st = cli_out_json(&d->cli->out, &json, err);
    } else {
        glm_fail_context(err, st, "line %zu", number);
    }
    glm_str_deinit(&json);
    glm_str_deinit(&text);
    cli_ids_deinit(&ids);
    return st;
}

/* An argument is an id, or a list of them, when it has nothing but digits, commas and blanks. */
static bool is_id_list(const char *text)
{
    return *text && text[strspn(text, "0123456789, \t\n")] == '\0';
}

static glm_status detokenize(const detokenizing *d, size_t first_id, glm_error *err)
{
    const cli_args *args = &d->cli->args;
    cli_ids ids = {0};
    glm_str text = {0};
    glm_status st = GLM_OK;
    glm_status bad = GLM_EARG;
    if (first_id < args->n_arguments) {
        if (cli_is_set(args, OPT_FILE))
            return glm_fail(err, GLM_EARG, "%s and ids as arguments: expected at most one of them",
                            args->values[OPT_FILE].where);
        for (size_t i = first_id; i < args->n_arguments && st == GLM_OK; i++)
            st = cli_ids_parse(&ids, args->arguments[i], strlen(args->arguments[i]), "the ids",
                               GLM_EARG, err);
    } else {
        const char *path = cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-";
        bad = GLM_EFORMAT;
        st = cli_read_file(&text, path, CLI_INPUT_MAX, err);
        if (st == GLM_OK)
            st = cli_ids_parse(&ids, text.data, text.length, cli_input_name(path), bad, err);
        glm_str_deinit(&text);
    }
    if (st == GLM_OK)
        st = append_bytes(d, &ids, &text, bad, err);
    if (st == GLM_OK)
        cli_write(&d->cli->out, text.data, text.length); /* unchanged, to a terminal too */
    glm_str_deinit(&text);
    cli_ids_deinit(&ids);
    return st;
}

glm_status cmd_detokenize(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    bool has_model = args->n_arguments > 0 && !is_id_list(args->arguments[0]);
    bool is_lines = cli_flag(args, OPT_LINES);
    if (is_lines && args->n_arguments > (has_model ? 1u : 0u))
        return glm_fail(err, GLM_EARG, "--lines: expected no ids as arguments, got %.64s",
                        args->arguments[has_model ? 1 : 0]);
    glm_tokenizer *tokenizer;
    glm_status st =
        cli_tokenizer_open(cli, has_model ? args->arguments[0] : NULL, &tokenizer, NULL, err);
    if (st != GLM_OK)
        return st;
    detokenizing d = {.cli = cli, .tokenizer = tokenizer};
    if (is_lines)
        st = cli_read_lines(cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-", on_line,
                            &d, err);
    else
        st = detokenize(&d, has_model ? 1 : 0, err);
    glm_tokenizer_close(tokenizer);
    return st;
}
