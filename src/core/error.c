// SPDX-License-Identifier: MIT
#include "glm/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            *s = '?';
}

glm_status glm_fail(glm_error *err, glm_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    make_printable(err->text);
    err->hint[0] = '\0';
    err->status = status;
    return status;
}

glm_status glm_fail_context(glm_error *err, glm_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    char context[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    make_printable(context);

    size_t room = sizeof err->text - 1;
    size_t head = strlen(context);
    if (head > room - 2)
        head = room - 2;
    size_t tail = strlen(err->text);
    if (tail > room - head - 2)
        tail = room - head - 2;
    memmove(err->text + head + 2, err->text, tail);
    memcpy(err->text, context, head);
    memcpy(err->text + head, ": ", 2);
    err->text[head + 2 + tail] = '\0';
    err->status = status;
    return status;
}

void glm_error_hint(glm_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
    make_printable(err->hint);
}

const char *glm_status_name(glm_status status)
{
    switch (status) {
    case GLM_OK:
        return "ok";
    case GLM_EARG:
        return "bad argument";
    case GLM_ENOENT:
        return "not found";
    case GLM_EIO:
        return "input or output failed";
    case GLM_ENOMEM:
        return "out of memory";
    case GLM_EFORMAT:
        return "bad file";
    case GLM_EUNSUPP:
        return "not supported";
    case GLM_ELIMIT:
        return "refused by a limit";
    case GLM_ENUMERIC:
        return "numeric failure";
    case GLM_ECANCELED:
        return "canceled";
    case GLM_EINTERNAL:
        return "internal error";
    case GLM_EBUSY:
        return "busy";
    }
    return "unknown status";
}
