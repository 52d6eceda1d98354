// SPDX-License-Identifier: MIT
/*
 * The rules of JSON (RFC 8259) as a model may write it: between tokens at most one newline and 32 spaces;
 * numbers of at most 17 digits before and behind the point and an exponent of 2, so that no greedy run is
 * without end; in strings no control characters and no lone surrogate escapes. Private to the folder.
 */
#ifndef GLM_GRAMMAR_JSON_RULES_H
#define GLM_GRAMMAR_JSON_RULES_H

#include "grammar/program.h"

#define GLM_JSON_DIGITS_MAX 17

typedef struct glm_json_rules {
    uint32_t space; /* white space or nothing */
    uint32_t chr;   /* the text whose units are the characters of a string */
    uint32_t string, number, integer, value, object, array;
} glm_json_rules;

/** Add the rules to a program that has its rule 0. */
void glm_json_rules_add(glm_prog *p, glm_json_rules *r);

/** One escape of a JSON string, lone surrogates left out, then `next`. */
uint32_t glm_json_any_escape(glm_prog *p, uint32_t next);

/** A byte with white space on both sides, then `next`. */
uint32_t glm_json_separator(glm_prog *p, const glm_json_rules *r, char c, uint32_t next);
/** Behind an item: white space, then `close` and the end of the rule (unless !may_end), or a comma, white space and
 * `item` (GLM_PROG_NO_WAY: no more). */
uint32_t glm_json_behind(glm_prog *p, const glm_json_rules *r, char close, bool may_end,
                         uint32_t item);
/** The same in a circle: one that is written before its items are, and the place they go on at. */
typedef struct glm_json_circle {
    uint32_t loop, entry;
} glm_json_circle;
glm_json_circle glm_json_open_circle(glm_prog *p, const glm_json_rules *r, char close);
void glm_json_close_circle(glm_prog *p, const glm_json_rules *r, glm_json_circle circle,
                           uint32_t item);

#endif
