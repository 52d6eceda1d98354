// SPDX-License-Identifier: MIT
/*
 * Arenas: memory that dies together. A model, a request or a step owns one; single pieces are never
 * freed. An arena grows by blocks from the heap up to a ceiling given at creation, so that what a file or
 * a request can make it grow to has a number.
 *
 *     glm_arena arena;
 *     glm_arena_init(&arena, 64 << 20);
 *     char *name = glm_arena_strdup(&arena, text, length);
 *     glm_arena_deinit(&arena);
 */
#ifndef GLM_CORE_ARENA_H
#define GLM_CORE_ARENA_H

#include <stddef.h>

typedef struct glm_arena_block glm_arena_block;

typedef struct glm_arena {
    glm_arena_block *blocks; /* newest first */
    size_t used_bytes;       /* in all blocks, heads included */
    size_t limit_bytes;
} glm_arena;

/** Prepare an empty arena that will never hold more than limit_bytes. */
void glm_arena_init(glm_arena *arena, size_t limit_bytes);

/** Free everything; the arena may be used again. */
void glm_arena_deinit(glm_arena *arena);

/** `size_bytes` zeroed bytes aligned to 64, or NULL when the limit or the system refuses. */
void *glm_arena_alloc(glm_arena *arena, size_t size_bytes);

/** The same for small pieces: aligned to 8 bytes only. */
void *glm_arena_alloc_small(glm_arena *arena, size_t size_bytes);

/** A terminated copy of `length` bytes (which may hold zero bytes), or NULL. */
char *glm_arena_strdup(glm_arena *arena, const char *text, size_t length);

/** n zeroed objects of type T, or NULL. */
#define glm_arena_new_array(arena, T, n)                                                           \
    ((T *)glm_arena_alloc((arena), glm_mul_size(sizeof(T), (n))))

#endif
