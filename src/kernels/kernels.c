// SPDX-License-Identifier: MIT
#include "kernels/kernels_internal.h"

#include <string.h>

#include "core/cpu.h"

static const char *const names[GLM_ISA_COUNT] = {
    [GLM_ISA_SCALAR] = "scalar",
    [GLM_ISA_AVX2] = "avx2",
    [GLM_ISA_AVXVNNI] = "avxvnni",
    [GLM_ISA_AVX512] = "avx512",
    [GLM_ISA_AVX512VNNI] = "avx512vnni",
    [GLM_ISA_AMX] = "amx",
    [GLM_ISA_NEON] = "neon",
    [GLM_ISA_DOTPROD] = "dotprod",
    [GLM_ISA_I8MM] = "i8mm",
    [GLM_ISA_SVE] = "sve",
    [GLM_ISA_SVEI8MM] = "svei8mm",
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
    if (isa >= GLM_ISA_AVX2 && isa <= GLM_ISA_AMX)
        init_avx2(k);
    if (isa == GLM_ISA_AVXVNNI)
        k->qmatmul = glm_qmatmul_avxvnni;
    if (isa >= GLM_ISA_AVX512 && isa <= GLM_ISA_AMX)
        init_avx512(k);
    if (isa >= GLM_ISA_AVX512VNNI && isa <= GLM_ISA_AMX)
        init_avx512vnni(k);
    if (isa == GLM_ISA_AMX)
        k->qmatmul = glm_qmatmul_amx;
}

#elif defined __aarch64__

static void init_neon(glm_kernels *k)
{
#define SET(slot) k->slot = glm_##slot##_neon;
    GLM_SIMD_SLOTS(SET)
    SET(qmatmul)
#undef SET
}

/* The code of each length works at that length only. */
static void init_sve(glm_kernels *k, uint32_t bytes, bool has_i8mm)
{
    if (bytes == 32) {
#define SET(slot) k->slot = glm_##slot##_sve256;
        GLM_SIMD_SLOTS(SET)
#undef SET
        k->qmatmul = has_i8mm ? glm_qmatmul_svei8mm256 : glm_qmatmul_sve256;
    } else if (bytes == 64) {
#define SET(slot) k->slot = glm_##slot##_sve512;
        GLM_SIMD_SLOTS(SET)
#undef SET
        k->qmatmul = has_i8mm ? glm_qmatmul_svei8mm512 : glm_qmatmul_sve512;
    }
}

void glm_kernels_init(glm_kernels *k, glm_isa isa)
{
    k->isa = isa;
    init_scalar(k);
    if (isa >= GLM_ISA_NEON)
        init_neon(k);
    if (isa == GLM_ISA_DOTPROD)
        k->qmatmul = glm_qmatmul_dotprod;
    if (isa == GLM_ISA_I8MM)
        k->qmatmul = glm_qmatmul_i8mm;
    if (isa == GLM_ISA_SVE || isa == GLM_ISA_SVEI8MM)
        init_sve(k, glm_cpu_detect().sve_bytes, isa == GLM_ISA_SVEI8MM);
}

#else

void glm_kernels_init(glm_kernels *k, glm_isa isa)
{
    k->isa = isa;
    init_scalar(k);
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
    const glm_cpu cpu = glm_cpu_detect(); /* has nothing of another architecture */
    switch (isa) {
    case GLM_ISA_SCALAR:
        return true;
    case GLM_ISA_AVX2:
        return cpu.has_avx2;
    case GLM_ISA_AVXVNNI:
        return cpu.has_avxvnni;
    case GLM_ISA_AVX512:
        return cpu.has_avx512;
    case GLM_ISA_AVX512VNNI:
        return cpu.has_avx512vnni;
    case GLM_ISA_AMX:
        return cpu.has_amx && glm_cpu_allow_amx();
    case GLM_ISA_NEON:
        return cpu.has_neon;
    case GLM_ISA_DOTPROD:
        return cpu.has_dotprod;
    case GLM_ISA_I8MM:
        return cpu.has_i8mm;
    case GLM_ISA_SVE:
        return cpu.has_sve;
    case GLM_ISA_SVEI8MM:
        return cpu.has_svei8mm;
    case GLM_ISA_COUNT:
        break;
    }
    return false;
}

glm_isa glm_kernels_best_isa(void)
{
    int isa = GLM_ISA_COUNT - 1;
    while (isa == GLM_ISA_AMX || !glm_isa_is_usable((glm_isa)isa))
        isa--;
    return (glm_isa)isa;
}
