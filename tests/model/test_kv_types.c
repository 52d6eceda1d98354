// SPDX-License-Identifier: MIT
/*
 * What each cache type costs in accuracy, against transformers' float32 logits, where nothing is left out of a selection
 * (random weights turn a changed selection into other logits altogether): `lite`, and the second sequence of the mid52
 * cases. Exact precision, so that the cache type is all that differs. And how much of the golden selections each type of
 * index keys keeps, in the first layer, whose states no earlier selection has changed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "glm/glm.h"
#include "model/golden.h"

typedef struct result {
    double rms; /* error of the logits over their spread, root mean square */
    double kl;  /* mean Kullback-Leibler divergence, nats */
    double top1;
} result;

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

static double log_sum_exp(const float *x, size_t n)
{
    double max = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, (double)x[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

static size_t argmax(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static result compare(const float *got, const float *want, size_t n_tok, size_t n_vocab)
{
    result r = {0};
    for (size_t t = 0; t < n_tok; t++) {
        const float *g = got + t * n_vocab, *w = want + t * n_vocab;
        double g_sum = log_sum_exp(g, n_vocab), w_sum = log_sum_exp(w, n_vocab);
        double mean = 0.0, variance = 0.0, error = 0.0;
        for (size_t i = 0; i < n_vocab; i++)
            mean += (double)w[i] / (double)n_vocab;
        for (size_t i = 0; i < n_vocab; i++) {
            double log_p = (double)w[i] - w_sum, log_q = (double)g[i] - g_sum;
            r.kl += exp(log_p) * (log_p - log_q) / (double)n_tok;
            variance += ((double)w[i] - mean) * ((double)w[i] - mean);
            error += ((double)g[i] - (double)w[i]) * ((double)g[i] - (double)w[i]);
        }
        r.rms += error / variance / (double)n_tok;
        r.top1 += (argmax(g, n_vocab) == argmax(w, n_vocab)) / (double)n_tok;
    }
    r.rms = sqrt(r.rms);
    return r;
}

static result run(glm_model *model, glm_kv_type type, const golden_array *ids,
                  const golden_array *want)
{
    glm_error err;
    glm_engine *engine;
    glm_session *session;
    glm_engine_params params = glm_engine_params_default();
    params.precision = GLM_PRECISION_EXACT;
    params.kv_type = type;
    params.n_threads = 2;
    params.n_ctx = 512;
    must(glm_engine_create(&engine, model, &params, &err), &err);
    must(glm_session_open(&session, engine, &err), &err);
    float *logits = malloc(ids->dim[0] * want->dim[1] * sizeof(float));
    assert_non_null(logits);
    glm_step_item item = {.session = session,
                          .tokens = ids->i,
                          .n_tokens = (uint32_t)ids->dim[0],
                          .rows = GLM_ROWS_ALL,
                          .logits = logits};
    must(glm_step(engine, &item, 1, &err), &err);
    result r = compare(logits, want->f, ids->dim[0], want->dim[1]);
    free(logits);
    glm_session_close(session);
    glm_engine_destroy(engine);
    return r;
}

/* Limits of the error's root mean square and of the divergence, by glm_kv_type: about twice what was measured. */
static void check(const char *name, unsigned sequence, const double rms_limit[4],
                  const double kl_limit[4])
{
    static const char *const type_names[] = {"f32", "f16", "bf16", "q8"};
    const char *folder = golden_folder(name);
    if (!folder) {
        print_message("SKIP %s: not in this checkout\n", name);
        skip();
    }
    glm_model *model;
    glm_error err;
    golden_array ids, want;
    golden *g = golden_open(folder);
    glm_model_params params = glm_model_params_default();
    params.latent_eps = 1e-6;
    must(glm_model_open(&model, folder, &params, &err), &err);
    assert_true(golden_get(g, sequence, "input_ids", &ids));
    assert_true(golden_get(g, sequence, "logits", &want));
    for (int type = GLM_KV_F32; type <= GLM_KV_Q8; type++) {
        result r = run(model, (glm_kv_type)type, &ids, &want);
        print_message("%s %u, %s: error %.2g of the spread, KL %.2g, top-1 %.3f\n", name, sequence,
                      type_names[type], r.rms, r.kl, r.top1);
        assert_true(r.rms <= rms_limit[type]);
        assert_true(r.kl <= kl_limit[type]);
    }
    glm_model_close(model);
    golden_close(g);
}

static void lite(void **state)
{
    (void)state;
    check("lite", 0, (double[]){1e-5, 2e-3, 0.06, 0.2}, (double[]){1e-9, 1e-5, 6e-3, 0.07});
}

static void mid52(void **state)
{
    (void)state;
    check("mid52", 1, (double[]){1e-5, 2e-3, 0.12, 0.4}, (double[]){1e-9, 1e-5, 0.01, 0.3});
}

static void mid52_fp8(void **state)
{
    (void)state;
    check("mid52-fp8", 1, (double[]){1e-5, 2e-3, 0.02, 0.14}, (double[]){1e-9, 1e-5, 4e-4, 0.03});
}

typedef struct overlap {
    golden_array want;
    size_t kept, of;
} overlap;

static void count_kept(void *ctx, const glm_tap *tap)
{
    overlap *o = ctx;
    if (strcmp(tap->name, "selected.0") != 0)
        return;
    const size_t k = tap->n_cols;
    for (size_t t = 0; t < tap->n_rows; t++) {
        const int32_t *got = (const int32_t *)tap->data + t * k;
        const int32_t *want = o->want.i + (tap->position + t) * k;
        if (tap->position + t < k)
            continue; /* everything is selected */
        o->of += k;
        for (size_t i = 0, j = 0; i < k && j < k;) {
            int32_t a = got[i], b = want[j];
            o->kept += a == b;
            i += a <= b;
            j += b <= a;
        }
    }
}

static double share_kept(const char *name, glm_kv_type type)
{
    const char *folder = golden_folder(name);
    if (!folder)
        return NAN;
    glm_model *model;
    glm_engine *engine;
    glm_session *session;
    glm_error err;
    golden_array ids;
    overlap o = {.of = 0};
    golden *g = golden_open(folder);
    glm_model_params mp = glm_model_params_default();
    glm_engine_params ep = glm_engine_params_default();
    mp.latent_eps = 1e-6;
    ep.precision = GLM_PRECISION_EXACT;
    ep.index_type = type;
    ep.n_ctx = 512;
    must(glm_model_open(&model, folder, &mp, &err), &err);
    must(glm_engine_create(&engine, model, &ep, &err), &err);
    must(glm_session_open(&session, engine, &err), &err);
    assert_true(golden_get(g, 0, "input_ids", &ids));
    assert_true(golden_get(g, 0, "selected.0", &o.want));
    glm_engine_set_tap(engine, count_kept, &o);
    glm_step_item item = {.session = session, .tokens = ids.i, .n_tokens = (uint32_t)ids.dim[0]};
    must(glm_step(engine, &item, 1, &err), &err);
    assert_true(o.of > 0);
    glm_session_close(session);
    glm_engine_destroy(engine);
    glm_model_close(model);
    golden_close(g);
    return (double)o.kept / (double)o.of;
}

static void selections(void **state)
{
    static const char *const cases[] = {"nano52", "nano5", "mid52", "mid52-fp8"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double q8 = share_kept(cases[i], GLM_KV_Q8), f16 = share_kept(cases[i], GLM_KV_F16);
        if (isnan(q8)) {
            print_message("SKIP %s: not in this checkout\n", cases[i]);
            continue;
        }
        print_message("%s: q8 keys keep %.4f of the selected positions, f16 %.4f\n", cases[i], q8,
                      f16);
        assert_true(share_kept(cases[i], GLM_KV_F32) == 1.0);
        assert_true(f16 >= 0.998);
        assert_true(q8 >= 0.99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selections),
        cmocka_unit_test(lite),
        cmocka_unit_test(mid52),
        cmocka_unit_test(mid52_fp8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
