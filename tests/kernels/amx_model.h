// SPDX-License-Identifier: MIT
/*
 * The tile instructions of x86/amx.h in plain C, for processors without them: a model of our own after Intel, Architecture Instruction Set
 * Extensions Programming Reference, chapter 3. What would raise an exception there (shapes that do not fit, tiles not configured, reserved
 * bytes) aborts here.
 */
#ifndef GLM_TESTS_KERNELS_AMX_MODEL_H
#define GLM_TESTS_KERNELS_AMX_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct amx_tile {
    uint8_t n_rows;
    uint16_t row_bytes;
    uint8_t row[16][64];
} amx_tile;

static struct {
    int is_configured;
    amx_tile tile[8];
} amx;

static inline void amx_expect(int is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "tiles: %s\n", what);
        abort();
    }
}

static inline void amx_configure(const void *config)
{
    const uint8_t *byte = config;
    memset(&amx, 0, sizeof amx);
    amx_expect(byte[0] == 1 && byte[1] == 0, "palette 1, start row 0");
    for (int i = 2; i < 64; i++)
        amx_expect(byte[i] == 0 || (i >= 16 && i < 32) || (i >= 48 && i < 56),
                   "reserved bytes are 0");
    for (int i = 0; i < 8; i++) {
        amx_tile *t = &amx.tile[i];
        memcpy(&t->row_bytes, byte + 16 + 2 * i, 2);
        t->n_rows = byte[48 + i];
        amx_expect(t->n_rows <= 16 && t->row_bytes <= 64, "at most 16 rows of 64 bytes");
        amx_expect((t->n_rows == 0) == (t->row_bytes == 0), "rows and bytes, or neither");
    }
    amx.is_configured = 1;
}

static inline amx_tile *amx_tile_of(int i)
{
    amx_expect(amx.is_configured && i >= 0 && i < 8 && amx.tile[i].n_rows > 0, "a configured tile");
    return &amx.tile[i];
}

static inline void amx_load(int i, const void *p, size_t stride_bytes)
{
    amx_tile *t = amx_tile_of(i);
    memset(t->row, 0, sizeof t->row);
    for (size_t r = 0; r < t->n_rows; r++)
        memcpy(t->row[r], (const char *)p + r * stride_bytes, t->row_bytes);
}

static inline void amx_store(int i, void *p, size_t stride_bytes)
{
    const amx_tile *t = amx_tile_of(i);
    for (size_t r = 0; r < t->n_rows; r++)
        memcpy((char *)p + r * stride_bytes, t->row[r], t->row_bytes);
}

static inline void amx_dot_su(int c, int a, int b)
{
    amx_tile *out = amx_tile_of(c);
    const amx_tile *x = amx_tile_of(a), *w = amx_tile_of(b);
    amx_expect(c != a && c != b && a != b, "three tiles");
    amx_expect(x->row_bytes % 4 == 0 && w->row_bytes % 4 == 0 && x->row_bytes / 4 == w->n_rows &&
                   x->n_rows == out->n_rows && w->row_bytes == out->row_bytes,
               "shapes that fit");
    for (int m = 0; m < out->n_rows; m++)
        for (int n = 0; n < out->row_bytes / 4; n++) {
            int32_t sum;
            memcpy(&sum, &out->row[m][4 * n], 4);
            for (int k = 0; k < x->row_bytes; k++)
                sum += (int8_t)x->row[m][k] * w->row[k / 4][4 * n + k % 4];
            memcpy(&out->row[m][4 * n], &sum, 4);
        }
}

#define AMX_CONFIGURE(config) amx_configure(config)
#define AMX_RELEASE() ((void)memset(&amx, 0, sizeof amx))
#define AMX_ZERO(tile) ((void)memset(amx_tile_of(tile)->row, 0, sizeof(amx_tile_of(tile)->row)))
#define AMX_LOAD(tile, p, stride) amx_load(tile, p, stride)
#define AMX_STORE(tile, p, stride) amx_store(tile, p, stride)
#define AMX_DOT_SU(c, a, b) amx_dot_su(c, a, b)

#endif
