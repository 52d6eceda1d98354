// SPDX-License-Identifier: MIT
#include "core/cpu.h"

#if defined __x86_64__

#include <cpuid.h>
#include <stdint.h>

/* Intel SDM vol. 2A, CPUID; vol. 1, 13.3 (state components 1, 2: SSE, AVX; 5, 6, 7: AVX-512). */
enum { STATE_AVX = 0x06, STATE_AVX512 = 0xe6 };

static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

glm_cpu glm_cpu_detect(void)
{
    glm_cpu cpu = {0};
    uint32_t a, b, c, d, b7, c7, d7;
    const uint32_t fma = 1U << 12, osxsave = 1U << 27, avx = 1U << 28, f16c = 1U << 29;
    if (!__get_cpuid(1, &a, &b, &c, &d) ||
        (c & (fma | osxsave | avx | f16c)) != (fma | osxsave | avx | f16c))
        return cpu;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
        return cpu;
    const uint32_t avx2 = 1U << 5, avx512_f_dq_bw_vl = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;
    uint64_t saved = saved_state();
    cpu.has_avx2 = (b7 & avx2) && (saved & STATE_AVX) == STATE_AVX;
    cpu.has_avx512 = cpu.has_avx2 && (b7 & avx512_f_dq_bw_vl) == avx512_f_dq_bw_vl &&
                     (saved & STATE_AVX512) == STATE_AVX512;
    uint32_t a1, b1, c1, d1;
    const uint32_t avx_vnni = 1U << 4;
    cpu.has_avxvnni =
        cpu.has_avx2 && __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) && (a1 & avx_vnni);
    const uint32_t bmi2 = 1U << 8, avx512_vnni = 1U << 11;
    cpu.has_avx512vnni = cpu.has_avx512 && (b7 & bmi2) && (c7 & avx512_vnni);
    return cpu;
}

#elif defined __aarch64__

#include <sys/auxv.h>

glm_cpu glm_cpu_detect(void)
{
    /* Linux, arch/arm64/include/uapi/asm/hwcap.h */
    const unsigned long asimd = 1UL << 1, asimddp = 1UL << 20, has = getauxval(AT_HWCAP);
    return (glm_cpu){.has_neon = (has & asimd) != 0,
                     .has_dotprod = (has & asimd) && (has & asimddp)};
}

#else

glm_cpu glm_cpu_detect(void)
{
    return (glm_cpu){0};
}

#endif
