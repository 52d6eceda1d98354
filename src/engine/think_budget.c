// SPDX-License-Identifier: MIT
#include "engine/think_budget.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "model/loaded.h"
#include "tokenizer/tokenizer.h"

/* The last quarter of a budget. Over all of it the bias rises from nothing to what puts the end of reasoning
 * this far above the most probable token. */
#define WINDOW_SHARE 4
#define MARGIN 4.0F

typedef struct think_budget {
    const glm_tokenizer *tok; /* NULL: there is no text to see sentences in */
    uint32_t n_vocab;
    uint32_t budget, window; /* tokens; the window begins behind budget - window */
    int32_t end_id;
    bool has_ended;      /* end_id came */
    bool ended_sentence; /* the last token did */
} think_budget;

/* Whether text that ends with these bytes ends a sentence or a line; closing quotes and blanks behind it count. */
static bool ends_sentence(const char *bytes, size_t size)
{
    static const char *const ends[] = {
        ".",           "!", "?", "\n", "\xE3\x80\x82", "\xEF\xBC\x81",
        "\xEF\xBC\x9F"}; /* the last three: full-width . ! ? */
    while (size > 0 && bytes[size - 1] != '\n' && strchr(" \t\"')*", bytes[size - 1]))
        size--;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (n <= size && memcmp(bytes + size - n, ends[i], n) == 0)
            return true;
    }
    return false;
}

static float highest(const float *logits, uint32_t n)
{
    float max = logits[0];
    for (uint32_t i = 1; i < n; i++)
        max = logits[i] > max ? logits[i] : max;
    return max;
}

static glm_status wish(void *ctx, glm_decoder_wish *w, glm_error *err)
{
    const think_budget *b = ctx;
    const uint32_t start = b->budget - b->window;
    (void)err;
    if (b->has_ended)
        return GLM_OK;
    if (w->n_generated >= b->budget) {
        w->force_id = b->end_id;
    } else if (w->n_generated > start && b->ended_sentence && w->n_bias < GLM_DECODER_BIASES_MAX) {
        float share = (float)(w->n_generated - start) / (float)b->window;
        float gap = highest(w->logits, b->n_vocab) - w->logits[b->end_id];
        w->bias[w->n_bias++] = (glm_logit_bias){.id = b->end_id, .bias = share * (gap + MARGIN)};
    }
    return GLM_OK;
}

static glm_status took(void *ctx, int32_t id, bool *is_last, glm_error *err)
{
    think_budget *b = ctx;
    size_t size = 0;
    const char *bytes = b->tok ? glm_tok_bytes(b->tok, id, &size) : NULL;
    (void)is_last;
    (void)err;
    b->has_ended |= id == b->end_id;
    b->ended_sentence = bytes && ends_sentence(bytes, size);
    return GLM_OK;
}

glm_status glm_think_budget_hook(glm_decoder_hook *hook, const glm_model *model, uint32_t budget,
                                 int32_t end_id, glm_error *err)
{
    const uint32_t n_vocab = model->config.n_vocab;
    if (end_id < 0 || (uint32_t)end_id >= n_vocab)
        return glm_fail(err, GLM_EARG, "end of reasoning: expected an id below %u, got %d", n_vocab,
                        end_id);
    think_budget *b = glm_new(think_budget);
    if (!b)
        return glm_fail(err, GLM_ENOMEM, "a thinking budget");
    *b = (think_budget){.tok = model->tokenizer,
                        .n_vocab = n_vocab,
                        .budget = budget,
                        .window = budget / WINDOW_SHARE,
                        .end_id = end_id};
    *hook = (glm_decoder_hook){.wish = wish, .took = took, .destroy = free, .ctx = b};
    return GLM_OK;
}
