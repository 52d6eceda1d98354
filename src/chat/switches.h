// SPDX-License-Identifier: MIT
/*
 * The switches of a chat request: thinking, effort, clearing of past reasoning, generation prompt. Read as
 * the template itself reads them, or as the vendor's service maps them before the template sees them.
 *
 * Precedence, vendor's reading: an explicit off beats any effort; chat_template_kwargs beats top-level
 * fields; both beat the defaults the caller put into *out. Source: docs/chat.md.
 */
#ifndef GLM_CHAT_SWITCHES_H
#define GLM_CHAT_SWITCHES_H

#include "core/json.h"
#include "core/str.h"

typedef enum glm_effort {
    GLM_EFFORT_MAX,
    GLM_EFFORT_HIGH,
    GLM_EFFORT_LOW, /* GLM-5.3 only */
} glm_effort;

/** Whose published template is followed; docs/chat.md has the differences. */
typedef enum glm_generation {
    GLM_GENERATION_5_2,
    GLM_GENERATION_4_6, /* and 4.5 */
    GLM_GENERATION_4_7, /* and 5 */
    GLM_GENERATION_5_1,
    GLM_GENERATION_5_3,
} glm_generation;

typedef struct glm_switches {
    glm_generation generation; /* no request changes it */
    bool thinking;
    glm_effort effort;
    bool clear_thinking;
    bool add_generation_prompt;
    bool continue_final;
} glm_switches;

/** Refuse switches of the wrong type; null counts as absent. GLM_EARG names the field. */
GLM_MUST_CHECK glm_status glm_switches_check(const glm_json *root, glm_error *err);

/** Change in *out what the (checked) request says in the template's reading; NULL says nothing. */
void glm_switches_as_template(glm_switches *out, const glm_json *root);

/**
 * The same in the vendor's reading.
 * @return the effort it does not know (and took for max), or text of length 0
 */
glm_text glm_switches_as_vendor(glm_switches *out, const glm_json *root);

#endif
