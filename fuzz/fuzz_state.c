// SPDX-License-Identifier: MIT
/*
 * engine/state_file: head, table and pages of a state file. A random file would never have the right hashes, so the first
 * byte says whether they are put right before it is read; then counts and sizes are all that protects the reader.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/hash.h"
#include "engine/state_file.h"
#include "must.h"

#define PAGE_BYTES 32u
#define HEAD_BYTES 112u
#define ENTRY_BYTES (GLM_KV_PAGE_TOKENS * 4u + 8u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a writer would have hashed head and table, as far as they are there. */
static void mend(unsigned char *file, size_t size)
{
    uint64_t n_page, hash;
    memcpy(&n_page, file + 96, 8);
    if (n_page > (size - HEAD_BYTES) / ENTRY_BYTES)
        return;
    hash = glm_hash64(file + HEAD_BYTES, (size_t)n_page * ENTRY_BYTES, glm_hash64(file, 104, 0));
    memcpy(file + 104, &hash, 8);
}

static void read_all(const glm_file *file, const glm_state_binding *binding)
{
    glm_error err = {0};
    glm_state_head head;
    unsigned char page[PAGE_BYTES];
    glm_status st = glm_state_read_head(&head, file, binding, &err);
    MUST(st == GLM_OK || (err.status == st && err.text[0]));
    for (uint32_t i = 0; st == GLM_OK && i < head.n_page; i++) {
        glm_status read =
            glm_state_read_page(page, file, head.data, PAGE_BYTES, i, head.hash[i], &err);
        MUST(read == GLM_OK || read == GLM_EFORMAT);
        MUST(head.data + (uint64_t)(i + 1) * PAGE_BYTES <= file->size_bytes);
    }
    glm_state_head_deinit(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 20)
        return 0;
    const size_t n = size - 1;
    glm_state_binding binding = {.page_bytes = PAGE_BYTES};
    glm_file file = {
        .fd = memfd_create("state", MFD_CLOEXEC), .path = (char[]){"x.state"}, .size_bytes = n};
    unsigned char *copy = malloc(n + 1);
    MUST(file.fd >= 0 && copy);
    memcpy(copy, data + 1, n);
    if (data[0] & 1 && n >= HEAD_BYTES) {
        memcpy(binding.id.bytes, copy + 24, 32);
        mend(copy, n);
    }
    MUST(write(file.fd, copy, n) == (ssize_t)n);
    read_all(&file, &binding);
    free(copy);
    close(file.fd);
    return 0;
}
