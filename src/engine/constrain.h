// SPDX-License-Identifier: MIT
/* A constraint (glm/constraint.h) as a hook of a decoder. */
#ifndef GLM_ENGINE_CONSTRAIN_H
#define GLM_ENGINE_CONSTRAIN_H

#include "engine/decoder.h"
#include "glm/constraint.h"

/**
 * A hook that follows one answer under c, which it acquires; the decoder that owns the hook releases it. Until a decoder
 * owns it, hook->destroy(hook->ctx) does. Errors: GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_constraint_hook(glm_decoder_hook *hook, glm_constraint *c,
                                              glm_error *err);

#endif
