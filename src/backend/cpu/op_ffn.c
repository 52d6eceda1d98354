// SPDX-License-Identifier: MIT
#include <string.h>

#include "backend/cpu/cpu_internal.h"

/* Columns of the sum over slots that make a chunk. */
#define SUM_COLS 1024
/* Parts whose chunk tables lie on the stack; more parts are worked on in turns. */
#define PARTS_MAX 64

typedef struct ffn_job {
    glm_cpu *cpu;
    const glm_op_ffn *op;
    const glm_ffn_part *part; /* of this turn */
    uint32_t n_part;
    uint32_t slot0[PARTS_MAX];     /* first slot of each part */
    uint32_t rows[PARTS_MAX];      /* a chunk of the running phase */
    uint32_t chunk_end[PARTS_MAX]; /* chunks of parts 0..i together */
    uint32_t sum_chunks;           /* column chunks a row */
    size_t h_act_stride;           /* bytes of a slot of ffn_acts */
    uint32_t n_slot;               /* of this turn's parts, from slot0[0] on */
} ffn_job;

static uint32_t part_layouts(const ffn_job *job, uint32_t i)
{
    return glm_cpu_layout_bit(job->cpu, &job->part[i].gate) |
           glm_cpu_layout_bit(job->cpu, &job->part[i].up);
}

/* The rows that part i multiplies by gate and up. */
static glm_cpu_rows part_x(const ffn_job *job, uint32_t i)
{
    const glm_op_ffn *op = job->op;
    const glm_ffn_part *part = &job->part[i];
    glm_cpu_rows x = {.x = glm_cpu_floats(op->x),
                      .x_stride = op->d_model,
                      .n_tok = part->n_slot,
                      .act_stride = glm_act_row_bytes(op->d_model),
                      .act_row = part->n_slot == op->n_tok ? NULL : part->tok};
    memcpy(x.acts, job->cpu->acts, sizeof x.acts);
    if (part->n_slot == 1)
        x.x += (size_t)part->tok[0] * op->d_model;
    else if (part->n_slot != op->n_tok)
        x.x = job->cpu->ffn_x + (size_t)job->slot0[i] * op->d_model;
    return x;
}

static uint32_t find_part(const ffn_job *job, uint32_t chunk, uint32_t *row0)
{
    uint32_t i = 0;
    while (chunk >= job->chunk_end[i])
        i++;
    *row0 = (chunk - (i ? job->chunk_end[i - 1] : 0)) * job->rows[i];
    return i;
}

/* Rows row0.. of h = silu(gate x) * (up x) of one part, for all its slots. */
static void gate_up_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const ffn_job *job = ctx;
    const glm_cpu *cpu = job->cpu;
    uint32_t row0;
    uint32_t i = find_part(job, chunk, &row0);
    const glm_ffn_part *part = &job->part[i];
    uint32_t n_rows = glm_cpu_min(job->rows[i], part->gate.n_rows - row0);
    size_t h_stride = job->op->d_ff_max;
    glm_cpu_rows x = part_x(job, i);
    float *h = cpu->ffn_h + job->slot0[i] * h_stride + row0, *up = cpu->worker[worker].up;
    uint32_t step = glm_cpu_up_floats(&cpu->limits) / part->n_slot / 16 * 16;
    for (uint32_t r = 0; r < n_rows; r += step) {
        uint32_t n = glm_cpu_min(step, n_rows - r);
        glm_cpu_product(cpu, worker, h + r, h_stride, &part->gate, row0 + r, n, &x);
        glm_cpu_product(cpu, worker, up, n, &part->up, row0 + r, n, &x);
        for (uint32_t s = 0; s < part->n_slot; s++)
            cpu->k.silu_mul(h + s * h_stride + r, h + s * h_stride + r, up + (size_t)s * n, n);
    }
}

static void down_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    const ffn_job *job = ctx;
    const glm_cpu *cpu = job->cpu;
    uint32_t row0;
    uint32_t i = find_part(job, chunk, &row0);
    const glm_ffn_part *part = &job->part[i];
    uint32_t n_rows = glm_cpu_min(job->rows[i], part->down.n_rows - row0);
    size_t d_model = job->op->d_model, h_stride = job->op->d_ff_max;
    glm_cpu_rows h = {.x = cpu->ffn_h + job->slot0[i] * h_stride,
                      .x_stride = h_stride,
                      .n_tok = part->n_slot,
                      .act_stride = job->h_act_stride};
    for (int layout = GLM_ACT_32; layout < GLM_ACT_LAYOUTS; layout++)
        h.acts[layout] = (char *)cpu->ffn_acts + job->slot0[i] * job->h_act_stride;
    glm_cpu_product(cpu, worker, cpu->ffn_y + job->slot0[i] * d_model + row0, d_model, &part->down,
                    row0, n_rows, &h);
}

static void sum_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const ffn_job *job = ctx;
    const glm_op_ffn *op = job->op;
    uint32_t t = chunk / job->sum_chunks;
    uint32_t col0 = chunk % job->sum_chunks * SUM_COLS;
    uint32_t n = glm_cpu_min(SUM_COLS, op->d_model - col0);
    float *acc = glm_cpu_floats(op->acc) + (size_t)t * op->d_model + col0;
    for (uint32_t i = op->tok_slot0[t]; i < op->tok_slot0[t + 1]; i++) {
        size_t slot = op->tok_slot[i];
        job->cpu->k.axpy(acc, op->weight[slot], job->cpu->ffn_y + slot * op->d_model + col0, n);
    }
}

typedef void phase_fn(void *ctx, uint32_t worker, uint32_t chunk);

static void run_phase(ffn_job *job, phase_fn *fn, bool is_down)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < job->n_part; i++) {
        const glm_mat *w = is_down ? &job->part[i].down : &job->part[i].gate;
        job->rows[i] = glm_cpu_chunk_rows(job->cpu, w, job->part[i].n_slot);
        end += (w->n_rows + job->rows[i] - 1) / job->rows[i];
        job->chunk_end[i] = end;
    }
    glm_pool_run(job->cpu->pool, fn, job, end);
}

/* h of some slots in 8 bits, as the down matrix of each one's part reads it. */
static void quantize_h_chunk(void *ctx, uint32_t worker, uint32_t chunk)
{
    (void)worker;
    const ffn_job *job = ctx;
    uint32_t slot = job->slot0[0] + chunk, i = 0;
    while (i + 1 < job->n_part && slot >= job->slot0[i + 1])
        i++;
    const glm_mat *down = &job->part[i].down;
    if (glm_cpu_layout_bit(job->cpu, down) == 1U << GLM_ACT_NONE)
        return;
    job->cpu->k.act_quantize((char *)job->cpu->ffn_acts + slot * job->h_act_stride,
                             job->cpu->ffn_h + (size_t)slot * job->op->d_ff_max, down->n_cols,
                             glm_act_layout_of(down->type));
}

static void quantize_h(ffn_job *job)
{
    if (!job->cpu->limits.is_integer)
        return;
    if (job->n_slot * job->op->d_ff_max > GLM_CPU_ALONE_MAX) {
        glm_pool_run(job->cpu->pool, quantize_h_chunk, job, job->n_slot);
        return;
    }
    for (uint32_t s = 0; s < job->n_slot; s++)
        quantize_h_chunk(job, 0, s);
}

/* All rows of x in the layouts that any part reads. */
static void quantize_x(const ffn_job *job)
{
    const glm_op_ffn *op = job->op;
    glm_cpu_rows x = {.x = glm_cpu_floats(op->x),
                      .x_stride = op->d_model,
                      .n_tok = op->n_tok,
                      .act_stride = glm_act_row_bytes(op->d_model)};
    uint32_t layouts = 0;
    memcpy(x.acts, job->cpu->acts, sizeof x.acts);
    for (uint32_t i = 0; i < op->n_part; i++)
        layouts |= glm_cpu_layout_bit(job->cpu, &op->part[i].gate) |
                   glm_cpu_layout_bit(job->cpu, &op->part[i].up);
    glm_cpu_quantize(job->cpu, &x, op->d_model, layouts);
}

/* Parts that read float32 have their rows side by side. */
static void gather_rows(const ffn_job *job)
{
    const glm_op_ffn *op = job->op;
    const float *x = glm_cpu_floats(op->x);
    for (uint32_t i = 0; i < job->n_part; i++) {
        const glm_ffn_part *part = &job->part[i];
        if (part->n_slot == 1 || part->n_slot == op->n_tok ||
            !(part_layouts(job, i) & 1U << GLM_ACT_NONE))
            continue;
        float *to = job->cpu->ffn_x + (size_t)job->slot0[i] * op->d_model;
        for (uint32_t s = 0; s < part->n_slot; s++)
            memcpy(to + (size_t)s * op->d_model, x + (size_t)part->tok[s] * op->d_model,
                   op->d_model * sizeof(float));
    }
}

void glm_cpu_ffn(glm_backend *backend, const glm_op_ffn *op)
{
    ffn_job job = {
        .cpu = glm_cpu_of(backend), .op = op, .h_act_stride = glm_act_row_bytes(op->d_ff_max)};
    uint32_t slot = 0;
    quantize_x(&job);
    for (uint32_t first = 0; first < op->n_part; first += job.n_part) {
        job.part = op->part + first;
        job.n_part = glm_cpu_min(PARTS_MAX, op->n_part - first);
        for (uint32_t i = 0; i < job.n_part; i++) {
            job.slot0[i] = slot;
            slot += job.part[i].n_slot;
        }
        job.n_slot = slot - job.slot0[0];
        gather_rows(&job);
        run_phase(&job, gate_up_chunk, false);
        quantize_h(&job);
        run_phase(&job, down_chunk, true);
    }
    job.sum_chunks = (op->d_model + SUM_COLS - 1) / SUM_COLS;
    glm_pool_run(job.cpu->pool, sum_chunk, &job, op->n_tok * job.sum_chunks);
}
