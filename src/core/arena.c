// SPDX-License-Identifier: MIT
#include "core/arena.h"

#include <stdint.h>
#include <string.h>

#include "core/mem.h"

#define ALIGN_BYTES 64
#define SMALL_ALIGN_BYTES 8
#define FIRST_BLOCK_BYTES ((size_t)16 << 10)
#define BLOCK_BYTES_MAX ((size_t)4 << 20)

struct glm_arena_block {
    glm_arena_block *next;
    size_t size_bytes; /* of data */
    size_t used_bytes;
    char pad[ALIGN_BYTES - sizeof(void *) - 2 * sizeof(size_t)];
    unsigned char data[];
};

_Static_assert(sizeof(glm_arena_block) == ALIGN_BYTES, "data must stay aligned");

void glm_arena_init(glm_arena *arena, size_t limit_bytes)
{
    arena->blocks = NULL;
    arena->used_bytes = 0;
    arena->limit_bytes = limit_bytes;
}

void glm_arena_deinit(glm_arena *arena)
{
    glm_arena_block *block = arena->blocks;
    while (block) {
        glm_arena_block *next = block->next;
        free(block);
        block = next;
    }
    glm_arena_init(arena, arena->limit_bytes);
}

static glm_arena_block *add_block(glm_arena *arena, size_t at_least)
{
    size_t size = FIRST_BLOCK_BYTES;
    if (arena->blocks) {
        size = glm_mul_size(arena->blocks->size_bytes, 2);
        if (size > BLOCK_BYTES_MAX)
            size = BLOCK_BYTES_MAX;
    }
    if (size < at_least)
        size = glm_align_size(at_least, ALIGN_BYTES);
    size_t total = glm_add_size(sizeof(glm_arena_block), size);
    if (glm_add_size(arena->used_bytes, total) > arena->limit_bytes) {
        size = glm_align_size(at_least, ALIGN_BYTES);
        total = glm_add_size(sizeof(glm_arena_block), size);
        if (glm_add_size(arena->used_bytes, total) > arena->limit_bytes)
            return NULL;
    }
    if (total >= PTRDIFF_MAX)
        return NULL;
    glm_arena_block *block = aligned_alloc(ALIGN_BYTES, glm_align_size(total, ALIGN_BYTES));
    if (!block)
        return NULL;
    block->size_bytes = size;
    block->used_bytes = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_bytes += total;
    return block;
}

static void *alloc_aligned(glm_arena *arena, size_t size_bytes, size_t align)
{
    glm_arena_block *block = arena->blocks;
    size_t start = block ? glm_align_size(block->used_bytes, align) : 0;
    if (!block || size_bytes > block->size_bytes || start > block->size_bytes - size_bytes) {
        block = add_block(arena, size_bytes);
        if (!block)
            return NULL;
        start = 0;
    }
    block->used_bytes = start + size_bytes;
    return memset(block->data + start, 0, size_bytes);
}

void *glm_arena_alloc(glm_arena *arena, size_t size_bytes)
{
    return alloc_aligned(arena, size_bytes, ALIGN_BYTES);
}

void *glm_arena_alloc_small(glm_arena *arena, size_t size_bytes)
{
    return alloc_aligned(arena, size_bytes, SMALL_ALIGN_BYTES);
}

char *glm_arena_strdup(glm_arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = glm_arena_alloc_small(arena, length + 1);
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}
