// SPDX-License-Identifier: MIT
/*
 * Bytes of a client on a connection, in pieces. The first byte of an input says how the rest is cut. Whatever comes, every exchange
 * that began must end exactly once, each answer must be framed, and a request that one strict reader takes must be
 * read the same when its bytes come one by one.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hash.h"
#include "net/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static glm_http_server *server;
static int64_t n_open;    /* exchanges begun and not ended */
static uint64_t requests; /* a digest of those that arrived whole */

static void require(int condition)
{
    if (!condition)
        abort();
}

static void mix(const char *text, size_t length)
{
    requests = glm_hash64(text, length, requests);
}

static void on_head(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    n_open++;
    glm_http_set_user(x, malloc(1)); /* a leak shows who was forgotten */
}

static void end_of(glm_http_exchange *x)
{
    free(glm_http_user(x));
    glm_http_set_user(x, NULL);
    n_open--;
}

static void on_request(void *ctx, glm_http_exchange *x)
{
    glm_text body = glm_http_body(x);
    (void)ctx;
    mix(glm_http_method(x), strlen(glm_http_method(x)));
    mix(glm_http_path(x), strlen(glm_http_path(x)));
    mix(glm_http_query(x), strlen(glm_http_query(x)));
    if (body.length > 0)
        mix(body.data, body.length);
    end_of(x);
    if (glm_http_path(x)[1] == 's') {
        glm_http_begin(x, 200);
        glm_http_write(x, (glm_text){"data", 4});
        glm_http_end(x);
    } else {
        glm_http_respond(x, 200, body);
    }
}

static void on_gone(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    end_of(x);
}

static void on_drained(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    (void)x;
}

static void on_error(void *ctx, glm_http_exchange *x, int status, const char *code,
                     const char *text, glm_str *out)
{
    (void)ctx;
    require(status >= 400 && status < 600 && code && text);
    if (glm_http_user(x))
        end_of(x);
    glm_str_append_c(out, text);
}

static void start(void)
{
    glm_http_params p = glm_http_params_default();
    p.port = 0;
    p.body_bytes = 4096;
    p.line_bytes = 256;
    p.head_bytes = 1024;
    p.n_headers = 8;
    p.on_head = on_head;
    p.on_request = on_request;
    p.on_gone = on_gone;
    p.on_drained = on_drained;
    p.on_error = on_error;
    base = event_base_new();
    require(base && glm_http_server_create(&server, base, &p, NULL) == GLM_OK);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(glm_http_server_port(server))};
    struct linger reset = {.l_onoff = 1}; /* no port is left waiting */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* pieces are not gathered */
    (void)connect(fd, (const struct sockaddr *)&to, sizeof to);
    for (int i = 0; i < 100 && glm_http_server_n_connections(server) == 0; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    return fd;
}

/* What came back: nothing, or a status line first. */
static void read_answers(int fd)
{
    char text[4096];
    ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);
    require(n <= 0 || (n >= 9 && memcmp(text, "HTTP/1.1 ", 9) == 0));
    while (n > 0)
        n = recv(fd, text, sizeof text, MSG_DONTWAIT);
}

/* Send the bytes in pieces of `step`; the digest of the requests that arrived. */
static uint64_t send_all(const char *data, size_t size, size_t step)
{
    int fd = dial();
    requests = 0;
    for (size_t at = 0; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        if (send(fd, data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    for (int i = 0; i < 8; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    read_answers(fd);
    close(fd);
    for (int i = 0; i < 1000 && glm_http_server_n_connections(server) > 0; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    require(glm_http_server_n_connections(server) == 0);
    require(n_open == 0);
    return requests;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!server)
        start();
    if (size < 2 || size > 2048)
        return 0;
    const char *text = (const char *)data + 1;
    uint64_t whole = send_all(text, size - 1, size - 1);
    size_t step = 1 + data[0] % 64;
    require(send_all(text, size - 1, step) == whole);
    return 0;
}
