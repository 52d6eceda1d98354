// SPDX-License-Identifier: MIT
/* Shared by the files of api. */
#ifndef GLM_API_CHAT_TEMPLATE_H
#define GLM_API_CHAT_TEMPLATE_H

#include "formats/tensor_file.h"
#include "glm/chat.h"

/** glm_chat_template_open for a package that is open already. */
GLM_MUST_CHECK glm_status glm_chat_template_of_file(glm_chat_template *out,
                                                    const glm_tensor_file *file, glm_error *err);

#endif
