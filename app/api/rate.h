/*
 * rate.h - how often a key may do something: at most `max` times in any window of time.
 *
 * Exact, not an average: the times of the last `max` admissions of a key are kept. Memory is
 * bounded by max and ZT_RATE_KEYS; a key that was idle for a window is forgotten first, then the
 * one that was idle longest. Any thread.
 */
#ifndef ZT_API_RATE_H
#define ZT_API_RATE_H

#include "base/error.h"

#define ZT_RATE_KEYS 4096
#define ZT_RATE_MAX  1000000 /* a larger max counts as this one */

struct zt_rate;

struct zt_rate *zt_rate_new(int max, int64_t window_us);
void zt_rate_free(struct zt_rate *rate);

/*
 * Whether the key may go on at now_us (monotonic), counting it if so. Otherwise *ret_wait_us is
 * how long until it may.
 */
bool zt_rate_admit(struct zt_rate *rate, int64_t key, int64_t now_us, int64_t *ret_wait_us);

#endif
