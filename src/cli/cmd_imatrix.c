// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/model.h"
#include "cli/tokens.h"
#include "core/json_write.h"
#include "core/mem.h"
#include "glm/quantize.h"

#define WINDOW 4096u

static void print_text(cli_context *cli, const glm_imatrix_report *r, const char *out)
{
    cli_printf(&cli->out, "%llu tokens in %llu sequences, %u matrices\n",
               (unsigned long long)r->n_tokens, (unsigned long long)r->n_windows, r->n_entries);
    for (uint32_t i = 0; i < r->n_layer; i++)
        cli_printf(&cli->out,
                   "layer %u: of %u experts %u were seen by fewer than 64 tokens, %u by none\n",
                   r->layer[i].layer, r->n_expert, r->layer[i].n_rare, r->layer[i].n_unseen);
    cli_puts(&cli->out, "wrote ");
    cli_write_foreign(&cli->out, out, strlen(out));
    cli_puts(&cli->out, "\n");
}

static glm_status print_json(cli_context *cli, const glm_imatrix_report *r, const char *out,
                             glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "file", out);
    glm_json_put_u64(&w, "tokens", r->n_tokens);
    glm_json_put_u64(&w, "sequences", r->n_windows);
    glm_json_put_u64(&w, "matrices", r->n_entries);
    glm_json_put_u64(&w, "experts", r->n_expert);
    glm_json_write_key(&w, "rare");
    glm_json_begin_array(&w);
    for (uint32_t i = 0; i < r->n_layer; i++) {
        glm_json_begin_object(&w);
        glm_json_put_u64(&w, "layer", r->layer[i].layer);
        glm_json_put_u64(&w, "rare", r->layer[i].n_rare);
        glm_json_put_u64(&w, "unseen", r->layer[i].n_unseen);
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
    glm_json_end_object(&w);
    glm_status st = cli_out_json(&cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

/* The text's name without its folders, which are nobody's business. */
static const char *dataset_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(path, "-") == 0 ? "standard input" : slash ? slash + 1 : path;
}

static glm_status collect(cli_context *cli, const cli_engine *engine, const cli_ids *ids,
                          glm_imatrix_report *report, glm_error *err)
{
    const glm_imatrix_params params = {
        .tokens = ids->data,
        .n_tokens = ids->n,
        .window = engine->engine_info.n_ctx,
        .dataset = dataset_of(cli_text(&cli->args, OPT_CORPUS)),
        .progress = cli_progress_report,
        .ctx = &cli->progress,
    };
    const char *out = cli_text(&cli->args, OPT_OUTPUT);
    glm_status st = glm_imatrix_write(engine->engine, out, &params, report, err);
    cli_progress_end(&cli->progress);
    if (st != GLM_OK)
        return st;
    if (cli_flag(&cli->args, OPT_JSON))
        return print_json(cli, report, out, err);
    print_text(cli, report, out);
    return GLM_OK;
}

glm_status cmd_imatrix(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    if (args->n_arguments == 0)
        return glm_fail(err, GLM_EARG, "imatrix: expected MODEL, got none");
    if (!cli_is_set(args, OPT_CORPUS) || !cli_is_set(args, OPT_OUTPUT))
        return glm_fail(err, GLM_EARG, "imatrix: expected -f TEXT and -o FILE");
    cli_engine engine = {0};
    cli_ids ids = {0};
    glm_str text = {0};
    glm_imatrix_report *report = glm_new(glm_imatrix_report);
    glm_status st = report ? GLM_OK : glm_fail(err, GLM_ENOMEM, "imatrix");
    if (st == GLM_OK)
        st = cli_read_file(&text, cli_text(args, OPT_CORPUS), CLI_INPUT_MAX, err);
    const cli_engine_needs needs = {.n_ctx_most = WINDOW};
    if (st == GLM_OK)
        st = cli_engine_open(&engine, cli, &needs, err);
    if (st == GLM_OK)
        st = cli_encode(glm_model_tokenizer(engine.model), text.data, text.length, true, &ids, err);
    if (st == GLM_OK && ids.n == 0)
        st = glm_fail(err, GLM_EARG, "%s: expected text, got nothing",
                      cli_input_name(cli_text(args, OPT_CORPUS)));
    if (st == GLM_OK)
        st = collect(cli, &engine, &ids, report, err);
    glm_str_deinit(&text);
    cli_ids_deinit(&ids);
    cli_engine_close(&engine);
    free(report);
    return st;
}
