// SPDX-License-Identifier: MIT
#include "net/tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/mem.h"

struct glm_tls {
    SSL_CTX *context;
};

static glm_status refuse(const char *what, glm_error *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return glm_fail(err, GLM_EIO, "%s: %s", what, reason ? reason : "OpenSSL refuses it");
}

glm_status glm_tls_create(glm_tls **out, const char *cert, const char *key, glm_error *err)
{
    glm_tls *tls = glm_new(glm_tls);
    if (!tls)
        return glm_fail(err, GLM_ENOMEM, "TLS");
    tls->context = SSL_CTX_new(TLS_server_method());
    glm_status st = tls->context ? GLM_OK : refuse("TLS", err);
    if (st == GLM_OK && SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        st = refuse("TLS", err);
    if (st == GLM_OK && SSL_CTX_use_certificate_chain_file(tls->context, cert) != 1)
        st = refuse(cert, err);
    if (st == GLM_OK && SSL_CTX_use_PrivateKey_file(tls->context, key, SSL_FILETYPE_PEM) != 1)
        st = refuse(key, err);
    if (st == GLM_OK && SSL_CTX_check_private_key(tls->context) != 1)
        st = refuse("certificate and key", err);
    if (st != GLM_OK) {
        glm_tls_destroy(tls);
        return st;
    }
    *out = tls;
    return GLM_OK;
}

void glm_tls_destroy(glm_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

struct bufferevent *glm_tls_accept(glm_tls *tls, struct event_base *base, int fd)
{
    SSL *ssl = SSL_new(tls->context);
    if (!ssl)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev) /* else libevent has freed ssl, but not closed fd */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}
