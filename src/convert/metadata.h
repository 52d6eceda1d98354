// SPDX-License-Identifier: MIT
/*
 * The metadata of an output: what the model is, by the keys of llama.cpp's converters for `glm-dsa` and `deepseek2`, and
 * its tokenizer. A GGUF's own metadata is taken over, but for what no longer holds.
 */
#ifndef GLM_CONVERT_METADATA_H
#define GLM_CONVERT_METADATA_H

#include "convert/mix.h"
#include "formats/gguf_write.h"
#include "model/weights.h"

/** The key a quality receipt lies under. Outputs reserve this many blanks for it. */
#define GLM_RECEIPT_KEY "glm.receipt"
#define GLM_RECEIPT_BYTES 4096u

typedef struct glm_metadata {
    const glm_tensor_file *file;
    const glm_weights *weights;
    glm_text name; /* general.name where the input has none */
    uint32_t file_type;
} glm_metadata;

/**
 * Put all keys but those of a split.
 *
 * @param note  told when the input has no tokenizer; may be NULL
 * Errors: those of glm_vocab_put.
 */
GLM_MUST_CHECK glm_status glm_metadata_put(glm_gguf_head *head, const glm_metadata *metadata,
                                           glm_note_fn *note, void *ctx, glm_error *err);

#endif
