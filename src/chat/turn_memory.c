// SPDX-License-Identifier: MIT
#include "chat/turn_memory.h"

#include <stdlib.h>
#include <string.h>

#include "chat/python.h"
#include "core/hash.h"
#include "core/mem.h"

/* Looking goes through all of them: few enough for a conversation of thousands of turns. */
#define TURNS_MAX 4096u
#define ARGUMENTS_BYTES ((size_t)64 << 20)

typedef struct remembered {
    uint64_t owner, before, used;
    glm_turn_face face;
    int32_t *ids;
    size_t n_ids;
} remembered;

struct glm_turn_memory {
    remembered turn[TURNS_MAX];
    uint32_t n;
    size_t n_bytes, max_bytes;
    uint64_t clock;
};

/* ---- Faces ---- */

static uint64_t hash_text(glm_text text, uint64_t seed)
{
    return glm_hash64(text.data ? text.data : "", text.length, seed);
}

/* Members of an object in any order give the same. The depth was bounded when the tree was read. */
static uint64_t hash_json(const glm_json *value)
{
    const uint64_t seed = (uint64_t)value->type * 2 + value->boolean;
    uint64_t sum = 0;
    switch (value->type) {
    case GLM_JSON_STRING:
    case GLM_JSON_NUMBER:
        return hash_text((glm_text){value->text, value->length}, seed);
    case GLM_JSON_OBJECT:
        for (const glm_json *m = value->first; m; m = m->next)
            sum += glm_hash64(m->key, m->key_length, hash_json(m));
        return glm_hash64(&sum, sizeof sum, seed);
    case GLM_JSON_ARRAY:
        for (const glm_json *item = value->first; item; item = item->next) {
            uint64_t pair[2] = {sum, hash_json(item)};
            sum = glm_hash64(pair, sizeof pair, seed);
        }
        return glm_hash64(&sum, sizeof sum, seed);
    default:
        return glm_hash64("", 0, seed);
    }
}

static uint64_t add_call(uint64_t hash, glm_text name, const glm_json *arguments)
{
    uint64_t parts[3] = {hash, hash_text(name, 1), hash_json(arguments)};
    return glm_hash64(parts, sizeof parts, 0);
}

static void set_texts(glm_turn_face *face, glm_text content, glm_text reasoning, glm_text call_id)
{
    reasoning = glm_python_strip(reasoning);
    *face = (glm_turn_face){.content = hash_text(glm_python_strip(content), 2),
                            .reasoning = reasoning.length ? hash_text(reasoning, 3) : 0,
                            .call_id = call_id.length ? hash_text(call_id, 4) : 0};
}

bool glm_turn_face_of(glm_turn_face *out, const glm_turn *turn)
{
    glm_str content = {0};
    for (size_t i = 0; i < turn->n_parts; i++) {
        const glm_part *part = &turn->parts[i];
        if (part->has_output || part->kind == GLM_PART_MEDIA ||
            part->kind == GLM_PART_TOOL_REFERENCE) {
            glm_str_deinit(&content);
            return false;
        }
        if (part->kind == GLM_PART_TEXT)
            glm_str_append_text(&content, part->text);
    }
    set_texts(out, glm_str_text(&content),
              turn->has_reasoning ? turn->reasoning : (glm_text){"", 0},
              turn->n_calls ? turn->calls[0].id : (glm_text){"", 0});
    for (size_t i = 0; i < turn->n_calls; i++)
        out->calls = add_call(out->calls, turn->calls[i].name, turn->calls[i].arguments);
    bool is_fine = !content.has_failed;
    glm_str_deinit(&content);
    return is_fine;
}

bool glm_turn_face_of_answer(glm_turn_face *out, glm_text content, glm_text reasoning,
                             glm_text call_id, const glm_text *names, const glm_text *arguments,
                             size_t n_calls)
{
    bool is_fine = true;
    set_texts(out, content, reasoning, call_id);
    for (size_t i = 0; i < n_calls && is_fine; i++) {
        glm_arena arena;
        const glm_json *tree;
        glm_arena_init(&arena, ARGUMENTS_BYTES);
        is_fine = glm_json_read(&tree, &arena, arguments[i].data, arguments[i].length,
                                GLM_CONVERSATION_DEPTH_MAX, NULL) == GLM_OK;
        if (is_fine)
            out->calls = add_call(out->calls, names[i], tree);
        glm_arena_deinit(&arena);
    }
    return is_fine;
}

/* ---- The list ---- */

glm_turn_memory *glm_turn_memory_create(size_t max_bytes)
{
    glm_turn_memory *m = glm_new(glm_turn_memory);
    if (m)
        m->max_bytes = max_bytes;
    return m;
}

void glm_turn_memory_destroy(glm_turn_memory *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->n; i++)
        free(m->turn[i].ids);
    free(m);
}

static void drop(glm_turn_memory *m, uint32_t i)
{
    m->n_bytes -= m->turn[i].n_ids * sizeof(int32_t);
    free(m->turn[i].ids);
    m->turn[i] = m->turn[--m->n];
}

static void drop_oldest(glm_turn_memory *m)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < m->n; i++)
        if (m->turn[i].used < m->turn[oldest].used)
            oldest = i;
    drop(m, oldest);
}

/* It shows the same, but for reasoning that was left out. */
static bool is_alike(const glm_turn_face *kept, const glm_turn_face *face)
{
    return kept->content == face->content && kept->calls == face->calls &&
           (!face->reasoning || kept->reasoning == face->reasoning);
}

bool glm_turn_memory_keep(glm_turn_memory *m, uint64_t owner, uint64_t before,
                          const glm_turn_face *face, const int32_t *head, size_t n_head,
                          const int32_t *ids, size_t n_ids)
{
    const size_t n = n_head + n_ids, size = glm_mul_size(n, sizeof *ids);
    if (!n || size > m->max_bytes)
        return false;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->turn[i].owner == owner && m->turn[i].before == before &&
            memcmp(&m->turn[i].face, face, sizeof *face) == 0) {
            drop(m, i); /* the same answer again: the newer tokens count */
            break;
        }
    int32_t *copy = glm_new_array(int32_t, n);
    if (!copy)
        return false;
    if (n_head) /* an empty list may have no address */
        memcpy(copy, head, n_head * sizeof *head);
    if (n_ids)
        memcpy(copy + n_head, ids, n_ids * sizeof *ids);
    while (m->n == TURNS_MAX || m->n_bytes + size > m->max_bytes)
        drop_oldest(m);
    m->n_bytes += size;
    m->turn[m->n++] = (remembered){.owner = owner,
                                   .before = before,
                                   .used = ++m->clock,
                                   .face = *face,
                                   .ids = copy,
                                   .n_ids = n};
    return true;
}

const int32_t *glm_turn_memory_find(glm_turn_memory *m, uint64_t owner, uint64_t before,
                                    const glm_turn_face *face, size_t *n)
{
    remembered *best = NULL;
    for (uint32_t i = 0; i < m->n; i++) {
        remembered *t = &m->turn[i];
        if (t->owner != owner || !is_alike(&t->face, face))
            continue;
        bool stands_there = t->before == before;
        bool has_id = face->call_id && t->face.call_id == face->call_id;
        if ((stands_there || has_id) && (!best || t->used > best->used))
            best = t;
    }
    if (!best)
        return NULL;
    best->used = ++m->clock;
    *n = best->n_ids;
    return best->ids;
}
