// SPDX-License-Identifier: MIT
/* Receipts in files: as JSON under one key of a GGUF's metadata, read and written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/metadata.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/file_out.h"
#include "core/json.h"
#include "core/json_write.h"
#include "core/mem.h"
#include "formats/identity.h"
#include "glm/quantize.h"
#include "model/loaded.h"

#define RECEIPT_VERSION 1
#define RECEIPT_BYTES_MAX ((size_t)64 << 10)
#define TREE_BYTES_MAX ((size_t)4 << 20)
#define JSON_DEPTH_MAX 16
#define COPY_BYTES ((size_t)4 << 20)

/* ---- As JSON ---- */

glm_status glm_receipt_json(const glm_receipt *r, char **out, glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "version", RECEIPT_VERSION);
    glm_json_put_c(&w, "glm", r->version);
    glm_json_put_c(&w, "tensors", r->tensors);
    glm_json_put_c(&w, "reference", r->reference);
    glm_json_put_c(&w, "reference_name", r->reference_name);
    glm_json_put_c(&w, "text_sha256", r->text_sha256);
    glm_json_put_c(&w, "text_name", r->text_name);
    glm_json_put_c(&w, "precision", r->precision);
    glm_json_put_u64(&w, "tokens", r->n_tokens);
    glm_json_put_u64(&w, "window", r->window);
    glm_json_put_u64(&w, "rows", r->n_rows);
    glm_json_put_double(&w, "kl_mean", r->kl_mean);
    glm_json_put_double(&w, "kl_p99", r->kl_p99);
    glm_json_put_double(&w, "kl_max", r->kl_max);
    glm_json_put_double(&w, "top1", r->top1);
    glm_json_put_double(&w, "perplexity_reference", r->perplexity_reference);
    glm_json_put_double(&w, "perplexity", r->perplexity);
    glm_json_put_double(&w, "experts_overlap", r->experts_overlap);
    glm_json_put_double(&w, "selection_overlap", r->selection_overlap);
    glm_json_put_u64(&w, "selection_rows", r->n_selection_rows);
    glm_json_put_u64(&w, "needles", r->n_needle);
    glm_json_put_double(&w, "needle_reference", r->needle_reference);
    glm_json_put_double(&w, "needle", r->needle);
    glm_json_put_u64(&w, "tool_calls_asked", r->n_tool_calls);
    glm_json_put_double(&w, "tool_calls_reference", r->tool_calls_reference);
    glm_json_put_double(&w, "tool_calls", r->tool_calls);
    glm_json_end_object(&w);
    if (json.has_failed) {
        glm_str_deinit(&json);
        return glm_fail(err, GLM_ENOMEM, "receipt");
    }
    *out = json.data;
    return GLM_OK;
}

static void read_text(char *out, size_t size, const glm_json *root, const char *key)
{
    const glm_json *v = glm_json_get(root, key);
    snprintf(out, size, "%s", v && v->type == GLM_JSON_STRING ? v->text : "");
}

static double read_double(const glm_json *root, const char *key)
{
    const glm_json *v = glm_json_get(root, key);
    double d;
    bool is_number =
        v && v->type == GLM_JSON_NUMBER && glm_json_text_double(v->text, v->length, &d);
    return is_number ? d : (double)NAN;
}

static uint64_t read_u64(const glm_json *root, const char *key)
{
    const glm_json *v = glm_json_get(root, key);
    uint64_t n;
    bool is_count = v && v->type == GLM_JSON_NUMBER && glm_json_text_u64(v->text, v->length, &n);
    return is_count ? n : 0;
}

static glm_status from_json(glm_receipt *r, glm_bytes text, glm_error *err)
{
    glm_arena arena;
    const glm_json *root = NULL;
    glm_arena_init(&arena, TREE_BYTES_MAX);
    glm_status st = glm_json_read(&root, &arena, text.data, text.size, JSON_DEPTH_MAX, err);
    if (st == GLM_OK && read_u64(root, "version") != RECEIPT_VERSION)
        st = glm_fail(err, GLM_EUNSUPP, "version: expected %d", RECEIPT_VERSION);
    if (st == GLM_OK) {
        memset(r, 0, sizeof *r);
        read_text(r->version, sizeof r->version, root, "glm");
        read_text(r->tensors, sizeof r->tensors, root, "tensors");
        read_text(r->reference, sizeof r->reference, root, "reference");
        read_text(r->reference_name, sizeof r->reference_name, root, "reference_name");
        read_text(r->text_sha256, sizeof r->text_sha256, root, "text_sha256");
        read_text(r->text_name, sizeof r->text_name, root, "text_name");
        read_text(r->precision, sizeof r->precision, root, "precision");
        r->n_tokens = read_u64(root, "tokens");
        r->window = (uint32_t)read_u64(root, "window");
        r->n_rows = read_u64(root, "rows");
        r->kl_mean = read_double(root, "kl_mean");
        r->kl_p99 = read_double(root, "kl_p99");
        r->kl_max = read_double(root, "kl_max");
        r->top1 = read_double(root, "top1");
        r->perplexity_reference = read_double(root, "perplexity_reference");
        r->perplexity = read_double(root, "perplexity");
        r->experts_overlap = read_double(root, "experts_overlap");
        r->selection_overlap = read_double(root, "selection_overlap");
        r->n_selection_rows = read_u64(root, "selection_rows");
        r->n_needle = read_u64(root, "needles");
        r->needle_reference = read_double(root, "needle_reference");
        r->needle = read_double(root, "needle");
        r->n_tool_calls = read_u64(root, "tool_calls_asked");
        r->tool_calls_reference = read_double(root, "tool_calls_reference");
        r->tool_calls = read_double(root, "tool_calls");
    }
    glm_arena_deinit(&arena);
    return st == GLM_OK ? st : glm_fail_context(err, st, "key %s", GLM_RECEIPT_KEY);
}

/* ---- Read ---- */

static bool is_blank(glm_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != ' ')
            return false;
    return true;
}

glm_status glm_model_receipt(const glm_model *model, glm_receipt *out, bool *is_of_these,
                             glm_error *err)
{
    glm_bytes text;
    if (!glm_tensor_file_get_string(model->file, GLM_RECEIPT_KEY, &text) || is_blank(text))
        return glm_fail(err, GLM_ENOENT, "%s: expected a receipt, got none", model->path);
    if (text.size > RECEIPT_BYTES_MAX)
        return glm_fail(err, GLM_ELIMIT, "key %s: expected at most %zu bytes, got %zu",
                        GLM_RECEIPT_KEY, RECEIPT_BYTES_MAX, text.size);
    glm_receipt r;
    char tensors[GLM_IDENTITY_BYTES];
    glm_status st = from_json(&r, text, err);
    if (st == GLM_OK)
        st = glm_identity_tensors(model->file, tensors, err);
    if (st != GLM_OK)
        return st;
    *is_of_these = strcmp(r.tensors, tensors) == 0;
    *out = r;
    return GLM_OK;
}

/* ---- Write ---- */

/* The head of a GGUF file, read for changing it. */
typedef struct opened {
    glm_dir *dir;
    glm_file file;
    glm_map map;
    glm_gguf gguf;
    glm_directory directory;
    uint64_t data_begin;
} opened;

static void close_file(opened *o)
{
    glm_gguf_deinit(&o->gguf);
    glm_directory_deinit(&o->directory);
    glm_map_close(&o->map);
    glm_file_close(&o->file);
    glm_dir_close(o->dir);
}

static glm_status open_file(opened *o, const char *path, glm_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    memset(o, 0, sizeof *o);
    o->file.fd = -1;
    glm_directory_init(&o->directory);
    glm_status st =
        folder ? glm_dir_open(&o->dir, folder, true, err) : glm_fail(err, GLM_ENOMEM, "%s", path);
    free(folder);
    if (st == GLM_OK)
        st = glm_file_open(&o->file, o->dir, slash ? slash + 1 : path, err);
    if (st == GLM_OK)
        st = glm_map_open(&o->map, &o->file, err);
    if (st != GLM_OK)
        return st;
    st = glm_gguf_read(&o->gguf, &o->directory, o->map.data, o->map.size_bytes, 0, &o->data_begin,
                       err);
    return st == GLM_OK ? st : glm_fail_context(err, st, "%s", path);
}

/* There is room under the key: its bytes change, and no other. */
static glm_status write_in_place(const opened *o, const char *path, glm_bytes room,
                                 glm_text receipt, glm_error *err)
{
    char *padded = malloc(room.size);
    if (!padded)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    memset(padded, ' ', room.size);
    memcpy(padded, receipt.data, receipt.length);
    uint64_t offset = (uint64_t)((const unsigned char *)room.data - o->map.data);
    glm_status st = glm_file_overwrite(path, padded, room.size, offset, err);
    free(padded);
    return st;
}

/* Where the directory of tensors begins: behind the last pair. */
static const unsigned char *directory_begin(const opened *o)
{
    const unsigned char *end = o->map.data + 24; /* magic, version and two counts */
    for (uint32_t i = 0; i < o->gguf.n_pairs; i++) {
        const glm_gguf_pair *p = &o->gguf.pairs[i];
        const unsigned char *e = p->type == GLM_GGUF_ARRAY
                                     ? p->array.end
                                     : (const unsigned char *)p->value.data + p->value.size;
        end = e > end ? e : end;
    }
    return end;
}

static glm_status make_head(const opened *o, glm_text receipt, glm_str *out, glm_error *err)
{
    glm_gguf_head head = {0};
    for (uint32_t i = 0; i < o->gguf.n_pairs; i++) {
        const glm_gguf_pair *p = &o->gguf.pairs[i];
        if (!glm_text_is((glm_text){p->key.data, p->key.size}, GLM_RECEIPT_KEY))
            glm_gguf_put_pair(&head, p);
    }
    glm_str padded = {0};
    glm_str_append_text(&padded, receipt);
    while (padded.length < GLM_RECEIPT_BYTES && !padded.has_failed)
        glm_str_append_c(&padded, " ");
    head.pairs.has_failed |= padded.has_failed;
    glm_gguf_put_string(&head, GLM_RECEIPT_KEY, glm_str_text(&padded));
    glm_str_deinit(&padded);
    const unsigned char *begin = directory_begin(o);
    glm_str_append(&head.tensors, (const char *)begin,
                   (size_t)(o->map.data + o->gguf.head_bytes - begin));
    head.n_tensors = o->directory.names.n;
    uint64_t alignment = GLM_GGUF_ALIGNMENT;
    (void)glm_gguf_as_u64(glm_gguf_find(&o->gguf, "general.alignment"), &alignment); /* checked */
    glm_status st = glm_gguf_head_finish(&head, alignment, out, err);
    glm_gguf_head_deinit(&head);
    return st;
}

static glm_status copy_data(const opened *o, const glm_file_out *out, uint64_t at, glm_error *err)
{
    uint64_t from = o->data_begin, end = o->file.size_bytes;
    void *bytes = malloc(COPY_BYTES);
    glm_status st = bytes ? GLM_OK : glm_fail(err, GLM_ENOMEM, "copying");
    while (st == GLM_OK && from < end) {
        size_t n = end - from < COPY_BYTES ? (size_t)(end - from) : COPY_BYTES;
        st = glm_file_read_at(&o->file, bytes, n, from, err);
        if (st == GLM_OK)
            st = glm_file_out_write_at(out, bytes, n, at, err);
        if (st == GLM_OK)
            glm_file_out_release(out, at, n);
        from += n;
        at += n;
    }
    free(bytes);
    return st;
}

/* No room: the file is written anew beside itself and takes its own place when it is whole. */
static glm_status write_copy(const opened *o, const char *path, glm_text receipt, glm_error *err)
{
    glm_str head = {0};
    glm_file_out out = GLM_FILE_OUT_NONE;
    glm_status st = make_head(o, receipt, &head, err);
    if (st == GLM_OK)
        st = glm_file_out_create(&out, path, false, err);
    if (st == GLM_OK)
        st = glm_file_out_resize(&out, head.length + (o->file.size_bytes - o->data_begin), err);
    if (st == GLM_OK)
        st = glm_file_out_write_at(&out, head.data, head.length, 0, err);
    if (st == GLM_OK)
        st = copy_data(o, &out, head.length, err);
    if (st == GLM_OK)
        st = glm_file_check_unchanged(&o->file, err);
    if (st == GLM_OK)
        st = glm_file_out_commit(&out, err);
    glm_file_out_abandon(&out);
    glm_str_deinit(&head);
    return st;
}

glm_status glm_receipt_write(const glm_receipt *receipt, const char *path, glm_error *err)
{
    opened o;
    char *json = NULL;
    glm_status st = glm_receipt_json(receipt, &json, err);
    if (st != GLM_OK)
        return st;
    st = open_file(&o, path, err);
    if (st == GLM_OK) {
        const glm_gguf_pair *pair = glm_gguf_find(&o.gguf, GLM_RECEIPT_KEY);
        glm_text text = glm_text_c(json);
        glm_bytes room = {NULL, 0};
        if (pair)
            (void)glm_gguf_as_string(pair, &room);
        st = room.size >= text.length ? write_in_place(&o, path, room, text, err)
                                      : write_copy(&o, path, text, err);
    }
    close_file(&o);
    free(json);
    return st;
}
