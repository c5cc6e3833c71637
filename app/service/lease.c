/*
 * lease.c - see lease.h. The mutex guards what is held; it is not held across a renewal, so one
 * that ends after the lease was released is told apart by the lease's number.
 */
#include "service/lease.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "store/queue.h"

#define RECORD_US       ZT_SECOND_US     /* between two records of changed progress */
#define LOOK_US         (250 * ZT_MS_US) /* between two looks whether the lease still stands */
#define WORKER_NAME_MAX 128
#define STALLED_TRIES   3

struct zt_keeper {
    pthread_t thread;
    struct zt_store *store;  /* the thread's, once it runs */
    struct zt_stop *stop;    /* ends the thread; woken when there is something to hold */
    struct zt_stop *give_up; /* the worker's */
    int64_t lease_us, renew_us;
    atomic_bool lost;
    atomic_bool check;     /* look at once */
    pthread_mutex_t mutex; /* guards all below */
    bool holds;
    uint64_t number; /* of the lease, to tell the next one from this one */
    char task_id[ZT_TASK_ID_MAX + 1];
    char worker[WORKER_NAME_MAX];
    int attempt;
    struct zt_progress progress;
    bool progressed;               /* since the last record */
    int64_t renewed_us, looked_us; /* monotonic */
    int64_t stall_us;              /* 0: it is not watched */
    int64_t still_us;              /* how long nothing moved, as far as was looked */
};

/* A lease as it was when looked at, to renew or to check without the mutex. */
struct held {
    uint64_t number;
    char task_id[ZT_TASK_ID_MAX + 1];
    char worker[WORKER_NAME_MAX];
    int attempt;
    struct zt_progress progress;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum due { NOTHING, RENEW, CHECK, STALLED };

/*
 * Adds up the time between looks, so that a clock that ran on while the process was stopped, or the
 * machine slept, makes no work look still.
 */
static bool stands_still(struct zt_keeper *k, int64_t now_us)
{
    k->still_us += least(now_us - k->looked_us, 2 * LOOK_US);
    return k->stall_us > 0 && k->still_us >= k->stall_us;
}

/* What is due, with a copy of the lease it is due for; NOTHING: and when to ask again. */
static enum due find_due(struct zt_keeper *k, struct held *ret, int64_t *ret_wait_us)
{
    zt_locked(&k->mutex);
    bool told = atomic_exchange(&k->check, false);
    if (!k->holds) {
        *ret_wait_us = ZT_HOUR_US; /* woken by hold */
        return NOTHING;
    }
    int64_t now_us = zt_now_mono_us();
    int64_t due_us = k->progressed ? least(RECORD_US, k->renew_us) : k->renew_us;
    int64_t renew_in_us = k->renewed_us + due_us - now_us;
    int64_t look_in_us = k->looked_us + LOOK_US - now_us;
    if (!told && renew_in_us > 0 && look_in_us > 0) {
        *ret_wait_us = least(renew_in_us, look_in_us);
        return NOTHING;
    }
    ret->number = k->number;
    ret->attempt = k->attempt;
    ret->progress = k->progress;
    memcpy(ret->task_id, k->task_id, sizeof(ret->task_id));
    memcpy(ret->worker, k->worker, sizeof(ret->worker));
    bool still = stands_still(k, now_us);
    k->looked_us = now_us;
    if (still)
        return STALLED;
    if (renew_in_us > 0)
        return CHECK;
    k->progressed = false;
    return RENEW;
}

/* Writes down how a renewal or a check went, if the lease is still the one that was meant. */
static bool note(struct zt_keeper *k, const struct held *held, enum due due, enum zt_code rc)
{
    zt_locked(&k->mutex);
    if (!k->holds || k->number != held->number)
        return false;
    if (rc == ZT_OK && due == RENEW)
        k->renewed_us = zt_now_mono_us();
    if (rc == ZT_E_CONFLICT) {
        k->holds = false;
        atomic_store(&k->lost, true);
        zt_stop_ask(k->give_up);
    }
    return true;
}

/* Why it is lost, for the log: a cancelled task is nothing to warn of. */
static void log_lost(const struct zt_keeper *k, const struct zt_lease *lease)
{
    enum zt_lease_look look = ZT_LEASE_LOST;

    (void)!zt_store_lease_look(k->store, lease, &look, NULL);
    if (look == ZT_LEASE_CANCELLED)
        ZT_LOG(INFO, "lease_cancelled", "task=%s worker=%s attempt=%d", lease->task_id,
               lease->worker, lease->attempt);
    else
        ZT_LOG(WARN, "lease_lost", "task=%s worker=%s attempt=%d", lease->task_id, lease->worker,
               lease->attempt);
}

/* Reads only, so that asking often costs the others nothing. Trouble is left to the renewal. */
static void check(struct zt_keeper *k, const struct held *held)
{
    const struct zt_lease lease = { held->task_id, held->worker, held->attempt };
    enum zt_lease_look look = ZT_LEASE_HELD;

    if (zt_store_lease_look(k->store, &lease, &look, NULL) != ZT_OK || look == ZT_LEASE_HELD)
        return;
    if (note(k, held, CHECK, ZT_E_CONFLICT))
        log_lost(k, &lease);
}

static void renew(struct zt_keeper *k, const struct held *held)
{
    struct zt_err err = { 0 };
    const struct zt_lease lease = { held->task_id, held->worker, held->attempt };

    enum zt_code rc = zt_store_renew(k->store, &lease, k->lease_us,
                                     held->progress.stage ? &held->progress : NULL, &err);
    bool current = note(k, held, RENEW, rc);
    if (rc == ZT_OK || !current)
        return;
    if (rc == ZT_E_CONFLICT) {
        log_lost(k, &lease);
        return;
    }
    int64_t retry_us = k->renew_us / 4;
    ZT_LOG(WARN, "lease_not_renewed",
           "task=%s worker=%s code=%s retry_in_us=%" PRId64 " detail=\"%s\"", held->task_id,
           held->worker, zt_code_name(rc), retry_us, err.detail);
    zt_stop_wait(k->stop, retry_us);
}

/* The task goes back with a reason; if the store cannot take it, its end puts it back anyway. */
static void end_stalled(struct zt_keeper *k, const struct held *held)
{
    const struct zt_lease lease = { held->task_id, held->worker, held->attempt };
    const struct zt_progress *at = &held->progress;
    struct zt_err err = { 0 };
    char why[200];
    enum zt_code rc = ZT_E_BUSY;

    zt_format(why, sizeof(why),
              "the engine made no progress for %.0f s, at %s, step %d of %d, %d per cent",
              (double)k->stall_us / 1e6, at->stage ? at->stage : "its start", at->step, at->steps,
              at->percent);
    for (int i = 0; i < STALLED_TRIES && rc == ZT_E_BUSY; i++)
        rc = zt_store_put_back(k->store, &lease, true, why, NULL, &err);
    ZT_LOG(ERROR, "task_stalled", "task=%s worker=%s attempt=%d recorded=%s msg=\"%s\"",
           held->task_id, held->worker, held->attempt, zt_code_name(rc), why);
    _exit(ZT_EXIT_STALLED);
}

static void *keep(void *arg)
{
    struct zt_keeper *k = arg;
    struct held held;

    while (!zt_stop_asked(k->stop)) {
        int64_t wait_us = 0;
        switch (find_due(k, &held, &wait_us)) {
        case RENEW:
            renew(k, &held);
            break;
        case CHECK:
            check(k, &held);
            break;
        case STALLED:
            end_stalled(k, &held);
            break;
        case NOTHING:
            zt_stop_wait(k->stop, wait_us);
            break;
        }
    }
    return NULL;
}

enum zt_code zt_keeper_start(const struct zt_store_options *options, int64_t lease_us,
                             int64_t renew_us, struct zt_stop *give_up, struct zt_keeper **ret,
                             struct zt_err *err)
{
    struct zt_store *store = NULL;

    ZT_TRY(zt_store_open(options, &store, err));
    struct zt_keeper *k = zt_new(struct zt_keeper);
    k->store = store;
    k->stop = zt_stop_new();
    k->give_up = give_up;
    k->lease_us = lease_us;
    k->renew_us = renew_us;
    pthread_mutex_init(&k->mutex, NULL);
    if (pthread_create(&k->thread, NULL, keep, k) != 0) {
        zt_store_close(store);
        zt_stop_free(k->stop);
        pthread_mutex_destroy(&k->mutex);
        free(k);
        return zt_fail(err, ZT_E_IO, "cannot start the thread that keeps leases");
    }
    *ret = k;
    return ZT_OK;
}

void zt_keeper_stop(struct zt_keeper *k)
{
    if (k == NULL)
        return;
    zt_stop_ask(k->stop);
    pthread_join(k->thread, NULL);
    zt_store_close(k->store);
    zt_stop_free(k->stop);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

void zt_keeper_hold(struct zt_keeper *k, const struct zt_lease *lease)
{
    {
        zt_locked(&k->mutex);
        k->holds = true;
        k->number++;
        zt_assert(zt_format(k->task_id, sizeof(k->task_id), "%s", lease->task_id));
        zt_assert(zt_format(k->worker, sizeof(k->worker), "%s", lease->worker));
        k->attempt = lease->attempt;
        k->progress = (struct zt_progress){ 0 };
        k->progressed = false;
        k->renewed_us = k->looked_us = zt_now_mono_us();
        k->stall_us = k->still_us = 0;
        atomic_store(&k->lost, false);
        zt_stop_reset(k->give_up);
    }
    zt_stop_wake(k->stop);
}

void zt_keeper_progress(struct zt_keeper *k, const struct zt_progress *progress)
{
    zt_locked(&k->mutex);
    const struct zt_progress *before = &k->progress;
    if (before->stage != progress->stage || before->step != progress->step ||
        before->steps != progress->steps || before->percent != progress->percent)
        k->still_us = 0;
    k->progress = *progress;
    k->progressed = true;
}

void zt_keeper_watch(struct zt_keeper *k, int64_t stall_us)
{
    zt_locked(&k->mutex);
    k->stall_us = stall_us;
    k->still_us = 0;
}

void zt_keeper_check(struct zt_keeper *k)
{
    atomic_store(&k->check, true);
    zt_stop_wake(k->stop);
}

bool zt_keeper_lost(const struct zt_keeper *k)
{
    return atomic_load(&k->lost);
}

void zt_keeper_release(struct zt_keeper *k)
{
    zt_locked(&k->mutex);
    k->holds = false;
}
