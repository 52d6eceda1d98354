// SPDX-License-Identifier: MIT
/* An importance matrix: the file of the input is opened, and every entry asked for in right and wrong shapes. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convert/imatrix.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(glm_imatrix *m, const char *name, uint32_t n_stack, uint32_t n_cols)
{
    glm_imatrix_entry e;
    glm_error err;
    glm_status st = glm_imatrix_get(m, name, n_stack, n_cols, &e, &err);
    MUST(st == GLM_OK || st == GLM_EFORMAT || st == GLM_ENOMEM);
    if (st != GLM_OK || !e.weight.value)
        return;
    const size_t n = (size_t)(e.weight.is_shared ? 1 : n_stack) * n_cols;
    for (size_t i = 0; i < n; i++)
        MUST(e.weight.value[i] >= 0.0F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static FILE *file;
    if (!file) {
        int fd = memfd_create("imatrix", 0);
        MUST(fd >= 0 && (file = fdopen(fd, "w+b")) != NULL);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(ftruncate(fileno(file), 0) == 0 && pwrite(fileno(file), data, size, 0) == (ssize_t)size);
    glm_imatrix *m = NULL;
    glm_error err = {0};
    glm_status st = glm_imatrix_open(&m, path, &err);
    if (st != GLM_OK) {
        MUST(err.status == st && err.text[0] && !m);
        return 0;
    }
    glm_imatrix_facts facts;
    glm_imatrix_get_facts(m, &facts);
    MUST(facts.n_entries > 0);
    (void)glm_imatrix_digest(m);
    look_up(m, "a", 3, 2);
    look_up(m, "a", 1, 6);
    look_up(m, "a", 6, 1);
    look_up(m, "a", 2, 6);
    look_up(m, "", 1, 1);
    glm_imatrix_close(m);
    return 0;
}
