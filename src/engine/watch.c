// SPDX-License-Identifier: MIT
#include "engine/watch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/engine_internal.h"

/* The backend's table with some functions replaced; the replaced ones find the watcher by the table they were called from. */
struct glm_watch {
    glm_backend_ops ops; /* first: what the backend points at */
    const glm_backend_ops *inner;
    glm_backend *backend;
    glm_watch_fn *fn;
    void *ctx;
    uint32_t n_tok, d_model, d_ff; /* most rows and widths of a feed-forward */
    float *rows;                   /* [n_rows_floats] what a product reads */
    size_t n_rows_floats;
    float *picked;    /* [n_tok, d_model] those of one expert */
    float *gate, *up; /* [n_tok, d_ff] */
    glm_buf x_buf, gate_buf, up_buf;
};

static glm_watch *watch_of(const glm_backend *backend)
{
    return (glm_watch *)(uintptr_t)backend->ops;
}

/* Bring n floats to the host: at most what `rows` has room for, by the shapes of the model. */
static void bring(glm_watch *w, glm_buf x, size_t n)
{
    assert(n <= w->n_rows_floats);
    w->inner->read(w->backend, w->rows, x, n * sizeof(float));
}

static void watch_matmul(glm_backend *backend, const glm_op_matmul *op)
{
    glm_watch *w = watch_of(backend);
    const uint32_t n = op->out[0].w->n_cols;
    bring(w, op->x, (size_t)(op->n_tok - 1) * op->x_stride + n);
    for (uint32_t i = 0; i < op->n_out; i++)
        w->fn(w->ctx, op->out[i].w, w->rows, op->x_stride, op->n_tok, n);
    w->inner->matmul(backend, op);
}

static void watch_head_matmul(glm_backend *backend, const glm_op_head_matmul *op)
{
    glm_watch *w = watch_of(backend);
    const uint32_t n = op->transposed ? op->w[0].n_rows : op->w[0].n_cols;
    size_t last = (size_t)(op->n_tok - 1) * op->x_tok_stride +
                  (size_t)(op->n_heads - 1) * op->x_head_stride + n;
    bring(w, op->x, last);
    for (uint32_t h = 0; h < op->n_heads; h++)
        w->fn(w->ctx, &op->w[h], w->rows + h * op->x_head_stride, op->x_tok_stride, op->n_tok, n);
    w->inner->head_matmul(backend, op);
}

/* The rows of one part: what goes into gate and up, then what goes into down. */
static void watch_part(glm_watch *w, const glm_ffn_part *part)
{
    const float *x = w->rows;
    float *picked = w->picked;
    const uint32_t d = w->d_model, n = part->n_slot, d_ff = part->gate.n_rows;
    for (uint32_t i = 0; i < n; i++)
        memcpy(picked + (size_t)i * d, x + (size_t)part->tok[i] * d, d * sizeof(float));
    w->fn(w->ctx, &part->gate, picked, d, n, d);
    w->fn(w->ctx, &part->up, picked, d, n, d);
    const glm_op_matmul op = {
        .x = w->x_buf,
        .x_stride = d,
        .n_tok = n,
        .n_out = 2,
        .out = {{&part->gate, w->gate_buf, d_ff}, {&part->up, w->up_buf, d_ff}}};
    const size_t size = (size_t)n * d_ff * sizeof(float);
    w->inner->write(w->backend, w->x_buf, picked, (size_t)n * d * sizeof(float));
    w->inner->matmul(w->backend, &op);
    w->inner->read(w->backend, w->gate, w->gate_buf, size);
    w->inner->read(w->backend, w->up, w->up_buf, size);
    for (size_t i = 0; i < (size_t)n * d_ff; i++)
        w->gate[i] = w->gate[i] / (1.0F + expf(-w->gate[i])) * w->up[i];
    w->fn(w->ctx, &part->down, w->gate, d_ff, n, d_ff);
}

static void watch_ffn(glm_backend *backend, const glm_op_ffn *op)
{
    glm_watch *w = watch_of(backend);
    bring(w, op->x, (size_t)op->n_tok * op->d_model);
    for (uint32_t i = 0; i < op->n_part; i++)
        watch_part(w, &op->part[i]);
    w->inner->ffn(backend, op);
}

static glm_status make_buffers(glm_watch *w, glm_error *err)
{
    const size_t n_x = glm_mul_size(w->n_tok, w->d_model), n_h = glm_mul_size(w->n_tok, w->d_ff);
    w->rows = glm_new_array(float, w->n_rows_floats);
    w->picked = glm_new_array(float, n_x);
    w->gate = glm_new_array(float, n_h);
    w->up = glm_new_array(float, n_h);
    if (!w->rows || !w->picked || !w->gate || !w->up)
        return glm_fail(err, GLM_ENOMEM, "watching products: no memory");
    glm_status st =
        w->inner->buf_create(w->backend, &w->x_buf, glm_mul_size(n_x, sizeof(float)), err);
    if (st == GLM_OK)
        st = w->inner->buf_create(w->backend, &w->gate_buf, glm_mul_size(n_h, sizeof(float)), err);
    if (st == GLM_OK)
        st = w->inner->buf_create(w->backend, &w->up_buf, glm_mul_size(n_h, sizeof(float)), err);
    return st;
}

/* Floats a row of the widest input of a product takes. */
static size_t widest_input(const glm_config *c)
{
    const size_t widths[] = {c->d_model,
                             c->q_rank,
                             (size_t)c->n_heads * (c->d_nope + c->d_rope),
                             (size_t)c->n_heads * c->kv_rank,
                             (size_t)c->n_heads * c->d_v,
                             2 * (size_t)c->d_model};
    size_t widest = 0;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        widest = widths[i] > widest ? widths[i] : widest;
    return widest;
}

glm_status glm_watch_begin(glm_watch **out, glm_engine *engine, glm_watch_fn *fn, void *ctx,
                           glm_error *err)
{
    glm_watch *w = glm_new(glm_watch);
    if (!w)
        return glm_fail(err, GLM_ENOMEM, "watching products: no memory");
    const glm_config *c = &engine->model->config;
    const uint32_t d_shared = c->d_expert * (c->n_expert_shared ? c->n_expert_shared : 1);
    w->backend = engine->backend;
    w->inner = engine->backend->ops;
    w->fn = fn;
    w->ctx = ctx;
    w->n_tok = engine->info.chunk;
    w->d_model = c->d_model;
    w->d_ff = d_shared > c->d_ff ? d_shared : c->d_ff;
    w->n_rows_floats = glm_mul_size(w->n_tok, widest_input(c));
    w->ops = *w->inner;
    w->ops.matmul = watch_matmul;
    w->ops.head_matmul = watch_head_matmul;
    w->ops.ffn = watch_ffn;
    glm_status st = make_buffers(w, err);
    engine->backend->ops = &w->ops;
    if (st != GLM_OK) {
        glm_watch_end(w);
        return st;
    }
    *out = w;
    return GLM_OK;
}

void glm_watch_end(glm_watch *w)
{
    if (!w)
        return;
    w->backend->ops = w->inner;
    const glm_buf bufs[] = {w->x_buf, w->gate_buf, w->up_buf};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        if (bufs[i].base)
            w->inner->buf_destroy(w->backend, bufs[i]);
    free(w->rows);
    free(w->picked);
    free(w->gate);
    free(w->up);
    free(w);
}

const glm_model *glm_watch_model(const glm_engine *engine)
{
    return engine->model;
}

const glm_weights *glm_watch_weights(const glm_engine *engine)
{
    return &engine->model->weights;
}
