// SPDX-License-Identifier: MIT
/* State files, whole and damaged; and the scheduler with a state folder, on nano52: what was read before a restart is not read
 * again, and the answers stay those of glm_generate. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "core/mem.h"
#include "engine/serve.h"
#include "engine/state.h"

#define N_PAGE 3u
#define PAGE_BYTES 4096u
#define TOKENS GLM_KV_PAGE_TOKENS

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "state-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

/* The state files of the folder; `path` [512]: the last one found, or NULL. */
static uint32_t count_files(char *path)
{
    uint32_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".state") && ++n && path)
            assert_true(snprintf(path, 512, "%s/%.255s", folder, e->d_name) < 512);
    closedir(d);
    return n;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[512];
    while (count_files(path))
        assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/lock", folder);
    (void)unlink(path);
    return rmdir(folder);
}

/* ---- Files ---- */

static unsigned char page[N_PAGE][PAGE_BYTES];
static int32_t tokens[N_PAGE * TOKENS];
static glm_state_binding binding;

static void write_one(char *path)
{
    glm_error err;
    const void *data[N_PAGE];
    for (uint32_t i = 0; i < N_PAGE; i++) {
        memset(page[i], (int)(i + 1), PAGE_BYTES);
        data[i] = page[i];
    }
    for (uint32_t i = 0; i < N_PAGE * TOKENS; i++)
        tokens[i] = (int32_t)(i * i % 1000);
    assert_int_equal(glm_state_id_of(&binding.id, "model", 5, &err), GLM_OK);
    binding.page_bytes = PAGE_BYTES;
    const glm_state_run run = {.domain = 77, .n_page = N_PAGE, .tokens = tokens, .data = data};
    snprintf(path, 512, "%s/one.state", folder);
    if (glm_state_write(path, &binding, &run, &err) != GLM_OK)
        fail_msg("%s", err.text);
}

/* Read head and all pages as a later start would. */
static glm_status read_one(const glm_state_binding *b, glm_state_head *head, glm_error *err)
{
    static unsigned char data[PAGE_BYTES];
    glm_dir *dir;
    glm_file file = {.fd = -1};
    assert_int_equal(glm_dir_open(&dir, folder, false, err), GLM_OK);
    glm_status st = glm_file_open(&file, dir, "one.state", err);
    *head = (glm_state_head){0};
    if (st == GLM_OK)
        st = glm_state_read_head(head, &file, b, err);
    for (uint32_t i = 0; st == GLM_OK && i < head->n_page; i++) {
        st = glm_state_read_page(data, &file, head->data, PAGE_BYTES, i, head->hash[i], err);
        if (st == GLM_OK)
            assert_memory_equal(data, page[i], PAGE_BYTES);
    }
    glm_file_close(&file);
    glm_dir_close(dir);
    return st;
}

static void a_file_gives_back_what_was_written(void **state)
{
    (void)state;
    char path[512];
    struct stat info;
    glm_state_head head;
    glm_error err;
    write_one(path);
    assert_int_equal(read_one(&binding, &head, &err), GLM_OK);
    assert_int_equal(head.n_page, N_PAGE);
    assert_int_equal(head.domain, 77);
    assert_memory_equal(head.tokens, tokens, sizeof tokens);
    glm_state_head_deinit(&head);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_file_for_something_else_is_refused(void **state)
{
    (void)state;
    char path[512];
    glm_state_head head;
    glm_error err;
    write_one(path);
    glm_state_binding other = binding;
    other.id.bytes[31] ^= 1;
    assert_int_equal(read_one(&other, &head, &err), GLM_EUNSUPP);
    other = binding;
    other.page_bytes = PAGE_BYTES / 2;
    assert_int_equal(read_one(&other, &head, &err), GLM_EUNSUPP);
    glm_state_head_deinit(&head);
}

/* Every byte that means something, changed; zeros between table and pages mean nothing. */
static void every_damage_is_seen(void **state)
{
    (void)state;
    char path[512];
    struct stat info;
    glm_error err;
    write_one(path);
    assert_int_equal(stat(path, &info), 0);
    const off_t table_end = 112 + N_PAGE * (TOKENS * 4 + 8), data = 4096;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (off_t at = 0; at < info.st_size; at += at < 200 ? 1 : 61) {
        unsigned char old, bad;
        glm_state_head head;
        if (at >= table_end && at < data)
            continue;
        assert_int_equal(pread(fd, &old, 1, at), 1);
        bad = (unsigned char)(old ^ (1 << at % 8));
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        if (read_one(&binding, &head, &err) == GLM_OK)
            fail_msg("byte %lld changed: nobody noticed", (long long)at);
        assert_non_null(strstr(err.text, "one.state"));
        glm_state_head_deinit(&head);
        assert_int_equal(pwrite(fd, &old, 1, at), 1);
    }
    for (off_t size = info.st_size - 1; size >= 0; size -= size > 300 ? 211 : 1) {
        glm_state_head head;
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_not_equal(read_one(&binding, &head, &err), GLM_OK);
        glm_state_head_deinit(&head);
    }
    close(fd);
}

static void ids_tell_prefixes_apart(void **state)
{
    (void)state;
    glm_error err;
    glm_state_id a, b, c, d, none = {0};
    int32_t t[TOKENS] = {1, 2, 3}, u[TOKENS] = {1, 2, 4};
    assert_int_equal(glm_state_page_id(&a, &none, 0, t, &err), GLM_OK);
    assert_int_equal(glm_state_page_id(&b, &none, 0, u, &err), GLM_OK);
    assert_int_equal(glm_state_page_id(&c, &none, 1, t, &err), GLM_OK);
    assert_int_equal(glm_state_page_id(&d, &a, 0, t, &err), GLM_OK);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_memory_not_equal(&a, &d, sizeof a);
}

/* ---- The scheduler ---- */

static char said[4096];

static void note(void *ctx, int level, const char *line)
{
    (void)ctx;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%d %s\n", level, line);
}

static glm_scheduler_params with_folder(void)
{
    glm_scheduler_params p = serve_params();
    p.state_dir = folder;
    p.log = note;
    said[0] = '\0';
    return p;
}

/* One request in a scheduler of its own; prompt tokens that came from the cache. */
static uint32_t ask_anew(const glm_scheduler_params *p, uint64_t seed, uint32_t n_prompt,
                         uint64_t owner, glm_scheduler_stats *stats)
{
    static serve_request r;
    glm_scheduler *s = serve_create(p);
    serve_make(&r, seed, n_prompt);
    r.p.owner = owner;
    serve_submit(s, &r);
    serve_wait(&r);
    serve_check(&r);
    serve_release(&r);
    if (stats)
        glm_scheduler_get_stats(s, stats);
    glm_scheduler_destroy(s);
    return r.n_cached;
}

static void prefixes_outlive_the_process(void **state)
{
    (void)state;
    glm_scheduler_stats stats;
    glm_scheduler_params p = with_folder();
    /* 16 tokens are generated, the last is not run: 215 of 216 lie in the cache, three pages of them whole. */
    assert_int_equal(ask_anew(&p, 1, 200, 5, NULL), 0);
    assert_int_equal(count_files(NULL), 1);
    assert_int_equal(ask_anew(&p, 1, 200, 5, &stats), 192);
    assert_int_equal(stats.n_state_loaded_pages, 3);
    assert_int_equal(stats.n_computed_tokens, 8);
    assert_int_equal(count_files(NULL), 1);               /* nothing new to write */
    assert_int_equal(ask_anew(&p, 1, 193, 5, NULL), 192); /* one token is left to run */
    assert_int_equal(ask_anew(&p, 1, 192, 5, NULL), 128);
    assert_int_equal(ask_anew(&p, 2, 200, 5, NULL), 0);
    /* Another key finds nothing of it, unless all share. */
    assert_int_equal(ask_anew(&p, 1, 200, 6, NULL), 0);
    p.share = GLM_SHARE_ALL;
    assert_int_equal(ask_anew(&p, 1, 200, 6, NULL), 0); /* what was kept for keys stays theirs */
    assert_int_equal(ask_anew(&p, 1, 200, 7, NULL), 192);
}

/* A conversation that goes on after the restart: only its new pages are written, in a file of their own. */
static void a_longer_prompt_adds_what_is_new(void **state)
{
    (void)state;
    glm_scheduler_stats stats;
    glm_scheduler_params p = with_folder();
    assert_int_equal(ask_anew(&p, 1, 200, 0, NULL), 0);
    assert_int_equal(ask_anew(&p, 1, 400, 0, &stats), 192);
    assert_int_equal(count_files(NULL), 2);
    assert_int_equal(ask_anew(&p, 1, 400, 0, &stats), 384);
    assert_int_equal(stats.n_state_loaded_pages, 6);
    assert_int_equal(stats.n_state_files, 2);
}

static void a_damaged_file_costs_only_time(void **state)
{
    (void)state;
    char path[512];
    struct stat info;
    glm_scheduler_stats stats;
    glm_scheduler_params p = with_folder();
    ask_anew(&p, 1, 200, 0, NULL);
    assert_int_equal(count_files(path), 1);
    assert_int_equal(stat(path, &info), 0);
    int fd = open(path, O_RDWR); /* the last page's last byte */
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, info.st_size - 1), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, info.st_size - 1), 1);
    said[0] = '\0';
    assert_int_equal(ask_anew(&p, 1, 200, 0, &stats), 128);
    assert_int_equal(stats.n_state_bad_files, 1);
    assert_non_null(strstr(said, "1 state: ignored: "));
    assert_non_null(strstr(said, "page 2 is damaged"));
    /* The pages were written again. */
    assert_int_equal(ask_anew(&p, 1, 200, 0, &stats), 192);
    close(fd);
    /* A head that is damaged is told of at the start. */
    assert_int_equal(count_files(path), 1);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    close(fd);
    said[0] = '\0';
    ask_anew(&p, 1, 200, 0, &stats);
    assert_non_null(strstr(said, "no state file"));
}

static void a_file_of_other_settings_is_ignored(void **state)
{
    (void)state;
    glm_scheduler_stats stats;
    glm_scheduler_params p = with_folder();
    ask_anew(&p, 1, 200, 0, NULL);
    static serve_request r;
    p.engine.precision = GLM_PRECISION_FAST;
    glm_scheduler *s = serve_create(&p);
    assert_non_null(strstr(said, "written for another model or other settings"));
    serve_make(&r, 1, 200);
    serve_submit(s, &r);
    serve_wait(&r);
    assert_int_equal(r.n_cached, 0);
    serve_release(&r);
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_state_bad_files, 1);
    glm_scheduler_destroy(s);
    p.engine.precision = GLM_PRECISION_EXACT; /* the foreign file was left alone */
    assert_int_equal(ask_anew(&p, 1, 200, 0, NULL), 192);
}

static void a_folder_serves_one_process(void **state)
{
    (void)state;
    glm_scheduler_params p = with_folder();
    glm_scheduler *s = serve_create(&p), *second = NULL;
    glm_error err;
    assert_int_equal(glm_scheduler_create(&second, serve_model, &p, &err), GLM_EIO);
    assert_non_null(strstr(err.text, "another process uses the folder"));
    glm_scheduler_destroy(s);
    p.state_dir = "/dev/null/state";
    assert_int_not_equal(glm_scheduler_create(&second, serve_model, &p, &err), GLM_OK);
    assert_non_null(strstr(err.text, "/dev/null/state"));
}

static void the_folder_keeps_to_its_bytes(void **state)
{
    (void)state;
    glm_scheduler_stats stats;
    glm_scheduler_params p = with_folder();
    ask_anew(&p, 1, 200, 0, &stats);
    p.state_bytes = 8 * stats.page_bytes;
    for (uint64_t seed = 2; seed < 6; seed++)
        ask_anew(&p, seed, 200, 0, &stats);
    ask_anew(&p, 5, 200, 0, &stats);
    assert_true(stats.state_bytes <= p.state_bytes);
    assert_int_equal(count_files(NULL), 2);
    assert_int_equal(ask_anew(&p, 5, 200, 0, NULL), 192); /* the last stayed */
    assert_int_equal(ask_anew(&p, 1, 200, 0, NULL), 0);   /* the first went */
}

/* What a death in the midst of writing leaves is removed. */
static void leftovers_are_removed(void **state)
{
    (void)state;
    char path[512];
    glm_scheduler_params p = with_folder();
    snprintf(path, sizeof path, "%s/0123.state.partial", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    ask_anew(&p, 1, 200, 0, NULL);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(count_files(NULL), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_gives_back_what_was_written),
        TEST(a_file_for_something_else_is_refused),
        TEST(every_damage_is_seen),
        TEST(ids_tell_prefixes_apart),
        TEST(prefixes_outlive_the_process),
        TEST(a_longer_prompt_adds_what_is_new),
        TEST(a_damaged_file_costs_only_time),
        TEST(a_file_of_other_settings_is_ignored),
        TEST(a_folder_serves_one_process),
        TEST(the_folder_keeps_to_its_bytes),
        TEST(leftovers_are_removed),
    };
    return cmocka_run_group_tests(tests, serve_open_model, serve_close_model);
}
