// SPDX-License-Identifier: MIT
#include <string.h>

#include "cmocka_all.h"
#include "model/kv.h"

#define N_LAYER 5
static const uint8_t owners[N_LAYER] = {1, 1, 0, 0, 1};

static glm_kv *make(uint32_t n_page, glm_kv_layout layout)
{
    glm_kv_shape shape = {.n_layer = N_LAYER,
                          .n_row = 10,
                          .d_index = 6,
                          .owns_indexer = owners,
                          .type = GLM_KV_STORE_F32,
                          .layout = layout,
                          .n_page = n_page};
    glm_kv *kv;
    glm_error err;
    assert_int_equal(glm_kv_create(&kv, &shape, &err), GLM_OK);
    return kv;
}

static float mark(uint32_t layer, uint32_t position, uint32_t version)
{
    return (float)(version * 1000000 + layer * 100000 + position);
}

/* Append n positions whose rows and keys carry their place. */
static void append(glm_kv_seq *seq, uint32_t n, uint32_t version)
{
    glm_error err;
    assert_int_equal(glm_kv_seq_reserve(seq, n, &err), GLM_OK);
    uint32_t first = glm_kv_seq_length(seq);
    for (uint32_t p = first; p < first + n; p++)
        for (uint32_t layer = 0; layer < N_LAYER; layer++) {
            float *row = glm_kv_row(seq, layer, p);
            for (uint32_t i = 0; i < 10; i++)
                row[i] = mark(layer, p, version);
            if (!owners[layer])
                continue;
            float *key = glm_kv_index_row(seq, layer, p);
            for (uint32_t i = 0; i < 6; i++)
                key[i] = -mark(layer, p, version);
        }
    glm_kv_seq_commit(seq, n);
}

static void check(const glm_kv_seq *seq, uint32_t first, uint32_t end, uint32_t version)
{
    for (uint32_t layer = 0; layer < N_LAYER; layer++) {
        const void *row;
        for (uint32_t p = first; p < end; p++) {
            int32_t position = (int32_t)p;
            glm_kv_gather(&row, seq, layer, &position, 0, 1);
            for (uint32_t i = 0; i < 10; i++)
                assert_true(((const float *)row)[i] == mark(layer, p, version));
            glm_kv_gather(&row, seq, layer, NULL, p, 1);
            assert_true(((const float *)row)[9] == mark(layer, p, version));
        }
        for (uint32_t p = first; owners[layer] && p < end;) {
            uint32_t n;
            size_t stride;
            const unsigned char *key = glm_kv_index_run(seq, layer, p, &n, &stride);
            assert_true(n >= 1 && n <= GLM_KV_PAGE_TOKENS);
            for (uint32_t i = 0; i < n && p < end; i++, p++)
                assert_true(((const float *)(const void *)(key + i * stride))[5] ==
                            -mark(layer, p, version));
        }
    }
}

static void both_layouts_keep_every_row(void **state)
{
    (void)state;
    for (int layout = GLM_KV_BY_LAYER; layout <= GLM_KV_BY_GROUP; layout++) {
        glm_kv *kv = make(4, (glm_kv_layout)layout);
        glm_kv_seq *seq;
        glm_error err;
        assert_int_equal(glm_kv_seq_create(&seq, kv, 256, &err), GLM_OK);
        append(seq, 1, 0);
        append(seq, 62, 0);
        append(seq, 3, 0);
        append(seq, 130, 0);
        check(seq, 0, 196, 0);
        glm_kv_seq_destroy(seq);
        assert_int_equal(glm_kv_free_pages(kv), 4);
        glm_kv_destroy(kv);
    }
}

/* Lanes of groups: written in any order none touches another, a run is a whole number of groups, a copy keeps them. */
static void index_lanes_are_apart(void **state)
{
    (void)state;
    glm_kv_shape shape = {.n_layer = N_LAYER,
                          .n_row = 10,
                          .d_index = 6,
                          .owns_indexer = owners,
                          .type = GLM_KV_STORE_Q8,
                          .index_type = GLM_KV_STORE_Q8,
                          .layout = GLM_KV_BY_GROUP,
                          .n_page = 4};
    glm_kv *kv;
    glm_kv_seq *seq, *fork;
    glm_error err;
    assert_int_equal(glm_kv_create(&kv, &shape, &err), GLM_OK);
    assert_int_equal(glm_kv_seq_create(&seq, kv, 128, &err), GLM_OK);
    assert_int_equal(glm_kv_seq_reserve(seq, 100, &err), GLM_OK);
    for (uint32_t i = 0; i < 100; i++)
        for (uint32_t layer = 0; layer < N_LAYER; layer++) {
            uint32_t p = i * 37 % 100;
            unsigned char *lane = glm_kv_index_row(seq, layer, p);
            memset(glm_kv_row(seq, layer, p), 0xff, glm_kv_row_bytes(GLM_KV_STORE_Q8, 10));
            for (uint32_t word = 0; owners[layer] && word < 3;
                 word++) /* two of values, the scale */
                memset(lane + word * 4 * GLM_INDEX_GROUP, (int)(p + layer), 4);
        }
    glm_kv_seq_commit(seq, 100);
    assert_int_equal(glm_kv_seq_fork(&fork, seq, 99, &err), GLM_OK);
    assert_int_equal(glm_kv_seq_reserve(fork, 1, &err), GLM_OK); /* copies the last page */
    memset(glm_kv_index_row(fork, 0, 99), 0, 4);
    for (uint32_t layer = 0; layer < N_LAYER; layer++)
        for (uint32_t p = 0, n; owners[layer] && p < 99; p += n) {
            size_t stride;
            const unsigned char *groups = glm_kv_index_run(fork, layer, p, &n, &stride);
            assert_int_equal(n, 64);
            assert_int_equal(stride, glm_index_group_bytes(6));
            for (uint32_t i = 0; i < n && p + i < 99; i++)
                for (uint32_t word = 0; word < 3; word++)
                    assert_int_equal(groups[i / 16 * stride + i % 16 * 4 + word * 64 + 3],
                                     p + i + layer);
        }
    glm_kv_seq_destroy(fork);
    glm_kv_seq_destroy(seq);
    glm_kv_destroy(kv);
}

static void a_fork_is_copied_when_written(void **state)
{
    (void)state;
    glm_kv *kv = make(8, GLM_KV_BY_LAYER);
    glm_kv_seq *a, *b;
    glm_error err;
    assert_int_equal(glm_kv_seq_create(&a, kv, 512, &err), GLM_OK);
    append(a, 100, 1);
    assert_int_equal(glm_kv_seq_fork(&b, a, 70, &err), GLM_OK);
    assert_int_equal(glm_kv_free_pages(kv), 6); /* shared, nothing copied yet */
    append(b, 10, 2);
    assert_int_equal(glm_kv_free_pages(kv), 5);
    append(a, 10, 3);
    assert_int_equal(glm_kv_free_pages(kv), 5); /* its last page is its own again */
    check(a, 0, 100, 1);
    check(a, 100, 110, 3);
    check(b, 0, 70, 1);
    check(b, 70, 80, 2);
    glm_kv_seq_destroy(a);
    check(b, 0, 70, 1);
    glm_kv_seq_destroy(b);
    assert_int_equal(glm_kv_free_pages(kv), 8);
    glm_kv_destroy(kv);
}

static void truncate_gives_pages_back(void **state)
{
    (void)state;
    glm_kv *kv = make(4, GLM_KV_BY_LAYER);
    glm_kv_seq *seq, *fork;
    glm_error err;
    assert_int_equal(glm_kv_seq_create(&seq, kv, 256, &err), GLM_OK);
    append(seq, 200, 1);
    assert_int_equal(glm_kv_free_pages(kv), 0);
    glm_kv_seq_truncate(seq, 64);
    assert_int_equal(glm_kv_free_pages(kv), 3);
    append(seq, 10, 2);
    check(seq, 0, 64, 1);
    check(seq, 64, 74, 2);
    /* Rolling back into a shared page and writing must not touch the other side. */
    assert_int_equal(glm_kv_seq_fork(&fork, seq, 74, &err), GLM_OK);
    glm_kv_seq_truncate(seq, 66);
    append(seq, 4, 5);
    check(fork, 64, 74, 2);
    check(seq, 66, 70, 5);
    glm_kv_seq_destroy(fork);
    glm_kv_seq_destroy(seq);
    assert_int_equal(glm_kv_free_pages(kv), 4);
    glm_kv_destroy(kv);
}

static void limits_refuse_and_change_nothing(void **state)
{
    (void)state;
    glm_kv *kv = make(2, GLM_KV_BY_LAYER);
    glm_kv_seq *a, *b;
    glm_error err;
    assert_int_equal(glm_kv_seq_create(&a, kv, 100, &err), GLM_OK);
    assert_int_equal(glm_kv_seq_reserve(a, 101, &err), GLM_ELIMIT);
    append(a, 90, 1);
    assert_int_equal(glm_kv_seq_reserve(a, 11, &err), GLM_ELIMIT);
    assert_int_equal(glm_kv_seq_create(&b, kv, 100, &err), GLM_OK);
    assert_int_equal(glm_kv_seq_reserve(b, 1, &err), GLM_ELIMIT); /* the pool is empty */
    assert_non_null(strstr(err.text, "cache is full"));
    check(a, 0, 90, 1);
    assert_int_equal(glm_kv_seq_length(a), 90);
    append(a, 10, 1);
    glm_kv_seq_destroy(b);
    glm_kv_seq_destroy(a);
    glm_kv_destroy(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_layouts_keep_every_row),
        cmocka_unit_test(index_lanes_are_apart),
        cmocka_unit_test(a_fork_is_copied_when_written),
        cmocka_unit_test(truncate_gives_pages_back),
        cmocka_unit_test(limits_refuse_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
