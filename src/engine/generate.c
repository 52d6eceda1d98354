// SPDX-License-Identifier: MIT
/* The loop around steps and sampler: a prompt to its answer (include/glm/sampler.h). */
#include <stdlib.h>

#include "core/clock.h"
#include "core/mem.h"
#include "engine/constrain.h"
#include "engine/decoder.h"
#include "engine/engine_internal.h"
#include "engine/think_budget.h"

typedef struct generation {
    glm_engine *e;
    glm_session *session;
    const glm_generate_params *params;
    glm_generate_fn *fn;
    void *ctx;
    glm_decoder *decoder;
    float *logits; /* [n_vocab], what the next token is chosen from */
    glm_generate_result result;
} generation;

/* ---- Preparation ---- */

static glm_status check(const generation *g, const int32_t *prompt, size_t n_prompt, glm_error *err)
{
    const uint32_t n_vocab = g->e->model->config.n_vocab;
    const uint32_t room = g->e->info.n_ctx - glm_session_length(g->session);
    if (!n_prompt)
        return glm_fail(err, GLM_EARG, "prompt: expected at least one token");
    for (size_t i = 0; i < n_prompt; i++)
        if (prompt[i] < 0 || (uint32_t)prompt[i] >= n_vocab)
            return glm_fail(err, GLM_EARG, "prompt: token %zu: expected an id below %u, got %d", i,
                            n_vocab, prompt[i]);
    if (n_prompt > room)
        return glm_fail(err, GLM_ELIMIT, "context: expected at most %u more tokens, got %zu", room,
                        n_prompt);
    return GLM_OK;
}

static void drop_hooks(const glm_decoder_hook *hooks, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hooks[i].destroy(hooks[i].ctx);
}

/* Who has a say in the tokens: hooks [2], *n of them. On error there are none. */
static glm_status make_hooks(const generation *g, glm_decoder_hook *hooks, uint32_t *n,
                             glm_error *err)
{
    const glm_generate_params *p = g->params;
    glm_status st = GLM_OK;
    *n = 0;
    if (p->think_budget)
        st = glm_think_budget_hook(&hooks[*n], g->e->model, p->think_budget, p->think_end_id, err);
    *n += st == GLM_OK && p->think_budget;
    if (st == GLM_OK && p->constraint) {
        st = glm_constraint_hook(&hooks[*n], p->constraint, err);
        *n += st == GLM_OK;
    }
    if (st != GLM_OK)
        drop_hooks(hooks, *n);
    return st;
}

static glm_status make_decoder(generation *g, glm_error *err)
{
    const glm_generate_params *p = g->params;
    glm_decoder_hook hooks[2];
    glm_decoder_params dp = {
        .sampler = p->sampler,
        .max_tokens = p->max_tokens,
        .stop = p->stop,
        .n_stop = p->n_stop,
        .ignore_eos = p->ignore_eos,
        .stop_from_id = -1,
        .hook = hooks,
    };
    glm_status st = make_hooks(g, hooks, &dp.n_hook, err);
    if (st != GLM_OK)
        return st;
    st = glm_decoder_create(&g->decoder, g->e->model, &dp, err);
    if (st != GLM_OK)
        drop_hooks(hooks, dp.n_hook);
    return st;
}

static glm_status prepare(generation *g, const int32_t *prompt, size_t n_prompt, glm_error *err)
{
    glm_status st = check(g, prompt, n_prompt, err);
    if (st == GLM_OK)
        st = make_decoder(g, err);
    if (st == GLM_OK && !(g->logits = glm_new_array(float, g->e->model->config.n_vocab)))
        st = glm_fail(err, GLM_ENOMEM, "logits: no memory");
    if (st == GLM_OK)
        glm_decoder_see(g->decoder, prompt, n_prompt);
    return st;
}

static void release(generation *g)
{
    glm_decoder_destroy(g->decoder);
    free(g->logits);
}

/* ---- The prompt ---- */

static bool report(const generation *g, size_t done, size_t total)
{
    const glm_generate_params *p = g->params;
    return !p->progress || p->progress(p->progress_ctx, "prompt", done, total);
}

/* Append the prompt a chunk at a time; GLM_ECANCELED when the progress function says so. The logits of
 * its last token are ready then. */
static glm_status read_prompt(generation *g, const int32_t *prompt, size_t n_prompt, glm_error *err)
{
    if (!report(g, 0, n_prompt))
        return GLM_ECANCELED;
    for (size_t done = 0; done < n_prompt;) {
        size_t left = n_prompt - done;
        uint32_t n = left < g->e->info.chunk ? (uint32_t)left : g->e->info.chunk;
        glm_step_item item = {
            .session = g->session,
            .tokens = prompt + done,
            .n_tokens = n,
            .rows = n == left ? GLM_ROWS_LAST : GLM_ROWS_NONE,
            .logits = g->logits,
        };
        glm_status st = glm_step_run(g->e, &item, 1, NULL, NULL, err);
        if (st != GLM_OK)
            return st;
        done += n;
        if (!report(g, done, n_prompt))
            return GLM_ECANCELED;
    }
    return GLM_OK;
}

/* ---- Tokens ---- */

/* Choose one token and hand it out. */
static glm_status emit(generation *g, glm_decoded *d, glm_error *err)
{
    glm_generate_result *r = &g->result;
    bool is_full = glm_session_length(g->session) == g->e->info.n_ctx;
    glm_status st = glm_decoder_next(g->decoder, g->logits, is_full, d, err);
    if (st != GLM_OK)
        return st;
    r->n_generated++;
    r->finish = d->finish;
    r->stop_index = d->stop_index;
    bool goes_on = !g->fn || g->fn(g->ctx, &d->token);
    if (goes_on || d->is_last)
        return GLM_OK;
    r->finish = GLM_FINISH_CANCELED;
    d->is_last = true;
    return GLM_OK;
}

static glm_status decode(generation *g, glm_error *err)
{
    for (;;) {
        glm_decoded d;
        glm_status st = emit(g, &d, err);
        if (st != GLM_OK || d.is_last)
            return st;
        glm_step_item item = {
            .session = g->session,
            .tokens = &d.token.id,
            .n_tokens = 1,
            .rows = GLM_ROWS_LAST,
            .logits = g->logits,
        };
        st = glm_step_run(g->e, &item, 1, NULL, NULL, err);
        if (st != GLM_OK)
            return st;
    }
}

glm_status glm_generate(glm_session *session, const int32_t *prompt, size_t n_prompt,
                        const glm_generate_params *params, glm_generate_fn *fn, void *ctx,
                        glm_generate_result *result, glm_error *err)
{
    generation g = {
        .e = session->engine, .session = session, .params = params, .fn = fn, .ctx = ctx};
    const uint64_t begin = glm_clock_ns();
    const uint32_t length = glm_session_length(session);
    glm_engine_clear_cancel(g.e);
    glm_status st = prepare(&g, prompt, n_prompt, err);
    if (st == GLM_OK) {
        g.result.n_prompt = (uint32_t)n_prompt;
        st = read_prompt(&g, prompt, n_prompt, err);
        if (st != GLM_OK)
            glm_kv_seq_truncate(session->seq, length);
    }
    const uint64_t first = glm_clock_ns();
    if (st == GLM_OK)
        st = decode(&g, err);
    g.result.prompt_s = (double)(first - begin) * 1e-9;
    g.result.decode_s = (double)(glm_clock_ns() - first) * 1e-9;
    if (st == GLM_ECANCELED) {
        g.result.finish = GLM_FINISH_CANCELED;
        st = GLM_OK;
    }
    release(&g);
    if (st == GLM_OK && result)
        *result = g.result;
    return st;
}
