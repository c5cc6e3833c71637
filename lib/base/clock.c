/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * ZT_SECOND_US + t.tv_nsec / 1000;
}

int64_t zt_now_utc_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t zt_now_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t zt_clock_utc_us(const struct zt_clock *clock)
{
    return clock != NULL && clock->utc_us != NULL ? clock->utc_us(clock->user) : zt_now_utc_us();
}

void zt_time_text(int64_t utc_us, char *dst)
{
    time_t seconds = (time_t)(utc_us / ZT_SECOND_US);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 8099) {
        snprintf(dst, ZT_TIME_TEXT, "-");
        return;
    }
    size_t n = strftime(dst, ZT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(dst + n, ZT_TIME_TEXT - n, ".%03dZ",
             (int)((utc_us % ZT_SECOND_US + ZT_SECOND_US) % ZT_SECOND_US / 1000));
}
