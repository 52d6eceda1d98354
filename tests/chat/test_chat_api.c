// SPDX-License-Identifier: MIT
/* include/glm/chat.h over the GLM-4.6 tokenizer: prompts as ids, answers from ids. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/python.h"
#include "fail_alloc.h"
#include "glm/chat.h"
#include "helpers.h"
#include "tokenizer/tokenizer.h"

/* The added tokens of GLM-5.2 have the ids of GLM-4.6 plus this; ordinary tokens keep theirs. */
#define FIRST_ADDED_46 151329
#define SHIFT_TO_52 3491

static glm_tokenizer *tokenizer;
static glm_chat *chat;

static int load_tokenizer(void **state)
{
    (void)state;
    glm_error err;
    if (glm_tok_load_folder(&tokenizer, GLM_BINARY_DIR "/tests/data/glm-4.6", false, &err) !=
            GLM_OK ||
        glm_chat_create(&chat, tokenizer, &err) != GLM_OK) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int free_tokenizer(void **state)
{
    (void)state;
    glm_chat_destroy(chat);
    glm_tok_destroy(tokenizer);
    return 0;
}

static glm_chat_request *read_request(const char *json)
{
    glm_error err;
    glm_chat_request *request;
    if (glm_chat_request_read(&request, json, strlen(json), &err) != GLM_OK)
        fail_msg("%s", err.text);
    return request;
}

static glm_chat_prompt *prompt_of(const char *json, bool match_tags)
{
    glm_error err;
    glm_chat_request *request = read_request(json);
    glm_chat_options options = glm_chat_options_default();
    options.match_tags = match_tags;
    assert_null(glm_chat_request_switches(request, GLM_CHAT_AS_TEMPLATE, &options));
    glm_chat_prompt *prompt;
    assert_int_equal(glm_chat_prompt_create(&prompt, chat, request, &options, &err), GLM_OK);
    glm_chat_request_destroy(request);
    return prompt;
}

static const int32_t *ids_of(glm_chat_prompt *prompt, size_t *n)
{
    glm_error err;
    const int32_t *ids;
    assert_int_equal(glm_chat_prompt_ids(prompt, &ids, n, &err), GLM_OK);
    return ids;
}

static int32_t as_52(int32_t id)
{
    return id >= FIRST_ADDED_46 ? id + SHIFT_TO_52 : id;
}

static void assert_ids_52(glm_chat_prompt *prompt, size_t skip_from, size_t skip,
                          const int32_t *expected, size_t n_expected)
{
    size_t n;
    const int32_t *ids = ids_of(prompt, &n);
    assert_int_equal(n, n_expected + skip);
    for (size_t i = 0, k = 0; i < n; i++)
        if (i < skip_from || i >= skip_from + skip)
            assert_int_equal(as_52(ids[i]), expected[k++]);
}

/* Ids recorded from GLM-5 and GLM-5.2 services and engines (tests/data/tokenizer/golden-glm-5.json). Those
 * of GLM-5 have no effort line: 7 ids behind [gMASK]<sop>. */
static void prompts_have_the_recorded_ids(void **state)
{
    (void)state;
    static const int32_t hi[] = {154822, 154824, 154827, 13041, 154828, 154841, 154842};
    static const int32_t hello[] = {154822, 154824, 154827, 9703, 154828, 154841, 154842};
    static const int32_t history[] = {154822, 154824, 154827, 3838,   374,    220,   17,    10,
                                      17,     30,     154828, 154841, 39,     3846,  10620, 11631,
                                      1566,   154842, 19,     154827, 7039,   1128,  374,   220,
                                      18,     10,     18,     30,     154828, 154841};
    static const int32_t weather[] = {154822, 154824, 154827, 15194,  30,     154828, 154841,
                                      17027,  9101,   154842, 154843, 455,    68852,  154847,
                                      8923,   154848, 154849, 28565,  154850, 154844, 154829,
                                      154845, 82,     27208,  154846, 154828, 154841};
    static const struct {
        const char *request;
        const int32_t *ids;
        size_t n, skip;
    } cases[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"enable_thinking\":false}", hi,
         sizeof hi / sizeof *hi, 0},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"enable_thinking\":false}",
         hello, sizeof hello / sizeof *hello, 0},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"What is 2+2?\"},{\"role\":\"assistant\","
         "\"content\":\"4\",\"reasoning_content\":\"HIST_THINK_A\"},{\"role\":\"user\",\"content\":"
         "\"Now what is 3+3?\"}],\"clear_thinking\":false}",
         history, sizeof history / sizeof *history, 7},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"weather?\"},{\"role\":\"assistant\","
         "\"reasoning_content\":\"need weather\",\"tool_calls\":[{\"function\":{\"name\":"
         "\"get_weather\",\"arguments\":{\"city\":\"SF\"}}}]},{\"role\":\"tool\",\"content\":"
         "\"sunny\"}]}",
         weather, sizeof weather / sizeof *weather, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        glm_chat_prompt *prompt = prompt_of(cases[i].request, true);
        assert_ids_52(prompt, 2, cases[i].skip, cases[i].ids, cases[i].n);
        glm_chat_prompt_destroy(prompt);
    }
}

/* Without role tokens in callers' text, segments lose nothing: the ids are those of the whole string. */
static void examples_have_the_ids_of_their_text(void **state)
{
    (void)state;
    glm_arena arena;
    glm_error err;
    glm_arena_init(&arena, (size_t)16 << 20);
    const glm_json *list = load_json(&arena, "examples.json");
    for (const glm_json *e = list->first; e; e = e->next) {
        glm_str request = {0};
        glm_python_dumps(&request, glm_json_get(e, "request"));
        glm_chat_prompt *prompt = prompt_of(request.data, true);
        size_t n, length;
        const int32_t *ids = ids_of(prompt, &n);
        const char *text = glm_chat_prompt_text(prompt, &length);
        char digest[65];
        sha256_hex(digest, text, length);
        assert_string_equal(digest, glm_json_get(e, "sha256")->text);
        struct glm_token_buf whole = {0};
        assert_int_equal(glm_tok_encode(tokenizer, text, length, NULL, &whole, &err), GLM_OK);
        assert_int_equal(n, whole.n);
        assert_memory_equal(ids, whole.ids, n * sizeof *ids);
        assert_int_equal(glm_chat_prompt_start(prompt), glm_chat_start_of_ids(chat, ids, n));
        glm_token_buf_deinit(&whole);
        glm_chat_prompt_destroy(prompt);
        glm_str_deinit(&request);
    }
    glm_arena_deinit(&arena);
}

static size_t count_added(const int32_t *ids, size_t n, const char *name)
{
    int32_t id = glm_tok_find_added(tokenizer, name, strlen(name));
    assert_true(id >= 0);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ids[i] == id;
    return count;
}

static void role_tokens_in_text_stay_text(void **state)
{
    (void)state;
    const char *request =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a<|assistant|>b<|user|>c[gMASK]<sop>d<eop>"
        "<|endoftext|><|image|><think>e</think>/nothink\"}],\"tools\":[{\"function\":{\"name\":"
        "\"f\",\"description\":\"<|system|><arg_key>\"}}],\"enable_thinking\":false}";
    for (int match = 0; match < 2; match++) {
        glm_chat_prompt *prompt = prompt_of(request, match);
        size_t n, length;
        const int32_t *ids = ids_of(prompt, &n);
        assert_int_equal(count_added(ids, n, "<|assistant|>"), 1);
        assert_int_equal(count_added(ids, n, "<|user|>"), 1);
        assert_int_equal(count_added(ids, n, "<|system|>"), 1);
        assert_int_equal(count_added(ids, n, "[gMASK]"), 1);
        assert_int_equal(count_added(ids, n, "<sop>"), 1);
        assert_int_equal(count_added(ids, n, "<eop>"), 0);
        assert_int_equal(count_added(ids, n, "<|endoftext|>"), 0);
        assert_int_equal(count_added(ids, n, "<|image|>"), 0);
        assert_int_equal(count_added(ids, n, "<think>"), match ? 2 : 1);
        assert_int_equal(count_added(ids, n, "</think>"), match ? 2 : 1);
        assert_int_equal(count_added(ids, n, "<arg_key>"), match ? 3 : 2); /* 2: the syntax line */
        assert_int_equal(count_added(ids, n, "/nothink"), match ? 1 : 0);
        /* Whatever is matched, the bytes are the text's. */
        glm_str bytes = {0};
        for (size_t i = 0; i < n; i++) {
            size_t size;
            const char *piece = glm_tok_bytes(tokenizer, ids[i], &size);
            glm_str_append(&bytes, piece, size);
        }
        const char *text = glm_chat_prompt_text(prompt, &length);
        assert_int_equal(bytes.length, length);
        assert_memory_equal(bytes.data, text, length);
        glm_str_deinit(&bytes);
        glm_chat_prompt_destroy(prompt);
    }
}

static void messages_begin_at_their_role_token(void **state)
{
    (void)state;
    glm_chat_prompt *prompt =
        prompt_of("{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
                  "\"content\":\"\"},{\"role\":\"assistant\",\"content\":\"a b c\"},{\"role\":"
                  "\"tool\",\"content\":\"1\"},{\"role\":\"tool\",\"content\":\"2\"}],\"tools\":[{"
                  "\"name\":\"f\"}]}",
                  true);
    static const char *const begins[] = {"<|system|>",      "<|user|>",        "<|assistant|>",
                                         "<|observation|>", "<tool_response>", "<|assistant|>"};
    size_t n;
    const int32_t *ids = ids_of(prompt, &n);
    size_t before = 0;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t start = glm_chat_prompt_message_start(prompt, i);
        assert_true(start > before && start < n);
        assert_int_equal(ids[start], glm_tok_find_added(tokenizer, begins[i], strlen(begins[i])));
        before = start;
    }
    assert_int_equal(glm_chat_prompt_message_start(prompt, 99), before);
    glm_chat_prompt_destroy(prompt);
}

static glm_chat_start start_of(const char *text)
{
    struct glm_token_buf ids = {0};
    glm_error err;
    assert_int_equal(glm_tok_encode(tokenizer, text, strlen(text), NULL, &ids, &err), GLM_OK);
    glm_chat_start start = glm_chat_start_of_ids(chat, ids.ids, ids.n);
    glm_token_buf_deinit(&ids);
    return start;
}

static void the_prompt_tail_tells_the_start(void **state)
{
    (void)state;
    assert_int_equal(start_of("<|user|>x<|assistant|><think>"), GLM_CHAT_START_REASONING);
    assert_int_equal(start_of("<|user|>x<|assistant|><think>so"), GLM_CHAT_START_REASONING);
    assert_int_equal(start_of("<|user|>x<|assistant|><think></think>"), GLM_CHAT_START_CONTENT);
    assert_int_equal(start_of("<|user|>x<|assistant|><think>r</think>"), GLM_CHAT_START_CONTENT);
    assert_int_equal(start_of("<|user|>x<|assistant|></think>{"), GLM_CHAT_START_CONTINUED);
    assert_int_equal(start_of("<|user|>x<|assistant|>"), GLM_CHAT_START_CONTENT);
    assert_int_equal(start_of("<|user|><think>"), GLM_CHAT_START_CONTENT);
    assert_int_equal(start_of("plain"), GLM_CHAT_START_CONTENT);
    assert_int_equal(start_of(""), GLM_CHAT_START_CONTENT);
}

static const char tools_json[] =
    "{\"messages\":[],\"tools\":[{\"function\":{\"name\":\"get_weather\",\"parameters\":{"
    "\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"}}}}},"
    "{\"function\":{\"name\":\"now\"}}]}";

static bool on_event(void *ctx, const glm_chat_event *event)
{
    glm_str *out = ctx;
    if (event->type == GLM_CHAT_EVENT_CALL_BEGIN) {
        char index[32];
        snprintf(index, sizeof index, "[%zu]", event->call);
        glm_str_append_c(out, index);
    }
    glm_str_append(out, event->text, event->length);
    if (event->type == GLM_CHAT_EVENT_CALL_END)
        glm_str_append_c(out, ";");
    return true;
}

/* Feed `ids` in steps of `fixed` tokens (0: random) and return the message as JSON; deltas go to *joined. */
static char *parse_in_steps(const glm_chat_request *tools, const struct glm_token_buf *ids,
                            unsigned *seed, size_t fixed, glm_str *joined)
{
    glm_error err;
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.tools = tools;
    params.on_event = on_event;
    params.ctx = joined;
    assert_int_equal(glm_chat_parser_create(&parser, chat, &params, &err), GLM_OK);
    for (size_t at = 0; at < ids->n;) {
        *seed = *seed * 1664525u + 1013904223u;
        size_t step = fixed ? fixed : 1 + (*seed >> 16) % 9;
        if (step > ids->n - at)
            step = ids->n - at;
        assert_int_equal(glm_chat_parser_feed(parser, ids->ids + at, step, &err), GLM_OK);
        at += step;
    }
    assert_int_equal(glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, &err), GLM_OK);
    char *json;
    size_t length;
    assert_int_equal(glm_chat_message_json(&json, &length, glm_chat_parser_message(parser), &err),
                     GLM_OK);
    glm_chat_parser_destroy(parser);
    return json;
}

/* Trap 4 and vector 19: several tokens a step, two tags or two calls among them, lose nothing. */
static void steps_of_several_tokens_change_nothing(void **state)
{
    (void)state;
    static const char answer[] =
        "a</think>Ok.<tool_call>get_weather<arg_key>city</arg_key><arg_value>Łódź \"é\"</arg_value>"
        "<arg_key>days</arg_key><arg_value>3</arg_value></tool_call><tool_call>now</tool_call>"
        "<|observation|>";
    static const char expected[] =
        "{\"content\": \"Ok.\", \"reasoning_content\": \"a\", \"tool_calls\": [{\"id\": "
        "\"call_1\", "
        "\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"arguments\": "
        "\"{\\\"city\\\": \\\"Łódź \\\\\\\"é\\\\\\\"\\\", \\\"days\\\": 3}\"}}, {\"id\": "
        "\"call_2\", \"type\": \"function\", \"function\": {\"name\": \"now\", \"arguments\": "
        "\"{}\"}}], \"finish_reason\": \"tool_calls\"}";
    static const char deltas_expected[] =
        "aOk.[0]get_weather{\"city\": \"Łódź \\\"é\\\"\", \"days\": 3};[1]now{};";
    glm_error err;
    struct glm_token_buf ids = {0};
    assert_int_equal(glm_tok_encode(tokenizer, answer, strlen(answer), NULL, &ids, &err), GLM_OK);
    glm_chat_request *tools = read_request(tools_json);
    unsigned seed = 1;
    for (size_t run = 0; run < ids.n + 1000; run++) {
        glm_str joined = {0};
        char *json = parse_in_steps(tools, &ids, &seed, run < ids.n ? run + 1 : 0, &joined);
        assert_string_equal(json, expected);
        assert_string_equal(joined.data, deltas_expected);
        free(json);
        glm_str_deinit(&joined);
    }
    glm_chat_request_destroy(tools);
    glm_token_buf_deinit(&ids);
}

static void assert_parses(glm_chat_start start, const char *text, const char *expected)
{
    glm_error err;
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.start = start;
    assert_int_equal(glm_chat_parser_create(&parser, chat, &params, &err), GLM_OK);
    assert_int_equal(glm_chat_parser_feed_text(parser, text, strlen(text), &err), GLM_OK);
    assert_int_equal(glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, &err), GLM_OK);
    char *json;
    size_t length;
    assert_int_equal(glm_chat_message_json(&json, &length, glm_chat_parser_message(parser), &err),
                     GLM_OK);
    assert_string_equal(json, expected);
    assert_int_equal(strlen(json), length);
    free(json);
    glm_chat_parser_destroy(parser);
}

static void text_is_parsed_by_its_spellings(void **state)
{
    (void)state;
    assert_parses(GLM_CHAT_START_REASONING, "Hm.</think>4<|user|>rest",
                  "{\"content\": \"4\", \"reasoning_content\": \"Hm.\", \"tool_calls\": [], "
                  "\"finish_reason\": \"stop\"}");
    assert_parses(GLM_CHAT_START_CONTENT, "4 \n",
                  "{\"content\": \"4\", \"reasoning_content\": null, \"tool_calls\": [], "
                  "\"finish_reason\": \"length\"}");
    assert_parses(GLM_CHAT_START_CONTENT, "a[MASK]<|begin_of_box|>b<|assistant|>",
                  "{\"content\": \"a<|begin_of_box|>b\", \"reasoning_content\": null, "
                  "\"tool_calls\": [], \"finish_reason\": \"length\"}");
    assert_parses(GLM_CHAT_START_CONTENT, "",
                  "{\"content\": null, \"reasoning_content\": null, \"tool_calls\": [], "
                  "\"finish_reason\": \"length\"}");
}

static void every_token_has_its_channel(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        glm_chat_channel behind;
    } steps[] = {
        {"a", GLM_CHAT_CHANNEL_REASONING},
        {"<tool_call>", GLM_CHAT_CHANNEL_HELD},
        {"no", GLM_CHAT_CHANNEL_HELD},
        {"tes", GLM_CHAT_CHANNEL_REASONING},
        {"</think>", GLM_CHAT_CHANNEL_CONTENT},
        {"ok", GLM_CHAT_CHANNEL_CONTENT},
        {"<tool_call>", GLM_CHAT_CHANNEL_CALL_NAME},
        {"f", GLM_CHAT_CHANNEL_CALL_NAME},
        {"<arg_key>", GLM_CHAT_CHANNEL_CALL_KEY},
        {"k", GLM_CHAT_CHANNEL_CALL_KEY},
        {"</arg_key>", GLM_CHAT_CHANNEL_CALL_GAP},
        {"<arg_value>", GLM_CHAT_CHANNEL_CALL_VALUE},
        {"v", GLM_CHAT_CHANNEL_CALL_VALUE},
        {"</arg_value>", GLM_CHAT_CHANNEL_CALL_NEXT},
        {"x", GLM_CHAT_CHANNEL_CALL_VALUE},
        {"</arg_value>", GLM_CHAT_CHANNEL_CALL_NEXT},
        {"</tool_call>", GLM_CHAT_CHANNEL_CONTENT},
        {"<|endoftext|>", GLM_CHAT_CHANNEL_ENDED},
        {"y", GLM_CHAT_CHANNEL_ENDED},
    };
    glm_error err;
    glm_chat_request *tools = read_request(tools_json);
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.tools = tools;
    assert_int_equal(glm_chat_parser_create(&parser, chat, &params, &err), GLM_OK);
    assert_int_equal(glm_chat_parser_channel(parser), GLM_CHAT_CHANNEL_REASONING);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(
            glm_chat_parser_feed_text(parser, steps[i].token, strlen(steps[i].token), &err),
            GLM_OK);
        assert_int_equal(glm_chat_parser_channel(parser), steps[i].behind);
    }
    const glm_chat_message *message = glm_chat_parser_message(parser);
    assert_int_equal(message->n_calls, 1);
    assert_string_equal(message->calls[0].arguments, "{\"k\": \"v</arg_value>x\"}");
    assert_int_equal(message->finish, GLM_CHAT_FINISH_TOOL_CALLS);
    glm_chat_parser_destroy(parser);
    glm_chat_request_destroy(tools);
}

/* Lack of memory is told while the answer is read; asking for the message cannot fail. */
static void a_message_is_there_whatever_allocation_fails(void **state)
{
    (void)state;
    static const char answer[] = "r</think><tool_call>get_weather<arg_key>city</arg_key><arg_value>"
                                 "Oslo</arg_value></tool_call>";
    glm_error err;
    glm_chat_request *tools = read_request(tools_json);
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.tools = tools;
    long n = 0;
    for (bool has_failed = true; has_failed; n++) {
        glm_chat_parser *parser = NULL;
        fail_alloc_begin(n);
        glm_status st = glm_chat_parser_create(&parser, chat, &params, &err);
        if (st == GLM_OK)
            st = glm_chat_parser_feed_text(parser, answer, strlen(answer), &err);
        if (st == GLM_OK)
            st = glm_chat_parser_finish(parser, GLM_CHAT_END_LIMIT, &err);
        const glm_chat_message *message = st == GLM_OK ? glm_chat_parser_message(parser) : NULL;
        has_failed = fail_alloc_end();
        if (st == GLM_OK) {
            assert_non_null(message);
            assert_int_equal(message->n_calls, 1);
            assert_string_equal(message->calls[0].name, "get_weather");
        } else {
            assert_int_equal(st, GLM_ENOMEM);
        }
        glm_chat_parser_destroy(parser);
    }
    assert_true(n > 5);
    glm_chat_request_destroy(tools);
}

/* What the model said, rendered as history with thinking preserved, are the very ids it said. */
static void an_answer_renders_as_it_was_said(void **state)
{
    (void)state;
    static const char answer[] = "Let me see.</think>Checking.<tool_call>get_weather<arg_key>city"
                                 "</arg_key><arg_value>Oslo</arg_value><arg_key>days</arg_key>"
                                 "<arg_value>3</arg_value></tool_call>";
    glm_error err;
    glm_chat_request *request = read_request(tools_json);
    assert_int_equal(glm_chat_request_add_text(request, GLM_CHAT_ROLE_USER, "Weather?", 8, &err),
                     GLM_OK);
    glm_chat_options options = glm_chat_options_default();
    options.clear_thinking = false;
    glm_chat_prompt *before, *after;
    assert_int_equal(glm_chat_prompt_create(&before, chat, request, &options, &err), GLM_OK);

    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    params.start = glm_chat_prompt_start(before);
    params.tools = request;
    assert_int_equal(glm_chat_parser_create(&parser, chat, &params, &err), GLM_OK);
    assert_int_equal(glm_chat_parser_feed_text(parser, answer, strlen(answer), &err), GLM_OK);
    int32_t stop = glm_tok_find_added(tokenizer, "<|observation|>", strlen("<|observation|>"));
    assert_int_equal(glm_chat_parser_feed(parser, &stop, 1, &err), GLM_OK);
    assert_int_equal(glm_chat_request_add_answer(request, glm_chat_parser_message(parser), &err),
                     GLM_OK);
    glm_chat_parser_destroy(parser);

    assert_int_equal(glm_chat_request_add_text(request, GLM_CHAT_ROLE_TOOL, "4 C", 3, &err),
                     GLM_OK);
    assert_int_equal(glm_chat_prompt_create(&after, chat, request, &options, &err), GLM_OK);
    size_t length, n_before, n_after;
    const char *text = glm_chat_prompt_text(before, &length);
    glm_str said = {0};
    glm_str_append(&said, text, length);
    glm_str_append_c(&said, answer);
    glm_str_append_c(&said,
                     "<|observation|><tool_response>4 C</tool_response><|assistant|><think>");
    assert_string_equal(glm_chat_prompt_text(after, &length), said.data);
    const int32_t *ids_before = ids_of(before, &n_before), *ids_after = ids_of(after, &n_after);
    assert_true(n_after > n_before);
    assert_memory_equal(ids_before, ids_after, n_before * sizeof *ids_before);
    glm_str_deinit(&said);
    glm_chat_prompt_destroy(before);
    glm_chat_prompt_destroy(after);

    assert_int_equal(glm_chat_request_n_messages(request), 3);
    glm_chat_request_truncate(request, 1);
    assert_int_equal(glm_chat_request_n_messages(request), 1);
    assert_int_equal(glm_chat_request_n_tools(request), 2);
    glm_chat_request_destroy(request);
}

static void stops_and_names_are_resolved(void **state)
{
    (void)state;
    size_t n;
    const int32_t *stops = glm_chat_stop_ids(chat, &n);
    assert_int_equal(n, 3);
    bool has[3] = {false};
    for (size_t i = 0; i < n; i++) {
        has[0] |= as_52(stops[i]) == 154820;
        has[1] |= as_52(stops[i]) == 154827;
        has[2] |= as_52(stops[i]) == 154829;
    }
    assert_true(has[0] && has[1] && has[2]);
    assert_int_equal(as_52(glm_chat_think_end_id(chat)), 154842);
}

static void templates_are_told_by_their_marks(void **state)
{
    (void)state;
    static const struct {
        const char *jinja, *name;
        bool is_alike;
    } cases[] = {
        {"[gMASK]<sop>{% if not enable_thinking %}/nothink{% endif %}", "GLM-4.6", true},
        {"[gMASK]<sop>{% if clear_thinking %}{% endif %}", "GLM-4.7", true},
        {"[gMASK]<sop>clear_thinking tool_reference", "GLM-5.1", true},
        {"[gMASK]<sop>Reasoning Effort: clear_thinking tool_reference", "GLM-5.2", true},
        {"[gMASK]<sop>Reasoning Effort: reasoning_effort in ['low', 'high'] clear_thinking",
         "GLM-5.3", true},
        {"[gMASK]<sop>{{ messages }}", "GLM-5.2", false},
        {"<|im_start|>/nothink clear_thinking", "GLM-5.2", false},
        {"", "GLM-5.2", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        glm_error err;
        glm_chat_template t;
        assert_int_equal(glm_chat_template_tell(&t, cases[i].jinja, strlen(cases[i].jinja), &err),
                         GLM_OK);
        assert_string_equal(t.name, cases[i].name);
        assert_int_equal(t.is_alike, cases[i].is_alike);
        assert_true(t.is_there);
        assert_false(t.is_known);
        assert_int_equal(strlen(t.sha256), 64);
    }
}

static void without_a_tokenizer_there_is_only_text(void **state)
{
    (void)state;
    glm_error err;
    glm_chat *plain;
    assert_int_equal(glm_chat_create(&plain, NULL, &err), GLM_OK);
    glm_chat_request *request =
        read_request("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    glm_chat_options options = glm_chat_options_default();
    glm_chat_prompt *prompt;
    assert_int_equal(glm_chat_prompt_create(&prompt, plain, request, &options, &err), GLM_OK);
    size_t n;
    assert_string_equal(glm_chat_prompt_text(prompt, &n),
                        "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>x<|assistant|><think>");
    const int32_t *ids;
    assert_int_equal(glm_chat_prompt_ids(prompt, &ids, &n, &err), GLM_EARG);
    glm_chat_parser *parser;
    glm_chat_parser_params params = glm_chat_parser_params_default();
    assert_int_equal(glm_chat_parser_create(&parser, plain, &params, &err), GLM_EARG);
    glm_chat_stop_ids(plain, &n);
    assert_int_equal(n, 0);
    glm_chat_prompt_destroy(prompt);
    glm_chat_request_destroy(request);
    glm_chat_destroy(plain);
    glm_chat_destroy(NULL);
    glm_chat_prompt_destroy(NULL);
    glm_chat_request_destroy(NULL);
    glm_chat_parser_destroy(NULL);
}

static void an_unknown_effort_is_a_warning(void **state)
{
    (void)state;
    glm_chat_request *request = read_request("{\"messages\":[{\"role\":\"ctx\"}],"
                                             "\"reasoning_effort\":\"hihg\"}");
    glm_chat_options options = glm_chat_options_default();
    options.thinking = false;
    const char *warning = glm_chat_request_switches(request, GLM_CHAT_AS_VENDOR, &options);
    assert_string_equal(warning, "reasoning_effort \"hihg\" is not known: max is used");
    assert_true(options.thinking);
    assert_int_equal(options.effort, GLM_CHAT_EFFORT_MAX);
    assert_string_equal(glm_chat_request_note(request, 0),
                        "messages[0].role: \"ctx\" is read as user");
    assert_null(glm_chat_request_note(request, 1));
    glm_chat_request_destroy(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_have_the_recorded_ids),
        cmocka_unit_test(examples_have_the_ids_of_their_text),
        cmocka_unit_test(role_tokens_in_text_stay_text),
        cmocka_unit_test(messages_begin_at_their_role_token),
        cmocka_unit_test(the_prompt_tail_tells_the_start),
        cmocka_unit_test(steps_of_several_tokens_change_nothing),
        cmocka_unit_test(text_is_parsed_by_its_spellings),
        cmocka_unit_test(every_token_has_its_channel),
        cmocka_unit_test(a_message_is_there_whatever_allocation_fails),
        cmocka_unit_test(an_answer_renders_as_it_was_said),
        cmocka_unit_test(stops_and_names_are_resolved),
        cmocka_unit_test(templates_are_told_by_their_marks),
        cmocka_unit_test(without_a_tokenizer_there_is_only_text),
        cmocka_unit_test(an_unknown_effort_is_a_warning),
    };
    return cmocka_run_group_tests(tests, load_tokenizer, free_tokenizer);
}
