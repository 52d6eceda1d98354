// SPDX-License-Identifier: MIT
/*
 * The tensors of a package bound to their places in the model, by name and exact shape. Matrices stay where the file
 * has them, in their stored type; the few one-dimensional tensors are decoded to float32 by glm_weights_load_small.
 */
#ifndef GLM_MODEL_WEIGHTS_H
#define GLM_MODEL_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "formats/tensor_file.h"
#include "model/config.h"
#include "quant/mat.h"
#include "store/store.h"

/** A one-dimensional tensor: where it is stored, and its values once loaded. */
typedef struct glm_small {
    const glm_tensor *tensor;
    float *value;           /* [n] or NULL before glm_weights_load_small */
    struct glm_small *next; /* all of a model, for loading */
} glm_small;

/** One decoder layer. Fields of kinds the layer does not have stay zero. */
typedef struct glm_layer_weights {
    glm_small attn_norm, q_a_norm, kv_a_norm, ffn_norm;
    glm_mat q_a;  /* [q_rank, d_model] */
    glm_mat q_b;  /* [n_heads * (d_nope + d_rope), q_rank] */
    glm_mat kv_a; /* [kv_rank + d_rope, d_model] */
    glm_mat o;    /* [d_model, n_heads * d_v] */
    glm_mat *k_b; /* [n_heads]; transposed: [d_nope, kv_rank], else [kv_rank, d_nope] */
    glm_mat *v_b; /* [n_heads] of [d_v, kv_rank] */
    bool k_b_is_transposed;

    glm_mat index_q_b;  /* [index_n_heads * index_d_head, q_rank] */
    glm_mat index_k;    /* [index_d_head, d_model] */
    glm_mat index_proj; /* [index_n_heads, d_model] */
    glm_small index_k_norm, index_k_bias;

    glm_mat gate, up, down; /* dense MLP, or the shared expert */
    glm_mat router;         /* [n_expert, d_model] */
    glm_small router_bias;
} glm_layer_weights;

typedef struct glm_weights {
    const glm_config *config; /* borrowed */
    glm_mat embed, head;      /* [n_vocab, d_model] */
    glm_small norm;
    glm_layer_weights *layer; /* [n_layer + n_mtp] */
    glm_small mtp_enorm, mtp_hnorm, mtp_norm;
    glm_mat mtp_proj;  /* [d_model, 2 * d_model] */
    glm_store *store;  /* routed experts */
    glm_small *smalls; /* first of the list */
    uint8_t *used;     /* [tensors of the file] a glm_tensor_use */
    bool has_mtp;      /* the MTP block's tensors are there */
    uint64_t n_params, n_params_active, n_params_mtp;
    glm_arena arena;
} glm_weights;

/** What a tensor of the file is to the model. */
typedef enum glm_tensor_use {
    GLM_USE_NONE, /* not bound */
    GLM_USE_IGNORED,
    GLM_USE_EMBEDDING,
    GLM_USE_HEAD,
    GLM_USE_NORM,
    GLM_USE_ATTENTION,
    GLM_USE_INDEXER,
    GLM_USE_DENSE,
    GLM_USE_ROUTER,
    GLM_USE_EXPERTS,
    GLM_USE_SHARED_EXPERT,
    GLM_USE_MTP,
    GLM_USE_SCALE,
} glm_tensor_use;

const char *glm_tensor_use_name(glm_tensor_use use);

/**
 * Bind every tensor `config` asks for. Touches no weight byte.
 *
 * Errors: GLM_EFORMAT for a tensor that is missing, of another shape, or that nobody knows; GLM_EUNSUPP for a type that
 * has no decoder; GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_weights_bind(glm_weights *out, const glm_tensor_file *file,
                                           const glm_config *config, glm_error *err);

/**
 * Decode the one-dimensional tensors that are not decoded yet. Others may read those that are; two calls at once are
 * the caller's to prevent. GLM_EFORMAT when one holds a NaN or an infinity; GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_weights_load_small(glm_weights *weights, glm_error *err);

/** Free what binding made; the file stays the caller's. */
void glm_weights_deinit(glm_weights *weights);

#endif
