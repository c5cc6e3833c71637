/* arena.c - a list of blocks, each twice the last up to a megabyte. See arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT ((size_t)64 << 20)
#define FIRST_BLOCK   ((size_t)4096)
#define MAX_BLOCK     ((size_t)1 << 20)

struct zt_arena_block {
    struct zt_arena_block *next;
    size_t size, used;
    max_align_t data[];
};

static struct zt_arena_block *add_block(struct zt_arena *arena, size_t n)
{
    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;

    if (size > MAX_BLOCK)
        size = MAX_BLOCK;
    if (size < n)
        size = n;
    struct zt_arena_block *block = malloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    *block = (struct zt_arena_block){ .next = arena->blocks, .size = size };
    arena->blocks = block;
    return block;
}

void *zt_arena_try(struct zt_arena *arena, size_t n)
{
    const size_t align = sizeof(max_align_t);
    size_t limit = arena->limit ? arena->limit : DEFAULT_LIMIT;

    if (n > limit || arena->used > limit - n)
        return NULL;
    n = (n + align - 1) / align * align;
    struct zt_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < n)
        block = add_block(arena, n);
    if (block == NULL)
        return NULL;
    void *p = (char *)block->data + block->used;
    block->used += n;
    arena->used += n;
    memset(p, 0, n);
    return p;
}

void *zt_arena_alloc(struct zt_arena *arena, size_t n)
{
    void *p = zt_arena_try(arena, n);

    zt_assert(p != NULL);
    return p;
}

char *zt_arena_strndup(struct zt_arena *arena, const char *s, size_t n)
{
    if (s == NULL)
        return NULL;
    char *copy = zt_arena_try(arena, n + 1);
    if (copy != NULL)
        memcpy(copy, s, n);
    return copy;
}

char *zt_arena_strdup(struct zt_arena *arena, const char *s)
{
    return s ? zt_arena_strndup(arena, s, strlen(s)) : NULL;
}

char *zt_arena_printf(struct zt_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n >= 0 ? zt_arena_try(arena, (size_t)n + 1) : NULL;
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void zt_arena_reset(struct zt_arena *arena)
{
    struct zt_arena_block *keep = arena->blocks;

    if (keep == NULL)
        return;
    for (struct zt_arena_block *b = keep->next; b != NULL;) {
        struct zt_arena_block *next = b->next;
        free(b);
        b = next;
    }
    keep->next = NULL;
    keep->used = 0;
    arena->used = 0;
    if (keep->size > MAX_BLOCK) {
        free(keep);
        arena->blocks = NULL;
    }
}

void zt_arena_clear(struct zt_arena *arena)
{
    for (struct zt_arena_block *b = arena->blocks; b != NULL;) {
        struct zt_arena_block *next = b->next;
        free(b);
        b = next;
    }
    arena->blocks = NULL;
    arena->used = 0;
}
