// SPDX-License-Identifier: MIT
#include "grammar/regex.h"
#include "grammar/schema_internal.h"
#include "grammar/vocab.h"

/* The tightest bounds of all parts; *max UINT32_MAX: none. Bounds over `most` are left to validation. */
void glm_schema_bounds(struct compiler *c, const struct parts *parts, const char *min_key,
                       const char *max_key, uint32_t most, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = UINT32_MAX;
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *lo = glm_json_get(parts->part[i].schema, min_key);
        const glm_json *hi = glm_json_get(parts->part[i].schema, max_key);
        uint64_t v;
        if (lo && glm_json_text_u64(lo->text ? lo->text : "", lo->length, &v)) {
            if (v > most)
                glm_schema_ignore(c, min_key);
            else
                *min = v > *min ? (uint32_t)v : *min;
        }
        if (hi && glm_json_text_u64(hi->text ? hi->text : "", hi->length, &v)) {
            if (v > most)
                glm_schema_ignore(c, max_key);
            else
                *max = v < *max ? (uint32_t)v : *max;
        }
    }
}

static const char *format_regex(const glm_json *format)
{
#define DATE                                                                                       \
    "[1-9]\\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"        \
    "02-(0[1-9]|1\\d|2[0-8]))"
#define TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define BYTE "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
    static const char *const list[][2] = {
        {"date", "^" DATE "$"},
        {"time", "^" TIME "$"},
        {"date-time", "^" DATE "T" TIME "$"},
        {"uuid", "^[\\da-fA-F]{8}-([\\da-fA-F]{4}-){3}[\\da-fA-F]{12}$"},
        {"ipv4", "^(" BYTE "\\.){3}" BYTE "$"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (glm_json_is(format, list[i][0]))
            return list[i][1];
    }
    return NULL;
}

/* The regular expression all strings match that are no free text; data NULL: none. */
static glm_text find_regex(struct compiler *c, const struct parts *parts)
{
    glm_text regex = {0};
    for (size_t i = 0; i < parts->n; i++) {
        const glm_json *pattern = glm_json_get(parts->part[i].schema, "pattern");
        const glm_json *format = glm_json_get(parts->part[i].schema, "format");
        const char *known = format ? format_regex(format) : NULL;
        if (pattern && pattern->type == GLM_JSON_STRING && !regex.data)
            regex = (glm_text){pattern->text, pattern->length};
        else if (pattern)
            glm_schema_ignore(c, "pattern");
        if (known && !regex.data)
            regex = glm_text_c(known);
        else if (format)
            glm_schema_ignore(c, "format");
    }
    return regex;
}

uint32_t glm_schema_string(struct compiler *c, const struct parts *parts)
{
    glm_prog *p = c->prog;
    const char *quote = parts->is_raw ? "" : "\"";
    const size_t n_quote = parts->is_raw ? 0 : 1;
    const uint32_t text = glm_standard_text(p, parts->is_raw ? GLM_TEXT_RAW : GLM_TEXT_JSON);
    uint32_t min, max, close = glm_prog_literal(p, quote, n_quote, GLM_PROG_END);
    glm_schema_bounds(c, parts, "minLength", "maxLength", GLM_SCHEMA_LENGTH_MAX, &min, &max);
    glm_text regex = find_regex(c, parts);
    if (!regex.data)
        return glm_prog_literal(p, quote, n_quote, glm_prog_units(p, text, min, max, close));
    if (min > 0 || max != GLM_PROG_ENDLESS)
        glm_schema_ignore(c, "minLength and maxLength beside pattern or format");
    uint32_t start = GLM_PROG_NO_WAY;
    glm_status st = c->status;
    if (st == GLM_OK)
        st = glm_regex_write(p, &start, regex,
                             parts->is_raw ? GLM_REGEX_SEARCH : GLM_REGEX_JSON_SEARCH, close,
                             c->err);
    if (st == GLM_EUNSUPP && !c->is_strict) {
        glm_schema_ignore(c, "pattern");
        start = glm_prog_units(p, text, 0, GLM_PROG_ENDLESS, close);
    } else if (st != GLM_OK && c->status == GLM_OK) {
        c->status = glm_fail_context(c->err, st, "JSON Schema: pattern");
    }
    return glm_prog_literal(p, quote, n_quote, start);
}
