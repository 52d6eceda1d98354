// SPDX-License-Identifier: MIT
/* Opening and describing models: include/glm/glm.h, first part. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/chat_template.h"
#include "core/mem.h"
#include "formats/identity.h"
#include "glm/glm.h"
#include "grammar/grammar.h"
#include "model/kv.h"
#include "model/loaded.h"
#include "tokenizer/tokenizer.h"

glm_model_params glm_model_params_default(void)
{
    return (glm_model_params){.load = GLM_LOAD_MAP};
}

/* ---- Opening ---- */

/* Remember a fact for glm_model_note; when there is no room it is dropped. */
static void add_note(glm_model *m, const char *text)
{
    if (m->n_note == GLM_MODEL_NOTES_MAX)
        return;
    char *copy = strdup(text);
    if (copy)
        m->note[m->n_note++] = copy;
}

static void note_ignored(glm_model *m)
{
    uint32_t n = 0;
    const char *first = NULL;
    for (uint32_t i = 0; i < glm_tensor_file_count(m->file); i++)
        if (m->weights.used[i] == GLM_USE_IGNORED && n++ == 0)
            first = glm_tensor_file_at(m->file, i)->name;
    if (!n)
        return;
    char text[400];
    snprintf(text, sizeof text, "%u tensor%s ignored, first %s", n, n == 1 ? "" : "s", first);
    add_note(m, text);
}

static glm_status open_tokenizer(glm_model *m, glm_error *err)
{
    glm_status st;
    if (glm_tensor_file_format(m->file) == GLM_FORMAT_GGUF) {
        if (!glm_tensor_file_has(m->file, "tokenizer.ggml.tokens")) {
            add_note(m, "no tokenizer in the package");
            return GLM_OK;
        }
        st = glm_tok_load_gguf(&m->tokenizer, m->file, err);
    } else {
        char *text;
        size_t size;
        st = glm_tensor_file_read_side(m->file, "tokenizer.json", GLM_TOKENIZER_FILE_MAX, &text,
                                       &size, err);
        if (st == GLM_ENOENT) {
            add_note(m, "no tokenizer.json in the package");
            return GLM_OK;
        }
        if (st != GLM_OK)
            return st;
        st = glm_tok_parse_json(&m->tokenizer, text, size, "tokenizer.json", err);
        free(text);
    }
    if (st == GLM_OK && glm_tok_n_ids(m->tokenizer) > m->config.n_vocab)
        st = glm_fail(err, GLM_EFORMAT,
                      "tokenizer: expected at most the vocabulary's %u ids, got %zu",
                      m->config.n_vocab, glm_tok_n_ids(m->tokenizer));
    return st;
}

/* A template of the package's own is never run; one that is not published deserves a word. */
static glm_status tell_template(glm_model *m, glm_error *err)
{
    glm_chat_template *t = m->chat_template = glm_new(glm_chat_template);
    if (!t)
        return glm_fail(err, GLM_ENOMEM, "chat template: no memory");
    glm_status st = glm_chat_template_of_file(t, m->file, err);
    if (st != GLM_OK || !t->is_there || t->is_known)
        return st;
    char text[192];
    if (!t->is_alike)
        snprintf(text, sizeof text,
                 "chat template %.16s... is not one we know; %s's format is used", t->sha256,
                 t->name);
    else
        snprintf(text, sizeof text,
                 "chat template %.16s... is not one we know; it looks like that of %s, whose "
                 "format is used",
                 t->sha256, t->name);
    add_note(m, text);
    return GLM_OK;
}

/* The folder's or file's own name, or what the metadata says. */
static void set_name(glm_model *m)
{
    glm_bytes name;
    if (glm_tensor_file_get_string(m->file, "general.name", &name)) {
        snprintf(m->name, sizeof m->name, "%.*s", (int)(name.size < 255 ? name.size : 255),
                 name.data);
        return;
    }
    size_t end = strlen(m->path);
    while (end > 1 && m->path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && m->path[begin - 1] != '/')
        begin--;
    snprintf(m->name, sizeof m->name, "%.*s", (int)(end - begin), m->path + begin);
}

static void set_schedule_letters(glm_model *m)
{
    const glm_config *c = &m->config;
    for (uint32_t i = 0; c->index_topk && i < c->n_layer; i++)
        m->indexer_types[i] = c->owns_indexer[i] ? 'F' : 'S';
}

static glm_status open_parts(glm_model *m, const glm_model_params *params, glm_error *err)
{
    glm_tensor_file_options options = {
        .follow_links = params->follow_links,
        .read = params->load == GLM_LOAD_READ,
    };
    glm_config_overrides overrides = {
        .latent_eps = params->latent_eps,
        .indexer_types = params->indexer_types,
    };
    glm_status st = glm_tensor_file_open(&m->file, m->path, &options, err);
    if (st != GLM_OK)
        return st;
    st = glm_config_read(&m->config, m->file, &overrides, err);
    if (st == GLM_OK)
        st = glm_weights_bind(&m->weights, m->file, &m->config, err);
    if (st == GLM_OK)
        st = open_tokenizer(m, err);
    if (st == GLM_OK)
        st = tell_template(m, err);
    if (st != GLM_OK)
        return glm_fail_context(err, st, "%s", m->path);
    note_ignored(m);
    set_name(m);
    set_schedule_letters(m);
    return GLM_OK;
}

glm_status glm_model_open(glm_model **out, const char *path, const glm_model_params *params,
                          glm_error *err)
{
    glm_model *m = glm_new(glm_model);
    if (!m)
        return glm_fail(err, GLM_ENOMEM, "%s: no memory", path);
    m->load = params->load;
    m->path = strdup(path);
    glm_status st =
        m->path ? open_parts(m, params, err) : glm_fail(err, GLM_ENOMEM, "%s: no memory", path);
    if (st != GLM_OK) {
        glm_model_close(m);
        return st;
    }
    *out = m;
    return GLM_OK;
}

void glm_model_close(glm_model *m)
{
    if (!m)
        return;
    glm_grammar_vocab_destroy(atomic_load(&m->grammar_vocab));
    glm_tok_destroy(m->tokenizer);
    if (m->weights.config)
        glm_weights_deinit(&m->weights);
    glm_tensor_file_close(m->file);
    for (uint32_t i = 0; i < m->n_note; i++)
        free(m->note[i]);
    free(m->chat_template);
    free(m->path);
    free(m);
}

const glm_tokenizer *glm_model_tokenizer(const glm_model *model)
{
    return model->tokenizer;
}

/* ---- Describing ---- */

static uint64_t kv_bytes_per_token(const glm_config *c, glm_kv_store type)
{
    glm_kv_shape shape = {
        .n_layer = c->n_layer,
        .n_row = c->kv_rank + c->d_rope,
        .d_index = c->index_d_head,
        .owns_indexer = c->owns_indexer,
        .type = type,
        .index_type = type == GLM_KV_STORE_F32 ? type : GLM_KV_STORE_Q8,
    };
    return glm_kv_page_bytes(&shape) / GLM_KV_PAGE_TOKENS;
}

static void describe_shape(const glm_config *c, glm_model_info *out)
{
    out->n_layer = c->n_layer;
    for (uint32_t i = 0; i < c->n_layer && c->is_dense[i]; i++)
        out->n_dense_layer++;
    out->d_model = c->d_model;
    out->n_vocab = c->n_vocab;
    out->n_ctx_max = c->n_ctx_max;
    out->n_heads = c->n_heads;
    out->q_rank = c->q_rank;
    out->kv_rank = c->kv_rank;
    out->d_nope = c->d_nope;
    out->d_rope = c->d_rope;
    out->d_v = c->d_v;
    out->d_ff = c->d_ff;
    out->d_expert = c->d_expert;
    out->n_expert = c->n_expert;
    out->n_expert_used = c->n_expert_used;
    out->n_expert_shared = c->n_expert_shared;
    out->n_group = c->n_group;
    out->n_group_used = c->n_group_used;
    out->routed_scale = c->routed_scale;
    out->index_n_heads = c->index_n_heads;
    out->index_d_head = c->index_d_head;
    out->index_topk = c->index_topk;
    out->rope_theta = c->rope_theta;
    out->rms_eps = c->rms_eps;
    out->latent_eps = c->latent_eps;
    out->temperature = c->temperature;
    out->top_p = c->top_p;
    out->min_p = c->min_p;
    out->top_k = c->top_k;
    out->n_eos = c->n_eos;
    memcpy(out->eos_ids, c->eos, sizeof out->eos_ids);
    out->kv_bytes_per_token[GLM_KV_F32] = kv_bytes_per_token(c, GLM_KV_STORE_F32);
    out->kv_bytes_per_token[GLM_KV_F16] = kv_bytes_per_token(c, GLM_KV_STORE_F16);
    out->kv_bytes_per_token[GLM_KV_BF16] = kv_bytes_per_token(c, GLM_KV_STORE_BF16);
    out->kv_bytes_per_token[GLM_KV_Q8] = kv_bytes_per_token(c, GLM_KV_STORE_Q8);
}

_Static_assert(sizeof(((glm_model_info *)0)->eos_ids) == sizeof(((glm_config *)0)->eos),
               "end tokens are copied whole");

void glm_model_get_info(const glm_model *m, glm_model_info *out)
{
    memset(out, 0, sizeof *out);
    describe_shape(&m->config, out);
    out->architecture = m->config.arch == GLM_ARCH_GLM_MOE_DSA ? "glm_moe_dsa" : "glm4_moe_lite";
    out->format = glm_tensor_file_format(m->file) == GLM_FORMAT_GGUF ? "gguf" : "safetensors";
    out->name = m->name;
    out->indexer_types = m->indexer_types;
    out->n_mtp_layer = m->weights.has_mtp;
    out->n_token = m->tokenizer ? (uint32_t)glm_tok_n_ids(m->tokenizer) : m->config.n_vocab;
    out->n_params = m->weights.n_params;
    out->n_params_active = m->weights.n_params_active;
    out->n_params_mtp = m->weights.n_params_mtp;
    out->n_tensors = glm_tensor_file_count(m->file);
    out->n_files = glm_tensor_file_parts(m->file);
    for (uint32_t i = 0; i < out->n_tensors; i++)
        out->size_bytes += glm_tensor_file_at(m->file, i)->size_bytes;
}

bool glm_model_tensor(const glm_model *m, uint32_t index, glm_tensor_desc *out)
{
    if (index >= glm_tensor_file_count(m->file))
        return false;
    const glm_tensor *t = glm_tensor_file_at(m->file, index);
    *out = (glm_tensor_desc){
        .name = t->name,
        .type = glm_type_name(t->type),
        .class_name = glm_tensor_use_name((glm_tensor_use)m->weights.used[index]),
        .n_dims = t->n_dims,
        .size_bytes = t->size_bytes,
        .file = t->file,
        .offset = t->offset,
    };
    memcpy(out->dim, t->dim, sizeof out->dim);
    return true;
}

void glm_model_residency(const glm_model *m, uint64_t *resident_bytes, uint64_t *large_page_bytes)
{
    glm_tensor_file_residency(m->file, resident_bytes, large_page_bytes);
}

const char *glm_model_note(const glm_model *m, uint32_t index)
{
    return index < m->n_note ? m->note[index] : NULL;
}
