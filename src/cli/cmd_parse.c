// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/tokens.h"
#include "core/json.h"
#include "core/json_write.h"

typedef struct parsing {
    cli_context *cli;
    const glm_chat *chat;
} parsing;

/* Parse one output and print the message on one line. */
static glm_status parse(const parsing *p, glm_text text, const glm_chat_request *tools,
                        bool is_thinking, glm_error *err)
{
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.start = is_thinking ? GLM_CHAT_START_REASONING : GLM_CHAT_START_CONTENT;
    params.tools = tools;
    glm_status st = glm_chat_parser_create(&parser, p->chat, &params, err);
    if (st != GLM_OK)
        return st;
    st = glm_chat_parser_feed_text(parser, text.data, text.length, err);
    if (st == GLM_OK)
        st = glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, err);
    char *json = NULL;
    size_t length = 0;
    if (st == GLM_OK)
        st = glm_chat_message_json(&json, &length, glm_chat_parser_message(parser), err);
    if (st == GLM_OK) {
        cli_write(&p->cli->out, json, length);
        cli_end_line(&p->cli->out);
        st = cli_out_flush(&p->cli->out, err);
    }
    free(json);
    glm_chat_parser_destroy(parser);
    return st;
}

/* ---- Lines ---- */

/* A request that holds only the tools of a line. */
static glm_status read_tools(const glm_json *tools, glm_chat_request **out, glm_error *err)
{
    glm_str list = {0};
    glm_json_spell(&list, tools);
    glm_status st =
        list.has_failed ? glm_fail(err, GLM_ENOMEM, "tools") : glm_chat_request_create(out, err);
    if (st == GLM_OK)
        st = glm_chat_request_set_tools(*out, list.data, list.length, err);
    glm_str_deinit(&list);
    return st == GLM_EARG ? GLM_EFORMAT : st;
}

static glm_status parse_line(const parsing *p, const glm_json *line, glm_error *err)
{
    const glm_json *text = glm_json_get(line, "text");
    const glm_json *tools = glm_json_get(line, "tools");
    const glm_json *tail = glm_json_get(line, "prompt_tail");
    if (!text || text->type != GLM_JSON_STRING)
        return glm_fail(err, GLM_EFORMAT, "text: expected a string");
    if (!glm_json_is_null(tail) && !glm_json_is(tail, "think") && !glm_json_is(tail, "nothink"))
        return glm_fail(err, GLM_EFORMAT, "prompt_tail: expected \"think\" or \"nothink\"");
    glm_chat_request *request = NULL;
    glm_status st = GLM_OK;
    if (!glm_json_is_null(tools))
        st = read_tools(tools, &request, err);
    if (st == GLM_OK)
        st = parse(p, (glm_text){text->text, text->length}, request, !glm_json_is(tail, "nothink"),
                   err);
    glm_chat_request_destroy(request);
    return st;
}

static glm_status on_line(void *ctx, const char *line, size_t length, size_t number, glm_error *err)
{
    glm_arena arena;
    glm_arena_init(&arena, SIZE_MAX / 2); /* lines are bounded where they are read */
    const glm_json *value;
    glm_status st = glm_json_read(&value, &arena, line, length, 64, err);
    if (st == GLM_OK)
        st = parse_line(ctx, value, err);
    if (st != GLM_OK)
        glm_fail_context(err, st, "line %zu", number);
    glm_arena_deinit(&arena);
    return st;
}

/* ---- One text ---- */

static glm_status parse_text(const parsing *p, const char *path, glm_error *err)
{
    const cli_args *args = &p->cli->args;
    glm_chat_request *request = NULL;
    glm_str text = {0};
    glm_status st = GLM_OK;
    if (cli_is_set(args, OPT_TOOLS)) {
        st = glm_chat_request_create(&request, err);
        if (st == GLM_OK)
            st = cli_request_tools(request, cli_text(args, OPT_TOOLS), &text, err);
        glm_str_clear(&text); /* what was read is in the request */
    }
    if (st == GLM_OK)
        st = cli_read_file(&text, path, CLI_INPUT_MAX, err);
    if (st == GLM_OK)
        st = parse(p, glm_str_text(&text), request, cli_choice_is(args, OPT_PROMPT_TAIL, "think"),
                   err);
    glm_str_deinit(&text);
    glm_chat_request_destroy(request);
    return st;
}

glm_status cmd_parse(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_tokenizer *tokenizer;
    glm_status st = cli_tokenizer_open(cli, args->n_arguments ? args->arguments[0] : NULL,
                                       &tokenizer, NULL, err);
    if (st != GLM_OK)
        return st;
    glm_chat *chat = NULL;
    st = cli_chat_create(&chat, tokenizer, err);
    if (st == GLM_OK) {
        parsing p = {.cli = cli, .chat = chat};
        const char *path = cli_is_set(args, OPT_FILE) ? cli_text(args, OPT_FILE) : "-";
        st = cli_flag(args, OPT_LINES) ? cli_read_lines(path, on_line, &p, err)
                                       : parse_text(&p, path, err);
    }
    glm_chat_destroy(chat);
    glm_tokenizer_close(tokenizer);
    return st;
}
