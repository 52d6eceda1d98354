// SPDX-License-Identifier: MIT
/*
 * GLM-5.2's chat template, hand-written: a normalised conversation to segments; and what templates of the
 * generations before and after it do otherwise.
 *
 * Source: chat_template.jinja of zai-org/GLM-5.2, revision b4734de4, SHA-256
 * 172dc74a35e1752df75ecfb2b2cf9326d2852bb1379868ebeec9571654489679; docs/chat.md states it step by step, and
 * for the other generations the differences and where they were read.
 */
#ifndef GLM_CHAT_TEMPLATE_H
#define GLM_CHAT_TEMPLATE_H

#include "chat/conversation.h"
#include "chat/segments.h"
#include "chat/switches.h"

/** In which state the model goes on from a prompt. */
typedef enum glm_start {
    GLM_START_REASONING, /* behind an open <think> */
    GLM_START_CONTENT,   /* behind </think> or the bare role token */
    GLM_START_CONTINUED, /* behind text of the answer */
} glm_start;

typedef struct glm_rendering {
    glm_segments segments;
    size_t *turn_start; /* [n_turns + 1] index of the segment a turn begins with; then the tail's */
    size_t n_turns;
    size_t kept_from; /* turns from this one on show their reasoning */
    glm_start start;
} glm_rendering;

/** The template's own defaults: thinking, Max, a generation prompt, and clearing (GLM-5.3: keeping). */
glm_switches glm_template_defaults(glm_generation generation);

/**
 * Render. The conversation is only read. *out owns memory even on error.
 * Errors: GLM_EARG (continue_final, but the last turn is not an assistant's), GLM_ENOMEM.
 */
GLM_MUST_CHECK glm_status glm_template_render(glm_rendering *out, const glm_conversation *c,
                                              const glm_switches *switches, glm_error *err);
void glm_rendering_deinit(glm_rendering *r);

/** The name of a generation's template, "GLM-5.2". */
const char *glm_template_name(glm_generation generation);

/** Which generation the published template with this digest (64 hex digits) belongs to; false: not known. */
bool glm_template_find(glm_generation *out, const char *sha256_hex);

/**
 * Which generation a template of unknown digest most resembles, by marks of its text that only that generation has. It is
 * searched, never run. False when it has none of them (then *out is GLM-5.2's).
 */
bool glm_template_recognise(glm_generation *out, glm_text jinja);

#endif
