// SPDX-License-Identifier: MIT
/*
 * From a conversation, in the shape of Chat Completions, to a generation: switches, tools and their choice, constraint, prompt.
 * The other APIs first write their requests in that shape.
 */
#ifndef GLM_SERVER_CHAT_INPUT_H
#define GLM_SERVER_CHAT_INPUT_H

#include "server/generation.h"

typedef struct glm_chat_input {
    const glm_json *root; /* the request as it came: choice of tools, format, budget */
    const glm_json *tree; /* json's, when it is root's; NULL: it is still to be read */
    glm_text json;   /* {"messages": [...], "tools": [...], switches}, Chat Completions' shape */
    bool thinks_not; /* thinking is off unless the request says otherwise */
} glm_chat_input;

/** Render and start, or answer an error; *g is used up. Fills p's prompt, constraint and budget. */
void glm_chat_start_generation(glm_generation *g, const glm_chat_input *input,
                               glm_generation_params *p);

/** A request of Messages, or of Responses, in the shape of Chat Completions: appended to *out. False with *err. */
bool glm_chat_of_messages(glm_str *out, const glm_json *root, glm_field_error *err);
bool glm_chat_of_responses(glm_str *out, const glm_json *root, glm_field_error *err);

/** Of a conversation in Chat Completions' shape: parts of user messages, names of tools. False with *err. */
bool glm_check_conversation(const glm_json *root, glm_field_error *err);
/** Of Messages' list: each tool_use has its tool_result and the reverse. False with *err. */
bool glm_check_tool_results(const glm_json *messages, glm_field_error *err);

/** Answer with the length of the prompt that the request makes. */
void glm_chat_count(glm_call *call, glm_text json, const char *object);

#endif
