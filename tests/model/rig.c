// SPDX-License-Identifier: MIT
#include "model/rig.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "model/golden.h"

void rig_must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

void rig_open(rig *r, const char *name)
{
    glm_error err;
    memset(r, 0, sizeof *r);
    const char *folder = golden_folder(name);
    if (!folder) {
        print_message("SKIP %s: not in this checkout\n", name);
        skip();
    }
    glm_model_params mp = glm_model_params_default();
    mp.latent_eps = 1e-6;
    rig_must(glm_model_open(&r->model, folder, &mp, &err), &err);
    rig_must(glm_weights_load_small(&r->model->weights, &err), &err);
    const glm_config *c = &r->model->config;
    rig_must(glm_pool_create(&r->pool, 1, &err), &err);
    glm_backend_limits limits;
    glm_forward_limits(&limits, c, RIG_TOKENS, RIG_CTX);
    rig_must(glm_cpu_backend_create(&r->backend, r->pool, glm_kernels_best_isa(), &limits, &err),
             &err);
    rig_must(glm_forward_create(&r->f, &r->model->weights, r->backend, GLM_KV_STORE_F32,
                                GLM_KV_STORE_F32, RIG_TOKENS, RIG_TOKENS, &err),
             &err);
    rig_must(glm_block_create(&r->block, r->f, RIG_TOKENS, &err), &err);
    glm_kv_shape shape = {.n_layer = c->n_layer + c->n_mtp,
                          .n_row = c->kv_rank + c->d_rope,
                          .d_index = c->index_d_head,
                          .owns_indexer = c->owns_indexer,
                          .type = GLM_KV_STORE_F32,
                          .n_page = 32};
    rig_must(glm_kv_create(&r->kv, &shape, &err), &err);
    rig_must(glm_kv_seq_create(&r->seq, r->kv, RIG_CTX, &err), &err);
}

void rig_close(rig *r)
{
    glm_kv_seq_destroy(r->seq);
    glm_kv_destroy(r->kv);
    glm_block_destroy(r->block);
    glm_forward_destroy(r->f);
    r->backend->ops->destroy(r->backend);
    glm_pool_destroy(r->pool);
    glm_model_close(r->model);
}

glm_batch rig_batch(rig *r, const int32_t *tokens, uint32_t n)
{
    glm_error err;
    assert_true(n <= RIG_TOKENS);
    rig_must(glm_kv_seq_reserve(r->seq, n, &err), &err);
    for (uint32_t i = 0; i < n; i++) {
        r->position[i] = glm_kv_seq_length(r->seq) + i;
        r->row_seq[i] = r->seq;
    }
    return (glm_batch){n, tokens, r->position, r->row_seq};
}

void rig_run(rig *r, const int32_t *tokens, uint32_t n)
{
    glm_error err;
    glm_batch batch = rig_batch(r, tokens, n);
    glm_block_begin(r->block, &batch);
    for (uint32_t layer = 0; layer < r->model->config.n_layer; layer++)
        rig_must(glm_layer_forward(r->f, layer, r->block, &err), &err);
    glm_kv_seq_commit(r->seq, n);
}

void rig_output(rig *r, uint32_t n, float *logits, float *hidden)
{
    const glm_config *c = &r->model->config;
    uint32_t row[RIG_TOKENS];
    float *to_logits[RIG_TOKENS], *to_hidden[RIG_TOKENS];
    for (uint32_t i = 0; i < n; i++) {
        row[i] = i;
        to_logits[i] = logits ? logits + (size_t)i * c->n_vocab : NULL;
        to_hidden[i] = hidden ? hidden + (size_t)i * c->d_model : NULL;
    }
    glm_block_output(r->f, r->block, row, n, to_logits, to_hidden);
}
