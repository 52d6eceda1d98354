// SPDX-License-Identifier: MIT
#include "core/vmem.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

glm_status glm_vmem_reserve(void **out, size_t size_bytes, glm_error *err)
{
    if (size_bytes == 0)
        size_bytes = 1;
    void *memory = size_bytes >= PTRDIFF_MAX
                       ? MAP_FAILED
                       : mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return glm_fail(err, GLM_ENOMEM, "%zu bytes of address space refused", size_bytes);
    (void)madvise(memory, size_bytes, MADV_HUGEPAGE); /* a wish: kernels without it say no */
    *out = memory;
    return GLM_OK;
}

void glm_vmem_release(void *memory, size_t size_bytes)
{
    if (memory)
        munmap(memory, size_bytes ? size_bytes : 1);
}

void glm_vmem_residency(const void *memory, size_t size_bytes, uint64_t *resident, uint64_t *large)
{
    static const char path[] = "/proc/self/smaps";
    const uintptr_t begin = (uintptr_t)memory, end = begin + size_bytes;
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    bool is_ours = false;
    while (file && getline(&line, &capacity, file) > 0) {
        char *rest;
        uintptr_t first = strtoul(line, &rest, 16);
        if (*rest == '-') {
            is_ours = first < end && strtoul(rest + 1, NULL, 16) > begin;
            continue;
        }
        const char *value = strchr(line, ':');
        if (!is_ours || !value)
            continue;
        uint64_t bytes = strtoull(value + 1, NULL, 10) * 1024;
        if (strncmp(line, "Rss:", 4) == 0)
            *resident += bytes;
        else if (strncmp(line, "FilePmdMapped:", 14) == 0 ||
                 strncmp(line, "AnonHugePages:", 14) == 0)
            *large += bytes;
    }
    free(line);
    if (file)
        fclose(file);
}

/* The first `size`-1 bytes of a small file of the kernel; false when it cannot be read. */
static int read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Room left in this process's control group (version 2); UINT64_MAX when there is no limit. */
static uint64_t group_room(void)
{
    char text[4096], path[4200], value[64];
    if (!read_text("/proc/self/cgroup", text, sizeof text))
        return UINT64_MAX;
    char *group = strstr(text, "0::");
    if (!group)
        return UINT64_MAX;
    group += 3;
    group[strcspn(group, "\n")] = '\0';
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
    if (!read_text(path, value, sizeof value) || value[0] == 'm')
        return UINT64_MAX;
    uint64_t limit = strtoull(value, NULL, 10);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", group);
    uint64_t used = read_text(path, value, sizeof value) ? strtoull(value, NULL, 10) : 0;
    return limit > used ? limit - used : 0;
}

uint64_t glm_vmem_available(void)
{
    char text[4096];
    if (!read_text("/proc/meminfo", text, sizeof text))
        return 0;
    const char *line = strstr(text, "MemAvailable:");
    uint64_t system = line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
    uint64_t group = group_room();
    return system < group ? system : group;
}
