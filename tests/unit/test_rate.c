/* The limiter: exact in any window, fair between keys, bounded. Time is the test's. */
#include "api/rate.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "check.h"

static void admits_so_many_in_any_window(void)
{
    struct zt_rates *rates = zt_rates_new();
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
                  zt_rates_admit(rates, rows[i].key, 3, 10 * ZT_SECOND_US,
                                 rows[i].at_s * ZT_SECOND_US, &wait_us),
                  rows[i].ok);
        CHECK_INT(rows[i].label, wait_us, rows[i].wait_s * ZT_SECOND_US);
    }
    zt_rates_free(rates);
}

/* However many keys come by, the busy one is not forgotten while its window lasts. */
static void forgets_the_idle_first(void)
{
    struct zt_rates *rates = zt_rates_new();
    int64_t wait_us = 0;

    for (int64_t key = 1; key <= ZT_RATE_KEYS; key++)
        CHECK("new", zt_rates_admit(rates, key, 1, 10 * ZT_SECOND_US, key, &wait_us));
    CHECK("full: the oldest makes room",
          zt_rates_admit(rates, -1, 1, 10 * ZT_SECOND_US, ZT_RATE_KEYS + 1, &wait_us));
    CHECK("a young one is known",
          !zt_rates_admit(rates, ZT_RATE_KEYS, 1, 10 * ZT_SECOND_US, ZT_RATE_KEYS + 2, &wait_us));
    CHECK("the newest is known",
          !zt_rates_admit(rates, -1, 1, 10 * ZT_SECOND_US, ZT_RATE_KEYS + 2, &wait_us));
    zt_rates_free(rates);
}

/* A limit that changes takes what was admitted before along, the newest of it. */
static void heeds_a_changed_limit(void)
{
    struct zt_rates *rates = zt_rates_new();
    static const struct {
        const char *label;
        int64_t max, window_s, at_s;
        bool ok;
        int64_t wait_s;
    } rows[] = {
        { "1 of 3", 3, 10, 100, true, 0 },      { "2 of 3", 3, 10, 101, true, 0 },
        { "3 of 3", 3, 10, 102, true, 0 },      { "4 of 5", 5, 10, 103, true, 0 },
        { "5 of 5", 5, 10, 104, true, 0 },      { "6 of 5", 5, 10, 105, false, 5 },
        { "6 of 6", 6, 10, 105, true, 0 },      { "less", 2, 10, 106, false, 8 },
        { "shorter", 2, 3, 107, true, 0 },      { "longer", 2, 60, 108, false, 57 },
        { "much more", 100, 60, 108, true, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int64_t wait_us = 0;
        CHECK_INT(rows[i].label,
                  zt_rates_admit(rates, 1, rows[i].max, rows[i].window_s * ZT_SECOND_US,
                                 rows[i].at_s * ZT_SECOND_US, &wait_us),
                  rows[i].ok);
        CHECK_INT(rows[i].label, wait_us, rows[i].wait_s * ZT_SECOND_US);
    }
    zt_rates_free(rates);
}

static atomic_int admitted;

static void *hammer(void *user)
{
    int64_t wait_us;

    for (int i = 0; i < 2000; i++) {
        if (zt_rates_admit(user, 7, 500, 10 * ZT_SECOND_US, ZT_SECOND_US, &wait_us))
            atomic_fetch_add(&admitted, 1);
    }
    return NULL;
}

static void counts_right_under_threads(void)
{
    struct zt_rates *rates = zt_rates_new();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, rates);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT("admitted", admitted, 500);
    zt_rates_free(rates);
}

int main(void)
{
    RUN(admits_so_many_in_any_window);
    RUN(forgets_the_idle_first);
    RUN(heeds_a_changed_limit);
    RUN(counts_right_under_threads);
    return check_done();
}
