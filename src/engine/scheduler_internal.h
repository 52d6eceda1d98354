// SPDX-License-Identifier: MIT
/*
 * What the files of the scheduler share. scheduler.c: the public calls and the thread. request.c: a request's
 * life and its events. share.c: prefixes in memory and on disk. batch.c: what a step consists of, and what follows from it.
 *
 * The thread owns everything that is not marked otherwise. Lock order: a request's lock, then the scheduler's; neither is held while
 * the engine works, and only the request's own during a callback.
 */
#ifndef GLM_ENGINE_SCHEDULER_INTERNAL_H
#define GLM_ENGINE_SCHEDULER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/decoder.h"
#include "engine/engine_internal.h"
#include "engine/pace.h"
#include "engine/prefix_cache.h"
#include "engine/state.h"
#include "glm/scheduler.h"

#define GLM_SCORE_ROWS 64u /* most prompt log-probabilities in an event */

/** A key that shares the engine with others, as long as it has requests. */
typedef struct glm_owner {
    uint64_t id;
    double served;          /* tokens, weighted: whoever has the least goes first */
    uint32_t n_live;        /* requests (scheduler's lock) */
    bool is_new;            /* `served` is not set yet */
    struct glm_owner *next; /* (scheduler's lock) */
} glm_owner;

/** One choice of an active request: a slot of the scheduler. */
typedef struct glm_sequence {
    glm_request *request; /* NULL: the slot is free */
    uint32_t choice;
    bool is_born;         /* has tokens; choices behind the first wait for its prompt */
    bool has_logits;      /* of the last token, not drawn from yet */
    glm_session *session; /* NULL: none yet, or set aside for want of pages */
    int32_t *tokens; /* [n_tokens] prompt and answer; what the session does not hold is to be run */
    uint32_t n_tokens, capacity;
    /* The first n_linked pages of the session are those of the cache that lead to `node`. */
    glm_prefix *node;
    uint32_t n_linked;
    bool was_set_aside;
    bool is_loading; /* pages from disk: goes on in the next turn, runs nothing before */
    glm_decoder *decoder;
    float *logits;  /* [n_vocab], of the slot */
    uint32_t n_run; /* tokens of this step */
    /* What glm_decoder_next said. */
    glm_decoded decoded;
    glm_status status;
    glm_error *error; /* of the slot */
} glm_sequence;

struct glm_request {
    glm_scheduler *s;     /* NULL once done (own lock) */
    pthread_mutex_t lock; /* recursive: callbacks may call back */
    bool is_released;     /* (own lock) */
    atomic_uint n_ref;    /* the caller's and the scheduler's */
    atomic_bool is_canceled, is_paused;

    glm_request_params p; /* pointers lead to copies of ours */
    glm_sampler_params sampler;
    char **stop; /* [p.n_stop] */

    glm_owner *owner;
    glm_request *next;                      /* in the list of new, waiting or active requests */
    uint64_t serial;                        /* order of submission */
    uint64_t submit_ns, start_ns, first_ns; /* submitted; left the queue; prompt read; 0: not yet */
    uint64_t deadline_ns;                   /* 0: none */
    uint64_t progress_ns;                   /* last PREFILL event */
    bool is_active, is_told;                /* left the queue; STARTED came */
    uint32_t n_left;                        /* choices that have not finished; 0 while waiting */
    uint32_t n_cached;                      /* prompt tokens from the cache */
    uint32_t n_read;                        /* prompt tokens computed */
    uint32_t n_scored;                      /* prompt log-probabilities handed out */
};

struct glm_scheduler {
    glm_model *model;
    glm_engine *engine;
    glm_scheduler_params p; /* defaults filled in */
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t news; /* for the thread: something came or changed */
    pthread_cond_t idle; /* for those who drain: a request ended */
    bool has_lock;
    /* Under the lock. */
    bool must_stop, is_draining, has_news;
    glm_request *incoming, **incoming_end;
    uint32_t n_live; /* requests submitted and not over */
    uint64_t n_serial;
    glm_owner *owners;
    glm_scheduler_stats stats;

    /* The thread's. */
    glm_request *waiting, *active; /* in order of submission */
    glm_sequence *seq;             /* [max_active] slots */
    glm_sequence **order;          /* [max_active] slots in use, the oldest first */
    uint32_t n_order;
    glm_step_item *item;     /* [max_active] */
    glm_sequence **item_seq; /* [max_active] */
    glm_pace pace;
    glm_prefix_cache *cache; /* NULL: nothing is shared */
    glm_state *state;        /* NULL: nothing is kept on disk */
    uint32_t n_saving;       /* pages held while they are written */
    uint64_t n_turn;
    glm_scheduler_stats count;    /* copied to stats after each turn */
    double *score_logprob;        /* [GLM_SCORE_ROWS] */
    glm_token_logprob *score_top; /* [GLM_SCORE_ROWS, GLM_DECODER_TOP_MAX] */
    float *logits;                /* [max_active, n_vocab] */
    glm_error *errors;            /* [max_active] */
};

/* ---- request.c ---- */

/** A request of its own copies, checked against the scheduler's limits. One reference for the caller, one for the scheduler. */
GLM_MUST_CHECK glm_status glm_request_create(glm_request **out, glm_scheduler *s,
                                             const glm_request_params *params, glm_error *err);

/** Give a reference back. */
void glm_request_unref(glm_request *r);

/** A decoder for its choice. Errors: those of glm_decoder_create. */
GLM_MUST_CHECK glm_status glm_request_decoder(glm_decoder **out, const glm_request *r,
                                              const glm_model *model, uint32_t choice,
                                              glm_error *err);

/** Hand an event to the owner's callback; fills in the fields that all kinds have. */
void glm_request_emit(glm_request *r, glm_event *event);

/* ---- share.c ---- */

/**
 * Take from the cache, and from disk, the pages that come next. One token is always left to run, for its logits.
 *
 * @param is_new     what is taken counts as cached tokens of the request
 * @param is_beside  streams run, which wait meanwhile
 */
void glm_share_take(glm_scheduler *s, glm_sequence *q, bool is_new, bool is_beside);

/** Give to the cache the pages that became full, or take its own where it has the same already. */
void glm_share_give(glm_scheduler *s, glm_sequence *q);

/** The sequence's session is about to be closed; `is_over`: for good, so that its prefix is written to disk. */
void glm_share_close(glm_scheduler *s, glm_sequence *q, bool is_over);

/** Let go of pages that were written. */
void glm_share_reap(glm_scheduler *s);

/* ---- batch.c ---- */

/** Move the requests that were submitted to the waiting ones. */
void glm_batch_take_incoming(glm_scheduler *s);

/** One turn: take in, drop, admit, run a step, hand out. False when there was nothing to run. */
bool glm_batch_turn(glm_scheduler *s);

/** Under the lock: let others see the counters. */
void glm_batch_publish(glm_scheduler *s);

/** End a request for `error`, or because nothing of it is left (NULL). It must not be used afterwards. */
void glm_batch_end_request(glm_scheduler *s, glm_request *r, const glm_error *error);

/** When the next deadline is; UINT64_MAX: none. */
uint64_t glm_batch_next_deadline(const glm_scheduler *s);

#endif
