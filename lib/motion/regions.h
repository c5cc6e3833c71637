/*
 * regions.h - where a picture shows what can move or shine: sky, water, plants, lights.
 *
 * Rules of thumb on colour, texture, place and depth, on a small grid over the picture, made to
 * follow its edges (guided.h). They serve prompts that name the thing: a prompt about waves is
 * about a picture with water in it, so the rules look for its most likely part rather than proof.
 */
#ifndef ZT_MOTION_REGIONS_H
#define ZT_MOTION_REGIONS_H

#include "base/error.h"
#include "motion/depth.h"

struct zt_pool;

enum zt_region { ZT_REGION_SKY, ZT_REGION_WATER, ZT_REGION_PLANTS, ZT_REGION_GLOW, ZT_REGIONS };

#define ZT_REGION_BIT(region) (1U << (region))

struct zt_regions {
    int width, height;       /* the longer one at most 240 */
    float *rgb;              /* [height][width][3] the picture, coded sRGB, 0 ... 1 */
    float *near;             /* [height][width] depth at this size */
    float *mask[ZT_REGIONS]; /* [height][width] 0 ... 1; NULL: not asked for, or not in sight */
};

/*
 * picture and depth span the same rectangle, are read and not kept; depth may be without z.
 * wanted: ZT_REGION_BITs. ZT_E_NOMEM. The result does not depend on the thread count.
 */
enum zt_code zt_regions_find(const struct zt_image *picture, const struct zt_depth *depth,
                             unsigned wanted, struct zt_pool *pool, struct zt_regions *ret,
                             struct zt_err *err);
void zt_regions_clear(struct zt_regions *regions);

/*
 * Of a map in[height][width] of 0 and 1, empties every connected part of fewer than `smallest`
 * points, or that has none in row must_row (-1: any will do). diagonal: corners connect.
 * queue: as many numbers as points, whose values are lost.
 */
void zt_drop_parts(uint8_t *in, int width, int height, int smallest, int must_row, bool diagonal,
                   int32_t *queue);

#endif
