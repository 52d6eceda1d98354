// SPDX-License-Identifier: MIT
#include "engine/pace.h"

#include "core/mem.h"

/* Share of a new time in the running mean, and the most by which one time may pull it: an interruption by another process
 * says nothing of the engine. */
#define NEW_SHARE 0.25
#define OUTLIER 2.0
/* What a prompt token adds is believed soon when it is more than thought, slowly when it is less: a piece too large holds
 * streams up, one too small only takes longer. */
#define DEARER_SHARE 0.5
#define CHEAPER_SHARE 0.1
/* Of the time the slowdown allows, what is aimed at: steps vary. */
#define AIM 0.8
/* Numbers of streams that differ by one in so many are near each other. */
#define NEAR 5u
/* Steps with pieces of prompts between two of streams alone, which keep their time known. */
#define MIXED_MAX 16u

/* Steps in a row without a piece of a prompt that waits: an interruption must not make tokens look too dear for ever. */
#define SKIPPED_MAX 8u

glm_status glm_pace_init(glm_pace *pace, uint32_t n_max, glm_error *err)
{
    *pace = (glm_pace){.n_max = n_max, .alone_s = glm_new_array(double, (size_t)n_max + 1)};
    return pace->alone_s ? GLM_OK : glm_fail(err, GLM_ENOMEM, "times of steps: no memory");
}

void glm_pace_deinit(glm_pace *pace)
{
    free(pace->alone_s);
    pace->alone_s = NULL;
}

static void learn(double *mean, double value)
{
    if (*mean > 0.0 && value > OUTLIER * *mean)
        value = OUTLIER * *mean;
    *mean = *mean > 0.0 ? *mean + NEW_SHARE * (value - *mean) : value;
}

/*
 * A step of n streams alone; 0 when too little is known. Where n itself was not measured yet, a number near it stands for it, so that
 * streams which come one behind the other do not hold up prompts each with a step of its own. A step's time grows with n, and by
 * less than n does: it is off by a quarter at most.
 */
static double alone_s(const glm_pace *pace, uint32_t n)
{
    if (n > pace->n_max)
        return 0.0;
    for (uint32_t d = 0; d <= n / NEAR; d++) {
        if (pace->alone_s[n - d] > 0.0)
            return pace->alone_s[n - d];
        if (n + d <= pace->n_max && pace->alone_s[n + d] > 0.0)
            return pace->alone_s[n + d] * ((double)n / (double)(n + d));
    }
    return 0.0;
}

/* A step of n streams when n_joining more have come: by the line through the times of n and of the fewest streams known. */
static double joined_s(const glm_pace *pace, uint32_t n, uint32_t n_joining)
{
    const double alone = alone_s(pace, n);
    uint32_t few = 1;
    while (few < n && pace->alone_s[few] <= 0.0)
        few++;
    if (few == n)
        return alone;
    double each = (alone - pace->alone_s[few]) / (double)(n - few);
    double most = alone / (double)n;
    each = each > 0.0 ? each : 0.0;
    return alone + (each < most ? each : most) * (double)n_joining;
}

/* A piece of n tokens added so much to a step. Long pieces say more of a token's cost than short ones, whose cost is mostly that of
 * having a piece at all. */
static void learn_piece(glm_pace *pace, double n, double added_s)
{
    const double each_s = added_s > 0.0 ? added_s / n : 0.0; /* less: streams' time is a mean */
    const double most = n * (1.0 / CHEAPER_SHARE - 1.0);
    const double known_n = pace->known_n < most ? pace->known_n : most;
    double share = n / (known_n + n);
    if (each_s > pace->token_s && share < DEARER_SHARE)
        share = DEARER_SHARE;
    pace->token_s += share * (each_s - pace->token_s);
    pace->known_n = known_n + n;
}

uint32_t glm_pace_budget(glm_pace *pace, uint32_t n_streams, uint32_t n_joining, uint32_t chunk,
                         double slowdown)
{
    if (!n_streams)
        return chunk;
    double alone = alone_s(pace, n_streams);
    if (alone <= 0.0 || pace->n_mixed >= MIXED_MAX)
        return 0;
    uint32_t most = chunk > n_streams ? chunk - n_streams : 1;
    double allowed = AIM * slowdown * joined_s(pace, n_streams, n_joining) - alone;
    double least = AIM * (slowdown - 1.0) * alone;
    allowed = n_joining && allowed > least ? allowed : least;
    double n = pace->token_s > 0.0 ? allowed / pace->token_s : 1.0;
    double grown =
        2.0 * (double)pace->n_piece + 1.0; /* the cost of one token is not that of many */
    n = n < grown ? n : grown;
    double crowd = AIM * slowdown * (double)(n_streams + n_joining) - (double)n_streams;
    n = !n_joining || n > crowd ? n : crowd; /* a row of a prompt for a row of a stream */
    n = n < (double)most ? n : (double)most;
    if (n >= 1.0)
        return (uint32_t)n;
    /* One token alone is dearer than that, as deep in a long prompt beside streams of a small model: one in some steps. */
    pace->saved_s += allowed;
    if (pace->saved_s < pace->token_s && ++pace->n_skipped < SKIPPED_MAX)
        return 0;
    pace->saved_s = 0.0;
    pace->n_skipped = 0;
    return 1;
}

void glm_pace_note(glm_pace *pace, uint32_t n_streams, uint32_t n_read, double seconds)
{
    if (!n_streams || n_streams > pace->n_max)
        return;
    if (!n_read) {
        learn(&pace->alone_s[n_streams], seconds);
        pace->n_mixed = 0;
        return;
    }
    learn_piece(pace, (double)n_read, seconds - alone_s(pace, n_streams));
    pace->n_piece = n_read;
    pace->n_mixed++;
}
