/*
 * frame.h - frames that own their memory, and conversion between the two pixel formats.
 */
#ifndef ZT_MEDIA_FRAME_H
#define ZT_MEDIA_FRAME_H

#include "base/error.h"

struct zt_pool;

/* The largest width or height of a frame. */
#define ZT_FRAME_MAX_SIDE_PX 16384

/* `view` looks into `pixels`; copying the struct does not copy the pixels. */
struct zt_frame_buf {
    struct zt_frame view;
    uint8_t *plane[3]; /* the same memory, for writing */
    uint8_t *pixels;
};

/*
 * A black frame (RGB 0, or Y 16 C 128). Planes and strides are multiples of 64 bytes; chroma planes
 * are (width + 1) / 2 by (height + 1) / 2. ZT_E_INVALID: a side outside 1 ... 16384; ZT_E_NOMEM.
 */
enum zt_code zt_frame_buf_init(struct zt_frame_buf *buf, enum zt_pixels format, int width_px,
                               int height_px, struct zt_err *err);
void zt_frame_buf_clear(struct zt_frame_buf *buf);

static inline void zt_auto_frame_buf(struct zt_frame_buf *buf)
{
    zt_frame_buf_clear(buf);
}

/* ZT_E_INVALID, saying why, unless sizes, planes and strides fit together. */
enum zt_code zt_frame_check(const struct zt_frame *frame, struct zt_err *err);

/*
 * Converts or copies src into dst, which has the same size and either format. src was checked.
 * pool may be NULL: one thread. The result does not depend on the thread count.
 */
void zt_frame_convert(const struct zt_frame *src, struct zt_frame_buf *dst, struct zt_pool *pool);

#endif
