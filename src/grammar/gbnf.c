// SPDX-License-Identifier: MIT
/*
 * GBNF, the notation of grammars that llama.cpp made common (its grammars/README.md describes it):
 *
 *     root ::= item ("," item)*      # a comment
 *     item ::= [a-z]+ | "\"" [^"\n]{0,9} "\"" | .
 *
 * A rule goes on over line ends inside parentheses and behind "|". Rules may call each other in circles, but not as the
 * first thing they do.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "grammar/grammar_internal.h"
#include "grammar/pattern.h"

#define RULES_MAX 4096
#define ARENA_MAX ((size_t)64 << 20)

struct rule {
    glm_text name;
    const glm_pattern *pattern; /* NULL: called, not defined yet */
    uint32_t rule;
    size_t line; /* where it was first seen */
};

struct parser {
    const char *text;
    size_t size, at, line;
    unsigned depth;
    glm_prog *prog;
    glm_arena arena;
    struct rule *rules; /* [n_rules] of RULES_MAX */
    size_t n_rules;
    glm_status status;
    glm_error *err;
};

static void refuse(struct parser *p, glm_status status, const char *what)
{
    if (p->status == GLM_OK)
        p->status = glm_fail(p->err, status, "grammar, line %zu: %s", p->line, what);
}

static int peek(const struct parser *p)
{
    return p->at < p->size ? (unsigned char)p->text[p->at] : -1;
}

static bool take(struct parser *p, const char *text)
{
    size_t n = strlen(text);
    if (n > p->size - p->at || memcmp(p->text + p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* Blanks and comments, and line ends where `newlines` allows them. */
static void skip_space(struct parser *p, bool newlines)
{
    for (int c = peek(p); c >= 0; c = peek(p)) {
        if (c == '#') {
            while (peek(p) >= 0 && peek(p) != '\n' && peek(p) != '\r')
                p->at++;
        } else if (c == ' ' || c == '\t' || (newlines && (c == '\n' || c == '\r'))) {
            p->line += c == '\n';
            p->at++;
        } else {
            return;
        }
    }
}

/* ---- Names ---- */

static bool is_name_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static glm_text take_name(struct parser *p)
{
    size_t start = p->at;
    while (is_name_byte(peek(p)))
        p->at++;
    return (glm_text){p->text + start, p->at - start};
}

/* The rule called so, added when it is new; NULL: refused. */
static struct rule *find_rule(struct parser *p, glm_text name)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        if (!glm_prog_work(p->prog))
            return NULL;
        if (glm_text_equal(p->rules[i].name, name))
            return &p->rules[i];
    }
    if (p->n_rules == RULES_MAX) {
        refuse(p, GLM_ELIMIT, "more than 4096 rules");
        return NULL;
    }
    struct rule *rule = &p->rules[p->n_rules++];
    *rule = (struct rule){.name = name, .rule = glm_prog_rule_new(p->prog, true), .line = p->line};
    return rule;
}

/* ---- Characters ---- */

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
    if (value > GLM_CODE_POINT_MAX)
        refuse(p, GLM_EARG, "an escape beyond U+10FFFF");
    return value;
}

/* One character of a literal or a class, escapes resolved. */
static uint32_t take_char(struct parser *p)
{
    static const char letters[] = "nrt\\\"[]", values[] = "\n\r\t\\\"[]";
    if (peek(p) != '\\')
        return take_cp(p);
    p->at++;
    int c = peek(p);
    const char *known = c > 0 ? strchr(letters, c) : NULL;
    p->at += c >= 0;
    if (known)
        return (uint32_t)(unsigned char)values[known - letters];
    if (c == 'x')
        return take_hex(p, 2);
    if (c == 'u')
        return take_hex(p, 4);
    if (c == 'U')
        return take_hex(p, 8);
    if (c == '-' || c == '^')
        return (uint32_t)c;
    refuse(p, GLM_EARG, "an escape that is not known");
    return 0;
}

static glm_pattern *checked(struct parser *p, glm_pattern *n)
{
    if (!n)
        refuse(p, GLM_ENOMEM, "no memory");
    return n;
}

static glm_pattern *new_node(struct parser *p, enum glm_pattern_kind kind)
{
    return checked(p, glm_pattern_new(&p->arena, kind));
}

static void append(glm_pattern *list, glm_pattern *item)
{
    item->previous = list->last;
    list->last = item;
}

static glm_pattern *parse_literal(struct parser *p)
{
    glm_pattern *seq = new_node(p, GLM_PATTERN_SEQ);
    while (p->status == GLM_OK && !take(p, "\"")) {
        if (peek(p) < 0 || peek(p) == '\n') {
            refuse(p, GLM_EARG, "a literal without its closing quote");
            break;
        }
        uint32_t cp = take_char(p);
        glm_class_set one = {.ranges = {{cp, cp}}, .n = 1};
        glm_pattern *item = checked(p, glm_pattern_class(&p->arena, &one));
        if (item)
            append(seq, item);
    }
    return seq;
}

static glm_pattern *parse_class(struct parser *p)
{
    glm_class_set set = {.n = 0};
    bool is_negated = take(p, "^");
    while (p->status == GLM_OK && !take(p, "]")) {
        if (peek(p) < 0 || peek(p) == '\n') {
            refuse(p, GLM_EARG, "a class without ]");
            break;
        }
        uint32_t lo = take_char(p), hi = lo;
        if (p->at + 1 < p->size && p->text[p->at] == '-' && p->text[p->at + 1] != ']') {
            p->at++;
            hi = take_char(p);
        }
        if (lo > hi)
            refuse(p, GLM_EARG, "a range whose end comes before its start");
        else if (!glm_class_add(&set, lo, hi))
            refuse(p, GLM_ELIMIT, "a class of more than 256 ranges");
    }
    if (!glm_class_settle(&set, is_negated))
        refuse(p, GLM_ELIMIT, "a class of more than 256 ranges");
    return checked(p, glm_pattern_class(&p->arena, &set));
}

/* ---- Expressions ---- */

static glm_pattern *parse_alternatives(struct parser *p, bool is_nested);

static glm_pattern *parse_group(struct parser *p)
{
    if (p->depth == GLM_GRAMMAR_NESTING_MAX) {
        refuse(p, GLM_ELIMIT, "groups nest deeper than 64");
        return NULL;
    }
    p->depth++;
    glm_pattern *inner = parse_alternatives(p, true);
    p->depth--;
    if (!take(p, ")"))
        refuse(p, GLM_EARG, "a group without )");
    return inner;
}

/* What a sequence is made of; NULL: none begins here, or refused. */
static glm_pattern *parse_atom(struct parser *p)
{
    if (take(p, "\""))
        return parse_literal(p);
    if (take(p, "["))
        return parse_class(p);
    if (take(p, "("))
        return parse_group(p);
    if (take(p, ".")) {
        glm_class_set all = {.ranges = {{0, GLM_CODE_POINT_MAX}}, .n = 1};
        return checked(p, glm_pattern_class(&p->arena, &all));
    }
    if (!is_name_byte(peek(p)))
        return NULL;
    struct rule *rule = find_rule(p, take_name(p));
    glm_pattern *call = rule ? new_node(p, GLM_PATTERN_RULE) : NULL;
    if (call)
        call->rule = rule->rule;
    return call;
}

static uint32_t take_number(struct parser *p)
{
    uint32_t value = 0;
    skip_space(p, true);
    if (peek(p) < '0' || peek(p) > '9')
        refuse(p, GLM_EARG, "a bound that is no number");
    while (peek(p) >= '0' && peek(p) <= '9') {
        if (value <= GLM_PROG_COUNT_MAX)
            value = value * 10 + (uint32_t)(peek(p) - '0');
        p->at++;
    }
    skip_space(p, true);
    if (value > GLM_PROG_COUNT_MAX)
        refuse(p, GLM_ELIMIT, "a repetition of more than 4096");
    return value;
}

/* A repetition behind an atom, or none. */
static bool take_repeat(struct parser *p, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = GLM_PROG_ENDLESS;
    if (take(p, "*"))
        return true;
    if (take(p, "+")) {
        *min = 1;
        return true;
    }
    if (take(p, "?")) {
        *max = 1;
        return true;
    }
    if (!take(p, "{"))
        return false;
    skip_space(p, true);
    if (peek(p) != ',')
        *min = take_number(p);
    if (!take(p, ",")) {
        *max = *min;
    } else {
        skip_space(p, true);
        if (peek(p) != '}')
            *max = take_number(p);
    }
    if (!take(p, "}"))
        refuse(p, GLM_EARG, "a repetition without }");
    else if (*max < *min)
        refuse(p, GLM_EARG, "a bound below its minimum");
    return true;
}

static glm_pattern *parse_sequence(struct parser *p, bool is_nested)
{
    glm_pattern *seq = new_node(p, GLM_PATTERN_SEQ);
    while (seq && p->status == GLM_OK) {
        skip_space(p, is_nested);
        glm_pattern *item = parse_atom(p);
        uint32_t min, max;
        if (!item)
            break;
        while (p->status == GLM_OK && take_repeat(p, &min, &max)) {
            glm_pattern *repeat =
                ++p->depth > GLM_GRAMMAR_NESTING_MAX ? NULL : new_node(p, GLM_PATTERN_REPEAT);
            if (!repeat) {
                refuse(p, GLM_ELIMIT, "repetitions nest deeper than 64");
                return NULL;
            }
            repeat->min = min;
            repeat->max = max;
            repeat->last = item;
            item = repeat;
        }
        append(seq, item);
    }
    return seq;
}

static glm_pattern *parse_alternatives(struct parser *p, bool is_nested)
{
    glm_pattern *alt = new_node(p, GLM_PATTERN_ALT);
    const unsigned depth = p->depth;
    do {
        skip_space(p, true);
        glm_pattern *way = alt ? parse_sequence(p, is_nested) : NULL;
        p->depth = depth;
        if (!way)
            return NULL;
        append(alt, way);
        if (is_nested)
            skip_space(p, true);
    } while (p->status == GLM_OK && take(p, "|"));
    return alt;
}

static void parse_rule(struct parser *p)
{
    glm_text name = take_name(p);
    if (name.length == 0) {
        refuse(p, GLM_EARG, "expected the name of a rule");
        return;
    }
    struct rule *rule = find_rule(p, name);
    skip_space(p, false);
    if (!take(p, "::="))
        refuse(p, GLM_EARG, "expected ::= behind the name of a rule");
    else if (rule && rule->pattern)
        refuse(p, GLM_EARG, "a second rule of the same name");
    if (p->status != GLM_OK || !rule)
        return;
    rule->pattern = parse_alternatives(p, false);
    if (peek(p) >= 0 && peek(p) != '\n' && peek(p) != '\r')
        refuse(p, GLM_EARG, "expected the end of a rule");
}

static void write_rules(struct parser *p)
{
    const struct rule *root = NULL;
    for (size_t i = 0; i < p->n_rules && p->status == GLM_OK; i++) {
        const struct rule *rule = &p->rules[i];
        p->line = rule->line;
        if (!rule->pattern)
            refuse(p, GLM_EARG, "a rule that is called is not there");
        else
            glm_prog_set_rule(p->prog, rule->rule,
                              glm_pattern_write(p->prog, rule->pattern, false, GLM_PROG_END));
        if (glm_text_is(rule->name, "root"))
            root = rule;
    }
    p->line = 1;
    if (!root)
        refuse(p, GLM_EARG, "expected a rule called root");
    else
        glm_prog_set_rule(p->prog, 0, glm_prog_call(p->prog, root->rule, GLM_PROG_END));
}

glm_status glm_grammar_compile_gbnf(glm_grammar **out, glm_text source, glm_error *err)
{
    if (source.length > GLM_GRAMMAR_SOURCE_MAX)
        return glm_fail(err, GLM_ELIMIT, "a grammar of more than %zu KiB",
                        GLM_GRAMMAR_SOURCE_MAX >> 10);
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    struct parser p = {
        .text = source.data, .size = source.length, .line = 1, .prog = &g->prog, .err = err};
    glm_arena_init(&p.arena, ARENA_MAX);
    glm_prog_rule_new(p.prog, false);
    p.rules = glm_new_array(struct rule, RULES_MAX);
    if (!p.rules)
        refuse(&p, GLM_ENOMEM, "no memory");
    for (skip_space(&p, true); p.status == GLM_OK && peek(&p) >= 0; skip_space(&p, true))
        parse_rule(&p);
    if (p.status == GLM_OK)
        write_rules(&p);
    free(p.rules);
    glm_arena_deinit(&p.arena);
    /* What the program tells is why parsing went wrong behind it. */
    return glm_grammar_finish(out, g, g->prog.status == GLM_OK ? p.status : GLM_OK, err);
}
