/*
 * drain.h - how long work under way may go on once a stop was asked for.
 *
 * One a process. Every function may be called by any thread.
 */
#ifndef ZT_SERVICE_DRAIN_H
#define ZT_SERVICE_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct zt_stop;

struct zt_drain {
    struct zt_stop *stop;
    int64_t allowed_us;
    atomic_llong since_us; /* monotonic; when the stop was first noticed, 0: not yet */
    atomic_bool hurry;     /* no time is left, whatever was allowed */
};

void zt_drain_init(struct zt_drain *drain, struct zt_stop *stop, int64_t allowed_us);

/* A stop was asked for and its time is over: put down what is in hand. */
bool zt_drain_over(struct zt_drain *drain);

/* Ends the allowed time now, and asks the stop. */
void zt_drain_hurry(struct zt_drain *drain);

#endif
