/* gguf_write.c - see gguf_write.h. */
#include "tensor/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/gguf_entry.h"

#define HEADER_MAX ((size_t)256 << 20)
#define ALIGNMENT  32
#define DIMS_MAX   5
#define STREAM     ((size_t)1 << 20)

struct zt_gguf_writer {
    char path[PATH_MAX], part[PATH_MAX];
    bool replace, begun;
    FILE *file;
    struct zt_buf meta, infos;
    char **keys;
    uint64_t n_keys, n_tensors;
    size_t *bytes;   /* of each tensor */
    uint64_t offset; /* of the next tensor that is declared */
    uint64_t now;    /* the tensor that is being written */
    size_t left;     /* of it */
};

static size_t padding(uint64_t n)
{
    return (size_t)((ALIGNMENT - n % ALIGNMENT) % ALIGNMENT);
}

static enum zt_code exists(const struct zt_gguf_writer *w, struct zt_err *err)
{
    if (!w->replace && access(w->path, F_OK) == 0)
        return zt_fail(err, ZT_E_CONFLICT, "%.300s exists already", w->path);
    return ZT_OK;
}

enum zt_code zt_gguf_writer_new(const char *path, bool replace, struct zt_gguf_writer **ret,
                                struct zt_err *err)
{
    zt_auto(gguf_writer) struct zt_gguf_writer *w = zt_new(struct zt_gguf_writer);

    zt_buf_init(&w->meta, HEADER_MAX);
    zt_buf_init(&w->infos, HEADER_MAX);
    w->replace = replace;
    if (!zt_format(w->path, sizeof(w->path), "%s", path) ||
        !zt_format(w->part, sizeof(w->part), "%s.part-%ld", path, (long)getpid()))
        return zt_fail(err, ZT_E_INVALID, "path is too long");
    ZT_TRY(exists(w, err));
    (void)unlink(w->part);
    int fd = open(w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        int saved = errno;
        w->part[0] = '\0';
        return zt_fail_errno(err, saved, "make file", path);
    }
    w->file = fdopen(fd, "wb");
    zt_assert(w->file != NULL);
    (void)setvbuf(w->file, NULL, _IOFBF, STREAM);
    *ret = zt_take_gguf_writer(&w);
    return ZT_OK;
}

void zt_gguf_writer_free(struct zt_gguf_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->file)
        fclose(writer->file);
    if (writer->part[0] != '\0')
        unlink(writer->part);
    for (uint64_t i = 0; i < writer->n_keys; i++)
        free(writer->keys[i]);
    free(writer->keys);
    free(writer->bytes);
    zt_buf_clear(&writer->meta);
    zt_buf_clear(&writer->infos);
    free(writer);
}

/* ---- the header ---------------------------------------------------------------------------- */

static enum zt_code put_number(struct zt_buf *buf, uint64_t v, int bytes, struct zt_err *err)
{
    uint8_t le[8];

    for (int i = 0; i < bytes; i++)
        le[i] = (uint8_t)(v >> 8 * i);
    return zt_buf_add(buf, le, (size_t)bytes, err);
}

static enum zt_code put_string(struct zt_buf *buf, const char *s, size_t n, struct zt_err *err)
{
    ZT_TRY(put_number(buf, n, 8, err));
    return zt_buf_add(buf, s, n, err);
}

/* Notes the key; false when it was put before. */
static bool is_new_key(struct zt_gguf_writer *w, const char *key, size_t n)
{
    for (uint64_t i = 0; i < w->n_keys; i++) {
        if (strlen(w->keys[i]) == n && memcmp(w->keys[i], key, n) == 0)
            return false;
    }
    char **more = realloc(w->keys, (w->n_keys + 1) * sizeof(*more));
    zt_assert(more != NULL);
    w->keys = more;
    w->keys[w->n_keys] = zt_calloc_or_die(n + 1, 1);
    memcpy(w->keys[w->n_keys++], key, n);
    return true;
}

enum zt_code zt_gguf_put_text(struct zt_gguf_writer *writer, const char *key, const char *value,
                              struct zt_err *err)
{
    if (!is_new_key(writer, key, strlen(key)))
        return ZT_OK;
    ZT_TRY(put_string(&writer->meta, key, strlen(key), err));
    ZT_TRY(put_number(&writer->meta, ZT_GGUF_STRING, 4, err));
    return put_string(&writer->meta, value, strlen(value), err);
}

enum zt_code zt_gguf_put_int(struct zt_gguf_writer *writer, const char *key, uint32_t value,
                             struct zt_err *err)
{
    if (!is_new_key(writer, key, strlen(key)))
        return ZT_OK;
    ZT_TRY(put_string(&writer->meta, key, strlen(key), err));
    ZT_TRY(put_number(&writer->meta, ZT_GGUF_U32, 4, err));
    return put_number(&writer->meta, value, 4, err);
}

enum zt_code zt_gguf_put_all(struct zt_gguf_writer *writer, const struct zt_gguf *from,
                             struct zt_err *err)
{
    static const char alignment[] = "general.alignment";

    for (size_t i = 0; i < from->n; i++) {
        const struct zt_gguf_entry *e = &from->entries[i];
        if (e->key.n == strlen(alignment) && memcmp(e->key.s, alignment, e->key.n) == 0)
            continue;
        if (!is_new_key(writer, e->key.s, e->key.n))
            continue;
        ZT_TRY(put_string(&writer->meta, e->key.s, e->key.n, err));
        if (e->is_array)
            ZT_TRY(put_number(&writer->meta, ZT_GGUF_ARRAY, 4, err));
        ZT_TRY(put_number(&writer->meta, e->type, 4, err));
        if (e->is_array)
            ZT_TRY(put_number(&writer->meta, e->n, 8, err));
        ZT_TRY(zt_buf_add(&writer->meta, e->data, e->bytes, err));
    }
    return ZT_OK;
}

enum zt_code zt_gguf_put_tensor(struct zt_gguf_writer *writer, const char *name,
                                enum ggml_type type, int n_dims, const int64_t *ne,
                                struct zt_err *err)
{
    struct zt_buf *b = &writer->infos;
    size_t bytes = ggml_row_size(type, ne[0]);

    zt_assert(!writer->begun && n_dims >= 1 && n_dims <= DIMS_MAX);
    ZT_TRY(put_string(b, name, strlen(name), err));
    ZT_TRY(put_number(b, (uint64_t)n_dims, 4, err));
    for (int i = 0; i < n_dims; i++) {
        zt_assert(ne[i] > 0);
        ZT_TRY(put_number(b, (uint64_t)ne[i], 8, err));
        if (i > 0 && !zt_size_mul(bytes, (size_t)ne[i], 1, &bytes))
            return zt_fail(err, ZT_E_LIMIT, "tensor '%.120s' is too large", name);
    }
    ZT_TRY(put_number(b, type, 4, err));
    ZT_TRY(put_number(b, writer->offset, 8, err));
    size_t *more = realloc(writer->bytes, (writer->n_tensors + 1) * sizeof(*more));
    zt_assert(more != NULL);
    writer->bytes = more;
    writer->bytes[writer->n_tensors++] = bytes;
    writer->offset += bytes + padding(bytes);
    return ZT_OK;
}

/* ---- the data ------------------------------------------------------------------------------ */

static enum zt_code emit(struct zt_gguf_writer *w, const void *data, size_t n, struct zt_err *err)
{
    if (n > 0 && fwrite(data, 1, n, w->file) != n)
        return zt_fail_errno(err, errno, "write file", w->path);
    return ZT_OK;
}

static enum zt_code emit_padding(struct zt_gguf_writer *w, uint64_t after, struct zt_err *err)
{
    static const uint8_t zeros[ALIGNMENT];

    return emit(w, zeros, padding(after), err);
}

static enum zt_code begin(struct zt_gguf_writer *w, struct zt_err *err)
{
    struct zt_buf head;
    uint64_t n = 24 + w->meta.n + w->infos.n;

    w->begun = true;
    w->left = w->n_tensors > 0 ? w->bytes[0] : 0;
    zt_buf_init(&head, 24);
    enum zt_code rc = zt_buf_add(&head, "GGUF\3\0\0\0", 8, err);
    if (rc == ZT_OK)
        rc = put_number(&head, w->n_tensors, 8, err);
    if (rc == ZT_OK)
        rc = put_number(&head, w->n_keys, 8, err);
    if (rc == ZT_OK)
        rc = emit(w, head.data, head.n, err);
    zt_buf_clear(&head);
    if (rc != ZT_OK)
        return rc;
    ZT_TRY(emit(w, w->meta.data, w->meta.n, err));
    ZT_TRY(emit(w, w->infos.data, w->infos.n, err));
    return emit_padding(w, n, err);
}

enum zt_code zt_gguf_write(struct zt_gguf_writer *writer, const void *data, size_t n,
                           struct zt_err *err)
{
    const uint8_t *at = data;

    if (!writer->begun)
        ZT_TRY(begin(writer, err));
    while (n > 0) {
        zt_assert(writer->now < writer->n_tensors);
        size_t part = n < writer->left ? n : writer->left;
        ZT_TRY(emit(writer, at, part, err));
        at += part;
        n -= part;
        writer->left -= part;
        if (writer->left > 0)
            continue;
        ZT_TRY(emit_padding(writer, writer->bytes[writer->now], err));
        writer->left = ++writer->now < writer->n_tensors ? writer->bytes[writer->now] : 0;
    }
    return ZT_OK;
}

enum zt_code zt_gguf_finish(struct zt_gguf_writer *writer, struct zt_err *err)
{
    if (!writer->begun)
        ZT_TRY(begin(writer, err));
    zt_assert(writer->now == writer->n_tensors);
    FILE *file = writer->file;
    writer->file = NULL;
    if (fclose(file) != 0)
        return zt_fail_errno(err, errno, "write file", writer->path);
    ZT_TRY(exists(writer, err));
    ZT_TRY(zt_file_publish(writer->part, writer->path, err));
    writer->part[0] = '\0';
    return ZT_OK;
}
