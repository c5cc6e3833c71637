/*
 * The store, as to what is done to its queue from outside: a task that is cancelled in any state
 * ends once, calls back once and never runs again, whoever is at it at that moment.
 */
#include "store/queue.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "store_world.h"

static enum zt_code cancel(struct world *w, const char *id, int64_t key, bool *ret_callback)
{
    return zt_store_task_cancel(w->store, id, key, "not wanted any more", ret_callback, &err);
}

static int look(struct world *w, const struct zt_lease *lease)
{
    enum zt_lease_look ret = ZT_LEASE_HELD;

    CHECK_INT("look", zt_store_lease_look(w->store, lease, &ret, &err), ZT_OK);
    return (int)ret;
}

/* ---- cancelling ---------------------------------------------------------------------------- */

static void check_cancelled(struct world *w, const char *label, const char *id)
{
    const struct zt_task *t = get(w, id);

    CHECK_STR(label, zt_task_state_name(t->state), "fail");
    CHECK_STR(label, t->fail_code, "499");
    CHECK_STR(label, t->fail_msg, "not wanted any more");
    CHECK_STR(label, t->worker, "");
    CHECK_INT(label, t->lease_us, 0);
    CHECK_INT(label, t->completed_us, w->now_us);
}

/* In each state that is not final; the worker that had it can do nothing more. */
static void ends_a_task_in_any_state(void)
{
    for (int s = 0; s <= ZT_TASK_GENERATING; s++) {
        const char *label = zt_task_state_name((enum zt_task_state)s);
        struct world w;
        struct zt_lease lease = { "a", "w", 1 };
        struct zt_task *task = NULL;
        bool callback = false;
        int moved = -1;

        world_init(&w);
        add(&w, "a");
        if (s >= ZT_TASK_QUEUING)
            lease = claim(&w, "w", "a");
        if (s == ZT_TASK_GENERATING)
            zt_store_start(w.store, &lease, "motion", &err);
        CHECK_STR(label, state_of(&w, "a"), label);
        CHECK_INT(label, look(&w, &lease), s == ZT_TASK_WAITING ? ZT_LEASE_LOST : ZT_LEASE_HELD);
        w.now_us += ZT_SECOND_US;
        CHECK_INT(label, cancel(&w, "a", 1, &callback), ZT_OK);
        CHECK(label, callback);
        check_cancelled(&w, label, "a");
        CHECK_INT(label, look(&w, &lease), ZT_LEASE_CANCELLED);
        CHECK_STR("one callback", ask(&w, "SELECT count(*) FROM delivery"), "1");
        CHECK_STR("counted", ask(&w, "SELECT n FROM task_count WHERE state='fail'"), "1");
        CHECK_STR("counted", ask(&w, "SELECT sum(n) FROM task_count"), "1");

        CHECK_INT("renew", zt_store_renew(w.store, &lease, LEASE_US, NULL, &err), ZT_E_CONFLICT);
        CHECK_INT("start", zt_store_start(w.store, &lease, "motion", &err), ZT_E_CONFLICT);
        CHECK_INT("succeed", zt_store_succeed(w.store, &lease, &result, NULL, &err), ZT_E_CONFLICT);
        CHECK_INT("fail", zt_store_fail(w.store, &lease, "500", "x", NULL, &err), ZT_E_CONFLICT);
        CHECK_INT("back", zt_store_put_back(w.store, &lease, false, "", NULL, &err), ZT_E_CONFLICT);
        w.now_us += 2 * LEASE_US;
        CHECK_INT("reap", zt_store_reap(w.store, &moved, NULL, &err), ZT_OK);
        CHECK_INT("nothing to reap", moved, 0);
        zt_store_reap_worker(w.store, "w", "died", &moved, NULL, &err);
        CHECK_INT("nothing to reap", moved, 0);
        CHECK_INT("claim", zt_store_claim(w.store, &arena, "w", LEASE_US, &task, &err),
                  ZT_E_NOT_FOUND);
        w.now_us -= 2 * LEASE_US;
        check_cancelled(&w, "still", "a");
        CHECK_STR("still one callback", ask(&w, "SELECT count(*) FROM delivery"), "1");
        world_clear(&w);
    }
}

static void refuses_what_is_final_or_not_ones_own(void)
{
    struct world w;
    bool callback = true;

    world_init(&w);
    add_for(&w, "a", 1, "");
    add_for(&w, "b", 2, "");
    CHECK_INT("another key's", cancel(&w, "a", 2, &callback), ZT_E_NOT_FOUND);
    CHECK_STR("another key's", err.msg, "there is no such task");
    CHECK_INT("none", cancel(&w, "c", 1, &callback), ZT_E_NOT_FOUND);
    CHECK_INT("no text", cancel(&w, "\xFF", 1, &callback), ZT_E_NOT_FOUND);
    CHECK_STR("untouched", state_of(&w, "a"), "waiting");
    CHECK_INT("the operator", cancel(&w, "b", 0, &callback), ZT_OK);
    CHECK("no callback is owed", !callback);
    CHECK_INT("twice", cancel(&w, "b", 2, &callback), ZT_E_CONFLICT);
    CHECK_STR("twice", err.msg, "the task has ended already: its state is fail");
    CHECK_INT("of another key, ended", cancel(&w, "b", 1, &callback), ZT_E_NOT_FOUND);
    finish(&w, "a", "token", START_US + ZT_DAY_US, 9);
    CHECK_INT("a success", cancel(&w, "a", 1, &callback), ZT_E_CONFLICT);
    CHECK_STR("a success", err.msg, "the task has ended already: its state is success");
    CHECK_STR("stays", state_of(&w, "a"), "success");
    CHECK_STR("nothing owed", ask(&w, "SELECT count(*) FROM delivery"), "0");
    world_clear(&w);
}

/* A lease that was put back, ran out or went to another attempt is lost, not cancelled. */
static void tells_lost_from_cancelled(void)
{
    struct world w;

    world_init(&w);
    add(&w, "a");
    struct zt_lease first = claim(&w, "w", "a");
    CHECK_INT("held", look(&w, &first), ZT_LEASE_HELD);
    w.now_us += LEASE_US;
    CHECK_INT("until it is reaped", look(&w, &first), ZT_LEASE_HELD);
    zt_store_reap(w.store, NULL, NULL, &err);
    CHECK_INT("reaped", look(&w, &first), ZT_LEASE_LOST);
    struct zt_lease second = claim(&w, "w", "a");
    CHECK_INT("another attempt", look(&w, &first), ZT_LEASE_LOST);
    CHECK_INT("another attempt", look(&w, &second), ZT_LEASE_HELD);
    zt_store_fail(w.store, &second, "500", "x", NULL, &err);
    CHECK_INT("failed", look(&w, &second), ZT_LEASE_LOST);
    CHECK_INT("no task", look(&w, &(struct zt_lease){ "b", "w", 1 }), ZT_LEASE_LOST);
    world_clear(&w);
}

/* ---- races --------------------------------------------------------------------------------- */

#define ROUNDS 60

/* One that works and one that cancels meet at each task; what each was told. */
struct race {
    struct world *w;
    pthread_barrier_t start;
    enum zt_code worked[ROUNDS], cancelled[ROUNDS];
    int errors;
};

static void race_id(char id[8], int i)
{
    snprintf(id, 8, "t%02d", i);
}

static void *work_all(void *arg)
{
    struct race *r = arg;
    const struct zt_store_options options = { .path = r->w->path };
    struct zt_store *store = NULL;
    struct zt_arena mine = { 0 };
    struct zt_err why = { 0 };

    r->errors += zt_store_open(&options, &store, &why) != ZT_OK;
    for (int i = 0; i < ROUNDS; i++) {
        struct zt_task *task = NULL;
        char token[16];
        pthread_barrier_wait(&r->start); /* the task is there */
        enum zt_code rc = zt_store_claim(store, &mine, "w", LEASE_US, &task, &why);
        if (rc == ZT_OK) {
            struct zt_lease lease = { task->id, "w", task->attempt };
            struct zt_result made = result;
            snprintf(token, sizeof(token), "token%d", i);
            made.file_token = token;
            rc = zt_store_start(store, &lease, "motion", &why);
            if (rc == ZT_OK && i % 3 == 0)
                rc = zt_store_put_back(store, &lease, false, "", NULL, &why);
            else if (rc == ZT_OK && i % 3 == 1)
                rc = zt_store_fail(store, &lease, "500", "x", NULL, &why);
            else if (rc == ZT_OK)
                rc = zt_store_succeed(store, &lease, &made, NULL, &why);
        }
        r->worked[i] = rc;
        pthread_barrier_wait(&r->start); /* both are done */
    }
    zt_store_close(store);
    zt_arena_clear(&mine);
    return NULL;
}

/* One wins and the other hears so; after a put_back both do, in that order. */
static void one_of_two_wins(void)
{
    struct world w;
    struct race r = { .w = &w };
    pthread_t worker;
    char id[8];

    world_init(&w);
    pthread_barrier_init(&r.start, NULL, 2);
    CHECK_INT("thread", pthread_create(&worker, NULL, work_all, &r), 0);
    for (int i = 0; i < ROUNDS; i++) {
        race_id(id, i);
        add(&w, id);
        pthread_barrier_wait(&r.start);
        for (int spin = 0; spin < i * 50; spin++) /* at another moment each time */
            atomic_signal_fence(memory_order_seq_cst);
        r.cancelled[i] = cancel(&w, id, 1, NULL);
        pthread_barrier_wait(&r.start);
        if (r.cancelled[i] != ZT_OK) /* so that the next claim is of the next task */
            CHECK_INT("it was ended", r.worked[i], ZT_OK);
    }
    pthread_join(worker, NULL);
    pthread_barrier_destroy(&r.start);
    CHECK_INT("opened", r.errors, 0);
    for (int i = 0; i < ROUNDS; i++) {
        race_id(id, i);
        bool cancelled = r.cancelled[i] == ZT_OK;
        CHECK(id, cancelled || r.cancelled[i] == ZT_E_CONFLICT);
        if (i % 3 == 0)
            CHECK("a task that is put back is there to cancel", cancelled);
        else if (cancelled)
            CHECK(id, r.worked[i] == ZT_E_CONFLICT || r.worked[i] == ZT_E_NOT_FOUND);
        CHECK_STR(id, get(&w, id)->fail_code, cancelled ? "499" : i % 3 == 1 ? "500" : "");
    }
    CHECK_STR("one callback each", ask(&w, "SELECT count(*) FROM delivery"), "60");
    world_clear(&w);
}

#ifdef ZT_FAULTS
static void a_failing_disk_cancels_nothing(void)
{
    struct world w;
    bool callback = false;

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = claim(&w, "w", "a");
    setenv("ZOETROPE_FAULT", "store_commit:1+:28", 1);
    CHECK_INT("commit", cancel(&w, "a", 1, &callback), ZT_E_FULL);
    setenv("ZOETROPE_FAULT", "store_step:1+", 1);
    CHECK_INT("step", cancel(&w, "a", 1, &callback), ZT_E_IO);
    enum zt_lease_look at = ZT_LEASE_CANCELLED;
    CHECK_INT("look", zt_store_lease_look(w.store, &lease, &at, &err), ZT_E_IO);
    unsetenv("ZOETROPE_FAULT");
    CHECK_STR("goes on", state_of(&w, "a"), "queuing");
    CHECK_INT("goes on", look(&w, &lease), ZT_LEASE_HELD);
    CHECK_STR("nothing owed", ask(&w, "SELECT count(*) FROM delivery"), "0");
    world_clear(&w);
}

/* Dying before the commit leaves the task to its worker, after it the task is cancelled. */
static void a_crash_cancels_or_not(void)
{
    static const char *const points[] = { "store.cancel:1", "store.cancel.done:1" };

    for (size_t i = 0; i < ZT_COUNT(points); i++) {
        struct world w;
        int status = 0;
        world_init(&w);
        add(&w, "a");
        struct zt_lease lease = claim(&w, "w", "a");
        zt_store_close(w.store); /* SQLite's locks do not survive a fork */
        w.store = NULL;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("ZOETROPE_CRASH", points[i], 1);
            if (world_open(&w, false, &w.store) == ZT_OK)
                cancel(&w, "a", 1, NULL);
            _exit(1);
        }
        waitpid(pid, &status, 0);
        CHECK_INT(points[i], WIFEXITED(status) ? WEXITSTATUS(status) : -1, 137);
        CHECK_INT("opens", world_open(&w, false, &w.store), ZT_OK);
        CHECK_STR(points[i], state_of(&w, "a"), i == 0 ? "queuing" : "fail");
        CHECK_INT(points[i], look(&w, &lease), i == 0 ? ZT_LEASE_HELD : ZT_LEASE_CANCELLED);
        CHECK_STR(points[i], ask(&w, "SELECT count(*) FROM delivery"), i == 0 ? "0" : "1");
        world_clear(&w);
    }
}
#endif

/* ---- turns --------------------------------------------------------------------------------- */

/* Claims and says whose it was. */
static int64_t next_key(struct world *w, struct zt_lease *ret)
{
    struct zt_task *task = NULL;

    CHECK_INT("claim", zt_store_claim(w->store, &arena, "w", LEASE_US, &task, &err), ZT_OK);
    if (ret != NULL)
        *ret = (struct zt_lease){ task ? task->id : "", "w", task ? task->attempt : 1 };
    return task ? task->key_id : -1;
}

static void add_numbered(struct world *w, int64_t key, int n)
{
    CHECK_INT("begin", zt_store_begin(w->store, &err), ZT_OK);
    for (int i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof(id), "k%d-%05d", (int)key, i);
        add_for(w, id, key, "");
    }
    CHECK_INT("commit", zt_store_commit(w->store, &err), ZT_OK);
}

/* Who comes with one task is not made to wait for ten thousand of somebody else's. */
static void nobody_starves(void)
{
    struct world w;
    int at = 0;

    world_init(&w);
    add_numbered(&w, 1, 10000);
    for (int i = 0; i < 3; i++)
        CHECK_INT("alone", next_key(&w, NULL), 1);
    add_for(&w, "single", 2, "");
    while (at < 2 && next_key(&w, NULL) != 2)
        at++;
    CHECK("among the next two", at < 2);
    add_for(&w, "another", 2, ""); /* who was served just now is not first again */
    CHECK_INT("turns", next_key(&w, NULL), 1);
    CHECK_INT("turns", next_key(&w, NULL), 2);
    CHECK_INT("and on", next_key(&w, NULL), 1);
    claim(&w, "w", "k1-00005");
    world_clear(&w);
}

static void keys_take_turns_and_keep_their_order(void)
{
    static const char *const order[] = {
        "k1-00000", "k2-00000", "k3-00000", "k1-00001", "k3-00001",
        "k1-00002", "k3-00002", "k1-00003", "k3-00003", "k3-00004"
    };
    struct world w;

    world_init(&w);
    add_numbered(&w, 1, 4);
    add_numbered(&w, 2, 1);
    add_numbered(&w, 3, 5);
    for (size_t i = 0; i < ZT_COUNT(order); i++)
        claim(&w, "w", order[i]);
    CHECK_INT("no more",
              zt_store_claim(w.store, &arena, "w", LEASE_US, &(struct zt_task *){ NULL }, &err),
              ZT_E_NOT_FOUND);
    CHECK_STR("all lines are empty", ask(&w, "SELECT sum(waiting) FROM line"), "0");
    world_clear(&w);
}

/* Put back or reaped, a task is the first of its line again; cancelled, it is out of it. */
static void a_task_keeps_its_place_in_line(void)
{
    struct world w;

    world_init(&w);
    add_numbered(&w, 1, 4);
    add_numbered(&w, 2, 4);
    struct zt_lease lease = claim(&w, "w", "k1-00000");
    CHECK_INT("back", zt_store_put_back(w.store, &lease, false, "", NULL, &err), ZT_OK);
    claim(&w, "v", "k2-00000");
    claim(&w, "w", "k1-00000");
    CHECK_INT("reap", zt_store_reap_worker(w.store, "w", "died", NULL, NULL, &err), ZT_OK);
    claim(&w, "v", "k2-00001");
    claim(&w, "v", "k1-00000");
    CHECK_INT("cancel", cancel(&w, "k2-00002", 2, NULL), ZT_OK);
    claim(&w, "v", "k2-00003");
    claim(&w, "v", "k1-00001");
    CHECK_STR("counted", ask(&w, "SELECT group_concat(key_id || ':' || waiting) FROM line"),
              "1:2,2:0");
    change(&w, "DELETE FROM task WHERE state='waiting'");
    CHECK_STR("counted", ask(&w, "SELECT sum(waiting) FROM line"), "0");
    world_clear(&w);
}

/* Lines that miscount, as after damage, hide no task. */
static void lines_are_mended(void)
{
    static const char *const damage[] = {
        "UPDATE line SET waiting=0",
        "DELETE FROM line",
        "UPDATE line SET waiting=0; INSERT INTO line VALUES (9, 5, 0)",
        "INSERT INTO line VALUES (9, 5, 0); UPDATE line SET waiting=7",
    };

    for (size_t i = 0; i < ZT_COUNT(damage); i++) {
        struct world w;
        world_init(&w);
        add_numbered(&w, 1, 2);
        add_numbered(&w, 2, 1);
        claim(&w, "w", "k1-00000");
        change(&w, damage[i]);
        int64_t sum = next_key(&w, NULL) + next_key(&w, NULL);
        CHECK_INT(damage[i], sum, 3);
        CHECK_INT(damage[i],
                  zt_store_claim(w.store, &arena, "w", LEASE_US, &(struct zt_task *){ NULL }, &err),
                  ZT_E_NOT_FOUND);
        world_clear(&w);
    }
}

/* ---- cost ---------------------------------------------------------------------------------- */

static const enum zt_stmt claiming[] = { ZT_STMT_CLAIM_ANY, ZT_STMT_CLAIM, ZT_STMT_REAP_ANY,
                                         ZT_STMT_LEASE_LOOK };

/* What SQLite's machine does for a claim and for looks at the queue, triggers included. */
static int steps_of_a_claim(struct world *w, const char *id)
{
    int requeued, failed, n = 0;

    for (size_t i = 0; i < ZT_COUNT(claiming); i++)
        sqlite3_stmt_status(w->store->stmt[claiming[i]], SQLITE_STMTSTATUS_VM_STEP, 1);
    struct zt_lease lease = claim(w, "w", id);
    CHECK_INT("held", look(w, &lease), ZT_LEASE_HELD);
    CHECK_INT("reap", zt_store_reap(w->store, &requeued, &failed, &err), ZT_OK);
    for (size_t i = 0; i < ZT_COUNT(claiming); i++)
        n += sqlite3_stmt_status(w->store->stmt[claiming[i]], SQLITE_STMTSTATUS_VM_STEP, 1);
    return n;
}

/* A million finished tasks: as many steps as beside none. bench/queue.c has the time it takes. */
static void finished_tasks_cost_a_claim_nothing(void)
{
    struct world w;

    world_init(&w);
    add(&w, "one");
    int few = steps_of_a_claim(&w, "one");
    change(&w, "DROP TRIGGER task_created_counted; BEGIN;"
               "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<1000000)"
               "INSERT INTO task (id, key_id, state, model, param, input, created_us, updated_us,"
               " completed_us) SELECT 'old' || i, i%3, iif(i%9, 'success', 'fail'), 'm', '{}',"
               " '{}', i, i, i FROM n; COMMIT");
    add(&w, "two");
    int many = steps_of_a_claim(&w, "two");
    CHECK("counted", few > 20);
    CHECK_BELOW("steps", many, 2 * few);
    world_clear(&w);
}

int main(void)
{
    RUN(nobody_starves);
    RUN(keys_take_turns_and_keep_their_order);
    RUN(a_task_keeps_its_place_in_line);
    RUN(lines_are_mended);
    RUN(ends_a_task_in_any_state);
    RUN(refuses_what_is_final_or_not_ones_own);
    RUN(tells_lost_from_cancelled);
    RUN(one_of_two_wins);
#ifdef ZT_FAULTS
    RUN(a_failing_disk_cancels_nothing);
    RUN(a_crash_cancels_or_not);
#endif
    RUN(finished_tasks_cost_a_claim_nothing);
    return check_done();
}
