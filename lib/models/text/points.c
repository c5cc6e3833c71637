/* points.c - see points.h. */
#include "models/text/points.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void zt_points_free(struct zt_points *points)
{
    free(points->at);
    *points = (struct zt_points){ 0 };
}

static enum zt_code reserve(struct zt_points *points, size_t more, struct zt_err *err)
{
    if (points->cap - points->n >= more)
        return ZT_OK;
    if (more > ZT_POINTS_MAX - points->n)
        return zt_fail(err, ZT_E_LIMIT, "text is longer than %zu characters", ZT_POINTS_MAX);
    size_t cap = points->cap < 256 ? 256 : points->cap * 2;
    while (cap - points->n < more)
        cap *= 2;
    int32_t *at = realloc(points->at, cap * sizeof(*at));
    if (at == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a text of %zu characters", cap);
    points->at = at;
    points->cap = cap;
    return ZT_OK;
}

enum zt_code zt_points_add(struct zt_points *points, int32_t point, struct zt_err *err)
{
    ZT_TRY(reserve(points, 1, err));
    points->at[points->n++] = point;
    return ZT_OK;
}

enum zt_code zt_points_add_all(struct zt_points *points, const int32_t *at, size_t n,
                               struct zt_err *err)
{
    if (n == 0)
        return ZT_OK;
    ZT_TRY(reserve(points, n, err));
    memcpy(points->at + points->n, at, n * sizeof(*at));
    points->n += n;
    return ZT_OK;
}

enum zt_code zt_points_add_utf8(struct zt_points *points, const char *text, size_t n,
                                struct zt_err *err)
{
    for (size_t i = 0; i < n;) {
        uint32_t point = 0;
        size_t length = text[i] == '\0' ? 1 : zt_utf8_next(text + i, n - i, &point);
        if (length == 0)
            return zt_fail(err, ZT_E_INVALID, "text is not valid UTF-8 at byte %zu", i);
        ZT_TRY(zt_points_add(points, (int32_t)point, err));
        i += length;
    }
    return ZT_OK;
}

static size_t encode(uint32_t c, unsigned char dst[4])
{
    if (c < 0x80) {
        dst[0] = (unsigned char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        dst[i] = (unsigned char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    dst[0] = (unsigned char)((0xF00u >> n & 0xFF) | c);
    return n;
}

enum zt_code zt_points_to_utf8(const struct zt_points *points, struct zt_buf *buf,
                               struct zt_err *err)
{
    for (size_t i = 0; i < points->n; i++) {
        unsigned char bytes[4];
        ZT_TRY(zt_buf_add(buf, bytes, encode((uint32_t)points->at[i], bytes), err));
    }
    return ZT_OK;
}

bool zt_points_equal(const struct zt_points *a, const struct zt_points *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->at, b->at, a->n * sizeof(*a->at)) == 0);
}
