// SPDX-License-Identifier: MIT
#include "cli/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"

#define DEPTH_MAX 64
#define STOPS_MAX 16
#define STOP_BYTES_MAX 256
#define BIASES_MAX 1024

void cli_request_deinit(cli_request *r)
{
    glm_arena_deinit(&r->arena);
    *r = (cli_request){0};
}

static glm_status refuse(glm_error *err, const char *field, const char *expected)
{
    return glm_fail(err, GLM_EFORMAT, "%s: expected %s", field, expected);
}

/* The member, or NULL when it is not there or null. */
static const glm_json *member(const glm_json *object, const char *name)
{
    const glm_json *value = glm_json_get(object, name);
    return glm_json_is_null(value) ? NULL : value;
}

static bool is_number(const glm_json *value, double *out)
{
    return value->type == GLM_JSON_NUMBER && glm_json_text_double(value->text, value->length, out);
}

static bool is_integer(const glm_json *value, int64_t *out)
{
    return value->type == GLM_JSON_NUMBER && glm_json_text_i64(value->text, value->length, out);
}

/* ---- Numbers ---- */

static glm_status read_reals(cli_generator *g, const glm_json *root, glm_error *err)
{
    glm_sampler_params *p = &g->sampler;
    const struct {
        const char *name;
        double *value;
        cli_option_id option;
        double min, max;
        const char *expected;
    } fields[] = {
        {"temperature", &p->temperature, OPT_TEMP, 0, 2, "a number from 0 to 2"},
        {"top_p", &p->top_p, OPT_TOP_P, 0, 1, "a number from 0 to 1"},
        {"min_p", &p->min_p, OPT_MIN_P, 0, 1, "a number from 0 to 1"},
        {"presence_penalty", &p->presence_penalty, OPT_PRESENCE_PENALTY, -2, 2,
         "a number from -2 to 2"},
        {"frequency_penalty", &p->frequency_penalty, OPT_FREQUENCY_PENALTY, -2, 2,
         "a number from -2 to 2"},
        {"repetition_penalty", &p->repeat_penalty, OPT_REPEAT_PENALTY, 0.01, 100,
         "a number from 0.01 to 100"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const glm_json *value = member(root, fields[i].name);
        double x;
        if (!value)
            continue;
        if (!is_number(value, &x) || !(x >= fields[i].min && x <= fields[i].max))
            return refuse(err, fields[i].name, fields[i].expected);
        if (!cli_is_set(&g->cli->args, fields[i].option))
            *fields[i].value = x;
    }
    const glm_json *draws = member(root, "do_sample");
    if (draws && draws->type != GLM_JSON_BOOL)
        return refuse(err, "do_sample", "a boolean");
    if (draws && !draws->boolean && !cli_is_set(&g->cli->args, OPT_TEMP))
        p->temperature = 0;
    if (cli_flag(&g->cli->args, OPT_GREEDY))
        p->temperature = 0;
    return GLM_OK;
}

/* A count of tokens from 1 up; -1 counts as absent. Returns whether there is one in *out. */
static glm_status read_count(const glm_json *value, const char *name, int64_t least, uint32_t *out,
                             bool *has_it, glm_error *err)
{
    int64_t n;
    *has_it = false;
    if (!value || (is_integer(value, &n) && n == -1))
        return GLM_OK;
    if (!is_integer(value, &n) || n < least)
        return refuse(err, name, least > 0 ? "an integer from 1" : "an integer from 0");
    *out = n > INT32_MAX ? INT32_MAX : (uint32_t)n;
    *has_it = true;
    return GLM_OK;
}

static glm_status read_counts(cli_generator *g, const glm_json *root, glm_error *err)
{
    const cli_args *args = &g->cli->args;
    /* Of two names for one thing the last that is there holds; both are checked. */
    const struct {
        const glm_json *value;
        const char *name;
        int64_t least;
        cli_option_id option;
        uint32_t *out;
    } fields[] = {
        {member(root, "max_tokens"), "max_tokens", 1, OPT_MAX_TOKENS, &g->max_tokens},
        {member(root, "max_completion_tokens"), "max_completion_tokens", 1, OPT_MAX_TOKENS,
         &g->max_tokens},
        {member(root, "top_k"), "top_k", 0, OPT_TOP_K, &g->sampler.top_k},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint32_t n;
        bool has_it;
        glm_status st =
            read_count(fields[i].value, fields[i].name, fields[i].least, &n, &has_it, err);
        if (st != GLM_OK)
            return st;
        if (has_it && !cli_is_set(args, fields[i].option))
            *fields[i].out = n;
    }
    return GLM_OK;
}

/* Under every name that the server takes, and in its order: -1 is no bound, 0 no thinking. */
static glm_status read_think_budget(cli_generator *g, const glm_json *root, glm_error *err)
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
    const bool is_set = cli_is_set(&g->cli->args, OPT_THINK_BUDGET);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *in = names[i].object;
        const glm_json *value = member(*in ? glm_json_get(root, in) : root, names[i].name);
        char path[64];
        int64_t n;
        if (!value)
            continue;
        snprintf(path, sizeof path, "%s%s%s", in, *in ? "." : "", names[i].name);
        if (!is_integer(value, &n) || n < -1 || n > INT32_MAX)
            return refuse(err, path, "an integer from -1");
        if (!is_set)
            g->think_budget = n > 0 ? (uint32_t)n : n < 0 ? 0 : GLM_THINK_NOTHING;
    }
    return GLM_OK;
}

static glm_status read_seed(cli_generator *g, const glm_json *root, glm_error *err)
{
    const glm_json *value = member(root, "seed");
    int64_t negative;
    uint64_t seed;
    if (!value)
        return GLM_OK;
    if (is_integer(value, &negative))
        seed = (uint64_t)negative;
    else if (value->type != GLM_JSON_NUMBER ||
             !glm_json_text_u64(value->text, value->length, &seed))
        return refuse(err, "seed", "an integer of 64 bits");
    if (!g->has_seed) {
        g->sampler.seed = seed;
        g->has_seed = true;
    }
    return GLM_OK;
}

/* ---- Lists ---- */

static bool is_stop(const glm_json *value)
{
    return value->type == GLM_JSON_STRING && value->length > 0 && value->length <= STOP_BYTES_MAX &&
           !memchr(value->text, '\0', value->length);
}

static glm_status read_stops(cli_request *r, cli_generator *g, const glm_json *root, glm_error *err)
{
    const glm_json *value = member(root, "stop");
    if (!value)
        return GLM_OK;
    bool is_list = value->type == GLM_JSON_ARRAY;
    size_t n = is_list ? value->length : 1, used = 0;
    if (n > STOPS_MAX)
        return refuse(err, "stop", "at most 16 strings");
    r->stops = glm_arena_new_array(&r->arena, const char *, n ? n : 1);
    if (!r->stops)
        return glm_fail(err, GLM_ENOMEM, "stop strings");
    for (const glm_json *item = is_list ? value->first : value; item;
         item = is_list ? item->next : NULL) {
        if (!is_stop(item))
            return refuse(err, "stop", "a string of 1 to 256 bytes without zero bytes, or a list");
        r->stops[used++] = item->text;
    }
    if (!cli_is_set(&g->cli->args, OPT_STOP)) {
        g->stops = r->stops;
        g->n_stops = used;
    }
    return GLM_OK;
}

static glm_status read_biases(cli_request *r, cli_generator *g, const glm_json *root,
                              glm_error *err)
{
    const glm_json *value = member(root, "logit_bias");
    size_t n = 0;
    if (!value)
        return GLM_OK;
    if (value->type != GLM_JSON_OBJECT || value->length > BIASES_MAX)
        return refuse(err, "logit_bias", "an object of at most 1024 members");
    r->bias = glm_arena_new_array(&r->arena, glm_logit_bias, value->length ? value->length : 1);
    if (!r->bias)
        return glm_fail(err, GLM_ENOMEM, "logit_bias");
    for (const glm_json *item = value->first; item; item = item->next) {
        uint64_t id;
        double x;
        if (item->key_length == 0 || strspn(item->key, "0123456789") != item->key_length ||
            !glm_json_text_u64(item->key, item->key_length, &id) || id >= g->engine->info.n_vocab)
            return refuse(err, "logit_bias", "token ids of the vocabulary as names");
        if (!is_number(item, &x) || !(x >= -100 && x <= 100))
            return refuse(err, "logit_bias", "numbers from -100 to 100");
        r->bias[n++] = (glm_logit_bias){.id = (int32_t)id, .bias = (float)x};
    }
    if (!cli_is_set(&g->cli->args, OPT_LOGIT_BIAS)) {
        g->sampler.bias = r->bias;
        g->sampler.n_bias = n;
    }
    return GLM_OK;
}

/* ---- What one answer on a terminal cannot give ---- */

static glm_status check_absent(const glm_json *root, glm_error *err)
{
    static const char *const flags[] = {"logprobs", "ignore_eos"};
    static const char *const others[] = {"min_tokens", "stop_token_ids"};
    const glm_json *n = member(root, "n");
    int64_t count;
    if (n && (!is_integer(n, &count) || count != 1))
        return glm_fail(err, GLM_EUNSUPP, "n: expected 1: this command gives one answer");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const glm_json *value = member(root, flags[i]);
        if (value && (value->type != GLM_JSON_BOOL || value->boolean))
            return glm_fail(err, GLM_EUNSUPP, "%s: not supported by this command", flags[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const glm_json *value = member(root, others[i]);
        bool is_none = !value || (value->type == GLM_JSON_ARRAY && !value->first) ||
                       (value->type == GLM_JSON_NUMBER && is_integer(value, &count) && count == 0);
        if (!is_none)
            return glm_fail(err, GLM_EUNSUPP, "%s: not supported by this command", others[i]);
    }
    return GLM_OK;
}

glm_status cli_request_apply(cli_request *r, cli_generator *g, glm_text json, glm_error *err)
{
    const glm_json *root;
    /* A tree takes a small multiple of its text; the same bound as that of the messages. */
    glm_arena_init(&r->arena, glm_add_size(glm_mul_size(json.length, 8), (size_t)16 << 20));
    glm_status st = glm_json_read(&root, &r->arena, json.data, json.length, DEPTH_MAX, err);
    if (st == GLM_OK)
        st = check_absent(root, err);
    if (st == GLM_OK)
        st = read_reals(g, root, err);
    if (st == GLM_OK)
        st = read_counts(g, root, err);
    if (st == GLM_OK)
        st = read_think_budget(g, root, err);
    if (st == GLM_OK)
        st = read_seed(g, root, err);
    if (st == GLM_OK)
        st = read_stops(r, g, root, err);
    if (st == GLM_OK)
        st = read_biases(r, g, root, err);
    return st;
}
