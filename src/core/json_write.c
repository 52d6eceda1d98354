// SPDX-License-Identifier: MIT
#include "core/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

glm_json_writer glm_json_writer_of(glm_str *out)
{
    return (glm_json_writer){.out = out};
}

/* What stands before a value or a key: nothing behind a key, else a comma behind an item. */
static void separate(glm_json_writer *w)
{
    uint64_t bit = (uint64_t)1 << w->depth;
    if (!w->is_behind_key && w->depth > 0 && (w->has_items & bit))
        glm_str_append_c(w->out, ", ");
    w->has_items |= bit;
    w->is_behind_key = false;
}

static void begin(glm_json_writer *w, const char *bracket)
{
    assert(w->depth < GLM_JSON_WRITE_DEPTH);
    separate(w);
    glm_str_append_c(w->out, bracket);
    w->depth++;
    w->has_items &= ~((uint64_t)1 << w->depth);
}

static void end(glm_json_writer *w, const char *bracket)
{
    assert(w->depth > 0);
    w->depth--;
    glm_str_append_c(w->out, bracket);
}

void glm_json_begin_object(glm_json_writer *w)
{
    begin(w, "{");
}

void glm_json_end_object(glm_json_writer *w)
{
    end(w, "}");
}

void glm_json_begin_array(glm_json_writer *w)
{
    begin(w, "[");
}

void glm_json_end_array(glm_json_writer *w)
{
    end(w, "]");
}

void glm_json_write_key(glm_json_writer *w, const char *key)
{
    glm_json_write_c(w, key);
    glm_str_append_c(w->out, ": ");
    w->is_behind_key = true;
}

void glm_json_write_raw(glm_json_writer *w, glm_text json)
{
    separate(w);
    glm_str_append_text(w->out, json);
}

void glm_json_write_text(glm_json_writer *w, glm_text text)
{
    separate(w);
    glm_json_quote(w->out, text);
}

void glm_json_write_c(glm_json_writer *w, const char *text)
{
    glm_json_write_text(w, glm_text_c(text));
}

void glm_json_write_bool(glm_json_writer *w, bool value)
{
    glm_json_write_raw(w, glm_text_c(value ? "true" : "false"));
}

void glm_json_write_null(glm_json_writer *w)
{
    glm_json_write_raw(w, glm_text_c("null"));
}

void glm_json_write_i64(glm_json_writer *w, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    glm_json_write_raw(w, glm_text_c(text));
}

void glm_json_write_u64(glm_json_writer *w, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    glm_json_write_raw(w, glm_text_c(text));
}

/* The shortest decimal digits of |value| and the decimal exponent of the first of them. */
static size_t shortest_digits(double value, char digits[32], int *exponent)
{
    char text[40];
    for (int n = 0; n <= 16; n++) {
        snprintf(text, sizeof text, "%.*e", n, value);
        if (strtod(text, NULL) == value)
            break;
    }
    size_t count = 0;
    const char *s = text;
    for (; *s != 'e'; s++)
        if (*s >= '0' && *s <= '9') /* neither sign nor a locale's decimal point */
            digits[count++] = *s;
    *exponent = atoi(s + 1);
    return count;
}

static void append_zeros(glm_str *out, int n)
{
    while (n-- > 0)
        glm_str_append_c(out, "0");
}

void glm_json_append_double(glm_str *out, double value)
{
    char digits[32];
    int exponent;
    size_t n = shortest_digits(value, digits, &exponent);
    if (signbit(value))
        glm_str_append_c(out, "-");
    if (exponent < -4 || exponent >= 16) {
        char tail[16];
        glm_str_append(out, digits, 1);
        if (n > 1) {
            glm_str_append_c(out, ".");
            glm_str_append(out, digits + 1, n - 1);
        }
        snprintf(tail, sizeof tail, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        glm_str_append_c(out, tail);
    } else if (exponent < 0) {
        glm_str_append_c(out, "0.");
        append_zeros(out, -exponent - 1);
        glm_str_append(out, digits, n);
    } else {
        size_t whole = (size_t)exponent + 1;
        glm_str_append(out, digits, whole < n ? whole : n);
        append_zeros(out, (int)whole - (int)n);
        glm_str_append_c(out, ".");
        if (n > whole)
            glm_str_append(out, digits + whole, n - whole);
        else
            glm_str_append_c(out, "0");
    }
}

void glm_json_write_double(glm_json_writer *w, double value)
{
    separate(w);
    if (isfinite(value))
        glm_json_append_double(w->out, value);
    else
        glm_str_append_c(w->out, "null");
}

void glm_json_put_text(glm_json_writer *w, const char *key, glm_text text)
{
    glm_json_write_key(w, key);
    glm_json_write_text(w, text);
}

void glm_json_put_c(glm_json_writer *w, const char *key, const char *text)
{
    glm_json_write_key(w, key);
    glm_json_write_c(w, text);
}

void glm_json_put_bool(glm_json_writer *w, const char *key, bool value)
{
    glm_json_write_key(w, key);
    glm_json_write_bool(w, value);
}

void glm_json_put_null(glm_json_writer *w, const char *key)
{
    glm_json_write_key(w, key);
    glm_json_write_null(w);
}

void glm_json_put_i64(glm_json_writer *w, const char *key, int64_t value)
{
    glm_json_write_key(w, key);
    glm_json_write_i64(w, value);
}

void glm_json_put_u64(glm_json_writer *w, const char *key, uint64_t value)
{
    glm_json_write_key(w, key);
    glm_json_write_u64(w, value);
}

void glm_json_put_double(glm_json_writer *w, const char *key, double value)
{
    glm_json_write_key(w, key);
    glm_json_write_double(w, value);
}

static void escape_char(glm_str *out, unsigned char c)
{
    static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (const char *s = short_forms; *s; s += 2)
        if ((unsigned char)s[0] == c) {
            glm_str_append(out, (char[]){'\\', s[1]}, 2);
            return;
        }
    char text[8];
    snprintf(text, sizeof text, "\\u%04x", c);
    glm_str_append_c(out, text);
}

void glm_json_escape(glm_str *out, glm_text text)
{
    size_t done = 0;
    size_t at = 0;
    while (at < text.length) {
        unsigned char c = (unsigned char)text.data[at];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        glm_utf8_step step = glm_utf8_next(text.data + at, text.length - at);
        if (step.kind == GLM_UTF8_CHAR && step.length > 1) {
            at += step.length;
            continue;
        }
        glm_str_append(out, text.data + done, at - done);
        if (step.kind == GLM_UTF8_CHAR)
            escape_char(out, c);
        else
            glm_str_append_c(out, GLM_UTF8_REPLACEMENT);
        at += step.length;
        done = at;
    }
    glm_str_append(out, text.data + done, at - done);
}

void glm_json_quote(glm_str *out, glm_text text)
{
    glm_str_append_c(out, "\"");
    glm_json_escape(out, text);
    glm_str_append_c(out, "\"");
}

void glm_json_spell(glm_str *out, const glm_json *v)
{
    switch (v->type) {
    case GLM_JSON_NULL:
        glm_str_append_c(out, "null");
        break;
    case GLM_JSON_BOOL:
        glm_str_append_c(out, v->boolean ? "true" : "false");
        break;
    case GLM_JSON_NUMBER:
        glm_str_append(out, v->text, v->length);
        break;
    case GLM_JSON_STRING:
        glm_json_quote(out, (glm_text){v->text, v->length});
        break;
    default:
        glm_str_append_c(out, v->type == GLM_JSON_ARRAY ? "[" : "{");
        for (const glm_json *i = v->first; i; i = i->next) {
            if (i != v->first)
                glm_str_append_c(out, ",");
            if (i->key) {
                glm_json_quote(out, (glm_text){i->key, i->key_length});
                glm_str_append_c(out, ":");
            }
            glm_json_spell(out, i);
        }
        glm_str_append_c(out, v->type == GLM_JSON_ARRAY ? "]" : "}");
    }
}

void glm_json_copy(glm_json_writer *w, const glm_json *value)
{
    separate(w);
    glm_json_spell(w->out, value);
}
