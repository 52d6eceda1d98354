// SPDX-License-Identifier: MIT
/*
 * core/json_write and net/sse: any text in an event's JSON. A reader that follows WHATWG HTML 9.2 must find the events that were
 * written, comments left out, and each one's JSON must say the text again, bytes that are no UTF-8 replaced.
 */
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/json_write.h"
#include "core/utf8.h"
#include "must.h"
#include "net/sse.h"

#define EVENTS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct written {
    glm_text text;
    bool is_named;
};

static void write_event(glm_str *out, const struct written *e)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_write_key(&w, "delta");
    glm_json_write_text(&w, e->text);
    glm_json_end_object(&w);
    MUST(!json.has_failed && !memchr(json.data, '\n', json.length) &&
         !memchr(json.data, '\r', json.length));
    glm_sse_event(out, e->is_named ? "content_block_delta" : NULL, glm_str_text(&json));
    glm_str_deinit(&json);
}

/* The data of one event must be the JSON of `e`. */
static void must_say(const struct written *e, glm_text data)
{
    glm_arena arena;
    const glm_json *root;
    glm_str valid = {0};
    glm_arena_init(&arena, (size_t)64 << 20);
    MUST(glm_json_read(&root, &arena, data.data, data.length, 4, NULL) == GLM_OK);
    const glm_json *delta = glm_json_get(root, "delta");
    glm_utf8_append_valid(&valid, e->text);
    MUST(delta && delta->type == GLM_JSON_STRING && delta->length == valid.length);
    MUST(valid.length == 0 || memcmp(delta->text, valid.data, valid.length) == 0);
    glm_str_deinit(&valid);
    glm_arena_deinit(&arena);
}

/* Read a stream line by line, as the standard says; each empty line sends what has been read. */
static void read_back(glm_text stream, const struct written *events, size_t n)
{
    glm_text data = {0};
    bool has_name = false, has_data = false;
    size_t i = 0;
    while (stream.length) {
        const char *end = memchr(stream.data, '\n', stream.length);
        MUST(end);
        const size_t length = (size_t)(end - stream.data);
        if (length == 0 && has_data) {
            MUST(i < n && has_name == events[i].is_named);
            must_say(&events[i++], data);
            has_name = has_data = false;
        } else if (length > 6 && memcmp(stream.data, "data: ", 6) == 0) {
            MUST(!has_data);
            has_data = true;
            data = (glm_text){stream.data + 6, length - 6};
        } else if (length > 7 && memcmp(stream.data, "event: ", 7) == 0) {
            MUST(length == 7 + 19 && memcmp(stream.data + 7, "content_block_delta", 19) == 0);
            has_name = true;
        } else {
            MUST(length == 0 || stream.data[0] == ':');
        }
        stream.data += length + 1;
        stream.length -= length + 1;
    }
    MUST(i == n && !has_data && !has_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct written events[EVENTS_MAX];
    glm_str stream = {0};
    size_t n = 0;
    while (n < EVENTS_MAX &&
           size > 1) { /* a byte of length and kind before each text; the last takes the rest */
        size_t length = n + 1 == EVENTS_MAX || data[0] / 2 >= size - 1 ? size - 1 : data[0] / 2;
        events[n] = (struct written){{(const char *)data + 1, length}, data[0] % 2};
        if (length % 3 == 0)
            glm_sse_comment(&stream, "keep-alive");
        write_event(&stream, &events[n++]);
        data += length + 1;
        size -= length + 1;
    }
    MUST(!stream.has_failed);
    read_back(glm_str_text(&stream), events, n);
    glm_str_deinit(&stream);
    return 0;
}
