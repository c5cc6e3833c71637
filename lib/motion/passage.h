/*
 * passage.h - the way from the first picture to the end picture, as motion instead of a cross-fade.
 *
 * Opening a passage finds out how the two pictures correspond: one global similarity (zoom, turn,
 * shift) and, within it, a dense optical flow both ways with a confidence for each pixel (flow.h).
 * A frame at time t moves both pictures along those paths to t and blends them: what is seen in
 * both is the same thing at the same place, so nothing ghosts; what is seen in one only comes from
 * that one; what has no counterpart dissolves in place. Pictures with too little in common get a
 * dissolve with a slight zoom, and no flow at all. What neither picture shows, as the corners of a
 * turn half way, is mirrored at the border.
 *
 *     zt_passage_open(first, last, pool, tick, user, &p, err)
 *     for each frame: zt_passage_frame(p, t, &target, err)
 *     zt_passage_close(p)
 *
 * t is the position on the path, linear in motion: ease it in the caller. Same pictures and t:
 * same bytes, for any number of threads and with or without vector instructions.
 */
#ifndef ZT_MOTION_PASSAGE_H
#define ZT_MOTION_PASSAGE_H

#include "base/auto.h"
#include "base/error.h"

struct zt_passage;
struct zt_pool;

/* Called now and then while a passage is opened, percent 0 ... 100; non-zero stops it. */
typedef int zt_passage_tick_fn(void *user, int percent);

/*
 * Where a frame goes; the caller's memory, the passage's size. RGB24: plane[0], 3 bytes a pixel.
 * YUV420: Y, U, V of BT.709 limited range, exactly what lib/media makes of the RGB24 frame; sides
 * must be even.
 */
struct zt_passage_target {
    enum zt_pixels format;
    uint8_t *plane[3];
    size_t stride[3];
};

/*
 * Compares the two pictures. Takes about a second.
 *
 * first, last  the same size, at least 16 x 16, sRGB; read here and not kept
 * pool         used by open and by every frame; outlives the passage
 * tick         may be NULL
 *
 *   ZT_E_INVALID    sizes differ or are too small
 *   ZT_E_NOMEM      about 110 MB are needed at 1080p, most of it while opening
 *   ZT_E_CANCELLED  tick returned non-zero
 */
enum zt_code zt_passage_open(const struct zt_image *first, const struct zt_image *last,
                             struct zt_pool *pool, zt_passage_tick_fn *tick, void *user,
                             struct zt_passage **ret, struct zt_err *err);

/*
 * Draws the frame at t, clamped to 0 ... 1. t = 0 is exactly `first`, t = 1 exactly `last`.
 * Frames may be drawn in any order, by one thread at a time.
 *
 *   ZT_E_INVALID  YUV420 and an odd side
 */
enum zt_code zt_passage_frame(struct zt_passage *p, float t, const struct zt_passage_target *target,
                              struct zt_err *err);

/*
 * How much of the pictures corresponds, 0 ... 1: about 0.9 for two views of one scene, below 0.2
 * for unrelated ones. Below ZT_PASSAGE_RELATED the passage is a dissolve.
 */
#define ZT_PASSAGE_RELATED 0.25f
float zt_passage_confidence(const struct zt_passage *p);

void zt_passage_close(struct zt_passage *p); /* NULL is fine */

ZT_AUTO(struct zt_passage, passage, zt_passage_close)

#endif
