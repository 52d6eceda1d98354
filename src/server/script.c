// SPDX-License-Identifier: MIT
#include "server/script.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"

#define SCRIPT_BYTES_MAX ((size_t)1 << 20)

glm_status glm_script_read(glm_script *script, const char *path, glm_error *err)
{
    char *text;
    size_t size;
    glm_arena_init(&script->arena, SCRIPT_BYTES_MAX * 16);
    glm_status st = glm_file_read_path(&text, &size, path, SCRIPT_BYTES_MAX, err);
    if (st != GLM_OK)
        return st;
    st = glm_json_read(&script->rules, &script->arena, text, size, 8, err);
    free(text);
    if (st == GLM_OK && script->rules->type != GLM_JSON_ARRAY)
        st = glm_fail(err, GLM_EFORMAT, "expected a list of rules");
    if (st != GLM_OK) {
        script->rules = NULL;
        return glm_fail_context(err, st, "%s", path);
    }
    return GLM_OK;
}

void glm_script_deinit(glm_script *script)
{
    glm_arena_deinit(&script->arena);
    *script = (glm_script){0};
}

/* How many of the strings the prompt holds; all of no list count as held. */
static size_t count_held(const glm_json *list, glm_text prompt)
{
    size_t n = 0;
    for (const glm_json *item = list ? list->first : NULL; item; item = item->next)
        n += item->type == GLM_JSON_STRING && prompt.length > 0 &&
             memmem(prompt.data, prompt.length, item->text, item->length) != NULL;
    return n;
}

int32_t *glm_script_answer(const glm_script *script, const glm_tokenizer *tokenizer,
                           glm_text prompt, size_t *n)
{
    *n = 0;
    for (const glm_json *rule = script->rules ? script->rules->first : NULL; rule;
         rule = rule->next) {
        const glm_json *all = glm_json_get(rule, "all");
        const glm_json *answer = glm_json_get(rule, "answer");
        if (count_held(all, prompt) != (all ? all->length : 0) ||
            count_held(glm_json_get(rule, "none"), prompt) > 0 || !answer ||
            answer->type != GLM_JSON_STRING)
            continue;
        int32_t *ids;
        if (glm_tokenizer_encode(&ids, n, tokenizer, answer->text, answer->length, 0, NULL) !=
            GLM_OK)
            return NULL;
        return ids;
    }
    return NULL;
}
