// SPDX-License-Identifier: MIT
/*
 * The same bits: logits and final states of a sequence are compared, bit by bit, with those it has alone, fresh, on
 * one thread and in one piece, for
 *
 *     threads      1, 2, 3, 4
 *     chunk        1, 2, 3, 15, 16, 17, 31, 33, 64, all: of the steps and of the engine
 *     neighbours   none; four sequences of other lengths with the same ids, so that they share experts
 *     history      fresh; forked from a sequence that went another way; rolled back over a page's worth of tokens
 *     numbers      exact precision (f32 cache); fast precision with several types of cache and index keys
 *
 * and, of one number format of weights after the other, for the bundled model written with it.
 *
 * The sequences are longer than index_topk, so selection is at work. The ordinary run takes a pairwise cover of the
 * matrix on nano52 and on the quantised golden files, and five cases for each other format; GLM_TEST_LONG=1 takes all of it there,
 * and the cover on every other golden model and every format.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "glm/glm.h"
#include "glm/quantize.h"
#include "model/golden.h"
#include "quant/formats.h"

#define N_DECODE 6u /* the last tokens always come one by one */
#define N_NEIGHBOURS 4u
#define FORK_AT 37u
#define ROLL_BACK_TO 29u
#define N_NUMBERS 4u
#define N_ASTRAY 70u /* tokens of another way, more than a page of the cache */

enum { THREADS, CHUNK, NEIGHBOURS, HISTORY, NUMBERS, N_AXES };
enum { FRESH, FORKED, ROLLED_BACK };
static const unsigned n_values[N_AXES] = {4, 10, 2, 3, N_NUMBERS};
static const struct {
    const char *name;
    glm_precision precision;
    glm_kv_type kv_type, index_type;
} numbers[N_NUMBERS] = {
    {"exact", GLM_PRECISION_EXACT, GLM_KV_AUTO, GLM_KV_AUTO},
    {"fast", GLM_PRECISION_FAST, GLM_KV_AUTO, GLM_KV_AUTO}, /* f16 and q8 */
    {"fast with a bf16 cache", GLM_PRECISION_FAST, GLM_KV_BF16, GLM_KV_F16},
    {"fast with a q8 cache", GLM_PRECISION_FAST, GLM_KV_Q8, GLM_KV_BF16},
};
static const uint32_t chunks[] = {1, 2, 3, 15, 16, 17, 31, 33, 64, 1000};

typedef struct subject {
    glm_model *model;
    glm_model_info info;
    const int32_t *ids;
    uint32_t n;
    unsigned first_number; /* of the axis NUMBERS */
    /* By kind of numbers: [n, n_vocab] and [n, d_model] of the plain run. */
    float *logits[N_NUMBERS], *hidden[N_NUMBERS];
} subject;

/* What one case computes; rows that it does not compute keep their marks. */
typedef struct run {
    const subject *s;
    glm_engine *engine;
    uint32_t chunk;
    bool has_neighbours;
    glm_session *neighbour[N_NEIGHBOURS];
    unsigned n_steps;
    float *logits, *hidden;
} run;

static void must(glm_status st, const glm_error *err)
{
    if (st != GLM_OK)
        fail_msg("%s", err->text);
}

static void *need(size_t n)
{
    void *p = calloc(1, n);
    assert_non_null(p);
    return p;
}

/* The other sequences of a step: each takes a few ids of the subject's, from its own place on. */
static size_t add_neighbours(run *r, glm_step_item *items, float *logits)
{
    if (!r->has_neighbours)
        return 0;
    for (size_t i = 0; i < N_NEIGHBOURS; i++) {
        glm_error err;
        uint32_t length = glm_session_length(r->neighbour[i]);
        uint32_t n = 1 + (uint32_t)(7 * i + 3 * r->n_steps) % 13;
        if (length + n + i >= r->s->n) {
            must(glm_session_truncate(r->neighbour[i], (uint32_t)i, &err), &err);
            length = (uint32_t)i;
        }
        items[i] = (glm_step_item){
            .session = r->neighbour[i],
            .tokens = r->s->ids + length + i,
            .n_tokens = n,
            .rows = i % 2 ? GLM_ROWS_LAST : GLM_ROWS_NONE,
            .logits = i % 2 ? logits + i * r->s->info.n_vocab : NULL,
        };
    }
    return N_NEIGHBOURS;
}

/* Append tokens to `session` in pieces of the case; with `is_kept` their outputs go to the rows of their positions. */
static void append(run *r, glm_session *session, const int32_t *tokens, uint32_t n, bool is_kept)
{
    const subject *s = r->s;
    float *scratch = need((N_NEIGHBOURS + 1) * s->info.n_vocab * sizeof(float));
    for (uint32_t done = 0; done < n;) {
        uint32_t position = glm_session_length(session);
        uint32_t piece = n - done < r->chunk ? n - done : r->chunk;
        if (is_kept && position + piece > s->n - N_DECODE)
            piece = position < s->n - N_DECODE ? s->n - N_DECODE - position : 1;
        glm_step_item items[N_NEIGHBOURS + 1],
            mine = {
                .session = session,
                .tokens = tokens + done,
                .n_tokens = piece,
                .rows = is_kept ? GLM_ROWS_ALL : GLM_ROWS_NONE,
                .logits = is_kept ? r->logits + (size_t)position * s->info.n_vocab : NULL,
                .hidden = is_kept ? r->hidden + (size_t)position * s->info.d_model : NULL,
            };
        size_t n_items = add_neighbours(r, items, scratch);
        /* Among the others at a place that changes. */
        size_t place = r->n_steps % (n_items + 1);
        items[n_items] = items[place];
        items[place] = mine;
        glm_error err;
        must(glm_step(r->engine, items, n_items + 1, &err), &err);
        done += piece;
        r->n_steps++;
    }
    free(scratch);
}

/* Bring a session to the point from which the subject goes on, by the history of the case. */
static glm_session *prepare(run *r, unsigned history, glm_session **parent)
{
    glm_session *session;
    glm_error err;
    const int32_t *ids = r->s->ids;
    int32_t astray[N_ASTRAY];
    for (uint32_t i = 0; i < N_ASTRAY; i++)
        astray[i] = ids[(i * 5 + 11) % r->s->n];
    must(glm_session_open(&session, r->engine, &err), &err);
    if (history == ROLLED_BACK) {
        append(r, session, ids, FORK_AT, true);
        append(r, session, astray, N_ASTRAY, false);
        must(glm_session_truncate(session, ROLL_BACK_TO, &err), &err);
    }
    if (history != FORKED)
        return session;
    append(r, session, ids, FORK_AT, true);
    append(r, session, astray, 3, false);
    *parent = session;
    must(glm_session_fork(&session, *parent, FORK_AT, &err), &err);
    append(r, session, ids + FORK_AT, 5, true);
    append(r, *parent, astray + 3, N_ASTRAY - 3, false); /* over the same page */
    return session;
}

static void execute(const subject *s, const unsigned *value, const char *isa, float *logits,
                    float *hidden)
{
    run r = {.s = s,
             .chunk = chunks[value[CHUNK]],
             .has_neighbours = value[NEIGHBOURS] == 1,
             .logits = logits,
             .hidden = hidden};
    glm_error err;
    glm_engine_params params = glm_engine_params_default();
    params.n_threads = value[THREADS] + 1;
    params.chunk = r.chunk < 512 ? r.chunk : 512;
    params.n_ctx = s->n + N_ASTRAY + 8;
    params.n_sessions = N_NEIGHBOURS + 2;
    params.precision = numbers[value[NUMBERS]].precision;
    params.kv_type = numbers[value[NUMBERS]].kv_type;
    params.index_type = numbers[value[NUMBERS]].index_type;
    params.isa = isa;
    must(glm_engine_create(&r.engine, s->model, &params, &err), &err);
    for (size_t i = 0; i < N_NEIGHBOURS; i++)
        must(glm_session_open(&r.neighbour[i], r.engine, &err), &err);
    glm_session *parent = NULL, *session = prepare(&r, value[HISTORY], &parent);
    uint32_t length = glm_session_length(session);
    append(&r, session, s->ids + length, s->n - length, true);
    assert_int_equal(glm_session_length(session), s->n);
    glm_session_close(session);
    glm_session_close(parent);
    for (size_t i = 0; i < N_NEIGHBOURS; i++)
        glm_session_close(r.neighbour[i]);
    glm_engine_destroy(r.engine);
}

static void describe(char *text, size_t size, const unsigned *value)
{
    static const char *const history[] = {"fresh", "forked", "rolled back"};
    snprintf(text, size, "%u threads, chunk %u, %s, %s, %s", value[THREADS] + 1,
             chunks[value[CHUNK]], value[NEIGHBOURS] ? "four neighbours" : "alone",
             history[value[HISTORY]], numbers[value[NUMBERS]].name);
}

static void compare(const subject *s, const unsigned *value, const char *isa)
{
    const size_t n_vocab = s->info.n_vocab, d_model = s->info.d_model;
    const unsigned p = value[NUMBERS];
    float *logits = need(s->n * n_vocab * sizeof(float));
    float *hidden = need(s->n * d_model * sizeof(float));
    execute(s, value, isa, logits, hidden);
    for (uint32_t t = 0; t < s->n; t++) {
        char text[160];
        describe(text, sizeof text, value);
        if (memcmp(hidden + t * d_model, s->hidden[p] + t * d_model, d_model * sizeof(float)) != 0)
            fail_msg("%s: final state at position %u has other bits", text, t);
        if (memcmp(logits + t * n_vocab, s->logits[p] + t * n_vocab, n_vocab * sizeof(float)) != 0)
            fail_msg("%s: logits at position %u have other bits", text, t);
    }
    free(logits);
    free(hidden);
}

/* ---- The matrix ---- */

#define VALUES_MAX 10
typedef bool pairs[N_AXES][VALUES_MAX][N_AXES][VALUES_MAX];

/* Pairs of values in `value` that were not seen yet; marks them if `mark`. */
static unsigned new_pairs(pairs seen, const unsigned *value, bool mark)
{
    unsigned n = 0;
    for (unsigned a = 0; a < N_AXES; a++)
        for (unsigned b = a + 1; b < N_AXES; b++) {
            bool *is_seen = &seen[a][value[a]][b][value[b]];
            n += !*is_seen;
            *is_seen |= mark;
        }
    return n;
}

static bool next_case(unsigned *value)
{
    for (unsigned a = 0; a < N_AXES; a++) {
        if (++value[a] < n_values[a])
            return true;
        value[a] = 0;
    }
    return false;
}

/* Take the case with most new pairs until there are none: every two values of two axes meet. */
static unsigned run_pairwise(const subject *s)
{
    static pairs seen;
    memset(seen, 0, sizeof seen);
    for (unsigned n = 0;; n++) {
        unsigned value[N_AXES] = {0}, best[N_AXES] = {0}, most = 0;
        do {
            unsigned count = new_pairs(seen, value, false);
            if (count > most && value[NUMBERS] >= s->first_number) {
                most = count;
                memcpy(best, value, sizeof best);
            }
        } while (next_case(value));
        if (!most)
            return n;
        new_pairs(seen, best, true);
        compare(s, best, NULL);
    }
}

static unsigned run_all(const subject *s)
{
    unsigned value[N_AXES] = {0}, n = 0;
    do {
        compare(s, value, NULL);
        n++;
    } while (next_case(value));
    return n;
}

/* The matrix of an opened model over the first n of `ids`. */
static void check_subject(const char *name, glm_model *model, const int32_t *ids, uint32_t n,
                          unsigned first_number, bool is_whole)
{
    subject s = {.model = model, .ids = ids, .n = n, .first_number = is_whole ? 0 : first_number};
    glm_model_get_info(model, &s.info);
    assert_true(s.n > FORK_AT + N_DECODE && s.info.index_topk < s.n);
    unsigned plain[N_AXES] = {[CHUNK] = 9};
    for (unsigned p = s.first_number; p < N_NUMBERS; p++) {
        plain[NUMBERS] = p;
        s.logits[p] = need(s.n * s.info.n_vocab * sizeof(float));
        s.hidden[p] = need(s.n * s.info.d_model * sizeof(float));
        execute(&s, plain, NULL, s.logits[p], s.hidden[p]);
        if (p == first_number || !first_number || is_whole)
            compare(&s, plain, "scalar");
    }
    unsigned n_cases = is_whole ? run_all(&s) : run_pairwise(&s);
    print_message("%s: %u cases\n", name, n_cases);
    for (unsigned p = 0; p < N_NUMBERS; p++) {
        free(s.logits[p]);
        free(s.hidden[p]);
    }
}

static void check_model(const char *name, bool is_whole)
{
    const char *folder = golden_folder(name);
    if (!folder) {
        print_message("%s is not on this machine: skipped\n", name);
        return;
    }
    glm_error err;
    glm_model *model;
    golden_array ids;
    golden *g = golden_open(folder);
    glm_model_params params = glm_model_params_default();
    must(glm_model_open(&model, folder, &params, &err), &err);
    assert_true(golden_get(g, 0, "input_ids", &ids));
    check_subject(name, model, ids.i, ids.dim[0] < 100 ? (uint32_t)ids.dim[0] : 100, 0, is_whole);
    glm_model_close(model);
    golden_close(g);
}

/* A quantised file: in fast precision its products are of integers. Exact precision, which decodes them slowly, comes with the
 * whole. */
static void check_gguf(const char *name, bool is_whole)
{
    const char *folder = golden_folder("gguf");
    if (!folder) {
        print_message("%s is not on this machine: skipped\n", name);
        return;
    }
    char path[4200];
    int32_t ids[72];
    snprintf(path, sizeof path, "%s/%s.ids", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_int_equal(fscanf(f, "%d", &ids[i]), 1);
    fclose(f);
    snprintf(path, sizeof path, "%s/%s.gguf", folder, name);
    glm_error err;
    glm_model *model;
    glm_model_params params = glm_model_params_default();
    must(glm_model_open(&model, path, &params, &err), &err);
    check_subject(name, model, ids, sizeof ids / sizeof *ids, 1, is_whole);
    glm_model_close(model);
}

static bool is_long(void)
{
    const char *text = getenv("GLM_TEST_LONG");
    return text && strcmp(text, "1") == 0;
}

static void bits_stay_the_same(void **state)
{
    (void)state;
    check_model("nano52", is_long());
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GLM_IS_SANITIZED true
#else
#define GLM_IS_SANITIZED false
#endif

static void bits_stay_the_same_in_quantised_files(void **state)
{
    (void)state;
    check_gguf("Q4_K_M", is_long());
    if (GLM_IS_SANITIZED) {
        print_message("the others take too long with a sanitizer\n");
        return;
    }
    check_gguf("IQ3_XXS", is_long());
    check_gguf("MXFP4_MOE", is_long());
}

/* ---- Every format of weights ---- */

#define FORMAT_TOKENS 140u /* the bundled model selects 128 */

/* The bundled model with two layers, one dense and one of experts, in this format; the rest is Q8_0. */
static void write_format(const char *path, const char *format)
{
    static glm_quantize_report report;
    glm_error err;
    glm_quantize_params params = glm_quantize_params_default();
    const glm_quantize_rule rule = {"^blk\\.[03]\\.", format};
    params.type = "Q8_0";
    params.rules = &rule;
    params.n_rules = 1;
    must(glm_quantize(GLM_SOURCE_DIR "/models/nano", path, &params, &report, &err), &err);
    uint64_t n = 0;
    for (uint32_t i = 0; i < report.n_group; i++)
        if (strcmp(report.group[i].type, format) == 0)
            n += report.group[i].n_params;
    assert_true(n > 1000000);
}

/* Five cases for the index-th format: pieces of five sizes, and with them every number of threads, every history, with and without
 * neighbours. Formats begin at other values, so that these meet in many ways. Neighbours of pieces of one token, which take longest,
 * come with the last tokens of the other cases. */
static unsigned run_some(const subject *s, unsigned index)
{
    static const unsigned pieces[] = {0, 2, 5, 7, 8}; /* of 1, 3, 17, 33, 64 tokens */
    const unsigned n = sizeof pieces / sizeof *pieces;
    for (unsigned c = 0; c < n; c++) {
        const unsigned value[N_AXES] = {[THREADS] = (c + index) % 4,
                                        [CHUNK] = pieces[c],
                                        [NEIGHBOURS] = c ? (c / 2 + index) % 2 : 0,
                                        [HISTORY] = (c + index) % 3,
                                        [NUMBERS] = 1};
        compare(s, value, NULL);
    }
    return n;
}

static void check_format(const char *format, unsigned index)
{
    char path[64];
    glm_error err;
    int32_t ids[FORMAT_TOKENS];
    snprintf(path, sizeof path, "determinism-%ld.gguf", (long)getpid());
    write_format(path, format);
    subject s = {.ids = ids, .n = FORMAT_TOKENS, .first_number = 1};
    glm_model_params params = glm_model_params_default();
    must(glm_model_open(&s.model, path, &params, &err), &err);
    unlink(path);
    glm_model_get_info(s.model, &s.info);
    assert_true(s.info.index_topk < s.n);
    for (uint32_t i = 0; i < s.n; i++)
        ids[i] = (int32_t)((i * 7919u + i * i * 31u) % s.info.n_vocab);
    if (is_long()) {
        check_subject(format, s.model, ids, s.n, 1, false);
    } else {
        const unsigned plain[N_AXES] = {[CHUNK] = 9, [NUMBERS] = 1};
        s.logits[1] = need((size_t)s.n * s.info.n_vocab * sizeof(float));
        s.hidden[1] = need((size_t)s.n * s.info.d_model * sizeof(float));
        execute(&s, plain, NULL, s.logits[1], s.hidden[1]);
        print_message("%s: %u cases\n", format, run_some(&s, index));
        free(s.logits[1]);
        free(s.hidden[1]);
    }
    glm_model_close(s.model);
}

static void bits_stay_the_same_in_every_format(void **state)
{
    (void)state;
    if (getenv("GLM_TEST_SMALL") || GLM_IS_SANITIZED) {
        print_message("too slow under an emulator or a sanitizer\n");
        skip();
    }
    static const char *const formats[] = {
#define NAME(upper, lower, n) #upper,
        GLM_BLOCK_FORMATS(NAME)
#undef NAME
    };
    for (unsigned i = 0; i < sizeof formats / sizeof *formats; i++)
        check_format(formats[i], i);
}

static void bits_stay_the_same_in_other_models(void **state)
{
    (void)state;
    if (!is_long()) {
        print_message("the other models come with GLM_TEST_LONG=1\n");
        skip();
    }
    check_model("nano5", false);
    check_model("lite", false);
    check_model("mid52", false);
    check_model("mid52-fp8", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_stay_the_same),
        cmocka_unit_test(bits_stay_the_same_in_quantised_files),
        cmocka_unit_test(bits_stay_the_same_in_every_format),
        cmocka_unit_test(bits_stay_the_same_in_other_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
