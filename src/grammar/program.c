// SPDX-License-Identifier: MIT
#include "grammar/program.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void glm_prog_init(glm_prog *p)
{
    *p = (glm_prog){0};
}

void glm_prog_deinit(glm_prog *p)
{
    for (size_t i = 0; i < p->n_texts; i++) {
        free(p->texts[i].ranges);
        free(p->texts[i].exact);
        free(p->texts[i].exact_at);
        free(p->texts[i].up_to);
        free(p->texts[i].up_to_at);
    }
    free(p->texts);
    free(p->inst);
    free(p->rules);
    free(p->nodes);
    free(p->edges);
    free(p->needs);
    free(p->firsts);
    *p = (glm_prog){0};
}

bool glm_prog_work_of(glm_prog *p, size_t n)
{
    p->work = glm_add_size(p->work, n);
    if (p->status == GLM_OK && p->work > GLM_PROG_WORK_MAX)
        p->status = GLM_ELIMIT;
    return p->status == GLM_OK;
}

bool glm_prog_work(glm_prog *p)
{
    return glm_prog_work_of(p, 1);
}

static bool has_room(glm_prog *p)
{
    size_t bytes = p->n_inst * sizeof *p->inst + p->n_rules * sizeof *p->rules +
                   p->n_nodes * sizeof *p->nodes + p->n_edges * sizeof *p->edges +
                   p->n_needs * sizeof *p->needs;
    if (glm_prog_work(p) && bytes + sizeof *p->inst + sizeof *p->rules > GLM_PROG_BYTES_MAX)
        p->status = GLM_ELIMIT;
    return p->status == GLM_OK;
}

/* Room for `n` items more. */
static bool grow(glm_prog *p, void **items, size_t used, size_t n, size_t *capacity,
                 size_t item_bytes)
{
    if (used + n <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    while (wanted < used + n)
        wanted *= 2;
    void *more = realloc(*items, glm_mul_size(wanted, item_bytes));
    if (!more) {
        p->status = GLM_ENOMEM;
        return false;
    }
    *items = more;
    *capacity = wanted;
    return true;
}

static uint32_t push(glm_prog *p, glm_prog_inst inst)
{
    if (!has_room(p))
        return GLM_PROG_NO_WAY;
    if (!grow(p, (void **)&p->inst, p->n_inst, 3, &p->inst_capacity, sizeof *p->inst))
        return GLM_PROG_NO_WAY;
    if (p->n_inst == 0) {
        p->inst[p->n_inst++] = (glm_prog_inst){.op = GLM_PROG_FAIL};
        p->inst[p->n_inst++] = (glm_prog_inst){.op = GLM_PROG_RET};
    }
    p->inst[p->n_inst] = inst;
    return (uint32_t)p->n_inst++;
}

uint32_t glm_prog_rule_new(glm_prog *p, bool is_nesting)
{
    if (!has_room(p))
        return 0;
    if (!grow(p, (void **)&p->rules, p->n_rules, 1, &p->rule_capacity, sizeof *p->rules))
        return 0;
    p->rules[p->n_rules] = (glm_prog_rule){GLM_PROG_NO_WAY, is_nesting};
    return (uint32_t)p->n_rules++;
}

void glm_prog_set_rule(glm_prog *p, uint32_t rule, uint32_t start)
{
    if (p->status == GLM_OK)
        p->rules[rule].start = start;
}

uint32_t glm_prog_range(glm_prog *p, uint8_t lo, uint8_t hi, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY)
        return GLM_PROG_NO_WAY;
    return push(p, (glm_prog_inst){GLM_PROG_RANGE, lo, hi, next, 0});
}

uint32_t glm_prog_split(glm_prog *p, uint32_t x, uint32_t y)
{
    if (x == GLM_PROG_NO_WAY)
        return y;
    if (y == GLM_PROG_NO_WAY)
        return x;
    return push(p, (glm_prog_inst){GLM_PROG_SPLIT, 0, 0, x, y});
}

uint32_t glm_prog_call(glm_prog *p, uint32_t rule, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY)
        return GLM_PROG_NO_WAY;
    return push(p, (glm_prog_inst){GLM_PROG_CALL, 0, 0, rule, next});
}

uint32_t glm_prog_literal(glm_prog *p, const char *bytes, size_t size, uint32_t next)
{
    for (size_t i = size; i > 0; i--)
        next = glm_prog_range(p, (uint8_t)bytes[i - 1], (uint8_t)bytes[i - 1], next);
    return next;
}

/* Sequences of n bytes from lo[] to hi[] in the order of memcmp, all of one UTF-8 length. At most 4 deep. */
static uint32_t sequences(glm_prog *p, const uint8_t *lo, const uint8_t *hi, size_t n,
                          uint32_t next)
{
    static const uint8_t least[3] = {0x80, 0x80, 0x80}, most[3] = {0xBF, 0xBF, 0xBF};
    if (n == 1)
        return glm_prog_range(p, lo[0], hi[0], next);
    if (lo[0] == hi[0])
        return glm_prog_range(p, lo[0], lo[0], sequences(p, lo + 1, hi + 1, n - 1, next));
    uint32_t ways = GLM_PROG_NO_WAY;
    unsigned first = lo[0], last = hi[0];
    if (memcmp(lo + 1, least, n - 1) != 0) {
        ways = glm_prog_range(p, lo[0], lo[0], sequences(p, lo + 1, most, n - 1, next));
        first++;
    }
    if (memcmp(hi + 1, most, n - 1) != 0) {
        uint32_t end = glm_prog_range(p, hi[0], hi[0], sequences(p, least, hi + 1, n - 1, next));
        ways = glm_prog_split(p, ways, end);
        last--;
    }
    if (first <= last) {
        uint32_t rest = next;
        for (size_t i = 1; i < n; i++)
            rest = glm_prog_range(p, 0x80, 0xBF, rest);
        ways = glm_prog_split(p, ways, glm_prog_range(p, (uint8_t)first, (uint8_t)last, rest));
    }
    return ways;
}

static void encode(uint32_t cp, size_t n, uint8_t out[4])
{
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i > 1; i--) {
        out[i - 1] = (uint8_t)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (uint8_t)(lead[n] | cp);
}

uint32_t glm_prog_code_points(glm_prog *p, const glm_cp_range *ranges, size_t n, uint32_t next)
{
    /* Scalar values by the length of their UTF-8 (RFC 3629), the surrogates cut out. */
    static const struct {
        uint32_t lo, hi;
        size_t n;
    } spans[] = {{0, 0x7F, 1},
                 {0x80, 0x7FF, 2},
                 {0x800, 0xD7FF, 3},
                 {0xE000, 0xFFFF, 3},
                 {0x10000, 0x10FFFF, 4}};
    uint32_t ways = GLM_PROG_NO_WAY;
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < sizeof spans / sizeof *spans; s++) {
            uint32_t lo = ranges[i].lo > spans[s].lo ? ranges[i].lo : spans[s].lo;
            uint32_t hi = ranges[i].hi < spans[s].hi ? ranges[i].hi : spans[s].hi;
            if (lo > hi)
                continue;
            uint8_t first[4], last[4];
            encode(lo, spans[s].n, first);
            encode(hi, spans[s].n, last);
            ways = glm_prog_split(p, ways, sequences(p, first, last, spans[s].n, next));
        }
    }
    return ways;
}

uint32_t glm_prog_open_loop(glm_prog *p, uint32_t next)
{
    return push(p, (glm_prog_inst){GLM_PROG_SPLIT, 0, 0, GLM_PROG_NO_WAY, next});
}

void glm_prog_close_loop(glm_prog *p, uint32_t loop, uint32_t body)
{
    if (p->status == GLM_OK)
        p->inst[loop].x = body;
}

/* ---- Texts ---- */

uint32_t glm_prog_text_find(const glm_prog *p, const glm_cp_range *ranges, size_t n_ranges,
                            bool is_json)
{
    for (size_t i = 0; i < p->n_texts; i++) {
        const glm_prog_text *t = &p->texts[i];
        if (t->kind == GLM_TEXT_OWN && t->is_json == is_json && t->n_ranges == n_ranges &&
            memcmp(t->ranges, ranges, n_ranges * sizeof *ranges) == 0)
            return (uint32_t)i;
    }
    return GLM_PROG_NO_TEXT;
}

bool glm_prog_has_text_room(const glm_prog *p)
{
    return p->n_texts < GLM_PROG_TEXTS_MAX - GLM_TEXT_STANDARD;
}

uint32_t glm_prog_text_new(glm_prog *p, enum glm_text_kind kind, uint32_t rule,
                           const glm_cp_range *ranges, size_t n_ranges, bool is_json)
{
    if (p->status != GLM_OK || p->n_texts == GLM_PROG_TEXTS_MAX)
        return GLM_PROG_NO_TEXT;
    glm_prog_text *t = p->texts;
    if (!t)
        t = p->texts = glm_new_array(glm_prog_text, GLM_PROG_TEXTS_MAX);
    glm_cp_range *copy = n_ranges ? glm_new_array(glm_cp_range, n_ranges) : NULL;
    if (!t || (n_ranges && !copy)) {
        free(copy);
        p->status = GLM_ENOMEM;
        return GLM_PROG_NO_TEXT;
    }
    if (copy)
        memcpy(copy, ranges, n_ranges * sizeof *copy);
    t[p->n_texts] = (glm_prog_text){
        .kind = kind, .rule = rule, .ranges = copy, .n_ranges = n_ranges, .is_json = is_json};
    if (kind != GLM_TEXT_OWN)
        p->standard[kind] = (uint32_t)p->n_texts + 1;
    return (uint32_t)p->n_texts++;
}

uint32_t glm_prog_unit(glm_prog *p, uint32_t text, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY || text == GLM_PROG_NO_TEXT)
        return GLM_PROG_NO_WAY;
    return push(p, (glm_prog_inst){GLM_PROG_TEXT, 0, 0, text, next});
}

/* The rule of exactly `count` units, or of at most as many. Each starts where one more unit leads to the one below,
 * so that all counts of a text are one chain. */
static uint32_t count_rule(glm_prog *p, uint32_t text, uint32_t count, bool is_exact)
{
    glm_prog_text *t = &p->texts[text];
    uint32_t **rules = is_exact ? &t->exact : &t->up_to;
    uint32_t **places = is_exact ? &t->exact_at : &t->up_to_at;
    size_t *n = is_exact ? &t->n_exact : &t->n_up_to;
    if (!*rules) {
        *rules = glm_new_array(uint32_t, GLM_PROG_COUNT_MAX + 1);
        *places = glm_new_array(uint32_t, GLM_PROG_COUNT_MAX + 1);
        if (!*rules || !*places) {
            p->status = GLM_ENOMEM;
            return 0;
        }
        (*places)[0] = GLM_PROG_END;
        *n = 1;
    }
    for (; *n <= count && p->status == GLM_OK; ++*n) {
        uint32_t unit = glm_prog_unit(p, text, (*places)[*n - 1]);
        (*places)[*n] = is_exact ? unit : glm_prog_split(p, unit, GLM_PROG_END);
    }
    if (p->status == GLM_OK && !(*rules)[count]) {
        (*rules)[count] = glm_prog_rule_new(p, false);
        glm_prog_set_rule(p, (*rules)[count], (*places)[count]);
    }
    return (*rules)[count];
}

uint32_t glm_prog_units(glm_prog *p, uint32_t text, uint32_t min, uint32_t max, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY || p->status != GLM_OK || text == GLM_PROG_NO_TEXT || max < min)
        return GLM_PROG_NO_WAY;
    if (min > GLM_PROG_COUNT_MAX || (max != GLM_PROG_ENDLESS && max > GLM_PROG_COUNT_MAX)) {
        p->status = GLM_ELIMIT;
        return GLM_PROG_NO_WAY;
    }
    uint32_t at = next;
    if (max == GLM_PROG_ENDLESS) {
        at = glm_prog_open_loop(p, next);
        glm_prog_close_loop(p, at, glm_prog_unit(p, text, at));
    } else if (max > min) {
        at = glm_prog_call(p, count_rule(p, text, max - min, false), at);
    }
    if (min == 1)
        return glm_prog_unit(p, text, at);
    return min > 1 ? glm_prog_call(p, count_rule(p, text, min, true), at) : at;
}

/* ---- Names and marks ---- */

uint32_t glm_prog_name(glm_prog *p, uint32_t n_edges, uint32_t *node)
{
    if (!has_room(p) ||
        !grow(p, (void **)&p->nodes, p->n_nodes, 1, &p->node_capacity, sizeof *p->nodes) ||
        !grow(p, (void **)&p->edges, p->n_edges, n_edges, &p->edge_capacity, sizeof *p->edges))
        return GLM_PROG_NO_WAY;
    *node = (uint32_t)p->n_nodes++;
    p->nodes[*node] = (glm_prog_node){.first_edge = (uint32_t)p->n_edges, .n_edges = n_edges};
    for (uint32_t i = 0; i < n_edges; i++)
        p->edges[p->n_edges + i] = (glm_prog_edge){0};
    p->n_edges += n_edges;
    return push(p, (glm_prog_inst){GLM_PROG_NAME, 0, 0, *node, 0});
}

uint32_t glm_prog_once(glm_prog *p, uint32_t mark, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY)
        return GLM_PROG_NO_WAY;
    return push(p, (glm_prog_inst){GLM_PROG_ONCE, 0, 0, next, mark});
}

uint32_t glm_prog_need(glm_prog *p, const uint32_t *marks, size_t n, uint32_t next)
{
    if (next == GLM_PROG_NO_WAY || !has_room(p) ||
        !grow(p, (void **)&p->needs, p->n_needs, n + 1, &p->need_capacity, sizeof *p->needs))
        return GLM_PROG_NO_WAY;
    uint32_t at = (uint32_t)p->n_needs;
    p->needs[p->n_needs++] = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        p->needs[p->n_needs++] = marks[i];
    return push(p, (glm_prog_inst){GLM_PROG_NEED, 0, 0, next, at});
}

/* ---- Closing ---- */

/* Bytes fall into one class unless some range begins or ends between them. */
static void find_classes(glm_prog *p)
{
    bool starts[257] = {false};
    for (size_t i = 0; i < p->n_inst; i++) {
        if (p->inst[i].op == GLM_PROG_RANGE) {
            starts[p->inst[i].lo] = true;
            starts[p->inst[i].hi + 1] = true;
        }
    }
    static const uint8_t of_names[] = {0x20, '"', '"' + 1, '\\', '\\' + 1, 0x80};
    for (size_t i = 0; p->n_nodes > 0 && i < sizeof of_names; i++)
        starts[of_names[i]] = true;
    for (size_t i = 0; i < p->n_edges; i++) {
        starts[p->edges[i].byte] = true;
        starts[p->edges[i].byte + 1] = true;
    }
    size_t n = 0;
    for (size_t b = 0; b < 256; b++) {
        n += b > 0 && starts[b];
        p->class_of[b] = (uint8_t)n;
    }
    p->n_classes = n + 1;
}

/* Places that can be reached from a rule's start without a byte, entering no call: marks `seen` and lists. */
struct walk {
    uint32_t *list;    /* [n_inst] */
    uint32_t *seen;    /* [n_inst], the stamp of the last walk that saw the place */
    uint8_t *is_empty; /* [n_rules]: the rule can match nothing */
    size_t n;
    uint32_t stamp;
};

static void visit(struct walk *w, uint32_t place)
{
    if (w->seen[place] != w->stamp) {
        w->seen[place] = w->stamp;
        w->list[w->n++] = place;
    }
}

/* Walk a rule; true when its end is among the places. */
static bool walk_rule(const glm_prog *p, struct walk *w, uint32_t rule)
{
    bool ends = false;
    w->n = 0;
    w->stamp++;
    visit(w, p->rules[rule].start);
    for (size_t i = 0; i < w->n; i++) {
        const glm_prog_inst *inst = &p->inst[w->list[i]];
        if (inst->op == GLM_PROG_SPLIT) {
            visit(w, inst->x);
            visit(w, inst->y);
        } else if (inst->op == GLM_PROG_CALL && w->is_empty[inst->x]) {
            visit(w, inst->y);
        } else if (inst->op == GLM_PROG_ONCE || inst->op == GLM_PROG_NEED) {
            visit(w, inst->x);
        }
        ends |= inst->op == GLM_PROG_RET;
    }
    return ends;
}

/* Rounds run through the rules upwards and downwards in turn, so that chains take few; more are refused. */
#define ROUNDS_MAX 256

/* True when some rule can call itself before a byte. Removes rules that call none of the rest until none goes. */
static bool has_left_recursion(const glm_prog *p, struct walk *w, uint8_t *is_done)
{
    const uint32_t n = (uint32_t)p->n_rules;
    bool has_changed = true;
    for (uint32_t round = 0; has_changed && round < ROUNDS_MAX; round++) {
        has_changed = false;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t r = round % 2 ? i : n - 1 - i;
            if (!w->is_empty[r] && walk_rule(p, w, r)) {
                w->is_empty[r] = 1;
                has_changed = true;
            }
        }
    }
    has_changed = true;
    bool is_left = true;
    for (uint32_t round = 0; has_changed && round < ROUNDS_MAX; round++) {
        has_changed = is_left = false;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t r = round % 2 ? k : n - 1 - k;
            if (is_done[r])
                continue;
            bool is_free = true;
            walk_rule(p, w, r);
            for (size_t i = 0; i < w->n && is_free; i++) {
                const glm_prog_inst *inst = &p->inst[w->list[i]];
                is_free = inst->op != GLM_PROG_CALL || is_done[inst->x];
            }
            is_done[r] = is_free;
            has_changed |= is_free;
            is_left |= !is_free;
        }
    }
    return is_left;
}

/* List the ranges that can be reached from `place` by splits alone. */
static void list_firsts(glm_prog *p, struct walk *w, uint32_t place, uint32_t *first, uint32_t *n)
{
    w->n = 0;
    w->stamp++;
    visit(w, place);
    *first = (uint32_t)p->n_firsts;
    *n = 0;
    for (size_t i = 0; i < w->n && p->status == GLM_OK; i++) {
        const glm_prog_inst *inst = &p->inst[w->list[i]];
        if (inst->op == GLM_PROG_SPLIT) {
            visit(w, inst->x);
            visit(w, inst->y);
        } else if (inst->op == GLM_PROG_RANGE && grow(p, (void **)&p->firsts, p->n_firsts, 1,
                                                      &p->first_capacity, sizeof *p->firsts)) {
            p->firsts[p->n_firsts++] = w->list[i];
            ++*n;
        }
    }
}

static void find_firsts(glm_prog *p, struct walk *w)
{
    p->n_firsts = 0;
    for (size_t i = 0; i < p->n_texts; i++)
        list_firsts(p, w, p->rules[p->texts[i].rule].start, &p->texts[i].first, &p->texts[i].n);
    uint32_t last_wide = GLM_PROG_NO_WAY, first = 0, n = 0; /* most nodes of an object share one */
    for (size_t i = 0; i < p->n_nodes; i++) {
        if (p->nodes[i].wide != last_wide || i == 0)
            list_firsts(p, w, p->nodes[i].wide, &first, &n);
        last_wide = p->nodes[i].wide;
        p->nodes[i].first = first;
        p->nodes[i].n = n;
    }
}

glm_status glm_prog_finish(glm_prog *p, glm_error *err)
{
    if (p->status == GLM_ELIMIT)
        return glm_fail(err, GLM_ELIMIT,
                        "the grammar is too large: compiled, it has more than %zu KiB",
                        GLM_PROG_BYTES_MAX >> 10);
    if (p->status != GLM_OK || p->n_rules == 0)
        return glm_fail(err, GLM_ENOMEM, "a compiled grammar");
    if (p->n_inst == 0 && push(p, (glm_prog_inst){.op = GLM_PROG_FAIL}) == 0)
        return glm_fail(err, GLM_ENOMEM, "a compiled grammar");
    glm_status st = glm_prog_prune(p, err);
    if (st != GLM_OK)
        return st;
    find_classes(p);

    struct walk w = {.list = glm_new_array(uint32_t, p->n_inst),
                     .seen = glm_new_array(uint32_t, p->n_inst),
                     .is_empty = glm_new_array(uint8_t, p->n_rules)};
    uint8_t *is_done = glm_new_array(uint8_t, p->n_rules);
    if (!w.list || !w.seen || !w.is_empty || !is_done)
        st = glm_fail(err, GLM_ENOMEM, "checks of a grammar");
    else
        find_firsts(p, &w);
    if (st == GLM_OK && p->status != GLM_OK)
        st = glm_fail(err, GLM_ENOMEM, "checks of a grammar");
    if (st == GLM_OK && has_left_recursion(p, &w, is_done))
        st = glm_fail(
            err, GLM_EUNSUPP,
            "a rule of the grammar begins with itself (left recursion), or nests too deep");
    free(w.list);
    free(w.seen);
    free(w.is_empty);
    free(is_done);
    return st;
}
