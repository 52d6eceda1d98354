// SPDX-License-Identifier: MIT
#include "formats/tensor_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/vmem.h"
#include "formats/directory.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "formats/tensor_file_internal.h"

#define INDEX_NAME "model.safetensors.index.json"
#define SINGLE_NAME "model.safetensors"
#define SPLIT_SUFFIX_BYTES 20 /* of "-00001-of-00003.gguf" */

/* ---- Parts ---- */

/** Make room for n parts, none of them open. */
static glm_status alloc_parts(glm_tensor_file *file, uint32_t n, glm_error *err)
{
    file->parts = glm_new_array(glm_part, n);
    if (!file->parts)
        return glm_fail(err, GLM_ENOMEM, "list of files");
    file->n_parts = n;
    for (uint32_t i = 0; i < n; i++)
        file->parts[i].file.fd = -1;
    return GLM_OK;
}

/**
 * Open and map the file `name` as part `index`. `is_named` when the package names it: then its absence is damage, not a
 * wrong path.
 */
static glm_status open_part(glm_tensor_file *file, uint32_t index, const char *name, bool is_named,
                            glm_error *err)
{
    glm_part *part = &file->parts[index];
    glm_status st = glm_file_open(&part->file, file->dir, name, err);
    if (st == GLM_ENOENT && is_named)
        st = glm_fail(err, GLM_EFORMAT, "%s: %s: expected the file, got none",
                      glm_dir_path(file->dir), name);
    if (st != GLM_OK)
        return st;
    return file->options.read ? glm_map_read(&part->map, &part->file, err)
                              : glm_map_open(&part->map, &part->file, err);
}

/* ---- safetensors ---- */

/** Read the header of an open part and enter its tensors. */
static glm_status read_shard(glm_tensor_file *file, uint32_t index, bool is_indexed, glm_error *err)
{
    glm_part *part = &file->parts[index];
    uint64_t size = part->file.size_bytes, length;
    if (size < sizeof length)
        return glm_fail(err, GLM_EFORMAT,
                        "%s: byte 0: header length: expected 8 bytes, got a file of %llu",
                        part->file.path, (unsigned long long)size);
    glm_status st = glm_file_read_at(&part->file, &length, sizeof length, 0, err);
    if (st != GLM_OK)
        return st;
    if (length > size - sizeof length)
        return glm_fail(err, GLM_EFORMAT,
                        "%s: byte 0: header length: expected at most the %llu bytes behind it, got "
                        "%llu",
                        part->file.path, (unsigned long long)(size - sizeof length),
                        (unsigned long long)length);
    if (length > GLM_SAFETENSORS_HEADER_MAX)
        return glm_fail(err, GLM_ELIMIT,
                        "%s: byte 0: header length: expected at most %u bytes, got %llu",
                        part->file.path, GLM_SAFETENSORS_HEADER_MAX, (unsigned long long)length);

    char *json = malloc((size_t)length + 1);
    if (!json)
        return glm_fail(err, GLM_ENOMEM, "%s: header", part->file.path);
    st = glm_file_read_at(&part->file, json, (size_t)length, sizeof length, err);
    if (st == GLM_OK) {
        st = glm_safetensors_read_header(&file->directory, json, (size_t)length,
                                         size - sizeof length - length, index, is_indexed, err);
        if (st != GLM_OK)
            st = glm_fail_context(err, st, "%s: header", part->file.path);
    }
    free(json);
    part->data_begin = sizeof length + length;
    part->data_end = size;
    return st;
}

/** Refuse tensors that the index names and no header holds. */
static glm_status check_filled(const glm_tensor_file *file, glm_error *err)
{
    const glm_directory *directory = &file->directory;
    for (uint32_t i = 0; i < directory->names.n; i++)
        if (directory->tensors[i].n_dims == 0)
            return glm_fail(err, GLM_EFORMAT, "%s: tensor %s: expected by the index, got none",
                            file->parts[directory->tensors[i].file].file.path,
                            directory->names.text[i]);
    return GLM_OK;
}

static glm_status open_sharded(glm_tensor_file *file, glm_error *err)
{
    char *json;
    size_t size;
    glm_status st =
        glm_file_read(&json, &size, file->dir, INDEX_NAME, GLM_SAFETENSORS_INDEX_MAX, err);
    if (st != GLM_OK)
        return st;
    glm_names shards;
    st = glm_safetensors_read_index(&file->directory, &shards, json, size, err);
    free(json);
    if (st != GLM_OK)
        return glm_fail_context(err, st, "%s/%s", glm_dir_path(file->dir), INDEX_NAME);

    st = alloc_parts(file, shards.n, err);
    for (uint32_t i = 0; i < shards.n && st == GLM_OK; i++)
        st = open_part(file, i, shards.text[i], true, err);
    for (uint32_t i = 0; i < shards.n && st == GLM_OK; i++)
        st = read_shard(file, i, true, err);
    glm_names_deinit(&shards);
    return st == GLM_OK ? check_filled(file, err) : st;
}

static glm_status open_folder(glm_tensor_file *file, const char *path, glm_error *err)
{
    file->format = GLM_FORMAT_SAFETENSORS;
    glm_status st = glm_dir_open(&file->dir, path, file->options.follow_links, err);
    if (st != GLM_OK)
        return st;
    if (glm_dir_has(file->dir, SINGLE_NAME)) {
        st = alloc_parts(file, 1, err);
        if (st == GLM_OK)
            st = open_part(file, 0, SINGLE_NAME, false, err);
        if (st == GLM_OK)
            st = read_shard(file, 0, false, err);
    } else if (glm_dir_has(file->dir, INDEX_NAME)) {
        st = open_sharded(file, err);
    } else {
        st = glm_fail(err, GLM_EFORMAT, "%s: expected %s or %s, got neither", path, SINGLE_NAME,
                      INDEX_NAME);
        glm_error_hint(err, "for GGUF name the file, of several parts the first");
    }
    return st == GLM_OK
               ? glm_directory_finish(&file->directory, file->parts, file->n_parts, true, err)
               : st;
}

/* ---- GGUF ---- */

/** Read the head of an open part into *gguf. */
static glm_status read_gguf(glm_tensor_file *file, uint32_t index, glm_gguf *gguf, glm_error *err)
{
    glm_part *part = &file->parts[index];
    glm_status st = glm_gguf_read(gguf, &file->directory, part->map.data, part->map.size_bytes,
                                  index, &part->data_begin, err);
    part->data_end = part->map.size_bytes;
    return st == GLM_OK ? st : glm_fail_context(err, st, "%s", part->file.path);
}

/** An integer key of one part, or `otherwise` when it is absent. */
static glm_status split_key(const glm_part *part, const glm_gguf *gguf, const char *key,
                            uint64_t otherwise, uint64_t *out, glm_error *err)
{
    const glm_gguf_pair *pair = glm_gguf_find(gguf, key);
    *out = otherwise;
    if (!pair || glm_gguf_as_u64(pair, out))
        return GLM_OK;
    return glm_fail(err, GLM_EFORMAT, "%s: key %s: expected an integer of 0 or more",
                    part->file.path, key);
}

/** Refuse a part whose `key` is not `expected`. */
static glm_status expect_key(const glm_part *part, const glm_gguf *gguf, const char *key,
                             uint64_t expected, glm_error *err)
{
    uint64_t value;
    if (!glm_gguf_find(gguf, key))
        return glm_fail(err, GLM_EFORMAT, "%s: key %s: expected %llu, got none", part->file.path,
                        key, (unsigned long long)expected);
    glm_status st = split_key(part, gguf, key, expected, &value, err);
    if (st == GLM_OK && value != expected)
        st = glm_fail(err, GLM_EFORMAT, "%s: key %s: expected %llu, got %llu", part->file.path, key,
                      (unsigned long long)expected, (unsigned long long)value);
    return st;
}

/** "m-00001-of-00003.gguf" -> "m-00002-of-00003.gguf". False when `name` is not of that form. */
static bool part_name(char *out, size_t out_bytes, const char *name, uint64_t part, uint64_t count)
{
    char suffix[64];
    size_t length = strlen(name);
    snprintf(suffix, sizeof suffix, "-00001-of-%05llu.gguf", (unsigned long long)count);
    if (strlen(suffix) != SPLIT_SUFFIX_BYTES || length < SPLIT_SUFFIX_BYTES ||
        length >= out_bytes || strcmp(name + length - SPLIT_SUFFIX_BYTES, suffix) != 0)
        return false;
    snprintf(out, out_bytes, "%.*s-%05llu-of-%05llu.gguf", (int)(length - SPLIT_SUFFIX_BYTES), name,
             (unsigned long long)part, (unsigned long long)count);
    return true;
}

/** Open part `index` of a split file and check that it says so itself. */
static glm_status open_next_part(glm_tensor_file *file, uint32_t index, const char *first_name,
                                 glm_error *err)
{
    char name[512];
    part_name(name, sizeof name, first_name, index + 1, file->n_parts);
    glm_gguf gguf = {0};
    glm_status st = open_part(file, index, name, true, err);
    if (st == GLM_OK)
        st = read_gguf(file, index, &gguf, err);
    const glm_part *part = &file->parts[index];
    if (st == GLM_OK)
        st = expect_key(part, &gguf, "split.no", index, err);
    if (st == GLM_OK)
        st = expect_key(part, &gguf, "split.count", file->n_parts, err);
    glm_gguf_deinit(&gguf);
    return st;
}

static glm_status open_split(glm_tensor_file *file, const char *name, uint64_t count,
                             glm_error *err)
{
    const char *path = file->parts[0].file.path;
    char next[512];
    if (count > GLM_PARTS_MAX)
        return glm_fail(err, GLM_ELIMIT, "%s: key split.count: expected at most %u, got %llu", path,
                        GLM_PARTS_MAX, (unsigned long long)count);
    if (!part_name(next, sizeof next, name, 2, count))
        return glm_fail(
            err, GLM_EFORMAT,
            "%s: expected a name that ends in -00001-of-%05llu.gguf, as split.count says", path,
            (unsigned long long)count);

    glm_part *parts = glm_new_array(glm_part, (size_t)count);
    if (!parts)
        return glm_fail(err, GLM_ENOMEM, "list of files");
    parts[0] = file->parts[0];
    for (uint32_t i = 1; i < count; i++)
        parts[i].file.fd = -1;
    free(file->parts);
    file->parts = parts;
    file->n_parts = (uint32_t)count;

    glm_status st = GLM_OK;
    for (uint32_t i = 1; i < count && st == GLM_OK; i++)
        st = open_next_part(file, i, name, err);
    uint64_t n_tensors = 0;
    if (st == GLM_OK)
        st = split_key(&file->parts[0], &file->gguf, "split.tensors.count", file->directory.names.n,
                       &n_tensors, err);
    if (st == GLM_OK && n_tensors != file->directory.names.n)
        st = glm_fail(err, GLM_EFORMAT,
                      "%s: key split.tensors.count: expected the %u tensors of all parts, got %llu",
                      file->parts[0].file.path, file->directory.names.n,
                      (unsigned long long)n_tensors);
    return st;
}

/** Split a path into a folder, which the caller frees, and the name of a file in it. */
static char *folder_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    size_t length = slash ? (size_t)(slash - path) : 0;
    const char *folder = slash ? path : ".";
    if (length == 0)
        length = 1; /* "/" or "." */
    char *copy = glm_calloc(1, length + 1);
    if (copy)
        memcpy(copy, folder, length);
    return copy;
}

static glm_status open_gguf(glm_tensor_file *file, const char *path, glm_error *err)
{
    file->format = GLM_FORMAT_GGUF;
    const char *name;
    char *folder = folder_of(path, &name);
    if (!folder)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    glm_status st = glm_dir_open(&file->dir, folder, file->options.follow_links, err);
    free(folder);
    if (st == GLM_OK)
        st = alloc_parts(file, 1, err);
    if (st == GLM_OK)
        st = open_part(file, 0, name, false, err);
    if (st == GLM_OK)
        st = read_gguf(file, 0, &file->gguf, err);
    if (st != GLM_OK)
        return st;

    uint64_t number = 0, count = 1;
    st = split_key(&file->parts[0], &file->gguf, "split.no", 0, &number, err);
    if (st == GLM_OK)
        st = split_key(&file->parts[0], &file->gguf, "split.count", 1, &count, err);
    if (st == GLM_OK && number != 0) {
        st = glm_fail(err, GLM_EFORMAT, "%s: key split.no: expected 0 in the first part, got %llu",
                      path, (unsigned long long)number);
        glm_error_hint(err, "name the file that ends in -00001-of-%05llu.gguf",
                       (unsigned long long)count);
    }
    if (st == GLM_OK && count > 1)
        st = open_split(file, name, count, err);
    return st == GLM_OK
               ? glm_directory_finish(&file->directory, file->parts, file->n_parts, false, err)
               : st;
}

/* ---- Open and close ---- */

static glm_status open_any(glm_tensor_file *file, const char *path, glm_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        bool is_absent = errno == ENOENT || errno == ENOTDIR;
        return glm_fail(err, is_absent ? GLM_ENOENT : GLM_EIO,
                        "%s: expected a folder or a .gguf file, got %s", path,
                        is_absent ? "nothing of that name" : "no access");
    }
    if (S_ISDIR(info.st_mode))
        return open_folder(file, path, err);
    return open_gguf(file, path, err);
}

glm_status glm_tensor_file_open(glm_tensor_file **out, const char *path,
                                const glm_tensor_file_options *options, glm_error *err)
{
    glm_tensor_file *file = glm_new(glm_tensor_file);
    if (!file)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    file->options = *options;
    glm_directory_init(&file->directory);
    glm_status st = open_any(file, path, err);
    if (st == GLM_OK && glm_tensor_file_is_bad(file))
        st = glm_fail(err, GLM_EIO, "%s: a page could not be read", path);
    if (st != GLM_OK) {
        glm_tensor_file_close(file);
        return st;
    }
    *out = file;
    return GLM_OK;
}

void glm_tensor_file_close(glm_tensor_file *file)
{
    if (!file)
        return;
    for (uint32_t i = 0; i < file->n_parts; i++) {
        glm_map_close(&file->parts[i].map);
        glm_file_close(&file->parts[i].file);
    }
    free(file->parts);
    glm_gguf_deinit(&file->gguf);
    glm_directory_deinit(&file->directory);
    glm_dir_close(file->dir);
    free(file);
}

/* ---- Access ---- */

glm_format glm_tensor_file_format(const glm_tensor_file *file)
{
    return file->format;
}

uint32_t glm_tensor_file_count(const glm_tensor_file *file)
{
    return file->directory.names.n;
}

const glm_tensor *glm_tensor_file_at(const glm_tensor_file *file, uint32_t index)
{
    return &file->directory.tensors[index];
}

const glm_tensor *glm_tensor_file_find(const glm_tensor_file *file, const char *name)
{
    uint32_t index = glm_directory_find(&file->directory, name, strlen(name));
    return index == GLM_NAME_NONE ? NULL : &file->directory.tensors[index];
}

uint32_t glm_tensor_file_index(const glm_tensor_file *file, const glm_tensor *tensor)
{
    return (uint32_t)(tensor - file->directory.tensors);
}

uint32_t glm_tensor_file_parts(const glm_tensor_file *file)
{
    return file->n_parts;
}

const char *glm_tensor_file_part_name(const glm_tensor_file *file, uint32_t part)
{
    const char *path = file->parts[part].file.path;
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

uint64_t glm_tensor_file_part_bytes(const glm_tensor_file *file, uint32_t part)
{
    return file->parts[part].file.size_bytes;
}

bool glm_tensor_file_is_bad(const glm_tensor_file *file)
{
    for (uint32_t i = 0; i < file->n_parts; i++)
        if (glm_map_is_bad(&file->parts[i].map))
            return true;
    return false;
}

void glm_tensor_file_residency(const glm_tensor_file *file, uint64_t *resident, uint64_t *large)
{
    *resident = *large = 0;
    for (uint32_t i = 0; i < file->n_parts; i++)
        if (file->parts[i].map.size_bytes)
            glm_vmem_residency(file->parts[i].map.base, file->parts[i].map.size_bytes, resident,
                               large);
}

glm_status glm_tensor_file_read_side(const glm_tensor_file *file, const char *name, size_t size_max,
                                     char **out, size_t *size, glm_error *err)
{
    if (file->format == GLM_FORMAT_GGUF)
        return glm_fail(err, GLM_ENOENT, "%s: expected a folder, got a GGUF file", name);
    return glm_file_read(out, size, file->dir, name, size_max, err);
}

const glm_gguf_pair *glm_tensor_file_pair(const glm_tensor_file *file, uint32_t index)
{
    return index < file->gguf.n_pairs ? &file->gguf.pairs[index] : NULL;
}

bool glm_tensor_file_has(const glm_tensor_file *file, const char *key)
{
    return glm_gguf_find(&file->gguf, key) != NULL;
}

bool glm_tensor_file_get_u64(const glm_tensor_file *file, const char *key, uint64_t *out)
{
    return glm_gguf_as_u64(glm_gguf_find(&file->gguf, key), out);
}

bool glm_tensor_file_get_double(const glm_tensor_file *file, const char *key, double *out)
{
    return glm_gguf_as_double(glm_gguf_find(&file->gguf, key), out);
}

bool glm_tensor_file_get_bool(const glm_tensor_file *file, const char *key, bool *out)
{
    return glm_gguf_as_bool(glm_gguf_find(&file->gguf, key), out);
}

bool glm_tensor_file_get_string(const glm_tensor_file *file, const char *key, glm_bytes *out)
{
    return glm_gguf_as_string(glm_gguf_find(&file->gguf, key), out);
}

bool glm_tensor_file_get_array(const glm_tensor_file *file, const char *key, glm_gguf_array *out)
{
    return glm_gguf_as_array(glm_gguf_find(&file->gguf, key), out);
}
