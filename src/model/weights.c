// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "quant/quant.h"

#define SCALE_BLOCK 128u
#define NAME_BYTES 256

typedef struct binder {
    glm_weights *w;
    const glm_tensor_file *file;
    const glm_config *c;
    glm_error *err;
    bool is_gguf;
    uint32_t layer;
    glm_expert_view *expert; /* [n_layer + n_mtp, n_expert] */
    char name[NAME_BYTES];
} binder;

const char *glm_tensor_use_name(glm_tensor_use use)
{
    static const char *const names[] = {
        "unused", "ignored", "embedding", "head",          "norm", "attention", "indexer",
        "dense",  "router",  "experts",   "shared expert", "mtp",  "scale"};
    return names[use];
}

/* ---- Names ---- */

/* b->name = the tensor of the current layer; the two formats name it differently. */
static const char *layer_name(binder *b, const char *hf, const char *gguf)
{
    if (b->is_gguf)
        snprintf(b->name, sizeof b->name, "blk.%u.%s", b->layer, gguf);
    else
        snprintf(b->name, sizeof b->name, "model.layers.%u.%s", b->layer, hf);
    return b->name;
}

static const char *top_name(binder *b, const char *hf, const char *gguf)
{
    snprintf(b->name, sizeof b->name, "%s", b->is_gguf ? gguf : hf);
    return b->name;
}

/* ---- One tensor ---- */

static void shape_text(char *out, size_t size, uint32_t n_dims, const uint64_t *dim)
{
    size_t at = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < n_dims && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%llu", i ? ", " : "",
                               (unsigned long long)dim[i]);
    if (at < size)
        snprintf(out + at, size - at, "]");
}

static glm_status wrong_shape(binder *b, const glm_tensor *t, uint32_t n_dims, const uint64_t *dim)
{
    char expected[128], got[128];
    shape_text(expected, sizeof expected, n_dims, dim);
    shape_text(got, sizeof got, t->n_dims, t->dim);
    return glm_fail(b->err, GLM_EFORMAT, "tensor %s: shape: expected %s, got %s", t->name, expected,
                    got);
}

static void count_params(binder *b, const glm_tensor *t, glm_tensor_use use)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++)
        n *= t->dim[i];
    b->w->n_params += n;
    if (b->layer == b->c->n_layer)
        b->w->n_params_mtp += n;
    else if (use == GLM_USE_EXPERTS)
        b->w->n_params_active += n / b->c->n_expert * b->c->n_expert_used;
    else if (use != GLM_USE_EMBEDDING)
        b->w->n_params_active += n;
}

/* Find b->name, check its shape and that its type can be decoded, and mark its use. */
static glm_status bind_tensor(binder *b, const glm_tensor **out, glm_tensor_use use,
                              uint32_t n_dims, const uint64_t *dim)
{
    const glm_tensor *t = glm_tensor_file_find(b->file, b->name);
    if (!t) {
        char expected[128];
        shape_text(expected, sizeof expected, n_dims, dim);
        return glm_fail(b->err, GLM_EFORMAT, "tensor %s: expected %s, got nothing", b->name,
                        expected);
    }
    if (t->n_dims != n_dims || memcmp(t->dim, dim, n_dims * sizeof dim[0]) != 0)
        return wrong_shape(b, t, n_dims, dim);
    if (!glm_quant_get(t->type))
        return glm_fail(b->err, GLM_EUNSUPP,
                        "tensor %s: type: expected one that can be decoded, got %s", t->name,
                        glm_type_name(t->type));
    uint64_t row_bytes;
    if (!glm_type_size(t->type, dim[n_dims - 1], &row_bytes))
        return glm_fail(b->err, GLM_EFORMAT,
                        "tensor %s: row: expected a multiple of %u elements for %s, got %llu",
                        t->name, glm_type_get(t->type)->n_elems, glm_type_name(t->type),
                        (unsigned long long)dim[n_dims - 1]);
    bool is_mtp = b->layer == b->c->n_layer;
    b->w->used[glm_tensor_file_index(b->file, t)] = (uint8_t)(is_mtp ? GLM_USE_MTP : use);
    count_params(b, t, use);
    *out = t;
    return GLM_OK;
}

static glm_status bind_small(binder *b, glm_small *out, glm_tensor_use use, uint64_t n)
{
    const glm_tensor *t;
    glm_status st = bind_tensor(b, &t, use, 1, &n);
    if (st != GLM_OK)
        return st;
    out->tensor = t;
    out->next = b->w->smalls;
    b->w->smalls = out;
    return GLM_OK;
}

/* What a stored value is multiplied by besides the scale of its block. */
typedef struct scales {
    const glm_tensor *blocks; /* F8_E4M3: one a block of 128 x 128; NULL: none */
    const glm_tensor *whole;  /* one a matrix (of a stack of experts), or one for all; NULL: 1 */
} scales;

/* The scales of an F8_E4M3 tensor seen as `n_stack` matrices of rows x cols. */
static glm_status bind_block_scales(binder *b, const glm_tensor *t, uint64_t n_stack, uint64_t rows,
                                    uint64_t cols, const glm_tensor **out)
{
    char name[NAME_BYTES + 16];
    snprintf(name, sizeof name, "%s_scale_inv", t->name);
    const glm_tensor *s = glm_tensor_file_find(b->file, name);
    uint64_t dim[3] = {n_stack, (rows + SCALE_BLOCK - 1) / SCALE_BLOCK,
                       (cols + SCALE_BLOCK - 1) / SCALE_BLOCK};
    const uint64_t *want = n_stack ? dim : dim + 1;
    uint32_t n_dims = n_stack ? 3 : 2;
    if (!s)
        return glm_fail(b->err, GLM_EFORMAT,
                        "tensor %s: expected scales for the %s of %s, got nothing", name,
                        glm_type_name(t->type), t->name);
    if (s->type != GLM_TYPE_F32)
        return glm_fail(b->err, GLM_EUNSUPP, "tensor %s: type: expected F32, got %s", s->name,
                        glm_type_name(s->type));
    if (s->n_dims != n_dims || memcmp(s->dim, want, n_dims * sizeof want[0]) != 0)
        return wrong_shape(b, s, n_dims, want);
    b->w->used[glm_tensor_file_index(b->file, s)] = GLM_USE_SCALE;
    *out = s;
    return GLM_OK;
}

/* The one-dimensional tensor X.scale that llama.cpp's converter writes beside X.weight: the second scale of NVFP4,
 * one value, or one an expert. Absent is 1. */
static glm_status bind_whole_scale(binder *b, const glm_tensor *t, uint64_t n,
                                   const glm_tensor **out)
{
    static const char weight[] = ".weight";
    char name[NAME_BYTES + 16];
    size_t length = strlen(t->name);
    size_t stem = length - (sizeof weight - 1);
    if (!b->is_gguf || length < sizeof weight || strcmp(t->name + stem, weight) != 0)
        return GLM_OK;
    snprintf(name, sizeof name, "%.*s.scale", (int)stem, t->name);
    const glm_tensor *s = glm_tensor_file_find(b->file, name);
    if (!s)
        return GLM_OK;
    if (s->type != GLM_TYPE_F32)
        return glm_fail(b->err, GLM_EUNSUPP, "tensor %s: type: expected F32, got %s", s->name,
                        glm_type_name(s->type));
    if (s->n_dims != 1 || s->dim[0] != n)
        return wrong_shape(b, s, 1, &n);
    for (uint64_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const unsigned char *)s->data + i * sizeof value, sizeof value);
        if (!isfinite(value))
            return glm_fail(b->err, GLM_EFORMAT,
                            "tensor %s: element %llu: expected a finite number, got %g", s->name,
                            (unsigned long long)i, (double)value);
    }
    b->w->used[glm_tensor_file_index(b->file, s)] = GLM_USE_SCALE;
    *out = s;
    return GLM_OK;
}

/* All scales of a tensor seen as `n_stack` matrices (0: as one that is no stack) of rows x cols. */
static glm_status bind_scales(binder *b, const glm_tensor *t, uint64_t n_stack, uint64_t rows,
                              uint64_t cols, scales *out)
{
    *out = (scales){0};
    glm_status st = bind_whole_scale(b, t, n_stack ? n_stack : 1, &out->whole);
    if (st == GLM_OK && t->type == GLM_TYPE_F8_E4M3)
        st = bind_block_scales(b, t, n_stack, rows, cols, &out->blocks);
    return st;
}

/* Rows row0..row0+n_rows-1 of matrix `stack`, which has stack_rows rows. */
static glm_mat slice(const glm_tensor *t, const scales *scale, uint64_t stack, uint32_t cols,
                     uint64_t stack_rows, uint32_t row0, uint32_t n_rows)
{
    uint64_t row_bytes = 0;
    (void)glm_type_size(t->type, cols, &row_bytes); /* proven when the tensor was bound */
    glm_mat m = {
        .type = t->type,
        .n_rows = n_rows,
        .n_cols = cols,
        .row_stride_bytes = (size_t)row_bytes,
        .data = (const unsigned char *)t->data + (stack * stack_rows + row0) * row_bytes,
        .tensor_scale = 1.0F,
    };
    if (scale->blocks) {
        m.scale_stride = (cols + SCALE_BLOCK - 1) / SCALE_BLOCK;
        uint64_t blocks = (stack_rows + SCALE_BLOCK - 1) / SCALE_BLOCK * m.scale_stride;
        m.scale = (const unsigned char *)scale->blocks->data + stack * blocks * sizeof(float);
        m.scale_row0 = row0;
    }
    if (scale->whole)
        memcpy(&m.tensor_scale,
               (const unsigned char *)scale->whole->data +
                   (scale->whole->dim[0] == 1 ? 0 : stack) * sizeof(float),
               sizeof m.tensor_scale);
    return m;
}

static glm_status bind_mat(binder *b, glm_mat *out, glm_tensor_use use, uint32_t rows,
                           uint32_t cols)
{
    const uint64_t dim[2] = {rows, cols};
    const glm_tensor *t;
    scales scale;
    glm_status st = bind_tensor(b, &t, use, 2, dim);
    if (st == GLM_OK)
        st = bind_scales(b, t, 0, rows, cols, &scale);
    if (st == GLM_OK)
        *out = slice(t, &scale, 0, cols, rows, 0, rows);
    return st;
}

/* A list of what a layer needs, worked off until one fails. */
typedef struct want {
    const char *hf, *gguf;
    glm_tensor_use use;
    glm_mat *mat;     /* [rows, cols], or */
    glm_small *small; /* [cols] */
    uint32_t rows, cols;
} want;

static glm_status bind_list(binder *b, const want *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)layer_name(b, list[i].hf, list[i].gguf);
        glm_status st = list[i].mat
                            ? bind_mat(b, list[i].mat, list[i].use, list[i].rows, list[i].cols)
                            : bind_small(b, list[i].small, list[i].use, list[i].cols);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

/* ---- Parts of a layer ---- */

/* kv_b whole: heads of d_nope key rows, then d_v value rows; used in place, the key part transposed. */
static glm_status bind_kv_b_whole(binder *b, glm_layer_weights *l)
{
    const glm_config *c = b->c;
    const uint32_t rows = c->d_nope + c->d_v;
    const uint64_t dim[2] = {(uint64_t)c->n_heads * rows, c->kv_rank};
    const glm_tensor *t;
    scales scale;
    glm_status st = bind_tensor(b, &t, GLM_USE_ATTENTION, 2, dim);
    if (st == GLM_OK)
        st = bind_scales(b, t, 0, dim[0], dim[1], &scale);
    if (st != GLM_OK)
        return st;
    l->k_b_is_transposed = true;
    for (uint32_t h = 0; h < c->n_heads; h++) {
        l->k_b[h] = slice(t, &scale, 0, c->kv_rank, dim[0], h * rows, c->d_nope);
        l->v_b[h] = slice(t, &scale, 0, c->kv_rank, dim[0], h * rows + c->d_nope, c->d_v);
    }
    return GLM_OK;
}

/* kv_b as llama.cpp's converter splits it: the key part already transposed. */
static glm_status bind_kv_b_split(binder *b, glm_layer_weights *l)
{
    const glm_config *c = b->c;
    const uint64_t k_dim[3] = {c->n_heads, c->kv_rank, c->d_nope};
    const uint64_t v_dim[3] = {c->n_heads, c->d_v, c->kv_rank};
    const glm_tensor *k, *v;
    scales k_scale, v_scale;
    (void)layer_name(b, "", "attn_k_b.weight");
    glm_status st = bind_tensor(b, &k, GLM_USE_ATTENTION, 3, k_dim);
    if (st == GLM_OK)
        st = bind_scales(b, k, 0, c->kv_rank, c->d_nope, &k_scale);
    if (st != GLM_OK)
        return st;
    (void)layer_name(b, "", "attn_v_b.weight");
    st = bind_tensor(b, &v, GLM_USE_ATTENTION, 3, v_dim);
    if (st == GLM_OK)
        st = bind_scales(b, v, 0, c->d_v, c->kv_rank, &v_scale);
    if (st != GLM_OK)
        return st;
    for (uint32_t h = 0; h < c->n_heads; h++) {
        l->k_b[h] = slice(k, &k_scale, h, c->d_nope, c->kv_rank, 0, c->kv_rank);
        l->v_b[h] = slice(v, &v_scale, h, c->kv_rank, c->d_v, 0, c->d_v);
    }
    return GLM_OK;
}

static glm_status bind_attention(binder *b, glm_layer_weights *l)
{
    const glm_config *c = b->c;
    const uint32_t d = c->d_model, d_qk = c->d_nope + c->d_rope;
    const want list[] = {
        {"input_layernorm.weight", "attn_norm.weight", GLM_USE_NORM, NULL, &l->attn_norm, 1, d},
        {"self_attn.q_a_proj.weight", "attn_q_a.weight", GLM_USE_ATTENTION, &l->q_a, NULL,
         c->q_rank, d},
        {"self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight", GLM_USE_NORM, NULL, &l->q_a_norm,
         1, c->q_rank},
        {"self_attn.q_b_proj.weight", "attn_q_b.weight", GLM_USE_ATTENTION, &l->q_b, NULL,
         c->n_heads * d_qk, c->q_rank},
        {"self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight", GLM_USE_ATTENTION, &l->kv_a,
         NULL, c->kv_rank + c->d_rope, d},
        {"self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight", GLM_USE_NORM, NULL,
         &l->kv_a_norm, 1, c->kv_rank},
        {"self_attn.o_proj.weight", "attn_output.weight", GLM_USE_ATTENTION, &l->o, NULL, d,
         c->n_heads * c->d_v},
        {"post_attention_layernorm.weight", "ffn_norm.weight", GLM_USE_NORM, NULL, &l->ffn_norm, 1,
         d},
    };
    glm_status st = bind_list(b, list, sizeof list / sizeof list[0]);
    if (st != GLM_OK)
        return st;
    l->k_b = glm_arena_new_array(&b->w->arena, glm_mat, c->n_heads);
    l->v_b = glm_arena_new_array(&b->w->arena, glm_mat, c->n_heads);
    if (!l->k_b || !l->v_b)
        return glm_fail(b->err, GLM_ENOMEM, "layer %u: no memory", b->layer);
    const char *whole = layer_name(b, "self_attn.kv_b_proj.weight", "attn_kv_b.weight");
    if (b->is_gguf && !glm_tensor_file_find(b->file, whole))
        return bind_kv_b_split(b, l);
    return bind_kv_b_whole(b, l);
}

static glm_status bind_indexer(binder *b, glm_layer_weights *l)
{
    const glm_config *c = b->c;
    const want list[] = {
        {"self_attn.indexer.wq_b.weight", "indexer.attn_q_b.weight", GLM_USE_INDEXER, &l->index_q_b,
         NULL, c->index_n_heads * c->index_d_head, c->q_rank},
        {"self_attn.indexer.wk.weight", "indexer.attn_k.weight", GLM_USE_INDEXER, &l->index_k, NULL,
         c->index_d_head, c->d_model},
        {"self_attn.indexer.weights_proj.weight", "indexer.proj.weight", GLM_USE_INDEXER,
         &l->index_proj, NULL, c->index_n_heads, c->d_model},
        {"self_attn.indexer.k_norm.weight", "indexer.k_norm.weight", GLM_USE_INDEXER, NULL,
         &l->index_k_norm, 1, c->index_d_head},
        {"self_attn.indexer.k_norm.bias", "indexer.k_norm.bias", GLM_USE_INDEXER, NULL,
         &l->index_k_bias, 1, c->index_d_head},
    };
    return bind_list(b, list, sizeof list / sizeof list[0]);
}

/* One stacked tensor [n_expert, rows, cols]; its rows are dealt in equal parts to the n_field matrices of a view. */
static glm_status bind_stack(binder *b, uint64_t rows, uint64_t cols, size_t n_field,
                             const size_t *field)
{
    const glm_config *c = b->c;
    const uint64_t dim[3] = {c->n_expert, rows, cols};
    const glm_tensor *t;
    scales scale;
    glm_status st = bind_tensor(b, &t, GLM_USE_EXPERTS, 3, dim);
    if (st == GLM_OK)
        st = bind_scales(b, t, c->n_expert, rows, cols, &scale);
    if (st != GLM_OK)
        return st;
    uint32_t n_rows = (uint32_t)(rows / n_field);
    for (uint32_t e = 0; e < c->n_expert; e++)
        for (uint32_t i = 0; i < n_field; i++) {
            glm_expert_view *view = &b->expert[(size_t)b->layer * c->n_expert + e];
            glm_mat *mat = (glm_mat *)(void *)((unsigned char *)view + field[i]);
            *mat = slice(t, &scale, e, (uint32_t)cols, rows, i * n_rows, n_rows);
        }
    return GLM_OK;
}

static glm_status bind_experts_stacked(binder *b)
{
    const glm_config *c = b->c;
    static const size_t gate_up[2] = {offsetof(glm_expert_view, gate),
                                      offsetof(glm_expert_view, up)};
    static const size_t down[1] = {offsetof(glm_expert_view, down)};
    glm_status st;
    const char *fused = layer_name(b, "mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight");
    if (glm_tensor_file_find(b->file, fused)) {
        st = bind_stack(b, 2 * (uint64_t)c->d_expert, c->d_model, 2, gate_up);
    } else {
        (void)layer_name(b, "mlp.experts.gate_proj", "ffn_gate_exps.weight");
        st = bind_stack(b, c->d_expert, c->d_model, 1, gate_up);
        if (st == GLM_OK) {
            (void)layer_name(b, "mlp.experts.up_proj", "ffn_up_exps.weight");
            st = bind_stack(b, c->d_expert, c->d_model, 1, gate_up + 1);
        }
    }
    if (st != GLM_OK)
        return st;
    (void)layer_name(b, "mlp.experts.down_proj", "ffn_down_exps.weight");
    return bind_stack(b, c->d_model, c->d_expert, 1, down);
}

static glm_status bind_experts_single(binder *b)
{
    const glm_config *c = b->c;
    for (uint32_t e = 0; e < c->n_expert; e++) {
        glm_expert_view *view = &b->expert[(size_t)b->layer * c->n_expert + e];
        const struct {
            const char *name;
            glm_mat *mat;
            uint32_t rows, cols;
        } parts[] = {{"gate", &view->gate, c->d_expert, c->d_model},
                     {"up", &view->up, c->d_expert, c->d_model},
                     {"down", &view->down, c->d_model, c->d_expert}};
        for (size_t i = 0; i < 3; i++) {
            snprintf(b->name, sizeof b->name, "model.layers.%u.mlp.experts.%u.%s_proj.weight",
                     b->layer, e, parts[i].name);
            glm_status st =
                bind_mat(b, parts[i].mat, GLM_USE_EXPERTS, parts[i].rows, parts[i].cols);
            if (st != GLM_OK)
                return st;
        }
    }
    return GLM_OK;
}

static glm_status bind_ffn(binder *b, glm_layer_weights *l)
{
    const glm_config *c = b->c;
    const uint32_t d = c->d_model;
    if (c->is_dense[b->layer]) {
        const want dense[] = {
            {"mlp.gate_proj.weight", "ffn_gate.weight", GLM_USE_DENSE, &l->gate, NULL, c->d_ff, d},
            {"mlp.up_proj.weight", "ffn_up.weight", GLM_USE_DENSE, &l->up, NULL, c->d_ff, d},
            {"mlp.down_proj.weight", "ffn_down.weight", GLM_USE_DENSE, &l->down, NULL, d, c->d_ff},
        };
        return bind_list(b, dense, sizeof dense / sizeof dense[0]);
    }
    const uint32_t d_shared = c->d_expert * c->n_expert_shared;
    const want moe[] = {
        {"mlp.gate.weight", "ffn_gate_inp.weight", GLM_USE_ROUTER, &l->router, NULL, c->n_expert,
         d},
        {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias", GLM_USE_ROUTER, NULL,
         &l->router_bias, 1, c->n_expert},
        {"mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight", GLM_USE_SHARED_EXPERT,
         &l->gate, NULL, d_shared, d},
        {"mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight", GLM_USE_SHARED_EXPERT, &l->up,
         NULL, d_shared, d},
        {"mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight", GLM_USE_SHARED_EXPERT,
         &l->down, NULL, d, d_shared},
    };
    glm_status st = bind_list(b, moe, c->n_expert_shared ? 5 : 2);
    if (st != GLM_OK)
        return st;
    bool is_stacked =
        b->is_gguf ||
        glm_tensor_file_find(b->file, layer_name(b, "mlp.experts.down_proj", "")) != NULL;
    return is_stacked ? bind_experts_stacked(b) : bind_experts_single(b);
}

static glm_status bind_layer(binder *b, uint32_t layer)
{
    glm_layer_weights *l = &b->w->layer[layer];
    b->layer = layer;
    glm_status st = bind_attention(b, l);
    if (st == GLM_OK && b->c->owns_indexer[layer])
        st = bind_indexer(b, l);
    if (st == GLM_OK)
        st = bind_ffn(b, l);
    return st;
}

/* The MTP block: one more layer and what joins it to the model. Its absence is accepted. */
static glm_status bind_mtp(binder *b)
{
    const glm_config *c = b->c;
    b->layer = c->n_layer;
    if (!c->n_mtp ||
        !glm_tensor_file_find(b->file, layer_name(b, "eh_proj.weight", "nextn.eh_proj.weight")))
        return GLM_OK;
    b->w->has_mtp = true;
    const want list[] = {
        {"eh_proj.weight", "nextn.eh_proj.weight", GLM_USE_MTP, &b->w->mtp_proj, NULL, c->d_model,
         2 * c->d_model},
        {"enorm.weight", "nextn.enorm.weight", GLM_USE_MTP, NULL, &b->w->mtp_enorm, 1, c->d_model},
        {"hnorm.weight", "nextn.hnorm.weight", GLM_USE_MTP, NULL, &b->w->mtp_hnorm, 1, c->d_model},
        {"shared_head.norm.weight", "nextn.shared_head_norm.weight", GLM_USE_MTP, NULL,
         &b->w->mtp_norm, 1, c->d_model},
    };
    glm_status st = bind_list(b, list, sizeof list / sizeof list[0]);
    return st == GLM_OK ? bind_layer(b, c->n_layer) : st;
}

static glm_status bind_top(binder *b)
{
    const glm_config *c = b->c;
    b->layer = UINT32_MAX;
    (void)top_name(b, "model.embed_tokens.weight", "token_embd.weight");
    glm_status st = bind_mat(b, &b->w->embed, GLM_USE_EMBEDDING, c->n_vocab, c->d_model);
    if (st != GLM_OK)
        return st;
    (void)top_name(b, "model.norm.weight", "output_norm.weight");
    st = bind_small(b, &b->w->norm, GLM_USE_NORM, c->d_model);
    if (st != GLM_OK)
        return st;
    const char *head = top_name(b, "lm_head.weight", "output.weight");
    if (c->ties_embeddings && !glm_tensor_file_find(b->file, head)) {
        b->w->head = b->w->embed;
        b->w->n_params_active += (uint64_t)c->n_vocab * c->d_model;
        return GLM_OK;
    }
    return bind_mat(b, &b->w->head, GLM_USE_HEAD, c->n_vocab, c->d_model);
}

/* ---- What nobody asked for ---- */

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Parts that other programs put beside the model: vision towers, calibration data, copies. */
static bool may_be_ignored(const binder *b, const char *name)
{
    static const char *const prefixes[] = {"model.visual.", "visual.", "vision_tower.", "mm.",
                                           "v."};
    static const char *const suffixes[] = {".input_scale", ".k_scale", ".v_scale",
                                           ".rotary_emb.inv_freq"};
    static const char *const contained[] = {".indexer.", ".nextn.", "shared_head.head.",
                                            ".embed_tokens."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(name, prefixes[i]))
            return true;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends_with(name, suffixes[i]))
            return true;
    /* Indexers of shared layers and copies of embedding and head in the MTP block. */
    for (size_t i = 0; i < sizeof contained / sizeof contained[0]; i++)
        if (strstr(name, contained[i]) && strstr(name, b->is_gguf ? "blk." : "model.layers."))
            return true;
    return false;
}

static glm_status check_leftovers(binder *b)
{
    for (uint32_t i = 0; i < glm_tensor_file_count(b->file); i++) {
        if (b->w->used[i] != GLM_USE_NONE)
            continue;
        const glm_tensor *t = glm_tensor_file_at(b->file, i);
        if (!may_be_ignored(b, t->name))
            return glm_fail(
                b->err, GLM_EFORMAT,
                "tensor %s: expected only tensors of this architecture, got one that no "
                "layer uses",
                t->name);
        b->w->used[i] = GLM_USE_IGNORED;
    }
    return GLM_OK;
}

/* ---- All of it ---- */

glm_status glm_weights_bind(glm_weights *out, const glm_tensor_file *file, const glm_config *config,
                            glm_error *err)
{
    memset(out, 0, sizeof *out);
    glm_arena_init(&out->arena, SIZE_MAX / 2);
    out->config = config;
    const size_t n_layer = config->n_layer + 1;
    binder b = {.w = out, .file = file, .c = config, .err = err, .layer = UINT32_MAX};
    b.is_gguf = glm_tensor_file_format(file) == GLM_FORMAT_GGUF;
    out->layer = glm_arena_new_array(&out->arena, glm_layer_weights, n_layer);
    out->used = glm_arena_new_array(&out->arena, uint8_t, glm_tensor_file_count(file));
    b.expert = glm_new_array(glm_expert_view, n_layer * config->n_expert);
    glm_status st = GLM_OK;
    if (!out->layer || !out->used || !b.expert)
        st = glm_fail(err, GLM_ENOMEM, "table of %zu layers: no memory", n_layer);
    if (st == GLM_OK)
        st = bind_top(&b);
    for (uint32_t i = 0; i < config->n_layer && st == GLM_OK; i++)
        st = bind_layer(&b, i);
    if (st == GLM_OK)
        st = bind_mtp(&b);
    if (st == GLM_OK)
        st = check_leftovers(&b);
    if (st == GLM_OK)
        st = glm_store_create(&out->store, (uint32_t)n_layer, config->n_expert, b.expert, err);
    free(b.expert);
    if (st != GLM_OK)
        glm_weights_deinit(out);
    return st;
}

static glm_status load_small(glm_weights *weights, glm_small *small, glm_error *err)
{
    const glm_tensor *tensor = small->tensor;
    size_t n = (size_t)tensor->dim[0];
    float *value = glm_arena_new_array(&weights->arena, float, n);
    if (!value)
        return glm_fail(err, GLM_ENOMEM, "tensor %s: no memory", tensor->name);
    glm_quant_get(tensor->type)(value, tensor->data, n / glm_type_get(tensor->type)->n_elems);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(value[i]))
            return glm_fail(err, GLM_EFORMAT,
                            "tensor %s: element %zu: expected a finite number, got %g",
                            tensor->name, i, (double)value[i]);
    small->value = value;
    return GLM_OK;
}

glm_status glm_weights_load_small(glm_weights *weights, glm_error *err)
{
    glm_status st = GLM_OK;
    for (glm_small *s = weights->smalls; s && st == GLM_OK; s = s->next)
        if (!s->value)
            st = load_small(weights, s, err);
    return st;
}

void glm_weights_deinit(glm_weights *weights)
{
    glm_store_destroy(weights->store);
    glm_arena_deinit(&weights->arena);
    memset(weights, 0, sizeof *weights);
}
