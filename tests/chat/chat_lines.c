// SPDX-License-Identifier: MIT
/*
 * The chat format a line at a time, for second_renderer.py and second_parser.py.
 *
 *     chat_lines           requests on stdin, prompts as JSON strings on stdout
 *     chat_lines FOLDER    {"text","tools","prompt_tail"} on stdin, messages on stdout, with the tokenizer in FOLDER
 *
 * A line that is refused gives {"error": text}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/python.h"
#include "core/json_write.h"
#include "glm/chat.h"
#include "tokenizer/tokenizer.h"

/* "generation": "4.6" ..., which only this driver reads. */
static glm_chat_generation generation_of(const char *line, size_t length)
{
    static const char *const names[] = {[GLM_CHAT_GLM_5_2] = "5.2",
                                        [GLM_CHAT_GLM_4_6] = "4.6",
                                        [GLM_CHAT_GLM_4_7] = "4.7",
                                        [GLM_CHAT_GLM_5_1] = "5.1",
                                        [GLM_CHAT_GLM_5_3] = "5.3"};
    static const char key[] = "\"generation\": \"";
    const char *at = memmem(line, length, key, sizeof key - 1);
    for (size_t i = 0; at && i < sizeof names / sizeof *names; i++)
        if (strncmp(at + sizeof key - 1, names[i], 3) == 0)
            return (glm_chat_generation)i;
    return GLM_CHAT_GLM_5_2;
}

static glm_status render(glm_str *out, const glm_chat *chat, const char *line, size_t length,
                         glm_error *err)
{
    glm_chat_request *request = NULL;
    glm_chat_prompt *prompt = NULL;
    glm_chat_options options = glm_chat_options_of(generation_of(line, length));
    glm_status st = glm_chat_request_read(&request, line, length, err);
    if (st == GLM_OK) {
        (void)glm_chat_request_switches(request, GLM_CHAT_AS_TEMPLATE, &options);
        st = glm_chat_prompt_create(&prompt, chat, request, &options, err);
    }
    if (st == GLM_OK) {
        glm_text text;
        text.data = glm_chat_prompt_text(prompt, &text.length);
        glm_json_quote(out, text);
    }
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
    return st;
}

static glm_status parse_with(glm_str *out, const glm_chat *chat, const glm_chat_request *tools,
                             const glm_json *line, glm_error *err)
{
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    const glm_json *text = glm_json_get(line, "text");
    params.tools = tools;
    params.start = glm_json_is(glm_json_get(line, "prompt_tail"), "think")
                       ? GLM_CHAT_START_REASONING
                       : GLM_CHAT_START_CONTENT;
    glm_status st = glm_chat_parser_create(&parser, chat, &params, err);
    if (st != GLM_OK)
        return st;
    st = glm_chat_parser_feed_text(parser, text->text, text->length, err);
    if (st == GLM_OK)
        st = glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, err);
    char *json;
    size_t length;
    if (st == GLM_OK)
        st = glm_chat_message_json(&json, &length, glm_chat_parser_message(parser), err);
    if (st == GLM_OK) {
        glm_str_append(out, json, length);
        free(json);
    }
    glm_chat_parser_destroy(parser);
    return st;
}

static glm_status parse(glm_str *out, const glm_chat *chat, const char *line, size_t length,
                        glm_error *err)
{
    glm_arena arena;
    const glm_json *root;
    glm_chat_request *tools = NULL;
    glm_str list = {0};
    glm_arena_init(&arena, (size_t)64 << 20);
    glm_status st = glm_json_read(&root, &arena, line, length, 64, err);
    if (st == GLM_OK)
        st = glm_chat_request_create(&tools, err);
    if (st == GLM_OK) {
        glm_python_dumps(&list, glm_json_get(root, "tools"));
        st = glm_chat_request_set_tools(tools, list.data, list.length, err);
    }
    if (st == GLM_OK)
        st = parse_with(out, chat, tools, root, err);
    glm_str_deinit(&list);
    glm_chat_request_destroy(tools);
    glm_arena_deinit(&arena);
    return st;
}

static void write_error(glm_str *out, const glm_error *err)
{
    glm_json_writer w = glm_json_writer_of(out);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "error");
    glm_json_write_c(&w, err->text);
    glm_json_end_object(&w);
}

int main(int argc, char **argv)
{
    glm_error err;
    glm_tokenizer *tokenizer = NULL;
    glm_chat *chat = NULL;
    if ((argc > 1 && glm_tok_load_folder(&tokenizer, argv[1], false, &err) != GLM_OK) ||
        glm_chat_create(&chat, tokenizer, &err) != GLM_OK) {
        fprintf(stderr, "chat_lines: %s\n", err.text);
        return 1;
    }
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    glm_str out = {0};
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        glm_str_clear(&out);
        glm_status st = tokenizer ? parse(&out, chat, line, (size_t)length, &err)
                                  : render(&out, chat, line, (size_t)length, &err);
        if (st != GLM_OK) {
            glm_str_clear(&out);
            write_error(&out, &err);
        }
        puts(out.data);
    }
    free(line);
    glm_str_deinit(&out);
    glm_chat_destroy(chat);
    glm_tok_destroy(tokenizer);
    return 0;
}
