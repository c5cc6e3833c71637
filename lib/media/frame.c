/* frame.c - see frame.h. */
#include "media/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

#define STRIDE_ALIGNMENT 64
#define ROWS_A_SLICE     64 /* luma rows; even, so that a slice holds whole chroma rows */

static size_t aligned(size_t n)
{
    return (n + STRIDE_ALIGNMENT - 1) & ~(size_t)(STRIDE_ALIGNMENT - 1);
}

/* Bytes and rows a plane needs at least. */
static void plane_size(enum zt_pixels format, int width_px, int height_px, int i, size_t *row_bytes,
                       size_t *rows)
{
    size_t w = (size_t)width_px;
    size_t h = (size_t)height_px;

    *row_bytes = format == ZT_PIXELS_RGB24 ? 3 * w : i == 0 ? w : (w + 1) / 2;
    *rows = format == ZT_PIXELS_RGB24 || i == 0 ? h : (h + 1) / 2;
}

static int planes_of(enum zt_pixels format)
{
    return format == ZT_PIXELS_RGB24 ? 1 : 3;
}

static enum zt_code check_size(enum zt_pixels format, int width_px, int height_px,
                               struct zt_err *err)
{
    if (format != ZT_PIXELS_RGB24 && format != ZT_PIXELS_YUV420)
        return zt_fail(err, ZT_E_INVALID, "pixel format %d is not known", (int)format);
    if (width_px < 1 || height_px < 1 || width_px > ZT_FRAME_MAX_SIDE_PX ||
        height_px > ZT_FRAME_MAX_SIDE_PX)
        return zt_fail(err, ZT_E_INVALID, "a frame must be 1 to %d pixels wide and high, not %dx%d",
                       ZT_FRAME_MAX_SIDE_PX, width_px, height_px);
    return ZT_OK;
}

enum zt_code zt_frame_buf_init(struct zt_frame_buf *buf, enum zt_pixels format, int width_px,
                               int height_px, struct zt_err *err)
{
    size_t offset[4] = { 0 };
    void *pixels = NULL;

    memset(buf, 0, sizeof(*buf));
    ZT_TRY(check_size(format, width_px, height_px, err));
    for (int i = 0; i < planes_of(format); i++) {
        size_t row_bytes;
        size_t rows;
        plane_size(format, width_px, height_px, i, &row_bytes, &rows);
        buf->view.stride[i] = aligned(row_bytes);
        offset[i + 1] = offset[i] + buf->view.stride[i] * rows;
    }
    size_t bytes = offset[planes_of(format)];
    ZT_TRY(zt_try_alloc(bytes, 1, "a frame", &pixels, err));
    buf->pixels = pixels;
    for (int i = 0; i < planes_of(format); i++)
        buf->view.plane[i] = buf->plane[i] = buf->pixels + offset[i];
    if (format == ZT_PIXELS_YUV420) {
        memset(buf->pixels, 16, offset[1]);
        memset(buf->pixels + offset[1], 128, bytes - offset[1]);
    }
    buf->view.format = format;
    buf->view.width_px = width_px;
    buf->view.height_px = height_px;
    return ZT_OK;
}

void zt_frame_buf_clear(struct zt_frame_buf *buf)
{
    free(buf->pixels);
    memset(buf, 0, sizeof(*buf));
}

enum zt_code zt_frame_check(const struct zt_frame *frame, struct zt_err *err)
{
    ZT_TRY(check_size(frame->format, frame->width_px, frame->height_px, err));
    for (int i = 0; i < planes_of(frame->format); i++) {
        size_t row_bytes;
        size_t rows;
        plane_size(frame->format, frame->width_px, frame->height_px, i, &row_bytes, &rows);
        if (frame->plane[i] == NULL)
            return zt_fail(err, ZT_E_INVALID, "plane %d of the frame is missing", i);
        if (frame->stride[i] < row_bytes)
            return zt_fail(err, ZT_E_INVALID,
                           "plane %d of the frame has %zu bytes a row, at least %zu are needed", i,
                           frame->stride[i], row_bytes);
    }
    return ZT_OK;
}

struct conversion {
    const struct zt_frame *src;
    struct zt_frame_buf *dst;
};

static void copy_rows(const struct conversion *c, int first, int end)
{
    const struct zt_frame *src = c->src;

    for (int i = 0; i < planes_of(src->format); i++) {
        size_t row_bytes;
        size_t rows;
        plane_size(src->format, src->width_px, src->height_px, i, &row_bytes, &rows);
        size_t from = rows < (size_t)src->height_px ? (size_t)first / 2 : (size_t)first;
        size_t to = rows < (size_t)src->height_px ? ((size_t)end + 1) / 2 : (size_t)end;
        for (size_t y = from; y < to && y < rows; y++)
            memcpy(c->dst->plane[i] + y * c->dst->view.stride[i],
                   src->plane[i] + y * src->stride[i], row_bytes);
    }
}

static void convert_slice(void *user, int first, int end)
{
    const struct conversion *c = user;
    const struct zt_frame *src = c->src;
    struct zt_frame_buf *dst = c->dst;

    if (src->format == dst->view.format)
        copy_rows(c, first, end);
    else if (src->format == ZT_PIXELS_RGB24)
        zt_rgb24_to_yuv420(src->plane[0], src->stride[0], src->width_px, src->height_px, dst->plane,
                           dst->view.stride, first / 2, (end + 1) / 2);
    else
        zt_yuv420_to_rgb24(src->plane, src->stride, src->width_px, src->height_px, dst->plane[0],
                           dst->view.stride[0], first, end);
}

void zt_frame_convert(const struct zt_frame *src, struct zt_frame_buf *dst, struct zt_pool *pool)
{
    struct conversion c = { src, dst };

    zt_assert(src->width_px == dst->view.width_px && src->height_px == dst->view.height_px);
    zt_pool_for(pool, src->height_px, ROWS_A_SLICE, convert_slice, &c);
}
