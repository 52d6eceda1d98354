// SPDX-License-Identifier: MIT
/*
 * The head of an HTTP/1.1 request, read strictly; pure functions on bytes.
 * Source: RFC 9110 and RFC 9112.
 */
#ifndef GLM_NET_HTTP_PARSE_H
#define GLM_NET_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLM_HTTP_HEADERS_MAX 256u

typedef struct glm_http_field {
    const char *name, *value; /* terminated, in the head's own memory */
} glm_http_field;

typedef struct glm_http_head {
    const char *method, *path, *query;
    int minor; /* of HTTP/1.minor */
    glm_http_field field[GLM_HTTP_HEADERS_MAX];
    uint32_t n_fields;
    bool has_length, is_chunked, expects_continue, wants_close;
    uint64_t length;
} glm_http_head;

/** Why a head was refused. */
typedef struct glm_http_refusal {
    int status;
    const char *text;
} glm_http_refusal;

/**
 * Read a head of `size` bytes that ends with its empty line. The bytes are changed: strings are terminated in place.
 *
 * @param n_fields_max  at most GLM_HTTP_HEADERS_MAX
 * @return whether it is sound; else *refusal says what to answer
 */
bool glm_http_parse_head(glm_http_head *out, char *data, size_t size, size_t line_max,
                         uint32_t n_fields_max, glm_http_refusal *refusal);

/** Size of a chunk from its line without the line end ("1a;name=value"); false when it is none. */
bool glm_http_parse_chunk_size(const char *line, size_t length, uint64_t *size);

/** The value of the first field of that name (any case), or NULL. */
const char *glm_http_head_field(const glm_http_head *head, const char *name);

#endif
