/*
 * rate.h - how often a key may do something: at most `max` times in any window of time.
 *
 * Exact, not an average: the times of the last `max` admissions of a key are kept. Memory is
 * bounded by max and ZT_RATE_KEYS; a key that was idle for a window is forgotten first, then the
 * one that was idle longest. Each key has its own max and window, which may change at any time:
 * what was admitted before counts on. Any thread.
 */
#ifndef ZT_API_RATE_H
#define ZT_API_RATE_H

#include "base/error.h"

#define ZT_RATE_KEYS 4096
#define ZT_RATE_MAX  1000000 /* a larger max counts as this one */

struct zt_rates;

struct zt_rates *zt_rates_new(void);
void zt_rates_free(struct zt_rates *rates);

/*
 * Whether the key may go on at now_us (monotonic), counting it if so. Otherwise *ret_wait_us is
 * how long until it may. max and window_us are more than 0.
 */
bool zt_rates_admit(struct zt_rates *rates, int64_t key, int64_t max, int64_t window_us,
                    int64_t now_us, int64_t *ret_wait_us);

#endif
