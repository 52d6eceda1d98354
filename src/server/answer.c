// SPDX-License-Identifier: MIT
/* Whole answers and errors, in the words of either dialect. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/clock.h"
#include "core/utf8.h"
#include "server/server_internal.h"

void glm_new_id(char out[GLM_ID_BYTES], const char *prefix)
{
    unsigned char chance[12];
    static uint64_t count; /* of the loop's thread alone */
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance) {
        count++;
        memset(chance, 0, sizeof chance);
        memcpy(chance, &count, sizeof count);
    }
    size_t n = (size_t)snprintf(out, GLM_ID_BYTES, "%s", prefix);
    for (size_t i = 0; i < sizeof chance && n + 3 <= GLM_ID_BYTES; i++)
        n += (size_t)snprintf(out + n, GLM_ID_BYTES - n, "%02x", chance[i]);
}

static void write_time(glm_json_writer *w)
{
    char text[40];
    struct timespec now;
    struct tm t;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
    glm_json_put_c(w, "time", text);
}

static const char *end_of(const glm_call *call)
{
    return call->end ? call->end : "done";
}

/* Without a log of requests still a line for each that was refused or failed. */
static void tell_error(const glm_call *call)
{
    if (call->status >= 400 || (call->end && strcmp(call->end, "failed") == 0))
        glm_server_log(call->server, 2, "%s: %s: %d%s%s%s", call->request_id,
                       call->route ? call->route->path : "no route", call->status,
                       call->error[0] ? " " : "", call->error,
                       call->status < 400 ? ", then failed" : "");
}

/* Of what the client sent only its name for the request, which was checked, and the route it asked for. */
static void write_request(const glm_call *call)
{
    glm_server *s = call->server;
    glm_str line = {0};
    glm_json_writer w = glm_json_writer_of(&line);
    glm_json_begin_object(&w);
    write_time(&w);
    glm_json_put_c(&w, "request", call->request_id);
    const glm_key *key = glm_auth_of_owner(&s->auth, call->owner);
    if (key) { /* its number in the file */
        glm_json_put_u64(&w, "key", (uint64_t)(key - s->auth.keys) + 1);
    }
    glm_json_write_key(&w, "route");
    if (call->route)
        glm_json_write_c(&w, call->route->path);
    else
        glm_json_write_null(&w);
    glm_json_put_u64(&w, "status", (uint64_t)call->status);
    glm_json_put_c(&w, "end", end_of(call));
    if (call->error[0]) {
        glm_json_put_c(&w, "error", call->error);
    }
    glm_json_put_double(&w, "seconds", (double)(glm_clock_ns() - call->begin_ns) * 1e-9);
    if (call->n_prompt) {
        glm_json_put_u64(&w, "prompt_tokens", call->n_prompt);
        glm_json_put_u64(&w, "cached_tokens", call->n_cached);
        glm_json_put_u64(&w, "generated_tokens", call->n_made);
    }
    if (call->first_s > 0) {
        glm_json_put_double(&w, "first_token_seconds", call->first_s);
    }
    glm_json_end_object(&w);
    if (!line.has_failed)
        s->p.log_request(s->p.log_ctx, line.data);
    glm_str_deinit(&line);
}

void glm_call_log(const glm_call *call)
{
    if (call->server->p.log_request)
        write_request(call);
    else
        tell_error(call);
}

void glm_call_free(glm_call *call)
{
    if (call)
        glm_call_log(call);
    free(call);
}

void glm_call_note(glm_call *call, int status, const char *code)
{
    call->server->n_requests[status / 100 < 6 ? status / 100 : 0]++;
    call->status = status;
    if (code)
        snprintf(call->error, sizeof call->error, "%s", code);
}

void glm_call_warn(glm_call *call, const char *warning)
{
    char text[200];
    snprintf(text, sizeof text, "%s", warning);
    for (char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    glm_http_add_header(call->x, "x-glm-warning", text);
}

void glm_answer(glm_call *call, int status, glm_text body, const char *type)
{
    if (status != 204)
        glm_http_add_header(call->x, "Content-Type", type);
    glm_call_note(call, status, NULL);
    glm_http_set_user(call->x, NULL);
    glm_http_respond(call->x, status, body);
    glm_call_free(call);
}

void glm_answer_json(glm_call *call, int status, const glm_str *json)
{
    glm_text failed = glm_text_c("{\"error\":{\"message\":\"no memory\",\"type\":\"server_error\","
                                 "\"param\":null,\"code\":null}}");
    if (json->has_failed)
        glm_answer(call, 500, failed, "application/json");
    else
        glm_answer(call, status, glm_str_text(json), "application/json");
}

static const char *openai_type(int status)
{
    switch (status) {
    case 403:
    case 421:
        return "permission_error";
    case 408:
    case 504:
        return "timeout_error";
    case 429:
        return "rate_limit_error";
    case 501:
        return "not_supported_error";
    case 505:
        return "invalid_request_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

static const char *anthropic_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
    case 421:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 408:
    case 504:
        return "timeout_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 503:
    case 529:
        return "overloaded_error";
    default:
        return status == 500 ? "api_error" : "invalid_request_error";
    }
}

void glm_error_body(glm_str *out, dialect d, int status, const char *code, const char *param,
                    const char *message, const char *request_id)
{
    glm_json_writer w = glm_json_writer_of(out);
    glm_json_begin_object(&w);
    if (d == DIALECT_ANTHROPIC) {
        glm_json_put_c(&w, "type", "error");
    }
    glm_json_write_key(&w, "error");
    glm_json_begin_object(&w);
    if (d == DIALECT_ANTHROPIC) {
        glm_json_put_c(&w, "type", anthropic_type(status));
        glm_json_put_c(&w, "message", message);
        glm_json_end_object(&w);
        glm_json_put_c(&w, "request_id", request_id);
    } else {
        glm_json_put_c(&w, "message", message);
        glm_json_put_c(&w, "type", openai_type(status));
        glm_json_write_key(&w, "param");
        if (param)
            glm_json_write_c(&w, param);
        else
            glm_json_write_null(&w);
        glm_json_write_key(&w, "code");
        if (code)
            glm_json_write_c(&w, code);
        else
            glm_json_write_null(&w);
        glm_json_end_object(&w);
    }
    glm_json_end_object(&w);
}

/* Controls, marks that turn the direction of text or take no room, and halves of characters. */
static bool is_printable(glm_utf8_step step)
{
    static const uint32_t hidden[][2] = {{0, 0x1f},          {0x7f, 0x9f},     {0xad, 0xad},
                                         {0x200b, 0x200f},   {0x2028, 0x202f}, {0x2060, 0x206f},
                                         {0xe000, 0xf8ff},   {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
                                         {0xe0000, 0x10ffff}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (step.code >= hidden[i][0] && step.code <= hidden[i][1])
            return false;
    return step.kind == GLM_UTF8_CHAR;
}

/* What is not printable becomes a question mark: messages may hold bytes of the request. */
static void make_printable(char *text)
{
    size_t n = strlen(text), to = 0;
    for (size_t at = 0; at < n;) {
        glm_utf8_step step = glm_utf8_next(text + at, n - at);
        if (is_printable(step)) {
            memmove(text + to, text + at, step.length);
            to += step.length;
        } else {
            text[to++] = '?';
        }
        at += step.length ? step.length : 1;
    }
    text[to] = '\0';
}

void glm_answer_error(glm_call *call, int status, const char *code, const char *param, int retry_s,
                      const char *fmt, ...)
{
    char message[257];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    make_printable(message);
    if (call->dialect == DIALECT_ANTHROPIC && status == 503)
        status = 529;
    if (code)
        snprintf(call->error, sizeof call->error, "%s", code);
    if (retry_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", retry_s);
        glm_http_add_header(call->x, "Retry-After", seconds);
    } else {
        glm_http_add_header(call->x, "x-should-retry", "false");
    }
    glm_str body = {0};
    glm_error_body(&body, call->dialect, status, code, param, message, call->request_id);
    glm_answer_json(call, status, &body);
    glm_str_deinit(&body);
}

/* "messages[3].content: expected ...": the path before the colon. */
static bool path_of(char *out, size_t size, const char *text)
{
    size_t n = strcspn(text, ": ");
    if (text[n] != ':' || n == 0 || n >= size)
        return false;
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

void glm_answer_status(glm_call *call, glm_status st, const glm_error *err)
{
    char path[128];
    const char *param = path_of(path, sizeof path, err->text) ? path : NULL;
    switch (st) {
    case GLM_EARG:
    case GLM_EFORMAT:
    case GLM_EUNSUPP:
    case GLM_ELIMIT:
        glm_answer_error(call, 400, st == GLM_EUNSUPP ? "unsupported_parameter" : "invalid_value",
                         param, 0, "%s", err->text);
        return;
    case GLM_EBUSY:
        glm_answer_error(call, 503, "overloaded", NULL, 1,
                         "the server has as many requests as it takes; try again");
        return;
    default:
        glm_server_log(call->server, 0, "%s: %s", call->request_id, err->text);
        glm_answer_error(call, 500, NULL, NULL, 1, "the server failed: %s", glm_status_name(st));
    }
}
