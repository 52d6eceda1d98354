// SPDX-License-Identifier: MIT
/*
 * The checks that the model description asks of every implementation (docs/verification.md lists them by number), each
 * as a named test with the smallest model that shows it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "model/config.h"
#include "model/golden.h"
#include "model/rig.h"

/* ---- Check 2: which layers select ---- */

#define GLM52_CONFIG                                                                               \
    "{\"model_type\":\"glm_moe_dsa\",\"hidden_size\":6144,\"intermediate_size\":12288,"            \
    "\"moe_intermediate_size\":2048,\"num_hidden_layers\":78,\"num_attention_heads\":64,"          \
    "\"n_routed_experts\":256,\"num_experts_per_tok\":8,\"routed_scaling_factor\":2.5,"            \
    "\"kv_lora_rank\":512,\"q_lora_rank\":2048,\"qk_rope_head_dim\":64,\"v_head_dim\":256,"        \
    "\"qk_nope_head_dim\":192,\"index_topk\":2048,\"index_head_dim\":128,\"index_n_heads\":32,"    \
    "\"first_k_dense_replace\":3,\"vocab_size\":154880,\"rms_norm_eps\":1e-05,"                    \
    "\"max_position_embeddings\":1048576,\"num_nextn_predict_layers\":1,"                          \
    "\"rope_parameters\":{\"rope_theta\":8000000,\"rope_type\":\"default\"}"

static const uint32_t glm52_full[] = {0,  1,  2,  6,  10, 14, 18, 22, 26, 30, 34,
                                      38, 42, 46, 50, 54, 58, 62, 66, 70, 74};

static void read_config(glm_config *c, const char *text)
{
    glm_error err;
    rig_must(glm_config_from_json(c, text, strlen(text), NULL, 0, NULL, &err), &err);
}

static void must_be_glm52(const glm_config *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < 78; i++) {
        bool is_full = n < 21 && glm52_full[n] == i;
        assert_int_equal(c->owns_indexer[i], is_full);
        n += is_full;
        assert_int_equal(glm_config_index_owner(c, i), glm52_full[n - 1]);
    }
    assert_int_equal(n, 21);
}

static void schedule_from_formula_list_and_pattern(void **state)
{
    (void)state;
    static glm_config c;
    read_config(&c, GLM52_CONFIG ",\"index_topk_freq\":4,\"index_skip_topk_offset\":3}");
    must_be_glm52(&c);

    char text[8192], list[2048] = "", pattern[79] = "";
    for (uint32_t i = 0, n = 0; i < 78; i++) {
        bool is_full = n < 21 && glm52_full[n] == i;
        n += is_full;
        strcat(list, is_full ? "\"full\"" : "\"shared\"");
        strcat(list, i < 77 ? "," : "");
        strcat(pattern, is_full ? "F" : "S");
    }
    /* The list wins over the formula. */
    snprintf(text, sizeof text, "%s,\"indexer_types\":[%s],\"index_topk_freq\":1}", GLM52_CONFIG,
             list);
    read_config(&c, text);
    must_be_glm52(&c);
    snprintf(text, sizeof text, "%s,\"index_topk_pattern\":\"%s\"}", GLM52_CONFIG, pattern);
    read_config(&c, text);
    must_be_glm52(&c);
    /* GLM-5 and 5.1 say nothing: all full. */
    read_config(&c, GLM52_CONFIG "}");
    for (uint32_t i = 0; i < 78; i++)
        assert_int_equal(c.owns_indexer[i], 1);
}

/* ---- Checks 5 and 6: the selection at the edge, and shared sets ---- */

static void selection_drops_exactly_one_behind_the_edge(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, "nano52");
    const glm_config *c = &r.model->config;
    const uint32_t k = c->index_topk;
    int32_t tokens[RIG_TOKENS];
    for (uint32_t i = 0; i < RIG_TOKENS; i++)
        tokens[i] = (int32_t)(i * 37 % 300);
    rig_run(&r, tokens, k);
    assert_true(r.block->selects_all);
    assert_int_equal(r.block->n_sel[k - 1], k);
    rig_run(&r, tokens + k, 1);
    assert_false(r.block->selects_all);
    assert_int_equal(r.block->n_sel[0], k);
    uint32_t n_missing = 0;
    for (int32_t p = 0, i = 0; p <= (int32_t)k; p++) {
        if (i < (int32_t)k && r.block->sel[i] == p)
            i++;
        else
            n_missing++;
    }
    assert_int_equal(n_missing, 1);
    rig_close(&r);
}

/* With a selection as wide as the context the sparse path must give the dense path's bits. */
static void sparse_equals_dense_while_everything_is_selected(void **state)
{
    (void)state;
    float *logits[2];
    for (int wide = 0; wide < 2; wide++) {
        rig r;
        rig_open(&r, "nano52");
        const uint32_t k = r.model->config.index_topk;
        int32_t tokens[64];
        for (uint32_t i = 0; i < 64; i++)
            tokens[i] = (int32_t)(i * 53 % 300);
        logits[wide] = calloc((size_t)k * r.model->config.n_vocab, sizeof(float));
        assert_non_null(logits[wide]);
        if (wide) {
            /* Score and select although all fit. */
            glm_error err;
            glm_batch batch = rig_batch(&r, tokens, k);
            glm_block_begin(r.block, &batch);
            for (uint32_t layer = 0; layer < r.model->config.n_layer; layer++) {
                rig_must(glm_layer_forward(r.f, layer, r.block, &err), &err);
                r.block->selects_all = false;
                for (uint32_t t = 0; t < k; t++)
                    for (uint32_t i = 0; i <= t; i++)
                        r.block->sel[t * k + i] = (int32_t)i;
            }
        } else {
            rig_run(&r, tokens, k);
        }
        rig_output(&r, k, logits[wide], NULL);
        if (wide)
            assert_memory_equal(logits[0], logits[1],
                                (size_t)k * r.model->config.n_vocab * sizeof(float));
        rig_close(&r);
    }
    free(logits[0]);
    free(logits[1]);
}

static void shared_layers_use_their_owners_set(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, "nano52");
    const glm_config *c = &r.model->config;
    int32_t tokens[48];
    for (uint32_t i = 0; i < 48; i++)
        tokens[i] = (int32_t)(i * 29 % 300);
    glm_error err;
    const size_t size = 48 * (size_t)c->index_topk * sizeof(int32_t);
    int32_t *owners = malloc(size);
    float *kept = malloc(48 * (size_t)c->d_model * sizeof(float));
    assert_true(owners && kept);
    glm_batch batch = rig_batch(&r, tokens, 48);
    glm_block_begin(r.block, &batch);
    bool seen_shared = false;
    for (uint32_t layer = 0; layer < c->n_layer; layer++) {
        if (c->owns_indexer[layer]) {
            rig_must(glm_layer_forward(r.f, layer, r.block, &err), &err);
            memcpy(owners, r.block->sel, size);
            continue;
        }
        const size_t n = 48 * (size_t)c->d_model;
        float *x = (float *)r.block->x.base;
        float *before = malloc(n * sizeof(float));
        assert_non_null(before);
        memcpy(before, x, n * sizeof(float));
        rig_must(glm_layer_forward(r.f, layer, r.block, &err), &err);
        assert_memory_equal(r.block->sel, owners, size);
        memcpy(kept, x, n * sizeof(float));
        /* Another set must give another result: swap the last row's first position for one not in it. */
        memcpy(x, before, n * sizeof(float));
        int32_t *last = r.block->sel + (size_t)47 * c->index_topk;
        int32_t unused = 0;
        while (last[unused] == unused)
            unused++;
        last[unused ? unused - 1 : 0] = unused;
        rig_must(glm_layer_forward(r.f, layer, r.block, &err), &err);
        assert_memory_not_equal(x + 47 * (size_t)c->d_model, kept + 47 * (size_t)c->d_model,
                                c->d_model * sizeof(float));
        memcpy(x, kept, n * sizeof(float));
        memcpy(r.block->sel, owners, size);
        free(before);
        seen_shared = true;
    }
    assert_true(seen_shared);
    free(owners);
    free(kept);
    rig_close(&r);
}

/* ---- Check 4: absorbed attention against the unabsorbed formula ---- */

/* att of one head of the block's last row in layer 0, from the cache's rows and f->q, in double. */
static void unabsorbed(const rig *r, uint32_t h, uint32_t n_pos, double *out)
{
    const glm_config *c = &r->model->config;
    const glm_layer_weights *w = &r->model->weights.layer[0];
    const uint32_t d_qk = c->d_nope + c->d_rope, row = n_pos - 1;
    const float *q = (const float *)r->f->q.base + ((size_t)row * c->n_heads + h) * d_qk;
    glm_kernels k;
    glm_kernels_init(&k, GLM_ISA_SCALAR);
    float *u = malloc(c->kv_rank * sizeof(float));
    double *z = malloc(n_pos * sizeof(double));
    assert_true(u && z);
    double max = -INFINITY, norm = 0.0;
    for (uint32_t s = 0; s < n_pos; s++) {
        const void *cached;
        glm_kv_gather(&cached, r->seq, 0, NULL, s, 1);
        const float *latent = cached;
        z[s] = 0.0;
        for (uint32_t n = 0; n < c->d_nope; n++) {
            double key = 0.0;
            k.decode_row(u, &w->k_b[h], n);
            for (uint32_t j = 0; j < c->kv_rank; j++)
                key += (double)u[j] * (double)latent[j];
            z[s] += key * (double)q[n];
        }
        for (uint32_t i = 0; i < c->d_rope; i++)
            z[s] += (double)q[c->d_nope + i] * (double)latent[c->kv_rank + i];
        z[s] /= sqrt((double)d_qk);
        max = fmax(max, z[s]);
    }
    for (uint32_t s = 0; s < n_pos; s++)
        norm += z[s] = exp(z[s] - max);
    for (uint32_t d = 0; d < c->d_v; d++) {
        out[d] = 0.0;
        k.decode_row(u, &w->v_b[h], d);
        for (uint32_t s = 0; s < n_pos; s++) {
            const void *cached;
            glm_kv_gather(&cached, r->seq, 0, NULL, s, 1);
            double value = 0.0;
            for (uint32_t j = 0; j < c->kv_rank; j++)
                value += (double)u[j] * (double)((const float *)cached)[j];
            out[d] += z[s] / norm * value;
        }
    }
    free(u);
    free(z);
}

static void check_absorbed(const char *name)
{
    rig r;
    rig_open(&r, name);
    const glm_config *c = &r.model->config;
    const uint32_t n = c->index_topk < 40 ? c->index_topk : 40;
    int32_t tokens[RIG_TOKENS];
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(i * 31 % 300);
    glm_error err;
    glm_batch batch = rig_batch(&r, tokens, n);
    glm_block_begin(r.block, &batch);
    rig_must(glm_layer_forward(r.f, 0, r.block, &err), &err);
    double *want = malloc(c->d_v * sizeof(double));
    assert_non_null(want);
    for (uint32_t h = 0; h < c->n_heads; h++) {
        unabsorbed(&r, h, n, want);
        const float *got =
            (const float *)r.f->att.base + ((size_t)(n - 1) * c->n_heads + h) * c->d_v;
        double diff = 0.0, norm = 0.0;
        for (uint32_t d = 0; d < c->d_v; d++) {
            diff += (want[d] - (double)got[d]) * (want[d] - (double)got[d]);
            norm += want[d] * want[d];
        }
        assert_true(sqrt(diff / norm) < 2e-6);
    }
    free(want);
    rig_close(&r);
}

static void absorbed_equals_unabsorbed(void **state)
{
    (void)state;
    check_absorbed("nano52");
}

static void absorbed_equals_unabsorbed_fp8(void **state)
{
    (void)state;
    check_absorbed("mid52-fp8");
}

/* ---- Check 8 and the tie rules: routing ---- */

typedef struct routing {
    float score[8]; /* before the sigmoid */
    float bias[8];
    uint32_t n_group, n_group_used;
    int32_t expert[2];
    float weight[2];
} routing;

static void route(routing *io)
{
    glm_error err;
    glm_pool *pool;
    glm_backend *b;
    glm_backend_limits limits = {.n_tok = 1,
                                 .n_cols = 16,
                                 .n_row = 16,
                                 .n_sel = 1,
                                 .n_slot = 1,
                                 .n_hidden = 1,
                                 .d_model = 1,
                                 .n_expert = 8};
    rig_must(glm_pool_create(&pool, 1, &err), &err);
    rig_must(glm_cpu_backend_create(&b, pool, GLM_ISA_SCALAR, &limits, &err), &err);
    float one = 1.0F;
    glm_mat w = {.type = GLM_TYPE_F32,
                 .n_rows = 8,
                 .n_cols = 1,
                 .row_stride_bytes = sizeof(float),
                 .data = io->score,
                 .tensor_scale = 1.0F};
    glm_op_router op = {.x = {&one, 0},
                        .n_tok = 1,
                        .w = &w,
                        .bias = io->bias,
                        .n_expert = 8,
                        .n_used = 2,
                        .n_group = io->n_group ? io->n_group : 1,
                        .n_group_used = io->n_group_used ? io->n_group_used : 1,
                        .normalise = true,
                        .scale = 2.5F,
                        .expert = io->expert,
                        .weight = io->weight};
    b->ops->router(b, &op);
    b->ops->destroy(b);
    glm_pool_destroy(pool);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void router_bias_chooses_but_does_not_weigh(void **state)
{
    (void)state;
    routing r = {.score = {3, 2, 1, 0, -1, -2, -3, -4}};
    r.bias[7] = 10.0F;
    route(&r);
    assert_int_equal(r.expert[0], 0);
    assert_int_equal(r.expert[1], 7);
    double sum = sigmoid(3) + sigmoid(-4);
    assert_true(fabs((double)r.weight[0] - 2.5 * sigmoid(3) / sum) < 1e-6);
    assert_true(fabs((double)r.weight[1] - 2.5 * sigmoid(-4) / sum) < 1e-6);
    assert_true(fabs((double)r.weight[0] + (double)r.weight[1] - 2.5) < 1e-6);
}

static void router_takes_the_lowest_of_equal_experts(void **state)
{
    (void)state;
    routing r = {.score = {0, 1, 0, 1, 1, 0, 1, 0}};
    route(&r);
    assert_int_equal(r.expert[0], 1);
    assert_int_equal(r.expert[1], 3);
}

static void router_keeps_to_the_best_groups(void **state)
{
    (void)state;
    /* Four groups of two; the best single expert stands in a group whose two best together lose. Biased scores are
     * negative, so a group put out of play with zeros instead of -inf would win. */
    routing r = {.score = {3, -9, 1, 1, 0, 0.5F, -1, -1}, .n_group = 4, .n_group_used = 1};
    for (int i = 0; i < 8; i++)
        r.bias[i] = -5.0F;
    route(&r);
    assert_int_equal(r.expert[0], 2);
    assert_int_equal(r.expert[1], 3);
}

/* ---- Check 10: rotary angles far out ---- */

static void rotary_angles_are_float32_products(void **state)
{
    (void)state;
    static glm_config c;
    read_config(&c, GLM52_CONFIG "}");
    c.n_expert = c.n_expert_used = 1;
    c.n_vocab = 16;
    c.d_model = 16;
    glm_error err;
    glm_pool *pool;
    glm_backend *b;
    glm_forward *f;
    glm_block *block;
    glm_weights weights = {.config = &c};
    glm_backend_limits limits = {.n_tok = 1,
                                 .n_cols = 16,
                                 .n_row = 16,
                                 .n_sel = 1,
                                 .n_slot = 1,
                                 .n_hidden = 1,
                                 .d_model = 1,
                                 .n_expert = 1};
    rig_must(glm_pool_create(&pool, 1, &err), &err);
    rig_must(glm_cpu_backend_create(&b, pool, GLM_ISA_SCALAR, &limits, &err), &err);
    rig_must(glm_forward_create(&f, &weights, b, GLM_KV_STORE_F32, GLM_KV_STORE_F32, 1, 1, &err),
             &err);
    rig_must(glm_block_create(&block, f, 1, &err), &err);
    /* The values the model description gives for theta 8e6. */
    assert_true(fabsf(f->inv_freq[1] - 0.608525038F) < 1e-8F);
    assert_true(fabsf(f->inv_freq[2] - 0.370302707F) < 1e-8F);
    assert_true(fabsf(f->inv_freq[15] - 5.81000582e-4F) < 1e-11F);
    assert_true(fabsf(f->inv_freq[31] - 2.05414736e-7F) < 1e-14F);
    const uint32_t position = 1048575;
    const int32_t token = 0;
    glm_batch batch = {1, &token, &position, NULL};
    glm_block_place(block, &batch);
    for (uint32_t i = 0; i < 32; i++) {
        double angle = (double)(1048575.0F * f->inv_freq[i]);
        assert_true(fabs((double)block->cos_table[i] - cos(angle)) < 1e-7);
        assert_true(fabs((double)block->sin_table[i] - sin(angle)) < 1e-7);
    }
    /* A product in double is another angle: 0.016 radians off at the second pair. */
    double off = (double)(1048575.0F * f->inv_freq[1]) - 1048575.0 * (double)f->inv_freq[1];
    assert_true(fabs(fabs(off) - 0.016) < 0.001);
    glm_block_destroy(block);
    glm_forward_destroy(f);
    b->ops->destroy(b);
    glm_pool_destroy(pool);
}

/* ---- Layer-major order, which streaming will use ---- */

static void layer_major_order_gives_the_same_bits(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, "nano52");
    const glm_config *c = &r.model->config;
    int32_t tokens[96];
    for (uint32_t i = 0; i < 96; i++)
        tokens[i] = (int32_t)(i * 41 % 300);
    float *whole = malloc(96 * (size_t)c->n_vocab * sizeof(float));
    float *parts = malloc(96 * (size_t)c->n_vocab * sizeof(float));
    assert_true(whole && parts);
    rig_run(&r, tokens, 96);
    rig_output(&r, 96, whole, NULL);
    glm_kv_seq_truncate(r.seq, 0);

    glm_error err;
    glm_block *block[3];
    uint32_t position[96];
    glm_kv_seq *seq[96];
    glm_batch all = rig_batch(&r, tokens, 96);
    memcpy(position, all.position, sizeof position);
    memcpy(seq, all.seq, sizeof seq);
    for (uint32_t i = 0; i < 3; i++) {
        glm_batch batch = {32, tokens + 32 * i, position + 32 * i, seq + 32 * i};
        rig_must(glm_block_create(&block[i], r.f, 32, &err), &err);
        glm_block_begin(block[i], &batch);
    }
    for (uint32_t layer = 0; layer < c->n_layer; layer++)
        for (uint32_t i = 0; i < 3; i++)
            rig_must(glm_layer_forward(r.f, layer, block[i], &err), &err);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t row[32];
        float *to_logits[32], *to_hidden[32] = {0};
        for (uint32_t t = 0; t < 32; t++) {
            row[t] = t;
            to_logits[t] = parts + (size_t)(32 * i + t) * c->n_vocab;
        }
        glm_block_output(r.f, block[i], row, 32, to_logits, to_hidden);
        glm_block_destroy(block[i]);
    }
    assert_memory_equal(whole, parts, 96 * (size_t)c->n_vocab * sizeof(float));
    free(whole);
    free(parts);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule_from_formula_list_and_pattern),
        cmocka_unit_test(selection_drops_exactly_one_behind_the_edge),
        cmocka_unit_test(sparse_equals_dense_while_everything_is_selected),
        cmocka_unit_test(shared_layers_use_their_owners_set),
        cmocka_unit_test(absorbed_equals_unabsorbed),
        cmocka_unit_test(absorbed_equals_unabsorbed_fp8),
        cmocka_unit_test(router_bias_chooses_but_does_not_weigh),
        cmocka_unit_test(router_takes_the_lowest_of_equal_experts),
        cmocka_unit_test(router_keeps_to_the_best_groups),
        cmocka_unit_test(rotary_angles_are_float32_products),
        cmocka_unit_test(layer_major_order_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
