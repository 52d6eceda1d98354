// SPDX-License-Identifier: MIT
/* The scheduler's public calls and its thread; batch.c has what the thread does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/mem.h"
#include "engine/scheduler_internal.h"

#define MAX_ACTIVE 1024u
#define MAX_QUEUE 65536u
#define DEFAULT_STATE_BYTES ((uint64_t)64 << 30)

glm_scheduler_params glm_scheduler_params_default(void)
{
    return (glm_scheduler_params){.engine = glm_engine_params_default(),
                                  .max_active = 16,
                                  .max_queue = 128,
                                  .max_slowdown = 2.0};
}

/* ---- Creation ---- */

static glm_status check_params(glm_scheduler *s, const glm_scheduler_params *params, glm_error *err)
{
    const glm_scheduler_params defaults = glm_scheduler_params_default();
    s->p = *params;
    s->p.max_active = params->max_active ? params->max_active : defaults.max_active;
    s->p.max_queue = params->max_queue ? params->max_queue : defaults.max_queue;
    s->p.max_slowdown = params->max_slowdown != 0.0 ? params->max_slowdown : defaults.max_slowdown;
    if (s->p.share != GLM_SHARE_KEY && s->p.share != GLM_SHARE_ALL && s->p.share != GLM_SHARE_NONE)
        return glm_fail(err, GLM_EARG, "sharing of prefixes: expected 0 to 2, got %d",
                        (int)s->p.share);
    if (s->p.max_active > MAX_ACTIVE)
        return glm_fail(err, GLM_EARG, "active sequences: expected at most %u, got %u", MAX_ACTIVE,
                        s->p.max_active);
    if (s->p.max_queue > MAX_QUEUE)
        return glm_fail(err, GLM_EARG, "queue: expected at most %u, got %u", MAX_QUEUE,
                        s->p.max_queue);
    if (!(s->p.max_slowdown > 1.0 && s->p.max_slowdown <= 1e6))
        return glm_fail(err, GLM_EARG, "slowdown: expected more than 1, got %g", s->p.max_slowdown);
    if (!(s->p.step_s >= 0.0 && s->p.step_s <= 3600.0))
        return glm_fail(err, GLM_EARG, "time of a step: expected 0 to 3600 s, got %g", s->p.step_s);
    s->p.state_bytes = params->state_bytes ? params->state_bytes : DEFAULT_STATE_BYTES;
    return GLM_OK;
}

static glm_status make_tables(glm_scheduler *s, glm_error *err)
{
    const size_t n = s->p.max_active, n_vocab = s->model->config.n_vocab;
    s->seq = glm_new_array(glm_sequence, n);
    s->order = glm_new_array(glm_sequence *, n);
    s->item = glm_new_array(glm_step_item, n);
    s->item_seq = glm_new_array(glm_sequence *, n);
    s->logits = glm_new_array(float, glm_mul_size(n, n_vocab));
    s->errors = glm_new_array(glm_error, n);
    s->score_logprob = glm_new_array(double, GLM_SCORE_ROWS);
    s->score_top = glm_new_array(glm_token_logprob, (size_t)GLM_SCORE_ROWS * GLM_DECODER_TOP_MAX);
    if (!s->seq || !s->order || !s->item || !s->item_seq || !s->logits || !s->errors ||
        !s->score_logprob || !s->score_top)
        return glm_fail(err, GLM_ENOMEM, "scheduler: no memory for %zu sequences", n);
    for (size_t i = 0; i < n; i++) {
        s->seq[i].logits = s->logits + i * n_vocab;
        s->seq[i].error = &s->errors[i];
    }
    return glm_pace_init(&s->pace, s->p.max_active, err);
}

static glm_status make_cache(glm_scheduler *s, glm_error *err)
{
    glm_kv *kv = s->engine->kv;
    const uint32_t n_page = glm_kv_free_pages(kv);
    uint64_t n = s->p.cache_bytes ? s->p.cache_bytes / glm_kv_bytes_of_page(kv) : n_page;
    s->count.n_pages = n_page;
    s->count.page_bytes = glm_kv_bytes_of_page(kv);
    if (s->p.share == GLM_SHARE_NONE)
        return GLM_OK;
    return glm_prefix_cache_create(&s->cache, kv, &s->model->config,
                                   s->model->weights.n_params_active,
                                   n < n_page ? (uint32_t)n : n_page, err);
}

/* What pages mean: model, types of the cache, precision. The bits depend on nothing else (docs/numerics.md). */
static glm_status bind_state(glm_scheduler *s, glm_state_binding *out, glm_error *err)
{
    char model_id[65], text[GLM_LAYERS_MAX + 256];
    const glm_engine_info *info = &s->engine->info;
    glm_status st = glm_model_id(s->model, model_id, err);
    if (st != GLM_OK)
        return st;
    int n = snprintf(text, sizeof text, "model %s indexers %s latent_eps %a precision %d cache %d",
                     model_id, s->model->indexer_types, (double)s->model->config.latent_eps,
                     (int)info->precision, (int)info->kv_type);
    out->page_bytes = s->count.page_bytes;
    return glm_state_id_of(&out->id, text, (size_t)n, err);
}

static glm_status open_state(glm_scheduler *s, glm_error *err)
{
    glm_state_binding binding;
    if (!s->p.state_dir || !s->cache)
        return GLM_OK;
    glm_status st = bind_state(s, &binding, err);
    if (st == GLM_OK)
        st = glm_state_open(&s->state, s->p.state_dir, &binding, s->p.state_bytes, s->p.log,
                            s->p.log_ctx, err);
    s->p.state_dir = NULL; /* the caller's string ends here */
    return st;
}

static glm_status make_lock(glm_scheduler *s, glm_error *err)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr))
        return glm_fail(err, GLM_ENOMEM, "scheduler: no lock");
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_mutex_init(&s->lock, NULL);
    if (!failed && (failed = pthread_cond_init(&s->news, &attr)) != 0)
        pthread_mutex_destroy(&s->lock);
    if (!failed && (failed = pthread_cond_init(&s->idle, &attr)) != 0) {
        pthread_cond_destroy(&s->news);
        pthread_mutex_destroy(&s->lock);
    }
    pthread_condattr_destroy(&attr);
    s->has_lock = !failed;
    return failed ? glm_fail(err, GLM_ENOMEM, "scheduler: no lock") : GLM_OK;
}

/* ---- The thread ---- */

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

/* Wait on `cond` until `ns`; false when that came. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
    if (ns == UINT64_MAX)
        return pthread_cond_wait(cond, lock) == 0;
    struct timespec t = timespec_of(ns);
    return pthread_cond_timedwait(cond, lock, &t) == 0;
}

static void end_all(glm_scheduler *s)
{
    glm_error err;
    glm_fail(&err, GLM_ECANCELED, "the scheduler ends");
    while (s->active)
        glm_batch_end_request(s, s->active, &err);
    while (s->waiting)
        glm_batch_end_request(s, s->waiting, &err);
}

/* Publish the counters; then, with nothing to run, wait. False: the end. */
static bool rest(glm_scheduler *s, bool had_work)
{
    uint64_t until = had_work ? 0 : glm_batch_next_deadline(s);
    pthread_mutex_lock(&s->lock);
    glm_batch_publish(s);
    while (!had_work && !s->has_news && !s->must_stop)
        if (!wait_until(&s->news, &s->lock, until))
            break;
    s->has_news = false;
    bool goes_on = !s->must_stop;
    pthread_mutex_unlock(&s->lock);
    return goes_on;
}

static void *run(void *ctx)
{
    glm_scheduler *s = ctx;
    while (rest(s, glm_batch_turn(s)))
        ;
    glm_batch_take_incoming(s);
    end_all(s);
    return NULL;
}

glm_status glm_scheduler_create(glm_scheduler **out, glm_model *model,
                                const glm_scheduler_params *params, glm_error *err)
{
    glm_scheduler *s = glm_new(glm_scheduler);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "scheduler: no memory");
    s->model = model;
    s->incoming_end = &s->incoming;
    glm_status st = check_params(s, params, err);
    if (st == GLM_OK) {
        glm_engine_params ep = s->p.engine;
        ep.n_sessions = ep.n_sessions ? ep.n_sessions : s->p.max_active;
        st = glm_engine_create(&s->engine, model, &ep, err);
    }
    if (st == GLM_OK)
        st = make_tables(s, err);
    if (st == GLM_OK)
        st = make_cache(s, err);
    if (st == GLM_OK)
        st = open_state(s, err);
    if (st == GLM_OK)
        st = make_lock(s, err);
    if (st == GLM_OK) {
        s->stats = s->count;
        s->has_thread = pthread_create(&s->thread, NULL, run, s) == 0;
        if (!s->has_thread)
            st = glm_fail(err, GLM_EIO, "scheduler: the system gives no thread");
    }
    if (st != GLM_OK) {
        glm_scheduler_destroy(s);
        return st;
    }
    *out = s;
    return GLM_OK;
}

void glm_scheduler_destroy(glm_scheduler *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        s->must_stop = s->is_draining = true;
        pthread_cond_signal(&s->news);
        pthread_mutex_unlock(&s->lock);
        glm_engine_cancel(s->engine);
        pthread_join(s->thread, NULL);
    }
    if (s->has_lock) {
        pthread_cond_destroy(&s->news);
        pthread_cond_destroy(&s->idle);
        pthread_mutex_destroy(&s->lock);
    }
    glm_pace_deinit(&s->pace);
    void *const owned[] = {s->seq,    s->order,  s->item,          s->item_seq,
                           s->logits, s->errors, s->score_logprob, s->score_top};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    if (s->state)
        glm_state_flush(s->state);
    if (s->state)
        glm_share_reap(s);
    glm_state_close(s->state);
    glm_prefix_cache_destroy(s->cache);
    glm_engine_destroy(s->engine);
    free(s);
}

void glm_scheduler_get_engine(const glm_scheduler *s, glm_engine_info *out)
{
    glm_engine_get_info(s->engine, out);
}

/* ---- Requests ---- */

/* Under the lock: the owner of that id, with `fresh` as a new one. Whichever is not needed is left in *fresh. */
static glm_owner *find_owner(glm_scheduler *s, uint64_t id, glm_owner **fresh)
{
    for (glm_owner *o = s->owners; o; o = o->next)
        if (o->id == id)
            return o;
    glm_owner *o = *fresh;
    *fresh = NULL;
    *o = (glm_owner){.id = id, .is_new = true, .next = s->owners};
    s->owners = o;
    return o;
}

static glm_status enqueue(glm_scheduler *s, glm_request *r, glm_owner **fresh, glm_error *err)
{
    if (s->is_draining || s->n_live >= s->p.max_active + s->p.max_queue) {
        s->stats.n_refused++;
        return s->is_draining ? glm_fail(err, GLM_EBUSY, "no more requests are taken")
                              : glm_fail(err, GLM_EBUSY, "queue is full: %u requests", s->n_live);
    }
    r->owner = find_owner(s, r->p.owner, fresh);
    r->owner->n_live++;
    r->serial = s->n_serial++;
    s->n_live++;
    s->stats.n_submitted++;
    *s->incoming_end = r;
    s->incoming_end = &r->next;
    s->has_news = true;
    pthread_cond_signal(&s->news);
    return GLM_OK;
}

glm_status glm_scheduler_submit(glm_request **out, glm_scheduler *s,
                                const glm_request_params *params, glm_error *err)
{
    glm_request *r;
    glm_status st = glm_request_create(&r, s, params, err);
    if (st != GLM_OK)
        return st;
    glm_owner *fresh = glm_new(glm_owner);
    if (fresh) {
        pthread_mutex_lock(&s->lock);
        st = enqueue(s, r, &fresh, err);
        if (st == GLM_OK)
            *out = r; /* before the thread can tell it of an event */
        pthread_mutex_unlock(&s->lock);
    } else {
        st = glm_fail(err, GLM_ENOMEM, "request: no memory");
    }
    free(fresh);
    if (st != GLM_OK) {
        glm_request_unref(r); /* the scheduler's */
        glm_request_unref(r);
    }
    return st;
}

void glm_scheduler_get_stats(glm_scheduler *s, glm_scheduler_stats *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    pthread_mutex_unlock(&s->lock);
    if (!s->state)
        return;
    glm_state_counts counts;
    glm_state_get_counts(s->state, &counts);
    out->n_state_files = counts.n_file;
    out->state_bytes = counts.n_bytes;
    out->n_state_saved_pages = counts.n_saved;
    out->n_state_loaded_pages = counts.n_loaded;
    out->n_state_bad_files = counts.n_bad;
}

bool glm_scheduler_drain(glm_scheduler *s, double seconds)
{
    const uint64_t until = glm_clock_ns() + (uint64_t)(fmin(fmax(seconds, 0.0), 1e9) * 1e9);
    pthread_mutex_lock(&s->lock);
    s->is_draining = true;
    while (s->n_live && wait_until(&s->idle, &s->lock, until))
        ;
    bool is_idle = !s->n_live;
    pthread_mutex_unlock(&s->lock);
    return is_idle;
}
