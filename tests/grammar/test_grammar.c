// SPDX-License-Identifier: MIT
/* Regular expressions and choices: the language against POSIX regexec, masks against prefixes of the choices. */
#define _POSIX_C_SOURCE 200809L
#include <regex.h>

#include "grammar/grammar.h"
#include "tokenizer_data.h"

#define N_VOCAB 154880 /* the logits of GLM-5.2 */
#define STOP 151336    /* <|user|> */

static glm_tokenizer *tok;
static glm_grammar_vocab *vocab;
static uint64_t mask[(N_VOCAB + 63) / 64];

static int load(void **state)
{
    (void)state;
    tok = load_folder(GLM46_DIR);
    static const int32_t stops[] = {STOP};
    glm_error err;
    return glm_grammar_vocab_create(&vocab, tok, N_VOCAB, stops, 1, &err) != GLM_OK;
}

static int unload(void **state)
{
    (void)state;
    glm_grammar_vocab_destroy(vocab);
    glm_tok_destroy(tok);
    return 0;
}

static glm_grammar *regex_grammar(const char *regex)
{
    glm_grammar *g = NULL;
    glm_error err;
    if (glm_grammar_compile_regex(&g, glm_text_c(regex), &err) != GLM_OK)
        fail_msg("%s: %s", regex, err.text);
    assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
    return g;
}

static glm_matcher *matcher(const glm_grammar *g)
{
    glm_matcher *m = NULL;
    glm_error err;
    if (glm_matcher_create(&m, g, vocab, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return m;
}

static bool allows(int32_t id)
{
    return mask[(size_t)id / 64] >> (size_t)id % 64 & 1;
}

static void get_mask(glm_matcher *m)
{
    glm_error err;
    memset(mask, 0xAA, sizeof mask);
    assert_int_equal(glm_matcher_mask(m, mask, &err), GLM_OK);
}

/* The text byte by byte from the start: true when it is whole. */
static bool matches(glm_matcher *m, const char *text, size_t size)
{
    glm_error err;
    assert_int_equal(glm_matcher_reset(m, &err), GLM_OK);
    for (size_t i = 0; i < size; i++) {
        int32_t id = glm_tok_find_bytes(tok, text + i, 1);
        assert_true(id >= 0);
        if (glm_matcher_advance(m, id, &err) != GLM_OK) {
            assert_int_equal(err.status, GLM_EARG);
            return false;
        }
    }
    return glm_matcher_is_complete(m);
}

/* What POSIX extended expressions and ours spell alike. */
static void same_language_as_regexec(void **state)
{
    (void)state;
    static const char *const list[] = {
        "a",
        "ab|c",
        "(a|b)*c",
        "a+b?c{2}",
        "[a-b]{1,3}c*",
        "[^a]b*",
        "(ab|a)(bc|c)?",
        "a{0,2}b{2,}",
        "((a|b)(c|a))+",
        "(a*)*b",
        "a.c",
        "(a|ab)(c|bcd|b)*",
        "[]a]b",
        "()a|b{0}c",
    };
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const char *ours = strcmp(list[i], "[]a]b") == 0 ? "[\\]a]b" : list[i];
        char whole[64];
        regex_t re;
        snprintf(whole, sizeof whole, "^(%s)$", list[i]);
        assert_int_equal(regcomp(&re, whole, REG_EXTENDED | REG_NOSUB), 0);
        glm_grammar *g = regex_grammar(ours);
        glm_matcher *m = matcher(g);
        size_t n_matches = 0;
        for (size_t k = 0; k < 1500; k++) {
            char text[8];
            size_t size = next_random(&seed) % 7;
            for (size_t b = 0; b < size; b++)
                text[b] = "aabbcd]"[next_random(&seed) % 7];
            text[size] = '\0';
            bool expected = regexec(&re, text, 0, NULL, 0) == 0;
            if (matches(m, text, size) != expected)
                fail_msg("%s on \"%s\": regexec says %d", list[i], text, expected);
            n_matches += expected;
        }
        assert_true(n_matches > 0);
        glm_matcher_destroy(m);
        glm_grammar_destroy(g);
        regfree(&re);
    }
}

static void classes_of_code_points(void **state)
{
    (void)state;
    static const struct {
        const char *regex, *text;
        bool is_match;
    } list[] = {
        {"[\xC3\xA4-\xC3\xBC]+", "\xC3\xB6\xC3\xA4", true},
        {"[\xC3\xA4-\xC3\xBC]", "\xC3\xBD", false},
        {"[\\u0800-\\uFFFF]", "\xED\x9F\xBF", true},
        {"[\\u0800-\\uFFFF]", "\xED\xA0\x80", false}, /* a surrogate */
        {".", "\xF0\x9F\x98\x80", true},
        {".", "\xF4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {".", "\xC0\x80", false},         /* overlong */
        {".", "\n", false},
        {"[^x]", "\n", true},
        {"\\d{3}-\\w+\\s\\S", "123-a_Z\t.", true},
        {"\\D", "7", false},
        {"[\\d.]+", "1.5", true},
        {"\\x41\\u0042", "AB", true},
        {"^a$|^b$", "b", true},
        {"a{,2}", "a{,2}", true},
        {"(?<year>\\d{4})(?:-x)??", "2024-x", true},
        {"a-]", "a-]", true},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = regex_grammar(list[i].regex);
        glm_matcher *m = matcher(g);
        if (matches(m, list[i].text, strlen(list[i].text)) != list[i].is_match)
            fail_msg("%s on %s", list[i].regex, list[i].text);
        glm_matcher_destroy(m);
        glm_grammar_destroy(g);
    }
}

static void damaged_expressions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *regex;
        glm_status status;
        const char *text;
    } list[] = {
        {"(a", GLM_EARG, "without )"},
        {"a)", GLM_EARG, ") without"},
        {"[a", GLM_EARG, "without ]"},
        {"*a", GLM_EARG, "nothing to repeat"},
        {"a**", GLM_EARG, "nothing to repeat"},
        {"[b-a]", GLM_EARG, "end comes before"},
        {"a{3,2}", GLM_EARG, "below its minimum"},
        {"\\", GLM_EARG, "backslash"},
        {"\\u00g0", GLM_EARG, "hexadecimal"},
        {"\xFF", GLM_EARG, "UTF-8"},
        {"(a)\\1", GLM_EUNSUPP, "back-ref"},
        {"(?=a)", GLM_EUNSUPP, "look-around"},
        {"\\bx", GLM_EUNSUPP, "\\b"},
        {"\\p{L}", GLM_EUNSUPP, "\\p"},
        {"a^b", GLM_EUNSUPP, "ends"},
        {"(a$)b", GLM_EUNSUPP, "ends"},
        {"a{5000}", GLM_ELIMIT, "4096"},
        {"((.{1000}){1000}){1000}", GLM_ELIMIT, "too large"},
        {"(((){4096}){4096}){4096}", GLM_ELIMIT, "too large"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = NULL;
        glm_error err;
        glm_status st = glm_grammar_compile_regex(&g, glm_text_c(list[i].regex), &err);
        if (st != list[i].status || !strstr(err.text, list[i].text))
            fail_msg("%s gives %d, %s", list[i].regex, st, st ? err.text : "");
        assert_null(g);
    }
    char deep[200];
    memset(deep, '(', sizeof deep);
    glm_grammar *g = NULL;
    glm_error err;
    assert_int_equal(glm_grammar_compile_regex(&g, (glm_text){deep, sizeof deep}, &err),
                     GLM_ELIMIT);
}

/* Each mask on the way through each choice is the set of tokens that lead to some choice. */
static void masks_of_choices_are_exact(void **state)
{
    (void)state;
    static const char *const list[] = {"yes", "yes, indeed", "no", "\xE4\xBD\xA0\xE5\xA5\xBD",
                                       " yes"};
    enum { N = sizeof list / sizeof *list };
    glm_text choices[N];
    for (size_t i = 0; i < N; i++)
        choices[i] = glm_text_c(list[i]);
    glm_grammar *g = NULL;
    glm_error err;
    assert_int_equal(glm_grammar_compile_choice(&g, choices, N, &err), GLM_OK);
    glm_matcher *m = matcher(g);
    for (size_t c = 0; c < N; c++) {
        assert_int_equal(glm_matcher_reset(m, &err), GLM_OK);
        for (size_t done = 0; done <= choices[c].length; done++) {
            get_mask(m);
            for (int32_t id = 0; id < N_VOCAB; id++) {
                size_t size = 0;
                const char *bytes =
                    glm_tok_is_added(tok, id) ? NULL : glm_tok_bytes(tok, id, &size);
                bool expected = false;
                for (size_t k = 0; k < N; k++) {
                    glm_text t = choices[k];
                    if (t.length < done || memcmp(t.data, choices[c].data, done) != 0)
                        continue;
                    expected |= id == STOP ? t.length == done
                                           : size > 0 && size <= t.length - done &&
                                                 memcmp(t.data + done, bytes, size) == 0;
                }
                if (allows(id) != expected)
                    fail_msg("choice %zu, byte %zu, token %d: mask says %d", c, done, id,
                             allows(id));
            }
            if (done < choices[c].length) {
                int32_t id = glm_tok_find_bytes(tok, list[c] + done, 1);
                assert_int_equal(glm_matcher_advance(m, id, &err), GLM_OK);
            }
        }
    }
    glm_matcher_destroy(m);
    glm_grammar_destroy(g);
}

/* A bit is set exactly when advancing works; string-like grammars take the mask of plain tokens. */
static void masks_agree_with_advancing(void **state)
{
    (void)state;
    static const char *const list[] = {"\"[^\"\\\\\\x00-\\x1f]*\"",
                                       "\"[^\"\\\\\\x00-\\x1f]{0,40}\"",
                                       "\"[^\"\\\\\\x00-\\x1f]{0,9}\"",
                                       "\"[^\"\\\\\\x00-\\x1f\\xe9]*\"",
                                       "\"[^\"\\\\\\x00-\\x1f]{6,30}\"",
                                       "\"[\\x20-\\x7f]*",
                                       "(\\w+ ?)+\\.",
                                       "[a-z]*b+[a-z]{2}x?",
                                       "abc[!-/:-@]*;+[\\n a-z]*",
                                       "([a-z]{1,3},? ?)*",
                                       "[a-z]{3,60}-[a-z]{1,4}.?"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = regex_grammar(list[i]);
        glm_matcher *m = matcher(g);
        glm_error err;
        matches(m, list[i][0] == '"' ? "\"abc" : "abc", list[i][0] == '"' ? 4 : 3);
        get_mask(m);
        size_t n = 0;
        for (int32_t id = 0; id < N_VOCAB; id++) {
            bool goes = glm_matcher_advance(m, id, &err) == GLM_OK;
            if (goes)
                assert_int_equal(glm_matcher_rollback(m, 1, &err), GLM_OK);
            if (goes != allows(id))
                fail_msg("%s, token %d: mask says %d", list[i], id, allows(id));
            n += goes;
        }
        assert_true(n > 100);
        glm_matcher_destroy(m);
        glm_grammar_destroy(g);
    }
}

static void rollback_and_end(void **state)
{
    (void)state;
    glm_grammar *g = regex_grammar("a{0,200}b");
    glm_matcher *m = matcher(g);
    glm_error err;
    int32_t a = glm_tok_find_bytes(tok, "a", 1), b = glm_tok_find_bytes(tok, "b", 1);
    assert_int_equal(glm_matcher_rollback(m, 1, &err), GLM_EARG);
    for (int i = 0; i < 200; i++)
        assert_int_equal(glm_matcher_advance(m, a, &err), GLM_OK);
    assert_int_equal(glm_matcher_advance(m, a, &err), GLM_EARG);
    assert_int_equal(glm_matcher_rollback(m, GLM_GRAMMAR_ROLLBACK_MAX + 1, &err), GLM_EARG);
    assert_int_equal(glm_matcher_rollback(m, GLM_GRAMMAR_ROLLBACK_MAX, &err), GLM_OK);
    for (int i = 0; i < GLM_GRAMMAR_ROLLBACK_MAX; i++)
        assert_int_equal(glm_matcher_advance(m, a, &err), GLM_OK);
    assert_int_equal(glm_matcher_advance(m, a, &err), GLM_EARG);
    assert_int_equal(glm_matcher_advance(m, STOP, &err), GLM_EARG);
    assert_int_equal(glm_matcher_advance(m, b, &err), GLM_OK);
    assert_true(glm_matcher_is_complete(m));
    get_mask(m);
    for (int32_t id = 0; id < N_VOCAB; id++)
        assert_int_equal(allows(id), id == STOP);
    assert_int_equal(glm_matcher_advance(m, STOP, &err), GLM_OK);
    assert_int_equal(glm_matcher_advance(m, STOP, &err), GLM_EARG);
    get_mask(m);
    for (size_t i = 0; i < glm_grammar_mask_words(vocab); i++)
        assert_true(mask[i] == 0);
    assert_int_equal(glm_matcher_rollback(m, 2, &err), GLM_OK);
    assert_false(glm_matcher_is_complete(m));
    for (int32_t id = -2; id < 0; id++)
        assert_int_equal(glm_matcher_advance(m, id, &err), GLM_EARG);
    assert_int_equal(glm_matcher_advance(m, INT32_MAX, &err), GLM_EARG);
    glm_matcher_destroy(m);
    glm_grammar_destroy(g);
}

/* An expression whose automaton has 2^20 states: memory stays bounded and the language the same. */
static void full_automata_are_renewed(void **state)
{
    (void)state;
    glm_grammar *g = regex_grammar("[ab]*a[ab]{20}");
    glm_matcher *m = matcher(g);
    glm_error err;
    char last[21];
    uint64_t seed = 7;
    for (size_t i = 0; i < 150000; i++) {
        char c = "ab"[next_random(&seed) >> 40 & 1];
        assert_int_equal(glm_matcher_advance(m, glm_tok_find_bytes(tok, &c, 1), &err), GLM_OK);
        if (i >= sizeof last && glm_matcher_is_complete(m) != (last[(i - 20) % 21] == 'a'))
            fail_msg("step %zu", i);
        last[i % 21] = c;
    }
    glm_matcher_destroy(m);
    glm_grammar_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_language_as_regexec),
        cmocka_unit_test(classes_of_code_points),
        cmocka_unit_test(damaged_expressions_are_refused),
        cmocka_unit_test(masks_of_choices_are_exact),
        cmocka_unit_test(masks_agree_with_advancing),
        cmocka_unit_test(rollback_and_end),
        cmocka_unit_test(full_automata_are_renewed),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
