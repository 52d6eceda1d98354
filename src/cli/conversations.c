// SPDX-License-Identifier: MIT
#include "cli/conversations.h"

#include <stdlib.h>
#include <string.h>

#include "cli/tokens.h"
#include "core/json.h"
#include "core/mem.h"

#define LINE_BYTES_MAX ((size_t)256 << 20)
#define DEPTH_MAX 4

static glm_status append(cli_conversations *c, const glm_receipt_sequence *s, glm_error *err)
{
    if (c->n == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 64;
        glm_receipt_sequence *data = realloc(c->data, glm_mul_size(capacity, sizeof *data));
        if (!data)
            return glm_fail(err, GLM_ENOMEM, "%zu conversations", capacity);
        c->data = data;
        c->capacity = capacity;
    }
    c->data[c->n++] = *s;
    return GLM_OK;
}

/* Encode the member `key`; the count of its tokens to *n. */
static glm_status encode(cli_ids *ids, uint32_t *n, const glm_json *object, const char *key,
                         const glm_tokenizer *tokenizer, glm_error *err)
{
    const glm_json *v = glm_json_get(object, key);
    if (!v || v->type != GLM_JSON_STRING)
        return glm_fail(err, GLM_EFORMAT, "%s: expected a text", key);
    const size_t before = ids->n;
    glm_status st = cli_encode(tokenizer, v->text, v->length, true, ids, err);
    if (st != GLM_OK)
        return st;
    const size_t count = ids->n - before;
    if (count == 0 || count > UINT32_MAX / 2)
        return glm_fail(err, GLM_EFORMAT, "%s: expected at least one token, got %zu", key, count);
    *n = (uint32_t)count;
    return GLM_OK;
}

static glm_status read_task(glm_receipt_task *task, const glm_json *object, glm_error *err)
{
    const glm_json *v = glm_json_get(object, "task");
    if (glm_json_is_null(v))
        *task = GLM_RECEIPT_TEXT;
    else if (glm_json_is(v, "needle"))
        *task = GLM_RECEIPT_NEEDLE;
    else if (glm_json_is(v, "tool_call"))
        *task = GLM_RECEIPT_TOOL_CALL;
    else
        return glm_fail(err, GLM_EFORMAT, "task: expected needle or tool_call");
    return GLM_OK;
}

static glm_status read_line(cli_conversations *out, cli_ids *ids, const char *line, size_t length,
                            const glm_tokenizer *tokenizer, glm_error *err)
{
    glm_arena arena;
    const glm_json *object = NULL;
    glm_receipt_sequence s = {0};
    glm_arena_init(&arena, LINE_BYTES_MAX);
    glm_status st = glm_json_read(&object, &arena, line, length, DEPTH_MAX, err);
    if (st == GLM_OK)
        st = encode(ids, &s.n_prompt, object, "prompt", tokenizer, err);
    if (st == GLM_OK)
        st = encode(ids, &s.n_answer, object, "answer", tokenizer, err);
    if (st == GLM_OK)
        st = read_task(&s.task, object, err);
    glm_arena_deinit(&arena);
    return st == GLM_OK ? append(out, &s, err) : st;
}

glm_status cli_conversations_read(cli_conversations *out, cli_ids *ids, const glm_str *text,
                                  const glm_tokenizer *tokenizer, glm_error *err)
{
    const char *at = text->data, *end = text->data + text->length;
    for (size_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (stop > at) {
            glm_status st = read_line(out, ids, at, (size_t)(stop - at), tokenizer, err);
            if (st != GLM_OK)
                return glm_fail_context(err, st, "line %zu", number);
        }
        at = newline ? newline + 1 : end;
    }
    return GLM_OK;
}

void cli_conversations_deinit(cli_conversations *conversations)
{
    free(conversations->data);
    *conversations = (cli_conversations){0};
}
