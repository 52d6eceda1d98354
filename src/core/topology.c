// SPDX-License-Identifier: MIT
#include "core/topology.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The lowest processor that shares a core with `cpu` ("0,4" or "0-1" in sysfs); cpu itself when unknown. */
static unsigned core_of(unsigned cpu)
{
    char path[96], text[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
    if (!read_text(path, text, sizeof text))
        return cpu;
    return (unsigned)strtoul(text, NULL, 10);
}

/* Whole processors that one cpu.max grants ("max 100000", "150000 100000"), or UINT32_MAX. */
static uint32_t quota_of(const char *path)
{
    char text[64], *end;
    if (!read_text(path, text, sizeof text) || text[0] == 'm')
        return UINT32_MAX;
    unsigned long long used = strtoull(text, &end, 10);
    unsigned long long period = strtoull(end, NULL, 10);
    if (!used || !period)
        return UINT32_MAX;
    unsigned long long n = used / period + (used % period != 0);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* The least that the control groups of this process (version 2) grant, from its own up to the root: each bounds
 * those below it. */
static uint32_t quota(void)
{
    char groups[4096], path[4096 + 64];
    if (!read_text("/proc/self/cgroup", groups, sizeof groups))
        return quota_of("/sys/fs/cgroup/cpu.max");
    char *group = strncmp(groups, "0::/", 4) == 0 ? groups : strstr(groups, "\n0::/");
    if (!group)
        return UINT32_MAX;
    group += group[0] == '\n' ? 4 : 3;
    group[strcspn(group, "\n")] = '\0';
    uint32_t least = UINT32_MAX;
    for (;;) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        uint32_t granted = quota_of(path);
        least = granted < least ? granted : least;
        char *last = strrchr(group, '/');
        if (!last)
            return least;
        *last = '\0';
    }
}

uint32_t glm_topology_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    uint32_t n = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        /* Count a core at its first processor in the mask. */
        unsigned core = core_of(cpu);
        bool is_first = true;
        for (unsigned other = core; other < cpu && is_first; other++)
            is_first = !(CPU_ISSET(other, &set) && core_of(other) == core);
        n += is_first;
    }
    uint32_t granted = quota();
    n = n < granted ? n : granted;
    return n ? n : 1;
}
