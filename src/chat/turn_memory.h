// SPDX-License-Identifier: MIT
/*
 * Answers as they were generated, found again by what stands before them or by the id of their first call, and by what they show.
 * A bounded list; texts are kept as hashes only, tokens as they are. include/glm/chat.h says what it is for.
 */
#ifndef GLM_CHAT_TURN_MEMORY_H
#define GLM_CHAT_TURN_MEMORY_H

#include "chat/conversation.h"

typedef struct glm_turn_memory glm_turn_memory;

/** What a turn shows, as hashes: content and reasoning without the blanks around them, calls with members of arguments in any order. */
typedef struct glm_turn_face {
    uint64_t content, calls, reasoning; /* reasoning 0: none */
    uint64_t call_id;                   /* of the first call; 0: none */
} glm_turn_face;

/** The face of an assistant's turn; false when it shows what no answer does (media), or without memory. */
bool glm_turn_face_of(glm_turn_face *out, const glm_turn *turn);

/** The face of an answer; arguments[i] is JSON. False when that cannot be read, or without memory. */
bool glm_turn_face_of_answer(glm_turn_face *out, glm_text content, glm_text reasoning,
                             glm_text call_id, const glm_text *names, const glm_text *arguments,
                             size_t n_calls);

/** A memory of at most max_bytes, or NULL. */
glm_turn_memory *glm_turn_memory_create(size_t max_bytes);
void glm_turn_memory_destroy(glm_turn_memory *m);

/**
 * Remember a turn: head[n_head] and ids[n_ids] are its tokens.
 *
 * @param before  names all tokens before it
 * @return false without memory for it, or when it is larger than all the memory may be
 */
bool glm_turn_memory_keep(glm_turn_memory *m, uint64_t owner, uint64_t before,
                          const glm_turn_face *face, const int32_t *head, size_t n_head,
                          const int32_t *ids, size_t n_ids);

/** The tokens [*n] of the turn that stands there and shows this, or NULL. Valid until the next keep. */
const int32_t *glm_turn_memory_find(glm_turn_memory *m, uint64_t owner, uint64_t before,
                                    const glm_turn_face *face, size_t *n);

#endif
