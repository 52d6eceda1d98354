// SPDX-License-Identifier: MIT
/*
 * The tokenizer of a safetensors folder as GGUF metadata: tokens, their types and merges, ids of the special tokens, the
 * chat template. Read from tokenizer.json as a stream; nothing is interpreted, the file was accepted by
 * tokenizer/load_json.c when the model was opened with it.
 */
#ifndef GLM_CONVERT_VOCAB_H
#define GLM_CONVERT_VOCAB_H

#include "formats/gguf_write.h"
#include "formats/tensor_file.h"

/**
 * Put the keys `tokenizer.*`.
 *
 * @param n_vocab  rows of the embedding: ids without a token become "[PAD<id>]", unused
 * A folder without tokenizer.json gives no key; *has_tokenizer says so.
 * Errors: GLM_EFORMAT, GLM_ELIMIT (an id or a file over its ceiling), GLM_EIO, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_vocab_put(glm_gguf_head *head, const glm_tensor_file *file,
                                        uint32_t n_vocab, int32_t eos, bool *has_tokenizer,
                                        glm_error *err);

#endif
