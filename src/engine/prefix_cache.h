// SPDX-License-Identifier: MIT
/*
 * Prefixes that were computed once: a tree of full KV pages, found by the tokens they hold and those before them. A page is shared
 * by count with the sequences that use it; nobody writes to it any more, so a sequence that takes it has the bits it would
 * have computed.
 *
 * A path of the tree is walked a page at a time, each step by one look into a hash table, and every token is compared. Domains
 * (owners) have trees of their own: what one sent is never found by another.
 *
 * When pages run short, leaves that only the tree holds are given up, the one first that is worth least: its worth is the work
 * to compute it anew, renewed at each use, and sinks as others are given up (Cao and Irani 1997, GreedyDual-Size). A
 * node stays while a sequence holds its page.
 *
 *     node = NULL;
 *     while ((next = glm_prefix_find(cache, domain, node, tokens + 64 * i)))   node = next, i++
 *     node = glm_prefix_insert(cache, domain, node, tokens + 64 * i, page)
 *
 * Belongs to the thread that owns the engine.
 */
#ifndef GLM_ENGINE_PREFIX_CACHE_H
#define GLM_ENGINE_PREFIX_CACHE_H

#include "engine/state_file.h"
#include "model/config.h"
#include "model/kv.h"

typedef struct glm_prefix_cache glm_prefix_cache;

/** A page of the tree and the way to it. */
typedef struct glm_prefix glm_prefix;

/**
 * An empty tree over pages of kv, which must outlive it.
 *
 * @param n_page_max  most pages it may hold
 * @param n_active    weights a token meets (glm_weights.n_params_active): what a page is worth follows from it
 * Errors: GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_prefix_cache_create(glm_prefix_cache **out, glm_kv *kv,
                                                  const glm_config *config, uint64_t n_active,
                                                  uint32_t n_page_max, glm_error *err);
/** Give up every page. NULL is fine. */
void glm_prefix_cache_destroy(glm_prefix_cache *c);

/** The page behind `parent` (NULL: the first of a prefix) that holds `tokens` [GLM_KV_PAGE_TOKENS], or NULL. Counts as a use. */
glm_prefix *glm_prefix_find(glm_prefix_cache *c, uint64_t domain, glm_prefix *parent,
                            const int32_t *tokens);

/**
 * Add a page that is not there yet; the tree becomes one more user of it. May give up another page for it.
 *
 * @return NULL when the tree is full of pages in use, or memory is short: then nothing changed
 */
glm_prefix *glm_prefix_insert(glm_prefix_cache *c, uint64_t domain, glm_prefix *parent,
                              const int32_t *tokens, uint32_t page);

/** The node's page, its parent (NULL: none), how many pages come before it, and its tokens. */
uint32_t glm_prefix_page(const glm_prefix *node);
glm_prefix *glm_prefix_parent(const glm_prefix *node);
uint32_t glm_prefix_depth(const glm_prefix *node);
const int32_t *glm_prefix_tokens(const glm_prefix *node);

/** A name of the page that holds for other processes too: kept for the caller; NULL before it was set. */
const glm_state_id *glm_prefix_id(const glm_prefix *node);
void glm_prefix_set_id(glm_prefix *node, const glm_state_id *id);

/** A use of the node and all before it. NULL is fine. */
void glm_prefix_touch(glm_prefix_cache *c, glm_prefix *node);

/** Give up the page that is worth least of those only the tree holds. False when there is none. */
bool glm_prefix_evict(glm_prefix_cache *c);

/** Whether giving up could free n pages. */
bool glm_prefix_can_free(const glm_prefix_cache *c, uint32_t n);

uint32_t glm_prefix_pages(const glm_prefix_cache *c);
uint64_t glm_prefix_evicted(const glm_prefix_cache *c);

#endif
