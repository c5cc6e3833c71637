/*
 * plan.h - from a request to size and frame count, the same for all engines.
 */
#ifndef ZT_ENGINE_PLAN_H
#define ZT_ENGINE_PLAN_H

#include "base/error.h"

#define ZT_FPS            24
#define ZT_DURATION_MIN_S 2
#define ZT_DURATION_MAX_S 12

/* Checks every member of a request. ZT_E_INVALID names the member. */
enum zt_code zt_request_check(const struct zt_request *request, struct zt_err *err);

/* 24 * duration_s + 1. */
int zt_frames_for(int duration_s);

/*
 * The output size for a resolution and a picture: the row of the upstream model's table whose
 * ratio is nearest (by |log| of the quotient) to the picture's. Sides are multiples of 32. The
 * picture is fitted by its centre crop: zt_crop_to_aspect of media/resize.h.
 */
void zt_size_for(enum zt_resolution resolution, int image_width_px, int image_height_px,
                 int *ret_width_px, int *ret_height_px);

/* The rows of that table, for tests and documents: false past the last. ratio is "16:9", ... */
bool zt_size_row(int index, enum zt_resolution resolution, const char **ret_ratio,
                 int *ret_width_px, int *ret_height_px);

#endif
