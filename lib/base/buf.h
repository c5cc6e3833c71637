/*
 * buf.h - a growing byte buffer with a limit.
 *
 * data is always NUL-terminated once anything was added (the NUL is not counted in n).
 * One thread at a time.
 */
#ifndef ZT_BASE_BUF_H
#define ZT_BASE_BUF_H

#include "base/error.h"

struct zt_buf {
    char *data;
    size_t n, cap;
    size_t limit; /* n never passes it */
};

void zt_buf_init(struct zt_buf *buf, size_t limit);
void zt_buf_clear(struct zt_buf *buf); /* frees; keeps the limit, ready for use */

/* ZT_E_LIMIT past the limit, ZT_E_NOMEM; the buffer is unchanged then. */
enum zt_code zt_buf_add(struct zt_buf *buf, const void *bytes, size_t n, struct zt_err *err);
enum zt_code zt_buf_printf(struct zt_buf *buf, struct zt_err *err, const char *fmt, ...)
    ZT_PRINTF(3, 4);

/* Hands the malloc'ed bytes on and leaves the buffer empty. */
char *zt_buf_take(struct zt_buf *buf, size_t *ret_n);

#endif
