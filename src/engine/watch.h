// SPDX-License-Identifier: MIT
/*
 * Looking on while an engine multiplies: a function is told of each product of a stored matrix with activations, with the
 * very rows that go in. For importance matrices (convert/imatrix.h). The watcher stands between the forward pass and its
 * backend, so neither knows of it, and while nothing is watched it costs nothing.
 *
 * The hidden rows of a feed-forward live inside one op of the backend. While watched they are computed a second time for
 * the watcher, which makes the feed-forward 5/3 as expensive.
 */
#ifndef GLM_ENGINE_WATCH_H
#define GLM_ENGINE_WATCH_H

#include "glm/glm.h"
#include "model/weights.h"

/**
 * A matrix and the rows it is about to be multiplied with; all borrowed for the call.
 *
 * @param w      as bound; w->data tells matrices apart. Per-head parts of kv_b come one by one
 * @param x      [n_rows] rows of n values, `stride` floats apart: n is w->n_cols, or w->n_rows for a key part that is
 *               stored untransposed
 */
typedef void glm_watch_fn(void *ctx, const glm_mat *w, const float *x, size_t stride,
                          uint32_t n_rows, uint32_t n);

typedef struct glm_watch glm_watch;

/** Begin to watch; one watcher an engine. Errors: GLM_ENOMEM. End with glm_watch_end before the engine is destroyed. */
GLM_MUST_CHECK glm_status glm_watch_begin(glm_watch **out, glm_engine *engine, glm_watch_fn *fn,
                                          void *ctx, glm_error *err);
void glm_watch_end(glm_watch *watch);

/** The model an engine runs, and its weights. */
const glm_model *glm_watch_model(const glm_engine *engine);
const glm_weights *glm_watch_weights(const glm_engine *engine);

#endif
