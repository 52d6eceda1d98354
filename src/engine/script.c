// SPDX-License-Identifier: MIT
#include "engine/script.h"

#include <stdlib.h>

#include "core/mem.h"

typedef struct script {
    const int32_t *ids;
    size_t n;
} script;

static glm_status wish_script(void *ctx, glm_decoder_wish *wish, glm_error *err)
{
    const script *s = ctx;
    (void)err;
    if (wish->n_generated < s->n)
        wish->force_id = s->ids[wish->n_generated];
    return GLM_OK;
}

glm_status glm_script_hook(glm_decoder_hook *out, const int32_t *ids, size_t n, glm_error *err)
{
    script *s = glm_new(script);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "script: no memory");
    *s = (script){ids, n};
    *out = (glm_decoder_hook){.wish = wish_script, .destroy = free, .ctx = s};
    return GLM_OK;
}
