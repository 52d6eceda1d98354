// SPDX-License-Identifier: MIT
/*
 * One model in many clothes (make_variants.py): each must give the golden logits. Folders must give the bits of the original
 * folder, and GGUFs with the split kv_b those of one another.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "glm/glm.h"
#include "model/golden.h"

#define FOLDER GLM_BINARY_DIR "/variants"
#define LOGITS_MAX (128u * 384u)

static const char *const folders[] = {"nano52.one-file",  "nano52.fused-experts", "nano52.f32",
                                      "nano52.no-mtp",    "nano52.pattern",       "nano52.formula",
                                      "nano52.flat-theta"};
static const char *const ggufs[] = {
    "nano52.bools.gguf",           "nano52.ints.gguf",      "nano52.strings.gguf",
    "nano52.no-types.gguf",        "nano52.frequency.gguf", "nano52.gate-up.gguf",
    "nano52.copied-indexers.gguf", "nano52.f32.gguf",       "nano52.scales.gguf",
    "nano52.aligned.gguf",         "nano52.narrow.gguf",    "nano52.split-00001-of-00004.gguf"};
static const char *const others[] = {"nano52.kv-b.gguf", "nano5.bools.gguf", "nano5.no-types.gguf",
                                     "lite.deepseek2.gguf"};

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

/* Logits of golden sequence 0 of `name`'s case, computed from the package at path. Returns how many. */
static size_t run(const char *path, const char *name, float *logits)
{
    char golden_name[64];
    snprintf(golden_name, sizeof golden_name, "%.*s", (int)strcspn(name, "."), name);
    golden *g = golden_open(golden_folder(golden_name));
    golden_array ids, want;
    assert_true(golden_get(g, 0, "input_ids", &ids));
    assert_true(golden_get(g, 0, "logits", &want));
    size_t n = want.dim[0] * want.dim[1];
    assert_true(n <= LOGITS_MAX);
    glm_model *model;
    glm_engine *engine;
    glm_session *session;
    glm_error err;
    glm_model_params mp = glm_model_params_default();
    mp.latent_eps = 1e-6;
    must(glm_model_open(&model, path, &mp, &err), &err);
    glm_engine_params ep = glm_engine_params_default();
    ep.precision = GLM_PRECISION_EXACT;
    ep.n_threads = 1;
    ep.n_ctx = 128;
    must(glm_engine_create(&engine, model, &ep, &err), &err);
    must(glm_session_open(&session, engine, &err), &err);
    glm_step_item item = {.session = session,
                          .tokens = ids.i,
                          .n_tokens = (uint32_t)ids.dim[0],
                          .rows = GLM_ROWS_ALL,
                          .logits = logits};
    must(glm_step(engine, &item, 1, &err), &err);
    double range = golden_number(g, 0, "logit_max") - golden_number(g, 0, "logit_min");
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)logits[i] - (double)want.f[i]) <= 1e-5 * range))
            fail_msg("%s: logit %zu: expected %g, got %g", name, i, (double)want.f[i],
                     (double)logits[i]);
    glm_session_close(session);
    glm_engine_destroy(engine);
    glm_model_close(model);
    golden_close(g);
    return n;
}

static size_t run_variant(const char *name, float *logits)
{
    char path[4096];
    snprintf(path, sizeof path, FOLDER "/%s", name);
    return run(path, name, logits);
}

static void folders_give_the_original_bits(void **state)
{
    (void)state;
    static float original[LOGITS_MAX], logits[LOGITS_MAX];
    size_t n = run(golden_folder("nano52"), "nano52", original);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        run_variant(folders[i], logits);
        assert_memory_equal(logits, original, n * sizeof(float));
    }
}

static void ggufs_give_the_same_bits(void **state)
{
    (void)state;
    static float first[LOGITS_MAX], logits[LOGITS_MAX];
    size_t n = run_variant(ggufs[0], first);
    for (size_t i = 1; i < sizeof ggufs / sizeof ggufs[0]; i++) {
        run_variant(ggufs[i], logits);
        assert_memory_equal(logits, first, n * sizeof(float));
    }
}

static void other_architectures_and_layouts(void **state)
{
    (void)state;
    static float logits[LOGITS_MAX];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        run_variant(others[i], logits);
}

static void an_unknown_template_is_noted(void **state)
{
    (void)state;
    glm_model *model;
    glm_error err;
    glm_model_params mp = glm_model_params_default();
    must(glm_model_open(&model, FOLDER "/nano52.flat-theta", &mp, &err), &err);
    assert_non_null(glm_model_note(model, 0));
    assert_non_null(strstr(glm_model_note(model, 0), "chat template"));
    assert_null(glm_model_note(model, 1));
    glm_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_give_the_original_bits),
        cmocka_unit_test(ggufs_give_the_same_bits),
        cmocka_unit_test(other_architectures_and_layouts),
        cmocka_unit_test(an_unknown_template_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
