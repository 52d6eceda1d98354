// SPDX-License-Identifier: MIT
/* The generation loop on the golden checkpoint nano52, whose greedy continuations transformers computed. */
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "glm/sampler.h"
#include "glm/tokenizer.h"
#include "model/golden.h"

#define TEXT_MAX 65536
#define IDS_MAX 512

static glm_model *model;
static golden *arrays;

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

static int open_model(void **state)
{
    (void)state;
    glm_error err;
    glm_model_params params = glm_model_params_default();
    params.latent_eps = 1e-6;
    const char *folder = golden_folder("nano52");
    must(glm_model_open(&model, folder, &params, &err), &err);
    arrays = golden_open(folder);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    golden_close(arrays);
    glm_model_close(model);
    return 0;
}

/* ---- One run ---- */

typedef struct run {
    glm_engine *engine;
    glm_session *session;
    const int32_t *prompt;
    size_t n_prompt;
    glm_generate_params params;
    glm_sampler_params sampler;
    glm_generate_result result;
    /* What the callback was told. */
    int32_t ids[IDS_MAX];
    double logprob[IDS_MAX];
    size_t n_ids;
    char text[TEXT_MAX];
    size_t n_text;
    size_t n_ends;
    size_t stop_after;   /* the callback returns false at this token; 0: never */
    size_t cancel_after; /* glm_engine_cancel at this token; 0: never */
} run;

static bool take(void *ctx, const glm_generated *token)
{
    run *r = ctx;
    assert_true(r->n_ids < IDS_MAX && r->n_text + token->length <= TEXT_MAX);
    r->logprob[r->n_ids] = token->logprob;
    r->ids[r->n_ids++] = token->id;
    memcpy(r->text + r->n_text, token->text, token->length);
    r->n_text += token->length;
    r->n_ends += token->is_end;
    if (r->n_ids == r->cancel_after)
        glm_engine_cancel(r->engine);
    return r->n_ids != r->stop_after;
}

static void begin(run *r, const glm_engine_params *params, unsigned sequence)
{
    glm_error err;
    golden_array ids;
    memset(r, 0, sizeof *r);
    assert_true(golden_get(arrays, sequence, "input_ids", &ids));
    r->prompt = ids.i;
    r->n_prompt = ids.dim[0];
    glm_engine_params ep = params ? *params : glm_engine_params_default();
    ep.precision = GLM_PRECISION_EXACT;
    if (!ep.n_threads)
        ep.n_threads = 1;
    must(glm_engine_create(&r->engine, model, &ep, &err), &err);
    must(glm_session_open(&r->session, r->engine, &err), &err);
    r->sampler = glm_sampler_params_default();
    r->sampler.temperature = 0.0;
    r->params.sampler = &r->sampler;
    r->params.max_tokens = 32;
    r->params.ignore_eos = true;
}

static glm_status generate(run *r, glm_error *err)
{
    r->n_ids = r->n_text = r->n_ends = 0;
    return glm_generate(r->session, r->prompt, r->n_prompt, &r->params, take, r, &r->result, err);
}

static void go(run *r)
{
    glm_error err;
    must(generate(r, &err), &err);
    assert_int_equal(r->result.n_generated, r->n_ids);
}

static void end(run *r)
{
    glm_session_close(r->session);
    glm_engine_destroy(r->engine);
}

/* The bytes of the first n ids of the run, joined. */
static size_t join(const run *r, size_t n, char *text)
{
    size_t size = 0, one;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = glm_tokenizer_bytes(glm_model_tokenizer(model), r->ids[i], &one);
        memcpy(text + size, bytes, one);
        size += one;
    }
    return size;
}

/* ---- Cases ---- */

static void greedy_continues_as_transformers_does(void **state)
{
    (void)state;
    for (unsigned sequence = 0; sequence < 2; sequence++) {
        run r;
        golden_array want;
        static char text[TEXT_MAX];
        begin(&r, NULL, sequence);
        go(&r);
        assert_true(golden_get(arrays, sequence, "greedy", &want));
        assert_int_equal(r.n_ids, want.dim[0]);
        assert_memory_equal(r.ids, want.i, r.n_ids * sizeof(int32_t));
        assert_int_equal(r.result.finish, GLM_FINISH_LENGTH);
        assert_int_equal(r.result.n_prompt, r.n_prompt);
        assert_int_equal(glm_session_length(r.session), r.n_prompt + r.n_ids - 1);
        size_t size = join(&r, r.n_ids, text);
        assert_int_equal(r.n_text, size);
        assert_memory_equal(r.text, text, size);
        end(&r);
    }
}

static void goes_on_where_it_ended(void **state)
{
    (void)state;
    run r;
    golden_array want;
    assert_true(golden_get(arrays, 0, "greedy", &want));
    begin(&r, NULL, 0);
    r.params.max_tokens = 10;
    go(&r);
    r.n_prompt = 1;
    r.params.max_tokens = 22;
    int32_t last = r.ids[9];
    r.prompt = &last;
    go(&r);
    assert_memory_equal(r.ids, want.i + 10, 22 * sizeof(int32_t));
    end(&r);
}

static void an_end_token_ends_it(void **state)
{
    (void)state;
    run r;
    begin(&r, NULL, 0);
    const glm_logit_bias bias[] = {{355, 1000.0F}};
    r.sampler.bias = bias;
    r.sampler.n_bias = 1;
    r.params.ignore_eos = false;
    go(&r);
    assert_int_equal(r.n_ids, 1);
    assert_int_equal(r.ids[0], 355);
    assert_int_equal(r.n_ends, 1);
    assert_int_equal(r.n_text, 0);
    assert_int_equal(r.result.finish, GLM_FINISH_STOP);
    assert_int_equal(glm_session_length(r.session), r.n_prompt);
    end(&r);

    begin(&r, NULL, 0);
    r.sampler.bias = bias;
    r.sampler.n_bias = 1;
    r.params.max_tokens = 5;
    go(&r);
    assert_int_equal(r.n_ids, 5);
    assert_int_equal(r.n_ends, 0);
    assert_true(r.n_text > 0);
    assert_int_equal(r.result.finish, GLM_FINISH_LENGTH);
    end(&r);
}

/* Every stretch of ASCII in the greedy text that begins inside one token and ends inside another is a stop string. */
static void stop_strings_cross_tokens(void **state)
{
    (void)state;
    run r;
    static char text[TEXT_MAX], ascii[TEXT_MAX];
    begin(&r, NULL, 1);
    go(&r);
    size_t size = join(&r, r.n_ids, text);
    unsigned n_tried = 0;
    for (size_t first = 0; first < size; first += 3) {
        for (size_t n = 2; n <= 12 && first + n <= size; n += 5) {
            memcpy(ascii, text + first, n);
            ascii[n] = '\0';
            bool is_ascii = strlen(ascii) == n;
            for (size_t i = 0; i < n; i++)
                is_ascii = is_ascii && (unsigned char)ascii[i] < 128;
            if (!is_ascii)
                continue;
            const char *at = memmem(text, size, ascii, n);
            const char *stop[] = {"no such text", ascii};
            glm_error err;
            must(glm_session_truncate(r.session, 0, &err), &err);
            r.params.stop = stop;
            r.params.n_stop = 2;
            go(&r);
            assert_int_equal(r.result.finish, GLM_FINISH_STOP_TEXT);
            assert_int_equal(r.result.stop_index, 1);
            assert_int_equal(r.n_text, at - text);
            assert_memory_equal(r.text, text, r.n_text);
            assert_true(join(&r, r.n_ids, ascii) >= r.n_text + n);
            n_tried++;
        }
    }
    assert_true(n_tried > 10);
    end(&r);
}

/* What was held back for a stop string that did not come is given with the last token. */
static void held_text_is_given_in_the_end(void **state)
{
    (void)state;
    run r;
    begin(&r, NULL, 1);
    r.params.max_tokens = 1;
    const glm_logit_bias bias[] = {{65, 1000.0F}}; /* some ASCII token */
    size_t n;
    const char *bytes = glm_tokenizer_bytes(glm_model_tokenizer(model), 65, &n);
    char stop_text[32];
    assert_true(n == 1 && (unsigned char)bytes[0] < 128);
    memset(stop_text, bytes[0], 4);
    stop_text[4] = '\0';
    const char *stop[] = {stop_text};
    r.sampler.bias = bias;
    r.sampler.n_bias = 1;
    r.params.stop = stop;
    r.params.n_stop = 1;
    r.params.max_tokens = 3;
    go(&r);
    assert_int_equal(r.result.finish, GLM_FINISH_LENGTH);
    assert_int_equal(r.n_text, 3);
    r.params.max_tokens = 9;
    go(&r);
    assert_int_equal(r.result.finish, GLM_FINISH_STOP_TEXT);
    assert_int_equal(r.n_ids, 4);
    assert_int_equal(r.n_text, 0);
    end(&r);
}

static void a_full_context_ends_it(void **state)
{
    (void)state;
    run r;
    glm_engine_params ep = glm_engine_params_default();
    ep.n_ctx = 100;
    begin(&r, &ep, 0); /* 96 tokens */
    r.params.max_tokens = 0;
    go(&r);
    assert_int_equal(r.result.finish, GLM_FINISH_LENGTH);
    assert_int_equal(r.n_ids, 5);
    assert_int_equal(glm_session_length(r.session), 100);
    end(&r);
}

static void the_callback_may_stop_it(void **state)
{
    (void)state;
    run r;
    begin(&r, NULL, 0);
    r.stop_after = 3;
    go(&r);
    assert_int_equal(r.result.finish, GLM_FINISH_CANCELED);
    assert_int_equal(r.n_ids, 3);
    assert_int_equal(glm_session_length(r.session), r.n_prompt + 2);
    end(&r);
}

/* A wish to cancel that comes between two steps counts. */
static void the_engine_may_be_canceled(void **state)
{
    (void)state;
    run r;
    begin(&r, NULL, 0);
    r.cancel_after = 4;
    go(&r);
    assert_int_equal(r.result.finish, GLM_FINISH_CANCELED);
    assert_int_equal(r.n_ids, 4);
    assert_int_equal(glm_session_length(r.session), r.n_prompt + 3);
    r.cancel_after = 0;
    int32_t last = r.ids[3];
    r.prompt = &last;
    r.n_prompt = 1;
    go(&r); /* an old wish does not */
    assert_int_equal(r.result.finish, GLM_FINISH_LENGTH);
    end(&r);
}

typedef struct progress {
    uint64_t done[64];
    size_t n, cancel_at;
} progress;

static bool note_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    progress *p = ctx;
    assert_string_equal(what, "prompt");
    assert_int_equal(total, 96);
    p->done[p->n++] = done;
    return p->n != p->cancel_at;
}

static void progress_is_told_by_chunks(void **state)
{
    (void)state;
    run r;
    progress p = {.n = 0};
    glm_engine_params ep = glm_engine_params_default();
    ep.chunk = 40;
    begin(&r, &ep, 0);
    r.params.progress = note_progress;
    r.params.progress_ctx = &p;
    go(&r);
    const uint64_t want[] = {0, 40, 80, 96};
    assert_int_equal(p.n, 4);
    assert_memory_equal(p.done, want, sizeof want);
    end(&r);
    for (size_t at = 1; at <= 4; at++) {
        begin(&r, &ep, 0);
        p = (progress){.cancel_at = at};
        r.params.progress = note_progress;
        r.params.progress_ctx = &p;
        go(&r);
        assert_int_equal(r.result.finish, GLM_FINISH_CANCELED);
        assert_int_equal(r.n_ids, 0);
        assert_int_equal(glm_session_length(r.session), 0);
        end(&r);
    }
}

static void a_token_can_be_forced(void **state)
{
    (void)state;
    run r;
    golden_array want;
    assert_true(golden_get(arrays, 0, "greedy", &want));
    begin(&r, NULL, 0);
    r.params.think_budget = 6;
    r.params.think_end_id = 5; /* not among the greedy ids */
    go(&r);
    assert_memory_equal(r.ids, want.i, 6 * sizeof(int32_t));
    assert_int_equal(r.ids[6], 5);
    assert_int_not_equal(r.ids[7], 5);
    assert_true(r.logprob[6] < r.logprob[5]);
    end(&r);
    begin(&r, NULL, 0);
    r.params.think_budget = 6;
    r.params.think_end_id = want.i[3]; /* comes by itself */
    go(&r);
    assert_memory_equal(r.ids, want.i, 20 * sizeof(int32_t)); /* then <think> comes again */
    end(&r);
}

static void the_seed_decides_whatever_the_threads(void **state)
{
    (void)state;
    run r;
    int32_t ids[48];
    double logprob[48];
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
        glm_engine_params ep = glm_engine_params_default();
        ep.n_threads = n_threads;
        ep.chunk = n_threads == 3 ? 17 : 0;
        begin(&r, &ep, 0);
        r.sampler = glm_sampler_params_of(model);
        assert_true(r.sampler.temperature == 1.0 && r.sampler.top_p == 0.95);
        r.sampler.seed = 4711;
        r.params.max_tokens = 48;
        go(&r);
        if (n_threads == 1) {
            memcpy(ids, r.ids, sizeof ids);
            memcpy(logprob, r.logprob, sizeof logprob);
        }
        assert_memory_equal(r.ids, ids, sizeof ids);
        assert_memory_equal(r.logprob, logprob, sizeof logprob);
        end(&r);
    }
    begin(&r, NULL, 0);
    r.sampler = glm_sampler_params_of(model);
    r.sampler.seed = 4712;
    r.params.max_tokens = 48;
    go(&r);
    assert_memory_not_equal(r.ids, ids, sizeof ids);
    end(&r);
}

static void bad_arguments_leave_the_session(void **state)
{
    (void)state;
    run r;
    glm_error err;
    glm_engine_params ep = glm_engine_params_default();
    ep.n_ctx = 90;
    begin(&r, &ep, 0);
    assert_int_equal(generate(&r, &err), GLM_ELIMIT);
    r.n_prompt = 0;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    const int32_t outside[] = {3, 384}, negative[] = {-1};
    r.prompt = outside;
    r.n_prompt = 2;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    r.prompt = negative;
    r.n_prompt = 1;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    r.prompt = outside;
    const char *stop[] = {""};
    r.params.stop = stop;
    r.params.n_stop = 1;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    r.params.n_stop = 0;
    r.sampler.top_p = 7.0;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    r.sampler.top_p = 1.0;
    r.params.think_budget = 1;
    r.params.think_end_id = -2;
    assert_int_equal(generate(&r, &err), GLM_EARG);
    assert_int_equal(r.n_ids, 0);
    assert_int_equal(glm_session_length(r.session), 0);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_continues_as_transformers_does),
        cmocka_unit_test(goes_on_where_it_ended),
        cmocka_unit_test(an_end_token_ends_it),
        cmocka_unit_test(stop_strings_cross_tokens),
        cmocka_unit_test(held_text_is_given_in_the_end),
        cmocka_unit_test(a_full_context_ends_it),
        cmocka_unit_test(the_callback_may_stop_it),
        cmocka_unit_test(the_engine_may_be_canceled),
        cmocka_unit_test(progress_is_told_by_chunks),
        cmocka_unit_test(a_token_can_be_forced),
        cmocka_unit_test(the_seed_decides_whatever_the_threads),
        cmocka_unit_test(bad_arguments_leave_the_session),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
