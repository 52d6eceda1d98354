// SPDX-License-Identifier: MIT
/* Answers remembered as tokens: when a turn counts as the answer that was given, whose it is, what is forgotten. */
#include <stdio.h>
#include <string.h>

#include "chat/turn_memory.h"
#include "cmocka_all.h"

static const int32_t head[2] = {1, 2};

/* The face of the assistant's message given as JSON. */
static bool face_of(glm_turn_face *out, const char *message)
{
    char json[2048];
    glm_conversation c;
    glm_error err;
    snprintf(json, sizeof json, "{\"messages\":[%s]}", message);
    glm_conversation_init(&c);
    assert_int_equal(glm_conversation_read(&c, json, strlen(json), &err), GLM_OK);
    assert_int_equal(c.n_turns, 1);
    bool is_fine = glm_turn_face_of(out, &c.turns[0]);
    glm_conversation_deinit(&c);
    return is_fine;
}

static glm_turn_face answer(const char *content, const char *reasoning, const char *arguments)
{
    glm_turn_face face;
    glm_text name = glm_text_c("get"), text = glm_text_c(arguments ? arguments : "");
    assert_true(glm_turn_face_of_answer(&face, glm_text_c(content), glm_text_c(reasoning),
                                        glm_text_c(arguments ? "call_1" : ""), &name, &text,
                                        arguments ? 1 : 0));
    return face;
}

/* Whether the message, sent back behind `before`, is the answer. */
static bool is_found(const glm_turn_face *kept, uint64_t before, const char *message)
{
    glm_turn_face face;
    size_t n;
    const int32_t ids[3] = {7, 8, 9};
    glm_turn_memory *m = glm_turn_memory_create(4096);
    assert_true(glm_turn_memory_keep(m, 5, 100, kept, head, 2, ids, 3));
    assert_true(face_of(&face, message));
    assert_null(glm_turn_memory_find(m, 6, before, &face, &n)); /* another key's */
    const int32_t *found = glm_turn_memory_find(m, 5, before, &face, &n);
    if (found) {
        assert_int_equal(n, 5);
        assert_int_equal(found[0], 1);
        assert_int_equal(found[4], 9);
    }
    glm_turn_memory_destroy(m);
    return found != NULL;
}

#define SAID "\"role\":\"assistant\",\"content\":"

static void an_answer_is_known_by_what_it_shows(void **state)
{
    (void)state;
    glm_turn_face kept = answer("\nHello.", " Greet them. ", NULL);
    assert_true(is_found(&kept, 100, "{" SAID "\"Hello.\"}"));
    assert_true(is_found(&kept, 100, "{" SAID "\" Hello.\\n\"}"));
    assert_true(is_found(&kept, 100, "{" SAID "\"Hello.\",\"reasoning_content\":\"Greet them.\"}"));
    assert_true(is_found(&kept, 100, "{" SAID "\"Hello.\",\"reasoning\":\" \"}"));
    assert_true(is_found(&kept, 100,
                         "{" SAID "[{\"type\":\"text\",\"text\":\"Hel\"},"
                         "{\"type\":\"text\",\"text\":\"lo.\"}]}"));
    assert_false(is_found(&kept, 101, "{" SAID "\"Hello.\"}"));
    assert_false(is_found(&kept, 100, "{" SAID "\"Hello!\"}"));
    assert_false(is_found(&kept, 100, "{" SAID "\"Hello.\",\"reasoning\":\"Ignore them.\"}"));
    assert_false(is_found(&kept, 100,
                          "{" SAID "\"Hello.\",\"tool_calls\":[{\"id\":\"call_1\",\"function\":"
                          "{\"name\":\"get\",\"arguments\":\"{}\"}}]}"));
}

static void calls_are_known_by_their_meaning(void **state)
{
    (void)state;
    glm_turn_face kept = answer("", "", "{\"a\": 1, \"b\": [true, \"x\"], \"c\": {\"d\": null}}");
    static const char form[] = "{" SAID "%s,\"tool_calls\":[{\"id\":\"%s\",\"function\":{\"name\":"
                               "\"%s\",\"arguments\":%s}}]}";
    static const struct {
        const char *content, *id, *name, *arguments;
        bool same;
    } cases[] = {
        {"null", "call_9", "get", "{\"c\":{\"d\":null},\"b\":[true,\"x\"],\"a\":1}", true},
        {"\"\"", "call_9", "get",
         "\"{\\\"b\\\":[true,\\\"x\\\"],\\\"a\\\":1,\\\"c\\\":{\\\"d\\\":null}}\"", true},
        {"null", "call_9", "put", "{\"c\":{\"d\":null},\"b\":[true,\"x\"],\"a\":1}", false},
        {"null", "call_9", "get", "{\"c\":{\"d\":null},\"b\":[\"x\",true],\"a\":1}", false},
        {"null", "call_9", "get", "{\"c\":{\"d\":null},\"b\":[true,\"x\"],\"a\":2}", false},
        {"null", "call_9", "get", "{\"c\":{\"d\":null},\"b\":[true,\"x\"]}", false},
        {"null", "call_9", "get", "{\"c\":{\"d\":false},\"b\":[true,\"x\"],\"a\":1}", false},
    };
    char message[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(message, sizeof message, form, cases[i].content, cases[i].id, cases[i].name,
                 cases[i].arguments);
        if (is_found(&kept, 100, message) != cases[i].same)
            fail_msg("case %zu: %s", i, message);
    }
    /* Behind another beginning only under the id it was given. */
    snprintf(message, sizeof message, form, "null", "call_1", "get", cases[0].arguments);
    assert_true(is_found(&kept, 7, message));
    snprintf(message, sizeof message, form, "null", "call_2", "get", cases[0].arguments);
    assert_false(is_found(&kept, 7, message));
}

static void pictures_are_no_answer(void **state)
{
    (void)state;
    glm_turn_face face;
    assert_false(face_of(&face, "{" SAID "[{\"type\":\"image_url\",\"image_url\":{}}]}"));
}

static void the_oldest_are_forgotten(void **state)
{
    (void)state;
    enum { N = 40, IDS = 100 };
    static int32_t ids[IDS];
    const glm_turn_face face = answer("x", "", NULL);
    glm_turn_memory *m = glm_turn_memory_create(4096); /* ten of them */
    size_t n;
    for (uint64_t i = 0; i < N; i++) {
        assert_true(glm_turn_memory_keep(m, 0, i, &face, head, 2, ids, IDS));
        assert_non_null(glm_turn_memory_find(m, 0, 0, &face, &n)); /* in use: it stays */
    }
    uint32_t n_found = 0;
    for (uint64_t i = 0; i < N; i++)
        n_found += glm_turn_memory_find(m, 0, i, &face, &n) != NULL;
    assert_int_equal(n_found, 4096 / ((IDS + 2) * 4));
    assert_non_null(glm_turn_memory_find(m, 0, N - 1, &face, &n));
    static int32_t large[2000];
    assert_false(glm_turn_memory_keep(m, 0, 99, &face, head, 2, large, 2000));
    assert_true(
        glm_turn_memory_keep(m, 0, 98, &face, head, 2, NULL, 0)); /* ended before it began */
    assert_true(glm_turn_memory_keep(m, 0, 97, &face, NULL, 0, ids, 1));
    /* The same answer again takes its own place. */
    for (uint32_t i = 0; i < 20; i++)
        assert_true(glm_turn_memory_keep(m, 0, N - 1, &face, head, 2, ids, IDS));
    assert_non_null(glm_turn_memory_find(m, 0, 0, &face, &n));
    glm_turn_memory_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_known_by_what_it_shows),
        cmocka_unit_test(calls_are_known_by_their_meaning),
        cmocka_unit_test(pictures_are_no_answer),
        cmocka_unit_test(the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
