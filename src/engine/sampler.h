// SPDX-License-Identifier: MIT
/*
 * The sampler's inside, for the generation loop and tests; include/glm/sampler.h has its contract.
 *
 * From logits x to a token, with ids below n_token only; NaN counts as -infinity, +infinity as the largest
 * float:
 *
 *   1. x += bias; a bias of -100 and below bans the token. Then, for tokens seen in prompt or text, x is
 *      divided (x > 0) or multiplied (x <= 0) by repeat_penalty; for tokens of the text, presence_penalty
 *      and count * frequency_penalty are subtracted.
 *   2. temperature 0: the largest x, the lowest id among equals.
 *   3. Else w = exp((x - max) / temperature), in double. Tokens are ranked by x, the largest first, the
 *      lowest id first among equals. top_k keeps the first k; top_p keeps, of those, the shortest prefix that
 *      has at least top_p of their weight, never less than one; min_p drops w < min_p.
 *   4. u = glm_rng_double(seed, n), n being the number of tokens taken before. The token is the first whose
 *      running sum of kept weights exceeds u times their sum, walking by rank, or by id when neither
 *      top_k, top_p nor min_p is on.
 *
 * When everything is banned the most probable token under the unchanged logits is given, and 0 when there is
 * none either (all NaN).
 */
#ifndef GLM_ENGINE_SAMPLER_H
#define GLM_ENGINE_SAMPLER_H

#include "glm/sampler.h"

/** Count `id` as generated although it was not drawn; uses up one random number, as a draw does. */
void glm_sampler_accept(glm_sampler *sampler, int32_t id);

/** What narrows the choice of one token beside the sampler's own parameters. */
typedef struct glm_draw_limits {
    const uint64_t *mask;       /* bit id % 64 of word id / 64: allowed; NULL: all */
    const glm_logit_bias *bias; /* [n_bias], added behind the sampler's own; -100 and below bans */
    size_t n_bias;
} glm_draw_limits;

/** Make room for limits, so that draws within limits allocate nothing. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_sampler_reserve_limits(glm_sampler *sampler, glm_error *err);

/**
 * glm_sampler_draw within limits, for which glm_sampler_reserve_limits made room. When bans leave nothing of what the
 * mask allows, the most probable of it is given all the same.
 *
 * @return the id; -1 when the mask allows no id below n_token; nothing is counted then
 */
int32_t glm_sampler_draw_within(glm_sampler *sampler, const float *logits,
                                const glm_draw_limits *limits, double *logprob);

/** Natural logs of the probabilities of n ids under logits [n_vocab]; -infinity where a logit is NaN. */
void glm_sampler_logprobs(const float *logits, uint32_t n_vocab, const int32_t *id, uint32_t n,
                          double *logprob);

/** The n ids of the largest logits, by rank, into top; returns how many there are above -infinity. */
uint32_t glm_sampler_top(const float *logits, uint32_t n_vocab, int32_t *top, uint32_t n);

#endif
