// SPDX-License-Identifier: MIT
/* Deadlines and counted limits of net/http, with times of tenths of a second: clients that send slowly, or never end. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "core/clock.h"
#include "net/http.h"

#define HEAD "POST / HTTP/1.1\r\nHost: localhost\r\n"

static struct event_base *base;
static glm_http_server *server;

static void ignore(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    (void)x;
}

static void answer(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    glm_http_respond(x, 200, (glm_text){"ok", 2});
}

static void error_body(void *ctx, glm_http_exchange *x, int status, const char *code,
                       const char *text, glm_str *out)
{
    (void)ctx;
    (void)x;
    (void)status;
    (void)text;
    glm_str_append_c(out, code);
}

static int start(void **state)
{
    glm_error err;
    glm_http_params p = glm_http_params_default();
    (void)state;
    base = event_base_new();
    if (!base)
        return 1;
    p.host = "127.0.0.1";
    p.port = 0;
    p.idle_s = 0.3;
    p.head_s = 0.3;
    p.body_s = 0.3;
    p.body_bytes = 100;
    p.n_per_address = 4;
    p.on_head = ignore;
    p.on_request = answer;
    p.on_gone = ignore;
    p.on_drained = ignore;
    p.on_error = error_body;
    return glm_http_server_create(&server, base, &p, &err) == GLM_OK ? 0 : 1;
}

static int stop(void **state)
{
    (void)state;
    glm_http_server_destroy(server);
    event_base_free(base);
    return 0;
}

static int connect_to(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(glm_http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Send `first` at once and a byte of `rest` every 50 ms; what came back until the server closed, at most 3 s. */
static double talk(const char *first, const char *rest, char *out, size_t size)
{
    const uint64_t begun = glm_clock_ns();
    int fd = connect_to();
    size_t n = 0, sent = 0;
    bool is_open = true;
    assert_int_equal(send(fd, first, strlen(first), MSG_NOSIGNAL), strlen(first));
    while (is_open && glm_clock_ns() - begun < 3000000000u) {
        const uint64_t due = begun + (uint64_t)(sent + 1) * 50000000u;
        event_base_loop(base, EVLOOP_NONBLOCK);
        if (rest[sent] && glm_clock_ns() > due)
            sent += send(fd, rest + sent, 1, MSG_NOSIGNAL) == 1;
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        is_open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
        usleep(1000);
    }
    out[n] = '\0';
    close(fd);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_false(is_open); /* nobody is waited for without end */
    return (double)(glm_clock_ns() - begun) / 1e9;
}

static void slow_clients_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *first, *rest, *status;
    } list[] = {
        {"GET / HT", "", "HTTP/1.1 408 "},
        {"G", "ET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "HTTP/1.1 408 "}, /* a total, not a pause */
        {HEAD "Content-Length: 10\r\n\r\nab", "", "HTTP/1.1 408 "},
        {HEAD "Content-Length: 60\r\n\r\n",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "HTTP/1.1 408 "},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "", "HTTP/1.1 408 "},
        {"", "", ""}, /* idle: closed without a word */
        {HEAD "Content-Length: 2\r\n\r\nab", "", "HTTP/1.1 200 "},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char out[1024];
        double took = talk(list[i].first, list[i].rest, out, sizeof out);
        if (strncmp(out, list[i].status, strlen(list[i].status)) != 0 || (!*list[i].status && *out))
            fail_msg("%s: %s", list[i].first, out);
        assert_true(took > 0.25);
    }
}

static void counted_bodies_are_limited(void **state)
{
    (void)state;
    char out[1024], body[400] = HEAD "Transfer-Encoding: chunked\r\n\r\n40\r\n";
    memset(body + strlen(body), 'a', 64);
    strcat(body, "\r\n40\r\n");
    memset(body + strlen(body), 'a', 64);
    strcat(body, "\r\n0\r\n\r\n");
    talk(body, "", out, sizeof out);
    assert_memory_equal(out, "HTTP/1.1 413 ", 13);
    assert_non_null(strstr(out, "request_too_large"));
    talk(HEAD "Content-Length: 101\r\n\r\n", "", out, sizeof out);
    assert_memory_equal(out, "HTTP/1.1 413 ", 13);
}

/* One address may not take all places. */
static void an_address_has_so_many_connections(void **state)
{
    (void)state;
    int fd[5];
    char byte;
    for (size_t i = 0; i < 5; i++)
        fd[i] = connect_to();
    for (int i = 0; i < 50; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(recv(fd[i], &byte, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
    }
    char text[16];
    ssize_t n = recv(fd[4], text, sizeof text, 0);
    assert_true(n >= 0 || errno == ECONNRESET); /* closed, perhaps with a word */
    for (size_t i = 0; i < 5; i++)
        close(fd[i]);
    event_base_loop(base, EVLOOP_NONBLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_clients_are_told),
        cmocka_unit_test(counted_bodies_are_limited),
        cmocka_unit_test(an_address_has_so_many_connections),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
