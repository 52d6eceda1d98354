// SPDX-License-Identifier: MIT
#include "convert/metadata.h"

#include <stdio.h>
#include <string.h>

#include "convert/vocab.h"

#define QUANTIZATION_VERSION 2 /* ggml's GGML_QNT_VERSION: of the block formats */
#define GATING_SIGMOID 2       /* llama.cpp: llama_expert_gating_func_type */

/* ---- From a configuration ---- */

static const char *prefixed(char out[96], const char *prefix, const char *key)
{
    snprintf(out, 96, "%s.%s", prefix, key);
    return out;
}

static uint32_t count_dense(const glm_config *c)
{
    uint32_t n = 0;
    while (n < c->n_layer && c->is_dense[n])
        n++;
    return n;
}

static void put_counts(glm_gguf_head *head, const char *prefix, const glm_weights *w)
{
    const glm_config *c = w->config;
    const uint32_t n_mtp = w->has_mtp;
    const struct {
        const char *key;
        uint32_t value;
    } counts[] = {
        {"block_count", c->n_layer + n_mtp},
        {"context_length", c->n_ctx_max},
        {"embedding_length", c->d_model},
        {"feed_forward_length", c->d_ff},
        {"attention.head_count", c->n_heads},
        {"attention.head_count_kv", 1}, /* one latent serves all heads */
        {"expert_count", c->n_expert},
        {"expert_used_count", c->n_expert_used},
        {"expert_group_count", c->n_group},
        {"expert_group_used_count", c->n_group_used},
        {"expert_gating_func", GATING_SIGMOID},
        {"attention.key_length", c->kv_rank + c->d_rope},
        {"attention.value_length", c->kv_rank},
        {"leading_dense_block_count", count_dense(c)},
        {"vocab_size", c->n_vocab},
        {"attention.q_lora_rank", c->q_rank},
        {"attention.kv_lora_rank", c->kv_rank},
        {"attention.key_length_mla", c->d_nope + c->d_rope},
        {"attention.value_length_mla", c->d_v},
        {"expert_feed_forward_length", c->d_expert},
        {"expert_shared_count", c->n_expert_shared},
        {"rope.dimension_count", c->d_rope},
        {"nextn_predict_layers", n_mtp},
    };
    char key[96];
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        glm_gguf_put_u32(head, prefixed(key, prefix, counts[i].key), counts[i].value);
}

static void put_indexer(glm_gguf_head *head, const char *prefix, const glm_config *c)
{
    char key[96];
    glm_gguf_put_u32(head, prefixed(key, prefix, "attention.indexer.head_count"), c->index_n_heads);
    glm_gguf_put_u32(head, prefixed(key, prefix, "attention.indexer.key_length"), c->index_d_head);
    glm_gguf_put_u32(head, prefixed(key, prefix, "attention.indexer.top_k"), c->index_topk);
    glm_gguf_put_array(head, prefixed(key, prefix, "attention.indexer.types"), GLM_GGUF_BOOL,
                       c->n_layer, (glm_text){(const char *)c->owns_indexer, c->n_layer});
}

static void put_sampling(glm_gguf_head *head, const glm_config *c)
{
    glm_gguf_put_f32(head, "general.sampling.temp", (float)c->temperature);
    glm_gguf_put_f32(head, "general.sampling.top_p", (float)c->top_p);
    if (c->top_k)
        glm_gguf_put_i32(head, "general.sampling.top_k", (int32_t)c->top_k);
    if (c->min_p > 0.0)
        glm_gguf_put_f32(head, "general.sampling.min_p", (float)c->min_p);
}

static glm_status put_from_config(glm_gguf_head *head, const glm_metadata *m, glm_note_fn *note,
                                  void *ctx, glm_error *err)
{
    const glm_config *c = m->weights->config;
    const char *prefix = c->arch == GLM_ARCH_GLM_MOE_DSA ? "glm-dsa" : "deepseek2";
    char key[96];
    glm_gguf_put_string(head, "general.architecture", glm_text_c(prefix));
    glm_gguf_put_string(head, "general.type", glm_text_c("model"));
    glm_gguf_put_string(head, "general.name", m->name);
    put_sampling(head, c);
    put_counts(head, prefix, m->weights);
    glm_gguf_put_f32(head, prefixed(key, prefix, "rope.freq_base"), (float)c->rope_theta);
    glm_gguf_put_f32(head, prefixed(key, prefix, "attention.layer_norm_rms_epsilon"), c->rms_eps);
    glm_gguf_put_f32(head, prefixed(key, prefix, "expert_weights_scale"), c->routed_scale);
    glm_gguf_put_bool(head, prefixed(key, prefix, "expert_weights_norm"), c->normalise_experts);
    if (c->arch == GLM_ARCH_GLM_MOE_DSA)
        put_indexer(head, prefix, c);
    bool has_tokenizer = false;
    glm_status st =
        glm_vocab_put(head, m->file, c->n_vocab, c->n_eos ? c->eos[0] : -1, &has_tokenizer, err);
    if (st == GLM_OK && !has_tokenizer && note)
        note(ctx,
             "no tokenizer.json: the output has no tokenizer, and other engines will not open it");
    return st;
}

/* ---- From a GGUF ---- */

static bool is_stale(glm_text key)
{
    static const char *const prefixes[] = {"split.",
                                           "quantize.imatrix.",
                                           "general.file_type",
                                           "general.quantization_version",
                                           "general.alignment",
                                           GLM_RECEIPT_KEY};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (glm_text_has_prefix(key, glm_text_c(prefixes[i])))
            return true;
    return false;
}

static void put_from_gguf(glm_gguf_head *head, const glm_metadata *m)
{
    const glm_gguf_pair *pair;
    for (uint32_t i = 0; (pair = glm_tensor_file_pair(m->file, i)) != NULL; i++)
        if (!is_stale((glm_text){pair->key.data, pair->key.size}))
            glm_gguf_put_pair(head, pair);
    const glm_config *c = m->weights->config;
    if (c->arch == GLM_ARCH_GLM_MOE_DSA &&
        !glm_tensor_file_has(m->file, "glm-dsa.attention.indexer.types"))
        glm_gguf_put_array(head, "glm-dsa.attention.indexer.types", GLM_GGUF_BOOL, c->n_layer,
                           (glm_text){(const char *)c->owns_indexer, c->n_layer});
}

glm_status glm_metadata_put(glm_gguf_head *head, const glm_metadata *metadata, glm_note_fn *note,
                            void *ctx, glm_error *err)
{
    glm_status st = GLM_OK;
    if (glm_tensor_file_format(metadata->file) == GLM_FORMAT_GGUF)
        put_from_gguf(head, metadata);
    else
        st = put_from_config(head, metadata, note, ctx, err);
    if (st != GLM_OK)
        return st;
    glm_gguf_put_u32(head, "general.file_type", metadata->file_type);
    glm_gguf_put_u32(head, "general.quantization_version", QUANTIZATION_VERSION);
    char blanks[GLM_RECEIPT_BYTES];
    memset(blanks, ' ', sizeof blanks);
    glm_gguf_put_string(head, GLM_RECEIPT_KEY, (glm_text){blanks, sizeof blanks});
    return GLM_OK;
}
