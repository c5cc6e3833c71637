/* buf.c - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void zt_buf_init(struct zt_buf *buf, size_t limit)
{
    *buf = (struct zt_buf){ .limit = limit };
}

void zt_buf_clear(struct zt_buf *buf)
{
    free(buf->data);
    *buf = (struct zt_buf){ .limit = buf->limit };
}

static enum zt_code reserve(struct zt_buf *buf, size_t more, struct zt_err *err)
{
    if (more > buf->limit || buf->n > buf->limit - more)
        return zt_fail(err, ZT_E_LIMIT, "more than %zu bytes", buf->limit);
    if (buf->n + more < buf->cap)
        return ZT_OK;
    size_t cap = buf->cap ? buf->cap * 2 : 256;
    if (cap < buf->n + more + 1)
        cap = buf->n + more + 1;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a buffer of %zu bytes", cap);
    buf->data = data;
    buf->cap = cap;
    return ZT_OK;
}

enum zt_code zt_buf_add(struct zt_buf *buf, const void *bytes, size_t n, struct zt_err *err)
{
    ZT_TRY(reserve(buf, n, err));
    if (n > 0)
        memcpy(buf->data + buf->n, bytes, n);
    buf->n += n;
    buf->data[buf->n] = '\0';
    return ZT_OK;
}

enum zt_code zt_buf_printf(struct zt_buf *buf, struct zt_err *err, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    enum zt_code rc =
        n < 0 ? zt_fail(err, ZT_E_INTERNAL, "a format failed") : reserve(buf, (size_t)n, err);
    if (rc == ZT_OK) {
        vsnprintf(buf->data + buf->n, (size_t)n + 1, fmt, again);
        buf->n += (size_t)n;
    }
    va_end(again);
    return rc;
}

char *zt_buf_take(struct zt_buf *buf, size_t *ret_n)
{
    char *data = buf->data;

    if (ret_n != NULL)
        *ret_n = buf->n;
    *buf = (struct zt_buf){ .limit = buf->limit };
    return data;
}
