// SPDX-License-Identifier: MIT
/*
 * Bodies of requests of Messages and Responses: read, checked and turned into the shape of Chat Completions. What was taken must come
 * out as JSON that is read back, the same each time.
 */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "server/chat_input.h"

#define DEPTH_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool convert_fn(glm_str *out, const glm_json *root, glm_field_error *err);

/* What the conversation's reader says of it; refusals have their reason. */
static void must_read(const glm_str *json)
{
    glm_chat_request *request = NULL;
    glm_error err = {.text = ""};
    glm_status st = glm_chat_request_read(&request, json->data, json->length, &err);
    MUST((st == GLM_OK) == (request != NULL) && (st == GLM_OK || err.text[0]));
    glm_chat_request_destroy(request);
}

static void must_convert(convert_fn *convert, const glm_json *root)
{
    glm_str once = {0}, again = {0};
    glm_field_error field = {.text = ""};
    glm_arena arena;
    const glm_json *tree;
    bool is_taken = convert(&once, root, &field);
    MUST(is_taken == convert(&again, root, &field));
    MUST(is_taken || field.text[0]);
    if (is_taken) {
        MUST(once.length == again.length && memcmp(once.data, again.data, once.length) == 0);
        glm_arena_init(&arena, (size_t)64 << 20);
        /* What an API nests is a few levels deeper in the other's shape. */
        MUST(glm_json_read(&tree, &arena, once.data, once.length, DEPTH_MAX + 16, NULL) == GLM_OK);
        if (glm_check_conversation(tree, &field))
            must_read(&once);
        else
            MUST(field.text[0]);
        glm_arena_deinit(&arena);
    }
    glm_str_deinit(&once);
    glm_str_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    glm_arena arena;
    const glm_json *root;
    glm_field_error field;
    glm_arena_init(&arena, (size_t)64 << 20);
    if (glm_json_read(&root, &arena, (const char *)data, size, DEPTH_MAX, NULL) == GLM_OK &&
        root->type == GLM_JSON_OBJECT) {
        (void)glm_check_tool_results(glm_field(root, "messages"), &field);
        must_convert(glm_chat_of_messages, root);
        must_convert(glm_chat_of_responses, root);
    }
    glm_arena_deinit(&arena);
    return 0;
}
