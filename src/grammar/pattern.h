// SPDX-License-Identifier: MIT
/*
 * What regular expressions and GBNF rules are read into: a tree of classes, sequences, alternatives and
 * repetitions, which is then written into a program. Trees live in an arena and are at most as deep as their
 * source nests. Private to the folder.
 */
#ifndef GLM_GRAMMAR_PATTERN_H
#define GLM_GRAMMAR_PATTERN_H

#include "core/arena.h"
#include "grammar/program.h"

#define GLM_CLASS_RANGES_MAX 256
#define GLM_CODE_POINT_MAX 0x10FFFFu

enum glm_pattern_kind {
    GLM_PATTERN_CLASS,
    GLM_PATTERN_SEQ,
    GLM_PATTERN_ALT,
    GLM_PATTERN_REPEAT,
    GLM_PATTERN_BEGIN, /* "^" */
    GLM_PATTERN_END,   /* "$" */
    GLM_PATTERN_RULE,
};

/* The children of a sequence or of alternatives are a list in reverse order, as writing goes backwards. */
typedef struct glm_pattern {
    enum glm_pattern_kind kind;
    struct glm_pattern *last;     /* last child */
    struct glm_pattern *previous; /* sibling before */
    uint32_t min, max;            /* REPEAT; max GLM_PROG_ENDLESS is no end */
    uint32_t rule;                /* RULE: of the program */
    glm_cp_range *ranges;         /* CLASS: [n_ranges] sorted, apart */
    size_t n_ranges;
} glm_pattern;

/* A class while it is being read. */
typedef struct glm_class_set {
    glm_cp_range ranges[GLM_CLASS_RANGES_MAX];
    size_t n;
} glm_class_set;

/** False: there is no room for another range. lo <= hi. */
GLM_MUST_CHECK bool glm_class_add(glm_class_set *set, uint32_t lo, uint32_t hi);
/** Sort and merge; then turn around when negated. False as above. */
GLM_MUST_CHECK bool glm_class_settle(glm_class_set *set, bool is_negated);

/** A zeroed node of `kind`; NULL: no memory. */
glm_pattern *glm_pattern_new(glm_arena *arena, enum glm_pattern_kind kind);
/** A class of the set's ranges; NULL: no memory. */
glm_pattern *glm_pattern_class(glm_arena *arena, const glm_class_set *set);

/**
 * Write the pattern so that `next` follows; returns where it starts. Anchors write nothing.
 *
 * @param is_json  it lies inside a JSON string: characters are spelled as there
 */
uint32_t glm_pattern_write(glm_prog *p, const glm_pattern *pattern, bool is_json, uint32_t next);

#endif
