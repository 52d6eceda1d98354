// SPDX-License-Identifier: MIT
/*
 * What this processor and operating system can run, asked of the hardware itself (CPUID and XGETBV on x86, HWCAP on Arm)
 * and not of a compiler's runtime, which knows some vendors only.
 */
#ifndef GLM_CORE_CPU_H
#define GLM_CORE_CPU_H

#include <stdbool.h>

typedef struct glm_cpu {
    bool has_avx2;       /* AVX2, FMA and F16C, and the system saves their registers */
    bool has_avxvnni;    /* and AVX-VNNI */
    bool has_avx512;     /* AVX2 and AVX-512 F, BW, VL, DQ likewise */
    bool has_avx512vnni; /* and AVX-512 VNNI, BMI2 */
    bool has_neon;       /* Advanced SIMD with float32 fused multiply-add */
    bool has_dotprod;    /* and dot products of bytes */
} glm_cpu;

/** Ask once and keep the answer: cheap, but not free. */
glm_cpu glm_cpu_detect(void);

#endif
