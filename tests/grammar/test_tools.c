// SPDX-License-Identifier: MIT
/* Tool calls and GBNF: what is admitted and what is not, masks against advancing, what is refused and why. */
#include <stdio.h>

#include "core/str.h"
#include "tokenizer_data.h"
#include "walk.h"

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

static void check_mask(glm_matcher *m, const char *where)
{
    glm_error err;
    assert_int_equal(glm_matcher_mask(m, mask, &err), GLM_OK);
    for (int32_t id = 0; id < WALK_N_VOCAB; id++) {
        bool goes = glm_matcher_advance(m, id, &err) == GLM_OK;
        if (goes)
            assert_int_equal(glm_matcher_rollback(m, 1, &err), GLM_OK);
        if (goes != (mask[id / 64] >> id % 64 & 1))
            fail_msg("token %d behind %s: advancing says %d", id, where, goes);
    }
}

/* The id of a tag at `text`, or of its first byte; *size is what it takes. */
static int32_t next_id(const char *text, size_t *size)
{
    static const char *const tags[] = {"<tool_call>", "</tool_call>", "<arg_key>",
                                       "</arg_key>",  "<arg_value>",  "</arg_value>"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        *size = strlen(tags[i]);
        if (strncmp(text, tags[i], *size) == 0)
            return glm_tok_find_added(tok, tags[i], *size);
    }
    *size = 1;
    return glm_tok_find_bytes(tok, text, 1);
}

/* True when all of `text` may come and be the whole answer; masks on the way are checked if asked for. */
static bool accepts(const glm_grammar *g, const char *text, bool is_checked)
{
    glm_matcher *m = NULL;
    glm_error err;
    assert_int_equal(glm_matcher_create(&m, g, vocab, &err), GLM_OK);
    bool goes = true;
    size_t size;
    for (const char *at = text; *at && goes; at += size) {
        if (is_checked)
            check_mask(m, at);
        goes = glm_matcher_advance(m, next_id(at, &size), &err) == GLM_OK;
    }
    goes = goes && glm_matcher_is_complete(m);
    glm_matcher_destroy(m);
    return goes;
}

#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"strict\":true,"              \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},"          \
    "\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"                                 \
    "\"unit\":{\"enum\":[\"C\",\"F\",null]},"                                                      \
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                               \
    "\"code\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}$\"},"                                   \
    "\"opt\":{\"type\":[\"integer\",\"null\"]}},\"required\":[\"city\",\"days\"]}}},"              \
    "{\"name\":\"now\",\"strict\":true,\"input_schema\":{\"type\":\"object\"}},"                   \
    "{\"type\":\"function\",\"name\":\"loose\",\"parameters\":{\"type\":\"object\"}},"             \
    "{\"type\":\"function\",\"function\":{\"name\":\"odd\",\"strict\":true,\"parameters\":"        \
    "{\"type\":\"object\",\"not\":{}}}}]"
#define ARG(k, v) "<arg_key>" k "</arg_key><arg_value>" v "</arg_value>"
#define CALL(name, args) "<tool_call>" name args "</tool_call>"
#define CITY ARG("city", "Oslo")

static glm_grammar *tools_grammar(const char *only, bool is_single)
{
    glm_grammar *g = NULL;
    glm_error err;
    glm_text name = only ? glm_text_c(only) : (glm_text){0};
    glm_grammar_tools tools = {
        .json = glm_text_c(TOOLS), .only = &name, .n_only = only != NULL, .is_single = is_single};
    if (glm_grammar_compile_tools(&g, &tools, &err) != GLM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
    return g;
}

static void calls_follow_their_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
    } list[] = {
        {CALL("now", ""), true},
        {CALL("now", ARG("x", "1")), false},
        {CALL("get_weather", CITY ARG("days", "3")), true},
        {CALL("get_weather", ARG("days", "3") CITY), true}, /* any order */
        {CALL("get_weather", CITY), false},                 /* a required one is missing */
        {CALL("get_weather", CITY CITY ARG("days", "3")), false},
        {CALL("get_weather", CITY ARG("days", "10")), false},
        {CALL("get_weather", CITY ARG("days", "\"3\"")), false},
        {CALL("get_weather", CITY ARG("dayz", "3")), false},
        {CALL("get_weather", ARG("city", "a <b> \"c\"\n\\ </tool") ARG("days", "1")), true},
        {CALL("get_weather", ARG("city", "") ARG("days", "1")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("unit", "C")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("unit", "null")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("unit", "\"C\"")), false},
        {CALL("get_weather", CITY ARG("days", "1") ARG("tags", "[\"a\", \"b\"]")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("tags", "[a]")), false},
        {CALL("get_weather", CITY ARG("days", "1") ARG("code", "NO")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("code", "NOR")), false},
        {CALL("get_weather", CITY ARG("days", "1") ARG("opt", "-17") ARG("unit", "F")), true},
        {CALL("get_weather", CITY ARG("days", "1") ARG("opt", "x")), false},
        {CALL("loose", ARG("any", "text") ARG("any", "")), true},
        {CALL("loose", ARG("", "text")), false},
        {CALL("odd", ARG("any", "text")), true}, /* its schema cannot be followed */
        {CALL("absent", ""), false},
        {CALL("now", "") CALL("now", ""), true},
        {"", false},
        {"x", false},
    };
    glm_grammar *g = tools_grammar(NULL, false);
    assert_string_equal(glm_grammar_ignored(g), "odd");
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (accepts(g, list[i].text, i == 2) != list[i].is_good)
            fail_msg("%s", list[i].text);
    }
    glm_grammar_destroy(g);
    g = tools_grammar("now", true);
    assert_true(accepts(g, CALL("now", ""), true));
    assert_false(accepts(g, CALL("now", "") CALL("now", ""), false));
    assert_false(accepts(g, CALL("loose", ""), false));
    glm_grammar_destroy(g);
}

/* A required argument that no value satisfies: the function is not followed, rather than a call that cannot end. */
static void a_call_can_end(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"name\":\"never\",\"strict\":true,\"parameters\":{\"properties\":"
        "{\"a\":{\"anyOf\":[false]}},\"required\":[\"a\"]}}]";
    glm_grammar *g = NULL;
    glm_error err;
    glm_grammar_tools tools = {.json = glm_text_c(json)};
    assert_int_equal(glm_grammar_compile_tools(&g, &tools, &err), GLM_OK);
    assert_string_equal(glm_grammar_ignored(g), "never");
    assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
    assert_true(accepts(g, CALL("never", ARG("x", "y")), true));
    glm_grammar_destroy(g);
}

static void content_and_calls(void **state)
{
    (void)state;
    glm_grammar *g = NULL;
    glm_error err;
    glm_grammar_tools tools = {.json = glm_text_c(TOOLS)};
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}";
    assert_int_equal(glm_grammar_compile_schema(&g, schema, sizeof schema - 1, true, &err), GLM_OK);
    assert_int_equal(glm_grammar_add_tools(g, &tools, &err), GLM_OK);
    assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
    assert_true(accepts(g, "{\"a\":\"b\"}", true));
    assert_true(accepts(g, CALL("now", ""), false));
    assert_true(accepts(g, "{}" CALL("now", "") CALL("now", ""), false));
    assert_false(accepts(g, CALL("now", "") "{}", false));
    assert_false(accepts(g, "", false));
    glm_grammar_destroy(g);
}

static void refused_tools(void **state)
{
    (void)state;
    static const struct {
        const char *json, *only;
        glm_status status;
        const char *text;
    } list[] = {
        {"[", NULL, GLM_EFORMAT, ""},
        {"{}", NULL, GLM_EARG, "list"},
        {"[]", NULL, GLM_EARG, "at least one"},
        {TOOLS, "nobody", GLM_EARG, "at least one"},
        {"[{\"name\":7}]", NULL, GLM_EARG, "tools[0]"},
        {"[{\"name\":\"a\",\"parameters\":7}]", NULL, GLM_EARG, "parameters"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = NULL;
        glm_error err;
        glm_text name = list[i].only ? glm_text_c(list[i].only) : (glm_text){0};
        glm_grammar_tools tools = {
            .json = glm_text_c(list[i].json), .only = &name, .n_only = list[i].only != NULL};
        glm_status st = glm_grammar_compile_tools(&g, &tools, &err);
        if (st != list[i].status || !strstr(err.text, list[i].text))
            fail_msg("%s gives %d, %s", list[i].json, st, st ? err.text : "");
        assert_null(g);
    }
}

/* ---- GBNF ---- */

static const char json_gbnf[] =
    "# objects of strings and numbers\n"
    "root   ::= object\n"
    "object ::=\n"
    "  \"{\" ws (\n"
    "     pair\n"
    "     (\",\" ws pair)*\n"
    "  )? \"}\" ws\n"
    "pair   ::= string \":\" ws value\n"
    "value  ::= object | string | number |\n"
    "  \"true\" # the last\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x00-\\x1F] | \"\\\\\" [\"\\\\bfnrt])* \"\\\"\" ws\n"
    "number ::= \"-\"? [0-9]{1,4} (\".\" [0-9]+)? ws\n"
    "ws     ::= [ \\n]{0,20}\n";

static void gbnf_grammars(void **state)
{
    (void)state;
    static const struct {
        const char *source, *text;
        bool is_good;
    } list[] = {
        {json_gbnf, "{\"a\": \"b\\n\", \"c\": {\"d\":-12.50}}\n", true},
        {json_gbnf, "{\"a\": 12345}", false},
        {json_gbnf, "{\"a\": true,}", false},
        {"root ::= a b\na ::= \"x\" a | \"\"\nb ::= [^x]", "xxxxy", true},
        {"root ::= (\"a\" | \"b\" root \"c\")", "bbacc", true},
        {"root ::= (\"a\" | \"b\" root \"c\")", "bbac", false},
        {"root ::= .{2} \"\\u00e9\" \"\\x41\" [\\u4e00-\\u9fff]",
         "\xE4\xBD\xA0z\xC3\xA9"
         "A\xE5\xA5\xBD",
         true},
        {"root::=[a-c-]+", "b-a", true},
        {"root ::= \"a\"{,2} \"b\"{2,}", "abb", true},
        {"root ::= \"a\"{,2} \"b\"{2,}", "aaabb", false},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = NULL;
        glm_error err;
        if (glm_grammar_compile_gbnf(&g, glm_text_c(list[i].source), &err) != GLM_OK)
            fail_msg("%s: %s", list[i].source, err.text);
        assert_int_equal(glm_grammar_bind(g, vocab, &err), GLM_OK);
        if (accepts(g, list[i].text, i == 0) != list[i].is_good)
            fail_msg("%s on %s", list[i].source, list[i].text);
        glm_grammar_destroy(g);
    }
}

static void refused_gbnf(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        glm_status status;
        const char *text;
    } list[] = {
        {"", GLM_EARG, "root"},
        {"a ::= \"x\"", GLM_EARG, "root"},
        {"root ::= a", GLM_EARG, "line 1: a rule that is called"},
        {"root ::= \"x\"\nroot ::= \"y\"", GLM_EARG, "line 2: a second"},
        {"root ::= \"x", GLM_EARG, "closing quote"},
        {"root ::= [x", GLM_EARG, "without ]"},
        {"root ::= (\"x\"", GLM_EARG, "without )"},
        {"root ::= [b-a]", GLM_EARG, "end comes before"},
        {"root ::= \"x\"{3,2}", GLM_EARG, "below"},
        {"root ::= \"x\"{5000}", GLM_ELIMIT, "4096"},
        {"root ::= \"\\q\"", GLM_EARG, "escape"},
        {"root = \"x\"", GLM_EARG, "::="},
        {"root ::= \"x\" )", GLM_EARG, "end of a rule"},
        {"root ::= root \"x\" | \"y\"", GLM_EUNSUPP, "left recursion"},
        {"root ::= \"\\U00110000\"", GLM_EARG, "U+10FFFF"},
        {"root ::= \"\xFF\"", GLM_EARG, "UTF-8"},
        {"root ::= \"x\" root", GLM_EARG, "no value"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        glm_grammar *g = NULL;
        glm_error err;
        glm_status st = glm_grammar_compile_gbnf(&g, glm_text_c(list[i].source), &err);
        if (st != list[i].status || !strstr(err.text, list[i].text))
            fail_msg("%s gives %d, %s", list[i].source, st, st ? err.text : "");
        assert_null(g);
    }
    char deep[300] = "root ::= ";
    memset(deep + 9, '(', sizeof deep - 9);
    glm_grammar *g = NULL;
    glm_error err;
    assert_int_equal(glm_grammar_compile_gbnf(&g, (glm_text){deep, sizeof deep}, &err), GLM_ELIMIT);
    memset(deep + 9, '+', sizeof deep - 9);
    memcpy(deep + 9, "\"x\"", 3);
    assert_int_equal(glm_grammar_compile_gbnf(&g, (glm_text){deep, sizeof deep}, &err), GLM_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_follow_their_schemas),
        cmocka_unit_test(a_call_can_end),
        cmocka_unit_test(content_and_calls),
        cmocka_unit_test(refused_tools),
        cmocka_unit_test(gbnf_grammars),
        cmocka_unit_test(refused_gbnf),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
