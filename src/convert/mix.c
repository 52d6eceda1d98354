// SPDX-License-Identifier: MIT
#include "convert/mix.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "quant/encode.h"

#define T(name) GLM_TYPE_##name

/* File types: llama.cpp, include/llama.h, enum llama_ftype. */
// clang-format off
static const glm_mix mixes[] = {
    {"F32", "float32 throughout", 0, T(F32), T(F32), T(F32), T(F32), T(F32), T(F32), T(F32)},
    {"F16", "float16 matrices", 1, T(F16), T(F16), T(F16), T(F16), T(F16), T(F16), T(F16)},
    {"BF16", "bfloat16 matrices, as published", 32, T(BF16), T(BF16), T(BF16), T(BF16), T(BF16), T(BF16), T(BF16)},
    {"Q8_0", "8.5 bits throughout", 7, T(Q8_0), T(Q8_0), T(Q8_0), T(Q8_0), T(Q8_0), T(Q8_0), T(Q8_0)},
    {"Q6_K", "experts of 6.6 bits, the rest Q8_0", 18, T(Q6_K), T(Q6_K), T(Q6_K), T(Q8_0), T(Q8_0), T(Q6_K), T(Q8_0)},
    {"Q5_K_M", "experts of 5.5 bits, a half of their down Q6_K; the rest Q6_K", 17, T(Q5_K), T(Q5_K), T(Q6_K), T(Q6_K), T(Q8_0), T(Q5_K), T(Q6_K)},
    {"Q5_K_S", "experts of 5.5 bits; the rest Q6_K", 16, T(Q5_K), T(Q5_K), T(Q5_K), T(Q6_K), T(Q8_0), T(Q5_K), T(Q6_K)},
    {"Q4_K_M", "experts of 4.5 bits, a half of their down Q6_K; the rest Q6_K", 15, T(Q4_K), T(Q4_K), T(Q6_K), T(Q6_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"Q4_K_S", "experts of 4.5 bits; the rest Q5_K", 14, T(Q4_K), T(Q4_K), T(Q5_K), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"Q3_K_M", "experts of 3.4 bits, down Q4_K; the rest Q5_K", 12, T(Q3_K), T(Q4_K), T(Q4_K), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"Q2_K", "experts of 2.6 bits, down Q3_K; the rest Q5_K", 10, T(Q2_K), T(Q3_K), T(Q3_K), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"IQ4_NL", "experts of 4.5 bits; the rest Q5_K", 25, T(IQ4_NL), T(IQ4_NL), T(IQ4_NL), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"IQ4_XS", "experts of 4.3 bits; the rest Q5_K", 30, T(IQ4_XS), T(IQ4_XS), T(IQ4_XS), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"IQ3_XXS", "experts of 3.1 bits, a half of their down IQ4_XS; the rest Q5_K", 23, T(IQ3_XXS), T(IQ3_XXS), T(IQ4_XS), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"IQ2_XS", "experts of 2.3 bits, a half of their down IQ3_XXS; the rest Q5_K", 20, T(IQ2_XS), T(IQ2_XS), T(IQ3_XXS), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"IQ2_XXS", "experts of 2.1 bits, a half of their down IQ3_XXS; the rest Q5_K", 19, T(IQ2_XXS), T(IQ2_XXS), T(IQ3_XXS), T(Q5_K), T(Q8_0), T(Q4_K), T(Q6_K)},
    {"MXFP4_MOE", "experts of 4.25 bits (MXFP4), the rest Q8_0", 38, T(MXFP4), T(MXFP4), T(MXFP4), T(Q8_0), T(Q8_0), T(Q8_0), T(Q8_0)},
};

static const struct {
    const char *alias, *name;
} aliases[] = {{"Q5_K", "Q5_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q3_K", "Q3_K_M"}, {"MXFP4", "MXFP4_MOE"}};
// clang-format on

const glm_mix *glm_mix_at(uint32_t index)
{
    return index < sizeof mixes / sizeof mixes[0] ? &mixes[index] : NULL;
}

const glm_mix *glm_mix_find(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcasecmp(name, aliases[i].alias) == 0)
            name = aliases[i].name;
    for (size_t i = 0; i < sizeof mixes / sizeof mixes[0]; i++)
        if (strcasecmp(name, mixes[i].name) == 0)
            return &mixes[i];
    return NULL;
}

/* The type of that name, in any case, if it can be written to a GGUF. */
static bool find_type(const char *name, glm_type *out)
{
    for (uint32_t type = 0; type < GLM_TYPE_F8_E4M3; type++)
        if (glm_type_get(type) && strcasecmp(name, glm_type_name(type)) == 0) {
            *out = (glm_type)type;
            return glm_quant_can_encode(*out);
        }
    return false;
}

/* Layers where down projections get more bits: the first and last eighth and every third between. */
static bool is_favoured(uint32_t layer, uint32_t n_layer)
{
    uint32_t eighth = n_layer / 8;
    return layer < eighth || layer >= 7 * n_layer / 8 || (layer - eighth) % 3 == 2;
}

/* What the type becomes for rows of n_cols elements: the same, or one with smaller blocks, or F16. Source of the pairs:
 * llama.cpp, src/llama-quant.cpp. */
static glm_type fit(glm_type type, uint32_t n_cols)
{
    if (n_cols % glm_type_get(type)->n_elems == 0)
        return type;
    glm_type smaller = T(F16);
    switch (type) {
    case T(IQ1_S):
    case T(IQ1_M):
    case T(IQ2_XXS):
    case T(IQ2_XS):
    case T(IQ2_S):
    case T(IQ3_XXS):
    case T(IQ3_S):
    case T(IQ4_XS):
        smaller = T(IQ4_NL);
        break;
    case T(Q2_K):
    case T(Q3_K):
    case T(TQ1_0):
    case T(TQ2_0):
        smaller = T(Q4_0);
        break;
    case T(Q4_K):
        smaller = T(Q5_0);
        break;
    case T(Q5_K):
        smaller = T(Q5_1);
        break;
    case T(Q6_K):
        smaller = T(Q8_0);
        break;
    default:
        break;
    }
    return n_cols % glm_type_get(smaller)->n_elems == 0 ? smaller : T(F16);
}

static glm_type mixed(const glm_mix *mix, const glm_plan_tensor *t, uint32_t n_layer)
{
    switch (t->use) {
    case GLM_USE_EMBEDDING:
        return mix->embed;
    case GLM_USE_HEAD:
        return mix->head;
    case GLM_USE_EXPERTS:
        if (t->source != GLM_SOURCE_DOWN)
            return mix->expert;
        return is_favoured(t->layer, n_layer) ? mix->down_more : mix->down;
    case GLM_USE_ATTENTION:
        return t->n_dims == 3 ? mix->heads : mix->always;
    case GLM_USE_INDEXER: /* one row a head: small, and decides what is attended to */
        return strstr(t->name, "indexer.proj") ? T(F32) : mix->always;
    case GLM_USE_DENSE:
    case GLM_USE_SHARED_EXPERT:
    case GLM_USE_MTP:
        return mix->always;
    default:
        return T(F32);
    }
}

/* ---- Rules ---- */

typedef struct rules {
    regex_t *pattern; /* [n], compiled so far */
    glm_type *type;   /* [n] */
    size_t n;
} rules;

static void free_rules(rules *r)
{
    for (size_t i = 0; i < r->n; i++)
        regfree(&r->pattern[i]);
    free(r->pattern);
    free(r->type);
}

static glm_status compile_rules(rules *r, const glm_quantize_rule *rule, size_t n, glm_error *err)
{
    r->pattern = glm_new_array(regex_t, n + 1);
    r->type = glm_new_array(glm_type, n + 1);
    if (!r->pattern || !r->type)
        return glm_fail(err, GLM_ENOMEM, "rules for tensors");
    for (size_t i = 0; i < n; i++) {
        if (!find_type(rule[i].type, &r->type[i]))
            return glm_fail(err, GLM_EARG, "rule %s: expected a type that can be written, got %s",
                            rule[i].pattern, rule[i].type);
        int bad = regcomp(&r->pattern[i], rule[i].pattern, REG_EXTENDED | REG_NOSUB);
        if (bad) {
            char text[128];
            regerror(bad, &r->pattern[i], text, sizeof text);
            return glm_fail(err, GLM_EARG, "rule %s: expected a regular expression: %s",
                            rule[i].pattern, text);
        }
        r->n++;
    }
    return GLM_OK;
}

static glm_type wanted_type(const glm_mix *mix, const rules *r, const glm_plan_tensor *t,
                            uint32_t n_layer)
{
    if (t->n_dims == 1)
        return T(F32);
    for (size_t i = 0; i < r->n; i++)
        if (regexec(&r->pattern[i], t->name, 0, NULL, 0) == 0)
            return r->type[i];
    return mixed(mix, t, n_layer);
}

glm_status glm_mix_apply(glm_plan *plan, const glm_mix *mix, const glm_quantize_rule *rule,
                         size_t n_rules, glm_note_fn *note, void *ctx, uint64_t *n_fallback,
                         glm_error *err)
{
    rules r = {0};
    const uint32_t n_layer = plan->weights->config->n_layer;
    *n_fallback = 0;
    glm_status st = compile_rules(&r, rule, n_rules, err);
    for (uint32_t i = 0; i < plan->n && st == GLM_OK; i++) {
        glm_plan_tensor *t = &plan->tensor[i];
        glm_type wanted = wanted_type(mix, &r, t, n_layer);
        t->type = fit(wanted, t->n_cols);
        if (!glm_type_size(t->type, glm_plan_elements(t), &t->size_bytes))
            st = glm_fail(err, GLM_EINTERNAL, "tensor %s: no size as %s", t->name,
                          glm_type_name(t->type));
        if (st != GLM_OK || t->type == wanted)
            continue;
        char text[256];
        snprintf(text, sizeof text, "%s: rows of %u do not fit %s: %s instead", t->name, t->n_cols,
                 glm_type_name(wanted), glm_type_name(t->type));
        (*n_fallback)++;
        if (note)
            note(ctx, text);
    }
    free_rules(&r);
    return st;
}
