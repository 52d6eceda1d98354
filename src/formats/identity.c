// SPDX-License-Identifier: MIT
#include "formats/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "formats/tensor_file_internal.h"

#define SAMPLE_BYTES 4096u                   /* a page: one read of the disk */
#define VECTOR_BYTES_MAX ((uint64_t)1 << 20) /* one-dimensional tensors up to this are read whole */
#define PIECE_BYTES ((size_t)4 << 20)

static const struct {
    const char *name;
    size_t bytes_max;
    bool in_id;
} sides[] = {
    {"config.json", (size_t)4 << 20, true},
    {"generation_config.json", (size_t)4 << 20, false},
    {"tokenizer.json", (size_t)128 << 20, true},
};

#define N_SIDES (sizeof sides / sizeof sides[0])

/** Read a side file; *out is NULL when the package has none. */
static glm_status read_side(const glm_tensor_file *file, size_t side, char **out, size_t *size,
                            glm_error *err)
{
    *out = NULL;
    *size = 0;
    if (file->format == GLM_FORMAT_GGUF || !glm_dir_has(file->dir, sides[side].name))
        return GLM_OK;
    return glm_file_read(out, size, file->dir, sides[side].name, sides[side].bytes_max, err);
}

/** Label what follows, so that no two packages feed the digest the same bytes. */
static void label(glm_sha256 *sha, const char *what, uint64_t number, uint64_t size)
{
    char text[96];
    int n = snprintf(text, sizeof text, "%s %llu %llu\n", what, (unsigned long long)number,
                     (unsigned long long)size);
    glm_sha256_update(sha, text, (size_t)n);
}

/* ---- Short identity ---- */

/** A range of a part that goes into the short identity. */
typedef struct sample {
    uint64_t group; /* hash of layer and kind */
    uint64_t draw;  /* hash of the name: the smallest of a group is taken */
    uint64_t offset;
    uint32_t part, size_bytes;
} sample;

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_groups(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    return x->group != y->group ? compare_u64(x->group, y->group) : compare_u64(x->draw, y->draw);
}

static int compare_places(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    return x->part != y->part ? compare_u64(x->part, y->part) : compare_u64(x->offset, y->offset);
}

/** Hash of a name in which every number but the first, the layer's, is replaced by a sign. */
static uint64_t hash_group(const char *name)
{
    char text[GLM_TENSOR_NAME_MAX + 1];
    size_t n = 0, n_numbers = 0;
    for (const char *p = name; *p; p++) {
        bool is_digit = *p >= '0' && *p <= '9';
        bool is_first = is_digit && (p == name || p[-1] < '0' || p[-1] > '9');
        n_numbers += is_first;
        if (!is_digit || n_numbers == 1)
            text[n++] = *p;
        else if (is_first)
            text[n++] = '#';
    }
    return glm_hash64(text, n, 0);
}

/** The page of a tensor that stands for it. */
static sample sample_of(const glm_tensor *tensor)
{
    sample s = {.group = hash_group(tensor->name),
                .draw = glm_hash64(tensor->name, strlen(tensor->name), 0),
                .part = tensor->file};
    uint64_t begin = tensor->offset, end = begin + tensor->size_bytes;
    uint64_t at = (begin + s.draw % tensor->size_bytes) & ~(uint64_t)(SAMPLE_BYTES - 1);
    s.offset = at < begin ? begin : at;
    uint64_t size = end - s.offset;
    s.size_bytes = size < SAMPLE_BYTES ? (uint32_t)size : SAMPLE_BYTES;
    return s;
}

/** Choose what to read: *out is from malloc, in the order of the files. */
static glm_status choose_samples(const glm_tensor_file *file, sample **out, size_t *n_out,
                                 glm_error *err)
{
    uint32_t n_tensors = glm_tensor_file_count(file);
    sample *samples = glm_new_array(sample, n_tensors);
    if (!samples)
        return glm_fail(err, GLM_ENOMEM, "identity of %u tensors", n_tensors);
    size_t n = 0;
    for (uint32_t i = 0; i < n_tensors; i++) {
        const glm_tensor *tensor = glm_tensor_file_at(file, i);
        samples[i] = sample_of(tensor);
        if (tensor->n_dims == 1 && tensor->size_bytes <= VECTOR_BYTES_MAX) {
            samples[i].offset = tensor->offset;
            samples[i].size_bytes = (uint32_t)tensor->size_bytes;
            samples[i].group = samples[i].draw; /* a group of its own: always taken */
        }
    }
    qsort(samples, n_tensors, sizeof *samples, compare_groups);
    for (uint32_t i = 0; i < n_tensors; i++)
        if (i == 0 || samples[i].group != samples[i - 1].group)
            samples[n++] = samples[i];
    qsort(samples, n, sizeof *samples, compare_places);
    *out = samples;
    *n_out = n;
    return GLM_OK;
}

static glm_status hash_range(const glm_tensor_file *file, glm_sha256 *sha, uint32_t part,
                             uint64_t offset, uint64_t size, unsigned char *buffer, glm_error *err)
{
    while (size) {
        size_t n = size < PIECE_BYTES ? (size_t)size : PIECE_BYTES;
        glm_status st = glm_file_read_at(&file->parts[part].file, buffer, n, offset, err);
        if (st != GLM_OK)
            return st;
        glm_sha256_update(sha, buffer, n);
        offset += n;
        size -= n;
    }
    return GLM_OK;
}

static glm_status hash_samples(const glm_tensor_file *file, glm_sha256 *sha, unsigned char *buffer,
                               glm_error *err)
{
    sample *samples = NULL;
    size_t n = 0;
    glm_status st = choose_samples(file, &samples, &n, err);
    if (st != GLM_OK)
        return st;
    for (size_t i = 0; i < n; i++) /* the disk may fetch them all at once */
        glm_file_prefetch(&file->parts[samples[i].part].file, samples[i].offset,
                          samples[i].size_bytes);
    for (size_t i = 0; i < n && st == GLM_OK; i++) {
        label(sha, "sample", samples[i].part, samples[i].offset);
        st = hash_range(file, sha, samples[i].part, samples[i].offset, samples[i].size_bytes,
                        buffer, err);
    }
    free(samples);
    return st;
}

static glm_status hash_for_id(const glm_tensor_file *file, glm_sha256 *sha, glm_error *err)
{
    for (size_t side = 0; side < N_SIDES; side++) {
        char *data;
        size_t size;
        if (!sides[side].in_id)
            continue;
        glm_status st = read_side(file, side, &data, &size, err);
        if (st != GLM_OK)
            return st;
        label(sha, sides[side].name, data != NULL, size);
        glm_sha256_update(sha, data, size);
        free(data);
    }
    unsigned char *buffer = malloc(PIECE_BYTES);
    if (!buffer)
        return glm_fail(err, GLM_ENOMEM, "identity");
    glm_status st = GLM_OK;
    for (uint32_t part = 0; part < file->n_parts && st == GLM_OK; part++) {
        label(sha, "head", part, file->parts[part].data_begin);
        st = hash_range(file, sha, part, 0, file->parts[part].data_begin, buffer, err);
    }
    if (st == GLM_OK)
        st = hash_samples(file, sha, buffer, err);
    free(buffer);
    return st;
}

glm_status glm_identity_id(const glm_tensor_file *file, char out[GLM_IDENTITY_BYTES],
                           glm_error *err)
{
    glm_sha256 *sha;
    glm_status st = glm_sha256_create(&sha, err);
    if (st != GLM_OK)
        return st;
    label(sha, "glm identity", 1, file->n_parts); /* 1: the version of this rule */
    st = hash_for_id(file, sha, err);
    if (st != GLM_OK) {
        glm_sha256_destroy(sha);
        return st;
    }
    return glm_sha256_finish(sha, out, err);
}

/* ---- Tensors alone ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const glm_tensor *const *)a)->name, (*(const glm_tensor *const *)b)->name);
}

/** The begin of a tensor, and a page at a place drawn from its name. */
static void hash_tensor(glm_sha256 *sha, const glm_tensor *t)
{
    glm_sha256_update(sha, t->name, strlen(t->name) + 1);
    label(sha, "tensor", t->type, t->size_bytes);
    glm_sha256_update(sha, t->dim, t->n_dims * sizeof t->dim[0]);
    uint64_t draw = glm_hash64(t->name, strlen(t->name), 0) % t->size_bytes;
    const uint64_t begin[2] = {0, draw};
    for (int i = 0; i < 2; i++) {
        uint64_t left = t->size_bytes - begin[i];
        glm_sha256_update(sha, (const unsigned char *)t->data + begin[i],
                          left < SAMPLE_BYTES ? (size_t)left : SAMPLE_BYTES);
    }
}

glm_status glm_identity_tensors(const glm_tensor_file *file, char out[GLM_IDENTITY_BYTES],
                                glm_error *err)
{
    const uint32_t n = glm_tensor_file_count(file);
    const glm_tensor **order = glm_new_array(const glm_tensor *, n);
    if (!order)
        return glm_fail(err, GLM_ENOMEM, "identity of %u tensors", n);
    glm_sha256 *sha;
    glm_status st = glm_sha256_create(&sha, err);
    if (st == GLM_OK) {
        for (uint32_t i = 0; i < n; i++)
            order[i] = glm_tensor_file_at(file, i);
        qsort(order, n, sizeof *order, compare_names);
        for (uint32_t i = 0; i < n; i++)
            hash_tensor(sha, order[i]);
        st = glm_sha256_finish(sha, out, err);
    }
    free(order);
    if (st == GLM_OK && glm_tensor_file_is_bad(file))
        st = glm_fail(err, GLM_EIO, "identity: a page could not be read");
    return st;
}

/* ---- Content ---- */

typedef struct content {
    const glm_tensor_file *file;
    glm_sha256 *list; /* over the digests of the files, a line each */
    glm_identity_fn *on_piece;
    void *ctx;
    uint64_t done_bytes, total_bytes;
} content;

/** Hash one file that lies in memory and enter its digest in the list. */
static glm_status hash_file(content *c, const char *name, uint32_t part, const glm_map *map,
                            glm_error *err)
{
    glm_sha256 *sha;
    glm_status st = glm_sha256_create(&sha, err);
    if (st != GLM_OK)
        return st;
    for (uint64_t at = 0; at < map->size_bytes && st == GLM_OK;) {
        uint64_t left = map->size_bytes - at;
        size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        glm_map_prefetch(map, at + n, PIECE_BYTES);
        glm_sha256_update(sha, map->data + at, n);
        if (glm_map_is_bad(map))
            st = glm_fail(err, GLM_EIO, "%s: byte %llu: a page could not be read", name,
                          (unsigned long long)at);
        c->done_bytes += n;
        if (st == GLM_OK && c->on_piece)
            st = c->on_piece(c->ctx,
                             &(glm_identity_piece){name, part, at, map->data + at, n, c->done_bytes,
                                                   c->total_bytes},
                             err);
        at += n;
    }
    char line[GLM_IDENTITY_BYTES];
    if (st != GLM_OK) {
        glm_sha256_destroy(sha);
        return st;
    }
    st = glm_sha256_finish(sha, line, err);
    line[GLM_IDENTITY_BYTES - 1] = '\n';
    glm_sha256_update(c->list, line, GLM_IDENTITY_BYTES);
    return st;
}

static glm_status hash_sides(content *c, glm_error *err)
{
    for (size_t side = 0; side < N_SIDES; side++) {
        char *data;
        size_t size;
        glm_status st = read_side(c->file, side, &data, &size, err);
        if (st != GLM_OK)
            return st;
        if (!data)
            continue;
        c->total_bytes += size;
        glm_map map = {.data = (const unsigned char *)data, .size_bytes = size};
        st = hash_file(c, sides[side].name, c->file->n_parts, &map, err);
        free(data);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

static glm_status hash_content(content *c, glm_error *err)
{
    const glm_tensor_file *file = c->file;
    for (uint32_t part = 0; part < file->n_parts; part++)
        c->total_bytes += file->parts[part].file.size_bytes;
    glm_status st = hash_sides(c, err);
    for (uint32_t part = 0; part < file->n_parts && st == GLM_OK; part++) {
        st = hash_file(c, glm_tensor_file_part_name(file, part), part, &file->parts[part].map, err);
        if (st == GLM_OK && !file->options.read)
            st = glm_file_check_unchanged(&file->parts[part].file, err);
    }
    return st;
}

glm_status glm_identity_content(const glm_tensor_file *file, char out[GLM_IDENTITY_BYTES],
                                glm_identity_fn *on_piece, void *ctx, glm_error *err)
{
    content c = {.file = file, .on_piece = on_piece, .ctx = ctx};
    glm_status st = glm_sha256_create(&c.list, err);
    if (st != GLM_OK)
        return st;
    st = hash_content(&c, err);
    if (st != GLM_OK) {
        glm_sha256_destroy(c.list);
        return st;
    }
    return glm_sha256_finish(c.list, out, err);
}
