/*
 * guided.h - smoothing a map so that its edges sit on the edges of a picture.
 *
 * The guided filter of He, Sun and Tang ("Guided Image Filtering", 2010) with a colour guide:
 * inside a window the result is a linear function of the guide's three channels, so a soft mask
 * becomes sharp exactly where the guide has an edge, be it one of colour alone. Its cost does not
 * depend on the radius. Same input, same result, for any number of threads.
 */
#ifndef ZT_MOTION_GUIDED_H
#define ZT_MOTION_GUIDED_H

#include "base/error.h"

struct zt_pool;

/*
 * guide    [height][width][3], each channel around 0 ... 1
 * map      [height][width], replaced by the filtered one; not clamped
 * radius   half a window side, in grid points, at least 1
 * epsilon  variance of the guide below which an area counts as flat: 1e-4 where faint edges matter,
 *          1e-2 where only strong ones do
 * pool     may be NULL
 * ZT_E_NOMEM: 4 floats a grid point are needed, and 34 (radius + 3) a column for each thread.
 */
enum zt_code zt_guided_filter(const float *guide, float *map, int width, int height, int radius,
                              float epsilon, struct zt_pool *pool, struct zt_err *err);

/*
 * The filter's coefficients instead of its result, [height][width][4]: three for the channels and a
 * constant. Interpolated and applied to a larger guide of the same picture they give the filtered
 * map at that size, with its edges (He and Sun, "Fast Guided Filter", 2015). map is not changed.
 * wanted: [height][width], 1 where the coefficients are needed, else 0, and what ret holds there
 * means nothing; NULL: everywhere.
 */
enum zt_code zt_guided_fit(const float *guide, const float *map, const uint8_t *wanted, int width,
                           int height, int radius, float epsilon, struct zt_pool *pool, float *ret,
                           struct zt_err *err);

/* Mean over a (2 radius + 1)^2 window, cut at the borders; dst may be src. tmp: as large. */
void zt_box_mean(const float *src, float *dst, float *tmp, int width, int height, int radius);

#endif
