// SPDX-License-Identifier: MIT
/* The compiler of JSON Schemas, for the files it lies in: schema.c has the whole, the others one type each. */
#ifndef GLM_GRAMMAR_SCHEMA_INTERNAL_H
#define GLM_GRAMMAR_SCHEMA_INTERNAL_H

#include "core/json.h"
#include "grammar/grammar_internal.h"
#include "grammar/json_rules.h"

#define GLM_SCHEMA_PARTS_MAX 24    /* schemas of one conjunction */
#define GLM_SCHEMA_ITEMS_MAX 1000  /* minItems and maxItems that are counted */
#define GLM_SCHEMA_LENGTH_MAX 4096 /* minLength and maxLength that are counted */
#define GLM_SCHEMA_NAMES_MAX 4096  /* properties of one object */

/* A schema of a conjunction; the branches of its anyOf or oneOf may have been taken already. */
struct part {
    const glm_json *schema;
    bool any_done, one_done;
};

/* A value that all these schemas admit. */
struct parts {
    struct part part[GLM_SCHEMA_PARTS_MAX];
    size_t n;
    bool is_raw; /* an argument of a tool call: strings stand without quotes and escapes */
};

struct waiting {
    struct parts parts;
    uint32_t rule;
};

struct compiler {
    glm_prog *prog;
    glm_json_rules json;
    const glm_json *root;
    bool is_strict;
    glm_arena arena;
    struct waiting **rules; /* [n_rules] written up to n_done */
    size_t n_rules, n_done;
    uint32_t *table; /* [table_size] open addressing over rules, index + 1; twice their room */
    size_t table_size;
    glm_str *ignored;
    glm_status status;
    glm_error *err;
};

/** Fail, once: "JSON Schema: <what><name>". */
void glm_schema_refuse(struct compiler *c, glm_status status, const char *what, const char *name);
/** Remember a keyword that has no effect here. */
void glm_schema_ignore(struct compiler *c, const char *keyword);
/** Zeroed memory until the schema is compiled; NULL: failed. */
void *glm_schema_alloc(struct compiler *c, size_t n, size_t size);
/** One more schema of the conjunction, unless it is there or admits everything. */
void glm_schema_add_part(struct compiler *c, struct parts *parts, const glm_json *schema);
/** The rule of a conjunction, made and put on the list when it is new; none is any value. */
uint32_t glm_schema_rule(struct compiler *c, const struct parts *parts);
/** Add what $ref and allOf bring. False: some part admits nothing, or the compiler failed. */
bool glm_schema_expand(struct compiler *c, struct parts *parts);
/** Write all rules on the list and those that they put there. */
void glm_schema_write_rules(struct compiler *c);
/** Forget which rules there are, so that no later schema shares them. */
void glm_schema_forget_rules(struct compiler *c);
/** Prepare to compile `schema` (a document that $ref refers to) into c->prog. deinit frees what it took. */
void glm_schema_begin(struct compiler *c, const glm_json *schema);
void glm_schema_end(struct compiler *c);

/* One type of value of `parts`, to the end of its rule; GLM_PROG_NO_WAY: there is none. */
uint32_t glm_schema_object(struct compiler *c, const struct parts *parts);
uint32_t glm_schema_array(struct compiler *c, const struct parts *parts);
uint32_t glm_schema_string(struct compiler *c, const struct parts *parts);
uint32_t glm_schema_integer(struct compiler *c, const struct parts *parts);
uint32_t glm_schema_number(struct compiler *c, const struct parts *parts);

/** The tightest bounds of all parts; *max GLM_PROG_ENDLESS: none. Bounds over `most` are ignored and named so. */
void glm_schema_bounds(struct compiler *c, const struct parts *parts, const char *min_key,
                       const char *max_key, uint32_t most, uint32_t *min, uint32_t *max);

/** The names of an object's properties, in order, and what each part says of them. */
struct name {
    const char *text;
    size_t size;
    bool is_required;
};
struct names {
    struct name *list; /* [n] */
    size_t n;
    const glm_json **values; /* [n, n_parts] schema of name i in part k, or NULL */
    uint32_t *table;         /* open addressing, index + 1 */
    size_t table_size;
};
void glm_schema_names(struct compiler *c, const struct parts *parts, struct names *names);
/** The rule of the value of name `index`, or with NULL names of any that is not declared. False: there can be none. */
bool glm_schema_value_rule(struct compiler *c, const struct parts *parts, const struct names *names,
                           size_t index, bool is_raw, uint32_t *rule);

#endif
