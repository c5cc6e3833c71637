/*
 * transition.h - from one shot to the next, other than by a plain cut.
 *
 * Works on finished frames. A shot's camera comes to rest at its end and starts from rest, so the
 * frame that a shot ends with stands for it while the next one takes over.
 */
#ifndef ZT_MOTION_TRANSITION_H
#define ZT_MOTION_TRANSITION_H

#include "base/error.h"
#include "prompt/prompt.h"

struct zt_frame_buf;
struct zt_pool;

/* How many frames at the end of one shot, and at the start of the next, a transition takes. */
struct zt_transition_span {
    int out, in;
};
struct zt_transition_span zt_transition_span(enum zt_transition kind, int frames_before,
                                             int frames_after);

/*
 * The frame `index` (0 ... span) of the out part, changed in place. index counts from the part's
 * first frame. YUV420. pool may be NULL.
 */
void zt_transition_out(enum zt_transition kind, const struct zt_transition_span *span, int index,
                       struct zt_frame_buf *frame, struct zt_pool *pool);

/* The same for the in part; last is the frame that the shot before ended with, unchanged. */
void zt_transition_in(enum zt_transition kind, const struct zt_transition_span *span, int index,
                      const struct zt_frame_buf *last, struct zt_frame_buf *frame,
                      struct zt_pool *pool);

#endif
