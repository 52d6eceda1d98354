// SPDX-License-Identifier: MIT
/*
 * A conversation, normalised: what the renderer and the parser need of a chat request, whichever of the
 * public APIs' shapes it came in. Reading is where everything odd is refused or repaired; after it the
 * renderer cannot fail but for memory.
 *
 * Normalisation: roles developer and function become system and tool, unknown ones user; absent content
 * becomes empty text; arguments become one JSON object; reasoning is taken from any of its four places;
 * tools become the inner function object; billing lines of a system prompt are dropped.
 *
 *     glm_conversation c;
 *     glm_conversation_init(&c);
 *     status = glm_conversation_read(&c, json, size, &err);
 *     glm_conversation_deinit(&c);
 *
 * Source: docs/chat.md, which restates the published template of GLM-5.2 and names the bug behind each rule.
 */
#ifndef GLM_CHAT_CONVERSATION_H
#define GLM_CHAT_CONVERSATION_H

#include "core/arena.h"
#include "core/json.h"
#include "core/str.h"

#define GLM_CONVERSATION_DEPTH_MAX 64
#define GLM_CONVERSATION_MESSAGES_MAX 10000
#define GLM_CONVERSATION_PARTS_MAX 1000
#define GLM_CONVERSATION_TOOLS_MAX 512
#define GLM_CONVERSATION_NOTES_MAX 64

typedef enum glm_turn_role {
    GLM_TURN_SYSTEM,
    GLM_TURN_USER,
    GLM_TURN_ASSISTANT,
    GLM_TURN_TOOL,
} glm_turn_role;

typedef enum glm_part_kind {
    GLM_PART_TEXT,
    GLM_PART_MEDIA,          /* text is its kind: "image", "video", "audio" */
    GLM_PART_TOOL_REFERENCE, /* text is the tool's name */
    GLM_PART_OTHER,          /* shows nothing */
} glm_part_kind;

typedef struct glm_part {
    glm_part_kind kind;
    glm_text text;
    bool has_output; /* the part has a member "output" */
    glm_text output;
} glm_part;

typedef struct glm_turn_call {
    glm_text name;
    glm_text id;               /* length 0: none */
    const glm_json *arguments; /* an object */
} glm_turn_call;

typedef struct glm_turn {
    glm_turn_role role;
    bool is_list;          /* content came as a list of parts; else it is one text part */
    const glm_part *parts; /* [n_parts] */
    size_t n_parts;
    bool has_reasoning;
    glm_text reasoning;
    const glm_turn_call *calls; /* [n_calls] */
    size_t n_calls;
    glm_text call_id; /* of a tool's turn: the call it answers; length 0: unsaid */
} glm_turn;

typedef struct glm_tool {
    glm_text name;
    bool is_deferred;
    const glm_json *json;       /* the function object as it is shown */
    const glm_json *whole;      /* the object around it, as templates before GLM-5.1 show it */
    const glm_json *parameters; /* its JSON Schema, or NULL */
} glm_tool;

typedef struct glm_conversation {
    glm_arena arena; /* everything below but the two arrays' own memory */
    glm_turn *turns; /* [n_turns] */
    size_t n_turns;
    size_t turns_capacity;
    const glm_tool *tools; /* [n_tools] */
    size_t n_tools;
    const glm_json *root; /* the whole request, or NULL; its switches have the right types */
    const char *notes[GLM_CONVERSATION_NOTES_MAX];
    size_t n_notes;
} glm_conversation;

void glm_conversation_init(glm_conversation *c);
void glm_conversation_deinit(glm_conversation *c);

/**
 * Read a whole request into an empty conversation. On error *c is good for deinit only.
 * Errors: GLM_EFORMAT, GLM_EARG with the field's path, GLM_ELIMIT, GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_conversation_read(glm_conversation *c, const char *json, size_t size,
                                                glm_error *err);

/** Append the messages of a JSON list; on error none is. */
GLM_MUST_CHECK glm_status glm_conversation_add_messages(glm_conversation *c, const char *json,
                                                        size_t size, glm_error *err);

/** Replace the tools by those of a JSON list; on error the old ones stay. */
GLM_MUST_CHECK glm_status glm_conversation_set_tools(glm_conversation *c, const char *json,
                                                     size_t size, glm_error *err);

/** Append a turn of one text part without reasoning and calls; bytes that are not UTF-8 become U+FFFD. */
GLM_MUST_CHECK glm_status glm_conversation_add_text(glm_conversation *c, glm_turn_role role,
                                                    glm_text text, glm_error *err);

/**
 * Append an assistant turn; everything is copied. arguments[i] is JSON or any other text, as a client
 * would send it.
 */
GLM_MUST_CHECK glm_status glm_conversation_add_answer(glm_conversation *c, glm_text content,
                                                      bool has_reasoning, glm_text reasoning,
                                                      const glm_text *names,
                                                      const glm_text *arguments, size_t n_calls,
                                                      glm_error *err);

/** The declared tool called `name`, or NULL. */
const glm_tool *glm_conversation_tool(const glm_conversation *c, glm_text name);

#endif
