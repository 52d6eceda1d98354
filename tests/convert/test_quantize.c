// SPDX-License-Identifier: MIT
/* glm_quantize on nano52: interruptions, leftovers, splits, refusals. What the files compute: tests/cli. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "core/file.h"
#include "fail_alloc.h"
#include "formats/tensor_file.h"
#include "glm/quantize.h"

#define NANO52 GLM_SOURCE_DIR "/tests/data/golden/nano52"
#define FILES_MAX 64

static char root[64]; /* a new folder for each test, the current one while it runs */

static int enter_folder(void **state)
{
    (void)state;
    strcpy(root, "/tmp/glm-quantize-XXXXXX");
    return !mkdtemp(root) || chdir(root);
}

static int leave_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return chdir("/") || system(command); // NOLINT(cert-env33-c): a fixed command of this test
}

/* ---- Helpers ---- */

typedef struct watcher {
    long left;      /* progress calls before the run is stopped; negative: never */
    unsigned notes; /* told so far */
} watcher;

static bool on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    watcher *w = ctx;
    assert_string_equal(what, "quantize");
    assert_true(done <= total);
    return w->left < 0 || w->left-- > 0;
}

static void on_note(void *ctx, const char *text)
{
    watcher *w = ctx;
    assert_non_null(text);
    w->notes++;
}

static glm_status quantize(const char *in, const char *out, const char *type, watcher *w,
                           glm_quantize_params params, glm_quantize_report *report, glm_error *err)
{
    params.type = type;
    params.progress = on_progress;
    params.note = on_note;
    params.ctx = w;
    return glm_quantize(in, out, &params, report, err);
}

static glm_quantize_report must(const char *in, const char *out, const char *type,
                                glm_quantize_params params)
{
    static glm_quantize_report report;
    glm_error err;
    watcher w = {.left = -1};
    if (quantize(in, out, type, &w, params, &report, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return report;
}

static void refused(glm_status expected, const char *says, const char *in, const char *out,
                    const char *type, glm_quantize_params params)
{
    static glm_quantize_report report;
    glm_error err;
    watcher w = {.left = -1};
    glm_status st = quantize(in, out, type, &w, params, &report, &err);
    if (st != expected || !strstr(err.text, says))
        fail_msg("%s %s: expected status %d and %s, got %d and %s", out, type, (int)expected, says,
                 (int)st, err.text);
}

static char *slurp(const char *path, size_t *size)
{
    char *data;
    glm_error err;
    if (glm_file_read_path(&data, size, path, (size_t)1 << 30, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return data;
}

static void assert_same_file(const char *a, const char *b)
{
    size_t n_a, n_b;
    char *x = slurp(a, &n_a), *y = slurp(b, &n_b);
    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++)
        if (x[i] != y[i])
            fail_msg("%s and %s differ at byte %zu of %zu", a, b, i, n_a);
    free(x);
    free(y);
}

static unsigned count_files(void)
{
    unsigned n = 0;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void patch(const char *path, long offset, const void *data, size_t size)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

/* Stop a run after n reports of progress. */
static void interrupt(long n, const char *out, const char *type)
{
    static glm_quantize_report report;
    glm_error err;
    watcher w = {.left = n};
    assert_int_equal(quantize(NANO52, out, type, &w, glm_quantize_params_default(), &report, &err),
                     GLM_ECANCELED);
    assert_int_not_equal(access(out, F_OK), 0);
}

/* ---- Tests ---- */

static void an_interruption_anywhere_leaves_no_trace(void **state)
{
    (void)state;
    const glm_quantize_params params = glm_quantize_params_default();
    glm_quantize_report whole = must(NANO52, "whole.gguf", "Q8_0", params);
    assert_int_equal(whole.n_resumed, 0);
    for (long n = 0; n < (long)whole.n_tensors; n += 7) {
        interrupt(n, "again.gguf", "Q8_0");
        glm_quantize_report again = must(NANO52, "again.gguf", "Q8_0", params);
        assert_int_equal(again.n_resumed, n);
        assert_same_file("again.gguf", "whole.gguf");
        assert_int_equal(again.n_group, whole.n_group);
        for (uint32_t i = 0; i < whole.n_group; i++)
            assert_memory_equal(&again.group[i].error, &whole.group[i].error, sizeof(double));
        assert_int_equal(count_files(), 2);
        assert_int_equal(unlink("again.gguf"), 0);
    }
    interrupt(3, "again.gguf", "Q8_0"); /* twice in a row */
    interrupt(30, "again.gguf", "Q8_0");
    assert_int_equal(must(NANO52, "again.gguf", "Q8_0", params).n_resumed, 30);
    assert_same_file("again.gguf", "whole.gguf");
}

static void leftovers_are_proven_before_they_are_used(void **state)
{
    (void)state;
    const glm_quantize_params params = glm_quantize_params_default();
    (void)must(NANO52, "whole.gguf", "Q8_0", params);
    size_t size;
    free(slurp("whole.gguf", &size));

    interrupt(60, "again.gguf", "Q8_0"); /* a byte of a finished tensor changed */
    patch("again.gguf.partial", (long)(size / 4), "\x55\xaa\x55", 3);
    glm_quantize_report r = must(NANO52, "again.gguf", "Q8_0", params);
    assert_in_range(r.n_resumed, 58, 59);
    assert_same_file("again.gguf", "whole.gguf");

    interrupt(60, "again2.gguf", "Q8_0"); /* a list that ends within a line, and one with rubbish */
    patch("again2.gguf.resume", -5, "\n", 1);
    assert_int_equal(must(NANO52, "again2.gguf", "Q8_0", params).n_resumed, 59);
    assert_same_file("again2.gguf", "whole.gguf");
    interrupt(60, "again3.gguf", "Q8_0");
    patch("again3.gguf.resume", 100, "4294967295 zz nan \x80 end\n", 22);
    assert_true(must(NANO52, "again3.gguf", "Q8_0", params).n_resumed < 60);
    assert_same_file("again3.gguf", "whole.gguf");

    interrupt(60, "again4.gguf", "F16"); /* another run's */
    assert_int_equal(must(NANO52, "again4.gguf", "Q8_0", params).n_resumed, 0);
    assert_same_file("again4.gguf", "whole.gguf");

    interrupt(60, "again5.gguf", "Q8_0"); /* a list without its file, a file without its list */
    assert_int_equal(unlink("again5.gguf.partial"), 0);
    assert_int_equal(must(NANO52, "again5.gguf", "Q8_0", params).n_resumed, 0);
    assert_same_file("again5.gguf", "whole.gguf");
    interrupt(60, "again6.gguf", "Q8_0");
    assert_int_equal(unlink("again6.gguf.resume"), 0);
    assert_int_equal(must(NANO52, "again6.gguf", "Q8_0", params).n_resumed, 0);
    assert_same_file("again6.gguf", "whole.gguf");
}

static void threads_change_nothing(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    params.n_threads = 1;
    (void)must(NANO52, "one.gguf", "Q8_0", params);
    params.n_threads = 5;
    (void)must(NANO52, "five.gguf", "Q8_0", params);
    assert_same_file("one.gguf", "five.gguf");
}

static glm_tensor_file *open_package(const char *path)
{
    glm_tensor_file *file = NULL;
    glm_error err;
    const glm_tensor_file_options options = {0};
    if (glm_tensor_file_open(&file, path, &options, &err) != GLM_OK)
        fail_msg("%s", err.text);
    return file;
}

static void a_split_holds_the_same(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    (void)must(NANO52, "whole.gguf", "Q8_0", params);
    params.split_bytes = 100000;
    glm_quantize_report report = must(NANO52, "split.gguf", "Q8_0", params);
    assert_true(report.n_files > 5);
    assert_int_equal(count_files(), 1 + report.n_files);
    glm_tensor_file *whole = open_package("whole.gguf"), *split = open_package(report.first_file);
    assert_int_equal(glm_tensor_file_parts(split), report.n_files);
    for (uint32_t i = 0; i < report.n_files; i++)
        assert_true(glm_tensor_file_part_bytes(split, i) <= params.split_bytes);
    assert_int_equal(glm_tensor_file_count(split), glm_tensor_file_count(whole));
    for (uint32_t i = 0; i < glm_tensor_file_count(whole); i++) {
        const glm_tensor *a = glm_tensor_file_at(whole, i);
        const glm_tensor *b = glm_tensor_file_find(split, a->name);
        assert_non_null(b);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->size_bytes, b->size_bytes);
        assert_memory_equal(a->data, b->data, a->size_bytes);
    }
    glm_tensor_file_close(whole);
    glm_tensor_file_close(split);

    /* And again from the split, through an interruption in the middle. */
    params.split_bytes = 0;
    (void)must(report.first_file, "joined.gguf", "Q8_0", params);
    params.split_bytes = 100000;
    interrupt(50, "other.gguf", "Q8_0");
    assert_int_equal(must(NANO52, "other.gguf", "Q8_0", params).n_resumed, 0);
}

static void what_was_quantised_is_not_quantised_again_unasked(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    (void)must(NANO52, "a.gguf", "Q8_0", params);
    refused(GLM_EARG, "got Q8_0", "a.gguf", "b.gguf", "F16", params);
    (void)must("a.gguf", "b.gguf", "Q8_0", params); /* nothing is encoded: a copy */
    (void)must("b.gguf", "b2.gguf", "Q8_0", params);
    assert_same_file("b.gguf", "b2.gguf");
    params.allow_requantize = true;
    (void)must("a.gguf", "c.gguf", "F32", params);
    (void)must("c.gguf", "d.gguf", "Q8_0", params);
    (void)must(NANO52, "e.gguf", "F32", params);
    (void)must("e.gguf", "f.gguf", "Q8_0", params); /* the same values by another way */
    assert_same_file("f.gguf", "b.gguf");
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    refused(GLM_EARG, "Q9_9", NANO52, "a.gguf", "Q9_9", params);
    refused(GLM_EARG, ".gguf", NANO52, "a.bin", "Q8_0", params);
    refused(GLM_EARG, ".gguf", NANO52, ".gguf", "Q8_0", params);
    refused(GLM_ENOENT, "nothing", "nothing", "a.gguf", "Q8_0", params);
    refused(GLM_EIO, "no/a.gguf", NANO52, "no/a.gguf", "Q8_0", params);
    assert_int_equal(mkdir("folder.gguf", 0777), 0);
    refused(GLM_EFORMAT, "a folder", NANO52, "folder.gguf", "Q8_0", params);
    assert_int_equal(rmdir("folder.gguf"), 0);
    glm_quantize_rule rule = {"blk\\.(", "Q8_0"};
    params.rules = &rule;
    params.n_rules = 1;
    refused(GLM_EARG, "regular expression", NANO52, "a.gguf", "Q8_0", params);
    rule = (glm_quantize_rule){".", "F8_E4M3"};
    refused(GLM_EARG, "F8_E4M3", NANO52, "a.gguf", "Q8_0", params);
    rule.type = "I32";
    refused(GLM_EARG, "I32", NANO52, "a.gguf", "Q8_0", params);
    params.n_rules = 0;
    params.split_bytes = 1; /* every tensor a file of its own: allowed */
    assert_true(must(NANO52, "a.gguf", "Q8_0", params).n_files > 100);
}

static void rules_choose_types(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    const glm_quantize_rule rules[] = {{"blk\\.[01]\\.ffn_(up|down)\\.", "f16"},
                                       {"^output\\.weight$", "BF16"},
                                       {"ffn_gate_inp", "Q8_0"},
                                       {"blk\\.0\\.", "F32"},
                                       {"norm", "Q8_0"}};
    params.rules = rules;
    params.n_rules = sizeof rules / sizeof rules[0];
    (void)must(NANO52, "a.gguf", "Q8_0", params);
    glm_tensor_file *file = open_package("a.gguf");
    const struct {
        const char *name;
        glm_type type;
    } expected[] = {
        {"blk.0.ffn_up.weight", GLM_TYPE_F16},       {"blk.1.ffn_down.weight", GLM_TYPE_F16},
        {"blk.0.ffn_gate.weight", GLM_TYPE_F32},     {"output.weight", GLM_TYPE_BF16},
        {"token_embd.weight", GLM_TYPE_Q8_0},        {"output_norm.weight", GLM_TYPE_F32},
        {"blk.3.ffn_gate_inp.weight", GLM_TYPE_Q8_0}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const glm_tensor *t = glm_tensor_file_find(file, expected[i].name);
        assert_non_null(t);
        assert_int_equal(t->type, expected[i].type);
    }
    glm_tensor_file_close(file);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    glm_quantize_params params = glm_quantize_params_default();
    params.dry_run = true;
    glm_quantize_report dry = must(NANO52, "a.gguf", "Q8_0", params);
    assert_int_equal(count_files(), 0);
    params.dry_run = false;
    glm_quantize_report wet = must(NANO52, "a.gguf", "Q8_0", params);
    assert_int_equal(dry.out_bytes, wet.out_bytes);
    assert_int_equal(dry.n_group, wet.n_group);
    assert_true(isnan(dry.group[0].error));
    struct stat info;
    assert_int_equal(stat("a.gguf", &info), 0);
    assert_int_equal((uint64_t)info.st_size, wet.out_bytes);
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_int_equal(system("cp -r " NANO52 " copy && chmod -R u+w copy"),
                     0); // NOLINT(cert-env33-c)
    glm_tensor_file *file = open_package("copy");
    const glm_tensor *t =
        glm_tensor_file_find(file, "model.layers.3.mlp.experts.5.down_proj.weight");
    assert_non_null(t);
    char path[64];
    snprintf(path, sizeof path, "copy/%s", glm_tensor_file_part_name(file, t->file));
    long offset = (long)t->offset;
    glm_tensor_file_close(file);
    const glm_quantize_params params = glm_quantize_params_default();
    patch(path, offset + 2 * (32 * 3 + 7), "\x80\x7f", 2); /* infinity at row 3, column 7 */
    refused(GLM_ENUMERIC, "blk.3.ffn_down_exps.weight: element [5, 3, 7]", "copy", "a.gguf", "Q8_0",
            params);
    assert_int_not_equal(access("a.gguf", F_OK), 0);
    patch(path, offset + 2 * (32 * 3 + 7), "\x80\x48", 2); /* 262144: beyond float16 */
    refused(GLM_ENUMERIC, "element [5, 3, 7]: expected a value that the type can hold", "copy",
            "b.gguf", "F16", params);
    (void)must("copy", "c.gguf", "BF16", params);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    static glm_quantize_report report;
    glm_quantize_params params = glm_quantize_params_default();
    params.n_threads = 1;
    (void)must(NANO52, "whole.gguf", "Q8_0", params);
    for (long n = 0;; n += n < 100 ? 1 : 17) {
        glm_error err;
        watcher w = {.left = -1};
        fail_alloc_begin(n);
        glm_status st = quantize(NANO52, "a.gguf", "Q8_0", &w, params, &report, &err);
        bool has_failed = fail_alloc_end();
        if (!has_failed)
            break;
        /* A folder that cannot be listed for lack of memory is an input error, not a broken output. */
        if (st == GLM_OK)
            fail_msg("allocation %ld was refused and nobody noticed", n);
        assert_int_not_equal(access("a.gguf", F_OK), 0);
    }
    (void)must(NANO52, "a.gguf", "Q8_0", params);
    assert_same_file("a.gguf", "whole.gguf");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        TEST(an_interruption_anywhere_leaves_no_trace),
        TEST(leftovers_are_proven_before_they_are_used),
        TEST(threads_change_nothing),
        TEST(a_split_holds_the_same),
        TEST(what_was_quantised_is_not_quantised_again_unasked),
        TEST(wrong_calls_are_refused),
        TEST(rules_choose_types),
        TEST(a_dry_run_writes_nothing),
        TEST(numbers_that_are_none_are_refused),
        TEST(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
