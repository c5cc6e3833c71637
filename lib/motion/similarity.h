/*
 * similarity.h - zoom, turn and shift of the plane as one complex map, z -> a z + b.
 *
 * Powers of a similarity follow its one-parameter group, so the half of a quarter turn is an
 * eighth turn and the half of a 4x zoom a 2x zoom, about one fixed point: nothing shrinks on the
 * way, as it does when matrices are mixed.
 */
#ifndef ZT_MOTION_SIMILARITY_H
#define ZT_MOTION_SIMILARITY_H

#include <stddef.h>

struct zt_similarity {
    double ar, ai; /* a: scale and turn */
    double bx, by; /* b: shift */
};

#define ZT_SIMILARITY_NONE ((struct zt_similarity){ 1.0, 0.0, 0.0, 0.0 })

/* A point of the first picture and where it is in the second. */
struct zt_point_pair {
    float x0, y0, x1, y1;
};

void zt_similarity_apply(const struct zt_similarity *s, double x, double y, double *ret_x,
                         double *ret_y);

/* The map that undoes s; a must not be 0. */
struct zt_similarity zt_similarity_inverse(const struct zt_similarity *s);

/* s to the power t: the identity at 0, s at 1. */
struct zt_similarity zt_similarity_power(const struct zt_similarity *s, double t);

/* f after g. */
struct zt_similarity zt_similarity_after(const struct zt_similarity *f,
                                         const struct zt_similarity *g);

/*
 * The similarity that takes most of n pairs to within `tolerance` of where they go (RANSAC with a
 * fixed seed, then least squares on the inliers). Returns how many it takes there; *ret is the
 * identity when n < 2.
 */
size_t zt_similarity_fit(const struct zt_point_pair *pairs, size_t n, double tolerance,
                         struct zt_similarity *ret);

#endif
