/* backoff.c - see backoff.h. */
#include "base/backoff.h"

#include "base/rng.h"

int64_t zt_jitter_us(int64_t us, int percent)
{
    int64_t span = us / 100 * percent;

    if (span <= 0)
        return us;
    return us - span + (int64_t)zt_random_below((uint64_t)(2 * span + 1));
}

int64_t zt_backoff_next_us(struct zt_backoff *backoff)
{
    int64_t us = backoff->first_us;

    for (int i = 0; i < backoff->tries && us < backoff->max_us; i++)
        us *= 2;
    if (us > backoff->max_us)
        us = backoff->max_us;
    backoff->tries++;
    return zt_jitter_us(us, 20);
}

void zt_backoff_reset(struct zt_backoff *backoff)
{
    backoff->tries = 0;
}
