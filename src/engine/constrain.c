// SPDX-License-Identifier: MIT
#include "engine/constrain.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/mem.h"
#include "grammar/grammar.h"
#include "model/loaded.h"

#define CHOICES_MAX 4096
#define NAMES_MAX 512

struct glm_constraint {
    atomic_uint n_refs;
    glm_grammar *grammar;           /* NULL: text is free, and so are calls */
    const glm_grammar_vocab *vocab; /* of the model */
    bool in_reasoning;
    bool is_lazy;       /* text is free until a call begins, which the grammar then follows */
    bool is_single;     /* with is_lazy: nothing but the end behind a call */
    int32_t think_end;  /* -1: the tokenizer has none */
    int32_t call;       /* the token that begins a call, -1 as above */
    bool forbids_calls; /* anywhere */
    /* Masks where the grammar does not rule; NULL: all tokens. */
    uint64_t *in_reasoning_mask, *free_mask;
};

/* ---- The vocabulary of a model ---- */

/* Made by the first constraint. Of two threads that make one at once the second throws its own away. */
static glm_status vocab_of(glm_model *m, const glm_grammar_vocab **out, glm_error *err)
{
    struct glm_grammar_vocab *vocab = atomic_load(&m->grammar_vocab), *other = NULL;
    if (!vocab) {
        glm_status st = glm_grammar_vocab_create(&vocab, m->tokenizer, m->config.n_vocab,
                                                 m->config.eos, m->config.n_eos, err);
        if (st != GLM_OK)
            return st;
        if (!atomic_compare_exchange_strong(&m->grammar_vocab, &other, vocab)) {
            glm_grammar_vocab_destroy(vocab);
            vocab = other;
        }
    }
    *out = vocab;
    return GLM_OK;
}

/* ---- Compiling ---- */

glm_constraint_params glm_constraint_params_default(void)
{
    return (glm_constraint_params){.kind = GLM_CONSTRAINT_FREE};
}

static glm_status compile_choice(glm_grammar **out, glm_text text, glm_error *err)
{
    glm_arena arena;
    const glm_json *list;
    glm_text *choices = NULL;
    size_t n = 0;
    if (text.length > GLM_GRAMMAR_SOURCE_MAX)
        return glm_fail(err, GLM_ELIMIT, "choices of more than %zu KiB",
                        GLM_GRAMMAR_SOURCE_MAX >> 10);
    glm_arena_init(&arena, (size_t)64 << 20);
    glm_status st = glm_json_read(&list, &arena, text.data, text.length, 2, err);
    if (st == GLM_OK &&
        (list->type != GLM_JSON_ARRAY || list->length == 0 || list->length > CHOICES_MAX))
        st = glm_fail(err, GLM_EARG, "choices: expected a list of 1 to %d strings", CHOICES_MAX);
    if (st == GLM_OK && !(choices = glm_arena_new_array(&arena, glm_text, list->length)))
        st = glm_fail(err, GLM_ENOMEM, "choices");
    for (const glm_json *v = st == GLM_OK ? list->first : NULL; v && st == GLM_OK; v = v->next) {
        if (v->type != GLM_JSON_STRING)
            st = glm_fail(err, GLM_EARG, "choices[%zu]: expected a string", n);
        choices[n++] = (glm_text){v->text, v->length};
    }
    if (st == GLM_OK)
        st = glm_grammar_compile_choice(out, choices, n, err);
    glm_arena_deinit(&arena);
    return st;
}

static glm_status compile_content(glm_grammar **out, const glm_constraint_params *p, glm_error *err)
{
    glm_text text = {p->text ? p->text : "", p->text ? p->length : 0};
    switch (p->kind) {
    case GLM_CONSTRAINT_FREE:
        return GLM_OK;
    case GLM_CONSTRAINT_JSON_OBJECT:
        return glm_grammar_compile_json_object(out, err);
    case GLM_CONSTRAINT_JSON_SCHEMA:
        return glm_grammar_compile_schema(out, text.data, text.length, p->strict, err);
    case GLM_CONSTRAINT_REGEX:
        return glm_grammar_compile_regex(out, text, err);
    case GLM_CONSTRAINT_CHOICE:
        return compile_choice(out, text, err);
    case GLM_CONSTRAINT_GBNF:
        return glm_grammar_compile_gbnf(out, text, err);
    }
    return glm_fail(err, GLM_EARG, "constraint: a kind that is not known");
}

/* The grammar of content and calls together to c->grammar, and how it is followed. */
static glm_status compile(glm_constraint *c, const glm_constraint_params *p, glm_error *err)
{
    glm_text names[NAMES_MAX];
    if (p->n_tool_names > NAMES_MAX)
        return glm_fail(err, GLM_ELIMIT, "more than %d names of tools", NAMES_MAX);
    for (size_t i = 0; i < p->n_tool_names; i++)
        names[i] = glm_text_c(p->tool_names[i]);
    glm_grammar_tools tools = {
        .json = {p->tools, p->tools_length},
        .only = names,
        .n_only = p->n_tool_names,
        .is_single = p->single_call,
    };
    const bool has_tools = p->tools && p->tool_choice != GLM_TOOL_CHOICE_NONE;
    c->forbids_calls = !has_tools && (p->tools || p->kind != GLM_CONSTRAINT_FREE);
    if (has_tools && p->tool_choice == GLM_TOOL_CHOICE_REQUIRED)
        return glm_grammar_compile_tools(&c->grammar, &tools, err);
    if (p->kind == GLM_CONSTRAINT_FREE && has_tools) {
        c->is_lazy = true;
        tools.is_single = true; /* the next call begins as the first did */
        return glm_grammar_compile_tools(&c->grammar, &tools, err);
    }
    glm_status st = compile_content(&c->grammar, p, err);
    if (st == GLM_OK && has_tools)
        st = glm_grammar_add_tools(c->grammar, &tools, err);
    return st;
}

/* The first mask, so that what is too ambiguous to follow, or admits nothing, is told now. */
static glm_status probe(const glm_constraint *c, glm_error *err)
{
    glm_matcher *m = NULL;
    uint64_t *mask = glm_new_array(uint64_t, glm_grammar_mask_words(c->vocab));
    glm_status st = mask ? glm_matcher_create(&m, c->grammar, c->vocab, err)
                         : glm_fail(err, GLM_ENOMEM, "a mask");
    if (st == GLM_OK)
        st = glm_matcher_mask(m, mask, err);
    bool is_empty = st == GLM_OK;
    for (size_t i = 0; is_empty && i < glm_grammar_mask_words(c->vocab); i++)
        is_empty = mask[i] == 0;
    if (is_empty)
        st = glm_fail(err, GLM_EARG, "the constraint admits no answer");
    glm_matcher_destroy(m);
    free(mask);
    return st;
}

/* ---- Masks where the grammar does not rule ---- */

static int32_t find_tag(const glm_model *m, const char *name)
{
    return glm_tok_find_added(m->tokenizer, name, strlen(name));
}

static void ban(uint64_t *mask, int32_t id)
{
    if (id >= 0)
        mask[(size_t)id / 64] &= ~((uint64_t)1 << ((size_t)id % 64));
}

static uint64_t *full_mask(const glm_constraint *c)
{
    const size_t n = glm_grammar_mask_words(c->vocab);
    uint64_t *mask = glm_new_array(uint64_t, n);
    if (mask)
        memset(mask, 0xFF, n * sizeof *mask);
    return mask;
}

static glm_status make_masks(glm_constraint *c, const glm_model *m, glm_error *err)
{
    static const char *const parts[] = {"</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>",
                                        "</arg_value>"};
    const bool rules_answer = c->grammar && !c->is_lazy;
    if (c->in_reasoning) {
        if (!(c->in_reasoning_mask = full_mask(c)))
            return glm_fail(err, GLM_ENOMEM, "a mask");
        for (uint32_t i = 0; rules_answer && i < m->config.n_eos; i++)
            ban(c->in_reasoning_mask, m->config.eos[i]);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            ban(c->in_reasoning_mask, find_tag(m, parts[i]));
        if (c->forbids_calls)
            ban(c->in_reasoning_mask, c->call);
    }
    if (c->forbids_calls && !c->grammar) {
        if (!(c->free_mask = full_mask(c)))
            return glm_fail(err, GLM_ENOMEM, "a mask");
        ban(c->free_mask, c->call);
    }
    return GLM_OK;
}

static glm_status build(glm_constraint *c, glm_model *model, const glm_constraint_params *params,
                        glm_error *err)
{
    c->in_reasoning = params->in_reasoning;
    c->is_single = params->single_call;
    c->think_end = find_tag(model, "</think>");
    c->call = find_tag(model, "<tool_call>");
    if (params->tools && c->call < 0)
        return glm_fail(err, GLM_EUNSUPP, "tools: the tokenizer has no <tool_call>");
    if (params->in_reasoning && c->think_end < 0)
        return glm_fail(err, GLM_EUNSUPP, "reasoning: the tokenizer has no </think>");
    glm_status st = vocab_of(model, &c->vocab, err);
    if (st == GLM_OK)
        st = compile(c, params, err);
    if (st == GLM_OK && c->grammar)
        st = glm_grammar_bind(c->grammar, c->vocab, err);
    if (st == GLM_OK && c->grammar)
        st = probe(c, err);
    return st == GLM_OK ? make_masks(c, model, err) : st;
}

glm_status glm_constraint_create(glm_constraint **out, glm_model *model,
                                 const glm_constraint_params *params, glm_error *err)
{
    if (!model->tokenizer)
        return glm_fail(err, GLM_EUNSUPP, "constraint: the package has no tokenizer");
    glm_constraint *c = glm_new(glm_constraint);
    if (!c)
        return glm_fail(err, GLM_ENOMEM, "a constraint");
    atomic_init(&c->n_refs, 1);
    glm_status st = build(c, model, params, err);
    if (st != GLM_OK) {
        glm_constraint_release(c);
        return st;
    }
    *out = c;
    return GLM_OK;
}

glm_constraint *glm_constraint_acquire(glm_constraint *c)
{
    atomic_fetch_add_explicit(&c->n_refs, 1, memory_order_relaxed);
    return c;
}

void glm_constraint_release(glm_constraint *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    glm_grammar_destroy(c->grammar);
    free(c->in_reasoning_mask);
    free(c->free_mask);
    free(c);
}

const char *glm_constraint_ignored(const glm_constraint *c)
{
    return c->grammar ? glm_grammar_ignored(c->grammar) : "";
}

/* ---- Following an answer ---- */

enum phase {
    PHASE_REASONING,
    PHASE_FREE,
    PHASE_RULED, /* by the grammar */
};

typedef struct follower {
    glm_constraint *constraint;
    glm_matcher *matcher; /* NULL without a grammar */
    enum phase phase;
    uint64_t *mask; /* [n_words] */
} follower;

/* What rules the answer when nothing, or reasoning, came before it. */
static enum phase first_phase(const glm_constraint *c)
{
    return c->grammar && !c->is_lazy ? PHASE_RULED : PHASE_FREE;
}

static glm_status wish(void *ctx, glm_decoder_wish *w, glm_error *err)
{
    follower *f = ctx;
    if (f->phase == PHASE_REASONING) {
        w->mask = f->constraint->in_reasoning_mask;
        return GLM_OK;
    }
    if (f->phase == PHASE_FREE) {
        w->mask = f->constraint->free_mask;
        return GLM_OK;
    }
    w->mask = f->mask;
    return glm_matcher_mask(f->matcher, f->mask, err);
}

static glm_status took(void *ctx, int32_t id, bool *is_last, glm_error *err)
{
    follower *f = ctx;
    const glm_constraint *c = f->constraint;
    (void)is_last;
    if (f->phase == PHASE_REASONING && id == c->think_end) {
        f->phase = first_phase(c);
        return GLM_OK;
    }
    /* A call ends reasoning too. */
    if (f->phase != PHASE_RULED && (id != c->call || !f->matcher))
        return GLM_OK;
    if (f->phase != PHASE_RULED)
        f->phase = PHASE_RULED;
    glm_status st = glm_matcher_advance(f->matcher, id, err);
    if (st == GLM_OK && c->is_lazy && !c->is_single && glm_matcher_is_complete(f->matcher)) {
        f->phase = PHASE_FREE;
        st = glm_matcher_reset(f->matcher, err);
    }
    return st;
}

static void destroy(void *ctx)
{
    follower *f = ctx;
    glm_matcher_destroy(f->matcher);
    glm_constraint_release(f->constraint);
    free(f->mask);
    free(f);
}

glm_status glm_constraint_hook(glm_decoder_hook *hook, glm_constraint *c, glm_error *err)
{
    follower *f = glm_new(follower);
    if (!f)
        return glm_fail(err, GLM_ENOMEM, "a constraint");
    f->constraint = glm_constraint_acquire(c);
    f->phase = c->in_reasoning ? PHASE_REASONING : first_phase(c);
    f->mask = glm_new_array(uint64_t, glm_grammar_mask_words(c->vocab));
    glm_status st = f->mask ? GLM_OK : glm_fail(err, GLM_ENOMEM, "a constraint");
    if (st == GLM_OK && c->grammar)
        st = glm_matcher_create(&f->matcher, c->grammar, c->vocab, err);
    if (st != GLM_OK) {
        destroy(f);
        return st;
    }
    *hook = (glm_decoder_hook){.wish = wish, .took = took, .destroy = destroy, .ctx = f};
    return GLM_OK;
}
