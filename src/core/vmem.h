// SPDX-License-Identifier: MIT
/*
 * Address space that costs memory only where it is written: the cache's pool of pages.
 */
#ifndef GLM_CORE_VMEM_H
#define GLM_CORE_VMEM_H

#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

/** Reserve zeroed, page-aligned memory that is taken from the system when first written. GLM_ENOMEM when refused. */
GLM_MUST_CHECK glm_status glm_vmem_reserve(void **out, size_t size_bytes, glm_error *err);

/** Give it back. NULL is fine. */
void glm_vmem_release(void *memory, size_t size_bytes);

/**
 * Bytes of the mappings that [memory, memory + size_bytes) lies in that are in this process's memory now, and of those the
 * bytes in large pages (Linux: FilePmdMapped and AnonHugePages of /proc/self/smaps). Adds to both; adds nothing where that is
 * not known. Takes as long as the kernel needs to look at every page.
 */
void glm_vmem_residency(const void *memory, size_t size_bytes, uint64_t *resident, uint64_t *large);

/** Bytes of memory the system could give now without swapping, the limit of this process's control group considered;
 * 0 when unknown. */
uint64_t glm_vmem_available(void);

#endif
