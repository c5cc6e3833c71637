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

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"

#define RECORD_US       ZT_SECOND_US /* between two records of changed progress */
#define WORKER_NAME_MAX 128

struct zt_keeper {
    pthread_t thread;
    struct zt_store *store; /* the thread's, once it runs */
    struct zt_stop *stop;   /* ends the thread; woken when there is something to hold */
    int64_t lease_us, renew_us;
    atomic_bool lost;
    pthread_mutex_t mutex; /* guards all below */
    bool holds;
    uint64_t number; /* of the lease, to tell the next one from this one */
    char task_id[ZT_TASK_ID_MAX + 1];
    char worker[WORKER_NAME_MAX];
    int attempt;
    struct zt_progress progress;
    bool progressed;    /* since the last record */
    int64_t renewed_us; /* monotonic */
};

/* A lease as it was when looked at, to renew without the mutex. */
struct held {
    uint64_t number;
    char task_id[ZT_TASK_ID_MAX + 1];
    char worker[WORKER_NAME_MAX];
    int attempt;
    struct zt_progress progress;
};

/* Copies what is due for renewal; otherwise false and when to look again. */
static bool look(struct zt_keeper *k, struct held *ret, int64_t *ret_wait_us)
{
    zt_locked(&k->mutex);
    if (!k->holds) {
        *ret_wait_us = ZT_HOUR_US; /* woken by hold */
        return false;
    }
    int64_t age_us = zt_now_mono_us() - k->renewed_us;
    int64_t due_us = k->progressed && RECORD_US < k->renew_us ? RECORD_US : k->renew_us;
    if (age_us < due_us) {
        int64_t wait_us = due_us - age_us; /* progress may come meanwhile: look again for it */
        *ret_wait_us = wait_us < RECORD_US / 4 ? wait_us : RECORD_US / 4;
        return false;
    }
    k->progressed = false;
    ret->number = k->number;
    ret->attempt = k->attempt;
    ret->progress = k->progress;
    memcpy(ret->task_id, k->task_id, sizeof(ret->task_id));
    memcpy(ret->worker, k->worker, sizeof(ret->worker));
    return true;
}

/* Writes down how a renewal went, if the lease is still the one that was renewed. */
static bool note(struct zt_keeper *k, const struct held *held, enum zt_code rc)
{
    zt_locked(&k->mutex);
    if (!k->holds || k->number != held->number)
        return false;
    if (rc == ZT_OK)
        k->renewed_us = zt_now_mono_us();
    if (rc == ZT_E_CONFLICT) {
        k->holds = false;
        atomic_store(&k->lost, true);
    }
    return true;
}

static void renew(struct zt_keeper *k, const struct held *held)
{
    struct zt_err err = { 0 };
    const struct zt_lease lease = { held->task_id, held->worker, held->attempt };

    enum zt_code rc = zt_store_renew(k->store, &lease, k->lease_us,
                                     held->progress.stage ? &held->progress : NULL, &err);
    bool current = note(k, held, rc);
    if (rc == ZT_OK || !current)
        return;
    if (rc == ZT_E_CONFLICT) {
        ZT_LOG(WARN, "lease_lost", "task=%s worker=%s attempt=%d", held->task_id, held->worker,
               held->attempt);
        return;
    }
    int64_t retry_us = k->renew_us / 4;
    ZT_LOG(WARN, "lease_not_renewed",
           "task=%s worker=%s code=%s retry_in_us=%" PRId64 " detail=\"%s\"", held->task_id,
           held->worker, zt_code_name(rc), retry_us, err.detail);
    zt_stop_wait(k->stop, retry_us);
}

static void *keep(void *arg)
{
    struct zt_keeper *k = arg;
    struct held held;

    while (!zt_stop_asked(k->stop)) {
        int64_t wait_us = 0;
        if (look(k, &held, &wait_us))
            renew(k, &held);
        else
            zt_stop_wait(k->stop, wait_us);
    }
    return NULL;
}

enum zt_code zt_keeper_start(const struct zt_store_options *options, int64_t lease_us,
                             int64_t renew_us, struct zt_keeper **ret, struct zt_err *err)
{
    struct zt_store *store = NULL;

    ZT_TRY(zt_store_open(options, &store, err));
    struct zt_keeper *k = zt_new(struct zt_keeper);
    k->store = store;
    k->stop = zt_stop_new();
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
        k->renewed_us = zt_now_mono_us();
        atomic_store(&k->lost, false);
    }
    zt_stop_wake(k->stop);
}

void zt_keeper_progress(struct zt_keeper *k, const struct zt_progress *progress)
{
    zt_locked(&k->mutex);
    k->progress = *progress;
    k->progressed = true;
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
