// SPDX-License-Identifier: MIT
/* The encoders: errors on fixed data, hostile rows, the same bytes from every build. docs/quantisation.md has the comparison with others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "core/cpu.h"
#include "core/rng.h"
#include "quant/codebooks.h"
#include "quant/encode.h"
#include "quant/encode_internal.h"
#include "quant/half.h"
#include "quant/quant.h"
#include "quant/types.h"

enum { N = 1024, N_ROWS = 8, ROW_BYTES_MAX = 4 * N };

/* Relative squared errors of 8 rows of 1024 normal values, alike and by weights (lognormal), with 1 % on top of what was
 * measured: a worse search fails, and so does a wrong bit in a layout. */
static const struct {
    uint32_t type;
    double plain, weighted;
} bounds[] = {
    // clang-format off
    {GLM_TYPE_F32, 0, 0},
    {GLM_TYPE_F16, 4.442e-08, 4.557e-08},
    {GLM_TYPE_BF16, 2.827e-06, 2.795e-06},
    {GLM_TYPE_Q8_0, 2.225e-05, 1.715e-05},
    {GLM_TYPE_Q4_0, 6.456e-03, 5.289e-03},
    {GLM_TYPE_Q4_1, 4.901e-03, 3.456e-03},
    {GLM_TYPE_Q5_0, 1.559e-03, 1.276e-03},
    {GLM_TYPE_Q5_1, 1.149e-03, 8.450e-04},
    {GLM_TYPE_Q6_K, 2.753e-04, 2.108e-04},
    {GLM_TYPE_Q5_K, 1.189e-03, 8.879e-04},
    {GLM_TYPE_Q4_K, 4.937e-03, 3.486e-03},
    {GLM_TYPE_Q3_K, 2.032e-02, 1.534e-02},
    {GLM_TYPE_Q2_K, 6.779e-02, 4.414e-02},
    {GLM_TYPE_IQ4_XS, 5.415e-03, 4.155e-03},
    {GLM_TYPE_IQ4_NL, 5.342e-03, 4.125e-03},
    {GLM_TYPE_MXFP4, 1.270e-02, 1.285e-02},
    {GLM_TYPE_NVFP4, 7.886e-03, 6.193e-03},
    {GLM_TYPE_TQ1_0, 1.861e-01, 1.712e-01},
    {GLM_TYPE_TQ2_0, 1.861e-01, 1.712e-01},
    {GLM_TYPE_IQ3_S, 1.650e-02, 1.011e-02},
    {GLM_TYPE_IQ3_XXS, 3.152e-02, 1.721e-02},
    {GLM_TYPE_IQ2_S, 5.655e-02, 3.857e-02},
    {GLM_TYPE_IQ2_XS, 8.084e-02, 4.739e-02},
    {GLM_TYPE_IQ1_S, 1.983e-01, 1.439e-01},
    {GLM_TYPE_IQ1_M, 1.703e-01, 1.128e-01},
    {GLM_TYPE_F8_E4M3, 1.142e-03, 1.138e-03},
    {GLM_TYPE_IQ2_XXS, 1.072e-01, 6.405e-02},
    // clang-format on
};

static double normal(uint64_t seed, uint64_t i)
{
    double u = 1 - glm_rng_double(seed, 2 * i), v = glm_rng_double(seed, 2 * i + 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static void fill_normal(float *x, size_t n, uint64_t seed, double size)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(normal(seed, i) * size);
}

static void fill_weights(float *w, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)exp(1.2 * normal(seed, i));
}

static double error_of(const float *x, const float *y, const float *w, size_t n)
{
    double err = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)y[i], weight = w ? (double)w[i] : 1;
        err += weight * d * d;
        all += weight * (double)x[i] * (double)x[i];
    }
    return all > 0 ? err / all : err;
}

static glm_encoder encoder(void)
{
    glm_encoder e;
    glm_encoder_init(&e);
    return e;
}

/* Encode and decode one row; fails the test on a refusal. */
static void round_trip(float *y, unsigned char *blocks, uint32_t type, const float *x,
                       const float *w, size_t n)
{
    glm_encoder e = encoder();
    glm_error err;
    if (glm_quant_encode_row(&e, blocks, type, x, w, n, &err) != GLM_OK)
        fail_msg("%s: %s", glm_type_name(type), err.text);
    glm_quant_get(type)(y, blocks, n / glm_type_get(type)->n_elems);
}

static void errors_stay_within_bounds(void **state)
{
    (void)state;
    static float x[N], y[N], w[N];
    static unsigned char blocks[ROW_BYTES_MAX];
    for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++) {
        double plain = 0, weighted = 0, unweighted = 0;
        for (uint64_t r = 0; r < N_ROWS; r++) {
            fill_normal(x, N, 100 + r, 0.02);
            fill_weights(w, N, 200 + r);
            round_trip(y, blocks, bounds[t].type, x, NULL, N);
            plain += error_of(x, y, NULL, N) / N_ROWS;
            unweighted += error_of(x, y, w, N) / N_ROWS;
            round_trip(y, blocks, bounds[t].type, x, w, N);
            weighted += error_of(x, y, w, N) / N_ROWS;
        }
        print_message("%-8s plain %.4e weighted %.4e (without weights %.4e)\n",
                      glm_type_name(bounds[t].type), plain, weighted, unweighted);
        assert_true(plain <= bounds[t].plain);
        assert_true(weighted <= bounds[t].weighted);
        assert_true(weighted <= unweighted);
    }
}

static void every_listed_type_has_bounds(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 1100; type++) {
        bool has = false;
        for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++)
            has = has || bounds[t].type == type;
        assert_int_equal(has, glm_quant_can_encode(type));
    }
}

enum { N_HOSTILE = 16 };

/* Rows that break scale searches: zeros, constants, one spike, denormals, the greatest floats, steps, mixed sizes. */
static void fill_hostile(float *x, size_t n, int kind)
{
    fill_normal(x, n, 7, 1);
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        switch (kind) {
        case 0:
            v = 0;
            break;
        case 1:
            v = -0.0F;
            break;
        case 2:
            v = 0.75F;
            break;
        case 3:
            v = -0.75F;
            break;
        case 4:
            v = i % 256 == 77 ? 3 : 0;
            break;
        case 5:
            v = i % 256 == 77 ? -3 : 0;
            break;
        case 6:
            v *= 0x1p-149F * 1000;
            break;
        case 7:
            v *= 1e-30F;
            break;
        case 8:
            v = v > 0 ? 3.4e38F : -3.4e38F;
            break;
        case 9:
            v *= 1e6F;
            break;
        case 10:
            v = i % 2 ? 1.0F : -1.0F;
            break;
        case 11:
            v = fabsf(v) + 10;
            break;
        case 12:
            v = -fabsf(v) - 10;
            break;
        case 13:
            v = i % 32 == 5 ? v * 1e20F : v * 1e-20F;
            break;
        case 14:
            v = i / 16 % 2 ? 0 : v;
            break;
        default:
            v = (float)i;
            break;
        }
        x[i] = v;
    }
}

static void hostile_rows_decode_to_finite_values(void **state)
{
    (void)state;
    static float x[N], y[N], w[N];
    static unsigned char blocks[ROW_BYTES_MAX];
    for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++)
        for (int kind = 0; kind < N_HOSTILE; kind++)
            for (int weights = 0; weights < 4; weights++) {
                fill_hostile(x, N, kind);
                for (size_t i = 0; i < N; i++)
                    w[i] = weights == 1   ? 0
                           : weights == 2 ? (i % 3 ? 0 : 3e38F)
                                          : 1e-40F * (float)i;
                round_trip(y, blocks, bounds[t].type, x, weights ? w : NULL, N);
                for (size_t i = 0; i < N; i++) {
                    if (!isfinite(y[i]))
                        fail_msg("%s, row %d: value %zu is %f", glm_type_name(bounds[t].type), kind,
                                 i, (double)y[i]);
                    if (kind < 2)
                        assert_true(y[i] == 0);
                }
            }
}

/* Constants and single spikes, of either sign, lose next to nothing; where books lack them, no more than normal values do. The
 * books of IQ1, IQ2 and IQ3 have no zero to put beside a spike. */
static void easy_rows_are_kept(void **state)
{
    (void)state;
    static float x[N], y[N];
    static unsigned char blocks[ROW_BYTES_MAX];
    static const int kinds[] = {2, 3, 10, 4, 5};
    for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++) {
        const char *name = glm_type_name(bounds[t].type);
        size_t n_kinds = strncmp(name, "IQ", 2) == 0 && strncmp(name, "IQ4", 3) != 0 ? 3 : 5;
        for (size_t i = 0; i < n_kinds; i++) {
            fill_hostile(x, N, kinds[i]);
            round_trip(y, blocks, bounds[t].type, x, NULL, N);
            double err = error_of(x, y, NULL, N);
            if (err > 2e-3 && err > bounds[t].plain)
                fail_msg("%s, row %d: error %g", glm_type_name(bounds[t].type), kinds[i], err);
        }
    }
}

/* Scaling by a power of two scales the result, as long as the scales stay normal f16. */
static void powers_of_two_pass_through(void **state)
{
    (void)state;
    static float x[N], y[N], z[N];
    static unsigned char blocks[ROW_BYTES_MAX];
    for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++) {
        if (glm_type_get(bounds[t].type)->n_elems == 1)
            continue;
        fill_normal(x, N, 31, 1);
        round_trip(y, blocks, bounds[t].type, x, NULL, N);
        for (size_t i = 0; i < N; i++)
            x[i] *= 0.125F;
        round_trip(z, blocks, bounds[t].type, x, NULL, N);
        for (size_t i = 0; i < N; i++)
            assert_true(z[i] == y[i] * 0.125F);
    }
}

/* Values that the format holds exactly come back exactly. */
static void representable_rows_come_back(void **state)
{
    (void)state;
    static const uint32_t types[] = {GLM_TYPE_F32,  GLM_TYPE_F16,  GLM_TYPE_BF16,  GLM_TYPE_Q8_0,
                                     GLM_TYPE_Q4_0, GLM_TYPE_Q5_0, GLM_TYPE_IQ4_NL};
    static float x[N], y[N];
    static unsigned char blocks[ROW_BYTES_MAX];
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        uint32_t type = types[t];
        float low = type == GLM_TYPE_Q8_0 ? -127 : type == GLM_TYPE_Q4_0 ? -8 : -16;
        for (size_t i = 0; i < N; i++) {
            double u = glm_rng_double(5, i);
            int code = (int)(u * 16);
            float v = type == GLM_TYPE_IQ4_NL ? (float)glm_iq4_values[code]
                                              : (float)(int)((double)low * (1 - 1.9 * u));
            x[i] = 0.0123291015625F * (i % 32 == 9 ? (type == GLM_TYPE_IQ4_NL ? -127 : low) : v);
        }
        if (type == GLM_TYPE_BF16)
            for (size_t i = 0; i < N; i++)
                x[i] = glm_bf16_to_f32(glm_bf16_from_f32(x[i]));
        round_trip(y, blocks, type, x, NULL, N);
        for (size_t i = 0; i < N; i++)
            if (x[i] != y[i])
                fail_msg("%s: value %zu is %.9g, expected %.9g", glm_type_name(type), i,
                         (double)y[i], (double)x[i]);
    }
}

/* Each build the processor can run, from aligned and odd addresses: the same bytes, and none beside the row. */
static void builds_give_the_same_bytes(void **state)
{
    (void)state;
    static float x[N], w[N];
    static unsigned char want[ROW_BYTES_MAX], got[ROW_BYTES_MAX + 2];
    glm_encode_row_fn *builds[3] = {glm_encode_row_c};
    int n_builds = 1;
#ifdef __x86_64__
    glm_cpu cpu = glm_cpu_detect();
    if (cpu.has_avx2)
        builds[n_builds++] = glm_encode_row_avx2;
    if (cpu.has_avx512)
        builds[n_builds++] = glm_encode_row_avx512;
#endif
    print_message("%d builds\n", n_builds);
    for (size_t t = 0; t < sizeof bounds / sizeof *bounds; t++) {
        uint64_t row_bytes;
        assert_true(glm_type_size(bounds[t].type, N, &row_bytes));
        for (int kind = 0; kind < 2 * (N_HOSTILE + 1); kind++) {
            if (kind / 2 < N_HOSTILE)
                fill_hostile(x, N, kind / 2);
            else
                fill_normal(x, N, 77, 0.02);
            fill_weights(w, N, 78);
            memset(got, 0xa5, sizeof got);
            builds[0](want, bounds[t].type, x, kind % 2 ? w : NULL, N);
            for (int i = 0; i < n_builds; i++) {
                builds[i](got + 1, bounds[t].type, x, kind % 2 ? w : NULL, N);
                if (memcmp(got + 1, want, row_bytes) != 0)
                    fail_msg("%s, row %d: build %d differs", glm_type_name(bounds[t].type), kind,
                             i);
                assert_int_equal(got[0], 0xa5);
                assert_int_equal(got[1 + row_bytes], 0xa5);
            }
        }
    }
}

static void bad_rows_are_refused(void **state)
{
    (void)state;
    static float x[N], w[N];
    unsigned char out[ROW_BYTES_MAX] = {1, 2, 3}, before[ROW_BYTES_MAX];
    glm_encoder e = encoder();
    glm_error err;
    memcpy(before, out, sizeof out);
    fill_normal(x, N, 1, 1);
    fill_weights(w, N, 2);
    assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_I32, x, NULL, N, &err), GLM_EARG);
    assert_non_null(strstr(err.text, "I32"));
    assert_int_equal(glm_quant_encode_row(&e, out, 4, x, NULL, N, &err), GLM_EARG);
    assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_Q4_K, x, NULL, 255, &err), GLM_EARG);
    assert_non_null(strstr(err.text, "255"));
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        float keep = x[513];
        x[513] = bad[i];
        assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_Q8_0, x, w, N, &err), GLM_ENUMERIC);
        assert_non_null(strstr(err.text, "513"));
        x[513] = keep;
        keep = w[1023];
        w[1023] = i == 1 ? -1e-9F : bad[i];
        assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_Q8_0, x, w, N, &err), GLM_ENUMERIC);
        assert_non_null(strstr(err.text, "1023"));
        w[1023] = keep;
    }
    w[3] = -0.0F; /* is 0, not negative */
    assert_memory_equal(out, before, sizeof out);
    assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_Q8_0, x, w, N, &err), GLM_OK);
    assert_int_equal(glm_quant_encode_row(&e, out, GLM_TYPE_Q8_0, x, w, 0, &err), GLM_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_stay_within_bounds),
        cmocka_unit_test(every_listed_type_has_bounds),
        cmocka_unit_test(hostile_rows_decode_to_finite_values),
        cmocka_unit_test(easy_rows_are_kept),
        cmocka_unit_test(powers_of_two_pass_through),
        cmocka_unit_test(representable_rows_come_back),
        cmocka_unit_test(builds_give_the_same_bytes),
        cmocka_unit_test(bad_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
