// SPDX-License-Identifier: MIT
#include "grammar/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/json_rules.h"

static void set_bit(uint64_t *mask, int32_t id)
{
    mask[(size_t)id / 64] |= (uint64_t)1 << ((size_t)id % 64);
}

uint32_t glm_standard_text(glm_prog *p, enum glm_text_kind kind)
{
    static const glm_cp_range all[] = {{0, 0x10FFFF}};
    static const glm_cp_range plain[] = {
        {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0x10FFFF}};
    if (p->standard[kind])
        return p->standard[kind] - 1;
    uint32_t rule = glm_prog_rule_new(p, false), unit = GLM_PROG_NO_WAY;
    if (kind == GLM_TEXT_RAW)
        unit = glm_prog_code_points(p, all, 1, GLM_PROG_END);
    else
        unit = glm_prog_code_points(p, plain, 3, GLM_PROG_END);
    if (kind == GLM_TEXT_JSON)
        unit = glm_prog_split(p, unit, glm_json_any_escape(p, GLM_PROG_END));
    glm_prog_set_rule(p, rule, unit);
    return glm_prog_text_new(p, kind, rule, NULL, 0, kind != GLM_TEXT_RAW);
}

bool glm_vocab_has(const glm_grammar_vocab *v, int32_t id, const char **bytes, size_t *size)
{
    *size = 0;
    *bytes = id < 0 || glm_tok_is_added(v->tok, id) ? NULL : glm_tok_bytes(v->tok, id, size);
    for (size_t i = 0; i < *size; i++) {
        if ((uint8_t)(*bytes)[i] >= GLM_TAG_BYTE)
            return false;
    }
    return *size > 0;
}

/* Both tries and the tables. */
static bool build(glm_grammar_vocab *v, const struct glm_token_order *order)
{
    static const uint8_t quote[32] = {['"' / 8] = 1u << '"' % 8}, none[32] = {0};
    const uint8_t *const left[] = {
        [GLM_TEXT_JSON] = quote, [GLM_TEXT_JSON_KEY] = quote, [GLM_TEXT_RAW] = none};
    uint64_t *set = glm_new_array(uint64_t, v->n_words);
    glm_prog p;
    glm_error ignored;
    glm_prog_init(&p);
    glm_prog_rule_new(&p, false);
    for (int kind = 0; kind < GLM_TEXT_STANDARD; kind++)
        glm_standard_text(&p, (enum glm_text_kind)kind);
    bool is_good = set && glm_prog_finish(&p, &ignored) == GLM_OK;
    const char *bytes;
    size_t size;
    for (size_t i = 0; is_good && i < order->n; i++) {
        if (glm_vocab_has(v, order->ids[i], &bytes, &size))
            set_bit(set, order->ids[i]);
    }
    is_good = is_good && glm_trie_init(&v->all, v->tok, order, set);
    for (int kind = 0; is_good && kind < GLM_TEXT_STANDARD; kind++)
        is_good = glm_text_table_init(&v->tables[kind], v, &p, p.texts[p.standard[kind] - 1].rule,
                                      left[kind]) == GLM_OK;
    if (is_good) {
        memset(set, 0, v->n_words * sizeof *set);
        const glm_text_table *keys = &v->tables[GLM_TEXT_JSON_KEY];
        for (size_t i = 0; i < keys->n_leaving; i++)
            set_bit(set, keys->leaving[i].id);
        for (size_t i = 0; i < order->n; i++) {
            if (glm_vocab_has(v, order->ids[i], &bytes, &size) && bytes[0] == '"')
                set_bit(set, order->ids[i]);
        }
        is_good = glm_trie_init(&v->names, v->tok, order, set);
    }
    glm_prog_deinit(&p);
    free(set);
    return is_good;
}

static glm_status check(const glm_tokenizer *tok, size_t n_vocab, const int32_t *stops,
                        size_t n_stops, glm_error *err)
{
    if (n_vocab < glm_tok_n_ids(tok) || n_vocab > INT32_MAX)
        return glm_fail(err, GLM_EARG, "a vocabulary of %zu tokens for a tokenizer of %zu", n_vocab,
                        glm_tok_n_ids(tok));
    if (n_stops > GLM_GRAMMAR_STOPS_MAX)
        return glm_fail(err, GLM_EARG, "%zu stop tokens (at most %d)", n_stops,
                        GLM_GRAMMAR_STOPS_MAX);
    for (size_t i = 0; i < n_stops; i++) {
        if (stops[i] < 0 || (size_t)stops[i] >= n_vocab)
            return glm_fail(err, GLM_EARG, "stop token %d of a vocabulary of %zu", stops[i],
                            n_vocab);
    }
    return GLM_OK;
}

glm_status glm_grammar_vocab_create(glm_grammar_vocab **out, const glm_tokenizer *tok,
                                    size_t n_vocab, const int32_t *stops, size_t n_stops,
                                    glm_error *err)
{
    static const char *const tags[GLM_TAGS] = {
        [GLM_TAG_CALL] = "<tool_call>",  [GLM_TAG_CALL_END] = "</tool_call>",
        [GLM_TAG_KEY] = "<arg_key>",     [GLM_TAG_KEY_END] = "</arg_key>",
        [GLM_TAG_VALUE] = "<arg_value>", [GLM_TAG_VALUE_END] = "</arg_value>"};
    struct glm_token_order order = {0};
    glm_status st = check(tok, n_vocab, stops, n_stops, err);
    if (st != GLM_OK)
        return st;
    glm_grammar_vocab *v = glm_new(glm_grammar_vocab);
    if (!v)
        return glm_fail(err, GLM_ENOMEM, "the tries of a vocabulary");
    v->tok = tok;
    v->n_vocab = n_vocab;
    v->n_words = (n_vocab + 63) / 64;
    v->n_stops = n_stops;
    for (size_t i = 0; i < n_stops; i++)
        v->stops[i] = stops[i];
    for (size_t t = 0; t < GLM_TAGS; t++)
        v->tags[t] = glm_tok_find_added(tok, tags[t], strlen(tags[t]));
    st = glm_token_order_init(&order, tok, err);
    if (st == GLM_OK && !build(v, &order))
        st = glm_fail(err, GLM_ENOMEM, "the tries of a vocabulary");
    glm_token_order_deinit(&order);
    if (st != GLM_OK) {
        glm_grammar_vocab_destroy(v);
        return st;
    }
    *out = v;
    return GLM_OK;
}

void glm_grammar_vocab_destroy(glm_grammar_vocab *v)
{
    if (!v)
        return;
    glm_trie_deinit(&v->all);
    glm_trie_deinit(&v->names);
    for (size_t i = 0; i < GLM_TEXT_STANDARD; i++)
        glm_text_table_deinit(&v->tables[i]);
    free(v);
}

size_t glm_grammar_mask_words(const glm_grammar_vocab *v)
{
    return v->n_words;
}
