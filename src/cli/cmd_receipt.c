// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/conversations.h"
#include "cli/input.h"
#include "cli/model.h"
#include "cli/receipt_text.h"
#include "cli/tokens.h"
#include "core/hash.h"
#include "glm/quantize.h"

#define WINDOW 4096u

/* The two models, in the order of the arguments. */
typedef struct pair {
    cli_engine reference, quantised;
    cli_ids ids;
    cli_conversations conversations; /* none: ids are one text */
    char digest[65];                 /* of the text */
} pair;

static glm_status open_pair(pair *p, cli_context *cli, glm_error *err)
{
    const cli_engine_needs needs = {.n_ctx_most = WINDOW};
    const cli_engine_needs exact = {.n_ctx_most = WINDOW, .is_exact = true};
    glm_status st = cli_engine_open_named(&p->reference, cli, cli->args.arguments[0], &exact, err);
    if (st == GLM_OK)
        st = cli_engine_open_named(&p->quantised, cli, cli->args.arguments[1], &needs, err);
    return st;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static glm_status read_text(pair *p, cli_context *cli, glm_error *err)
{
    const char *path = cli_text(&cli->args, OPT_CORPUS);
    glm_str text = {0};
    glm_sha256 *sha = NULL;
    glm_status st = cli_read_file(&text, path, CLI_INPUT_MAX, err);
    if (st == GLM_OK)
        st = glm_sha256_create(&sha, err);
    if (st == GLM_OK) {
        glm_sha256_update(sha, text.data, text.length);
        st = glm_sha256_finish(sha, p->digest, err);
    }
    const glm_tokenizer *tokenizer = glm_model_tokenizer(p->reference.model);
    if (st == GLM_OK && ends_in(path, ".jsonl")) {
        st = cli_conversations_read(&p->conversations, &p->ids, &text, tokenizer, err);
        if (st != GLM_OK)
            st = glm_fail_context(err, st, "%s", path);
    } else if (st == GLM_OK) {
        st = cli_encode(tokenizer, text.data, text.length, true, &p->ids, err);
    }
    if (st == GLM_OK && p->ids.n < 2)
        st = glm_fail(err, GLM_EARG, "%s: expected text of at least two tokens, got %zu",
                      cli_input_name(path), p->ids.n);
    glm_str_deinit(&text);
    return st;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static glm_status measure(glm_receipt *out, cli_context *cli, glm_error *err)
{
    pair p = {0};
    glm_status st = open_pair(&p, cli, err);
    if (st == GLM_OK)
        st = read_text(&p, cli, err);
    if (st == GLM_OK) {
        const char *path = cli_text(&cli->args, OPT_CORPUS);
        const glm_receipt_params params = {
            .tokens = p.ids.data,
            .n_tokens = p.ids.n,
            .sequences = p.conversations.data,
            .n_sequences = p.conversations.n,
            .text_sha256 = p.digest,
            .text_name = strcmp(path, "-") == 0 ? "standard input" : base_name(path),
            .progress = cli_progress_report,
            .ctx = &cli->progress,
        };
        st = glm_receipt_measure(out, p.reference.engine, p.quantised.engine, &params, err);
        cli_progress_end(&cli->progress);
    }
    cli_conversations_deinit(&p.conversations);
    cli_ids_deinit(&p.ids);
    cli_engine_close(&p.quantised);
    cli_engine_close(&p.reference);
    return st;
}

static glm_status print(cli_context *cli, const glm_receipt *receipt, glm_error *err)
{
    if (!cli_flag(&cli->args, OPT_JSON)) {
        cli_receipt_print(&cli->out, receipt);
        return GLM_OK;
    }
    char *json = NULL;
    glm_status st = glm_receipt_json(receipt, &json, err);
    if (st == GLM_OK) {
        cli_puts(&cli->out, json);
        cli_puts(&cli->out, "\n");
    }
    free(json);
    return st;
}

glm_status cmd_receipt(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    if (args->n_arguments < 2)
        return glm_fail(err, GLM_EARG, "receipt: expected REF and QUANT, got %zu of them",
                        args->n_arguments);
    if (!cli_is_set(args, OPT_CORPUS))
        return glm_fail(err, GLM_EARG, "receipt: expected -f TEXT");
    const char *path = args->arguments[1];
    bool writes = !cli_flag(args, OPT_PRINT_ONLY);
    if (writes && !ends_in(path, ".gguf")) {
        glm_status st =
            glm_fail(err, GLM_EARG, "%s: expected a .gguf file to write the receipt into", path);
        glm_error_hint(err, "--print-only measures without writing");
        return st;
    }
    glm_receipt receipt;
    glm_status st = measure(&receipt, cli, err);
    if (st == GLM_OK && writes)
        st = glm_receipt_write(&receipt, path, err);
    return st == GLM_OK ? print(cli, &receipt, err) : st;
}
