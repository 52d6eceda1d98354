// SPDX-License-Identifier: MIT
#include "core/vmem.h"

#include <string.h>

#include "cmocka_all.h"

#define MIB ((size_t)1 << 20)

static void residency_follows_what_is_touched(void **state)
{
    (void)state;
    unsigned char *memory;
    glm_error err;
    uint64_t resident = 0, large = 0;
    assert_int_equal(glm_vmem_reserve((void **)&memory, 64 * MIB, &err), GLM_OK);
    glm_vmem_residency(memory, 64 * MIB, &resident, &large);
    if (glm_vmem_available() == 0) {
        print_message("the system does not tell: skipped\n");
        glm_vmem_release(memory, 64 * MIB);
        skip();
    }
    const uint64_t before = resident;
    memset(memory, 1, 16 * MIB);
    resident = large = 0;
    glm_vmem_residency(memory + 1, 1, &resident, &large);
    print_message("16 MiB touched: %llu KiB resident, %llu KiB of them in large pages\n",
                  (unsigned long long)resident / 1024, (unsigned long long)large / 1024);
    /* A large page may reach a little further; neighbours that the kernel joined were there before. */
    assert_true(resident >= before + 16 * MIB && resident <= before + 20 * MIB);
    assert_true(large <= resident);
    glm_vmem_release(memory, 64 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residency_follows_what_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
