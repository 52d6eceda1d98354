// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/model.h"
#include "cli/numbers.h"
#include "cli/receipt_text.h"
#include "core/json_write.h"
#include "glm/quantize.h"

#define GROUPS_MAX 256

/* Tensors of one class and type together. */
typedef struct group {
    const char *class_name;
    const char *type;
    uint64_t n_tensors, n_params, size_bytes;
} group;

/* All that is known of a package. */
typedef struct inspection {
    cli_context *cli;
    const char *path;
    const glm_model *model;
    glm_model_info info;
    char id[65];
    char content[65]; /* "" without --verify */
    group groups[GROUPS_MAX];
    size_t n_groups;
    uint32_t n_full, n_shared; /* layers by indexer */
    bool has_receipt;
    bool is_receipt_of_these; /* it was measured on these weights */
    glm_receipt receipt;
} inspection;

static uint64_t n_elements(const glm_tensor_desc *tensor)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < tensor->n_dims && d < 4; d++)
        n *= tensor->dim[d];
    return n;
}

static void add_to_group(inspection *in, const glm_tensor_desc *tensor)
{
    size_t i = 0;
    while (i < in->n_groups && (strcmp(in->groups[i].class_name, tensor->class_name) != 0 ||
                                strcmp(in->groups[i].type, tensor->type) != 0))
        i++;
    if (i == GROUPS_MAX)
        return;
    if (i == in->n_groups)
        in->groups[in->n_groups++] =
            (group){.class_name = tensor->class_name, .type = tensor->type};
    in->groups[i].n_tensors++;
    in->groups[i].n_params += n_elements(tensor);
    in->groups[i].size_bytes += tensor->size_bytes;
}

static void gather(inspection *in)
{
    glm_tensor_desc tensor;
    for (uint32_t i = 0; glm_model_tensor(in->model, i, &tensor); i++)
        add_to_group(in, &tensor);
    for (const char *s = in->info.indexer_types; s && *s; s++) {
        in->n_full += *s == 'F';
        in->n_shared += *s == 'S';
    }
}

/* ---- Text ---- */

static void print_line(cli_out *out, const char *name, const char *fmt, ...) GLM_PRINTF(3, 4);
static void print_line(cli_out *out, const char *name, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli_printf(out, "%-16s", name);
    cli_write_foreign(out, text, strlen(text));
    cli_puts(out, "\n");
}

static void print_head(const inspection *in)
{
    cli_out *out = &in->cli->out;
    const glm_model_info *m = &in->info;
    char a[32], b[32], c[32];
    print_line(out, "path", "%s", in->path);
    print_line(out, "name", "%s", m->name ? m->name : "-");
    print_line(out, "architecture", "%s", m->architecture);
    print_line(out, "format", "%s, %u file%s, %u tensors, %s", m->format, m->n_files,
               m->n_files == 1 ? "" : "s", m->n_tensors, cli_human(a, m->size_bytes, "B"));
    print_line(out, "parameters", "%s, %s active per token, %s of them in the MTP block",
               cli_human(a, m->n_params, ""), cli_human(b, m->n_params_active, ""),
               cli_human(c, m->n_params_mtp, ""));
    print_line(out, "layers", "%u (%u dense, %u with experts), %u MTP", m->n_layer,
               m->n_dense_layer, m->n_layer - m->n_dense_layer, m->n_mtp_layer);
    print_line(out, "width", "d_model %u, d_ff %u, n_vocab %u (%u known to the tokenizer)",
               m->d_model, m->d_ff, m->n_vocab, m->n_token);
    print_line(out, "attention", "%u heads, q_rank %u, kv_rank %u, d_nope %u, d_rope %u, d_v %u",
               m->n_heads, m->q_rank, m->kv_rank, m->d_nope, m->d_rope, m->d_v);
    if (m->index_topk > 0)
        print_line(out, "indexer", "%u heads of %u, top %u; %u layers full, %u shared: %s",
                   m->index_n_heads, m->index_d_head, m->index_topk, in->n_full, in->n_shared,
                   m->indexer_types);
    print_line(out, "experts", "%u of %u used, d_expert %u, %u shared, groups %u of %u, scale %g",
               m->n_expert_used, m->n_expert, m->d_expert, m->n_expert_shared, m->n_group_used,
               m->n_group, (double)m->routed_scale);
    print_line(out, "context", "%u tokens, rope theta %g, rms eps %g, latent eps %g", m->n_ctx_max,
               m->rope_theta, (double)m->rms_eps, (double)m->latent_eps);
    print_line(out, "cache", "%llu bytes a token in f32, %llu in f16 or bf16, %llu in q8",
               (unsigned long long)m->kv_bytes_per_token[GLM_KV_F32],
               (unsigned long long)m->kv_bytes_per_token[GLM_KV_F16],
               (unsigned long long)m->kv_bytes_per_token[GLM_KV_Q8]);
    print_line(out, "sampling", "temperature %g, top-p %g, top-k %u, min-p %g", m->temperature,
               m->top_p, m->top_k, m->min_p);
    char ids[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < m->n_eos && used < sizeof ids - 16; i++)
        used +=
            (size_t)snprintf(ids + used, sizeof ids - used, "%s%d", i ? " " : "", m->eos_ids[i]);
    print_line(out, "end tokens", "%s", m->n_eos ? ids : "-");
    print_line(out, "id", "%s", in->id);
    if (in->content[0])
        print_line(out, "content", "%s", in->content);
}

static void print_text(const inspection *in)
{
    cli_out *out = &in->cli->out;
    char a[32], b[32];
    print_head(in);
    for (uint32_t i = 0; glm_model_note(in->model, i); i++)
        print_line(out, "note", "%s", glm_model_note(in->model, i));
    cli_printf(out, "\n%-16s%-10s%10s%16s%16s\n", "class", "type", "tensors", "parameters", "size");
    for (size_t i = 0; i < in->n_groups; i++) {
        const group *g = &in->groups[i];
        cli_printf(out, "%-16s%-10s%10llu%16s%16s\n", g->class_name, g->type,
                   (unsigned long long)g->n_tensors, cli_human(a, g->n_params, ""),
                   cli_human(b, g->size_bytes, "B"));
    }
    if (in->has_receipt) {
        cli_puts(out,
                 in->is_receipt_of_these
                     ? "\nquality receipt\n"
                     : "\nquality receipt of OTHER WEIGHTS: it says nothing about this file\n");
        cli_receipt_print(out, &in->receipt);
    }
    if (!cli_flag(&in->cli->args, OPT_TENSORS))
        return;
    cli_puts(out, "\n");
    glm_tensor_desc t;
    for (uint32_t i = 0; glm_model_tensor(in->model, i, &t); i++) {
        char shape[96] = "";
        size_t used = 0;
        for (uint32_t d = 0; d < t.n_dims && d < 4; d++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%llu", d ? " x " : "",
                                     (unsigned long long)t.dim[d]);
        cli_write_foreign(out, t.name, strlen(t.name));
        cli_printf(out, "  %s  [%s]  %s, %llu bytes at %u:%llu\n", t.type, shape, t.class_name,
                   (unsigned long long)t.size_bytes, t.file, (unsigned long long)t.offset);
    }
}

/* ---- JSON ---- */

static void member_text(glm_json_writer *w, const char *key, const char *text)
{
    glm_json_write_key(w, key);
    if (text && *text)
        glm_json_write_c(w, text);
    else
        glm_json_write_null(w);
}

/* A float32 with the digits that tell it from its neighbours, not those of its double. */
static double short_float(float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.8g", (double)value);
    for (int digits = 1; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return strtod(text, NULL);
}

static void write_shapes(glm_json_writer *w, const glm_model_info *m)
{
    const struct {
        const char *key;
        uint32_t value;
    } shapes[] = {
        {"n_layer", m->n_layer},
        {"n_mtp_layer", m->n_mtp_layer},
        {"n_dense_layer", m->n_dense_layer},
        {"d_model", m->d_model},
        {"n_vocab", m->n_vocab},
        {"n_token", m->n_token},
        {"n_ctx_max", m->n_ctx_max},
        {"n_heads", m->n_heads},
        {"q_rank", m->q_rank},
        {"kv_rank", m->kv_rank},
        {"d_nope", m->d_nope},
        {"d_rope", m->d_rope},
        {"d_v", m->d_v},
        {"d_ff", m->d_ff},
        {"d_expert", m->d_expert},
        {"n_expert", m->n_expert},
        {"n_expert_used", m->n_expert_used},
        {"n_expert_shared", m->n_expert_shared},
        {"n_group", m->n_group},
        {"n_group_used", m->n_group_used},
        {"index_n_heads", m->index_n_heads},
        {"index_d_head", m->index_d_head},
        {"index_topk", m->index_topk},
    };
    glm_json_write_key(w, "shapes");
    glm_json_begin_object(w);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        glm_json_put_u64(w, shapes[i].key, shapes[i].value);
    glm_json_end_object(w);
}

static void write_numbers(glm_json_writer *w, const inspection *in)
{
    const glm_model_info *m = &in->info;
    glm_json_put_double(w, "routed_scale", short_float(m->routed_scale));
    glm_json_put_double(w, "rope_theta", m->rope_theta);
    glm_json_put_double(w, "rms_eps", short_float(m->rms_eps));
    glm_json_put_double(w, "latent_eps", short_float(m->latent_eps));
    glm_json_write_key(w, "indexers");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "full", in->n_full);
    glm_json_put_u64(w, "shared", in->n_shared);
    member_text(w, "types", m->indexer_types);
    glm_json_end_object(w);
    glm_json_write_key(w, "parameters");
    glm_json_begin_object(w);
    glm_json_put_u64(w, "total", m->n_params);
    glm_json_put_u64(w, "active", m->n_params_active);
    glm_json_put_u64(w, "mtp", m->n_params_mtp);
    glm_json_end_object(w);
    glm_json_put_u64(w, "size_bytes", m->size_bytes);
    glm_json_put_u64(w, "n_files", m->n_files);
    glm_json_put_u64(w, "n_tensors", m->n_tensors);
    glm_json_write_key(w, "kv_bytes_per_token");
    glm_json_begin_object(w);
    static const char *const kv_types[] = {"f32", "f16", "bf16", "q8"};
    for (size_t i = 0; i < 4; i++)
        glm_json_put_u64(w, kv_types[i], m->kv_bytes_per_token[i]);
    glm_json_end_object(w);
    glm_json_write_key(w, "eos_ids");
    glm_json_begin_array(w);
    for (uint32_t i = 0; i < m->n_eos; i++)
        glm_json_write_i64(w, m->eos_ids[i]);
    glm_json_end_array(w);
    glm_json_write_key(w, "sampling");
    glm_json_begin_object(w);
    glm_json_put_double(w, "temperature", m->temperature);
    glm_json_put_double(w, "top_p", m->top_p);
    glm_json_put_u64(w, "top_k", m->top_k);
    glm_json_put_double(w, "min_p", m->min_p);
    glm_json_end_object(w);
}

static void write_tensors(glm_json_writer *w, const inspection *in)
{
    glm_tensor_desc t;
    glm_json_write_key(w, "tensors");
    glm_json_begin_array(w);
    for (uint32_t i = 0; glm_model_tensor(in->model, i, &t); i++) {
        glm_json_begin_object(w);
        member_text(w, "name", t.name);
        member_text(w, "type", t.type);
        member_text(w, "class", t.class_name);
        glm_json_write_key(w, "shape");
        glm_json_begin_array(w);
        for (uint32_t d = 0; d < t.n_dims && d < 4; d++)
            glm_json_write_u64(w, t.dim[d]);
        glm_json_end_array(w);
        glm_json_put_u64(w, "size_bytes", t.size_bytes);
        glm_json_put_u64(w, "file", t.file);
        glm_json_put_u64(w, "offset", t.offset);
        glm_json_end_object(w);
    }
    glm_json_end_array(w);
}

/* "receipt": null, or what it says and whether it is of these weights. */
static glm_status write_receipt(glm_json_writer *w, const inspection *in, glm_error *err)
{
    char *text = NULL;
    glm_json_write_key(w, "receipt");
    if (!in->has_receipt) {
        glm_json_write_null(w);
        return GLM_OK;
    }
    glm_status st = glm_receipt_json(&in->receipt, &text, err);
    if (st != GLM_OK)
        return st;
    glm_json_begin_object(w);
    glm_json_put_bool(w, "is_of_these_weights", in->is_receipt_of_these);
    glm_json_write_key(w, "measured");
    glm_json_write_raw(w, glm_text_c(text));
    glm_json_end_object(w);
    free(text);
    return GLM_OK;
}

static glm_status print_json(const inspection *in, glm_error *err)
{
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    member_text(&w, "path", in->path);
    member_text(&w, "name", in->info.name);
    member_text(&w, "architecture", in->info.architecture);
    member_text(&w, "format", in->info.format);
    member_text(&w, "id", in->id);
    member_text(&w, "content", in->content);
    write_shapes(&w, &in->info);
    write_numbers(&w, in);
    glm_json_write_key(&w, "classes");
    glm_json_begin_array(&w);
    for (size_t i = 0; i < in->n_groups; i++) {
        const group *g = &in->groups[i];
        glm_json_begin_object(&w);
        member_text(&w, "class", g->class_name);
        member_text(&w, "type", g->type);
        glm_json_put_u64(&w, "tensors", g->n_tensors);
        glm_json_put_u64(&w, "parameters", g->n_params);
        glm_json_put_u64(&w, "size_bytes", g->size_bytes);
        glm_json_end_object(&w);
    }
    glm_json_end_array(&w);
    glm_json_write_key(&w, "notes");
    glm_json_begin_array(&w);
    for (uint32_t i = 0; glm_model_note(in->model, i); i++)
        glm_json_write_c(&w, glm_model_note(in->model, i));
    glm_json_end_array(&w);
    glm_status st = write_receipt(&w, in, err);
    if (st != GLM_OK) {
        glm_str_deinit(&json);
        return st;
    }
    if (cli_flag(&in->cli->args, OPT_TENSORS))
        write_tensors(&w, in);
    glm_json_end_object(&w);
    st = cli_out_json(&in->cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

/* A receipt that cannot be read is told and does not keep the rest from being shown. */
static glm_status find_receipt(inspection *in, glm_error *err)
{
    glm_status st = glm_model_receipt(in->model, &in->receipt, &in->is_receipt_of_these, err);
    in->has_receipt = st == GLM_OK;
    if (st == GLM_EFORMAT || st == GLM_EUNSUPP || st == GLM_ELIMIT)
        cli_warn(in->cli, "quality receipt: %s", err->text);
    else if (st != GLM_OK && st != GLM_ENOENT)
        return st;
    if (in->has_receipt && !in->is_receipt_of_these)
        cli_warn(in->cli, "the quality receipt in this file was measured on other weights");
    return GLM_OK;
}

glm_status cmd_inspect(cli_context *cli, glm_error *err)
{
    if (cli->args.n_arguments == 0)
        return glm_fail(err, GLM_EARG, "inspect: expected MODEL, got none");
    glm_model *model = NULL;
    char *path = NULL;
    glm_status st = cli_model_open(cli, cli->args.arguments[0], &model, &path, err);
    if (st != GLM_OK)
        return st;
    inspection *in = calloc(1, sizeof *in);
    if (!in) {
        st = glm_fail(err, GLM_ENOMEM, "inspect");
    } else {
        in->cli = cli;
        in->path = path;
        in->model = model;
        glm_model_get_info(model, &in->info);
        gather(in);
        st = glm_model_id(model, in->id, err);
        if (st == GLM_OK)
            st = find_receipt(in, err);
        if (st == GLM_OK && cli_flag(&cli->args, OPT_VERIFY))
            st = glm_model_verify(model, in->content, cli_progress_report, &cli->progress, err);
        cli_progress_end(&cli->progress);
    }
    if (st == GLM_OK && cli_flag(&cli->args, OPT_JSON))
        st = print_json(in, err);
    else if (st == GLM_OK)
        print_text(in);
    free(in);
    free(path);
    glm_model_close(model);
    return st;
}
