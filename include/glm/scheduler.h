// SPDX-License-Identifier: MIT
/*
 * Many requests on one engine. A scheduler owns an engine and one thread that runs its steps; requests join and leave
 * between steps. Submit, cancel, pause and release may be called from any thread.
 *
 *     glm_scheduler_params p = glm_scheduler_params_default();
 *     if (glm_scheduler_create(&scheduler, model, &p, &err)) ...
 *     glm_request_params rp = glm_request_params_default();
 *     rp.prompt = ids; rp.n_prompt = n; rp.fn = take_event; rp.ctx = me;
 *     if (glm_scheduler_submit(&request, scheduler, &rp, &err)) ...
 *     ... events come ...
 *     glm_request_release(request);
 *
 * Events come by callback on the scheduler's thread, in order, and never after glm_request_release returned. A callback
 * holds up every running stream: it copies what it needs and wakes somebody. Of this header it may call
 * glm_request_cancel, glm_request_pause and glm_request_release, nothing else.
 *
 * A request gives the same tokens alone, in a full batch, with its prefix cached or not, and after it was set aside for want of
 * memory: the bits of a sequence do not depend on its neighbours (docs/numerics.md).
 *
 * Long prompts are read in pieces beside the running streams, each so small that a stream's time between two tokens grows by
 * no more than max_slowdown. Owners (keys) share the engine by tokens, whatever the number of their requests; inside an owner
 * the higher priority goes first.
 */
#ifndef GLM_SCHEDULER_H
#define GLM_SCHEDULER_H

#include "glm/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GLM_CHOICES_MAX 128u

typedef struct glm_scheduler glm_scheduler;
typedef struct glm_request glm_request;

/** Whose cached prefixes a request may use. */
typedef enum glm_share_prefix {
    GLM_SHARE_KEY,  /* those of its own owner */
    GLM_SHARE_ALL,  /* everybody's */
    GLM_SHARE_NONE, /* nobody's; nothing is cached */
} glm_share_prefix;

/** One line about the cache or the state folder, never with tokens or text of a request. Level 0: error, 1: warning, 2:
 * information. Comes on any thread. */
typedef void glm_log_fn(void *ctx, int level, const char *line);

typedef struct glm_scheduler_params {
    /* n_sessions: sequences of full length the pool of KV pages is sized for, cached prefixes included; 0: max_active. With fewer
     * than max_active, sequences are set aside and read again when all grow long at once. */
    glm_engine_params engine;
    uint32_t max_active;  /* sequences worked on at once, 1..1024; 0: 16 */
    uint32_t max_queue;   /* requests that may wait; 0: 128 */
    uint32_t step_tokens; /* of prompts, in a step beside running streams; 0: by max_slowdown */
    double max_slowdown;  /* of the time between two tokens while prompts are read, > 1; 0: 2 */
    uint64_t cache_bytes; /* bound of cached prefixes; 0: what the pool leaves */
    glm_share_prefix share;
    const char *state_dir; /* folder in which prefixes outlive the process; NULL: none */
    uint64_t state_bytes;  /* bound of that folder; 0: 64 GiB */
    double step_s;         /* tests: a step takes at least so long, as that of a larger model */
    glm_log_fn *log;       /* may be NULL */
    void *log_ctx;
} glm_scheduler_params;

/** 16 sequences, 128 waiting, a slowdown of 2, the engine's defaults, prefixes shared within an owner. */
GLM_API glm_scheduler_params glm_scheduler_params_default(void);

/** A token id and the natural log of its probability under the model's own logits. */
typedef struct glm_token_logprob {
    int32_t id;
    double logprob;
} glm_token_logprob;

typedef enum glm_event_kind {
    GLM_EVENT_STARTED,         /* left the queue */
    GLM_EVENT_PREFILL,         /* now and then while the prompt is read */
    GLM_EVENT_PROMPT_LOGPROBS, /* a block of them, in order (want_prompt_logprobs) */
    GLM_EVENT_TOKEN,           /* one generated token of a choice */
    GLM_EVENT_FINISHED,        /* a choice ended */
    GLM_EVENT_DONE,            /* the request is over, with all its choices; nothing follows */
} glm_event_kind;

/** Fields not named for a kind are zero. Pointers are borrowed for the call. */
typedef struct glm_event {
    glm_event_kind kind;
    uint32_t choice; /* TOKEN, FINISHED */

    /* TOKEN (FINISHED: text that was held back when a deadline came). See glm_generated. */
    int32_t id;
    double logprob;
    const char *text;
    size_t length;
    bool is_end;
    const glm_token_logprob *top; /* [n_top], the most probable first; id -1 fills up */
    uint32_t n_top;

    /* All kinds. n_cached: prompt tokens not computed for this request; it may grow until the prompt is read. */
    uint32_t n_prompt, n_cached;
    uint32_t n_done;     /* PREFILL: prompt tokens behind us, cached ones included */
    double seconds_left; /* PREFILL: estimate */

    /* PROMPT_LOGPROBS: of prompt tokens first..first+n_logprob-1; the first of all (0) never comes. */
    uint32_t first, n_logprob;
    const double *prompt_logprob;        /* [n_logprob] */
    const glm_token_logprob *prompt_top; /* [n_logprob, n_top] */

    /* FINISHED */
    glm_finish finish;
    uint32_t n_generated;
    size_t stop_index; /* with GLM_FINISH_STOP_TEXT */
    int32_t stop_id;   /* with GLM_FINISH_STOP: the id that ended it */

    /* DONE. NULL: all choices finished; else why not (GLM_ECANCELED: on demand, no FINISHED came). */
    const glm_error *error;
    double queue_s, prefill_s, decode_s; /* waiting; reading the prompt; from the first token on */
} glm_event;

typedef void glm_event_fn(void *ctx, const glm_event *event);

/** Everything is copied but ctx. */
typedef struct glm_request_params {
    const int32_t *prompt; /* [n_prompt], at least one */
    size_t n_prompt;
    const glm_sampler_params *sampler; /* NULL: the model's; choice k draws with seed + k */
    uint32_t n_choices;                /* answers to the one prompt, at most max_active; 0: 1 */
    uint32_t max_tokens;               /* 0: until the context is full */
    uint32_t min_tokens; /* before that many neither end tokens nor stop strings end an answer */
    const char *const *stop; /* [n_stop] as glm_generate_params */
    size_t n_stop;
    const int32_t *stop_id; /* [n_stop_id] beside the model's end tokens */
    size_t n_stop_id;
    bool ignore_eos;
    int32_t stop_from_id; /* stop strings count only behind this id (</think>); below 0: at once */
    uint32_t n_top_logprobs;   /* 0..64 most probable ids with each token */
    bool want_logprobs;        /* else logprob is NaN, unless n_top_logprobs */
    bool want_prompt_logprobs; /* then nothing of the prompt is taken from the cache */
    uint64_t owner;            /* which key: fairness and sharing. The same after a restart */
    int32_t priority;          /* higher first, within an owner */
    double deadline_s; /* from submit on; then choices finish with GLM_FINISH_DEADLINE; 0: none */
    uint32_t think_budget; /* as in glm_generate_params */
    int32_t think_end_id;
    /* What the answers must follow (glm/constraint.h), or NULL. The request holds a reference of its own. */
    struct glm_constraint *constraint;
    /* Tests: the answers' ids, whatever the logits say, as far as it goes. */
    const int32_t *script;
    size_t n_script;
    glm_event_fn *fn;
    void *ctx;
} glm_request_params;

/** The model's sampling, one answer, no limits; prompt and fn are to be set. */
GLM_API glm_request_params glm_request_params_default(void);

/**
 * Make an engine for `model` (which must outlive the scheduler) and start its thread.
 *
 * Errors: those of glm_engine_create; GLM_EARG; GLM_EIO and GLM_ELIMIT when the state folder cannot be used.
 */
GLM_API GLM_MUST_CHECK glm_status glm_scheduler_create(glm_scheduler **out, glm_model *model,
                                                       const glm_scheduler_params *params,
                                                       glm_error *err);

/** Cancel what runs or waits (each request still gets its DONE), save state, stop. NULL is fine. Every request must
 * be released, before or after. */
GLM_API void glm_scheduler_destroy(glm_scheduler *s);

/** What the engine runs with. */
GLM_API void glm_scheduler_get_engine(const glm_scheduler *s, glm_engine_info *out);

/**
 * Queue a request. All that can be refused is refused here, before the first event.
 *
 * Errors: GLM_EARG (a field is out of range; the text names it), GLM_ELIMIT (the prompt is longer than the context, more
 * choices than sequences), GLM_EBUSY (the queue is full or the scheduler drains), GLM_ENOMEM. The caller owns *out.
 */
GLM_API GLM_MUST_CHECK glm_status glm_scheduler_submit(glm_request **out, glm_scheduler *s,
                                                       const glm_request_params *params,
                                                       glm_error *err);

/** The request ends before the next step; DONE comes with GLM_ECANCELED, unless it came already. */
GLM_API void glm_request_cancel(glm_request *r);

/** While paused a request keeps its place but generates nothing: for a reader that does not keep up. */
GLM_API void glm_request_pause(glm_request *r, bool is_paused);

/** Give the request up; before DONE this cancels it. No event comes once this returned (from inside a callback: once
 * that returned). NULL is fine. */
GLM_API void glm_request_release(glm_request *r);

/** Counters since the start, and gauges, for metrics. */
typedef struct glm_scheduler_stats {
    /* Gauges. */
    uint32_t n_running, n_waiting;                  /* requests */
    uint32_t n_sequences;                           /* worked on */
    uint32_t n_pages, n_pages_used, n_pages_cached; /* KV pool; cached ones may be in use too */
    uint64_t page_bytes;
    double step_s; /* of the last step with running streams */
    uint32_t n_state_files;
    uint64_t state_bytes;
    /* Counters. */
    uint64_t n_submitted, n_refused;                /* refused: GLM_EBUSY */
    uint64_t n_finished[GLM_FINISH_DEADLINE + 1];   /* choices, by glm_finish */
    uint64_t n_canceled, n_failed;                  /* requests */
    uint64_t n_prompt_tokens, n_cached_tokens;      /* of requests whose prompt was read */
    uint64_t n_computed_tokens, n_generated_tokens; /* prompt tokens computed; tokens handed out */
    uint64_t n_steps, n_step_sequences;             /* sequences summed over steps */
    uint64_t n_preempted;                           /* sequences set aside for want of pages */
    uint64_t n_evicted_pages;                       /* cached pages given up for others */
    uint64_t n_state_saved_pages, n_state_loaded_pages, n_state_bad_files;
    double prefill_s, decode_s, queue_s; /* summed over requests */
} glm_scheduler_stats;
/** Fill *out; from any thread. */
GLM_API void glm_scheduler_get_stats(glm_scheduler *s, glm_scheduler_stats *out);

/**
 * Take no more requests (GLM_EBUSY) and wait until those submitted are over.
 *
 * @param seconds  wait at most this long; 0: only look
 * @return true when none is left
 */
GLM_API bool glm_scheduler_drain(glm_scheduler *s, double seconds);

#ifdef __cplusplus
}
#endif
#endif
