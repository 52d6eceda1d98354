// SPDX-License-Identifier: MIT
#include "cli/model.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"

/* ---- Bundled models ---- */

/* The folder this program lies in, or "." when the system does not tell. */
static void program_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0) {
        strcpy(out, ".");
        return;
    }
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    *(slash ? slash : out) = '\0';
}

/* Where bundled models may lie: a folder, perhaps beneath that of the program. */
static const struct {
    bool is_beside_program;
    const char *path;
} bundle_folders[] = {
    {false, "models"},
    {true, "models"},       /* the build tree */
    {true, "../../models"}, /* the checkout around build/<preset> */
    {true, "../share/glm/models"} /* an install prefix, wherever it was moved */,
    {false, GLM_MODELS_DIR}, /* the install prefix it was configured for */
};

/* Find the bundled model `name`; *out is NULL when it is nowhere. */
static glm_status find_bundled(const char *name, char **out, glm_error *err)
{
    char program[PATH_MAX];
    program_folder(program);
    *out = NULL;
    for (size_t i = 0; i < sizeof bundle_folders / sizeof bundle_folders[0]; i++) {
        static const char *const endings[] = {"", ".gguf"};
        for (size_t e = 0; e < 2; e++) {
            char *path = NULL;
            bool is_beside = bundle_folders[i].is_beside_program;
            if (asprintf(&path, "%s%s%s/%s%s", is_beside ? program : "", is_beside ? "/" : "",
                         bundle_folders[i].path, name, endings[e]) < 0)
                return glm_fail(err, GLM_ENOMEM, "path of the bundled model");
            if (access(path, F_OK) == 0) {
                *out = path;
                return GLM_OK;
            }
            free(path);
        }
    }
    return GLM_OK;
}

glm_status cli_model_path(cli_context *cli, const char *name, char **out, glm_error *err)
{
    static const char bundled[] = "nano";
    if (name && (strcmp(name, bundled) != 0 || access(name, F_OK) == 0)) {
        *out = strdup(name);
        return *out ? GLM_OK : glm_fail(err, GLM_ENOMEM, "%s", name);
    }
    glm_status st = find_bundled(bundled, out, err);
    if (st != GLM_OK)
        return st;
    if (*out) {
        if (!name)
            cli_warn(cli, "no MODEL given: using the bundled model %s (%s)", bundled, *out);
        return GLM_OK;
    }
    st = glm_fail(err, GLM_ENOENT, "%s: expected a bundled model in models/, got none", bundled);
    glm_error_hint(err, "name a model folder or a .gguf file");
    return st;
}

/* ---- Opening ---- */

static glm_status open_model(cli_context *cli, const char *name, glm_model **out, char **path,
                             glm_error *err)
{
    const cli_args *args = &cli->args;
    glm_model_params params = glm_model_params_default();
    params.follow_links = cli_flag(args, OPT_FOLLOW_LINKS);
    params.load = cli_choice_is(args, OPT_LOAD, "read") ? GLM_LOAD_READ : GLM_LOAD_MAP;
    params.latent_eps = cli_is_set(args, OPT_LATENT_EPS) ? cli_real(args, OPT_LATENT_EPS) : 0;
    params.progress = cli_progress_report;
    params.progress_ctx = &cli->progress;
    glm_status st = cli_model_path(cli, name, path, err);
    if (st != GLM_OK)
        return st;
    st = glm_model_open(out, *path, &params, err);
    cli_progress_end(&cli->progress);
    return st;
}

glm_status cli_model_open(cli_context *cli, const char *name, glm_model **out, char **path,
                          glm_error *err)
{
    *path = NULL;
    glm_status st = open_model(cli, name, out, path, err);
    if (st != GLM_OK) {
        free(*path);
        *path = NULL;
    }
    return st;
}

glm_engine_params cli_engine_params(const cli_args *args, const cli_engine_needs *needs)
{
    glm_engine_params params = glm_engine_params_default();
    params.n_threads = (uint32_t)cli_count(args, OPT_THREADS);
    params.n_ctx = cli_is_set(args, OPT_CTX) ? (uint32_t)cli_count(args, OPT_CTX) : needs->n_ctx;
    params.n_sessions = needs->n_sessions;
    params.chunk = needs->chunk;
    params.precision =
        cli_choice_is(args, OPT_PRECISION, "exact") ? GLM_PRECISION_EXACT : GLM_PRECISION_FAST;
    params.kv_type = GLM_KV_AUTO;
    if (cli_is_set(args, OPT_KV_TYPE)) /* the choices stand in the order of glm_kv_type */
        params.kv_type = (glm_kv_type)args->values[OPT_KV_TYPE].choice;
    if (cli_is_set(args, OPT_INDEX_TYPE))
        params.index_type = (glm_kv_type)args->values[OPT_INDEX_TYPE].choice;
    if (needs->is_exact) {
        params.precision = GLM_PRECISION_EXACT;
        params.kv_type = params.index_type = GLM_KV_AUTO;
    }
    params.memory_bytes = cli_count(args, OPT_MEMORY);
    params.isa = cli_text(args, OPT_ISA);
    return params;
}

glm_status cli_engine_open(cli_engine *engine, cli_context *cli, const cli_engine_needs *needs,
                           glm_error *err)
{
    const char *name = cli->args.n_arguments > 0 ? cli->args.arguments[0] : NULL;
    return cli_engine_open_named(engine, cli, name, needs, err);
}

glm_status cli_engine_open_named(cli_engine *engine, cli_context *cli, const char *name,
                                 const cli_engine_needs *needs, glm_error *err)
{
    *engine = (cli_engine){0};
    double start = cli_now_s();
    char *path;
    glm_status st = cli_model_open(cli, name, &engine->model, &path, err);
    if (st != GLM_OK)
        return st;
    free(path);
    for (uint32_t i = 0; glm_model_note(engine->model, i); i++)
        cli_note(cli, "%s", glm_model_note(engine->model, i));
    glm_model_get_info(engine->model, &engine->info);
    glm_engine_params params = cli_engine_params(&cli->args, needs);
    if (!cli_is_set(&cli->args, OPT_CTX) && needs->n_ctx_most)
        params.n_ctx =
            engine->info.n_ctx_max < needs->n_ctx_most ? engine->info.n_ctx_max : needs->n_ctx_most;
    st = glm_engine_create(&engine->engine, engine->model, &params, err);
    if (st == GLM_OK && cli_is_interrupted())
        st = glm_fail(err, GLM_ECANCELED, "interrupted");
    if (st != GLM_OK) {
        cli_engine_close(engine);
        return st;
    }
    glm_engine_get_info(engine->engine, &engine->engine_info);
    engine->load_s = cli_now_s() - start;
    if (engine->engine_info.ctx_was_limited)
        cli_note(cli, "memory allows %u of the model's %u tokens of context",
                 engine->engine_info.n_ctx, engine->info.n_ctx_max);
    cli_interrupt_set_engine(engine->engine);
    return GLM_OK;
}

void cli_engine_close(cli_engine *engine)
{
    cli_interrupt_set_engine(NULL);
    glm_engine_destroy(engine->engine);
    glm_model_close(engine->model);
    *engine = (cli_engine){0};
}
