// SPDX-License-Identifier: MIT
#include "grammar/text_table.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/automaton.h"
#include "grammar/vocab.h"

/* A token whose tail begins at byte `from`. */
struct tail {
    const char *text; /* of the whole token */
    uint32_t from, size;
    glm_text_token token;
};

/* How far the bytes down to a node of the trie have been read. */
struct reading {
    uint32_t state; /* GLM_STATE_DEAD: the tail began */
    uint32_t units; /* whole ones */
    uint32_t tail;  /* bytes up to the last whole one */
};

struct builder {
    glm_text_table *table;
    const glm_grammar_vocab *vocab;
    glm_automaton automaton;
    struct reading *readings; /* [GLM_TOKEN_BYTES_MAX + 1] by depth */
    const uint8_t *left;
    struct tail *tails; /* [n_tails] */
    size_t n_tails, tail_capacity;
    size_t longer_capacity, far_capacity;
};

static void set_bit(uint64_t *mask, int32_t id)
{
    mask[(size_t)id / 64] |= (uint64_t)1 << ((size_t)id % 64);
}

static bool reserve(void **items, size_t used, size_t *capacity, size_t item_bytes)
{
    if (used < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 1024;
    void *more = realloc(*items, glm_mul_size(wanted, item_bytes));
    if (!more)
        return false;
    *items = more;
    *capacity = wanted;
    return true;
}

static bool add_far(struct builder *b, int32_t id, uint32_t units)
{
    glm_text_table *t = b->table;
    if (units <= GLM_TEXT_NEAR)
        return true;
    if (!reserve((void **)&t->far, t->n_far, &b->far_capacity, sizeof *t->far))
        return false;
    t->far[t->n_far++] = id;
    return true;
}

static bool add_inner(struct builder *b, int32_t id, uint32_t units)
{
    glm_text_table *t = b->table;
    set_bit(t->inner, id);
    t->most = units > t->most ? units : t->most;
    if (units <= GLM_TEXT_SETS) {
        set_bit(t->sets[units - 1], id);
        return true;
    }
    if (!reserve((void **)&t->longer, t->n_longer, &b->longer_capacity, sizeof *t->longer))
        return false;
    t->longer[t->n_longer++] = (glm_text_token){id, units};
    return add_far(b, id, units);
}

static bool add_tail(struct builder *b, int32_t id, const struct reading *r)
{
    size_t size;
    const char *text = glm_tok_bytes(b->vocab->tok, id, &size);
    const uint8_t byte = (uint8_t)text[r->tail];
    if (b->left && !(b->left[byte / 8] >> byte % 8 & 1))
        return true;
    if (!reserve((void **)&b->tails, b->n_tails, &b->tail_capacity, sizeof *b->tails))
        return false;
    b->tails[b->n_tails++] = (struct tail){text, r->tail, (uint32_t)size, {id, r->units}};
    return add_far(b, id, r->units);
}

/* Read one byte more. False: failure. */
static bool read_byte(struct builder *b, uint32_t start, const struct reading *before, uint8_t byte,
                      uint32_t depth, struct reading *after)
{
    *after = *before;
    if (before->state == GLM_STATE_DEAD)
        return true;
    after->state = glm_automaton_step(&b->automaton, before->state, byte);
    if (after->state == GLM_STATE_NONE)
        return false;
    if (b->automaton.states[after->state].is_end)
        *after = (struct reading){start, before->units + 1, depth + 1};
    return true;
}

static bool read_tokens(struct builder *b, uint32_t start)
{
    const glm_trie *trie = &b->vocab->all;
    b->readings[0] = (struct reading){start, 0, 0};
    for (size_t i = 0; i < trie->n;) {
        const glm_trie_node *node = &trie->nodes[i];
        struct reading *r = &b->readings[node->depth + 1];
        if (!read_byte(b, start, &b->readings[node->depth], node->byte, node->depth, r))
            return false;
        if (r->state == GLM_STATE_DEAD && r->units == 0) {
            i = node->skip;
            continue;
        }
        if (node->id >= 0) {
            bool is_added = r->state == GLM_STATE_DEAD
                                ? add_tail(b, node->id, r)
                                : add_inner(b, node->id, r->units + (r->state != start));
            if (!is_added)
                return false;
        }
        i++;
    }
    return true;
}

static int compare_tails(const void *va, const void *vb)
{
    const struct tail *a = va, *b = vb;
    size_t a_size = a->size - a->from, b_size = b->size - b->from;
    int order = memcmp(a->text + a->from, b->text + b->from, a_size < b_size ? a_size : b_size);
    if (order || a_size != b_size)
        return order ? order : a_size < b_size ? -1 : 1;
    if (a->token.units != b->token.units)
        return a->token.units < b->token.units ? -1 : 1;
    return a->token.id < b->token.id ? -1 : a->token.id > b->token.id;
}

/* The trie of the sorted tails. */
static bool build_tails(struct builder *b)
{
    glm_text_table *t = b->table;
    size_t total = 0;
    for (size_t i = 0; i < b->n_tails; i++)
        total += b->tails[i].size - b->tails[i].from;
    t->tails = glm_new_array(glm_tail_node, total + 1);
    t->leaving = glm_new_array(glm_text_token, b->n_tails + 1);
    uint32_t *open = glm_new_array(uint32_t, GLM_TOKEN_BYTES_MAX + 1);
    const char *last = "";
    size_t last_size = 0;
    for (size_t i = 0; t->tails && t->leaving && open && i < b->n_tails; i++) {
        const struct tail *tail = &b->tails[i];
        const char *text = tail->text + tail->from;
        size_t size = tail->size - tail->from, depth = 0;
        while (depth < size && depth < last_size && text[depth] == last[depth])
            depth++;
        for (size_t d = depth; d < last_size; d++)
            t->tails[open[d]].skip = (uint32_t)t->n_tails;
        for (size_t d = depth; d < size; d++) {
            open[d] = (uint32_t)t->n_tails;
            t->tails[t->n_tails++] =
                (glm_tail_node){.depth = (uint16_t)d, .byte = (uint8_t)text[d]};
        }
        glm_tail_node *end = &t->tails[open[size - 1]];
        if (end->n++ == 0)
            end->first = (uint32_t)t->n_leaving;
        t->leaving[t->n_leaving++] = tail->token;
        last = text;
        last_size = size;
    }
    bool is_built = t->tails && t->leaving && open;
    for (size_t d = 0; is_built && d < last_size; d++)
        t->tails[open[d]].skip = (uint32_t)t->n_tails;
    free(open);
    if (is_built) {
        void *fitted = realloc(t->tails, (t->n_tails + 1) * sizeof *t->tails);
        t->tails = fitted ? fitted : t->tails;
    }
    return is_built;
}

static bool make_sets(glm_text_table *t, size_t n_words)
{
    t->inner = glm_new_array(uint64_t, n_words);
    for (size_t i = 0; i < GLM_TEXT_SETS; i++) {
        t->sets[i] = glm_new_array(uint64_t, n_words);
        if (!t->sets[i])
            return false;
    }
    return t->inner != NULL;
}

glm_status glm_text_table_init(glm_text_table *t, const glm_grammar_vocab *vocab,
                               const glm_prog *prog, uint32_t rule, const uint8_t left[32])
{
    struct builder b = {.table = t, .vocab = vocab, .left = left};
    *t = (glm_text_table){0};
    b.readings = glm_new_array(struct reading, GLM_TOKEN_BYTES_MAX + 1);
    bool is_good = glm_automaton_init(&b.automaton, prog) == GLM_OK && b.readings &&
                   make_sets(t, vocab->n_words);
    b.automaton.work_left = SIZE_MAX; /* units hold no loops */
    uint32_t start = is_good ? glm_automaton_start(&b.automaton, rule) : GLM_STATE_NONE;
    is_good = start != GLM_STATE_NONE && read_tokens(&b, start);
    for (unsigned byte = 0; is_good && byte < 256; byte++) {
        if (glm_automaton_step(&b.automaton, start, (uint8_t)byte) != GLM_STATE_DEAD)
            t->first[byte / 8] |= (uint8_t)(1u << byte % 8);
    }
    if (left)
        memcpy(t->left, left, sizeof t->left);
    else
        memset(t->left, 0xFF, sizeof t->left);
    if (is_good && b.n_tails)
        qsort(b.tails, b.n_tails, sizeof *b.tails, compare_tails);
    is_good = is_good && build_tails(&b);
    for (size_t i = 1; is_good && i < GLM_TEXT_SETS; i++) {
        for (size_t w = 0; w < vocab->n_words; w++)
            t->sets[i][w] |= t->sets[i - 1][w];
    }
    glm_automaton_deinit(&b.automaton);
    free(b.readings);
    free(b.tails);
    return is_good ? GLM_OK : GLM_ENOMEM;
}

void glm_text_table_deinit(glm_text_table *t)
{
    free(t->inner);
    for (size_t i = 0; i < GLM_TEXT_SETS; i++)
        free(t->sets[i]);
    free(t->longer);
    free(t->far);
    free(t->leaving);
    free(t->tails);
    *t = (glm_text_table){0};
}

void glm_text_table_inner(const glm_text_table *t, size_t n_words, uint32_t units, uint64_t *mask)
{
    const uint64_t *set = units >= t->most         ? t->inner
                          : units >= GLM_TEXT_SETS ? t->sets[GLM_TEXT_SETS - 1]
                          : units > 0              ? t->sets[units - 1]
                                                   : NULL;
    for (size_t w = 0; set && w < n_words; w++)
        mask[w] |= set[w];
    for (size_t i = 0; set != t->inner && units > GLM_TEXT_SETS && i < t->n_longer; i++) {
        if (t->longer[i].units <= units)
            set_bit(mask, t->longer[i].id);
    }
}
