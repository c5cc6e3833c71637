/*
 * inpaint.h - inventing what a removed part of a picture may have hidden.
 *
 * First a membrane: colours flow in from the rim of the hole, which is smooth and never wrong in
 * tone; what is too far from the rim to be seen is left as it is. Then, as far into the hole as a
 * moving camera can look, patches: coarse to fine, every part of the hole looks for the patch of
 * the rest of the picture that fits its surroundings best, and those patches vote (Wexler,
 * Shechtman, Irani, "Space-Time Completion of Video", 2007), found by PatchMatch (Barnes et al.,
 * 2009). Texture goes on behind an edge instead of being smeared.
 */
#ifndef ZT_MOTION_INPAINT_H
#define ZT_MOTION_INPAINT_H

#include "base/error.h"

struct zt_pool;

#define ZT_INPAINT_MAX 4

struct zt_inpaint {
    const struct zt_image *picture; /* its pixels are changed where the hole is */
    const uint8_t *hole; /* [height_px][width_px], no gaps; 1: unknown, to be filled; else 0 */
    bool patches;        /* patches as far as reach_px from the rim, the membrane well past it; */
    int reach_px;        /* otherwise the membrane alone, as far as that */
};

/*
 * Fills n pictures, at most ZT_INPAINT_MAX, each by itself; pool may be NULL. ZT_E_NOMEM. A hole
 * that covers everything is filled with grey. Same input, same result for any number of threads.
 */
enum zt_code zt_inpaint(const struct zt_inpaint *what, int n, struct zt_pool *pool,
                        struct zt_err *err);

#endif
