// SPDX-License-Identifier: MIT
#include "cli/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "core/json_write.h"
#include "core/mem.h"
#include "core/stop_text.h"

/* ---- Options ---- */

static glm_status read_biases(cli_generator *g, glm_error *err)
{
    const cli_value *value = &g->cli->args.values[OPT_LOGIT_BIAS];
    size_t total = 0, n;
    for (size_t i = 0; i < value->n_texts; i++)
        if (cli_parse_biases(value->texts[i], NULL, 0, &n))
            total += n;
    if (total == 0)
        return GLM_OK;
    g->bias = glm_new_array(glm_logit_bias, total);
    if (!g->bias)
        return glm_fail(err, GLM_ENOMEM, "--logit-bias");
    size_t used = 0;
    for (size_t i = 0; i < value->n_texts; i++) {
        if (cli_parse_biases(value->texts[i], g->bias + used, total - used, &n))
            used += n;
    }
    for (size_t i = 0; i < used; i++)
        if ((uint32_t)g->bias[i].id >= g->engine->info.n_vocab)
            return glm_fail(err, GLM_EARG, "%s: expected an id from 0 to %u, got %d", value->where,
                            g->engine->info.n_vocab - 1, g->bias[i].id);
    g->sampler.bias = g->bias;
    g->sampler.n_bias = used;
    return GLM_OK;
}

/* Before the first draw: a seed that was not given is drawn, and told so that this run can be repeated. */
static glm_status choose_seed(cli_generator *g, glm_error *err)
{
    if (g->has_seed || g->sampler.temperature == 0)
        return GLM_OK;
    if (getrandom(&g->sampler.seed, sizeof g->sampler.seed, 0) != sizeof g->sampler.seed)
        return glm_fail(err, GLM_EIO, "drawing a seed: %s", strerror(errno));
    cli_note(g->cli, "--seed %llu", (unsigned long long)g->sampler.seed);
    g->has_seed = true;
    return GLM_OK;
}

static glm_status read_sampling(cli_generator *g, glm_error *err)
{
    const cli_args *args = &g->cli->args;
    glm_sampler_params *p = &g->sampler;
    *p = glm_sampler_params_of(g->engine->model);
    if (cli_is_set(args, OPT_TEMP))
        p->temperature = cli_real(args, OPT_TEMP);
    if (cli_is_set(args, OPT_TOP_P))
        p->top_p = cli_real(args, OPT_TOP_P);
    if (cli_is_set(args, OPT_TOP_K))
        p->top_k = (uint32_t)cli_count(args, OPT_TOP_K);
    if (cli_is_set(args, OPT_MIN_P))
        p->min_p = cli_real(args, OPT_MIN_P);
    if (cli_is_set(args, OPT_REPEAT_PENALTY))
        p->repeat_penalty = cli_real(args, OPT_REPEAT_PENALTY);
    if (cli_is_set(args, OPT_PRESENCE_PENALTY))
        p->presence_penalty = cli_real(args, OPT_PRESENCE_PENALTY);
    if (cli_is_set(args, OPT_FREQUENCY_PENALTY))
        p->frequency_penalty = cli_real(args, OPT_FREQUENCY_PENALTY);
    if (cli_flag(args, OPT_GREEDY))
        p->temperature = 0;
    if (cli_is_set(args, OPT_SEED)) {
        p->seed = cli_count(args, OPT_SEED);
        g->has_seed = true;
    }
    return read_biases(g, err);
}

glm_status cli_generator_init(cli_generator *g, cli_context *cli, cli_engine *engine,
                              glm_error *err)
{
    const cli_args *args = &cli->args;
    *g = (cli_generator){.cli = cli, .engine = engine};
    g->max_tokens = (uint32_t)cli_count(args, OPT_MAX_TOKENS);
    g->stops = args->values[OPT_STOP].texts;
    g->n_stops = args->values[OPT_STOP].n_texts;
    g->ignore_eos = cli_flag(args, OPT_IGNORE_EOS);
    g->think_budget = (uint32_t)cli_count(args, OPT_THINK_BUDGET);
    g->show_thinking = cli_flag(args, OPT_SHOW_THINKING);
    g->is_silent = cli_flag(args, OPT_JSON);
    glm_status st = GLM_OK;
    for (size_t i = 0; i < g->n_stops && st == GLM_OK; i++)
        if (!*g->stops[i])
            st = glm_fail(err, GLM_EARG, "--stop: expected TEXT, got nothing");
    if (st == GLM_OK)
        st = read_sampling(g, err);
    if (st == GLM_OK)
        st = cli_constraint_read(&g->constraint, args, err);
    if (st == GLM_OK)
        st = glm_session_open(&g->session, engine->engine, err);
    if (st != GLM_OK)
        cli_generator_deinit(g);
    return st;
}

void cli_generator_deinit(cli_generator *g)
{
    glm_session_close(g->session);
    cli_ids_deinit(&g->held);
    cli_constraint_deinit(&g->constraint);
    free(g->bias);
    *g = (cli_generator){0};
}

void cli_answer_deinit(cli_answer *answer)
{
    cli_ids_deinit(&answer->ids);
    glm_str_deinit(&answer->text);
    glm_str_deinit(&answer->reasoning);
    glm_str_deinit(&answer->calls_json);
    *answer = (cli_answer){0};
}

/* ---- What is on the screen ---- */

/* One generation under way. */
typedef struct generation {
    cli_generator *g;
    cli_answer *answer;
    glm_chat_parser *parser;  /* NULL without a chat format */
    glm_chat_opening opening; /* with the generator's memory */
    glm_stop_text stop;
    bool print_ids;
    bool is_dimmed;       /* reasoning is being shown */
    bool shows_indicator; /* "thinking ..." stands on the terminal's line */
    double indicator_s;
    glm_status status; /* of what failed inside a callback */
    glm_error *err;
} generation;

/* Reasoning goes where it cannot be taken for the answer: dimmed on a terminal, else to standard error. */
static void show_reasoning(generation *gen, const char *text, size_t length)
{
    cli_out *out = &gen->g->cli->out;
    if (!out->is_terminal) {
        fwrite(text, 1, length, stderr);
        gen->is_dimmed = true;
        return;
    }
    if (!gen->is_dimmed && gen->g->cli->args.is_color)
        cli_puts(out, "\033[2m");
    gen->is_dimmed = true;
    cli_write_foreign(out, text, length);
}

static void end_reasoning(generation *gen)
{
    cli_out *out = &gen->g->cli->out;
    if (gen->shows_indicator)
        fputs("\r\033[K", stderr);
    gen->shows_indicator = false;
    if (!gen->is_dimmed)
        return;
    gen->is_dimmed = false;
    if (!out->is_terminal) {
        fputc('\n', stderr);
        return;
    }
    if (gen->g->cli->args.is_color)
        cli_puts(out, "\033[0m");
    cli_end_line(out);
    cli_puts(out, "\n");
}

/* Hidden reasoning takes long; on a terminal a counter shows that something happens. */
static void indicate_thinking(generation *gen)
{
    if (gen->g->cli->progress.mode != PROGRESS_BAR || gen->g->is_silent)
        return;
    double now = cli_now_s();
    if (now - gen->indicator_s < 0.2)
        return;
    gen->indicator_s = now;
    fprintf(stderr, "\rthinking: %zu tokens\033[K", gen->answer->ids.n);
    fflush(stderr);
    gen->shows_indicator = true;
}

/* Text of the answer that is certain. */
static void on_text(void *ctx, const char *text, size_t length)
{
    generation *gen = ctx;
    glm_str_append(&gen->answer->text, text, length);
    if (gen->g->is_silent || gen->print_ids)
        return;
    end_reasoning(gen);
    cli_write_foreign(&gen->g->cli->out, text, length);
}

static bool on_event(void *ctx, const glm_chat_event *event)
{
    generation *gen = ctx;
    if (event->type == GLM_CHAT_EVENT_CONTENT)
        glm_stop_text_feed(&gen->stop, event->text, event->length, on_text, gen);
    else if (event->type == GLM_CHAT_EVENT_REASONING && gen->g->show_thinking && !gen->g->is_silent)
        show_reasoning(gen, event->text, event->length);
    else if (event->type == GLM_CHAT_EVENT_REASONING)
        indicate_thinking(gen);
    return true;
}

/* ---- The loop's callback ---- */

static bool on_token(void *ctx, const glm_generated *token)
{
    generation *gen = ctx;
    cli_out *out = &gen->g->cli->out;
    glm_status st = cli_ids_append(&gen->answer->ids, &token->id, 1, gen->err);
    if (st == GLM_OK && gen->parser) {
        st = glm_chat_parser_feed(gen->parser, &token->id, 1, gen->err);
    } else if (st == GLM_OK) {
        if (token->length > 0)
            on_text(gen, token->text, token->length);
        if (gen->print_ids && !gen->g->is_silent)
            cli_printf(out, "%s%d", gen->answer->ids.n > 1 ? " " : "", token->id);
    }
    if (st == GLM_OK && !gen->g->is_silent)
        st = cli_out_flush(out, gen->err);
    gen->status = st;
    /* The chat format's end tokens end an answer also where the package does not name them. */
    bool is_over = gen->stop.has_stopped ||
                   (gen->parser && glm_chat_parser_channel(gen->parser) == GLM_CHAT_CHANNEL_ENDED);
    return st == GLM_OK && !is_over && !cli_is_interrupted();
}

/* Make the session hold the longest prefix that it and the prompt share, always less than the prompt. */
static glm_status rewind_session(cli_generator *g, const int32_t *prompt, size_t n, size_t *shared,
                                 glm_error *err)
{
    size_t common = 0;
    while (common < g->held.n && common + 1 < n && g->held.data[common] == prompt[common])
        common++;
    *shared = common;
    g->held.n = common;
    return glm_session_truncate(g->session, (uint32_t)common, err);
}

/* Run the model from `prompt` on; afterwards g->held is what the session holds. */
static glm_status run_model(generation *gen, const int32_t *prompt, size_t n_prompt,
                            const glm_generate_params *params, glm_error *err)
{
    cli_generator *g = gen->g;
    size_t shared = 0;
    if (n_prompt == 0)
        return glm_fail(err, GLM_EARG, "the prompt: expected at least one token, got none");
    if (n_prompt > g->engine->engine_info.n_ctx)
        return glm_fail(err, GLM_ELIMIT,
                        "the prompt: expected at most %u tokens of context, got %zu",
                        g->engine->engine_info.n_ctx, n_prompt);
    glm_status st = rewind_session(g, prompt, n_prompt, &shared, err);
    if (st == GLM_OK)
        st = choose_seed(g, err);
    if (st != GLM_OK)
        return st;
    st = glm_generate(g->session, prompt + shared, n_prompt - shared, params, on_token, gen,
                      &gen->answer->result, err);
    end_reasoning(gen);
    cli_progress_end(&g->cli->progress);
    if (gen->status != GLM_OK)
        return gen->status;
    if (st == GLM_ECANCELED || (st == GLM_OK && cli_is_interrupted()))
        gen->answer->is_canceled = true;
    else if (st != GLM_OK)
        return st;

    glm_error ids_err;
    g->held.n = 0;
    st = cli_ids_append(&g->held, prompt, n_prompt, &ids_err);
    if (st == GLM_OK)
        st = cli_ids_append(&g->held, gen->answer->ids.data, gen->answer->ids.n, &ids_err);
    if (st != GLM_OK)
        return glm_fail(err, st, "%s", ids_err.text);
    size_t length = glm_session_length(g->session);
    if (length < g->held.n)
        g->held.n = length;
    return GLM_OK;
}

static glm_generate_params generate_params(generation *gen)
{
    const cli_generator *g = gen->g;
    return (glm_generate_params){.sampler = &g->sampler,
                                 .max_tokens = g->max_tokens,
                                 .ignore_eos = g->ignore_eos,
                                 .progress = cli_progress_report,
                                 .progress_ctx = &g->cli->progress};
}

static glm_status whole_texts(const cli_answer *answer, glm_error *err)
{
    if (answer->text.has_failed || answer->reasoning.has_failed || answer->calls_json.has_failed)
        return glm_fail(err, GLM_ENOMEM, "the text of the answer");
    return GLM_OK;
}

glm_status cli_generate_ids(cli_generator *g, const cli_ids *prompt, bool print_ids,
                            cli_answer *answer, glm_error *err)
{
    generation gen = {.g = g, .answer = answer, .print_ids = print_ids, .err = err};
    glm_generate_params params = generate_params(&gen);
    params.stop = g->stops;
    params.n_stop = g->n_stops;
    glm_status st = cli_constraint_make(&params.constraint, &g->constraint, g->cli,
                                        g->engine->model, false, err);
    if (st == GLM_OK)
        st = run_model(&gen, prompt->data, prompt->n, &params, err);
    glm_constraint_release(params.constraint);
    if (st != GLM_OK)
        return st;
    answer->finish = answer->result.finish == GLM_FINISH_LENGTH ? "length" : "stop";
    glm_str_append_c(&answer->calls_json, "[]");
    return whole_texts(answer, err);
}

/* ---- Chat ---- */

static void write_calls(cli_answer *answer, const glm_chat_message *message)
{
    glm_json_writer w = glm_json_writer_of(&answer->calls_json);
    glm_json_begin_array(&w);
    for (size_t i = 0; i < message->n_calls; i++) {
        const glm_chat_call *call = &message->calls[i];
        char id[32];
        snprintf(id, sizeof id, "call_%zu", i + 1);
        glm_json_begin_object(&w);
        glm_json_put_c(&w, "id", id);
        glm_json_put_c(&w, "type", "function");
        glm_json_write_key(&w, "function");
        glm_json_begin_object(&w);
        glm_json_put_text(&w, "name", (glm_text){call->name, call->name_length});
        glm_json_put_text(&w, "arguments", (glm_text){call->arguments, call->arguments_length});
        glm_json_end_object(&w);
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
}

/* Calls are part of the answer: one line each behind the text. */
static void print_calls(cli_out *out, const glm_chat_message *message)
{
    for (size_t i = 0; i < message->n_calls; i++) {
        const glm_chat_call *call = &message->calls[i];
        cli_end_line(out);
        cli_write_foreign(out, call->name, call->name_length);
        cli_puts(out, " ");
        cli_write_foreign(out, call->arguments, call->arguments_length);
        cli_puts(out, "\n");
    }
}

/* An answer that ended by itself goes into the next prompt as the tokens it was, so that only what is new is read. */
static void remember(const generation *gen, const glm_chat_message *message)
{
    const cli_ids *ids = &gen->answer->ids;
    glm_error err;
    if (!gen->g->memory || ids->n == 0)
        return;
    if (glm_chat_memory_keep(gen->g->memory, &gen->opening, message, NULL, ids->data, ids->n - 1,
                             &err) != GLM_OK) /* it will be read as text */
        cli_note(gen->g->cli, "%s", err.text);
}

/* The answer is over: take everything from the parser. */
static glm_status finish_chat(generation *gen, glm_chat_request *request, bool keep, glm_error *err)
{
    cli_answer *answer = gen->answer;
    bool has_stopped = gen->stop.has_stopped;
    bool has_ended = glm_chat_parser_channel(gen->parser) == GLM_CHAT_CHANNEL_ENDED;
    glm_status st = glm_chat_parser_finish(
        gen->parser, has_stopped ? GLM_CHAT_END_STOP_TEXT : GLM_CHAT_END_LIMIT, err);
    if (st != GLM_OK)
        return st;
    glm_stop_text_end(&gen->stop, on_text, gen);
    end_reasoning(gen);
    glm_chat_message message = *glm_chat_parser_message(gen->parser);
    /* What a stop string cut off is no part of the answer. */
    message.content = answer->text.length > 0 ? answer->text.data : NULL;
    message.content_length = answer->text.length;
    answer->has_reasoning = message.reasoning != NULL;
    if (message.reasoning)
        glm_str_append(&answer->reasoning, message.reasoning, message.reasoning_length);
    write_calls(answer, &message);
    answer->finish = has_stopped ? "stop" : glm_chat_finish_name(message.finish);
    answer->is_cut_in_reasoning = !message.content && message.n_calls == 0 &&
                                  message.finish == GLM_CHAT_FINISH_LENGTH && message.reasoning;
    if (!gen->g->is_silent)
        print_calls(&gen->g->cli->out, &message);
    if (message.notes & GLM_CHAT_NOTE_ROLE_FIRST)
        cli_note(gen->g->cli, "the model ended its turn with its first token");
    st = whole_texts(answer, err);
    if (st == GLM_OK && has_ended && !has_stopped)
        remember(gen, &message);
    if (st == GLM_OK && keep)
        st = glm_chat_request_add_answer(request, &message, err);
    return st;
}

static glm_status run_chat(generation *gen, const glm_chat *chat, glm_chat_prompt *prompt,
                           glm_chat_request *request, bool keep, glm_error *err)
{
    cli_generator *g = gen->g;
    const int32_t *ids;
    size_t n;
    glm_status st = glm_chat_prompt_ids(prompt, &ids, &n, err);
    if (st != GLM_OK)
        return st;
    glm_chat_parser_params parser_params = glm_chat_parser_params_default();
    parser_params.start = glm_chat_prompt_start(prompt);
    parser_params.tools = request;
    parser_params.repeat_unclosed = !g->show_thinking;
    parser_params.on_event = on_event;
    parser_params.ctx = gen;
    st = glm_chat_parser_create(&gen->parser, chat, &parser_params, err);
    if (st != GLM_OK)
        return st;
    glm_generate_params params = generate_params(gen);
    if (parser_params.start == GLM_CHAT_START_REASONING) {
        params.think_budget = g->think_budget;
        params.think_end_id = glm_chat_think_end_id(chat);
    }
    st = cli_constraint_make(&params.constraint, &g->constraint, g->cli, g->engine->model,
                             parser_params.start == GLM_CHAT_START_REASONING, err);
    if (st == GLM_OK)
        st = run_model(gen, ids, n, &params, err);
    glm_constraint_release(params.constraint);
    if (st == GLM_OK)
        st = finish_chat(gen, request, keep, err);
    glm_chat_parser_destroy(gen->parser);
    return st;
}

glm_status cli_generate_chat(cli_generator *g, const glm_chat *chat, glm_chat_request *request,
                             const glm_chat_options *options, bool keep, cli_answer *answer,
                             glm_error *err)
{
    generation gen = {
        .g = g, .answer = answer, .stop = {.stops = g->stops, .n_stops = g->n_stops}, .err = err};
    glm_chat_prompt *prompt = NULL;
    glm_status st = glm_chat_prompt_create(&prompt, chat, request, options, err);
    if (st == GLM_OK && g->memory)
        st = glm_chat_prompt_recall(prompt, g->memory, request, 0, &gen.opening, NULL, err);
    if (st == GLM_OK)
        st = run_chat(&gen, chat, prompt, request, keep, err);
    glm_str_deinit(&gen.stop.held);
    glm_chat_prompt_destroy(prompt);
    return st;
}

void cli_answer_stats(char *out, size_t size, const cli_answer *answer)
{
    const glm_generate_result *r = &answer->result;
    double prompt_rate = r->prompt_s > 0 ? r->n_prompt / r->prompt_s : 0;
    double rate = r->decode_s > 0 ? r->n_generated / r->decode_s : 0;
    snprintf(out, size,
             "prompt %u tokens, %.3f s, %.1f tokens/s; answer %u tokens, %.3f s, %.1f tokens/s",
             r->n_prompt, r->prompt_s, prompt_rate, r->n_generated, r->decode_s, rate);
}
