// SPDX-License-Identifier: MIT
/*
 * One sequence on its way from logits to tokens: everything that is remembered between two tokens, and nothing of how
 * the logits were computed. glm_generate has one, the scheduler one for each choice of each request.
 *
 * A token is chosen in this order: the hooks may force it, or narrow the choice (a mask of allowed ids, biases); before
 * min_tokens the ids that would end the text are banned; the sampler draws. Then its text is made whole UTF-8, stop
 * strings are looked for, and the reasons to end are checked.
 *
 *     glm_decoder_create(&d, model, &params, err);
 *     glm_decoder_see(d, prompt, n_prompt);
 *     do {
 *         ... logits behind all tokens so far ...
 *         glm_decoder_next(d, logits, is_full, &token, err);
 *     } while (!token.is_last);
 *
 * Belongs to one thread at a time. Allocates nothing after its creation, but what the hooks allocate.
 */
#ifndef GLM_ENGINE_DECODER_H
#define GLM_ENGINE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/sampler.h"
#include "glm/scheduler.h"

#define GLM_DECODER_TOP_MAX 64u
#define GLM_DECODER_STOP_IDS_MAX 64u
#define GLM_DECODER_HOOKS_MAX 4u
/* Biases all hooks may give together for one token. */
#define GLM_DECODER_BIASES_MAX 16u

/** What the hooks want of the next token; each finds what those before it wrote. */
typedef struct glm_decoder_wish {
    uint32_t n_generated; /* tokens before this one */
    const float *logits;  /* [n_vocab], as the model gave them */
    int32_t force_id;     /* take this one whatever the logits say; -1: none */
    const uint64_t
        *mask; /* bit id % 64 of word id / 64: allowed; NULL: all. Set by one hook at most */
    glm_logit_bias bias[GLM_DECODER_BIASES_MAX]; /* added; -100 and below bans */
    uint32_t n_bias;
} glm_decoder_wish;

/** Somebody who has a say in every token: constrained output, a budget of thinking, a script. */
typedef struct glm_decoder_hook {
    /** Before a token is chosen; NULL: no wish. The mask must live until `took`. An error ends the generation. */
    glm_status (*wish)(void *ctx, glm_decoder_wish *wish, glm_error *err);
    /** After it was chosen, forced ones too; NULL: not interested. Setting *is_last ends the text with this token, as
     * an end token would. */
    glm_status (*took)(void *ctx, int32_t id, bool *is_last, glm_error *err);
    void (*destroy)(void *ctx); /* when the decoder goes; NULL: nothing to do */
    void *ctx;
} glm_decoder_hook;

typedef struct glm_decoder_params {
    const glm_sampler_params *sampler; /* NULL: glm_sampler_params_of the model */
    uint32_t max_tokens;               /* 0: no bound */
    uint32_t min_tokens; /* end tokens are banned and stop strings not looked for before as many */
    const char *const *stop; /* [n_stop] */
    size_t n_stop;
    const int32_t *stop_id; /* [n_stop_id] ids that end the text beside the model's end tokens */
    size_t n_stop_id;
    bool ignore_eos;      /* the model's end tokens end nothing */
    int32_t stop_from_id; /* stop strings are looked for behind this id only; below 0: at once */
    uint32_t n_top;       /* most probable ids to name with each token */
    bool skip_logprob;    /* nobody reads logprob: it is NaN, and costs nothing (unless n_top) */
    const glm_decoder_hook *hook; /* [n_hook], copied; owned by the decoder once it is created */
    uint32_t n_hook;
} glm_decoder_params;

/** A chosen token. Pointers are borrowed until the next call. */
typedef struct glm_decoded {
    glm_generated token;
    const glm_token_logprob *top; /* [n_top], the most probable first */
    uint32_t n_top;
    bool is_last;
    glm_finish finish; /* with is_last */
    size_t stop_index; /* which stop string, with GLM_FINISH_STOP_TEXT */
} glm_decoded;

typedef struct glm_decoder glm_decoder;

/**
 * Nothing of params is kept but the hooks. On error the hooks still belong to the caller.
 *
 * Errors: those of glm_sampler_create and glm_stops_create; GLM_EARG (stop ids out of the vocabulary, stop strings
 * without a tokenizer), GLM_ELIMIT (too many stop ids, top ids or hooks), GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_decoder_create(glm_decoder **out, const glm_model *model,
                                             const glm_decoder_params *params, glm_error *err);

/** Free it and its hooks. NULL is fine. */
void glm_decoder_destroy(glm_decoder *d);

/** Tell it of the prompt's tokens (repeat_penalty counts them). */
void glm_decoder_see(glm_decoder *d, const int32_t *tokens, size_t n_tokens);

/**
 * Choose the next token from logits [n_vocab].
 *
 * @param is_full  the context has no room for this token: whatever it is, it is the last
 * Errors: those of the hooks; GLM_EUNSUPP when a mask admits no token.
 */
GLM_MUST_CHECK glm_status glm_decoder_next(glm_decoder *d, const float *logits, bool is_full,
                                           glm_decoded *out, glm_error *err);

/** End the text here: what was held back, borrowed. Nothing may be asked of the decoder afterwards. */
const char *glm_decoder_flush(glm_decoder *d, size_t *length);

/** Tokens chosen so far. */
uint32_t glm_decoder_n_generated(const glm_decoder *d);

/**
 * For scoring: log-probability of `id` under logits [n_vocab] and the n_top most probable ids, by the arithmetic of
 * glm_decoder_next. Safe from several threads on different decoders.
 */
void glm_decoder_score(const float *logits, uint32_t n_vocab, int32_t id, double *logprob,
                       glm_token_logprob *top, uint32_t n_top);

#endif
