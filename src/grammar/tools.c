// SPDX-License-Identifier: MIT
/*
 * Tool calls of GLM's chat format: tags that are tokens, and between them names and values as plain text.
 *
 *     call = CALL name ( KEY key KEY_END VALUE value VALUE_END )* CALL_END
 *
 * Of a strict function keys come in any order, each at most once, the required ones all; a value is text where
 * the schema admits strings, else JSON. A function that is not strict, or whose schema cannot be compiled, has any
 * keys and any text.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "grammar/schema_internal.h"
#include "grammar/vocab.h"

#define TOOLS_MAX 512
#define KEYS_MAX 256 /* of a strict function; more are not followed */
#define NESTING_MAX 64

struct tool {
    const glm_json *name, *parameters;
    bool is_strict;
};

static uint32_t tag(glm_prog *p, enum glm_tag t, uint32_t next)
{
    return glm_prog_range(p, (uint8_t)(GLM_TAG_BYTE + t), (uint8_t)(GLM_TAG_BYTE + t), next);
}

/* ---- One function ---- */

/* Any keys and values, and the end of the call. */
static uint32_t write_loose(glm_prog *p)
{
    uint32_t raw = glm_standard_text(p, GLM_TEXT_RAW);
    uint32_t loop = glm_prog_open_loop(p, tag(p, GLM_TAG_CALL_END, GLM_PROG_END));
    uint32_t value = glm_prog_units(p, raw, 0, GLM_PROG_ENDLESS, tag(p, GLM_TAG_VALUE_END, loop));
    uint32_t between = tag(p, GLM_TAG_KEY_END, tag(p, GLM_TAG_VALUE, value));
    uint32_t key = glm_prog_units(p, raw, 1, GLM_PROG_ENDLESS, between);
    glm_prog_close_loop(p, loop, tag(p, GLM_TAG_KEY, key));
    return loop;
}

/* The arguments of a schema, and the end of the call; marks are indices of names. */
static uint32_t write_strict(struct compiler *c, const glm_json *schema)
{
    glm_prog *p = c->prog;
    struct parts parts = {.n = 0};
    struct names names;
    if (schema)
        glm_schema_add_part(c, &parts, schema);
    if (!glm_schema_expand(c, &parts))
        return GLM_PROG_NO_WAY;
    glm_schema_names(c, &parts, &names);
    uint32_t *required = glm_schema_alloc(c, names.n, sizeof *required);
    if (c->status == GLM_OK && names.n > KEYS_MAX)
        glm_schema_refuse(c, GLM_ELIMIT, "more than 256 parameters of a function", "");
    if (c->status != GLM_OK)
        return GLM_PROG_NO_WAY;
    size_t n_required = 0;
    for (size_t i = 0; i < names.n; i++) {
        if (names.list[i].is_required)
            required[n_required++] = (uint32_t)i;
    }
    uint32_t end = tag(p, GLM_TAG_CALL_END, GLM_PROG_END), keys = GLM_PROG_NO_WAY;
    uint32_t loop = glm_prog_open_loop(p, glm_prog_need(p, required, n_required, end));
    for (size_t i = names.n; i > 0; i--) {
        const struct name *name = &names.list[i - 1];
        uint32_t value;
        if (name->size == 0 || !glm_schema_value_rule(c, &parts, &names, i - 1, true, &value))
            continue;
        uint32_t at = glm_prog_call(p, value, tag(p, GLM_TAG_VALUE_END, loop));
        at = tag(p, GLM_TAG_KEY_END, tag(p, GLM_TAG_VALUE, at));
        at = glm_prog_literal(p, name->text, name->size, at);
        keys = glm_prog_split(p, glm_prog_once(p, (uint32_t)i - 1, at), keys);
    }
    glm_prog_close_loop(p, loop, tag(p, GLM_TAG_KEY, keys));
    return loop;
}

/* Whether the schema of a strict function compiles by itself; if not, it is treated as not strict. Counts as work of `p`. */
static glm_status try_strict(glm_prog *p, struct tool *tool, glm_error *err)
{
    glm_prog scratch;
    glm_str ignored = {0};
    struct compiler c = {.prog = &scratch, .is_strict = true, .ignored = &ignored, .err = err};
    glm_prog_init(&scratch);
    glm_arena_init(&c.arena, (size_t)64 << 20);
    glm_prog_rule_new(&scratch, false);
    glm_schema_begin(&c, tool->parameters);
    glm_prog_set_rule(&scratch, 0, write_strict(&c, tool->parameters));
    glm_schema_write_rules(&c);
    glm_status st = c.status == GLM_OK ? glm_prog_finish(&scratch, err) : c.status;
    if (st == GLM_OK)
        st = glm_prog_check_end(&scratch, err);
    glm_prog_work_of(p, scratch.work);
    glm_schema_end(&c);
    glm_str_deinit(&ignored);
    glm_prog_deinit(&scratch);
    tool->is_strict = st == GLM_OK;
    return st == GLM_ENOMEM ? st : GLM_OK;
}

static uint32_t write_tool(struct compiler *c, const struct tool *tool)
{
    glm_prog *p = c->prog;
    uint32_t rule = glm_prog_rule_new(p, false), body;
    if (tool->is_strict) {
        c->root = tool->parameters;
        body = write_strict(c, tool->parameters);
        glm_schema_write_rules(c);
        glm_schema_forget_rules(c); /* references of the next one start from its own root */
    } else {
        body = write_loose(p);
    }
    glm_prog_set_rule(p, rule, body);
    return glm_prog_literal(p, tool->name->text, tool->name->length,
                            glm_prog_call(p, rule, GLM_PROG_END));
}

/* ---- The list ---- */

static glm_status bad_tool(glm_error *err, size_t index, const char *expected)
{
    return glm_fail(err, GLM_EARG, "tools[%zu]: expected %s", index, expected);
}

static glm_status read_tool(struct tool *tool, const glm_json *json, size_t index, glm_error *err)
{
    const glm_json *inner = glm_json_get(json, "function");
    const glm_json *from = inner && inner->type == GLM_JSON_OBJECT ? inner : json;
    const glm_json *strict = glm_json_get(from, "strict");
    if (!strict)
        strict = glm_json_get(json, "strict");
    *tool = (struct tool){.name = glm_json_get(from, "name"),
                          .parameters = glm_json_get(from, "parameters"),
                          .is_strict = strict && strict->type == GLM_JSON_BOOL && strict->boolean};
    if (glm_json_is_null(tool->parameters))
        tool->parameters = glm_json_get(from, "input_schema");
    if (glm_json_is_null(tool->parameters))
        tool->parameters = NULL;
    if (!tool->name || tool->name->type != GLM_JSON_STRING || tool->name->length == 0)
        return bad_tool(err, index, "a function with a name");
    if (tool->parameters && tool->parameters->type != GLM_JSON_OBJECT)
        return bad_tool(err, index, "parameters that are a JSON Schema");
    return GLM_OK;
}

static bool is_offered(const glm_grammar_tools *tools, const struct tool *tool)
{
    for (size_t i = 0; i < tools->n_only; i++) {
        if (glm_text_equal(tools->only[i], (glm_text){tool->name->text, tool->name->length}))
            return true;
    }
    return tools->n_only == 0;
}

/* Where the calls start to *start. */
static glm_status write_calls(glm_grammar *g, struct compiler *c, const glm_json *list,
                              const glm_grammar_tools *tools, uint32_t *start, glm_error *err)
{
    glm_prog *p = &g->prog;
    uint32_t call = glm_prog_rule_new(p, false), ways = GLM_PROG_NO_WAY;
    size_t n = 0, index = 0;
    for (const glm_json *item = list->first; item; item = item->next, index++) {
        struct tool tool;
        glm_status st = read_tool(&tool, item, index, err);
        if (st != GLM_OK)
            return st;
        if (!is_offered(tools, &tool))
            continue;
        n++;
        if (tool.is_strict) {
            st = try_strict(p, &tool, err);
            if (st != GLM_OK)
                return st;
            if (!tool.is_strict)
                glm_schema_ignore(c, tool.name->text);
        }
        ways = glm_prog_split(p, ways, write_tool(c, &tool));
    }
    if (n == 0)
        return glm_fail(err, GLM_EARG, "tools: expected at least one that may be called");
    glm_prog_set_rule(p, call, tag(p, GLM_TAG_CALL, ways));
    if (tools->is_single) {
        *start = glm_prog_call(p, call, GLM_PROG_END);
    } else {
        uint32_t loop = glm_prog_open_loop(p, GLM_PROG_END);
        glm_prog_close_loop(p, loop, glm_prog_call(p, call, loop));
        *start = glm_prog_call(p, call, loop);
    }
    return c->status;
}

glm_status glm_tools_write(glm_grammar *g, const glm_grammar_tools *tools, uint32_t *start,
                           glm_error *err)
{
    const glm_json *list;
    struct compiler c = {.prog = &g->prog, .is_strict = true, .ignored = &g->ignored, .err = err};
    if (tools->json.length > GLM_GRAMMAR_TOOLS_MAX)
        return glm_fail(err, GLM_ELIMIT, "tools of more than %zu KiB", GLM_GRAMMAR_TOOLS_MAX >> 10);
    glm_arena_init(&c.arena, (size_t)256 << 20);
    glm_status st =
        glm_json_read(&list, &c.arena, tools->json.data, tools->json.length, NESTING_MAX, err);
    if (st == GLM_OK && (list->type != GLM_JSON_ARRAY || list->length > TOOLS_MAX))
        st = glm_fail(err, GLM_EARG, "tools: expected a list of at most %d", TOOLS_MAX);
    if (st == GLM_OK) {
        glm_schema_begin(&c, list);
        st = write_calls(g, &c, list, tools, start, err);
    }
    glm_schema_end(&c);
    return st;
}
