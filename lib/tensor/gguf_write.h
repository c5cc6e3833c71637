/*
 * gguf_write.h - writing a GGUF 3 file: metadata and tensors are declared, then the data is
 * streamed in the same order. The file appears under its name whole, or not at all.
 */
#ifndef ZT_TENSOR_GGUF_WRITE_H
#define ZT_TENSOR_GGUF_WRITE_H

#include "base/auto.h"
#include "base/error.h"

#include <ggml.h>

struct zt_gguf;
struct zt_gguf_writer;

/* replace: a file that is there gives way; otherwise ZT_E_CONFLICT. */
enum zt_code zt_gguf_writer_new(const char *path, bool replace, struct zt_gguf_writer **ret,
                                struct zt_err *err);
void zt_gguf_writer_free(struct zt_gguf_writer *writer); /* removes what is not finished */
ZT_AUTO(struct zt_gguf_writer, gguf_writer, zt_gguf_writer_free)

/* The first value of a key stays. ZT_E_LIMIT when the header grows past 256 MiB. */
enum zt_code zt_gguf_put_text(struct zt_gguf_writer *writer, const char *key, const char *value,
                              struct zt_err *err);
enum zt_code zt_gguf_put_int(struct zt_gguf_writer *writer, const char *key, uint32_t value,
                             struct zt_err *err);
/* All of another file's but general.alignment and what was put before. */
enum zt_code zt_gguf_put_all(struct zt_gguf_writer *writer, const struct zt_gguf *from,
                             struct zt_err *err);

/* 1 to 5 dimensions, the fastest first; ne[0] is of whole blocks of the type. */
enum zt_code zt_gguf_put_tensor(struct zt_gguf_writer *writer, const char *name,
                                enum ggml_type type, int n_dims, const int64_t *ne,
                                struct zt_err *err);

/* The next n bytes of the tensors' data; padding between tensors is added here. */
enum zt_code zt_gguf_write(struct zt_gguf_writer *writer, const void *data, size_t n,
                           struct zt_err *err);

/* Syncs and publishes the file; all data must have been written. */
enum zt_code zt_gguf_finish(struct zt_gguf_writer *writer, struct zt_err *err);

#endif
