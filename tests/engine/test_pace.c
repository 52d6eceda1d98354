// SPDX-License-Identifier: MIT
/* The size of pieces on simulated engines: streams are held up no more than asked, and prompts get most of what is left. */
#include <stdbool.h>

#include "cmocka_all.h"
#include "core/rng.h"
#include "engine/pace.h"

typedef struct engine {
    double fixed_s, stream_s, token_s; /* a step; of each stream; of each prompt token */
    double noise;                      /* steps take up to as much more or less */
    bool has_outliers;                 /* one in 50 takes ten times as long */
    uint64_t n;
} engine;

static double step_s(engine *e, uint32_t n_streams, uint32_t n_read)
{
    double s = e->fixed_s + e->stream_s * n_streams + e->token_s * n_read;
    s *= 1.0 + e->noise * (2.0 * glm_rng_double(1, e->n++) - 1.0);
    return e->has_outliers && glm_rng_double(2, e->n++) < 0.02 ? 10.0 * s : s;
}

/* 2,000 steps beside n streams: the share whose time exceeds twice that of streams alone, and the mean piece. */
static double run(glm_pace *pace, engine *e, uint32_t n_streams, double *mean)
{
    uint32_t n_late = 0;
    double sum = 0.0, alone = e->fixed_s + e->stream_s * n_streams;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t n = glm_pace_budget(pace, n_streams, 0, 512, 2.0);
        assert_true(n <= 512 - n_streams);
        glm_pace_note(pace, n_streams, n, step_s(e, n_streams, n));
        n_late +=
            e->fixed_s + e->stream_s * n_streams + e->token_s * n > 2.0 * alone * (1.0 + 1e-9);
        sum += n;
    }
    *mean = sum / 2000.0;
    return n_late / 2000.0;
}

static void pieces_fit_engines_of_all_speeds(void **state)
{
    (void)state;
    const engine engines[] = {
        {.fixed_s = 0.005, .stream_s = 0.001, .token_s = 0.0001},
        {.fixed_s = 0.2, .stream_s = 0.02, .token_s = 0.01, .noise = 0.2},
        {.fixed_s = 0.0001, .stream_s = 0.0001, .token_s = 0.00001, .noise = 0.3},
        {.fixed_s = 0.01, .stream_s = 0.001, .token_s = 0.0005, .noise = 0.2, .has_outliers = true},
    };
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        glm_error err;
        glm_pace pace;
        engine e = engines[i];
        double mean;
        assert_int_equal(glm_pace_init(&pace, 16, &err), GLM_OK);
        for (uint32_t n = 1; n <= 16; n += 5) {
            double late = run(&pace, &e, n, &mean);
            double best = (e.fixed_s + e.stream_s * n) / e.token_s;
            assert_true(late <= (e.has_outliers ? 0.08 : 0.02));
            assert_true(mean >= 0.3 * (best < 500.0 ? best : 500.0) - 1.0);
        }
        glm_pace_deinit(&pace);
    }
}

/*
 * Where one token costs more than a step may grow by, it is read in some steps only: the mean stays within the slowdown, most steps
 * are of streams alone, and the prompt still gets its half.
 */
static void a_token_dearer_than_a_step_waits(void **state)
{
    (void)state;
    glm_error err;
    glm_pace pace;
    engine e = {.fixed_s = 0.001, .stream_s = 0.0005, .token_s = 0.004, .noise = 0.2};
    double mean;
    for (uint32_t n = 1; n <= 4; n += 3) {
        assert_int_equal(glm_pace_init(&pace, 16, &err), GLM_OK);
        double late = run(&pace, &e, n, &mean);
        double alone = e.fixed_s + e.stream_s * n;
        assert_true(late <= 0.7 * alone / e.token_s);
        assert_true(mean * e.token_s <= alone);
        assert_true(mean * e.token_s >= 0.5 * alone);
        glm_pace_deinit(&pace);
    }
}

/* One step that was faster than streams alone must not make prompt tokens look free for long. */
static void a_lucky_step_is_not_believed(void **state)
{
    (void)state;
    glm_error err;
    glm_pace pace;
    engine e = {.fixed_s = 0.004, .stream_s = 0.001, .token_s = 0.001};
    double mean;
    assert_int_equal(glm_pace_init(&pace, 16, &err), GLM_OK);
    (void)run(&pace, &e, 1, &mean);
    for (uint32_t i = 0; i < 5; i++)
        glm_pace_note(&pace, 1, 100, 0.001);
    assert_true(run(&pace, &e, 1, &mean) <= 0.02);
    glm_pace_deinit(&pace);
}

/* Many who come at once are read at the pace that the streams will have with all of them; one alone changes nothing. */
static void who_comes_is_reckoned_with(void **state)
{
    (void)state;
    glm_error err;
    glm_pace pace;
    engine e = {.fixed_s = 0.001, .stream_s = 0.001, .token_s = 0.0001};
    double mean;
    assert_int_equal(glm_pace_init(&pace, 200, &err), GLM_OK);
    (void)run(&pace, &e, 1, &mean);
    assert_true(mean <= 20.0);
    assert_int_equal(glm_pace_budget(&pace, 1, 100, 512, 2.0),
                     160); /* what a stream costs is not known yet: as much as a token */
    (void)run(&pace, &e, 2, &mean);
    uint32_t alone = glm_pace_budget(&pace, 2, 0, 512, 2.0);
    uint32_t n = alone;
    for (uint32_t i = 0; i < 20; i++) {
        n = glm_pace_budget(&pace, 2, 48, 512, 2.0);
        glm_pace_note(&pace, 2, n, n ? step_s(&e, 2, n) : step_s(&e, 2, 0));
    }
    assert_true(alone <= 30 && n > 10 * alone);
    /* Twice the step of 50 streams is not passed. */
    assert_true(step_s(&e, 2, n) <= 2.0 * step_s(&e, 50, 0));
    glm_pace_deinit(&pace);
}

/* Streams that come one behind the other do not cost a step of their own each. */
static void growing_crowds_hold_no_prompt_up(void **state)
{
    (void)state;
    glm_error err;
    glm_pace pace;
    engine e = {.fixed_s = 0.05, .stream_s = 0.0005, .token_s = 0.00001};
    uint32_t n_streams = 1, n_alone = 0, n_steps = 0;
    assert_int_equal(glm_pace_init(&pace, 200, &err), GLM_OK);
    while (n_streams < 200) {
        uint32_t n = glm_pace_budget(&pace, n_streams, 0, 512, 2.0);
        glm_pace_note(&pace, n_streams, n, step_s(&e, n_streams, n));
        n_alone += n == 0;
        n_streams += n / 40; /* prompts of 40 tokens */
        assert_true(++n_steps < 1000);
    }
    assert_true(n_alone <= 20 && n_steps <= 60);
    glm_pace_deinit(&pace);
}

/*
 * A crowd that comes to an engine which knows nothing, or only steps whose pieces were too short to tell a token's cost: having a piece
 * costs as much as many tokens of it, and some steps are interrupted. All have been read after little more than the time that reading
 * takes by itself.
 */
static void a_first_crowd_is_read_soon(void **state)
{
    (void)state;
    for (uint32_t n_before = 0; n_before <= 500; n_before += 500) {
        glm_error err;
        glm_pace pace;
        uint64_t turn = 0;
        assert_int_equal(glm_pace_init(&pace, 200, &err), GLM_OK);
        for (uint32_t i = 0; i < n_before; i++) {
            uint32_t n = glm_pace_budget(&pace, 2, 0, 512, 2.0);
            double s = 0.001 + (n ? 0.0012 : 0.0) + 0.00015 * n;
            glm_pace_note(&pace, 2, n, turn++ % 20 ? s : s + 0.008);
        }
        const uint32_t n_prompt = 34;
        double total_s = 0.0;
        for (uint32_t n_left = 199 * n_prompt; n_left;) {
            uint32_t n_streams = 200 - (n_left + n_prompt - 1) / n_prompt;
            uint32_t n = glm_pace_budget(&pace, n_streams, 199 - n_streams, 512, 2.0);
            n = n < n_left ? n : n_left;
            double s = 0.0008 + 0.00017 * n_streams + (n ? 0.0012 : 0.0) + 0.00015 * n;
            s = turn++ % 20 ? s : s + 0.008;
            glm_pace_note(&pace, n_streams, n, s);
            total_s += s;
            n_left -= n;
        }
        assert_true(total_s <= 2.0 * 199 * n_prompt * 0.00015);
        glm_pace_deinit(&pace);
    }
}

static void without_streams_whole_chunks_are_read(void **state)
{
    (void)state;
    glm_error err;
    glm_pace pace;
    assert_int_equal(glm_pace_init(&pace, 4, &err), GLM_OK);
    assert_int_equal(glm_pace_budget(&pace, 0, 0, 512, 2.0), 512);
    assert_int_equal(glm_pace_budget(&pace, 2, 0, 512, 2.0), 0); /* first to learn their time */
    glm_pace_note(&pace, 2, 0, 0.01);
    assert_int_equal(glm_pace_budget(&pace, 2, 0, 512, 2.0), 1);
    glm_pace_note(&pace, 2, 1, 100.0); /* dear as it is, prompts go on */
    uint32_t n_skipped = 0;
    while (!glm_pace_budget(&pace, 2, 0, 512, 2.0))
        assert_true(++n_skipped < 8);
    assert_int_equal(n_skipped, 7);
    glm_pace_deinit(&pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_fit_engines_of_all_speeds),
        cmocka_unit_test(a_token_dearer_than_a_step_waits),
        cmocka_unit_test(a_lucky_step_is_not_believed),
        cmocka_unit_test(who_comes_is_reckoned_with),
        cmocka_unit_test(growing_crowds_hold_no_prompt_up),
        cmocka_unit_test(a_first_crowd_is_read_soon),
        cmocka_unit_test(without_streams_whole_chunks_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
