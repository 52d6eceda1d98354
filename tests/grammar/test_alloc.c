// SPDX-License-Identifier: MIT
/* Every allocation of compiling, binding, masking and advancing refused in turn: GLM_ENOMEM each time, nothing leaks. */
#include "fail_alloc.h"

#include "cmocka_all.h"
#include "grammar/grammar.h"
#include "small_tokenizer.h"

enum source {
    SOURCE_REGEX,
    SOURCE_CHOICE,
    SOURCE_OBJECT,
    SOURCE_SCHEMA,
    SOURCE_GBNF,
    SOURCE_TOOLS,
    SOURCE_BOTH
};

static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
                             "\"maxLength\":50},\"\xC3\xA9\":"
                             "{\"type\":\"string\",\"pattern\":\"^[a-z]{2,30}$\"},\"c\":{\"$ref\":"
                             "\"#\"}},\"required\":[\"a\"]}";
static const char tools[] =
    "[{\"name\":\"f\",\"strict\":true,\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"k\":{\"enum\":[\"x\",2]},\"s\":{\"type\":\"string\"}},"
    "\"required\":[\"k\"]}},{\"name\":\"g\"}]";

static glm_status compile(glm_grammar **out, enum source source, glm_error *err)
{
    static const glm_text choices[] = {{"yes", 3}, {"no", 2}};
    const glm_grammar_tools t = {.json = {tools, sizeof tools - 1}};
    glm_status st;
    switch (source) {
    case SOURCE_REGEX:
        return glm_grammar_compile_regex(out, glm_text_c("[a-z]{2,300}(-\\w+)*[^x]"), err);
    case SOURCE_CHOICE:
        return glm_grammar_compile_choice(out, choices, 2, err);
    case SOURCE_OBJECT:
        return glm_grammar_compile_json_object(out, err);
    case SOURCE_SCHEMA:
        return glm_grammar_compile_schema(out, schema, sizeof schema - 1, false, err);
    case SOURCE_GBNF:
        return glm_grammar_compile_gbnf(out, glm_text_c("root ::= a+\na ::= [^a]{1,9} | \"a\""),
                                        err);
    case SOURCE_TOOLS:
        return glm_grammar_compile_tools(out, &t, err);
    default:
        st = glm_grammar_compile_schema(out, schema, sizeof schema - 1, true, err);
        if (st == GLM_OK && (st = glm_grammar_add_tools(*out, &t, err)) != GLM_OK) {
            glm_grammar_destroy(*out);
            *out = NULL;
        }
        return st;
    }
}

static glm_status run(enum source source, const glm_grammar_vocab *vocab, glm_error *err)
{
    uint64_t mask[SMALL_N_VOCAB / 64];
    glm_grammar *g = NULL;
    glm_matcher *m = NULL;
    glm_status st = compile(&g, source, err);
    if (st == GLM_OK)
        st = glm_grammar_bind(g, vocab, err);
    if (st == GLM_OK)
        st = glm_matcher_create(&m, g, vocab, err);
    for (int step = 0; st == GLM_OK && step < 12; step++) {
        st = glm_matcher_mask(m, mask, err);
        int32_t id = 0;
        while (st == GLM_OK && id < SMALL_N_VOCAB && !(mask[id / 64] >> id % 64 & 1))
            id++;
        if (st == GLM_OK)
            st = glm_matcher_advance(m, id, err);
        if (id == SMALL_STOP)
            break;
    }
    glm_matcher_destroy(m);
    glm_grammar_destroy(g);
    return st;
}

static void grammars(void **state)
{
    (void)state;
    static const int32_t stops[] = {SMALL_STOP};
    glm_tokenizer *tok = NULL;
    glm_grammar_vocab *vocab = NULL;
    glm_error err;
    assert_int_equal(small_tokenizer(&tok, &err), GLM_OK);
    assert_int_equal(glm_grammar_vocab_create(&vocab, tok, SMALL_N_VOCAB, stops, 1, &err), GLM_OK);
    for (int source = SOURCE_REGEX; source <= SOURCE_BOTH; source++) {
        long n_told = 0;
        for (long n = 0;; n++) {
            fail_alloc_begin(n);
            glm_status st = run((enum source)source, vocab, &err);
            if (!fail_alloc_end()) {
                assert_int_equal(st, GLM_OK);
                assert_true(n_told > 10);
                break;
            }
            if (st != GLM_ENOMEM && st != GLM_OK) /* giving memory back may fail unharmed */
                fail_msg("source %d, allocation %ld: %d, %s", source, n, st, st ? err.text : "");
            n_told += st == GLM_ENOMEM;
        }
    }
    glm_grammar_vocab_destroy(vocab);
    glm_tok_destroy(tok);
}

static void vocabularies(void **state)
{
    (void)state;
    static const int32_t stops[] = {SMALL_STOP};
    glm_tokenizer *tok = NULL;
    glm_error err;
    assert_int_equal(small_tokenizer(&tok, &err), GLM_OK);
    long n_told = 0;
    for (long n = 0;; n++) {
        glm_grammar_vocab *vocab = NULL;
        fail_alloc_begin(n);
        glm_status st = glm_grammar_vocab_create(&vocab, tok, SMALL_N_VOCAB, stops, 1, &err);
        bool has_failed = fail_alloc_end();
        glm_grammar_vocab_destroy(vocab);
        if (!has_failed) {
            assert_true(n_told > 10);
            break;
        }
        assert_true(st == GLM_ENOMEM || st == GLM_OK);
        n_told += st == GLM_ENOMEM;
    }
    glm_tok_destroy(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammars),
        cmocka_unit_test(vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
