// SPDX-License-Identifier: MIT
/*
 * The cache: for each position and layer the normed latent and the rotated shared key (one row), and for layers
 * that own an indexer the index key. Everything a later token may look at.
 *
 * Rows live in pages of GLM_KV_PAGE_TOKENS positions that hold all layers, so that one page number a stretch of
 * positions is all the bookkeeping a sequence needs, and a page can be shared, copied, saved or loaded whole. The
 * layout inside a page is private to kv.c: readers ask for rows (glm_kv_gather) and runs of index keys
 * (glm_kv_index_run), writers for glm_kv_row and glm_kv_index_row.
 *
 * Pages are shared between sequences by count; a sequence copies a shared page before it writes to it. Page memory is
 * reserved when the cache is created and costs nothing until it is first written.
 */
#ifndef GLM_MODEL_KV_H
#define GLM_MODEL_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"
#include "quant/kv_format.h"

#define GLM_KV_PAGE_TOKENS 64u

/** How rows lie in a page. */
typedef enum glm_kv_layout {
    GLM_KV_BY_LAYER, /* all positions of a layer together */
    GLM_KV_BY_GROUP, /* for each position the rows of the layers that share a selection side by side */
} glm_kv_layout;

typedef struct glm_kv_shape {
    uint32_t n_layer;
    uint32_t n_row;              /* elements a row: kv_rank + d_rope */
    uint32_t d_index;            /* elements an index key; 0: no indexer */
    const uint8_t *owns_indexer; /* [n_layer]; borrowed during create */
    glm_kv_store type;           /* of rows */
    glm_kv_store index_type;     /* of index keys */
    glm_kv_layout layout;
    uint32_t n_page; /* in the pool */
} glm_kv_shape;

typedef struct glm_kv glm_kv;
typedef struct glm_kv_seq glm_kv_seq;

/** Bytes one page takes; SIZE_MAX when that cannot be counted. */
size_t glm_kv_page_bytes(const glm_kv_shape *shape);

/** A pool of n_page pages. GLM_ENOMEM when the address space cannot be had. */
GLM_MUST_CHECK glm_status glm_kv_create(glm_kv **out, const glm_kv_shape *shape, glm_error *err);
void glm_kv_destroy(glm_kv *kv);

/** Pages nobody uses. */
uint32_t glm_kv_free_pages(const glm_kv *kv);

/** An empty sequence that may hold n_ctx tokens. */
GLM_MUST_CHECK glm_status glm_kv_seq_create(glm_kv_seq **out, glm_kv *kv, uint32_t n_ctx,
                                            glm_error *err);
void glm_kv_seq_destroy(glm_kv_seq *seq);

/** A sequence with the first n_tokens (at most its length) of `from`. Shares all pages; they are copied when one side
 * writes. */
GLM_MUST_CHECK glm_status glm_kv_seq_fork(glm_kv_seq **out, const glm_kv_seq *from,
                                          uint32_t n_tokens, glm_error *err);

uint32_t glm_kv_seq_length(const glm_kv_seq *seq);

/**
 * Make positions length..length+n_tokens-1 writable: takes pages, copies a shared last page.
 *
 * Errors: GLM_ELIMIT when the context or the pool is full; the sequence is as before.
 */
GLM_MUST_CHECK glm_status glm_kv_seq_reserve(glm_kv_seq *seq, uint32_t n_tokens, glm_error *err);

/** The written positions become part of the sequence. */
void glm_kv_seq_commit(glm_kv_seq *seq, uint32_t n_tokens);

/** Forget positions from n_tokens (at most the length) on; whole pages go back to the pool. */
void glm_kv_seq_truncate(glm_kv_seq *seq, uint32_t n_tokens);

/* ---- Pages by number: for caches of prefixes ---- */

/** Bytes of a page of this cache. */
size_t glm_kv_bytes_of_page(const glm_kv *kv);

/** The number of the sequence's i-th page, which holds positions i * GLM_KV_PAGE_TOKENS on. */
uint32_t glm_kv_seq_page(const glm_kv_seq *seq, uint32_t i);

/** Count one more user of a page, who then must release it. A page with several users is not written to. */
void glm_kv_page_acquire(glm_kv *kv, uint32_t page);
void glm_kv_page_release(glm_kv *kv, uint32_t page);

/** Users of a page: sequences that hold it and acquirers. */
uint32_t glm_kv_page_users(const glm_kv *kv, uint32_t page);

/** Take a free page with one user, the caller, to be filled from elsewhere. False when none is free. */
bool glm_kv_page_take(glm_kv *kv, uint32_t *page);

/** The page's bytes, whose meaning depends on the shape only: to save them, or to fill a page that was taken. */
void *glm_kv_page_data(const glm_kv *kv, uint32_t page);

/** Append a page full of tokens to a sequence that ends at a border of pages and has nothing reserved; it is shared. GLM_ELIMIT
 * when the context has no room. */
GLM_MUST_CHECK glm_status glm_kv_seq_share(glm_kv_seq *seq, uint32_t page, glm_error *err);

/** Let the sequence's i-th page be `page`, which holds the same. */
void glm_kv_seq_replace(glm_kv_seq *seq, uint32_t i, uint32_t page);

/* ---- Rows ---- */

/** Where to write the row, or the index key (Q8: its lane of a group), of a reserved position. */
void *glm_kv_row(const glm_kv_seq *seq, uint32_t layer, uint32_t position);
void *glm_kv_index_row(const glm_kv_seq *seq, uint32_t layer, uint32_t position);

/**
 * Addresses of the rows of `layer` at n positions: row[i] for position[i], or for first + i when `position` is NULL.
 * Positions were written before. Safe from several threads.
 */
void glm_kv_gather(const void **row, const glm_kv_seq *seq, uint32_t layer, const int32_t *position,
                   uint32_t first, uint32_t n);

/** The run of index keys of `layer` from `position` (Q8: the first of a group) to the end of its page: address, count, and
 * bytes from key to key (Q8: from group to group). */
const void *glm_kv_index_run(const glm_kv_seq *seq, uint32_t layer, uint32_t position, uint32_t *n,
                             size_t *stride_bytes);

#endif
