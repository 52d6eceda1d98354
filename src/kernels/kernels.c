// SPDX-License-Identifier: MIT
#include "kernels/kernels_internal.h"

#include <string.h>

#include "core/cpu.h"

static const char *const names[GLM_ISA_COUNT] = {
    [GLM_ISA_SCALAR] = "scalar",         [GLM_ISA_AVX2] = "avx2",
    [GLM_ISA_AVXVNNI] = "avxvnni",       [GLM_ISA_AVX512] = "avx512",
    [GLM_ISA_AVX512VNNI] = "avx512vnni", [GLM_ISA_NEON] = "neon",
    [GLM_ISA_DOTPROD] = "dotprod",
};

static void init_scalar(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_c;
    GLM_KERNEL_SLOTS(SET)
#undef SET
}

#if defined __x86_64__

static void init_avx2(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_avx2;
    GLM_SIMD_SLOTS(SET)
    GLM_QMATMUL_SLOTS(SET)
#undef SET
}

static void init_avx512(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_avx512;
    GLM_SIMD_SLOTS(SET)
#undef SET
}

static void init_avx512vnni(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_avx512vnni;
    GLM_DOT8_SLOTS(SET)
    SET(qmatmul)
#undef SET
}

void glm_kernels_init(glm_kernels *k, glm_isa isa)
{
    k->isa = isa;
    init_scalar(k);
    if (isa >= GLM_ISA_AVX2 && isa <= GLM_ISA_AVX512VNNI)
        init_avx2(k);
    if (isa == GLM_ISA_AVXVNNI)
        k->qmatmul = glm_qmatmul_avxvnni;
    if (isa >= GLM_ISA_AVX512 && isa <= GLM_ISA_AVX512VNNI)
        init_avx512(k);
    if (isa == GLM_ISA_AVX512VNNI)
        init_avx512vnni(k);
}

glm_isa glm_kernels_best_isa(void)
{
    glm_cpu cpu = glm_cpu_detect();
    return cpu.has_avx512vnni ? GLM_ISA_AVX512VNNI
           : cpu.has_avx512   ? GLM_ISA_AVX512
           : cpu.has_avxvnni  ? GLM_ISA_AVXVNNI
           : cpu.has_avx2     ? GLM_ISA_AVX2
                              : GLM_ISA_SCALAR;
}

#elif defined __aarch64__

static void init_neon(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_neon;
    GLM_SIMD_SLOTS(SET)
    SET(qmatmul)
#undef SET
}

void glm_kernels_init(glm_kernels *k, glm_isa isa)
{
    k->isa = isa;
    init_scalar(k);
    if (isa >= GLM_ISA_NEON)
        init_neon(k);
    if (isa == GLM_ISA_DOTPROD)
        k->qmatmul = glm_qmatmul_dotprod;
}

glm_isa glm_kernels_best_isa(void)
{
    glm_cpu cpu = glm_cpu_detect();
    return cpu.has_dotprod ? GLM_ISA_DOTPROD : cpu.has_neon ? GLM_ISA_NEON : GLM_ISA_SCALAR;
}

#else

void glm_kernels_init(glm_kernels *k, glm_isa isa)
{
    k->isa = isa;
    init_scalar(k);
}

glm_isa glm_kernels_best_isa(void)
{
    return GLM_ISA_SCALAR;
}

#endif

const char *glm_isa_name(glm_isa isa)
{
    return isa < GLM_ISA_COUNT ? names[isa] : "unknown";
}

bool glm_isa_parse(const char *name, glm_isa *out)
{
    for (int i = 0; i < GLM_ISA_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (glm_isa)i;
            return true;
        }
    return false;
}

bool glm_isa_is_usable(glm_isa isa)
{
    glm_isa best = glm_kernels_best_isa();
    bool is_x86 = best >= GLM_ISA_AVX2 && best <= GLM_ISA_AVX512VNNI;
    if (isa == GLM_ISA_AVXVNNI) /* of the others each has those below it */
        return glm_cpu_detect().has_avxvnni;
    if (isa == GLM_ISA_NEON && best == GLM_ISA_DOTPROD)
        return true;
    return isa == GLM_ISA_SCALAR || isa == best || (is_x86 && isa >= GLM_ISA_AVX2 && isa < best);
}
