// SPDX-License-Identifier: MIT
#include "grammar/masker.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/grammar_internal.h"

#define WAYS_MAX 8 /* places a counted text can be left at that differ; more are walked */

/* Behind from..to units a text can be left in `state`. */
struct way {
    uint32_t state, from, to;
};

/* A text from one thread on. */
struct run {
    struct way ways[WAYS_MAX];
    size_t n_ways;
    uint32_t units; /* at most; UINT32_MAX: no end */
    bool is_far;    /* more than GLM_TEXT_NEAR, which were not followed */
};

static void set_bit(uint64_t *mask, int32_t id)
{
    mask[(size_t)id / 64] |= (uint64_t)1 << ((size_t)id % 64);
}

/* Set the bits of the tokens of `trie` that can come in `state`; false on failure. */
static bool walk_trie(glm_masker *k, const glm_trie *trie, uint32_t state, uint64_t *mask)
{
    glm_automaton *a = &k->automaton;
    uint32_t *states = k->walk;
    states[0] = state;
    for (size_t i = 0; i < trie->n;) {
        const glm_trie_node *node = &trie->nodes[i];
        uint32_t next = glm_automaton_step(a, states[node->depth], node->byte);
        if (next <= GLM_STATE_DEAD) {
            if (next == GLM_STATE_NONE)
                return false;
            i = node->skip;
            continue;
        }
        states[node->depth + 1] = next;
        if (node->id >= 0)
            set_bit(mask, node->id);
        i++;
    }
    return true;
}

static bool walk_tails(glm_masker *k, const glm_text_table *t, const struct way *way,
                       uint64_t *mask)
{
    glm_automaton *a = &k->automaton;
    uint32_t *states = k->walk;
    states[0] = way->state;
    for (size_t i = 0; i < t->n_tails && way->state != GLM_STATE_DEAD;) {
        const glm_tail_node *node = &t->tails[i];
        uint32_t next = glm_automaton_step(a, states[node->depth], node->byte);
        if (next <= GLM_STATE_DEAD) {
            if (next == GLM_STATE_NONE)
                return false;
            i = node->skip;
            continue;
        }
        states[node->depth + 1] = next;
        for (uint32_t n = node->first; n < node->first + node->n; n++) {
            if (t->leaving[n].units >= way->from && t->leaving[n].units <= way->to)
                set_bit(mask, t->leaving[n].id);
        }
        i++;
    }
    return true;
}

/* Tokens that are looked at one by one, as they hold more units than were followed. */
static bool walk_far(glm_masker *k, const glm_text_table *t, uint32_t state, uint64_t *mask)
{
    for (size_t i = 0; i < t->n_far; i++) {
        size_t size;
        const char *bytes = glm_tok_bytes(k->vocab->tok, t->far[i], &size);
        uint32_t at = state;
        for (size_t b = 0; b < size && at > GLM_STATE_DEAD; b++)
            at = glm_automaton_step(&k->automaton, at, (uint8_t)bytes[b]);
        if (at == GLM_STATE_NONE)
            return false;
        if (at != GLM_STATE_DEAD)
            set_bit(mask, t->far[i]);
    }
    return true;
}

static const glm_text_table *table_of(const glm_masker *k, uint32_t text)
{
    const glm_prog_text *t = &k->grammar->prog.texts[text];
    if (t->kind != GLM_TEXT_OWN)
        return &k->vocab->tables[t->kind];
    return k->grammar->vocab == k->vocab ? &k->grammar->tables[text] : NULL;
}

/* True when no byte of lo..hi begins a unit and each may begin a tail that was kept. */
static bool is_apart(const glm_text_table *t, unsigned lo, unsigned hi)
{
    for (unsigned b = lo; b <= hi; b++) {
        bool is_left = b >= GLM_TAG_BYTE || (t->left[b / 8] >> b % 8 & 1);
        if (!is_left || (t->first[b / 8] >> b % 8 & 1))
            return false;
    }
    return true;
}

static bool is_thread_apart(const glm_masker *k, const glm_text_table *t, const glm_thread *thread)
{
    const glm_prog *p = &k->grammar->prog;
    const glm_prog_inst *inst = &p->inst[thread->place];
    if (inst->op == GLM_PROG_NAME)
        return false;
    if (inst->op == GLM_PROG_RANGE)
        return is_apart(t, inst->lo, inst->hi);
    const glm_prog_text *other = &p->texts[inst->x];
    for (uint32_t i = 0; i < other->n; i++) {
        const glm_prog_inst *first = &p->inst[p->firsts[other->first + i]];
        if (!is_apart(t, first->lo, first->hi))
            return false;
    }
    return true;
}

static bool reserve(glm_masker *k, size_t n)
{
    if (n <= k->thread_capacity)
        return true;
    glm_thread *core = glm_new_array(glm_thread, 2 * n);
    glm_thread *others = core ? glm_new_array(glm_thread, 2 * n) : NULL;
    if (!others) {
        free(core);
        k->automaton.status = GLM_ENOMEM;
        return false;
    }
    if (k->thread_capacity)
        memcpy(core, k->core, k->thread_capacity * sizeof *core);
    free(k->core);
    free(k->others);
    k->core = core;
    k->others = others;
    k->thread_capacity = 2 * n;
    return true;
}

/* Part the threads of `state`: that at a unit of `text` to *inner (place 0: none), the others to *way. Returns
 * whether they are apart; *is_good tells failure. */
static bool part_state(glm_masker *k, const glm_text_table *t, uint32_t text, uint32_t state,
                       glm_thread *inner, uint32_t *way, bool *is_good)
{
    glm_automaton *a = &k->automaton;
    const glm_state s = a->states[state];
    size_t n = 0;
    *inner = (glm_thread){0, 0};
    *is_good = reserve(k, s.n);
    for (uint32_t i = 0; *is_good && i < s.n; i++) {
        const glm_thread thread = a->threads[s.first + i];
        const glm_prog_inst *inst = &k->grammar->prog.inst[thread.place];
        if (inst->op == GLM_PROG_TEXT && inst->x == text) {
            if (inner->place != 0)
                return false;
            *inner = thread;
        } else if (!is_thread_apart(k, t, &thread)) {
            return false;
        } else {
            k->others[n++] = thread;
        }
    }
    if (*is_good)
        *way = glm_automaton_subset(a, k->others, n);
    *is_good = *is_good && *way != GLM_STATE_NONE;
    return *is_good;
}

/* Where the text of `thread` leads, unit by unit. Returns whether its table serves; *is_good tells failure. */
static bool follow(glm_masker *k, const glm_text_table *t, glm_thread thread, struct run *run,
                   bool *is_good)
{
    glm_automaton *a = &k->automaton;
    const uint32_t text = k->grammar->prog.inst[thread.place].x;
    *run = (struct run){.n_ways = 0};
    for (uint32_t units = 1; units <= GLM_TEXT_NEAR; units++) {
        uint32_t way;
        glm_thread next;
        uint32_t state =
            glm_automaton_enter(a, k->grammar->prog.inst[thread.place].y, thread.frame);
        *is_good = state != GLM_STATE_NONE;
        if (!*is_good || !part_state(k, t, text, state, &next, &way, is_good))
            return false;
        struct way *last = run->n_ways ? &run->ways[run->n_ways - 1] : NULL;
        if (last && last->state == way) {
            last->to = units;
        } else {
            if (run->n_ways == WAYS_MAX)
                return false;
            run->ways[run->n_ways++] = (struct way){way, units, units};
        }
        run->units = units;
        if (next.place == 0 || a->frames[next.frame].depth >= GLM_STACK_MAX)
            return true;
        if (next.place == thread.place && next.frame == thread.frame) {
            run->units = run->ways[run->n_ways - 1].to = UINT32_MAX;
            return true;
        }
        thread = next;
    }
    run->is_far = true;
    return true;
}

/* The tokens that can follow a thread at a text. Returns whether the table served; *is_good tells failure. */
static bool add_text(glm_masker *k, glm_thread thread, uint64_t *mask, bool *is_good)
{
    struct run run;
    const glm_text_table *t = table_of(k, k->grammar->prog.inst[thread.place].x);
    if (!t || !follow(k, t, thread, &run, is_good))
        return false;
    glm_text_table_inner(t, k->vocab->n_words, run.units, mask);
    for (size_t i = 0; i < run.n_ways && *is_good; i++)
        *is_good = walk_tails(k, t, &run.ways[i], mask);
    if (run.is_far && *is_good) {
        uint32_t state = glm_automaton_subset(&k->automaton, &thread, 1);
        *is_good = state != GLM_STATE_NONE && walk_far(k, t, state, mask);
    }
    return true;
}

/* All text goes on to some name that is not declared; what closes the name is walked. */
static bool add_name(glm_masker *k, glm_thread thread, uint64_t *mask)
{
    glm_text_table_inner(&k->vocab->tables[GLM_TEXT_JSON_KEY], k->vocab->n_words, UINT32_MAX, mask);
    uint32_t state = glm_automaton_subset(&k->automaton, &thread, 1);
    return state != GLM_STATE_NONE && walk_trie(k, &k->vocab->names, state, mask);
}

static bool add_threads(glm_masker *k, uint32_t state, uint64_t *mask)
{
    glm_automaton *a = &k->automaton;
    const glm_state s = a->states[state];
    size_t n_core = 0;
    bool is_good = reserve(k, s.n);
    for (uint32_t i = 0; is_good && i < s.n; i++) {
        const glm_thread thread = a->threads[s.first + i];
        const uint8_t op = k->grammar->prog.inst[thread.place].op;
        bool is_at_limit = a->frames[thread.frame].depth >= GLM_STACK_MAX;
        if (op == GLM_PROG_NAME)
            is_good = add_name(k, thread, mask);
        else if (op != GLM_PROG_TEXT || is_at_limit || !add_text(k, thread, mask, &is_good))
            k->core[n_core++] = thread;
    }
    uint32_t core = is_good ? glm_automaton_subset(a, k->core, n_core) : GLM_STATE_NONE;
    return core != GLM_STATE_NONE && (n_core == 0 || walk_trie(k, &k->vocab->all, core, mask));
}

bool glm_masker_mask(glm_masker *k, uint32_t state, uint64_t *mask)
{
    const glm_grammar_vocab *v = k->vocab;
    memset(mask, 0, v->n_words * sizeof *mask);
    if (k->automaton.states[state].is_end) {
        for (size_t i = 0; i < v->n_stops; i++)
            set_bit(mask, v->stops[i]);
    }
    for (size_t t = 0; t < GLM_TAGS; t++) {
        if (v->tags[t] < 0)
            continue;
        uint32_t next = glm_automaton_step(&k->automaton, state, (uint8_t)(GLM_TAG_BYTE + t));
        if (next == GLM_STATE_NONE)
            return false;
        if (next != GLM_STATE_DEAD)
            set_bit(mask, v->tags[t]);
    }
    return add_threads(k, state, mask);
}

glm_status glm_masker_init(glm_masker *k, const glm_grammar *grammar,
                           const glm_grammar_vocab *vocab)
{
    *k = (glm_masker){.grammar = grammar, .vocab = vocab};
    k->walk = glm_new_array(uint32_t, GLM_TOKEN_BYTES_MAX + 1);
    if (!k->walk)
        return GLM_ENOMEM;
    return glm_automaton_init(&k->automaton, &grammar->prog);
}

void glm_masker_deinit(glm_masker *k)
{
    glm_automaton_deinit(&k->automaton);
    free(k->walk);
    free(k->core);
    free(k->others);
    *k = (glm_masker){0};
}
