// SPDX-License-Identifier: MIT
/*
 * The instructions on tiles that x86/qamx.h needs, by macros, as a tile's number is part of the instruction. Written out because the compiler's own
 * (gcc 12) do not say that they read memory. tests/kernels/amx_model.h has the same in plain C, for processors without them.
 */
#ifndef GLM_KERNELS_X86_AMX_H
#define GLM_KERNELS_X86_AMX_H

/* config: 64 bytes. */
#define AMX_CONFIGURE(config) __asm__ volatile("ldtilecfg (%0)" : : "r"(config) : "memory")
#define AMX_RELEASE() __asm__ volatile("tilerelease" : : : "memory")
#define AMX_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : : :)
/* Rows that lie stride bytes apart. */
#define AMX_LOAD(tile, p, stride)                                                                  \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(p), "r"(stride) : "memory")
#define AMX_STORE(tile, p, stride)                                                                 \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(p), "r"(stride) : "memory")
/* Tile c += bytes with sign of tile a times bytes without of tile b, four at a time. */
#define AMX_DOT_SU(c, a, b) __asm__ volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : :)

#endif
