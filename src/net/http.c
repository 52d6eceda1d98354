// SPDX-License-Identifier: MIT
#include "net/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "net/http_parse.h"
#include "net/tls.h"

/* Behind an early refusal so much more is read, so that the peer can see the answer. */
#define LINGER_BYTES ((size_t)256 << 10)
#define LINGER_S 2.0
#define CHUNK_LINE_MAX 256u
#define HEADER_TEXT_MAX 4096u

typedef enum state {
    STATE_HEAD,
    STATE_LENGTH,     /* a body of known length */
    STATE_CHUNK_SIZE, /* a chunked one */
    STATE_CHUNK_DATA,
    STATE_CHUNK_END,
    STATE_TRAILERS,
    STATE_RUNNING, /* the handlers have it */
    STATE_LINGER,  /* answered and refused: drop what still comes, then close */
    STATE_CLOSING, /* answered: close once it is written */
    STATE_DEAD,    /* to be freed when nobody is inside */
} state;

typedef struct connection connection;

struct glm_http_exchange {
    connection *c;
    char *head_data;
    glm_http_head head;
    glm_str body;
    char headers[HEADER_TEXT_MAX]; /* of the answer */
    size_t headers_length;
    void *user;
    bool is_begun;   /* the answer's head is out */
    bool is_chunked; /* and its body is */
    bool is_head;    /* the method is HEAD: an answer has no body */
};

struct connection {
    glm_http_server *server;
    struct bufferevent *bev;
    struct event *timer;
    connection *next, *previous;
    glm_http_exchange *x; /* NULL between requests */
    char peer[INET6_ADDRSTRLEN];
    state state;
    uint64_t left; /* bytes of the body or chunk that still come; in LINGER, that may */
    size_t unread; /* output when its reader's clock was set; 0: that clock does not run */
    size_t trailer_bytes;
    bool has_begun; /* bytes of a head are there: its clock runs */
    bool closes;    /* after this answer */
    bool is_stalled;
    bool is_advancing, wants_advance;
    uint32_t depth; /* functions inside which the connection must not be freed */
};

struct glm_http_server {
    glm_http_params p;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *resume; /* accepts again after it could not */
    glm_tls *tls;
    connection *first;
    uint32_t n_connections;
    uint16_t port;
    bool is_draining;
};

glm_http_params glm_http_params_default(void)
{
    return (glm_http_params){.host = "127.0.0.1",
                             .line_bytes = 8 << 10,
                             .head_bytes = 32 << 10,
                             .n_headers = 100,
                             .body_bytes = (size_t)64 << 20,
                             .out_bytes = 64 << 10,
                             .n_connections = 2048,
                             .n_per_address = 256,
                             .idle_s = 75,
                             .head_s = 30,
                             .body_s = 300,
                             .write_s = 30};
}

/* ---- Connections ---- */

static void set_timer(connection *c, double seconds)
{
    c->unread = 0;
    if (seconds <= 0) {
        evtimer_del(c->timer);
        return;
    }
    struct timeval t = {.tv_sec = (time_t)seconds,
                        .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    evtimer_add(c->timer, &t);
}

static void free_exchange(glm_http_exchange *x)
{
    free(x->head_data);
    glm_str_deinit(&x->body);
    free(x);
}

static void free_connection(connection *c)
{
    glm_http_server *s = c->server;
    if (c->previous)
        c->previous->next = c->next;
    else
        s->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    s->n_connections--;
    if (c->x)
        free_exchange(c->x);
    if (c->timer)
        event_free(c->timer);
    if (c->bev)
        bufferevent_free(c->bev);
    free(c);
}

static void enter(connection *c)
{
    c->depth++;
}

static void leave(connection *c)
{
    if (--c->depth == 0 && c->state == STATE_DEAD)
        free_connection(c);
}

/* The connection is over; a running exchange's owner is told. */
static void drop(connection *c)
{
    if (c->state == STATE_DEAD)
        return;
    enter(c);
    bool has_owner = c->x && c->state != STATE_HEAD; /* on_head was told of it */
    c->state = STATE_DEAD;
    if (has_owner)
        c->server->p.on_gone(c->server->p.ctx, c->x);
    leave(c);
}

static struct evbuffer *output_of(const connection *c)
{
    return bufferevent_get_output(c->bev);
}

static void send_bytes(connection *c, const char *data, size_t size)
{
    if (c->state != STATE_DEAD && size > 0 && evbuffer_add(output_of(c), data, size) != 0)
        c->closes = true; /* no memory: what is missing shows when it closes */
}

/* Whole answers wait for their reader, who has write_s for each out_bytes of them. */
static void watch_reader(connection *c)
{
    set_timer(c, c->server->p.write_s);
    c->unread = evbuffer_get_length(output_of(c));
}

/* The reader's clock ran out: another term if enough was read, else the connection ends. */
static void check_reader(connection *c)
{
    if (c->unread >= evbuffer_get_length(output_of(c)) + c->server->p.out_bytes)
        watch_reader(c);
    else
        drop(c);
}

static void close_when_written(connection *c)
{
    if (evbuffer_get_length(output_of(c)) == 0) {
        drop(c);
        return;
    }
    c->state = STATE_CLOSING;
    bufferevent_disable(c->bev, EV_READ);
    watch_reader(c);
}

/* Give the peer time to read the refusal before the connection is reset by what it still sends. */
static void linger(connection *c)
{
    c->state = STATE_LINGER;
    c->left = LINGER_BYTES;
    set_timer(c, LINGER_S);
}

/* ---- Answers ---- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {529, "Overloaded"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

void glm_http_add_header(glm_http_exchange *x, const char *name, const char *value)
{
    size_t room = sizeof x->headers - x->headers_length;
    int n = snprintf(x->headers + x->headers_length, room, "%s: %s\r\n", name, value);
    if (n > 0 && (size_t)n < room)
        x->headers_length += (size_t)n;
    else
        x->headers[x->headers_length] = '\0'; /* no room: the header is left out whole */
}

/* Status line and headers. */
static void send_head(connection *c, glm_http_exchange *x, int status, const char *framing)
{
    char text[256];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\n%s%s", status, reason_of(status),
                     framing, c->closes ? "Connection: close\r\n" : "");
    send_bytes(c, text, (size_t)n);
    send_bytes(c, x->headers, x->headers_length);
    send_bytes(c, "\r\n", 2);
    x->is_begun = true;
}

static void advance(connection *c);

/* The answer is out. Unless its request was read whole, the connection cannot go on. */
static void finish(connection *c, bool was_read)
{
    glm_http_exchange *x = c->x;
    c->x = NULL;
    c->is_stalled = false;
    c->has_begun = false;
    if (c->state == STATE_DEAD) {
        free_exchange(x);
        return;
    }
    free_exchange(x);
    if (!was_read) {
        linger(c);
    } else if (c->closes || c->server->is_draining) {
        close_when_written(c);
    } else {
        c->state = STATE_HEAD;
        if (evbuffer_get_length(output_of(c)) > c->server->p.out_bytes)
            watch_reader(c); /* its next request waits until this answer is read */
        else
            set_timer(c, c->server->p.idle_s);
        c->wants_advance = true;
        if (!c->is_advancing)
            advance(c);
    }
}

static bool was_read_whole(const connection *c)
{
    return c->state == STATE_RUNNING || c->state == STATE_DEAD;
}

void glm_http_respond(glm_http_exchange *x, int status, glm_text body)
{
    connection *c = x->c;
    enter(c);
    bool was_read = was_read_whole(c);
    c->closes |= !was_read || c->server->is_draining;
    char framing[64] = "";
    if (status != 204)
        snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", body.length);
    send_head(c, x, status, framing);
    if (!x->is_head)
        send_bytes(c, body.data, body.length);
    finish(c, was_read);
    leave(c);
}

void glm_http_begin(glm_http_exchange *x, int status)
{
    connection *c = x->c;
    x->is_chunked = x->head.minor == 1;
    c->closes |= !x->is_chunked || c->server->is_draining;
    send_head(c, x, status, x->is_chunked ? "Transfer-Encoding: chunked\r\n" : "");
}

bool glm_http_write(glm_http_exchange *x, glm_text data)
{
    connection *c = x->c;
    if (c->state == STATE_DEAD || data.length == 0 || x->is_head)
        return c->is_stalled;
    char line[32];
    if (x->is_chunked) {
        int n = snprintf(line, sizeof line, "%zx\r\n", data.length);
        send_bytes(c, line, (size_t)n);
    }
    send_bytes(c, data.data, data.length);
    if (x->is_chunked)
        send_bytes(c, "\r\n", 2);
    if (!c->is_stalled && evbuffer_get_length(output_of(c)) > c->server->p.out_bytes) {
        c->is_stalled = true;
        set_timer(c, c->server->p.write_s);
    }
    return c->is_stalled;
}

void glm_http_end(glm_http_exchange *x)
{
    connection *c = x->c;
    enter(c);
    if (x->is_chunked && !x->is_head)
        send_bytes(c, "0\r\n\r\n", 5);
    finish(c, was_read_whole(c));
    leave(c);
}

void glm_http_end_last(glm_http_exchange *x)
{
    x->c->closes = true;
    glm_http_end(x);
}

/* ---- Reading requests ---- */

static glm_http_exchange *new_exchange(connection *c)
{
    glm_http_exchange *x = glm_new(glm_http_exchange);
    if (!x) {
        drop(c);
        return NULL;
    }
    x->c = c;
    c->x = x;
    return x;
}

/* Answer what is no request, or too much of one, and close. */
static void refuse(connection *c, int status, const char *code, const char *text)
{
    glm_http_exchange *x = c->x ? c->x : new_exchange(c);
    if (!x)
        return;
    glm_str body = {0};
    c->closes = true;
    c->server->p.on_error(c->server->p.ctx, x, status, code, text, &body);
    x->user = NULL;
    glm_http_add_header(x, "Content-Type", "application/json");
    if (c->state == STATE_RUNNING)
        c->state = STATE_HEAD; /* not read whole */
    glm_http_respond(x, status, glm_str_text(&body));
    glm_str_deinit(&body);
}

static void run(connection *c)
{
    c->state = STATE_RUNNING;
    set_timer(c, 0);
    c->server->p.on_request(c->server->p.ctx, c->x);
}

/* The head stands in x->head_data; false: the connection has nothing more to read now. */
static void begin_body(connection *c)
{
    glm_http_exchange *x = c->x;
    const glm_http_head *head = &x->head;
    c->closes = head->wants_close;
    x->is_head = strcmp(head->method, "HEAD") == 0;
    bool has_body = head->is_chunked || (head->has_length && head->length > 0);
    c->state = !has_body ? STATE_RUNNING : head->is_chunked ? STATE_CHUNK_SIZE : STATE_LENGTH;
    c->left = head->length;
    c->trailer_bytes = 0;
    c->server->p.on_head(c->server->p.ctx, x);
    if (c->x != x || c->state == STATE_DEAD)
        return; /* answered already */
    if (!has_body) {
        run(c);
        return;
    }
    if (glm_http_body_is_too_large(x)) {
        refuse(c, 413, "request_too_large", "the request's body is larger than this server takes");
        return;
    }
    set_timer(c, c->server->p.body_s);
    if (head->expects_continue)
        send_bytes(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* Bytes that cannot become a head, so that nobody waits for its end: another protocol's, or lines that end without CR. */
static bool is_no_head(struct evbuffer *in)
{
    unsigned char first;
    if (evbuffer_copyout(in, &first, 1) == 1 && first != '\r' && (first <= ' ' || first >= 0x7f))
        return true;
    return evbuffer_search(in, "\n\n", 2, NULL).pos >= 0 &&
           evbuffer_search(in, "\r\n\r\n", 4, NULL).pos < 0;
}

/* True when a head was read or refused. */
static bool read_head(connection *c)
{
    const glm_http_params *p = &c->server->p;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    char first[2];
    while (evbuffer_copyout(in, first, 2) == 2 && first[0] == '\r' && first[1] == '\n')
        evbuffer_drain(in, 2); /* some clients end a body with a line end of their own */
    if (is_no_head(in)) {
        refuse(c, 400, "bad_http", "these bytes begin no HTTP/1.1 request");
        return true;
    }
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    size_t available = evbuffer_get_length(in);
    if (end.pos < 0 ? available > p->head_bytes : (size_t)end.pos + 4 > p->head_bytes) {
        struct evbuffer_ptr line = evbuffer_search(in, "\r\n", 2, NULL);
        bool is_line = line.pos < 0 || (size_t)line.pos > p->line_bytes;
        refuse(c, is_line ? 414 : 431, "bad_http",
               is_line ? "the request line is too long" : "the headers are too long");
        return true;
    }
    if (end.pos < 0) {
        struct evbuffer_ptr line = evbuffer_search(in, "\r\n", 2, NULL);
        if (line.pos < 0 && available > p->line_bytes + 1) {
            refuse(c, 414, "bad_http", "the request line is too long");
            return true;
        }
        return false;
    }
    glm_http_exchange *x = new_exchange(c);
    if (!x)
        return true;
    size_t size = (size_t)end.pos + 4;
    x->head_data = malloc(size + 1);
    if (!x->head_data) {
        drop(c);
        return true;
    }
    evbuffer_remove(in, x->head_data, size);
    glm_http_refusal refusal;
    if (!glm_http_parse_head(&x->head, x->head_data, size, p->line_bytes, p->n_headers, &refusal))
        refuse(c, refusal.status, "bad_http", refusal.text);
    else
        begin_body(c);
    return true;
}

/* Move bytes of the body from the input; false when none are there. */
static bool read_data(connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    n = n < c->left ? n : (size_t)c->left;
    if (n == 0)
        return false;
    while (n > 0) {
        char piece[16384];
        size_t size = n < sizeof piece ? n : sizeof piece;
        evbuffer_remove(in, piece, size);
        glm_str_append(&c->x->body, piece, size);
        c->left -= size;
        n -= size;
    }
    if (c->x->body.has_failed) {
        refuse(c, 503, "no_memory", "there is no memory for the request's body");
        return true;
    }
    if (c->left == 0 && c->state == STATE_LENGTH)
        run(c);
    else if (c->left == 0)
        c->state = STATE_CHUNK_END;
    return true;
}

/* A line of chunked framing, without its end, to line[max + 1]; its length, or -1 when it is not all there, -2 when it is wrong. */
static int read_line(connection *c, char *line, size_t max)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n", 2, NULL);
    if (end.pos < 0) /* of a line end at its limit the first byte may have come */
        return evbuffer_get_length(in) > max + 1 ? -2 : -1;
    if ((size_t)end.pos > max)
        return -2;
    evbuffer_remove(in, line, (size_t)end.pos);
    evbuffer_drain(in, 2);
    line[end.pos] = '\0';
    return (int)end.pos;
}

static bool read_chunk_line(connection *c)
{
    char line[CHUNK_LINE_MAX + 1];
    uint64_t size;
    int length = read_line(c, line, CHUNK_LINE_MAX);
    if (length == -1)
        return false;
    if (c->state == STATE_CHUNK_END) {
        if (length != 0) {
            refuse(c, 400, "bad_http", "a chunk does not end where it said");
            return true;
        }
        c->state = STATE_CHUNK_SIZE;
        return true;
    }
    if (length < 0 || !glm_http_parse_chunk_size(line, (size_t)length, &size)) {
        refuse(c, 400, "bad_http", "a chunk's size is damaged");
        return true;
    }
    if (size > c->server->p.body_bytes - c->x->body.length) {
        refuse(c, 413, "request_too_large", "the request's body is larger than this server takes");
        return true;
    }
    c->left = size;
    c->state = size ? STATE_CHUNK_DATA : STATE_TRAILERS;
    return true;
}

/* Trailers are read and dropped. */
static bool read_trailer(connection *c)
{
    char line[4096 + 1];
    int length = read_line(c, line, sizeof line - 1);
    if (length == -1)
        return false;
    c->trailer_bytes += length > 0 ? (size_t)length : 0;
    if (length < 0 || c->trailer_bytes > c->server->p.head_bytes) {
        refuse(c, 431, "bad_http", "the trailers are too long");
        return true;
    }
    if (length == 0)
        run(c);
    return true;
}

static bool read_lingering(connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    evbuffer_drain(in, n);
    if (n >= c->left)
        drop(c);
    else
        c->left -= n;
    return false;
}

static bool step(connection *c)
{
    switch (c->state) {
    case STATE_HEAD:
        return c->unread == 0 && evbuffer_get_length(bufferevent_get_input(c->bev)) > 0 &&
               read_head(c);
    case STATE_LENGTH:
    case STATE_CHUNK_DATA:
        return read_data(c);
    case STATE_CHUNK_SIZE:
    case STATE_CHUNK_END:
        return read_chunk_line(c);
    case STATE_TRAILERS:
        return read_trailer(c);
    case STATE_LINGER:
        return read_lingering(c);
    case STATE_RUNNING:
    case STATE_CLOSING:
    case STATE_DEAD:
        return false;
    }
    return false;
}

/* Read as far as what has come goes. */
static void advance(connection *c)
{
    enter(c);
    c->is_advancing = true;
    do {
        c->wants_advance = false;
        while (step(c))
            ;
    } while (c->wants_advance && c->state != STATE_DEAD);
    c->is_advancing = false;
    leave(c);
}

/* ---- Events ---- */

static void on_read(struct bufferevent *bev, void *ctx)
{
    connection *c = ctx;
    (void)bev;
    enter(c);
    advance(c);
    if (c->state == STATE_HEAD && !c->has_begun && c->unread == 0 &&
        evbuffer_get_length(bufferevent_get_input(c->bev)) > 0) {
        c->has_begun = true;
        set_timer(c, c->server->p.head_s);
    }
    leave(c);
}

static void on_write(struct bufferevent *bev, void *ctx)
{
    connection *c = ctx;
    if (evbuffer_get_length(output_of(c)) > 0)
        return;
    if (c->state == STATE_CLOSING) {
        drop(c);
        return;
    }
    if (c->state == STATE_LINGER) {
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
        return;
    }
    if (c->state == STATE_HEAD && c->unread > 0) {
        set_timer(c, c->server->p.idle_s);
        on_read(bev, c); /* what came meanwhile */
        return;
    }
    if (c->is_stalled && c->x) {
        c->is_stalled = false;
        set_timer(c, 0);
        c->server->p.on_drained(c->server->p.ctx, c->x);
    }
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        drop(ctx);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    connection *c = ctx;
    (void)fd;
    (void)what;
    if (c->unread > 0) {
        check_reader(c);
        return;
    }
    switch (c->state) {
    case STATE_HEAD:
        if (evbuffer_get_length(bufferevent_get_input(c->bev)) == 0) {
            drop(c);
            return;
        }
        refuse(c, 408, "timeout", "the request's head took too long");
        return;
    case STATE_LENGTH:
    case STATE_CHUNK_SIZE:
    case STATE_CHUNK_DATA:
    case STATE_CHUNK_END:
    case STATE_TRAILERS:
        refuse(c, 408, "timeout", "the request's body took too long");
        return;
    default:
        drop(c);
    }
}

static uint32_t count_of(const glm_http_server *s, const char *peer)
{
    uint32_t n = 0;
    for (const connection *c = s->first; c; c = c->next)
        n += strcmp(c->peer, peer) == 0;
    return n;
}

static struct bufferevent *open_bev(glm_http_server *s, evutil_socket_t fd)
{
    if (s->tls)
        return glm_tls_accept(s->tls, s->base, fd);
    return bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *ctx)
{
    glm_http_server *s = ctx;
    (void)listener;
    connection *c = glm_new(connection);
    bool is_refused = !c || s->is_draining || s->n_connections >= s->p.n_connections;
    if (c && getnameinfo(address, (socklen_t)length, c->peer, sizeof c->peer, NULL, 0,
                         NI_NUMERICHOST) != 0)
        c->peer[0] = '\0';
    if (is_refused || count_of(s, c->peer) >= s->p.n_per_address) {
        free(c);
        evutil_closesocket(fd);
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->server = s;
    c->next = s->first;
    if (s->first)
        s->first->previous = c;
    s->first = c;
    s->n_connections++;
    c->timer = evtimer_new(s->base, on_timer, c);
    c->bev = open_bev(s, fd);
    if (!c->bev)
        evutil_closesocket(fd);
    if (!c->bev || !c->timer) {
        free_connection(c);
        return;
    }
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, s->p.head_bytes + 65536);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    set_timer(c, s->p.head_s);
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
    glm_http_server *s = ctx;
    (void)fd;
    (void)what;
    if (!s->is_draining)
        evconnlistener_enable(s->listener);
}

/* No descriptors or no memory: try again in a moment instead of spinning. */
static void on_accept_error(struct evconnlistener *listener, void *ctx)
{
    glm_http_server *s = ctx;
    struct timeval second = {.tv_sec = 1};
    evconnlistener_disable(listener);
    evtimer_add(s->resume, &second);
}

/* ---- The server ---- */

static glm_status listen_on(glm_http_server *s, glm_error *err)
{
    const glm_http_params *p = &s->p;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)p->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(p->host, port, &hints, &found);
    if (failed)
        return glm_fail(err, GLM_EARG, "--host %s: %s", p->host, gai_strerror(failed));
    errno = 0;
    s->listener = evconnlistener_new_bind(
        s->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
        1024, found->ai_addr, (int)found->ai_addrlen);
    int error = errno;
    freeaddrinfo(found);
    if (!s->listener) {
        glm_status st = glm_fail(err, GLM_EIO, "listening on %s port %u: %s", p->host,
                                 (unsigned)p->port, strerror(error));
        if (error == EADDRINUSE)
            glm_error_hint(err, "another program has that port; --port 0 takes any free one");
        return st;
    }
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&bound, &length) == 0)
        s->port = ntohs(bound.ss_family == AF_INET6
                            ? ((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port
                            : ((const struct sockaddr_in *)(const void *)&bound)->sin_port);
    return GLM_OK;
}

glm_status glm_http_server_create(glm_http_server **out, struct event_base *base,
                                  const glm_http_params *params, glm_error *err)
{
    glm_http_server *s = glm_new(glm_http_server);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "HTTP server");
    s->p = *params;
    s->base = base;
    s->resume = evtimer_new(base, on_resume, s);
    glm_status st = s->resume ? GLM_OK : glm_fail(err, GLM_ENOMEM, "HTTP server");
    if (st == GLM_OK && params->tls_cert)
        st = glm_tls_create(&s->tls, params->tls_cert, params->tls_key, err);
    if (st == GLM_OK)
        st = listen_on(s, err);
    if (st != GLM_OK) {
        glm_http_server_destroy(s);
        return st;
    }
    *out = s;
    return GLM_OK;
}

void glm_http_server_destroy(glm_http_server *s)
{
    if (!s)
        return;
    while (s->first)
        drop(s->first);
    if (s->listener)
        evconnlistener_free(s->listener);
    if (s->resume)
        event_free(s->resume);
    glm_tls_destroy(s->tls);
    free(s);
}

uint16_t glm_http_server_port(const glm_http_server *s)
{
    return s->port;
}

void glm_http_server_drain(glm_http_server *s)
{
    s->is_draining = true;
    evconnlistener_disable(s->listener);
    connection *next;
    for (connection *c = s->first; c; c = next) {
        next = c->next;
        if (c->state == STATE_HEAD && !c->x)
            close_when_written(c);
    }
}

uint32_t glm_http_server_n_connections(const glm_http_server *s)
{
    return s->n_connections;
}

/* ---- The request ---- */

const char *glm_http_method(const glm_http_exchange *x)
{
    return x->head.method;
}

const char *glm_http_path(const glm_http_exchange *x)
{
    return x->head.path;
}

const char *glm_http_query(const glm_http_exchange *x)
{
    return x->head.query;
}

const char *glm_http_header(const glm_http_exchange *x, const char *name)
{
    return glm_http_head_field(&x->head, name);
}

glm_text glm_http_body(const glm_http_exchange *x)
{
    return glm_str_text(&x->body);
}

bool glm_http_body_is_too_large(const glm_http_exchange *x)
{
    return x->head.has_length && x->head.length > x->c->server->p.body_bytes;
}

void glm_http_set_user(glm_http_exchange *x, void *user)
{
    x->user = user;
}

void *glm_http_user(const glm_http_exchange *x)
{
    return x->user;
}
