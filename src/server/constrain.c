// SPDX-License-Identifier: MIT
/* What a request holds its answer to: the fields that say so and the prompt's tools, handed to the library. */
#include <stdio.h>

#include "server/generation.h"

bool glm_read_single_call(glm_generation *g, glm_field_error *err)
{
    const glm_json *choice = glm_field(g->root, "tool_choice");
    bool parallel = true, single = false;
    if (!glm_field_bool(g->root, "parallel_tool_calls", &parallel, err))
        return false;
    if (choice && choice->type == GLM_JSON_OBJECT &&
        !glm_field_bool(choice, "disable_parallel_tool_use", &single, err))
        return false;
    g->single_call = !parallel || single;
    const bool is_none =
        glm_json_is(choice, "none") || glm_json_is(glm_json_get(choice, "type"), "none");
    if (choice && !is_none && !glm_field(g->root, "tools"))
        return glm_field_refuse(err, "tool_choice", "tool_choice: expected tools with it");
    return true; /* an empty list of tools with "auto" is what an agent sends to sum up */
}

static void add_member(glm_str *json, const char *name, const glm_json *value)
{
    if (!value)
        return;
    if (json->length > 1)
        glm_str_append_c(json, ",");
    glm_json_quote(json, glm_text_c(name));
    glm_str_append_c(json, ":");
    glm_json_spell(json, value);
}

glm_status glm_read_constraint(glm_constraint **out, glm_generation *g, const glm_json *tools,
                               bool in_reasoning, glm_error *err)
{
    static const char *const fields[] = {
        "response_format",    "text",        "output_config", "output_format",
        "structured_outputs", "guided_json", "guided_regex",  "guided_choice",
        "guided_grammar",     "json_schema", "grammar",       "tool_choice",
        "parallel_tool_calls"};
    glm_str json = {0};
    glm_str_append_c(&json, "{");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        add_member(&json, fields[i], glm_field(g->root, fields[i]));
    add_member(&json, "tools", tools);
    glm_str_append_c(&json, "}");
    glm_status st = json.has_failed
                        ? glm_fail(err, GLM_ENOMEM, "a constraint")
                        : glm_constraint_create_for_request(out, g->server->model, json.data,
                                                            json.length, in_reasoning, err);
    if (st == GLM_OK && *out && *glm_constraint_ignored(*out)) {
        char text[200];
        snprintf(text, sizeof text, "not followed: %s", glm_constraint_ignored(*out));
        glm_call_warn(g->call, text);
    }
    glm_str_deinit(&json);
    return st;
}
