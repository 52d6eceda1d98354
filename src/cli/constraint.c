// SPDX-License-Identifier: MIT
#include "cli/constraint.h"

#include "cli/input.h"
#include "core/arena.h"
#include "core/json_write.h"
#include "core/mem.h"

#define SOURCE_MAX ((size_t)256 << 10)
#define DEPTH_MAX 64

void cli_constraint_deinit(cli_constraint *c)
{
    glm_str_deinit(&c->text);
    glm_str_deinit(&c->request);
    *c = (cli_constraint){.kind = GLM_CONSTRAINT_FREE};
}

glm_status cli_constraint_read(cli_constraint *c, const cli_args *args, glm_error *err)
{
    if (cli_is_set(args, OPT_REGEX)) {
        c->kind = GLM_CONSTRAINT_REGEX;
        c->where = "--regex";
        glm_str_append_c(&c->text, cli_text(args, OPT_REGEX));
        return c->text.has_failed ? glm_fail(err, GLM_ENOMEM, "--regex") : GLM_OK;
    }
    bool is_schema = cli_is_set(args, OPT_JSON_SCHEMA);
    if (!is_schema && !cli_is_set(args, OPT_GRAMMAR))
        return GLM_OK;
    c->kind = is_schema ? GLM_CONSTRAINT_JSON_SCHEMA : GLM_CONSTRAINT_GBNF;
    c->where = cli_text(args, is_schema ? OPT_JSON_SCHEMA : OPT_GRAMMAR);
    return cli_read_file(&c->text, c->where, SOURCE_MAX, err);
}

glm_status cli_constraint_use(cli_constraint *c, glm_text json, glm_text tools, glm_error *err)
{
    glm_arena arena;
    const glm_json *root = NULL;
    glm_status st = GLM_OK;
    if (tools.length == 0) {
        glm_str_append_text(&c->request, json);
    } else {
        glm_arena_init(&arena,
                       glm_add_size(glm_mul_size(json.length, (size_t)8), (size_t)16 << 20));
        if (json.length)
            st = glm_json_read(&root, &arena, json.data, json.length, DEPTH_MAX, err);
        glm_str_append_c(&c->request, "{\"tools\":");
        glm_str_append_text(&c->request, tools);
        for (const glm_json *m = st == GLM_OK && root ? root->first : NULL; m; m = m->next) {
            if (glm_text_is((glm_text){m->key, m->key_length}, "tools"))
                continue;
            glm_str_append_c(&c->request, ",");
            glm_json_quote(&c->request, (glm_text){m->key, m->key_length});
            glm_str_append_c(&c->request, ":");
            glm_json_spell(&c->request, m);
        }
        glm_str_append_c(&c->request, "}");
        glm_arena_deinit(&arena);
    }
    if (st == GLM_OK && c->request.has_failed)
        st = glm_fail(err, GLM_ENOMEM, "the request");
    return st;
}

glm_status cli_constraint_make(glm_constraint **out, const cli_constraint *c, cli_context *cli,
                               glm_model *model, bool in_reasoning, glm_error *err)
{
    glm_status st = GLM_OK;
    *out = NULL;
    if (c->kind != GLM_CONSTRAINT_FREE) {
        glm_constraint_params params = glm_constraint_params_default();
        params.kind = c->kind;
        params.text = c->text.data;
        params.length = c->text.length;
        params.in_reasoning = in_reasoning;
        st = glm_constraint_create(out, model, &params, err);
        bool is_file = c->kind != GLM_CONSTRAINT_REGEX;
        if (st != GLM_OK)
            st =
                glm_fail_context(err, st == GLM_EARG && is_file ? GLM_EFORMAT : st, "%s", c->where);
    } else if (c->request.length) {
        st = glm_constraint_create_for_request(out, model, c->request.data, c->request.length,
                                               in_reasoning, err);
        if (st == GLM_EARG)
            st = glm_fail_context(err, GLM_EFORMAT, "the request");
    }
    if (st == GLM_OK && *out && *glm_constraint_ignored(*out))
        cli_warn(cli, "the constraint does not follow: %s", glm_constraint_ignored(*out));
    return st;
}
