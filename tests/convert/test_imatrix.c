// SPDX-License-Identifier: MIT
/*
 * Importance matrices: what is collected against golden states and routing, what is read back, what is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "convert/imatrix.h"
#include "core/file_out.h"
#include "fail_alloc.h"
#include "formats/gguf_write.h"
#include "glm/quantize.h"
#include "model/golden.h"

#define CASE "nano52"
#define D_MODEL 64u

static char root[64];

static int enter_folder(void **state)
{
    (void)state;
    strcpy(root, "/tmp/glm-imatrix-XXXXXX");
    return !mkdtemp(root) || chdir(root);
}

static int leave_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return chdir("/") || system(command); // NOLINT(cert-env33-c): a fixed command of this test
}

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

/* ---- Collected ---- */

typedef struct rig {
    glm_model *model;
    glm_engine *engine;
} rig;

static void open_rig(rig *r, uint32_t n_threads, uint32_t chunk)
{
    glm_error err;
    glm_model_params mp = glm_model_params_default();
    glm_engine_params ep = glm_engine_params_default();
    mp.latent_eps = 1e-6;
    ep.precision = GLM_PRECISION_EXACT;
    ep.n_threads = n_threads;
    ep.n_ctx = 512;
    ep.chunk = chunk;
    must(glm_model_open(&r->model, golden_folder(CASE), &mp, &err), &err);
    must(glm_engine_create(&r->engine, r->model, &ep, &err), &err);
}

static void close_rig(rig *r)
{
    glm_engine_destroy(r->engine);
    glm_model_close(r->model);
}

static bool stop(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    (void)ctx;
    assert_string_equal(what, "imatrix");
    assert_true(done <= total);
    return false;
}

static const float *sums_of(const glm_tensor_file *file, const char *name, size_t *n)
{
    const glm_tensor *t = glm_tensor_file_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->type, GLM_TYPE_F32);
    *n = t->size_bytes / sizeof(float);
    return t->data;
}

/* Σ over rows of x², against a tensor of the file. */
static void expect_squares(const glm_tensor_file *file, const char *name, const double *expected,
                           size_t n)
{
    size_t found;
    const float *sums = sums_of(file, name, &found);
    assert_int_equal(found, n);
    for (size_t i = 0; i < n; i++)
        if (fabs((double)sums[i] - expected[i]) > 1e-4 * expected[i])
            fail_msg("%s[%zu]: expected %g, got %g", name, i, expected[i], (double)sums[i]);
}

static void sums_are_those_of_golden_states(void **state)
{
    (void)state;
    golden *g = golden_open(golden_folder(CASE));
    golden_array ids, embed, norm, experts;
    assert_true(golden_get(g, 0, "input_ids", &ids));
    assert_true(golden_get(g, 0, "hidden.embed", &embed));
    assert_true(golden_get(g, 0, "hidden.norm", &norm));
    const size_t n = ids.dim[0];
    rig r;
    open_rig(&r, 2, 17);
    static glm_imatrix_report report;
    glm_error err;
    const glm_imatrix_params params = {.tokens = ids.i, .n_tokens = n, .dataset = "golden"};
    must(glm_imatrix_write(r.engine, "a.gguf", &params, &report, &err), &err);
    assert_int_equal(report.n_tokens, n);
    assert_int_equal(report.n_windows, 1);
    assert_int_equal(report.n_layer, 5);

    glm_tensor_file *file = NULL, *model = NULL;
    const glm_tensor_file_options options = {0};
    must(glm_tensor_file_open(&file, "a.gguf", &options, &err), &err);
    must(glm_tensor_file_open(&model, golden_folder(CASE), &options, &err), &err);

    double expected[D_MODEL] = {0};
    for (size_t t = 0; t < n; t++) /* the head reads the final states */
        for (size_t i = 0; i < D_MODEL; i++)
            expected[i] += (double)norm.f[t * D_MODEL + i] * (double)norm.f[t * D_MODEL + i];
    expect_squares(file, "output.weight.in_sum2", expected, D_MODEL);

    const glm_tensor *w = glm_tensor_file_find(model, "model.layers.0.input_layernorm.weight");
    memset(expected, 0, sizeof expected);
    for (size_t t = 0; t < n; t++) { /* the first layer reads the normed embeddings */
        const float *x = embed.f + t * D_MODEL;
        double square = 0.0;
        for (size_t i = 0; i < D_MODEL; i++)
            square += (double)x[i] * (double)x[i];
        double inverse = 1.0 / sqrt(square / D_MODEL + 1e-5);
        for (size_t i = 0; i < D_MODEL; i++) {
            uint16_t half;
            memcpy(&half, (const char *)w->data + i * 2, 2);
            uint32_t bits = (uint32_t)half << 16;
            float weight;
            memcpy(&weight, &bits, 4);
            double v = (double)x[i] * inverse * (double)weight;
            expected[i] += v * v;
        }
    }
    expect_squares(file, "blk.0.attn_q_a.weight.in_sum2", expected, D_MODEL);
    expect_squares(file, "blk.0.attn_kv_a_mqa.weight.in_sum2", expected, D_MODEL);

    for (int layer = 2; layer < 7; layer++) { /* routing: a count for each expert */
        char name[64];
        double used[8] = {0};
        snprintf(name, sizeof name, "experts.%d", layer);
        assert_true(golden_get(g, 0, name, &experts));
        for (size_t i = 0; i < n * experts.dim[1]; i++)
            used[experts.i[i]] += 1.0;
        static const char *const kinds[] = {"gate", "up", "down"};
        for (size_t k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "blk.%d.ffn_%s_exps.weight.counts", layer, kinds[k]);
            expect_squares(file, name, used, 8);
        }
        /* What all experts of a layer read is what the shared one reads, n_expert_used times. */
        size_t n_routed, n_shared;
        snprintf(name, sizeof name, "blk.%d.ffn_gate_exps.weight.in_sum2", layer);
        const float *routed = sums_of(file, name, &n_routed);
        snprintf(name, sizeof name, "blk.%d.ffn_gate_shexp.weight.in_sum2", layer);
        (void)sums_of(file, name, &n_shared);
        double twice[D_MODEL] = {0};
        for (size_t i = 0; i < n_routed; i++)
            twice[i % D_MODEL] += (double)routed[i] / 2.0;
        expect_squares(file, name, twice, D_MODEL);
    }
    glm_tensor_file_close(file);
    glm_tensor_file_close(model);
    close_rig(&r);
    golden_close(g);
}

static void chunks_and_windows_add_up(void **state)
{
    (void)state;
    golden *g = golden_open(golden_folder(CASE));
    golden_array ids;
    assert_true(golden_get(g, 0, "input_ids", &ids));
    static glm_imatrix_report report;
    glm_error err;
    rig r;
    open_rig(&r, 1, 96);
    glm_imatrix_params params = {.tokens = ids.i, .n_tokens = 90, .window = 40};
    must(glm_imatrix_write(r.engine, "a.gguf", &params, &report, &err), &err);
    assert_int_equal(report.n_windows, 3);
    params.window = 513;
    assert_int_equal(glm_imatrix_write(r.engine, "b.gguf", &params, &report, &err), GLM_EARG);
    params.window = 0;
    params.n_tokens = 0;
    assert_int_equal(glm_imatrix_write(r.engine, "b.gguf", &params, &report, &err), GLM_EARG);
    params.n_tokens = 90;
    params.progress = stop;
    assert_int_equal(glm_imatrix_write(r.engine, "b.gguf", &params, &report, &err), GLM_ECANCELED);
    params.progress = NULL;
    assert_int_equal(glm_imatrix_write(r.engine, "no/b.gguf", &params, &report, &err), GLM_EIO);
    const int32_t wrong[] = {5, 100000};
    params.tokens = wrong;
    params.n_tokens = 2;
    assert_int_equal(glm_imatrix_write(r.engine, "b.gguf", &params, &report, &err), GLM_EARG);
    assert_int_not_equal(access("b.gguf", F_OK), 0);
    assert_int_not_equal(access("b.gguf.partial", F_OK), 0);
    close_rig(&r);
    golden_close(g);
}

/* ---- Read ---- */

/* A file with the entry "a" of n_stack x 2 and another thing or two that may be wrong. */
typedef struct made {
    const char *type;   /* general.type; NULL: none */
    const char *counts; /* name of the counts' tensor */
    uint64_t n_stack, n_count;
    float sums[8], count[4];
} made;

static void make(const char *path, const made *m)
{
    glm_gguf_head head = {0};
    glm_str bytes = {0};
    glm_error err;
    const uint64_t sums[2] = {m->n_stack, 2}, counts[2] = {m->n_count, 1};
    if (m->type)
        glm_gguf_put_string(&head, "general.type", glm_text_c(m->type));
    glm_gguf_put_u32(&head, "imatrix.chunk_count", 7);
    uint64_t at_sums =
        glm_gguf_put_tensor(&head, "a.in_sum2", GLM_TYPE_F32, 2, sums, m->n_stack * 8);
    uint64_t at_counts =
        glm_gguf_put_tensor(&head, m->counts, GLM_TYPE_F32, 2, counts, m->n_count * 4);
    must(glm_gguf_head_finish(&head, GLM_GGUF_ALIGNMENT, &bytes, &err), &err);
    glm_file_out file;
    must(glm_file_out_create(&file, path, false, &err), &err);
    must(glm_file_out_resize(&file, bytes.length + glm_gguf_data_bytes(&head), &err), &err);
    must(glm_file_out_write_at(&file, bytes.data, bytes.length, 0, &err), &err);
    must(glm_file_out_write_at(&file, m->sums, m->n_stack * 8, bytes.length + at_sums, &err), &err);
    must(glm_file_out_write_at(&file, m->count, m->n_count * 4, bytes.length + at_counts, &err),
         &err);
    must(glm_file_out_commit(&file, &err), &err);
    glm_gguf_head_deinit(&head);
    glm_str_deinit(&bytes);
}

static const made good = {.type = "imatrix",
                          .counts = "a.counts",
                          .n_stack = 3,
                          .n_count = 3,
                          .sums = {200.0F, 100.0F, 0.0F, 0.0F, 6.0F, 3.0F},
                          .count = {100.0F, 0.0F, 1.0F}};

static void rare_experts_are_filled_from_all(void **state)
{
    (void)state;
    glm_error err;
    glm_imatrix *m;
    glm_imatrix_entry e;
    glm_imatrix_facts facts;
    make("a.gguf", &good);
    must(glm_imatrix_open(&m, "a.gguf", &err), &err);
    glm_imatrix_get_facts(m, &facts);
    assert_int_equal(facts.n_entries, 1);
    assert_int_equal(facts.n_chunks, 7);
    must(glm_imatrix_get(m, "a", 3, 2, &e, &err), &err);
    assert_false(e.weight.is_shared);
    assert_int_equal(e.n_unseen, 1);
    assert_int_equal(e.n_rare, 2);
    const double common[2] = {206.0 / 101.0, 103.0 / 101.0};
    for (int s = 0; s < 3; s++)
        for (int c = 0; c < 2; c++) {
            double expected =
                ((double)good.sums[s * 2 + c] + 16.0 * common[c]) / ((double)good.count[s] + 16.0);
            assert_true(fabs((double)e.weight.value[s * 2 + c] - expected) < 1e-6 * expected);
        }
    assert_true(e.weight.value[2] == (float)common[0]); /* never seen: the common mean */

    must(glm_imatrix_get(m, "b", 3, 2, &e, &err), &err); /* not there */
    assert_null(e.weight.value);
    assert_int_equal(glm_imatrix_get(m, "a", 3, 3, &e, &err), GLM_EFORMAT);
    assert_int_equal(glm_imatrix_get(m, "a", 2, 3, &e, &err), GLM_EFORMAT);
    assert_int_equal(glm_imatrix_get(m, "a", 1, 2, &e, &err), GLM_EFORMAT);
    glm_imatrix_close(m);

    made one = good; /* a count for the whole stack, as older files have it */
    one.n_count = 1;
    make("b.gguf", &one);
    must(glm_imatrix_open(&m, "b.gguf", &err), &err);
    must(glm_imatrix_get(m, "a", 3, 2, &e, &err), &err);
    assert_true(e.weight.value[0] == 200.0F && e.weight.value[5] == 3.0F);
    must(glm_imatrix_get(m, "a", 9, 6, &e, &err), &err); /* one row for all of a stack */
    assert_true(e.weight.is_shared);
    glm_imatrix_close(m);
}

static void refused(const made *m, glm_status expected, const char *says)
{
    glm_error err;
    glm_imatrix *imatrix = NULL;
    make("a.gguf", m);
    glm_status st = glm_imatrix_open(&imatrix, "a.gguf", &err);
    if (st != expected || !strstr(err.text, says) || imatrix)
        fail_msg("expected %s, got %d %s", says, (int)st, err.text);
}

static void damaged_and_foreign_files_are_refused(void **state)
{
    (void)state;
    made m = good;
    m.type = "model";
    refused(&m, GLM_EFORMAT, "expected imatrix");
    m.type = NULL;
    refused(&m, GLM_EFORMAT, "expected imatrix");
    m = good;
    m.counts = "b.counts";
    refused(&m, GLM_EFORMAT, "expected its counts");
    m = good;
    m.n_count = 4;
    refused(&m, GLM_EFORMAT, "a.counts");
    const float bad[] = {-1.0F, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        m = good;
        m.sums[3] = bad[i];
        refused(&m, GLM_EFORMAT, "a.in_sum2: element 3");
        m = good;
        m.count[2] = bad[i];
        refused(&m, GLM_EFORMAT, "a.counts: element 2");
    }

    glm_error err;
    glm_imatrix *imatrix = NULL;
    make("a.gguf", &good);
    struct stat info;
    assert_int_equal(stat("a.gguf", &info), 0);
    for (long size = (long)info.st_size - 32; size >= 0; size -= 7) { /* behind it is padding */
        assert_int_equal(truncate("a.gguf", size), 0);
        assert_int_equal(glm_imatrix_open(&imatrix, "a.gguf", &err), GLM_EFORMAT);
    }
    assert_int_equal(glm_imatrix_open(&imatrix, "none.gguf", &err), GLM_ENOENT);
    assert_int_equal(glm_imatrix_open(&imatrix, golden_folder(CASE), &err), GLM_EFORMAT);
    FILE *f = fopen("old.dat", "wb"); /* the format before: 2 entries, a name of 24 bytes */
    assert_int_equal(fwrite("\2\0\0\0\30\0\0\0blk.0.attn_q_a.weight...", 1, 32, f), 32);
    fclose(f);
    assert_int_equal(glm_imatrix_open(&imatrix, "old.dat", &err), GLM_EUNSUPP);
}

static void quantising_uses_it(void **state)
{
    (void)state;
    golden *g = golden_open(golden_folder(CASE));
    golden_array ids;
    assert_true(golden_get(g, 0, "input_ids", &ids));
    static glm_imatrix_report made_report;
    static glm_quantize_report report;
    glm_error err;
    rig r;
    open_rig(&r, 1, 96);
    const glm_imatrix_params params = {.tokens = ids.i, .n_tokens = ids.dim[0]};
    must(glm_imatrix_write(r.engine, "im.gguf", &params, &made_report, &err), &err);
    close_rig(&r);
    glm_quantize_params q = glm_quantize_params_default();
    q.type = "IQ4_NL";
    must(glm_quantize(golden_folder(CASE), "plain.gguf", &q, &report, &err), &err);
    assert_int_equal(report.n_weighted, 0);
    q.imatrix = "im.gguf";
    must(glm_quantize(golden_folder(CASE), "weighted.gguf", &q, &report, &err), &err);
    assert_true(report.n_weighted > 50);
    glm_tensor_file *a = NULL, *b = NULL;
    const glm_tensor_file_options options = {0};
    must(glm_tensor_file_open(&a, "plain.gguf", &options, &err), &err);
    must(glm_tensor_file_open(&b, "weighted.gguf", &options, &err), &err);
    uint64_t n_entries = 0;
    assert_true(glm_tensor_file_get_u64(b, "quantize.imatrix.entries_count", &n_entries));
    assert_int_equal(n_entries, made_report.n_entries);
    const char *name = "blk.3.ffn_down_exps.weight";
    const glm_tensor *x = glm_tensor_file_find(a, name), *y = glm_tensor_file_find(b, name);
    assert_int_equal(x->size_bytes, y->size_bytes);
    assert_memory_not_equal(x->data, y->data, x->size_bytes);
    glm_tensor_file_close(a);
    glm_tensor_file_close(b);

    make("other.gguf", &good); /* of another model */
    q.imatrix = "other.gguf";
    assert_int_equal(glm_quantize(golden_folder(CASE), "c.gguf", &q, &report, &err), GLM_EFORMAT);
    q.imatrix = "none.gguf";
    assert_int_equal(glm_quantize(golden_folder(CASE), "c.gguf", &q, &report, &err), GLM_ENOENT);
    golden_close(g);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    const int32_t tokens[] = {5, 9, 200, 17, 33, 41, 7, 300};
    static glm_imatrix_report report;
    const glm_imatrix_params params = {.tokens = tokens, .n_tokens = 8};
    glm_error err;
    rig r;
    open_rig(&r, 1, 8);
    for (long n = 0;; n++) {
        fail_alloc_begin(n);
        glm_status st = glm_imatrix_write(r.engine, "a.gguf", &params, &report, &err);
        if (!fail_alloc_end()) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, GLM_ENOMEM);
        assert_int_not_equal(access("a.gguf", F_OK), 0);
    }
    for (long n = 0;; n++) {
        glm_imatrix *m = NULL;
        glm_imatrix_entry e;
        fail_alloc_begin(n);
        glm_status st = glm_imatrix_open(&m, "a.gguf", &err);
        if (st == GLM_OK)
            st = glm_imatrix_get(m, "blk.3.ffn_down_exps.weight", 8, 32, &e, &err);
        bool has_failed = fail_alloc_end();
        glm_imatrix_close(m);
        if (!has_failed) {
            must(st, &err);
            break;
        }
        assert_int_equal(st, GLM_ENOMEM);
    }
    close_rig(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        TEST(sums_are_those_of_golden_states),
        TEST(chunks_and_windows_add_up),
        TEST(rare_experts_are_filled_from_all),
        TEST(damaged_and_foreign_files_are_refused),
        TEST(quantising_uses_it),
        TEST(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
