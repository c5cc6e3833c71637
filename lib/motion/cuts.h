/*
 * cuts.h - where a depth map is cut into layers: at thresholds that cross many steps and few
 * slopes. A cut through a step shows as parallax, a cut through a slope must not show at all.
 */
#ifndef ZT_MOTION_CUTS_H
#define ZT_MOTION_CUTS_H

#include "motion/depth.h"

#define ZT_CUTS_MAX 2 /* more than three layers brought nothing to see */

/* Thresholds, far to near, into cut[ZT_CUTS_MAX]; returns how many. */
int zt_cuts_find(const struct zt_depth *depth, float *cut);

#endif
