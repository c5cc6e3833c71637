/*
 * flow.h - dense optical flow between two pictures, both ways, with a confidence for each pixel.
 *
 * Coarse to fine: descriptors of oriented gradients (blind to brightness and contrast) are matched
 * at 1/8 size by looking everywhere, and from there up by propagation and random search, so motion
 * may be as large as the picture. What the two directions agree on is spread along the picture's
 * own edges (fast global smoother), then refined to sub-pixel by a variational method with
 * gradient constancy on a contrast-normalised picture. What still disagrees afterwards is taken
 * for occluded, loses its confidence, and gets the motion of the confident pixels on its side of
 * the edge.
 *
 * Sources: Hu, Song, Li, "Efficient Coarse-to-Fine PatchMatch for Large Displacement Optical Flow"
 * (2016); Tola, Lepetit, Fua, "DAISY" (2010); Min et al., "Fast Global Image Smoothing Based on
 * Weighted Least Squares" (2014); Brox et al., "High Accuracy Optical Flow Estimation Based on a
 * Theory for Warping" (2004). Pixel centres are whole numbers. Same input: same bytes, for any
 * number of threads.
 */
#ifndef ZT_MOTION_FLOW_H
#define ZT_MOTION_FLOW_H

#include "base/auto.h"
#include "base/error.h"
#include "motion/similarity.h"

struct zt_pool;

/* A small picture for matching: planes of width * height floats, in one allocation. */
struct zt_flow_image {
    int width, height;
    float *luma; /* 0 ... 1 */
    float *blue; /* blue - luma */
    float *red;  /* red - luma */
    float *seen; /* 1 where the picture has something to say, 0 outside of it */
};

/* What runs the work, and who may stop it. */
struct zt_flow_run {
    struct zt_pool *pool;
    int (*tick)(void *user, int percent); /* NULL, or non-zero to stop */
    void *user;
    int from, to; /* the percents this part of the work spans */
};

/* Tells how far the run is: `step` of `steps` of its span. ZT_E_CANCELLED when told to stop. */
enum zt_code zt_flow_tick(const struct zt_flow_run *run, int step, int steps, struct zt_err *err);

/*
 * Pixel (x, y) moves by (u, v); conf is 0 (occluded, or no counterpart) ... 1. clean is conf, less
 * beside a border of the motion, where the pixels of the picture mix two things. Both are -1 where
 * the picture sees nothing.
 */
struct zt_flow {
    int width, height;
    float *u, *v, *conf, *clean; /* in one allocation, freed by zt_flow_clear */
};

enum zt_code zt_flow_image_init(struct zt_flow_image *image, int width, int height,
                                struct zt_err *err);
void zt_flow_image_clear(struct zt_flow_image *image);

/* Averages a picture down to the size of `ret`, which is initialised and not larger. */
void zt_flow_image_shrink(const struct zt_image *from, struct zt_flow_image *ret,
                          struct zt_pool *pool);

/* Averages 2 x 2 pixels into one. ret is initialised here. */
enum zt_code zt_flow_image_halve(const struct zt_flow_image *from, struct zt_flow_image *ret,
                                 struct zt_err *err);

/* ret(x) = from(s(x)); seen is 0 where s(x) is outside. */
void zt_flow_image_warp(const struct zt_flow_image *from, const struct zt_similarity *s,
                        struct zt_flow_image *ret, struct zt_pool *pool);

/*
 * The similarity most of the two pictures agree on; the identity when they agree on none.
 * *ret_share is the share of matches that follow it.
 */
enum zt_code zt_flow_similarity(const struct zt_flow_image *a, const struct zt_flow_image *b,
                                const struct zt_flow_run *run, struct zt_similarity *ret,
                                double *ret_share, struct zt_err *err);

/*
 * Flow from a to b and from b to a, both freshly allocated.
 * ZT_E_NOMEM, ZT_E_CANCELLED. Both pictures of the same size, at least 16 x 16.
 */
enum zt_code zt_flow_between(const struct zt_flow_image *a, const struct zt_flow_image *b,
                             const struct zt_flow_run *run, struct zt_flow *ret_ab,
                             struct zt_flow *ret_ba, struct zt_err *err);
void zt_flow_clear(struct zt_flow *flow);

#endif
