// SPDX-License-Identifier: MIT
/*
 * Places of a program that no text leads from to the end are made ways to nowhere, so that a mask never offers what cannot
 * be finished: the productive symbols of a grammar, by a work list from the ends backwards.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/program.h"

#define MARKS 256 /* higher ones are taken to be set somewhere */

/* For each place those that lead to it: from[first[place]..first[place + 1]]. A rule's start is led to by its calls. */
struct prune {
    const glm_prog *p;
    uint32_t *first; /* [n_inst + 1] */
    uint32_t *from;
    uint32_t *work; /* [n_work] productive places whose callers are still to be looked at */
    size_t n_work;
    uint8_t *is_productive; /* [n_inst] */
    bool can_be_set[MARKS];
    bool is_counting;
};

static void add_way(struct prune *w, uint32_t from, uint32_t to)
{
    if (w->is_counting)
        w->first[to + 1]++;
    else
        w->from[w->first[to]++] = from;
}

static void add_name_ways(struct prune *w, uint32_t from, const glm_prog_node *node)
{
    add_way(w, from, node->rest);
    add_way(w, from, node->wide);
    add_way(w, from, node->close);
    for (uint32_t i = 0; i < node->n_edges; i++)
        add_way(w, from, w->p->edges[node->first_edge + i].to);
}

static void add_ways(struct prune *w)
{
    const glm_prog *p = w->p;
    for (uint32_t i = 0; i < p->n_inst; i++) {
        const glm_prog_inst *inst = &p->inst[i];
        switch (inst->op) {
        case GLM_PROG_SPLIT:
            add_way(w, i, inst->x);
            add_way(w, i, inst->y);
            break;
        case GLM_PROG_CALL:
            add_way(w, i, p->rules[inst->x].start);
            add_way(w, i, inst->y);
            break;
        case GLM_PROG_TEXT:
            add_way(w, i, inst->y);
            break;
        case GLM_PROG_NAME:
            add_name_ways(w, i, &p->nodes[inst->x]);
            break;
        case GLM_PROG_RANGE:
        case GLM_PROG_ONCE:
        case GLM_PROG_NEED:
            add_way(w, i, inst->x);
            break;
        default:
            break;
        }
    }
}

/* The lists by counting: once for their lengths, once to fill them. */
static bool list_ways(struct prune *w)
{
    const size_t n = w->p->n_inst;
    w->is_counting = true;
    add_ways(w);
    for (size_t i = 0; i < n; i++)
        w->first[i + 1] += w->first[i];
    w->from = glm_new_array(uint32_t, w->first[n] + (size_t)1);
    if (!w->from)
        return false;
    w->is_counting = false;
    add_ways(w);
    memmove(w->first + 1, w->first, n * sizeof *w->first); /* filling moved each one list on */
    w->first[0] = 0;
    return true;
}

static void add_productive(struct prune *w, uint32_t place)
{
    if (w->is_productive[place])
        return;
    w->is_productive[place] = 1;
    w->work[w->n_work++] = place;
}

static void find_productive(struct prune *w)
{
    const glm_prog *p = w->p;
    for (uint32_t i = 0; i < p->n_inst; i++)
        if (p->inst[i].op == GLM_PROG_RET)
            add_productive(w, i);
    while (w->n_work) {
        uint32_t place = w->work[--w->n_work];
        for (uint32_t i = w->first[place]; i < w->first[place + 1]; i++) {
            const glm_prog_inst *inst = &p->inst[w->from[i]];
            if (inst->op != GLM_PROG_CALL ||
                (w->is_productive[inst->y] && w->is_productive[p->rules[inst->x].start]))
                add_productive(w, w->from[i]);
        }
    }
}

/* Marks that some productive place sets. They are counted anew in each rule: of several rules, any will do. */
static void find_marks(struct prune *w)
{
    for (size_t i = 0; i < w->p->n_inst; i++) {
        const glm_prog_inst *inst = &w->p->inst[i];
        if (inst->op == GLM_PROG_ONCE && inst->y < MARKS && w->is_productive[i])
            w->can_be_set[inst->y] = true;
    }
}

static bool can_be_met(const struct prune *w, const uint32_t *need)
{
    for (uint32_t i = 1; i <= need[0]; i++)
        if (need[i] < MARKS && !w->can_be_set[need[i]])
            return false;
    return true;
}

/* Make what is not productive, and needs that cannot be met, ways to nowhere; whether a need was among them. */
static bool cut(struct prune *w, glm_prog *p)
{
    bool has_cut_need = false;
    find_marks(w);
    for (uint32_t i = 0; i < p->n_inst; i++) {
        glm_prog_inst *inst = &p->inst[i];
        if (inst->op == GLM_PROG_NEED && w->is_productive[i] &&
            !can_be_met(w, &p->needs[inst->y])) {
            has_cut_need = true;
            w->is_productive[i] = 0;
        }
        if (!w->is_productive[i])
            *inst = (glm_prog_inst){.op = GLM_PROG_FAIL};
    }
    return has_cut_need;
}

static bool prune_once(glm_prog *p, bool *has_cut_need)
{
    struct prune w = {.p = p,
                      .first = glm_new_array(uint32_t, p->n_inst + 2),
                      .work = glm_new_array(uint32_t, p->n_inst),
                      .is_productive = glm_new_array(uint8_t, p->n_inst)};
    bool is_good = w.first && w.work && w.is_productive && list_ways(&w);
    if (is_good) {
        find_productive(&w);
        *has_cut_need = cut(&w, p);
    }
    free(w.first);
    free(w.from);
    free(w.work);
    free(w.is_productive);
    return is_good;
}

glm_status glm_prog_check_end(const glm_prog *p, glm_error *err)
{
    if (p->inst[p->rules[0].start].op == GLM_PROG_FAIL)
        return glm_fail(err, GLM_EARG, "it admits no value: nothing that follows it can end");
    return GLM_OK;
}

glm_status glm_prog_prune(glm_prog *p, glm_error *err)
{
    bool has_cut_need = true;
    while (has_cut_need) /* each round cuts a need for good */
        if (!prune_once(p, &has_cut_need))
            return glm_fail(err, GLM_ENOMEM, "checks of a grammar");
    return GLM_OK;
}
