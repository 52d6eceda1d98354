// SPDX-License-Identifier: MIT
/* Chat requests: read, normalise, render under every switch; what was accepted must render, the same each
 * time, with its turns in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chat/template.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static bool is_valid_utf8(glm_text text)
{
    for (size_t at = 0; at < text.length;) {
        glm_utf8_step step = glm_utf8_next(text.data + at, text.length - at);
        if (step.kind != GLM_UTF8_CHAR)
            return false;
        at += step.length;
    }
    return true;
}

static void render(glm_str *out, const glm_conversation *c, const glm_switches *switches)
{
    glm_error err;
    glm_rendering r;
    glm_status st = glm_template_render(&r, c, switches, &err);
    require(st == GLM_OK || (st == GLM_EARG && switches->continue_final));
    if (st == GLM_OK) {
        for (size_t i = 0; i < r.n_turns; i++) {
            require(r.turn_start[i] < r.turn_start[i + 1]);
            require(r.segments.items[r.turn_start[i]].tag != GLM_TAG_NONE);
        }
        for (size_t i = 1; i < r.segments.n_items; i++) /* adjacent text is one stretch */
            require(r.segments.items[i].tag != GLM_TAG_NONE ||
                    r.segments.items[i - 1].tag != GLM_TAG_NONE);
        glm_segments_join(out, &r.segments);
        require(is_valid_utf8(glm_str_text(out)));
    }
    glm_rendering_deinit(&r);
}

static void render_twice(const glm_conversation *c, const glm_switches *switches)
{
    glm_str a = {0}, b = {0};
    render(&a, c, switches);
    render(&b, c, switches);
    require(glm_text_equal(glm_str_text(&a), glm_str_text(&b)));
    glm_str_deinit(&a);
    glm_str_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    glm_error err;
    glm_conversation c;
    glm_conversation_init(&c);
    if (glm_conversation_read(&c, (const char *)data, size, &err) == GLM_OK) {
        glm_switches switches = glm_template_defaults(GLM_GENERATION_5_2);
        glm_switches_as_template(&switches, c.root);
        render_twice(&c, &switches);
        (void)glm_switches_as_vendor(&switches, c.root);
        render_twice(&c, &switches);
        switches.clear_thinking = !switches.clear_thinking;
        switches.continue_final = !switches.continue_final;
        render_twice(&c, &switches);
    }
    glm_conversation_deinit(&c);
    return 0;
}
