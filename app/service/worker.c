/*
 * worker.c - see worker.h. The main thread claims and runs; the keeper's thread renews the lease
 * (lease.c); one thread reads signals and one the supervisor's socket.
 */
#include "service/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/backoff.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "blob/blob.h"
#include "net/client.h"
#include "service/config.h"
#include "service/data.h"
#include "service/disk.h"
#include "service/drain.h"
#include "service/engine.h"
#include "service/lease.h"
#include "service/outbound.h"
#include "service/run.h"
#include "service/signals.h"
#include "store/store.h"

#define POLL_US          (250 * ZT_MS_US) /* safety net: work is announced by the supervisor */
#define TROUBLE_FIRST_US ZT_SECOND_US
#define TROUBLE_MAX_US   (30 * ZT_SECOND_US)

struct worker {
    const struct zt_config *config;
    char name[64];
    struct zt_data data;
    struct zt_stop *stop;
    struct zt_stop *give_up; /* within stop: also asked when the lease is lost */
    struct zt_drain drain;
    struct zt_signals *signals;
    struct zt_store *store;
    struct zt_blobs *blobs;
    struct zt_guard *guard;
    struct zt_client *client;
    struct zt_engine *engine;
    struct zt_keeper *keeper;
    struct zt_arena arena;
    pthread_t listener;
    bool listens;
    struct zt_stop *quit_listener;
    atomic_bool announced; /* the supervisor knows that this worker waits */
};

static void hurry(void *user)
{
    struct worker *w = user;

    zt_drain_hurry(&w->drain);
}

static void tell(const struct worker *w, char what)
{
    if (w->listens) /* a supervisor that is gone is noticed by the listener */
        (void)!send((int)w->config->control_fd, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hear(struct worker *w, const char *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == ZT_CONTROL_CANCEL) {
            zt_keeper_check(w->keeper);
        } else {
            atomic_store(&w->announced, false);
            zt_stop_wake(w->stop);
        }
    }
}

/*
 * The supervisor's word, or its end. When it is gone the task in hand is finished as after a
 * SIGTERM; when it went while this worker was ending already, it was told to force that.
 */
static void *listen_to_supervisor(void *arg)
{
    struct worker *w = arg;
    int fd = (int)w->config->control_fd;

    for (;;) {
        struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                                { .fd = zt_stop_fd(w->quit_listener), .events = POLLIN } };
        char bytes[64];
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents != 0)
            return NULL;
        if (fds[0].revents == 0)
            continue;
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            hear(w, bytes, n);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            if (zt_stop_asked(w->stop))
                zt_drain_hurry(&w->drain);
            ZT_LOG(WARN, "supervisor_gone", "worker=%s", w->name);
            zt_stop_ask(w->stop);
            return NULL;
        }
    }
}

/* A database that another program holds is waited for: ending would only have this begin anew. */
static enum zt_code open_store(struct worker *w, const struct zt_store_options *options,
                               struct zt_err *err)
{
    bool told = false;

    for (;;) {
        enum zt_code rc = zt_store_open(options, &w->store, err);
        if (rc != ZT_E_BUSY)
            return rc;
        if (!told)
            ZT_LOG(WARN, "worker_waits_for_store", "worker=%s detail=\"%s\"", w->name, err->detail);
        told = true;
        if (zt_stop_wait(w->stop, POLL_US))
            return zt_fail(err, ZT_E_CANCELLED, "stopped before the database could be opened");
    }
}

static enum zt_code open_all(struct worker *w, struct zt_err *err)
{
    const struct zt_config *c = w->config;
    const struct zt_store_options store = { .path = w->data.store };
    const struct zt_engine_options engine = zt_engine_options_of(c);

    ZT_TRY(zt_data_find(c->data, true, &w->data, err));
    ZT_TRY(zt_signals_start(w->stop, hurry, w, &w->signals, err));
    ZT_TRY(open_store(w, &store, err));
    ZT_TRY(zt_blobs_open(w->data.files, &w->blobs, err));
    ZT_TRY(zt_outbound_guard(c, &w->guard, err));
    w->give_up = zt_stop_within(w->stop);
    w->client = zt_outbound_client(c, w->guard, w->give_up);
    ZT_TRY(zt_engine_open(c->engine, &engine, &w->engine, err));
    ZT_TRY(zt_keeper_start(&store, c->lease_us, c->renew_us, w->give_up, &w->keeper, err));
    if (c->control_fd >= 0) {
        w->quit_listener = zt_stop_new();
        w->listens = pthread_create(&w->listener, NULL, listen_to_supervisor, w) == 0;
        if (!w->listens)
            return zt_fail(err, ZT_E_IO, "cannot start the thread that hears the supervisor");
    }
    return ZT_OK;
}

static void close_all(struct worker *w)
{
    if (w->listens) {
        zt_stop_ask(w->quit_listener);
        pthread_join(w->listener, NULL);
    }
    zt_stop_free(w->quit_listener);
    zt_keeper_stop(w->keeper);
    zt_engine_close(w->engine);
    if (w->client != NULL)
        zt_client_free(w->client);
    if (w->guard != NULL)
        zt_guard_free(w->guard);
    if (w->blobs != NULL)
        zt_blobs_close(w->blobs);
    if (w->store != NULL)
        zt_store_close(w->store);
    zt_signals_stop(w->signals);
    zt_stop_free(w->give_up);
    zt_stop_free(w->stop);
    zt_arena_clear(&w->arena);
}

/* One claim and what follows. ZT_E_NOT_FOUND: there was nothing to do. */
static enum zt_code work_once(struct worker *w, enum zt_run_end *ret, struct zt_err *err)
{
    const struct zt_run run = {
        .config = w->config,
        .worker = w->name,
        .store = w->store,
        .blobs = w->blobs,
        .client = w->client,
        .engine = w->engine,
        .data = w->data.folder,
        .keeper = w->keeper,
        .drain = &w->drain,
        .give_up = w->give_up,
    };
    struct zt_task *task = NULL;
    bool callback = false;

    zt_arena_reset(&w->arena);
    if (!zt_disk_lets_work(w->data.folder, w->config->reserve_bytes))
        return zt_fail(err, ZT_E_FULL, "the disk has no room to begin with a task");
    ZT_TRY(zt_store_claim(w->store, &w->arena, w->name, w->config->lease_us, &task, err));
    zt_crash_point("worker.claimed");
    enum zt_code rc = zt_run_task(&run, &w->arena, task, ret, &callback, err);
    if (callback)
        tell(w, ZT_CONTROL_CALLBACK);
    if (rc != ZT_OK)
        ZT_LOG(ERROR, "task_not_settled", "task=%s attempt=%d code=%s msg=\"%s\" detail=\"%s\"",
               task->id, task->attempt, zt_code_name(rc), err->msg, err->detail);
    return rc;
}

/*
 * Says that it is about to wait, then looks once more: a task added before the supervisor heard
 * that is seen here, one added after it is announced.
 */
static void wait_for_work(struct worker *w)
{
    if (w->listens && !atomic_exchange(&w->announced, true))
        tell(w, ZT_CONTROL_IDLE);
    else
        zt_stop_wait(w->stop, POLL_US);
}

/* Said once; the server says it too, and refuses new work. */
static void wait_for_room(struct worker *w)
{
    ZT_LOG(WARN, "worker_waits_for_room", "worker=%s", w->name);
    while (!zt_disk_lets_work(w->data.folder, w->config->reserve_bytes) &&
           !zt_stop_wait(w->stop, POLL_US)) {
    }
}

static void work(struct worker *w)
{
    struct zt_backoff trouble = { .first_us = TROUBLE_FIRST_US, .max_us = TROUBLE_MAX_US };

    while (!zt_stop_asked(w->stop)) {
        struct zt_err err = { 0 };
        enum zt_run_end end = ZT_RUN_SUCCEEDED;
        enum zt_code rc = work_once(w, &end, &err);
        if (rc == ZT_E_NOT_FOUND || rc == ZT_E_BUSY) {
            wait_for_work(w);
        } else if (rc == ZT_E_FULL) {
            wait_for_room(w);
        } else if (rc != ZT_OK || end == ZT_RUN_RETRY) {
            int64_t wait_us = zt_backoff_next_us(&trouble);
            ZT_LOG(WARN, "worker_pauses", "worker=%s code=%s retry_in_us=%" PRId64 " detail=\"%s\"",
                   w->name, zt_code_name(rc), wait_us, err.detail);
            int64_t end_us = zt_now_mono_us() + wait_us; /* a wake-up does not end this wait */
            while (zt_now_mono_us() < end_us && !zt_stop_wait(w->stop, end_us - zt_now_mono_us())) {
            }
        } else {
            zt_backoff_reset(&trouble);
        }
    }
}

enum zt_code zt_worker_run(const struct zt_config *config, struct zt_err *err)
{
    struct worker w = { .config = config };
    char random[9];

    w.stop = zt_stop_new();
    zt_drain_init(&w.drain, w.stop, config->drain_us);
    atomic_init(&w.announced, false);
    zt_random_token(random, 4);
    if (!zt_format(w.name, sizeof(w.name), "%s", config->name) || *w.name == '\0')
        zt_assert(zt_format(w.name, sizeof(w.name), "w.%d.%s", (int)getpid(), random));
    if (config->niceness > 0)
        setpriority(PRIO_PROCESS, 0, (int)config->niceness);
    enum zt_code rc = open_all(&w, err);
    if (rc == ZT_OK) {
        ZT_LOG(INFO, "worker_started", "worker=%s pid=%d engine=%s", w.name, (int)getpid(),
               config->engine);
        work(&w);
        ZT_LOG(INFO, "worker_stopped", "worker=%s pid=%d", w.name, (int)getpid());
    }
    close_all(&w);
    return rc == ZT_E_CANCELLED ? ZT_OK : rc; /* it was told to end before it had begun */
}
