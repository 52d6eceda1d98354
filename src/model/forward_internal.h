// SPDX-License-Identifier: MIT
/* What the parts of the forward pass share. */
#ifndef GLM_MODEL_FORWARD_INTERNAL_H
#define GLM_MODEL_FORWARD_INTERNAL_H

#include "model/forward.h"

/*
 * Rows of attention, from queries to output projection, and of a dense MLP that are worked on at once: their activations are
 * the widest. Matrix products read their weights again for each 64 rows anyway.
 */
#define GLM_ATTENTION_ROWS 64u
#define GLM_DENSE_ROWS 128u

struct glm_block {
    glm_forward *f;
    uint32_t n_tok_max;
    glm_batch batch;
    glm_buf x;                    /* [n_tok, d_model] residual stream */
    float *cos_table, *sin_table; /* [n_tok, d_rope / 2] */
    int32_t *sel;                 /* [n_tok, index_topk] of the last layer with an indexer */
    uint32_t *n_sel;              /* [n_tok] */
    bool selects_all;             /* every row attends to all its positions: sel is not used */
    bool keeps_selection;         /* the indexer is skipped */
};

struct glm_forward {
    const glm_weights *w;
    const glm_config *c;
    glm_backend *b;
    glm_kv_store kv_type, index_type;
    uint32_t n_tok_max, n_out_max;

    /* Activations, [n_tok_max, ...]. */
    glm_buf u;   /* [d_model] normed input of attention or FFN */
    glm_buf q_a; /* [q_rank] */
    glm_buf kv;  /* [kv_rank + d_rope] */
    glm_buf y;   /* [d_model] output of attention or FFN */
    /* Of GLM_ATTENTION_ROWS rows. */
    glm_buf q;     /* [n_heads, d_nope + d_rope] */
    glm_buf q_cat; /* [n_heads, kv_rank + d_rope] absorbed query */
    glm_buf o;     /* [n_heads, kv_rank] weighted latents */
    glm_buf att;   /* [n_heads, d_v] */
    /* Of n_tok_max rows again. */
    glm_buf index_q, index_k, index_w;
    glm_buf mtp_in;            /* [2 * d_model] normed embedding and state */
    glm_buf out_h, out_logits; /* [n_out_max, ...] */
    float *inv_freq;           /* [d_rope / 2] */

    uint32_t *n_keys; /* [n_tok] positions a row may look at */
    void **row;       /* [n_tok] places in the cache */

    /* Routing of a step. Slots are (row, expert) pairs sorted by expert, the shared expert's last. */
    int32_t *expert;      /* [n_tok, n_expert_used] */
    float *expert_weight; /* [n_tok, n_expert_used] */
    uint32_t *count;      /* [n_expert] */
    int32_t *wanted;      /* [n_expert] chosen experts, ascending */
    glm_ffn_part *part;   /* [n_expert + 1] */
    uint32_t *slot_tok;   /* [n_tok * (n_expert_used + 1)] */
    float *slot_weight;   /* [n_tok * (n_expert_used + 1)] */
    uint32_t *tok_slot0;  /* [n_tok + 1] */
    uint32_t *tok_slot;   /* [slots of a wave] */

    glm_forward_tap_fn *tap;
    void *tap_ctx;
    glm_arena arena;
    glm_buf memory[32]; /* backend buffers to free */
    uint32_t n_memory;
};

/** Slots an ffn op may have at once: waves of experts are cut so that they fit. */
uint32_t glm_moe_slots(const glm_config *config, uint32_t n_tok);

/** Final norm `norm` and head for chosen rows: glm_block_output and glm_mtp_output. */
void glm_output_rows(glm_forward *f, const glm_block *block, const glm_small *norm,
                     const char *tap_name, const uint32_t *row, uint32_t n, float *const *logits,
                     float *const *hidden);

/** Positions, rotary tables and a selection of everything, without the embedding. */
void glm_block_place(glm_block *block, const glm_batch *batch);

/** a = attention of `layer` over u, written to f->y. */
void glm_attention_forward(glm_forward *f, uint32_t layer, glm_block *block);

/** Write the index keys of a layer that owns an indexer, and select the positions of every row. */
void glm_indexer_forward(glm_forward *f, uint32_t layer, glm_block *block);

/** Feed-forward part of `layer` over u, written to f->y. */
GLM_MUST_CHECK glm_status glm_ffn_forward(glm_forward *f, uint32_t layer, glm_block *block,
                                          glm_error *err);

/** Hand an intermediate result in a backend buffer to the tap, under "<name>" or "<name>.<layer>" (layer < 0: none). */
void glm_tap_buf(const glm_forward *f, const char *name, int layer, glm_buf buf, uint32_t n_rows,
                 uint32_t n_cols);
void glm_tap_selection(const glm_forward *f, uint32_t layer, const glm_block *block);
void glm_tap_host(const glm_forward *f, const char *name, int layer, bool is_int, const void *data,
                  uint32_t n_rows, uint32_t n_cols);

#endif
