// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bandwidth.h"
#include "cli/ids.h"
#include "cli/interrupt.h"
#include "cli/model.h"
#include "cli/numbers.h"
#include "core/json_write.h"
#include "core/mem.h"

#define BANDWIDTH_BUFFER ((size_t)512 << 20)

typedef struct counts {
    uint64_t data[CLI_COUNTS_MAX];
    size_t n;
} counts;

/* What one token of the model reads, from the package's directory. */
typedef struct weight_bytes {
    double always;  /* read whole in every step */
    double experts; /* all routed experts; a step reads those that were chosen */
} weight_bytes;

typedef struct bench {
    cli_context *cli;
    cli_engine engine;
    weight_bytes weights;
    double read_limit; /* bytes a second, or 0 when it could not be measured */
    glm_session **sessions;
    glm_step_item *items;
    int32_t *tokens; /* random ids, enough for the longest step */
    float *logits;   /* [batch_max, n_vocab] */
    uint64_t rng;
    size_t n_runs;
    double *times;        /* [n_runs] */
    glm_json_writer json; /* used with --json */
    bool is_json;
} bench;

typedef struct bench_case {
    bool is_prompt;
    uint32_t n_tokens, depth, batch;
} bench_case;

static void read_counts(const cli_args *args, cli_option_id id, counts *out)
{
    if (!cli_parse_counts(cli_text(args, id), out->data, CLI_COUNTS_MAX, &out->n))
        out->n = 0; /* cannot be: the option was checked when it was read */
}

static uint64_t largest(const counts *c)
{
    uint64_t max = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->data[i] > max)
            max = c->data[i];
    return max;
}

/* splitmix64; the ids only have to differ */
static int32_t random_id(bench *b)
{
    b->rng += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = b->rng;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    uint32_t n = b->engine.info.n_token ? b->engine.info.n_token : b->engine.info.n_vocab;
    return (int32_t)((z ^ (z >> 31)) % n);
}

static void count_weights(bench *b)
{
    glm_tensor_desc t;
    for (uint32_t i = 0; glm_model_tensor(b->engine.model, i, &t); i++) {
        if (strcmp(t.class_name, "experts") == 0)
            b->weights.experts += (double)t.size_bytes;
        else if (strcmp(t.class_name, "mtp") != 0 && strcmp(t.class_name, "ignored") != 0 &&
                 strcmp(t.class_name, "embedding") != 0)
            b->weights.always += (double)t.size_bytes;
    }
}

/* Bytes of weights that a step over n tokens reads. Each token chooses its experts evenly and
 * independently, so 1 - (1 - used/all)^n of them are read: an expectation, not a count. */
static double step_bytes(const bench *b, double n)
{
    const glm_model_info *m = &b->engine.info;
    double share = m->n_expert ? 1 - pow(1 - (double)m->n_expert_used / m->n_expert, n) : 0;
    return b->weights.always + share * b->weights.experts;
}

static double bytes_per_token(const bench *b, const bench_case *c)
{
    if (!c->is_prompt)
        return step_bytes(b, c->batch) / c->batch;
    uint32_t chunk = b->engine.engine_info.chunk;
    double bytes = 0;
    for (uint32_t done = 0; done < c->n_tokens; done += chunk) {
        uint32_t n = c->n_tokens - done < chunk ? c->n_tokens - done : chunk;
        bytes += step_bytes(b, (double)n * c->batch);
    }
    return bytes / ((double)c->n_tokens * c->batch);
}

/* ---- Runs ---- */

/* One step that appends n random tokens to each of the first `batch` sessions. */
static glm_status step(bench *b, uint32_t batch, uint32_t n, bool has_logits, glm_error *err)
{
    if (cli_is_interrupted())
        return glm_fail(err, GLM_ECANCELED, "interrupted");
    for (uint32_t i = 0; i < batch; i++) {
        int32_t *tokens = b->tokens + (size_t)i * n;
        for (uint32_t t = 0; t < n; t++)
            tokens[t] = random_id(b);
        b->items[i] = (glm_step_item){
            .session = b->sessions[i],
            .tokens = tokens,
            .n_tokens = n,
            .rows = has_logits ? GLM_ROWS_LAST : GLM_ROWS_NONE,
            .logits = has_logits ? b->logits + (size_t)i * b->engine.info.n_vocab : NULL};
    }
    return glm_step(b->engine.engine, b->items, batch, err);
}

/* Bring the sessions of a case to its depth. */
static glm_status set_depth(bench *b, const bench_case *c, glm_error *err)
{
    for (uint32_t i = 0; i < c->batch; i++) {
        uint32_t length = glm_session_length(b->sessions[i]);
        if (length <= c->depth)
            continue;
        glm_status st = glm_session_truncate(b->sessions[i], c->depth, err);
        if (st != GLM_OK)
            return st;
    }
    for (uint32_t i = 0; i < c->batch; i++) {
        uint32_t length = glm_session_length(b->sessions[i]);
        uint32_t chunk = b->engine.engine_info.chunk;
        while (length < c->depth) {
            uint32_t n = c->depth - length < chunk ? c->depth - length : chunk;
            glm_session *first = b->sessions[0];
            b->sessions[0] = b->sessions[i];
            glm_status st = step(b, 1, n, false, err);
            b->sessions[0] = first;
            if (st != GLM_OK)
                return st;
            length += n;
        }
    }
    return GLM_OK;
}

static glm_status run_once(bench *b, const bench_case *c, double *seconds, glm_error *err)
{
    glm_status st = set_depth(b, c, err);
    double start = cli_now_s();
    if (c->is_prompt) {
        if (st == GLM_OK)
            st = step(b, c->batch, c->n_tokens, true, err);
    } else {
        for (uint32_t t = 0; t < c->n_tokens && st == GLM_OK; t++)
            st = step(b, c->batch, 1, true, err);
    }
    *seconds = cli_now_s() - start;
    return st;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Share of the weights that have been touched that lie in large pages; NaN when it is not known. */
static double large_page_share(const bench *b)
{
    uint64_t resident, large;
    glm_model_residency(b->engine.model, &resident, &large);
    return resident > 0 ? (double)large / (double)resident : NAN;
}

static void write_json(bench *b, const bench_case *c, const double speed[3], double bytes)
{
    glm_json_writer *w = &b->json;
    double median = speed[0];
    glm_json_begin_object(w);
    glm_json_put_c(w, "case", c->is_prompt ? "prompt" : "gen");
    glm_json_put_u64(w, "tokens", c->n_tokens);
    glm_json_put_u64(w, "depth", c->depth);
    glm_json_put_u64(w, "batch", c->batch);
    glm_json_put_u64(w, "threads", b->engine.engine_info.n_threads);
    glm_json_put_u64(w, "runs", b->n_runs);
    glm_json_write_key(w, "tok_s");
    glm_json_begin_object(w);
    static const char *const keys[3] = {"median", "min", "max"};
    for (size_t i = 0; i < 3; i++) {
        glm_json_put_double(w, keys[i], speed[i]);
    }
    glm_json_end_object(w);
    glm_json_put_double(w, "bytes_per_token", bytes);
    glm_json_put_double(w, "read_gbs", bytes * median / 1e9);
    glm_json_put_double(w, "share_of_read_limit",
                        b->read_limit > 0 ? bytes * median / b->read_limit : NAN);
    glm_json_put_double(w, "large_page_share", large_page_share(b));
    glm_json_end_object(w);
}

static void write_text(bench *b, const bench_case *c, const double speed[3], double bytes)
{
    char share[16] = "-";
    if (b->read_limit > 0)
        snprintf(share, sizeof share, "%.1f %%", 100 * bytes * speed[0] / b->read_limit);
    cli_printf(&b->cli->out, "%-8s%8u%8u%8u%12.1f%12.1f%12.1f%10.2f%10s\n",
               c->is_prompt ? "prompt" : "gen", c->n_tokens, c->depth, c->batch, speed[0], speed[1],
               speed[2], bytes * speed[0] / 1e9, share);
}

static glm_status run_case(bench *b, const bench_case *c, glm_error *err)
{
    double warm_up;
    glm_status st = run_once(b, c, &warm_up, err);
    for (size_t r = 0; r < b->n_runs && st == GLM_OK; r++)
        st = run_once(b, c, &b->times[r], err);
    if (st != GLM_OK)
        return st;
    qsort(b->times, b->n_runs, sizeof *b->times, compare_doubles);
    double n = (double)c->n_tokens * c->batch;
    size_t middle = b->n_runs / 2;
    double median =
        b->n_runs % 2 ? b->times[middle] : (b->times[middle - 1] + b->times[middle]) / 2;
    const double speed[3] = {n / median, n / b->times[b->n_runs - 1], n / b->times[0]};
    double bytes = bytes_per_token(b, c);
    if (b->is_json) {
        write_json(b, c, speed, bytes);
        return GLM_OK;
    }
    write_text(b, c, speed, bytes);
    return cli_out_flush(&b->cli->out, err);
}

/* ---- All cases ---- */

typedef struct bench_lists {
    counts prompt, gen, depth, batch;
} bench_lists;

static glm_status run_cases(bench *b, const bench_lists *lists, glm_error *err)
{
    uint64_t n_cases = lists->batch.n * lists->depth.n * (lists->prompt.n + lists->gen.n);
    uint64_t n_done = 0;
    for (size_t i = 0; i < lists->batch.n; i++)
        for (size_t j = 0; j < lists->depth.n; j++)
            for (size_t k = 0; k < lists->prompt.n + lists->gen.n; k++) {
                bool is_prompt = k < lists->prompt.n;
                uint64_t n =
                    is_prompt ? lists->prompt.data[k] : lists->gen.data[k - lists->prompt.n];
                bench_case c = {.is_prompt = is_prompt,
                                .n_tokens = (uint32_t)n,
                                .depth = (uint32_t)lists->depth.data[j],
                                .batch = (uint32_t)lists->batch.data[i]};
                cli_progress_report(&b->cli->progress, "bench", n_done++, n_cases);
                if (b->cli->progress.mode == PROGRESS_BAR && b->cli->out.is_terminal)
                    cli_progress_end(&b->cli->progress); /* the table is its own progress */
                glm_status st = n > 0 ? run_case(b, &c, err) : GLM_OK;
                if (st != GLM_OK)
                    return st;
            }
    cli_progress_report(&b->cli->progress, "bench", n_cases, n_cases);
    return GLM_OK;
}

static glm_status make_room(bench *b, const bench_lists *lists, uint32_t n_ctx, glm_error *err)
{
    uint32_t batch = (uint32_t)largest(&lists->batch);
    if (b->engine.engine_info.n_ctx < n_ctx)
        return glm_fail(err, GLM_ELIMIT, "bench: expected a context of %u tokens, got %u", n_ctx,
                        b->engine.engine_info.n_ctx);
    b->n_runs = (size_t)cli_count(&b->cli->args, OPT_BENCH_RUNS);
    b->sessions = glm_new_array(glm_session *, batch);
    b->items = glm_new_array(glm_step_item, batch);
    b->tokens = glm_new_array(int32_t, glm_mul_size(n_ctx, batch));
    b->logits = glm_new_array(float, glm_mul_size(batch, b->engine.info.n_vocab));
    b->times = glm_new_array(double, b->n_runs);
    if (!b->sessions || !b->items || !b->tokens || !b->logits || !b->times)
        return glm_fail(err, GLM_ENOMEM, "bench: %u sequences of %u tokens", batch, n_ctx);
    for (uint32_t i = 0; i < batch; i++) {
        glm_status st = glm_session_open(&b->sessions[i], b->engine.engine, err);
        if (st != GLM_OK)
            return st;
    }
    return GLM_OK;
}

static glm_status run_bench(bench *b, const bench_lists *lists, uint32_t n_ctx, glm_error *err)
{
    glm_status st = make_room(b, lists, n_ctx, err);
    if (st != GLM_OK)
        return st;
    count_weights(b);
    b->rng = cli_is_set(&b->cli->args, OPT_SEED) ? cli_count(&b->cli->args, OPT_SEED) : 1;
    b->read_limit = cli_read_bandwidth(b->engine.engine_info.n_threads, BANDWIDTH_BUFFER);
    if (!b->is_json) {
        cli_printf(&b->cli->out, "threads %u, isa %s, memory read limit %.2f GB/s, %zu runs\n\n",
                   b->engine.engine_info.n_threads, b->engine.engine_info.isa, b->read_limit / 1e9,
                   b->n_runs);
        cli_printf(&b->cli->out, "%-8s%8s%8s%8s%12s%12s%12s%10s%10s\n", "case", "tokens", "depth",
                   "batch", "median t/s", "min", "max", "GB/s", "of limit");
        st = run_cases(b, lists, err);
        double share = large_page_share(b);
        if (st == GLM_OK && !isnan(share))
            cli_printf(&b->cli->out, "\n%.0f %% of the weights in memory lie in large pages\n",
                       100 * share);
        return st;
    }
    glm_str json = {0};
    b->json = glm_json_writer_of(&json);
    glm_json_begin_array(&b->json);
    st = run_cases(b, lists, err);
    glm_json_end_array(&b->json);
    cli_progress_end(&b->cli->progress);
    if (st == GLM_OK)
        st = cli_out_json(&b->cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

glm_status cmd_bench(cli_context *cli, glm_error *err)
{
    bench b = {.cli = cli, .is_json = cli_flag(&cli->args, OPT_JSON)};
    bench_lists lists;
    read_counts(&cli->args, OPT_BENCH_PROMPT, &lists.prompt);
    read_counts(&cli->args, OPT_BENCH_GEN, &lists.gen);
    read_counts(&cli->args, OPT_BENCH_DEPTH, &lists.depth);
    read_counts(&cli->args, OPT_BENCH_BATCH, &lists.batch);
    uint64_t n_prompt = largest(&lists.prompt), n_gen = largest(&lists.gen);
    uint64_t n_ctx = largest(&lists.depth) + (n_prompt > n_gen ? n_prompt : n_gen);
    if (n_prompt == 0 && n_gen == 0)
        return glm_fail(err, GLM_EARG, "--prompt and --gen: expected one above 0, got none");

    uint32_t batch = (uint32_t)largest(&lists.batch);
    cli_engine_needs needs = {.n_sessions = batch, .n_ctx = (uint32_t)n_ctx};
    glm_status st = cli_engine_open(&b.engine, cli, &needs, err);
    if (st != GLM_OK)
        return st;
    st = run_bench(&b, &lists, (uint32_t)n_ctx, err);
    for (uint32_t i = 0; b.sessions && i < batch; i++)
        glm_session_close(b.sessions[i]);
    free(b.sessions);
    free(b.items);
    free(b.tokens);
    free(b.logits);
    free(b.times);
    cli_engine_close(&b.engine);
    return st;
}
