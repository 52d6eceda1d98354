// SPDX-License-Identifier: MIT
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model.h"
#include "cli/npy.h"
#include "cli/tokens.h"
#include "core/json_write.h"
#include "core/mem.h"

#define DUMP_FILES_MAX 1024 /* four a layer and three more */
#define DUMP_NAME_MAX 64

typedef struct dump_file {
    char name[DUMP_NAME_MAX];
    cli_npy *npy;
} dump_file;

/* A run of `glm score`. */
typedef struct scoring {
    cli_context *cli;
    cli_engine engine;
    cli_ids ids;
    cli_npy *logits;
    const char *dump_dir;
    dump_file *dumps; /* [n_dumps], room for DUMP_FILES_MAX */
    size_t n_dumps;
    double nll; /* sum over the rows so far */
    size_t n_rows;
    glm_status tap_status; /* what went wrong inside the tap, which cannot return it */
    glm_error tap_err;
} scoring;

/* ---- Dumps ---- */

static glm_status find_dump(scoring *s, const glm_tap *tap, dump_file **out, glm_error *err)
{
    for (size_t i = 0; i < s->n_dumps; i++)
        if (strcmp(s->dumps[i].name, tap->name) == 0) {
            *out = &s->dumps[i];
            return GLM_OK;
        }
    if (s->n_dumps == DUMP_FILES_MAX || strlen(tap->name) >= DUMP_NAME_MAX)
        return glm_fail(err, GLM_EINTERNAL, "%s: expected at most %d arrays", tap->name,
                        DUMP_FILES_MAX);
    char *path = NULL;
    if (asprintf(&path, "%s/%s.npy", s->dump_dir, tap->name) < 0)
        return glm_fail(err, GLM_ENOMEM, "%s", tap->name);
    dump_file *file = &s->dumps[s->n_dumps];
    glm_status st = cli_npy_open(&file->npy, path, tap->is_int, s->ids.n, tap->n_cols, err);
    free(path);
    if (st != GLM_OK)
        return st;
    strcpy(file->name, tap->name);
    s->n_dumps++;
    *out = file;
    return GLM_OK;
}

static glm_status dump_rows(scoring *s, const glm_tap *tap, glm_error *err)
{
    dump_file *file = NULL;
    glm_status st = find_dump(s, tap, &file, err);
    if (st != GLM_OK)
        return st;
    if (tap->position != cli_npy_rows(file->npy) || tap->n_cols != cli_npy_cols(file->npy))
        return glm_fail(err, GLM_EINTERNAL, "%s: expected row %zu of %zu columns, got %u of %zu",
                        tap->name, cli_npy_rows(file->npy), cli_npy_cols(file->npy), tap->position,
                        tap->n_cols);
    return cli_npy_append(file->npy, tap->data, tap->n_rows, err);
}

static void on_tap(void *ctx, const glm_tap *tap)
{
    scoring *s = ctx;
    if (s->tap_status == GLM_OK)
        s->tap_status = dump_rows(s, tap, &s->tap_err);
}

static glm_status begin_dump(scoring *s, glm_error *err)
{
    struct stat info;
    if (mkdir(s->dump_dir, 0777) != 0 &&
        (errno != EEXIST || stat(s->dump_dir, &info) != 0 || !S_ISDIR(info.st_mode)))
        return glm_fail(err, errno == ENOENT ? GLM_ENOENT : GLM_EIO, "%s: creating: %s",
                        s->dump_dir, strerror(errno));
    s->dumps = glm_new_array(dump_file, DUMP_FILES_MAX);
    if (!s->dumps)
        return glm_fail(err, GLM_ENOMEM, "--dump");
    glm_engine_set_tap(s->engine.engine, on_tap, s);
    return GLM_OK;
}

/* ---- Rows ---- */

static glm_status on_block(void *ctx, const glm_score_block *block, glm_error *err)
{
    scoring *s = ctx;
    if (s->tap_status != GLM_OK)
        return glm_fail(err, s->tap_status, "%s", s->tap_err.text);
    if (cli_is_interrupted())
        return glm_fail(err, GLM_ECANCELED, "interrupted");
    for (size_t r = 0; r < block->n_rows && block->first + r + 1 < s->ids.n; r++)
        s->nll -= block->logprob[r];
    s->n_rows += block->n_rows;
    cli_progress_report(&s->cli->progress, "scoring", s->n_rows, s->ids.n);
    return s->logits ? cli_npy_append(s->logits, block->logits, block->n_rows, err) : GLM_OK;
}

/* Put all arrays in their places. */
static glm_status finish_files(scoring *s, glm_error *err)
{
    if (s->tap_status != GLM_OK)
        return glm_fail(err, s->tap_status, "%s", s->tap_err.text);
    glm_status st = GLM_OK;
    for (size_t i = 0; i < s->n_dumps && st == GLM_OK; i++) {
        st = cli_npy_finish(s->dumps[i].npy, err);
        s->dumps[i].npy = NULL;
    }
    if (st == GLM_OK && s->logits) {
        st = cli_npy_finish(s->logits, err);
        s->logits = NULL;
    }
    return st;
}

static glm_status print_result(scoring *s, glm_error *err)
{
    size_t n = s->ids.n;
    double mean = n > 1 ? s->nll / (double)(n - 1) : NAN; /* one token predicts nothing */
    double perplexity = exp(mean);
    if (n > 1 && !isfinite(mean))
        return glm_fail(err, GLM_ENUMERIC, "mean_nll: expected a finite number, got %g", mean);
    if (!cli_flag(&s->cli->args, OPT_JSON)) {
        cli_printf(&s->cli->out, "tokens      %zu\n", n);
        if (n > 1)
            cli_printf(&s->cli->out, "mean nll    %.9g\nperplexity  %.9g\n", mean, perplexity);
        else
            cli_puts(&s->cli->out, "mean nll    -\nperplexity  -\n");
        return GLM_OK;
    }
    glm_str json = {0};
    glm_json_writer w = glm_json_writer_of(&json);
    glm_json_begin_object(&w);
    glm_json_put_u64(&w, "tokens", n);
    glm_json_put_double(&w, "mean_nll", mean);
    glm_json_put_double(&w, "perplexity", perplexity);
    glm_json_end_object(&w);
    glm_status st = cli_out_json(&s->cli->out, &json, err);
    glm_str_deinit(&json);
    return st;
}

static glm_status score(scoring *s, glm_error *err)
{
    const cli_args *args = &s->cli->args;
    if (s->ids.n > s->engine.engine_info.n_ctx)
        return glm_fail(err, GLM_ELIMIT, "the tokens: expected at most %u, the context, got %zu",
                        s->engine.engine_info.n_ctx, s->ids.n);
    glm_status st = GLM_OK;
    if (cli_is_set(args, OPT_LOGITS))
        st = cli_npy_open(&s->logits, cli_text(args, OPT_LOGITS), false, s->ids.n,
                          s->engine.info.n_vocab, err);
    s->dump_dir = cli_text(args, OPT_DUMP);
    if (st == GLM_OK && s->dump_dir)
        st = begin_dump(s, err);
    glm_session *session = NULL;
    if (st == GLM_OK)
        st = glm_session_open(&session, s->engine.engine, err);
    if (st == GLM_OK)
        st = glm_score(session, s->ids.data, s->ids.n, (uint32_t)cli_count(args, OPT_CHUNK),
                       on_block, s, err);
    glm_session_close(session);
    cli_progress_end(&s->cli->progress);
    if (st == GLM_OK)
        st = finish_files(s, err);
    return st == GLM_OK ? print_result(s, err) : st;
}

static glm_status read_ids(scoring *s, glm_error *err)
{
    const cli_args *args = &s->cli->args;
    if (cli_is_set(args, OPT_IDS)) {
        const cli_value *value = &args->values[OPT_IDS];
        return cli_ids_check(&s->ids, s->engine.info.n_vocab, value->where, err);
    }
    glm_str text = {0};
    const char *path = cli_text(args, OPT_SCORE_TEXT);
    glm_status st = cli_read_file(&text, path, CLI_INPUT_MAX, err);
    if (st == GLM_OK)
        st = cli_encode(glm_model_tokenizer(s->engine.model), text.data, text.length, true, &s->ids,
                        err);
    glm_str_deinit(&text);
    if (st == GLM_OK && s->ids.n == 0)
        st = glm_fail(err, GLM_EARG, "%s: expected text, got nothing", cli_input_name(path));
    return st;
}

glm_status cmd_score(cli_context *cli, glm_error *err)
{
    const cli_args *args = &cli->args;
    if (!cli_is_set(args, OPT_IDS) && !cli_is_set(args, OPT_SCORE_TEXT))
        return glm_fail(err, GLM_EARG, "score: expected --ids LIST or --text FILE, got neither");
    scoring s = {.cli = cli};
    glm_status st = GLM_OK;
    if (cli_is_set(args, OPT_IDS)) /* read before the model, so that a bad list fails at once */
        st = cli_ids_of_option(&s.ids, cli_text(args, OPT_IDS), args->values[OPT_IDS].where, err);
    cli_engine_needs needs = {.chunk = (uint32_t)cli_count(args, OPT_CHUNK)};
    if (s.ids.n > 0 && s.ids.n <= UINT32_MAX) /* a cache no larger than the list needs */
        needs.n_ctx = (uint32_t)s.ids.n;
    if (st == GLM_OK)
        st = cli_engine_open(&s.engine, cli, &needs, err);
    if (st == GLM_OK) {
        st = read_ids(&s, err);
        if (st == GLM_OK)
            st = score(&s, err);
    }
    cli_npy_abandon(s.logits);
    for (size_t i = 0; i < s.n_dumps; i++)
        cli_npy_abandon(s.dumps[i].npy);
    free(s.dumps);
    cli_ids_deinit(&s.ids);
    cli_engine_close(&s.engine);
    return st;
}
