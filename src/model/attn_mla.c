// SPDX-License-Identifier: MIT
/* Multi-head latent attention in absorbed form over the selected positions (docs/model.md, "Attention"). */
#include <math.h>

#include "model/forward_internal.h"

typedef struct gather_ctx {
    const glm_block *block;
    uint32_t layer;
    uint32_t topk;
    uint32_t t0; /* row of the block that the op's first row is */
} gather_ctx;

static void gather_rows(const void **row, const void *ctx, uint32_t t, uint32_t first, uint32_t n)
{
    const gather_ctx *g = ctx;
    t += g->t0;
    const int32_t *sel = g->block->selects_all ? NULL : g->block->sel + (size_t)t * g->topk + first;
    glm_kv_gather(row, g->block->batch.seq[t], g->layer, sel, first, n);
}

/* kv = [normed latent | rotated key] of every row, stored in the cache. */
static void write_latents(glm_forward *f, uint32_t layer, glm_block *block)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const uint32_t n_row = c->kv_rank + c->d_rope, n_tok = block->batch.n_tok;
    glm_op_norm norm = {.x = f->kv,
                        .out = f->kv,
                        .x_stride = n_row,
                        .out_stride = n_row,
                        .n_tok = n_tok,
                        .n = c->kv_rank,
                        .weight = w->kv_a_norm.value,
                        .eps = c->latent_eps};
    f->b->ops->norm(f->b, &norm);
    glm_op_rope rope = {.x = glm_buf_at(f->kv, c->kv_rank),
                        .tok_stride = n_row,
                        .n_tok = n_tok,
                        .n_heads = 1,
                        .n_pairs = c->d_rope / 2,
                        .cos_table = block->cos_table,
                        .sin_table = block->sin_table};
    f->b->ops->rope(f->b, &rope);
    for (uint32_t t = 0; t < n_tok; t++)
        f->row[t] = glm_kv_row(block->batch.seq[t], layer, block->batch.position[t]);
    glm_op_kv_store store = {.x = f->kv,
                             .x_stride = n_row,
                             .n_tok = n_tok,
                             .n = n_row,
                             .type = f->kv_type,
                             .row = f->row};
    f->b->ops->kv_store(f->b, &store);
}

/* q = q_b q_a of rows t0..t0+n_tok-1, its last elements of each head rotated. */
static void make_queries(glm_forward *f, uint32_t layer, const glm_block *block, uint32_t t0,
                         uint32_t n_tok)
{
    const glm_config *c = f->c;
    const uint32_t d_qk = c->d_nope + c->d_rope, n_pairs = c->d_rope / 2;
    glm_op_matmul q = {.x = glm_buf_at(f->q_a, (size_t)t0 * c->q_rank),
                       .x_stride = c->q_rank,
                       .n_tok = n_tok,
                       .n_out = 1,
                       .out = {{&f->w->layer[layer].q_b, f->q, (size_t)c->n_heads * d_qk}}};
    f->b->ops->matmul(f->b, &q);
    glm_op_rope rope = {.x = glm_buf_at(f->q, c->d_nope),
                        .tok_stride = (size_t)c->n_heads * d_qk,
                        .head_stride = d_qk,
                        .n_tok = n_tok,
                        .n_heads = c->n_heads,
                        .n_pairs = n_pairs,
                        .cos_table = block->cos_table + (size_t)t0 * n_pairs,
                        .sin_table = block->sin_table + (size_t)t0 * n_pairs};
    f->b->ops->rope(f->b, &rope);
}

/* q_cat[h] = [Uk_h^T q_nope | rope(q_pe)] */
static void absorb_queries(glm_forward *f, const glm_layer_weights *w, uint32_t n_tok)
{
    const glm_config *c = f->c;
    const uint32_t d_qk = c->d_nope + c->d_rope, n_row = c->kv_rank + c->d_rope;
    glm_op_head_matmul absorb = {.w = w->k_b,
                                 .transposed = w->k_b_is_transposed,
                                 .n_heads = c->n_heads,
                                 .n_tok = n_tok,
                                 .x = f->q,
                                 .x_tok_stride = (size_t)c->n_heads * d_qk,
                                 .x_head_stride = d_qk,
                                 .out = f->q_cat,
                                 .out_tok_stride = (size_t)c->n_heads * n_row,
                                 .out_head_stride = n_row};
    f->b->ops->head_matmul(f->b, &absorb);
    glm_op_copy_heads pe = {.x = glm_buf_at(f->q, c->d_nope),
                            .x_tok_stride = (size_t)c->n_heads * d_qk,
                            .x_head_stride = d_qk,
                            .out = glm_buf_at(f->q_cat, c->kv_rank),
                            .out_tok_stride = (size_t)c->n_heads * n_row,
                            .out_head_stride = n_row,
                            .n_tok = n_tok,
                            .n_heads = c->n_heads,
                            .n = c->d_rope};
    f->b->ops->copy_heads(f->b, &pe);
}

/* Rows t0..t0+n_tok-1 of y: attention over the latents, each head's values, the output projection. */
static void attend(glm_forward *f, uint32_t layer, const glm_block *block, uint32_t t0,
                   uint32_t n_tok)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const gather_ctx gather = {block, layer, c->index_topk, t0};
    make_queries(f, layer, block, t0, n_tok);
    absorb_queries(f, w, n_tok);
    glm_op_attention attention = {.q = f->q_cat,
                                  .out = f->o,
                                  .n_tok = n_tok,
                                  .n_heads = c->n_heads,
                                  .n_row = c->kv_rank + c->d_rope,
                                  .n_value = c->kv_rank,
                                  .scale = 1.0F / sqrtf((float)(c->d_nope + c->d_rope)),
                                  .type = f->kv_type,
                                  .n_sel = block->n_sel + t0,
                                  .gather = gather_rows,
                                  .ctx = &gather};
    f->b->ops->attention(f->b, &attention);
    glm_op_head_matmul value = {.w = w->v_b,
                                .n_heads = c->n_heads,
                                .n_tok = n_tok,
                                .x = f->o,
                                .x_tok_stride = (size_t)c->n_heads * c->kv_rank,
                                .x_head_stride = c->kv_rank,
                                .out = f->att,
                                .out_tok_stride = (size_t)c->n_heads * c->d_v,
                                .out_head_stride = c->d_v};
    f->b->ops->head_matmul(f->b, &value);
    glm_op_matmul out = {.x = f->att,
                         .x_stride = (size_t)c->n_heads * c->d_v,
                         .n_tok = n_tok,
                         .n_out = 1,
                         .out = {{&w->o, glm_buf_at(f->y, (size_t)t0 * c->d_model), c->d_model}}};
    f->b->ops->matmul(f->b, &out);
}

void glm_attention_forward(glm_forward *f, uint32_t layer, glm_block *block)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    const uint32_t n_tok = block->batch.n_tok, n_row = c->kv_rank + c->d_rope;

    glm_op_matmul down = {.x = f->u,
                          .x_stride = c->d_model,
                          .n_tok = n_tok,
                          .n_out = 2,
                          .out = {{&w->q_a, f->q_a, c->q_rank}, {&w->kv_a, f->kv, n_row}}};
    f->b->ops->matmul(f->b, &down);
    glm_op_norm norm = {.x = f->q_a,
                        .out = f->q_a,
                        .x_stride = c->q_rank,
                        .out_stride = c->q_rank,
                        .n_tok = n_tok,
                        .n = c->q_rank,
                        .weight = w->q_a_norm.value,
                        .eps = c->latent_eps};
    f->b->ops->norm(f->b, &norm);
    write_latents(f, layer, block);
    if (c->owns_indexer[layer] && !block->keeps_selection)
        glm_indexer_forward(f, layer, block);
    for (uint32_t t0 = 0; t0 < n_tok; t0 += GLM_ATTENTION_ROWS)
        attend(f, layer, block, t0,
               n_tok - t0 < GLM_ATTENTION_ROWS ? n_tok - t0 : GLM_ATTENTION_ROWS);
}
