/*
 * plan.h - from a request to size and frame count, the same for all engines.
 */
#ifndef ZT_ENGINE_PLAN_H
#define ZT_ENGINE_PLAN_H

#include "base/error.h"

#define ZT_FPS 24
#define ZT_DURATION_MIN_S 2
#define ZT_DURATION_MAX_S 12

/* Checks every member of a request. ZT_E_INVALID names the member. */
enum zt_code zt_request_check(const struct zt_request *request, struct zt_err *err);

/* 24 * duration_s + 1. */
int zt_frames_for(int duration_s);

/*
 * The output size for a resolution and a picture: the row of the upstream model's table whose
 * ratio is nearest (by |log| of the quotient) to the picture's. Sides are multiples of 32.
 */
void zt_size_for(enum zt_resolution resolution, int image_width_px, int image_height_px,
                 int *ret_width_px, int *ret_height_px);

/* The centre crop of a picture that has the ratio width:height, in picture pixels. */
struct zt_crop {
    double x, y, width, height;
};
struct zt_crop zt_centre_crop(int image_width_px, int image_height_px, int width_px,
                              int height_px);

#endif
