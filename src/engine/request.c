// SPDX-License-Identifier: MIT
/* A request: checked and copied at submission, then what happens to its events. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "engine/constrain.h"
#include "engine/scheduler_internal.h"
#include "engine/script.h"
#include "engine/stop.h"
#include "engine/think_budget.h"

#define DEADLINE_MAX_S 1e9

glm_request_params glm_request_params_default(void)
{
    return (glm_request_params){.stop_from_id = -1, .think_end_id = -1};
}

/* ---- Checks ---- */

static glm_status check_ids(const char *what, const int32_t *ids, size_t n, uint32_t n_vocab,
                            glm_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab)
            return glm_fail(err, GLM_EARG, "%s: token %zu: expected an id below %u, got %d", what,
                            i, n_vocab, ids[i]);
    return GLM_OK;
}

static glm_status check(const glm_scheduler *s, const glm_request_params *p, glm_error *err)
{
    const uint32_t n_vocab = s->model->config.n_vocab, n_ctx = s->engine->info.n_ctx;
    if (!p->n_prompt || !p->prompt)
        return glm_fail(err, GLM_EARG, "prompt: expected at least one token");
    if (p->n_prompt > n_ctx)
        return glm_fail(err, GLM_ELIMIT, "context: expected a prompt of at most %u tokens, got %zu",
                        n_ctx, p->n_prompt);
    if (p->n_choices > GLM_CHOICES_MAX || p->n_choices > s->p.max_active)
        return glm_fail(err, GLM_ELIMIT, "choices: expected at most %u, got %u",
                        s->p.max_active < GLM_CHOICES_MAX ? s->p.max_active : GLM_CHOICES_MAX,
                        p->n_choices);
    if (!(p->deadline_s >= 0.0 && p->deadline_s <= DEADLINE_MAX_S))
        return glm_fail(err, GLM_EARG, "deadline: expected 0 to %g seconds, got %g", DEADLINE_MAX_S,
                        p->deadline_s);
    if (p->n_script > n_ctx)
        return glm_fail(err, GLM_ELIMIT, "script: expected at most %u tokens, got %zu", n_ctx,
                        p->n_script);
    if (p->n_stop > GLM_STOPS_MAX)
        return glm_fail(err, GLM_ELIMIT, "stop strings: expected at most %u, got %zu",
                        GLM_STOPS_MAX, p->n_stop);
    if (p->n_stop_id > GLM_DECODER_STOP_IDS_MAX)
        return glm_fail(err, GLM_ELIMIT, "stop ids: expected at most %u, got %zu",
                        GLM_DECODER_STOP_IDS_MAX, p->n_stop_id);
    glm_status st = check_ids("prompt", p->prompt, p->n_prompt, n_vocab, err);
    if (st == GLM_OK)
        st = check_ids("script", p->script, p->n_script, n_vocab, err);
    return st;
}

/* ---- Copies ---- */

/* A copy of n items of `size` bytes; true when there is one, or nothing to copy. */
static bool copy(const void **to, const void *from, size_t n, size_t size)
{
    *to = NULL;
    if (!n)
        return true;
    void *data = glm_calloc(n, size);
    if (data)
        memcpy(data, from, n * size);
    *to = data;
    return data != NULL;
}

static bool copy_stops(glm_request *r, const glm_request_params *from)
{
    if (!from->n_stop)
        return true;
    r->stop = glm_new_array(char *, from->n_stop);
    for (size_t i = 0; r->stop && i < from->n_stop; i++) {
        const void *text;
        if (!copy(&text, from->stop[i], strlen(from->stop[i]) + 1, 1))
            return false;
        r->stop[i] = (char *)text;
        r->p.n_stop = i + 1;
    }
    r->p.stop = (const char *const *)r->stop;
    return r->stop != NULL;
}

static glm_status copy_params(glm_request *r, const glm_model *model,
                              const glm_request_params *from, glm_error *err)
{
    r->p = *from;
    r->p.n_stop = 0; /* those copied */
    r->p.n_choices = from->n_choices ? from->n_choices : 1;
    r->sampler = from->sampler ? *from->sampler : glm_sampler_params_of(model);
    const glm_logit_bias *bias = r->sampler.bias;
    r->p.sampler = &r->sampler;
    if (r->p.constraint)
        glm_constraint_acquire(r->p.constraint);
    bool ok = copy((const void **)&r->p.prompt, from->prompt, from->n_prompt, sizeof(int32_t));
    ok &= copy((const void **)&r->p.stop_id, from->stop_id, from->n_stop_id, sizeof(int32_t));
    ok &= copy((const void **)&r->p.script, from->script, from->n_script, sizeof(int32_t));
    ok &= copy((const void **)&r->sampler.bias, bias, r->sampler.n_bias, sizeof *bias);
    ok = ok && copy_stops(r, from);
    return ok ? GLM_OK : glm_fail(err, GLM_ENOMEM, "request: no memory");
}

static void free_request(glm_request *r)
{
    for (size_t i = 0; r->stop && i < r->p.n_stop; i++)
        free(r->stop[i]);
    free(r->stop);
    free((void *)r->p.prompt);
    free((void *)r->p.stop_id);
    free((void *)r->p.script);
    free((void *)r->sampler.bias);
    glm_constraint_release(r->p.constraint);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void glm_request_unref(glm_request *r)
{
    if (atomic_fetch_sub_explicit(&r->n_ref, 1, memory_order_acq_rel) == 1)
        free_request(r);
}

static glm_status init_lock(pthread_mutex_t *lock, glm_error *err)
{
    pthread_mutexattr_t attr;
    if (pthread_mutexattr_init(&attr))
        return glm_fail(err, GLM_ENOMEM, "request: no lock");
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    int failed = pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return failed ? glm_fail(err, GLM_ENOMEM, "request: no lock") : GLM_OK;
}

glm_status glm_request_create(glm_request **out, glm_scheduler *s, const glm_request_params *params,
                              glm_error *err)
{
    glm_status st = check(s, params, err);
    if (st != GLM_OK)
        return st;
    glm_request *r = glm_new(glm_request);
    if (!r)
        return glm_fail(err, GLM_ENOMEM, "request: no memory");
    st = init_lock(&r->lock, err);
    if (st != GLM_OK) {
        free(r);
        return st;
    }
    r->s = s;
    atomic_init(&r->n_ref, 2);
    r->submit_ns = glm_clock_ns();
    if (params->deadline_s > 0.0)
        r->deadline_ns = r->submit_ns + (uint64_t)(params->deadline_s * 1e9);
    st = copy_params(r, s->model, params, err);
    glm_decoder *trial = NULL; /* checks what is left: sampler, stop strings, bounds */
    if (st == GLM_OK)
        st = glm_request_decoder(&trial, r, s->model, 0, err);
    glm_decoder_destroy(trial);
    if (st != GLM_OK) {
        free_request(r);
        return st;
    }
    *out = r;
    return GLM_OK;
}

static glm_status make_hooks(glm_decoder_hook hook[3], uint32_t *n, const glm_request *r,
                             const glm_model *model, glm_error *err)
{
    const glm_request_params *p = &r->p;
    glm_status st = GLM_OK;
    if (p->think_budget) {
        st = glm_think_budget_hook(&hook[*n], model, p->think_budget, p->think_end_id, err);
        *n += st == GLM_OK;
    }
    if (st == GLM_OK && p->constraint) {
        st = glm_constraint_hook(&hook[*n], p->constraint, err);
        *n += st == GLM_OK;
    }
    if (st == GLM_OK && p->n_script) {
        st = glm_script_hook(&hook[*n], p->script, p->n_script, err);
        *n += st == GLM_OK;
    }
    return st;
}

glm_status glm_request_decoder(glm_decoder **out, const glm_request *r, const glm_model *model,
                               uint32_t choice, glm_error *err)
{
    glm_sampler_params sampler = r->sampler;
    sampler.seed += choice;
    glm_decoder_hook hook[3];
    glm_decoder_params p = {
        .sampler = &sampler,
        .max_tokens = r->p.max_tokens,
        .min_tokens = r->p.min_tokens,
        .stop = r->p.stop,
        .n_stop = r->p.n_stop,
        .stop_id = r->p.stop_id,
        .n_stop_id = r->p.n_stop_id,
        .ignore_eos = r->p.ignore_eos,
        .stop_from_id = r->p.stop_from_id,
        .n_top = r->p.n_top_logprobs,
        .skip_logprob = !r->p.want_logprobs,
        .hook = hook,
    };
    glm_status st = make_hooks(hook, &p.n_hook, r, model, err);
    if (st == GLM_OK)
        st = glm_decoder_create(out, model, &p, err);
    for (uint32_t i = 0; i < p.n_hook && st != GLM_OK; i++)
        hook[i].destroy(hook[i].ctx);
    return st;
}

/* ---- Events and the caller's side ---- */

void glm_request_emit(glm_request *r, glm_event *event)
{
    event->n_prompt = (uint32_t)r->p.n_prompt;
    event->n_cached = r->n_cached;
    pthread_mutex_lock(&r->lock);
    if (event->kind == GLM_EVENT_DONE)
        r->s = NULL;
    if (!r->is_released && r->p.fn)
        r->p.fn(r->p.ctx, event);
    pthread_mutex_unlock(&r->lock);
}

static void wake(glm_scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    s->has_news = true;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

static void cancel_locked(glm_request *r)
{
    atomic_store(&r->is_canceled, true);
    if (r->s)
        wake(r->s);
}

void glm_request_cancel(glm_request *r)
{
    pthread_mutex_lock(&r->lock);
    cancel_locked(r);
    pthread_mutex_unlock(&r->lock);
}

void glm_request_pause(glm_request *r, bool is_paused)
{
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->is_paused, is_paused);
    if (r->s)
        wake(r->s);
    pthread_mutex_unlock(&r->lock);
}

void glm_request_release(glm_request *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->is_released = true;
    cancel_locked(r);
    pthread_mutex_unlock(&r->lock);
    glm_request_unref(r);
}
