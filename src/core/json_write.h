// SPDX-License-Identifier: MIT
/*
 * JSON out, strict RFC 8259: commas, nesting and escapes are the writer's. Text may hold any bytes; what
 * is not UTF-8 is written as U+FFFD.
 *
 *     glm_json_writer w = glm_json_writer_of(&out);
 *     glm_json_begin_object(&w);
 *     glm_json_put_text(&w, "name", name);
 *     glm_json_write_key(&w, "list");
 *     glm_json_begin_array(&w);
 *     ...
 *     glm_json_end_array(&w);
 *     glm_json_end_object(&w);
 *     if (out.has_failed) ...
 *
 * Members are written `"key": value`, items and members apart by ", ", all on one line.
 */
#ifndef GLM_CORE_JSON_WRITE_H
#define GLM_CORE_JSON_WRITE_H

#include <stdint.h>

#include "core/json.h"
#include "core/str.h"

#define GLM_JSON_WRITE_DEPTH 63

typedef struct glm_json_writer {
    glm_str *out;
    uint32_t depth;     /* open arrays and objects, at most GLM_JSON_WRITE_DEPTH */
    uint64_t has_items; /* bit d: the container at depth d has an item */
    bool is_behind_key;
} glm_json_writer;

/** A writer that appends to *out. */
glm_json_writer glm_json_writer_of(glm_str *out);

void glm_json_begin_object(glm_json_writer *w);
void glm_json_end_object(glm_json_writer *w);
void glm_json_begin_array(glm_json_writer *w);
void glm_json_end_array(glm_json_writer *w);

/** The name of the next member. */
void glm_json_write_key(glm_json_writer *w, const char *key);

void glm_json_write_text(glm_json_writer *w, glm_text text);
void glm_json_write_c(glm_json_writer *w, const char *text);
void glm_json_write_bool(glm_json_writer *w, bool value);
void glm_json_write_null(glm_json_writer *w);
void glm_json_write_i64(glm_json_writer *w, int64_t value);
void glm_json_write_u64(glm_json_writer *w, uint64_t value);

/** As glm_json_append_double spells it; null when it is not finite. */
void glm_json_write_double(glm_json_writer *w, double value);

/* A member whole: its name and its value. */
void glm_json_put_text(glm_json_writer *w, const char *key, glm_text text);
void glm_json_put_c(glm_json_writer *w, const char *key, const char *text);
void glm_json_put_bool(glm_json_writer *w, const char *key, bool value);
void glm_json_put_null(glm_json_writer *w, const char *key);
void glm_json_put_i64(glm_json_writer *w, const char *key, int64_t value);
void glm_json_put_u64(glm_json_writer *w, const char *key, uint64_t value);
void glm_json_put_double(glm_json_writer *w, const char *key, double value);

/** A value that is already JSON. */
void glm_json_write_raw(glm_json_writer *w, glm_text json);

/** A value that was read, as glm_json_spell writes it. */
void glm_json_copy(glm_json_writer *w, const glm_json *value);

/**
 * Append a finite double with the fewest digits that read back as the same double, in the spelling of
 * Python's repr: 1.0, 0.5, 1e+16, 1e-07, -0.0, 1.5e+300. Exponents from 16 up and below -4.
 */
void glm_json_append_double(glm_str *out, double value);

/** Append `text` as a JSON string with its quotes. Only what must be escaped is: `"`, `\`, below U+0020. */
void glm_json_quote(glm_str *out, glm_text text);

/** The same without the quotes, so that a string can be written piece by piece at character borders. */
void glm_json_escape(glm_str *out, glm_text text);

/** Append a value that was read as compact JSON, numbers as they were spelled. Recurses as deep as it nests. */
void glm_json_spell(glm_str *out, const glm_json *value);

#endif
