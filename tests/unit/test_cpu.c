// SPDX-License-Identifier: MIT
/* Processors that are not here: bits of CPUID as vendors document them, any name in leaf 0. */
#include <string.h>

#include "cmocka_all.h"
#include "core/cpu.h"

/* Leaf 1, ecx. */
enum { FMA = 1 << 12, OSXSAVE = 1 << 27, AVX = 1 << 28, F16C = 1 << 29 };
#define LEAF1_AVX (FMA | OSXSAVE | AVX | F16C)
/* Leaf 7, ebx, ecx; part 1, eax; leaf 7, edx. */
#define AVX2 (1U << 5)
#define BMI2 (1U << 8)
#define AVX512_F (1U << 16)
#define AVX512_DQ (1U << 17)
#define AVX512_BW (1U << 30)
#define AVX512_VL (1U << 31)
#define AVX512_ALL (AVX512_F | AVX512_DQ | AVX512_BW | AVX512_VL)
#define AVX512_VNNI (1U << 11)
#define AVX_VNNI (1U << 4)
#define AMX_TILE (1U << 24)
#define AMX_ALL (AMX_TILE | 1U << 25)

typedef struct fake {
    const char *name;
    char vendor[13];
    uint32_t top_leaf, leaf1_ecx, leaf7_top, leaf7_ebx, leaf7_ecx, leaf7_1_eax;
    uint64_t xcr0;
    glm_cpu has;
    uint32_t leaf7_edx;
} fake;

static const fake fakes[] = {
    {"Hygon Dhyana: AVX2 under a vendor that compilers' runtimes do not know",
     "HygonGenuine",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2 | BMI2,
     0,
     0,
     7,
     {.has_avx2 = true},
     0},
    {"Zhaoxin KX-7000: likewise",
     "  Shanghai  ",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2 | BMI2,
     0,
     0,
     7,
     {.has_avx2 = true},
     0},
    {"VIA's name on the same",
     "CentaurHauls",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2,
     0,
     0,
     7,
     {.has_avx2 = true},
     0},
    {"Zhaoxin KX-6000: AVX2 without FMA",
     "  Shanghai  ",
     13,
     OSXSAVE | AVX | F16C,
     0,
     AVX2,
     0,
     0,
     7,
     {0},
     0},
    {"a vendor nobody has heard of",
     "............",
     32,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2,
     0,
     0,
     7,
     {.has_avx2 = true},
     0},
    {"a Haswell whose system saves no upper halves",
     "GenuineIntel",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2,
     0,
     0,
     3,
     {0},
     0},
    {"a system without XSAVE: XCR0 must not be asked for",
     "GenuineIntel",
     13,
     FMA | AVX | F16C,
     0,
     AVX2,
     0,
     0,
     7,
     {0},
     0},
    {"leaf 7 above the highest: what it says is another leaf's",
     "GenuineIntel",
     6,
     (uint32_t)LEAF1_AVX,
     0,
     0xffffffff,
     0,
     0,
     7,
     {0},
     0},
    {"part 1 of leaf 7 above the highest",
     "GenuineIntel",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2,
     0,
     0xffffffff,
     7,
     {.has_avx2 = true},
     0},
    {"Alder Lake",
     "GenuineIntel",
     32,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2,
     0,
     AVX_VNNI,
     7,
     {.has_avx2 = true, .has_avxvnni = true},
     0},
    {"Skylake-X",
     "GenuineIntel",
     22,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2 | BMI2 | AVX512_ALL,
     0,
     0,
     0xe7,
     {.has_avx2 = true, .has_avx512 = true},
     0},
    {"Knights Landing: AVX-512 without BW and VL",
     "GenuineIntel",
     13,
     (uint32_t)LEAF1_AVX,
     0,
     AVX2 | BMI2 | AVX512_F,
     0,
     0,
     0xe7,
     {.has_avx2 = true},
     0},
    {"Zen 4",
     "AuthenticAMD",
     16,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2 | AVX512_ALL,
     AVX512_VNNI,
     0,
     0xe7,
     {.has_avx2 = true, .has_avx512 = true, .has_avx512vnni = true},
     0},
    {"Zen 4 whose system saves no mask registers",
     "AuthenticAMD",
     16,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2 | AVX512_ALL,
     AVX512_VNNI,
     0,
     0xc7,
     {.has_avx2 = true},
     0},
    {"Sapphire Rapids",
     "GenuineIntel",
     32,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2 | AVX512_ALL,
     AVX512_VNNI,
     AVX_VNNI,
     0x600e7,
     {.has_avx2 = true,
      .has_avxvnni = true,
      .has_avx512 = true,
      .has_avx512vnni = true,
      .has_amx = true},
     AMX_ALL},
    {"Sapphire Rapids whose system saves no tiles",
     "GenuineIntel",
     32,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2 | AVX512_ALL,
     AVX512_VNNI,
     AVX_VNNI,
     0xe7,
     {.has_avx2 = true, .has_avxvnni = true, .has_avx512 = true, .has_avx512vnni = true},
     AMX_ALL},
    {"tiles without products of bytes",
     "GenuineIntel",
     32,
     (uint32_t)LEAF1_AVX,
     1,
     AVX2 | BMI2 | AVX512_ALL,
     AVX512_VNNI,
     0,
     0x600e7,
     {.has_avx2 = true, .has_avx512 = true, .has_avx512vnni = true},
     AMX_TILE},
};

static void fake_cpuid(void *data, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const fake *f = data;
    memset(out, 0, 16);
    if (leaf == 0) {
        out[0] = f->top_leaf;
        memcpy(&out[1], f->vendor, 4);
        memcpy(&out[3], f->vendor + 4, 4);
        memcpy(&out[2], f->vendor + 8, 4);
    } else if (leaf == 1)
        out[2] = f->leaf1_ecx;
    else if (leaf == 7 && subleaf == 0) {
        out[0] = f->leaf7_top;
        out[1] = f->leaf7_ebx;
        out[2] = f->leaf7_ecx;
        out[3] = f->leaf7_edx;
    } else if (leaf == 7 && subleaf == 1)
        out[0] = f->leaf7_1_eax;
}

static uint64_t fake_xcr0(void *data)
{
    const fake *f = data;
    assert_true((f->leaf1_ecx & OSXSAVE) != 0); /* the instruction would be undefined */
    return f->xcr0;
}

static void only_bits_decide_on_x86(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fakes / sizeof fakes[0]; i++) {
        fake f = fakes[i];
        glm_cpu_x86 x86 = {fake_cpuid, fake_xcr0, &f};
        glm_cpu cpu = glm_cpu_of_x86(&x86);
        if (memcmp(&cpu, &f.has, sizeof cpu) != 0)
            fail_msg("%s: avx2 %d avxvnni %d avx512 %d avx512vnni %d amx %d", f.name, cpu.has_avx2,
                     cpu.has_avxvnni, cpu.has_avx512, cpu.has_avx512vnni, cpu.has_amx);
    }
}

static void levels_of_arm_build_on_each_other(void **state)
{
    (void)state;
    const uint64_t asimd = 1U << 1, asimddp = 1U << 20, sve = 1U << 22, i8mm = 1U << 13,
                   svei8mm = 1U << 9;
    glm_cpu cpu = glm_cpu_of_arm(asimd, 0, 0);
    assert_true(cpu.has_neon && !cpu.has_dotprod && !cpu.has_i8mm);
    cpu = glm_cpu_of_arm(asimd | asimddp, 0, 0);
    assert_true(cpu.has_dotprod && !cpu.has_i8mm);
    cpu = glm_cpu_of_arm(asimd | asimddp, i8mm, 0);
    assert_true(cpu.has_i8mm);
    cpu = glm_cpu_of_arm(asimd, i8mm, 0);
    assert_true(cpu.has_neon && !cpu.has_i8mm);
    cpu = glm_cpu_of_arm(asimddp, i8mm, 0);
    assert_true(!cpu.has_neon && !cpu.has_dotprod && !cpu.has_i8mm);

    cpu = glm_cpu_of_arm(asimd | sve, 0,
                         64); /* A64FX: neither dot products of bytes in NEON nor matrices */
    assert_true(cpu.has_neon && cpu.has_sve && !cpu.has_dotprod && !cpu.has_svei8mm);
    cpu = glm_cpu_of_arm(asimd | asimddp | sve, i8mm | svei8mm, 32); /* Neoverse V1 */
    assert_true(cpu.has_i8mm && cpu.has_sve && cpu.has_svei8mm && cpu.sve_bytes == 32);
    cpu = glm_cpu_of_arm(asimd | asimddp | sve, i8mm | svei8mm, 16); /* Neoverse V2 */
    assert_true(cpu.has_i8mm && !cpu.has_sve && !cpu.has_svei8mm);
    cpu = glm_cpu_of_arm(asimd | sve, svei8mm, 128); /* a length that no code was compiled for */
    assert_true(!cpu.has_sve && !cpu.has_svei8mm);
    cpu = glm_cpu_of_arm(asimd | asimddp, svei8mm, 64);
    assert_true(!cpu.has_sve && !cpu.has_svei8mm && cpu.sve_bytes == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_bits_decide_on_x86),
        cmocka_unit_test(levels_of_arm_build_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
