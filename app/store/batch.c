/*
 * batch.c - group commit. See batch.h.
 *
 * The thread takes what has gathered while it wrote the last group, writes it as savepoints of one
 * transaction, commits once, and then answers. There is no timer: alone, a task waits for its own
 * commit only; under load a group grows by itself to what arrives during one fsync.
 */
#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/offer.h"

#define QUEUE_MAX  4096 /* tasks that wait; more is ZT_E_LIMIT */
#define GROUP_MAX  512  /* tasks in one transaction, which bounds how long the lock is held */
#define BUSY_TRIES 3    /* each waits for the lock as long as the handle's busy_us */

struct item {
    struct zt_task task;    /* its strings are the caller's */
    struct zt_offer *offer; /* the caller's; NULL: just the task */
    zt_batch_call_fn *call; /* NULL: the task is added */
    void *arg;
    zt_batch_done_fn *done;
    void *user;
};

struct outcome {
    enum zt_code rc;
    struct zt_err err;
};

struct zt_batch {
    struct zt_store *store; /* the thread's alone */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows up to `group` */
    pthread_cond_t wake;
    struct item *queue; /* a ring of QUEUE_MAX */
    int first, n;
    bool quit;
    struct item *group; /* the thread's alone, like what follows: GROUP_MAX of each */
    struct outcome *outcomes;
};

/* Takes up to GROUP_MAX items; waits for the first. 0: the batch is closing and all is written. */
static int take_group(struct zt_batch *b)
{
    zt_locked(&b->mutex);
    while (b->n == 0 && !b->quit)
        pthread_cond_wait(&b->wake, &b->mutex);

    int n = b->n < GROUP_MAX ? b->n : GROUP_MAX;
    for (int i = 0; i < n; i++)
        b->group[i] = b->queue[(b->first + i) % QUEUE_MAX];
    b->first = (b->first + n) % QUEUE_MAX;
    b->n -= n;
    return n;
}

static enum zt_code run_item(struct zt_store *store, const struct item *item, struct zt_err *err)
{
    if (item->call != NULL)
        return item->call(store, item->arg, err);
    if (item->offer != NULL)
        return zt_store_task_offer(store, &item->task, item->offer, err);
    return zt_store_task_add(store, &item->task, err);
}

/* One transaction. What an insert alone is refused for is in its outcome; the rest is returned. */
static enum zt_code write_once(struct zt_batch *b, int n, struct zt_err *err)
{
    ZT_TRY(zt_store_begin(b->store, err));
    for (int i = 0; i < n; i++) {
        struct outcome *o = &b->outcomes[i];
        *o = (struct outcome){ .rc = ZT_OK };
        o->rc = run_item(b->store, &b->group[i], &o->err);
    }
    zt_crash_point("store.batch");
    ZT_TRY(zt_store_commit(b->store, err));
    zt_crash_point("store.batch.done");
    return ZT_OK;
}

static void write_group(struct zt_batch *b, int n)
{
    struct zt_err err = { 0 };
    enum zt_code rc = ZT_E_BUSY;

    for (int i = 0; i < BUSY_TRIES && rc == ZT_E_BUSY; i++)
        rc = write_once(b, n, &err);
    for (int i = 0; i < n; i++) {
        const struct item *item = &b->group[i];
        const struct outcome *o = &b->outcomes[i];
        if (rc != ZT_OK) /* nothing of the group is on disk, whatever an insert said */
            item->done(item->user, rc, &err);
        else
            item->done(item->user, o->rc, &o->err);
    }
}

static void *write_groups(void *arg)
{
    struct zt_batch *b = arg;
    int n;

    while ((n = take_group(b)) > 0)
        write_group(b, n);
    return NULL;
}

static void free_batch(struct zt_batch *b)
{
    zt_store_close(b->store);
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->mutex);
    free(b->queue);
    free(b->group);
    free(b->outcomes);
    free(b);
}

ZT_AUTO(struct zt_batch, half_batch, free_batch)

enum zt_code zt_batch_open(const struct zt_store_options *options, struct zt_batch **ret,
                           struct zt_err *err)
{
    zt_auto(half_batch) struct zt_batch *b = zt_new(struct zt_batch);

    zt_assert(!options->read_only);
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->wake, NULL);
    b->queue = zt_new_array(struct item, QUEUE_MAX);
    b->group = zt_new_array(struct item, GROUP_MAX);
    b->outcomes = zt_new_array(struct outcome, GROUP_MAX);
    ZT_TRY(zt_store_open(options, &b->store, err));
    int rc = pthread_create(&b->thread, NULL, write_groups, b);
    if (rc != 0)
        return zt_fail_errno(err, rc, "start the thread that writes tasks", NULL);
    *ret = zt_take_half_batch(&b);
    return ZT_OK;
}

void zt_batch_close(struct zt_batch *batch)
{
    if (batch == NULL)
        return;
    pthread_mutex_lock(&batch->mutex);
    batch->quit = true;
    pthread_cond_signal(&batch->wake);
    pthread_mutex_unlock(&batch->mutex);
    pthread_join(batch->thread, NULL);
    free_batch(batch);
}

static enum zt_code enqueue(struct zt_batch *batch, const struct item *item, struct zt_err *err)
{
    zt_locked(&batch->mutex);
    zt_assert(!batch->quit);
    if (batch->n == QUEUE_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%d tasks are waiting to be stored; try again later",
                       QUEUE_MAX);
    batch->queue[(batch->first + batch->n) % QUEUE_MAX] = *item;
    batch->n++;
    pthread_cond_signal(&batch->wake);
    return ZT_OK;
}

enum zt_code zt_batch_add(struct zt_batch *batch, const struct zt_task *task,
                          zt_batch_done_fn *done, void *user, struct zt_err *err)
{
    return zt_batch_offer(batch, task, NULL, done, user, err);
}

enum zt_code zt_batch_offer(struct zt_batch *batch, const struct zt_task *task,
                            struct zt_offer *offer, zt_batch_done_fn *done, void *user,
                            struct zt_err *err)
{
    const struct item item = { .task = *task, .offer = offer, .done = done, .user = user };

    return enqueue(batch, &item, err);
}

enum zt_code zt_batch_call(struct zt_batch *batch, zt_batch_call_fn *call, void *arg,
                           zt_batch_done_fn *done, void *user, struct zt_err *err)
{
    return enqueue(batch, &(struct item){ .call = call, .arg = arg, .done = done, .user = user },
                   err);
}
