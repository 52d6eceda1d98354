// SPDX-License-Identifier: MIT
/* What the files behind include/glm/chat.h share. */
#ifndef GLM_API_CHAT_INTERNAL_H
#define GLM_API_CHAT_INTERNAL_H

#include "chat/conversation.h"
#include "chat/template.h"
#include "glm/chat.h"
#include "tokenizer/tokenizer.h"

#define N_STOPS 3

struct glm_chat {
    const glm_tokenizer *tokenizer; /* or NULL */
    int32_t ids[GLM_TAG_COUNT];     /* of the tags with a name; -1 without a tokenizer */
    int32_t stops[N_STOPS];
    uint8_t *tags_in_text; /* [glm_tok_n_added] 1: matched in callers' text */
};

struct glm_chat_request {
    glm_conversation conversation;
    char warning[96]; /* about the effort, in the vendor's reading; or empty */
};

struct glm_chat_prompt {
    const glm_chat *chat;
    glm_rendering rendering;
    glm_str text;
    bool match_tags;
    bool has_ids;
    struct glm_token_buf ids;
    size_t *message_start; /* [n_turns + 1] in ids */
};

#endif
