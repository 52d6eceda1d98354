// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "core/mem.h"
#include "core/topology.h"
#include "core/vmem.h"
#include "engine/engine_internal.h"

#define DEFAULT_CHUNK 512u
#define CHUNK_MAX 8192u
#define OUT_ROWS_MAX 64u
#define SESSIONS_MAX 65536u
#define THREADS_MAX 1024u
/* A context below this is of no use; rather refuse. */
#define CTX_MIN 64u

glm_engine_params glm_engine_params_default(void)
{
    return (glm_engine_params){
        .precision = GLM_PRECISION_FAST, .kv_type = GLM_KV_AUTO, .index_type = GLM_KV_AUTO};
}

/* ---- The memory plan ---- */

typedef struct plan {
    size_t scratch; /* activations, tables, workers' memory */
    size_t page;    /* one KV page */
    size_t kv;      /* all pages */
    size_t weights; /* read into memory, not mapped */
    uint32_t n_page;
} plan;

static glm_kv_store kv_store_type(glm_kv_type type)
{
    return type == GLM_KV_F32   ? GLM_KV_STORE_F32
           : type == GLM_KV_F16 ? GLM_KV_STORE_F16
           : type == GLM_KV_Q8  ? GLM_KV_STORE_Q8
                                : GLM_KV_STORE_BF16;
}

static glm_kv_shape kv_shape(const glm_engine *e, uint32_t n_page)
{
    const glm_config *c = &e->model->config;
    return (glm_kv_shape){
        .n_layer = c->n_layer,
        .n_row = c->kv_rank + c->d_rope,
        .d_index = c->index_d_head,
        .owns_indexer = c->owns_indexer,
        .type = kv_store_type(e->info.kv_type),
        .index_type = kv_store_type(e->info.index_type),
        .layout = GLM_KV_BY_GROUP,
        .n_page = n_page,
    };
}

/* What an engine with a context of n_ctx needs. */
static plan make_plan(const glm_engine *e, uint32_t n_ctx)
{
    const glm_config *c = &e->model->config;
    plan p = {0};
    glm_kv_shape shape = kv_shape(e, 0);
    p.page = glm_kv_page_bytes(&shape);
    size_t pages = n_ctx / GLM_KV_PAGE_TOKENS + (n_ctx % GLM_KV_PAGE_TOKENS != 0);
    pages = glm_mul_size(pages + 1, e->info.n_sessions); /* one spare each, for a copy at a fork */
    p.n_page = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
    p.kv = glm_mul_size(pages, p.page);
    glm_backend_limits limits;
    glm_forward_limits(&limits, c, e->info.chunk, n_ctx);
    limits.is_integer = e->info.precision == GLM_PRECISION_FAST;
    p.scratch = glm_cpu_backend_bytes(&limits, e->info.n_threads);
    p.scratch = glm_add_size(p.scratch, glm_forward_bytes(c, e->info.chunk, e->n_out));
    p.scratch = glm_add_size(p.scratch, glm_block_bytes(c, e->info.chunk));
    if (e->model->load == GLM_LOAD_READ)
        for (uint32_t i = 0; i < glm_tensor_file_parts(e->model->file); i++)
            p.weights =
                glm_add_size(p.weights, (size_t)glm_tensor_file_part_bytes(e->model->file, i));
    return p;
}

static size_t plan_bytes(const plan *p)
{
    return glm_add_size(glm_add_size(p->scratch, p->kv), p->weights);
}

/* The longest context whose plan fits, at most n_ctx; 0 when none does. */
static uint32_t longest_context(const glm_engine *e, uint32_t n_ctx, uint64_t budget)
{
    uint32_t fits = 0, too_long = n_ctx + 1;
    while (too_long - fits > 1) {
        uint32_t middle = fits + (too_long - fits) / 2;
        plan p = make_plan(e, middle);
        if (plan_bytes(&p) <= budget)
            fits = middle;
        else
            too_long = middle;
    }
    return fits;
}

static glm_status plan_memory(glm_engine *e, const glm_engine_params *params, plan *out,
                              glm_error *err)
{
    uint32_t n_ctx_max = e->model->config.n_ctx_max;
    if (params->n_ctx > n_ctx_max)
        return glm_fail(err, GLM_ELIMIT, "context: expected at most the model's %u tokens, got %u",
                        n_ctx_max, params->n_ctx);
    uint64_t budget = params->memory_bytes;
    if (!budget) {
        uint64_t available = glm_vmem_available();
        budget = available ? available / 8 * 7 : UINT64_MAX;
    }
    uint32_t n_ctx = params->n_ctx ? params->n_ctx : n_ctx_max;
    plan p = make_plan(e, n_ctx);
    if (plan_bytes(&p) > budget && !params->n_ctx) {
        uint32_t longest = longest_context(e, n_ctx, budget);
        if (longest >= CTX_MIN || longest >= n_ctx_max) {
            e->info.ctx_was_limited = true;
            n_ctx = longest;
            p = make_plan(e, n_ctx);
        }
    }
    if (plan_bytes(&p) > budget) {
        glm_status st = glm_fail(
            err, GLM_ELIMIT,
            "memory: expected at most %llu bytes, got %zu for a context of %u tokens (cache %zu, "
            "scratch %zu, weights %zu)",
            (unsigned long long)budget, plan_bytes(&p), n_ctx, p.kv, p.scratch, p.weights);
        glm_error_hint(err, "lower the context, the number of sessions or the cache type");
        return st;
    }
    e->info.n_ctx = n_ctx;
    e->info.memory_bytes = plan_bytes(&p);
    e->info.kv_bytes = p.kv;
    *out = p;
    return GLM_OK;
}

/* ---- Creation ---- */

static glm_status check_params(glm_engine *e, const glm_engine_params *params, glm_isa *isa,
                               glm_error *err)
{
    *isa = glm_kernels_best_isa();
    if (params->isa && !glm_isa_parse(params->isa, isa))
        return glm_fail(err, GLM_EARG, "instruction set: no level is called %.32s", params->isa);
    if (!glm_isa_is_usable(*isa))
        return glm_fail(err, GLM_EARG, "instruction set: expected at most %s here, got %.32s",
                        glm_isa_name(glm_kernels_best_isa()), params->isa);
    if (params->n_threads > THREADS_MAX)
        return glm_fail(err, GLM_EARG, "threads: expected at most %u, got %u", THREADS_MAX,
                        params->n_threads);
    if (params->chunk > CHUNK_MAX)
        return glm_fail(err, GLM_EARG, "chunk: expected at most %u tokens, got %u", CHUNK_MAX,
                        params->chunk);
    if (params->n_sessions > SESSIONS_MAX)
        return glm_fail(err, GLM_EARG, "sessions: expected at most %u, got %u", SESSIONS_MAX,
                        params->n_sessions);
    glm_kv_type automatic = params->precision == GLM_PRECISION_EXACT ? GLM_KV_F32 : GLM_KV_F16;
    e->info.precision = params->precision;
    glm_kv_type automatic_index = params->precision == GLM_PRECISION_EXACT ? GLM_KV_F32 : GLM_KV_Q8;
    e->info.kv_type = params->kv_type == GLM_KV_AUTO ? automatic : params->kv_type;
    e->info.index_type = params->index_type == GLM_KV_AUTO ? automatic_index : params->index_type;
    e->info.n_threads = params->n_threads ? params->n_threads : glm_topology_cores();
    e->info.chunk = params->chunk ? params->chunk : DEFAULT_CHUNK;
    e->info.n_sessions = params->n_sessions ? params->n_sessions : 1;
    e->info.isa = glm_isa_name(*isa);
    e->n_out = e->info.chunk < OUT_ROWS_MAX ? e->info.chunk : OUT_ROWS_MAX;
    return GLM_OK;
}

static glm_status make_rows(glm_engine *e, glm_error *err)
{
    const size_t n = e->info.chunk;
    e->token = glm_new_array(int32_t, n);
    e->position = glm_new_array(uint32_t, n);
    e->seq = glm_new_array(glm_kv_seq *, n);
    e->session = glm_new_array(glm_session *, n);
    e->item = glm_new_array(uint32_t, n);
    e->index = glm_new_array(uint32_t, n);
    e->out_row = glm_new_array(uint32_t, e->n_out);
    e->out_logits = glm_new_array(float *, e->n_out);
    e->out_hidden = glm_new_array(float *, e->n_out);
    if (!e->token || !e->position || !e->seq || !e->session || !e->item || !e->index ||
        !e->out_row || !e->out_logits || !e->out_hidden)
        return glm_fail(err, GLM_ENOMEM, "rows of a step: no memory");
    return GLM_OK;
}

/* Engines of one model may be made by several threads, and while others run; the model's values are made once. */
static glm_status load_small(glm_model *model, glm_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    glm_status st = glm_weights_load_small(&model->weights, err);
    pthread_mutex_unlock(&lock);
    return st;
}

static glm_status make_parts(glm_engine *e, const plan *p, glm_isa isa, glm_error *err)
{
    const glm_config *c = &e->model->config;
    glm_backend_limits limits;
    glm_forward_limits(&limits, c, e->info.chunk, e->info.n_ctx);
    limits.is_integer = e->info.precision == GLM_PRECISION_FAST;
    glm_kv_shape shape = kv_shape(e, p->n_page);
    glm_status st = load_small(e->model, err);
    if (st == GLM_OK && glm_tensor_file_is_bad(e->model->file))
        st = glm_fail(err, GLM_EIO, "weights: a page could not be read");
    if (st == GLM_OK)
        st = glm_pool_create(&e->pool, e->info.n_threads, err);
    if (st == GLM_OK)
        st = glm_cpu_backend_create(&e->backend, e->pool, isa, &limits, err);
    if (st == GLM_OK)
        st = glm_forward_create(&e->forward, &e->model->weights, e->backend,
                                kv_store_type(e->info.kv_type), kv_store_type(e->info.index_type),
                                e->info.chunk, e->n_out, err);
    if (st == GLM_OK)
        st = glm_block_create(&e->block, e->forward, e->info.chunk, err);
    if (st == GLM_OK)
        st = glm_kv_create(&e->kv, &shape, err);
    if (st == GLM_OK)
        st = make_rows(e, err);
    return st;
}

glm_status glm_engine_create(glm_engine **out, glm_model *model, const glm_engine_params *params,
                             glm_error *err)
{
    glm_engine *e = glm_new(glm_engine);
    if (!e)
        return glm_fail(err, GLM_ENOMEM, "engine: no memory");
    e->model = model;
    glm_isa isa;
    plan p = {0};
    glm_status st = check_params(e, params, &isa, err);
    if (st == GLM_OK)
        st = plan_memory(e, params, &p, err);
    if (st == GLM_OK)
        st = make_parts(e, &p, isa, err);
    if (st != GLM_OK) {
        glm_engine_destroy(e);
        return st;
    }
    *out = e;
    return GLM_OK;
}

void glm_engine_destroy(glm_engine *e)
{
    if (!e)
        return;
    glm_block_destroy(e->block);
    glm_forward_destroy(e->forward);
    glm_kv_destroy(e->kv);
    if (e->backend)
        e->backend->ops->destroy(e->backend);
    glm_pool_destroy(e->pool);
    void *const owned[] = {e->token,      e->position,     e->seq,           e->session,
                           e->item,       e->index,        e->out_row,       e->out_logits,
                           e->out_hidden, e->score_logits, e->score_logprob, e->score_argmax};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    free(e);
}

void glm_engine_get_info(const glm_engine *engine, glm_engine_info *out)
{
    *out = engine->info;
}

void glm_engine_cancel(glm_engine *engine)
{
    atomic_store_explicit(&engine->is_canceled, true, memory_order_relaxed);
}

void glm_engine_clear_cancel(glm_engine *engine)
{
    atomic_store_explicit(&engine->is_canceled, false, memory_order_relaxed);
}

void glm_engine_set_tap(glm_engine *engine, glm_tap_fn *fn, void *ctx)
{
    engine->tap = fn;
    engine->tap_ctx = ctx;
    glm_forward_set_tap(engine->forward, fn ? glm_engine_tap : NULL, engine);
}

void glm_engine_tap(void *ctx, const char *name, bool is_int, const void *data, uint32_t n_rows,
                    uint32_t n_cols)
{
    const glm_engine *e = ctx;
    const unsigned char *bytes = data;
    uint32_t first = 0;
    while (first < n_rows) {
        uint32_t row = e->tap_row ? e->tap_row[first] : first;
        uint32_t n = 1;
        while (first + n < n_rows &&
               e->session[e->tap_row ? e->tap_row[first + n] : first + n] == e->session[row])
            n++;
        glm_tap tap = {
            .name = name,
            .is_int = is_int,
            .data = bytes + (size_t)first * n_cols * 4,
            .n_rows = n,
            .n_cols = n_cols,
            .session = e->session[row],
            .position = e->position[row],
        };
        e->tap(e->tap_ctx, &tap);
        first += n;
    }
}

/* ---- Sessions ---- */

glm_status glm_session_open(glm_session **out, glm_engine *engine, glm_error *err)
{
    if (!glm_kv_free_pages(engine->kv))
        return glm_fail(err, GLM_ELIMIT, "cache is full: no page free for another session");
    glm_session *session = glm_new(glm_session);
    if (!session)
        return glm_fail(err, GLM_ENOMEM, "session: no memory");
    session->engine = engine;
    glm_status st = glm_kv_seq_create(&session->seq, engine->kv, engine->info.n_ctx, err);
    if (st != GLM_OK) {
        free(session);
        return st;
    }
    *out = session;
    return GLM_OK;
}

void glm_session_close(glm_session *session)
{
    if (!session)
        return;
    glm_kv_seq_destroy(session->seq);
    free(session);
}

static glm_status check_length(const glm_session *session, uint32_t n_tokens, glm_error *err)
{
    uint32_t length = glm_kv_seq_length(session->seq);
    if (n_tokens > length)
        return glm_fail(err, GLM_EARG, "session: expected at most its %u tokens, got %u", length,
                        n_tokens);
    return GLM_OK;
}

glm_status glm_session_fork(glm_session **out, const glm_session *from, uint32_t n_tokens,
                            glm_error *err)
{
    glm_status st = check_length(from, n_tokens, err);
    if (st != GLM_OK)
        return st;
    glm_session *session = glm_new(glm_session);
    if (!session)
        return glm_fail(err, GLM_ENOMEM, "session: no memory");
    session->engine = from->engine;
    st = glm_kv_seq_fork(&session->seq, from->seq, n_tokens, err);
    if (st != GLM_OK) {
        free(session);
        return st;
    }
    *out = session;
    return GLM_OK;
}

glm_status glm_session_truncate(glm_session *session, uint32_t n_tokens, glm_error *err)
{
    glm_status st = check_length(session, n_tokens, err);
    if (st == GLM_OK)
        glm_kv_seq_truncate(session->seq, n_tokens);
    return st;
}

uint32_t glm_session_length(const glm_session *session)
{
    return glm_kv_seq_length(session->seq);
}
