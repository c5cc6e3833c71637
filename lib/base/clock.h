/*
 * clock.h - time in microseconds, and a clock that tests can set.
 *
 * UTC is stored, monotonic time is measured; they never mix.
 */
#ifndef ZT_BASE_CLOCK_H
#define ZT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define ZT_MS_US     INT64_C(1000)
#define ZT_SECOND_US INT64_C(1000000)
#define ZT_MINUTE_US (60 * ZT_SECOND_US)
#define ZT_HOUR_US   (60 * ZT_MINUTE_US)
#define ZT_DAY_US    (24 * ZT_HOUR_US)

int64_t zt_now_utc_us(void);
int64_t zt_now_mono_us(void);

/* What a module that stores times is given. NULL for one means the system's clock. */
struct zt_clock {
    int64_t (*utc_us)(void *user);
    void *user;
};

int64_t zt_clock_utc_us(const struct zt_clock *clock);

/* "2026-11-22T19:51:32.123Z"; dst holds ZT_TIME_TEXT. */
#define ZT_TIME_TEXT 32
void zt_time_text(int64_t utc_us, char *dst);

#endif
