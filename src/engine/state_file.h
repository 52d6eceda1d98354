// SPDX-License-Identifier: MIT
/*
 * A state file: consecutive full KV pages of one prefix, with the tokens they hold. Little-endian:
 *
 *     0    "GLMSTATE"                        8 bytes
 *     8    version (1), tokens a page (64)   2 x u32
 *     16   bytes a page                      u64
 *     24   binding                           32 bytes: model, cache types, precision (SHA-256)
 *     56   parent                            32 bytes: id of the page before the first; zeros: none
 *     88   domain                            u64: whose prefixes these are
 *     96   n_page                            u64
 *     104  hash of bytes 0..104 and the table, XXH3-64
 *     112  table: for each page its tokens (64 x i32) and the XXH3-64 of its bytes
 *     ...  zeros to a multiple of 4,096, then the pages
 *
 * The id of a page is the SHA-256 of its parent's id, the domain and its tokens, so an id names all tokens up to the page's
 * end. A file is written whole or not at all (core/file_out.h); size, head, table and each page are checked when they are read.
 */
#ifndef GLM_ENGINE_STATE_FILE_H
#define GLM_ENGINE_STATE_FILE_H

#include "core/file.h"
#include "model/kv.h"

#define GLM_STATE_VERSION 1u

typedef struct glm_state_id {
    unsigned char bytes[32];
} glm_state_id;

/** What a file must have been written for, to be of use. */
typedef struct glm_state_binding {
    glm_state_id id;
    uint64_t page_bytes;
} glm_state_binding;

/** Pages in memory, to be written. */
typedef struct glm_state_run {
    glm_state_id parent;
    uint64_t domain;
    uint32_t n_page;
    const int32_t *tokens;   /* [n_page, GLM_KV_PAGE_TOKENS] */
    const void *const *data; /* [n_page] page bytes */
} glm_state_run;

/** A file's head and table. */
typedef struct glm_state_head {
    glm_state_id parent;
    uint64_t domain;
    uint32_t n_page;
    int32_t *tokens; /* [n_page, GLM_KV_PAGE_TOKENS] */
    uint64_t *hash;  /* [n_page] */
    uint64_t data;   /* offset of the first page */
} glm_state_head;

/** The id of `size` bytes: their SHA-256. GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_state_id_of(glm_state_id *out, const void *data, size_t size,
                                          glm_error *err);

/** The id of the page with `tokens` [GLM_KV_PAGE_TOKENS] behind `parent` (all zeros: the first). GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_state_page_id(glm_state_id *out, const glm_state_id *parent,
                                            uint64_t domain, const int32_t *tokens, glm_error *err);

/** Write a file at `path`, durably. n_page >= 1. Errors: GLM_EIO, GLM_EFORMAT, GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_state_write(const char *path, const glm_state_binding *binding,
                                          const glm_state_run *run, glm_error *err);

/**
 * Read head and table. Nothing larger than the file is allocated.
 *
 * Errors: GLM_EFORMAT (no state file, damaged, another version or size), GLM_EUNSUPP (written for another model or other
 * settings), GLM_EIO, GLM_ENOMEM. Undo with glm_state_head_deinit.
 */
GLM_MUST_CHECK glm_status glm_state_read_head(glm_state_head *out, const glm_file *file,
                                              const glm_state_binding *binding, glm_error *err);
void glm_state_head_deinit(glm_state_head *head);

/** Read page i into data [page_bytes] and check it. Errors: GLM_EFORMAT (damaged), GLM_EIO. */
GLM_MUST_CHECK glm_status glm_state_read_page(void *data, const glm_file *file, uint64_t first,
                                              uint64_t page_bytes, uint32_t i, uint64_t hash,
                                              glm_error *err);

#endif
