// SPDX-License-Identifier: MIT
/* include/glm/chat.h, turns remembered. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/chat_internal.h"
#include "chat/turn_memory.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/mem.h"

struct glm_chat_memory {
    glm_turn_memory *turns;
    uint64_t secret; /* so that nobody can look for a beginning with the hash of another's */
};

glm_status glm_chat_memory_create(glm_chat_memory **out, size_t max_bytes, glm_error *err)
{
    if (max_bytes < 4096)
        return glm_fail(err, GLM_EARG, "memory of turns: expected 4096 bytes or more, got %zu",
                        max_bytes);
    glm_chat_memory *memory = glm_new(glm_chat_memory);
    if (memory && (memory->turns = glm_turn_memory_create(max_bytes)) != NULL) {
        if (getrandom(&memory->secret, sizeof memory->secret, 0) < 0)
            memory->secret = glm_clock_ns(); /* early at boot: hard to guess will do */
        *out = memory;
        return GLM_OK;
    }
    free(memory);
    return glm_fail(err, GLM_ENOMEM, "memory of turns");
}

void glm_chat_memory_destroy(glm_chat_memory *memory)
{
    if (!memory)
        return;
    glm_turn_memory_destroy(memory->turns);
    free(memory);
}

static uint64_t chain(uint64_t before, const int32_t *ids, size_t n)
{
    return glm_hash64(ids, n * sizeof *ids, before);
}

static glm_status append(struct glm_token_buf *buf, const int32_t *ids, size_t n, glm_error *err)
{
    if (n > buf->capacity - buf->n) {
        size_t capacity = buf->n + n + buf->capacity / 2;
        int32_t *more = realloc(buf->ids, glm_mul_size(capacity, sizeof *more));
        if (!more)
            return glm_fail(err, GLM_ENOMEM, "chat prompt");
        buf->ids = more;
        buf->capacity = capacity;
    }
    if (n)
        memcpy(buf->ids + buf->n, ids, n * sizeof *ids);
    buf->n += n;
    return GLM_OK;
}

/* An answer between a message and a message, whose reasoning is to be seen. */
static bool may_recall(const glm_chat_prompt *prompt, const glm_conversation *c, size_t i)
{
    const glm_turn *t = c->turns;
    return t[i].role == GLM_TURN_ASSISTANT && i >= prompt->rendering.kept_from &&
           (i == 0 || t[i - 1].role != GLM_TURN_ASSISTANT) && i + 1 < c->n_turns &&
           t[i + 1].role != GLM_TURN_ASSISTANT;
}

static void open_answer(glm_chat_opening *opening, const int32_t *tail, size_t n, uint64_t before)
{
    opening->before = before;
    opening->n_ids = n <= GLM_CHAT_OPENING_MAX ? (uint32_t)n : 0;
    if (opening->n_ids)
        memcpy(opening->ids, tail, opening->n_ids * sizeof *tail);
}

glm_status glm_chat_prompt_recall(glm_chat_prompt *prompt, glm_chat_memory *memory,
                                  const glm_chat_request *request, uint64_t owner,
                                  glm_chat_opening *opening, size_t *n_turns, glm_error *err)
{
    const glm_conversation *c = &request->conversation;
    const int32_t *ids;
    size_t n, n_recalled = 0;
    *opening = (glm_chat_opening){.owner = owner};
    glm_status st = glm_chat_prompt_ids(prompt, &ids, &n, err);
    if (st != GLM_OK)
        return st;
    size_t *start = prompt->message_start;
    struct glm_token_buf buf = {0};
    uint64_t before = chain(owner ^ (memory ? memory->secret : 0), ids, start[0]);
    st = append(&buf, ids, start[0], err);
    for (size_t i = 0; i < c->n_turns && st == GLM_OK; i++) {
        const int32_t *span = ids + start[i], *kept = NULL;
        size_t n_span = start[i + 1] - start[i], n_kept;
        glm_turn_face face;
        if (memory && may_recall(prompt, c, i) && glm_turn_face_of(&face, &c->turns[i]))
            kept = glm_turn_memory_find(memory->turns, owner, before, &face, &n_kept);
        n_recalled += kept != NULL;
        start[i] = buf.n; /* of the new ids; the old start is not needed again */
        before = kept ? chain(before, kept, n_kept) : chain(before, span, n_span);
        st = kept ? append(&buf, kept, n_kept, err) : append(&buf, span, n_span, err);
    }
    if (st == GLM_OK) {
        const size_t tail = start[c->n_turns];
        open_answer(opening, ids + tail, n - tail, before);
        start[c->n_turns] = buf.n;
        st = append(&buf, ids + tail, n - tail, err);
    }
    if (st != GLM_OK) {
        prompt->has_ids = false; /* starts and ids no longer belong together */
        glm_token_buf_deinit(&buf);
        return st;
    }
    glm_token_buf_deinit(&prompt->ids);
    prompt->ids = buf;
    if (n_turns)
        *n_turns = n_recalled;
    return GLM_OK;
}

glm_status glm_chat_memory_keep(glm_chat_memory *memory, const glm_chat_opening *opening,
                                const glm_chat_message *answer, const char *call_id,
                                const int32_t *ids, size_t n_ids, glm_error *err)
{
    if (!opening->n_ids)
        return GLM_OK;
    glm_text *texts = glm_new_array(glm_text, 2 * answer->n_calls + 1);
    if (!texts)
        return glm_fail(err, GLM_ENOMEM, "memory of turns");
    for (size_t i = 0; i < answer->n_calls; i++) {
        texts[i] = (glm_text){answer->calls[i].name, answer->calls[i].name_length};
        texts[answer->n_calls + i] =
            (glm_text){answer->calls[i].arguments, answer->calls[i].arguments_length};
    }
    glm_turn_face face;
    bool is_kept = glm_turn_face_of_answer(
        &face, (glm_text){answer->content, answer->content ? answer->content_length : 0},
        (glm_text){answer->reasoning, answer->reasoning ? answer->reasoning_length : 0},
        glm_text_c(call_id ? call_id : ""), texts, texts + answer->n_calls, answer->n_calls);
    if (is_kept)
        is_kept = glm_turn_memory_keep(memory->turns, opening->owner, opening->before, &face,
                                       opening->ids, opening->n_ids, ids, n_ids);
    free(texts);
    return is_kept ? GLM_OK : glm_fail(err, GLM_ENOMEM, "memory of turns: not kept");
}
