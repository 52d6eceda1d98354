// SPDX-License-Identifier: MIT
#include "server/chat_input.h"

/* The conversation's own tree, where tools are called what the prompt calls them; checked. */
static glm_status read_tree(const glm_json **out, const glm_chat_input *input, glm_arena *arena,
                            glm_error *err)
{
    glm_field_error field;
    glm_status st = GLM_OK;
    glm_arena_init(arena, input->json.length * 40 + ((size_t)1 << 20));
    *out = input->tree;
    if (!*out)
        st = glm_json_read(out, arena, input->json.data, input->json.length, 64, err);
    if (st == GLM_OK && !glm_check_conversation(*out, &field))
        st = glm_fail(err, GLM_EARG, "%s", field.text);
    return st;
}

/* The prompt, answers given before put back as the tokens they were. */
static glm_status render(glm_chat_prompt **out, glm_call *call, glm_chat_request *request,
                         const glm_chat_input *input, bool *reasons, glm_chat_opening *opening,
                         glm_error *err)
{
    const glm_server *s = call->server;
    glm_chat_options options = s->options;
    options.thinking = !input->thinks_not;
    const char *warning = glm_chat_request_switches(request, GLM_CHAT_AS_VENDOR, &options);
    if (warning)
        glm_call_warn(call, warning);
    *reasons = options.thinking;
    glm_status st = glm_chat_prompt_create(out, s->chat, request, &options, err);
    if (st == GLM_OK)
        st = glm_chat_prompt_recall(*out, s->memory, request, call->owner, opening, NULL, err);
    return st;
}

void glm_chat_start_generation(glm_generation *g, const glm_chat_input *input,
                               glm_generation_params *p)
{
    glm_server *s = g->server;
    glm_call *call = g->call;
    glm_chat_prompt *prompt = NULL;
    glm_field_error field;
    glm_arena arena;
    glm_error err;
    bool reasons = false;
    if (!glm_read_single_call(g, &field) ||
        !glm_read_think_budget(input->root, &p->request.think_budget, &field)) {
        glm_generation_refuse(g, &field);
        return;
    }
    const glm_json *tree = NULL;
    glm_status st = read_tree(&tree, input, &arena, &err);
    if (st == GLM_OK)
        st = glm_chat_request_read(&p->chat, input->json.data, input->json.length, &err);
    if (st == GLM_OK && glm_chat_request_n_messages(p->chat) == 0)
        st = glm_fail(&err, GLM_EARG, "messages: expected at least one message");
    if (st == GLM_OK)
        st = render(&prompt, call, p->chat, input, &reasons, &p->opening, &err);
    if (st == GLM_OK)
        st = glm_chat_prompt_ids(prompt, &p->ids, &p->n_ids, &err);
    if (st == GLM_OK)
        st = glm_read_constraint(&p->request.constraint, g, glm_field(tree, "tools"),
                                 glm_chat_prompt_start(prompt) == GLM_CHAT_START_REASONING, &err);
    p->prompt = prompt;
    p->request.think_end_id = glm_chat_think_end_id(s->chat);
    if (!reasons)
        p->request.think_budget = 0;
    if (st == GLM_OK) {
        glm_generation_start(g, p);
    } else {
        glm_chat_request_destroy(p->chat);
        glm_generation_discard(g);
        glm_answer_status(call, st, &err);
    }
    glm_constraint_release(p->request.constraint);
    glm_chat_prompt_destroy(prompt);
    glm_arena_deinit(&arena);
}

void glm_chat_count(glm_call *call, glm_text json, const char *object)
{
    glm_chat_request *request = NULL;
    glm_chat_prompt *prompt = NULL;
    const glm_chat_input input = {0};
    glm_chat_opening opening;
    const int32_t *ids;
    size_t n = 0;
    bool reasons;
    glm_error err;
    glm_status st = glm_chat_request_read(&request, json.data, json.length, &err);
    if (st == GLM_OK)
        st = render(&prompt, call, request, &input, &reasons, &opening, &err);
    if (st == GLM_OK)
        st = glm_chat_prompt_ids(prompt, &ids, &n, &err);
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
    if (st != GLM_OK) {
        glm_answer_status(call, st, &err);
        return;
    }
    glm_str body = {0};
    glm_json_writer w = glm_json_writer_of(&body);
    glm_json_begin_object(&w);
    if (object) {
        glm_json_put_c(&w, "object", object);
    }
    glm_json_put_u64(&w, "input_tokens", n);
    glm_json_end_object(&w);
    glm_answer_json(call, 200, &body);
    glm_str_deinit(&body);
}
