// SPDX-License-Identifier: MIT
/* check-kernels [--only TEXT] [--from NAME] [--isa NAME] [--seed N] [--rounds N] [--bench] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "harness.h"

/* The slots, the family of each (its header) and its check. */
// clang-format off
static const struct slot {
    const char *family, *name;
    size_t offset;
    chk_fn *check;
} slots[] = {
#define SLOT(family, name) {#family, #name, offsetof(glm_kernels, name), chk_##name}
    SLOT(matmul, matmul), SLOT(matmul, row_sum), SLOT(matmul, decode_row),
    SLOT(qmatmul, act_quantize), SLOT(qmatmul, qmatmul),
    SLOT(norm, rmsnorm), SLOT(norm, layernorm), SLOT(norm, rope),
    SLOT(elementwise, silu_mul), SLOT(elementwise, sigmoid), SLOT(elementwise, add),
    SLOT(elementwise, axpy),
    SLOT(attention, kv_encode), SLOT(attention, attn_scores), SLOT(attention, attn_scores_q8),
    SLOT(attention, softmax), SLOT(attention, attn_sum),
    SLOT(attention, attn_sum_q8),
    SLOT(indexer, index_scores), SLOT(indexer, hadamard), SLOT(indexer, index_key_q8),
    SLOT(indexer, index_query_q8), SLOT(indexer, index_scores_q8), SLOT(indexer, topk),
};
// clang-format on

static bool is_wanted(const struct slot *slot, const char *only)
{
    return !only || strcmp(only, slot->family) == 0 || strcmp(only, slot->name) == 0;
}

static void (*pointer_of(const glm_kernels *k, const struct slot *slot))(void)
{
    void (*pointer)(void);
    memcpy(&pointer, (const char *)k + slot->offset, sizeof pointer);
    return pointer;
}

static uint64_t check_level(glm_isa isa, glm_isa below, const char *only, uint64_t seed,
                            unsigned n_rounds, uint64_t *n_cases)
{
    glm_kernels ref, last, now;
    glm_kernels_init(&ref, GLM_ISA_SCALAR);
    glm_kernels_init(&last, below);
    glm_kernels_init(&now, isa);
    uint64_t n_failures = 0;
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        const struct slot *slot = &slots[i];
        bool is_reference = isa == GLM_ISA_SCALAR;
        if (!is_wanted(slot, only) ||
            (!is_reference && pointer_of(&now, slot) == pointer_of(&last, slot)))
            continue;
        chk_ctx ctx = {&now, &ref, is_reference, slot->name, seed, 0, 0, ""};
        for (unsigned round = 0; round < n_rounds; round++)
            slot->check(&ctx);
        printf("%-7s %-12s %8" PRIu64 " cases  %s\n", glm_isa_name(isa), slot->name, ctx.n_cases,
               ctx.n_failures ? "FAILED" : "ok");
        n_failures += ctx.n_failures + (ctx.n_cases == 0);
        *n_cases += ctx.n_cases;
    }
    return n_failures;
}

#if defined __x86_64__
/* Kernels whose own instructions this machine has not, with what it has in their place: stand_in_*.c, which need AVX-512 VNNI. */
static uint64_t check_stand_in(glm_isa isa, glm_qmatmul_fn *qmatmul, const char *how,
                               const char *only, uint64_t seed, unsigned n_rounds,
                               uint64_t *n_cases)
{
    glm_kernels ref, now;
    if (glm_isa_is_usable(isa) || (only && strcmp(only, "qmatmul") != 0))
        return 0;
    glm_kernels_init(&ref, GLM_ISA_SCALAR);
    glm_kernels_init(&now, GLM_ISA_AVX2);
    now.isa = isa;
    now.qmatmul = qmatmul;
    chk_ctx ctx = {&now, &ref, false, "qmatmul", seed, 0, 0, ""};
    for (unsigned round = 0; round < n_rounds; round++)
        chk_qmatmul(&ctx);
    printf("%-7s qmatmul      %8" PRIu64 " cases  %s (%s)\n", glm_isa_name(isa), ctx.n_cases,
           ctx.n_failures ? "FAILED" : "ok", how);
    *n_cases += ctx.n_cases;
    return ctx.n_failures + (ctx.n_cases == 0);
}

static uint64_t check_stand_ins(glm_isa top, const char *only, uint64_t seed, unsigned n_rounds,
                                uint64_t *n_cases)
{
    uint64_t n_failures = 0;
    if (!glm_isa_is_usable(GLM_ISA_AVX512VNNI))
        return 0;
    if (top >= GLM_ISA_AVXVNNI)
        n_failures += check_stand_in(GLM_ISA_AVXVNNI, chk_qmatmul_avxvnni,
                                     "compiled for AVX-512 VNNI", only, seed, n_rounds, n_cases);
    if (top >= GLM_ISA_AVX512VNNI)
        n_failures += check_stand_in(GLM_ISA_AMX, chk_qmatmul_amx, "with a model of tiles", only,
                                     seed, n_rounds, n_cases);
    return n_failures;
}
#endif

static int usage(void)
{
    fprintf(stderr, "usage: check-kernels [--only FAMILY|SLOT] [--from NAME] [--isa NAME] "
                    "[--seed N] [--rounds N] [--bench]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    glm_isa bottom = GLM_ISA_SCALAR, top = glm_kernels_best_isa();
    uint64_t seed = 1;
    unsigned n_rounds = 1;
    bool is_bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            is_bench = true;
        else if (i + 1 == argc)
            return usage();
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--rounds") == 0)
            n_rounds = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--from") == 0) {
            if (!glm_isa_parse(argv[++i], &bottom))
                return usage();
        } else if (strcmp(argv[i], "--isa") != 0 || !glm_isa_parse(argv[++i], &top))
            return usage();
    }
    printf("check-kernels: seed %" PRIu64 ", %u round(s)\n", seed, n_rounds);

    uint64_t n_failures = 0, n_cases = 0;
    glm_isa below = GLM_ISA_SCALAR;
    for (int i = 0; i < GLM_ISA_COUNT; i++) {
        glm_isa isa = (glm_isa)i;
        if (!glm_isa_is_usable(isa))
            printf("%-7s not run: not compiled in or not on this machine\n", glm_isa_name(isa));
        else if (i > (int)top)
            printf("%-7s not run: --isa %s\n", glm_isa_name(isa), glm_isa_name(top));
        else {
            if (i < (int)bottom)
                printf("%-7s not run: --from %s\n", glm_isa_name(isa), glm_isa_name(bottom));
            else if (is_bench)
                chk_bench(isa, only);
            else
                n_failures += check_level(isa, below, only, seed, n_rounds, &n_cases);
            below = isa;
        }
    }
    if (is_bench)
        return 0;
#if defined __x86_64__
    n_failures += check_stand_ins(top, only, seed, n_rounds, &n_cases);
#endif
    printf("%" PRIu64 " cases, %" PRIu64 " failures\n", n_cases, n_failures);
    return n_failures || n_cases == 0 ? 1 : 0;
}
