/*
 * depth.h - how far away each part of a picture is, from the picture alone.
 *
 * Depth here is nearness: 0 is the farthest thing in the picture, 1 the nearest, in proportion to
 * 1 / distance, which is what a picture shifts by when the camera moves. Dense, smooth inside
 * things and steep at their edges, but only right in its order: nobody measured a metre.
 */
#ifndef ZT_MOTION_DEPTH_H
#define ZT_MOTION_DEPTH_H

#include "base/error.h"

struct zt_pool;

/*
 * z[y * width + x], 0 ... 1; salient in the same order, 0 ... 1: how much a place stands out from
 * what lies along the picture's rim. The grid spans the whole picture, whatever its own size: grid
 * point (x, y) is the middle of its cell, picture position ((x + 0.5) / width, (y + 0.5) / height).
 */
struct zt_depth {
    int width, height;
    float *z;
    float *salient; /* in z's memory; NULL: not known */
};

/*
 * Estimates the depth of a picture, which is read and not kept. A few hundred grid points a side
 * are enough: edges are found again at full size when layers are cut. pool may be NULL.
 * ZT_E_NOMEM. The result does not depend on the thread count.
 */
enum zt_code zt_depth_estimate(const struct zt_image *picture, struct zt_pool *pool,
                               struct zt_depth *ret, struct zt_err *err);
void zt_depth_clear(struct zt_depth *depth);

/* z at (x, y) in grid cells from the grid's corner, interpolated, edges repeated. */
static inline double zt_depth_at(const struct zt_depth *depth, double x, double y)
{
    double right = depth->width - 1, bottom = depth->height - 1;

    x = x - 0.5 < 0 ? 0 : x - 0.5 > right ? right : x - 0.5;
    y = y - 0.5 < 0 ? 0 : y - 0.5 > bottom ? bottom : y - 0.5;
    int ix = (int)x, iy = (int)y;
    int next = ix + 1 < depth->width, below = iy + 1 < depth->height ? depth->width : 0;
    const float *z = depth->z + (size_t)iy * (size_t)depth->width + (size_t)ix;
    double fx = x - ix, fy = y - iy;
    double upper = (double)z[0] + fx * ((double)z[next] - (double)z[0]);
    double lower = (double)z[below] + fx * ((double)z[below + next] - (double)z[below]);
    return upper + fy * (lower - upper);
}

#endif
