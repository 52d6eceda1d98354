// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "cli/numbers.h"
#include "core/json_write.h"
#include "core/mem.h"
#include "glm/quantize.h"

/* ---- Options ---- */

/* "REGEX=TYPE": the type stands behind the last '='. The caller frees the patterns. */
static glm_status read_rules(const cli_args *args, glm_quantize_rule *rules, glm_error *err)
{
    const cli_value *value = &args->values[OPT_TENSOR];
    for (size_t i = 0; i < value->n_texts; i++) {
        const char *text = value->texts[i], *equals = strrchr(text, '=');
        if (!equals || equals == text || !equals[1])
            return glm_fail(err, GLM_EARG, "%s: expected REGEX=TYPE, got %s", value->where, text);
        char *pattern = strndup(text, (size_t)(equals - text));
        if (!pattern)
            return glm_fail(err, GLM_ENOMEM, "%s", value->where);
        rules[i] = (glm_quantize_rule){.pattern = pattern, .type = equals + 1};
    }
    return GLM_OK;
}

static void on_note(void *ctx, const char *text)
{
    cli_note(ctx, "%s", text);
}

static bool on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    cli_context *cli = ctx;
    return cli_progress_report(&cli->progress, what, done, total);
}

/* ---- Summary ---- */

static double bits_per_weight(const glm_quantize_report *r)
{
    return r->n_params ? 8.0 * (double)r->out_bytes / (double)r->n_params : 0.0;
}

static void print_text(cli_context *cli, const glm_quantize_report *r)
{
    cli_out *out = &cli->out;
    char a[32], b[32];
    cli_printf(out, "%-16s%-10s%-10s%10s%16s%16s%12s\n", "class", "from", "type", "tensors",
               "parameters", "size", "error");
    for (uint32_t i = 0; i < r->n_group; i++) {
        const glm_quantize_group *g = &r->group[i];
        cli_printf(out, "%-16s%-10s%-10s%10llu%16s%16s", g->class_name, g->from, g->type,
                   (unsigned long long)g->n_tensors, cli_human(a, g->n_params, ""),
                   cli_human(b, g->size_bytes, "B"));
        if (isnan(g->error))
            cli_puts(out, "           -\n");
        else
            cli_printf(out, "%12.3g\n", g->error);
    }
    cli_printf(out, "\n%s of tensors in, %s out, %.3f bits a parameter, %u file%s\n",
               cli_human(a, r->in_bytes, "B"), cli_human(b, r->out_bytes, "B"), bits_per_weight(r),
               r->n_files, r->n_files == 1 ? "" : "s");
    if (r->n_fallback)
        cli_printf(out, "%llu tensors have another type than asked for: their rows do not fit it\n",
                   (unsigned long long)r->n_fallback);
    cli_puts(out, cli_flag(&cli->args, OPT_DRY_RUN) ? "would write " : "wrote ");
    cli_write_foreign(out, r->first_file, strlen(r->first_file));
    cli_puts(out, "\n");
}

static glm_status print_json(cli_context *cli, const glm_quantize_report *r, glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_c(&w, "file", r->first_file);
    glm_json_put_u64(&w, "files", r->n_files);
    glm_json_put_u64(&w, "in_bytes", r->in_bytes);
    glm_json_put_u64(&w, "out_bytes", r->out_bytes);
    glm_json_put_u64(&w, "tensors", r->n_tensors);
    glm_json_put_u64(&w, "parameters", r->n_params);
    glm_json_put_u64(&w, "fallback", r->n_fallback);
    glm_json_put_u64(&w, "resumed", r->n_resumed);
    glm_json_put_double(&w, "bits_per_parameter", bits_per_weight(r));
    glm_json_write_key(&w, "classes");
    glm_json_begin_array(&w);
    for (uint32_t i = 0; i < r->n_group; i++) {
        const glm_quantize_group *g = &r->group[i];
        glm_json_begin_object(&w);
        glm_json_put_c(&w, "class", g->class_name);
        glm_json_put_c(&w, "from", g->from);
        glm_json_put_c(&w, "type", g->type);
        glm_json_put_u64(&w, "tensors", g->n_tensors);
        glm_json_put_u64(&w, "parameters", g->n_params);
        glm_json_put_u64(&w, "size_bytes", g->size_bytes);
        glm_json_write_key(&w, "error");
        if (isnan(g->error))
            glm_json_write_null(&w);
        else
            glm_json_write_double(&w, g->error);
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
    glm_json_end_object(&w);
    glm_status st = cli_out_json(&cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

/* ---- The command ---- */

static glm_status run(cli_context *cli, const char *in, const glm_quantize_rule *rules,
                      glm_quantize_report *report, glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_quantize_params params = glm_quantize_params_default();
    params.type = args->arguments[2];
    params.rules = rules;
    params.n_rules = args->values[OPT_TENSOR].n_texts;
    params.imatrix = cli_text(args, OPT_IMATRIX);
    params.split_bytes = cli_count(args, OPT_SPLIT_SIZE);
    params.n_threads = (uint32_t)cli_count(args, OPT_THREADS);
    params.allow_requantize = cli_flag(args, OPT_ALLOW_REQUANTIZE);
    params.dry_run = cli_flag(args, OPT_DRY_RUN);
    params.follow_links = cli_flag(args, OPT_FOLLOW_LINKS);
    params.note = on_note;
    params.progress = on_progress;
    params.ctx = cli;
    glm_status st = glm_quantize(in, args->arguments[1], &params, report, err);
    cli_progress_end(&cli->progress);
    return st;
}

glm_status cmd_quantize(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    if (args->n_arguments < 3)
        return glm_fail(err, GLM_EARG, "quantize: expected IN OUT TYPE, got %zu of them",
                        args->n_arguments);
    const size_t n_rules = args->values[OPT_TENSOR].n_texts;
    glm_quantize_rule *rules = glm_new_array(glm_quantize_rule, n_rules + 1);
    glm_quantize_report *report = glm_new(glm_quantize_report);
    char *in = NULL;
    glm_status st = GLM_OK;
    if (!rules || !report)
        st = glm_fail(err, GLM_ENOMEM, "quantize");
    if (st == GLM_OK)
        st = read_rules(args, rules, err);
    if (st == GLM_OK)
        st = cli_model_path(cli, args->arguments[0], &in, err);
    if (st == GLM_OK)
        st = run(cli, in, rules, report, err);
    if (st == GLM_OK && cli_flag(args, OPT_JSON))
        st = print_json(cli, report, err);
    else if (st == GLM_OK)
        print_text(cli, report);
    for (size_t i = 0; rules && i < n_rules; i++)
        free((void *)(uintptr_t)rules[i].pattern);
    free(rules);
    free(report);
    free(in);
    return st;
}
