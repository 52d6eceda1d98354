// SPDX-License-Identifier: MIT
/* The scheduler on nano52, against glm_generate and glm_score. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "engine/serve.h"
#include "glm/constraint.h"

static void one_request_is_answered(void **state)
{
    (void)state;
    glm_scheduler *s = serve_create(NULL);
    static serve_request r;
    serve_make(&r, 1, 100);
    serve_submit(s, &r);
    serve_wait(&r);
    serve_check(&r);
    assert_int_equal(r.n_events - r.n_progress, 1 + 16 + 1 + 1);
    assert_true(r.n_progress <= 1); /* behind the first of two chunks, where that takes long */
    serve_release(&r);
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_submitted, 1);
    assert_int_equal(stats.n_generated_tokens, 16);
    assert_int_equal(stats.n_prompt_tokens, 100);
    assert_int_equal(stats.n_finished[GLM_FINISH_LENGTH], 1);
    glm_scheduler_destroy(s);
}

/* More requests than sequences, of all lengths; every answer is that of the request alone. */
static void a_full_batch_changes_nothing(void **state)
{
    (void)state;
    enum { N = 12, PLACES = 4 };
    static serve_request r[N], busy[PLACES]; /* the latter keep all places until all is submitted */
    glm_scheduler *s = serve_create(NULL);
    for (uint32_t i = 0; i < PLACES; i++) {
        serve_make(&busy[i], 100 + i, 20);
        busy[i].pause_after = 1;
        serve_submit(s, &busy[i]);
        serve_wait_tokens(&busy[i], 1);
    }
    for (uint32_t i = 0; i < N; i++) {
        serve_make(&r[i], i, 1 + i * 17 % 200);
        r[i].p.max_tokens = 1 + i * 7 % 30;
        r[i].p.owner = i % 3;
        r[i].p.priority = (int32_t)(i % 2);
        if (i % 2) {
            r[i].sampler = glm_sampler_params_of(serve_model);
            r[i].sampler.seed = i;
            r[i].sampler.frequency_penalty = 0.5;
        }
        serve_submit(s, &r[i]);
    }
    for (uint32_t i = 0; i < PLACES; i++)
        serve_release(&busy[i]);
    for (uint32_t i = 0; i < N; i++) {
        serve_wait(&r[i]);
        serve_check(&r[i]);
        serve_release(&r[i]);
    }
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    /* They did run together; how often depends on time, as prompts are read at a pace that keeps streams going. */
    assert_true(stats.n_step_sequences > stats.n_steps);
    glm_scheduler_destroy(s);
}

static void choices_share_the_prompt(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler *s = serve_create(NULL);
    serve_make(&r, 5, 130);
    r.sampler = glm_sampler_params_of(serve_model);
    r.sampler.seed = 99;
    r.p.n_choices = 4;
    serve_submit(s, &r);
    serve_wait(&r);
    serve_check(&r);
    assert_memory_not_equal(r.answer[0].ids, r.answer[1].ids, 16 * sizeof(int32_t));
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_computed_tokens, 130);
    serve_release(&r);
    glm_scheduler_destroy(s);
}

typedef struct scores {
    double logprob[512];
    int32_t argmax[512];
} scores;

static glm_status take_block(void *ctx, const glm_score_block *b, glm_error *err)
{
    scores *x = ctx;
    (void)err;
    for (size_t i = 0; i < b->n_rows; i++) {
        x->logprob[b->first + i + 1] = b->logprob[i];
        x->argmax[b->first + i + 1] = b->argmax[i];
    }
    return GLM_OK;
}

static void prompts_are_scored(void **state)
{
    (void)state;
    static serve_request r, stream;
    static scores want;
    glm_scheduler *s = serve_create(NULL);
    serve_make(&stream, 8, 20); /* runs beside it */
    stream.p.max_tokens = 200;
    serve_submit(s, &stream);
    serve_make(&r, 6, 300);
    r.p.want_prompt_logprobs = true;
    r.p.n_top_logprobs = 1;
    r.p.max_tokens = 2;
    serve_submit(s, &r);
    serve_wait(&r);
    serve_check(&r);
    assert_int_equal(r.n_scored, 299);

    glm_engine *engine;
    glm_session *session;
    glm_error err;
    glm_engine_params ep = serve_params().engine;
    assert_int_equal(glm_engine_create(&engine, serve_model, &ep, &err), GLM_OK);
    assert_int_equal(glm_session_open(&session, engine, &err), GLM_OK);
    assert_int_equal(glm_score(session, r.prompt, 300, 0, take_block, &want, &err), GLM_OK);
    for (uint32_t i = 1; i < 300; i++) {
        assert_true(fabs(r.prompt_logprob[i] - want.logprob[i]) < 1e-9);
        assert_int_equal(r.prompt_top[i].id, want.argmax[i]);
        if (r.prompt_top[i].id == r.prompt[i]) /* the same number to the last bit */
            assert_memory_equal(&r.prompt_top[i].logprob, &r.prompt_logprob[i], sizeof(double));
    }
    glm_session_close(session);
    glm_engine_destroy(engine);
    serve_wait(&stream);
    serve_check(&stream);
    serve_release(&stream);
    serve_release(&r);
    glm_scheduler_destroy(s);
}

/* Four sequences that grow to 512 tokens each, pages for one and a half: they are set aside and read again. */
static void a_small_pool_changes_nothing(void **state)
{
    (void)state;
    enum { N = 5 };
    static serve_request r[N];
    glm_scheduler_params p = serve_params();
    p.engine.n_ctx = 256;
    p.engine.n_sessions = 2;
    glm_scheduler *s = serve_create(&p);
    for (uint32_t i = 0; i < N; i++) {
        serve_make(&r[i], 40 + i, 30 + 10 * i);
        r[i].p.max_tokens = 150;
        r[i].p.n_choices = i == 2 ? 2 : 1;
        r[i].sampler.temperature = 1.0; /* equal answers would share pages */
        r[i].p.want_prompt_logprobs = i == 3;
        r[i].pause_after = i == 0; /* so that all are there while it is */
        serve_submit(s, &r[i]);
    }
    serve_wait_tokens(&r[0], 1);
    glm_request_pause(r[0].handle, false);
    for (uint32_t i = 0; i < N; i++) {
        serve_wait(&r[i]);
        serve_check(&r[i]);
    }
    assert_int_equal(r[3].n_scored, 59);
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_true(stats.n_preempted > 0);
    for (uint32_t i = 0; i < N; i++)
        serve_release(&r[i]);
    glm_scheduler_destroy(s);
}

static void a_full_context_ends_it(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler *s = serve_create(NULL);
    serve_make(&r, 3, 500);
    r.p.max_tokens = 0;
    serve_submit(s, &r);
    serve_wait(&r);
    assert_int_equal(r.answer[0].finish, GLM_FINISH_LENGTH);
    assert_int_equal(r.answer[0].n_ids, 13);
    serve_release(&r);
    glm_scheduler_destroy(s);
}

static void cancel_and_release_end_it(void **state)
{
    (void)state;
    static serve_request r[4];
    glm_scheduler *s = serve_create(NULL);
    for (uint32_t i = 0; i < 4; i++) {
        serve_make(&r[i], i, 50);
        r[i].p.max_tokens = 250;
    }
    r[0].cancel_after = 5; /* from inside the callback */
    r[1].pause_after = 3;
    r[2].pause_after = 2;
    r[3].pause_after = 10;
    serve_submit(s, &r[0]);
    serve_submit(s, &r[1]);
    serve_wait(&r[0]);
    assert_int_equal(r[0].status, GLM_ECANCELED);
    assert_int_equal(r[0].answer[0].n_ids, 5);
    assert_false(r[0].answer[0].is_finished);
    serve_wait_tokens(&r[1], 3);
    glm_request_cancel(r[1].handle);
    serve_wait(&r[1]);
    assert_int_equal(r[1].status, GLM_ECANCELED);
    serve_submit(s, &r[2]);
    serve_wait_tokens(&r[2], 2);
    serve_release(&r[2]); /* no event comes any more */
    uint32_t n_events = r[2].n_events;
    serve_submit(s, &r[3]);
    serve_wait_tokens(&r[3], 10);
    assert_int_equal(r[2].n_events, n_events);
    assert_false(r[2].is_done);
    glm_scheduler_destroy(s); /* ends the last one */
    assert_int_equal(r[3].status, GLM_ECANCELED);
    for (uint32_t i = 0; i < 4; i++)
        serve_release(&r[i]);
}

static void deadlines_end_it(void **state)
{
    (void)state;
    static serve_request first, r, late, queued;
    glm_scheduler_params p = serve_params();
    p.max_active = 1;
    glm_scheduler *s = serve_create(&p);
    serve_make(&first, 4, 50);
    first.pause_after = 1;
    serve_submit(s, &first);
    serve_wait_tokens(&first, 1);
    serve_make(&queued, 2, 50);
    queued.p.deadline_s = 0.01;
    serve_submit(s, &queued);
    serve_wait(&queued);
    serve_release(&first);
    serve_make(&r, 1, 50);
    r.p.max_tokens = 0;
    r.p.deadline_s = 0.2;
    r.pause_after = 1; /* so that no context is long enough */
    serve_submit(s, &r);
    serve_wait(&r);
    assert_int_equal(r.status, GLM_OK);
    assert_int_equal(r.answer[0].finish, GLM_FINISH_DEADLINE);
    assert_int_equal(r.answer[0].n_generated, r.answer[0].n_ids);
    assert_int_equal(queued.answer[0].finish, GLM_FINISH_DEADLINE);
    assert_false(queued.is_started);
    serve_make(&late, 3, 50);
    serve_submit(s, &late);
    serve_wait(&late);
    serve_check(&late);
    serve_release(&r);
    serve_release(&queued);
    serve_release(&late);
    glm_scheduler_destroy(s);
}

static void pause_stops_and_goes_on(void **state)
{
    (void)state;
    static serve_request r, other;
    glm_scheduler *s = serve_create(NULL);
    serve_make(&r, 1, 50);
    r.p.max_tokens = 200;
    r.pause_after = 3;
    serve_submit(s, &r);
    serve_wait_tokens(&r, 3);
    serve_make(&other, 2, 50);
    serve_submit(s, &other);
    serve_wait(&other);
    uint32_t n = r.answer[0].n_ids;
    assert_int_equal(n, 3);
    usleep(20000);
    assert_int_equal(r.answer[0].n_ids, n);
    glm_request_pause(r.handle, false);
    serve_wait(&r);
    serve_check(&r);
    serve_release(&r);
    serve_release(&other);
    glm_scheduler_destroy(s);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    static serve_request r[4];
    glm_error err;
    glm_scheduler_params p = serve_params();
    p.max_active = 1;
    p.max_queue = 2;
    glm_scheduler *s = serve_create(&p);
    for (uint32_t i = 0; i < 4; i++) {
        serve_make(&r[i], i, 20);
        r[i].p.max_tokens = 200;
    }
    r[0].pause_after = 1; /* keeps the only place until all are there */
    for (uint32_t i = 0; i < 3; i++) {
        serve_submit(s, &r[i]);
        serve_wait_tokens(&r[0], 1);
    }
    r[3].p.ctx = &r[3];
    r[3].p.prompt = r[3].prompt;
    assert_int_equal(glm_scheduler_submit(&r[3].handle, s, &r[3].p, &err), GLM_EBUSY);
    assert_null(r[3].handle);
    assert_false(glm_scheduler_drain(s, 0.0));
    glm_request_pause(r[0].handle, false);
    assert_true(glm_scheduler_drain(s, 60.0));
    for (uint32_t i = 0; i < 3; i++)
        serve_check(&r[i]);
    assert_int_equal(glm_scheduler_submit(&r[3].handle, s, &r[3].p, &err), GLM_EBUSY);
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_refused, 2);
    for (uint32_t i = 0; i < 3; i++)
        serve_release(&r[i]);
    glm_scheduler_destroy(s);
}

/* An owner with one request is not held up by another with many. */
static void owners_share_evenly(void **state)
{
    (void)state;
    enum { N = 12 };
    static serve_request many[N], one;
    glm_scheduler_params p = serve_params();
    p.max_active = 1;
    glm_scheduler *s = serve_create(&p);
    for (uint32_t i = 0; i < N; i++) {
        serve_make(&many[i], i, 60);
        many[i].p.max_tokens = 60;
        many[i].p.owner = 1;
        many[i].pause_after = i == 0;
        serve_submit(s, &many[i]);
        if (!i)
            serve_wait_tokens(&many[i], 1);
    }
    serve_make(&one, 77, 20);
    one.p.owner = 2;
    serve_submit(s, &one);
    glm_request_pause(many[0].handle, false);
    serve_wait(&one);
    uint32_t n_before = 0;
    for (uint32_t i = 0; i < N; i++) {
        serve_wait(&many[i]);
        n_before += many[i].done_at < one.done_at;
        serve_release(&many[i]);
    }
    assert_true(n_before <= 2);
    serve_release(&one);
    glm_scheduler_destroy(s);
}

static void priority_goes_first(void **state)
{
    (void)state;
    enum { N = 6 };
    static serve_request r[N];
    glm_scheduler_params p = serve_params();
    p.max_active = 1;
    glm_scheduler *s = serve_create(&p);
    for (uint32_t i = 0; i < N; i++) {
        serve_make(&r[i], i, 60);
        r[i].p.max_tokens = 100;
        r[i].p.priority = i == N - 1 ? 5 : 0;
        r[i].pause_after = i == 0;
        serve_submit(s, &r[i]);
        if (!i)
            serve_wait_tokens(&r[i], 1);
    }
    glm_request_pause(r[0].handle, false);
    for (uint32_t i = 0; i < N; i++)
        serve_wait(&r[i]);
    for (uint32_t i = 1; i < N - 1; i++)
        assert_true(r[N - 1].started_at < r[i].started_at);
    for (uint32_t i = 0; i < N; i++)
        serve_release(&r[i]);
    glm_scheduler_destroy(s);
}

static void scripts_and_budgets_force_ids(void **state)
{
    (void)state;
    static serve_request r;
    const int32_t script[] = {70, 71, 72};
    glm_scheduler *s = serve_create(NULL);
    serve_make(&r, 1, 20);
    r.p.script = script;
    r.p.n_script = 3;
    serve_submit(s, &r);
    serve_wait(&r);
    assert_memory_equal(r.answer[0].ids, script, sizeof script);
    assert_int_equal(r.answer[0].n_ids, 16);
    serve_release(&r);
    serve_make(&r, 1, 20);
    r.p.think_budget = 5;
    r.p.think_end_id = 3;
    serve_submit(s, &r);
    serve_wait(&r);
    serve_check(&r);
    bool came = false;
    for (uint32_t i = 0; i < 6; i++)
        came |= r.answer[0].ids[i] == 3;
    assert_true(came);
    serve_release(&r);
    glm_scheduler_destroy(s);
}

static void constraints_hold_for_every_choice(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler *s = serve_create(NULL);
    glm_constraint *c;
    glm_error err;
    glm_constraint_params p = glm_constraint_params_default();
    p.kind = GLM_CONSTRAINT_REGEX;
    p.text = "[ab]{5}c";
    p.length = strlen(p.text);
    assert_int_equal(glm_constraint_create(&c, serve_model, &p, &err), GLM_OK);
    serve_make(&r, 1, 20);
    r.sampler = glm_sampler_params_of(serve_model);
    r.p.constraint = c;
    r.p.n_choices = 3;
    r.p.ignore_eos = false;
    serve_submit(s, &r);
    glm_constraint_release(c); /* the request has its own reference */
    serve_wait(&r);
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(r.answer[k].n_text, 6);
        assert_int_equal(r.answer[k].text[5], 'c');
        for (uint32_t i = 0; i < 5; i++)
            assert_true(r.answer[k].text[i] == 'a' || r.answer[k].text[i] == 'b');
    }
    serve_release(&r);
    glm_scheduler_destroy(s);
}

static void refuse(glm_scheduler *s, const serve_request *r, glm_status want)
{
    glm_request *handle = NULL;
    glm_error err;
    assert_int_equal(glm_scheduler_submit(&handle, s, &r->p, &err), want);
    assert_null(handle);
    assert_true(err.text[0] != '\0');
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler *s = serve_create(NULL);
    const char *empty[] = {""};
    serve_make(&r, 1, 20);
    r.p.prompt = r.prompt;
    r.p.sampler = &r.sampler;
    r.prompt[7] = 1 << 20;
    refuse(s, &r, GLM_EARG);
    r.prompt[7] = 7;
    r.p.n_prompt = 0;
    refuse(s, &r, GLM_EARG);
    r.p.n_prompt = 513;
    refuse(s, &r, GLM_ELIMIT);
    r.p.n_prompt = 20;
    r.p.n_choices = 5;
    refuse(s, &r, GLM_ELIMIT);
    r.p.n_choices = 1;
    r.p.deadline_s = NAN;
    refuse(s, &r, GLM_EARG);
    r.p.deadline_s = 0.0;
    r.p.stop = empty;
    r.p.n_stop = 1;
    refuse(s, &r, GLM_EARG);
    r.p.n_stop = 0;
    r.sampler.temperature = -1.0;
    refuse(s, &r, GLM_EARG);
    r.sampler.temperature = 1.0;
    r.p.n_top_logprobs = 65;
    refuse(s, &r, GLM_ELIMIT);
    r.p.n_top_logprobs = 0;
    r.p.think_budget = 3;
    refuse(s, &r, GLM_EARG); /* no id to force */
    glm_scheduler_destroy(s);

    glm_error err;
    glm_scheduler_params p = serve_params();
    p.max_slowdown = 1.0;
    assert_int_equal(glm_scheduler_create(&s, serve_model, &p, &err), GLM_EARG);
    p = serve_params();
    p.max_active = 100000;
    assert_int_equal(glm_scheduler_create(&s, serve_model, &p, &err), GLM_EARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_is_answered),
        cmocka_unit_test(a_full_batch_changes_nothing),
        cmocka_unit_test(choices_share_the_prompt),
        cmocka_unit_test(prompts_are_scored),
        cmocka_unit_test(a_small_pool_changes_nothing),
        cmocka_unit_test(a_full_context_ends_it),
        cmocka_unit_test(cancel_and_release_end_it),
        cmocka_unit_test(deadlines_end_it),
        cmocka_unit_test(pause_stops_and_goes_on),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(owners_share_evenly),
        cmocka_unit_test(priority_goes_first),
        cmocka_unit_test(scripts_and_budgets_force_ids),
        cmocka_unit_test(constraints_hold_for_every_choice),
        cmocka_unit_test(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, serve_open_model, serve_close_model);
}
