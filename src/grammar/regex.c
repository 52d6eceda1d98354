// SPDX-License-Identifier: MIT
#include "grammar/regex.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "grammar/grammar.h"
#include "grammar/pattern.h"
#include "grammar/vocab.h"

#define REPEAT_MAX GLM_PROG_COUNT_MAX /* of {m,n} */
#define ARENA_MAX ((size_t)64 << 20)

struct parser {
    const char *text;
    size_t size, at;
    unsigned depth;
    glm_arena arena;
    glm_status status;
    glm_error *err;
};

static void refuse(struct parser *p, glm_status status, const char *what)
{
    if (p->status == GLM_OK)
        p->status = glm_fail(p->err, status, "regular expression, byte %zu: %s", p->at, what);
}

static glm_pattern *checked(struct parser *p, glm_pattern *n)
{
    if (!n && p->status == GLM_OK)
        p->status = glm_fail(p->err, GLM_ENOMEM, "a regular expression");
    return n;
}

static glm_pattern *new_node(struct parser *p, enum glm_pattern_kind kind)
{
    return checked(p, glm_pattern_new(&p->arena, kind));
}

static bool take(struct parser *p, char c)
{
    if (p->at == p->size || p->text[p->at] != c)
        return false;
    p->at++;
    return true;
}

static int peek(const struct parser *p)
{
    return p->at < p->size ? (unsigned char)p->text[p->at] : -1;
}

/* One code point of the source; malformed UTF-8 is refused. */
static uint32_t take_cp(struct parser *p)
{
    glm_utf8_step step = glm_utf8_next(p->text + p->at, p->size - p->at);
    if (step.kind != GLM_UTF8_CHAR) {
        refuse(p, GLM_EARG, "not UTF-8");
        return 0;
    }
    p->at += step.length;
    return step.code;
}

static void add_range(struct parser *p, glm_class_set *set, uint32_t lo, uint32_t hi)
{
    if (lo > hi)
        refuse(p, GLM_EARG, "a range whose end comes before its start");
    else if (!glm_class_add(set, lo, hi))
        refuse(p, GLM_ELIMIT, "a class of more than 256 ranges");
}

static void settle(struct parser *p, glm_class_set *set, bool is_negated)
{
    if (!glm_class_settle(set, is_negated))
        refuse(p, GLM_ELIMIT, "a class of more than 256 ranges");
}

/* \d \w \s and their opposites; false: `c` is none of them. */
static bool add_shorthand(struct parser *p, glm_class_set *set, int c)
{
    glm_class_set own = {.n = 0};
    switch (c | 0x20) {
    case 'd':
        add_range(p, &own, '0', '9');
        break;
    case 'w':
        add_range(p, &own, '0', '9');
        add_range(p, &own, 'A', 'Z');
        add_range(p, &own, '_', '_');
        add_range(p, &own, 'a', 'z');
        break;
    case 's':
        add_range(p, &own, '\t', '\r');
        add_range(p, &own, ' ', ' ');
        break;
    default:
        return false;
    }
    settle(p, &own, !(c & 0x20));
    for (size_t i = 0; i < own.n; i++)
        add_range(p, set, own.ranges[i].lo, own.ranges[i].hi);
    return true;
}

static uint32_t take_hex(struct parser *p, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int c = peek(p);
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (c < 0 || digit < 0) {
            refuse(p, GLM_EARG, "a hexadecimal escape that is cut short");
            return 0;
        }
        value = value << 4 | (uint32_t)digit;
        p->at++;
    }
    return value;
}

/* Behind a backslash: the code point of an escape that stands for one. */
static uint32_t take_escape(struct parser *p)
{
    int c = peek(p);
    if (c < 0) {
        refuse(p, GLM_EARG, "a backslash at the end");
        return 0;
    }
    if (c >= 0x80)
        return take_cp(p);
    p->at++;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case '0':
        return 0;
    case 'x':
        return take_hex(p, 2);
    case 'u':
        return take_hex(p, 4);
    default:
        if ((c >= '1' && c <= '9') || c == 'k')
            refuse(p, GLM_EUNSUPP, "back-references are not supported");
        else if (c == 'b' || c == 'B')
            refuse(p, GLM_EUNSUPP, "\\b is not supported");
        else if (c == 'p' || c == 'P')
            refuse(p, GLM_EUNSUPP, "\\p is not supported");
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            refuse(p, GLM_EUNSUPP, "this escape is not supported");
        return (uint32_t)c;
    }
}

static glm_pattern *parse_class(struct parser *p)
{
    glm_class_set set = {.n = 0};
    bool is_negated = take(p, '^');
    while (p->status == GLM_OK && !take(p, ']')) {
        if (peek(p) < 0) {
            refuse(p, GLM_EARG, "a class without ]");
            break;
        }
        uint32_t lo;
        if (take(p, '\\')) {
            if (peek(p) >= 0 && add_shorthand(p, &set, peek(p))) {
                p->at++;
                continue;
            }
            lo = take(p, 'b') ? '\b' : take_escape(p);
        } else {
            lo = take_cp(p);
        }
        uint32_t hi = lo;
        if (p->at + 1 < p->size && p->text[p->at] == '-' && p->text[p->at + 1] != ']') {
            p->at++;
            hi = take(p, '\\') ? take_escape(p) : take_cp(p);
        }
        add_range(p, &set, lo, hi);
    }
    settle(p, &set, is_negated);
    return checked(p, glm_pattern_class(&p->arena, &set));
}

static glm_pattern *parse_alternatives(struct parser *p);

static glm_pattern *parse_group(struct parser *p)
{
    if (take(p, '?')) {
        if (take(p, '<') && peek(p) != '=' && peek(p) != '!') {
            while (peek(p) >= 0 && !take(p, '>'))
                p->at++;
        } else if (!take(p, ':')) {
            refuse(p, GLM_EUNSUPP, "look-around and inline flags are not supported");
        }
    }
    if (p->depth == GLM_GRAMMAR_NESTING_MAX)
        refuse(p, GLM_ELIMIT, "groups nest deeper than 64");
    if (p->status != GLM_OK)
        return NULL;
    p->depth++;
    glm_pattern *inner = parse_alternatives(p);
    p->depth--;
    if (!take(p, ')'))
        refuse(p, GLM_EARG, "a group without )");
    return inner;
}

static glm_pattern *parse_atom(struct parser *p)
{
    glm_class_set set = {.n = 0};
    if (take(p, '('))
        return parse_group(p);
    if (take(p, '['))
        return parse_class(p);
    if (take(p, '^'))
        return new_node(p, GLM_PATTERN_BEGIN);
    if (take(p, '$'))
        return new_node(p, GLM_PATTERN_END);
    if (take(p, '.')) {
        add_range(p, &set, '\n', '\n');
        settle(p, &set, true);
    } else if (take(p, '\\')) {
        if (peek(p) >= 0 && add_shorthand(p, &set, peek(p))) {
            p->at++;
        } else {
            uint32_t cp = take_escape(p);
            add_range(p, &set, cp, cp);
        }
    } else if (peek(p) == '*' || peek(p) == '+' || peek(p) == '?') {
        refuse(p, GLM_EARG, "nothing to repeat");
    } else {
        uint32_t cp = take_cp(p);
        add_range(p, &set, cp, cp);
    }
    return checked(p, glm_pattern_class(&p->arena, &set));
}

static bool take_number(struct parser *p, uint32_t *out)
{
    uint32_t value = 0;
    if (peek(p) < '0' || peek(p) > '9')
        return false;
    while (peek(p) >= '0' && peek(p) <= '9') {
        if (value <= REPEAT_MAX)
            value = value * 10 + (uint32_t)(peek(p) - '0');
        p->at++;
    }
    *out = value;
    return true;
}

/* A repetition behind an atom, or none; "{" that is no bound stands for itself. */
static bool take_repeat(struct parser *p, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = UINT32_MAX;
    if (take(p, '*'))
        return true;
    if (take(p, '+')) {
        *min = 1;
        return true;
    }
    if (take(p, '?')) {
        *max = 1;
        return true;
    }
    size_t start = p->at;
    if (!take(p, '{'))
        return false;
    bool is_bound = take_number(p, min);
    if (is_bound && !take(p, ','))
        *max = *min;
    else if (is_bound && take_number(p, max) && *max < *min)
        refuse(p, GLM_EARG, "a bound below its minimum");
    if (!is_bound || !take(p, '}')) {
        p->at = start;
        return false;
    }
    if (*min > REPEAT_MAX || (*max != UINT32_MAX && *max > REPEAT_MAX))
        refuse(p, GLM_ELIMIT, "a repetition of more than 4096");
    return true;
}

static glm_pattern *parse_sequence(struct parser *p)
{
    glm_pattern *seq = new_node(p, GLM_PATTERN_SEQ);
    while (seq && p->status == GLM_OK && peek(p) >= 0 && peek(p) != '|' && peek(p) != ')') {
        glm_pattern *item = parse_atom(p);
        uint32_t min, max;
        unsigned n = 0;
        while (item && p->status == GLM_OK && take_repeat(p, &min, &max)) {
            if (item->kind == GLM_PATTERN_BEGIN || item->kind == GLM_PATTERN_END || ++n > 1)
                refuse(p, GLM_EARG, "nothing to repeat");
            glm_pattern *repeat = new_node(p, GLM_PATTERN_REPEAT);
            if (!repeat)
                return NULL;
            repeat->min = min;
            repeat->max = max;
            repeat->last = item;
            item = repeat;
            take(p, '?');
        }
        if (!item)
            return NULL;
        item->previous = seq->last;
        seq->last = item;
    }
    return seq;
}

static glm_pattern *parse_alternatives(struct parser *p)
{
    glm_pattern *alt = new_node(p, GLM_PATTERN_ALT);
    do {
        glm_pattern *way = alt ? parse_sequence(p) : NULL;
        if (!way)
            return NULL;
        way->previous = alt->last;
        alt->last = way;
    } while (p->status == GLM_OK && take(p, '|'));
    return alt;
}

/* ---- Writing ---- */

static glm_pattern *first_child(const glm_pattern *n)
{
    glm_pattern *c = n->last;
    while (c && c->previous)
        c = c->previous;
    return c;
}

/* Anchors that are not at the ends of a top-level alternative. */
static bool has_inner_anchor(const glm_pattern *n, unsigned depth)
{
    if (n->kind == GLM_PATTERN_BEGIN || n->kind == GLM_PATTERN_END)
        return true;
    const glm_pattern *first = depth == 1 ? first_child(n) : NULL;
    for (const glm_pattern *c = n->last; c; c = c->previous) {
        bool is_at_end = depth == 1 && ((c == n->last && c->kind == GLM_PATTERN_END) ||
                                        (c == first && c->kind == GLM_PATTERN_BEGIN));
        if (!is_at_end && has_inner_anchor(c, depth + 1))
            return true;
    }
    return false;
}

/* Any characters, or none. */
static uint32_t write_any(glm_prog *p, bool is_json, uint32_t next)
{
    uint32_t text = glm_standard_text(p, is_json ? GLM_TEXT_JSON : GLM_TEXT_RAW);
    return glm_prog_units(p, text, 0, GLM_PROG_ENDLESS, next);
}

glm_status glm_regex_write(glm_prog *prog, uint32_t *start, glm_text regex,
                           enum glm_regex_mode mode, uint32_t next, glm_error *err)
{
    struct parser p = {.text = regex.data, .size = regex.length, .err = err, .status = GLM_OK};
    if (regex.length > GLM_GRAMMAR_SOURCE_MAX)
        return glm_fail(err, GLM_ELIMIT, "a regular expression of more than %zu KiB",
                        GLM_GRAMMAR_SOURCE_MAX >> 10);
    glm_arena_init(&p.arena, ARENA_MAX);
    glm_pattern *root = parse_alternatives(&p);
    if (p.at < p.size)
        refuse(&p, GLM_EARG, "a ) without group");
    if (p.status == GLM_OK && has_inner_anchor(root, 0))
        refuse(&p, GLM_EUNSUPP, "^ and $ are supported only at the ends");
    if (p.status == GLM_OK) {
        const bool is_json = mode == GLM_REGEX_JSON_SEARCH;
        uint32_t ways = GLM_PROG_NO_WAY;
        for (const glm_pattern *way = root->last; way; way = way->previous) {
            const glm_pattern *first = first_child(way);
            bool is_open_end =
                mode != GLM_REGEX_WHOLE && !(first && way->last->kind == GLM_PATTERN_END);
            bool is_open_start =
                mode != GLM_REGEX_WHOLE && !(first && first->kind == GLM_PATTERN_BEGIN);
            uint32_t at = glm_pattern_write(prog, way, is_json,
                                            is_open_end ? write_any(prog, is_json, next) : next);
            ways = glm_prog_split(prog, is_open_start ? write_any(prog, is_json, at) : at, ways);
        }
        *start = ways;
    }
    glm_arena_deinit(&p.arena);
    return p.status;
}
