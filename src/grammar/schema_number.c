// SPDX-License-Identifier: MIT
#include <math.h>

#include "grammar/schema_internal.h"

#define INTEGER_MAX 99999999999999999 /* 17 digits */

/* Decimal spellings of lo..hi, 0 <= lo <= hi <= INTEGER_MAX, in blocks with a free tail of digits. */
static uint32_t write_span(glm_prog *p, int64_t lo, int64_t hi)
{
    uint32_t ways = GLM_PROG_NO_WAY;
    while (lo <= hi) {
        unsigned n_digits = 1, free_digits = 0;
        int64_t power = 1;
        for (int64_t v = lo; v >= 10; v /= 10)
            n_digits++;
        while (free_digits + 1 < n_digits && lo % (power * 10) == 0 && lo + power * 10 - 1 <= hi) {
            power *= 10;
            free_digits++;
        }
        int64_t first = lo / power % 10, last = first;
        while (last < 9 && lo + (last - first + 2) * power - 1 <= hi)
            last++;
        uint32_t at = GLM_PROG_END;
        for (unsigned i = 0; i < free_digits; i++)
            at = glm_prog_range(p, '0', '9', at);
        at = glm_prog_range(p, (uint8_t)('0' + first), (uint8_t)('0' + last), at);
        int64_t prefix = lo / power / 10;
        for (unsigned i = free_digits + 1; i < n_digits; i++, prefix /= 10) {
            char digit = (char)('0' + prefix % 10);
            at = glm_prog_literal(p, &digit, 1, at);
        }
        ways = glm_prog_split(p, ways, at);
        lo += (last - first + 1) * power;
    }
    return ways;
}

/* A bound of an integer as a whole number within the digits we write. */
static int64_t whole(double bound, bool is_exclusive, bool is_lower)
{
    double v = is_lower ? ceil(bound) : floor(bound);
    if (is_exclusive && v == bound)
        v += is_lower ? 1 : -1;
    if (v > (double)INTEGER_MAX)
        return INTEGER_MAX;
    return v < -(double)INTEGER_MAX ? -INTEGER_MAX : (int64_t)v;
}

uint32_t glm_schema_integer(struct compiler *c, const struct parts *parts)
{
    static const char *const keys[] = {"minimum", "exclusiveMinimum", "maximum",
                                       "exclusiveMaximum"};
    int64_t lo = -INTEGER_MAX, hi = INTEGER_MAX;
    bool has_bound = false;
    for (size_t i = 0; i < parts->n; i++) {
        for (size_t k = 0; k < 4; k++) {
            const glm_json *v = glm_json_get(parts->part[i].schema, keys[k]);
            double bound;
            if (!v || v->type != GLM_JSON_NUMBER ||
                !glm_json_text_double(v->text, v->length, &bound))
                continue;
            has_bound = true;
            int64_t w = whole(bound, k & 1, k < 2);
            if (k < 2)
                lo = w > lo ? w : lo;
            else
                hi = w < hi ? w : hi;
        }
    }
    if (!has_bound)
        return glm_prog_call(c->prog, c->json.integer, GLM_PROG_END);
    uint32_t ways = write_span(c->prog, lo > 0 ? lo : 0, hi);
    if (lo < 0) {
        uint32_t minus = write_span(c->prog, hi < 0 ? -hi : 1, -lo);
        ways = glm_prog_split(c->prog, ways, glm_prog_literal(c->prog, "-", minus ? 1 : 0, minus));
    }
    return ways;
}

uint32_t glm_schema_number(struct compiler *c, const struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (glm_json_get(parts->part[i].schema, "minimum") ||
            glm_json_get(parts->part[i].schema, "exclusiveMinimum"))
            glm_schema_ignore(c, "minimum of numbers");
        if (glm_json_get(parts->part[i].schema, "maximum") ||
            glm_json_get(parts->part[i].schema, "exclusiveMaximum"))
            glm_schema_ignore(c, "maximum of numbers");
    }
    return glm_prog_call(c->prog, c->json.number, GLM_PROG_END);
}
