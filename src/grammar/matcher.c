// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/automaton.h"
#include "grammar/grammar_internal.h"
#include "grammar/masker.h"

#define N_MASKS 64       /* masks kept, by state modulo */
#define ENDED UINT32_MAX /* instead of a state: a stop id was taken */

struct glm_matcher {
    glm_masker masker; /* grammar, vocabulary and automaton */
    uint32_t
        history[GLM_GRAMMAR_ROLLBACK_MAX + 1]; /* [n_history] states; the last is the present one */
    size_t n_history;
    uint64_t *masks[N_MASKS];  /* [n_words] or NULL */
    uint32_t mask_of[N_MASKS]; /* the state of each, NONE: none */
};

static uint32_t present(const glm_matcher *m)
{
    return m->history[m->n_history - 1];
}

/* What may be spent on one mask or token. */
static void refill(glm_matcher *m)
{
    m->masker.automaton.work_left = GLM_AUTOMATON_WORK_MAX;
}

static glm_status fail_step(const glm_matcher *m, glm_error *err)
{
    if (m->masker.automaton.status == GLM_ELIMIT)
        return glm_fail(err, GLM_ELIMIT, "the grammar is too ambiguous to follow");
    return glm_fail(err, GLM_ENOMEM, "the states of a grammar");
}

glm_status glm_matcher_create(glm_matcher **out, const glm_grammar *grammar,
                              const glm_grammar_vocab *vocab, glm_error *err)
{
    glm_matcher *m = glm_new(glm_matcher);
    if (!m)
        return glm_fail(err, GLM_ENOMEM, "a matcher");
    glm_status st = GLM_OK;
    if (glm_masker_init(&m->masker, grammar, vocab) != GLM_OK)
        st = glm_fail(err, GLM_ENOMEM, "a matcher");
    if (st == GLM_OK) {
        refill(m);
        m->history[0] = glm_automaton_start(&m->masker.automaton, 0);
        m->n_history = 1;
        if (m->history[0] == GLM_STATE_NONE)
            st = fail_step(m, err);
    }
    if (st != GLM_OK) {
        glm_matcher_destroy(m);
        return st;
    }
    *out = m;
    return GLM_OK;
}

void glm_matcher_destroy(glm_matcher *m)
{
    if (!m)
        return;
    glm_masker_deinit(&m->masker);
    for (size_t i = 0; i < N_MASKS; i++)
        free(m->masks[i]);
    free(m);
}

/* Move the states in use to a fresh automaton when this one is full. */
static glm_status tidy(glm_matcher *m, glm_error *err)
{
    if (!glm_automaton_is_full(&m->masker.automaton))
        return GLM_OK;
    glm_automaton fresh;
    uint32_t states[GLM_GRAMMAR_ROLLBACK_MAX + 1];
    bool is_good = glm_automaton_init(&fresh, &m->masker.grammar->prog) == GLM_OK;
    for (size_t i = 0; i < m->n_history && is_good; i++) {
        uint32_t s = m->history[i];
        states[i] = s == ENDED ? s : glm_automaton_copy_state(&fresh, &m->masker.automaton, s);
        is_good = states[i] != GLM_STATE_NONE;
    }
    if (!is_good) {
        glm_automaton_deinit(&fresh);
        return glm_fail(err, GLM_ENOMEM, "the states of a grammar");
    }
    glm_automaton_deinit(&m->masker.automaton);
    m->masker.automaton = fresh;
    memcpy(m->history, states, m->n_history * sizeof *states);
    memset(m->mask_of, 0, sizeof m->mask_of);
    return GLM_OK;
}

glm_status glm_matcher_reset(glm_matcher *m, glm_error *err)
{
    refill(m);
    uint32_t start = glm_automaton_start(&m->masker.automaton, 0);
    if (start == GLM_STATE_NONE)
        return fail_step(m, err);
    m->history[0] = start;
    m->n_history = 1;
    return GLM_OK;
}

glm_status glm_matcher_mask(glm_matcher *m, uint64_t *mask, glm_error *err)
{
    const size_t n_words = m->masker.vocab->n_words;
    if (present(m) == ENDED) {
        memset(mask, 0, n_words * sizeof *mask);
        return GLM_OK;
    }
    glm_status st = tidy(m, err);
    if (st != GLM_OK)
        return st;
    refill(m);
    uint32_t state = present(m);
    size_t slot = state % N_MASKS;
    if (m->mask_of[slot] != state) {
        if (!m->masks[slot])
            m->masks[slot] = glm_new_array(uint64_t, n_words);
        if (!m->masks[slot])
            return glm_fail(err, GLM_ENOMEM, "the mask of a state");
        m->mask_of[slot] = GLM_STATE_NONE;
        if (!glm_masker_mask(&m->masker, state, m->masks[slot]))
            return fail_step(m, err);
        m->mask_of[slot] = state;
    }
    memcpy(mask, m->masks[slot], n_words * sizeof *mask);
    return GLM_OK;
}

static bool is_stop(const glm_grammar_vocab *v, int32_t id)
{
    for (size_t i = 0; i < v->n_stops; i++) {
        if (v->stops[i] == id)
            return true;
    }
    return false;
}

static bool find_tag(const glm_grammar_vocab *v, int32_t id, char *byte)
{
    for (size_t t = 0; t < GLM_TAGS && id >= 0; t++) {
        if (v->tags[t] == id) {
            *byte = (char)(uint8_t)(GLM_TAG_BYTE + t);
            return true;
        }
    }
    return false;
}

static void push_state(glm_matcher *m, uint32_t state)
{
    if (m->n_history == GLM_GRAMMAR_ROLLBACK_MAX + 1) {
        memmove(m->history, m->history + 1, GLM_GRAMMAR_ROLLBACK_MAX * sizeof *m->history);
        m->n_history--;
    }
    m->history[m->n_history++] = state;
}

glm_status glm_matcher_advance(glm_matcher *m, int32_t id, glm_error *err)
{
    if (present(m) == ENDED)
        return glm_fail(err, GLM_EARG, "token %d behind the end of the answer", id);
    glm_status st = tidy(m, err);
    if (st != GLM_OK)
        return st;
    refill(m);
    uint32_t state = present(m);
    if (is_stop(m->masker.vocab, id)) {
        if (!m->masker.automaton.states[state].is_end)
            return glm_fail(err, GLM_EARG, "token %d ends the answer before it is whole", id);
        push_state(m, ENDED);
        return GLM_OK;
    }
    char tag;
    const char *bytes;
    size_t size;
    if (find_tag(m->masker.vocab, id, &tag)) {
        bytes = &tag;
        size = 1;
    } else if (!glm_vocab_has(m->masker.vocab, id, &bytes, &size)) {
        size = 0;
    }
    for (size_t i = 0; i < size && state > GLM_STATE_DEAD; i++)
        state = glm_automaton_step(&m->masker.automaton, state, (uint8_t)bytes[i]);
    if (state == GLM_STATE_NONE)
        return fail_step(m, err);
    if (size == 0 || state == GLM_STATE_DEAD)
        return glm_fail(err, GLM_EARG, "token %d cannot come here", id);
    push_state(m, state);
    return GLM_OK;
}

glm_status glm_matcher_rollback(glm_matcher *m, size_t n, glm_error *err)
{
    if (n >= m->n_history)
        return glm_fail(err, GLM_EARG, "%zu tokens to take back of %zu", n, m->n_history - 1);
    m->n_history -= n;
    return GLM_OK;
}

bool glm_matcher_is_complete(const glm_matcher *m)
{
    return present(m) == ENDED || m->masker.automaton.states[present(m)].is_end;
}
