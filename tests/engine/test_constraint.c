// SPDX-License-Identifier: MIT
/* Constraints and thinking budgets in the generation loop, on the random weights of nano52: what no training helps. */
#define _POSIX_C_SOURCE 200809L
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "engine/think_budget.h"
#include "glm/constraint.h"
#include "glm/sampler.h"
#include "glm/tokenizer.h"
#include "model/golden.h"

#define IDS_MAX 512
#define N_SEEDS 12

static glm_model *model;
static glm_engine *engine;
static int32_t think_end, call, call_end, arg_key;

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

static int32_t id_of(const char *text)
{
    int32_t *ids, id;
    size_t n;
    glm_error err;
    must(glm_tokenizer_encode(&ids, &n, glm_model_tokenizer(model), text, strlen(text), 0, &err),
         &err);
    assert_int_equal(n, 1);
    id = ids[0];
    free(ids);
    return id;
}

static int open_model(void **state)
{
    (void)state;
    glm_error err;
    glm_model_params params = glm_model_params_default();
    must(glm_model_open(&model, golden_folder("nano52"), &params, &err), &err);
    glm_engine_params ep = glm_engine_params_default();
    ep.n_threads = 1;
    must(glm_engine_create(&engine, model, &ep, &err), &err);
    think_end = id_of("</think>");
    call = id_of("<tool_call>");
    call_end = id_of("</tool_call>");
    arg_key = id_of("<arg_key>");
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    glm_engine_destroy(engine);
    glm_model_close(model);
    return 0;
}

typedef struct answer {
    int32_t ids[IDS_MAX];
    size_t n_ids;
    char text[8192];
    size_t n_text;
    bool has_end;
    glm_generate_result result;
} answer;

static bool take(void *ctx, const glm_generated *token)
{
    answer *a = ctx;
    assert_true(a->n_ids < IDS_MAX && a->n_text + token->length < sizeof a->text);
    a->ids[a->n_ids++] = token->id;
    memcpy(a->text + a->n_text, token->text, token->length);
    a->n_text += token->length;
    a->text[a->n_text] = '\0';
    a->has_end |= token->is_end;
    return true;
}

static glm_status generate(answer *a, glm_generate_params *params, uint64_t seed,
                           const glm_logit_bias *bias, size_t n_bias, glm_error *err)
{
    static const int32_t prompt[] = {5, 9, 200, 17, 33};
    glm_session *session = NULL;
    glm_sampler_params sampler = glm_sampler_params_default();
    sampler.seed = seed;
    sampler.bias = bias;
    sampler.n_bias = n_bias;
    params->sampler = &sampler;
    *a = (answer){.n_ids = 0};
    must(glm_session_open(&session, engine, err), err);
    glm_status st = glm_generate(session, prompt, 5, params, take, a, &a->result, err);
    glm_session_close(session);
    return st;
}

static glm_constraint *make(const glm_constraint_params *params)
{
    glm_constraint *c = NULL;
    glm_error err;
    must(glm_constraint_create(&c, model, params, &err), &err);
    return c;
}

static void answers_follow_their_constraint(void **state)
{
    (void)state;
    static const struct {
        glm_constraint_kind kind;
        const char *text, *must_match;
    } list[] = {
        {GLM_CONSTRAINT_CHOICE, "[\"yes\",\"no\",\"maybe so\"]", "^(yes|no|maybe so)$"},
        {GLM_CONSTRAINT_REGEX, "[ab]{5}-\\d{1,3}", "^[ab]{5}-[0-9]{1,3}$"},
        {GLM_CONSTRAINT_GBNF,
         "root ::= \"<\" inner \">\"\ninner ::= [x-z]{1,3} | \"(\" inner \")\"",
         "^<\\(*[x-z]{1,3}\\)*>$"},
        {GLM_CONSTRAINT_JSON_SCHEMA,
         "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":0,"
         "\"maximum\":20},\"k\":{\"enum\":[\"x\",\"y\"]}},\"required\":[\"n\",\"k\"],"
         "\"additionalProperties\":false}",
         "^[ \n]*\\{[ \n]*\"n\"[ \n]*:[ \n]*(1?[0-9]|20)[ \n]*,[ \n]*\"k\"[ \n]*:[ \n]*\"[xy]\"[ "
         "\n]*\\}$"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_constraint_params params = glm_constraint_params_default();
        params.kind = list[i].kind;
        params.text = list[i].text;
        params.length = strlen(list[i].text);
        glm_constraint *c = make(&params);
        regex_t re;
        assert_int_equal(regcomp(&re, list[i].must_match, REG_EXTENDED | REG_NOSUB), 0);
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            answer a;
            glm_error err;
            glm_generate_params gp = {.max_tokens = 400, .constraint = c};
            must(generate(&a, &gp, seed, NULL, 0, &err), &err);
            assert_int_equal(a.result.finish, GLM_FINISH_STOP);
            if (!a.has_end || regexec(&re, a.text, 0, NULL, 0) != 0)
                fail_msg("%s", a.text);
        }
        regfree(&re);
        glm_constraint_release(c);
    }
}

/* Reasoning is free but for end tokens, the budget ends it, and what follows is the answer. */
static void reasoning_comes_first(void **state)
{
    (void)state;
    glm_constraint_params params = glm_constraint_params_default();
    params.kind = GLM_CONSTRAINT_CHOICE;
    params.text = "[\"yes\",\"no\"]";
    params.length = strlen(params.text);
    params.in_reasoning = true;
    glm_constraint *c = make(&params);
    glm_model_info info;
    glm_model_get_info(model, &info);
    glm_logit_bias bias[16]; /* ends are what the model wants most, but reasoning must go on */
    for (uint32_t i = 0; i < info.n_eos; i++)
        bias[i] = (glm_logit_bias){info.eos_ids[i], 50.0F};
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        answer a;
        glm_error err;
        glm_generate_params gp = {
            .max_tokens = 60, .constraint = c, .think_budget = 20, .think_end_id = think_end};
        must(generate(&a, &gp, seed, bias, info.n_eos, &err), &err);
        size_t end = 0;
        while (end < a.n_ids && a.ids[end] != think_end)
            end++;
        assert_true(end <= 20 && end < a.n_ids);
        for (size_t i = 0; i <= end; i++)
            assert_true(a.ids[i] != call_end && a.ids[i] != arg_key);
        size_t n = a.n_ids - end - 2; /* without the end token */
        assert_true(a.has_end && n >= 1 && n <= 3);
        const char *tail = a.text + a.n_text;
        if (strcmp(tail - 3, "yes") != 0 && strcmp(tail - 2, "no") != 0)
            fail_msg("%s", a.text);
    }
    glm_constraint_release(c);
}

#define TOOLS                                                                                      \
    "[{\"name\":\"f\",\"strict\":true,\"parameters\":{\"type\":\"object\",\"properties\":"         \
    "{\"k\":{\"enum\":[\"p\",\"q\"]}},\"required\":[\"k\"]}},{\"name\":\"g\"}]"

static glm_constraint_params tool_params(glm_tool_choice choice)
{
    glm_constraint_params params = glm_constraint_params_default();
    params.tools = TOOLS;
    params.tools_length = strlen(TOOLS);
    params.tool_choice = choice;
    return params;
}

static void calls_are_required_and_single(void **state)
{
    (void)state;
    static const char *const names[] = {"f"};
    glm_constraint_params params = tool_params(GLM_TOOL_CHOICE_REQUIRED);
    params.tool_names = names;
    params.n_tool_names = 1;
    params.single_call = true;
    glm_constraint *c = make(&params);
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        answer a;
        glm_error err;
        glm_generate_params gp = {.max_tokens = 60, .constraint = c};
        must(generate(&a, &gp, seed, NULL, 0, &err), &err);
        assert_int_equal(a.ids[0], call);
        assert_int_equal(a.ids[a.n_ids - 2], call_end);
        assert_true(a.has_end);
        assert_int_equal(a.n_ids, 10); /* call f key k key_end value p value_end call_end end */
    }
    glm_constraint_release(c);
}

/* With free choice the text is free, and a call that the model begins follows its schema; then text is free again. */
static void calls_of_free_choice(void **state)
{
    (void)state;
    const glm_logit_bias wish = {call, 12.0F};
    for (int is_single = 0; is_single < 2; is_single++) {
        glm_constraint_params params = tool_params(GLM_TOOL_CHOICE_AUTO);
        params.single_call = is_single;
        glm_constraint *c = make(&params);
        size_t n_calls = 0, n_answers_of_several = 0;
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            answer a;
            glm_error err;
            glm_generate_params gp = {.max_tokens = 60, .constraint = c};
            must(generate(&a, &gp, seed, &wish, 1, &err), &err);
            size_t n = 0;
            for (size_t i = 0; i + 9 < a.n_ids; i++) {
                if (a.ids[i] != call)
                    continue;
                n++;
                assert_true(a.ids[i + 1] == id_of("f") || a.ids[i + 1] == id_of("g"));
                if (a.ids[i + 1] == id_of("f")) {
                    assert_int_equal(a.ids[i + 2], arg_key);
                    assert_int_equal(a.ids[i + 3], id_of("k"));
                    assert_true(a.ids[i + 6] == id_of("p") || a.ids[i + 6] == id_of("q"));
                    assert_int_equal(a.ids[i + 8], call_end);
                    if (is_single) {
                        assert_int_equal(i + 10, a.n_ids);
                        assert_true(a.has_end);
                    }
                }
            }
            n_calls += n;
            n_answers_of_several += n > 1;
        }
        assert_true(n_calls >= N_SEEDS / 2);
        assert_true(is_single ? n_answers_of_several == 0 : n_answers_of_several > 0);
        glm_constraint_release(c);
    }
}

static void calls_can_be_forbidden(void **state)
{
    (void)state;
    const glm_logit_bias wish = {call, 50.0F};
    for (int in_reasoning = 0; in_reasoning < 2; in_reasoning++) {
        glm_constraint_params params = tool_params(GLM_TOOL_CHOICE_NONE);
        params.in_reasoning = in_reasoning;
        glm_constraint *c = make(&params);
        answer a;
        glm_error err;
        glm_generate_params gp = {.max_tokens = 40, .constraint = c, .ignore_eos = true};
        must(generate(&a, &gp, 3, &wish, 1, &err), &err);
        for (size_t i = 0; i < a.n_ids; i++)
            assert_int_not_equal(a.ids[i], call);
        gp.constraint = NULL;
        must(generate(&a, &gp, 3, &wish, 1, &err), &err);
        assert_int_equal(a.ids[0], call);
        glm_constraint_release(c);
    }
}

/* Near its bound the end of reasoning comes behind a sentence; without one it is forced. */
static void budgets_end_at_sentences(void **state)
{
    (void)state;
    static glm_logit_bias bias[512];
    static const char *const only[] = {"a", "."}; /* all there is to reason with */
    glm_model_info info;
    glm_error err;
    size_t n_by_itself = 0, n_forced = 0, n_soft = 0;
    glm_model_get_info(model, &info);
    for (int ends = 0; ends < 2; ends++) {
        size_t n = 0;
        for (int32_t id = 0; id < (int32_t)info.n_vocab && n < 512; id++) {
            if (id != id_of(only[ends]))
                bias[n++] = (glm_logit_bias){id, id != think_end ? -100.0F : ends ? -6.0F : -11.0F};
        }
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            answer a;
            glm_generate_params gp = {.max_tokens = 60,
                                      .ignore_eos = true,
                                      .think_budget = 40,
                                      .think_end_id = think_end};
            must(generate(&a, &gp, seed, bias, n, &err), &err);
            size_t end = 0;
            while (end < a.n_ids && a.ids[end] != think_end)
                end++;
            n_by_itself += end <= 30;
            n_forced += ends == 0 && end == 40;
            n_soft += ends == 1 && end > 30 && end < 40;
            assert_true(end <= 40);
        }
    }
    if (n_by_itself > N_SEEDS || n_forced < N_SEEDS / 3 || n_soft < N_SEEDS / 3)
        fail_msg("%zu by itself, %zu forced, %zu behind a sentence", n_by_itself, n_forced, n_soft);
}

/* The next token a budget wants behind `ids`: an id forced; -1: nothing; -2: that reasoning does not begin again. */
static int32_t wanted(uint32_t budget, const int32_t *ids, size_t n)
{
    static float logits[1024];
    glm_decoder_hook hook;
    glm_decoder_wish w = {0};
    glm_error err;
    bool is_last = false;
    must(glm_think_budget_hook(&hook, model, budget, think_end, &err), &err);
    for (size_t i = 0; i < n; i++)
        must(hook.took(hook.ctx, ids[i], &is_last, &err), &err);
    w = (glm_decoder_wish){.n_generated = (uint32_t)n, .logits = logits, .force_id = -1};
    must(hook.wish(hook.ctx, &w, &err), &err);
    hook.destroy(hook.ctx);
    assert_false(is_last);
    if (!w.n_bias)
        return w.force_id;
    assert_int_equal(w.bias[0].id, id_of("<think>"));
    assert_true(w.bias[0].bias <= -100.0F);
    return -2;
}

static void budgets_know_calls_and_second_thoughts(void **state)
{
    (void)state;
    const int32_t a = id_of("a"), think = id_of("<think>");
    int32_t talk[80] = {a, call};
    for (size_t i = 2; i < 80; i++)
        talk[i] = a;
    assert_int_equal(wanted(2, (int32_t[]){a}, 1), -1);
    assert_int_equal(wanted(2, (int32_t[]){a, a}, 2), think_end);
    assert_int_equal(wanted(GLM_THINK_NOTHING, NULL, 0), think_end);
    /* Spent, it does not begin again; not spent, it goes on to count. */
    assert_int_equal(wanted(2, (int32_t[]){a, a, think_end, a}, 4), -2);
    assert_int_equal(wanted(2, (int32_t[]){a, think_end, a, a}, 4), -1);
    assert_int_equal(wanted(2, (int32_t[]){a, think_end, think, a}, 4), think_end);
    /* A call without an end of reasoning before it: nothing is forced into it. */
    assert_int_equal(wanted(2, (int32_t[]){a, call, a, a, a}, 5), -1);
    assert_int_equal(wanted(2, (int32_t[]){a, call, a, arg_key, a, a, a}, 7), -1);
    assert_int_equal(wanted(2, (int32_t[]){a, call, a, call_end, a, a, a}, 7), -1);
    /* Talk of calls is reasoning. */
    assert_int_equal(wanted(3, talk, 66), -1);
    assert_int_equal(wanted(100, talk, 80), -1);
    assert_int_equal(wanted(80, talk, 80), think_end);
}

static void refused_constraints(void **state)
{
    (void)state;
    static const struct {
        glm_constraint_kind kind;
        const char *text;
        glm_status status;
    } list[] = {
        {GLM_CONSTRAINT_JSON_SCHEMA, "{", GLM_EFORMAT},
        {GLM_CONSTRAINT_JSON_SCHEMA, "{\"not\":{}}", GLM_EUNSUPP},
        {GLM_CONSTRAINT_REGEX, "(", GLM_EARG},
        {GLM_CONSTRAINT_CHOICE, "[]", GLM_EARG},
        {GLM_CONSTRAINT_CHOICE, "[1]", GLM_EARG},
        {GLM_CONSTRAINT_CHOICE, "\"a\"", GLM_EARG},
        {GLM_CONSTRAINT_GBNF, "a", GLM_EARG},
        {GLM_CONSTRAINT_JSON_SCHEMA, "false", GLM_EARG},
        {(glm_constraint_kind)99, "a", GLM_EARG},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_constraint_params params = glm_constraint_params_default();
        glm_constraint *c = NULL;
        glm_error err;
        params.kind = list[i].kind;
        params.text = list[i].text;
        params.length = strlen(list[i].text);
        params.strict = true;
        assert_int_equal(glm_constraint_create(&c, model, &params, &err), list[i].status);
        assert_null(c);
        assert_true(err.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_follow_their_constraint),
        cmocka_unit_test(reasoning_comes_first),
        cmocka_unit_test(calls_are_required_and_single),
        cmocka_unit_test(calls_of_free_choice),
        cmocka_unit_test(calls_can_be_forbidden),
        cmocka_unit_test(budgets_end_at_sentences),
        cmocka_unit_test(budgets_know_calls_and_second_thoughts),
        cmocka_unit_test(refused_constraints),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
