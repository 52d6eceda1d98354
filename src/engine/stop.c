// SPDX-License-Identifier: MIT
#include "engine/stop.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

typedef struct pattern {
    char *text; /* [length] */
    uint32_t length;
    uint32_t
        *border; /* [length + 1]: longest proper prefix of text[0..i) that is also its suffix */
    uint32_t n_matched;
} pattern;

struct glm_stops {
    pattern *pattern; /* [n] */
    size_t n;
    char *buffer;   /* text not taken yet, behind n_taken bytes that were */
    size_t n_taken; /* by the last take, still borrowed */
    size_t n_bytes;
    bool is_idle; /* not looking */
    bool is_hit;
    size_t hit;
};

/* ---- Creation ---- */

static bool is_valid_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        glm_utf8_step step = glm_utf8_next(text + i, length - i);
        if (step.kind != GLM_UTF8_CHAR)
            return false;
        i += step.length;
    }
    return true;
}

static void find_borders(pattern *p)
{
    uint32_t k = 0;
    p->border[0] = p->border[1] = 0;
    for (uint32_t i = 1; i < p->length; i++) {
        while (k && p->text[k] != p->text[i])
            k = p->border[k];
        k += p->text[k] == p->text[i];
        p->border[i + 1] = k;
    }
}

static glm_status make_pattern(pattern *p, const char *text, size_t index, glm_error *err)
{
    size_t length = strlen(text);
    if (!length)
        return glm_fail(err, GLM_EARG, "stop string %zu is empty", index + 1);
    if (length > GLM_STOP_BYTES_MAX)
        return glm_fail(err, GLM_ELIMIT, "stop string %zu: expected at most %u bytes, got %zu",
                        index + 1, GLM_STOP_BYTES_MAX, length);
    if (!is_valid_utf8(text, length))
        return glm_fail(err, GLM_EARG, "stop string %zu is not UTF-8", index + 1);
    p->length = (uint32_t)length;
    p->text = glm_new_array(char, length);
    p->border = glm_new_array(uint32_t, length + 1);
    if (!p->text || !p->border)
        return glm_fail(err, GLM_ENOMEM, "stop strings: no memory");
    memcpy(p->text, text, length);
    find_borders(p);
    return GLM_OK;
}

glm_status glm_stops_create(glm_stops **out, const char *const *text, size_t n, glm_error *err)
{
    if (n > GLM_STOPS_MAX)
        return glm_fail(err, GLM_ELIMIT, "stop strings: expected at most %u, got %zu",
                        GLM_STOPS_MAX, n);
    glm_stops *s = glm_new(glm_stops);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "stop strings: no memory");
    glm_status st = GLM_OK;
    size_t longest = 0;
    s->pattern = glm_new_array(pattern, n + 1);
    if (!s->pattern)
        st = glm_fail(err, GLM_ENOMEM, "stop strings: no memory");
    while (st == GLM_OK && s->n < n) {
        pattern *p = &s->pattern[s->n];
        st = make_pattern(p, text[s->n], s->n, err);
        s->n++;
        longest = p->length > longest ? p->length : longest;
    }
    /* Held back is always less than the longest stop string. */
    if (st == GLM_OK && !(s->buffer = glm_new_array(char, longest + GLM_STOP_PUSH_MAX)))
        st = glm_fail(err, GLM_ENOMEM, "stop strings: no memory");
    if (st != GLM_OK) {
        glm_stops_destroy(s);
        return st;
    }
    *out = s;
    return GLM_OK;
}

void glm_stops_destroy(glm_stops *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->pattern[i].text);
        free(s->pattern[i].border);
    }
    free(s->pattern);
    free(s->buffer);
    free(s);
}

/* ---- Matching ---- */

/* Take one byte of text. True when the pattern is complete with it. */
static bool advance(pattern *p, char byte)
{
    uint32_t k = p->n_matched;
    while (k && p->text[k] != byte)
        k = p->border[k];
    k += p->text[k] == byte;
    p->n_matched = k;
    return k == p->length;
}

static void drop_taken(glm_stops *s)
{
    s->n_bytes -= s->n_taken;
    memmove(s->buffer, s->buffer + s->n_taken, s->n_bytes);
    s->n_taken = 0;
}

void glm_stops_arm(glm_stops *s, bool is_armed)
{
    for (size_t j = 0; j < s->n && !is_armed; j++)
        s->pattern[j].n_matched = 0;
    s->is_idle = !is_armed;
}

void glm_stops_push(glm_stops *s, const char *bytes, size_t n)
{
    drop_taken(s);
    for (size_t i = 0; i < n && !s->is_hit; i++) {
        s->buffer[s->n_bytes++] = bytes[i];
        uint32_t longest = 0;
        for (size_t j = 0; j < s->n && !s->is_idle; j++) {
            if (advance(&s->pattern[j], bytes[i]) && s->pattern[j].length > longest) {
                longest = s->pattern[j].length;
                s->is_hit = true;
                s->hit = j;
            }
        }
        s->n_bytes -= longest;
    }
}

const char *glm_stops_take(glm_stops *s, bool all, size_t *length)
{
    size_t held = 0;
    drop_taken(s);
    if (!all && !s->is_hit)
        for (size_t j = 0; j < s->n; j++)
            held = s->pattern[j].n_matched > held ? s->pattern[j].n_matched : held;
    s->n_taken = s->n_bytes - held;
    *length = s->n_taken;
    return s->buffer;
}

bool glm_stops_hit(const glm_stops *s, size_t *index)
{
    if (s->is_hit)
        *index = s->hit;
    return s->is_hit;
}
