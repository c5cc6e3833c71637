/*
 * points.h - text as an array of code points, which is how prompt cleaning works on it.
 *
 * One thread at a time. Adding fails with ZT_E_NOMEM, and with ZT_E_LIMIT past ZT_POINTS_MAX.
 */
#ifndef ZT_MODELS_TEXT_POINTS_H
#define ZT_MODELS_TEXT_POINTS_H

#include "base/auto.h"
#include "base/buf.h"

#define ZT_POINTS_MAX ((size_t)1 << 22)

struct zt_points {
    int32_t *at;
    size_t n, cap;
};

#define zt_auto_points __attribute__((cleanup(zt_points_free)))

void zt_points_free(struct zt_points *points); /* frees what it holds; empty and ready for use */
enum zt_code zt_points_add(struct zt_points *points, int32_t point, struct zt_err *err);
enum zt_code zt_points_add_all(struct zt_points *points, const int32_t *at, size_t n,
                               struct zt_err *err);

/* Adds the code points of n bytes. U+0000 is one. ZT_E_INVALID: not UTF-8. */
enum zt_code zt_points_add_utf8(struct zt_points *points, const char *text, size_t n,
                                struct zt_err *err);

/* Appends UTF-8 to buf. */
enum zt_code zt_points_to_utf8(const struct zt_points *points, struct zt_buf *buf,
                               struct zt_err *err);

bool zt_points_equal(const struct zt_points *a, const struct zt_points *b);

#endif
