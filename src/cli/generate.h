// SPDX-License-Identifier: MIT
/*
 * One generation as `glm run` and the conversation use it: sampling parameters from options, output to the
 * terminal as it comes, a cache that keeps the longest common prefix from turn to turn.
 *
 * A cli_generator belongs to one engine and holds one session. A cli_answer is what came out.
 */
#ifndef GLM_CLI_GENERATE_H
#define GLM_CLI_GENERATE_H

#include "cli/cli.h"
#include "cli/constraint.h"
#include "cli/ids.h"
#include "cli/model.h"
#include "glm/chat.h"
#include "glm/sampler.h"

typedef struct cli_generator {
    cli_context *cli;
    cli_engine *engine;
    glm_session *session;
    cli_ids held;            /* the tokens the session holds */
    glm_chat_memory *memory; /* of a conversation: its answers as tokens; NULL: none */
    glm_sampler_params sampler;
    bool has_seed; /* given; else one is drawn and told when the first generation begins */
    glm_logit_bias *bias;
    uint32_t max_tokens; /* 0: until the context is full */
    const char *const *stops;
    size_t n_stops;
    bool ignore_eos;
    cli_constraint constraint;
    uint32_t think_budget; /* 0: none */
    bool show_thinking;
    bool is_silent; /* print nothing while generating (--json) */
} cli_generator;

/** Read the options into *g and open the session. */
GLM_MUST_CHECK glm_status cli_generator_init(cli_generator *g, cli_context *cli, cli_engine *engine,
                                             glm_error *err);
void cli_generator_deinit(cli_generator *g);

typedef struct cli_answer {
    cli_ids ids;       /* all generated ones, end tokens included */
    glm_str text;      /* content, or all text without a chat format */
    glm_str reasoning; /* empty without a chat format */
    bool has_reasoning;
    glm_str calls_json; /* a JSON list, "[]" when there are none */
    const char *finish; /* "stop", "length" or "tool_calls" */
    bool is_canceled;   /* Ctrl-C; then text is what came before */
    bool is_cut_in_reasoning;
    glm_generate_result result;
} cli_answer;

void cli_answer_deinit(cli_answer *answer);

/** Continue ids; text is printed unless `print_ids` asks for the ids. */
GLM_MUST_CHECK glm_status cli_generate_ids(cli_generator *g, const cli_ids *prompt, bool print_ids,
                                           cli_answer *answer, glm_error *err);

/**
 * Answer a chat request; the answer is appended to it when `keep` asks for that (also one that Ctrl-C cut).
 */
GLM_MUST_CHECK glm_status cli_generate_chat(cli_generator *g, const glm_chat *chat,
                                            glm_chat_request *request,
                                            const glm_chat_options *options, bool keep,
                                            cli_answer *answer, glm_error *err);

/** Token counts and speeds as one line: "12 + 34 tokens, ...". */
void cli_answer_stats(char *out, size_t size, const cli_answer *answer);

#endif
