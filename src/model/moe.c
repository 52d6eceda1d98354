// SPDX-License-Identifier: MIT
/* Dense MLP, router, routed and shared experts (docs/model.md, "Feed-forward"). */
#include <string.h>

#include "model/forward_internal.h"

/* Slots of a wave at least: enough for a long prompt's work to fill every core. */
#define WAVE_SLOTS 1024u

uint32_t glm_moe_slots(const glm_config *config, uint32_t n_tok)
{
    uint64_t all = (uint64_t)n_tok * (config->n_expert_used + 1u);
    uint64_t slots = n_tok > WAVE_SLOTS ? n_tok : WAVE_SLOTS;
    return (uint32_t)(all < slots ? all : slots);
}

/* Run parts first..first+n_part-1, whose slots are slot0..slot0+n_slot-1 of the step, over rows t0..t0+n_tok-1. */
static void run_wave(glm_forward *f, uint32_t t0, uint32_t n_tok, uint32_t first, uint32_t n_part,
                     uint32_t slot0, uint32_t n_slot)
{
    const uint32_t *slot_tok = f->slot_tok + slot0;
    memset(f->tok_slot0, 0, (n_tok + 1) * sizeof f->tok_slot0[0]);
    for (uint32_t s = 0; s < n_slot; s++)
        f->tok_slot0[slot_tok[s] + 1]++;
    for (uint32_t t = 0; t < n_tok; t++)
        f->tok_slot0[t + 1] += f->tok_slot0[t];
    for (uint32_t s = 0; s < n_slot; s++)
        f->tok_slot[f->tok_slot0[slot_tok[s]]++] = s;
    memmove(f->tok_slot0 + 1, f->tok_slot0, n_tok * sizeof f->tok_slot0[0]);
    f->tok_slot0[0] = 0;

    uint32_t d_ff_max = 0;
    for (uint32_t i = first; i < first + n_part; i++)
        if (f->part[i].gate.n_rows > d_ff_max)
            d_ff_max = f->part[i].gate.n_rows;
    glm_op_ffn ffn = {.x = glm_buf_at(f->u, (size_t)t0 * f->c->d_model),
                      .acc = glm_buf_at(f->y, (size_t)t0 * f->c->d_model),
                      .n_tok = n_tok,
                      .d_model = f->c->d_model,
                      .part = f->part + first,
                      .n_part = n_part,
                      .n_slot = n_slot,
                      .d_ff_max = d_ff_max,
                      .weight = f->slot_weight + slot0,
                      .tok_slot0 = f->tok_slot0,
                      .tok_slot = f->tok_slot};
    f->b->ops->ffn(f->b, &ffn);
}

/* Append the part that every row takes with weight 1: the dense MLP or the shared expert. */
static void add_common_part(glm_forward *f, uint32_t layer, uint32_t n_tok, uint32_t i,
                            uint32_t slot)
{
    const glm_layer_weights *w = &f->w->layer[layer];
    for (uint32_t t = 0; t < n_tok; t++) {
        f->slot_tok[slot + t] = t;
        f->slot_weight[slot + t] = 1.0F;
    }
    f->part[i] = (glm_ffn_part){w->gate, w->up, w->down, n_tok, f->slot_tok + slot};
}

/* Sort the choices of all rows by expert: wanted[i] is the i-th chosen expert, its slots begin at begin[i]. Returns how
 * many experts were chosen. */
static uint32_t group_by_expert(glm_forward *f, uint32_t n_tok)
{
    const uint32_t n_expert = f->c->n_expert, n_used = f->c->n_expert_used;
    memset(f->count, 0, n_expert * sizeof f->count[0]);
    for (uint32_t i = 0; i < n_tok * n_used; i++)
        f->count[f->expert[i]]++;
    uint32_t n = 0, slot = 0;
    for (uint32_t e = 0; e < n_expert; e++) {
        uint32_t n_slot = f->count[e];
        f->count[e] = slot; /* from here on: the next free slot of the expert */
        if (!n_slot)
            continue;
        f->wanted[n] = (int32_t)e;
        f->part[n] = (glm_ffn_part){.n_slot = n_slot, .tok = f->slot_tok + slot};
        n++;
        slot += n_slot;
    }
    for (uint32_t t = 0; t < n_tok; t++)
        for (uint32_t i = t * n_used; i < (t + 1) * n_used; i++) {
            uint32_t s = f->count[f->expert[i]]++;
            f->slot_tok[s] = t;
            f->slot_weight[s] = f->expert_weight[i];
        }
    return n;
}

static glm_status acquire_part(glm_forward *f, uint32_t layer, uint32_t i, glm_error *err)
{
    glm_expert_view view;
    glm_status st = glm_store_acquire(f->w->store, layer, f->wanted[i], &view, err);
    if (st != GLM_OK)
        return st;
    f->part[i].gate = view.gate;
    f->part[i].up = view.up;
    f->part[i].down = view.down;
    return GLM_OK;
}

/* All parts in ascending order, as many at once as the slots allow. Parts from n_routed on are not the store's. */
static glm_status run_waves(glm_forward *f, uint32_t layer, uint32_t n_tok, uint32_t n_routed,
                            uint32_t n_part, glm_error *err)
{
    const uint32_t n_slot_max = glm_moe_slots(f->c, f->n_tok_max);
    uint32_t first = 0, slot0 = 0;
    while (first < n_part) {
        uint32_t end = first, n_slot = 0;
        glm_status st = GLM_OK;
        while (end < n_part && n_slot + f->part[end].n_slot <= n_slot_max && st == GLM_OK) {
            if (end < n_routed)
                st = acquire_part(f, layer, end, err);
            if (st == GLM_OK)
                n_slot += f->part[end++].n_slot;
        }
        if (st == GLM_OK)
            run_wave(f, 0, n_tok, first, end - first, slot0, n_slot);
        for (uint32_t i = first; i < end && i < n_routed; i++)
            glm_store_release(f->w->store, layer, f->wanted[i]);
        if (st != GLM_OK)
            return st;
        first = end;
        slot0 += n_slot;
    }
    return GLM_OK;
}

static glm_status moe_forward(glm_forward *f, uint32_t layer, uint32_t n_tok, glm_error *err)
{
    const glm_config *c = f->c;
    const glm_layer_weights *w = &f->w->layer[layer];
    glm_op_router router = {.x = f->u,
                            .n_tok = n_tok,
                            .w = &w->router,
                            .bias = w->router_bias.value,
                            .n_expert = c->n_expert,
                            .n_used = c->n_expert_used,
                            .n_group = c->n_group,
                            .n_group_used = c->n_group_used,
                            .normalise = c->normalise_experts,
                            .scale = c->routed_scale,
                            .expert = f->expert,
                            .weight = f->expert_weight};
    f->b->ops->router(f->b, &router);
    glm_tap_host(f, "experts", (int)layer, true, f->expert, n_tok, c->n_expert_used);
    glm_tap_host(f, "expert_weights", (int)layer, false, f->expert_weight, n_tok, c->n_expert_used);

    uint32_t n_routed = group_by_expert(f, n_tok), n_part = n_routed;
    glm_store_want(f->w->store, layer, f->wanted, n_routed);
    if (c->n_expert_shared)
        add_common_part(f, layer, n_tok, n_part++, n_tok * c->n_expert_used);
    return run_waves(f, layer, n_tok, n_routed, n_part, err);
}

glm_status glm_ffn_forward(glm_forward *f, uint32_t layer, glm_block *block, glm_error *err)
{
    const uint32_t n_tok = block->batch.n_tok;
    f->b->ops->zero(f->b, f->y, (size_t)n_tok * f->c->d_model * sizeof(float));
    if (!f->c->is_dense[layer])
        return moe_forward(f, layer, n_tok, err);
    for (uint32_t t0 = 0; t0 < n_tok; t0 += GLM_DENSE_ROWS) {
        uint32_t n = n_tok - t0 < GLM_DENSE_ROWS ? n_tok - t0 : GLM_DENSE_ROWS;
        add_common_part(f, layer, n, 0, 0);
        run_wave(f, t0, n, 0, 1, 0, n);
    }
    return GLM_OK;
}
