// SPDX-License-Identifier: MIT
#include <sys/resource.h>

#include "core/str.h"
#include "fail_alloc.h"
#include "tokenizer_data.h"

/*
 * Damaged files: a good one with one piece of text replaced by another. Each must be refused with the status
 * and a text that names the place.
 */
static const struct {
    const char *find, *put;
    glm_status status;
    const char *text;
} cases[] = {
    /* the whole */
    {"{\"normalizer\"", "[\"normalizer\"", GLM_EFORMAT, "byte 1: expected an object"},
    {"\"normalizer\":null", "\"normalizer\":null,\"normalizer\":null", GLM_EFORMAT, "second time"},
    {"\"decoder\":", "\"decoded\":", GLM_EFORMAT, "decoder: missing"},
    {"\"pre_tokenizer\":", "\"pre\":", GLM_EFORMAT, "pre_tokenizer: missing"},
    {"\"model\":", "\"models\":", GLM_EFORMAT, "model: missing"},
    /* the steps */
    {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}", GLM_EUNSUPP,
     "normalizer: expected null, got NFC"},
    {"\"normalizer\":null", "\"normalizer\":7", GLM_EUNSUPP, "normalizer: expected an object"},
    {"\"normalizer\":null", "\"post_processor\":{\"type\":\"TemplateProcessing\"}", GLM_EUNSUPP,
     "post_processor: expected ByteLevel, got TemplateProcessing"},
    {"\"normalizer\":null",
     "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"BertProcessing\"}]}",
     GLM_EUNSUPP, "got BertProcessing"},
    {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"WordPiece\"}", GLM_EUNSUPP,
     "decoder: expected ByteLevel, got WordPiece"},
    {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":null", GLM_EUNSUPP,
     "decoder: expected an object"},
    {"\"type\":\"Sequence\"", "\"type\":\"Metaspace\"", GLM_EUNSUPP,
     "pre_tokenizer: expected Sequence of Split and ByteLevel, got Metaspace"},
    {"\"type\":\"Split\"", "\"type\":\"Digits\"", GLM_EUNSUPP,
     "pre_tokenizer: expected Split first, got Digits"},
    {"{1,3}", "{1}", GLM_EUNSUPP, "pre_tokenizer: pattern: expected GLM's, got (?i:"},
    {"\"Regex\"", "\"String\"", GLM_EUNSUPP, "got no Regex"},
    {"\"Isolated\"", "\"Removed\"", GLM_EUNSUPP, "behavior: expected Isolated"},
    {"\"invert\":false", "\"invert\":true", GLM_EUNSUPP, "invert: expected false"},
    {"\"add_prefix_space\":false", "\"add_prefix_space\":true", GLM_EUNSUPP,
     "add_prefix_space: expected false"},
    {"\"use_regex\":false", "\"use_regex\":true", GLM_EUNSUPP, "use_regex: expected false"},
    {"\"use_regex\":false", "\"use_rege\":false", GLM_EUNSUPP, "use_regex: expected false"},
    /* added tokens */
    {"\"added_tokens\":[", "\"added_tokens\":{\"a\":[", GLM_EFORMAT,
     "added_tokens: expected a list"},
    {"\"added_tokens\":[", "\"added_tokens\":[7,", GLM_EFORMAT, "added_tokens: expected objects"},
    {"\"added_tokens\":[", "\"added_tokens\":[[],", GLM_EFORMAT, "added_tokens: expected objects"},
    {"\"id\":300", "\"id\":\"300\"", GLM_EFORMAT, "added_tokens: id: expected a number"},
    {"\"id\":300", "\"id\":300.5", GLM_EFORMAT, "added_tokens: id: expected a number"},
    {"\"id\":300", "\"id\":-1", GLM_EFORMAT, "added_tokens: id: expected a number"},
    {"\"id\":300", "\"id\":[300]", GLM_EFORMAT, "unexpected list"},
    {"\"id\":300", "\"ids\":300", GLM_EFORMAT, "expected id and content"},
    {"\"id\":300", "\"id\":4000000000", GLM_ELIMIT,
     "added tokens: id: expected at most 1048575, got 4000000000"},
    {"\"id\":300", "\"id\":999999", GLM_EFORMAT, "ids: expected at most"},
    {"\"id\":300", "\"id\":97", GLM_EFORMAT, "id 97 has another text in the vocabulary"},
    {"\"id\":300", "\"id\":301", GLM_EFORMAT, "added tokens: two have id 301"},
    {"\"content\":\"<x>\"", "\"content\":\"\"", GLM_EFORMAT, "added tokens: token 300 is empty"},
    {"\"content\":\"<x>\"", "\"content\":null", GLM_EFORMAT, "content: expected a string"},
    {"\"content\":\"<x>\"", "\"content\":\"<y>\"", GLM_EFORMAT,
     "ids 300 and 301 have the same text"},
    {"\"special\":true", "\"special\":1", GLM_EFORMAT, "special: expected true or false"},
    {"\"special\":true", "\"lstrip\":true", GLM_EUNSUPP, "lstrip and rstrip: expected false"},
    {"\"special\":true", "\"single_word\":true", GLM_EUNSUPP, "single_word"},
    /* the model */
    {"\"model\":{", "\"model\":[],\"x\":{", GLM_EFORMAT, "model: expected an object"},
    {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", GLM_EUNSUPP,
     "model: type: expected BPE, got Unigram"},
    {"\"type\":\"BPE\"", "\"dropout\":0.1", GLM_EUNSUPP, "model: dropout: expected null"},
    {"\"type\":\"BPE\"", "\"end_of_word_suffix\":\"</w>\"", GLM_EUNSUPP,
     "end_of_word_suffix: expected null"},
    {"\"type\":\"BPE\"", "\"continuing_subword_prefix\":\"##\"", GLM_EUNSUPP,
     "continuing_subword_prefix: expected null"},
    {"\"type\":\"BPE\"", "\"ignore_merges\":1", GLM_EFORMAT,
     "ignore_merges: expected true or false"},
    {"\"type\":\"BPE\"", "\"type\":[]", GLM_EFORMAT, "unexpected list or object"},
    {"\"vocab\":{", "\"vocab\":[],\"x\":{", GLM_EFORMAT, "expected vocab to be an object"},
    {"\"vocab\":{", "\"vocab\":7,\"x\":{", GLM_EFORMAT, "vocab: expected an object"},
    {"\"vocab\":{", "\"x\":{", GLM_EFORMAT, "model.vocab: missing"},
    {"\"merges\":[", "\"x\":[", GLM_EFORMAT, "model.merges: missing"},
    {"\"merges\":[", "\"merges\":{},\"x\":[", GLM_EFORMAT, "merges a list"},
    {"\"ab\":256", "\"ab\":\"256\"", GLM_EFORMAT, "vocab: expected an id, a whole number"},
    {"\"ab\":256", "\"ab\":{}", GLM_EFORMAT, "vocab: expected an id, a whole number"},
    {"\"ab\":256", "\"ab\":97", GLM_EFORMAT, "vocabulary: two tokens have id 97"},
    {"\"ab\":256", "\"ab\":18446744073709551615", GLM_ELIMIT, "vocabulary: id: expected at most"},
    {"\"ab\":256", "\"ab\":18446744073709551616", GLM_EFORMAT, "vocab: expected an id"},
    {"\"ab\":256", "\"ab\":256,\"ab\":258", GLM_EFORMAT, "ids 256 and 258 are the same token"},
    {"\"ab\":256", "\"\":256", GLM_EFORMAT, "vocabulary: token 256 is empty"},
    {"\"ab\":256", "\"xy\":256", GLM_EFORMAT,
     "merges: 0: the token it makes is not in the vocabulary"},
    {"\"\\u0061\":97", "\"aaa\":97", GLM_EUNSUPP,
     "expected a token for every single byte, got none for 0x61"},
    {"[\"a\",\"b\"]", "[\"a\",\"b\",\"c\"]", GLM_EFORMAT, "merges: expected two strings in a list"},
    {"[\"a\",\"b\"]", "[\"a\"]", GLM_EFORMAT, "merges: expected two strings in a list"},
    {"[\"a\",\"b\"]", "[\"a\",[\"b\"]]", GLM_EFORMAT, "merges: expected two strings in a list"},
    {"[\"a\",\"b\"]", "[\"a\",1]", GLM_EFORMAT, "merges: expected two strings in a list"},
    {"[\"a\",\"b\"]", "{\"a\":\"b\"}", GLM_EFORMAT, "merges: expected strings or lists"},
    {"[\"a\",\"b\"]", "null", GLM_EFORMAT, "merges: expected strings or lists"},
    {"[\"a\",\"b\"]", "\"ab\"", GLM_EFORMAT, "merges: 0: expected two tokens with a blank between"},
    {"[\"a\",\"b\"]", "\" b\"", GLM_EFORMAT, "merges: 0: expected two tokens, got an empty one"},
    {"[\"a\",\"b\"]", "\"a \"", GLM_EFORMAT, "merges: 0: expected two tokens, got an empty one"},
    {"[\"a\",\"b\"]", "[\"\",\"\"]", GLM_EFORMAT,
     "merges: 0: expected two tokens, got an empty one"},
    {"[\"a\",\"b\"]", "\"a b c\"", GLM_EFORMAT,
     "merges: 0: expected two tokens in byte-level letters"},
    {"[\"a\",\"b\"]", "[\"a\",\"\\u4e00\"]", GLM_EFORMAT, "byte-level letters"},
    {"[\"a\",\"b\"]", "[\"ax\",\"b\"]", GLM_EFORMAT, "merges: 0: the left side is not"},
    {"[\"a\",\"b\"]", "[\"a\",\"bx\"]", GLM_EFORMAT, "merges: 0: the right side is not"},
    {"[\"a\",\"b\"]", "[\"a\",\"b\"],\"a b\"", GLM_EFORMAT, "merges: 1 repeats 0"},
};

/** A good file: two merges, two added tokens. The caller frees it. */
static char *good_json(void)
{
    static char bytes[8192];
    bytes[put_bytes_vocab(bytes)] = 0;
    char *json = NULL;
    assert_true(asprintf(&json,
                         "{" STEPS
                         "\"model\":{\"type\":\"BPE\",\"vocab\":{%s,\"ab\":256,\"abc\":257},"
                         "\"merges\":[[\"a\",\"b\"],\"ab c\"]},\"added_tokens\":[{\"id\":300,"
                         "\"content\":\"<x>\",\"special\":true},{\"content\":\"<y>\",\"id\":301}]}",
                         bytes) > 0);
    return json;
}

/** `json` with the last `find` replaced. */
static char *replaced(const char *json, const char *find, const char *put)
{
    const char *at = NULL;
    for (const char *next = json; (next = strstr(next, find)) != NULL; next++)
        at = next;
    if (!at)
        fail_msg("no %s in the file", find);
    char *out = NULL;
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - json), json, put, at + strlen(find)) > 0);
    return out;
}

static void bad_files_are_refused_by_name(void **state)
{
    (void)state;
    char *good = good_json();
    glm_tok_destroy(parse_json(good, strlen(good)));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *bad = replaced(good, cases[i].find, cases[i].put);
        glm_tokenizer *tok = NULL;
        glm_error err;
        glm_status st = glm_tok_parse_json(&tok, bad, strlen(bad), "file.json", &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].text))
            fail_msg("case %zu, %s: status %d, %s", i, cases[i].put, (int)st,
                     st == GLM_OK ? "" : err.text);
        assert_memory_equal(err.text, "file.json: ", 11);
        assert_null(tok);
        free(bad);
    }
    free(good);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    char *good = good_json();
    size_t size = strlen(good);
    for (size_t n = 0; n < size; n++) {
        glm_tokenizer *tok = NULL;
        glm_error err;
        assert_int_equal(glm_tok_parse_json(&tok, good, n, "cut", &err), GLM_EFORMAT);
    }
    free(good);
}

static void long_tokens_are_refused(void **state)
{
    (void)state;
    char *good = good_json(), letters[5000];
    memset(letters, 'z', sizeof letters);
    letters[sizeof letters - 1] = 0;
    static const struct {
        const char *find, *format;
        size_t most;
        glm_status status_at_most;
    } places[] = {
        {"\"ab\":256", "\"ab\":256,\"%s\":258", 4096, GLM_OK},
        {"\"content\":\"<x>\"", "\"content\":\"%s\"", 4096, GLM_OK},
        {"[\"a\",\"b\"]", "[\"a\",\"b\"],[\"%s\",\"b\"]", 4096, GLM_EFORMAT},
        {"[\"a\",\"b\"]", "[\"a\",\"b\"],[\"b\",\"%s\"]", 4096, GLM_EFORMAT},
        {"[\"a\",\"b\"]", "[\"a\",\"b\"],\"b %s\"", 4096, GLM_EFORMAT},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (size_t n = places[i].most; n <= places[i].most + 1; n++) {
            char put[5100];
            letters[n] = 0;
            snprintf(put, sizeof put, places[i].format, letters);
            letters[n] = 'z';
            char *json = replaced(good, places[i].find, put);
            glm_tokenizer *tok = NULL;
            glm_error err;
            glm_status st = glm_tok_parse_json(&tok, json, strlen(json), "long", &err);
            assert_int_equal(st, n == places[i].most ? places[i].status_at_most : GLM_ELIMIT);
            glm_tok_destroy(tok);
            free(json);
        }
    }
    free(good);
}

static void sizes_beyond_the_ceiling_are_refused(void **state)
{
    (void)state;
    glm_tokenizer *tok = NULL;
    glm_error err;
    assert_int_equal(glm_tok_parse_json(&tok, "", GLM_TOKENIZER_FILE_MAX + 1, "large", &err),
                     GLM_ELIMIT);
}

static void refused_memory_is_reported(void **state)
{
    (void)state;
    char *good = good_json();
    size_t size = strlen(good);
    long n = 0;
    for (;; n++) {
        glm_tokenizer *tok = NULL;
        struct glm_token_buf buf = {0};
        struct glm_token_order order = {0};
        glm_error err;
        fail_alloc_begin(n);
        glm_status st = glm_tok_parse_json(&tok, good, size, "memory", &err);
        if (st == GLM_OK)
            st = glm_tok_encode(tok, "abcabc<x>xyz", 12, NULL, &buf, &err);
        if (st == GLM_OK)
            st = glm_token_order_init(&order, tok, &err);
        bool has_failed = fail_alloc_end();
        size_t n_ids = buf.n;
        glm_token_order_deinit(&order);
        glm_token_buf_deinit(&buf);
        glm_tok_destroy(tok);
        if (!has_failed) {
            assert_int_equal(st, GLM_OK);
            assert_int_equal(n_ids, 6);
            break;
        }
        if (st != GLM_OK) /* making the bytes smaller at the end may fail: they stay as they are */
            assert_int_equal(st, GLM_ENOMEM);
    }
    assert_true(n > 20);
    free(good);
}

/** Loading takes little more than the file and the finished tables. */
static void loading_takes_little_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer's own memory counts too */
#endif
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    glm_tokenizer *tok = load_folder(GLM46_DIR);
    getrusage(RUSAGE_SELF, &after);
    /* tables: 16 bytes a token slot, 8 a merge slot and 4 a merge, 8 an id, 4 a pair of bytes, the bytes */
    const long tables_kib =
        ((1 << 18) * 16 + (1 << 20) * 8 + 318088 * 4 + 151365 * 8 + (1 << 18) + 1018055) >> 10;
    long peak_kib = after.ru_maxrss - before.ru_maxrss;
    printf("loading: %ld KiB above the finished tables of %ld KiB\n", peak_kib - tables_kib,
           tables_kib);
    assert_true(peak_kib - tables_kib < 64 << 10);
    glm_tok_destroy(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_takes_little_memory), /* first: the peak only rises */
        cmocka_unit_test(bad_files_are_refused_by_name),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(long_tokens_are_refused),
        cmocka_unit_test(sizes_beyond_the_ceiling_are_refused),
        cmocka_unit_test(refused_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
