/*
 * term.h - progress on standard error: a bar on a terminal, plain lines at most one a second
 * otherwise. Nothing on standard output.
 */
#ifndef ZT_CLI_TERM_H
#define ZT_CLI_TERM_H

#include "base/error.h"

struct zt_term {
    bool is_terminal, has_colour;
    bool drawn;       /* a bar stands in the current line */
    int64_t began_us; /* monotonic */
    int64_t shown_us;
    int percent;
};

void zt_term_init(struct zt_term *term);

/* Shows where the work is, if it is time to; the rest of the time is guessed from the start. */
void zt_term_progress(struct zt_term *term, const struct zt_progress *progress);

/* The same when the time that is left is known otherwise; < 0: it is not. */
void zt_term_progress_left(struct zt_term *term, const struct zt_progress *progress, double left_s);

/* Removes the bar, so that other output starts on a clean line. */
void zt_term_clear(struct zt_term *term);

#endif
