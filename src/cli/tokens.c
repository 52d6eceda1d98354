// SPDX-License-Identifier: MIT
#include "cli/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "cli/input.h"
#include "cli/model.h"
#include "glm/tokenizer.h"

#define TOOLS_MAX ((size_t)64 << 20)

void cli_warn_template(cli_context *cli, const glm_chat_template *t, const char *path)
{
    if (t->is_there && !t->is_known)
        cli_warn(cli,
                 "%s: its chat template (SHA-256 %.16s...) is not one we know; %s's format is used",
                 path, t->sha256, t->name);
}

glm_status cli_tokenizer_open(cli_context *cli, const char *name, glm_tokenizer **out,
                              glm_chat_template *format, glm_error *err)
{
    const bool follow = cli_flag(&cli->args, OPT_FOLLOW_LINKS);
    char *path;
    glm_status st = cli_model_path(cli, name, &path, err);
    if (st != GLM_OK)
        return st;
    if (format)
        st = glm_chat_template_open(format, path, follow, err);
    if (st == GLM_OK)
        st = glm_tokenizer_open(out, path, follow, err);
    if (st == GLM_OK && format)
        cli_warn_template(cli, format, path);
    free(path);
    return st;
}

glm_status cli_encode(const glm_tokenizer *tokenizer, const char *text, size_t length,
                      bool match_added, cli_ids *ids, glm_error *err)
{
    if (!tokenizer)
        return glm_fail(err, GLM_EFORMAT, "the model: expected a tokenizer, got none");
    int32_t *data;
    size_t n;
    glm_status st = glm_tokenizer_encode(&data, &n, tokenizer, text, length,
                                         match_added ? 0 : GLM_TOKENIZER_PLAIN, err);
    if (st != GLM_OK)
        return st;
    st = cli_ids_append(ids, data, n, err);
    free(data);
    return st;
}

glm_status cli_chat_create(glm_chat **out, const glm_tokenizer *tokenizer, glm_error *err)
{
    if (!tokenizer)
        return glm_fail(err, GLM_EFORMAT, "the model: expected a tokenizer, got none");
    return glm_chat_create(out, tokenizer, err);
}

/* What is wrong inside a file is the file's fault, not the command line's. */
static glm_status blame_file(glm_status st, const char *where, glm_error *err)
{
    if (st == GLM_OK)
        return GLM_OK;
    return glm_fail_context(err, st == GLM_EARG ? GLM_EFORMAT : st, "%s", where);
}

glm_status cli_request_read(glm_chat_request **out, const glm_str *json, const char *where,
                            glm_error *err)
{
    return blame_file(glm_chat_request_read(out, json->data, json->length, err), where, err);
}

glm_status cli_request_tools(glm_chat_request *request, const char *path, glm_str *json,
                             glm_error *err)
{
    glm_status st = cli_read_file(json, path, TOOLS_MAX, err);
    if (st == GLM_OK)
        st = blame_file(glm_chat_request_set_tools(request, json->data, json->length, err),
                        cli_input_name(path), err);
    return st;
}
