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

/* Two pictures and which pixel of either is which of the other. */
struct zt_matcher {
    struct zt_pyramid a, b;
    struct zt_match *ab, *ba, *scratch; /* one allocation */
};

/*
 * Matches a and b both ways down to level `finest`, or the coarsest there is. m is zeroed before
 * and cleared after, also on failure.
 */
enum zt_code zt_matcher_run(struct zt_matcher *m, const struct zt_flow_image *a,
                            const struct zt_flow_image *b, int finest,
                            const struct zt_flow_run *run, struct zt_err *err);
void zt_matcher_clear(struct zt_matcher *m);

/*
 * Descriptors of one picture; clear frees what init made.
 */
enum zt_code zt_descriptors_init(struct zt_descriptors *desc, const struct zt_flow_image *image,
                                 struct zt_pool *pool, struct zt_err *err);
void zt_descriptors_clear(struct zt_descriptors *desc);

/*
 * Looks for every step_a-th pixel of a among every step_b-th of b, and back; writes those that
 * both directions agree on to ret, which has room for one of each step_a-th pixel. Only pixels
 * that are seen count. best has as many members as a has pixels.
 */
size_t zt_match_sparsely(const struct zt_descriptors *a, const struct zt_descriptors *b,
                         const float *seen_a, const float *seen_b, int step_a, int step_b,
                         struct zt_pool *pool, struct zt_match *best, struct zt_point_pair *ret);

/* Sum of absolute differences of two descriptors; the portable twin is for the tests. */
int32_t zt_descriptor_distance(const uint8_t *p, const uint8_t *q);
int32_t zt_descriptor_distance_portable(const uint8_t *p, const uint8_t *q);

#endif
