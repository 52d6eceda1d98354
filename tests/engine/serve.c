// SPDX-License-Identifier: MIT
#include "engine/serve.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "cmocka_all.h"
#include "core/clock.h"
#include "core/rng.h"
#include "model/golden.h"

glm_model *serve_model;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

int serve_open_model(void **state)
{
    (void)state;
    glm_error err;
    glm_model_params params = glm_model_params_default();
    params.latent_eps = 1e-6;
    must(glm_model_open(&serve_model, golden_folder("nano52"), &params, &err), &err);
    return 0;
}

int serve_close_model(void **state)
{
    (void)state;
    glm_model_close(serve_model);
    return 0;
}

glm_scheduler_params serve_params(void)
{
    glm_scheduler_params p = glm_scheduler_params_default();
    p.engine.precision = GLM_PRECISION_EXACT;
    p.engine.n_threads = 1;
    p.engine.n_ctx = 512;
    p.engine.chunk = 64;
    p.max_active = 4;
    return p;
}

glm_scheduler *serve_create(const glm_scheduler_params *params)
{
    glm_scheduler_params p = params ? *params : serve_params();
    glm_scheduler *s = NULL;
    glm_error err;
    must(glm_scheduler_create(&s, serve_model, &p, &err), &err);
    return s;
}

/* ---- Requests ---- */

static void take_token(serve_request *r, const glm_event *e)
{
    serve_answer *a = &r->answer[e->choice];
    if (a->n_ids == SERVE_IDS || a->n_text + e->length > sizeof a->text)
        return; /* the comparison will tell */
    if (!e->choice)
        r->token_ns[a->n_ids] = glm_clock_ns();
    a->logprob[a->n_ids] = e->logprob;
    a->ids[a->n_ids++] = e->id;
    if (e->length)
        memcpy(a->text + a->n_text, e->text, e->length);
    a->n_text += e->length;
    if (!e->choice && a->n_ids == r->cancel_after)
        glm_request_cancel(r->handle);
    if (!e->choice && a->n_ids == r->pause_after)
        glm_request_pause(r->handle, true);
}

static void take_scores(serve_request *r, const glm_event *e)
{
    for (uint32_t i = 0; i < e->n_logprob && e->first + i < 512; i++) {
        r->n_scored += e->first + i == r->n_scored + 1; /* in order, none twice */
        r->prompt_logprob[e->first + i] = e->prompt_logprob[i];
        if (e->n_top)
            r->prompt_top[e->first + i] = e->prompt_top[(size_t)i * e->n_top];
    }
}

static void take(void *ctx, const glm_event *e)
{
    static uint32_t n_seen;
    serve_request *r = ctx;
    pthread_mutex_lock(&lock);
    r->n_events++;
    n_seen++;
    r->n_cached = e->n_cached;
    if (e->kind == GLM_EVENT_STARTED) {
        r->is_started = true;
        r->started_at = n_seen;
    }
    if (e->kind == GLM_EVENT_PREFILL)
        r->n_progress++;
    if (e->kind == GLM_EVENT_TOKEN)
        take_token(r, e);
    if (e->kind == GLM_EVENT_PROMPT_LOGPROBS)
        take_scores(r, e);
    if (e->kind == GLM_EVENT_FINISHED) {
        serve_answer *a = &r->answer[e->choice];
        a->is_finished = true;
        a->finish = e->finish;
        a->n_generated = e->n_generated;
        a->stop_index = e->stop_index;
    }
    if (e->kind == GLM_EVENT_DONE) {
        r->is_done = true;
        r->done_at = n_seen;
        r->status = e->error ? e->error->status : GLM_OK;
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void serve_make(serve_request *r, uint64_t seed, uint32_t n_prompt)
{
    memset(r, 0, sizeof *r);
    for (uint32_t i = 0; i < n_prompt; i++)
        r->prompt[i] = (int32_t)(glm_rng_double(seed, i) * 256.0);
    r->p = glm_request_params_default();
    r->p.prompt = r->prompt;
    r->p.n_prompt = n_prompt;
    r->sampler = glm_sampler_params_default();
    r->sampler.temperature = 0.0;
    r->p.max_tokens = 16;
    r->p.ignore_eos = true;
    r->p.want_logprobs = true;
    r->p.fn = take;
}

void serve_submit(glm_scheduler *s, serve_request *r)
{
    glm_error err;
    r->p.prompt = r->prompt; /* the struct may have been copied */
    r->p.sampler = &r->sampler;
    r->p.ctx = r;
    must(glm_scheduler_submit(&r->handle, s, &r->p, &err), &err);
}

static void wait_for(serve_request *r, uint32_t n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    int failed = 0;
    pthread_mutex_lock(&lock);
    while (!r->is_done && r->answer[0].n_ids < n && !failed)
        failed = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(failed, 0);
}

void serve_wait(serve_request *r)
{
    wait_for(r, UINT32_MAX);
}

void serve_wait_tokens(serve_request *r, uint32_t n)
{
    wait_for(r, n);
}

void serve_release(serve_request *r)
{
    glm_request_release(r->handle);
    r->handle = NULL;
}

/* ---- The reference ---- */

static bool take_generated(void *ctx, const glm_generated *token)
{
    serve_answer *a = ctx;
    assert_true(a->n_ids < SERVE_IDS && a->n_text + token->length <= sizeof a->text);
    a->logprob[a->n_ids] = token->logprob;
    a->ids[a->n_ids++] = token->id;
    if (token->length)
        memcpy(a->text + a->n_text, token->text, token->length);
    a->n_text += token->length;
    return true;
}

void serve_alone(const serve_request *r, uint32_t choice, serve_answer *out)
{
    static glm_engine *engine;
    glm_error err;
    glm_session *session;
    memset(out, 0, sizeof *out);
    glm_engine_params ep = serve_params().engine;
    ep.n_sessions = 1;
    must(glm_engine_create(&engine, serve_model, &ep, &err), &err);
    must(glm_session_open(&session, engine, &err), &err);
    glm_sampler_params sampler = r->sampler;
    sampler.seed += choice;
    glm_generate_params p = {
        .sampler = &sampler,
        .max_tokens = r->p.max_tokens,
        .stop = r->p.stop,
        .n_stop = r->p.n_stop,
        .ignore_eos = r->p.ignore_eos,
        .think_budget = r->p.think_budget,
        .think_end_id = r->p.think_end_id,
        .constraint = r->p.constraint,
    };
    glm_generate_result result;
    must(glm_generate(session, r->prompt, r->p.n_prompt, &p, take_generated, out, &result, &err),
         &err);
    out->finish = result.finish;
    out->n_generated = result.n_generated;
    out->stop_index = result.stop_index;
    glm_session_close(session);
    glm_engine_destroy(engine);
}

void serve_check(const serve_request *r)
{
    assert_true(r->is_done);
    assert_int_equal(r->status, GLM_OK);
    for (uint32_t k = 0; k < (r->p.n_choices ? r->p.n_choices : 1); k++) {
        static serve_answer want;
        const serve_answer *a = &r->answer[k];
        serve_alone(r, k, &want);
        assert_true(a->is_finished);
        assert_int_equal(a->n_ids, want.n_ids);
        assert_memory_equal(a->ids, want.ids, want.n_ids * sizeof *want.ids);
        if (r->p.want_logprobs)
            assert_memory_equal(a->logprob, want.logprob, want.n_ids * sizeof *want.logprob);
        assert_int_equal(a->n_text, want.n_text);
        assert_memory_equal(a->text, want.text, want.n_text);
        assert_int_equal(a->finish, want.finish);
        assert_int_equal(a->n_generated, want.n_generated);
        if (want.finish == GLM_FINISH_STOP_TEXT)
            assert_int_equal(a->stop_index, want.stop_index);
    }
}
