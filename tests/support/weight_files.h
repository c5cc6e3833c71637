/*
 * weight_files.h - writing small weight files, sound or broken, for tests.
 */
#ifndef ZT_TESTS_WEIGHT_FILES_H
#define ZT_TESTS_WEIGHT_FILES_H

#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"
#include "check.h"

struct bytes {
    uint8_t at[8192];
    size_t n;
};

static inline void put(struct bytes *b, const void *data, size_t n)
{
    zt_assert(n <= sizeof(b->at) - b->n);
    memcpy(b->at + b->n, data, n);
    b->n += n;
}

static inline void put_int(struct bytes *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(b, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

/* GGUF's strings: a length, then the bytes. */
static inline void put_text(struct bytes *b, const char *s)
{
    put_int(b, strlen(s), 8);
    put(b, s, strlen(s));
}

static inline void put_zeros(struct bytes *b, size_t n)
{
    while (n-- > 0)
        put(b, "", 1);
}

static inline void pad_to(struct bytes *b, size_t alignment)
{
    put_zeros(b, (alignment - b->n % alignment) % alignment);
}

/* A safetensors file: the header, then n bytes of data: 0, 1, 2, ... where data is NULL. */
static inline struct bytes safetensors(const char *header, const void *data, size_t n)
{
    struct bytes b = { .n = 0 };

    put_int(&b, strlen(header), 8);
    put(&b, header, strlen(header));
    for (size_t i = 0; i < n; i++)
        put(&b, data ? (const uint8_t *)data + i : &(uint8_t){ (uint8_t)i }, 1);
    return b;
}

/* A folder of the test's own, removed at exit; and a path in it. */
static char weight_folder[64];

static inline void remove_weight_folder(void)
{
    (void)zt_remove_tree(weight_folder, NULL);
}

static inline const char *weight_path(const char *name)
{
    static char path[4][512];
    static int next;

    if (weight_folder[0] == '\0') {
        zt_assert(zt_format(weight_folder, sizeof(weight_folder), "/tmp/zt-weights-XXXXXX"));
        zt_assert(mkdtemp(weight_folder) != NULL);
        atexit(remove_weight_folder);
    }
    char *p = path[next++ % 4];
    zt_assert(zt_format(p, sizeof(path[0]), "%s/%s", weight_folder, name));
    return p;
}

static inline const char *write_bytes(const char *name, const struct bytes *b)
{
    const char *path = weight_path(name);
    struct zt_err err = { 0 };

    CHECK_INT(name, zt_file_write(path, b->at, b->n, 0600, &err), ZT_OK);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    struct bytes b = { .n = 0 };

    put(&b, text, strlen(text));
    return write_bytes(name, &b);
}

#endif
