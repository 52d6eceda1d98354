// SPDX-License-Identifier: MIT
#include "grammar/schema_internal.h"

static const glm_json *item_schema(const glm_json *s, size_t index)
{
    const glm_json *prefix = glm_json_get(s, "prefixItems"), *items = glm_json_get(s, "items");
    if (!prefix && items && items->type == GLM_JSON_ARRAY) { /* before draft 2020-12 */
        prefix = items;
        items = glm_json_get(s, "additionalItems");
    }
    const glm_json *at = prefix && prefix->type == GLM_JSON_ARRAY ? prefix->first : NULL;
    for (size_t i = 0; at && i < index; i++)
        at = at->next;
    return at ? at : items;
}

/* The rule of item `index`; false: there can be none. */
static bool item_rule(struct compiler *c, const struct parts *parts, size_t index, uint32_t *rule)
{
    struct parts item = {.n = 0};
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *s = item_schema(parts->part[i].schema, index);
        if (s && s->type == GLM_JSON_BOOL && !s->boolean)
            return false;
        if (s)
            glm_schema_add_part(c, &item, s);
    }
    *rule = glm_schema_rule(c, &item);
    return true;
}

static size_t n_prefix(const struct parts *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *prefix = glm_json_get(parts->part[i].schema, "prefixItems");
        if (!prefix)
            prefix = glm_json_get(parts->part[i].schema, "items");
        if (prefix && prefix->type == GLM_JSON_ARRAY && prefix->length > n)
            n = prefix->length;
    }
    return n;
}

/* How many items there may be, and from which on all have one rule. */
struct shape {
    uint32_t min, max;
    size_t n_fixed;
    uint32_t rest; /* the rule of items behind the fixed ones, when there can be any */
};

/* Behind the fixed items: the others, of one rule. */
static uint32_t write_rest(struct compiler *c, const struct shape *shape)
{
    glm_prog *p = c->prog;
    if (shape->max == GLM_PROG_ENDLESS) {
        glm_json_circle circle = glm_json_open_circle(p, &c->json, ']');
        glm_json_close_circle(p, &c->json, circle, glm_prog_call(p, shape->rest, circle.entry));
        return circle.entry;
    }
    uint32_t behind = glm_json_behind(p, &c->json, ']', true, GLM_PROG_NO_WAY);
    for (size_t i = shape->max; i > shape->n_fixed && glm_prog_work(p); i--)
        behind = glm_json_behind(p, &c->json, ']', i > shape->min,
                                 glm_prog_call(p, shape->rest, behind));
    return behind;
}

uint32_t glm_schema_array(struct compiler *c, const struct parts *parts)
{
    glm_prog *p = c->prog;
    struct shape shape = {.n_fixed = n_prefix(parts)};
    glm_schema_bounds(c, parts, "minItems", "maxItems", GLM_SCHEMA_ITEMS_MAX, &shape.min,
                      &shape.max);
    if (shape.n_fixed > GLM_SCHEMA_ITEMS_MAX)
        glm_schema_refuse(c, GLM_ELIMIT, "more than 1000 prefixItems", "");
    if (!item_rule(c, parts, shape.n_fixed, &shape.rest) && shape.max > shape.n_fixed)
        shape.max = (uint32_t)shape.n_fixed;
    if (shape.max < shape.min || c->status != GLM_OK)
        return GLM_PROG_NO_WAY;
    if (shape.n_fixed < shape.min)
        shape.n_fixed = shape.min;
    if (shape.n_fixed == 0)
        shape.n_fixed = 1;
    if (shape.n_fixed > shape.max)
        shape.n_fixed = shape.max;
    uint32_t item = GLM_PROG_NO_WAY, behind = write_rest(c, &shape);
    for (size_t i = shape.n_fixed; i > 0 && glm_prog_work(p); i--) {
        uint32_t rule;
        item = GLM_PROG_NO_WAY;
        if (item_rule(c, parts, i - 1, &rule))
            item = glm_prog_call(p, rule, behind);
        if (i > 1)
            behind = glm_json_behind(p, &c->json, ']', i > shape.min, item);
    }
    uint32_t empty = shape.min == 0 ? glm_prog_literal(p, "]", 1, GLM_PROG_END) : GLM_PROG_NO_WAY;
    uint32_t first = glm_prog_split(p, item, empty);
    return glm_prog_literal(p, "[", first == GLM_PROG_NO_WAY ? 0 : 1,
                            glm_prog_call(p, c->json.space, first));
}
