// SPDX-License-Identifier: MIT
/* The lightning indexer: keys of every token, scores and selection where more is held than may be attended to
 * (docs/model.md, "Indexer"). */
#include <math.h>

#include "model/forward_internal.h"

typedef struct run_ctx {
    const glm_block *block;
    uint32_t layer;
} run_ctx;

static const void *key_run(const void *ctx, uint32_t t, uint32_t position, uint32_t *n,
                           size_t *stride_bytes)
{
    const run_ctx *r = ctx;
    return glm_kv_index_run(r->block->batch.seq[t], r->layer, position, n, stride_bytes);
}

/* Keys of fewer than 16 bits are rotated first, and so are the queries: a dot product does not change by it, but no single
 * large value spoils the scale of the others. */
static void rotate(glm_forward *f, glm_buf x, size_t n_vec)
{
    glm_op_hadamard op = {.x = x, .n_vec = n_vec, .n = f->c->index_d_head};
    if (f->index_type == GLM_KV_STORE_Q8)
        f->b->ops->hadamard(f->b, &op);
}

/* index_k = rope(layernorm(wk u)), stored in the cache. Needed even while everything is selected. */
static void write_keys(glm_forward *f, uint32_t layer, glm_block *block)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const uint32_t n_tok = block->batch.n_tok, d = c->index_d_head;
    glm_op_norm norm = {.x = f->index_k,
                        .out = f->index_k,
                        .x_stride = d,
                        .out_stride = d,
                        .n_tok = n_tok,
                        .n = d,
                        .weight = w->index_k_norm.value,
                        .bias = w->index_k_bias.value,
                        .eps = c->index_eps};
    f->b->ops->norm(f->b, &norm);
    glm_op_rope rope = {.x = f->index_k,
                        .tok_stride = d,
                        .n_tok = n_tok,
                        .n_heads = 1,
                        .n_pairs = c->d_rope / 2,
                        .cos_table = block->cos_table,
                        .sin_table = block->sin_table};
    f->b->ops->rope(f->b, &rope);
    rotate(f, f->index_k, n_tok);
    for (uint32_t t = 0; t < n_tok; t++)
        f->row[t] = glm_kv_index_row(block->batch.seq[t], layer, block->batch.position[t]);
    glm_op_kv_store store = {.x = f->index_k,
                             .x_stride = d,
                             .n_tok = n_tok,
                             .n = d,
                             .type = f->index_type,
                             .row = f->row};
    f->b->ops->index_store(f->b, &store);
}

static void select_positions(glm_forward *f, uint32_t layer, glm_block *block, uint32_t *n_keys)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const uint32_t n_tok = block->batch.n_tok, n_q = c->index_n_heads * c->index_d_head;
    glm_op_matmul query = {.x = f->q_a,
                           .x_stride = c->q_rank,
                           .n_tok = n_tok,
                           .n_out = 1,
                           .out = {{&w->index_q_b, f->index_q, n_q}}};
    f->b->ops->matmul(f->b, &query);
    glm_op_rope rope = {.x = f->index_q,
                        .tok_stride = n_q,
                        .head_stride = c->index_d_head,
                        .n_tok = n_tok,
                        .n_heads = c->index_n_heads,
                        .n_pairs = c->d_rope / 2,
                        .cos_table = block->cos_table,
                        .sin_table = block->sin_table};
    f->b->ops->rope(f->b, &rope);
    rotate(f, f->index_q, (size_t)n_tok * c->index_n_heads);
    run_ctx run = {block, layer};
    glm_op_index index = {.q = f->index_q,
                          .w = f->index_w,
                          .w_scale = 1.0F / sqrtf((float)c->index_n_heads * (float)c->index_d_head),
                          .n_tok = n_tok,
                          .n_heads = c->index_n_heads,
                          .d_head = c->index_d_head,
                          .type = f->index_type,
                          .n_keys = n_keys,
                          .k = c->index_topk,
                          .sel = block->sel,
                          .n_sel = block->n_sel,
                          .run = key_run,
                          .ctx = &run};
    f->b->ops->index(f->b, &index);
}

void glm_indexer_forward(glm_forward *f, uint32_t layer, glm_block *block)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const uint32_t n_tok = block->batch.n_tok;
    bool must_score = false;
    for (uint32_t t = 0; t < n_tok; t++) {
        f->n_keys[t] = block->batch.position[t] + 1;
        must_score |= f->n_keys[t] > c->index_topk;
    }
    glm_op_matmul in = {.x = f->u,
                        .x_stride = c->d_model,
                        .n_tok = n_tok,
                        .n_out = must_score ? 2 : 1,
                        .out = {{&w->index_k, f->index_k, c->index_d_head},
                                {&w->index_proj, f->index_w, c->index_n_heads}}};
    f->b->ops->matmul(f->b, &in);
    write_keys(f, layer, block);
    block->selects_all = !must_score;
    if (must_score)
        select_positions(f, layer, block, f->n_keys);
    glm_tap_selection(f, layer, block);
}
