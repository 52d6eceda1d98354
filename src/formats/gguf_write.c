// SPDX-License-Identifier: MIT
#include "formats/gguf_write.h"

#include <string.h>

#define VERSION 3

static void append(glm_str *s, const void *data, size_t size)
{
    glm_str_append(s, data, size);
}

static void append_u32(glm_str *s, uint32_t value)
{
    append(s, &value, sizeof value);
}

static void append_u64(glm_str *s, uint64_t value)
{
    append(s, &value, sizeof value);
}

static uint64_t align(uint64_t at)
{
    return (at + GLM_GGUF_ALIGNMENT - 1) / GLM_GGUF_ALIGNMENT * GLM_GGUF_ALIGNMENT;
}

void glm_gguf_head_deinit(glm_gguf_head *head)
{
    glm_str_deinit(&head->pairs);
    glm_str_deinit(&head->tensors);
    memset(head, 0, sizeof *head);
}

void glm_gguf_append_string(glm_str *elements, glm_text text)
{
    append_u64(elements, text.length);
    glm_str_append_text(elements, text);
}

static void put_key(glm_gguf_head *head, glm_text key, glm_gguf_type type)
{
    glm_gguf_append_string(&head->pairs, key);
    append_u32(&head->pairs, type);
    head->n_pairs++;
}

static void put_scalar(glm_gguf_head *head, const char *key, glm_gguf_type type, const void *value,
                       size_t size)
{
    put_key(head, glm_text_c(key), type);
    append(&head->pairs, value, size);
}

void glm_gguf_put_bool(glm_gguf_head *head, const char *key, bool value)
{
    unsigned char byte = value;
    put_scalar(head, key, GLM_GGUF_BOOL, &byte, 1);
}

void glm_gguf_put_u16(glm_gguf_head *head, const char *key, uint16_t value)
{
    put_scalar(head, key, GLM_GGUF_U16, &value, sizeof value);
}

void glm_gguf_put_u32(glm_gguf_head *head, const char *key, uint32_t value)
{
    put_scalar(head, key, GLM_GGUF_U32, &value, sizeof value);
}

void glm_gguf_put_i32(glm_gguf_head *head, const char *key, int32_t value)
{
    put_scalar(head, key, GLM_GGUF_I32, &value, sizeof value);
}

void glm_gguf_put_f32(glm_gguf_head *head, const char *key, float value)
{
    put_scalar(head, key, GLM_GGUF_F32, &value, sizeof value);
}

void glm_gguf_put_string(glm_gguf_head *head, const char *key, glm_text value)
{
    put_key(head, glm_text_c(key), GLM_GGUF_STRING);
    glm_gguf_append_string(&head->pairs, value);
}

void glm_gguf_put_array(glm_gguf_head *head, const char *key, glm_gguf_type elem_type,
                        uint64_t count, glm_text elements)
{
    put_key(head, glm_text_c(key), GLM_GGUF_ARRAY);
    append_u32(&head->pairs, elem_type);
    append_u64(&head->pairs, count);
    glm_str_append_text(&head->pairs, elements);
}

void glm_gguf_put_pair(glm_gguf_head *head, const glm_gguf_pair *pair)
{
    put_key(head, (glm_text){pair->key.data, pair->key.size}, (glm_gguf_type)pair->type);
    if (pair->type == GLM_GGUF_ARRAY) {
        append_u32(&head->pairs, pair->array.elem_type);
        append_u64(&head->pairs, pair->array.count);
        append(&head->pairs, pair->array.at, (size_t)(pair->array.end - pair->array.at));
        return;
    }
    if (pair->type == GLM_GGUF_STRING)
        append_u64(&head->pairs, pair->value.size);
    append(&head->pairs, pair->value.data, pair->value.size);
}

uint64_t glm_gguf_put_tensor(glm_gguf_head *head, const char *name, glm_type type, uint32_t n_dims,
                             const uint64_t *dim, uint64_t size_bytes)
{
    uint64_t offset = align(head->data_bytes);
    glm_gguf_append_string(&head->tensors, glm_text_c(name));
    append_u32(&head->tensors, n_dims);
    for (uint32_t i = n_dims; i-- > 0;)
        append_u64(&head->tensors, dim[i]);
    append_u32(&head->tensors, type);
    append_u64(&head->tensors, offset);
    head->n_tensors++;
    head->data_bytes = offset + size_bytes;
    return offset;
}

uint64_t glm_gguf_data_bytes(const glm_gguf_head *head)
{
    return align(head->data_bytes);
}

glm_status glm_gguf_head_finish(const glm_gguf_head *head, uint64_t alignment, glm_str *out,
                                glm_error *err)
{
    append(out, "GGUF", 4);
    append_u32(out, VERSION);
    append_u64(out, head->n_tensors);
    append_u64(out, head->n_pairs);
    glm_str_append_text(out, glm_str_text(&head->pairs));
    glm_str_append_text(out, glm_str_text(&head->tensors));
    while (out->length % alignment && !out->has_failed)
        append(out, "", 1);
    if (head->pairs.has_failed || head->tensors.has_failed || out->has_failed)
        return glm_fail(err, GLM_ENOMEM, "head of a GGUF file");
    return GLM_OK;
}
