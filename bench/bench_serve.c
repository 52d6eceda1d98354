// SPDX-License-Identifier: MIT
/*
 * The scheduler under load, one JSON line a result:
 *
 *   streams   1, 4, 8, 16 running streams: tokens a second of all, time between two tokens of one
 *   beside    1 and 4 running streams, alone and while a long prompt is read: time between two tokens, and the prompt's speed; "after" are
 *             the streams alone again, which have grown longer meanwhile
 *
 * Usage: bench_serve MODEL [PROMPT_TOKENS [GENERATED_TOKENS [THREADS [STREAMS [START [SECONDS]]]]]]
 *
 * STREAMS: only beside as many, at most 16; START: they begin when as many tokens of the prompt have been read; SECONDS: then the prompt is
 * given up, however much is left of it
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/rng.h"
#include "glm/scheduler.h"

#define STREAMS_MAX 16u

typedef struct stream {
    glm_request *request;
    uint64_t *token_ns; /* [n_max] */
    uint32_t n, n_max;
    uint32_t n_read; /* of the prompt, as far as it was told */
    uint64_t done_ns, first_ns, start_ns;
    double prefill_s;
} stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void die(const char *what)
{
    fprintf(stderr, "bench_serve: %s\n", what);
    exit(1);
}

static void take(void *ctx, const glm_event *e)
{
    stream *s = ctx;
    uint64_t now = glm_clock_ns();
    pthread_mutex_lock(&lock);
    if (e->kind == GLM_EVENT_STARTED)
        s->start_ns = now;
    if (e->kind == GLM_EVENT_PREFILL)
        s->n_read = e->n_done;
    if (e->kind == GLM_EVENT_TOKEN && s->n < s->n_max)
        s->token_ns[s->n++] = now;
    if (e->kind == GLM_EVENT_DONE) {
        s->done_ns = now;
        s->prefill_s = e->prefill_s;
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Until the stream has n tokens or is over. */
static void wait_for(const stream *s, uint32_t n)
{
    pthread_mutex_lock(&lock);
    while (s->n < n && !s->done_ns)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void begin(stream *s, glm_scheduler *scheduler, uint64_t seed, uint32_t n_prompt,
                  uint32_t n_generated, uint32_t n_vocab)
{
    glm_error err;
    int32_t *prompt = calloc(n_prompt, sizeof *prompt);
    *s = (stream){.n_max = n_generated};
    s->token_ns = calloc(n_generated, sizeof *s->token_ns);
    if (!prompt || !s->token_ns)
        die("no memory");
    for (uint32_t i = 0; i < n_prompt; i++)
        prompt[i] = (int32_t)(glm_rng_double(seed, i) * (double)n_vocab);
    glm_sampler_params sampler = glm_sampler_params_default();
    sampler.seed = seed;
    glm_request_params p = glm_request_params_default();
    p.prompt = prompt;
    p.n_prompt = n_prompt;
    p.sampler = &sampler;
    p.max_tokens = n_generated;
    p.ignore_eos = true;
    p.fn = take;
    p.ctx = s;
    if (glm_scheduler_submit(&s->request, scheduler, &p, &err) != GLM_OK)
        die(err.text);
    free(prompt);
}

static void end(stream *s)
{
    glm_request_release(s->request);
    free(s->token_ns);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct gaps {
    double p50, p90, p99;
    size_t n;
} gaps;

/* Times between tokens of n streams that fall between two moments. */
static gaps gaps_between(const stream *s, uint32_t n, uint64_t from, uint64_t to)
{
    size_t n_gap = 0, n_max = 0;
    for (uint32_t i = 0; i < n; i++)
        n_max += s[i].n;
    double *gap = calloc(n_max + 1, sizeof *gap);
    if (!gap)
        die("no memory");
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t t = 1; t < s[i].n; t++)
            if (s[i].token_ns[t - 1] >= from && s[i].token_ns[t] <= to)
                gap[n_gap++] = (double)(s[i].token_ns[t] - s[i].token_ns[t - 1]) * 1e-6;
    qsort(gap, n_gap, sizeof *gap, ascending);
    gaps g = {.n = n_gap};
    if (n_gap) {
        g.p50 = gap[n_gap / 2];
        g.p90 = gap[n_gap * 9 / 10];
        g.p99 = gap[n_gap * 99 / 100];
    }
    free(gap);
    return g;
}

static void bench_streams(glm_scheduler *scheduler, uint32_t n, uint32_t n_generated,
                          uint32_t n_vocab)
{
    stream s[STREAMS_MAX];
    for (uint32_t i = 0; i < n; i++)
        begin(&s[i], scheduler, 100 + i, 64, n_generated, n_vocab);
    uint64_t from = 0, to = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        wait_for(&s[i], UINT32_MAX);
        from = s[i].token_ns[0] > from ? s[i].token_ns[0] : from; /* the last to begin */
        to = s[i].done_ns < to ? s[i].done_ns : to;               /* the first to end */
    }
    size_t n_token = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t t = 0; t < s[i].n; t++)
            n_token += s[i].token_ns[t] > from && s[i].token_ns[t] <= to;
    gaps g = gaps_between(s, n, from, to);
    printf("{\"bench\":\"serve\",\"case\":\"streams\",\"streams\":%u,\"tokens_per_s\":%.1f,"
           "\"gap_p50_ms\":%.3f,\"gap_p99_ms\":%.3f,\"gaps\":%zu}\n",
           n, (double)n_token / ((double)(to - from) * 1e-9), g.p50, g.p99, g.n);
    fflush(stdout);
    for (uint32_t i = 0; i < n; i++)
        end(&s[i]);
}

/* Until so much of the prompt has been read, or the stream is over. */
static void wait_read(const stream *s, uint32_t n_read)
{
    pthread_mutex_lock(&lock);
    while (s->n_read < n_read && !s->n && !s->done_ns)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Until its first token, or as long. */
static void wait_seconds(const stream *s, uint32_t seconds)
{
    const uint64_t end_ns = glm_clock_ns() + (uint64_t)seconds * 1000000000u;
    pthread_mutex_lock(&lock);
    while (!s->n && !s->done_ns && (!seconds || glm_clock_ns() < end_ns))
        pthread_cond_wait(&changed, &lock); /* streams' tokens come all the time */
    pthread_mutex_unlock(&lock);
}

static void begin_streams(stream *s, uint32_t n, glm_scheduler *scheduler, uint32_t n_max,
                          uint32_t n_vocab)
{
    for (uint32_t i = 0; i < n; i++)
        begin(&s[i], scheduler, 200 + i, 64, n_max, n_vocab);
    for (uint32_t i = 0; i < n; i++)
        wait_for(&s[i], 100);
}

static void end_streams(stream *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        glm_request_cancel(s[i].request);
    for (uint32_t i = 0; i < n; i++)
        wait_for(&s[i], UINT32_MAX);
    for (uint32_t i = 0; i < n; i++)
        end(&s[i]);
}

/* n streams by themselves, then beside a prompt from its token `start` on. */
static void bench_beside(glm_scheduler *scheduler, uint32_t n, uint32_t n_prompt, uint32_t start,
                         uint32_t seconds, uint32_t n_ctx, uint32_t n_vocab)
{
    stream s[STREAMS_MAX], reader;
    uint32_t n_max = n_ctx - 64;
    begin_streams(s, n, scheduler, n_max, n_vocab);
    uint64_t alone = glm_clock_ns();
    for (uint32_t i = 0; i < n; i++)
        wait_for(&s[i], s[i].n + 200);
    gaps a = gaps_between(s, n, alone, glm_clock_ns());
    if (start)
        end_streams(s, n);
    begin(&reader, scheduler, 300 + n, n_prompt, 1, n_vocab);
    wait_read(&reader, start);
    if (start)
        begin_streams(s, n, scheduler, n_max, n_vocab);
    uint64_t together = glm_clock_ns();
    uint32_t n_before = reader.n_read;
    wait_seconds(&reader, seconds);
    pthread_mutex_lock(&lock);
    const uint32_t n_read = (reader.n ? n_prompt : reader.n_read) - n_before;
    uint64_t read_begin = start ? together : reader.start_ns;
    uint64_t read_end = reader.n ? reader.token_ns[0] : glm_clock_ns();
    pthread_mutex_unlock(&lock);
    glm_request_cancel(reader.request);
    wait_for(&reader, UINT32_MAX);
    for (uint32_t i = 0; i < n; i++)
        wait_for(&s[i], s[i].n + 200);
    gaps b = gaps_between(s, n, read_begin, read_end);
    gaps after = gaps_between(s, n, read_end, glm_clock_ns());
    printf("{\"bench\":\"serve\",\"case\":\"beside\",\"streams\":%u,\"prompt\":%u,\"from\":%u,"
           "\"to\":%u,"
           "\"alone_p50_ms\":%.3f,\"alone_p99_ms\":%.3f,\"gap_p50_ms\":%.3f,\"gap_p90_ms\":%.3f,"
           "\"gap_p99_ms\":%.3f,\"after_p50_ms\":%.3f,\"ratio_p50\":%.2f,\"ratio_p99\":%.2f,"
           "\"prompt_tokens_per_s\":%.1f,\"gaps\":%zu,\"complete\":%s}\n",
           n, n_prompt, n_before, n_before + n_read, a.p50, a.p99, b.p50, b.p90, b.p99, after.p50,
           b.p50 / a.p50, b.p99 / a.p99, (double)n_read / ((double)(read_end - read_begin) * 1e-9),
           b.n, !s[0].done_ns ? "true" : "false");
    fflush(stdout);
    end_streams(s, n);
    end(&reader);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage: bench_serve MODEL [PROMPT_TOKENS [GENERATED_TOKENS [THREADS [STREAMS "
            "[START [SECONDS]]]]]]");
    uint32_t n_prompt = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000;
    uint32_t n_generated = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 200;
    glm_model *model;
    glm_error err;
    glm_model_params mp = glm_model_params_default();
    if (glm_model_open(&model, argv[1], &mp, &err) != GLM_OK)
        die(err.text);
    glm_model_info info;
    glm_model_get_info(model, &info);
    glm_scheduler *scheduler;
    glm_scheduler_params p = glm_scheduler_params_default();
    p.engine.n_ctx = n_prompt < 8000 ? 8192 : n_prompt + n_prompt / 4; /* streams last as long */
    p.engine.n_ctx = info.n_ctx_max < p.engine.n_ctx ? info.n_ctx_max : p.engine.n_ctx;
    p.engine.n_threads = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
    p.share = GLM_SHARE_NONE;
    if (n_prompt >= p.engine.n_ctx)
        n_prompt = p.engine.n_ctx - 1;
    if (glm_scheduler_create(&scheduler, model, &p, &err) != GLM_OK)
        die(err.text);
    const uint32_t streams[] = {1, 4, 8, 16};
    const uint32_t n_beside = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0;
    for (size_t i = 0; !n_beside && i < sizeof streams / sizeof streams[0]; i++)
        bench_streams(scheduler, streams[i], n_generated, info.n_token);
    for (size_t i = 0; !n_beside && i < 2; i++)
        bench_beside(scheduler, streams[i], n_prompt, 0, 0, p.engine.n_ctx, info.n_token);
    if (n_beside)
        bench_beside(scheduler, n_beside < STREAMS_MAX ? n_beside : STREAMS_MAX, n_prompt,
                     argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 0,
                     argc > 7 ? (uint32_t)strtoul(argv[7], NULL, 10) : 0, p.engine.n_ctx,
                     info.n_token);
    glm_scheduler_destroy(scheduler);
    glm_model_close(model);
    return 0;
}
