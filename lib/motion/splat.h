/*
 * splat.h - a flow carried to a time between its two pictures. Private to passage.c.
 *
 * Every pixel of either picture is dropped where it is at time t. Where several fall on one place
 * the confident ones count (what is occluded in the other picture lies behind); where none of a
 * picture falls, that picture shows nothing of the place.
 */
#ifndef ZT_MOTION_SPLAT_H
#define ZT_MOTION_SPLAT_H

#include "motion/flow.h"

/*
 * The motion at a place of the frame at t. r0 is what to follow back to the first picture, r1 what
 * to follow on to the last: the place z is z - t r0 there and z + (1 - t) r1 here. odds0 and odds1
 * say how much each picture is to be believed, before their share by time. torn: this place, the
 * next across, and those below them do not all move together (also when they are the last).
 */
struct zt_motion_at {
    float r0x, r0y, r1x, r1y, odds0, odds1, torn, unused;
};

#define ZT_BETWEEN_SAME2 2.0f /* squared proxy pixels within which two places move together */

struct zt_between {
    int width, height;
    struct zt_motion_at *at;
    struct zt_between_place *places; /* scratch, for each picture */
};

enum zt_code zt_between_init(struct zt_between *b, int width, int height, struct zt_err *err);
void zt_between_clear(struct zt_between *b);
void zt_between_at(struct zt_between *b, const struct zt_flow *forward,
                   const struct zt_flow *backward, float t, struct zt_pool *pool);

#endif
