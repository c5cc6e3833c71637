/*
 * out.h - writing JSON by hand, for answers made thousands of times a second.
 *
 * The caller writes the punctuation and these write the values, so what comes out is as good as
 * the caller's braces; tests parse it. The buffer's limit is the caller's guard: past it a write
 * is dropped and out->full is set.
 */
#ifndef ZT_API_OUT_H
#define ZT_API_OUT_H

#include "base/buf.h"

struct zt_out {
    struct zt_buf buf;
    bool full;
};

void zt_out_init(struct zt_out *out, size_t limit);
void zt_out_clear(struct zt_out *out);

/* A writer that clears itself on every way out. */
#define zt_auto_out __attribute__((cleanup(zt_out_clear)))

/* Text that is JSON already: braces, commas, keys. */
void zt_out_raw(struct zt_out *out, const char *text);

/* A quoted, escaped string; NULL is written as null. text is valid UTF-8. */
void zt_out_string(struct zt_out *out, const char *text);
void zt_out_int(struct zt_out *out, int64_t value);

/* `,"key":` and the value; `first` of an object is written with zt_out_raw. */
void zt_out_key_string(struct zt_out *out, const char *key, const char *text);
void zt_out_key_int(struct zt_out *out, const char *key, int64_t value);
void zt_out_key_raw(struct zt_out *out, const char *key, const char *json);

#endif
