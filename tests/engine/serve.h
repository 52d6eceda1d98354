// SPDX-License-Identifier: MIT
/*
 * Help for tests of the scheduler: the golden model nano52, requests that note what they were told, and the same request
 * answered by glm_generate, which knows nothing of batches, as the reference.
 */
#ifndef GLM_TESTS_SERVE_H
#define GLM_TESTS_SERVE_H

#include <pthread.h>

#include "glm/scheduler.h"

#define SERVE_CHOICES 4u
#define SERVE_IDS 256u

typedef struct serve_answer {
    int32_t ids[SERVE_IDS];
    double logprob[SERVE_IDS];
    uint32_t n_ids;
    char text[4096];
    size_t n_text;
    bool is_finished;
    glm_finish finish;
    uint32_t n_generated;
    size_t stop_index;
} serve_answer;

/** A request and everything it was told. */
typedef struct serve_request {
    glm_request_params p;
    glm_sampler_params sampler;
    int32_t prompt[512];
    glm_request *handle;
    /* Under the lock of serve.c. */
    serve_answer answer[SERVE_CHOICES];
    bool is_started, is_done;
    glm_status status; /* of DONE */
    uint32_t n_cached, n_events, n_progress;
    uint32_t started_at, done_at; /* numbers in the order of such events of all requests */
    double prompt_logprob[512];
    glm_token_logprob prompt_top[512];
    uint32_t n_scored;
    uint32_t cancel_after;        /* tokens of choice 0 after which it cancels itself; 0: never */
    uint32_t pause_after;         /* likewise: keeps its place, however slow the test's thread is */
    uint64_t token_ns[SERVE_IDS]; /* of choice 0 */
} serve_request;

extern glm_model *serve_model;

int serve_open_model(void **state);
int serve_close_model(void **state);

/** A scheduler in exact precision; NULL params: one thread, 4 sequences of 512 tokens. */
glm_scheduler *serve_create(const glm_scheduler_params *params);
glm_scheduler_params serve_params(void);

/** A request of n_prompt tokens drawn from seed; greedy, 16 tokens, end tokens ignored. */
void serve_make(serve_request *r, uint64_t seed, uint32_t n_prompt);

void serve_submit(glm_scheduler *s, serve_request *r);
/** Until DONE, at most a minute. */
void serve_wait(serve_request *r);
/** Until choice 0 has n tokens. */
void serve_wait_tokens(serve_request *r, uint32_t n);
void serve_release(serve_request *r);

/** What glm_generate answers, alone in an engine. */
void serve_alone(const serve_request *r, uint32_t choice, serve_answer *out);

/** Fail unless the request's answers are those of glm_generate. */
void serve_check(const serve_request *r);

#endif
