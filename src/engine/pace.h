// SPDX-License-Identifier: MIT
/*
 * How much of a prompt to read in a step beside n running streams, so that the streams' time between two tokens
 * grows by no more than a factor. Learns from the times of steps: those of streams alone, and what a prompt token adds.
 *
 *     n = glm_pace_budget(&pace, n_streams, n_joining, chunk, slowdown);
 *     ... run a step with at most n tokens of prompts ...
 *     glm_pace_note(&pace, n_streams, n_read, seconds);
 */
#ifndef GLM_ENGINE_PACE_H
#define GLM_ENGINE_PACE_H

#include <stdint.h>

#include "glm/error.h"

/** Times of steps, from which the size of the next piece of a prompt follows. */
typedef struct glm_pace {
    uint32_t n_max;  /* most streams */
    double *alone_s; /* [n_max + 1] a step of n streams and nothing else; 0: unknown */
    double token_s;  /* what a prompt token adds to a step; 0: unknown */
    double known_n;  /* tokens of the pieces that token_s rests on, later ones weighing more */
    double
        saved_s; /* allowed in the steps without a piece, while one token costs more than a step may grow by */
    uint32_t n_skipped; /* those steps */
    uint32_t n_piece;   /* tokens of prompts in the last step beside streams */
    uint32_t n_mixed;   /* steps since the last of streams alone */
} glm_pace;

/** For at most n_max streams. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_pace_init(glm_pace *pace, uint32_t n_max, glm_error *err);
void glm_pace_deinit(glm_pace *pace);

/**
 * Tokens of prompts for the next step, at most `chunk` together with the streams; 0: streams alone, to learn their time or
 * because a token costs more than a step may grow by: the mean of steps then grows by no more, unless it costs many steps.
 *
 * @param n_joining  streams about to be there: short prompts that wait behind the first. What they will add to a step for as
 *                   long as they answer may be spent on reading them now, so that many who come at once do not wait in line.
 *                   A token of a prompt is taken to cost no more than a row of a stream
 * @param slowdown   what the time of a step may grow by, > 1
 */
uint32_t glm_pace_budget(glm_pace *pace, uint32_t n_streams, uint32_t n_joining, uint32_t chunk,
                         double slowdown);

/** A step of n_streams streams and n_read tokens of prompts took so long. */
void glm_pace_note(glm_pace *pace, uint32_t n_streams, uint32_t n_read, double seconds);

#endif
