/*
 * match.h - which pixel of one picture looks like which pixel of another: the part of flow.h that
 * finds large motion, to whole pixels. Private to flow.c.
 */
#ifndef ZT_MOTION_MATCH_H
#define ZT_MOTION_MATCH_H

#include "motion/flow.h"

#define ZT_MATCH_LEVELS     4
#define ZT_DESCRIPTOR_BYTES 112

/* Descriptors of one picture at one size, [height][width][ZT_DESCRIPTOR_BYTES]. */
struct zt_descriptors {
    int width, height;
    uint8_t *bytes;
};

/* Where pixel (x, y) goes, and how unlike the two are; 0 is equal. */
struct zt_match {
    int16_t x, y;
    int32_t cost;
};

/* A picture at full, half, quarter ... size. levels <= ZT_MATCH_LEVELS. */
struct zt_pyramid {
    int levels;
    struct zt_flow_image image[ZT_MATCH_LEVELS];
    struct zt_descriptors desc[ZT_MATCH_LEVELS];
};

enum zt_code zt_pyramid_init(struct zt_pyramid *pyramid, const struct zt_flow_image *image,
                             struct zt_pool *pool, struct zt_err *err);
void zt_pyramid_clear(struct zt_pyramid *pyramid);

/*
 * Matches every pixel of level `finest` of a to b, starting at the coarsest level. matches has a
 * member for each pixel of that level; `scratch` is as large.
 */
void zt_match_pyramids(const struct zt_pyramid *a, const struct zt_pyramid *b, int finest,
                       struct zt_pool *pool, struct zt_match *matches, struct zt_match *scratch);

/* Sum of absolute differences of two descriptors; the portable twin is for the tests. */
int32_t zt_descriptor_distance(const uint8_t *p, const uint8_t *q);
int32_t zt_descriptor_distance_portable(const uint8_t *p, const uint8_t *q);

#endif
