// SPDX-License-Identifier: MIT
/* A hook of a decoder for tests: the tokens are those of a script, whatever the logits say. */
#ifndef GLM_ENGINE_SCRIPT_H
#define GLM_ENGINE_SCRIPT_H

#include "engine/decoder.h"

/** The first tokens are ids [n], borrowed for the decoder's life. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_script_hook(glm_decoder_hook *out, const int32_t *ids, size_t n,
                                          glm_error *err);

#endif
