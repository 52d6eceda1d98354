// SPDX-License-Identifier: MIT
/* Deadlines and counted limits of net/http, with times of tenths of a second: clients that send or read slowly, or never end. */
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
#define BIG "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define BIG_BYTES ((size_t)2 << 20)

static struct event_base *base;
static glm_http_server *server;
static unsigned n_big; /* answers to /big */
static char big[BIG_BYTES];

static void ignore(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    (void)x;
}

static void answer(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    const bool is_big = strcmp(glm_http_path(x), "/big") == 0;
    n_big += is_big;
    glm_http_respond(x, 200, is_big ? (glm_text){big, BIG_BYTES} : (glm_text){"ok", 2});
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
    p.write_s = 0.3;
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

/* room: of the system's buffer for what comes; 0: as usual */
static int connect_to(int room)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(glm_http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (room)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Send `first` at once and a byte of `rest` every 50 ms; what came back until the server closed, at most 3 s. */
static double talk(const char *first, const char *rest, char *out, size_t size)
{
    const uint64_t begun = glm_clock_ns();
    int fd = connect_to(0);
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

/* The server takes what has come, 50 rounds; what it answers is added to out[size]. */
static void let_serve(int fd, char *out, size_t size)
{
    size_t n = strlen(out);
    for (int i = 0; i < 50; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        usleep(1000);
    }
    out[n] = '\0';
}

/* Of a line as long as it may be, the end comes in one piece with it or cut in its middle. */
static void longest_lines_may_come_in_pieces(void **state)
{
    enum { LINE = 8192, EXTENSION = 256 }; /* bytes of a request line, of a chunk's size line */
    static char text[2][LINE + 256];
    size_t n_line[2];
    (void)state;
    snprintf(text[0], sizeof text[0], "GET /%0*d HTTP/1.1", LINE - 14, 0);
    snprintf(text[1], sizeof text[1], HEAD "Transfer-Encoding: chunked\r\n\r\n3;%0*d",
             EXTENSION - 2, 0);
    for (int i = 0; i < 2; i++)
        n_line[i] = strlen(text[i]);
    strcat(text[0], "\r\nHost: localhost\r\n\r\n");
    strcat(text[1], "\r\nabc\r\n0\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        const char *whole = text[i / 2];
        size_t n = strlen(whole), cut = i % 2 ? n_line[i / 2] + 1 : n;
        char out[1024] = "";
        int fd = connect_to(0);
        assert_int_equal(send(fd, whole, cut, MSG_NOSIGNAL), cut);
        let_serve(fd, out, sizeof out);
        if (cut < n) {
            assert_string_equal(out, ""); /* refused too early */
            assert_int_equal(send(fd, whole + cut, n - cut, MSG_NOSIGNAL), n - cut);
            let_serve(fd, out, sizeof out);
        }
        assert_int_equal(strncmp(out, "HTTP/1.1 200 ", 13), 0);
        close(fd);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

/* One address may not take all places. */
static void an_address_has_so_many_connections(void **state)
{
    (void)state;
    int fd[5];
    char byte;
    for (size_t i = 0; i < 5; i++)
        fd[i] = connect_to(0);
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

/* A client with `n` requests for /big sent at once, and little room for answers. */
static int ask_big(unsigned n)
{
    const int room = 64 << 10;
    int fd = connect_to(room);
    n_big = 0;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(send(fd, BIG, strlen(BIG), MSG_NOSIGNAL), strlen(BIG));
    return fd;
}

static void serve_for(double seconds)
{
    const uint64_t begun = glm_clock_ns();
    while ((double)(glm_clock_ns() - begun) < seconds * 1e9) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
}

/* Read up to `most` bytes; how many came. */
static size_t read_some(int fd, size_t most)
{
    static char block[1 << 16];
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n<most; n += got> 0 ? (size_t)got : 0)
        got = recv(fd, block, most - n < sizeof block ? most - n : sizeof block, 0);
    return n;
}

/* Answers to requests sent one behind the other do not pile up before a client that reads none. */
static void unread_answers_hold_requests_back(void **state)
{
    (void)state;
    const unsigned n = 40;
    int fd = ask_big(n);
    serve_for(0.1);
    assert_in_range(n_big, 1, n / 2); /* what the system's own buffers take, and one more */
    size_t got = 0;
    for (const uint64_t begun = glm_clock_ns();
         got < n * BIG_BYTES && glm_clock_ns() - begun < 20000000000u;) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        got += read_some(fd, SIZE_MAX);
    }
    assert_int_equal(n_big, n);
    assert_true(got > n * BIG_BYTES); /* heads besides */
    close(fd);
    serve_for(0.01);
}

static void readers_that_stop_are_cut_and_slow_ones_are_not(void **state)
{
    (void)state;
    const unsigned n = 6;
    int stopped = ask_big(n), slow = ask_big(n);
    size_t got = 0;
    const uint64_t begun = glm_clock_ns();
    while (got < n * BIG_BYTES && glm_clock_ns() - begun < 20000000000u) {
        serve_for(0.02);
        got += read_some(slow, (size_t)256 << 10);
    }
    assert_true(glm_clock_ns() - begun > 900000000u); /* longer than any of the clocks */
    assert_true(got >= n * BIG_BYTES);
    got = 0;
    char byte;
    for (size_t n_now; (n_now = read_some(stopped, SIZE_MAX)) > 0; got += n_now)
        ; /* what was on its way */
    assert_true(got < n * BIG_BYTES);
    ssize_t end = recv(stopped, &byte, 1, 0);
    assert_true(end == 0 || errno == ECONNRESET); /* and not: nothing yet */
    close(stopped);
    close(slow);
    serve_for(0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_clients_are_told),
        cmocka_unit_test(counted_bodies_are_limited),
        cmocka_unit_test(longest_lines_may_come_in_pieces),
        cmocka_unit_test(an_address_has_so_many_connections),
        cmocka_unit_test(unread_answers_hold_requests_back),
        cmocka_unit_test(readers_that_stop_are_cut_and_slow_ones_are_not),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
