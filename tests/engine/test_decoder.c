// SPDX-License-Identifier: MIT
/* The decoder on logits made by hand; the vocabulary and the end tokens are those of nano52. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "engine/decoder.h"
#include "glm/tokenizer.h"
#include "model/golden.h"
#include "model/loaded.h"

static glm_model *model;
static float *logits;
static uint32_t n_vocab;
static glm_sampler_params greedy;

static int open_model(void **state)
{
    (void)state;
    glm_error err;
    glm_model_params params = glm_model_params_default();
    if (glm_model_open(&model, golden_folder("nano52"), &params, &err) != GLM_OK)
        fail_msg("%s", err.text);
    n_vocab = model->config.n_vocab;
    logits = calloc(n_vocab, sizeof *logits);
    greedy = glm_sampler_params_default();
    greedy.temperature = 0.0;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    free(logits);
    glm_model_close(model);
    return 0;
}

static glm_decoder_params neutral(void)
{
    return (glm_decoder_params){.sampler = &greedy, .stop_from_id = -1};
}

static glm_decoder *make(const glm_decoder_params *p)
{
    glm_decoder *d = NULL;
    glm_error err;
    if (glm_decoder_create(&d, model, p, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return d;
}

/* The next token when the model wants `best`, and `second` after it. */
static glm_decoded next(glm_decoder *d, int32_t best, int32_t second)
{
    glm_decoded out;
    glm_error err;
    memset(logits, 0, n_vocab * sizeof *logits);
    logits[second] = 5.0F;
    logits[best] = 9.0F;
    if (glm_decoder_next(d, logits, false, &out, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return out;
}

static void min_tokens_bans_every_end(void **state)
{
    (void)state;
    const int32_t eos = model->config.eos[0], stop_id = 70;
    glm_decoder_params p = neutral();
    p.min_tokens = 2;
    p.stop_id = &stop_id;
    p.n_stop_id = 1;
    glm_decoder *d = make(&p);
    assert_int_equal(next(d, eos, 65).token.id, 65);
    assert_int_equal(next(d, stop_id, 66).token.id, 66);
    glm_decoded out = next(d, stop_id, 66);
    assert_int_equal(out.token.id, stop_id);
    assert_true(out.token.is_end && out.is_last && out.token.length == 0);
    assert_int_equal(out.finish, GLM_FINISH_STOP);
    assert_int_equal(glm_decoder_n_generated(d), 3);
    glm_decoder_destroy(d);
}

static void stop_strings_wait_for_min_tokens(void **state)
{
    (void)state;
    size_t size;
    char stop[32] = "";
    memcpy(stop, glm_tokenizer_bytes(model->tokenizer, 65, &size), 1);
    assert_int_equal(size, 1);
    const char *stops[] = {stop};
    glm_decoder_params p = neutral();
    p.stop = stops;
    p.n_stop = 1;
    p.min_tokens = 3;
    glm_decoder *d = make(&p);
    for (int i = 0; i < 2; i++) {
        glm_decoded out = next(d, 65, 66);
        assert_false(out.is_last);
        assert_int_equal(out.token.length, 1);
    }
    glm_decoded out = next(d, 65, 66);
    assert_int_equal(out.finish, GLM_FINISH_STOP_TEXT);
    assert_true(out.is_last && out.token.length == 0);
    glm_decoder_destroy(d);
}

static void stop_strings_wait_for_an_id(void **state)
{
    (void)state;
    size_t size;
    char stop[32] = "";
    memcpy(stop, glm_tokenizer_bytes(model->tokenizer, 65, &size), 1);
    const char *stops[] = {stop};
    glm_decoder_params p = neutral();
    p.stop = stops;
    p.n_stop = 1;
    p.stop_from_id = 67;
    glm_decoder *d = make(&p);
    assert_false(next(d, 65, 66).is_last);
    assert_false(next(d, 67, 66).is_last);
    assert_true(next(d, 65, 66).is_last);
    glm_decoder_destroy(d);
}

static void top_ids_are_ranked_and_equal_the_token(void **state)
{
    (void)state;
    glm_decoder_params p = neutral();
    p.n_top = 4;
    glm_decoder *d = make(&p);
    glm_decoded out = next(d, 90, 80);
    double sum = exp(9.0) + exp(5.0) + (double)(n_vocab - 2);
    assert_int_equal(out.n_top, 4);
    assert_int_equal(out.top[0].id, 90);
    assert_int_equal(out.top[1].id, 80);
    assert_int_equal(out.top[2].id, 0); /* equals by id */
    assert_int_equal(out.top[3].id, 1);
    assert_memory_equal(&out.top[0].logprob, &out.token.logprob, sizeof(double));
    assert_true(fabs(out.token.logprob - (9.0 - log(sum))) < 1e-9);
    assert_true(fabs(out.top[1].logprob - (5.0 - log(sum))) < 1e-9);
    double logprob;
    glm_token_logprob top[4];
    glm_decoder_score(logits, n_vocab, 80, &logprob, top, 4);
    assert_memory_equal(&logprob, &out.top[1].logprob, sizeof(double));
    assert_memory_equal(&top[0].logprob, &out.token.logprob, sizeof(double));
    glm_decoder_destroy(d);
}

/* ---- Hooks ---- */

typedef struct script {
    uint64_t mask[8];
    bool has_mask;
    int32_t force_id;
    glm_logit_bias bias;
    int32_t last_id;
    int32_t took;
    unsigned n_destroyed;
} script;

static glm_status wish(void *ctx, glm_decoder_wish *w, glm_error *err)
{
    script *s = ctx;
    (void)err;
    w->force_id = s->force_id;
    w->mask = s->has_mask ? s->mask : NULL;
    w->bias[0] = s->bias;
    w->n_bias = s->bias.bias != 0.0F;
    return GLM_OK;
}

static glm_status took(void *ctx, int32_t id, bool *is_last, glm_error *err)
{
    script *s = ctx;
    s->took = id;
    *is_last = id == s->last_id;
    return id == 99 ? glm_fail(err, GLM_ELIMIT, "99") : GLM_OK;
}

static void destroy(void *ctx)
{
    ((script *)ctx)->n_destroyed++;
}

static void hooks_mask_bias_force_and_end(void **state)
{
    (void)state;
    assert_true(n_vocab <= 64 * 8);
    script s = {.force_id = -1, .last_id = 72};
    glm_decoder_hook hook = {wish, took, destroy, &s};
    glm_decoder_params p = neutral();
    p.hook = &hook;
    p.n_hook = 1;
    glm_decoder *d = make(&p);
    assert_int_equal(next(d, 90, 80).token.id, 90);
    s.has_mask = true;
    s.mask[1] = 1u << (80 - 64) | 1u << (82 - 64);
    glm_decoded out = next(d, 90, 80);
    assert_int_equal(out.token.id, 80);
    assert_int_equal(s.took, 80);
    assert_true(out.token.logprob < -3.9); /* under the unchanged logits */
    s.bias = (glm_logit_bias){82, 6.0F};
    assert_int_equal(next(d, 90, 80).token.id, 82);
    s.bias = (glm_logit_bias){80, -100.0F};
    assert_int_equal(next(d, 90, 80).token.id, 82);
    s.mask[1] = 1u << (80 - 64); /* banned and the only one: the mask wins */
    assert_int_equal(next(d, 90, 80).token.id, 80);
    s.force_id = 72;
    out = next(d, 90, 80);
    assert_int_equal(out.token.id, 72);
    assert_true(out.is_last && !out.token.is_end && out.token.length == 1);
    assert_int_equal(out.finish, GLM_FINISH_STOP);
    s.force_id = -1;
    s.mask[1] = 0;
    glm_error err;
    assert_int_equal(glm_decoder_next(d, logits, false, &out, &err), GLM_EUNSUPP);
    s.force_id = 99;
    assert_int_equal(glm_decoder_next(d, logits, false, &out, &err), GLM_ELIMIT);
    glm_decoder_destroy(d);
    assert_int_equal(s.n_destroyed, 1);
}

static void bad_parameters_are_refused(void **state)
{
    (void)state;
    glm_error err;
    glm_decoder *d = NULL;
    glm_decoder_params p = neutral();
    const int32_t far = (int32_t)n_vocab;
    p.stop_id = &far;
    p.n_stop_id = 1;
    assert_int_equal(glm_decoder_create(&d, model, &p, &err), GLM_EARG);
    p.n_stop_id = GLM_DECODER_STOP_IDS_MAX + 1;
    assert_int_equal(glm_decoder_create(&d, model, &p, &err), GLM_ELIMIT);
    p = neutral();
    p.n_top = GLM_DECODER_TOP_MAX + 1;
    assert_int_equal(glm_decoder_create(&d, model, &p, &err), GLM_ELIMIT);
    p = neutral();
    p.n_hook = GLM_DECODER_HOOKS_MAX + 1;
    assert_int_equal(glm_decoder_create(&d, model, &p, &err), GLM_ELIMIT);
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(min_tokens_bans_every_end),
        cmocka_unit_test(stop_strings_wait_for_min_tokens),
        cmocka_unit_test(stop_strings_wait_for_an_id),
        cmocka_unit_test(top_ids_are_ranked_and_equal_the_token),
        cmocka_unit_test(hooks_mask_bias_force_and_end),
        cmocka_unit_test(bad_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
