/*
 * ahead.h - frames drawn on a thread of their own, a few ahead of whoever takes them.
 *
 * Drawing and encoding wait for different things; side by side they fill each other's gaps.
 */
#ifndef ZT_ENGINE_AHEAD_H
#define ZT_ENGINE_AHEAD_H

#include "base/error.h"
#include "media/frame.h"

#define ZT_AHEAD_FRAMES 3

struct zt_meter;

/* Draws a frame. Called in order, each after the one before it has returned; not on one thread. */
typedef enum zt_code zt_draw_fn(void *user, int index, struct zt_frame_buf *frame,
                                struct zt_err *err);

/*
 * Draws frames first ... end - 1 into the buffers in turn and hands them on through the meter, on
 * this thread and in order, with its steps. What `draw` uses is its alone until this returns: the
 * first error of drawing, ZT_E_CANCELLED from the meter, or ZT_OK after the last frame.
 */
enum zt_code zt_ahead_run(struct zt_meter *meter, struct zt_frame_buf buf[ZT_AHEAD_FRAMES],
                          int first, int end, zt_draw_fn *draw, void *user, struct zt_err *err);

#endif
