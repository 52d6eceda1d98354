// SPDX-License-Identifier: MIT
/*
 * Ask a model one question and print its answer as it comes, reasoning to standard error.
 *
 *     cc chat.c $(pkg-config --cflags --libs glm) -o chat
 *     ./chat MODEL 'Name three primes.'
 *
 * The chat format makes tokens of the question, glm_generate draws the answer, and a parser splits what comes into
 * reasoning, content and calls of tools.
 */
#include <glm/chat.h>
#include <glm/glm.h>
#include <glm/sampler.h>

#include <stdio.h>
#include <string.h>

/* What there is to let go of at the end; each destroy and close accepts NULL. */
typedef struct program {
    glm_model *model;
    glm_engine *engine;
    glm_session *session;
    glm_chat *chat;
    glm_chat_request *request;
    glm_chat_prompt *prompt;
    glm_chat_parser *parser;
    glm_status status; /* of the parser, inside the callback */
    glm_error err;
} program;

static bool print_event(void *ctx, const glm_chat_event *event)
{
    (void)ctx;
    FILE *out = event->type == GLM_CHAT_EVENT_REASONING ? stderr : stdout;
    fwrite(event->text, 1, event->length, out);
    fflush(out);
    return true;
}

static bool take_token(void *ctx, const glm_generated *token)
{
    program *p = ctx;
    p->status = glm_chat_parser_feed(p->parser, &token->id, 1, &p->err);
    return p->status == GLM_OK && glm_chat_parser_channel(p->parser) != GLM_CHAT_CHANNEL_ENDED;
}

static glm_status open_model(program *p, const char *path)
{
    glm_model_params model_params = glm_model_params_default();
    glm_engine_params engine_params = glm_engine_params_default();
    glm_status st = glm_model_open(&p->model, path, &model_params, &p->err);
    if (st == GLM_OK)
        st = glm_engine_create(&p->engine, p->model, &engine_params, &p->err);
    if (st == GLM_OK)
        st = glm_session_open(&p->session, p->engine, &p->err);
    return st;
}

/* The question as the model reads it, in the format of its own generation. */
static glm_status render(program *p, const char *question)
{
    glm_chat_options options = glm_chat_options_of(glm_chat_template_of(p->model).generation);
    glm_status st = glm_chat_create(&p->chat, glm_model_tokenizer(p->model), &p->err);
    if (st == GLM_OK)
        st = glm_chat_request_create(&p->request, &p->err);
    if (st == GLM_OK)
        st = glm_chat_request_add_text(p->request, GLM_CHAT_ROLE_USER, question, strlen(question),
                                       &p->err);
    if (st == GLM_OK)
        st = glm_chat_prompt_create(&p->prompt, p->chat, p->request, &options, &p->err);
    return st;
}

static glm_status answer(program *p)
{
    glm_chat_parser_params parser_params = glm_chat_parser_params_default();
    parser_params.start = glm_chat_prompt_start(p->prompt);
    parser_params.on_event = print_event;
    glm_status st = glm_chat_parser_create(&p->parser, p->chat, &parser_params, &p->err);
    const int32_t *ids = NULL;
    size_t n_ids = 0;
    if (st == GLM_OK)
        st = glm_chat_prompt_ids(p->prompt, &ids, &n_ids, &p->err);

    glm_sampler_params sampler = glm_sampler_params_of(p->model);
    sampler.temperature = 0; /* greedy: the same answer every time */
    glm_generate_params params = {.sampler = &sampler, .max_tokens = 512};
    if (st == GLM_OK)
        st = glm_generate(p->session, ids, n_ids, &params, take_token, p, NULL, &p->err);
    if (st == GLM_OK)
        st = p->status; /* a callback that stopped is no error to glm_generate */
    return st == GLM_OK ? glm_chat_parser_finish(p->parser, GLM_CHAT_END_LIMIT, &p->err) : st;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL QUESTION\n", argv[0]);
        return 2;
    }
    program p = {.status = GLM_OK};
    glm_status st = open_model(&p, argv[1]);
    if (st == GLM_OK)
        st = render(&p, argv[2]);
    if (st == GLM_OK)
        st = answer(&p);
    printf("\n");
    if (st != GLM_OK)
        fprintf(stderr, "chat: %s\n", p.err.text);

    glm_chat_parser_destroy(p.parser);
    glm_chat_prompt_destroy(p.prompt);
    glm_chat_request_destroy(p.request);
    glm_chat_destroy(p.chat);
    glm_session_close(p.session);
    glm_engine_destroy(p.engine);
    glm_model_close(p.model);
    return st == GLM_OK ? 0 : 1;
}
