// SPDX-License-Identifier: MIT
/* GGUF metadata as llama.cpp's converters write it (docs/model.md, "GGUF"). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/config_internal.h"

#define WHERE GLM_CONFIG_METADATA
#define GATING_SIGMOID 2
/* Where the schedule is not in the file: GLM-5.2 and later share selections, GLM-5 and 5.1 do not. */
#define SHARED_SCHEDULE_CONTEXT 1048576u
#define SHARED_SCHEDULE_THETA 8e6
#define SHARED_SCHEDULE_FREQUENCY 4
#define SHARED_SCHEDULE_OFFSET 3

typedef struct reader {
    const glm_tensor_file *file;
    const char *prefix; /* of the architecture's keys */
    glm_error *err;
    char key[128];
} reader;

static const char *full_key(reader *r, const char *key)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->prefix, key);
    return r->key;
}

/* A count; absent leaves *out alone and is an error only when `required`. */
static glm_status read_u32(reader *r, uint32_t *out, const char *key, bool required)
{
    uint64_t n;
    const char *full = full_key(r, key);
    if (!glm_tensor_file_has(r->file, full))
        return required ? glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected a count, got nothing",
                                   full)
                        : GLM_OK;
    if (!glm_tensor_file_get_u64(r->file, full, &n) || n > UINT32_MAX)
        return glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected a count below 2^32", full);
    *out = (uint32_t)n;
    return GLM_OK;
}

static glm_status read_double(reader *r, double *out, const char *key, bool required)
{
    const char *full = full_key(r, key);
    if (!glm_tensor_file_has(r->file, full))
        return required ? glm_fail(r->err, GLM_EFORMAT,
                                   WHERE ": %s: expected a number, got nothing", full)
                        : GLM_OK;
    if (!glm_tensor_file_get_double(r->file, full, out))
        return glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected a number", full);
    return GLM_OK;
}

static glm_status read_sizes(reader *r, glm_config *c)
{
    uint32_t n_block = 0;
    const struct {
        const char *key;
        uint32_t *out;
        bool required;
    } counts[] = {
        {"block_count", &n_block, true},
        {"nextn_predict_layers", &c->n_mtp, false},
        {"context_length", &c->n_ctx_max, true},
        {"embedding_length", &c->d_model, true},
        {"feed_forward_length", &c->d_ff, true},
        {"attention.head_count", &c->n_heads, true},
        {"attention.q_lora_rank", &c->q_rank, true},
        {"attention.kv_lora_rank", &c->kv_rank, true},
        {"rope.dimension_count", &c->d_rope, true},
        {"expert_count", &c->n_expert, true},
        {"expert_used_count", &c->n_expert_used, true},
        {"expert_shared_count", &c->n_expert_shared, false},
        {"expert_feed_forward_length", &c->d_expert, true},
        {"expert_group_count", &c->n_group, false},
        {"expert_group_used_count", &c->n_group_used, false},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        glm_status st = read_u32(r, counts[i].out, counts[i].key, counts[i].required);
        if (st != GLM_OK)
            return st;
    }
    if (c->n_mtp > 1 || n_block <= c->n_mtp || n_block - c->n_mtp > GLM_LAYERS_MAX)
        return glm_fail(r->err, GLM_EFORMAT,
                        WHERE ": %s.block_count: expected 1 to %d layers beside %u MTP, got %u",
                        r->prefix, GLM_LAYERS_MAX, c->n_mtp, n_block);
    c->n_layer = n_block - c->n_mtp;

    /* Older files give the real head widths as key_length and value_length. */
    const char *key_length = "attention.key_length_mla",
               *value_length = "attention.value_length_mla";
    if (!glm_tensor_file_has(r->file, full_key(r, key_length))) {
        key_length = "attention.key_length";
        value_length = "attention.value_length";
    }
    uint32_t d_qk = 0;
    glm_status st = read_u32(r, &d_qk, key_length, true);
    if (st == GLM_OK)
        st = read_u32(r, &c->d_v, value_length, true);
    if (st != GLM_OK)
        return st;
    if (d_qk <= c->d_rope)
        return glm_fail(r->err, GLM_EFORMAT,
                        WHERE ": %s.%s: expected more than the rotary width %u, got %u", r->prefix,
                        key_length, c->d_rope, d_qk);
    c->d_nope = d_qk - c->d_rope;
    return GLM_OK;
}

static glm_status read_router(reader *r, glm_config *c)
{
    uint32_t gating = c->arch == GLM_ARCH_GLM_MOE_DSA ? GATING_SIGMOID : 0;
    glm_status st = read_u32(r, &gating, "expert_gating_func", false);
    if (st != GLM_OK)
        return st;
    if (gating != GATING_SIGMOID)
        return glm_fail(r->err, GLM_EUNSUPP,
                        WHERE ": %s.expert_gating_func: expected %d (sigmoid), got %u", r->prefix,
                        GATING_SIGMOID, gating);
    double scale = 0.0;
    st = read_double(r, &scale, "expert_weights_scale", true);
    c->routed_scale = (float)scale;
    if (st == GLM_OK && glm_tensor_file_has(r->file, full_key(r, "expert_weights_norm")) &&
        !glm_tensor_file_get_bool(r->file, r->key, &c->normalise_experts))
        st = glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected a boolean", r->key);
    return st;
}

/* bools, integers, or strings ("full", "shared"), one a layer; entries for the MTP block may follow. */
static glm_status read_types(reader *r, glm_config *c, glm_gguf_array types)
{
    if (types.count < c->n_layer || types.count > (uint64_t)c->n_layer + c->n_mtp)
        return glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected %u entries, got %llu", r->key,
                        c->n_layer, (unsigned long long)types.count);
    for (uint32_t i = 0; i < c->n_layer; i++) {
        int64_t flag;
        glm_bytes text;
        if (glm_gguf_array_next_i64(&types, &flag) && (flag == 0 || flag == 1))
            c->owns_indexer[i] = (uint8_t)flag;
        else if (glm_gguf_array_next_string(&types, &text) && text.size == 4 &&
                 memcmp(text.data, "full", 4) == 0)
            c->owns_indexer[i] = 1;
        else if (types.elem_type == 8 && text.size == 6 && memcmp(text.data, "shared", 6) == 0)
            c->owns_indexer[i] = 0;
        else
            return glm_fail(r->err, GLM_EFORMAT,
                            WHERE ": %s: entry %u: expected true or false, 1 or 0, full or shared",
                            r->key, i);
    }
    return GLM_OK;
}

static glm_status read_indexer(reader *r, glm_config *c)
{
    glm_status st = read_u32(r, &c->index_n_heads, "attention.indexer.head_count", true);
    if (st == GLM_OK)
        st = read_u32(r, &c->index_d_head, "attention.indexer.key_length", true);
    if (st == GLM_OK)
        st = read_u32(r, &c->index_topk, "attention.indexer.top_k", true);
    if (st != GLM_OK)
        return st;
    bool is_shared =
        c->n_ctx_max >= SHARED_SCHEDULE_CONTEXT || c->rope_theta == SHARED_SCHEDULE_THETA;
    c->mtp_shares_index = is_shared;
    glm_gguf_array types;
    if (glm_tensor_file_get_array(r->file, full_key(r, "attention.indexer.types"), &types))
        return read_types(r, c, types);
    if (glm_tensor_file_has(r->file, r->key))
        return glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected an array", r->key);
    uint32_t frequency = is_shared ? SHARED_SCHEDULE_FREQUENCY : 1, offset = SHARED_SCHEDULE_OFFSET;
    st = read_u32(r, &frequency, "attention.indexer.top_k_frequency", false);
    if (st == GLM_OK)
        st = read_u32(r, &offset, "attention.indexer.skip_top_k_offset", false);
    glm_config_schedule(c, frequency, offset);
    return st;
}

static void add_eos(glm_config *c, const glm_tensor_file *file, const char *key)
{
    uint64_t id;
    if (!glm_tensor_file_get_u64(file, key, &id) || id >= c->n_vocab || c->n_eos == GLM_EOS_MAX)
        return;
    for (uint32_t i = 0; i < c->n_eos; i++)
        if (c->eos[i] == (int32_t)id)
            return;
    c->eos[c->n_eos++] = (int32_t)id;
}

/* What the package recommends for drawing tokens; a file without it leaves the defaults. */
static glm_status read_sampling(reader *r, glm_config *c)
{
    const struct {
        const char *key;
        double *out;
    } numbers[] = {{"general.sampling.temp", &c->temperature},
                   {"general.sampling.top_p", &c->top_p},
                   {"general.sampling.min_p", &c->min_p}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double value;
        if (!glm_tensor_file_has(r->file, numbers[i].key))
            continue;
        if (!glm_tensor_file_get_double(r->file, numbers[i].key, &value))
            return glm_fail(r->err, GLM_EFORMAT, WHERE ": %s: expected a number", numbers[i].key);
        *numbers[i].out = round(value * 1e6) / 1e6; /* a float32 there: 0.95, not 0.949999988 */
    }
    uint64_t top_k;
    if (glm_tensor_file_get_u64(r->file, "general.sampling.top_k", &top_k) && top_k <= INT32_MAX)
        c->top_k = (uint32_t)top_k;
    return GLM_OK;
}

static glm_status refuse_scaling(reader *r)
{
    glm_bytes type;
    if (!glm_tensor_file_get_string(r->file, full_key(r, "rope.scaling.type"), &type) ||
        (type.size == 4 && memcmp(type.data, "none", 4) == 0))
        return GLM_OK;
    return glm_fail(r->err, GLM_EUNSUPP, WHERE ": %s: expected none, got %.*s", r->key,
                    (int)(type.size < 64 ? type.size : 64), type.data);
}

static glm_status read_arch(reader *r, glm_config *c)
{
    glm_bytes arch;
    if (!glm_tensor_file_get_string(r->file, "general.architecture", &arch))
        return glm_fail(r->err, GLM_EFORMAT,
                        WHERE ": general.architecture: expected a string, got nothing");
    if (arch.size == 7 && memcmp(arch.data, "glm-dsa", 7) == 0) {
        c->arch = GLM_ARCH_GLM_MOE_DSA;
        r->prefix = "glm-dsa";
    } else if (arch.size == 9 && memcmp(arch.data, "deepseek2", 9) == 0) {
        c->arch = GLM_ARCH_GLM4_MOE_LITE;
        r->prefix = "deepseek2";
    } else {
        return glm_fail(r->err, GLM_EUNSUPP,
                        WHERE ": general.architecture: expected glm-dsa or deepseek2, got %.*s",
                        (int)(arch.size < 64 ? arch.size : 64), arch.data);
    }
    return GLM_OK;
}

glm_status glm_config_from_gguf(glm_config *out, const glm_tensor_file *file,
                                const glm_config_overrides *overrides, glm_error *err)
{
    glm_config c;
    glm_config_init(&c);
    reader r = {.file = file, .err = err};
    uint32_t n_dense = 0;
    double eps = 0.0;
    glm_status st = read_arch(&r, &c);
    if (st == GLM_OK)
        st = refuse_scaling(&r);
    if (st == GLM_OK)
        st = read_sizes(&r, &c);
    if (st == GLM_OK)
        st = read_double(&r, &eps, "attention.layer_norm_rms_epsilon", true);
    c.rms_eps = (float)eps;
    if (st == GLM_OK)
        st = read_double(&r, &c.rope_theta, "rope.freq_base", true);
    if (st == GLM_OK)
        st = read_router(&r, &c);
    if (st == GLM_OK)
        st = read_u32(&r, &n_dense, "leading_dense_block_count", true);
    if (st == GLM_OK && c.arch == GLM_ARCH_GLM_MOE_DSA)
        st = read_indexer(&r, &c);
    if (st == GLM_OK)
        st = read_sampling(&r, &c);
    if (st != GLM_OK)
        return st;
    for (uint32_t i = 0; i < c.n_layer; i++)
        c.is_dense[i] = i < n_dense;
    const glm_tensor *embed = glm_tensor_file_find(file, "token_embd.weight");
    if (!embed || embed->n_dims != 2 || embed->dim[0] > UINT32_MAX)
        return glm_fail(err, GLM_EFORMAT,
                        "tensor token_embd.weight: expected two dimensions, got %s",
                        embed ? "another shape" : "nothing");
    c.n_vocab = (uint32_t)embed->dim[0];
    c.ties_embeddings = true; /* llama.cpp leaves output.weight out when it is the embedding */
    add_eos(&c, file, "tokenizer.ggml.eos_token_id");
    add_eos(&c, file, "tokenizer.ggml.eot_token_id");
    add_eos(&c, file, "tokenizer.ggml.eom_token_id");
    st = glm_config_finish(&c, WHERE, overrides, err);
    if (st == GLM_OK)
        *out = c;
    return st;
}
