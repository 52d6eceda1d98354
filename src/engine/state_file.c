// SPDX-License-Identifier: MIT
#include "engine/state_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file_out.h"
#include "core/hash.h"
#include "core/mem.h"

#define HEAD_BYTES 112u
#define HASHED_BYTES 104u /* of the head, before its hash */
#define TOKENS_BYTES (GLM_KV_PAGE_TOKENS * sizeof(int32_t))
#define ENTRY_BYTES (TOKENS_BYTES + sizeof(uint64_t))
#define ALIGNMENT 4096u
#define PAGES_MAX (1u << 24)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are copied as they lie in files");

/* ---- Ids ---- */

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

glm_status glm_state_id_of(glm_state_id *out, const void *data, size_t size, glm_error *err)
{
    glm_sha256 *sha;
    char hex[65];
    glm_status st = glm_sha256_create(&sha, err);
    if (st != GLM_OK)
        return st;
    glm_sha256_update(sha, data, size);
    st = glm_sha256_finish(sha, hex, err);
    for (size_t i = 0; st == GLM_OK && i < sizeof out->bytes; i++)
        out->bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return st;
}

glm_status glm_state_page_id(glm_state_id *out, const glm_state_id *parent, uint64_t domain,
                             const int32_t *tokens, glm_error *err)
{
    unsigned char bytes[sizeof parent->bytes + sizeof domain + TOKENS_BYTES];
    memcpy(bytes, parent->bytes, sizeof parent->bytes);
    memcpy(bytes + sizeof parent->bytes, &domain, sizeof domain);
    memcpy(bytes + sizeof parent->bytes + sizeof domain, tokens, TOKENS_BYTES);
    return glm_state_id_of(out, bytes, sizeof bytes, err);
}

/* ---- Head and table as bytes ---- */

static uint64_t data_offset(uint32_t n_page)
{
    uint64_t end = HEAD_BYTES + (uint64_t)n_page * ENTRY_BYTES;
    return (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Of head and table as they lie in the file, without the hash itself. */
static uint64_t hash_head(const unsigned char *bytes, uint32_t n_page)
{
    return glm_hash64(bytes + HEAD_BYTES, (size_t)n_page * ENTRY_BYTES,
                      glm_hash64(bytes, HASHED_BYTES, 0));
}

static void put_head(unsigned char *bytes, const glm_state_binding *binding,
                     const glm_state_run *run)
{
    const uint32_t version = GLM_STATE_VERSION, n_token = GLM_KV_PAGE_TOKENS;
    const uint64_t n_page = run->n_page;
    memcpy(bytes, "GLMSTATE", 8);
    memcpy(bytes + 8, &version, 4);
    memcpy(bytes + 12, &n_token, 4);
    memcpy(bytes + 16, &binding->page_bytes, 8);
    memcpy(bytes + 24, binding->id.bytes, 32);
    memcpy(bytes + 56, run->parent.bytes, 32);
    memcpy(bytes + 88, &run->domain, 8);
    memcpy(bytes + 96, &n_page, 8);
    unsigned char *entry = bytes + HEAD_BYTES;
    for (uint32_t i = 0; i < run->n_page; i++, entry += ENTRY_BYTES) {
        uint64_t hash = glm_hash64(run->data[i], binding->page_bytes, 0);
        memcpy(entry, run->tokens + (size_t)i * GLM_KV_PAGE_TOKENS, TOKENS_BYTES);
        memcpy(entry + TOKENS_BYTES, &hash, sizeof hash);
    }
    uint64_t hash = hash_head(bytes, run->n_page);
    memcpy(bytes + HASHED_BYTES, &hash, sizeof hash);
}

glm_status glm_state_write(const char *path, const glm_state_binding *binding,
                           const glm_state_run *run, glm_error *err)
{
    const uint64_t first = data_offset(run->n_page);
    glm_file_out out = GLM_FILE_OUT_NONE;
    unsigned char *head = glm_new_array(unsigned char, first);
    if (!head)
        return glm_fail(err, GLM_ENOMEM, "%s: no memory for the table", path);
    put_head(head, binding, run);
    glm_status st = glm_file_out_create(&out, path, false, err);
    if (st == GLM_OK && fchmod(out.fd, 0600) != 0) /* it holds what users wrote */
        st = glm_fail(err, GLM_EIO, "%s: its mode cannot be set (error %d)", path, errno);
    if (st == GLM_OK)
        st = glm_file_out_resize(&out, first + run->n_page * binding->page_bytes, err);
    if (st == GLM_OK)
        st = glm_file_out_write_at(&out, head, first, 0, err);
    for (uint32_t i = 0; i < run->n_page && st == GLM_OK; i++)
        st = glm_file_out_write_at(&out, run->data[i], binding->page_bytes,
                                   first + i * binding->page_bytes, err);
    if (st == GLM_OK)
        st = glm_file_out_commit(&out, err);
    glm_file_out_abandon(&out);
    free(head);
    return st;
}

/* ---- Reading ---- */

static glm_status check_head(const unsigned char *head, const glm_file *file,
                             const glm_state_binding *binding, uint64_t *n_page, glm_error *err)
{
    uint32_t version, n_token;
    uint64_t page_bytes;
    memcpy(&version, head + 8, 4);
    memcpy(&n_token, head + 12, 4);
    memcpy(&page_bytes, head + 16, 8);
    memcpy(n_page, head + 96, 8);
    if (memcmp(head, "GLMSTATE", 8) != 0)
        return glm_fail(err, GLM_EFORMAT, "%s: no state file", file->path);
    if (version != GLM_STATE_VERSION)
        return glm_fail(err, GLM_EUNSUPP, "%s: expected version %u, got %u", file->path,
                        GLM_STATE_VERSION, version);
    if (memcmp(head + 24, binding->id.bytes, 32) != 0 || n_token != GLM_KV_PAGE_TOKENS ||
        page_bytes != binding->page_bytes)
        return glm_fail(err, GLM_EUNSUPP, "%s: written for another model or other settings",
                        file->path);
    if (!*n_page || *n_page > PAGES_MAX ||
        (file->size_bytes - HEAD_BYTES) / (page_bytes + ENTRY_BYTES) < *n_page)
        return glm_fail(err, GLM_EFORMAT, "%s: %llu pages do not fit into %llu bytes", file->path,
                        (unsigned long long)*n_page, (unsigned long long)file->size_bytes);
    uint64_t size = data_offset((uint32_t)*n_page) + *n_page * page_bytes;
    if (file->size_bytes != size)
        return glm_fail(err, GLM_EFORMAT, "%s: expected %llu bytes, got %llu", file->path,
                        (unsigned long long)size, (unsigned long long)file->size_bytes);
    return GLM_OK;
}

static glm_status take_table(glm_state_head *out, const unsigned char *bytes, uint32_t n_page,
                             const glm_file *file, glm_error *err)
{
    uint64_t hash;
    memcpy(&hash, bytes + HASHED_BYTES, sizeof hash);
    if (hash != hash_head(bytes, n_page))
        return glm_fail(err, GLM_EFORMAT, "%s: the table is damaged", file->path);
    out->tokens = glm_new_array(int32_t, (size_t)n_page * GLM_KV_PAGE_TOKENS);
    out->hash = glm_new_array(uint64_t, n_page);
    if (!out->tokens || !out->hash)
        return glm_fail(err, GLM_ENOMEM, "%s: no memory for the table", file->path);
    memcpy(out->parent.bytes, bytes + 56, 32);
    memcpy(&out->domain, bytes + 88, 8);
    out->n_page = n_page;
    out->data = data_offset(n_page);
    const unsigned char *entry = bytes + HEAD_BYTES;
    for (uint32_t i = 0; i < n_page; i++, entry += ENTRY_BYTES) {
        memcpy(out->tokens + (size_t)i * GLM_KV_PAGE_TOKENS, entry, TOKENS_BYTES);
        memcpy(&out->hash[i], entry + TOKENS_BYTES, sizeof *out->hash);
    }
    return GLM_OK;
}

glm_status glm_state_read_head(glm_state_head *out, const glm_file *file,
                               const glm_state_binding *binding, glm_error *err)
{
    unsigned char head[HEAD_BYTES], *bytes = NULL;
    uint64_t n_page;
    *out = (glm_state_head){0};
    if (file->size_bytes < HEAD_BYTES)
        return glm_fail(err, GLM_EFORMAT, "%s: no state file", file->path);
    glm_status st = glm_file_read_at(file, head, sizeof head, 0, err);
    if (st == GLM_OK)
        st = check_head(head, file, binding, &n_page, err);
    if (st != GLM_OK)
        return st;
    size_t size = HEAD_BYTES + (size_t)n_page * ENTRY_BYTES;
    bytes = glm_new_array(unsigned char, size);
    if (!bytes)
        return glm_fail(err, GLM_ENOMEM, "%s: no memory for the table", file->path);
    st = glm_file_read_at(file, bytes, size, 0, err);
    if (st == GLM_OK)
        st = take_table(out, bytes, (uint32_t)n_page, file, err);
    if (st != GLM_OK)
        glm_state_head_deinit(out);
    free(bytes);
    return st;
}

void glm_state_head_deinit(glm_state_head *head)
{
    free(head->tokens);
    free(head->hash);
    *head = (glm_state_head){0};
}

glm_status glm_state_read_page(void *data, const glm_file *file, uint64_t first,
                               uint64_t page_bytes, uint32_t i, uint64_t hash, glm_error *err)
{
    glm_status st = glm_file_read_at(file, data, page_bytes, first + i * page_bytes, err);
    if (st != GLM_OK)
        return st;
    if (glm_hash64(data, page_bytes, 0) != hash)
        return glm_fail(err, GLM_EFORMAT, "%s: page %u is damaged", file->path, i);
    return GLM_OK;
}
