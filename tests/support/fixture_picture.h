/* fixture_picture.h - a picture of the fixtures, decoded. */
#ifndef ZT_TEST_FIXTURE_PICTURE_H
#define ZT_TEST_FIXTURE_PICTURE_H

#include "zoetrope.h"

#include "base/buf.h"
#include "base/file.h"
#include "check.h"

/* The caller frees the pixels. */
static inline struct zt_image picture(const char *path)
{
    struct zt_image image = { 0 };
    struct zt_image_limits limits = { .min_side_px = 16 };
    struct zt_buf buf;
    struct zt_err err;

    zt_buf_init(&buf, 1 << 20);
    CHECK_INT(path, zt_file_read(path, &buf, &err), ZT_OK);
    CHECK_INT(path, zt_image_decode(buf.data, buf.n, &limits, &image, &err), ZT_OK);
    zt_buf_clear(&buf);
    return image;
}

#endif
