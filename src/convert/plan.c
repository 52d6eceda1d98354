// SPDX-License-Identifier: MIT
#include "convert/plan.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"

#define NAME_BYTES 96
/* Of a layer: attention, indexer, feed-forward and the MTP block's own. */
#define LAYER_TENSORS_MAX 40u

typedef struct lister {
    glm_plan *plan;
    const glm_config *c;
    uint32_t layer;
    glm_error *err;
} lister;

static const char *name_of(lister *l, const char *name)
{
    char text[NAME_BYTES];
    if (l->layer == UINT32_MAX)
        snprintf(text, sizeof text, "%s", name);
    else
        snprintf(text, sizeof text, "blk.%u.%s", l->layer, name);
    return glm_arena_strdup(&l->plan->arena, text, strlen(text));
}

static glm_plan_tensor *add(lister *l, const char *name, glm_tensor_use use)
{
    glm_plan_tensor *t = &l->plan->tensor[l->plan->n];
    *t = (glm_plan_tensor){.name = name_of(l, name), .use = use, .layer = l->layer, .n_stack = 1};
    l->plan->n++;
    return t;
}

static void set_shape(glm_plan_tensor *t, uint32_t n_stack, uint32_t n_rows, uint32_t n_cols,
                      bool is_stacked)
{
    t->n_stack = n_stack;
    t->n_rows = n_rows;
    t->n_cols = n_cols;
    t->n_dims = is_stacked ? 3 : 2;
    uint64_t *dim = t->dim;
    if (is_stacked)
        *dim++ = n_stack;
    dim[0] = n_rows;
    dim[1] = n_cols;
}

static void add_mat(lister *l, const char *name, glm_tensor_use use, const glm_mat *mat)
{
    glm_plan_tensor *t = add(l, name, use);
    set_shape(t, 1, mat->n_rows, mat->n_cols, false);
    t->mat = mat;
    t->from = mat->type;
}

/* One matrix a head. */
static void add_heads(lister *l, const char *name, const glm_mat *mat, bool is_transposed)
{
    glm_plan_tensor *t = add(l, name, GLM_USE_ATTENTION);
    if (is_transposed)
        set_shape(t, l->c->n_heads, mat->n_cols, mat->n_rows, true);
    else
        set_shape(t, l->c->n_heads, mat->n_rows, mat->n_cols, true);
    t->mat = mat;
    t->is_transposed = is_transposed;
    t->from = mat->type;
}

static glm_status add_small(lister *l, const char *name, glm_tensor_use use, const glm_small *small)
{
    const glm_tensor *source = small->tensor;
    glm_mat *mat = glm_arena_new_array(&l->plan->arena, glm_mat, 1);
    if (!mat)
        return glm_fail(l->err, GLM_ENOMEM, "list of tensors");
    *mat = (glm_mat){.type = source->type,
                     .n_rows = 1,
                     .n_cols = (uint32_t)source->dim[0],
                     .row_stride_bytes = (size_t)source->size_bytes,
                     .data = source->data,
                     .tensor_scale = 1.0F};
    glm_plan_tensor *t = add(l, name, use);
    set_shape(t, 1, 1, mat->n_cols, false);
    t->n_dims = 1;
    t->dim[0] = mat->n_cols;
    t->mat = mat;
    t->from = mat->type;
    return GLM_OK;
}

static glm_status add_experts(lister *l, const char *name, glm_plan_source source, uint32_t n_rows,
                              uint32_t n_cols)
{
    glm_plan_tensor *t = add(l, name, GLM_USE_EXPERTS);
    set_shape(t, l->c->n_expert, n_rows, n_cols, true);
    t->source = source;
    glm_mat first;
    glm_status st = glm_plan_acquire(l->plan, t, 0, &first, l->err);
    if (st != GLM_OK)
        return st;
    t->from = first.type;
    glm_plan_release(l->plan, t, 0);
    return GLM_OK;
}

static glm_status add_attention(lister *l, const glm_layer_weights *w)
{
    glm_status st = add_small(l, "attn_norm.weight", GLM_USE_NORM, &w->attn_norm);
    add_mat(l, "attn_q_a.weight", GLM_USE_ATTENTION, &w->q_a);
    if (st == GLM_OK)
        st = add_small(l, "attn_q_a_norm.weight", GLM_USE_NORM, &w->q_a_norm);
    add_mat(l, "attn_q_b.weight", GLM_USE_ATTENTION, &w->q_b);
    add_mat(l, "attn_kv_a_mqa.weight", GLM_USE_ATTENTION, &w->kv_a);
    if (st == GLM_OK)
        st = add_small(l, "attn_kv_a_norm.weight", GLM_USE_NORM, &w->kv_a_norm);
    /* llama.cpp's converter stores the key part as it is applied to a query. */
    add_heads(l, "attn_k_b.weight", w->k_b, w->k_b_is_transposed);
    add_heads(l, "attn_v_b.weight", w->v_b, false);
    add_mat(l, "attn_output.weight", GLM_USE_ATTENTION, &w->o);
    return st;
}

static glm_status add_indexer(lister *l, const glm_layer_weights *w)
{
    add_mat(l, "indexer.attn_q_b.weight", GLM_USE_INDEXER, &w->index_q_b);
    add_mat(l, "indexer.attn_k.weight", GLM_USE_INDEXER, &w->index_k);
    add_mat(l, "indexer.proj.weight", GLM_USE_INDEXER, &w->index_proj);
    glm_status st = add_small(l, "indexer.k_norm.weight", GLM_USE_NORM, &w->index_k_norm);
    return st == GLM_OK ? add_small(l, "indexer.k_norm.bias", GLM_USE_NORM, &w->index_k_bias) : st;
}

static glm_status add_ffn(lister *l, const glm_layer_weights *w)
{
    const glm_config *c = l->c;
    if (c->is_dense[l->layer]) {
        add_mat(l, "ffn_gate.weight", GLM_USE_DENSE, &w->gate);
        add_mat(l, "ffn_up.weight", GLM_USE_DENSE, &w->up);
        add_mat(l, "ffn_down.weight", GLM_USE_DENSE, &w->down);
        return GLM_OK;
    }
    add_mat(l, "ffn_gate_inp.weight", GLM_USE_ROUTER, &w->router);
    glm_status st = add_small(l, "exp_probs_b.bias", GLM_USE_ROUTER, &w->router_bias);
    if (st == GLM_OK)
        st = add_experts(l, "ffn_gate_exps.weight", GLM_SOURCE_GATE, c->d_expert, c->d_model);
    if (st == GLM_OK)
        st = add_experts(l, "ffn_up_exps.weight", GLM_SOURCE_UP, c->d_expert, c->d_model);
    if (st == GLM_OK)
        st = add_experts(l, "ffn_down_exps.weight", GLM_SOURCE_DOWN, c->d_model, c->d_expert);
    if (st != GLM_OK || c->n_expert_shared == 0)
        return st;
    add_mat(l, "ffn_gate_shexp.weight", GLM_USE_SHARED_EXPERT, &w->gate);
    add_mat(l, "ffn_up_shexp.weight", GLM_USE_SHARED_EXPERT, &w->up);
    add_mat(l, "ffn_down_shexp.weight", GLM_USE_SHARED_EXPERT, &w->down);
    return GLM_OK;
}

static glm_status add_layer(lister *l, uint32_t layer)
{
    const glm_layer_weights *w = &l->plan->weights->layer[layer];
    l->layer = layer;
    glm_status st = add_attention(l, w);
    if (st == GLM_OK && l->c->owns_indexer[layer])
        st = add_indexer(l, w);
    if (st == GLM_OK)
        st = add_small(l, "ffn_norm.weight", GLM_USE_NORM, &w->ffn_norm);
    return st == GLM_OK ? add_ffn(l, w) : st;
}

static glm_status add_mtp(lister *l)
{
    const glm_weights *w = l->plan->weights;
    if (!w->has_mtp)
        return GLM_OK;
    glm_status st = add_layer(l, l->c->n_layer);
    add_mat(l, "nextn.eh_proj.weight", GLM_USE_MTP, &w->mtp_proj);
    if (st == GLM_OK)
        st = add_small(l, "nextn.enorm.weight", GLM_USE_NORM, &w->mtp_enorm);
    if (st == GLM_OK)
        st = add_small(l, "nextn.hnorm.weight", GLM_USE_NORM, &w->mtp_hnorm);
    if (st == GLM_OK)
        st = add_small(l, "nextn.shared_head_norm.weight", GLM_USE_NORM, &w->mtp_norm);
    return st;
}

static glm_status add_all(lister *l)
{
    const glm_weights *w = l->plan->weights;
    l->layer = UINT32_MAX;
    add_mat(l, "token_embd.weight", GLM_USE_EMBEDDING, &w->embed);
    glm_status st = GLM_OK;
    for (uint32_t i = 0; i < l->c->n_layer && st == GLM_OK; i++)
        st = add_layer(l, i);
    if (st == GLM_OK)
        st = add_mtp(l);
    l->layer = UINT32_MAX;
    if (st == GLM_OK)
        st = add_small(l, "output_norm.weight", GLM_USE_NORM, &w->norm);
    if (st == GLM_OK && w->head.data != w->embed.data)
        add_mat(l, "output.weight", GLM_USE_HEAD, &w->head);
    return st;
}

glm_status glm_plan_create(glm_plan *out, const glm_weights *weights, glm_error *err)
{
    const glm_config *c = weights->config;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 1; i < c->n_layer; i++)
        if (c->is_dense[i] && !c->is_dense[i - 1])
            return glm_fail(err, GLM_EUNSUPP,
                            "layer %u: expected dense layers to lead, as GGUF counts them, got a "
                            "dense layer behind a sparse one",
                            i);
    glm_arena_init(&out->arena, SIZE_MAX / 2);
    out->weights = weights;
    out->tensor =
        glm_arena_new_array(&out->arena, glm_plan_tensor, (c->n_layer + 2) * LAYER_TENSORS_MAX);
    lister l = {.plan = out, .c = c, .err = err};
    glm_status st = out->tensor ? add_all(&l) : glm_fail(err, GLM_ENOMEM, "list of tensors");
    for (uint32_t i = 0; i < out->n && st == GLM_OK; i++)
        if (!out->tensor[i].name)
            st = glm_fail(err, GLM_ENOMEM, "list of tensors");
    if (st != GLM_OK)
        glm_plan_deinit(out);
    return st;
}

void glm_plan_deinit(glm_plan *plan)
{
    glm_arena_deinit(&plan->arena);
    memset(plan, 0, sizeof *plan);
}

glm_status glm_plan_acquire(const glm_plan *plan, const glm_plan_tensor *tensor, uint32_t stack,
                            glm_mat *out, glm_error *err)
{
    if (tensor->source == GLM_SOURCE_MATS) {
        *out = tensor->mat[stack];
        return GLM_OK;
    }
    glm_expert_view view;
    glm_status st =
        glm_store_acquire(plan->weights->store, tensor->layer, (int32_t)stack, &view, err);
    if (st != GLM_OK)
        return st;
    *out = tensor->source == GLM_SOURCE_GATE ? view.gate
           : tensor->source == GLM_SOURCE_UP ? view.up
                                             : view.down;
    return GLM_OK;
}

void glm_plan_release(const glm_plan *plan, const glm_plan_tensor *tensor, uint32_t stack)
{
    if (tensor->source != GLM_SOURCE_MATS)
        glm_store_release(plan->weights->store, tensor->layer, (int32_t)stack);
}
