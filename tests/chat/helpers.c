// SPDX-License-Identifier: MIT
#include "helpers.h"

#include "cmocka_all.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const glm_json *load_json(glm_arena *arena, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, GLM_SOURCE_DIR "/tests/data/chat/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    glm_str data = {0};
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        glm_str_append(&data, block, n);
    fclose(file);
    const glm_json *root;
    glm_error err;
    assert_int_equal(glm_json_read(&root, arena, data.data, data.length, 64, &err), GLM_OK);
    glm_str_deinit(&data);
    return root;
}

void sha256_hex(char out[65], const void *data, size_t size)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(data, size, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

char *render_text(const char *request)
{
    glm_error err = {0};
    glm_conversation c;
    glm_conversation_init(&c);
    glm_status st = glm_conversation_read(&c, request, strlen(request), &err);
    if (st != GLM_OK)
        fail_msg("%s", err.text);
    glm_switches switches = glm_template_defaults(GLM_GENERATION_5_2);
    glm_switches_as_template(&switches, c.root);
    glm_rendering r;
    assert_int_equal(glm_template_render(&r, &c, &switches, &err), GLM_OK);
    glm_str text = {0};
    glm_segments_join(&text, &r.segments);
    glm_rendering_deinit(&r);
    glm_conversation_deinit(&c);
    return text.data;
}

const char *refusal_of(const char *request)
{
    static glm_error err;
    glm_conversation c;
    glm_conversation_init(&c);
    assert_int_equal(glm_conversation_read(&c, request, strlen(request), &err), GLM_EARG);
    glm_conversation_deinit(&c);
    return err.text;
}
