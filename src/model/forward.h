// SPDX-License-Identifier: MIT
/*
 * The forward pass: blocks of rows (tokens of one or several sequences) through the layers.
 *
 * A glm_forward is the workspace of one engine: weights, backend, activations of the widest step. A glm_block is the
 * state that travels with some rows from layer to layer: residual stream, positions, selections. The engine usually has
 * one block; with several it may run them in layer-major order (all blocks through a layer before the next), since a
 * block only needs the cache rows that earlier blocks wrote in the same layer.
 *
 *     glm_block_begin(block, &rows);           embedding, rotary tables
 *     for (layer...) glm_layer_forward(f, layer, block, err);
 *     glm_block_output(f, block, chosen, n, logits, hidden);
 *
 * Formulas and sources: docs/model.md. Order of every sum: docs/numerics.md.
 */
#ifndef GLM_MODEL_FORWARD_H
#define GLM_MODEL_FORWARD_H

#include <stdint.h>

#include "backend/backend.h"
#include "model/kv.h"
#include "model/weights.h"

typedef struct glm_forward glm_forward;
typedef struct glm_block glm_block;

/** Rows of a step: n tokens with their places. Sequences were reserved for them; rows of one sequence ascend. */
typedef struct glm_batch {
    uint32_t n_tok;
    const int32_t *token;     /* [n_tok] */
    const uint32_t *position; /* [n_tok] */
    glm_kv_seq *const *seq;   /* [n_tok] */
} glm_batch;

/** Positions a row attends to: sel[0..n-1], or 0..n-1 when sel is NULL. */
typedef struct glm_selection {
    const int32_t *sel;
    uint32_t n;
} glm_selection;

/** See glm_tap in glm/glm.h; `row0` is the block's row of data's first row. */
typedef void glm_forward_tap_fn(void *ctx, const char *name, bool is_int, const void *data,
                                uint32_t n_rows, uint32_t n_cols);

/** What the backend must have room for, and what workspace and a block of n_tok rows take. */
void glm_forward_limits(glm_backend_limits *out, const glm_config *config, uint32_t n_tok,
                        uint32_t n_ctx);
size_t glm_forward_bytes(const glm_config *config, uint32_t n_tok, uint32_t n_out);
size_t glm_block_bytes(const glm_config *config, uint32_t n_tok);

/**
 * A workspace for steps of at most n_tok rows, n_out of them with outputs at once. Everything is borrowed and must
 * outlive it.
 */
GLM_MUST_CHECK glm_status glm_forward_create(glm_forward **out, const glm_weights *weights,
                                             glm_backend *backend, glm_kv_store kv_type,
                                             glm_kv_store index_type, uint32_t n_tok,
                                             uint32_t n_out, glm_error *err);
void glm_forward_destroy(glm_forward *f);
void glm_forward_set_tap(glm_forward *f, glm_forward_tap_fn *tap, void *ctx);

GLM_MUST_CHECK glm_status glm_block_create(glm_block **out, glm_forward *f, uint32_t n_tok,
                                           glm_error *err);
void glm_block_destroy(glm_block *block);

/** Load rows into a block: embeddings and rotary tables. `batch` arrays are borrowed until the block is begun anew. */
void glm_block_begin(glm_block *block, const glm_batch *batch);

/** One decoder layer over a block, in place. GLM_EIO when an expert cannot be read. */
GLM_MUST_CHECK glm_status glm_layer_forward(glm_forward *f, uint32_t layer, glm_block *block,
                                            glm_error *err);

/**
 * Final norm and head for chosen rows.
 *
 * @param row     [n] rows of the block, ascending; n at most the workspace's n_out
 * @param logits  [n] places for n_vocab values each, or NULL where they are not wanted
 * @param hidden  [n] places for d_model values each, or NULL where they are not wanted
 */
void glm_block_output(glm_forward *f, const glm_block *block, const uint32_t *row, uint32_t n,
                      float *const *logits, float *const *hidden);

/* ---- The MTP block (layer n_layer): drafts from a token and the state before it ---- */

/**
 * Load rows for the MTP block: batch->token[t] is the token behind batch->position[t], hidden[t] [d_model] the state at
 * that position: the main model's after the final norm, or a former draft's from glm_mtp_output. Then run
 * glm_layer_forward(f, n_layer, ...). The cache must have been made with a layer for it.
 */
void glm_mtp_begin(glm_block *block, const glm_batch *batch, const float *const *hidden);

/** All rows of `block` attend to `selection` (copied); the indexer is skipped. Call after glm_mtp_begin. */
void glm_block_reuse_selection(glm_block *block, const glm_selection *selection);

/** Copy what a row attends to. `sel` has room for index_topk positions. */
void glm_block_get_selection(const glm_block *block, uint32_t row, glm_selection *out,
                             int32_t *sel);

/** As glm_block_output, with the MTP block's own norm. */
void glm_mtp_output(glm_forward *f, const glm_block *block, const uint32_t *row, uint32_t n,
                    float *const *logits, float *const *hidden);

#endif
