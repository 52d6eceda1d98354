// SPDX-License-Identifier: MIT
/*
 * Same bits: random mixes of requests, each answered alone (glm_generate), then by schedulers in a full batch, with and without
 * cached prefixes, cut into pieces of all sizes, set aside for want of pages. Ids, text and log-probabilities must be equal to
 * the last bit. And 10,000 requests with random cancels, releases and pauses, which must leave nothing behind. GLM_TEST_LONG=1 runs
 * all of them, else a fifth and a fiftieth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "core/rng.h"
#include "engine/scheduler_internal.h"
#include "engine/serve.h"

#define N_DISTINCT 125u /* requests; each runs under every setting */
#define N_SETTING 8u
#define N_AT_ONCE 12u

typedef struct dice {
    uint64_t seed, n;
} dice;

static uint32_t roll(dice *d, uint32_t n)
{
    return (uint32_t)(glm_rng_double(d->seed, d->n++) * (double)n);
}

static bool is_long(void)
{
    const char *value = getenv("GLM_TEST_LONG");
    return value && *value == '1';
}

static bool is_small(void)
{
    return getenv("GLM_TEST_SMALL") != NULL;
}

/* A request like those of agents: one of three common beginnings, cut somewhere, then something of its own. */
static void make_mix(serve_request *r, uint64_t seed)
{
    dice d = {seed, 0};
    static serve_request common;
    serve_make(&common, 1000 + roll(&d, 3), 300);
    uint32_t n_common = roll(&d, 4) ? 20 + roll(&d, 280) : 0, n_own = 1 + roll(&d, 60);
    serve_make(r, seed, n_own);
    memmove(r->prompt + n_common, r->prompt, n_own * sizeof *r->prompt);
    memcpy(r->prompt, common.prompt, n_common * sizeof *r->prompt);
    r->p.n_prompt = n_common + n_own;
    r->p.max_tokens = 1 + roll(&d, 40);
    r->p.ignore_eos = roll(&d, 2);
    r->p.priority = (int32_t)roll(&d, 2);
    r->p.n_choices = roll(&d, 5) ? 1 : 2;
    r->p.want_prompt_logprobs = !roll(&d, 8);
    r->p.n_top_logprobs = roll(&d, 3);
    if (roll(&d, 3)) {
        r->sampler = glm_sampler_params_of(serve_model);
        r->sampler.seed = seed;
        r->sampler.temperature = 0.5 + 0.25 * roll(&d, 4);
        r->sampler.top_k = roll(&d, 2) * 20;
        r->sampler.repeat_penalty = roll(&d, 2) ? 1.0 : 1.2;
    }
}

static glm_scheduler_params setting(uint32_t i)
{
    glm_scheduler_params p = serve_params();
    p.engine.chunk = i % 2 ? 64 : 17;
    p.engine.n_threads = 1 + i % 3 % 2;
    p.max_active = i % 4 == 3 ? 12 : 4;
    p.share = i & 1 ? GLM_SHARE_NONE : i & 2 ? GLM_SHARE_ALL : GLM_SHARE_KEY;
    p.engine.n_sessions = i & 4 ? 1 : 0; /* short of pages */
    p.step_tokens = i & 2 ? 1 + i * 3 : 0;
    return p;
}

static void check_answer(const serve_request *r, const serve_answer *want)
{
    for (uint32_t k = 0; k < r->p.n_choices; k++) {
        const serve_answer *a = &r->answer[k], *w = &want[k];
        assert_true(r->status == GLM_OK && a->is_finished);
        assert_int_equal(a->n_ids, w->n_ids);
        assert_memory_equal(a->ids, w->ids, w->n_ids * sizeof *w->ids);
        assert_memory_equal(a->logprob, w->logprob, w->n_ids * sizeof *w->logprob);
        assert_int_equal(a->n_text, w->n_text);
        assert_memory_equal(a->text, w->text, w->n_text);
        assert_int_equal(a->finish, w->finish);
    }
}

static void every_mix_has_the_bits_of_the_request_alone(void **state)
{
    (void)state;
    const uint32_t n = is_long() ? N_DISTINCT : N_DISTINCT / 5;
    serve_answer(*want)[2] = calloc(n, sizeof *want);
    serve_request *r = calloc(N_AT_ONCE, sizeof *r);
    assert_true(want && r);
    for (uint32_t i = 0; i < n; i++) {
        make_mix(&r[0], i);
        for (uint32_t k = 0; k < r[0].p.n_choices; k++)
            serve_alone(&r[0], k, &want[i][k]);
    }
    uint64_t n_hit = 0, n_aside = 0;
    for (uint32_t j = 0; j < N_SETTING; j++) {
        glm_scheduler_params p = setting(j);
        glm_scheduler *s = serve_create(&p);
        for (uint32_t first = 0; first < n; first += N_AT_ONCE) {
            uint32_t end = first + N_AT_ONCE < n ? N_AT_ONCE : n - first;
            for (uint32_t i = 0; i < end; i++) {
                make_mix(&r[i], first + i);
                r[i].p.owner = (first + i) % 2;
                serve_submit(s, &r[i]);
            }
            for (uint32_t i = 0; i < end; i++) {
                serve_wait(&r[i]);
                serve_release(&r[i]);
                check_answer(&r[i], want[first + i]);
                if (r[i].p.want_prompt_logprobs)
                    assert_int_equal(r[i].n_scored, r[i].p.n_prompt - 1);
            }
        }
        glm_scheduler_stats stats;
        glm_scheduler_get_stats(s, &stats);
        n_hit += stats.n_cached_tokens;
        n_aside += stats.n_preempted;
        assert_int_equal(stats.n_failed + stats.n_canceled, 0);
        glm_scheduler_destroy(s);
    }
    print_message("%u requests under %u settings: %lu tokens from the cache, %lu set aside\n", n,
                  N_SETTING, (unsigned long)n_hit, (unsigned long)n_aside);
    assert_true(n_hit > 1000 && n_aside > 0);
    free(want);
    free(r);
}

/* ---- Cancels ---- */

static uint32_t resident_kib(void)
{
    unsigned long total, resident;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_true(f && fscanf(f, "%lu %lu", &total, &resident) == 2);
    fclose(f);
    return (uint32_t)(resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

static void cancels_leave_nothing(void **state)
{
    (void)state;
    enum { N_SLOT = 16 };
    const uint32_t n = is_long() ? 10000 : is_small() ? 100 : 200;
    serve_request *r = calloc(N_SLOT, sizeof *r);
    dice d = {77, 0};
    uint32_t warm_kib = 0;
    assert_non_null(r);
    glm_scheduler_params p = serve_params();
    p.engine.n_sessions = 2;
    glm_scheduler *s = serve_create(&p);
    for (uint32_t i = 0; i < n; i++) {
        serve_request *x = &r[i % N_SLOT];
        if (x->handle) { /* who is still here goes now, in one of four ways */
            uint32_t way = roll(&d, 4);
            if (way == 0)
                serve_wait(x);
            if (way == 1)
                glm_request_cancel(x->handle);
            if (way == 2)
                serve_wait_tokens(x, 1);
            serve_release(x);
        }
        make_mix(x, i);
        x->p.max_tokens = 1 + roll(&d, 20);
        x->cancel_after = roll(&d, 3) ? 0 : 1 + roll(&d, 10);
        x->p.deadline_s = roll(&d, 10) ? 0.0 : 0.005;
        serve_submit(s, x);
        if (!roll(&d, 10)) {
            glm_request_pause(x->handle, true);
            glm_request_pause(x->handle, false);
        }
        if (i == n / 4)
            warm_kib = resident_kib();
    }
    for (uint32_t i = 0; i < N_SLOT; i++)
        if (r[i].handle)
            serve_release(&r[i]);
    assert_true(glm_scheduler_drain(s, 60.0));
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_running + stats.n_waiting + stats.n_sequences, 0);
    assert_int_equal(stats.n_pages_used, stats.n_pages_cached); /* no page but those of the cache */
    assert_int_equal(stats.n_failed, 0);
    uint32_t kib = resident_kib();
    print_message("%u requests, %lu canceled: %u KiB resident, %u KiB after a quarter\n", n,
                  (unsigned long)stats.n_canceled, kib, warm_kib);
    assert_true(stats.n_canceled > n / 10);
    if (is_long()) /* sanitizers keep freed memory; this is for plain builds, ten thousand requests */
        assert_true(kib < warm_kib + 4096);
    glm_scheduler_destroy(s);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mix_has_the_bits_of_the_request_alone),
        cmocka_unit_test(cancels_leave_nothing),
    };
    return cmocka_run_group_tests(tests, serve_open_model, serve_close_model);
}
