// SPDX-License-Identifier: MIT
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/privileges.h"
#include "server/generation.h"
#include "server/server_internal.h"

/* Of answers remembered as tokens: 16 million tokens. */
#define MEMORY_BYTES ((size_t)64 << 20)

/* Routes under other bases, as some clients are set up: cut to those we know. */
static const char *const path_prefixes[] = {"/api/anthropic", "/anthropic", "/api/coding/paas/v4",
                                            "/api/paas/v4"};

glm_server_params glm_server_params_default(void)
{
    return (glm_server_params){.host = "127.0.0.1",
                               .port = 8080,
                               .n_connections = 2048,
                               .n_per_address = 256,
                               .n_per_key = 32,
                               .early_role_chunk = true,
                               .answer_s = 30 * 60,
                               .drain_s = 30,
                               .scheduler = glm_scheduler_params_default()};
}

void glm_server_log(glm_server *s, int level, const char *fmt, ...)
{
    char line[512];
    va_list args;
    if (!s->p.log)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->p.log(s->p.log_ctx, level, line);
}

/* ---- Events of the scheduler ---- */

/* Copy an event and what it points to; the pieces stand behind the struct. */
static queued *copy_event(const glm_event *e)
{
    size_t n_top = e->n_top * (e->kind == GLM_EVENT_PROMPT_LOGPROBS ? e->n_logprob : 1);
    const glm_token_logprob *top = e->kind == GLM_EVENT_PROMPT_LOGPROBS ? e->prompt_top : e->top;
    size_t top_bytes = top ? n_top * sizeof *top : 0;
    size_t prompt_bytes = e->prompt_logprob ? e->n_logprob * sizeof *e->prompt_logprob : 0;
    queued *q = malloc(sizeof *q + top_bytes + prompt_bytes + e->length);
    if (!q)
        return NULL;
    *q = (queued){.event = *e};
    unsigned char *at = (unsigned char *)(q + 1);
    if (top_bytes) {
        memcpy(at, top, top_bytes);
        q->event.top = q->event.prompt_top = (const glm_token_logprob *)(const void *)at;
        at += top_bytes;
    }
    if (prompt_bytes) {
        memcpy(at, e->prompt_logprob, prompt_bytes);
        q->event.prompt_logprob = (const double *)(const void *)at;
        at += prompt_bytes;
    }
    if (e->length) {
        memcpy(at, e->text, e->length);
        q->event.text = (const char *)at;
    }
    if (e->error) {
        q->error = *e->error;
        q->event.error = &q->error;
    }
    return q;
}

/* On the scheduler's thread. */
void glm_server_take_event(void *ctx, const glm_event *event)
{
    glm_part *part = ctx;
    glm_generation *g = part->g;
    glm_server *s = glm_generation_server(g);
    queued *q = copy_event(event);
    pthread_mutex_lock(&s->lock);
    bool was_empty = !s->queue;
    if (q) {
        q->g = g;
        q->part = part;
        *s->queue_end = q;
        s->queue_end = &q->next;
    } else {
        glm_generation_lose_event(g);
    }
    pthread_mutex_unlock(&s->lock);
    uint64_t one = 1;
    if (was_empty && write(s->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        return; /* the counter is full: the loop is awake */
}

void glm_server_forget(glm_server *s, const glm_generation *g)
{
    pthread_mutex_lock(&s->lock);
    for (queued *q = s->queue; q; q = q->next)
        if (q->g == g)
            q->g = NULL;
    pthread_mutex_unlock(&s->lock);
}

static queued *take_one(glm_server *s)
{
    pthread_mutex_lock(&s->lock);
    queued *q = s->queue;
    if (q) {
        s->queue = q->next;
        if (!s->queue)
            s->queue_end = &s->queue;
    }
    pthread_mutex_unlock(&s->lock);
    return q;
}

static void on_wake(void *ctx)
{
    glm_server *s = ctx;
    uint64_t count;
    if (read(s->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    for (queued *q = take_one(s); q; q = take_one(s)) {
        if (q->g)
            glm_generation_feed(q->part, &q->event);
        free(q);
    }
}

/* ---- Requests ---- */

/* A request id of the client's, if it is one that may be sent back. */
static void choose_request_id(glm_call *call)
{
    const char *given = glm_http_header(call->x, "x-request-id");
    size_t n = given
                   ? strspn(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_.:")
                   : 0;
    if (n > 0 && n < sizeof call->request_id && given[n] == '\0')
        snprintf(call->request_id, sizeof call->request_id, "%s", given);
    else
        glm_new_id(call->request_id, "req_");
}

static bool path_matches(const route *r, const char *path, const char **argument)
{
    size_t n = strlen(r->path);
    *argument = "";
    if (n > 0 && r->path[n - 1] == '*' && strncmp(path, r->path, n - 1) == 0 && path[n - 1]) {
        *argument = path + n - 1;
        return true;
    }
    return strcmp(r->path, path) == 0;
}

static const char *known_path(const char *path)
{
    for (size_t i = 0; i < sizeof path_prefixes / sizeof *path_prefixes; i++) {
        size_t n = strlen(path_prefixes[i]);
        if (strncmp(path, path_prefixes[i], n) == 0 && path[n] == '/')
            path += n;
    }
    if (strncmp(path, "/v1/v1/", 7) == 0)
        path += 3;
    return path;
}

/* The route of path and method; *has_path tells whether another method has one, whose names go to allow. */
static const route *find_route(const char *method, const char *path, const char **argument,
                               char *allow, size_t size)
{
    const route *found = NULL;
    size_t n = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < glm_n_routes && !found; i++) {
        const route *r = &glm_routes[i];
        const char *rest;
        if (!path_matches(r, path, &rest))
            continue;
        bool is_head = strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0;
        if (strcmp(r->method, method) == 0 || is_head) {
            found = r;
            *argument = rest;
        }
        if (n < size)
            n += (size_t)snprintf(allow + n, size - n, "%s%s", n ? ", " : "", r->method);
    }
    return found;
}

static const char *presented_key(const glm_http_exchange *x)
{
    const char *authorization = glm_http_header(x, "Authorization");
    if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
        return authorization + 7 + strspn(authorization + 7, " ");
    const char *key = glm_http_header(x, "x-api-key");
    return key ? key : glm_http_header(x, "api-key");
}

/* Media types that may hold JSON. */
static bool type_is_fine(const char *type)
{
    size_t n = strcspn(type, "; \t");
    static const char *const fine[] = {"application/json", "text/plain", "text/json"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (strlen(fine[i]) == n && strncasecmp(type, fine[i], n) == 0)
            return true;
    return n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0;
}

/* Rules 5 to 9: who may ask what of whom. Answers and returns false when the request is refused. */
static bool check_peer(glm_call *call)
{
    glm_server *s = call->server;
    const char *host = glm_http_header(call->x, "Host");
    const char *origin = glm_http_header(call->x, "Origin");
    if (host && s->auth.n_keys == 0 && !glm_auth_host_is_local(host, s->p.host)) {
        glm_answer_error(call, 421, "host_not_allowed", NULL, 0,
                         "this server does not answer for the host that was asked for; with "
                         "keys (--key-file) it answers for any");
        return false;
    }
    if (origin && !glm_auth_origin_is_fine(origin, host)) {
        glm_answer_error(call, 403, "origin_not_allowed", NULL, 0,
                         "requests from pages of other origins are not answered");
        return false;
    }
    if (origin) {
        glm_http_add_header(call->x, "Access-Control-Allow-Origin", origin);
        glm_http_add_header(call->x, "Vary", "Origin");
    }
    return true;
}

static bool check_key(glm_call *call)
{
    glm_server *s = call->server;
    if (s->auth.n_keys == 0)
        return true;
    const char *presented = presented_key(call->x);
    const glm_key *key = presented ? glm_auth_find(&s->auth, presented) : NULL;
    if (key) {
        call->owner = key->owner;
        return true;
    }
    if (call->route->is_public)
        return true;
    glm_http_add_header(call->x, "WWW-Authenticate", "Bearer");
    glm_answer_error(call, 401, "invalid_api_key", NULL, 0, "%s",
                     presented ? "the API key is not known" : "an API key is needed");
    return false;
}

static bool check_body_kind(glm_call *call)
{
    const char *type = glm_http_header(call->x, "Content-Type");
    if (glm_http_header(call->x, "Content-Encoding")) {
        glm_answer_error(call, 415, "unsupported_encoding", NULL, 0,
                         "compressed bodies are not taken");
        return false;
    }
    if (type && strcmp(call->route->method, "POST") == 0 && !type_is_fine(type)) {
        glm_answer_error(call, 415, "unsupported_media_type", NULL, 0,
                         "the body is to be application/json");
        return false;
    }
    return true;
}

static void on_head(void *ctx, glm_http_exchange *x)
{
    glm_server *s = ctx;
    glm_call *call = glm_new(glm_call);
    if (!call) {
        glm_http_respond(x, 503, (glm_text){"", 0});
        return;
    }
    const char *path = known_path(glm_http_path(x));
    bool is_messages = strncmp(path, "/v1/messages", 12) == 0;
    *call = (glm_call){.server = s,
                       .x = x,
                       .begin_ns = glm_clock_ns(),
                       .dialect = is_messages ? DIALECT_ANTHROPIC : DIALECT_OPENAI,
                       .argument = ""};
    choose_request_id(call);
    glm_http_add_header(x, "x-request-id", call->request_id);
    if (is_messages)
        glm_http_add_header(x, "request-id", call->request_id);
    if (!check_peer(call))
        return;
    char allow[128];
    if (strcmp(glm_http_method(x), "OPTIONS") == 0) {
        glm_handle_options(call);
        return;
    }
    call->route = find_route(glm_http_method(x), path, &call->argument, allow, sizeof allow);
    if (!call->route && !allow[0]) {
        glm_answer_error(call, 404, "not_found", NULL, 0, "there is nothing at %.64s", path);
        return;
    }
    if (!call->route) {
        glm_http_add_header(x, "Allow", allow);
        glm_answer_error(call, 405, "method_not_allowed", NULL, 0, "this path takes %s", allow);
        return;
    }
    if (!check_key(call) || !check_body_kind(call))
        return;
    if (glm_http_body_is_too_large(x))
        glm_answer_error(call, 413, "request_too_large", NULL, 0,
                         "the request's body is larger than this server takes");
    else
        glm_http_set_user(x, call);
}

static void on_request(void *ctx, glm_http_exchange *x)
{
    (void)ctx;
    glm_call *call = glm_http_user(x);
    if (call)
        call->route->handler(call);
}

/* The user of a running exchange is the call, or what a generation put there. */
static void on_gone(void *ctx, glm_http_exchange *x)
{
    glm_server *s = ctx;
    void *user = glm_http_user(x);
    s->n_disconnected++;
    for (glm_generation *g = s->first; g; g = glm_generation_next(g))
        if (g == user) {
            glm_generation_lose_peer(g);
            return;
        }
    glm_call *call = user;
    if (call)
        call->end = "gone";
    glm_call_free(call);
}

static void on_drained(void *ctx, glm_http_exchange *x)
{
    glm_server *s = ctx;
    for (glm_generation *g = s->first; g; g = glm_generation_next(g))
        if (g == glm_http_user(x)) {
            glm_generation_resume(g);
            return;
        }
}

/* Refused by the connection: no request, or a body that is too long, too slow or damaged. */
static void on_error(void *ctx, glm_http_exchange *x, int status, const char *code,
                     const char *text, glm_str *out)
{
    glm_server *s = ctx;
    glm_call *call = glm_http_user(x), unknown = {.server = s, .begin_ns = glm_clock_ns()};
    if (!call) {
        glm_new_id(unknown.request_id, "req_");
        glm_http_add_header(x, "x-request-id", unknown.request_id);
    }
    glm_call *told = call ? call : &unknown;
    if (status != 408 && status != 503)
        glm_http_add_header(x, "x-should-retry", "false");
    glm_error_body(out, told->dialect, status, code, NULL, text, told->request_id);
    glm_call_note(told, status, code);
    glm_call_log(told);
    free(call);
}

/* ---- Signals ---- */

static void stop_if_idle(void *ctx)
{
    glm_server *s = ctx;
    if (s->is_stopping && s->n_generations == 0 && glm_http_server_n_connections(s->http) == 0)
        glm_loop_stop(s->loop, 0);
}

static void on_stop(void *ctx)
{
    glm_server *s = ctx;
    if (s->is_stopping) {
        glm_loop_stop(s->loop, 0);
        return;
    }
    s->is_stopping = true;
    glm_server_log(s, 2, "stopping: %u requests run", s->n_generations);
    glm_http_server_drain(s->http);
    glm_loop_stop(s->loop, s->p.drain_s);
}

static void on_hangup(void *ctx)
{
    glm_server *s = ctx;
    glm_error err;
    if (!s->p.key_file)
        return;
    if (glm_auth_read(&s->auth, s->p.key_file, &err) == GLM_OK)
        glm_server_log(s, 2, "%s: %zu keys read again", s->p.key_file, s->auth.n_keys);
    else
        glm_server_log(s, 0, "%s; the old keys hold", err.text);
}

/* ---- Life ---- */

static glm_status check_address(const glm_server *s, glm_error *err)
{
    if (glm_auth_is_loopback(s->p.host) || s->auth.n_keys > 0 || s->p.allow_no_key)
        return GLM_OK;
    glm_status st =
        glm_fail(err, GLM_EARG, "--host %s: expected a key file for an address that others reach",
                 s->p.host);
    glm_error_hint(err, "give --key-file FILE, or --allow-no-key if everybody may ask");
    return st;
}

static glm_status open_model(glm_server *s, glm_error *err)
{
    glm_chat_template format = glm_chat_template_of(s->model);
    glm_model_get_info(s->model, &s->info);
    snprintf(s->name, sizeof s->name, "%s", s->p.model_name ? s->p.model_name : s->info.name);
    s->tokenizer = glm_model_tokenizer(s->model);
    if (!s->tokenizer)
        return glm_fail(err, GLM_EUNSUPP, "the model: expected a tokenizer, got none");
    s->options = glm_chat_options_of(format.generation);
    s->options.clear_thinking = s->p.clears_thinking;
    s->call_id = glm_tokenizer_find(s->tokenizer, "<tool_call>", 11);
    glm_status st = glm_chat_create(&s->chat, s->tokenizer, err);
    if (st == GLM_OK)
        st = glm_chat_memory_create(&s->memory, MEMORY_BYTES, err);
    return st;
}

/* What decides an answer's bits beside the request: docs/numerics.md. */
static glm_status take_fingerprint(glm_server *s, glm_error *err)
{
    char id[65], text[192];
    glm_status st = glm_model_id(s->model, id, err);
    if (st != GLM_OK)
        return st;
    int n = snprintf(text, sizeof text, "%s %.64s %d %d %d", id, glm_version(),
                     (int)s->engine.precision, (int)s->engine.kv_type, (int)s->engine.index_type);
    snprintf(s->fingerprint, sizeof s->fingerprint, "fp_glm_%012llx",
             (unsigned long long)(glm_hash64(text, (size_t)n, 0) >> 16));
    return GLM_OK;
}

static glm_status open_http(glm_server *s, glm_error *err)
{
    glm_http_params p = glm_http_params_default();
    p.host = s->p.host;
    p.port = s->p.port;
    p.n_connections = s->p.n_connections ? s->p.n_connections : p.n_connections;
    p.n_per_address = s->p.n_per_address ? s->p.n_per_address : p.n_per_address;
    p.body_bytes = s->p.body_bytes ? s->p.body_bytes : p.body_bytes;
    p.write_s = s->p.stall_s > 0 ? s->p.stall_s : p.write_s;
    p.tls_cert = s->p.tls_cert;
    p.tls_key = s->p.tls_key;
    p.on_head = on_head;
    p.on_request = on_request;
    p.on_gone = on_gone;
    p.on_drained = on_drained;
    p.on_error = on_error;
    p.ctx = s;
    return glm_http_server_create(&s->http, glm_loop_base(s->loop), &p, err);
}

static glm_status open_server(glm_server *s, glm_error *err)
{
    glm_status st = GLM_OK;
    if (s->p.key_file)
        st = glm_auth_read(&s->auth, s->p.key_file, err);
    if (st == GLM_OK)
        st = check_address(s, err);
    if (st == GLM_OK && s->p.script_file)
        st = glm_script_read(&s->script, s->p.script_file, err);
    if (st == GLM_OK)
        st = open_model(s, err);
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (st == GLM_OK && s->wake_fd < 0)
        st = glm_fail(err, GLM_EIO, "eventfd: %s", strerror(errno));
    if (st == GLM_OK)
        st = glm_loop_create(&s->loop, err);
    if (st == GLM_OK)
        st = open_http(s, err); /* a port in use is told before the engine is made */
    glm_privileges_drop();      /* before there are other threads */
    if (st == GLM_OK)
        st = glm_scheduler_create(&s->scheduler, s->model, &s->p.scheduler, err);
    if (st != GLM_OK)
        return st;
    glm_scheduler_get_engine(s->scheduler, &s->engine);
    return take_fingerprint(s, err);
}

static void close_server(glm_server *s)
{
    glm_http_server_destroy(s->http); /* its exchanges end their generations */
    glm_scheduler_destroy(s->scheduler);
    for (queued *q = take_one(s); q; q = take_one(s))
        free(q);
    glm_chat_memory_destroy(s->memory);
    glm_chat_destroy(s->chat);
    glm_script_deinit(&s->script);
    glm_auth_deinit(&s->auth);
    glm_loop_destroy(s->loop);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    pthread_mutex_destroy(&s->lock);
}

/* Watch what there is to watch and run; what is listening is told first. */
static glm_status run(glm_server *s, const char *url, glm_error *err)
{
    glm_watch *watches[5] = {0};
    glm_status st = glm_watch_read(&watches[0], s->loop, s->wake_fd, on_wake, s, err);
    if (st == GLM_OK)
        st = glm_watch_signal(&watches[1], s->loop, SIGINT, on_stop, s, err);
    if (st == GLM_OK)
        st = glm_watch_signal(&watches[2], s->loop, SIGTERM, on_stop, s, err);
    if (st == GLM_OK)
        st = glm_watch_signal(&watches[3], s->loop, SIGHUP, on_hangup, s, err);
    if (st == GLM_OK)
        st = glm_watch_timer(&watches[4], s->loop, 0.25, stop_if_idle, s, err);
    if (st == GLM_OK) {
        if (s->p.on_ready)
            s->p.on_ready(s->p.log_ctx, url);
        glm_loop_run(s->loop);
    }
    for (size_t i = 0; i < sizeof watches / sizeof *watches; i++)
        glm_watch_free(watches[i]);
    return st;
}

glm_status glm_server_run(glm_model *model, const glm_server_params *params, glm_error *err)
{
    glm_server *s = glm_new(glm_server);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "server");
    s->p = *params;
    s->model = model;
    s->wake_fd = -1;
    s->started = time(NULL);
    s->queue_end = &s->queue;
    pthread_mutex_init(&s->lock, NULL);
    glm_status st = open_server(s, err);
    if (st == GLM_OK) {
        char url[320];
        bool is_v6 = strchr(s->p.host, ':') != NULL;
        snprintf(url, sizeof url, "%s://%s%s%s:%u", s->p.tls_cert ? "https" : "http",
                 is_v6 ? "[" : "", s->p.host, is_v6 ? "]" : "",
                 (unsigned)glm_http_server_port(s->http));
        st = run(s, url, err);
    }
    close_server(s);
    free(s);
    return st;
}
