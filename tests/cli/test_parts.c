// SPDX-License-Identifier: MIT
/* Parts of the command that have cases a user's run does not reach: numbers and stop strings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/numbers.h"
#include "cmocka_all.h"
#include "core/stop_text.h"

static void test_counts_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},         {"18446744073709551615", UINT64_MAX},   {"1.5K", 1500},
        {"0.000001M", 1}, {"18446744.073709551615T", UINT64_MAX}, {"2T", UINT64_C(2000000000000)}};
    uint64_t value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(cli_parse_count(good[i].text, &value));
        assert_int_equal(value, good[i].value);
    }
    static const char *const bad[] = {
        "",    "18446744073709551616",  "0.5", "1.0005K", "1Ki", "1KiB", "-1", "1..0",
        "1K ", "18446744.073709551616T"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cli_parse_count(bad[i], &value));
    assert_true(cli_parse_bytes("0.5KiB", &value));
    assert_int_equal(value, 512);
    assert_true(cli_parse_bytes("16777215TiB", &value));
    assert_false(cli_parse_bytes("16777216TiB", &value));
}

/* What came out of a matcher that was fed piece by piece. */
typedef struct collected {
    char text[256];
    size_t length;
} collected;

static void collect(void *ctx, const char *text, size_t length)
{
    collected *c = ctx;
    assert_true(c->length + length < sizeof c->text);
    memcpy(c->text + c->length, text, length);
    c->length += length;
    c->text[c->length] = '\0';
}

/* Feed `text` in pieces of `step` bytes; the text handed out. */
static collected run_stops(const char *const *stops, size_t n_stops, const char *text, size_t step,
                           bool *has_stopped)
{
    collected out = {.text = ""};
    glm_stop_text stop = {.stops = stops, .n_stops = n_stops};
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += step) {
        glm_stop_text_feed(&stop, text + at, length - at < step ? length - at : step, collect,
                           &out);
        /* Nothing that is still the beginning of a stop string is handed out: checked by the result. */
    }
    *has_stopped = stop.has_stopped;
    glm_stop_text_end(&stop, collect, &out);
    return out;
}

static void test_stop_strings(void **state)
{
    (void)state;
    static const char *const stops[] = {"abcab", "END", "dd"};
    static const struct {
        const char *text, *expected;
        bool stops;
    } cases[] = {
        {"hello", "hello", false}, {"abcabcab", "", true}, {"xabcaENDabcab", "xabca", true},
        {"abca", "abca", false},   {"ENEND", "EN", true},  {"abcaEN", "abcaEN", false},
        {"abcdd", "abc", true},    {"", "", false},        {"ababcabx", "ab", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step <= 14; step++) {
            bool has_stopped;
            collected out = run_stops(stops, 3, cases[i].text, step, &has_stopped);
            assert_string_equal(out.text, cases[i].expected);
            assert_int_equal(has_stopped, cases[i].stops);
        }
}

static void test_text_is_not_held_longer_than_needed(void **state)
{
    (void)state;
    static const char *const stops[] = {"END"};
    collected out = {.text = ""};
    glm_stop_text stop = {.stops = stops, .n_stops = 1};
    glm_stop_text_feed(&stop, "abE", 3, collect, &out);
    assert_string_equal(out.text, "ab");
    glm_stop_text_feed(&stop, "NxE", 3, collect, &out);
    assert_string_equal(out.text, "abENx");
    glm_stop_text_end(&stop, collect, &out);
    assert_string_equal(out.text, "abENxE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_exact),
        cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_text_is_not_held_longer_than_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
