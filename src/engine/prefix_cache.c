// SPDX-License-Identifier: MIT
#include "engine/prefix_cache.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"

#define TOKENS GLM_KV_PAGE_TOKENS
#define NOWHERE UINT32_MAX

struct glm_prefix {
    glm_prefix *parent;
    glm_prefix *chain; /* next in its bucket */
    uint64_t domain, hash;
    uint32_t page, depth;
    uint32_t n_child;
    uint32_t at;   /* its place in `node` */
    uint32_t leaf; /* its place in `heap`; NOWHERE: it has children */
    bool has_id;
    glm_state_id id;
    double cost, worth;
    int32_t tokens[TOKENS];
};

struct glm_prefix_cache {
    glm_kv *kv;
    uint32_t n_max;
    glm_prefix **node; /* [n] all of them */
    glm_prefix **heap; /* [n_leaf] leaves; the one worth least on top */
    uint32_t n, n_leaf;
    glm_prefix **bucket; /* [n_bucket], a power of two */
    uint32_t n_bucket;
    double clock; /* worth of the last one given up */
    uint64_t n_evicted;
    /* Cost of a token at position p, in units of its work outside attention: 1 + near * min(p, window) + far * p. */
    double near, far, window;
};

/* ---- Creation ---- */

static void set_costs(glm_prefix_cache *c, const glm_config *config, uint64_t n_active)
{
    double indexers = 0.0;
    for (uint32_t i = 0; config->index_topk && i < config->n_layer; i++)
        indexers += config->owns_indexer[i];
    double total = (double)(n_active ? n_active : 1);
    c->near = (double)config->n_layer * config->n_heads * (2.0 * config->kv_rank + config->d_rope) /
              total;
    c->far = indexers * config->index_n_heads * config->index_d_head / total;
    c->window = config->index_topk ? config->index_topk : 1e9;
}

glm_status glm_prefix_cache_create(glm_prefix_cache **out, glm_kv *kv, const glm_config *config,
                                   uint64_t n_active, uint32_t n_page_max, glm_error *err)
{
    glm_prefix_cache *c = glm_new(glm_prefix_cache);
    if (!c)
        return glm_fail(err, GLM_ENOMEM, "prefix cache: no memory");
    c->kv = kv;
    c->n_max = n_page_max;
    c->n_bucket = 64;
    while (c->n_bucket < n_page_max && c->n_bucket < 1u << 30)
        c->n_bucket *= 2;
    set_costs(c, config, n_active);
    c->node = glm_new_array(glm_prefix *, (size_t)n_page_max + 1);
    c->heap = glm_new_array(glm_prefix *, (size_t)n_page_max + 1);
    c->bucket = glm_new_array(glm_prefix *, c->n_bucket);
    if (!c->node || !c->heap || !c->bucket) {
        glm_prefix_cache_destroy(c);
        return glm_fail(err, GLM_ENOMEM, "prefix cache of %u pages: no memory", n_page_max);
    }
    *out = c;
    return GLM_OK;
}

void glm_prefix_cache_destroy(glm_prefix_cache *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n; i++) {
        glm_kv_page_release(c->kv, c->node[i]->page);
        free(c->node[i]);
    }
    free(c->node);
    free(c->heap);
    free(c->bucket);
    free(c);
}

/* ---- The heap of leaves ---- */

static void place(glm_prefix_cache *c, uint32_t i, glm_prefix *node)
{
    c->heap[i] = node;
    node->leaf = i;
}

/* Let heap[i] rise or sink to its place. */
static void settle(glm_prefix_cache *c, uint32_t i)
{
    glm_prefix *node = c->heap[i];
    for (; i && node->worth < c->heap[(i - 1) / 2]->worth; i = (i - 1) / 2)
        place(c, i, c->heap[(i - 1) / 2]);
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < c->n_leaf && c->heap[child + 1]->worth < c->heap[child]->worth)
            child++;
        if (child >= c->n_leaf || c->heap[child]->worth >= node->worth)
            break;
        place(c, i, c->heap[child]);
        i = child;
    }
    place(c, i, node);
}

static void add_leaf(glm_prefix_cache *c, glm_prefix *node)
{
    place(c, c->n_leaf++, node);
    settle(c, node->leaf);
}

static void remove_leaf(glm_prefix_cache *c, glm_prefix *node)
{
    uint32_t i = node->leaf;
    glm_prefix *last = c->heap[--c->n_leaf];
    node->leaf = NOWHERE;
    if (last == node)
        return;
    place(c, i, last);
    settle(c, i);
}

/* ---- Finding ---- */

static uint64_t hash_of(uint64_t domain, const glm_prefix *parent, const int32_t *tokens)
{
    return glm_hash64(tokens, TOKENS * sizeof *tokens, parent ? parent->hash : domain);
}

static void use(glm_prefix_cache *c, glm_prefix *node)
{
    node->worth = c->clock + node->cost;
    if (node->leaf != NOWHERE)
        settle(c, node->leaf);
}

glm_prefix *glm_prefix_find(glm_prefix_cache *c, uint64_t domain, glm_prefix *parent,
                            const int32_t *tokens)
{
    uint64_t hash = hash_of(domain, parent, tokens);
    for (glm_prefix *n = c->bucket[hash & (c->n_bucket - 1)]; n; n = n->chain) {
        if (n->hash != hash || n->parent != parent || n->domain != domain ||
            memcmp(n->tokens, tokens, sizeof n->tokens) != 0)
            continue;
        use(c, n);
        return n;
    }
    return NULL;
}

void glm_prefix_touch(glm_prefix_cache *c, glm_prefix *node)
{
    for (; node; node = node->parent)
        use(c, node);
}

uint32_t glm_prefix_page(const glm_prefix *node)
{
    return node->page;
}

glm_prefix *glm_prefix_parent(const glm_prefix *node)
{
    return node->parent;
}

uint32_t glm_prefix_depth(const glm_prefix *node)
{
    return node->depth;
}

const int32_t *glm_prefix_tokens(const glm_prefix *node)
{
    return node->tokens;
}

const glm_state_id *glm_prefix_id(const glm_prefix *node)
{
    return node->has_id ? &node->id : NULL;
}

void glm_prefix_set_id(glm_prefix *node, const glm_state_id *id)
{
    node->id = *id;
    node->has_id = true;
}

uint32_t glm_prefix_pages(const glm_prefix_cache *c)
{
    return c->n;
}

uint64_t glm_prefix_evicted(const glm_prefix_cache *c)
{
    return c->n_evicted;
}

/* ---- Coming and going ---- */

static void drop(glm_prefix_cache *c, glm_prefix *node)
{
    glm_prefix **at = &c->bucket[node->hash & (c->n_bucket - 1)];
    while (*at != node)
        at = &(*at)->chain;
    *at = node->chain;
    c->node[node->at] = c->node[--c->n];
    c->node[node->at]->at = node->at;
    remove_leaf(c, node);
    glm_prefix *parent = node->parent;
    if (parent && !--parent->n_child)
        add_leaf(c, parent);
    glm_kv_page_release(c->kv, node->page);
    free(node);
}

/* The leaf in the heap below i that is worth least of those that only the tree holds; NULL: none. */
static glm_prefix *least_unused(const glm_prefix_cache *c)
{
    glm_prefix *best = c->n_leaf ? c->heap[0] : NULL;
    if (!best || glm_kv_page_users(c->kv, best->page) == 1)
        return best;
    best =
        NULL; /* leaves in use are few, at most one a sequence; look at all only when one is on top */
    for (uint32_t i = 0; i < c->n_leaf; i++)
        if (glm_kv_page_users(c->kv, c->heap[i]->page) == 1 &&
            (!best || c->heap[i]->worth < best->worth))
            best = c->heap[i];
    return best;
}

bool glm_prefix_evict(glm_prefix_cache *c)
{
    glm_prefix *node = least_unused(c);
    if (!node)
        return false;
    c->clock = node->worth > c->clock ? node->worth : c->clock;
    c->n_evicted++;
    drop(c, node);
    return true;
}

bool glm_prefix_can_free(const glm_prefix_cache *c, uint32_t n)
{
    uint32_t n_free = 0;
    for (uint32_t i = 0; i < c->n && n_free < n; i++)
        n_free += glm_kv_page_users(c->kv, c->node[i]->page) == 1;
    return n_free >= n;
}

glm_prefix *glm_prefix_insert(glm_prefix_cache *c, uint64_t domain, glm_prefix *parent,
                              const int32_t *tokens, uint32_t page)
{
    glm_prefix *node = glm_new(glm_prefix);
    if (!node || (c->n >= c->n_max && (!c->n_max || !glm_prefix_evict(c)))) {
        free(node);
        return NULL;
    }
    *node = (glm_prefix){.parent = parent,
                         .domain = domain,
                         .hash = hash_of(domain, parent, tokens),
                         .page = page,
                         .depth = parent ? parent->depth + 1 : 0,
                         .at = c->n};
    memcpy(node->tokens, tokens, sizeof node->tokens);
    double p = (double)node->depth * TOKENS;
    node->cost = 1.0 + c->near * (p < c->window ? p : c->window) + c->far * p;
    node->worth = c->clock + node->cost;
    glm_prefix **bucket = &c->bucket[node->hash & (c->n_bucket - 1)];
    node->chain = *bucket;
    *bucket = node;
    c->node[c->n++] = node;
    if (parent && !parent->n_child++)
        remove_leaf(c, parent);
    add_leaf(c, node);
    glm_kv_page_acquire(c->kv, page);
    return node;
}
