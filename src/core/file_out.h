// SPDX-License-Identifier: MIT
/*
 * Files written so that they are whole or not there. The bytes go to `PATH.partial` in the same folder;
 * glm_file_out_commit makes them durable and gives them their name in one step. Until then whatever lay at PATH stays as
 * it was, through a full disk, Ctrl-C, a crash or a power cut.
 *
 *     glm_file_out out;
 *     if (glm_file_out_create(&out, path, false, err)) ...
 *     st = glm_file_out_write_at(&out, data, size, offset, err);
 *     if (st == GLM_OK)
 *         st = glm_file_out_commit(&out, err);
 *     glm_file_out_abandon(&out);     // nothing to do after a commit
 */
#ifndef GLM_CORE_FILE_OUT_H
#define GLM_CORE_FILE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

typedef struct glm_file_out {
    int fd;        /* of the partial file; -1: none */
    char *path;    /* where it will be */
    char *partial; /* where it is */
} glm_file_out;

/** All that glm_file_out_abandon and glm_file_out_keep accept without a create. */
#define GLM_FILE_OUT_NONE ((glm_file_out){.fd = -1})

/**
 * Begin the file that will be at `path`.
 *
 * @param keep  true: go on with the bytes of a partial file that is there; false: begin with an empty one
 * Errors: GLM_EIO (no such folder, no permission, another process is writing it), GLM_EFORMAT when something other than a
 * regular file lies at `path` or in the partial file's place, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_file_out_create(glm_file_out *out, const char *path, bool keep,
                                              glm_error *err);

/** Reserve room on the disk and set the size. Errors: GLM_EIO, with what the system said. */
GLM_MUST_CHECK glm_status glm_file_out_resize(const glm_file_out *out, uint64_t size_bytes,
                                              glm_error *err);

/** Write all of it; from any thread. Errors: GLM_EIO. */
GLM_MUST_CHECK glm_status glm_file_out_write_at(const glm_file_out *out, const void *data,
                                                size_t size, uint64_t offset, glm_error *err);

/** Read back what was written. Errors: GLM_EIO, also when the file is shorter. */
GLM_MUST_CHECK glm_status glm_file_out_read_at(const glm_file_out *out, void *data, size_t size,
                                               uint64_t offset, glm_error *err);

/** Begin to write a range to the disk and let go of its pages, so that a large file does not push others out of memory. */
void glm_file_out_release(const glm_file_out *out, uint64_t offset, uint64_t size);

/** Sync, give the file its name, sync the folder, close. Errors: GLM_EIO; then the partial file is still there. */
GLM_MUST_CHECK glm_status glm_file_out_commit(glm_file_out *out, glm_error *err);

/**
 * Replace `size` bytes of an existing file at `offset`, and wait until they are on the disk. Not atomic: for places where a
 * torn write is seen and does no harm. Errors: GLM_EIO, GLM_ENOENT.
 */
GLM_MUST_CHECK glm_status glm_file_overwrite(const char *path, const void *data, size_t size,
                                             uint64_t offset, glm_error *err);

/** Close and leave the partial file for a later run. */
void glm_file_out_keep(glm_file_out *out);

/** Close and remove the partial file. */
void glm_file_out_abandon(glm_file_out *out);

#endif
