// SPDX-License-Identifier: MIT
/*
 * A model package opened for reading: its directory of tensors, and where its other parts are. One interface over
 * safetensors folders (single or sharded) and GGUF files (single or split); model binding knows nothing else.
 *
 * Opening reads directories and headers only. Every range is checked against the files: tensors lie inside their
 * file's data section and apart from each other (safetensors also without gaps); shapes, types and sizes agree.
 *
 *     glm_tensor_file *file;
 *     glm_status st = glm_tensor_file_open(&file, path, &options, err);
 *     const glm_tensor *t = glm_tensor_file_find(file, "model.norm.weight");
 */
#ifndef GLM_FORMATS_TENSOR_FILE_H
#define GLM_FORMATS_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"
#include "quant/types.h"

typedef enum glm_format {
    GLM_FORMAT_SAFETENSORS, /* a Hugging Face folder */
    GLM_FORMAT_GGUF,
} glm_format;

/** One tensor. Strings and data are borrowed from the file. */
typedef struct glm_tensor {
    const char *name;
    glm_type type;
    uint32_t n_dims;  /* 1..4 */
    uint64_t dim[4];  /* slowest first, as safetensors and numpy list them (GGUF's ne reversed) */
    const void *data; /* in the mapping; no alignment promised */
    uint64_t size_bytes;
    uint32_t file;   /* index of the part */
    uint64_t offset; /* of the data in that part */
} glm_tensor;

typedef struct glm_tensor_file glm_tensor_file;

typedef struct glm_tensor_file_options {
    bool follow_links; /* follow symbolic links other than a Hugging Face cache's */
    bool read;         /* read the data into anonymous memory instead of mapping it */
} glm_tensor_file_options;

/**
 * Open `path`: a folder with config.json and safetensors, a .gguf file, or the first part of a split GGUF.
 *
 * Errors: GLM_ENOENT, GLM_EIO, GLM_EFORMAT, GLM_EUNSUPP, GLM_ELIMIT, GLM_ENOMEM; the text names file and field.
 */
GLM_MUST_CHECK glm_status glm_tensor_file_open(glm_tensor_file **out, const char *path,
                                               const glm_tensor_file_options *options,
                                               glm_error *err);
void glm_tensor_file_close(glm_tensor_file *file);

glm_format glm_tensor_file_format(const glm_tensor_file *file);
uint32_t glm_tensor_file_count(const glm_tensor_file *file);
const glm_tensor *glm_tensor_file_at(const glm_tensor_file *file, uint32_t index);
/** NULL when there is none of that name. */
const glm_tensor *glm_tensor_file_find(const glm_tensor_file *file, const char *name);
/** Index of a tensor of this file in its directory. */
uint32_t glm_tensor_file_index(const glm_tensor_file *file, const glm_tensor *tensor);

/** Parts of the package that hold tensors or metadata, and their names for messages (base name). */
uint32_t glm_tensor_file_parts(const glm_tensor_file *file);
const char *glm_tensor_file_part_name(const glm_tensor_file *file, uint32_t part);
uint64_t glm_tensor_file_part_bytes(const glm_tensor_file *file, uint32_t part);

/** True once a page of the mapping could not be read (truncated file, I/O error): what was computed since is worthless. */
bool glm_tensor_file_is_bad(const glm_tensor_file *file);

/** Bytes of all parts that are in this process's memory, and of those in large pages (core/vmem.h); both 0 when unknown. */
void glm_tensor_file_residency(const glm_tensor_file *file, uint64_t *resident, uint64_t *large);

/**
 * Read one of the package's small files ("config.json", "tokenizer.json", ...) whole, beneath the folder. *out is
 * allocated with malloc and terminated with a NUL that *size does not count. GLM_ENOENT when it is not there, or for a
 * GGUF; GLM_ELIMIT when it is larger than size_max.
 */
GLM_MUST_CHECK glm_status glm_tensor_file_read_side(const glm_tensor_file *file, const char *name,
                                                    size_t size_max, char **out, size_t *size,
                                                    glm_error *err);

/* ---- GGUF metadata. All return false when the key is absent or of another kind; never in a safetensors folder. ---- */

/** A borrowed piece of bytes, not terminated. */
typedef struct glm_bytes {
    const char *data;
    size_t size;
} glm_bytes;

/** Key and value number `index` of the metadata, in the order of the keys; NULL behind the last. See formats/gguf.h. */
struct glm_gguf_pair;
const struct glm_gguf_pair *glm_tensor_file_pair(const glm_tensor_file *file, uint32_t index);

/** Whether the key exists at all (to tell a wrong kind from an absent key). */
bool glm_tensor_file_has(const glm_tensor_file *file, const char *key);
bool glm_tensor_file_get_u64(const glm_tensor_file *file, const char *key,
                             uint64_t *out); /* any integer >= 0 */
bool glm_tensor_file_get_double(const glm_tensor_file *file, const char *key,
                                double *out); /* any number */
bool glm_tensor_file_get_bool(const glm_tensor_file *file, const char *key, bool *out);
bool glm_tensor_file_get_string(const glm_tensor_file *file, const char *key, glm_bytes *out);

/** An array of the metadata, read element by element without copying. */
typedef struct glm_gguf_array {
    uint32_t
        elem_type; /* GGUF value type: 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 10 u64, 11
                           i64, 12 f64 */
    uint64_t count;
    const unsigned char *at, *end;
} glm_gguf_array;
bool glm_tensor_file_get_array(const glm_tensor_file *file, const char *key, glm_gguf_array *out);
/** The next string; false at the end or when elements are no strings. */
bool glm_gguf_array_next_string(glm_gguf_array *array, glm_bytes *out);
/** The next element as an integer (bools count as 0 and 1); false at the end or for other kinds. */
bool glm_gguf_array_next_i64(glm_gguf_array *array, int64_t *out);
/** The next element as a double; false at the end or for other kinds. */
bool glm_gguf_array_next_double(glm_gguf_array *array, double *out);

#endif
