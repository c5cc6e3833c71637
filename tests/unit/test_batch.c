/* Group commit: many threads add, each is told the truth about its own task. */
#include "store/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "base/thread.h"
#include "store_world.h"

/* Collects answers. One is told of all that it waits for; `rc` is of the last. */
struct answers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int n, ok, conflicts, failed;
    char msg[512];
};

static void answers_init(struct answers *a)
{
    *a = (struct answers){ .n = 0 };
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
}

static void answers_clear(struct answers *a)
{
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
}

static void answered(void *user, enum zt_code rc, const struct zt_err *why)
{
    struct answers *a = user;

    zt_locked(&a->mutex);
    a->n++;
    a->ok += rc == ZT_OK;
    a->conflicts += rc == ZT_E_CONFLICT;
    a->failed += rc != ZT_OK && rc != ZT_E_CONFLICT;
    if (rc != ZT_OK)
        zt_format(a->msg, sizeof(a->msg), "%s", why->msg);
    pthread_cond_signal(&a->changed);
}

static void wait_for(struct answers *a, int n)
{
    zt_locked(&a->mutex);
    while (a->n < n)
        pthread_cond_wait(&a->changed, &a->mutex);
}

static struct zt_batch *open_batch(struct world *w)
{
    struct zt_store_options options = { .path = w->path,
                                        .busy_us = 50 * ZT_MS_US,
                                        .clock = &w->clock };
    struct zt_batch *batch = NULL;

    CHECK_INT("batch", zt_batch_open(&options, &batch, &err), ZT_OK);
    if (batch == NULL)
        exit(1);
    return batch;
}

static void says_when_it_is_on_disk(void)
{
    struct world w;
    struct answers a;
    struct zt_task task = task_of("a", 1, "");

    world_init(&w);
    answers_init(&a);
    struct zt_batch *batch = open_batch(&w);
    CHECK_INT("add", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    wait_for(&a, 1);
    CHECK_INT("ok", a.ok, 1);
    CHECK_STR("there for all", state_of(&w, "a"), "waiting");
    CHECK_INT("add", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    wait_for(&a, 2);
    CHECK_INT("conflict", a.conflicts, 1);
    CHECK_HAS("conflict", a.msg, "a task with the id a exists");
    zt_batch_close(batch);
    zt_batch_close(NULL);
    answers_clear(&a);
    world_clear(&w);
}

/* While another handle holds the lock, tasks gather and become one group. */
static void one_conflict_fails_only_that_one(void)
{
    static const char *const ids[] = { "b", "a", "c", "c", "\xFF", "d" };
    struct world w;
    struct answers a;

    world_init(&w);
    add(&w, "a");
    answers_init(&a);
    struct zt_batch *batch = open_batch(&w);
    zt_store_begin(w.store, &err);
    for (size_t i = 0; i < ZT_COUNT(ids); i++) {
        struct zt_task task = task_of(ids[i], 1, "");
        CHECK_INT("add", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    }
    zt_store_rollback(w.store);
    wait_for(&a, (int)ZT_COUNT(ids));
    CHECK_INT("ok", a.ok, 3);
    CHECK_INT("conflicts", a.conflicts, 2);
    CHECK_INT("not UTF-8", a.failed, 1);
    CHECK_STR("stored", ask(&w, "SELECT group_concat(id) FROM (SELECT id FROM task ORDER BY id)"),
              "a,b,c,d");
    zt_batch_close(batch);
    answers_clear(&a);
    world_clear(&w);
}

static void gives_up_on_a_held_database(void)
{
    struct world w;
    struct answers a;
    struct zt_task task = task_of("a", 1, "");

    world_init(&w);
    answers_init(&a);
    struct zt_batch *batch = open_batch(&w);
    zt_store_begin(w.store, &err);
    CHECK_INT("add", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    wait_for(&a, 1); /* after a few times 50 ms */
    CHECK_INT("failed", a.failed, 1);
    CHECK_HAS("failed", a.msg, "another process");
    zt_store_rollback(w.store);
    CHECK_INT("again", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    wait_for(&a, 2);
    CHECK_INT("ok", a.ok, 1);
    zt_batch_close(batch);
    answers_clear(&a);
    world_clear(&w);
}

static void limits_its_queue_and_writes_it_on_close(void)
{
    enum { QUEUE = 4096, GROUP = 512 };
    static char ids[QUEUE + GROUP + 1][16];
    struct world w;
    struct answers a;
    int added = 0;
    enum zt_code rc = ZT_OK;
    char want[16];

    world_init(&w);
    answers_init(&a);
    struct zt_batch *batch = open_batch(&w);
    zt_store_begin(w.store, &err); /* nothing is written meanwhile */
    while (rc == ZT_OK && added < QUEUE + GROUP + 1) {
        zt_format(ids[added], sizeof(ids[added]), "t%d", added);
        struct zt_task task = task_of(ids[added], 1, "");
        rc = zt_batch_add(batch, &task, answered, &a, &err);
        added += rc == ZT_OK;
    }
    CHECK_INT("full", rc, ZT_E_LIMIT);
    CHECK_HAS("full", err.msg, "4096 tasks are waiting");
    CHECK("at least the queue", added >= QUEUE);
    zt_store_rollback(w.store);
    zt_batch_close(batch);
    CHECK_INT("each was answered once", a.n, added);
    zt_format(want, sizeof(want), "%d", a.ok);
    CHECK_STR("as told", ask(&w, "SELECT count(*) FROM task"), want);
    CHECK("nearly all in time", a.ok >= QUEUE - GROUP);
    answers_clear(&a);
    world_clear(&w);
}

#define ADDERS 8
#define EACH   100

struct adder {
    struct zt_batch *batch;
    int number;
    int missing; /* answered, but not found by another handle */
    struct zt_store_options options;
};

static void *add_and_look(void *arg)
{
    struct adder *self = arg;
    struct zt_store *reader = NULL;
    struct zt_arena own = { 0 };
    struct answers a;
    char id[32];

    answers_init(&a);
    if (zt_store_open(&self->options, &reader, NULL) != ZT_OK)
        self->missing = EACH;
    for (int i = 0; i < EACH && reader != NULL; i++) {
        struct zt_task *found = NULL;
        zt_format(id, sizeof(id), "t%d-%d", self->number, i);
        struct zt_task task = task_of(id, 1, "");
        if (zt_batch_add(self->batch, &task, answered, &a, NULL) == ZT_OK)
            wait_for(&a, i + 1);
        zt_arena_reset(&own);
        self->missing += zt_store_task_get(reader, &own, id, 1, &found, NULL) != ZT_OK;
    }
    zt_store_close(reader);
    zt_arena_clear(&own);
    answers_clear(&a);
    return NULL;
}

static void serves_many_threads(void)
{
    struct world w;
    struct adder adders[ADDERS];
    pthread_t threads[ADDERS];

    world_init(&w);
    struct zt_batch *batch = open_batch(&w);
    for (int i = 0; i < ADDERS; i++) {
        adders[i] = (struct adder){ .batch = batch,
                                    .number = i,
                                    .options = { .path = w.path, .read_only = true } };
        CHECK_INT("thread", pthread_create(&threads[i], NULL, add_and_look, &adders[i]), 0);
    }
    for (int i = 0; i < ADDERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT("what was answered is there", adders[i].missing, 0);
    }
    zt_batch_close(batch);
    CHECK_STR("all", ask(&w, "SELECT count(*) FROM task"), "800");
    world_clear(&w);
}

#ifdef ZT_FAULTS
static void a_failing_commit_fails_the_group(void)
{
    static const char *const ids[] = { "a", "b", "c" };
    struct world w;
    struct answers a;

    world_init(&w);
    answers_init(&a);
    setenv("ZOETROPE_FAULT", "store_commit:1+:28", 1); /* before the thread is there to read it */
    struct zt_batch *batch = open_batch(&w);
    for (size_t i = 0; i < ZT_COUNT(ids); i++) {
        struct zt_task task = task_of(ids[i], 1, "");
        CHECK_INT("add", zt_batch_add(batch, &task, answered, &a, &err), ZT_OK);
    }
    wait_for(&a, (int)ZT_COUNT(ids));
    zt_batch_close(batch);
    unsetenv("ZOETROPE_FAULT");
    CHECK_INT("all failed", a.failed, 3);
    CHECK_HAS("why", a.msg, "No space left");
    CHECK_STR("none stored", ask(&w, "SELECT count(*) FROM task"), "0");
    answers_clear(&a);
    world_clear(&w);
}

static void told(void *user, enum zt_code rc, const struct zt_err *why)
{
    (void)user;
    (void)why;
    _exit(rc == ZT_OK ? 7 : 8);
}

/* Before the commit nobody was told and nothing is there; after it the task is there. */
static void a_crash_never_makes_it_lie(void)
{
    static const struct {
        const char *point;
        int status;
        const char *count;
    } rows[] = {
        { "store.batch:1", 137, "0" },
        { "store.commit:1", 137, "0" },
        { "store.commit.done:1", 137, "1" },
        { "store.batch.done:1", 137, "1" },
        { "none:1", 7, "1" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct world w;
        int status = 0;
        world_init(&w);
        zt_store_close(w.store); /* SQLite's locks do not survive a fork */
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            struct zt_task task = task_of("a", 1, "");
            struct zt_batch *batch = open_batch(&w);
            setenv("ZOETROPE_CRASH", rows[i].point, 1);
            zt_batch_add(batch, &task, told, NULL, &err);
            zt_batch_close(batch);
            _exit(9);
        }
        waitpid(pid, &status, 0);
        CHECK_INT(rows[i].point, WIFEXITED(status) ? WEXITSTATUS(status) : -1, rows[i].status);
        w.store = NULL;
        CHECK_INT("reopen", world_open(&w, false, &w.store), ZT_OK);
        CHECK_STR(rows[i].point, ask(&w, "SELECT count(*) FROM task"), rows[i].count);
        world_clear(&w);
    }
}
#endif

int main(void)
{
#ifdef ZT_FAULTS
    RUN(a_crash_never_makes_it_lie);
    RUN(a_failing_commit_fails_the_group);
#endif
    RUN(says_when_it_is_on_disk);
    RUN(one_conflict_fails_only_that_one);
    RUN(gives_up_on_a_held_database);
    RUN(limits_its_queue_and_writes_it_on_close);
    RUN(serves_many_threads);
    return check_done();
}
