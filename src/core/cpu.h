// SPDX-License-Identifier: MIT
/*
 * What this processor and operating system can run, asked of the hardware itself (CPUID and XGETBV on x86, HWCAP on Arm)
 * and not of a compiler's runtime, which knows some vendors only. Vendors and model numbers play no part.
 *
 * The answers are made by pure functions of what the hardware says, which tests feed with processors that are not here.
 */
#ifndef GLM_CORE_CPU_H
#define GLM_CORE_CPU_H

#include <stdbool.h>
#include <stdint.h>

typedef struct glm_cpu {
    bool has_avx2;       /* AVX2, FMA and F16C, and the system saves their registers */
    bool has_avxvnni;    /* and AVX-VNNI */
    bool has_avx512;     /* AVX2 and AVX-512 F, BW, VL, DQ likewise */
    bool has_avx512vnni; /* and AVX-512 VNNI, BMI2 */
    bool has_amx;        /* and AMX-INT8; a process must ask for it: glm_cpu_allow_amx */
    bool has_neon;       /* Advanced SIMD with float32 fused multiply-add */
    bool has_dotprod;    /* and dot products of bytes */
    bool has_i8mm;       /* and products of matrices of bytes */
    bool has_sve;        /* SVE with vectors of 256 or 512 bits */
    bool has_svei8mm;    /* and products of matrices of bytes in them */
    uint32_t sve_bytes;  /* of a vector; 0 without SVE */
} glm_cpu;

/** Ask once and keep the answer: cheap, but not free. */
glm_cpu glm_cpu_detect(void);

/** Ask the system for AMX's registers on behalf of this process and threads it will make; whether they may be used. Cheap to repeat. */
bool glm_cpu_allow_amx(void);

/** What an x86 processor says: registers eax, ebx, ecx, edx of CPUID, and XCR0, which is asked for only where CPUID has OSXSAVE. */
typedef struct glm_cpu_x86 {
    void (*cpuid)(void *data, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    uint64_t (*xcr0)(void *data);
    void *data;
} glm_cpu_x86;

glm_cpu glm_cpu_of_x86(const glm_cpu_x86 *x86);

/**
 * What Linux says of a 64-bit Arm processor: AT_HWCAP and AT_HWCAP2, and the bytes of an SVE vector in this thread (threads made by it have the
 * same), looked at only where there is SVE.
 */
glm_cpu glm_cpu_of_arm(uint64_t hwcap, uint64_t hwcap2, uint32_t sve_bytes);

#endif
