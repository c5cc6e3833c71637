/*
 * arena.h - memory of one request or one task, freed in one place.
 *
 * Allocations live until zt_arena_reset or zt_arena_clear. One thread at a time. The limit is a
 * guard against our own mistakes and runaway input, not an exact count.
 */
#ifndef ZT_BASE_ARENA_H
#define ZT_BASE_ARENA_H

#include "base/error.h"

struct zt_arena_block;

/* A zeroed struct with `limit` set is a ready arena; limit 0 means 64 MiB. */
struct zt_arena {
    size_t limit;
    size_t used;
    struct zt_arena_block *blocks;
};

/* n zeroed bytes, aligned for any type. NULL when past the limit or out of memory. */
void *zt_arena_try(struct zt_arena *arena, size_t n);

/* The same for small sizes of our own choosing; ends the process instead of returning NULL. */
void *zt_arena_alloc(struct zt_arena *arena, size_t n);
#define zt_arena_new(arena, T) ((T *)zt_arena_alloc((arena), sizeof(T)))

/* A NUL-terminated copy of n bytes; NULL past the limit, or when s is NULL. */
char *zt_arena_strndup(struct zt_arena *arena, const char *s, size_t n);
char *zt_arena_strdup(struct zt_arena *arena, const char *s);

/* printf into the arena; NULL past the limit. */
char *zt_arena_printf(struct zt_arena *arena, const char *fmt, ...) ZT_PRINTF(2, 3);

/* Frees everything; the arena is ready for use again. reset keeps one block for speed. */
void zt_arena_reset(struct zt_arena *arena);
void zt_arena_clear(struct zt_arena *arena);

#endif
