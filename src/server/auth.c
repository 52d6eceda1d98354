// SPDX-License-Identifier: MIT
#include "server/auth.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"

#define KEY_FILE_MAX ((size_t)1 << 20)
#define KEYS_MAX 4096u
#define KEY_MIN 8u
#define KEY_MAX 512u

static glm_status digest(char hex[65], const char *key, size_t length, glm_error *err)
{
    glm_sha256 *sha;
    glm_status st = glm_sha256_create(&sha, err);
    if (st != GLM_OK)
        return st;
    glm_sha256_update(sha, key, length);
    return glm_sha256_finish(sha, hex, err);
}

static bool is_key(const char *line, size_t length)
{
    if (length < KEY_MIN || length > KEY_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (line[i] <= 0x20 || line[i] >= 0x7f)
            return false;
    return true;
}

static glm_status read_keys(glm_auth *auth, const char *text, const char *path, glm_error *err)
{
    size_t number = 0;
    for (const char *line = text; *line; number++) {
        size_t length = strcspn(line, "\n");
        const char *next = line + length + (line[length] == '\n');
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0 && line[0] != '#') {
            if (!is_key(line, length))
                return glm_fail(err, GLM_EFORMAT,
                                "%s: line %zu: expected a key of %u to %u printable characters",
                                path, number + 1, KEY_MIN, KEY_MAX);
            if (auth->n_keys == KEYS_MAX)
                return glm_fail(err, GLM_EFORMAT, "%s: expected at most %u keys", path, KEYS_MAX);
            glm_key *key = &auth->keys[auth->n_keys++];
            glm_status st = digest(key->sha256, line, length, err);
            if (st != GLM_OK)
                return st;
            key->owner = glm_hash64(line, length, 1) | 1;
        }
        line = next;
    }
    return auth->n_keys ? GLM_OK : glm_fail(err, GLM_EFORMAT, "%s: expected a key, got none", path);
}

glm_status glm_auth_read(glm_auth *auth, const char *path, glm_error *err)
{
    char *text = NULL;
    size_t size = 0;
    glm_auth read = {.keys = glm_new_array(glm_key, KEYS_MAX)};
    if (!read.keys)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    glm_status st = glm_file_read_path(&text, &size, path, KEY_FILE_MAX, err);
    if (st == GLM_OK && memchr(text, '\0', size))
        st = glm_fail(err, GLM_EFORMAT, "%s: expected text, got a zero byte", path);
    if (st == GLM_OK)
        st = read_keys(&read, text, path, err);
    if (text)
        explicit_bzero(text, size);
    free(text);
    if (st != GLM_OK) {
        glm_auth_deinit(&read);
        return st;
    }
    for (size_t i = 0; i < read.n_keys; i++) {
        const glm_key *old = glm_auth_of_owner(auth, read.keys[i].owner);
        read.keys[i].n_active = old ? old->n_active : 0;
    }
    glm_auth_deinit(auth);
    *auth = read;
    return GLM_OK;
}

void glm_auth_deinit(glm_auth *auth)
{
    free(auth->keys);
    *auth = (glm_auth){0};
}

glm_key *glm_auth_find(const glm_auth *auth, const char *key)
{
    char hex[65];
    if (digest(hex, key, strlen(key), NULL) != GLM_OK)
        return NULL;
    glm_key *found = NULL;
    for (size_t i = 0; i < auth->n_keys; i++) {
        unsigned difference = 0;
        for (size_t k = 0; k < 64; k++)
            difference |= (unsigned)(hex[k] ^ auth->keys[i].sha256[k]);
        if (difference == 0)
            found = &auth->keys[i];
    }
    return found;
}

glm_key *glm_auth_of_owner(const glm_auth *auth, uint64_t owner)
{
    for (size_t i = 0; i < auth->n_keys; i++)
        if (auth->keys[i].owner == owner)
            return &auth->keys[i];
    return NULL;
}

/* The name of "name:port" or "[address]:port", without brackets. */
static bool host_name(char *out, size_t size, const char *host)
{
    size_t length = strcspn(host, ":");
    if (host[0] == '[') {
        host++;
        length = strcspn(host, "]");
    }
    if (length == 0 || length >= size)
        return false;
    memcpy(out, host, length);
    out[length] = '\0';
    return true;
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

bool glm_auth_is_loopback(const char *address)
{
    return strcmp(address, "::1") == 0 || strcasecmp(address, "localhost") == 0 ||
           (strncmp(address, "127.", 4) == 0 && is_address(address));
}

bool glm_auth_host_is_local(const char *host, const char *listening_on)
{
    char name[256];
    if (!host_name(name, sizeof name, host))
        return false;
    size_t length = strlen(name);
    return is_address(name) || strcasecmp(name, "localhost") == 0 ||
           (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0) ||
           strcasecmp(name, listening_on) == 0;
}

bool glm_auth_origin_is_fine(const char *origin, const char *host)
{
    char from[256], to[256];
    const char *at = strstr(origin, "://");
    if (!at || !host_name(from, sizeof from, at + 3))
        return false;
    if (glm_auth_is_loopback(from))
        return true;
    return host && host_name(to, sizeof to, host) && strcasecmp(from, to) == 0;
}
