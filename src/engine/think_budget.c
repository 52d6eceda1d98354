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

/* Tokens within which the name of a call must be over: what is longer was talk of a call. */
#define NAME_MAX_TOKENS 64u

/* Where an answer is. A call may come without an end of reasoning before it; whether it is one shows behind its name. */
typedef enum phase { REASONING, NAMING, CALLING, ANSWERING } phase;

typedef struct think_budget {
    const glm_tokenizer *tok; /* NULL: there is no text to see sentences in */
    uint32_t n_vocab;
    uint32_t budget, window; /* tokens; the window begins behind budget - window */
    int32_t begin_id, end_id;
    int32_t call_id, call_end_id, key_id; /* below 0, as begin_id: there is none */
    phase phase;
    uint32_t n_thought;  /* tokens of reasoning so far */
    uint32_t n_name;     /* tokens since the call's */
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
    const bool has_room = w->n_bias < GLM_DECODER_BIASES_MAX;
    (void)err;
    if (b->phase == ANSWERING && b->n_thought >= b->budget && b->begin_id >= 0 && has_room) {
        w->bias[w->n_bias++] = (glm_logit_bias){.id = b->begin_id, .bias = -100.0F};
    } else if (b->phase != REASONING) {
        return GLM_OK;
    } else if (b->n_thought >= b->budget) {
        w->force_id = b->end_id;
    } else if (b->n_thought > start && b->ended_sentence && has_room) {
        float share = (float)(b->n_thought - start) / (float)b->window;
        float gap = highest(w->logits, b->n_vocab) - w->logits[b->end_id];
        w->bias[w->n_bias++] = (glm_logit_bias){.id = b->end_id, .bias = share * (gap + MARGIN)};
    }
    return GLM_OK;
}

static void follow(think_budget *b, int32_t id)
{
    switch (b->phase) {
    case REASONING:
        b->phase = id == b->end_id ? ANSWERING : id == b->call_id ? NAMING : REASONING;
        b->n_thought += b->phase == REASONING;
        b->n_name = 0;
        break;
    case NAMING:
        if (id == b->key_id)
            b->phase = CALLING;
        else if (id == b->call_end_id)
            b->phase = ANSWERING;
        else if (++b->n_name > NAME_MAX_TOKENS) {
            b->n_thought += b->n_name + 1;
            b->phase = REASONING;
        }
        break;
    case CALLING:
        b->phase = id == b->call_end_id ? ANSWERING : CALLING;
        break;
    case ANSWERING:
        b->phase = b->begin_id >= 0 && id == b->begin_id ? REASONING : ANSWERING;
        break;
    }
}

static glm_status took(void *ctx, int32_t id, bool *is_last, glm_error *err)
{
    think_budget *b = ctx;
    size_t size = 0;
    const char *bytes = b->tok ? glm_tok_bytes(b->tok, id, &size) : NULL;
    (void)is_last;
    (void)err;
    follow(b, id);
    b->ended_sentence = bytes && ends_sentence(bytes, size);
    return GLM_OK;
}

/* The id of an added token, below 0 when there is none. */
static int32_t find(const glm_tokenizer *tok, const char *name)
{
    return tok ? glm_tok_find_added(tok, name, strlen(name)) : -1;
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
    budget = budget == GLM_THINK_NOTHING ? 0 : budget;
    *b = (think_budget){.tok = model->tokenizer,
                        .n_vocab = n_vocab,
                        .budget = budget,
                        .window = budget / WINDOW_SHARE,
                        .begin_id = find(model->tokenizer, "<think>"),
                        .end_id = end_id,
                        .call_id = find(model->tokenizer, "<tool_call>"),
                        .call_end_id = find(model->tokenizer, "</tool_call>"),
                        .key_id = find(model->tokenizer, "<arg_key>")};
    *hook = (glm_decoder_hook){.wish = wish, .took = took, .destroy = free, .ctx = b};
    return GLM_OK;
}
