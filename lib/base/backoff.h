/* backoff.h - growing, jittered delays between tries. */
#ifndef ZT_BASE_BACKOFF_H
#define ZT_BASE_BACKOFF_H

#include <stdint.h>

struct zt_backoff {
    int64_t first_us, max_us;
    int tries; /* since the last reset */
};

/* first, first*2, first*4 ... max, each moved by a random +-20 %. */
int64_t zt_backoff_next_us(struct zt_backoff *backoff);
void zt_backoff_reset(struct zt_backoff *backoff);

/* us moved by a random +-percent. */
int64_t zt_jitter_us(int64_t us, int percent);

#endif
