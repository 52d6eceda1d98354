// SPDX-License-Identifier: MIT
/*
 * JSON Schema to a program. A rule stands for a conjunction of schemas: a schema with its $ref and allOf, or
 * a schema and one branch of its anyOf. Rules wait in a list until they are written, so that no depth of the
 * schema and no circle of references is a depth of ours.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_write.h"
#include "core/mem.h"
#include "grammar/schema_internal.h"

#define ONE_OF_MAX 64 /* branches of a oneOf that are compared */

enum {
    T_NULL = 1,
    T_BOOLEAN = 2,
    T_INTEGER = 4,
    T_NUMBER = 8, /* those that are no integers */
    T_STRING = 16,
    T_ARRAY = 32,
    T_OBJECT = 64,
    T_ALL = 127,
};

void glm_schema_refuse(struct compiler *c, glm_status status, const char *what, const char *name)
{
    if (c->status == GLM_OK)
        c->status = glm_fail(c->err, status, "JSON Schema: %s%s", what, name);
}

void glm_schema_ignore(struct compiler *c, const char *keyword)
{
    if (c->ignored->data && strstr(c->ignored->data, keyword))
        return;
    if (c->ignored->length)
        glm_str_append_c(c->ignored, ", ");
    glm_str_append_c(c->ignored, keyword);
}

void *glm_schema_alloc(struct compiler *c, size_t n, size_t size)
{
    void *piece = glm_arena_alloc_small(&c->arena, glm_mul_size(n ? n : 1, size));
    if (!piece)
        glm_schema_refuse(c, GLM_ELIMIT, "it needs too much memory to compile", "");
    return piece;
}

/* ---- Conjunctions ---- */

/* True when a schema admits everything: `true`, or nothing but annotations. */
static bool says_nothing(const glm_json *schema)
{
    static const char *const annotations[] = {"title",    "description", "default",  "examples",
                                              "$comment", "deprecated",  "readOnly", "writeOnly"};
    if (schema->type == GLM_JSON_BOOL)
        return schema->boolean;
    bool is_empty = schema->type == GLM_JSON_OBJECT;
    for (const glm_json *m = schema->first; m && is_empty; m = m->next) {
        is_empty = false;
        for (size_t i = 0; i < sizeof annotations / sizeof *annotations && !is_empty; i++)
            is_empty = strcmp(m->key, annotations[i]) == 0;
    }
    return is_empty;
}

void glm_schema_add_part(struct compiler *c, struct parts *parts, const glm_json *schema)
{
    if (says_nothing(schema))
        return;
    for (size_t i = 0; i < parts->n; i++) {
        if (parts->part[i].schema == schema)
            return;
    }
    if (parts->n == GLM_SCHEMA_PARTS_MAX)
        glm_schema_refuse(c, GLM_ELIMIT, "more than 24 schemas apply to one value", "");
    else
        parts->part[parts->n++] = (struct part){.schema = schema};
}

static bool same_parts(const struct parts *a, const struct parts *b)
{
    bool is_same = a->n == b->n && a->is_raw == b->is_raw;
    for (size_t i = 0; i < a->n && is_same; i++) {
        const struct part *p = &a->part[i], *q = &b->part[i];
        is_same =
            p->schema == q->schema && p->any_done == q->any_done && p->one_done == q->one_done;
    }
    return is_same;
}

static size_t hash_parts(const struct parts *parts)
{
    size_t h = parts->is_raw;
    for (size_t i = 0; i < parts->n; i++) {
        const struct part *p = &parts->part[i];
        h = (h ^ (uintptr_t)p->schema ^ (size_t)p->any_done << 1 ^ p->one_done) *
            0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return h;
}

/* Room for twice as many rules, and their table anew. */
static bool grow_rules(struct compiler *c)
{
    size_t size = c->table_size ? c->table_size * 2 : 128;
    struct waiting **rules = realloc(c->rules, size / 2 * sizeof(struct waiting *));
    if (rules)
        c->rules = rules;
    uint32_t *table = rules ? glm_new_array(uint32_t, size) : NULL;
    if (!table) {
        glm_schema_refuse(c, GLM_ENOMEM, "no memory", "");
        return false;
    }
    for (size_t i = 0; i < c->n_rules; i++) {
        size_t at = hash_parts(&c->rules[i]->parts) & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = (uint32_t)i + 1;
    }
    free(c->table);
    c->table = table;
    c->table_size = size;
    return true;
}

uint32_t glm_schema_rule(struct compiler *c, const struct parts *parts)
{
    if (parts->n == 0 && !parts->is_raw)
        return c->json.value;
    if (c->status != GLM_OK || !glm_prog_work(c->prog))
        return 0;
    if (c->n_rules * 2 >= c->table_size && !grow_rules(c))
        return 0;
    size_t at = hash_parts(parts) & (c->table_size - 1);
    for (; c->table[at]; at = (at + 1) & (c->table_size - 1)) {
        if (same_parts(&c->rules[c->table[at] - 1]->parts, parts))
            return c->rules[c->table[at] - 1]->rule;
    }
    struct waiting *w = glm_schema_alloc(c, 1, sizeof *w);
    if (!w)
        return 0;
    w->parts = *parts;
    w->rule = glm_prog_rule_new(c->prog, true);
    c->rules[c->n_rules++] = w;
    c->table[at] = (uint32_t)c->n_rules;
    return w->rule;
}

/* The item of an array at the index spelled `name`, or NULL. */
static const glm_json *item_at(const glm_json *array, const char *name)
{
    uint64_t index;
    if (!*name || strspn(name, "0123456789") != strlen(name) ||
        !glm_json_text_u64(name, strlen(name), &index))
        return NULL;
    const glm_json *item = array->first;
    while (item && index-- > 0)
        item = item->next;
    return item;
}

/* The byte of an escape whose two digits stand at *at; '%' itself when there are none. */
static char percent(glm_text text, size_t *at)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *hi =
        *at + 1 < text.length && text.data[*at] ? strchr(digits, text.data[*at]) : NULL;
    const char *lo = hi && text.data[*at + 1] ? strchr(digits, text.data[*at + 1]) : NULL;
    if (!lo)
        return '%';
    *at += 2;
    return (char)(((hi - digits) & 15) << 4 | ((lo - digits) & 15));
}

/* "#", "#/a/b" with ~0 ~1 and %XX, items by index; NULL: not there or not local. */
static const glm_json *resolve(const glm_json *root, glm_text ref)
{
    if (ref.length == 0 || ref.data[0] != '#')
        return NULL;
    const glm_json *at = root;
    for (size_t i = 1; at && i < ref.length;) {
        char name[256];
        size_t n = 0;
        if (ref.data[i++] != '/')
            return NULL;
        while (i < ref.length && ref.data[i] != '/') {
            char ch = ref.data[i++];
            if (ch == '%')
                ch = percent(ref, &i);
            if (ch == '~' && i < ref.length)
                ch = ref.data[i++] == '1' ? '/' : '~';
            if (n + 1 == sizeof name)
                return NULL;
            name[n++] = ch;
        }
        name[n] = '\0';
        at = at->type == GLM_JSON_ARRAY ? item_at(at, name) : glm_json_get(at, name);
    }
    return at;
}

static void check_keywords(struct compiler *c, const glm_json *schema)
{
    /* Not followed: refused when strict. */
    static const char *const unsupported[] = {"not",
                                              "if",
                                              "then",
                                              "else",
                                              "patternProperties",
                                              "unevaluatedProperties",
                                              "unevaluatedItems",
                                              "dependentRequired",
                                              "dependentSchemas",
                                              "dependencies",
                                              "propertyNames",
                                              "contains",
                                              "minContains",
                                              "maxContains",
                                              "$dynamicRef",
                                              "$recursiveRef"};
    /* Bounds that make the grammar a superset: for validation afterwards. */
    static const char *const bounds[] = {"multipleOf", "uniqueItems", "minProperties",
                                         "maxProperties"};
    if (!glm_prog_work_of(c->prog, 4 * schema->length)) /* each keyword is looked for among all */
        return;
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        if (!glm_json_get(schema, unsupported[i]))
            continue;
        if (c->is_strict)
            glm_schema_refuse(c, GLM_EUNSUPP, "unsupported keyword ", unsupported[i]);
        glm_schema_ignore(c, unsupported[i]);
    }
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (glm_json_get(schema, bounds[i]))
            glm_schema_ignore(c, bounds[i]);
    }
}

bool glm_schema_expand(struct compiler *c, struct parts *parts)
{
    for (size_t i = 0; i < parts->n && c->status == GLM_OK; i++) {
        const glm_json *s = parts->part[i].schema;
        if (s->type == GLM_JSON_BOOL) {
            if (!s->boolean)
                return false;
            continue;
        }
        if (s->type != GLM_JSON_OBJECT) {
            glm_schema_refuse(c, GLM_EARG, "a schema that is neither an object nor a boolean", "");
            return false;
        }
        check_keywords(c, s);
        const glm_json *ref = glm_json_get(s, "$ref");
        if (ref && ref->type == GLM_JSON_STRING) {
            const glm_json *target = resolve(c->root, (glm_text){ref->text, ref->length});
            if (target)
                glm_schema_add_part(c, parts, target);
            else
                glm_schema_refuse(c, ref->length && ref->text[0] == '#' ? GLM_EARG : GLM_EUNSUPP,
                                  "unsupported or dangling $ref ", ref->text);
        }
        const glm_json *all = glm_json_get(s, "allOf");
        for (const glm_json *a = all && all->type == GLM_JSON_ARRAY ? all->first : NULL; a;
             a = a->next)
            glm_schema_add_part(c, parts, a);
    }
    return c->status == GLM_OK;
}

/* ---- Types ---- */

static unsigned type_named(const glm_json *name)
{
    static const struct {
        const char *name;
        unsigned types;
    } list[] = {{"null", T_NULL},
                {"boolean", T_BOOLEAN},
                {"integer", T_INTEGER},
                {"string", T_STRING},
                {"array", T_ARRAY},
                {"object", T_OBJECT},
                {"number", T_NUMBER | T_INTEGER}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (glm_json_is(name, list[i].name))
            return list[i].types;
    }
    return 0;
}

/* The types a schema admits; without "type", keywords of objects or arrays mean just those. */
static unsigned types_of(struct compiler *c, const glm_json *s)
{
    const glm_json *type = glm_json_get(s, "type");
    unsigned types = 0;
    if (!type) {
        if (glm_json_get(s, "properties") || glm_json_get(s, "required"))
            return T_OBJECT;
        if (glm_json_get(s, "items") || glm_json_get(s, "prefixItems"))
            return T_ARRAY;
        return T_ALL;
    }
    if (type->type == GLM_JSON_ARRAY) {
        for (const glm_json *t = type->first; t; t = t->next)
            types |= type_named(t);
    } else {
        types = type_named(type);
    }
    if (types == 0)
        glm_schema_refuse(c, GLM_EARG, "an unknown type", "");
    const glm_json *nullable = glm_json_get(s, "nullable");
    if (nullable && nullable->type == GLM_JSON_BOOL && nullable->boolean)
        types |= T_NULL;
    return types;
}

/* ---- Branches ---- */

/* The value a branch has for property `name` when that is required and constant, or NULL. */
static const glm_json *constant_of(const glm_json *branch, const glm_json *name)
{
    const glm_json *property = glm_json_get(glm_json_get(branch, "properties"), name->key);
    const glm_json *required = glm_json_get(branch, "required");
    const glm_json *list = glm_json_get(property, "enum");
    const glm_json *value = glm_json_get(property, "const");
    if (!value && list && list->type == GLM_JSON_ARRAY && list->length == 1)
        value = list->first;
    for (const glm_json *r = required ? required->first : NULL; r && value; r = r->next) {
        if (glm_json_is(r, name->key))
            return value->type == GLM_JSON_STRING ? value : NULL;
    }
    return NULL;
}

/* Whether no value can be of both branches: their types differ, or what one property must be. */
static bool are_apart(struct compiler *c, const glm_json *a, const glm_json *b)
{
    if (a->type != GLM_JSON_OBJECT || b->type != GLM_JSON_OBJECT)
        return false;
    const unsigned a_types = types_of(c, a), b_types = types_of(c, b);
    if (!(a_types & b_types))
        return true;
    const glm_json *list = glm_json_get(a, "properties");
    bool is_apart = false;
    for (const glm_json *p = a_types == T_OBJECT && list ? list->first : NULL; p && !is_apart;
         p = p->next) {
        const glm_json *x = p->key ? constant_of(a, p) : NULL, *y = x ? constant_of(b, p) : NULL;
        is_apart =
            y && !glm_text_equal((glm_text){x->text, x->length}, (glm_text){y->text, y->length});
    }
    return is_apart;
}

/* oneOf is followed as anyOf; that is all it says where no two branches have a value in common. */
static void check_one_of(struct compiler *c, const glm_json *list)
{
    for (const glm_json *a = list->first; a; a = a->next) {
        for (const glm_json *b = a->next; b; b = b->next) {
            /* What is compared is as long as the two branches. */
            if (list->length > ONE_OF_MAX || !glm_prog_work_of(c->prog, a->length + b->length) ||
                !are_apart(c, a, b)) {
                glm_schema_ignore(c, "oneOf (as anyOf)");
                return;
            }
        }
    }
}

/* When an anyOf or oneOf is open: its branches into *ways. */
static bool write_branches(struct compiler *c, const struct parts *parts, uint32_t *ways)
{
    for (size_t i = 0; i < parts->n; i++) {
        for (int is_one = 0; is_one < 2; is_one++) {
            const struct part *part = &parts->part[i];
            const glm_json *list = glm_json_get(part->schema, is_one ? "oneOf" : "anyOf");
            if (!list || list->type != GLM_JSON_ARRAY || (is_one ? part->one_done : part->any_done))
                continue;
            if (is_one)
                check_one_of(c, list);
            *ways = GLM_PROG_NO_WAY;
            for (const glm_json *branch = list->first; branch; branch = branch->next) {
                struct parts with = *parts;
                if (is_one)
                    with.part[i].one_done = true;
                else
                    with.part[i].any_done = true;
                glm_schema_add_part(c, &with, branch);
                uint32_t rule = glm_schema_rule(c, &with);
                *ways = glm_prog_split(c->prog, *ways, glm_prog_call(c->prog, rule, GLM_PROG_END));
            }
            return true;
        }
    }
    return false;
}

/* ---- Const and enum ---- */

static unsigned types_of_parts(struct compiler *c, const struct parts *parts)
{
    unsigned types = T_ALL;
    for (size_t i = 0; i < parts->n; i++)
        types &= types_of(c, parts->part[i].schema);
    return types;
}

static unsigned type_of_value(const glm_json *v)
{
    static const unsigned types[] = {
        [GLM_JSON_NULL] = T_NULL,   [GLM_JSON_BOOL] = T_BOOLEAN,  [GLM_JSON_STRING] = T_STRING,
        [GLM_JSON_ARRAY] = T_ARRAY, [GLM_JSON_OBJECT] = T_OBJECT, [GLM_JSON_NUMBER] = T_NUMBER};
    double d;
    if (v->type == GLM_JSON_NUMBER && glm_json_text_double(v->text, v->length, &d) && d == floor(d))
        return T_INTEGER;
    return types[v->type];
}

/* True when the part has no enum or const that lacks the value spelled `text`, which is of the enum `source`. */
static bool admits_value(struct compiler *c, const glm_json *s, const glm_json *source,
                         glm_text text)
{
    const glm_json *one = glm_json_get(s, "const"), *list = glm_json_get(s, "enum");
    if (list == source)
        list = NULL; /* it is from there */
    glm_str other = {0};
    bool is_good = true;
    if (one) {
        glm_json_spell(&other, one);
        is_good = glm_text_equal(glm_str_text(&other), text);
    }
    if (list && list->type == GLM_JSON_ARRAY && is_good) {
        is_good = false;
        for (const glm_json *v = list->first;
             v && !is_good && glm_prog_work_of(c->prog, 1 + v->length); v = v->next) {
            glm_str_clear(&other);
            glm_json_spell(&other, v);
            is_good = glm_text_equal(glm_str_text(&other), text);
        }
    }
    glm_str_deinit(&other);
    return is_good;
}

static uint32_t write_value(struct compiler *c, const struct parts *parts, const glm_json *source,
                            const glm_json *v)
{
    glm_str text = {0};
    glm_json_spell(&text, v);
    bool is_good = (types_of_parts(c, parts) & type_of_value(v)) != 0;
    for (size_t i = 0; i < parts->n && is_good && glm_prog_work(c->prog); i++)
        is_good = admits_value(c, parts->part[i].schema, source, glm_str_text(&text));
    if (text.has_failed)
        glm_schema_refuse(c, GLM_ENOMEM, "no memory", "");
    uint32_t at = GLM_PROG_NO_WAY;
    if (is_good && parts->is_raw && v->type == GLM_JSON_STRING)
        at = glm_prog_literal(c->prog, v->text, v->length, GLM_PROG_END);
    else if (is_good)
        at = glm_prog_literal(c->prog, text.data, text.length, GLM_PROG_END);
    glm_str_deinit(&text);
    return at;
}

/* When some part has const or enum: those values that all parts admit into *ways. */
static bool write_values(struct compiler *c, const struct parts *parts, uint32_t *ways)
{
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *one = glm_json_get(parts->part[i].schema, "const");
        const glm_json *list = glm_json_get(parts->part[i].schema, "enum");
        if (!one && (!list || list->type != GLM_JSON_ARRAY))
            continue;
        *ways = GLM_PROG_NO_WAY;
        if (one)
            *ways = write_value(c, parts, NULL, one);
        for (const glm_json *v = one ? NULL : list->first; v && glm_prog_work(c->prog); v = v->next)
            *ways = glm_prog_split(c->prog, *ways, write_value(c, parts, list, v));
        return true;
    }
    return false;
}

/* ---- The whole ---- */

static uint32_t write_types(struct compiler *c, const struct parts *parts)
{
    glm_prog *p = c->prog;
    unsigned types = types_of_parts(c, parts);
    uint32_t ways = GLM_PROG_NO_WAY;
    if (types & T_OBJECT)
        ways = glm_schema_object(c, parts);
    if (types & T_ARRAY)
        ways = glm_prog_split(p, ways, glm_schema_array(c, parts));
    if (types & T_STRING)
        ways = glm_prog_split(p, ways, glm_schema_string(c, parts));
    if (types & T_NUMBER)
        ways = glm_prog_split(p, ways, glm_schema_number(c, parts));
    else if (types & T_INTEGER)
        ways = glm_prog_split(p, ways, glm_schema_integer(c, parts));
    if (types & T_BOOLEAN) {
        ways = glm_prog_split(p, ways, glm_prog_literal(p, "true", 4, GLM_PROG_END));
        ways = glm_prog_split(p, ways, glm_prog_literal(p, "false", 5, GLM_PROG_END));
    }
    if (types & T_NULL)
        ways = glm_prog_split(p, ways, glm_prog_literal(p, "null", 4, GLM_PROG_END));
    return ways;
}

static void write_rule(struct compiler *c, const struct waiting *w)
{
    struct parts parts = w->parts;
    uint32_t ways = GLM_PROG_NO_WAY;
    if (glm_schema_expand(c, &parts) && !write_branches(c, &parts, &ways) &&
        !write_values(c, &parts, &ways))
        ways = write_types(c, &parts);
    glm_prog_set_rule(c->prog, w->rule, ways);
}

/* Rule 0: at most white space, then the value of `rule`. */
static void write_start(glm_prog *p, const glm_json_rules *r, uint32_t rule)
{
    glm_prog_set_rule(p, 0, glm_prog_call(p, r->space, glm_prog_call(p, rule, GLM_PROG_END)));
}

void glm_schema_begin(struct compiler *c, const glm_json *schema)
{
    c->root = schema;
    glm_json_rules_add(c->prog, &c->json);
}

void glm_schema_write_rules(struct compiler *c)
{
    while (c->n_done < c->n_rules && glm_prog_work(c->prog) && c->status == GLM_OK)
        write_rule(c, c->rules[c->n_done++]);
}

void glm_schema_forget_rules(struct compiler *c)
{
    c->n_rules = c->n_done = 0;
    if (c->table)
        memset(c->table, 0, c->table_size * sizeof *c->table);
}

void glm_schema_end(struct compiler *c)
{
    free(c->rules);
    free(c->table);
    glm_arena_deinit(&c->arena);
}

glm_status glm_grammar_compile_schema(glm_grammar **out, const char *schema, size_t size,
                                      bool is_strict, glm_error *err)
{
    if (size > GLM_GRAMMAR_SOURCE_MAX)
        return glm_fail(err, GLM_ELIMIT, "a JSON Schema of more than %zu KiB",
                        GLM_GRAMMAR_SOURCE_MAX >> 10);
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    struct compiler c = {
        .prog = &g->prog, .is_strict = is_strict, .ignored = &g->ignored, .err = err};
    const glm_json *root;
    glm_arena_init(&c.arena, (size_t)64 << 20);
    c.status = glm_json_read(&root, &c.arena, schema, size, GLM_GRAMMAR_NESTING_MAX, err);
    if (c.status == GLM_OK) {
        glm_prog_rule_new(c.prog, false);
        glm_schema_begin(&c, root);
        struct parts parts = {.n = 0};
        glm_schema_add_part(&c, &parts, root);
        uint32_t rule = glm_schema_rule(&c, &parts);
        write_start(c.prog, &c.json, rule);
        glm_schema_write_rules(&c);
    }
    glm_schema_end(&c);
    return glm_grammar_finish(out, g, c.status, err);
}

glm_status glm_grammar_compile_json_object(glm_grammar **out, glm_error *err)
{
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    glm_json_rules r;
    glm_prog_rule_new(&g->prog, false);
    glm_json_rules_add(&g->prog, &r);
    write_start(&g->prog, &r, r.object);
    return glm_grammar_finish(out, g, GLM_OK, err);
}

const char *glm_grammar_ignored(const glm_grammar *g)
{
    return g->ignored.data ? g->ignored.data : "";
}
