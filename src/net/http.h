// SPDX-License-Identifier: MIT
/*
 * An HTTP/1.1 server on libevent: connections, strict framing, limits, deadlines, streams. One loop, one thread; every
 * function here is called on it. What a request means is the handlers' business.
 *
 *     glm_http_params p = glm_http_params_default();
 *     p.host = "127.0.0.1"; p.on_head = ...; p.on_request = ...; p.ctx = me;
 *     glm_http_server_create(&server, base, &p, &err);
 *     event_base_dispatch(base);
 *
 * An exchange begins with on_head, where it may be refused before its body is read, and goes on with on_request once the body
 * is there. It ends with glm_http_respond or glm_http_end, after which it is gone; or with
 * on_gone when the peer went away first, or with on_error when its body was refused. Between on_request and its end it may last as long as it likes.
 *
 * Strict means: CRLF line ends, token names, no folded lines, one Host, one Content-Length, never both it and
 * Transfer-Encoding; what is doubtful is refused and the connection closed (RFC 9112; request smuggling).
 */
#ifndef GLM_NET_HTTP_H
#define GLM_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"
#include "glm/error.h"

struct event_base;
typedef struct glm_http_server glm_http_server;
typedef struct glm_http_exchange glm_http_exchange;

typedef void glm_http_fn(void *ctx, glm_http_exchange *x);

/**
 * What came is no request, or the body that on_head let pass is too long, too slow or damaged: append the answer's body to *out and
 * forget the exchange. Headers may be added to it; its head can be asked for only when a user was set. `code` is a word such as
 * "bad_http".
 */
typedef void glm_http_error_fn(void *ctx, glm_http_exchange *x, int status, const char *code,
                               const char *text, glm_str *out);

typedef struct glm_http_params {
    const char *host;   /* address to listen on */
    uint16_t port;      /* 0: any free one */
    size_t line_bytes;  /* request line */
    size_t head_bytes;  /* request line and headers */
    uint32_t n_headers; /* header lines */
    size_t body_bytes;  /* 413 above */
    size_t
        out_bytes; /* output held back before a stream counts as slow, and the next request waits */
    uint32_t n_connections, n_per_address;
    double idle_s, head_s,
        body_s; /* between requests; from its first byte to its head's end; for its body */
    double
        write_s; /* a slow stream is cut after as long, a whole answer when out_bytes of it take longer */
    const char *tls_cert, *tls_key; /* PEM files; both or neither */
    glm_http_fn *on_head;
    glm_http_fn *on_request;
    /* The peer went away: forget the exchange. */
    glm_http_fn *on_gone;
    glm_http_fn *on_drained; /* a slow stream's output is written */
    glm_http_error_fn *on_error;
    void *ctx;
} glm_http_params;

glm_http_params glm_http_params_default(void);

/** Listen. Errors: GLM_EARG (no address), GLM_EIO (port in use, no permission; certificate), GLM_ENOMEM. */
GLM_MUST_CHECK glm_status glm_http_server_create(glm_http_server **out, struct event_base *base,
                                                 const glm_http_params *params, glm_error *err);
/** Close all connections (on_gone comes for running exchanges) and the listener. */
void glm_http_server_destroy(glm_http_server *server);
uint16_t glm_http_server_port(const glm_http_server *server);
/** Take no new connections and close idle ones; running exchanges end as they like, then their connections close. */
void glm_http_server_drain(glm_http_server *server);
uint32_t glm_http_server_n_connections(const glm_http_server *server);

/* ---- The request: borrowed, valid as long as the exchange ---- */

const char *glm_http_method(const glm_http_exchange *x);
/** The path as sent, without query. */
const char *glm_http_path(const glm_http_exchange *x);
/** Behind the '?', or "". */
const char *glm_http_query(const glm_http_exchange *x);
/** The value of the first header of that name (any case), or NULL. */
const char *glm_http_header(const glm_http_exchange *x, const char *name);
glm_text glm_http_body(const glm_http_exchange *x);
/** Whether a body has been announced that is longer than the limit (in on_head). */
bool glm_http_body_is_too_large(const glm_http_exchange *x);

void glm_http_set_user(glm_http_exchange *x, void *user);
void *glm_http_user(const glm_http_exchange *x);

/* ---- The answer ---- */

/** Put a header into the answer that comes; name and value must be ours or checked: no line ends. */
void glm_http_add_header(glm_http_exchange *x, const char *name, const char *value);

/** Answer whole and end the exchange. */
void glm_http_respond(glm_http_exchange *x, int status, glm_text body);

/** Begin a stream: head now, body by glm_http_write. */
void glm_http_begin(glm_http_exchange *x, int status);
/** Send bytes of a stream at once. True: the peer is slow, stop until on_drained. */
bool glm_http_write(glm_http_exchange *x, glm_text data);
/** End a stream as it should end. */
void glm_http_end(glm_http_exchange *x);
/** As glm_http_end, and the connection closes: behind an error nothing else is to come on it. */
void glm_http_end_last(glm_http_exchange *x);

#endif
