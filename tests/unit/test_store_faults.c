/*
 * The store on a disk that fails: over a scripted life of a few tasks, the first call to the disk
 * fails, then the second, and so on until a life no longer gets that far; once each, or from then
 * on; with I/O errors, a full disk, and locks that others hold. After each life the file is opened
 * again on a sound disk:
 *
 *   - the database is whole, its counts are right, every ended task owes its callback once
 *   - what a call reported as done is there; what it reported as failed did not happen, or for an
 *     I/O error of the commit itself may have (store/README.md, 2)
 *   - every task that was accepted ends, and none succeeds twice
 */
#include <string.h>

#include "failing_vfs.h"
#include "store_world.h"

#define BUSY_US 1000 /* nobody holds the locks but the test: waiting is in vain */

static const struct zt_delivery_rules rules = { .lease_us = LEASE_US, .host_limit = 2 };
static const char *const ids[] = { "a", "b", "c", "d" };
enum { A, B, C, D, TASKS };

/* What a life was told. */
struct told {
    enum zt_code added[TASKS]; /* c and d: of the shared transaction's commit */
    enum zt_code ended[TASKS]; /* ZT_OK: reported as ended */
    const char *state[TASKS];  /* the state it should have when nothing failed on the way */
    int called;                /* whose callback was claimed; -1: none */
    int sent;                  /* whose callback was settled as done; -1: none */
};

static const char *label; /* of the life that is looked at */

static enum zt_code reopen(struct world *w)
{
    struct zt_store_options options = { .path = w->path, .busy_us = BUSY_US, .clock = &w->clock };

    w->store = NULL;
    err = (struct zt_err){ 0 };
    return zt_store_open(&options, &w->store, &err);
}

/* ---- a life -------------------------------------------------------------------------------- */

static enum zt_code add_one(struct world *w, int which)
{
    struct zt_task task = task_of(ids[which], 1, "https://example.org/cb");

    return zt_store_task_add(w->store, &task, &err);
}

/* Two tasks behind one commit, as the batch does it; between them one that is refused. */
static void add_shared(struct world *w, struct told *told)
{
    enum zt_code rc = zt_store_begin(w->store, &err);

    told->added[C] = told->added[D] = rc;
    if (rc != ZT_OK)
        return;
    enum zt_code one = add_one(w, C);
    add_one(w, C); /* exists already: undone alone */
    enum zt_code two = add_one(w, D);
    rc = zt_store_commit(w->store, &err);
    told->added[C] = one != ZT_OK ? one : rc;
    told->added[D] = two != ZT_OK ? two : rc;
}

/* Claims whatever is first and ends it one way or the other. */
static void run_one(struct world *w, struct told *told, bool good)
{
    struct zt_task *task = NULL;
    struct zt_result r = result;
    char token[32];

    if (zt_store_claim(w->store, &arena, "w", LEASE_US, &task, &err) != ZT_OK)
        return;
    struct zt_lease lease = { .task_id = task->id, .worker = "w", .attempt = task->attempt };
    int which = task->id[0] - 'a';
    zt_format(token, sizeof(token), "token-%s-%d", task->id, task->attempt);
    r.file_token = token;
    struct zt_progress progress = { .percent = 50, .stage = "render", .step = 1, .steps = 2 };
    if (zt_store_start(w->store, &lease, "motion", &err) != ZT_OK)
        return;
    (void)zt_store_renew(w->store, &lease, LEASE_US, &progress, &err);
    told->ended[which] = good ? zt_store_succeed(w->store, &lease, &r, NULL, &err)
                              : zt_store_fail(w->store, &lease, "422", "no", NULL, &err);
    told->state[which] = good ? "success" : "fail";
}

static void deliver_one(struct world *w, struct told *told)
{
    struct zt_delivery *delivery = NULL;
    const struct zt_delivery_try done = {
        .outcome = ZT_DELIVERY_DONE, .status = 200, .note = "ok", .host = ZT_HOST_ALIVE
    };

    if (zt_store_delivery_claim(w->store, &arena, &rules, &delivery, &err) != ZT_OK)
        return;
    told->called = delivery->task_id[0] - 'a';
    if (zt_store_delivery_settle(w->store, delivery, &done, &rules, &err) == ZT_OK)
        told->sent = told->called;
}

static void live(struct world *w, struct told *told)
{
    struct zt_task *task = NULL;

    for (int i = 0; i < TASKS; i++)
        told->added[i] = told->ended[i] = ZT_E_NOT_FOUND;
    if (reopen(w) != ZT_OK)
        return;
    told->added[A] = add_one(w, A);
    told->added[B] = add_one(w, B);
    add_shared(w, told);
    run_one(w, told, true);
    run_one(w, told, false);
    if (zt_store_claim(w->store, &arena, "w", LEASE_US, &task, &err) == ZT_OK) {
        struct zt_lease lease = { .task_id = task->id, .worker = "w", .attempt = task->attempt };
        (void)zt_store_put_back(w->store, &lease, false, "stopping", NULL, &err);
    }
    deliver_one(w, told);
    if (told->ended[A] == ZT_OK)
        (void)zt_store_files_gone(w->store, "a", &err);
    (void)zt_store_forget(w->store, w->now_us + ZT_DAY_US, 10, NULL, &err);
    (void)zt_store_reap(w->store, NULL, NULL, &err);
    zt_store_close(w->store);
    w->store = NULL;
}

/* ---- what must hold ------------------------------------------------------------------------ */

static const char *state_now(struct world *w, const char *id)
{
    struct zt_task *task = NULL;
    enum zt_code rc = zt_store_task_get(w->store, &arena, id, 0, &task, &err);

    if (rc == ZT_E_NOT_FOUND)
        return "none";
    CHECK_INT(label, rc, ZT_OK);
    return task ? zt_task_state_name(task->state) : "unreadable";
}

static void check_whole(struct world *w)
{
    CHECK_STR(label, ask(w, "PRAGMA integrity_check"), "ok");
    CHECK_STR(label, ask(w, "PRAGMA foreign_key_check"), "");
    CHECK_STR(label,
              ask(w, "SELECT count(*) FROM task_count c WHERE n <>"
                     " (SELECT count(*) FROM task t WHERE t.state=c.state)"),
              "0");
    CHECK_STR(label,
              ask(w, "SELECT count(*) FROM task WHERE (state IN ('success','fail')) <>"
                     " (id IN (SELECT task_id FROM delivery))"),
              "0");
}

static void check_told(struct world *w, const struct told *told)
{
    for (int i = 0; i < TASKS; i++) {
        const char *state = state_now(w, ids[i]);
        bool gone = strcmp(state, "none") == 0;
        if (told->added[i] == ZT_OK && i != told->called) /* which may be forgotten */
            CHECK(label, !gone);
        else if (told->added[i] != ZT_OK && told->added[i] != ZT_E_IO)
            CHECK(label, gone);
        if (told->ended[i] == ZT_OK && !gone)
            CHECK_STR(label, state, told->state[i]);
        else if (told->ended[i] != ZT_E_IO)
            CHECK(label, strcmp(state, "success") != 0);
    }
    CHECK_STR(label, state_now(w, "c"),
              strcmp(state_now(w, "d"), "none") == 0   ? "none"
              : strcmp(state_now(w, "c"), "none") == 0 ? "with d"
                                                       : state_now(w, "c"));
    if (told->sent >= 0) {
        char sql[96];
        zt_format(sql, sizeof(sql),
                  "SELECT count(*) FROM delivery WHERE state='pending' AND task_id='%s'",
                  ids[told->sent]);
        CHECK_STR(label, ask(w, sql), "0");
    }
}

/* Hours later, on a sound disk: everything that waits or was left behind is run to its end. */
static void check_goes_on(struct world *w)
{
    struct told again = { .sent = -1 };

    w->now_us += 3600 * ZT_SECOND_US;
    CHECK_INT(label, zt_store_reap(w->store, NULL, NULL, &err), ZT_OK);
    for (int i = 0; i < TASKS; i++)
        again.ended[i] = ZT_E_NOT_FOUND;
    for (int i = 0; i < TASKS; i++)
        run_one(w, &again, true);
    CHECK_STR(label, ask(w, "SELECT count(*) FROM task WHERE state NOT IN ('success','fail')"),
              "0");
    for (int i = 0; i < TASKS; i++) {
        if (again.ended[i] != ZT_E_NOT_FOUND)
            CHECK_INT(label, again.ended[i], ZT_OK);
    }
    check_whole(w);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned kinds;
    bool and_after;
    int rc;
    bool with_tables; /* when the life begins */
    int stride;       /* every so many-th call; each one with the argument "all" */
    long least;       /* calls that a whole life makes at the very least */
} disks[] = {
    { "an I/O error", VFS_ALL, false, 0, true, 2, 100 },
    { "I/O errors from then on", VFS_ALL, true, 0, true, 7, 100 },
    { "a full disk", VFS_WRITE, true, SQLITE_FULL, true, 7, 30 },
    { "a full disk for a moment", VFS_WRITE, false, SQLITE_FULL, true, 7, 30 },
    { "a writer elsewhere", VFS_WRITER, false, SQLITE_BUSY, true, 1, 10 },
    { "a writer elsewhere from then on", VFS_WRITER, true, SQLITE_BUSY, true, 3, 10 },
    { "a full disk before there are tables", VFS_WRITE, true, SQLITE_FULL, false, 7, 30 },
};

/* An empty database with its tables. */
static struct zt_buf tables;

static void make_tables(void)
{
    struct world w;

    world_init(&w);
    zt_store_close(w.store);
    w.store = NULL;
    zt_buf_init(&tables, 1 << 20);
    CHECK_INT("reads", zt_file_read(w.path, &tables, &err), ZT_OK);
    world_clear(&w);
}

/* A world whose store is not open yet; its file is there, or is not. */
static void world_bare(struct world *w, bool with_tables)
{
    *w = (struct world){ .folder = "/tmp/zt-faults-XXXXXX", .now_us = START_US };
    w->clock = (struct zt_clock){ .utc_us = world_now, .user = w };
    if (mkdtemp(w->folder) == NULL)
        abort();
    zt_format(w->path, sizeof(w->path), "%s/zoetrope.db", w->folder);
    FILE *f = with_tables ? fopen(w->path, "wb") : NULL;
    if (f != NULL) {
        fwrite(tables.data, 1, tables.n, f);
        fclose(f);
    }
}

/* False: the life was over before its n-th call. */
static bool survives(size_t disk, long n)
{
    struct world w;
    struct told told = { .called = -1, .sent = -1 };
    char text[96];

    zt_format(text, sizeof(text), "%s, call %ld", disks[disk].name, n);
    label = text;
    world_bare(&w, disks[disk].with_tables);
    vfs_fail(disks[disk].kinds, n, disks[disk].and_after, disks[disk].rc);
    live(&w, &told);
    bool fired = vfs_faults.failed > 0;
    vfs_fail(0, 0, false, 0);
    zt_store_close(w.store);
    CHECK_INT(label, reopen(&w), ZT_OK);
    if (w.store == NULL) {
        printf("%s: %s (%s)\n", label, err.msg, err.detail);
        exit(1);
    }
    check_whole(&w);
    check_told(&w, &told);
    check_goes_on(&w);
    world_clear(&w);
    return fired;
}

static bool every_one;

static void loses_nothing_whatever_fails(void)
{
    for (size_t i = 0; i < ZT_COUNT(disks); i++) {
        long n = 1;
        while (survives(i, n))
            n += every_one ? 1 : disks[i].stride;
        CHECK(disks[i].name, n > disks[i].least);
    }
}

int main(int argc, char **argv)
{
    every_one = argc > 1 && strcmp(argv[1], "all") == 0;
    vfs_install();
    RUN(make_tables);
    RUN(loses_nothing_whatever_fails);
    zt_buf_clear(&tables);
    return check_done();
}
