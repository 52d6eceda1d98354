// SPDX-License-Identifier: MIT
/*
 * Two digests that say which model a package is. Both are SHA-256 in hex, and neither depends on names of files,
 * on threads, or on how the package was opened.
 *
 * `content` is over every byte. It is what this prints, with the files in the order of the package (config.json,
 * generation_config.json and tokenizer.json as far as they are there, then the weights by name; of a GGUF its parts):
 *
 *     sha256sum FILES | cut -c1-64 | sha256sum
 *
 * `id` reads little: the head of each file (directory, types, shapes, places; of a GGUF the metadata with its
 * tokenizer), config.json, tokenizer.json, all one-dimensional tensors, and in each layer 4 KiB of one tensor of each
 * kind. A kind is what remains of a name without its numbers, so that every projection of every layer is sampled and,
 * of the experts, one per projection and layer. A copy with other weights has another id; one with a single changed
 * expert may have the same, and `content` tells them apart.
 */
#ifndef GLM_FORMATS_IDENTITY_H
#define GLM_FORMATS_IDENTITY_H

#include "formats/tensor_file.h"

#define GLM_IDENTITY_BYTES 65 /* hex digits and a zero */

/**
 * Which weights a package holds, whatever else its files say: digest over the names, types and shapes of all tensors and
 * 8 KiB of each, in the order of names. The same for one file and a split one, before and after metadata change.
 * Errors: GLM_EIO, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_identity_tensors(const glm_tensor_file *file,
                                               char out[GLM_IDENTITY_BYTES], glm_error *err);

/** The short identity. Errors: GLM_EIO, GLM_ENOMEM, GLM_ELIMIT (a side file over its ceiling). */
GLM_MUST_CHECK glm_status glm_identity_id(const glm_tensor_file *file, char out[GLM_IDENTITY_BYTES],
                                          glm_error *err);

/** A piece of the package that has just been hashed, in order. Its bytes are in the mapping of the part. */
typedef struct glm_identity_piece {
    const char *name; /* of the file */
    uint32_t part;    /* of the package; its number of parts for a side file */
    uint64_t offset;  /* in that part */
    const void *data;
    size_t size_bytes;
    uint64_t done_bytes, total_bytes; /* of all files, this piece included */
} glm_identity_piece;

/** Called for each piece; anything but GLM_OK ends the run and becomes its result. */
typedef glm_status glm_identity_fn(void *ctx, const glm_identity_piece *piece, glm_error *err);

/**
 * Read every byte.
 *
 * @param on_piece  told of each piece of at most 4 MiB while it is in the caches; may be NULL
 * Errors: GLM_EIO (also when a file changed meanwhile), GLM_ENOMEM, or what on_piece returned.
 */
GLM_MUST_CHECK glm_status glm_identity_content(const glm_tensor_file *file,
                                               char out[GLM_IDENTITY_BYTES],
                                               glm_identity_fn *on_piece, void *ctx,
                                               glm_error *err);

#endif
