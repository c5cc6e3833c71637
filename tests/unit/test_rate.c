/* The limiter: exact in any window, fair between keys, bounded. Time is the test's. */
#include "api/rate.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "check.h"

static void admits_so_many_in_any_window(void)
{
    struct zt_rate *rate = zt_rate_new(3, 10 * ZT_SECOND_US);
    static const struct {
        const char *label;
        int64_t key, at_s;
        bool ok;
        int64_t wait_s;
    } rows[] = {
        { "first", 1, 100, true, 0 },
        { "second", 1, 104, true, 0 },
        { "third", 1, 108, true, 0 },
        { "fourth", 1, 108, false, 2 },
        { "another key", 2, 108, true, 0 },
        { "just before", 1, 109, false, 1 },
        { "when the first is a window old", 1, 110, true, 0 },
        { "the second is not", 1, 110, false, 4 },
        { "a refusal does not count", 1, 114, true, 0 },
        { "full again", 1, 114, false, 4 },
        { "after a long time", 1, 1000, true, 0 },
        { "and again", 1, 1000, true, 0 },
        { "and again", 1, 1000, true, 0 },
        { "full", 1, 1000, false, 10 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int64_t wait_us = 0;
        CHECK_INT(rows[i].label,
                  zt_rate_admit(rate, rows[i].key, rows[i].at_s * ZT_SECOND_US, &wait_us),
                  rows[i].ok);
        CHECK_INT(rows[i].label, wait_us, rows[i].wait_s * ZT_SECOND_US);
    }
    zt_rate_free(rate);
}

/* However many keys come by, the busy one is not forgotten while its window lasts. */
static void forgets_the_idle_first(void)
{
    struct zt_rate *rate = zt_rate_new(1, 10 * ZT_SECOND_US);
    int64_t wait_us = 0;

    for (int64_t key = 1; key <= ZT_RATE_KEYS; key++)
        CHECK("new", zt_rate_admit(rate, key, key, &wait_us));
    CHECK("full: the oldest makes room", zt_rate_admit(rate, -1, ZT_RATE_KEYS + 1, &wait_us));
    CHECK("a young one is known", !zt_rate_admit(rate, ZT_RATE_KEYS, ZT_RATE_KEYS + 2, &wait_us));
    CHECK("the newest is known", !zt_rate_admit(rate, -1, ZT_RATE_KEYS + 2, &wait_us));
    zt_rate_free(rate);
}

static atomic_int admitted;

static void *hammer(void *user)
{
    int64_t wait_us;

    for (int i = 0; i < 2000; i++) {
        if (zt_rate_admit(user, 7, ZT_SECOND_US, &wait_us))
            atomic_fetch_add(&admitted, 1);
    }
    return NULL;
}

static void counts_right_under_threads(void)
{
    struct zt_rate *rate = zt_rate_new(500, 10 * ZT_SECOND_US);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, rate);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT("admitted", admitted, 500);
    zt_rate_free(rate);
}

int main(void)
{
    RUN(admits_so_many_in_any_window);
    RUN(forgets_the_idle_first);
    RUN(counts_right_under_threads);
    return check_done();
}
