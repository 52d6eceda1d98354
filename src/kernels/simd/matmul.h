// SPDX-License-Identifier: MIT
/*
 * kernels/matmul.h in vectors. Few tokens times a float type: weights are converted in registers on their way to the
 * tile, 4 rows at a time. Otherwise panels of 16 rows and 384 columns (24 KiB: they stay in the first-level cache)
 * are decoded to float32 in scratch, where up to 96 tokens use them; the partial sums of the 96 x 16 results lie
 * beside them (96 KiB).
 */
#include "kernels/mat_row.h"
#include "kernels/simd/tile.h"
#include "quant/formats.h"

enum {
    DIRECT_TOK = 6,
    PANEL_ROWS = 16,
    PANEL_TOK = 96,
    PANEL_K = 384, /* columns of a panel, TILE_K where blocks of 256 do not divide it */
    PANEL_FLOATS = PANEL_ROWS * TILE_K,
    SUM_ROWS = 32, /* row_sum decodes that many rows of that many columns at a time */
    SUM_COLS = 1024,
    SMALL_MATRIX_BYTES = 256 << 10, /* of these a layer's stay in the second-level cache */
};

/* ---- Decoders for this instruction set ---- */

static void decode_f32(float *out, const void *blocks, size_t n)
{
    memcpy(out, blocks, n * sizeof *out);
}

#define DEFINE_FLOAT_DECODER(name, n_bytes)                                                        \
    static void decode_##name(float *out, const void *blocks, size_t n)                            \
    {                                                                                              \
        const char *p = blocks;                                                                    \
        size_t i = 0;                                                                              \
        for (; i + VL <= n; i += VL)                                                               \
            vf_store(out + i, vf_load_##name(p + i * n_bytes));                                    \
        for (; i < n; i++)                                                                         \
            glm_block_##name##_decode(out + i, (const void *)(p + i * n_bytes));                   \
    }
DEFINE_FLOAT_DECODER(f16, 2)
DEFINE_FLOAT_DECODER(bf16, 2)
DEFINE_FLOAT_DECODER(f8_e4m3, 1)

#define DEFINE_BLOCK_DECODER(type, name, n_elems)                                                  \
    static void decode_##name(float *out, const void *blocks, size_t n_blocks)                     \
    {                                                                                              \
        const glm_block_##name *b = blocks;                                                        \
        for (size_t i = 0; i < n_blocks; i++)                                                      \
            glm_block_##name##_decode(out + i * n_elems, b + i);                                   \
    }
GLM_BLOCK_FORMATS(DEFINE_BLOCK_DECODER)

static glm_decode_fn *decoder_of(glm_type type)
{
#define CASE(type, name, n_elems)                                                                  \
    case GLM_TYPE_##type:                                                                          \
        return decode_##name;
    switch (type) {
        GLM_FLOAT_FORMATS(CASE)
        GLM_BLOCK_FORMATS(CASE)
    default:
        return NULL;
    }
#undef CASE
}

void KERNEL(decode_row)(float *out, const glm_mat *w, uint32_t r)
{
    glm_mat_decode(out, w, r, 0, w->n_cols, decoder_of(w->type));
}

/* ---- Few tokens: weights straight from where they lie ---- */

/* Columns up to the last multiple of 16; TILE_ROWS rows of w from r on. */
INLINE void direct_type(glm_type type, float *lanes, const glm_mat *w, uint32_t r, const float *x,
                        size_t x_stride, uint32_t n_tok, const float *scale)
{
    const char *row = (const char *)w->data + r * w->row_stride_bytes;
    uint32_t n_whole = w->n_cols / 16 * 16, piece = n_tok == 1 ? n_whole : TILE_K;
    size_t scale_stride = w->n_cols / GLM_SCALE_BLOCK + 1;
    for (uint32_t k = 0; k < n_whole; k += piece) {
        uint32_t n16 = (n_whole - k < piece ? n_whole - k : piece) / 16;
        for (uint32_t t = 0; t < n_tok; t += TILE_TOK)
            tile_tokens(type, n_tok - t < TILE_TOK ? n_tok - t : TILE_TOK,
                        lanes + t * TILE_ROWS * 16, row + k * weight_bytes(type),
                        w->row_stride_bytes, scale + k / GLM_SCALE_BLOCK, scale_stride,
                        x + t * x_stride + k, x_stride, n16);
    }
}

static void direct_tile(float *lanes, const glm_mat *w, uint32_t r, const float *x, size_t x_stride,
                        uint32_t n_tok, float *scale)
{
    switch (w->type) {
    case GLM_TYPE_F32:
        direct_type(GLM_TYPE_F32, lanes, w, r, x, x_stride, n_tok, scale);
        break;
    case GLM_TYPE_F16:
        direct_type(GLM_TYPE_F16, lanes, w, r, x, x_stride, n_tok, scale);
        break;
    case GLM_TYPE_BF16:
        direct_type(GLM_TYPE_BF16, lanes, w, r, x, x_stride, n_tok, scale);
        break;
    default: {
        uint32_t n_blocks = w->n_cols / GLM_SCALE_BLOCK + 1;
        for (uint32_t i = 0; i < TILE_ROWS; i++)
            for (uint32_t b = 0; b * GLM_SCALE_BLOCK < w->n_cols; b++)
                scale[i * n_blocks + b] =
                    w->scale ? glm_mat_block_scale(w, r + i, b * GLM_SCALE_BLOCK) : 1;
        direct_type(GLM_TYPE_F8_E4M3, lanes, w, r, x, x_stride, n_tok, scale);
        break;
    }
    }
}

/* Rows r..r+3 times n_tok <= DIRECT_TOK tokens; `out` is at row r. */
static void direct(float *out, size_t out_stride, const glm_mat *w, uint32_t r, const float *x,
                   size_t x_stride, uint32_t n_tok, float *scratch)
{
    float lanes[DIRECT_TOK * TILE_ROWS * 16];
    memset(lanes, 0, n_tok * TILE_ROWS * 16 * sizeof *lanes);
    direct_tile(lanes, w, r, x, x_stride, n_tok, scratch);
    uint32_t n_whole = w->n_cols / 16 * 16, rest = w->n_cols - n_whole;
    if (rest > 0) {
        float end[TILE_ROWS * 16] = {0};
        for (uint32_t i = 0; i < TILE_ROWS; i++)
            glm_mat_decode(end + i * 16, w, r + i, n_whole, rest, decoder_of(w->type));
        for (uint32_t t = 0; t < n_tok; t += TILE_TOK)
            tile_f32(n_tok - t < TILE_TOK ? n_tok - t : TILE_TOK, lanes + t * TILE_ROWS * 16, end,
                     16, x + t * x_stride + n_whole, x_stride, rest);
    }
    for (uint32_t t = 0; t < n_tok; t++)
        vec_tree4(out + t * out_stride, lanes + t * TILE_ROWS * 16);
}

/*
 * One token, whole vectors of columns, no scales: the partial sums of 4 rows never leave the registers. Small matrices stay
 * in the caches from step to step, and asking for their next rows would only cost. Returns the rows done.
 */
INLINE uint32_t one_token(glm_type type, bool must_prefetch, float *out, const glm_mat *w,
                          uint32_t row0, uint32_t n_rows, const float *x)
{
    const size_t stride = w->row_stride_bytes, bytes = weight_bytes(type);
    uint32_t r = 0;
    for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS) {
        const char *row = (const char *)w->data + (row0 + r) * stride;
        float lanes[TILE_ROWS * 16];
        vf acc[TILE_ROWS][NV];
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                acc[i][v] = vf_zero();
        for (size_t k = 0; k < w->n_cols; k += 16) {
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                size_t at = k + (size_t)(v * VL);
                vf xv = vf_load(x + at);
#pragma GCC unroll 4
                for (int i = 0; i < TILE_ROWS; i++) {
                    if (must_prefetch && v == 0)
                        prefetch(row, (size_t)(i + TILE_ROWS) * stride + at * bytes);
                    acc[i][v] =
                        vf_fma(load_weights(type, row + (size_t)i * stride + at * bytes, vf_zero()),
                               xv, acc[i][v]);
                }
            }
        }
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                vf_store(lanes + i * 16 + v * VL, acc[i][v]);
        vec_tree4(out + r, lanes);
    }
    return r;
}

/* The scales of row r's blocks, times 2^120; false if one is too large for that, or not finite. */
static bool small_scales(float *out, const glm_mat *w, uint32_t r)
{
    bool are_small = true;
    for (uint32_t k = 0; k < w->n_cols; k += GLM_SCALE_BLOCK) {
        float scale = w->scale ? glm_mat_block_scale(w, r, k) : 1;
        are_small = are_small && scale < 128 && scale > -128;
        out[k / GLM_SCALE_BLOCK] = scale * 0x1p120F;
    }
    return are_small;
}

/* acc[row] += n * 16 columns that share a scale; returns the largest of twice a byte. */
INLINE vb add_f8(vf acc[TILE_ROWS][NV], vb seen, const char *w, size_t stride, vf factor,
                 const float *x, size_t n)
{
#pragma GCC unroll 4
    for (size_t k = 0; k < n * 16; k += 16)
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++) {
            const char *p = w + (size_t)i * stride + k;
            seen = vb_max_doubled(seen, p);
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                vf weight = vf_mul(vf_load_f8_bits(p + v * VL), factor);
                acc[i][v] = vf_fma(weight, vf_load(x + k + v * VL), acc[i][v]);
            }
        }
    return seen;
}

/*
 * The same for F8_E4M3, which conversion would bound: a byte's bits at their place in a float32 are 2^-120 of its value, the
 * scale brings that back, and the product is rounded once as the contract has it. NaN bytes are looked for on the way; a tile
 * with one, with scales beyond 128 or of two rows of blocks is done by conversion.
 */
INLINE uint32_t one_token_f8(bool must_prefetch, float *out, const glm_mat *w, uint32_t row0,
                             uint32_t n_rows, const float *x, float *scratch)
{
    const size_t stride = w->row_stride_bytes, n_cols = w->n_cols;
    float *other = scratch + w->n_cols / GLM_SCALE_BLOCK + 1; /* direct puts scales there, too */
    bool are_small = false;
    uint32_t r = 0;
    for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS) {
        const char *row = (const char *)w->data + (row0 + r) * stride;
        const uint32_t at = (w->scale_row0 + row0 + r) % GLM_SCALE_BLOCK;
        float lanes[TILE_ROWS * 16];
        vf acc[TILE_ROWS][NV];
        vb seen = vb_zero();
        if (r == 0 || at < TILE_ROWS) /* another row of blocks */
            are_small = small_scales(scratch, w, row0 + r);
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                acc[i][v] = vf_zero();
        for (size_t k = 0; k < n_cols; k += 64) {
            vf factor = vf_set1(scratch[k / GLM_SCALE_BLOCK]);
            if (must_prefetch)
#pragma GCC unroll 4
                for (size_t i = 0; i < TILE_ROWS; i++)
                    prefetch_near(row, (i + TILE_ROWS) * stride + k);
            if (n_cols - k >= 64)
                seen = add_f8(acc, seen, row + k, stride, factor, x + k, 4);
            else
                seen = add_f8(acc, seen, row + k, stride, factor, x + k, (n_cols - k) / 16);
        }
        if (!are_small || at + TILE_ROWS > GLM_SCALE_BLOCK || vb_has(seen, 0xfe)) {
            direct(out + r, 0, w, row0 + r, x, 0, 1, other);
            continue;
        }
#pragma GCC unroll 4
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                vf_store(lanes + i * 16 + v * VL, acc[i][v]);
        vec_tree4(out + r, lanes);
    }
    return r;
}

static uint32_t one_token_rows(float *out, const glm_mat *w, uint32_t row0, uint32_t n_rows,
                               const float *x, float *scratch)
{
    bool is_large = (size_t)w->n_rows * w->row_stride_bytes > SMALL_MATRIX_BYTES;
    switch (w->type) {
    case GLM_TYPE_BF16:
        return is_large ? one_token(GLM_TYPE_BF16, true, out, w, row0, n_rows, x)
                        : one_token(GLM_TYPE_BF16, false, out, w, row0, n_rows, x);
    case GLM_TYPE_F16:
        return is_large ? one_token(GLM_TYPE_F16, true, out, w, row0, n_rows, x)
                        : one_token(GLM_TYPE_F16, false, out, w, row0, n_rows, x);
    case GLM_TYPE_F32:
        return is_large ? one_token(GLM_TYPE_F32, true, out, w, row0, n_rows, x)
                        : one_token(GLM_TYPE_F32, false, out, w, row0, n_rows, x);
    case GLM_TYPE_F8_E4M3:
        return is_large ? one_token_f8(true, out, w, row0, n_rows, x, scratch)
                        : one_token_f8(false, out, w, row0, n_rows, x, scratch);
    default:
        return 0;
    }
}

/* ---- Panels ---- */

/* Rows r..r+n_rows-1, columns k..k+n-1 as float32 rows `stride` apart, with zeros up to whole tiles. */
static void pack_panel(float *panel, size_t stride, const glm_mat *w, uint32_t r, uint32_t n_rows,
                       uint32_t k, uint32_t n)
{
    glm_decode_fn *decode = decoder_of(w->type);
    for (uint32_t i = 0; i < n_rows; i++) {
        glm_mat_decode(panel + i * stride, w, r + i, k, n, decode);
        for (uint32_t c = n; c % 16 != 0; c++)
            panel[i * stride + c] = 0;
    }
    for (uint32_t i = n_rows; i % TILE_ROWS != 0; i++)
        memset(panel + i * stride, 0, round16(n) * sizeof *panel);
}

/* n_rows <= PANEL_ROWS rows times n_tok <= PANEL_TOK tokens. */
static void panel_product(float *out, size_t out_stride, const glm_mat *w, uint32_t r,
                          uint32_t n_rows, const float *x, size_t x_stride, uint32_t n_tok,
                          float *scratch)
{
    float *panel = scratch, *sums = scratch + PANEL_FLOATS;
    uint32_t n_groups = (n_rows + TILE_ROWS - 1) / TILE_ROWS,
             n_tiles = (n_tok + TILE_TOK - 1) / TILE_TOK;
    uint32_t piece = PANEL_K % glm_type_get(w->type)->n_elems == 0 ? PANEL_K : TILE_K;
    memset(sums, 0, (size_t)n_groups * n_tiles * TILE_LANES * sizeof *sums);
    for (uint32_t k = 0; k < w->n_cols; k += piece) {
        uint32_t n = w->n_cols - k < piece ? w->n_cols - k : piece;
        pack_panel(panel, piece, w, r, n_rows, k, n);
        float *lanes = sums;
        for (uint32_t t = 0; t < n_tok; t += TILE_TOK)
            for (uint32_t g = 0; g < n_groups; g++, lanes += TILE_LANES)
                tile_f32(n_tok - t < TILE_TOK ? n_tok - t : TILE_TOK, lanes,
                         panel + g * TILE_ROWS * piece, piece, x + t * x_stride + k, x_stride, n);
    }
    for (uint32_t t = 0; t < n_tok; t++)
        for (uint32_t g = 0; g < n_groups; g++) {
            float four[TILE_ROWS];
            uint32_t n = n_rows - g * TILE_ROWS < TILE_ROWS ? n_rows - g * TILE_ROWS : TILE_ROWS;
            size_t at = ((size_t)(t / TILE_TOK) * n_groups + g) * TILE_LANES +
                        t % TILE_TOK * TILE_ROWS * 16;
            vec_tree4(four, sums + at);
            memcpy(out + t * out_stride + g * TILE_ROWS, four, n * sizeof *out);
        }
}

void KERNEL(matmul)(float *out, size_t out_stride, const glm_mat *w, uint32_t row0, uint32_t n_rows,
                    const float *x, size_t x_stride, uint32_t n_tok, float *scratch)
{
    uint32_t r = 0;
    if (n_tok == 1 && w->n_cols % 16 == 0 && w->tensor_scale == 1)
        r = one_token_rows(out, w, row0, n_rows, x, scratch);
    if (n_tok <= DIRECT_TOK && glm_type_get(w->type)->n_elems == 1 && w->tensor_scale == 1)
        for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
            direct(out + r, out_stride, w, row0 + r, x, x_stride, n_tok, scratch);
    for (uint32_t t = 0; t < n_tok && r < n_rows; t += PANEL_TOK)
        for (uint32_t i = r; i < n_rows; i += PANEL_ROWS)
            panel_product(out + t * out_stride + i, out_stride, w, row0 + i,
                          n_rows - i < PANEL_ROWS ? n_rows - i : PANEL_ROWS, x + t * x_stride,
                          x_stride, n_tok - t < PANEL_TOK ? n_tok - t : PANEL_TOK, scratch);
}

void KERNEL(row_sum)(float *out, size_t out_stride, const glm_mat *w, uint32_t col0,
                     uint32_t n_cols, const float *a, size_t a_stride, uint32_t n_tok,
                     float *scratch)
{
    glm_decode_fn *decode = decoder_of(w->type);
    for (uint32_t t = 0; t < n_tok; t++)
        memset(out + t * out_stride, 0, n_cols * sizeof *out);
    for (uint32_t c = 0; c < n_cols; c += SUM_COLS) {
        uint32_t n = n_cols - c < SUM_COLS ? n_cols - c : SUM_COLS;
        size_t stride = round16(n);
        for (uint32_t r = 0; r < w->n_rows; r += SUM_ROWS) {
            uint32_t n_rows = w->n_rows - r < SUM_ROWS ? w->n_rows - r : SUM_ROWS;
            for (uint32_t i = 0; i < n_rows; i++) {
                float *row = scratch + i * stride;
                glm_mat_decode(row, w, r + i, col0 + c, n, decode);
                memset(row + n, 0, (stride - n) * sizeof *row);
            }
            sum_panel(out + c, out_stride, scratch, stride, n, a + r, a_stride, n_rows, n_tok);
        }
    }
}
