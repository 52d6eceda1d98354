// SPDX-License-Identifier: MIT
/*
 * What a grammar compiles to: a program of byte ranges, splits, calls and returns, that is a recursive
 * transition network over bytes. The matcher (grammar/matcher.c) runs it; the compilers (regex, gbnf, schema,
 * tools, json_rules) write it.
 *
 * Programs are written backwards: each writer takes the place where to go on (`next`) and returns the place
 * where its piece starts, so that nothing is ever patched but the two kinds of loop. A failure (limit or
 * memory) sticks in the builder: writers then return 0 and the caller asks once, with glm_prog_finish.
 *
 * Wide sets of characters are texts: a text is a set of units (one character, or one character of a JSON string
 * with its escapes), none the beginning of another. Runs of units are where most tokens of a vocabulary are
 * allowed; the matcher knows them by their instruction and takes whole masks from tables (grammar/text_table.h).
 *
 * Private to the folder.
 */
#ifndef GLM_GRAMMAR_PROGRAM_H
#define GLM_GRAMMAR_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

enum glm_prog_op {
    GLM_PROG_FAIL,  /* no way on; place 0 is one */
    GLM_PROG_RANGE, /* a byte lo..hi, then x */
    GLM_PROG_SPLIT, /* x or y */
    GLM_PROG_CALL,  /* rule x, then y */
    GLM_PROG_RET,   /* end of a rule; place 1 is one */
    GLM_PROG_TEXT,  /* a unit of text x, then y */
    GLM_PROG_NAME,  /* the rest of a name of a JSON object that is not among those of node x */
    GLM_PROG_ONCE,  /* x, unless mark y was set in this rule; sets it */
    GLM_PROG_NEED,  /* x, when all marks of list y were set in this rule; forgets them */
};

typedef struct glm_prog_inst {
    uint8_t op;
    uint8_t lo, hi;
    uint32_t x, y;
} glm_prog_inst;

typedef struct glm_prog_rule {
    uint32_t start;
    bool is_nesting; /* may hold itself: refused when the stack is nearly full */
} glm_prog_rule;

/** Code points lo..hi. */
typedef struct glm_cp_range {
    uint32_t lo, hi;
} glm_cp_range;

/* The texts that many grammars have, whose tables a vocabulary keeps; and those of one grammar. */
enum glm_text_kind {
    GLM_TEXT_JSON,     /* a character of a JSON string, or an escape for one */
    GLM_TEXT_JSON_KEY, /* the same without escapes */
    GLM_TEXT_RAW,      /* any code point */
    GLM_TEXT_STANDARD, /* how many those are */
    GLM_TEXT_OWN = GLM_TEXT_STANDARD,
};

typedef struct glm_prog_text {
    enum glm_text_kind kind;
    uint32_t rule;        /* one unit */
    uint32_t first, n;    /* places of the ranges that take its first byte: p->firsts[first..] */
    glm_cp_range *ranges; /* [n_ranges] of an own text */
    size_t n_ranges;
    bool is_json;            /* an own text whose characters are spelled as in a JSON string */
    uint32_t *exact, *up_to; /* [n] rules of i units, of at most i; 0: none yet */
    uint32_t *exact_at, *up_to_at; /* [n] the places where they start */
    size_t n_exact, n_up_to;
} glm_prog_text;

/* A point within the declared names of an object (GLM_PROG_NAME). Characters below 0x80 that no edge has, and those
 * of `wide`, lead to the rest of another name. */
typedef struct glm_prog_node {
    uint32_t first_edge, n_edges;
    uint32_t rest;     /* any further characters, the quote, and what follows the name */
    uint32_t wide;     /* where characters from 0x80 on lead */
    uint32_t first, n; /* ranges of `wide`: p->firsts[first..] */
    uint32_t close;    /* behind a quote here; GLM_PROG_NO_WAY: a declared name ends here */
} glm_prog_node;

typedef struct glm_prog_edge {
    uint32_t to; /* a place */
    uint8_t byte;
} glm_prog_edge;

typedef struct glm_prog {
    glm_prog_inst *inst; /* [n_inst] */
    size_t n_inst, inst_capacity;
    glm_prog_rule *rules; /* [n_rules]; rule 0 is the whole */
    size_t n_rules, rule_capacity;
    glm_prog_text *texts; /* [n_texts] */
    size_t n_texts;
    uint32_t standard[GLM_TEXT_STANDARD]; /* index + 1 into texts, 0: not there */
    glm_prog_node *nodes;                 /* [n_nodes] */
    size_t n_nodes, node_capacity;
    glm_prog_edge *edges; /* [n_edges] */
    size_t n_edges, edge_capacity;
    uint32_t *needs; /* lists of marks: a count, then the marks */
    size_t n_needs, need_capacity;
    uint32_t *firsts; /* [n_firsts], once finished */
    size_t n_firsts, first_capacity;
    size_t work;           /* steps of the writers so far */
    glm_status status;     /* GLM_OK, or the first failure */
    uint8_t class_of[256]; /* byte -> class; bytes of a class lead to the same places everywhere */
    size_t n_classes;
} glm_prog;

#define GLM_PROG_NO_WAY 0u
#define GLM_PROG_END 1u
#define GLM_PROG_BYTES_MAX ((size_t)1 << 20) /* of instructions and rules together */
#define GLM_PROG_WORK_MAX ((size_t)1 << 22)  /* steps; tens of milliseconds */
#define GLM_PROG_TEXTS_MAX 16                /* texts of a program */
#define GLM_PROG_COUNT_MAX 4096              /* units that are counted */
#define GLM_PROG_NO_TEXT UINT32_MAX
#define GLM_PROG_ENDLESS UINT32_MAX

void glm_prog_init(glm_prog *p);
void glm_prog_deinit(glm_prog *p);

/** Count a step of work; false once the program has failed or the bound is passed. */
bool glm_prog_work(glm_prog *p);

/** The same for n steps at once. */
bool glm_prog_work_of(glm_prog *p, size_t n);

/** A new rule, to be given its start with glm_prog_set_rule. */
uint32_t glm_prog_rule_new(glm_prog *p, bool is_nesting);
void glm_prog_set_rule(glm_prog *p, uint32_t rule, uint32_t start);

uint32_t glm_prog_range(glm_prog *p, uint8_t lo, uint8_t hi, uint32_t next);
uint32_t glm_prog_split(glm_prog *p, uint32_t x, uint32_t y);
uint32_t glm_prog_call(glm_prog *p, uint32_t rule, uint32_t next);
/** The bytes as they are. */
uint32_t glm_prog_literal(glm_prog *p, const char *bytes, size_t size, uint32_t next);
/** One code point of `ranges` (n of them) in UTF-8; surrogates are left out. */
uint32_t glm_prog_code_points(glm_prog *p, const glm_cp_range *ranges, size_t n, uint32_t next);
/** A split whose first way is set later with glm_prog_close_loop; the second is `next`. */
uint32_t glm_prog_open_loop(glm_prog *p, uint32_t next);
void glm_prog_close_loop(glm_prog *p, uint32_t loop, uint32_t body);

/**
 * The text whose units rule `rule` is: prefix-free, no calls, at least one byte. One of each standard kind.
 * `ranges` tells own texts of a program apart. GLM_PROG_NO_TEXT: there are too many, or no memory.
 */
uint32_t glm_prog_text_new(glm_prog *p, enum glm_text_kind kind, uint32_t rule,
                           const glm_cp_range *ranges, size_t n_ranges, bool is_json);
/** False: glm_prog_text_new would refuse an own text. */
bool glm_prog_has_text_room(const glm_prog *p);
/** The own text with these ranges, or GLM_PROG_NO_TEXT. */
uint32_t glm_prog_text_find(const glm_prog *p, const glm_cp_range *ranges, size_t n_ranges,
                            bool is_json);
/** A unit of `text`. */
uint32_t glm_prog_unit(glm_prog *p, uint32_t text, uint32_t next);
/** min..max units; counts are shared by all that repeat the same text. At most GLM_PROG_COUNT_MAX, or endless. */
uint32_t glm_prog_units(glm_prog *p, uint32_t text, uint32_t min, uint32_t max, uint32_t next);

/** A node of GLM_PROG_NAME with room for n_edges, to be filled in at p->nodes and p->edges; its place. */
uint32_t glm_prog_name(glm_prog *p, uint32_t n_edges, uint32_t *node);
/** Set mark `mark` of this rule, which must not have been set before. */
uint32_t glm_prog_once(glm_prog *p, uint32_t mark, uint32_t next);
/** Go on when `marks` (n of them) are set. Ends a rule that has marks. */
uint32_t glm_prog_need(glm_prog *p, const uint32_t *marks, size_t n, uint32_t next);

/**
 * Close the program: cut ways that do not end (glm_prog_prune), byte classes, first bytes of texts, and refuse rules that can
 * call themselves before any byte.
 *
 * Errors: GLM_ELIMIT (larger than the bounds above), GLM_ENOMEM, GLM_EUNSUPP (left recursion).
 */
GLM_MUST_CHECK glm_status glm_prog_finish(glm_prog *p, glm_error *err);

/**
 * Make places that no text leads from to the end GLM_PROG_FAIL, so that no mask offers what cannot be finished. Part of
 * glm_prog_finish. In time proportional to the program.
 *
 * Errors: GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_prog_prune(glm_prog *p, glm_error *err);

/** GLM_EARG when rule 0 of a finished program admits no text at all. */
GLM_MUST_CHECK glm_status glm_prog_check_end(const glm_prog *p, glm_error *err);

#endif
