// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "core/json_write.h"
#include "grammar/schema_internal.h"
#include "grammar/vocab.h"

/* ---- Names ---- */

static uint32_t hash_of(const char *text, size_t size)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    return h;
}

/* The index of a name, added when it is new; UINT32_MAX: refused. */
static uint32_t add_name(struct compiler *c, struct names *names, const char *text, size_t size)
{
    size_t i = hash_of(text, size) & (names->table_size - 1);
    for (; names->table[i]; i = (i + 1) & (names->table_size - 1)) {
        const struct name *n = &names->list[names->table[i] - 1];
        if (n->size == size && memcmp(n->text, text, size) == 0)
            return names->table[i] - 1;
    }
    if (!glm_prog_work(c->prog))
        return UINT32_MAX;
    if (names->n == GLM_SCHEMA_NAMES_MAX) {
        glm_schema_refuse(c, GLM_ELIMIT, "more than 4096 properties of one object", "");
        return UINT32_MAX;
    }
    names->list[names->n++] = (struct name){text, size, false};
    names->table[i] = (uint32_t)names->n;
    return (uint32_t)names->n - 1;
}

void glm_schema_names(struct compiler *c, const struct parts *parts, struct names *names)
{
    size_t most = 0;
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *list = glm_json_get(parts->part[i].schema, "properties");
        const glm_json *required = glm_json_get(parts->part[i].schema, "required");
        most += (list && list->first ? list->length : 0) +
                (required && required->first ? required->length : 0);
    }
    *names = (struct names){.table_size = 16};
    while (names->table_size < 2 * most)
        names->table_size *= 2;
    names->list = glm_schema_alloc(c, most, sizeof *names->list);
    names->table = glm_schema_alloc(c, names->table_size, sizeof *names->table);
    names->values = glm_schema_alloc(c, most * parts->n, sizeof *names->values);
    for (size_t i = 0; i < parts->n && c->status == GLM_OK; i++) {
        const glm_json *list = glm_json_get(parts->part[i].schema, "properties");
        for (const glm_json *v = list ? list->first : NULL; v && v->key; v = v->next) {
            uint32_t index = add_name(c, names, v->key, v->key_length);
            if (index != UINT32_MAX)
                names->values[index * parts->n + i] = v;
        }
    }
    for (size_t i = 0; i < parts->n && c->status == GLM_OK; i++) {
        const glm_json *list = glm_json_get(parts->part[i].schema, "required");
        for (const glm_json *v = list ? list->first : NULL; v; v = v->next) {
            uint32_t index =
                v->type == GLM_JSON_STRING ? add_name(c, names, v->text, v->length) : UINT32_MAX;
            if (index != UINT32_MAX)
                names->list[index].is_required = true;
        }
    }
}

bool glm_schema_value_rule(struct compiler *c, const struct parts *parts, const struct names *names,
                           size_t index, bool is_raw, uint32_t *rule)
{
    struct parts value = {.n = 0, .is_raw = is_raw};
    bool is_declared = false, is_closed = false;
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *s = names ? names->values[index * parts->n + i] : NULL;
        is_declared |= s != NULL;
        if (!s) {
            s = glm_json_get(parts->part[i].schema, "additionalProperties");
            is_closed |= !s && c->is_strict && glm_json_get(parts->part[i].schema, "properties");
        }
        if (s && s->type == GLM_JSON_BOOL && !s->boolean)
            return false;
        if (s)
            glm_schema_add_part(c, &value, s);
    }
    if (is_closed && !is_declared)
        return false;
    *rule = glm_schema_rule(c, &value);
    return true;
}

/* ---- Names that are not declared ---- */

/* The declared names as a trie of code points. Children come behind their parents. */
struct point {
    uint32_t cp, last_child, previous; /* index; 0: none */
    uint32_t n_narrow, n_wide;         /* children below 0x80 and others */
    uint32_t place;
    bool is_name;
};

struct points {
    struct point *list; /* [n] */
    size_t n, capacity;
};

static int compare_names(const void *va, const void *vb)
{
    const struct name *a = va, *b = vb;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

static uint32_t code_point(const char *text, size_t left, size_t *size)
{
    uint8_t b = (uint8_t)text[0];
    size_t n = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    n = n < left ? n : left;
    uint32_t cp = n == 1 ? b : b & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | ((uint8_t)text[i] & 0x3F);
    *size = n;
    return cp;
}

/* True when the name can be spelled without escapes, as all further names are. */
static bool is_plain(const struct name *name)
{
    for (size_t i = 0; i < name->size; i++) {
        uint8_t b = (uint8_t)name->text[i];
        if (b < 0x20 || b == '"' || b == '\\')
            return false;
    }
    return true;
}

/* Names come sorted, so that what two begin with in common is always the newest child. */
static void add_points(struct points *points, const struct name *name)
{
    uint32_t at = 0;
    for (size_t i = 0, size; i < name->size; i += size) {
        uint32_t cp = code_point(name->text + i, name->size - i, &size);
        struct point *parent = &points->list[at];
        uint32_t child = parent->last_child;
        if (!child || points->list[child].cp != cp) {
            if (cp < 0x80)
                parent->n_narrow++;
            else
                parent->n_wide++;
            child = (uint32_t)points->n++;
            points->list[child] = (struct point){.cp = cp, .previous = parent->last_child};
            parent->last_child = child;
        }
        at = child;
    }
    points->list[at].is_name = true;
}

/* Where characters from 0x80 on lead: the children's places, and `rest` for those between. */
static uint32_t write_wide(glm_prog *p, const struct points *points, const struct point *at,
                           uint32_t rest)
{
    uint32_t ways = GLM_PROG_NO_WAY, to = 0x10FFFF;
    for (uint32_t i = at->last_child; i; i = points->list[i].previous) {
        const struct point *child = &points->list[i];
        if (child->cp < 0x80)
            break; /* the rest is narrow: children are in order */
        glm_cp_range own = {child->cp, child->cp}, behind = {child->cp + 1, to};
        ways = glm_prog_split(p, ways, glm_prog_code_points(p, &own, 1, child->place));
        if (behind.lo <= behind.hi)
            ways = glm_prog_split(p, ways, glm_prog_code_points(p, &behind, 1, rest));
        to = child->cp - 1;
    }
    glm_cp_range before = {0x80, to};
    return to < 0x80 ? ways : glm_prog_split(p, ways, glm_prog_code_points(p, &before, 1, rest));
}

static void write_point(glm_prog *p, const struct points *points, struct point *at, uint32_t rest,
                        uint32_t wide, uint32_t close)
{
    uint32_t node, edge = 0;
    if (at->n_wide)
        wide = write_wide(p, points, at, rest);
    at->place = glm_prog_name(p, at->n_narrow, &node);
    if (at->place == GLM_PROG_NO_WAY)
        return;
    glm_prog_node *n = &p->nodes[node];
    n->rest = rest;
    n->wide = wide;
    n->close = at->is_name ? GLM_PROG_NO_WAY : close;
    for (uint32_t i = at->last_child; i; i = points->list[i].previous) {
        const struct point *child = &points->list[i];
        if (child->cp < 0x80)
            p->edges[n->first_edge + edge++] =
                (glm_prog_edge){.byte = (uint8_t)child->cp, .to = child->place};
    }
}

/* A name without escapes that is not declared (an escape could spell a declared one), its closing quote, `next`. */
static uint32_t write_other_name(struct compiler *c, const struct names *names, uint32_t next)
{
    glm_prog *p = c->prog;
    struct name *sorted = glm_schema_alloc(c, names->n, sizeof *sorted);
    struct points points = {.n = 1, .capacity = 1};
    for (size_t i = 0; i < names->n; i++)
        points.capacity += is_plain(&names->list[i]) ? names->list[i].size : 0;
    points.list = glm_schema_alloc(c, points.capacity, sizeof *points.list);
    if (!sorted || !points.list)
        return GLM_PROG_NO_WAY;
    memcpy(sorted, names->list, names->n * sizeof *sorted);
    qsort(sorted, names->n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < names->n; i++) {
        if (is_plain(&sorted[i]))
            add_points(&points, &sorted[i]);
    }
    static const glm_cp_range all_wide = {0x80, 0x10FFFF};
    uint32_t rest = glm_prog_units(p, glm_standard_text(p, GLM_TEXT_JSON_KEY), 0, GLM_PROG_ENDLESS,
                                   glm_prog_literal(p, "\"", 1, next));
    uint32_t wide = glm_prog_code_points(p, &all_wide, 1, rest);
    for (size_t i = points.n; i > 0 && glm_prog_work(p); i--)
        write_point(p, &points, &points.list[i - 1], rest, wide, next);
    return points.list[0].place;
}

/* ---- Members ---- */

/* The rule of one more member that is not declared; false: there can be none. */
static bool write_extra(struct compiler *c, const struct parts *parts, const struct names *names,
                        uint32_t *pair)
{
    uint32_t value;
    if (!glm_schema_value_rule(c, parts, NULL, 0, false, &value))
        return false;
    glm_prog *p = c->prog;
    uint32_t next = glm_json_separator(p, &c->json, ':', glm_prog_call(p, value, GLM_PROG_END));
    *pair = glm_prog_rule_new(p, false);
    if (names->n == 0) {
        glm_prog_set_rule(p, *pair, glm_prog_call(p, c->json.string, next));
        return true;
    }
    uint32_t name = write_other_name(c, names, next);
    glm_prog_set_rule(p, *pair, glm_prog_literal(p, "\"", 1, name));
    return true;
}

/* "name": value, then `next`. */
static uint32_t write_pair(struct compiler *c, const struct name *name, uint32_t value,
                           uint32_t next)
{
    glm_str key = {0};
    glm_json_quote(&key, (glm_text){name->text, name->size});
    if (key.has_failed)
        glm_schema_refuse(c, GLM_ENOMEM, "no memory", "");
    uint32_t at = glm_json_separator(c->prog, &c->json, ':', glm_prog_call(c->prog, value, next));
    if (!key.has_failed)
        at = glm_prog_literal(c->prog, key.data, key.length, at);
    glm_str_deinit(&key);
    return at;
}

/* Declared members in their order, then others. `item` is what may come before member i, `behind` behind it. */
uint32_t glm_schema_object(struct compiler *c, const struct parts *parts)
{
    glm_prog *p = c->prog;
    struct names names;
    glm_schema_names(c, parts, &names);
    if (c->status != GLM_OK)
        return GLM_PROG_NO_WAY;
    uint32_t item = GLM_PROG_NO_WAY, behind, extra;
    bool may_end = true;
    if (write_extra(c, parts, &names, &extra)) {
        glm_json_circle circle = glm_json_open_circle(p, &c->json, '}');
        behind = circle.entry;
        item = glm_prog_call(p, extra, behind);
        glm_json_close_circle(p, &c->json, circle, item);
    } else {
        behind = glm_json_behind(p, &c->json, '}', true, GLM_PROG_NO_WAY);
    }
    for (size_t i = names.n; i > 0 && glm_prog_work(p); i--) {
        const struct name *name = &names.list[i - 1];
        uint32_t value, with = GLM_PROG_NO_WAY;
        if (i < names.n)
            behind = glm_json_behind(p, &c->json, '}', may_end, item);
        if (glm_schema_value_rule(c, parts, &names, i - 1, false, &value))
            with = write_pair(c, name, value, behind);
        may_end &= !name->is_required;
        item = name->is_required ? with : glm_prog_split(p, with, item);
    }
    uint32_t first = item;
    if (may_end)
        first = glm_prog_split(p, item, glm_prog_literal(p, "}", 1, GLM_PROG_END));
    if (first == GLM_PROG_NO_WAY)
        return GLM_PROG_NO_WAY;
    return glm_prog_literal(p, "{", 1, glm_prog_call(p, c->json.space, first));
}
