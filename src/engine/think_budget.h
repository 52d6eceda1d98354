// SPDX-License-Identifier: MIT
/*
 * A bound on reasoning, as a hook of a decoder. Cutting reasoning in mid-sentence leaves the model without the
 * conclusion its answer builds on, so the end is made likely before it is forced: in the last quarter of the budget,
 * wherever a sentence or line has just ended, the token that ends reasoning is raised towards the most probable one
 * and, rising, over it. Where that never came, it is forced when the budget is spent; reasoning does not begin again then. A call that
 * came without an end of reasoning before it is an answer: nothing is forced into its arguments.
 */
#ifndef GLM_ENGINE_THINK_BUDGET_H
#define GLM_ENGINE_THINK_BUDGET_H

#include "engine/decoder.h"

/**
 * A hook that lets at most `budget` tokens of reasoning (GLM_THINK_NOTHING: none) come before `end_id` (below the vocabulary), which
 * the decoder that owns it frees. Reasoning is where the answer begins. Errors: GLM_EARG, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_think_budget_hook(glm_decoder_hook *hook, const glm_model *model,
                                                uint32_t budget, int32_t end_id, glm_error *err);

#endif
