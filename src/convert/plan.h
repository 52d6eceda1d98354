// SPDX-License-Identifier: MIT
/*
 * What will be written: the tensors of the output in their order, each with its name and shape in a GGUF, the stored
 * matrices it is made of, and its type. Sources are bound weights (model/weights.h), so that one list serves every
 * layout of the input: single and stacked experts, kv_b whole or split, FP8 with block scales.
 */
#ifndef GLM_CONVERT_PLAN_H
#define GLM_CONVERT_PLAN_H

#include "core/arena.h"
#include "model/weights.h"

/** Which matrices a tensor is stacked from. */
typedef enum glm_plan_source {
    GLM_SOURCE_MATS, /* mat[0..n_stack-1] */
    GLM_SOURCE_GATE, /* the routed experts' of a layer */
    GLM_SOURCE_UP,
    GLM_SOURCE_DOWN,
} glm_plan_source;

/** A tensor of the output: n_stack matrices of n_rows x n_cols. */
typedef struct glm_plan_tensor {
    const char *name;
    glm_tensor_use use; /* what it does; of the MTP block's layer as in any other */
    uint32_t layer;     /* UINT32_MAX: none */
    uint32_t n_dims;
    uint64_t dim[4]; /* slowest first */
    uint32_t n_stack, n_rows, n_cols;
    glm_plan_source source;
    const glm_mat *mat;  /* [n_stack] of GLM_SOURCE_MATS */
    bool is_transposed;  /* the source is n_cols x n_rows */
    glm_type from;       /* type of the source */
    glm_type type;       /* type to be written */
    uint64_t size_bytes; /* of that */
    uint32_t part;       /* file */
    uint64_t offset;     /* in the file's data section */
} glm_plan_tensor;

typedef struct glm_plan {
    const glm_weights *weights;
    glm_plan_tensor *tensor; /* [n] */
    uint32_t n;
    glm_arena arena;
} glm_plan;

/**
 * List the tensors of bound weights; types are left to convert/mix.h.
 *
 * Errors: GLM_EUNSUPP when GGUF cannot say what the model is (dense layers behind sparse ones); GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_plan_create(glm_plan *out, const glm_weights *weights,
                                          glm_error *err);
void glm_plan_deinit(glm_plan *plan);

/** The matrix at place `stack`, as stored. Give it back with glm_plan_release. Errors: GLM_EIO. */
GLM_MUST_CHECK glm_status glm_plan_acquire(const glm_plan *plan, const glm_plan_tensor *tensor,
                                           uint32_t stack, glm_mat *out, glm_error *err);
void glm_plan_release(const glm_plan *plan, const glm_plan_tensor *tensor, uint32_t stack);

/** Elements of a tensor. */
static inline uint64_t glm_plan_elements(const glm_plan_tensor *tensor)
{
    return (uint64_t)tensor->n_stack * tensor->n_rows * tensor->n_cols;
}

#endif
