/*
 * gguf_entry.h - GGUF metadata as it lies in the file, for reading and for copying. For this folder
 * alone.
 */
#ifndef ZT_TENSOR_GGUF_ENTRY_H
#define ZT_TENSOR_GGUF_ENTRY_H

#include "tensor/gguf.h"

/* The format's own numbers. */
enum zt_gguf_type {
    ZT_GGUF_U8,
    ZT_GGUF_I8,
    ZT_GGUF_U16,
    ZT_GGUF_I16,
    ZT_GGUF_U32,
    ZT_GGUF_I32,
    ZT_GGUF_F32,
    ZT_GGUF_BOOL,
    ZT_GGUF_STRING,
    ZT_GGUF_ARRAY,
    ZT_GGUF_U64,
    ZT_GGUF_I64,
    ZT_GGUF_F64,
    ZT_GGUF_TYPES
};

struct zt_gguf_entry {
    struct zt_gguf_str key;
    enum zt_gguf_type type; /* of the elements, in an array */
    bool is_array;
    size_t n;
    const uint8_t *data;
    size_t bytes; /* of all elements */
};

struct zt_gguf {
    struct zt_gguf_entry *entries; /* by key */
    size_t n;
    const uint8_t *end; /* of the header */
};

#endif
