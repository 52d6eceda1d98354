// SPDX-License-Identifier: MIT
#include "model/forward.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "model/forward_internal.h"

/* Most positions a row may attend to. */
static uint32_t selection_max(const glm_config *c, uint32_t n_ctx)
{
    return c->index_topk && c->index_topk < n_ctx ? c->index_topk : n_ctx;
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void glm_forward_limits(glm_backend_limits *out, const glm_config *c, uint32_t n_tok,
                        uint32_t n_ctx)
{
    uint32_t cols = max_u32(c->d_model, c->n_heads * c->d_v);
    cols = max_u32(cols, max_u32(c->d_ff, c->d_expert * max_u32(c->n_expert_shared, 1)));
    cols = max_u32(cols, max_u32(c->q_rank, c->kv_rank));
    cols = max_u32(cols, max_u32(c->d_nope, 2 * c->d_model));
    size_t hidden = (size_t)(n_tok < GLM_DENSE_ROWS ? n_tok : GLM_DENSE_ROWS) * c->d_ff;
    size_t routed = (size_t)glm_moe_slots(c, n_tok) * c->d_expert * max_u32(c->n_expert_shared, 1);
    *out = (glm_backend_limits){
        .n_tok = n_tok,
        .n_cols = cols,
        .n_row = max_u32(c->kv_rank + c->d_rope, c->index_d_head),
        .n_sel = selection_max(c, n_ctx),
        .n_keys = c->index_topk && c->index_topk < n_ctx ? n_ctx : 0,
        .n_slot = glm_moe_slots(c, n_tok),
        .n_hidden = hidden > routed ? hidden : routed,
        .d_model = c->d_model,
        .n_expert = c->n_expert,
    };
}

/* One formula for sizes and places of the activations: f is NULL when only bytes are counted. */
static glm_status make_buffers(glm_forward *f, const glm_config *c, uint32_t n_tok, uint32_t n_out,
                               size_t *bytes, glm_error *err)
{
    const size_t n_row = (size_t)c->kv_rank + c->d_rope, heads = c->n_heads;
    const size_t n_attend = n_tok < GLM_ATTENTION_ROWS ? n_tok : GLM_ATTENTION_ROWS;
    const struct {
        size_t offset; /* of the field in glm_forward */
        size_t n;      /* floats */
    } want[] = {
        {offsetof(glm_forward, u), (size_t)n_tok * c->d_model},
        {offsetof(glm_forward, q_a), (size_t)n_tok * c->q_rank},
        {offsetof(glm_forward, kv), n_tok * n_row},
        {offsetof(glm_forward, q), n_attend * heads * (c->d_nope + c->d_rope)},
        {offsetof(glm_forward, q_cat), n_attend * heads * n_row},
        {offsetof(glm_forward, o), n_attend * heads * c->kv_rank},
        {offsetof(glm_forward, att), n_attend * heads * c->d_v},
        {offsetof(glm_forward, y), (size_t)n_tok * c->d_model},
        {offsetof(glm_forward, index_q), (size_t)n_tok * c->index_n_heads * c->index_d_head},
        {offsetof(glm_forward, index_k), (size_t)n_tok * c->index_d_head},
        {offsetof(glm_forward, index_w), (size_t)n_tok * c->index_n_heads},
        {offsetof(glm_forward, mtp_in), c->n_mtp ? (size_t)n_tok * 2 * c->d_model : 0},
        {offsetof(glm_forward, out_h), (size_t)n_out * c->d_model},
        {offsetof(glm_forward, out_logits), (size_t)n_out * c->n_vocab},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        size_t size = glm_mul_size(want[i].n, sizeof(float));
        *bytes = glm_add_size(*bytes, size);
        if (!f)
            continue;
        glm_buf *field = (glm_buf *)(void *)((unsigned char *)f + want[i].offset);
        glm_status st = f->b->ops->buf_create(f->b, field, size, err);
        if (st != GLM_OK)
            return st;
        f->memory[f->n_memory++] = *field;
    }
    return GLM_OK;
}

static glm_status make_tables(glm_forward *f, glm_error *err)
{
    const glm_config *c = f->c;
    const size_t n_tok = f->n_tok_max, slots = n_tok * (c->n_expert_used + 1u);
    f->expert = glm_arena_new_array(&f->arena, int32_t, n_tok * c->n_expert_used);
    f->expert_weight = glm_arena_new_array(&f->arena, float, n_tok * c->n_expert_used);
    f->count = glm_arena_new_array(&f->arena, uint32_t, c->n_expert);
    f->wanted = glm_arena_new_array(&f->arena, int32_t, c->n_expert);
    f->part = glm_arena_new_array(&f->arena, glm_ffn_part, c->n_expert + 1u);
    f->slot_tok = glm_arena_new_array(&f->arena, uint32_t, slots);
    f->slot_weight = glm_arena_new_array(&f->arena, float, slots);
    f->tok_slot0 = glm_arena_new_array(&f->arena, uint32_t, n_tok + 1);
    f->tok_slot = glm_arena_new_array(&f->arena, uint32_t, glm_moe_slots(c, f->n_tok_max));
    f->n_keys = glm_arena_new_array(&f->arena, uint32_t, n_tok);
    f->row = glm_arena_new_array(&f->arena, void *, n_tok);
    f->inv_freq = glm_arena_new_array(&f->arena, float, c->d_rope / 2);
    if (!f->expert || !f->expert_weight || !f->count || !f->wanted || !f->part || !f->slot_tok ||
        !f->slot_weight || !f->tok_slot0 || !f->tok_slot || !f->n_keys || !f->row || !f->inv_freq)
        return glm_fail(err, GLM_ENOMEM, "tables of a step: no memory");
    /* Float32 throughout, as the reference stacks have it (docs/model.md, "Rotary positions"). */
    for (uint32_t i = 0; i < c->d_rope / 2; i++)
        f->inv_freq[i] = 1.0F / (float)pow(c->rope_theta, (double)(2 * i) / (double)c->d_rope);
    return GLM_OK;
}

size_t glm_forward_bytes(const glm_config *config, uint32_t n_tok, uint32_t n_out)
{
    size_t bytes = 0;
    glm_status st = make_buffers(NULL, config, n_tok, n_out, &bytes, NULL);
    size_t tables = glm_mul_size(n_tok, (config->n_expert_used + 1u) * 24u + 32u);
    return st == GLM_OK ? glm_add_size(bytes, tables) : SIZE_MAX;
}

glm_status glm_forward_create(glm_forward **out, const glm_weights *weights, glm_backend *backend,
                              glm_kv_store kv_type, glm_kv_store index_type, uint32_t n_tok,
                              uint32_t n_out, glm_error *err)
{
    glm_forward *f = glm_new(glm_forward);
    if (!f)
        return glm_fail(err, GLM_ENOMEM, "forward pass: no memory");
    glm_arena_init(&f->arena, SIZE_MAX / 2);
    f->w = weights;
    f->c = weights->config;
    f->b = backend;
    f->kv_type = kv_type;
    f->index_type = index_type;
    f->n_tok_max = n_tok;
    f->n_out_max = n_out;
    size_t bytes = 0;
    glm_status st = make_buffers(f, f->c, n_tok, n_out, &bytes, err);
    if (st == GLM_OK)
        st = make_tables(f, err);
    if (st != GLM_OK) {
        glm_forward_destroy(f);
        return st;
    }
    *out = f;
    return GLM_OK;
}

void glm_forward_destroy(glm_forward *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->n_memory; i++)
        f->b->ops->buf_destroy(f->b, f->memory[i]);
    glm_arena_deinit(&f->arena);
    free(f);
}

void glm_forward_set_tap(glm_forward *f, glm_forward_tap_fn *tap, void *ctx)
{
    f->tap = tap;
    f->tap_ctx = ctx;
}

size_t glm_block_bytes(const glm_config *config, uint32_t n_tok)
{
    size_t floats = glm_add_size(config->d_model, config->d_rope + config->index_topk + 1);
    return glm_mul_size(glm_mul_size(n_tok, floats), sizeof(float));
}

glm_status glm_block_create(glm_block **out, glm_forward *f, uint32_t n_tok, glm_error *err)
{
    const glm_config *c = f->c;
    glm_block *block = glm_new(glm_block);
    if (!block)
        return glm_fail(err, GLM_ENOMEM, "block of %u rows: no memory", n_tok);
    block->f = f;
    block->n_tok_max = n_tok;
    block->cos_table = glm_new_array(float, (size_t)n_tok *(c->d_rope / 2));
    block->sin_table = glm_new_array(float, (size_t)n_tok *(c->d_rope / 2));
    block->sel = glm_new_array(int32_t, glm_mul_size(n_tok, c->index_topk));
    block->n_sel = glm_new_array(uint32_t, n_tok);
    glm_status st = GLM_OK;
    if (!block->cos_table || !block->sin_table || !block->sel || !block->n_sel)
        st = glm_fail(err, GLM_ENOMEM, "block of %u rows: no memory", n_tok);
    if (st == GLM_OK)
        st = f->b->ops->buf_create(
            f->b, &block->x, glm_mul_size(glm_mul_size(n_tok, c->d_model), sizeof(float)), err);
    if (st != GLM_OK) {
        glm_block_destroy(block);
        return st;
    }
    *out = block;
    return GLM_OK;
}

void glm_block_destroy(glm_block *block)
{
    if (!block)
        return;
    if (block->x.base)
        block->f->b->ops->buf_destroy(block->f->b, block->x);
    free(block->cos_table);
    free(block->sin_table);
    free(block->sel);
    free(block->n_sel);
    free(block);
}

/* Angles are float32 products; their sine and cosine are accurate. */
static void make_rotary_tables(glm_block *block)
{
    const glm_forward *f = block->f;
    const uint32_t n_pairs = f->c->d_rope / 2;
    for (uint32_t t = 0; t < block->batch.n_tok; t++)
        for (uint32_t i = 0; i < n_pairs; i++) {
            float angle = (float)block->batch.position[t] * f->inv_freq[i];
            block->cos_table[(size_t)t * n_pairs + i] = (float)cos((double)angle);
            block->sin_table[(size_t)t * n_pairs + i] = (float)sin((double)angle);
        }
}

void glm_block_place(glm_block *block, const glm_batch *batch)
{
    block->batch = *batch;
    make_rotary_tables(block);
    block->keeps_selection = false;
    block->selects_all = true;
    for (uint32_t t = 0; t < batch->n_tok; t++)
        block->n_sel[t] = batch->position[t] + 1;
}

void glm_block_begin(glm_block *block, const glm_batch *batch)
{
    glm_forward *f = block->f;
    glm_block_place(block, batch);
    glm_op_embed embed = {
        .table = &f->w->embed, .token = batch->token, .n_tok = batch->n_tok, .out = block->x};
    f->b->ops->embed(f->b, &embed);
    glm_tap_buf(f, "hidden.embed", -1, block->x, batch->n_tok, f->c->d_model);
}

/* u = rms(x) */
static void norm_input(glm_forward *f, const glm_block *block, const glm_small *weight)
{
    glm_op_norm norm = {.x = block->x,
                        .out = f->u,
                        .x_stride = f->c->d_model,
                        .out_stride = f->c->d_model,
                        .n_tok = block->batch.n_tok,
                        .n = f->c->d_model,
                        .weight = weight->value,
                        .eps = f->c->rms_eps};
    f->b->ops->norm(f->b, &norm);
}

glm_status glm_layer_forward(glm_forward *f, uint32_t layer, glm_block *block, glm_error *err)
{
    const glm_layer_weights *w = &f->w->layer[layer];
    const size_t n = (size_t)block->batch.n_tok * f->c->d_model;
    norm_input(f, block, &w->attn_norm);
    glm_attention_forward(f, layer, block);
    f->b->ops->add(f->b, block->x, f->y, n);
    norm_input(f, block, &w->ffn_norm);
    glm_status st = glm_ffn_forward(f, layer, block, err);
    if (st != GLM_OK)
        return st;
    f->b->ops->add(f->b, block->x, f->y, n);
    glm_tap_buf(f, "hidden", (int)layer, block->x, block->batch.n_tok, f->c->d_model);
    return GLM_OK;
}

void glm_output_rows(glm_forward *f, const glm_block *block, const glm_small *norm_weight,
                     const char *tap_name, const uint32_t *row, uint32_t n, float *const *logits,
                     float *const *hidden)
{
    const glm_config *c = f->c;
    bool wants_logits = false;
    for (uint32_t i = 0; i < n; i++) {
        glm_op_norm norm = {.x = glm_buf_at(block->x, (size_t)row[i] * c->d_model),
                            .out = glm_buf_at(f->out_h, (size_t)i * c->d_model),
                            .x_stride = c->d_model,
                            .out_stride = c->d_model,
                            .n_tok = 1,
                            .n = c->d_model,
                            .weight = norm_weight->value,
                            .eps = c->rms_eps};
        f->b->ops->norm(f->b, &norm);
        wants_logits |= logits[i] != NULL;
    }
    glm_tap_buf(f, tap_name, -1, f->out_h, n, c->d_model);
    if (wants_logits) {
        glm_op_matmul head = {.x = f->out_h,
                              .x_stride = c->d_model,
                              .n_tok = n,
                              .n_out = 1,
                              .out = {{&f->w->head, f->out_logits, c->n_vocab}}};
        f->b->ops->matmul(f->b, &head);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (hidden[i])
            f->b->ops->read(f->b, hidden[i], glm_buf_at(f->out_h, (size_t)i * c->d_model),
                            c->d_model * sizeof(float));
        if (logits[i])
            f->b->ops->read(f->b, logits[i], glm_buf_at(f->out_logits, (size_t)i * c->n_vocab),
                            c->n_vocab * sizeof(float));
    }
}

void glm_block_output(glm_forward *f, const glm_block *block, const uint32_t *row, uint32_t n,
                      float *const *logits, float *const *hidden)
{
    glm_output_rows(f, block, &f->w->norm, "hidden.norm", row, n, logits, hidden);
}

/* ---- Taps ---- */

void glm_tap_host(const glm_forward *f, const char *name, int layer, bool is_int, const void *data,
                  uint32_t n_rows, uint32_t n_cols)
{
    if (!f->tap)
        return;
    char full[64];
    if (layer >= 0)
        snprintf(full, sizeof full, "%s.%d", name, layer);
    else
        snprintf(full, sizeof full, "%s", name);
    f->tap(f->tap_ctx, full, is_int, data, n_rows, n_cols);
}

void glm_tap_buf(const glm_forward *f, const char *name, int layer, glm_buf buf, uint32_t n_rows,
                 uint32_t n_cols)
{
    if (!f->tap)
        return;
    float *copy = glm_new_array(float, glm_mul_size(n_rows, n_cols));
    if (!copy)
        return;
    f->b->ops->read(f->b, copy, buf, (size_t)n_rows * n_cols * sizeof(float));
    glm_tap_host(f, name, layer, false, copy, n_rows, n_cols);
    free(copy);
}

void glm_tap_selection(const glm_forward *f, uint32_t layer, const glm_block *block)
{
    if (!f->tap)
        return;
    const uint32_t n_tok = block->batch.n_tok, k = f->c->index_topk;
    int32_t *padded = glm_new_array(int32_t, glm_mul_size(n_tok, k));
    if (!padded)
        return;
    for (uint32_t t = 0; t < n_tok; t++)
        for (uint32_t i = 0; i < k; i++) {
            int32_t position = block->selects_all ? (int32_t)i : block->sel[(size_t)t * k + i];
            padded[(size_t)t * k + i] = i < block->n_sel[t] ? position : -1;
        }
    glm_tap_host(f, "selected", (int)layer, true, padded, n_tok, k);
    free(padded);
}
