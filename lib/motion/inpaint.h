/*
 * inpaint.h - inventing what a removed part of a picture may have hidden.
 *
 * First a membrane: colours flow in from the rim of the hole, which is smooth and never wrong in
 * tone. Then, as far into the hole as a moving camera can look, patches: coarse to fine, every part
 * of the hole looks for the patch of the rest of the picture that fits its surroundings best, and
 * those patches vote (Wexler, Shechtman, Irani, "Space-Time Completion of Video", 2007), found by
 * PatchMatch (Barnes et al., 2009). Texture goes on behind an edge instead of being smeared.
 */
#ifndef ZT_MOTION_INPAINT_H
#define ZT_MOTION_INPAINT_H

#include "base/error.h"

/*
 * picture   changed where hole is not 0
 * hole      [height_px][width_px], no gaps; what is under it is not looked at
 * reach_px  how far from the rim of the hole patches are worth their time; 0: the membrane alone
 * ZT_E_NOMEM. A hole that covers everything is filled with grey. Same input, same result.
 */
enum zt_code zt_inpaint(struct zt_image *picture, const uint8_t *hole, int reach_px,
                        struct zt_err *err);

#endif
