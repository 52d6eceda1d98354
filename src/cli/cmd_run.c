// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/generate.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/repl.h"
#include "cli/request.h"
#include "cli/tokens.h"
#include "core/json_write.h"

#define REQUEST_MAX ((size_t)64 << 20)

/* ---- The result ---- */

static void write_timings(glm_json_writer *w, const cli_generator *g, const cli_answer *answer)
{
    const glm_generate_result *r = &answer->result;
    glm_json_begin_object(w);
    glm_json_put_double(w, "load_s", g->engine->load_s);
    glm_json_put_double(w, "prompt_s", r->prompt_s);
    glm_json_put_double(w, "decode_s", r->decode_s);
    glm_json_put_double(w, "prompt_tok_s", r->prompt_s > 0 ? r->n_prompt / r->prompt_s : NAN);
    glm_json_put_double(w, "decode_tok_s", r->decode_s > 0 ? r->n_generated / r->decode_s : NAN);
    glm_json_end_object(w);
}

static glm_status print_json(cli_context *cli, const cli_generator *g, const cli_answer *answer,
                             glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_text(&w, "text", glm_str_text(&answer->text));
    glm_json_write_key(&w, "reasoning");
    if (answer->has_reasoning)
        glm_json_write_text(&w, glm_str_text(&answer->reasoning));
    else
        glm_json_write_null(&w);
    glm_json_write_key(&w, "tool_calls");
    glm_json_write_raw(&w, glm_str_text(&answer->calls_json));
    glm_json_write_key(&w, "ids");
    glm_json_begin_array(&w);
    for (size_t i = 0; i < answer->ids.n; i++)
        glm_json_write_i64(&w, answer->ids.data[i]);
    glm_json_end_array(&w);
    glm_json_put_c(&w, "finish_reason", answer->finish);
    glm_json_write_key(&w, "usage");
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "prompt_tokens", answer->result.n_prompt);
    glm_json_put_u64(&w, "completion_tokens", answer->ids.n);
    glm_json_put_u64(&w, "total_tokens", answer->result.n_prompt + answer->ids.n);
    glm_json_end_object(&w);
    glm_json_write_key(&w, "timings");
    write_timings(&w, g, answer);
    glm_json_end_object(&w);
    glm_status st = cli_out_json(&cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

/* Print what is left to print of one answer. */
static glm_status report(cli_context *cli, const cli_generator *g, const cli_answer *answer,
                         glm_error *err)
{
    if (answer->is_canceled) {
        if (!g->is_silent)
            cli_end_line(&cli->out);
        return glm_fail(err, GLM_ECANCELED, "interrupted");
    }
    if (g->is_silent) {
        glm_status st = print_json(cli, g, answer, err);
        if (st != GLM_OK)
            return st;
    } else {
        cli_end_line(&cli->out);
        glm_status st = cli_out_flush(&cli->out, err);
        if (st != GLM_OK)
            return st;
        if (answer->is_cut_in_reasoning)
            cli_note(cli, "the limit came inside the reasoning: nothing was answered "
                          "(-n N, --think off or --think-budget N change that)");
    }
    if (cli_flag(&cli->args, OPT_STATS)) {
        char line[256];
        cli_answer_stats(line, sizeof line, answer);
        cli_note(cli, "%s", line);
    }
    return GLM_OK;
}

/* ---- Prompts ---- */

/* The text of -p, -f or standard input. */
static glm_status read_prompt(cli_context *cli, glm_str *text, glm_error *err)
{
    const cli_args *args = &cli->args;
    if (cli_is_set(args, OPT_PROMPT)) {
        glm_str_append_c(text, cli_text(args, OPT_PROMPT));
        return text->has_failed ? glm_fail(err, GLM_ENOMEM, "the prompt") : GLM_OK;
    }
    const char *path = cli_is_set(args, OPT_RUN_FILE) ? cli_text(args, OPT_RUN_FILE) : "-";
    glm_status st = cli_read_file(text, path, CLI_INPUT_MAX, err);
    if (st != GLM_OK)
        return st;
    /* The newline at the end of a file is no part of a message. */
    if (!cli_flag(args, OPT_RAW) && text->length > 0 && text->data[text->length - 1] == '\n')
        glm_str_truncate(text, text->length - 1);
    if (text->length == 0) {
        st = glm_fail(err, GLM_EARG, "%s: expected a prompt, got nothing", cli_input_name(path));
        glm_error_hint(err, "give -p TEXT, -f FILE, --ids LIST or --request FILE");
    }
    return st;
}

static glm_status run_ids(cli_context *cli, cli_generator *g, cli_answer *answer, glm_error *err)
{
    cli_ids prompt = {0};
    glm_status st;
    bool is_list = cli_is_set(&cli->args, OPT_IDS);
    if (is_list) {
        const cli_value *value = &cli->args.values[OPT_IDS];
        st = cli_ids_of_option(&prompt, value->text, value->where, err);
        if (st == GLM_OK)
            st = cli_ids_check(&prompt, g->engine->info.n_vocab, value->where, err);
    } else {
        glm_str text = {0};
        st = read_prompt(cli, &text, err);
        if (st == GLM_OK)
            st = cli_encode(glm_model_tokenizer(g->engine->model), text.data, text.length, true,
                            &prompt, err);
        glm_str_deinit(&text);
    }
    if (st == GLM_OK)
        st = cli_generate_ids(g, &prompt, is_list, answer, err);
    cli_ids_deinit(&prompt);
    return st;
}

/* The conversation to *request; what --request says of generation to *fields and *g. */
static glm_status read_request(cli_context *cli, cli_generator *g, glm_chat_request **request,
                               cli_request *fields, glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_str text = {0}, tools = {0};
    glm_status st;
    if (cli_is_set(args, OPT_REQUEST)) {
        const char *path = cli_text(args, OPT_REQUEST);
        st = cli_read_file(&text, path, REQUEST_MAX, err);
        if (st == GLM_OK)
            st = cli_request_read(request, &text, cli_input_name(path), err);
        if (st == GLM_OK) {
            st = cli_request_apply(fields, g, glm_str_text(&text), err);
            if (st != GLM_OK)
                st = glm_fail_context(err, st, "%s", cli_input_name(path));
        }
    } else {
        st = glm_chat_request_create(request, err);
        const char *system = cli_text(args, OPT_SYSTEM);
        if (st == GLM_OK && system)
            st = glm_chat_request_add_text(*request, GLM_CHAT_ROLE_SYSTEM, system, strlen(system),
                                           err);
    }
    if (st == GLM_OK && cli_is_set(args, OPT_TOOLS))
        st = cli_request_tools(*request, cli_text(args, OPT_TOOLS), &tools, err);
    if (st == GLM_OK)
        st = cli_constraint_use(&g->constraint, glm_str_text(&text), glm_str_text(&tools), err);
    glm_str_deinit(&text);
    glm_str_deinit(&tools);
    return st;
}

/* The template's options: its defaults, but that earlier reasoning is kept; then what the request says, then what the
 * user says here. */
static glm_chat_options chat_options(cli_context *cli, const cli_engine *engine,
                                     const glm_chat_request *request)
{
    const cli_args *args = &cli->args;
    glm_chat_template format = glm_chat_template_of(engine->model);
    glm_chat_options options = glm_chat_options_of(format.generation);
    cli_warn_template(cli, &format, engine->info.name);
    options.clear_thinking = false;
    const char *warning = glm_chat_request_switches(request, GLM_CHAT_AS_VENDOR, &options);
    if (warning)
        cli_warn(cli, "%s", warning);
    options.add_generation_prompt = true;
    if (cli_is_set(args, OPT_THINK))
        options.thinking = cli_choice_is(args, OPT_THINK, "on");
    if (cli_is_set(args, OPT_EFFORT))
        options.effort =
            cli_choice_is(args, OPT_EFFORT, "high") ? GLM_CHAT_EFFORT_HIGH : GLM_CHAT_EFFORT_MAX;
    return options;
}

static glm_status run_chat(cli_context *cli, cli_generator *g, bool is_conversation,
                           cli_answer *answer, glm_error *err)
{
    const glm_tokenizer *tokenizer = glm_model_tokenizer(g->engine->model);
    glm_chat *chat = NULL;
    glm_chat_request *request = NULL;
    cli_request fields = {0};
    glm_str text = {0};
    glm_status st = cli_chat_create(&chat, tokenizer, err);
    if (st == GLM_OK)
        st = read_request(cli, g, &request, &fields, err);
    if (st != GLM_OK)
        goto done;
    for (size_t i = 0; glm_chat_request_note(request, i); i++)
        cli_note(cli, "%s", glm_chat_request_note(request, i));
    glm_chat_options options = chat_options(cli, g->engine, request);
    if (is_conversation) {
        st = cli_converse(g, chat, request, &options, err);
        goto done;
    }
    if (!cli_is_set(&cli->args, OPT_REQUEST)) {
        st = read_prompt(cli, &text, err);
        if (st == GLM_OK)
            st =
                glm_chat_request_add_text(request, GLM_CHAT_ROLE_USER, text.data, text.length, err);
    }
    if (st == GLM_OK)
        st = cli_generate_chat(g, chat, request, &options, false, answer, err);
done:
    glm_str_deinit(&text);
    cli_request_deinit(&fields);
    glm_chat_request_destroy(request);
    glm_chat_destroy(chat);
    return st;
}

glm_status cmd_run(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    bool is_bare = cli_is_set(args, OPT_IDS) || cli_flag(args, OPT_RAW);
    bool has_prompt = cli_is_set(args, OPT_PROMPT) || cli_is_set(args, OPT_RUN_FILE) ||
                      cli_is_set(args, OPT_IDS) || cli_is_set(args, OPT_REQUEST);
    bool is_conversation = !has_prompt && isatty(STDIN_FILENO) == 1;
    if (is_conversation && (is_bare || cli_flag(args, OPT_JSON)))
        return glm_fail(err, GLM_EARG, "run: expected a prompt with --raw and --json, got none");
    if (cli_flag(args, OPT_IGNORE_EOS) && !is_bare)
        return glm_fail(err, GLM_EARG, "--ignore-eos: expected --ids or --raw with it");

    cli_engine engine;
    cli_engine_needs needs = {0};
    glm_status st = cli_engine_open(&engine, cli, &needs, err);
    if (st != GLM_OK)
        return st;
    cli_generator g;
    cli_answer answer = {0};
    st = cli_generator_init(&g, cli, &engine, err);
    if (st == GLM_OK) {
        st = is_bare ? run_ids(cli, &g, &answer, err)
                     : run_chat(cli, &g, is_conversation, &answer, err);
        if (st == GLM_OK && !is_conversation)
            st = report(cli, &g, &answer, err);
        cli_generator_deinit(&g);
    }
    cli_answer_deinit(&answer);
    cli_engine_close(&engine);
    return st;
}
