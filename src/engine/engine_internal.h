// SPDX-License-Identifier: MIT
/* What the files of the engine share. */
#ifndef GLM_ENGINE_INTERNAL_H
#define GLM_ENGINE_INTERNAL_H

#include <stdatomic.h>

#include "backend/backend.h"
#include "core/threadpool.h"
#include "glm/glm.h"
#include "model/forward.h"
#include "model/loaded.h"

struct glm_engine {
    glm_model *model;
    glm_engine_info info;
    glm_pool *pool;
    glm_backend *backend;
    glm_forward *forward;
    glm_block *block;
    glm_kv *kv;
    uint32_t n_out; /* rows with outputs computed at once */
    atomic_bool is_canceled;
    uint64_t step; /* counts steps; a session joins a step once */

    glm_tap_fn *tap;
    void *tap_ctx;
    const uint32_t *tap_row; /* block rows of what is being handed out; NULL: all */

    /* Rows of the running block, [chunk]. */
    int32_t *token;
    uint32_t *position;
    glm_kv_seq **seq;
    glm_session **session;
    uint32_t *item;  /* which item a row belongs to */
    uint32_t *index; /* and which of its tokens it is */
    /* Rows with outputs, [n_out]. */
    uint32_t *out_row;
    float **out_logits, **out_hidden;
    /* A block of scores, made at the first glm_score. */
    float *score_logits;
    double *score_logprob;
    int32_t *score_argmax;
};

struct glm_session {
    glm_engine *engine;
    glm_kv_seq *seq;
    uint64_t step; /* last step it took part in */
};

/** Where the outputs of a step go, if not to the items' own buffers: rows first..first+n-1 of the only item. */
typedef glm_status glm_step_sink(void *ctx, uint32_t first, uint32_t n, const float *logits,
                                 glm_error *err);

/**
 * glm_step with an optional sink, which then gets every row of the one item in blocks of at most n_out. Unlike
 * glm_step it leaves the wish to cancel as it is, so that one made between the steps of a longer call counts.
 */
GLM_MUST_CHECK glm_status glm_step_run(glm_engine *engine, const glm_step_item *items,
                                       size_t n_items, glm_step_sink *sink, void *ctx,
                                       glm_error *err);

/** Memory for the blocks a sink gets; made once. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_engine_make_scores(glm_engine *e, glm_error *err);

/** Forget a wish to cancel: at the begin of each call that runs steps. */
void glm_engine_clear_cancel(glm_engine *engine);

/** Called by the forward pass; splits the rows of a block by session and calls the user's tap. */
void glm_engine_tap(void *ctx, const char *name, bool is_int, const void *data, uint32_t n_rows,
                    uint32_t n_cols);

#endif
