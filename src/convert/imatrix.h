// SPDX-License-Identifier: MIT
/*
 * Importance matrices read: how much each input of a matrix counts, as the mean of its squares over a text. GGUF files as
 * llama.cpp's llama-imatrix and our glm_imatrix_write make them: for a matrix NAME the tensors NAME.in_sum2
 * [n_stack, n_cols] and NAME.counts [n_stack or 1, 1], float32. Source: llama.cpp, tools/imatrix/imatrix.cpp.
 *
 * Experts seen too rarely. A mean over few tokens says little and over none nothing. So each expert is given
 * GLM_IMATRIX_PRIOR tokens more, which have the mean square of all tokens of that tensor: an expert seen often keeps its
 * own values, one never seen takes the common ones.
 */
#ifndef GLM_CONVERT_IMATRIX_H
#define GLM_CONVERT_IMATRIX_H

#include "convert/stream.h"
#include "formats/tensor_file.h"

#define GLM_IMATRIX_PRIOR 16.0

/** Experts with fewer tokens than this are reported. */
#define GLM_IMATRIX_RARE 64u

typedef struct glm_imatrix glm_imatrix;

/**
 * Open a file. Every entry is checked: shapes, types, no negative or infinite sum.
 *
 * Errors: those of glm_tensor_file_open; GLM_EFORMAT (no importance matrix, an entry without its counts, a bad value),
 * GLM_EUNSUPP for the old format without a head.
 */
GLM_MUST_CHECK glm_status glm_imatrix_open(glm_imatrix **out, const char *path, glm_error *err);
void glm_imatrix_close(glm_imatrix *imatrix);

/** What a file says of itself. */
typedef struct glm_imatrix_facts {
    uint32_t n_entries;
    uint64_t n_chunks; /* 0: it does not say */
    glm_bytes dataset; /* the first, or empty */
} glm_imatrix_facts;
void glm_imatrix_get_facts(const glm_imatrix *imatrix, glm_imatrix_facts *out);

/** What is known of a tensor. */
typedef struct glm_imatrix_entry {
    glm_stream_weight
        weight; /* valid until the next call; value is NULL where the file has no entry */
    uint32_t n_unseen, n_rare; /* experts */
} glm_imatrix_entry;

/**
 * The importance of the inputs of tensor `name`.
 *
 * Errors: GLM_EFORMAT for an entry of another shape, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_imatrix_get(glm_imatrix *imatrix, const char *name, uint32_t n_stack,
                                          uint32_t n_cols, glm_imatrix_entry *out, glm_error *err);

/** The file's bytes as one number, for run identities. */
uint64_t glm_imatrix_digest(const glm_imatrix *imatrix);

#endif
