// SPDX-License-Identifier: MIT
/* The tree of cached pages on a small pool, and hits of the scheduler on nano52: same bits with and without. */
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "core/rng.h"
#include "engine/prefix_cache.h"
#include "engine/serve.h"

#define N_PAGE 16u

static glm_kv *kv;
static glm_prefix_cache *cache;
static int32_t tokens[8][GLM_KV_PAGE_TOKENS];

static void begin(uint32_t n_page_max)
{
    glm_error err;
    const uint8_t owns[2] = {1, 0};
    glm_kv_shape shape = {.n_layer = 2,
                          .n_row = 8,
                          .d_index = 4,
                          .owns_indexer = owns,
                          .type = GLM_KV_STORE_F32,
                          .layout = GLM_KV_BY_GROUP,
                          .n_page = N_PAGE};
    glm_config config = {.n_layer = 2, .n_heads = 2, .kv_rank = 4, .d_rope = 4};
    assert_int_equal(glm_kv_create(&kv, &shape, &err), GLM_OK);
    assert_int_equal(glm_prefix_cache_create(&cache, kv, &config, 100, n_page_max, &err), GLM_OK);
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t t = 0; t < GLM_KV_PAGE_TOKENS; t++)
            tokens[i][t] = (int32_t)(i * 100 + t);
}

static void end(void)
{
    glm_prefix_cache_destroy(cache);
    assert_int_equal(glm_kv_free_pages(kv), N_PAGE); /* nothing leaked */
    glm_kv_destroy(kv);
}

/* A page that only the tree holds. */
static glm_prefix *add(uint64_t domain, glm_prefix *parent, uint32_t i)
{
    uint32_t page;
    assert_true(glm_kv_page_take(kv, &page));
    glm_prefix *node = glm_prefix_insert(cache, domain, parent, tokens[i], page);
    glm_kv_page_release(kv, page);
    return node;
}

static void paths_are_found_in_their_domain_only(void **state)
{
    (void)state;
    begin(N_PAGE);
    glm_prefix *a = add(1, NULL, 0), *b = add(1, a, 1), *other = add(2, NULL, 0);
    assert_ptr_equal(glm_prefix_find(cache, 1, NULL, tokens[0]), a);
    assert_ptr_equal(glm_prefix_find(cache, 1, a, tokens[1]), b);
    assert_ptr_equal(glm_prefix_find(cache, 2, NULL, tokens[0]), other);
    assert_null(glm_prefix_find(cache, 3, NULL, tokens[0]));
    assert_null(glm_prefix_find(cache, 2, other, tokens[1]));
    assert_null(glm_prefix_find(cache, 1, NULL, tokens[1]));
    tokens[1][63]++;
    assert_null(glm_prefix_find(cache, 1, a, tokens[1]));
    assert_int_equal(glm_prefix_depth(b), 1);
    assert_ptr_equal(glm_prefix_parent(b), a);
    end();
}

static void what_is_worth_least_goes_first(void **state)
{
    (void)state;
    begin(N_PAGE);
    glm_prefix *a = add(0, NULL, 0), *b = add(0, a, 1), *c = add(0, NULL, 2);
    (void)c;
    glm_prefix_touch(cache, b);
    assert_true(glm_prefix_evict(cache)); /* c: as cheap as a, but a leaf */
    assert_null(glm_prefix_find(cache, 0, NULL, tokens[2]));
    assert_ptr_equal(glm_prefix_find(cache, 0, a, tokens[1]), b);
    glm_prefix *d =
        add(0, NULL, 3); /* newer than b, but cheaper; b was used before the clock moved */
    (void)d;
    assert_true(glm_prefix_can_free(cache, 3));
    assert_false(glm_prefix_can_free(cache, 4));
    assert_true(glm_prefix_evict(cache));
    assert_true(glm_prefix_evict(cache));
    assert_true(glm_prefix_evict(cache));
    assert_false(glm_prefix_evict(cache));
    assert_int_equal(glm_prefix_evicted(cache), 4);
    end();
}

static void pages_in_use_stay(void **state)
{
    (void)state;
    begin(2);
    glm_prefix *a = add(0, NULL, 0), *b = add(0, a, 1);
    glm_kv_page_acquire(kv, glm_prefix_page(a));
    glm_kv_page_acquire(kv, glm_prefix_page(b));
    assert_false(glm_prefix_evict(cache));
    assert_null(add(0, NULL, 2)); /* full of pages in use */
    glm_kv_page_release(kv, glm_prefix_page(b));
    assert_non_null(add(0, NULL, 2)); /* in the place of b */
    assert_null(glm_prefix_find(cache, 0, a, tokens[1]));
    assert_ptr_equal(glm_prefix_find(cache, 0, NULL, tokens[0]), a);
    glm_kv_page_release(kv, glm_prefix_page(a));
    end();
}

/* Random inserts, uses and evictions: the tree stays consistent, and children never outlive parents. */
static void random_trees_hold_together(void **state)
{
    (void)state;
    begin(10);
    uint64_t n = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        glm_prefix *node = NULL;
        uint64_t domain = (uint64_t)(glm_rng_double(7, n++) * 2.0);
        for (uint32_t depth = 0; depth < 4; depth++) {
            uint32_t i = (uint32_t)(glm_rng_double(7, n++) * 3.0);
            glm_prefix *next = glm_prefix_find(cache, domain, node, tokens[i]);
            if (node) /* held, as a sequence would hold it */
                glm_kv_page_acquire(kv, glm_prefix_page(node));
            if (!next)
                next = add(domain, node, i);
            if (node)
                glm_kv_page_release(kv, glm_prefix_page(node));
            if (!next)
                break;
            assert_ptr_equal(glm_prefix_parent(next), node);
            node = next;
        }
        assert_true(glm_prefix_pages(cache) <= 10);
        assert_int_equal(glm_kv_free_pages(kv), N_PAGE - glm_prefix_pages(cache));
    }
    end();
}

/* ---- Hits of the scheduler ---- */

static void ask(glm_scheduler *s, serve_request *r)
{
    serve_submit(s, r);
    serve_wait(r);
    serve_check(r);
    serve_release(r);
}

static void a_growing_conversation_reads_what_is_new(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler *s = serve_create(NULL);
    serve_make(&r, 1, 100);
    r.p.max_tokens = 60;
    ask(s, &r);
    assert_int_equal(r.n_cached, 0);
    /* The next turn: prompt, answer, something new. */
    static serve_request next;
    serve_make(&next, 2, 200);
    memcpy(next.prompt, r.prompt, 100 * sizeof(int32_t));
    memcpy(next.prompt + 100, r.answer[0].ids, 60 * sizeof(int32_t));
    ask(s, &next);
    assert_int_equal(next.n_cached, 128); /* of 159 run tokens: all whole pages */
    static serve_request again;
    serve_make(&again, 2, 200);
    memcpy(again.prompt, next.prompt, sizeof again.prompt);
    again.p.prompt = again.prompt;
    ask(s, &again);
    assert_int_equal(again.n_cached, 192);
    /* A prompt that ends at a border leaves a page to be read: its last token has to run. */
    serve_make(&again, 2, 192);
    memcpy(again.prompt, next.prompt, sizeof again.prompt);
    ask(s, &again);
    assert_int_equal(again.n_cached, 128);
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_cached_tokens, 128 + 192 + 128);
    glm_scheduler_destroy(s);
}

static uint32_t cached_for(glm_share_prefix share, uint64_t owner)
{
    static serve_request r;
    glm_scheduler_params p = serve_params();
    p.share = share;
    glm_scheduler *s = serve_create(&p);
    serve_make(&r, 1, 100);
    r.p.owner = 1;
    ask(s, &r);
    serve_make(&r, 1, 100);
    r.p.owner = owner;
    ask(s, &r);
    glm_scheduler_destroy(s);
    return r.n_cached;
}

static void prefixes_are_shared_as_told(void **state)
{
    (void)state;
    assert_int_equal(cached_for(GLM_SHARE_KEY, 1), 64);
    assert_int_equal(cached_for(GLM_SHARE_KEY, 2), 0);
    assert_int_equal(cached_for(GLM_SHARE_ALL, 2), 64);
    assert_int_equal(cached_for(GLM_SHARE_NONE, 1), 0);
}

/* Two that come at once read their common prompt once: one goes ahead, the other takes its pages. */
static void equal_prompts_are_read_once(void **state)
{
    (void)state;
    enum { N = 4 };
    static serve_request r[N];
    glm_scheduler *s = serve_create(NULL);
    for (uint32_t i = 0; i < N; i++) {
        serve_make(&r[i], 3, 320);
        serve_submit(s, &r[i]);
    }
    for (uint32_t i = 0; i < N; i++) {
        serve_wait(&r[i]);
        serve_check(&r[i]);
        serve_release(&r[i]);
    }
    glm_scheduler_stats stats;
    glm_scheduler_get_stats(s, &stats);
    assert_true(stats.n_computed_tokens < N * 320 / 2);
    glm_scheduler_destroy(s);
}

static void the_cache_keeps_to_its_bytes(void **state)
{
    (void)state;
    static serve_request r;
    glm_scheduler_stats stats;
    glm_scheduler_params p = serve_params();
    glm_scheduler *s = serve_create(&p);
    glm_scheduler_get_stats(s, &stats);
    glm_scheduler_destroy(s);
    p.cache_bytes = 3 * stats.page_bytes;
    s = serve_create(&p);
    for (uint32_t i = 0; i < 4; i++) {
        serve_make(&r, i, 150);
        ask(s, &r);
    }
    glm_scheduler_get_stats(s, &stats);
    assert_int_equal(stats.n_pages_cached, 3);
    assert_int_equal(stats.n_pages_used, 3);
    assert_true(stats.n_evicted_pages >= 5);
    glm_scheduler_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_found_in_their_domain_only),
        cmocka_unit_test(what_is_worth_least_goes_first),
        cmocka_unit_test(pages_in_use_stay),
        cmocka_unit_test(random_trees_hold_together),
        cmocka_unit_test(a_growing_conversation_reads_what_is_new),
        cmocka_unit_test(prefixes_are_shared_as_told),
        cmocka_unit_test(equal_prompts_are_read_once),
        cmocka_unit_test(the_cache_keeps_to_its_bytes),
    };
    return cmocka_run_group_tests(tests, serve_open_model, serve_close_model);
}
