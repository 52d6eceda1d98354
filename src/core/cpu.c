// SPDX-License-Identifier: MIT
#include "core/cpu.h"

/* Intel SDM vol. 2A, CPUID; vol. 1, 13.3 (state components 1, 2: SSE, AVX; 5, 6, 7: AVX-512; 17, 18: AMX). */
enum { STATE_AVX = 0x06, STATE_AVX512 = 0xe6, STATE_AMX = 0x60000 };
enum { EAX, EBX, ECX, EDX };

static bool has_bits(uint64_t word, uint64_t bits)
{
    return (word & bits) == bits;
}

glm_cpu glm_cpu_of_x86(const glm_cpu_x86 *x86)
{
    glm_cpu cpu = {0};
    uint32_t leaf0[4], leaf1[4], leaf7[4], leaf7_1[4] = {0};
    x86->cpuid(x86->data, 0, 0, leaf0);
    if (leaf0[EAX] < 7)
        return cpu;
    x86->cpuid(x86->data, 1, 0, leaf1);
    const uint32_t fma = 1U << 12, osxsave = 1U << 27, avx = 1U << 28, f16c = 1U << 29;
    if (!has_bits(leaf1[ECX], fma | osxsave | avx | f16c))
        return cpu;
    x86->cpuid(x86->data, 7, 0, leaf7);
    if (leaf7[EAX] >= 1) /* the highest part of leaf 7 */
        x86->cpuid(x86->data, 7, 1, leaf7_1);
    const uint64_t saved = x86->xcr0(x86->data);

    const uint32_t avx2 = 1U << 5, avx_vnni = 1U << 4;
    cpu.has_avx2 = has_bits(leaf7[EBX], avx2) && has_bits(saved, STATE_AVX);
    cpu.has_avxvnni = cpu.has_avx2 && has_bits(leaf7_1[EAX], avx_vnni);
    const uint32_t avx512_f_dq_bw_vl = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;
    const uint32_t bmi2 = 1U << 8, avx512_vnni = 1U << 11;
    cpu.has_avx512 =
        cpu.has_avx2 && has_bits(leaf7[EBX], avx512_f_dq_bw_vl) && has_bits(saved, STATE_AVX512);
    cpu.has_avx512vnni =
        cpu.has_avx512 && has_bits(leaf7[EBX], bmi2) && has_bits(leaf7[ECX], avx512_vnni);
    const uint32_t amx_tile_int8 = 1U << 24 | 1U << 25;
    cpu.has_amx =
        cpu.has_avx512vnni && has_bits(leaf7[EDX], amx_tile_int8) && has_bits(saved, STATE_AMX);
    return cpu;
}

glm_cpu glm_cpu_of_arm(uint64_t hwcap, uint64_t hwcap2, uint32_t sve_bytes)
{
    /* Linux, arch/arm64/include/uapi/asm/hwcap.h */
    const uint64_t asimd = 1U << 1, asimddp = 1U << 20, sve = 1U << 22, i8mm2 = 1U << 13,
                   svei8mm2 = 1U << 9;
    glm_cpu cpu = {.has_neon = has_bits(hwcap, asimd)};
    cpu.has_dotprod = cpu.has_neon && has_bits(hwcap, asimddp);
    cpu.has_i8mm = cpu.has_dotprod && has_bits(hwcap2, i8mm2);
    cpu.sve_bytes = cpu.has_neon && has_bits(hwcap, sve) ? sve_bytes : 0;
    cpu.has_sve = cpu.sve_bytes == 32 || cpu.sve_bytes == 64;
    cpu.has_svei8mm = cpu.has_sve && has_bits(hwcap2, svei8mm2);
    return cpu;
}

#if defined __x86_64__

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static void ask_cpuid(void *data, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)data;
    __cpuid_count(leaf, subleaf, out[EAX], out[EBX], out[ECX], out[EDX]);
}

static uint64_t ask_xcr0(void *data)
{
    uint32_t low, high;
    (void)data;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

glm_cpu glm_cpu_detect(void)
{
    return glm_cpu_of_x86(&(glm_cpu_x86){.cpuid = ask_cpuid, .xcr0 = ask_xcr0});
}

bool glm_cpu_allow_amx(void)
{
    /* Linux, Documentation/x86/xstate.rst: ARCH_REQ_XCOMP_PERM, component 18 (tile data). */
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return glm_cpu_detect().has_amx && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

#else

bool glm_cpu_allow_amx(void)
{
    return false;
}

#endif

#if defined __aarch64__

#include <sys/auxv.h>
#include <sys/prctl.h>

glm_cpu glm_cpu_detect(void)
{
    /* Linux, include/uapi/linux/prctl.h; an error where there is no SVE, which nobody looks at then. */
    enum { SVE_GET_LENGTH = 51, LENGTH_MASK = 0xffff };
    int length = prctl(SVE_GET_LENGTH, 0, 0, 0, 0);
    return glm_cpu_of_arm(getauxval(AT_HWCAP), getauxval(AT_HWCAP2),
                          length > 0 ? (uint32_t)length & LENGTH_MASK : 0);
}

#elif !defined __x86_64__

glm_cpu glm_cpu_detect(void)
{
    return (glm_cpu){0};
}

#endif
