// SPDX-License-Identifier: MIT
/*
 * Constrained output: the answer follows a JSON Schema, a regular expression, a list of choices or a grammar, and calls of
 * tools follow the tools' schemas. A constraint is compiled once and given to any number of generations, at the same
 * time too; each follows its own answer under it.
 *
 *     glm_constraint_params params = glm_constraint_params_default();
 *     params.kind = GLM_CONSTRAINT_JSON_SCHEMA;
 *     params.text = schema;
 *     params.length = strlen(schema);
 *     glm_constraint_create(&constraint, model, &params, &err);
 *     generate_params.constraint = constraint;                      glm/sampler.h
 *     ...
 *     glm_constraint_release(constraint);
 *
 * The constraint holds for the answer, not for reasoning: with in_reasoning it begins behind `</think>`, and up to
 * there only end tokens and tags of half a tool call are refused, so that reasoning cannot be the end of a
 * constrained answer. What is followed of each notation, and what is not: docs/constraints.md.
 */
#ifndef GLM_CONSTRAINT_H
#define GLM_CONSTRAINT_H

#include "glm/glm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum glm_constraint_kind {
    GLM_CONSTRAINT_FREE,        /* any text */
    GLM_CONSTRAINT_JSON_OBJECT, /* one JSON object */
    GLM_CONSTRAINT_JSON_SCHEMA, /* text is a JSON Schema */
    GLM_CONSTRAINT_REGEX,       /* text is a regular expression that the whole answer matches */
    GLM_CONSTRAINT_CHOICE,      /* text is a JSON list of strings, of which the answer is one */
    GLM_CONSTRAINT_GBNF,        /* text is a grammar with a rule "root" */
} glm_constraint_kind;

typedef enum glm_tool_choice {
    GLM_TOOL_CHOICE_AUTO,     /* the answer may hold calls */
    GLM_TOOL_CHOICE_NONE,     /* it must not */
    GLM_TOOL_CHOICE_REQUIRED, /* it is calls, at least one */
} glm_tool_choice;

typedef struct glm_constraint_params {
    glm_constraint_kind kind;
    const char *text; /* [length] UTF-8, as kind says */
    size_t length;
    bool strict; /* JSON Schema: refuse what cannot be followed, and undeclared properties */

    const char *tools; /* [tools_length] "tools" of a request, a JSON list; NULL: there are none */
    size_t tools_length;
    glm_tool_choice tool_choice;
    const char *const *tool_names; /* [n_tool_names] the tools that may be called; none: all */
    size_t n_tool_names;
    bool single_call; /* at most one call (parallel_tool_calls: false) */

    bool in_reasoning; /* the prompt ends inside reasoning */
} glm_constraint_params;

/** Free text, no tools. */
GLM_API glm_constraint_params glm_constraint_params_default(void);

typedef struct glm_constraint glm_constraint;

/**
 * Compile. Nothing of params is kept; the model must outlive the constraint. The first call for a model takes some tens of
 * milliseconds more, to read its vocabulary; safe from any thread.
 *
 * The answer of a content kind with tools is content, calls, or content and then calls. Arguments are held to the
 * schema of functions that say "strict": true. With tool_choice NONE no call can begin.
 *
 * Limits: source 256 KiB, tools 4 MiB, nesting 64, 1 MiB compiled, and a bound on the compiler's steps.
 * Errors: GLM_EFORMAT (JSON that is none), GLM_EARG (a damaged source; says where), GLM_EUNSUPP (what strict
 * refuses, by name; a model without a tokenizer or without the tags of calls), GLM_ELIMIT, GLM_ENOMEM.
 * The caller owns one reference to *out.
 */
GLM_API GLM_MUST_CHECK glm_status glm_constraint_create(glm_constraint **out, glm_model *model,
                                                        const glm_constraint_params *params,
                                                        glm_error *err);

/**
 * The constraint that a request's body asks for, *out NULL when it asks for none: response_format, text.format,
 * output_config.format, structured_outputs and guided_*, grammar, json_schema; tools, tool_choice and
 * parallel_tool_calls. Fields that are none of these are not looked at.
 *
 * @param in_reasoning  as in the params; an API's caller knows it from the rendered prompt
 * Errors: those of glm_constraint_create, with the field's name.
 */
GLM_API GLM_MUST_CHECK glm_status glm_constraint_create_for_request(glm_constraint **out,
                                                                    glm_model *model,
                                                                    const char *json, size_t size,
                                                                    bool in_reasoning,
                                                                    glm_error *err);

/** One more reference, to be released; safe from any thread. Returns c. */
GLM_API glm_constraint *glm_constraint_acquire(glm_constraint *c);
/** Give one back; the last one frees. NULL is fine. */
GLM_API void glm_constraint_release(glm_constraint *c);

/** Keywords and functions that had no effect, apart by commas, for a warning; empty when all had. Borrowed. */
GLM_API const char *glm_constraint_ignored(const glm_constraint *c);

#ifdef __cplusplus
}
#endif
#endif
