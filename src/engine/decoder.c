// SPDX-License-Identifier: MIT
#include "engine/decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/sampler.h"
#include "engine/stop.h"
#include "glm/tokenizer.h"
#include "model/loaded.h"
#include "tokenizer/tokenizer.h"

_Static_assert(2 * GLM_TOKEN_BYTES_MAX <= GLM_STOP_PUSH_MAX,
               "a token and an unfinished character fit into a push");

struct glm_decoder {
    uint32_t n_vocab;
    glm_sampler *sampler;
    glm_detok *detok; /* NULL: the package has no tokenizer, and tokens no text */
    glm_stops *stops;

    uint32_t max_tokens, min_tokens;
    int32_t stop_from_id; /* below 0: none, or it came */
    bool skip_logprob;
    /* Ids that end the text, each with the bias that bans it. */
    glm_logit_bias end[GLM_EOS_MAX + GLM_DECODER_STOP_IDS_MAX];
    uint32_t n_end;

    glm_decoder_hook hook[GLM_DECODER_HOOKS_MAX];
    uint32_t n_hook;
    /* Biases of a token: of the hooks, then bans of end ids. */
    glm_logit_bias bias[GLM_DECODER_BIASES_MAX + GLM_EOS_MAX + GLM_DECODER_STOP_IDS_MAX];

    glm_token_logprob top[GLM_DECODER_TOP_MAX];
    uint32_t n_top;
    uint32_t n_generated;
};

/* ---- Creation ---- */

glm_sampler_params glm_sampler_params_of(const glm_model *model)
{
    glm_sampler_params p = glm_sampler_params_default();
    p.temperature = model->config.temperature;
    p.top_k = model->config.top_k;
    p.top_p = model->config.top_p;
    p.min_p = model->config.min_p;
    return p;
}

static glm_status check(const glm_model *m, const glm_decoder_params *p, glm_error *err)
{
    const uint32_t n_vocab = m->config.n_vocab;
    if (p->n_stop && !m->tokenizer)
        return glm_fail(err, GLM_EARG, "stop strings: the package has no tokenizer");
    if (p->n_stop_id > GLM_DECODER_STOP_IDS_MAX)
        return glm_fail(err, GLM_ELIMIT, "stop ids: expected at most %u, got %zu",
                        GLM_DECODER_STOP_IDS_MAX, p->n_stop_id);
    for (size_t i = 0; i < p->n_stop_id; i++)
        if (p->stop_id[i] < 0 || (uint32_t)p->stop_id[i] >= n_vocab)
            return glm_fail(err, GLM_EARG, "stop id %zu: expected an id below %u, got %d", i + 1,
                            n_vocab, p->stop_id[i]);
    if (p->n_top > GLM_DECODER_TOP_MAX)
        return glm_fail(err, GLM_ELIMIT, "most probable ids: expected at most %u, got %u",
                        GLM_DECODER_TOP_MAX, p->n_top);
    if (p->n_hook > GLM_DECODER_HOOKS_MAX)
        return glm_fail(err, GLM_ELIMIT, "hooks of a decoder: expected at most %u, got %u",
                        GLM_DECODER_HOOKS_MAX, p->n_hook);
    return GLM_OK;
}

/* A sampler that never draws ids without a token: those behind the last are cut off, gaps are banned. */
static glm_status make_sampler(glm_decoder *d, const glm_model *m, const glm_sampler_params *params,
                               glm_error *err)
{
    const glm_tokenizer *tok = m->tokenizer;
    glm_sampler_params p = params ? *params : glm_sampler_params_of(m);
    uint32_t n_token = tok ? (uint32_t)glm_tok_n_ids(tok) : m->config.n_vocab;
    size_t n_gap = 0;
    for (uint32_t id = 0; tok && id < n_token; id++)
        n_gap += !glm_tok_is_token(tok, (int32_t)id);
    if (!n_gap)
        return glm_sampler_create(&d->sampler, &p, m->config.n_vocab, n_token, err);

    glm_logit_bias *bias = glm_new_array(glm_logit_bias, glm_add_size(p.n_bias, n_gap));
    if (!bias)
        return glm_fail(err, GLM_ENOMEM, "sampler: no memory");
    size_t n = 0;
    while (n < p.n_bias) {
        bias[n] = p.bias[n];
        n++;
    }
    for (uint32_t id = 0; id < n_token; id++)
        if (!glm_tok_is_token(tok, (int32_t)id))
            bias[n++] = (glm_logit_bias){.id = (int32_t)id, .bias = -100.0F};
    p.bias = bias;
    p.n_bias = n;
    glm_status st = glm_sampler_create(&d->sampler, &p, m->config.n_vocab, n_token, err);
    free(bias);
    return st;
}

static void add_end(glm_decoder *d, int32_t id)
{
    d->end[d->n_end++] = (glm_logit_bias){.id = id, .bias = -100.0F};
}

glm_status glm_decoder_create(glm_decoder **out, const glm_model *model,
                              const glm_decoder_params *p, glm_error *err)
{
    glm_status st = check(model, p, err);
    if (st != GLM_OK)
        return st;
    glm_decoder *d = glm_new(glm_decoder);
    if (!d)
        return glm_fail(err, GLM_ENOMEM, "decoder: no memory");
    d->n_vocab = model->config.n_vocab;
    d->max_tokens = p->max_tokens;
    d->min_tokens = p->min_tokens;
    d->stop_from_id = p->stop_from_id;
    d->n_top = p->n_top;
    d->skip_logprob = p->skip_logprob || p->n_top; /* with n_top the score has it */
    for (uint32_t i = 0; i < model->config.n_eos && !p->ignore_eos; i++)
        add_end(d, model->config.eos[i]);
    for (size_t i = 0; i < p->n_stop_id; i++)
        add_end(d, p->stop_id[i]);
    st = make_sampler(d, model, p->sampler, err);
    if (st == GLM_OK && (p->n_hook || p->min_tokens))
        st = glm_sampler_reserve_limits(d->sampler, err);
    if (st == GLM_OK)
        st = glm_stops_create(&d->stops, p->stop, p->n_stop, err);
    if (st == GLM_OK && model->tokenizer)
        st = glm_detok_create(&d->detok, model->tokenizer, false, err);
    if (st != GLM_OK) {
        glm_decoder_destroy(d);
        return st;
    }
    for (uint32_t i = 0; i < p->n_hook; i++)
        d->hook[d->n_hook++] = p->hook[i];
    *out = d;
    return GLM_OK;
}

void glm_decoder_destroy(glm_decoder *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < d->n_hook; i++)
        if (d->hook[i].destroy)
            d->hook[i].destroy(d->hook[i].ctx);
    glm_sampler_destroy(d->sampler);
    glm_stops_destroy(d->stops);
    glm_detok_destroy(d->detok);
    free(d);
}

void glm_decoder_see(glm_decoder *d, const int32_t *tokens, size_t n_tokens)
{
    for (size_t i = 0; i < n_tokens; i++)
        glm_sampler_see(d->sampler, tokens[i]);
}

uint32_t glm_decoder_n_generated(const glm_decoder *d)
{
    return d->n_generated;
}

/* ---- Choosing ---- */

static glm_status ask_hooks(glm_decoder *d, const float *logits, glm_decoder_wish *wish,
                            glm_error *err)
{
    *wish = (glm_decoder_wish){.n_generated = d->n_generated, .logits = logits, .force_id = -1};
    glm_status st = GLM_OK;
    for (uint32_t i = 0; i < d->n_hook && st == GLM_OK; i++)
        if (d->hook[i].wish)
            st = d->hook[i].wish(d->hook[i].ctx, wish, err);
    return st;
}

static glm_status draw(glm_decoder *d, const float *logits, const glm_decoder_wish *wish,
                       int32_t *id, double *logprob, glm_error *err)
{
    glm_draw_limits limits = {.mask = wish->mask, .bias = d->bias, .n_bias = wish->n_bias};
    memcpy(d->bias, wish->bias, wish->n_bias * sizeof *d->bias);
    if (d->n_generated < d->min_tokens) {
        memcpy(d->bias + limits.n_bias, d->end, d->n_end * sizeof *d->end);
        limits.n_bias += d->n_end;
    }
    *id = glm_sampler_draw_within(d->sampler, logits, limits.mask || limits.n_bias ? &limits : NULL,
                                  logprob);
    if (*id < 0)
        return glm_fail(err, GLM_EUNSUPP, "constrained output: no token may follow here");
    return GLM_OK;
}

/* The next id, its log-probability, and what the hooks say of it. */
static glm_status choose(glm_decoder *d, const float *logits, glm_generated *token, bool *is_last,
                         glm_error *err)
{
    glm_decoder_wish wish;
    glm_status st = ask_hooks(d, logits, &wish, err);
    if (st != GLM_OK)
        return st;
    double *logprob = d->skip_logprob ? NULL : &token->logprob;
    token->logprob = NAN;
    if (wish.force_id >= 0 && (uint32_t)wish.force_id < d->n_vocab) {
        token->id = wish.force_id;
        if (logprob)
            glm_sampler_logprobs(logits, d->n_vocab, &token->id, 1, logprob);
        glm_sampler_accept(d->sampler, token->id);
    } else {
        st = draw(d, logits, &wish, &token->id, logprob, err);
    }
    for (uint32_t i = 0; i < d->n_hook && st == GLM_OK; i++)
        if (d->hook[i].took)
            st = d->hook[i].took(d->hook[i].ctx, token->id, is_last, err);
    d->n_generated++;
    return st;
}

/* ---- Text and ends ---- */

static bool is_end_id(const glm_decoder *d, int32_t id)
{
    for (uint32_t i = 0; i < d->n_end; i++)
        if (d->end[i].id == id)
            return true;
    return false;
}

/* Whether the text ends with the token just pushed, and why. */
static void find_end(const glm_decoder *d, bool is_full, bool is_last, glm_decoded *out)
{
    out->is_last = true;
    if (out->token.is_end || is_last)
        out->finish = GLM_FINISH_STOP;
    else if (glm_stops_hit(d->stops, &out->stop_index))
        out->finish = GLM_FINISH_STOP_TEXT;
    else if (d->n_generated == d->max_tokens || is_full)
        out->finish = GLM_FINISH_LENGTH;
    else
        out->is_last = false;
}

static void push(glm_decoder *d, int32_t id)
{
    size_t size;
    glm_stops_arm(d->stops, d->stop_from_id < 0 && d->n_generated >= d->min_tokens);
    if (d->detok) {
        const char *bytes = glm_detok_push(d->detok, id, &size);
        glm_stops_push(d->stops, bytes, size);
    }
    if (id == d->stop_from_id)
        d->stop_from_id = -1;
}

const char *glm_decoder_flush(glm_decoder *d, size_t *length)
{
    size_t size;
    if (d->detok) {
        const char *bytes = glm_detok_finish(d->detok, &size);
        glm_stops_push(d->stops, bytes, size);
    }
    return glm_stops_take(d->stops, true, length);
}

void glm_decoder_score(const float *logits, uint32_t n_vocab, int32_t id, double *logprob,
                       glm_token_logprob *top, uint32_t n_top)
{
    int32_t ids[1 + GLM_DECODER_TOP_MAX];
    double logprobs[1 + GLM_DECODER_TOP_MAX];
    ids[0] = id;
    uint32_t n = glm_sampler_top(logits, n_vocab, ids + 1, n_top);
    glm_sampler_logprobs(logits, n_vocab, ids, 1 + n, logprobs);
    *logprob = logprobs[0];
    for (uint32_t i = 0; i < n_top; i++)
        top[i] = i < n ? (glm_token_logprob){ids[1 + i], logprobs[1 + i]}
                       : (glm_token_logprob){-1, -INFINITY};
}

glm_status glm_decoder_next(glm_decoder *d, const float *logits, bool is_full, glm_decoded *out,
                            glm_error *err)
{
    *out = (glm_decoded){.top = d->top, .n_top = d->n_top};
    bool is_last = false;
    glm_status st = choose(d, logits, &out->token, &is_last, err);
    if (st != GLM_OK)
        return st;
    if (d->n_top)
        glm_decoder_score(logits, d->n_vocab, out->token.id, &out->token.logprob, d->top, d->n_top);
    out->token.is_end = is_end_id(d, out->token.id);
    if (!out->token.is_end)
        push(d, out->token.id);
    find_end(d, is_full, is_last, out);
    out->token.text = out->is_last ? glm_decoder_flush(d, &out->token.length)
                                   : glm_stops_take(d->stops, false, &out->token.length);
    return GLM_OK;
}
