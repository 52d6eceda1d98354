// SPDX-License-Identifier: MIT
/*
 * Files read: a folder and the regular files directly in it, small files whole, large files mapped.
 *
 * Names given to a glm_dir come from model packages and are not trusted: a name with a slash, "." and ".." is
 * refused, and a symbolic link is followed only if it is one of a Hugging Face cache
 * (snapshots/REV/... -> ../../blobs/HASH, whose blob then must be a regular file) or the caller said so.
 *
 *     glm_dir *dir;   glm_file file;   glm_map map;
 *     if (glm_dir_open(&dir, path, false, err)) ...
 *     if (glm_file_open(&file, dir, "model.safetensors", err)) ...
 *     if (glm_map_open(&map, &file, err)) ...
 */
#ifndef GLM_CORE_FILE_H
#define GLM_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fault.h"
#include "glm/error.h"

/* ---- Folders ---- */

typedef struct glm_dir glm_dir;

/**
 * Open a folder; `path` itself may be or contain links.
 *
 * @param follow_links  follow every symbolic link in it
 * Errors: GLM_ENOENT, GLM_EFORMAT when it is no folder, GLM_EIO, GLM_ENOMEM. The caller owns *out.
 */
GLM_MUST_CHECK glm_status glm_dir_open(glm_dir **out, const char *path, bool follow_links,
                                       glm_error *err);
void glm_dir_close(glm_dir *dir);

/** The path it was opened with. */
const char *glm_dir_path(const glm_dir *dir);

/** True when the folder has an entry of that name, of whatever kind. */
bool glm_dir_has(const glm_dir *dir, const char *name);

/* ---- Files ---- */

typedef struct glm_file {
    int fd;
    char *path;          /* for messages */
    uint64_t size_bytes; /* when it was opened */
    int64_t mtime_ns;
} glm_file;

/**
 * Open the regular file `name` of `dir` for reading.
 *
 * Errors: GLM_ENOENT, GLM_EFORMAT (not a plain name, not a regular file, a link that is not followed), GLM_EIO
 * (no permission among others), GLM_ENOMEM. Undo with glm_file_close.
 */
GLM_MUST_CHECK glm_status glm_file_open(glm_file *out, const glm_dir *dir, const char *name,
                                        glm_error *err);

/** Close; a file that was never opened must be {.fd = -1}. */
void glm_file_close(glm_file *file);

/** Read exactly `size` bytes at `offset`; fewer is GLM_EIO. */
GLM_MUST_CHECK glm_status glm_file_read_at(const glm_file *file, void *out, size_t size,
                                           uint64_t offset, glm_error *err);

/** Wish that a range be read into the page cache soon; never waits, never fails. */
void glm_file_prefetch(const glm_file *file, uint64_t offset, uint64_t size);

/** GLM_EIO when size or time of change are no longer those it was opened with. */
GLM_MUST_CHECK glm_status glm_file_check_unchanged(const glm_file *file, glm_error *err);

/**
 * Read a small file of `dir` whole. *out is from malloc and ends with a NUL that *size does not count.
 *
 * Errors: those of glm_file_open, and GLM_ELIMIT when it is larger than size_max (then nothing is read).
 */
GLM_MUST_CHECK glm_status glm_file_read(char **out, size_t *size, const glm_dir *dir,
                                        const char *name, size_t size_max, glm_error *err);

/**
 * Read whatever `path` leads to, pipes and devices included, to its end: for files a user names. The rest as
 * glm_file_read.
 */
GLM_MUST_CHECK glm_status glm_file_read_path(char **out, size_t *size, const char *path,
                                             size_t size_max, glm_error *err);

/* ---- Mappings ---- */

/** A file in memory. `data` is NULL when the file is empty. */
typedef struct glm_map {
    const unsigned char *data;
    size_t size_bytes;
    void *base;       /* what munmap takes; NULL: not ours to unmap */
    glm_guard *guard; /* NULL: anonymous memory, nothing to guard */
} glm_map;

/**
 * Map a file read-only and guard it (core/fault.h), in large pages where the kernel maps files so. Touches no page. The file
 * may be closed afterwards.
 * Errors: GLM_ENOMEM, GLM_EIO.
 */
GLM_MUST_CHECK glm_status glm_map_open(glm_map *out, const glm_file *file, glm_error *err);

/** Read a file whole into anonymous memory, on large pages where the kernel has them, and keep no copy in the page cache.
 * Errors as above. */
GLM_MUST_CHECK glm_status glm_map_read(glm_map *out, const glm_file *file, glm_error *err);

/** Wish that a range (cut to the file) be read soon; never waits, never fails. */
void glm_map_prefetch(const glm_map *map, uint64_t offset, size_t size);

/** Undo either (an all-zero map is fine). */
void glm_map_close(glm_map *map);

/** True once a page could not be read: zeros took its place. */
bool glm_map_is_bad(const glm_map *map);

#endif
