// SPDX-License-Identifier: MIT
#include "net/http_parse.h"

#include <string.h>
#include <strings.h>

/* tchar of RFC 9110, 5.6.2. */
static bool is_token_char(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (!is_token_char(*text))
            return false;
    return true;
}

static bool refuse(glm_http_refusal *refusal, int status, const char *text)
{
    *refusal = (glm_http_refusal){status, text};
    return false;
}

const char *glm_http_head_field(const glm_http_head *head, const char *name)
{
    for (uint32_t i = 0; i < head->n_fields; i++)
        if (strcasecmp(head->field[i].name, name) == 0)
            return head->field[i].value;
    return NULL;
}

static uint32_t count_fields(const glm_http_head *head, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < head->n_fields; i++)
        n += strcasecmp(head->field[i].name, name) == 0;
    return n;
}

/* A target in origin form, or absolute form (cut to its path), or "*". */
static bool parse_target(glm_http_head *out, char *target)
{
    for (const char *c = target; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
            return false;
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        target = strchr(strchr(target, ':') + 3, '/');
        if (!target) {
            out->path = "/";
            out->query = "";
            return true;
        }
    }
    if (target[0] != '/' && strcmp(target, "*") != 0)
        return false;
    char *query = strchr(target, '?');
    out->path = target;
    out->query = "";
    if (query) {
        *query = '\0';
        out->query = query + 1;
    }
    return true;
}

static bool parse_version(glm_http_head *out, const char *version, glm_http_refusal *refusal)
{
    static const char shape[] = "HTTP/";
    if (strncmp(version, shape, 5) != 0 || version[5] < '0' || version[5] > '9' ||
        version[6] != '.' || version[7] < '0' || version[7] > '9' || version[8] != '\0')
        return refuse(refusal, 400, "the request line is damaged");
    if (version[5] != '1' || version[7] > '1')
        return refuse(refusal, 505, "only HTTP/1.0 and HTTP/1.1 are spoken");
    out->minor = version[7] - '0';
    return true;
}

static bool parse_request_line(glm_http_head *out, char *line, glm_http_refusal *refusal)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strchr(version + 1, ' '))
        return refuse(refusal, 400, "the request line is damaged");
    *target++ = '\0';
    *version++ = '\0';
    out->method = line;
    if (!parse_version(out, version, refusal))
        return false;
    if (!is_token(line) || strlen(line) > 32 || !parse_target(out, target))
        return refuse(refusal, 400, "the request line is damaged");
    return true;
}

static bool parse_field(glm_http_head *out, char *line, glm_http_refusal *refusal)
{
    char *value = strchr(line, ':');
    if (!value)
        return refuse(refusal, 400, "a header line has no colon");
    *value++ = '\0';
    if (!is_token(line)) /* blanks before the colon and folded lines too */
        return refuse(refusal, 400, "a header's name is damaged");
    while (*value == ' ' || *value == '\t')
        value++;
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return refuse(refusal, 400, "a header's value holds a control character");
    out->field[out->n_fields++] = (glm_http_field){line, value};
    return true;
}

/* A length is digits, nothing else. */
static bool parse_length(const char *text, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9'; i++) {
        if (i == 18)
            return false;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *out = n;
    return i > 0 && text[i] == '\0';
}

/* Whether a comma-separated list holds the word. */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        size_t n = strcspn(list, ",");
        const char *item = list;
        size_t size = n;
        while (size > 0 && (*item == ' ' || *item == '\t')) {
            item++;
            size--;
        }
        while (size > 0 && (item[size - 1] == ' ' || item[size - 1] == '\t'))
            size--;
        if (size == length && strncasecmp(item, word, length) == 0)
            return true;
        list += n;
        list += *list == ',';
    }
    return false;
}

/* What frames the body: where two readers could differ, nobody reads. */
static bool parse_framing(glm_http_head *out, glm_http_refusal *refusal)
{
    const char *encoding = glm_http_head_field(out, "Transfer-Encoding");
    const char *length = glm_http_head_field(out, "Content-Length");
    if (encoding && length)
        return refuse(refusal, 400, "both Content-Length and Transfer-Encoding are given");
    if (count_fields(out, "Content-Length") > 1 || count_fields(out, "Transfer-Encoding") > 1)
        return refuse(refusal, 400, "a framing header is given twice");
    if (encoding) {
        if (out->minor == 0)
            return refuse(refusal, 400, "HTTP/1.0 has no Transfer-Encoding");
        if (strcasecmp(encoding, "chunked") != 0)
            return refuse(refusal, 501, "only the transfer encoding chunked is known");
        out->is_chunked = true;
    }
    if (length) {
        out->has_length = true;
        if (!parse_length(length, &out->length))
            return refuse(refusal, 400, "Content-Length is no length");
    }
    return true;
}

static bool parse_connection(glm_http_head *out, glm_http_refusal *refusal)
{
    uint32_t n_hosts = count_fields(out, "Host");
    if (n_hosts > 1 || (n_hosts == 0 && out->minor == 1))
        return refuse(refusal, 400, "exactly one Host is needed");
    const char *connection = glm_http_head_field(out, "Connection");
    out->wants_close = out->minor == 0 || (connection && list_has(connection, "close"));
    const char *expect = glm_http_head_field(out, "Expect");
    if (expect && strcasecmp(expect, "100-continue") != 0)
        return refuse(refusal, 417, "only the expectation 100-continue is known");
    out->expects_continue = expect != NULL && out->minor == 1;
    return true;
}

bool glm_http_parse_head(glm_http_head *out, char *data, size_t size, size_t line_max,
                         uint32_t n_fields_max, glm_http_refusal *refusal)
{
    *out = (glm_http_head){0};
    if (memchr(data, '\0', size))
        return refuse(refusal, 400, "the head holds a NUL");
    char *at = data, *end = data + size;
    for (bool is_first = true; at < end; is_first = false) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline || newline == at || newline[-1] != '\r')
            return refuse(refusal, 400, "a line does not end with CR and LF");
        char *line = at;
        size_t length = (size_t)(newline - 1 - line);
        at = newline + 1;
        line[length] = '\0';
        if (memchr(line, '\r', length))
            return refuse(refusal, 400, "a line holds a lone CR");
        if (is_first) {
            if (length > line_max)
                return refuse(refusal, 414, "the request line is too long");
            if (!parse_request_line(out, line, refusal))
                return false;
            continue;
        }
        if (length == 0)
            break;
        if (out->n_fields >= n_fields_max || out->n_fields >= GLM_HTTP_HEADERS_MAX)
            return refuse(refusal, 431, "there are too many header lines");
        if (!parse_field(out, line, refusal))
            return false;
    }
    return parse_framing(out, refusal) && parse_connection(out, refusal);
}

bool glm_http_parse_chunk_size(const char *line, size_t length, uint64_t *size)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < length; i++) {
        char c = line[i];
        uint64_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint64_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint64_t)(c - 'A') + 10;
        else
            break;
        if (i == 12)
            return false;
        n = n * 16 + digit;
    }
    if (i == 0 || (i < length && line[i] != ';' && line[i] != ' ' && line[i] != '\t'))
        return false;
    for (size_t k = i; k < length; k++)
        if ((unsigned char)line[k] < 0x20 && line[k] != '\t')
            return false;
    *size = n;
    return true;
}
