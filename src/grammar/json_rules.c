// SPDX-License-Identifier: MIT
#include "grammar/json_rules.h"

#include "grammar/vocab.h"

#define SPACES_MAX 32

static uint32_t byte(glm_prog *p, char c, uint32_t next)
{
    return glm_prog_range(p, (uint8_t)c, (uint8_t)c, next);
}

/* White space, then the byte `c`, then `next`. */
static uint32_t space_then(glm_prog *p, const glm_json_rules *r, char c, uint32_t next)
{
    return glm_prog_call(p, r->space, byte(p, c, next));
}

uint32_t glm_json_separator(glm_prog *p, const glm_json_rules *r, char c, uint32_t next)
{
    return space_then(p, r, c, glm_prog_call(p, r->space, next));
}

uint32_t glm_json_behind(glm_prog *p, const glm_json_rules *r, char close, bool may_end,
                         uint32_t item)
{
    uint32_t more = item == GLM_PROG_NO_WAY ? item : glm_prog_call(p, r->space, item);
    uint32_t ways = byte(p, ',', more);
    if (may_end)
        ways = glm_prog_split(p, ways, byte(p, close, GLM_PROG_END));
    return glm_prog_call(p, r->space, ways);
}

glm_json_circle glm_json_open_circle(glm_prog *p, const glm_json_rules *r, char close)
{
    uint32_t loop = glm_prog_open_loop(p, byte(p, close, GLM_PROG_END));
    return (glm_json_circle){loop, glm_prog_call(p, r->space, loop)};
}

void glm_json_close_circle(glm_prog *p, const glm_json_rules *r, glm_json_circle circle,
                           uint32_t item)
{
    glm_prog_close_loop(p, circle.loop, byte(p, ',', glm_prog_call(p, r->space, item)));
}

static void add_space(glm_prog *p, const glm_json_rules *r)
{
    uint32_t at = GLM_PROG_END;
    for (int i = 0; i < SPACES_MAX; i++)
        at = glm_prog_split(p, byte(p, ' ', at), GLM_PROG_END);
    glm_prog_set_rule(p, r->space, glm_prog_split(p, byte(p, '\n', at), at));
}

static uint32_t hex(glm_prog *p, size_t n, uint32_t next)
{
    for (; n > 0; n--) {
        uint32_t letters =
            glm_prog_split(p, glm_prog_range(p, 'A', 'F', next), glm_prog_range(p, 'a', 'f', next));
        next = glm_prog_split(p, glm_prog_range(p, '0', '9', next), letters);
    }
    return next;
}

static uint32_t either(glm_prog *p, const char *bytes, uint32_t next)
{
    uint32_t ways = GLM_PROG_NO_WAY;
    for (; *bytes; bytes++)
        ways = glm_prog_split(p, ways, byte(p, *bytes, next));
    return ways;
}

uint32_t glm_json_any_escape(glm_prog *p, uint32_t next)
{
    uint32_t low =
        glm_prog_literal(p, "\\u", 2, either(p, "dD", either(p, "cdefCDEF", hex(p, 2, next))));
    uint32_t pair = either(p, "dD", either(p, "89abAB", hex(p, 2, low)));
    uint32_t single = glm_prog_split(p, either(p, "0123456789abcefABCEF", hex(p, 3, next)),
                                     either(p, "dD", either(p, "01234567", hex(p, 2, next))));
    uint32_t unicode = byte(p, 'u', glm_prog_split(p, single, pair));
    return byte(p, '\\', glm_prog_split(p, either(p, "\"\\/bfnrt", next), unicode));
}

/* Digits, min..max of them. */
static uint32_t digits(glm_prog *p, unsigned min, unsigned max, uint32_t next)
{
    uint32_t at = next;
    for (unsigned i = min; i < max; i++)
        at = glm_prog_split(p, glm_prog_range(p, '0', '9', at), next);
    for (unsigned i = 0; i < min; i++)
        at = glm_prog_range(p, '0', '9', at);
    return at;
}

static uint32_t integer(glm_prog *p, uint32_t next)
{
    uint32_t many = glm_prog_range(p, '1', '9', digits(p, 0, GLM_JSON_DIGITS_MAX - 1, next));
    uint32_t whole = glm_prog_split(p, byte(p, '0', next), many);
    return glm_prog_split(p, byte(p, '-', whole), whole);
}

static void add_numbers(glm_prog *p, const glm_json_rules *r)
{
    uint32_t end = GLM_PROG_END;
    uint32_t power = digits(p, 1, 2, end);
    uint32_t exponent = either(p, "eE", glm_prog_split(p, either(p, "+-", power), power));
    uint32_t tail = glm_prog_split(p, exponent, end);
    uint32_t fraction = byte(p, '.', digits(p, 1, GLM_JSON_DIGITS_MAX, tail));
    glm_prog_set_rule(p, r->number, integer(p, glm_prog_split(p, fraction, tail)));
    glm_prog_set_rule(p, r->integer, integer(p, end));
}

/* open, then nothing or items apart by commas, then close. */
static uint32_t list(glm_prog *p, const glm_json_rules *r, char open, uint32_t item, char close)
{
    glm_json_circle circle = glm_json_open_circle(p, r, close);
    uint32_t items = glm_prog_call(p, item, circle.entry);
    glm_json_close_circle(p, r, circle, items);
    uint32_t first = glm_prog_split(p, items, byte(p, close, GLM_PROG_END));
    return byte(p, open, glm_prog_call(p, r->space, first));
}

void glm_json_rules_add(glm_prog *p, glm_json_rules *r)
{
    *r = (glm_json_rules){
        .space = glm_prog_rule_new(p, false),
        .chr = glm_standard_text(p, GLM_TEXT_JSON),
        .string = glm_prog_rule_new(p, false),
        .number = glm_prog_rule_new(p, false),
        .integer = glm_prog_rule_new(p, false),
        .value = glm_prog_rule_new(p, false),
        .object = glm_prog_rule_new(p, true),
        .array = glm_prog_rule_new(p, true),
    };
    uint32_t member = glm_prog_rule_new(p, false);
    uint32_t end = GLM_PROG_END;
    add_space(p, r);
    uint32_t close = byte(p, '"', end);
    glm_prog_set_rule(p, r->string,
                      byte(p, '"', glm_prog_units(p, r->chr, 0, GLM_PROG_ENDLESS, close)));
    add_numbers(p, r);
    uint32_t ways = glm_prog_split(p, glm_prog_literal(p, "true", 4, end),
                                   glm_prog_literal(p, "false", 5, end));
    ways = glm_prog_split(p, ways, glm_prog_literal(p, "null", 4, end));
    ways = glm_prog_split(p, ways, glm_prog_call(p, r->number, end));
    ways = glm_prog_split(p, ways, glm_prog_call(p, r->string, end));
    ways = glm_prog_split(p, ways, glm_prog_call(p, r->array, end));
    ways = glm_prog_split(p, ways, glm_prog_call(p, r->object, end));
    glm_prog_set_rule(p, r->value, ways);
    uint32_t value = glm_prog_call(p, r->value, end);
    glm_prog_set_rule(p, member, glm_prog_call(p, r->string, glm_json_separator(p, r, ':', value)));
    glm_prog_set_rule(p, r->object, list(p, r, '{', member, '}'));
    glm_prog_set_rule(p, r->array, list(p, r, '[', r->value, ']'));
}
