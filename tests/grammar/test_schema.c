// SPDX-License-Identifier: MIT
/*
 * JSON Schema. Random answers under the mask are JSON by the strict reader; they are left in the build folder,
 * where check_answers.py validates them with another implementation of JSON Schema.
 */
#include <stdio.h>

#include "core/str.h"
#include "tokenizer_data.h"
#include "walk.h"

#define SCHEMAS GLM_SOURCE_DIR "/tests/data/grammar/schemas.jsonl"
#define ANSWERS GLM_BINARY_DIR "/tests/data/grammar-answers.jsonl"
#define N_WALKS 12

static glm_tokenizer *tok;
static glm_grammar_vocab *vocab;
static uint64_t mask[(WALK_N_VOCAB + 63) / 64];

static int load(void **state)
{
    (void)state;
    tok = load_folder(GLM46_DIR);
    static const int32_t stops[] = {WALK_STOP};
    glm_error err;
    return glm_grammar_vocab_create(&vocab, tok, WALK_N_VOCAB, stops, 1, &err) != GLM_OK;
}

static int unload(void **state)
{
    (void)state;
    glm_grammar_vocab_destroy(vocab);
    glm_tok_destroy(tok);
    return 0;
}

static glm_grammar *compile(const char *schema, size_t size, bool is_strict)
{
    glm_grammar *g = NULL;
    glm_error err;
    if (glm_grammar_compile_schema(&g, schema, size, is_strict, &err) != GLM_OK)
        fail_msg("%.*s: %s", (int)size, schema, err.text);
    assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
    return g;
}

/* A bit is set exactly when advancing works. */
static void check_mask(glm_matcher *m, const char *so_far)
{
    glm_error err;
    for (int32_t id = 0; id < WALK_N_VOCAB; id++) {
        bool goes = glm_matcher_advance(m, id, &err) == GLM_OK;
        if (goes)
            assert_int_equal(glm_matcher_rollback(m, 1, &err), GLM_OK);
        if (goes != (mask[id / 64] >> id % 64 & 1))
            fail_msg("token %d behind %s: advancing says %d", id, so_far, goes);
    }
}

/* One random answer, checked to be JSON, appended to `out` as a line. */
static void walk(const glm_grammar *g, FILE *out, bool is_checked, uint64_t *seed)
{
    glm_matcher *m = NULL;
    glm_error err;
    glm_str text = {0};
    assert_int_equal(glm_matcher_create(&m, g, vocab, &err), GLM_OK);
    for (size_t step = 0;; step++) {
        if (step == WALK_MAX)
            fail_msg("no end of %.300s", text.data);
        assert_int_equal(glm_matcher_mask(m, mask, &err), GLM_OK);
        if (is_checked && (step < 4 || walk_random(seed) % 8 == 0))
            check_mask(m, glm_str_text(&text).data);
        int32_t id = walk_choose(tok, mask, step, seed);
        if (id < 0)
            fail_msg("no token behind %s", text.data);
        assert_int_equal(glm_matcher_advance(m, id, &err), GLM_OK);
        if (id == WALK_STOP)
            break;
        size_t size;
        const char *bytes = glm_tok_bytes(tok, id, &size);
        glm_str_append(&text, bytes, size);
    }
    glm_arena arena;
    const glm_json *json;
    glm_arena_init(&arena, (size_t)16 << 20);
    if (glm_json_read(&json, &arena, text.data, text.length, 256, &err) != GLM_OK)
        fail_msg("%s: %s", text.data, err.text);
    glm_arena_deinit(&arena);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\n') /* between tokens only, where a space is as good */
            text.data[i] = ' ';
    }
    assert_int_equal(fwrite(text.data, 1, text.length, out), text.length);
    fputc('\n', out);
    glm_str_deinit(&text);
    glm_matcher_destroy(m);
}

/* Every schema strict and not; a line of the schema, its answers, an empty line. */
static void random_answers_are_json(void **state)
{
    (void)state;
    size_t size;
    char *schemas = read_whole(SCHEMAS, &size);
    FILE *out = fopen(ANSWERS, "w");
    assert_non_null(out);
    uint64_t seed = 2024;
    for (char *line = schemas, *end; line < schemas + size; line = end + 1) {
        end = memchr(line, '\n', (size_t)(schemas + size - line));
        assert_non_null(end);
        fprintf(out, "%.*s\n", (int)(end - line), line);
        for (int is_strict = 0; is_strict < 2; is_strict++) {
            glm_grammar *g = compile(line, (size_t)(end - line), is_strict);
            for (int i = 0; i < N_WALKS; i++)
                walk(g, out, i == 0, &seed);
            glm_grammar_destroy(g);
        }
        fputc('\n', out);
    }
    glm_grammar *g = NULL;
    glm_error err;
    assert_int_equal(glm_grammar_compile_json_object(&g, &err), GLM_OK);
    fputs("{\"type\":\"object\"}\n", out);
    for (int i = 0; i < N_WALKS; i++)
        walk(g, out, i == 0, &seed);
    glm_grammar_destroy(g);
    assert_int_equal(fclose(out), 0);
    free(schemas);
}

static bool accepts(const glm_grammar *g, const char *text)
{
    glm_matcher *m = NULL;
    glm_error err;
    assert_int_equal(glm_matcher_create(&m, g, vocab, &err), GLM_OK);
    bool goes = true;
    for (; *text && goes; text++)
        goes = glm_matcher_advance(m, glm_tok_find_bytes(tok, text, 1), &err) == GLM_OK;
    goes = goes && glm_matcher_is_complete(m);
    glm_matcher_destroy(m);
    return goes;
}

static void valid_and_invalid_answers(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *answer;
        bool is_valid;
    } list[] = {
        {"true", "[1,\n  {\"a\": \"\\u00e9\\ud83d\\ude00\"}]", true},
        {"true", "\"\\ud83d\"", false},
        {"true", "[1,\n\n2]", false},
        {"true", "01", false},
        {"{\"type\":\"string\",\"maxLength\":2}", "\"\\n\xC3\xA9\"", true},
        {"{\"type\":\"string\",\"maxLength\":2}", "\"abc\"", false},
        {"{\"type\":\"string\",\"minLength\":2}", "\"a\"", false},
        {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":120}", "-5", true},
        {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":120}", "-6", false},
        {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":120}", "121", false},
        {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":120}", "99", true},
        {"{\"type\":\"array\",\"maxItems\":0}", "[]", true},
        {"{\"type\":\"array\",\"maxItems\":0}", "[1]", false},
        {"{\"type\":\"array\",\"minItems\":2}", "[1, 2, 3]", true},
        {"{\"properties\":{\"ab\":{\"type\":\"null\"}}}", "{\"abc\":1,\"a\":2}", true},
        {"{\"properties\":{\"ab\":{\"type\":\"null\"}}}", "{\"ab\":1}", false},
        {"{\"properties\":{\"ab\":{}},\"required\":[\"c\"]}", "{\"ab\":1}", false},
        {"{\"properties\":{\"ab\":{}},\"required\":[\"c\"]}", "{\"c\":1}", true},
        {"{\"type\":\"string\",\"pattern\":\"b+$\"}", "\"\\\"abb\"", true},
        {"{\"type\":\"string\",\"pattern\":\"b+$\"}", "\"abc\"", false},
        {"{\"type\":\"integer\",\"nullable\":true}", "null", true},
        {"{\"not\":{\"type\":\"null\"}}", "7", true},
        /* What could be begun but never ended. */
        {"{\"properties\":{\"a\":{\"anyOf\":[false]},\"b\":{}}}", "{\"b\":1}", true},
        {"{\"anyOf\":[{\"type\":\"null\"},{\"items\":{\"anyOf\":[false]},\"minItems\":1}]}", "null",
         true},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = compile(list[i].schema, strlen(list[i].schema), false);
        if (accepts(g, list[i].answer) != list[i].is_valid)
            fail_msg("%s on %s", list[i].schema, list[i].answer);
        glm_grammar_destroy(g);
    }
}

/* Where a text is counted, tokens that hold several of its characters leave it at different counts. */
static void masks_of_counted_strings(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}",
        "{\"type\":\"string\",\"minLength\":3}",
        "{\"type\":\"string\",\"pattern\":\"^[a-z]{2,3}-?[a-z]$\"}"};
    static const char answer[] = "\"abc";
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        glm_grammar *g = compile(schemas[i], strlen(schemas[i]), true);
        glm_matcher *m = NULL;
        glm_error err;
        assert_int_equal(glm_matcher_create(&m, g, vocab, &err), GLM_OK);
        for (size_t n = 0; n + 1 < sizeof answer; n++) {
            int32_t id = glm_tok_find_bytes(tok, answer + n, 1);
            assert_int_equal(glm_matcher_advance(m, id, &err), GLM_OK);
            assert_int_equal(glm_matcher_mask(m, mask, &err), GLM_OK);
            check_mask(m, answer);
        }
        glm_matcher_destroy(m);
        glm_grammar_destroy(g);
    }
}

/* A mask offers nothing that cannot be finished: here no name of a property but "b", and no bracket. */
static void no_way_is_a_dead_end(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"properties\":{\"a\":{\"anyOf\":[false]},\"b\":{\"enum\":[1]}},\"additionalProperties\":"
        "false}",
        "{\"anyOf\":[{\"type\":\"null\"},{\"items\":{\"anyOf\":[false]},\"minItems\":1}]}",
        "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"$ref\":\"#\"}},\"required\":[\"b\"]}},"
        "\"additionalProperties\":{\"anyOf\":[false]}}",
    };
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        glm_grammar *g = compile(schemas[i], strlen(schemas[i]), false);
        FILE *out = tmpfile();
        assert_non_null(out);
        for (size_t k = 0; k < 50; k++)
            walk(g, out, false, &seed); /* fails where no token may follow */
        fclose(out);
        glm_grammar_destroy(g);
    }
}

static void refused_schemas_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        glm_status status;
        const char *text;
    } list[] = {
        {"{\"not\":{}}", GLM_EUNSUPP, "keyword not"},
        {"{\"patternProperties\":{}}", GLM_EUNSUPP, "patternProperties"},
        {"{\"$ref\":\"https://example.com/s\"}", GLM_EUNSUPP, "$ref https"},
        {"{\"$ref\":\"#/$defs/none\"}", GLM_EARG, "$ref #"},
        {"{\"type\":\"strin\"}", GLM_EARG, "type"},
        {"7", GLM_EARG, "neither"},
        {"{\"type\":", GLM_EFORMAT, ""},
        {"{\"type\":\"string\",\"pattern\":\"(\"}", GLM_EARG, "pattern"},
        {"{\"type\":\"string\",\"pattern\":\"(?=a)\"}", GLM_EUNSUPP, "look-around"},
        {"false", GLM_EARG, "no value"},
        {"{\"anyOf\":[false,false]}", GLM_EARG, "no value"},
        {"{\"properties\":{\"a\":{\"anyOf\":[false]}},\"required\":[\"a\"]}", GLM_EARG, "no value"},
        {"{\"items\":{\"oneOf\":[false]},\"minItems\":1}", GLM_EARG, "no value"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}", GLM_EARG, "no value"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = NULL;
        glm_error err;
        glm_status st =
            glm_grammar_compile_schema(&g, list[i].schema, strlen(list[i].schema), true, &err);
        if (st != list[i].status || !strstr(err.text, list[i].text))
            fail_msg("%s gives %d, %s", list[i].schema, st, st ? err.text : "");
        assert_null(g);
    }
    static const char loose[] = "{\"not\":{},\"type\":\"number\",\"minimum\":1}";
    glm_grammar *g = compile(loose, sizeof loose - 1, false);
    assert_string_equal(glm_grammar_ignored(g), "not, minimum of numbers");
    glm_grammar_destroy(g);
    static const char circle[] = "{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"}]}},"
                                 "\"$ref\":\"#/$defs/a\"}";
    g = compile(circle, sizeof circle - 1, true);
    glm_grammar_destroy(g);
}

/* Schemas whose size once was their refusal: many counted strings, many optional properties; and both compile. */
static void large_schemas_compile_and_match(void **state)
{
    (void)state;
    static const char *const kinds[] = {"{\"type\":\"string\",\"maxLength\":%d}",
                                        "{\"type\":\"string\",\"minLength\":3,\"maxLength\":%d}",
                                        "{\"type\":\"integer\"}"};
    static const struct {
        int n, kind;
        bool has_required;
    } list[] = {{100, 0, true}, {100, 1, false}, {1500, 2, false}, {3000, 2, true}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_str schema = {0};
        char text[128];
        glm_str_append_c(&schema, "{\"type\":\"object\",\"properties\":{");
        for (int k = 0; k < list[i].n; k++) {
            snprintf(text, sizeof text, "%s\"p%d\":", k ? "," : "", k);
            glm_str_append_c(&schema, text);
            snprintf(text, sizeof text, kinds[list[i].kind], 4000 - k);
            glm_str_append_c(&schema, text);
        }
        glm_str_append_c(&schema, list[i].has_required ? "},\"required\":[\"p7\"]}" : "}}");
        glm_grammar *g = compile(schema.data, schema.length, true);
        bool is_string = list[i].kind < 2;
        snprintf(text, sizeof text, "{\"p7\":%s,\"p%d\":%s}", is_string ? "\"abc\"" : "17",
                 list[i].n - 1, is_string ? "\"abc\"" : "-1");
        assert_true(accepts(g, text));
        assert_false(accepts(g, "{\"p8\":\"abc\",\"p7\":\"abc\"}")); /* against the order */
        FILE *sink = fopen("/dev/null", "w");
        uint64_t seed = 5;
        walk(g, sink, i < 2, &seed);
        fclose(sink);
        glm_grammar_destroy(g);
        glm_str_deinit(&schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_answers_are_json),
        cmocka_unit_test(valid_and_invalid_answers),
        cmocka_unit_test(masks_of_counted_strings),
        cmocka_unit_test(no_way_is_a_dead_end),
        cmocka_unit_test(refused_schemas_say_why),
        cmocka_unit_test(large_schemas_compile_and_match),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
