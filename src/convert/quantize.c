// SPDX-License-Identifier: MIT
/* glm_quantize: read, plan, stream, finish. */
#include "glm/quantize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/imatrix.h"
#include "convert/journal.h"
#include "convert/metadata.h"
#include "convert/mix.h"
#include "convert/plan.h"
#include "convert/stream.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/topology.h"
#include "formats/gguf_write.h"
#include "formats/identity.h"
#include "quant/encode.h"

#define PARTS_MAX 4096u /* of a split, as readers accept */
#define SUFFIX ".gguf"
#define THREADS_MAX 1024u
#define JOURNAL_SUFFIX ".resume"

/* One file of the output. */
typedef struct part {
    glm_gguf_head head;
    glm_str head_bytes;
    char *path;
    glm_file_out file;
    uint64_t size_bytes;
} part;

typedef struct job {
    const char *in, *out;
    const glm_quantize_params *params;
    glm_quantize_report *report;
    glm_error *err;

    const glm_mix *mix;
    glm_tensor_file *file;
    glm_config config;
    glm_weights weights;
    glm_plan plan;
    glm_imatrix *imatrix; /* or NULL */
    part *part;           /* [n_part] */
    uint32_t n_part;

    glm_journal journal;
    glm_journal_entry *entry; /* [plan.n] */
    glm_pool *pool;
    glm_stream *stream;
    uint64_t done, total; /* elements */
} job;

/* ---- Parameters ---- */

glm_quantize_params glm_quantize_params_default(void)
{
    return (glm_quantize_params){.type = "Q4_K_M"};
}

bool glm_quantize_type(uint32_t index, const char **name, const char **text)
{
    const glm_mix *mix = glm_mix_at(index);
    if (!mix)
        return false;
    *name = mix->name;
    *text = mix->text;
    return true;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n > m && strcmp(text + n - m, suffix) == 0;
}

static glm_status check_params(job *j)
{
    const glm_quantize_params *p = j->params;
    j->mix = glm_mix_find(p->type);
    if (!j->mix) {
        glm_status st =
            glm_fail(j->err, GLM_EARG, "type: expected a mixture such as Q4_K_M, got %s", p->type);
        glm_error_hint(j->err, "glm help quantize lists them; --tensor sets single types");
        return st;
    }
    if (!has_suffix(j->out, SUFFIX))
        return glm_fail(j->err, GLM_EARG, "%s: expected a name that ends in " SUFFIX, j->out);
    if (p->n_threads > THREADS_MAX)
        return glm_fail(j->err, GLM_EARG, "threads: expected at most %u, got %u", THREADS_MAX,
                        p->n_threads);
    return GLM_OK;
}

/* ---- Input ---- */

static glm_status open_input(job *j)
{
    const glm_tensor_file_options options = {.follow_links = j->params->follow_links};
    glm_status st = glm_tensor_file_open(&j->file, j->in, &options, j->err);
    if (st != GLM_OK)
        return st;
    st = glm_config_read(&j->config, j->file, NULL, j->err);
    if (st == GLM_OK)
        st = glm_weights_bind(&j->weights, j->file, &j->config, j->err);
    if (st != GLM_OK)
        return glm_fail_context(j->err, st, "%s", j->in);
    st = glm_plan_create(&j->plan, &j->weights, j->err);
    if (st == GLM_OK && j->params->imatrix)
        st = glm_imatrix_open(&j->imatrix, j->params->imatrix, j->err);
    return st;
}

static bool is_plain(glm_type type)
{
    return type == GLM_TYPE_F32 || type == GLM_TYPE_F16 || type == GLM_TYPE_BF16 ||
           type == GLM_TYPE_F8_E4M3;
}

/* Types are known: refuse what cannot be done before anything is written. */
static glm_status check_types(const job *j)
{
    for (uint32_t i = 0; i < j->plan.n; i++) {
        const glm_plan_tensor *t = &j->plan.tensor[i];
        bool is_same = t->type == t->from && !t->is_transposed;
        if (!glm_quant_can_encode(t->type) && !is_same)
            return glm_fail(j->err, GLM_EUNSUPP, "tensor %s: no encoder for %s", t->name,
                            glm_type_name(t->type));
        if (is_plain(t->from) || is_same || j->params->allow_requantize)
            continue;
        glm_status st =
            glm_fail(j->err, GLM_EARG, "tensor %s: expected values as published, got %s", t->name,
                     glm_type_name(t->from));
        glm_error_hint(j->err, "--allow-requantize quantises what was quantised before");
        return st;
    }
    return GLM_OK;
}

/* ---- Importance ---- */

static void note(const job *j, const char *text)
{
    if (j->params->note)
        j->params->note(j->params->ctx, text);
}

/* Whether encoding the tensor may take an importance into account. */
static bool is_lossy(const glm_plan_tensor *t)
{
    return !is_plain(t->type) && (t->type != t->from || t->is_transposed);
}

/* Look every tensor up once, so that an importance matrix of another model is refused before anything is written. */
static glm_status check_importance(const job *j)
{
    uint64_t n_rare = 0, n_unseen = 0;
    if (!j->imatrix)
        return GLM_OK;
    for (uint32_t i = 0; i < j->plan.n; i++) {
        const glm_plan_tensor *t = &j->plan.tensor[i];
        glm_imatrix_entry entry;
        if (!is_lossy(t))
            continue;
        glm_status st = glm_imatrix_get(j->imatrix, t->name, t->n_stack, t->n_cols, &entry, j->err);
        if (st != GLM_OK)
            return glm_fail_context(j->err, st, "%s", j->params->imatrix);
        j->report->n_weighted += entry.weight.value != NULL;
        j->report->n_unweighted += entry.weight.value == NULL;
        n_rare += entry.n_rare;
        n_unseen += entry.n_unseen;
    }
    if (j->report->n_weighted == 0 && j->report->n_unweighted > 0)
        return glm_fail(j->err, GLM_EFORMAT,
                        "%s: expected entries for the tensors of this model, got none",
                        j->params->imatrix);
    char text[256];
    snprintf(text, sizeof text, "importance: %llu matrices known, %llu not",
             (unsigned long long)j->report->n_weighted,
             (unsigned long long)j->report->n_unweighted);
    note(j, text);
    if (n_rare == 0)
        return GLM_OK;
    snprintf(text, sizeof text,
             "importance: %llu matrices of experts were seen by fewer than %u tokens, %llu of them "
             "by none: filled up from their layer",
             (unsigned long long)n_rare, GLM_IMATRIX_RARE, (unsigned long long)n_unseen);
    note(j, text);
    return GLM_OK;
}

/* The keys under which llama.cpp's quantiser names its importance matrix. */
static void put_importance(const job *j, glm_gguf_head *head)
{
    glm_imatrix_facts facts;
    const char *slash = strrchr(j->params->imatrix, '/');
    glm_imatrix_get_facts(j->imatrix, &facts);
    glm_gguf_put_string(head, "quantize.imatrix.file",
                        glm_text_c(slash ? slash + 1 : j->params->imatrix));
    if (facts.dataset.size)
        glm_gguf_put_string(head, "quantize.imatrix.dataset",
                            (glm_text){facts.dataset.data, facts.dataset.size});
    glm_gguf_put_u32(head, "quantize.imatrix.entries_count", facts.n_entries);
    if (facts.n_chunks && facts.n_chunks <= UINT32_MAX)
        glm_gguf_put_u32(head, "quantize.imatrix.chunks_count", (uint32_t)facts.n_chunks);
}

/* ---- Parts ---- */

/* Deal tensors to parts, in order; how many parts it takes. */
static uint32_t deal_parts(job *j, uint64_t first_head_bytes)
{
    uint32_t n = 0;
    uint64_t used = first_head_bytes;
    for (uint32_t i = 0; i < j->plan.n; i++) {
        glm_plan_tensor *t = &j->plan.tensor[i];
        uint64_t need = t->size_bytes + 2 * GLM_GGUF_ALIGNMENT + strlen(t->name) + 64;
        bool is_full = j->params->split_bytes && used + need > j->params->split_bytes;
        if (is_full && i > 0) {
            n++;
            used = 0;
        }
        used += need;
        t->part = n;
    }
    return n + 1;
}

static glm_status name_part(const job *j, uint32_t index, char **out)
{
    int n = j->n_part == 1
                ? asprintf(out, "%s", j->out)
                : asprintf(out, "%.*s-%05u-of-%05u" SUFFIX, (int)(strlen(j->out) - strlen(SUFFIX)),
                           j->out, index + 1, j->n_part);
    if (n >= 0)
        return GLM_OK;
    *out = NULL;
    return glm_fail(j->err, GLM_ENOMEM, "%s", j->out);
}

static glm_status finish_part_head(job *j, uint32_t index)
{
    part *p = &j->part[index];
    if (j->n_part > 1) {
        glm_gguf_put_u16(&p->head, "split.no", (uint16_t)index);
        glm_gguf_put_u16(&p->head, "split.count", (uint16_t)j->n_part);
        glm_gguf_put_i32(&p->head, "split.tensors.count", (int32_t)j->plan.n);
    }
    for (uint32_t i = 0; i < j->plan.n; i++) {
        glm_plan_tensor *t = &j->plan.tensor[i];
        if (t->part == index)
            t->offset =
                glm_gguf_put_tensor(&p->head, t->name, t->type, t->n_dims, t->dim, t->size_bytes);
    }
    glm_status st = glm_gguf_head_finish(&p->head, GLM_GGUF_ALIGNMENT, &p->head_bytes, j->err);
    p->size_bytes = p->head_bytes.length + glm_gguf_data_bytes(&p->head);
    return st == GLM_OK ? name_part(j, index, &p->path) : st;
}

/* general.name of a folder: the last part of its path. */
static glm_text model_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return (glm_text){path + begin, end - begin};
}

static glm_status make_heads(job *j)
{
    const glm_metadata metadata = {.file = j->file,
                                   .weights = &j->weights,
                                   .name = model_name(j->in),
                                   .file_type = j->mix->file_type};
    glm_gguf_head first = {0};
    glm_status st = glm_metadata_put(&first, &metadata, j->params->note, j->params->ctx, j->err);
    if (st == GLM_OK && j->imatrix)
        put_importance(j, &first);
    if (st == GLM_OK) {
        j->n_part = deal_parts(j, first.pairs.length);
        if (j->n_part > PARTS_MAX)
            st = glm_fail(j->err, GLM_EARG, "split size: expected at most %u files, got %u",
                          PARTS_MAX, j->n_part);
    }
    if (st == GLM_OK) {
        j->part = glm_new_array(part, j->n_part);
        if (!j->part)
            st = glm_fail(j->err, GLM_ENOMEM, "list of files");
    }
    if (st != GLM_OK) {
        glm_gguf_head_deinit(&first);
        return st;
    }
    j->part[0].head = first;
    for (uint32_t i = 0; i < j->n_part; i++)
        j->part[i].file = GLM_FILE_OUT_NONE;
    for (uint32_t i = 0; i < j->n_part && st == GLM_OK; i++)
        st = finish_part_head(j, i);
    return st;
}

/* ---- The run ---- */

/* What the bytes depend on, as 64 digits. */
static glm_status run_identity(const job *j, char out[65])
{
    char id[GLM_IDENTITY_BYTES];
    glm_status st = glm_identity_id(j->file, id, j->err);
    glm_sha256 *sha;
    if (st == GLM_OK)
        st = glm_sha256_create(&sha, j->err);
    if (st != GLM_OK)
        return st;
    glm_sha256_update(sha, id, sizeof id);
    for (uint32_t i = 0; i < j->n_part; i++)
        glm_sha256_update(sha, j->part[i].head_bytes.data, j->part[i].head_bytes.length);
    const uint64_t importance = j->imatrix ? glm_imatrix_digest(j->imatrix) : 0;
    glm_sha256_update(sha, &importance, sizeof importance);
    const char *version = glm_version();
    glm_sha256_update(sha, version, strlen(version));
    return glm_sha256_finish(sha, out, j->err);
}

static uint64_t place_of(const job *j, const glm_plan_tensor *t)
{
    return j->part[t->part].head_bytes.length + t->offset;
}

/* Open the files; what an interrupted run left is marked in `entry` after a look at the bytes. */
static glm_status open_output(job *j)
{
    char run[65], path[4096];
    glm_status st = run_identity(j, run);
    for (uint32_t i = 0; i < j->n_part && st == GLM_OK; i++)
        st = glm_file_out_create(&j->part[i].file, j->part[i].path, true, j->err);
    if (st != GLM_OK)
        return st;
    if ((size_t)snprintf(path, sizeof path, "%s" JOURNAL_SUFFIX, j->out) >= sizeof path)
        return glm_fail(j->err, GLM_EARG, "%s: expected a shorter name", j->out);
    st = glm_journal_open(&j->journal, path, run, j->entry, j->plan.n, j->err);
    for (uint32_t i = 0; i < j->n_part && st == GLM_OK; i++) {
        part *p = &j->part[i];
        st = glm_file_out_resize(&p->file, p->size_bytes, j->err);
        if (st == GLM_OK)
            st = glm_file_out_write_at(&p->file, p->head_bytes.data, p->head_bytes.length, 0,
                                       j->err);
    }
    return st;
}

static bool on_rows(void *ctx, uint64_t n)
{
    job *j = ctx;
    j->done += n;
    return !j->params->progress ||
           j->params->progress(j->params->ctx, "quantize", j->done, j->total);
}

/* The gap behind a tensor must be zero whatever an earlier run left there. */
static glm_status write_padding(const job *j, const glm_plan_tensor *t)
{
    static const unsigned char zeros[GLM_GGUF_ALIGNMENT];
    const part *p = &j->part[t->part];
    uint64_t end = place_of(j, t) + t->size_bytes;
    uint64_t gap = (GLM_GGUF_ALIGNMENT - end % GLM_GGUF_ALIGNMENT) % GLM_GGUF_ALIGNMENT;
    return glm_file_out_write_at(&p->file, zeros, (size_t)gap, end, j->err);
}

static bool is_resumed(job *j, uint32_t index)
{
    const glm_plan_tensor *t = &j->plan.tensor[index];
    uint64_t digest;
    return j->entry[index].is_done &&
           glm_stream_digest(j->stream, t, &j->part[t->part].file, place_of(j, t), &digest, NULL) ==
               GLM_OK &&
           digest == j->entry[index].result.digest;
}

static glm_status write_tensor(job *j, uint32_t index)
{
    const glm_plan_tensor *t = &j->plan.tensor[index];
    const glm_file_out *file = &j->part[t->part].file;
    if (is_resumed(j, index)) {
        j->report->n_resumed++;
        return on_rows(j, glm_plan_elements(t))
                   ? GLM_OK
                   : glm_fail(j->err, GLM_ECANCELED, "quantize: canceled");
    }
    glm_imatrix_entry importance = {0};
    glm_stream_result *result = &j->entry[index].result;
    glm_status st = GLM_OK;
    if (j->imatrix && is_lossy(t))
        st = glm_imatrix_get(j->imatrix, t->name, t->n_stack, t->n_cols, &importance, j->err);
    if (st == GLM_OK)
        st = glm_stream_run(j->stream, t, importance.weight, file, place_of(j, t), on_rows, j,
                            result, j->err);
    if (st == GLM_OK)
        st = write_padding(j, t);
    if (st == GLM_OK && glm_tensor_file_is_bad(j->file))
        st = glm_fail(j->err, GLM_EIO, "%s: a page could not be read", j->in);
    if (st != GLM_OK)
        return st;
    glm_file_out_release(file, place_of(j, t), t->size_bytes);
    return glm_journal_append(&j->journal, index, result, j->err);
}

static glm_status write_tensors(job *j)
{
    uint32_t n_threads = j->params->n_threads ? j->params->n_threads : glm_topology_cores();
    glm_status st = glm_pool_create(&j->pool, n_threads, j->err);
    if (st == GLM_OK)
        st = glm_stream_create(&j->stream, &j->plan, j->pool, j->err);
    for (uint32_t i = 0; i < j->plan.n; i++)
        j->total += glm_plan_elements(&j->plan.tensor[i]);
    for (uint32_t i = 0; i < j->plan.n && st == GLM_OK; i++)
        st = write_tensor(j, i);
    if (st == GLM_OK && j->report->n_resumed) {
        char text[128];
        snprintf(text, sizeof text,
                 "an interrupted run was taken up: %llu of %u tensors were there",
                 (unsigned long long)j->report->n_resumed, j->plan.n);
        note(j, text);
    }
    return st;
}

/* The first part gets its name last: a package whose first part is there is whole. */
static glm_status commit(job *j)
{
    glm_status st = GLM_OK;
    for (uint32_t i = j->n_part; i-- > 0 && st == GLM_OK;)
        st = glm_file_out_commit(&j->part[i].file, j->err);
    glm_journal_close(&j->journal, st == GLM_OK);
    return st;
}

static glm_status write_output(job *j)
{
    j->entry = glm_new_array(glm_journal_entry, j->plan.n);
    if (!j->entry)
        return glm_fail(j->err, GLM_ENOMEM, "list of tensors");
    glm_status st = open_output(j);
    if (st == GLM_OK)
        st = write_tensors(j);
    return st == GLM_OK ? commit(j) : st;
}

/* ---- Report ---- */

static glm_quantize_group *group_of(glm_quantize_report *r, const glm_plan_tensor *t)
{
    const char *class_name = glm_tensor_use_name(t->use);
    for (uint32_t i = 0; i < r->n_group; i++) {
        glm_quantize_group *g = &r->group[i];
        if (strcmp(g->class_name, class_name) == 0 &&
            strcmp(g->from, glm_type_name(t->from)) == 0 &&
            strcmp(g->type, glm_type_name(t->type)) == 0)
            return g;
    }
    if (r->n_group == GLM_QUANTIZE_GROUPS_MAX)
        return &r->group[r->n_group -
                         1]; /* more kinds than a table needs: the last takes the rest */
    r->group[r->n_group] = (glm_quantize_group){
        .class_name = class_name, .from = glm_type_name(t->from), .type = glm_type_name(t->type)};
    return &r->group[r->n_group++];
}

static void fill_report(const job *j)
{
    glm_quantize_report *r = j->report;
    double norm[GLM_QUANTIZE_GROUPS_MAX] = {0};
    for (uint32_t i = 0; i < glm_tensor_file_count(j->file); i++)
        r->in_bytes += glm_tensor_file_at(j->file, i)->size_bytes;
    for (uint32_t i = 0; i < j->n_part; i++)
        r->out_bytes += j->part[i].size_bytes;
    r->n_files = j->n_part;
    r->n_tensors = j->plan.n;
    snprintf(r->first_file, sizeof r->first_file, "%s", j->part[0].path);
    for (uint32_t i = 0; i < j->plan.n; i++) {
        const glm_plan_tensor *t = &j->plan.tensor[i];
        glm_quantize_group *g = group_of(r, t);
        g->n_tensors++;
        g->n_params += glm_plan_elements(t);
        g->size_bytes += t->size_bytes;
        r->n_params += glm_plan_elements(t);
        if (!j->entry)
            continue;
        g->error += j->entry[i].result.error;
        norm[g - r->group] += j->entry[i].result.norm;
    }
    for (uint32_t i = 0; i < r->n_group; i++) {
        glm_quantize_group *g = &r->group[i];
        g->error = !j->entry ? (double)NAN : norm[i] > 0.0 ? sqrt(g->error / norm[i]) : 0.0;
    }
}

static glm_status run(job *j)
{
    glm_status st = check_params(j);
    if (st == GLM_OK)
        st = open_input(j);
    if (st == GLM_OK)
        st = glm_mix_apply(&j->plan, j->mix, j->params->rules, j->params->n_rules, j->params->note,
                           j->params->ctx, &j->report->n_fallback, j->err);
    if (st == GLM_OK)
        st = check_types(j);
    if (st == GLM_OK)
        st = check_importance(j);
    if (st == GLM_OK)
        st = make_heads(j);
    if (st == GLM_OK && !j->params->dry_run)
        st = write_output(j);
    if (st == GLM_OK)
        fill_report(j);
    return st;
}

/* Whatever is worth resuming stays; an output that never got a tensor goes. */
static void end(job *j, glm_status st)
{
    bool is_worth = j->done > 0;
    for (uint32_t i = 0; j->part && i < j->n_part; i++) {
        if (is_worth)
            glm_file_out_keep(&j->part[i].file);
        else
            glm_file_out_abandon(&j->part[i].file);
        glm_gguf_head_deinit(&j->part[i].head);
        glm_str_deinit(&j->part[i].head_bytes);
        free(j->part[i].path);
    }
    if (st != GLM_OK && j->journal.fd >= 0 && is_worth)
        note(j, "what is done so far was kept: the same command goes on from there");
    glm_journal_close(&j->journal, !is_worth);
    glm_stream_destroy(j->stream);
    glm_pool_destroy(j->pool);
    free(j->part);
    free(j->entry);
    glm_imatrix_close(j->imatrix);
    glm_plan_deinit(&j->plan);
    glm_weights_deinit(&j->weights);
    glm_tensor_file_close(j->file);
}

glm_status glm_quantize(const char *in, const char *out, const glm_quantize_params *params,
                        glm_quantize_report *report, glm_error *err)
{
    job *j = glm_new(job);
    if (!j)
        return glm_fail(err, GLM_ENOMEM, "quantize");
    memset(report, 0, sizeof *report);
    *j = (job){.in = in,
               .out = out,
               .params = params,
               .report = report,
               .err = err,
               .journal = GLM_JOURNAL_NONE};
    glm_status st = run(j);
    end(j, st);
    free(j);
    return st;
}
