/*
 * focus.h - where a view that is closer than the picture looks: at what stands out.
 */
#ifndef ZT_MOTION_FOCUS_H
#define ZT_MOTION_FOCUS_H

#include "motion/camera.h"
#include "motion/depth.h"

/*
 * Where such a view should have its middle, 0 ... 1 of the picture: on what stands out, near the
 * top of it where it is larger than the view, as heads are. room: of the view's size, wherever it
 * lies. The middle of the picture where nothing stands out or nothing is known. A pure function.
 */
void zt_focus_find(const struct zt_depth *depth, const struct zt_room *room, double *ret_x,
                   double *ret_y);

#endif
