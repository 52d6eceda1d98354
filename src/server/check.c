// SPDX-License-Identifier: MIT
/* What must hold of a conversation before it is rendered, beyond what rendering needs: parts of content, names, order of calls. */
#include <stdio.h>
#include <string.h>

#include "server/chat_input.h"

#define NAME_MAX_BYTES 128u
#define OPEN_MAX 1024u /* calls of tools that wait for their results */

/* ---- Chat Completions' shape ---- */

static bool is_known_part(const glm_json *type)
{
    static const char *const known[] = {
        "text",        "input_text",  "output_text", "refusal",        "image",     "image_url",
        "input_image", "video",       "video_url",   "audio",          "audio_url", "file",
        "input_file",  "input_audio", "document",    "tool_reference", "thinking"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (glm_json_is(type, known[i]))
            return true;
    return false;
}

/* Text, or a list of parts: what the template cannot show would be left out in silence. */
static bool check_user(const glm_json *content, size_t index, glm_field_error *err)
{
    char path[64];
    size_t k = 0;
    snprintf(path, sizeof path, "messages[%zu].content", index);
    if (!content || (content->type == GLM_JSON_ARRAY && !content->first))
        return glm_field_refuse(err, path,
                                "%s: expected text, or a list of parts that is not empty", path);
    if (content->type != GLM_JSON_ARRAY)
        return true; /* other types are the reader's to refuse */
    for (const glm_json *p = content->first; p; p = p->next, k++) {
        if (p->type != GLM_JSON_OBJECT || is_known_part(glm_json_get(p, "type")))
            continue;
        snprintf(path, sizeof path, "messages[%zu].content[%zu].type", index, k);
        return glm_field_refuse(err, path, "%s: expected text or another known type", path);
    }
    return true;
}

static bool is_name(const glm_json *name)
{
    static const char fine[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-";
    return name->length > 0 && name->length <= NAME_MAX_BYTES &&
           strspn(name->text, fine) == name->length;
}

bool glm_check_conversation(const glm_json *root, glm_field_error *err)
{
    const glm_json *messages = glm_field(root, "messages"), *tools = glm_field(root, "tools");
    size_t index = 0;
    for (const glm_json *m = messages ? messages->first : NULL; m; m = m->next, index++)
        if (glm_json_is(glm_json_get(m, "role"), "user") &&
            !check_user(glm_field(m, "content"), index, err))
            return false;
    index = 0;
    for (const glm_json *t = tools ? tools->first : NULL; t; t = t->next, index++) {
        const glm_json *function = glm_field(t, "function");
        const glm_json *name = glm_json_get(function ? function : t, "name");
        char path[64];
        if (!name || name->type != GLM_JSON_STRING || is_name(name))
            continue;
        snprintf(path, sizeof path, "tools[%zu]%s.name", index, function ? ".function" : "");
        return glm_field_refuse(err, path, "%s: expected 1 to %u of A-Z a-z 0-9 _ . : / -", path,
                                NAME_MAX_BYTES);
    }
    return true;
}

/* ---- Messages' shape ---- */

struct open_calls {
    const glm_json *id[OPEN_MAX]; /* [n] of tool_use blocks without a result so far */
    size_t n;
    bool has_answers; /* a user message came behind them */
};

static bool is_block(const glm_json *block, const char *type)
{
    return block->type == GLM_JSON_OBJECT && glm_json_is(glm_json_get(block, "type"), type);
}

static bool open_call(struct open_calls *o, const glm_json *block, const char *path,
                      glm_field_error *err)
{
    const glm_json *id = glm_json_get(block, "id"), *input = glm_field(block, "input");
    if (!id || id->type != GLM_JSON_STRING)
        return glm_field_refuse(err, path, "%s.id: expected a string", path);
    if (input && input->type != GLM_JSON_OBJECT)
        return glm_field_refuse(err, path, "%s.input: expected an object", path);
    if (o->n == OPEN_MAX)
        return glm_field_refuse(err, path, "%s: expected at most %u calls", path, OPEN_MAX);
    o->id[o->n++] = id;
    return true;
}

static bool close_call(struct open_calls *o, const glm_json *block, const char *path,
                       glm_field_error *err)
{
    const glm_json *id = glm_json_get(block, "tool_use_id");
    if (!id || id->type != GLM_JSON_STRING)
        return glm_field_refuse(err, path, "%s.tool_use_id: expected a string", path);
    for (size_t i = 0; i < o->n; i++) {
        if (!glm_json_is(o->id[i], id->text))
            continue;
        memmove(&o->id[i], &o->id[i + 1], (--o->n - i) * sizeof *o->id);
        return true;
    }
    return glm_field_refuse(err, path, "%s.tool_use_id: expected the id of a tool_use before it",
                            path);
}

bool glm_check_tool_results(const glm_json *messages, glm_field_error *err)
{
    struct open_calls open = {.n = 0};
    size_t index = 0;
    for (const glm_json *m = messages ? messages->first : NULL; m; m = m->next, index++) {
        const glm_json *content = glm_field(m, "content"), *role = glm_json_get(m, "role");
        bool is_assistant = glm_json_is(role, "assistant");
        if (is_assistant && open.n > 0 && open.has_answers)
            break;
        open.has_answers = is_assistant ? false : open.has_answers || glm_json_is(role, "user");
        size_t k = 0;
        for (const glm_json *b = content && content->type == GLM_JSON_ARRAY ? content->first : NULL;
             b; b = b->next, k++) {
            char path[64];
            snprintf(path, sizeof path, "messages[%zu].content[%zu]", index, k);
            if (is_assistant && is_block(b, "tool_use") && !open_call(&open, b, path, err))
                return false;
            if (!is_assistant && is_block(b, "tool_result") && !close_call(&open, b, path, err))
                return false;
        }
    }
    if (open.n > 0)
        return glm_field_refuse(
            err, "messages",
            "messages: expected a tool_result for each tool_use, got none for %.40s",
            open.id[0]->text);
    return true;
}
