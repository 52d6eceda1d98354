// SPDX-License-Identifier: MIT
/*
 * From logits to a token: bias, penalties, temperature, top-k, top-p, min-p, and a seeded draw. And the
 * loop around it: glm_generate runs a prompt to its answer.
 *
 * The draw uses the documented generator of docs/numerics.md, advanced once a token: the same seed gives the
 * same text whatever the threads, the batch or the placement.
 */
#ifndef GLM_SAMPLER_H
#define GLM_SAMPLER_H

#include "glm/glm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glm_logit_bias {
    int32_t id;
    float bias; /* added to the logit; -100 and below bans the token */
} glm_logit_bias;

/** Applied in this order: bias, the three penalties, greedy or (temperature, top-k, top-p, min-p, draw). */
typedef struct glm_sampler_params {
    double temperature;      /* 0: greedy; else 0 < t <= 100 */
    double top_p;            /* 0..1; 1: off */
    uint32_t top_k;          /* 0: off */
    double min_p;            /* 0..1; 0: off. Relative to the most probable token */
    double repeat_penalty;   /* > 0; 1: off. Divides positive, multiplies negative logits of seen */
    double presence_penalty; /* -2..2, subtracted once from tokens generated before */
    double frequency_penalty; /* -2..2, subtracted for every time a token was generated before */
    const glm_logit_bias *bias;
    size_t n_bias;
    uint64_t seed;
} glm_sampler_params;

/** The neutral parameters (temperature 1, everything off, seed 0). */
GLM_API glm_sampler_params glm_sampler_params_default(void);
/** The model's own: generation_config.json where it says something. */
GLM_API glm_sampler_params glm_sampler_params_of(const glm_model *model);

typedef struct glm_sampler glm_sampler;

/**
 * @param n_vocab  logits a row
 * @param n_token  ids from n_token on are never drawn
 * Errors: GLM_EARG names the parameter that is out of range; GLM_ENOMEM.
 */
GLM_API GLM_MUST_CHECK glm_status glm_sampler_create(glm_sampler **out,
                                                     const glm_sampler_params *params,
                                                     uint32_t n_vocab, uint32_t n_token,
                                                     glm_error *err);
/** Free a sampler; NULL is fine. */
GLM_API void glm_sampler_destroy(glm_sampler *sampler);

/** Tell the sampler of a token of the prompt (counts for repeat_penalty only). */
GLM_API void glm_sampler_see(glm_sampler *sampler, int32_t id);

/**
 * Draw the next token from logits [n_vocab] (unchanged) and count it as generated. Allocates nothing.
 *
 * @param logprob  out, may be NULL: natural log of its probability under the unmodified logits
 * @return the id
 */
GLM_API int32_t glm_sampler_draw(glm_sampler *sampler, const float *logits, double *logprob);

/** Why a generation ended. */
typedef enum glm_finish {
    GLM_FINISH_STOP,      /* an end token */
    GLM_FINISH_STOP_TEXT, /* a stop string */
    GLM_FINISH_LENGTH,    /* max_tokens, or the context is full */
    GLM_FINISH_CANCELED,  /* the callback or glm_engine_cancel */
    GLM_FINISH_DEADLINE,  /* its time is over (glm/scheduler.h only) */
} glm_finish;

/** One generated token. The text is whole UTF-8 characters; what may still become part of a stop string
 * or of an unfinished character is held back and comes with a later token, at the latest with the last one.
 * Bytes that are no UTF-8 come as they are. Behind a stop string comes nothing, and nothing of it is given. */
typedef struct glm_generated {
    int32_t id;
    double logprob;
    const char *text;
    size_t length;
    bool is_end; /* an end token: it has no text of its own */
} glm_generated;
/** Return false to stop. */
typedef bool glm_generate_fn(void *ctx, const glm_generated *token);

/** A budget of thinking without a token. */
#define GLM_THINK_NOTHING UINT32_MAX

typedef struct glm_generate_params {
    const glm_sampler_params *sampler; /* NULL: glm_sampler_params_of the model */
    uint32_t max_tokens;               /* 0: until the context is full */
    const char *const *stop; /* [n_stop] stop strings, UTF-8; the first to be complete ends it */
    size_t n_stop;
    bool ignore_eos;
    /* At most think_budget tokens of reasoning come before think_end_id (</think>): it grows likely at the ends of
     * sentences as the budget runs out, and is forced then; 0: no bound, GLM_THINK_NOTHING: it comes at once. */
    uint32_t think_budget;
    int32_t think_end_id;
    struct glm_constraint *constraint; /* what the answer must follow (glm/constraint.h), or NULL */
    glm_progress_fn *progress;         /* of the prompt, in tokens; may be NULL */
    void *progress_ctx;
} glm_generate_params;

typedef struct glm_generate_result {
    glm_finish finish;
    uint32_t n_prompt, n_generated;
    size_t stop_index;         /* which stop string, with GLM_FINISH_STOP_TEXT */
    double prompt_s, decode_s; /* wall time of reading the prompt and of the rest */
} glm_generate_result;

/**
 * Append `prompt` to the session and generate until something ends it. Afterwards the session holds the
 * prompt and all generated tokens but the last; if reading the prompt failed or was canceled, what it held before.
 * Ids that are no tokens are never generated.
 *
 * @param prompt  [n_prompt], at least one id
 * @param fn      called for each token in order; may be NULL
 * @param result  out, may be NULL
 * Errors: those of glm_step and glm_sampler_create; GLM_ELIMIT and GLM_EUNSUPP of a constraint that cannot be followed; GLM_EARG and GLM_ELIMIT for stop strings (empty, not UTF-8,
 * more than 1,024, longer than 65,536 bytes). Cancellation is no error but a finish.
 */
GLM_API GLM_MUST_CHECK glm_status glm_generate(glm_session *session, const int32_t *prompt,
                                               size_t n_prompt, const glm_generate_params *params,
                                               glm_generate_fn *fn, void *ctx,
                                               glm_generate_result *result, glm_error *err);

#ifdef __cplusplus
}
#endif
#endif
