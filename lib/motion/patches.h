/* patches.h - the second half of inpaint.h: which patches go where. For inpaint.c alone. */
#ifndef ZT_MOTION_PATCHES_H
#define ZT_MOTION_PATCHES_H

#include "base/error.h"

#define ZT_PATCHES_LONG 320 /* the longest side of the proxy */

struct zt_inpaint;
struct zt_pool;

/* For each point of a proxy of the picture: whether a patch lies there, and what it copies. */
struct zt_patches {
    int width, height;
    uint8_t *target;      /* [height][width] 1: a patch around here reaches into the hole */
    int16_t *way;         /* [height][width][2] x and y to its source, in pixels of the picture */
    void *memory, *flags; /* what they are in */
};

/*
 * Finds them; the hole's colours in the picture are where the search starts. width 0 afterwards:
 * too little is known. pool may be NULL; the result does not depend on it. ZT_E_NOMEM.
 */
enum zt_code zt_patches_find(const struct zt_inpaint *what, struct zt_pool *pool,
                             struct zt_patches *ret, struct zt_err *err);
void zt_patches_clear(struct zt_patches *patches);

/* Steps from the nearest cell that is not 0, up to 250 (city blocks: two passes are exact). */
void zt_steps(uint8_t *steps, int width, int height);

#endif
