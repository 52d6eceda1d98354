// SPDX-License-Identifier: MIT
#include <string.h>

#include "cmocka_all.h"
#include "core/arena.h"
#include "core/mem.h"

static void sizes_saturate(void **state)
{
    (void)state;
    assert_int_equal(glm_mul_size(SIZE_MAX / 2, 3), SIZE_MAX);
    assert_int_equal(glm_add_size(SIZE_MAX, 1), SIZE_MAX);
    assert_int_equal(glm_align_size(SIZE_MAX - 3, 64), SIZE_MAX);
    assert_int_equal(glm_align_size(65, 64), 128);
    assert_null(glm_calloc(SIZE_MAX / 2, 3));
}

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    glm_arena arena;
    glm_arena_init(&arena, 1 << 20);
    unsigned char *last = NULL;
    for (size_t i = 1; i < 300; i++) {
        unsigned char *p = glm_arena_alloc(&arena, i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xAA, i);
        assert_ptr_not_equal(p, last);
        last = p;
    }
    assert_string_equal(glm_arena_strdup(&arena, "abcd", 3), "abc");
    glm_arena_deinit(&arena);
}

static void the_limit_refuses(void **state)
{
    (void)state;
    glm_arena arena;
    glm_arena_init(&arena, 100000);
    assert_non_null(glm_arena_alloc(&arena, 50000));
    assert_null(glm_arena_alloc(&arena, 60000));
    assert_null(glm_arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(glm_arena_alloc(&arena, 1000));
    assert_true(arena.used_bytes <= arena.limit_bytes);
    glm_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_saturate),
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(the_limit_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
