// SPDX-License-Identifier: MIT
/*
 * The head of a GGUF file to be written: metadata, then the directory of tensors with the places of their data. Source
 * of the layout: ggml-org/ggml, docs/gguf.md, version 3. Only the head is made here; who writes the file puts each
 * tensor's bytes at `head bytes + its offset`.
 *
 *     glm_gguf_head head = {0};
 *     glm_gguf_put_string(&head, "general.architecture", glm_text_c("glm-dsa"));
 *     uint64_t at = glm_gguf_put_tensor(&head, "output.weight", GLM_TYPE_Q8_0, 2, dim, size);
 *     glm_str bytes = {0};
 *     st = glm_gguf_head_finish(&head, GLM_GGUF_ALIGNMENT, &bytes, err);
 *     glm_gguf_head_deinit(&head);
 *
 * Putting never fails at once: a lack of memory is remembered and told by glm_gguf_head_finish. Keys and names are the
 * caller's to keep apart and within the format's limits; what a reader refuses is not checked a second time here.
 */
#ifndef GLM_FORMATS_GGUF_WRITE_H
#define GLM_FORMATS_GGUF_WRITE_H

#include "core/str.h"
#include "formats/gguf.h"

/** Where tensors may begin, as files without the key general.alignment have it. */
#define GLM_GGUF_ALIGNMENT 32u

typedef struct glm_gguf_head {
    glm_str pairs, tensors; /* as they will lie in the file */
    uint64_t n_pairs, n_tensors;
    uint64_t data_bytes; /* of the tensors so far, each but the last padded */
} glm_gguf_head;

void glm_gguf_head_deinit(glm_gguf_head *head);

void glm_gguf_put_bool(glm_gguf_head *head, const char *key, bool value);
void glm_gguf_put_u16(glm_gguf_head *head, const char *key, uint16_t value);
void glm_gguf_put_u32(glm_gguf_head *head, const char *key, uint32_t value);
void glm_gguf_put_i32(glm_gguf_head *head, const char *key, int32_t value);
void glm_gguf_put_f32(glm_gguf_head *head, const char *key, float value);
void glm_gguf_put_string(glm_gguf_head *head, const char *key, glm_text value);

/**
 * An array whose elements are already encoded.
 *
 * @param elements  numbers in little endian, bools as bytes, strings each behind its length (glm_gguf_append_string)
 */
void glm_gguf_put_array(glm_gguf_head *head, const char *key, glm_gguf_type elem_type,
                        uint64_t count, glm_text elements);

/** A pair of another file as it is. */
void glm_gguf_put_pair(glm_gguf_head *head, const glm_gguf_pair *pair);

/** An element of an array of strings. */
void glm_gguf_append_string(glm_str *elements, glm_text text);

/**
 * Enter a tensor behind those that are there.
 *
 * @param dim  [n_dims] slowest first
 * Returns where its data begins, from the begin of the data section.
 */
uint64_t glm_gguf_put_tensor(glm_gguf_head *head, const char *name, glm_type type, uint32_t n_dims,
                             const uint64_t *dim, uint64_t size_bytes);

/** Bytes of the data section: readers expect the last tensor to be padded too. */
uint64_t glm_gguf_data_bytes(const glm_gguf_head *head);

/**
 * The whole head, padded so that the data section begins right behind it.
 *
 * @param out        empty
 * @param alignment  what a reader will take general.alignment for: GLM_GGUF_ALIGNMENT, unless the pairs say otherwise
 * Errors: GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_gguf_head_finish(const glm_gguf_head *head, uint64_t alignment,
                                               glm_str *out, glm_error *err);

#endif
