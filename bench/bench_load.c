// SPDX-License-Identifier: MIT
/*
 * Many clients of a server's streamed Completions (or Chat Completions) at once, from one thread: any server that speaks OpenAI's API on loopback.
 *
 * Usage: bench_load PORT [--clients N] [--each N] [--tokens N] [--words N] [--slow N] [--chat 1] [--pid PID]
 *
 *   --clients  connections at once (200); each asks --each times (1), one request after the other, each on a new connection
 *   --tokens   tokens of an answer (64; ignore_eos), --words: words of a prompt (16), others for every request
 *   --slow     of the clients, those that ask for 4,000 tokens and read 64 bytes a fifth of a second; figures are of the others
 *   --chat     1: Chat Completions, so that a script may answer; the server should run with --no-early-role-chunk
 *   --pid      the server's process: its anonymous memory before and at most
 *
 * One JSON line. ttft: from connecting to the first event; token: (last - first event) / (tokens - 1) of a request; gap: between
 * two events that arrive. Tokens are counted by the usage the server tells, or by events where it tells none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/rng.h"

#define SLOW_BYTES 64u
#define SLOW_NS 200000000u
#define SLOW_TOKENS 4000u /* far more than buffers on the way hold */
#define STATUS_AT 9u      /* of "HTTP/1.1 200" */

/* Finds a text in a stream of bytes. */
typedef struct matcher {
    const char *text;
    size_t n;
} matcher;

typedef struct client {
    int fd;
    uint32_t n_left; /* requests still to ask */
    bool is_slow, is_sent, is_done;
    uint64_t asked_ns, first_ns, last_ns;
    size_t n_read;
    int status;
    bool in_event, in_usage;
    uint32_t n_events, n_tokens;
    matcher event, usage;
} client;

typedef struct series {
    double *x;
    size_t n, n_max;
} series;

static struct {
    uint32_t n_clients, n_each, n_tokens, n_words, n_slow, is_chat;
    int port, pid;
} options = {.n_clients = 200, .n_each = 1, .n_tokens = 64, .n_words = 16};

static series ttft, per_token, gap;
static uint64_t n_finished, n_broken, n_tokens_total, n_asked;
static uint32_t n_refused[600];
static int loop_fd;

static void die(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add(series *s, double x)
{
    if (s->n == s->n_max) {
        s->n_max = s->n_max ? 2 * s->n_max : 1024;
        s->x = realloc(s->x, s->n_max * sizeof *s->x);
        if (!s->x)
            die("memory");
    }
    s->x[s->n++] = x;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile(const series *s, double q)
{
    return s->n ? s->x[(size_t)(q * (double)(s->n - 1) + 0.5)] : 0.0;
}

static void print_series(const char *name, series *s)
{
    qsort(s->x, s->n, sizeof *s->x, by_value);
    printf(", \"%s_ms\": {\"p50\": %.3g, \"p99\": %.3g, \"max\": %.3g}", name, quantile(s, 0.5),
           quantile(s, 0.99), quantile(s, 1.0));
}

/* Anonymous memory of the server's process, MiB; 0 when it was not named. */
static double anonymous_mib(void)
{
    char path[64], line[256];
    double kib = 0.0;
    if (!options.pid)
        return 0.0;
    snprintf(path, sizeof path, "/proc/%d/status", options.pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0.0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtod(line + 8, NULL);
    fclose(f);
    return kib / 1024.0;
}

static bool found(matcher *m, char c)
{
    /* The texts looked for do not repeat their beginning, so a mismatch starts over at this byte. */
    m->n = c == m->text[m->n] ? m->n + 1 : (size_t)(c == m->text[0]);
    if (m->text[m->n])
        return false;
    m->n = 0;
    return true;
}

static void watch(client *c, int operation, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(loop_fd, operation, c->fd, &e) < 0)
        die("epoll_ctl");
}

static void ask(client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client fresh = {.n_left = c->n_left - 1, .is_slow = c->is_slow};
    *c = fresh;
    c->event.text = "data: ";
    c->usage.text = "\"completion_tokens\":";
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket");
    int small = 4096;
    if (c->is_slow)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    c->asked_ns = glm_clock_ns();
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        die("connect");
    watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_request(client *c)
{
    static const char *const words[] = {"river",  "stone", "seven",  "green",
                                        "letter", "under", "window", "quick"};
    char body[8192], head[256];
    size_t n = (size_t)snprintf(
        body, sizeof body, "{\"model\": \"any\", %s\"",
        options.is_chat ? "\"messages\": [{\"role\": \"user\", \"content\": " : "\"prompt\": ");
    for (uint32_t i = 0; i < options.n_words && n < sizeof body - 512; i++) {
        uint32_t w = (uint32_t)(glm_rng_double(n_asked, i) * 8.0);
        n += (size_t)snprintf(body + n, sizeof body - n, "%s%s", i ? " " : "", words[w & 7]);
    }
    n_asked++;
    n += (size_t)snprintf(body + n, sizeof body - n,
                          "\"%s, \"max_tokens\": %u, \"stream\": true, \"ignore_eos\": true, "
                          "\"temperature\": 0, \"stream_options\": {\"include_usage\": true}}",
                          options.is_chat ? "}]" : "", c->is_slow ? SLOW_TOKENS : options.n_tokens);
    int n_head = snprintf(head, sizeof head,
                          "POST /v1/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                          "application/json\r\nContent-Length: %zu\r\n\r\n",
                          options.is_chat ? "chat/completions" : "completions", n);
    if (send(c->fd, head, (size_t)n_head, MSG_NOSIGNAL | MSG_MORE) != n_head ||
        send(c->fd, body, n, MSG_NOSIGNAL) != (ssize_t)n)
        return; /* refused: what the server says of it is read */
    c->is_sent = true;
}

static void take_byte(client *c, char byte, uint64_t now)
{
    size_t at = c->n_read++;
    if (at >= STATUS_AT && at < STATUS_AT + 3)
        c->status = 10 * c->status + (byte - '0');
    if (c->in_usage && byte >= '0' && byte <= '9')
        c->n_tokens = 10 * c->n_tokens + (uint32_t)(byte - '0');
    else if (c->in_usage && byte != ' ')
        c->in_usage = false;
    if (found(&c->usage, byte)) {
        c->in_usage = true;
        c->n_tokens = 0;
    }
    if (c->in_event) {
        c->in_event = false;
        if (byte == '[') {
            c->is_done = true;
            return;
        }
        if (!c->n_events)
            c->first_ns = now;
        else if (!c->is_slow)
            add(&gap, (double)(now - c->last_ns) * 1e-6);
        c->last_ns = now;
        c->n_events++;
    }
    c->in_event = found(&c->event, byte);
}

/* The exchange is over; true when the client asks again. */
static bool finish(client *c)
{
    close(c->fd);
    c->fd = -1;
    if (c->status != 200) {
        n_refused[c->status >= 0 && c->status < 600 ? c->status : 0]++;
    } else if (!c->is_done) {
        n_broken++;
    } else if (!c->is_slow) {
        uint32_t n = c->n_tokens ? c->n_tokens : c->n_events;
        n_finished++;
        n_tokens_total += n;
        add(&ttft, (double)(c->first_ns - c->asked_ns) * 1e-6);
        if (n > 1)
            add(&per_token, (double)(c->last_ns - c->first_ns) * 1e-6 / (double)(n - 1));
    }
    if (!c->n_left)
        return false;
    ask(c);
    return true;
}

/* What has come for a client; true while it has something to wait for. */
static bool take(client *c)
{
    char buffer[65536];
    ssize_t n = recv(c->fd, buffer, c->is_slow ? SLOW_BYTES : sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    uint64_t now = glm_clock_ns();
    for (ssize_t i = 0; i < n && !c->is_done; i++)
        take_byte(c, buffer[i], now);
    bool is_refused = c->n_read >= STATUS_AT + 3 && c->status != 200;
    return n > 0 && !c->is_done && !is_refused ? true : finish(c);
}

static void read_options(int argc, char **argv)
{
    if (argc < 2 || argc % 2)
        goto usage;
    options.port = atoi(argv[1]);
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *name = argv[i];
        uint32_t n = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(name, "--clients") == 0)
            options.n_clients = n;
        else if (strcmp(name, "--each") == 0)
            options.n_each = n;
        else if (strcmp(name, "--tokens") == 0)
            options.n_tokens = n;
        else if (strcmp(name, "--words") == 0)
            options.n_words = n;
        else if (strcmp(name, "--slow") == 0)
            options.n_slow = n;
        else if (strcmp(name, "--chat") == 0)
            options.is_chat = n;
        else if (strcmp(name, "--pid") == 0)
            options.pid = (int)n;
        else
            goto usage;
    }
    if (options.n_clients && options.n_each && options.n_slow < options.n_clients)
        return;
usage:
    fprintf(stderr, "usage: bench_load PORT [--clients N] [--each N] [--tokens N] [--words N] "
                    "[--slow N] [--chat 1] [--pid PID]\n");
    exit(2);
}

/* Until the fast clients are done; *peak_mib is the most memory seen. */
static void run(client *clients, double *peak_mib)
{
    uint32_t n_running = options.n_clients - options.n_slow;
    uint64_t slow_ns = 0;
    while (n_running) {
        struct epoll_event ready[256];
        int n = epoll_wait(loop_fd, ready, 256, 100);
        uint64_t now = glm_clock_ns();
        for (int i = 0; i < n; i++) {
            client *c = ready[i].data.ptr;
            if (!c->is_sent && !(ready[i].events & EPOLLIN)) {
                send_request(c);
                c->is_sent = true;
                if (c->is_slow)
                    watch(c, EPOLL_CTL_DEL, 0);
                else
                    watch(c, EPOLL_CTL_MOD, EPOLLIN);
            } else if (!take(c)) {
                n_running--;
            }
        }
        if (now - slow_ns > SLOW_NS) {
            slow_ns = now;
            for (uint32_t i = 0; i < options.n_slow; i++)
                if (clients[i].fd >= 0 && clients[i].is_sent)
                    take(&clients[i]);
            double mib = anonymous_mib();
            *peak_mib = mib > *peak_mib ? mib : *peak_mib;
        }
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    client *clients = calloc(options.n_clients, sizeof *clients);
    loop_fd = epoll_create1(0);
    if (!clients || loop_fd < 0)
        die("starting");
    double before_mib = anonymous_mib(), peak_mib = before_mib;
    uint64_t start = glm_clock_ns();
    for (uint32_t i = 0; i < options.n_clients; i++) {
        clients[i].n_left = options.n_each;
        clients[i].is_slow = i < options.n_slow;
        ask(&clients[i]);
    }
    run(clients, &peak_mib);
    double seconds = (double)(glm_clock_ns() - start) * 1e-9;
    printf("{\"bench\": \"load\", \"clients\": %u, \"slow\": %u, \"finished\": %llu, \"broken\": "
           "%llu, \"refused\": {",
           options.n_clients, options.n_slow, (unsigned long long)n_finished,
           (unsigned long long)n_broken);
    bool is_first = true;
    for (uint32_t s = 0; s < 600; s++)
        if (n_refused[s]) {
            printf("%s\"%u\": %u", is_first ? "" : ", ", s, n_refused[s]);
            is_first = false;
        }
    printf("}, \"tokens\": %llu, \"seconds\": %.3g, \"tokens_per_s\": %.4g",
           (unsigned long long)n_tokens_total, seconds, (double)n_tokens_total / seconds);
    print_series("ttft", &ttft);
    print_series("token", &per_token);
    print_series("gap", &gap);
    if (options.pid)
        printf(", \"anon_mib\": {\"before\": %.1f, \"peak\": %.1f}", before_mib, peak_mib);
    printf("}\n");
    free(clients);
    return 0;
}
