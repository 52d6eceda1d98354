// SPDX-License-Identifier: MIT
/* The n-th allocation fails, for each n: the chat format answers with a status and loses no memory, or with
 * the result it gives otherwise. */
#include "cmocka_all.h"

#include <string.h>

#include "fail_alloc.h"
#include "transcript.h"

#define T(x) "\xE2\x9F\xA8" x "\xE2\x9F\xA9"
#define ARG(key, value) T("arg_key") key T("/arg_key") T("arg_value") value T("/arg_value")

static glm_status render(glm_str *out, glm_error *err)
{
    static const char request[] =
        "{\"messages\":[{\"role\":\"ctx\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\"]},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"r\"}],"
        "\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": [1.5, {}]}\"},{\"name\":\"f\","
        "\"arguments\":\"[\"}]},{\"role\":\"tool\",\"content\":[{\"output\":{\"k\":1}}]}],"
        "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"a\":1}}]}";
    glm_conversation c;
    glm_rendering r = {0};
    glm_conversation_init(&c);
    glm_status st = glm_conversation_read(&c, request, strlen(request), err);
    if (st == GLM_OK)
        st = glm_conversation_add_text(&c, GLM_TURN_USER, glm_text_c("more"), err);
    glm_text name = glm_text_c("f"), arguments = glm_text_c("{\"y\": null}");
    if (st == GLM_OK)
        st = glm_conversation_add_answer(&c, glm_text_c("so"), true, glm_text_c("why"), &name,
                                         &arguments, 1, err);
    glm_switches switches = glm_template_defaults(GLM_GENERATION_5_2);
    if (st == GLM_OK)
        st = glm_template_render(&r, &c, &switches, err);
    if (st == GLM_OK)
        glm_segments_join(out, &r.segments);
    glm_rendering_deinit(&r);
    glm_conversation_deinit(&c);
    return st == GLM_OK && out->has_failed ? GLM_ENOMEM : st;
}

static void rendering_survives_every_refused_allocation(void **state)
{
    (void)state;
    glm_error err;
    glm_str expected = {0};
    assert_int_equal(render(&expected, &err), GLM_OK);
    long n = 0;
    for (;; n++) {
        glm_str out = {0};
        fail_alloc_begin(n);
        glm_status st = render(&out, &err);
        bool has_failed = fail_alloc_end();
        if (st == GLM_OK)
            assert_string_equal(out.data, expected.data);
        else
            assert_int_equal(st, GLM_ENOMEM);
        glm_str_deinit(&out);
        if (!has_failed)
            break;
    }
    assert_true(n > 10);
    glm_str_deinit(&expected);
}

/* Parse one answer with everything in it; *out gets the message. */
static glm_status parse(const glm_conversation *tools, glm_str *out, glm_error *err)
{
    const char *answer =
        "r" T("tool_call") "nothing" T("/think") " a " T("tool_call") "opt" ARG("v", "[1, 2, 3]")
            ARG("s", "1") ARG("s", "null") T("/tool_call") T("tool_call") "write" ARG(
                "text", "some text that is long enough to need more memory than there was")
                T("/tool_call") T("tool_call") "opt" ARG("o", "{\"k\": {\"l\": [null]}}")
                    T("/tool_call") T("eos");
    glm_stream_params params = {
        .start = GLM_START_REASONING, .tools = tools, .stream_strings = true};
    glm_stream_parser p;
    glm_status st = GLM_OK;
    glm_stream_parser_init(&p, &params);
    cutting cut = 1;
    while (st == GLM_OK && try_feed_next(&p, &answer, &cut, &st, err))
        ;
    if (st == GLM_OK) {
        glm_str_append_text(out, glm_str_text(&p.reasoning));
        glm_str_append_text(out, glm_str_text(&p.content));
        for (size_t i = 0; i < p.n_calls; i++) {
            glm_str_append_text(out, glm_str_text(&p.calls[i].name));
            glm_str_append_text(out, glm_str_text(&p.calls[i].arguments));
        }
    }
    glm_stream_parser_deinit(&p);
    return st == GLM_OK && out->has_failed ? GLM_ENOMEM : st;
}

static void parsing_survives_every_refused_allocation(void **state)
{
    (void)state;
    glm_error err;
    glm_conversation tools;
    glm_str expected = {0};
    declare_tools(&tools);
    assert_int_equal(parse(&tools, &expected, &err), GLM_OK);
    assert_string_equal(expected.data,
                        "r<tool_call>nothingaopt{\"v\": \"[1, 2, 3]\", \"s\": null}write{\"text\": "
                        "\"some text that is long enough to need more memory than there was\"}"
                        "opt{\"o\": {\"k\": {\"l\": [null]}}}");
    long n = 0;
    for (;; n++) {
        glm_str out = {0};
        fail_alloc_begin(n);
        glm_status st = parse(&tools, &out, &err);
        bool has_failed = fail_alloc_end();
        if (st == GLM_OK)
            assert_string_equal(out.data, expected.data);
        else
            assert_int_equal(st, GLM_ENOMEM);
        glm_str_deinit(&out);
        if (!has_failed)
            break;
    }
    assert_true(n > 20);
    glm_str_deinit(&expected);
    glm_conversation_deinit(&tools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rendering_survives_every_refused_allocation),
        cmocka_unit_test(parsing_survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
