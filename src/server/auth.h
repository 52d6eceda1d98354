// SPDX-License-Identifier: MIT
/* Who may ask: keys, and the Host and Origin that a browser led astray would send. */
#ifndef GLM_SERVER_AUTH_H
#define GLM_SERVER_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glm/error.h"

typedef struct glm_key {
    char sha256[65];
    uint64_t owner; /* never 0; the same after a restart */
    uint32_t n_active;
} glm_key;

typedef struct glm_auth {
    glm_key *keys; /* [n_keys]; none: everybody may */
    size_t n_keys;
} glm_auth;

/**
 * Read a key file: a key a line, 8 to 512 printable characters without blanks; empty lines and those that begin with # do not
 * count. Replaces *auth only on success. GLM_EIO, GLM_EFORMAT (no key, a bad line; never with its text), GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_auth_read(glm_auth *auth, const char *path, glm_error *err);
void glm_auth_deinit(glm_auth *auth);

/** The key with this text, or NULL; takes the same time for every key. */
glm_key *glm_auth_find(const glm_auth *auth, const char *key);
/** The key of an owner, or NULL. */
glm_key *glm_auth_of_owner(const glm_auth *auth, uint64_t owner);

/** A Host header that names this machine by an address or as localhost: DNS rebinding cannot forge those. */
bool glm_auth_host_is_local(const char *host, const char *listening_on);
/** An Origin of this machine, or of the host the request is for. */
bool glm_auth_origin_is_fine(const char *origin, const char *host);
/** An address of this machine's own loopback interface. */
bool glm_auth_is_loopback(const char *address);

#endif
