// SPDX-License-Identifier: MIT
/* TLS for accepted connections, by OpenSSL under libevent; the only place that includes either's TLS headers. */
#ifndef GLM_NET_TLS_H
#define GLM_NET_TLS_H

#include "glm/error.h"

struct bufferevent;
struct event_base;
typedef struct glm_tls glm_tls;

/** Read certificate chain and key (PEM files). GLM_EIO with OpenSSL's reason, GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_tls_create(glm_tls **out, const char *cert, const char *key,
                                         glm_error *err);
/** NULL is fine. */
void glm_tls_destroy(glm_tls *tls);

/** A bufferevent over an accepted socket, which it then owns; NULL: no memory (the socket stays the caller's). */
struct bufferevent *glm_tls_accept(glm_tls *tls, struct event_base *base, int fd);

#endif
