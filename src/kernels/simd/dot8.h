// SPDX-License-Identifier: MIT
/*
 * Scores from 8-bit rows in vectors. Rows lie in groups of 16, four bytes of each row side by side, so that a lane is a row
 * and sums of integers need no tree. The dot8_<isa>.h of an instruction set gives, beside the vocabulary of vec.h,
 *
 *     DOT8_HEADS, DOT8_VECS        query heads and vectors of rows a register tile
 *     DOT8_BIAS                    what vi_dot4 adds to every byte of the rows
 *     vq, vq_load                  VL times four signed bytes of rows
 *     vi_dot4(acc, rows, four)     acc + the products of four bytes, lane by lane; exact
 *     vi_dot4_weights(acc, v, four)  acc + the products of four weights of 7 bits and VL times four signed bytes
 *     vi_load, vi_and, vi_shift7   integers; the last to the right
 *     vf_from_int, vi_from_float   VL integers to float32 and back, to the nearest even
 *     vi_store_bytes               the lowest byte of each lane
 *     byte_interleave4             16 bytes of four rows to 16 words of a byte of each
 *     SUM_HEADS                    heads of the register tile of attn_sum_q8
 *     dword_transpose4             4 x 4 words of 4 bytes
 */
#include "kernels/kv_row.h"
#include "kernels/simd/vec.h"

enum {
    GROUP = 16,                 /* rows a group */
    TILE_KEYS = DOT8_VECS * VL, /* rows a register tile */
    PANEL = 32,                 /* rows a panel: two groups, a multiple of TILE_KEYS */
};

/* An address that cannot be read does no harm. */
INLINE void ask_for(const void *p, size_t offset_bytes)
{
    __builtin_prefetch((const void *)((uintptr_t)p + offset_bytes), 0, 2);
}

INLINE uint32_t load_word(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Integer sums over n4 words of n_heads query heads and DOT8_VECS vectors of rows of groups that lie group_bytes apart. */
INLINE void dot8_tile(int n_heads, vi sum[DOT8_HEADS][DOT8_VECS], const char *q, size_t q_stride,
                      const char *groups, size_t group_bytes, size_t n4)
{
    vi acc[DOT8_HEADS][DOT8_VECS];
#pragma GCC unroll 8
    for (int h = 0; h < n_heads; h++)
#pragma GCC unroll 4
        for (int v = 0; v < DOT8_VECS; v++)
            acc[h][v] = vi_set1(0);
    for (size_t k = 0; k < n4; k++) {
        vq rows[DOT8_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < DOT8_VECS; v++)
            rows[v] = vq_load(groups + (size_t)(v * VL / GROUP) * group_bytes + k * GROUP * 4 +
                              (size_t)(v * VL % GROUP) * 4);
#pragma GCC unroll 8
        for (int h = 0; h < n_heads; h++) {
            uint32_t four = load_word(q + (size_t)h * q_stride + k * 4);
#pragma GCC unroll 4
            for (int v = 0; v < DOT8_VECS; v++)
                acc[h][v] = vi_dot4(acc[h][v], rows[v], four);
        }
    }
#pragma GCC unroll 8
    for (int h = 0; h < n_heads; h++)
#pragma GCC unroll 4
        for (int v = 0; v < DOT8_VECS; v++)
            sum[h][v] = acc[h][v];
}

/* The sums of n_heads <= DOT8_HEADS heads without the bias; q_sum[h * q_sum_stride] is the sum of a head's bytes. */
INLINE void dot8_heads(uint32_t n_heads, vi sum[DOT8_HEADS][DOT8_VECS], const char *q,
                       size_t q_stride, const int32_t *q_sum, size_t q_sum_stride,
                       const char *groups, size_t group_bytes, size_t n4)
{
    if (n_heads == DOT8_HEADS)
        dot8_tile(DOT8_HEADS, sum, q, q_stride, groups, group_bytes, n4);
    else
        for (uint32_t h = 0; h < n_heads; h++)
            dot8_tile(1, sum + h, q + h * q_stride, q_stride, groups, group_bytes, n4);
    if (DOT8_BIAS)
        for (uint32_t h = 0; h < n_heads; h++) {
            vi bias = vi_set1((uint32_t)(q_sum[h * q_sum_stride] * DOT8_BIAS));
            for (int v = 0; v < DOT8_VECS; v++)
                sum[h][v] = vi_sub(sum[h][v], bias);
        }
}

/* ---- Attention ---- */

typedef struct panel {
    char *words;   /* [PANEL / GROUP] groups of [n4, GROUP] words */
    float *scale;  /* [n_blocks, PANEL] */
    int32_t *sums; /* [n_heads, n_blocks] of the query's bytes */
    size_t n4, n_blocks, group_bytes;
} panel;

static panel place_panel(float *scratch, size_t n_row)
{
    panel p = {.words = (char *)scratch, .n4 = (n_row + 3) / 4, .n_blocks = glm_kv_blocks(n_row)};
    p.group_bytes = p.n4 * GROUP * 4;
    p.scale = scratch + p.n4 * PANEL;
    p.sums = (int32_t *)(void *)(p.scale + p.n_blocks * PANEL);
    return p;
}

static void sum_queries(const panel *p, const char *q, size_t q_stride, uint32_t n_heads,
                        size_t n_row)
{
    for (uint32_t h = 0; h < n_heads; h++)
        for (size_t b = 0; b < p->n_blocks; b++) {
            const int8_t *bytes = (const int8_t *)q + h * q_stride;
            int32_t sum = 0;
            for (size_t i = b * GLM_KV_BLOCK; i < n_row && i < (b + 1) * GLM_KV_BLOCK; i++)
                sum += bytes[i];
            p->sums[h * p->n_blocks + b] = sum;
        }
}

/* n rows, the last repeated up to PANEL; `next` (n_next) are asked for. */
static void fill_panel(const panel *p, const glm_attn_rows *rows, uint32_t s, uint32_t n)
{
    const size_t n_row = rows->n_row, row_bytes = glm_kv_row_bytes(GLM_KV_STORE_Q8, n_row);
    for (uint32_t i = 0; i < PANEL; i += 4) {
        const char *row[4];
        for (uint32_t j = 0; j < 4; j++) {
            row[j] = rows->row[s + (i + j < n ? i + j : n - 1)];
            for (size_t b = 0; b < p->n_blocks; b++)
                p->scale[b * PANEL + i + j] = glm_q8_row_scale(row[j], n_row, b);
            if (s + i + j + PANEL < rows->n_sel)
                for (size_t at = 0; at < row_bytes; at += 64)
                    ask_for(rows->row[s + i + j + PANEL], at);
        }
        char *out = p->words + i / GROUP * p->group_bytes + i % GROUP * 4;
        size_t k = 0;
        for (; k + 4 <= p->n4; k += 4)
            dword_transpose4(out + k * GROUP * 4, GROUP * 4, row[0] + 4 * k, row[1] + 4 * k,
                             row[2] + 4 * k, row[3] + 4 * k);
        for (; k < p->n4; k++)
            for (uint32_t j = 0; j < 4; j++)
                memcpy(out + k * GROUP * 4 + j * 4, row[j] + 4 * k, 4);
    }
}

/* Scores of n_heads <= DOT8_HEADS heads (from head h0 on) and the rows of a panel from r0 on; z is theirs. */
static void score_tile(float *z, size_t z_stride, const char *q, size_t q_stride, uint32_t h0,
                       uint32_t n_heads, size_t n_row, const panel *p, uint32_t r0, uint32_t n,
                       float scale)
{
    float acc[DOT8_HEADS][TILE_KEYS] = {{0}};
    const char *groups = p->words + r0 / GROUP * p->group_bytes + r0 % GROUP * 4;
    for (size_t b = 0; b < p->n_blocks; b++) {
        const size_t k0 = b * GLM_KV_BLOCK / 4, k1 = (b + 1) * GLM_KV_BLOCK / 4;
        vi sum[DOT8_HEADS][DOT8_VECS];
        dot8_heads(n_heads, sum, q + k0 * 4, q_stride, p->sums + h0 * p->n_blocks + b, p->n_blocks,
                   groups + k0 * GROUP * 4, p->group_bytes, (k1 < p->n4 ? k1 : p->n4) - k0);
        for (uint32_t h = 0; h < n_heads; h++) {
            vf q_scale = vf_set1(glm_q8_row_scale(q + h * q_stride, n_row, b));
            for (int v = 0; v < DOT8_VECS; v++) {
                vf term = vf_mul(vf_from_int(sum[h][v]),
                                 vf_load(p->scale + b * PANEL + r0 + (uint32_t)(v * VL)));
                vf_store(acc[h] + v * VL, vf_fma(term, q_scale, vf_load(acc[h] + v * VL)));
            }
        }
    }
    for (uint32_t h = 0; h < n_heads; h++) {
        for (int v = 0; v < DOT8_VECS; v++)
            vf_store(acc[h] + v * VL, vf_mul(vf_load(acc[h] + v * VL), vf_set1(scale)));
        memcpy(z + h * z_stride, acc[h], (n < TILE_KEYS ? n : TILE_KEYS) * sizeof(float));
    }
}

void KERNEL(attn_scores_q8)(float *z, size_t z_stride, const void *q, size_t q_stride_bytes,
                            uint32_t n_heads, const glm_attn_rows *rows, uint32_t s0, uint32_t n,
                            float scale, float *scratch)
{
    panel p = place_panel(scratch, rows->n_row);
    if (DOT8_BIAS)
        sum_queries(&p, q, q_stride_bytes, n_heads, rows->n_row);
    for (uint32_t s = 0; s < n; s += PANEL) {
        uint32_t n_rows = n - s < PANEL ? n - s : PANEL;
        fill_panel(&p, rows, s0 + s, n_rows);
        for (uint32_t h = 0; h < n_heads; h += DOT8_HEADS)
            for (uint32_t r = 0; r < n_rows; r += TILE_KEYS)
                score_tile(z + h * z_stride + s + r, z_stride, (const char *)q + h * q_stride_bytes,
                           q_stride_bytes, h, n_heads - h < DOT8_HEADS ? n_heads - h : DOT8_HEADS,
                           rows->n_row, &p, r, n_rows - r, scale);
    }
}

enum { SUM_VECS = 2, SUM_COLS = SUM_VECS * VL };

/* One block's share of an attn_sum_q8, for up to GLM_ATTN_SUM_ROWS rows. */
typedef struct sum_block {
    char *columns;    /* [n4, GLM_KV_BLOCK] words of four rows */
    float *row_scale; /* [n16] zeros behind n */
    float *t;         /* [n16] */
    char *weights;    /* [SUM_HEADS, 2, GLM_ATTN_SUM_ROWS] high and low bytes */
    uint32_t n, n4;   /* rows, and fours of them */
} sum_block;

static void fill_columns(sum_block *b, const glm_attn_rows *rows, uint32_t block, uint32_t s0,
                         uint32_t n)
{
    const uint32_t c0 = block * GLM_KV_BLOCK, left = rows->n_row - c0;
    const uint32_t width = left < GLM_KV_BLOCK ? left : GLM_KV_BLOCK;
    enum { AHEAD = 16 };
    b->n = n;
    b->n4 = (n + 3) / 4;
    for (uint32_t i = 0; i < b->n4; i++) {
        const char *row[4];
        for (uint32_t j = 0; j < 4; j++) {
            uint32_t s = s0 + (4 * i + j < n ? 4 * i + j : n - 1);
            row[j] = rows->row[s];
            b->row_scale[4 * i + j] =
                4 * i + j < n ? glm_q8_row_scale(row[j], rows->n_row, block) : 0;
            row[j] += c0;
            if (s + AHEAD < rows->n_sel) {
                ask_for(rows->row[s + AHEAD], c0);
                ask_for(rows->row[s + AHEAD], c0 + 64);
            }
        }
        char *out = b->columns + (size_t)i * GLM_KV_BLOCK * 4;
        uint32_t c = 0;
        for (; c + 16 <= width; c += 16)
            byte_interleave4(out + c * 4, row[0] + c, row[1] + c, row[2] + c, row[3] + c);
        for (; c < width; c++)
            for (uint32_t j = 0; j < 4; j++)
                out[c * 4 + j] = row[j][c];
    }
    for (uint32_t i = b->n4 * 4; i % 16 != 0; i++)
        b->row_scale[i] = 0;
}

/* Weights of one head in two bytes; the step between two of them: 0 where there is nothing to add. */
static float make_weights(const sum_block *b, char *high, char *low, const float *p)
{
    float max = 0, poison = 0;
    for (uint32_t i = 0; i < b->n; i++)
        b->t[i] = p[i] * b->row_scale[i];
    for (uint32_t i = b->n; i % 16 != 0; i++)
        b->t[i] = 0;
    vf most = vf_zero(), bad = vf_zero();
    for (uint32_t i = 0; i < b->n; i += VL) {
        vf t = vf_load(b->t + i);
        most = vf_greater(t, most);
        bad = vf_fma(t, vf_zero(), bad);
    }
    float lanes[2][VL];
    vf_store(lanes[0], most);
    vf_store(lanes[1], bad);
    for (int i = 0; i < VL; i++) {
        max = lanes[0][i] > max ? lanes[0][i] : max;
        poison += lanes[1][i];
    }
    const bool is_bad = poison != 0, is_nothing = is_bad || max < GLM_KV_TINY;
    const vf inverse = vf_set1(is_nothing ? 0 : GLM_ATTN_SUM_ONE / max);
    for (uint32_t i = 0; i < b->n; i += VL) {
        vi weight = is_nothing ? vi_set1(0) : vi_from_float(vf_mul(vf_load(b->t + i), inverse));
        vi_store_bytes(high + i, vi_shift7(weight));
        vi_store_bytes(low + i, vi_and(weight, vi_set1(127)));
    }
    return is_bad ? NAN : is_nothing ? 0 : max / GLM_ATTN_SUM_ONE;
}

/* Sums over all rows of n_heads heads and SUM_COLS columns: [head][high, low][vector]. */
INLINE void sum_columns(int n_heads, vi sum[SUM_HEADS][2][SUM_VECS], const sum_block *b, uint32_t c)
{
    vi acc[SUM_HEADS][2][SUM_VECS];
#pragma GCC unroll 4
    for (int h = 0; h < n_heads; h++)
#pragma GCC unroll 4
        for (int v = 0; v < 2 * SUM_VECS; v++)
            acc[h][v / SUM_VECS][v % SUM_VECS] = vi_set1(0);
    for (uint32_t i = 0; i < b->n4; i++) {
        vi values[SUM_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < SUM_VECS; v++)
            values[v] =
                vi_load(b->columns + ((size_t)i * GLM_KV_BLOCK + c + (uint32_t)(v * VL)) * 4);
#pragma GCC unroll 4
        for (int h = 0; h < n_heads; h++)
#pragma GCC unroll 2
            for (int part = 0; part < 2; part++) {
                uint32_t four =
                    load_word(b->weights + (size_t)(2 * h + part) * GLM_ATTN_SUM_ROWS + 4 * i);
#pragma GCC unroll 4
                for (int v = 0; v < SUM_VECS; v++)
                    acc[h][part][v] = vi_dot4_weights(acc[h][part][v], values[v], four);
            }
    }
#pragma GCC unroll 4
    for (int h = 0; h < n_heads; h++)
#pragma GCC unroll 4
        for (int v = 0; v < 2 * SUM_VECS; v++)
            sum[h][v / SUM_VECS][v % SUM_VECS] = acc[h][v / SUM_VECS][v % SUM_VECS];
}

/* Adds the block's rows to n_heads <= SUM_HEADS rows of `out`, which begin at the block's first column. */
static void add_heads(float *out, size_t out_stride, uint32_t width, const float *p,
                      size_t p_stride, uint32_t n_heads, const sum_block *b)
{
    float step[SUM_HEADS];
    for (uint32_t h = 0; h < n_heads; h++)
        step[h] =
            make_weights(b, b->weights + (size_t)2 * h * GLM_ATTN_SUM_ROWS,
                         b->weights + (size_t)(2 * h + 1) * GLM_ATTN_SUM_ROWS, p + h * p_stride);
    for (uint32_t c = 0; c < width; c += SUM_COLS) {
        vi sum[SUM_HEADS][2][SUM_VECS];
        if (n_heads == SUM_HEADS)
            sum_columns(SUM_HEADS, sum, b, c);
        else
            for (uint32_t h = 0; h < n_heads; h++) {
                sum_block one = *b;
                one.weights += (size_t)2 * h * GLM_ATTN_SUM_ROWS;
                sum_columns(1, sum + h, &one, c);
            }
        const uint32_t n = width - c < SUM_COLS ? width - c : SUM_COLS;
        for (uint32_t h = 0; h < n_heads; h++) {
            float acc[SUM_COLS] = {0}, *at = out + h * out_stride + c;
            if (step[h] == 0)
                continue;
            memcpy(acc, at, n * sizeof *acc);
            for (int v = 0; v < SUM_VECS; v++) {
                vf both =
                    vf_fma(vf_from_int(sum[h][0][v]), vf_set1(128), vf_from_int(sum[h][1][v]));
                vf_store(acc + v * VL, vf_fma(both, vf_set1(step[h]), vf_load(acc + v * VL)));
            }
            memcpy(at, acc, n * sizeof *acc);
        }
    }
}

void KERNEL(attn_sum_q8)(float *out, const float *p, size_t p_stride, const float *norm,
                         uint32_t n_heads, const glm_attn_rows *rows, float *scratch)
{
    const uint32_t n_value = rows->n_value;
    sum_block b = {.columns = (char *)scratch};
    b.weights = b.columns + (size_t)GLM_ATTN_SUM_ROWS * GLM_KV_BLOCK;
    b.t = (float *)(void *)(b.weights + (size_t)GLM_ATTN_SUM_ROWS * 2 * SUM_HEADS);
    b.row_scale = b.t + GLM_ATTN_SUM_ROWS;
    memset(out, 0, (size_t)n_heads * n_value * sizeof *out);
    for (uint32_t s = 0; s < rows->n_sel; s += GLM_ATTN_SUM_ROWS)
        for (uint32_t c = 0; c < n_value; c += GLM_KV_BLOCK) {
            uint32_t n = rows->n_sel - s < GLM_ATTN_SUM_ROWS ? rows->n_sel - s : GLM_ATTN_SUM_ROWS;
            uint32_t width = n_value - c < GLM_KV_BLOCK ? n_value - c : GLM_KV_BLOCK;
            fill_columns(&b, rows, c / GLM_KV_BLOCK, s, n);
            for (uint32_t h = 0; h < n_heads; h += SUM_HEADS)
                add_heads(out + (size_t)h * n_value + c, n_value, width, p + h * p_stride + s,
                          p_stride, n_heads - h < SUM_HEADS ? n_heads - h : SUM_HEADS, &b);
        }
    for (uint32_t h = 0; h < n_heads; h++) {
        float factor = 1 / norm[h], *row = out + (size_t)h * n_value;
        for (uint32_t j = 0; j < n_value; j++)
            row[j] *= factor;
    }
}

/* ---- Indexer ---- */

void KERNEL(index_scores_q8)(float *score, const glm_index_query *query, const void *groups,
                             uint32_t n_keys, const void *next)
{
    const size_t stride = glm_kv_scales_at(query->d_head), n4 = stride / 4;
    const size_t group_bytes = glm_index_group_bytes(query->d_head);
    for (uint32_t s = 0; s < n_keys; s += TILE_KEYS) {
        const char *keys = (const char *)groups + s / GROUP * group_bytes + (size_t)(s % GROUP) * 4;
        /* Where the tile's second group does not exist the first stands in for it. */
        const size_t second = n_keys - s > GROUP ? group_bytes : 0;
        const size_t tile_bytes = group_bytes * TILE_KEYS / GROUP;
        size_t asked = 0;
        float acc[TILE_KEYS] = {0};
        for (uint32_t h = 0; h < query->n_heads; h += DOT8_HEADS) {
            uint32_t n = query->n_heads - h < DOT8_HEADS ? query->n_heads - h : DOT8_HEADS;
            vi sum[DOT8_HEADS][DOT8_VECS];
            dot8_heads(n, sum, (const char *)query->q + h * stride, stride, query->sum + h, 1, keys,
                       second, n4);
            for (size_t end = tile_bytes * (h + n) / query->n_heads; asked < end; asked += 64)
                ask_for(next, s / GROUP * group_bytes + asked);
            for (uint32_t i = 0; i < n; i++)
                for (int v = 0; v < DOT8_VECS; v++)
                    vf_store(acc + v * VL, vf_fma(vf_set1(query->w[h + i]),
                                                  vf_greater(vf_from_int(sum[i][v]), vf_zero()),
                                                  vf_load(acc + v * VL)));
        }
        for (int v = 0; v < DOT8_VECS; v++) {
            const char *scales = keys + (size_t)(v * VL / GROUP) * second +
                                 (size_t)(v * VL % GROUP) * 4 + n4 * GROUP * 4;
            vf_store(acc + v * VL, vf_mul(vf_load(acc + v * VL), vf_load(scales)));
        }
        memcpy(score + s, acc, (n_keys - s < TILE_KEYS ? n_keys - s : TILE_KEYS) * sizeof *score);
    }
}
