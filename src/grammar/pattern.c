// SPDX-License-Identifier: MIT
#include "grammar/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* Classes of at least as many characters are texts (grammar/program.h): their runs are worth a table. */
#define WIDE 20

bool glm_class_add(glm_class_set *set, uint32_t lo, uint32_t hi)
{
    if (set->n == GLM_CLASS_RANGES_MAX)
        return false;
    set->ranges[set->n++] = (glm_cp_range){lo, hi};
    return true;
}

static int compare_ranges(const void *va, const void *vb)
{
    const glm_cp_range *a = va, *b = vb;
    return a->lo < b->lo ? -1 : a->lo > b->lo;
}

bool glm_class_settle(glm_class_set *set, bool is_negated)
{
    qsort(set->ranges, set->n, sizeof *set->ranges, compare_ranges);
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        glm_cp_range r = set->ranges[i];
        if (n > 0 && r.lo <= set->ranges[n - 1].hi + 1) {
            if (r.hi > set->ranges[n - 1].hi)
                set->ranges[n - 1].hi = r.hi;
        } else {
            set->ranges[n++] = r;
        }
    }
    set->n = n;
    if (!is_negated)
        return true;
    glm_class_set other = {.n = 0};
    uint32_t from = 0;
    bool has_room = true;
    for (size_t i = 0; i < n; i++) {
        if (set->ranges[i].lo > from)
            has_room &= glm_class_add(&other, from, set->ranges[i].lo - 1);
        from = set->ranges[i].hi + 1;
    }
    if (from <= GLM_CODE_POINT_MAX)
        has_room &= glm_class_add(&other, from, GLM_CODE_POINT_MAX);
    *set = other;
    return has_room;
}

glm_pattern *glm_pattern_new(glm_arena *arena, enum glm_pattern_kind kind)
{
    glm_pattern *n = glm_arena_alloc_small(arena, sizeof *n);
    if (n)
        n->kind = kind;
    return n;
}

glm_pattern *glm_pattern_class(glm_arena *arena, const glm_class_set *set)
{
    glm_pattern *node = glm_pattern_new(arena, GLM_PATTERN_CLASS);
    if (!node || set->n == 0)
        return node;
    node->ranges = glm_arena_alloc_small(arena, set->n * sizeof *set->ranges);
    if (!node->ranges)
        return NULL;
    memcpy(node->ranges, set->ranges, set->n * sizeof *set->ranges);
    node->n_ranges = set->n;
    return node;
}

/* ---- Writing ---- */

/* One character of a JSON string out of `ranges` (sorted, apart), plain or as the escapes JSON has for it. */
static uint32_t json_class(glm_prog *p, const glm_cp_range *ranges, size_t n, uint32_t next)
{
    static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
    uint32_t ways = GLM_PROG_NO_WAY;
    for (size_t i = 0; i < n; i++) {
        /* What needs no escape (RFC 8259 section 7). */
        static const glm_cp_range plain[] = {
            {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, GLM_CODE_POINT_MAX}};
        for (size_t k = 0; k < 3; k++) {
            glm_cp_range r = {ranges[i].lo > plain[k].lo ? ranges[i].lo : plain[k].lo,
                              ranges[i].hi < plain[k].hi ? ranges[i].hi : plain[k].hi};
            if (r.lo <= r.hi)
                ways = glm_prog_split(p, ways, glm_prog_code_points(p, &r, 1, next));
        }
        for (uint32_t cp = ranges[i].lo; cp <= '\\' && cp <= ranges[i].hi; cp++) {
            char text[7] = "\\u00";
            size_t size = 2;
            const char *control = cp ? strchr(controls, (int)cp) : NULL;
            if (cp == '"' || cp == '\\') {
                text[1] = (char)cp;
            } else if (control) {
                text[1] = letters[control - controls];
            } else if (cp < 0x20) {
                text[4] = cp >= 16 ? '1' : '0';
                text[5] = "0123456789abcdef"[cp & 15];
                size = 6;
            } else {
                continue;
            }
            ways = glm_prog_split(p, ways, glm_prog_literal(p, text, size, next));
        }
    }
    return ways;
}

static uint32_t write_plain_class(glm_prog *p, const glm_pattern *n, bool is_json, uint32_t next)
{
    return is_json ? json_class(p, n->ranges, n->n_ranges, next)
                   : glm_prog_code_points(p, n->ranges, n->n_ranges, next);
}

/* The text of a wide class; GLM_PROG_NO_TEXT: it is narrow, or there are too many texts. */
static uint32_t text_of(glm_prog *p, const glm_pattern *n, bool is_json)
{
    uint32_t size = 0;
    for (size_t i = 0; i < n->n_ranges; i++)
        size += n->ranges[i].hi - n->ranges[i].lo + 1;
    if (size < WIDE || p->status != GLM_OK)
        return GLM_PROG_NO_TEXT;
    uint32_t text = glm_prog_text_find(p, n->ranges, n->n_ranges, is_json);
    if (text != GLM_PROG_NO_TEXT || !glm_prog_has_text_room(p))
        return text;
    uint32_t rule = glm_prog_rule_new(p, false);
    glm_prog_set_rule(p, rule, write_plain_class(p, n, is_json, GLM_PROG_END));
    return glm_prog_text_new(p, GLM_TEXT_OWN, rule, n->ranges, n->n_ranges, is_json);
}

static uint32_t write_class(glm_prog *p, const glm_pattern *n, bool is_json, uint32_t next)
{
    uint32_t text = text_of(p, n, is_json);
    return text == GLM_PROG_NO_TEXT ? write_plain_class(p, n, is_json, next)
                                    : glm_prog_unit(p, text, next);
}

static uint32_t write_repeat(glm_prog *p, const glm_pattern *n, bool is_json, uint32_t next)
{
    uint32_t at = next;
    if (n->last->kind == GLM_PATTERN_CLASS) {
        uint32_t text = text_of(p, n->last, is_json);
        if (text != GLM_PROG_NO_TEXT)
            return glm_prog_units(p, text, n->min, n->max, next);
    }
    if (n->max == GLM_PROG_ENDLESS) {
        at = glm_prog_open_loop(p, next);
        glm_prog_close_loop(p, at, glm_pattern_write(p, n->last, is_json, at));
    }
    for (uint32_t i = n->min; n->max != GLM_PROG_ENDLESS && i < n->max && glm_prog_work(p); i++)
        at = glm_prog_split(p, glm_pattern_write(p, n->last, is_json, at), next);
    for (uint32_t i = 0; i < n->min && glm_prog_work(p); i++)
        at = glm_pattern_write(p, n->last, is_json, at);
    return at;
}

/* At most as deep as the pattern nests. */
uint32_t glm_pattern_write(glm_prog *p, const glm_pattern *n, bool is_json, uint32_t next)
{
    uint32_t at = next;
    if (!glm_prog_work(p))
        return GLM_PROG_NO_WAY;
    switch (n->kind) {
    case GLM_PATTERN_CLASS:
        return write_class(p, n, is_json, next);
    case GLM_PATTERN_SEQ:
        for (const glm_pattern *c = n->last; c; c = c->previous)
            at = glm_pattern_write(p, c, is_json, at);
        return at;
    case GLM_PATTERN_ALT:
        at = GLM_PROG_NO_WAY;
        for (const glm_pattern *c = n->last; c; c = c->previous)
            at = glm_prog_split(p, glm_pattern_write(p, c, is_json, next), at);
        return at;
    case GLM_PATTERN_REPEAT:
        return write_repeat(p, n, is_json, next);
    case GLM_PATTERN_RULE:
        return glm_prog_call(p, n->rule, next);
    default:
        return next;
    }
}
