// SPDX-License-Identifier: MIT
/* Reading a request's fields: their kind and range, with their path in the error. */
#include <stdarg.h>
#include <stdio.h>

#include "server/limits.h"
#include "server/server_internal.h"

bool glm_field_refuse(glm_field_error *err, const char *param, const char *fmt, ...)
{
    va_list args;
    snprintf(err->param, sizeof err->param, "%s", param);
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return false;
}

const glm_json *glm_field(const glm_json *object, const char *name)
{
    const glm_json *value = glm_json_get(object, name);
    return glm_json_is_null(value) ? NULL : value;
}

void glm_copy_fields(glm_json_writer *w, const glm_json *object, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const glm_json *value = glm_field(object, names[i]);
        if (!value)
            continue;
        glm_json_write_key(w, names[i]);
        glm_json_copy(w, value);
    }
}

bool glm_field_bool(const glm_json *object, const char *name, bool *out, glm_field_error *err)
{
    const glm_json *value = glm_field(object, name);
    if (!value)
        return true;
    if (value->type != GLM_JSON_BOOL)
        return glm_field_refuse(err, name, "%s: expected a boolean", name);
    *out = value->boolean;
    return true;
}

bool glm_field_real(const glm_json *object, const char *name, double min, double max, double *out,
                    glm_field_error *err)
{
    const glm_json *value = glm_field(object, name);
    double x;
    if (!value)
        return true;
    if (value->type != GLM_JSON_NUMBER || !glm_json_text_double(value->text, value->length, &x) ||
        !(x >= min && x <= max))
        return glm_field_refuse(err, name, "%s: expected a number from %g to %g", name, min, max);
    *out = x;
    return true;
}

bool glm_field_int(const glm_json *object, const char *name, int64_t min, int64_t max, int64_t *out,
                   glm_field_error *err)
{
    const glm_json *value = glm_field(object, name);
    int64_t n;
    if (!value)
        return true;
    if (value->type != GLM_JSON_NUMBER || !glm_json_text_i64(value->text, value->length, &n) ||
        n < min || n > max)
        return glm_field_refuse(err, name, "%s: expected an integer from %lld to %lld", name,
                                (long long)min, (long long)max);
    *out = n;
    return true;
}

bool glm_field_text(const glm_json *object, const char *name, glm_text *out, glm_field_error *err)
{
    const glm_json *value = glm_field(object, name);
    if (!value)
        return true;
    if (value->type != GLM_JSON_STRING)
        return glm_field_refuse(err, name, "%s: expected a string", name);
    *out = (glm_text){value->text, value->length};
    return true;
}

bool glm_read_body(glm_call *call, glm_arena *arena, const glm_json **root)
{
    glm_text body = glm_http_body(call->x);
    glm_error err;
    /* A node a value and its text: a small multiple of the body. */
    glm_arena_init(arena, body.length * 40 + ((size_t)1 << 20));
    glm_status st = glm_json_read(root, arena, body.data, body.length, BODY_DEPTH_MAX, &err);
    if (st == GLM_OK && (*root)->type != GLM_JSON_OBJECT)
        st = glm_fail(&err, GLM_EFORMAT, "expected an object");
    if (st == GLM_OK && (*root)->length > BODY_FIELDS_MAX)
        st = glm_fail(&err, GLM_EFORMAT, "expected at most %u fields, got %zu", BODY_FIELDS_MAX,
                      (*root)->length);
    if (st == GLM_OK)
        return true;
    glm_arena_deinit(arena);
    if (st == GLM_ENOMEM)
        glm_answer_status(call, st, &err);
    else
        glm_answer_error(call, 400, "invalid_json", NULL, 0, "the body: %.200s", err.text);
    return false;
}
