// SPDX-License-Identifier: MIT
#include "convert/imatrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "quant/half.h"

#define SUM_SUFFIX ".in_sum2"
#define COUNT_SUFFIX ".counts"
#define NAME_BYTES 320

struct glm_imatrix {
    glm_tensor_file *file;
    uint32_t n_entries;
    float *value; /* [capacity] of the last glm_imatrix_get */
    size_t capacity;
};

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

static uint64_t n_elements(const glm_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++)
        n *= t->dim[i];
    return n;
}

static float element(const glm_tensor *t, uint64_t i)
{
    return glm_load_f32((const unsigned char *)t->data + i * sizeof(float));
}

/* Source: our own files and llama.cpp's store squares and counts of tokens, which cannot be negative. */
static glm_status check_values(const glm_tensor *t, glm_error *err)
{
    if (t->type != GLM_TYPE_F32)
        return glm_fail(err, GLM_EFORMAT, "tensor %s: type: expected F32, got %s", t->name,
                        glm_type_name(t->type));
    for (uint64_t i = 0, n = n_elements(t); i < n; i++)
        if (!(element(t, i) >= 0.0F && isfinite(element(t, i))))
            return glm_fail(
                err, GLM_EFORMAT,
                "tensor %s: element %llu: expected a finite number of 0 or more, got %g", t->name,
                (unsigned long long)i, (double)element(t, i));
    return GLM_OK;
}

static const glm_tensor *counts_of(const glm_imatrix *m, const char *name, size_t length)
{
    char text[NAME_BYTES];
    snprintf(text, sizeof text, "%.*s" COUNT_SUFFIX, (int)length, name);
    return glm_tensor_file_find(m->file, text);
}

static glm_status check_entry(glm_imatrix *m, const glm_tensor *sums, glm_error *err)
{
    const glm_tensor *counts = counts_of(m, sums->name, strlen(sums->name) - strlen(SUM_SUFFIX));
    if (!counts)
        return glm_fail(err, GLM_EFORMAT, "tensor %s: expected its counts, got none", sums->name);
    uint64_t n = n_elements(sums), n_counts = n_elements(counts);
    if (n % n_counts != 0)
        return glm_fail(err, GLM_EFORMAT, "tensor %s: expected a divisor of %llu counts, got %llu",
                        counts->name, (unsigned long long)n, (unsigned long long)n_counts);
    glm_status st = check_values(sums, err);
    if (st == GLM_OK)
        st = check_values(counts, err);
    m->n_entries++;
    return st;
}

static glm_status check_file(glm_imatrix *m, glm_error *err)
{
    glm_bytes type;
    if (glm_tensor_file_format(m->file) != GLM_FORMAT_GGUF ||
        !glm_tensor_file_get_string(m->file, "general.type", &type) || type.size != 7 ||
        memcmp(type.data, "imatrix", 7) != 0)
        return glm_fail(err, GLM_EFORMAT, "general.type: expected imatrix, got another file");
    for (uint32_t i = 0; i < glm_tensor_file_count(m->file); i++) {
        const glm_tensor *t = glm_tensor_file_at(m->file, i);
        if (!has_suffix(t->name, SUM_SUFFIX))
            continue;
        glm_status st = check_entry(m, t, err);
        if (st != GLM_OK)
            return st;
    }
    if (m->n_entries == 0)
        return glm_fail(err, GLM_EFORMAT, "expected entries called *" SUM_SUFFIX ", got none");
    if (glm_tensor_file_is_bad(m->file))
        return glm_fail(err, GLM_EIO, "a page could not be read");
    return GLM_OK;
}

/* The format before GGUF begins with the number of entries and the length of the first name. */
static bool is_legacy(const char *path)
{
    FILE *f = fopen(path, "rb");
    unsigned char head[4] = {0};
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return n == sizeof head && memcmp(head, "GGUF", 4) != 0 && head[2] == 0 && head[3] == 0;
}

glm_status glm_imatrix_open(glm_imatrix **out, const char *path, glm_error *err)
{
    glm_imatrix *m = glm_new(glm_imatrix);
    if (!m)
        return glm_fail(err, GLM_ENOMEM, "%s", path);
    const glm_tensor_file_options options = {.follow_links = true};
    glm_status st = glm_tensor_file_open(&m->file, path, &options, err);
    if (st == GLM_EFORMAT && is_legacy(path)) {
        st = glm_fail(err, GLM_EUNSUPP, "%s: expected an importance matrix in GGUF", path);
        glm_error_hint(err, "llama-imatrix --in-file OLD -o NEW.gguf converts the older format");
    }
    if (st == GLM_OK) {
        st = check_file(m, err);
        if (st != GLM_OK)
            st = glm_fail_context(err, st, "%s", path);
    }
    if (st != GLM_OK) {
        glm_imatrix_close(m);
        return st;
    }
    *out = m;
    return GLM_OK;
}

void glm_imatrix_close(glm_imatrix *imatrix)
{
    if (!imatrix)
        return;
    glm_tensor_file_close(imatrix->file);
    free(imatrix->value);
    free(imatrix);
}

void glm_imatrix_get_facts(const glm_imatrix *imatrix, glm_imatrix_facts *out)
{
    *out = (glm_imatrix_facts){.n_entries = imatrix->n_entries};
    (void)glm_tensor_file_get_u64(imatrix->file, "imatrix.chunk_count", &out->n_chunks);
    glm_gguf_array datasets;
    if (glm_tensor_file_get_array(imatrix->file, "imatrix.datasets", &datasets))
        (void)glm_gguf_array_next_string(&datasets, &out->dataset);
}

uint64_t glm_imatrix_digest(const glm_imatrix *imatrix)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < glm_tensor_file_count(imatrix->file); i++) {
        const glm_tensor *t = glm_tensor_file_at(imatrix->file, i);
        digest = glm_hash64(t->name, strlen(t->name), digest);
        digest = glm_hash64(t->data, (size_t)t->size_bytes, digest);
    }
    return digest;
}

/* ---- One tensor ---- */

static bool reserve(glm_imatrix *m, size_t n)
{
    if (n <= m->capacity)
        return true;
    float *value = glm_new_array(float, n);
    if (!value)
        return false;
    free(m->value);
    m->value = value;
    m->capacity = n;
    return true;
}

/* value[s, c] = (sum of squares + prior * common mean) / (tokens + prior) */
static void fill_stack(glm_imatrix *m, const glm_tensor *sums, const glm_tensor *counts,
                       uint32_t n_stack, uint32_t n_cols, glm_imatrix_entry *out)
{
    double n_all = 0.0;
    for (uint32_t s = 0; s < n_stack; s++) {
        double n = (double)element(counts, s);
        n_all += n;
        out->n_unseen += n == 0.0;
        out->n_rare += n < (double)GLM_IMATRIX_RARE;
    }
    for (uint32_t c = 0; c < n_cols; c++) {
        double common = 0.0;
        for (uint32_t s = 0; s < n_stack; s++)
            common += (double)element(sums, (uint64_t)s * n_cols + c);
        common = n_all > 0.0 ? common / n_all : 1.0;
        for (uint32_t s = 0; s < n_stack; s++) {
            uint64_t at = (uint64_t)s * n_cols + c;
            double sum = (double)element(sums, at) + GLM_IMATRIX_PRIOR * common;
            m->value[at] = (float)(sum / ((double)element(counts, s) + GLM_IMATRIX_PRIOR));
        }
    }
}

static bool is_zero(const glm_tensor *counts)
{
    for (uint64_t i = 0, n = n_elements(counts); i < n; i++)
        if (element(counts, i) > 0.0F)
            return false;
    return true;
}

glm_status glm_imatrix_get(glm_imatrix *m, const char *name, uint32_t n_stack, uint32_t n_cols,
                           glm_imatrix_entry *out, glm_error *err)
{
    char text[NAME_BYTES];
    *out = (glm_imatrix_entry){0};
    snprintf(text, sizeof text, "%s" SUM_SUFFIX, name);
    const glm_tensor *sums = glm_tensor_file_find(m->file, text);
    if (!sums)
        return GLM_OK;
    const glm_tensor *counts = counts_of(m, name, strlen(name));
    if (is_zero(counts))
        return GLM_OK; /* nothing is known of it */
    uint64_t n = n_elements(sums), n_counts = n_elements(counts);
    bool is_shared = n == n_cols && n_stack > 1;
    if (n != (is_shared ? 1 : (uint64_t)n_stack) * n_cols || (n_counts != 1 && n_counts != n_stack))
        return glm_fail(err, GLM_EFORMAT,
                        "importance of %s: expected %u x %u values with 1 or %u counts, got %llu "
                        "with %llu: another model's",
                        name, n_stack, n_cols, n_stack, (unsigned long long)n,
                        (unsigned long long)n_counts);
    if (!reserve(m, (size_t)n))
        return glm_fail(err, GLM_ENOMEM, "importance of %s", name);
    if (n_counts == n_stack && n_stack > 1 && !is_shared)
        fill_stack(m, sums, counts, n_stack, n_cols, out);
    else
        for (uint64_t i = 0; i < n; i++)
            m->value[i] = element(sums, i);
    out->weight = (glm_stream_weight){.value = m->value, .is_shared = is_shared};
    return GLM_OK;
}
