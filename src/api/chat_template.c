// SPDX-License-Identifier: MIT
/* Which generation's chat format a package wants: glm/chat.h's glm_chat_template. */
#include "api/chat_template.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chat/template.h"
#include "core/file.h"
#include "core/hash.h"
#include "model/loaded.h"

#define JINJA_FILE "chat_template.jinja"
#define JINJA_KEY "tokenizer.chat_template"
/* A metadata string's ceiling. */
#define JINJA_BYTES_MAX ((size_t)64 << 20)

static glm_chat_template none(void)
{
    return (glm_chat_template){.generation = GLM_CHAT_GLM_5_2,
                               .name = glm_template_name(GLM_GENERATION_5_2)};
}

glm_status glm_chat_template_tell(glm_chat_template *out, const char *jinja, size_t size,
                                  glm_error *err)
{
    glm_chat_template t = none();
    glm_generation generation;
    glm_sha256 *sha = NULL;
    glm_status st = glm_sha256_create(&sha, err);
    if (st != GLM_OK)
        return st;
    glm_sha256_update(sha, jinja, size);
    st = glm_sha256_finish(sha, t.sha256, err);
    if (st != GLM_OK)
        return st;
    t.is_there = true;
    t.is_known = glm_template_find(&generation, t.sha256);
    if (!t.is_known)
        t.is_alike = glm_template_recognise(&generation, (glm_text){jinja, size});
    t.generation = (glm_chat_generation)generation;
    t.name = glm_template_name(generation);
    *out = t;
    return GLM_OK;
}

glm_status glm_chat_template_of_file(glm_chat_template *out, const glm_tensor_file *file,
                                     glm_error *err)
{
    glm_bytes text;
    *out = none();
    if (glm_tensor_file_get_string(file, JINJA_KEY, &text))
        return glm_chat_template_tell(out, text.data, text.size, err);
    if (glm_tensor_file_format(file) != GLM_FORMAT_SAFETENSORS)
        return GLM_OK;
    char *data = NULL;
    size_t size = 0;
    glm_status st = glm_tensor_file_read_side(file, JINJA_FILE, JINJA_BYTES_MAX, &data, &size, err);
    if (st == GLM_ENOENT)
        return GLM_OK;
    if (st == GLM_OK)
        st = glm_chat_template_tell(out, data, size, err);
    free(data);
    return st;
}

static glm_status open_folder(glm_chat_template *out, const char *path, bool follow_links,
                              glm_error *err)
{
    glm_dir *dir = NULL;
    char *data = NULL;
    size_t size = 0;
    glm_status st = glm_dir_open(&dir, path, follow_links, err);
    if (st != GLM_OK)
        return st;
    st = glm_file_read(&data, &size, dir, JINJA_FILE, JINJA_BYTES_MAX, err);
    if (st == GLM_OK)
        st = glm_chat_template_tell(out, data, size, err);
    else if (st == GLM_ENOENT)
        st = GLM_OK;
    free(data);
    glm_dir_close(dir);
    return st;
}

glm_status glm_chat_template_open(glm_chat_template *out, const char *path, bool follow_links,
                                  glm_error *err)
{
    struct stat info;
    size_t length = strlen(path), suffix = strlen(".json");
    *out = none();
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return open_folder(out, path, follow_links, err);
    if (length > suffix && strcmp(path + length - suffix, ".json") == 0)
        return GLM_OK;
    glm_tensor_file *file = NULL;
    const glm_tensor_file_options options = {.follow_links = follow_links};
    glm_status st = glm_tensor_file_open(&file, path, &options, err);
    if (st == GLM_OK)
        st = glm_chat_template_of_file(out, file, err);
    glm_tensor_file_close(file);
    return st;
}

glm_chat_template glm_chat_template_of(const glm_model *model)
{
    return *model->chat_template;
}
