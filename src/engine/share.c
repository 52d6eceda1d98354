// SPDX-License-Identifier: MIT
/* Prefixes that sequences share: in memory (engine/prefix_cache.h) and on disk (engine/state.h). */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "engine/scheduler_internal.h"

#define PAGE GLM_KV_PAGE_TOKENS
/* What reading pages from disk may take of a turn: beside running streams, and without. */
#define LOAD_BESIDE_NS 5000000u
#define LOAD_ALONE_NS 100000000u
#define JOB_PAGES_MAX 4096u

static uint64_t domain_of(const glm_scheduler *s, const glm_request *r)
{
    return s->p.share == GLM_SHARE_ALL ? 0 : r->p.owner;
}

/* The id of the page behind `parent`; false without a folder, or when the way to it has none. */
static bool id_of(const glm_scheduler *s, glm_state_id *out, const glm_prefix *parent,
                  uint64_t domain, const int32_t *tokens)
{
    static const glm_state_id none;
    const glm_state_id *before = parent ? glm_prefix_id(parent) : &none;
    return s->state && before && glm_state_page_id(out, before, domain, tokens, NULL) == GLM_OK;
}

/* A node for the sequence's next page, which is `page`. */
static glm_prefix *insert(glm_scheduler *s, glm_sequence *q, const int32_t *tokens, uint32_t page)
{
    glm_state_id id;
    const uint64_t domain = domain_of(s, q->request);
    bool has_id = id_of(s, &id, q->node, domain, tokens);
    glm_prefix *node = glm_prefix_insert(s->cache, domain, q->node, tokens, page);
    if (node && has_id)
        glm_prefix_set_id(node, &id);
    return node;
}

/* The next page from the folder; NULL: it is not there. */
static glm_prefix *load(glm_scheduler *s, glm_sequence *q, const int32_t *tokens)
{
    glm_state_id id;
    uint32_t page;
    glm_kv *kv = s->engine->kv;
    if (!id_of(s, &id, q->node, domain_of(s, q->request), tokens) || !glm_state_has(s->state, &id))
        return NULL;
    if (!glm_kv_page_take(kv, &page) &&
        !(glm_prefix_evict(s->cache) && glm_kv_page_take(kv, &page)))
        return NULL;
    glm_prefix *node = NULL;
    if (glm_state_load(s->state, &id, glm_kv_page_data(kv, page)))
        node = insert(s, q, tokens, page);
    glm_kv_page_release(kv, page); /* the node holds it now */
    return node;
}

void glm_share_take(glm_scheduler *s, glm_sequence *q, bool is_new, bool is_beside)
{
    const uint64_t until = glm_clock_ns() + (is_beside ? LOAD_BESIDE_NS : LOAD_ALONE_NS);
    q->is_loading = false;
    while (s->cache && glm_session_length(q->session) == q->n_linked * PAGE &&
           q->n_tokens - 1 - q->n_linked * PAGE >= PAGE) {
        const int32_t *tokens = q->tokens + (size_t)q->n_linked * PAGE;
        glm_prefix *next = glm_prefix_find(s->cache, domain_of(s, q->request), q->node, tokens);
        if (!next && (next = load(s, q, tokens)) != NULL)
            q->is_loading = glm_clock_ns() >= until; /* more may follow, in the next turn */
        if (!next || glm_kv_seq_share(q->session->seq, glm_prefix_page(next), NULL) != GLM_OK)
            return;
        q->node = next;
        q->n_linked++;
        if (is_new)
            q->request->n_cached += PAGE;
        if (q->is_loading)
            return;
    }
}

void glm_share_give(glm_scheduler *s, glm_sequence *q)
{
    while (s->cache && (q->n_linked + 1) * PAGE <= glm_session_length(q->session)) {
        const int32_t *tokens = q->tokens + (size_t)q->n_linked * PAGE;
        uint32_t page = glm_kv_seq_page(q->session->seq, q->n_linked);
        glm_prefix *next = glm_prefix_find(s->cache, domain_of(s, q->request), q->node, tokens);
        if (next)
            glm_kv_seq_replace(q->session->seq, q->n_linked, glm_prefix_page(next));
        else
            next = insert(s, q, tokens, page);
        if (!next)
            return;
        q->node = next;
        q->n_linked++;
    }
}

/* ---- To the folder ---- */

/* Write path[0..n), consecutive nodes from the top down. */
static void save_run(glm_scheduler *s, glm_prefix *const *path, uint32_t n, uint64_t domain)
{
    glm_state_job *job = glm_state_job_create(n);
    if (!job)
        return; /* a later turn tries again */
    const glm_prefix *parent = glm_prefix_parent(path[0]);
    if (parent)
        job->run.parent = *glm_prefix_id(parent);
    job->run.domain = domain;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t page = glm_prefix_page(path[i]);
        memcpy(job->tokens + (size_t)i * PAGE, glm_prefix_tokens(path[i]), PAGE * sizeof(int32_t));
        job->id[i] = *glm_prefix_id(path[i]);
        job->page[i] = page;
        job->data[i] = glm_kv_page_data(s->engine->kv, page);
        glm_kv_page_acquire(s->engine->kv, page);
    }
    s->n_saving += n;
    glm_state_save(s->state, job);
}

/* Write the pages up to `node` that are not on disk. NULL is fine. */
static void save(glm_scheduler *s, glm_prefix *node, uint64_t domain)
{
    if (!s->state || !node || !glm_prefix_id(node))
        return;
    const uint32_t n_page = glm_prefix_depth(node) + 1;
    glm_prefix **path = glm_new_array(glm_prefix *, n_page);
    if (!path)
        return;
    for (glm_prefix *p = node; p; p = glm_prefix_parent(p))
        path[glm_prefix_depth(p)] = p;
    uint64_t most = GLM_STATE_FILE_BYTES_MAX / s->count.page_bytes;
    most = most < JOB_PAGES_MAX ? most : JOB_PAGES_MAX;
    for (uint32_t first = 0; first < n_page;) {
        uint32_t n = 0;
        while (first + n < n_page && n < most &&
               !glm_state_has(s->state, glm_prefix_id(path[first + n])))
            n++;
        /* Pages on their way to a slow disk cannot be given up: never more than half of the pool. */
        if (n && s->n_saving + n <= s->count.n_pages / 2)
            save_run(s, path + first, n, domain);
        first += n ? n : 1;
    }
    free(path);
}

void glm_share_reap(glm_scheduler *s)
{
    for (glm_state_job *job; s->state && (job = glm_state_take_done(s->state)) != NULL;) {
        for (uint32_t i = 0; i < job->run.n_page; i++)
            glm_kv_page_release(s->engine->kv, job->page[i]);
        s->n_saving -= job->run.n_page;
        glm_state_job_destroy(job);
    }
}

void glm_share_close(glm_scheduler *s, glm_sequence *q, bool is_over)
{
    if (s->cache)
        glm_prefix_touch(s->cache, q->node);
    if (is_over && q->node)
        save(s, q->node, domain_of(s, q->request));
    q->node = NULL;
    q->n_linked = 0;
    q->is_loading = false;
}
