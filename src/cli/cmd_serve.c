// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/model.h"
#include "core/json_write.h"
#include "server/server.h"

/* Sequences of full length that memory is planned for, cached prefixes included; more share it as long as they are short. */
#define FULL_SEQUENCES 2

static void on_ready(void *ctx, const char *url)
{
    cli_context *cli = ctx;
    glm_error err;
    cli_printf(&cli->out, "listening on %s\n", url);
    if (cli_out_flush(&cli->out, &err) != GLM_OK) /* nobody reads it: serving goes on */
        cli_warn(cli, "%s; listening on %s", err.text, url);
}

static void on_log(void *ctx, int level, const char *line)
{
    if (level == 0)
        cli_warn(ctx, "%s", line);
    else
        cli_note(ctx, "%s", line);
}

static void on_log_json(void *ctx, int level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info"};
    (void)ctx;
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "level", names[level < 0 || level > 2 ? 2 : level]);
    glm_json_put_c(&w, "text", line);
    glm_json_end_object(&w);
    if (!json.has_failed)
        fprintf(stderr, "%s\n", json.data);
    glm_str_deinit(&json);
}

static void on_request(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static glm_status read_params(glm_server_params *p, cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    p->host = cli_text(args, OPT_HOST);
    p->port = (uint16_t)cli_count(args, OPT_PORT);
    p->model_name = cli_text(args, OPT_MODEL_NAME);
    p->key_file = cli_text(args, OPT_KEY_FILE);
    p->allow_no_key = cli_flag(args, OPT_ALLOW_NO_KEY);
    p->is_strict_model = cli_flag(args, OPT_STRICT_MODEL);
    p->clears_thinking = cli_flag(args, OPT_CLEAR_THINKING);
    p->prefixes_raw = cli_flag(args, OPT_RAW_PREFIX);
    p->early_role_chunk = !cli_flag(args, OPT_NO_EARLY_ROLE_CHUNK);
    p->n_connections = (uint32_t)cli_count(args, OPT_MAX_CONNECTIONS);
    p->n_per_address = (uint32_t)cli_count(args, OPT_MAX_PER_ADDRESS);
    p->n_per_key = (uint32_t)cli_count(args, OPT_MAX_PER_KEY);
    p->body_bytes = (size_t)cli_count(args, OPT_MAX_BODY);
    p->answer_s = (double)cli_count(args, OPT_MAX_SECONDS);
    p->stall_s = (double)cli_count(args, OPT_MAX_STALL);
    p->drain_s = (double)cli_count(args, OPT_DRAIN);
    p->tls_cert = cli_text(args, OPT_TLS_CERT);
    p->tls_key = cli_text(args, OPT_TLS_KEY);
    p->script_file = cli_text(args, OPT_SCRIPT);
    if (!p->tls_cert != !p->tls_key)
        return glm_fail(err, GLM_EARG, "--tls-cert: expected --tls-key with it, and the reverse");
    const cli_engine_needs needs = {.n_sessions = FULL_SEQUENCES};
    p->scheduler.engine = cli_engine_params(args, &needs);
    p->scheduler.max_active = (uint32_t)cli_count(args, OPT_MAX_ACTIVE);
    p->scheduler.max_queue = (uint32_t)cli_count(args, OPT_QUEUE);
    p->scheduler.state_dir = cli_text(args, OPT_STATE);
    p->scheduler.state_bytes = cli_count(args, OPT_STATE_SIZE);
    p->scheduler.step_s = (double)cli_count(args, OPT_SCRIPT_STEP) * 1e-3;
    p->scheduler.share = cli_choice_is(args, OPT_SHARE_PREFIX, "all")    ? GLM_SHARE_ALL
                         : cli_choice_is(args, OPT_SHARE_PREFIX, "none") ? GLM_SHARE_NONE
                                                                         : GLM_SHARE_KEY;
    const bool is_json = cli_choice_is(args, OPT_LOG, "json");
    p->scheduler.log = is_json ? on_log_json : on_log;
    p->scheduler.log_ctx = cli;
    p->on_ready = on_ready;
    p->log = p->scheduler.log;
    p->log_request = is_json ? on_request : NULL;
    p->log_ctx = cli;
    return GLM_OK;
}

glm_status cmd_serve(cli_context *cli, glm_error *err)
{
    glm_server_params params = glm_server_params_default();
    const char *name = cli->args.n_arguments > 0 ? cli->args.arguments[0] : NULL;
    glm_model *model;
    char *path;
    glm_status st = read_params(&params, cli, err);
    if (st == GLM_OK)
        st = cli_model_open(cli, name, &model, &path, err);
    if (st != GLM_OK)
        return st;
    for (uint32_t i = 0; glm_model_note(model, i); i++)
        cli_note(cli, "%s", glm_model_note(model, i));
    st = glm_server_run(model, &params, err);
    glm_model_close(model);
    free(path);
    return st;
}
