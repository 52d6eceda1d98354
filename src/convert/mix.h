// SPDX-License-Identifier: MIT
/*
 * Which type each tensor of a plan gets: the mixture asked for, then the user's rules, then what the tensor's rows allow.
 *
 * A mixture follows the files people use: routed experts carry the name's type (they are nearly all of the bytes),
 * their down projections more in the layers where it counts; attention, indexer, shared experts and head, which every
 * token passes, stay higher; router, norms and the indexer's head weights stay F32.
 */
#ifndef GLM_CONVERT_MIX_H
#define GLM_CONVERT_MIX_H

#include "convert/plan.h"
#include "glm/quantize.h"

typedef struct glm_mix {
    const char *name;
    const char *text;
    uint32_t file_type;       /* general.file_type, llama.cpp's llama_ftype */
    glm_type expert;          /* gate and up of routed experts */
    glm_type down, down_more; /* their down; the second in the layers that count most */
    glm_type always;          /* attention, indexer, shared experts, dense layers, MTP projection */
    glm_type heads;           /* the per-head parts of kv_b */
    glm_type embed, head;
} glm_mix;

/** The mixture of that name, in any case; NULL when there is none. */
const glm_mix *glm_mix_find(const char *name);

/** Mixture number `index`, NULL behind the last. */
const glm_mix *glm_mix_at(uint32_t index);

/**
 * Set type and size of every tensor of the plan.
 *
 * @param n_fallback  tensors whose rows did not fit; each is told to `note` (may be NULL)
 * Errors: GLM_EARG for a rule whose pattern or type is none; GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_mix_apply(glm_plan *plan, const glm_mix *mix,
                                        const glm_quantize_rule *rules, size_t n_rules,
                                        glm_note_fn *note, void *ctx, uint64_t *n_fallback,
                                        glm_error *err);

#endif
