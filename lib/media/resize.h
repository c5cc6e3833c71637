/*
 * resize.h - high-quality resampling of a rectangle of a picture.
 *
 * Separable filter in linear light, f32: Lanczos-3 stretched over the footprint of an output pixel
 * where the picture shrinks, Catmull-Rom (Keys 1981, a = -1/2) where it grows; each axis decides
 * for itself. Samples beyond the rectangle but inside the picture take part, the picture's edge is
 * repeated. The result does not depend on the thread count.
 */
#ifndef ZT_MEDIA_RESIZE_H
#define ZT_MEDIA_RESIZE_H

#include "base/error.h"

struct zt_pool;

/* In pixels of the source; pixel i covers i ... i + 1. May lie between pixels. */
struct zt_crop {
    double x, y, w, h;
};

/* The whole picture. */
struct zt_crop zt_crop_all(const struct zt_image *image);

/* The largest centred rectangle of the given aspect. */
struct zt_crop zt_crop_to_aspect(const struct zt_image *image, int width, int height);

/*
 * src        not changed
 * crop       within the picture (a rounding error of 1e-6 is forgiven), w and h above 0
 * dst        [height_px][width_px][3] sRGB, rows dst_stride bytes apart
 * pool       NULL: one thread
 * ZT_E_INVALID: a size or the rectangle is out of range; ZT_E_NOMEM.
 */
enum zt_code zt_resize_rgb24(const struct zt_image *src, const struct zt_crop *crop, uint8_t *dst,
                             size_t dst_stride, int width_px, int height_px, struct zt_pool *pool,
                             struct zt_err *err);

/* The same into linear light, [height_px][width_px][3] f32 without gaps, not clamped. */
enum zt_code zt_resize_linear(const struct zt_image *src, const struct zt_crop *crop, float *dst,
                              int width_px, int height_px, struct zt_pool *pool,
                              struct zt_err *err);

#endif
