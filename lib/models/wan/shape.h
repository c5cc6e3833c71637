/*
 * shape.h - what size a video is generated at, and in which parts. Pure functions.
 */
#ifndef ZT_MODELS_WAN_SHAPE_H
#define ZT_MODELS_WAN_SHAPE_H

#include "models/wan/card.h"

#define ZT_WAN_PARTS_MAX 40

/*
 * The size a video of width_px x height_px is generated at: that size where the card's max_pixels
 * allow it; else the largest size of the same shape in the table of sizes that they allow; else by
 * the reference's rule for an area. Sides are multiples of 32.
 */
void zt_wan_size(const struct zt_card *card, int width_px, int height_px, int *ret_width_px,
                 int *ret_height_px);

/*
 * One pass of the model. It makes `frames` frames (4 k + 1); the first `overlap` of them (0, or
 * 4 k + 1) are the last ones of the part before it, given again, and are not shown twice.
 */
struct zt_wan_part {
    int frames, overlap;
};

/* Parts that together show `frames` frames (4 k + 1), as even as can be. Returns how many. */
int zt_wan_parts(const struct zt_card *card, int frames, struct zt_wan_part ret[ZT_WAN_PARTS_MAX]);

#endif
