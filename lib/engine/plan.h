/*
 * plan.h - from a request to size and frame count, the same for all engines. The sizes are
 * zt_size_for of zoetrope.h.
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

#endif
