// SPDX-License-Identifier: MIT
/* What the APIs share in a request: sampling, stops, budget, model name. Ranges: contracts of both APIs (docs/server.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "server/generation.h"
#include "server/limits.h"

static bool read_bias(glm_generation *g, glm_sampler_params *p, glm_field_error *err)
{
    const glm_json *object = glm_field(g->root, "logit_bias");
    if (!object)
        return true;
    if (object->type != GLM_JSON_OBJECT)
        return glm_field_refuse(err, "logit_bias", "logit_bias: expected an object");
    if (object->length > BIASES_MAX)
        return glm_field_refuse(err, "logit_bias", "logit_bias: expected at most %u ids, got %zu",
                                BIASES_MAX, object->length);
    glm_logit_bias *bias = glm_arena_new_array(&g->arena, glm_logit_bias, object->length + 1);
    if (!bias)
        return glm_field_refuse(err, "logit_bias", "logit_bias: no memory");
    size_t n = 0;
    for (const glm_json *m = object->first; m; m = m->next, n++) {
        uint64_t id;
        double value;
        char param[96];
        snprintf(param, sizeof param, "logit_bias.%.64s", m->key);
        if (!glm_json_text_u64(m->key, m->key_length, &id) || id >= g->server->info.n_vocab)
            return glm_field_refuse(err, param, "%s: expected a token id below %u", param,
                                    g->server->info.n_vocab);
        if (m->type != GLM_JSON_NUMBER || !glm_json_text_double(m->text, m->length, &value) ||
            !(value >= -100 && value <= 100))
            return glm_field_refuse(err, param, "%s: expected a number from -100 to 100", param);
        bias[n] = (glm_logit_bias){.id = (int32_t)id, .bias = (float)value};
    }
    p->bias = bias;
    p->n_bias = n;
    return true;
}

static bool read_stops(glm_generation *g, const char *name, glm_field_error *err)
{
    const glm_json *value = glm_field(g->root, name);
    if (!value)
        return true;
    bool is_list = value->type == GLM_JSON_ARRAY;
    bool may_be_one = strcmp(name, "stop") == 0;
    if (!is_list && !(may_be_one && value->type == GLM_JSON_STRING))
        return glm_field_refuse(err, name, "%s: expected %sa list of strings", name,
                                may_be_one ? "a string or " : "");
    size_t n = is_list ? value->length : 1;
    if (n > STOPS_MAX)
        return glm_field_refuse(err, name, "%s: expected at most %u strings, got %zu", name,
                                STOPS_MAX, n);
    g->stops = glm_arena_new_array(&g->arena, const char *, n + 1);
    if (!g->stops)
        return glm_field_refuse(err, name, "%s: no memory", name);
    for (const glm_json *item = is_list ? value->first : value; item;
         item = is_list ? item->next : NULL) {
        if (item->type != GLM_JSON_STRING || memchr(item->text, '\0', item->length))
            return glm_field_refuse(err, name, "%s: expected strings", name);
        if (item->length > STOP_BYTES_MAX)
            return glm_field_refuse(err, name, "%s: expected strings of at most %u bytes", name,
                                    STOP_BYTES_MAX);
        if (item->length > 0)
            g->stops[g->n_stops++] = item->text;
    }
    return true;
}

static bool read_stop_ids(glm_generation *g, glm_request_params *r, glm_field_error *err)
{
    const char *name = "stop_token_ids";
    const glm_json *value = glm_field(g->root, name);
    if (!value)
        return true;
    if (value->type != GLM_JSON_ARRAY || value->length > BIASES_MAX)
        return glm_field_refuse(err, name, "%s: expected a list of token ids", name);
    int32_t *ids = glm_arena_new_array(&g->arena, int32_t, value->length + 1);
    if (!ids)
        return glm_field_refuse(err, name, "%s: no memory", name);
    size_t n = 0;
    for (const glm_json *item = value->first; item; item = item->next, n++) {
        int64_t id;
        if (item->type != GLM_JSON_NUMBER || !glm_json_text_i64(item->text, item->length, &id) ||
            id < 0 || id >= (int64_t)g->server->info.n_vocab)
            return glm_field_refuse(err, name, "%s: expected token ids", name);
        ids[n] = (int32_t)id;
    }
    r->stop_id = ids;
    r->n_stop_id = n;
    return true;
}

bool glm_read_sampling(glm_generation *g, const char *stop_name, glm_sampler_params *p,
                       glm_request_params *r, glm_field_error *err)
{
    const glm_json *root = g->root;
    const struct {
        const char *name;
        double min, max, *out;
    } reals[] = {
        {"temperature", 0, 2, &p->temperature},
        {"top_p", 0, 1, &p->top_p},
        {"min_p", 0, 1, &p->min_p},
        {"presence_penalty", -2, 2, &p->presence_penalty},
        {"frequency_penalty", -2, 2, &p->frequency_penalty},
        {"repetition_penalty", 0.01, 100, &p->repeat_penalty},
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!glm_field_real(root, reals[i].name, reals[i].min, reals[i].max, reals[i].out, err))
            return false;
    int64_t top_k = p->top_k, seed = 0, min_tokens = 0, priority = 0;
    bool samples = true, has_seed = glm_field(root, "seed") != NULL;
    if (!glm_field_int(root, "top_k", 0, INT32_MAX, &top_k, err) ||
        !glm_field_int(root, "seed", INT64_MIN, INT64_MAX, &seed, err) ||
        !glm_field_int(root, "min_tokens", 0, INT32_MAX, &min_tokens, err) ||
        !glm_field_int(root, "priority", -INT32_MAX, INT32_MAX, &priority, err) ||
        !glm_field_bool(root, "do_sample", &samples, err) ||
        !glm_field_bool(root, "ignore_eos", &r->ignore_eos, err))
        return false;
    p->top_k = (uint32_t)top_k; /* 0: off */
    r->min_tokens = (uint32_t)min_tokens;
    r->priority = (int32_t)-priority; /* as vLLM: the smaller goes first */
    if (!samples)
        p->temperature = 0;
    if (has_seed) {
        p->seed = (uint64_t)seed;
    } else {
        char id[GLM_ID_BYTES];
        glm_new_id(id, "");
        p->seed = strtoull(id + 8, NULL, 16);
    }
    return read_bias(g, p, err) && read_stops(g, stop_name, err) && read_stop_ids(g, r, err);
}

bool glm_read_stream(glm_generation *g, glm_field_error *err)
{
    static const char *const names[] = {"include_usage", "continuous_usage_stats"};
    bool *const values[] = {&g->include_usage, &g->continuous_usage};
    const glm_json *options = glm_field(g->root, "stream_options");
    if (!glm_field_bool(g->root, "stream", &g->streams, err) ||
        !glm_field_bool(g->root, "return_progress", &g->wants_progress, err))
        return false;
    if (options && (options->type != GLM_JSON_OBJECT || !g->streams))
        return glm_field_refuse(err, "stream_options",
                                "stream_options: expected an object, and only with stream");
    for (size_t i = 0; options && i < sizeof names / sizeof *names; i++) {
        char path[64];
        if (glm_field_bool(options, names[i], values[i], err))
            continue;
        snprintf(path, sizeof path, "stream_options.%s", names[i]);
        return glm_field_refuse(err, path, "%s: expected a boolean", path);
    }
    g->include_usage |= g->continuous_usage;
    return true;
}

bool glm_read_think_budget(const glm_json *root, uint32_t *budget, glm_field_error *err)
{
    static const struct {
        const char *object, *name; /* "": the request itself */
    } names[] = {{"", "thinking_token_budget"},
                 {"", "thinking_budget_tokens"},
                 {"", "thinking_budget"},
                 {"chat_template_kwargs", "thinking_token_budget"},
                 {"chat_template_kwargs", "thinking_budget_tokens"},
                 {"chat_template_kwargs", "thinking_budget"},
                 {"thinking", "budget_tokens"},
                 {"reasoning", "max_tokens"}};
    int64_t n = -1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *in = names[i].object, *name = names[i].name;
        const glm_json *object = *in ? glm_field(root, in) : root;
        char path[64];
        if (!object || object->type != GLM_JSON_OBJECT ||
            glm_field_int(object, name, -1, INT32_MAX, &n, err))
            continue;
        snprintf(path, sizeof path, "%s%s%s", in, *in ? "." : "", name);
        return glm_field_refuse(err, path, "%s: expected an integer from -1 to %d", path,
                                INT32_MAX);
    }
    *budget = n > 0 ? (uint32_t)n : n < 0 ? 0 : GLM_THINK_NOTHING;
    return true;
}

bool glm_read_model(glm_generation *g)
{
    const glm_json *model = glm_field(g->root, "model");
    glm_call *call = g->call;
    glm_field_error err;
    if (model && model->type != GLM_JSON_STRING) {
        glm_field_refuse(&err, "model", "model: expected a string");
        glm_generation_refuse(g, &err);
        return false;
    }
    if (model && g->server->p.is_strict_model && strcmp(model->text, g->server->name) != 0) {
        char name[65];
        snprintf(name, sizeof name, "%s", model->text);
        glm_generation_discard(g);
        glm_answer_error(call, 404, "model_not_found", "model", 0,
                         "the model \"%s\" is not served here", name);
        return false;
    }
    snprintf(g->model, sizeof g->model, "%s", model ? model->text : g->server->name);
    return true;
}
