// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "core/mem.h"
#include "grammar/grammar_internal.h"
#include "grammar/regex.h"

glm_status glm_grammar_finish(glm_grammar **out, glm_grammar *g, glm_status st, glm_error *err)
{
    if (st == GLM_OK)
        st = glm_prog_finish(&g->prog, err);
    if (st == GLM_OK)
        st = glm_prog_check_end(&g->prog, err);
    if (st != GLM_OK) {
        glm_grammar_destroy(g);
        return st;
    }
    *out = g;
    return GLM_OK;
}

glm_status glm_grammar_compile_regex(glm_grammar **out, glm_text regex, glm_error *err)
{
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    uint32_t start = GLM_PROG_NO_WAY;
    uint32_t rule = glm_prog_rule_new(&g->prog, false);
    glm_status st = glm_regex_write(&g->prog, &start, regex, GLM_REGEX_WHOLE, GLM_PROG_END, err);
    glm_prog_set_rule(&g->prog, rule, start);
    return glm_grammar_finish(out, g, st, err);
}

glm_status glm_grammar_compile_choice(glm_grammar **out, const glm_text *choices, size_t n,
                                      glm_error *err)
{
    if (n == 0)
        return glm_fail(err, GLM_EARG, "a list of choices without any");
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    uint32_t ways = GLM_PROG_NO_WAY;
    uint32_t rule = glm_prog_rule_new(&g->prog, false);
    for (size_t i = n; i > 0; i--) {
        uint32_t way =
            glm_prog_literal(&g->prog, choices[i - 1].data, choices[i - 1].length, GLM_PROG_END);
        ways = glm_prog_split(&g->prog, way, ways);
    }
    glm_prog_set_rule(&g->prog, rule, ways);
    return glm_grammar_finish(out, g, GLM_OK, err);
}

glm_status glm_grammar_compile_tools(glm_grammar **out, const glm_grammar_tools *tools,
                                     glm_error *err)
{
    glm_grammar *g = glm_new(glm_grammar);
    if (!g)
        return glm_fail(err, GLM_ENOMEM, "a grammar");
    uint32_t start = GLM_PROG_NO_WAY;
    uint32_t rule = glm_prog_rule_new(&g->prog, false);
    glm_status st = glm_tools_write(g, tools, &start, err);
    glm_prog_set_rule(&g->prog, rule, start);
    return glm_grammar_finish(out, g, st, err);
}

glm_status glm_grammar_add_tools(glm_grammar *g, const glm_grammar_tools *tools, glm_error *err)
{
    glm_prog *p = &g->prog;
    uint32_t calls = GLM_PROG_NO_WAY;
    uint32_t answer = glm_prog_rule_new(p, false);
    glm_status st = glm_tools_write(g, tools, &calls, err);
    if (st != GLM_OK)
        return st;
    glm_prog_set_rule(p, answer, p->rules[0].start);
    uint32_t behind = glm_prog_call(p, answer, glm_prog_split(p, calls, GLM_PROG_END));
    glm_prog_set_rule(p, 0, glm_prog_split(p, behind, calls));
    return glm_prog_finish(p, err);
}

static void forget_tables(glm_grammar *g)
{
    for (size_t i = 0; g->tables && i < g->prog.n_texts; i++)
        glm_text_table_deinit(&g->tables[i]);
    free(g->tables);
    g->tables = NULL;
    g->vocab = NULL;
}

glm_status glm_grammar_bind(glm_grammar *g, const glm_grammar_vocab *vocab, glm_error *err)
{
    forget_tables(g);
    g->tables = g->prog.n_texts ? glm_new_array(glm_text_table, g->prog.n_texts) : NULL;
    bool is_good = g->tables || !g->prog.n_texts;
    for (size_t i = 0; is_good && i < g->prog.n_texts; i++) {
        const glm_prog_text *t = &g->prog.texts[i];
        is_good = t->kind != GLM_TEXT_OWN ||
                  glm_text_table_init(&g->tables[i], vocab, &g->prog, t->rule, NULL) == GLM_OK;
    }
    if (!is_good) {
        forget_tables(g);
        return glm_fail(err, GLM_ENOMEM, "tables of a grammar");
    }
    g->vocab = vocab;
    return GLM_OK;
}

void glm_grammar_destroy(glm_grammar *g)
{
    if (!g)
        return;
    forget_tables(g);
    glm_prog_deinit(&g->prog);
    glm_str_deinit(&g->ignored);
    free(g);
}
