// SPDX-License-Identifier: MIT
#include "convert/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/quant.h"

#define PIECE_ELEMENTS 65536u /* a row where that is more */
#define PIECES_A_WORKER 16u /* of a run of the pool: few enough to stop soon, enough to share out */
#define SCALE_BLOCK 128u    /* rows and columns that share a scale in FP8 checkpoints */

#define F16_MAX 65504.0F

/* Rows row0..row0+n_rows-1 of one matrix. */
typedef struct piece {
    uint32_t stack, row0, n_rows;
    glm_mat mat;
    uint64_t digest;
    double error, norm;
    glm_status status;
    glm_error err;
} piece;

typedef struct workspace {
    float *x;    /* [max elements of a piece] */
    float *y;    /* the same, read back; or what a transposed matrix is decoded to */
    void *bytes; /* encoded */
} workspace;

struct glm_stream {
    const glm_plan *plan;
    glm_pool *pool;
    workspace *worker;
    piece *piece;
    uint32_t n_worker, n_piece_max;
    glm_encoder encoder;

    /* Of the tensor at work. */
    const glm_plan_tensor *t;
    glm_stream_weight weight;
    const glm_file_out *file;
    uint64_t offset, row_bytes;
};

/* A transposed matrix is one piece: its columns become rows. */
static uint32_t rows_a_piece(const glm_plan_tensor *t)
{
    if (t->is_transposed)
        return t->n_rows;
    uint32_t n = PIECE_ELEMENTS / t->n_cols;
    return n == 0 ? 1 : n < t->n_rows ? n : t->n_rows;
}

void glm_stream_destroy(glm_stream *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->worker && i < s->n_worker; i++) {
        free(s->worker[i].x);
        free(s->worker[i].y);
        free(s->worker[i].bytes);
    }
    free(s->worker);
    free(s->piece);
    free(s);
}

glm_status glm_stream_create(glm_stream **out, const glm_plan *plan, glm_pool *pool, glm_error *err)
{
    glm_stream *s = glm_new(glm_stream);
    if (!s)
        return glm_fail(err, GLM_ENOMEM, "workspace of the conversion");
    s->plan = plan;
    s->pool = pool;
    glm_encoder_init(&s->encoder);
    s->n_worker = glm_pool_threads(pool);
    s->n_piece_max = s->n_worker * PIECES_A_WORKER;
    size_t elements = 0;
    for (uint32_t i = 0; i < plan->n; i++) {
        size_t n = glm_mul_size(rows_a_piece(&plan->tensor[i]), plan->tensor[i].n_cols);
        elements = n > elements ? n : elements;
    }
    s->worker = glm_new_array(workspace, s->n_worker);
    s->piece = glm_new_array(piece, s->n_piece_max);
    bool is_short = !s->worker || !s->piece;
    for (uint32_t i = 0; !is_short && i < s->n_worker; i++) {
        /* No type takes more than four bytes an element. */
        s->worker[i].x = glm_new_array(float, elements);
        s->worker[i].y = glm_new_array(float, elements);
        s->worker[i].bytes = glm_calloc(elements, sizeof(float));
        is_short = !s->worker[i].x || !s->worker[i].y || !s->worker[i].bytes;
    }
    if (is_short) {
        glm_stream_destroy(s);
        return glm_fail(err, GLM_ENOMEM,
                        "workspace of the conversion: %zu elements for each of %u threads",
                        elements, glm_pool_threads(pool));
    }
    *out = s;
    return GLM_OK;
}

/* ---- A piece ---- */

/* out[0..n_cols-1] = row r of a stored matrix. */
static void decode_row(float *out, const glm_mat *m, uint32_t r)
{
    const glm_type_info *type = glm_type_get(m->type);
    glm_quant_get(m->type)(out, (const unsigned char *)m->data + r * m->row_stride_bytes,
                           m->n_cols / type->n_elems);
    for (uint32_t c = 0; m->scale && c < m->n_cols; c++) {
        size_t at = (size_t)((m->scale_row0 + r) / SCALE_BLOCK) * m->scale_stride + c / SCALE_BLOCK;
        out[c] *= glm_load_f32((const unsigned char *)m->scale + at * sizeof(float));
    }
    if (m->tensor_scale != 1.0F)
        for (uint32_t c = 0; c < m->n_cols; c++)
            out[c] *= m->tensor_scale;
}

static void decode_piece(const glm_stream *s, const piece *p, workspace *w)
{
    const glm_plan_tensor *t = s->t;
    if (!t->is_transposed) {
        for (uint32_t r = 0; r < p->n_rows; r++)
            decode_row(w->x + (size_t)r * t->n_cols, &p->mat, p->row0 + r);
        return;
    }
    for (uint32_t c = 0; c < t->n_cols; c++) {
        decode_row(w->y, &p->mat, c);
        for (uint32_t r = 0; r < t->n_rows; r++)
            w->x[(size_t)r * t->n_cols + c] = w->y[r];
    }
}

static glm_status not_finite(const glm_stream *s, piece *p, size_t at, const char *what,
                             float value)
{
    size_t row = p->row0 + at / s->t->n_cols, col = at % s->t->n_cols;
    return glm_fail(&p->err, GLM_ENUMERIC, "tensor %s: element [%u, %zu, %zu]: expected %s, got %g",
                    s->t->name, p->stack, row, col, what, (double)value);
}

/* Compare with what a reader will see. */
static glm_status measure(const glm_stream *s, piece *p, const workspace *w, size_t n)
{
    glm_quant_get(s->t->type)(w->y, w->bytes, n / glm_type_get(s->t->type)->n_elems);
    double error = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)w->x[i], d = x - (double)w->y[i];
        error += d * d;
        norm += x * x;
        bool is_cut = fabsf(w->x[i]) > F16_MAX && fabsf(w->y[i]) < fabsf(w->x[i]) / 2.0F;
        if (is_cut || !isfinite(w->y[i])) /* scales and F16 saturate */
            return not_finite(s, p, i, "a value that the type can hold", w->x[i]);
    }
    p->error = error;
    p->norm = norm;
    return GLM_OK;
}

static glm_status encode_piece(const glm_stream *s, piece *p, workspace *w)
{
    const glm_plan_tensor *t = s->t;
    const size_t n = (size_t)p->n_rows * t->n_cols;
    decode_piece(s, p, w);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(w->x[i]))
            return not_finite(s, p, i, "a finite number", w->x[i]);
    const float *importance = s->weight.value;
    if (importance && !s->weight.is_shared)
        importance += (size_t)p->stack * t->n_cols;
    glm_status st = GLM_OK;
    for (uint32_t r = 0; r < p->n_rows && st == GLM_OK; r++)
        st =
            glm_quant_encode_row(&s->encoder, (unsigned char *)w->bytes + r * s->row_bytes, t->type,
                                 w->x + (size_t)r * t->n_cols, importance, t->n_cols, &p->err);
    if (st != GLM_OK)
        return glm_fail_context(&p->err, st, "tensor %s", t->name);
    return measure(s, p, w, n);
}

/* The stored bytes are those wanted. */
static bool is_copy(const glm_plan_tensor *t, const glm_mat *m, uint64_t row_bytes)
{
    return m->type == t->type && !t->is_transposed && !m->scale && m->tensor_scale == 1.0F &&
           m->row_stride_bytes == row_bytes;
}

static void run_piece(void *ctx, uint32_t worker, uint32_t chunk)
{
    glm_stream *s = ctx;
    piece *p = &s->piece[chunk];
    workspace *w = &s->worker[worker];
    const size_t size = p->n_rows * (size_t)s->row_bytes;
    if (is_copy(s->t, &p->mat, s->row_bytes))
        memcpy(w->bytes, (const unsigned char *)p->mat.data + p->row0 * s->row_bytes, size);
    else
        p->status = encode_piece(s, p, w);
    if (p->status != GLM_OK)
        return;
    p->digest = glm_hash64(w->bytes, size, 0);
    uint64_t row = (uint64_t)p->stack * s->t->n_rows + p->row0;
    p->status =
        glm_file_out_write_at(s->file, w->bytes, size, s->offset + row * s->row_bytes, &p->err);
}

/* ---- A tensor ---- */

/* Where the next piece begins. */
typedef struct place {
    uint32_t stack, row;
} place;

/* Fill the table with the next pieces; 0 behind the last. */
static uint32_t next_pieces(glm_stream *s, place *at)
{
    const glm_plan_tensor *t = s->t;
    const uint32_t n_rows = rows_a_piece(t);
    uint32_t n = 0;
    while (n < s->n_piece_max && at->stack < t->n_stack) {
        piece *p = &s->piece[n++];
        uint32_t left = t->n_rows - at->row;
        memset(p, 0, sizeof *p);
        p->stack = at->stack;
        p->row0 = at->row;
        p->n_rows = n_rows < left ? n_rows : left;
        at->row += p->n_rows;
        if (at->row == t->n_rows) {
            at->row = 0;
            at->stack++;
        }
    }
    return n;
}

static uint64_t join(uint64_t digest, uint64_t next)
{
    const uint64_t both[2] = {digest, next};
    return glm_hash64(both, sizeof both, 0);
}

/* Run pieces 0..n-1 of the table and add up what they give, in order. */
static glm_status run_pieces(glm_stream *s, uint32_t n, glm_stream_result *sum, glm_error *err)
{
    glm_status st = GLM_OK;
    uint32_t n_acquired = 0;
    while (n_acquired < n && st == GLM_OK) {
        piece *p = &s->piece[n_acquired];
        st = glm_plan_acquire(s->plan, s->t, p->stack, &p->mat, err);
        n_acquired += st == GLM_OK;
    }
    if (st == GLM_OK)
        glm_pool_run(s->pool, run_piece, s, n);
    for (uint32_t i = 0; i < n && st == GLM_OK; i++) {
        const piece *p = &s->piece[i];
        if (p->status != GLM_OK)
            st = glm_fail(err, p->status, "%s", p->err.text);
        sum->digest = join(sum->digest, p->digest);
        sum->error += p->error;
        sum->norm += p->norm;
    }
    for (uint32_t i = 0; i < n_acquired; i++)
        glm_plan_release(s->plan, s->t, s->piece[i].stack);
    return st;
}

static void set_tensor(glm_stream *s, const glm_plan_tensor *t, const glm_file_out *file,
                       uint64_t offset)
{
    s->t = t;
    s->file = file;
    s->offset = offset;
    s->row_bytes = t->size_bytes / t->n_stack / t->n_rows;
}

glm_status glm_stream_run(glm_stream *s, const glm_plan_tensor *tensor, glm_stream_weight weight,
                          const glm_file_out *file, uint64_t offset,
                          bool (*on_rows)(void *ctx, uint64_t n), void *ctx, glm_stream_result *out,
                          glm_error *err)
{
    glm_stream_result sum = {0};
    place at = {0};
    glm_status st = GLM_OK;
    set_tensor(s, tensor, file, offset);
    s->weight = weight;
    for (uint32_t n; st == GLM_OK && (n = next_pieces(s, &at)) > 0;) {
        st = run_pieces(s, n, &sum, err);
        uint64_t n_done = 0;
        for (uint32_t i = 0; i < n; i++)
            n_done += (uint64_t)s->piece[i].n_rows * tensor->n_cols;
        if (st == GLM_OK && on_rows && !on_rows(ctx, n_done))
            st = glm_fail(err, GLM_ECANCELED, "tensor %s: canceled", tensor->name);
    }
    if (st == GLM_OK)
        *out = sum;
    return st;
}

glm_status glm_stream_digest(glm_stream *s, const glm_plan_tensor *tensor, const glm_file_out *file,
                             uint64_t offset, uint64_t *digest, glm_error *err)
{
    place at = {0};
    glm_status st = GLM_OK;
    *digest = 0;
    set_tensor(s, tensor, file, offset);
    void *bytes = s->worker[0].bytes;
    for (uint32_t n; st == GLM_OK && (n = next_pieces(s, &at)) > 0;)
        for (uint32_t i = 0; i < n && st == GLM_OK; i++) {
            size_t size = s->piece[i].n_rows * (size_t)s->row_bytes;
            st = glm_file_out_read_at(file, bytes, size, offset, err);
            offset += size;
            *digest = join(*digest, glm_hash64(bytes, size, 0));
        }
    return st;
}
