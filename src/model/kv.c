// SPDX-License-Identifier: MIT
#include "model/kv.h"

#include <string.h>

#include "core/mem.h"
#include "core/vmem.h"

/* Where a layer's rows are in a page. */
typedef struct layer_place {
    size_t row0;         /* of position 0 of the page */
    size_t row_stride;   /* from position to position */
    size_t index0;       /* index keys; 0 stride: none */
    size_t index_stride; /* from key to key, or from group to group of Q8 keys */
} layer_place;

struct glm_kv {
    glm_kv_shape shape;
    layer_place *place; /* [n_layer] */
    size_t page_bytes;
    unsigned char *memory;
    size_t memory_bytes;
    uint32_t *n_user;    /* [n_page] sequences that hold it */
    uint32_t *free_page; /* [n_free], taken from the end */
    uint32_t n_free;
};

struct glm_kv_seq {
    glm_kv *kv;
    uint32_t length;
    uint32_t n_ctx;
    uint32_t n_page; /* in use */
    uint32_t n_page_max;
    uint32_t *page; /* [n_page_max] */
};

/* Places of all layers, and the bytes of a page. */
static size_t lay_out(layer_place *place, const glm_kv_shape *shape)
{
    size_t row = glm_align_size(glm_kv_row_bytes(shape->type, shape->n_row), 16);
    const bool is_grouped = shape->index_type == GLM_KV_STORE_Q8;
    size_t key = is_grouped
                     ? glm_index_group_bytes(shape->d_index)
                     : glm_align_size(glm_kv_row_bytes(shape->index_type, shape->d_index), 16);
    size_t n_keys = is_grouped ? GLM_KV_PAGE_TOKENS / GLM_INDEX_GROUP : GLM_KV_PAGE_TOKENS;
    size_t at = 0;
    uint32_t i = 0;
    while (i < shape->n_layer) {
        uint32_t n = 1; /* layers whose rows lie side by side */
        if (shape->layout == GLM_KV_BY_GROUP && shape->d_index)
            while (i + n < shape->n_layer && !shape->owns_indexer[i + n])
                n++;
        for (uint32_t k = 0; place && k < n; k++) {
            place[i + k].row0 = at + k * row;
            place[i + k].row_stride = n * row;
        }
        at = glm_add_size(at, glm_mul_size(glm_mul_size(n, row), GLM_KV_PAGE_TOKENS));
        i += n;
    }
    for (i = 0; shape->d_index && i < shape->n_layer; i++) {
        if (!shape->owns_indexer[i])
            continue;
        if (place) {
            place[i].index0 = at;
            place[i].index_stride = key;
        }
        at = glm_add_size(at, glm_mul_size(key, n_keys));
    }
    return glm_align_size(at, 4096);
}

size_t glm_kv_page_bytes(const glm_kv_shape *shape)
{
    return lay_out(NULL, shape);
}

glm_status glm_kv_create(glm_kv **out, const glm_kv_shape *shape, glm_error *err)
{
    glm_kv *kv = glm_new(glm_kv);
    if (!kv)
        return glm_fail(err, GLM_ENOMEM, "cache: no memory");
    kv->shape = *shape;
    kv->shape.owns_indexer = NULL;
    kv->place = glm_new_array(layer_place, shape->n_layer);
    kv->n_user = glm_new_array(uint32_t, shape->n_page);
    kv->free_page = glm_new_array(uint32_t, shape->n_page);
    glm_status st = GLM_OK;
    if (!kv->place || !kv->n_user || !kv->free_page)
        st = glm_fail(err, GLM_ENOMEM, "cache: no memory for %u pages", shape->n_page);
    if (st == GLM_OK) {
        kv->page_bytes = lay_out(kv->place, shape);
        kv->memory_bytes = glm_mul_size(kv->page_bytes, shape->n_page);
        st = glm_vmem_reserve((void **)&kv->memory, kv->memory_bytes, err);
        if (st != GLM_OK)
            st = glm_fail_context(err, st, "cache");
    }
    if (st != GLM_OK) {
        glm_kv_destroy(kv);
        return st;
    }
    kv->n_free = shape->n_page;
    for (uint32_t i = 0; i < shape->n_page; i++)
        kv->free_page[i] = shape->n_page - 1 - i;
    *out = kv;
    return GLM_OK;
}

void glm_kv_destroy(glm_kv *kv)
{
    if (!kv)
        return;
    glm_vmem_release(kv->memory, kv->memory_bytes);
    free(kv->free_page);
    free(kv->n_user);
    free(kv->place);
    free(kv);
}

uint32_t glm_kv_free_pages(const glm_kv *kv)
{
    return kv->n_free;
}

static unsigned char *page_address(const glm_kv *kv, uint32_t page)
{
    return kv->memory + (size_t)page * kv->page_bytes;
}

static void drop_page(glm_kv *kv, uint32_t page)
{
    if (--kv->n_user[page] == 0)
        kv->free_page[kv->n_free++] = page;
}

glm_status glm_kv_seq_create(glm_kv_seq **out, glm_kv *kv, uint32_t n_ctx, glm_error *err)
{
    glm_kv_seq *seq = glm_new(glm_kv_seq);
    uint32_t n_page_max = n_ctx / GLM_KV_PAGE_TOKENS + (n_ctx % GLM_KV_PAGE_TOKENS != 0);
    uint32_t *page = glm_new_array(uint32_t, n_page_max);
    if (!seq || !page) {
        free(seq);
        free(page);
        return glm_fail(err, GLM_ENOMEM, "sequence of %u tokens: no memory", n_ctx);
    }
    *seq = (glm_kv_seq){.kv = kv, .n_ctx = n_ctx, .n_page_max = n_page_max, .page = page};
    *out = seq;
    return GLM_OK;
}

void glm_kv_seq_destroy(glm_kv_seq *seq)
{
    if (!seq)
        return;
    for (uint32_t i = 0; i < seq->n_page; i++)
        drop_page(seq->kv, seq->page[i]);
    free(seq->page);
    free(seq);
}

glm_status glm_kv_seq_fork(glm_kv_seq **out, const glm_kv_seq *from, uint32_t n_tokens,
                           glm_error *err)
{
    glm_kv_seq *seq = NULL;
    glm_status st = glm_kv_seq_create(&seq, from->kv, from->n_ctx, err);
    if (st != GLM_OK)
        return st;
    seq->length = n_tokens;
    seq->n_page = n_tokens / GLM_KV_PAGE_TOKENS + (n_tokens % GLM_KV_PAGE_TOKENS != 0);
    for (uint32_t i = 0; i < seq->n_page; i++) {
        seq->page[i] = from->page[i];
        from->kv->n_user[seq->page[i]]++;
    }
    *out = seq;
    return GLM_OK;
}

uint32_t glm_kv_seq_length(const glm_kv_seq *seq)
{
    return seq->length;
}

glm_status glm_kv_seq_reserve(glm_kv_seq *seq, uint32_t n_tokens, glm_error *err)
{
    glm_kv *kv = seq->kv;
    if (n_tokens > seq->n_ctx - seq->length)
        return glm_fail(err, GLM_ELIMIT,
                        "context is full: %u tokens held, %u more asked for, room for %u",
                        seq->length, n_tokens, seq->n_ctx);
    uint32_t end = seq->length + n_tokens;
    uint32_t n_page = end / GLM_KV_PAGE_TOKENS + (end % GLM_KV_PAGE_TOKENS != 0);
    uint32_t last = seq->length / GLM_KV_PAGE_TOKENS; /* page of the first new position */
    bool must_copy = n_tokens && last < seq->n_page && kv->n_user[seq->page[last]] > 1;
    uint32_t wanted = must_copy + (n_page > seq->n_page ? n_page - seq->n_page : 0);
    if (wanted > kv->n_free)
        return glm_fail(err, GLM_ELIMIT, "cache is full: %u pages of %u tokens free, %u needed",
                        kv->n_free, GLM_KV_PAGE_TOKENS, wanted);
    if (must_copy) {
        uint32_t page = kv->free_page[--kv->n_free];
        memcpy(page_address(kv, page), page_address(kv, seq->page[last]), kv->page_bytes);
        kv->n_user[page] = 1;
        drop_page(kv, seq->page[last]);
        seq->page[last] = page;
    }
    while (seq->n_page < n_page) {
        uint32_t page = kv->free_page[--kv->n_free];
        kv->n_user[page] = 1;
        seq->page[seq->n_page++] = page;
    }
    return GLM_OK;
}

void glm_kv_seq_commit(glm_kv_seq *seq, uint32_t n_tokens)
{
    seq->length += n_tokens;
}

void glm_kv_seq_truncate(glm_kv_seq *seq, uint32_t n_tokens)
{
    uint32_t n_page = n_tokens / GLM_KV_PAGE_TOKENS + (n_tokens % GLM_KV_PAGE_TOKENS != 0);
    while (seq->n_page > n_page)
        drop_page(seq->kv, seq->page[--seq->n_page]);
    if (n_tokens < seq->length)
        seq->length = n_tokens;
}

/* ---- Pages by number ---- */

size_t glm_kv_bytes_of_page(const glm_kv *kv)
{
    return kv->page_bytes;
}

uint32_t glm_kv_seq_page(const glm_kv_seq *seq, uint32_t i)
{
    return seq->page[i];
}

void glm_kv_page_acquire(glm_kv *kv, uint32_t page)
{
    kv->n_user[page]++;
}

void glm_kv_page_release(glm_kv *kv, uint32_t page)
{
    drop_page(kv, page);
}

uint32_t glm_kv_page_users(const glm_kv *kv, uint32_t page)
{
    return kv->n_user[page];
}

bool glm_kv_page_take(glm_kv *kv, uint32_t *page)
{
    if (!kv->n_free)
        return false;
    *page = kv->free_page[--kv->n_free];
    kv->n_user[*page] = 1;
    return true;
}

void *glm_kv_page_data(const glm_kv *kv, uint32_t page)
{
    return page_address(kv, page);
}

glm_status glm_kv_seq_share(glm_kv_seq *seq, uint32_t page, glm_error *err)
{
    if (GLM_KV_PAGE_TOKENS > seq->n_ctx - seq->length)
        return glm_fail(err, GLM_ELIMIT, "context is full: %u tokens held, %u more asked for",
                        seq->length, GLM_KV_PAGE_TOKENS);
    glm_kv_seq_truncate(seq, seq->length); /* pages reserved for a step that did not run */
    seq->kv->n_user[page]++;
    seq->page[seq->n_page++] = page;
    seq->length += GLM_KV_PAGE_TOKENS;
    return GLM_OK;
}

void glm_kv_seq_replace(glm_kv_seq *seq, uint32_t i, uint32_t page)
{
    seq->kv->n_user[page]++;
    drop_page(seq->kv, seq->page[i]);
    seq->page[i] = page;
}

/* ---- Rows ---- */

void *glm_kv_row(const glm_kv_seq *seq, uint32_t layer, uint32_t position)
{
    const layer_place *place = &seq->kv->place[layer];
    return page_address(seq->kv, seq->page[position / GLM_KV_PAGE_TOKENS]) + place->row0 +
           position % GLM_KV_PAGE_TOKENS * place->row_stride;
}

void *glm_kv_index_row(const glm_kv_seq *seq, uint32_t layer, uint32_t position)
{
    const layer_place *place = &seq->kv->place[layer];
    unsigned char *keys =
        page_address(seq->kv, seq->page[position / GLM_KV_PAGE_TOKENS]) + place->index0;
    const uint32_t i = position % GLM_KV_PAGE_TOKENS;
    if (seq->kv->shape.index_type == GLM_KV_STORE_Q8)
        return keys + i / GLM_INDEX_GROUP * place->index_stride + i % GLM_INDEX_GROUP * 4;
    return keys + i * place->index_stride;
}

void glm_kv_gather(const void **row, const glm_kv_seq *seq, uint32_t layer, const int32_t *position,
                   uint32_t first, uint32_t n)
{
    const glm_kv *kv = seq->kv;
    const layer_place *place = &kv->place[layer];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = position ? (uint32_t)position[i] : first + i;
        row[i] = page_address(kv, seq->page[p / GLM_KV_PAGE_TOKENS]) + place->row0 +
                 p % GLM_KV_PAGE_TOKENS * place->row_stride;
    }
}

const void *glm_kv_index_run(const glm_kv_seq *seq, uint32_t layer, uint32_t position, uint32_t *n,
                             size_t *stride_bytes)
{
    *n = GLM_KV_PAGE_TOKENS - position % GLM_KV_PAGE_TOKENS;
    *stride_bytes = seq->kv->place[layer].index_stride;
    return glm_kv_index_row(seq, layer, position);
}
