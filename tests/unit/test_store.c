/*
 * The store: every call, every code it returns, and what it promises about leases, callbacks and
 * retention. The file itself (schema, plans, damage, other processes) is in test_sqlite.c.
 */
#include "store/store.h"

#include <string.h>

#include "store_world.h"

/* ---- adding and finding -------------------------------------------------------------------- */

static void keeps_a_task(void)
{
    struct world w;
    struct zt_task *task = NULL;

    world_init(&w);
    add_for(&w, "a", 7, "https://example.org/cb");
    w.now_us += ZT_SECOND_US;
    CHECK_INT("its key", zt_store_task_get(w.store, &arena, "a", 7, &task, &err), ZT_OK);
    CHECK_STR("id", task->id, "a");
    CHECK_INT("key", task->key_id, 7);
    CHECK_STR("model", task->model, "v1-lite");
    CHECK_STR("param", task->param, "{\"model\":\"v1-lite\"}");
    CHECK_STR("input", task->input, "{\"prompt\":\"\xE9\x95\x9C\"}");
    CHECK_STR("callback", task->callback_url, "https://example.org/cb");
    CHECK_INT("state", task->state, ZT_TASK_WAITING);
    CHECK_INT("attempt", task->attempt, 0);
    CHECK_INT("created", task->created_us, START_US);
    CHECK_INT("updated", task->updated_us, START_US);
    CHECK_INT("completed", task->completed_us, 0);
    CHECK_STR("engine", task->engine, "");
    CHECK_STR("result", task->result, "");
    CHECK_STR("fail code", task->fail_code, "");
    CHECK("files", !task->files_removed);

    CHECK_INT("operator", zt_store_task_get(w.store, &arena, "a", 0, &task, &err), ZT_OK);
    CHECK_INT("other key", zt_store_task_get(w.store, &arena, "a", 8, &task, &err), ZT_E_NOT_FOUND);
    char other[512];
    zt_format(other, sizeof(other), "%s", err.msg);
    CHECK_INT("none", zt_store_task_get(w.store, &arena, "b", 8, &task, &err), ZT_E_NOT_FOUND);
    CHECK_STR("as unknown as one that never was", err.msg, other);
    CHECK_INT("not UTF-8", zt_store_task_get(w.store, &arena, "\xFF", 0, &task, &err),
              ZT_E_NOT_FOUND);

    struct zt_task again = task_of("a", 9, "");
    CHECK_INT("same id", zt_store_task_add(w.store, &again, &err), ZT_E_CONFLICT);
    CHECK_HAS("same id", err.msg, "a task with the id a exists");
    CHECK_INT("unchanged", get(&w, "a")->key_id, 7);
    struct zt_task bad = task_of("b", 1, "");
    bad.param = "caf\xE9";
    CHECK_INT("not UTF-8", zt_store_task_add(w.store, &bad, &err), ZT_E_INVALID);
    world_clear(&w);
}

static void lists_by_page(void)
{
    struct world w;
    struct zt_task **tasks = NULL;
    char id[16];
    int n = 0;

    world_init(&w);
    for (int i = 0; i < 10; i++) {
        zt_format(id, sizeof(id), "t%d", i);
        w.now_us -= ZT_SECOND_US; /* the order is that of acceptance, whatever the clock says */
        add_for(&w, id, i % 2 + 1, "");
    }
    claim(&w, "w", "t0");
#define LIST(state, before, limit)                                                                 \
    zt_store_task_list(w.store, &arena, state, before, limit, &tasks, &n, &err)
    CHECK_INT("all", LIST(-1, NULL, 100), ZT_OK);
    CHECK_INT("all", n, 10);
    CHECK_STR("newest first", tasks[0]->id, "t9");
    CHECK_STR("oldest last", tasks[9]->id, "t0");
    CHECK_INT("page 1", LIST(-1, NULL, 6), ZT_OK);
    CHECK_INT("page 1", n, 6);
    CHECK_STR("page 1", tasks[5]->id, "t4");
    CHECK_INT("page 2", LIST(-1, "t4", 6), ZT_OK);
    CHECK_INT("page 2", n, 4);
    CHECK_STR("page 2", tasks[0]->id, "t3");
    CHECK_STR("page 2", tasks[3]->id, "t0");
    CHECK_INT("past the end", LIST(-1, "t0", 3), ZT_OK);
    CHECK_INT("past the end", n, 0);
    CHECK_INT("state", LIST(ZT_TASK_QUEUING, NULL, 5), ZT_OK);
    CHECK_INT("state", n, 1);
    CHECK_INT("from nowhere", LIST(-1, "nobody", 3), ZT_E_NOT_FOUND);
#undef LIST
    world_clear(&w);
}

static void counts_by_state(void)
{
    struct world w;
    int64_t counts[ZT_TASK_STATES];

    world_init(&w);
    for (int i = 0; i < 6; i++)
        add(&w, (const char *[]){ "a", "b", "c", "d", "e", "f" }[i]);
    finish(&w, "a", "ta", START_US + 1, 1);
    struct zt_lease b = claim(&w, "w", "b");
    zt_store_fail(w.store, &b, "422", "no", NULL, &err);
    struct zt_lease c = claim(&w, "w", "c");
    zt_store_start(w.store, &c, "motion", &err);
    claim(&w, "w", "d");
    CHECK_INT("counts", zt_store_task_counts(w.store, counts, &err), ZT_OK);
    CHECK_INT("waiting", counts[ZT_TASK_WAITING], 2);
    CHECK_INT("queuing", counts[ZT_TASK_QUEUING], 1);
    CHECK_INT("generating", counts[ZT_TASK_GENERATING], 1);
    CHECK_INT("success", counts[ZT_TASK_SUCCESS], 1);
    CHECK_INT("fail", counts[ZT_TASK_FAIL], 1);
    world_clear(&w);
}

/* ---- leases -------------------------------------------------------------------------------- */

static void runs_a_task(void)
{
    struct world w;
    struct zt_task *task = NULL;
    bool callback = false;

    world_init(&w);
    CHECK_INT("empty", zt_store_claim(w.store, &arena, "w1", LEASE_US, &task, &err),
              ZT_E_NOT_FOUND);
    add(&w, "a");
    w.now_us += ZT_SECOND_US;
    CHECK_INT("claim", zt_store_claim(w.store, &arena, "w1", LEASE_US, &task, &err), ZT_OK);
    CHECK_STR("worker", task->worker, "w1");
    CHECK_INT("attempt", task->attempt, 1);
    CHECK_INT("state", task->state, ZT_TASK_QUEUING);
    CHECK_INT("lease", task->lease_us, w.now_us + LEASE_US);
    CHECK_INT("taken", zt_store_claim(w.store, &arena, "w2", LEASE_US, &task, &err),
              ZT_E_NOT_FOUND);

    struct zt_lease lease = { .task_id = "a", .worker = "w1", .attempt = 1 };
    CHECK_INT("too early", zt_store_succeed(w.store, &lease, &result, NULL, &err), ZT_E_CONFLICT);
    w.now_us += ZT_SECOND_US;
    CHECK_INT("start", zt_store_start(w.store, &lease, "motion", &err), ZT_OK);
    CHECK_INT("start twice", zt_store_start(w.store, &lease, "motion", &err), ZT_E_CONFLICT);
    CHECK_INT("started", get(&w, "a")->started_us, w.now_us);
    CHECK_STR("engine", get(&w, "a")->engine, "motion");

    struct zt_progress progress = { .stage = "render", .step = 5, .steps = 10, .percent = 40 };
    w.now_us += 5 * ZT_SECOND_US;
    CHECK_INT("renew", zt_store_renew(w.store, &lease, LEASE_US, &progress, &err), ZT_OK);
    CHECK_INT("lease", get(&w, "a")->lease_us, w.now_us + LEASE_US);
    CHECK_STR("stage", get(&w, "a")->stage, "render");
    progress = (struct zt_progress){ .stage = "encode", .step = -1, .steps = 3, .percent = 30 };
    CHECK_INT("renew", zt_store_renew(w.store, &lease, LEASE_US, &progress, &err), ZT_OK);
    CHECK_INT("percent never falls", get(&w, "a")->percent, 40);
    CHECK_INT("step", get(&w, "a")->step, 0);
    w.now_us += ZT_SECOND_US;
    CHECK_INT("bare renew", zt_store_renew(w.store, &lease, LEASE_US, NULL, &err), ZT_OK);
    CHECK_INT("lease", get(&w, "a")->lease_us, w.now_us + LEASE_US);
    CHECK_STR("stage stays", get(&w, "a")->stage, "encode");

    CHECK_INT("succeed", zt_store_succeed(w.store, &lease, &result, &callback, &err), ZT_OK);
    CHECK("a callback is due", callback);
    task = get(&w, "a");
    CHECK_INT("state", task->state, ZT_TASK_SUCCESS);
    CHECK_INT("percent", task->percent, 100);
    CHECK_INT("completed", task->completed_us, w.now_us);
    CHECK_STR("nobody's", task->worker, "");
    CHECK_STR("result", task->result, result.result);
    CHECK_INT("bytes", task->file_bytes, 1000);
    CHECK_INT("token", zt_store_task_by_token(w.store, &arena, "token-a", &task, &err), ZT_OK);
    CHECK_INT("no token", zt_store_task_by_token(w.store, &arena, "", &task, &err), ZT_E_NOT_FOUND);
    CHECK_INT("bad token", zt_store_task_by_token(w.store, &arena, "\xC0", &task, &err),
              ZT_E_NOT_FOUND);
    w.now_us = result.files_expire_us;
    CHECK_INT("expired", zt_store_task_by_token(w.store, &arena, "token-a", &task, &err),
              ZT_E_NOT_FOUND);
    CHECK_INT("final", zt_store_fail(w.store, &lease, "500", "late", NULL, &err), ZT_E_CONFLICT);
    world_clear(&w);
}

static void fails_a_task(void)
{
    struct world w;
    bool callback = true;

    world_init(&w);
    add_for(&w, "a", 1, "");
    add(&w, "b");
    struct zt_lease a = claim(&w, "w", "a");
    CHECK_INT("queuing", zt_store_fail(w.store, &a, "422", "bad \xFF picture", &callback, &err),
              ZT_OK);
    CHECK("no callback asked for", !callback);
    CHECK_STR("code", get(&w, "a")->fail_code, "422");
    CHECK_STR("made printable", get(&w, "a")->fail_msg, "bad ? picture");
    struct zt_lease b = claim(&w, "w", "b");
    zt_store_start(w.store, &b, "motion", &err);
    CHECK_INT("generating", zt_store_fail(w.store, &b, "500", "out", &callback, &err), ZT_OK);
    CHECK("callback", callback);
    CHECK_STR("once", ask(&w, "SELECT count(*) FROM delivery"), "1");
    world_clear(&w);
}

/* What a worker can send. */
enum move { START, RENEW, PROGRESS, PREVIEW, SUCCEED, FAIL, PUT_BACK, MOVES };

static enum zt_code send(struct zt_store *store, enum move move, const struct zt_lease *lease)
{
    static const struct zt_progress progress = { .stage = "x", .percent = 99 };

    switch (move) {
    case START:
        return zt_store_start(store, lease, "intruder", &err);
    case RENEW:
        return zt_store_renew(store, lease, LEASE_US, NULL, &err);
    case PROGRESS:
        return zt_store_renew(store, lease, LEASE_US, &progress, &err);
    case PREVIEW:
        return zt_store_preview(store, lease, "intruder", &err);
    case SUCCEED:
        return zt_store_succeed(store, lease, &result, NULL, &err);
    case FAIL:
        return zt_store_fail(store, lease, "500", "intruder", NULL, &err);
    case PUT_BACK:
    case MOVES:
        break;
    }
    return zt_store_put_back(store, lease, true, "intruder", NULL, &err);
}

static void a_lost_lease_changes_nothing(void)
{
    static const char dump[] = "SELECT group_concat(quote(state) || worker || lease_us || attempt"
                               " || percent || stage || engine || result || fail_msg ||"
                               " updated_us || file_token || preview || preview_token)"
                               " FROM task";
    static const char *const states[] = { "queuing", "generating" };

    for (int s = 0; s < 2; s++) {
        struct world w;
        char before[4096];
        world_init(&w);
        add(&w, "a");
        struct zt_lease old = claim(&w, "w1", "a");
        w.now_us += LEASE_US;
        CHECK_INT("reap", zt_store_reap(w.store, NULL, NULL, &err), ZT_OK);
        struct zt_lease now = claim(&w, "w2", "a");
        if (s == 1)
            zt_store_start(w.store, &now, "motion", &err);
        CHECK_STR(states[s], state_of(&w, "a"), states[s]);
        const struct zt_lease lost[] = {
            old,
            { .task_id = "a", .worker = "w1", .attempt = 2 }, /* the attempt, not the worker */
            { .task_id = "a", .worker = "w2", .attempt = 1 }, /* the worker, not the attempt */
            { .task_id = "b", .worker = "w2", .attempt = 2 },
        };
        zt_format(before, sizeof(before), "%s", ask(&w, dump));
        for (size_t i = 0; i < ZT_COUNT(lost); i++) {
            for (int move = 0; move < MOVES; move++) {
                w.now_us++;
                CHECK_INT("lost", send(w.store, (enum move)move, &lost[i]), ZT_E_CONFLICT);
                CHECK_HAS("lost", err.msg, "is lost");
                CHECK_STR("lost", ask(&w, dump), before);
            }
        }
        CHECK_STR("no callback", ask(&w, "SELECT count(*) FROM delivery"), "0");
        CHECK_INT("the holder goes on", zt_store_renew(w.store, &now, LEASE_US, NULL, &err), ZT_OK);
        world_clear(&w);
    }
}

/* The address goes with the attempt; how often it changed is counted on. */
static void shows_a_preview_while_it_runs(void)
{
    static const char dump[] = "SELECT preview || ' ' || preview_token FROM task";
    struct world w;

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = claim(&w, "w", "a");
    CHECK_INT("not before it runs", zt_store_preview(w.store, &lease, "t1", &err), ZT_E_CONFLICT);
    zt_store_start(w.store, &lease, "wan", &err);
    CHECK_STR("none yet", ask(&w, dump), "0 ");
    CHECK_INT("shows", zt_store_preview(w.store, &lease, "t1", &err), ZT_OK);
    CHECK_INT("again", zt_store_preview(w.store, &lease, "t1", &err), ZT_OK);
    struct zt_task *task = get(&w, "a");
    CHECK_INT("changes", task->preview, 2);
    CHECK_STR("address", task->preview_token, "t1");
    zt_store_put_back(w.store, &lease, true, "x", NULL, &err);
    CHECK_STR("put back", ask(&w, dump), "2 ");
    lease = claim(&w, "w", "a");
    zt_store_start(w.store, &lease, "wan", &err);
    zt_store_preview(w.store, &lease, "t2", &err);
    w.now_us += LEASE_US;
    zt_store_reap(w.store, NULL, NULL, &err);
    CHECK_STR("the worker died", ask(&w, dump), "3 ");
    lease = claim(&w, "w", "a");
    zt_store_start(w.store, &lease, "wan", &err);
    zt_store_preview(w.store, &lease, "t3", &err);
    CHECK_STR("another attempt", ask(&w, dump), "4 t3");
    zt_store_succeed(w.store, &lease, &result, NULL, &err);
    CHECK_STR("done", ask(&w, dump), "4 ");
    world_clear(&w);
}

static void nothing_moves_a_task_that_waits_or_is_final(void)
{
    struct world w;

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = { .task_id = "a", .worker = "", .attempt = 1 };
    change(&w, "UPDATE task SET attempt=1"); /* all but the state would match */
    for (int move = 0; move < MOVES; move++)
        CHECK_INT("waiting", send(w.store, (enum move)move, &lease), ZT_E_CONFLICT);
    CHECK_STR("waiting", state_of(&w, "a"), "waiting");
    struct zt_lease a = claim(&w, "w", "a");
    zt_store_fail(w.store, &a, "500", "x", NULL, &err);
    lease.attempt = a.attempt;
    for (int move = 0; move < MOVES; move++) {
        CHECK_INT("final", send(w.store, (enum move)move, &lease), ZT_E_CONFLICT);
        CHECK_INT("final", send(w.store, (enum move)move, &a), ZT_E_CONFLICT);
    }
    CHECK_STR("final", state_of(&w, "a"), "fail");
    CHECK_STR("one callback", ask(&w, "SELECT count(*) FROM delivery"), "1");
    world_clear(&w);
}

static void reaps_at_the_limit_and_not_before(void)
{
    struct world w;
    int requeued = -1;
    int failed = -1;

    world_init(&w);
    add(&w, "a");
    add(&w, "b");
    for (int attempt = 1; attempt <= ZT_TASK_MAX_ATTEMPTS; attempt++) {
        struct zt_lease lease = claim(&w, "w", "a"); /* in front of b each time */
        CHECK_INT("attempt", lease.attempt, attempt);
        zt_store_start(w.store, &lease, "motion", &err);
        w.now_us += LEASE_US - 1;
        CHECK_INT("early", zt_store_reap(w.store, &requeued, &failed, &err), ZT_OK);
        CHECK_INT("early", requeued + failed, 0);
        CHECK_STR("early", state_of(&w, "a"), "generating");
        w.now_us += 1;
        CHECK_INT("due", zt_store_reap(w.store, &requeued, &failed, &err), ZT_OK);
        CHECK_INT("requeued", requeued, attempt < ZT_TASK_MAX_ATTEMPTS);
        CHECK_INT("failed", failed, attempt == ZT_TASK_MAX_ATTEMPTS);
        CHECK_STR("nobody's", get(&w, "a")->worker, "");
        CHECK_INT("percent", get(&w, "a")->percent, 0);
    }
    CHECK_STR("failed", state_of(&w, "a"), "fail");
    CHECK_STR("code", get(&w, "a")->fail_code, "501");
    CHECK_HAS("says why", get(&w, "a")->fail_msg, "the worker died");
    CHECK_HAS("says why", get(&w, "a")->fail_msg, "3 of 3 attempts");
    CHECK_STR("callback with it", ask(&w, "SELECT task_id FROM delivery"), "a");
    CHECK_INT("again", zt_store_reap(w.store, &requeued, &failed, &err), ZT_OK);
    CHECK_INT("again", requeued + failed, 0);
    world_clear(&w);
}

static void reaps_a_dead_worker_at_once(void)
{
    struct world w;
    int requeued = -1;
    int failed = -1;

    world_init(&w);
    add(&w, "a");
    add(&w, "b");
    claim(&w, "dead", "a");
    claim(&w, "alive", "b");
    CHECK_INT("first", zt_store_reap_worker(w.store, "dead", "signal 11", &requeued, &failed, &err),
              ZT_OK);
    CHECK_INT("requeued", requeued, 1);
    CHECK_INT("failed", failed, 0);
    CHECK_STR("others keep theirs", get(&w, "b")->worker, "alive");
    for (int i = 0; i < 2; i++) {
        claim(&w, "dead", "a");
        zt_store_reap_worker(w.store, "dead", "signal 11", &requeued, &failed, &err);
    }
    CHECK_INT("failed", failed, 1);
    CHECK_HAS("says why", get(&w, "a")->fail_msg, "signal 11");
    CHECK_HAS("says why", get(&w, "a")->fail_msg, "3 of 3 attempts");
    CHECK_STR("callback with it", ask(&w, "SELECT count(*) FROM delivery"), "1");
    CHECK_INT("nothing held", zt_store_reap_worker(w.store, "dead", "x", NULL, NULL, &err), ZT_OK);
    world_clear(&w);
}

static void puts_a_task_back(void)
{
    struct world w;
    bool callback = true;

    world_init(&w);
    add(&w, "a");
    add(&w, "b");
    for (int i = 0; i < 5; i++) { /* a worker that is told to stop costs no attempt */
        struct zt_lease a = claim(&w, "w", "a");
        CHECK_INT("attempt", a.attempt, 1);
        CHECK_INT("back", zt_store_put_back(w.store, &a, false, "stop", &callback, &err), ZT_OK);
        CHECK("no callback", !callback);
        CHECK_INT("taken back", get(&w, "a")->attempt, 0);
    }
    for (int i = 1; i <= ZT_TASK_MAX_ATTEMPTS; i++) {
        struct zt_lease a = claim(&w, "w", "a");
        CHECK_INT("attempt", a.attempt, i);
        CHECK_INT("back", zt_store_put_back(w.store, &a, true, "no memory", &callback, &err),
                  ZT_OK);
        CHECK_INT("the last fails", callback, i == ZT_TASK_MAX_ATTEMPTS);
    }
    CHECK_STR("failed", state_of(&w, "a"), "fail");
    CHECK_STR("code", get(&w, "a")->fail_code, "501");
    CHECK_STR("says why", get(&w, "a")->fail_msg, "no memory: 3 of 3 attempts are used up");
    world_clear(&w);
}

static void survives_a_clock_that_jumps(void)
{
    struct world w;
    int requeued = -1;

    world_init(&w);
    add(&w, "a");
    struct zt_lease a = claim(&w, "w", "a");
    w.now_us -= ZT_DAY_US; /* back: the dead worker's lease must not last a day longer */
    CHECK_INT("rebased", zt_store_reap(w.store, &requeued, NULL, &err), ZT_OK);
    CHECK_INT("not reaped", requeued, 0);
    CHECK_INT("from now", get(&w, "a")->lease_us, w.now_us + LEASE_US);
    CHECK_INT("its holder goes on", zt_store_renew(w.store, &a, LEASE_US, NULL, &err), ZT_OK);
    zt_store_fail(w.store, &a, "500", "x", NULL, &err);
    CHECK_INT("ends no earlier than it began", get(&w, "a")->completed_us, START_US);
    add(&w, "b");
    claim(&w, "w", "b");
    w.now_us += 2 * ZT_DAY_US; /* forward: leases run out early, which costs an attempt */
    CHECK_INT("reaped", zt_store_reap(w.store, &requeued, NULL, &err), ZT_OK);
    CHECK_INT("reaped", requeued, 1);
    world_clear(&w);
}

/* ---- one transaction around several calls -------------------------------------------------- */

static void groups_calls(void)
{
    struct world w;
    struct zt_task *task = NULL;
    struct zt_store *reader = NULL;

    world_init(&w);
    CHECK_INT("reader", world_open(&w, true, &reader), ZT_OK);
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    add(&w, "a");
    struct zt_task again = task_of("a", 1, "");
    CHECK_INT("one fails", zt_store_task_add(w.store, &again, &err), ZT_E_CONFLICT);
    add(&w, "b");
    CHECK_INT("not yet", zt_store_task_get(reader, &arena, "a", 0, &task, &err), ZT_E_NOT_FOUND);
    CHECK_INT("commit", zt_store_commit(w.store, &err), ZT_OK);
    CHECK_INT("now", zt_store_task_get(reader, &arena, "a", 0, &task, &err), ZT_OK);
    CHECK_INT("now", zt_store_task_get(reader, &arena, "b", 0, &task, &err), ZT_OK);
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    add(&w, "c");
    zt_store_rollback(w.store);
    CHECK_INT("undone", zt_store_task_get(w.store, &arena, "c", 0, &task, &err), ZT_E_NOT_FOUND);
    add(&w, "c");
    CHECK_INT("reader begins", zt_store_begin(reader, &err), ZT_E_DENIED);
    zt_store_close(reader);
    world_clear(&w);
}

#ifdef ZT_FAULTS
static void a_failing_disk_changes_nothing(void)
{
    struct world w;
    struct zt_task *task = NULL;
    struct zt_task c = task_of("c", 1, "");

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = claim(&w, "w", "a");
    zt_store_start(w.store, &lease, "motion", &err);
    setenv("ZOETROPE_FAULT", "store_commit:1+:28", 1);
    CHECK_INT("add", zt_store_task_add(w.store, &c, &err), ZT_E_FULL);
    CHECK_HAS("add", err.msg, "No space left");
    CHECK_INT("succeed", zt_store_succeed(w.store, &lease, &result, NULL, &err), ZT_E_FULL);
    unsetenv("ZOETROPE_FAULT");
    CHECK_STR("unchanged", state_of(&w, "a"), "generating");
    CHECK_STR("no callback", ask(&w, "SELECT count(*) FROM delivery"), "0");
    CHECK_INT("none", zt_store_task_get(w.store, &arena, "c", 0, &task, &err), ZT_E_NOT_FOUND);

    setenv("ZOETROPE_FAULT", "store_step:1+", 1);
    CHECK_INT("add", zt_store_task_add(w.store, &c, &err), ZT_E_IO);
    CHECK_INT("get", zt_store_task_get(w.store, &arena, "a", 0, &task, &err), ZT_E_IO);
    CHECK_INT("reap", zt_store_reap(w.store, NULL, NULL, &err), ZT_E_IO);
    unsetenv("ZOETROPE_FAULT");
    CHECK_INT("goes on", zt_store_succeed(w.store, &lease, &result, NULL, &err), ZT_OK);
    world_clear(&w);
}
#endif

/* ---- keys ---------------------------------------------------------------------------------- */

static const uint8_t hash_a[ZT_SHA256_BYTES] = { 1 }, hash_b[ZT_SHA256_BYTES] = { 2 },
                     hash_c[ZT_SHA256_BYTES] = { 3 };

static void keeps_keys(void)
{
    struct world w;
    struct zt_key *key = NULL;
    struct zt_key **keys = NULL;
    int64_t a = 0;
    int64_t b = 0;
    int n = 0;

    world_init(&w);
    CHECK_INT("add", zt_store_key_add(w.store, "ann", hash_a, "zk_1", "whsec_1", &a, &err), ZT_OK);
    CHECK_INT("name", zt_store_key_add(w.store, "ann", hash_b, "zk_2", "whsec_2", &b, &err),
              ZT_E_CONFLICT);
    CHECK_HAS("name", err.msg, "a key named ann exists");
    CHECK_INT("find", zt_store_key_find(w.store, &arena, hash_a, &key, &err), ZT_OK);
    CHECK_INT("id", key->id, a);
    CHECK_STR("name", key->name, "ann");
    CHECK_STR("hint", key->hint, "zk_1");
    CHECK_STR("secret", key->webhook_secret, "whsec_1");
    CHECK_INT("created", key->created_us, START_US);
    CHECK_INT("used", key->used_us, 0);
    CHECK_INT("unknown", zt_store_key_find(w.store, &arena, hash_b, &key, &err), ZT_E_NOT_FOUND);

    w.now_us += ZT_HOUR_US;
    add_for(&w, "t", a, "");
    CHECK_INT("get", zt_store_key_get(w.store, &arena, a, &key, &err), ZT_OK);
    CHECK_INT("used with its task", key->used_us, w.now_us);
    CHECK_INT("get", zt_store_key_get(w.store, &arena, 99, &key, &err), ZT_E_NOT_FOUND);

    CHECK_INT("reset", zt_store_key_reset(w.store, a, hash_c, "zk_3", &err), ZT_OK);
    CHECK_INT("old", zt_store_key_find(w.store, &arena, hash_a, &key, &err), ZT_E_NOT_FOUND);
    CHECK_INT("new", zt_store_key_find(w.store, &arena, hash_c, &key, &err), ZT_OK);
    CHECK_INT("same key", key->id, a);
    CHECK_STR("same webhooks", key->webhook_secret, "whsec_1");
    CHECK_INT("bea", zt_store_key_add(w.store, "bea", hash_b, "zk_2", "whsec_2", &b, &err), ZT_OK);
    CHECK_INT("same secret", zt_store_key_reset(w.store, b, hash_c, "zk", &err), ZT_E_CONFLICT);
    CHECK_INT("no such", zt_store_key_reset(w.store, 99, hash_a, "zk", &err), ZT_E_NOT_FOUND);

    CHECK_INT("revoke", zt_store_key_revoke(w.store, a, &err), ZT_OK);
    CHECK_INT("revoked", zt_store_key_find(w.store, &arena, hash_c, &key, &err), ZT_E_NOT_FOUND);
    CHECK_INT("twice", zt_store_key_revoke(w.store, a, &err), ZT_E_NOT_FOUND);
    CHECK_INT("reset", zt_store_key_reset(w.store, a, hash_a, "zk", &err), ZT_E_NOT_FOUND);
    CHECK_INT("by name", zt_store_key_by_name(w.store, &arena, "ann", &key, &err), ZT_OK);
    CHECK_INT("shows when", key->revoked_us, w.now_us);
    int64_t c = 0;
    CHECK_INT("name is free", zt_store_key_add(w.store, "ann", hash_a, "zk", "whsec_3", &c, &err),
              ZT_OK);
    CHECK_INT("by name", zt_store_key_by_name(w.store, &arena, "ann", &key, &err), ZT_OK);
    CHECK_INT("the one in use", key->id, c);
    CHECK_INT("none", zt_store_key_by_name(w.store, &arena, "nobody", &key, &err), ZT_E_NOT_FOUND);
    CHECK_INT("not UTF-8", zt_store_key_by_name(w.store, &arena, "\xFF", &key, &err),
              ZT_E_NOT_FOUND);
    CHECK_INT("list", zt_store_key_list(w.store, &arena, &keys, &n, &err), ZT_OK);
    CHECK_INT("list", n, 3);
    CHECK_STR("oldest first", keys[1]->name, "bea");
    world_clear(&w);
}

static void lists_many_keys(void)
{
    struct world w;
    struct zt_key **keys = NULL;
    char name[16];
    int64_t id;
    int n = -1;

    world_init(&w);
    CHECK_INT("none", zt_store_key_list(w.store, &arena, &keys, &n, &err), ZT_OK);
    CHECK_INT("none", n, 0);
    zt_store_begin(w.store, &err);
    for (int i = 0; i < 40; i++) {
        uint8_t hash[ZT_SHA256_BYTES] = { (uint8_t)i, 9 };
        zt_format(name, sizeof(name), "k%d", i);
        CHECK_INT(name, zt_store_key_add(w.store, name, hash, "h", "s", &id, &err), ZT_OK);
    }
    zt_store_commit(w.store, &err);
    CHECK_INT("list", zt_store_key_list(w.store, &arena, &keys, &n, &err), ZT_OK);
    CHECK_INT("list", n, 40);
    CHECK_STR("first", keys[0]->name, "k0");
    CHECK_STR("last", keys[39]->name, "k39");
    world_clear(&w);
}

static const struct zt_delivery_rules rules = { .lease_us = LEASE_US, .host_limit = 2 };

/* ---- callbacks ----------------------------------------------------------------------------- */

static void fail_task(struct world *w, const char *id)
{
    add(w, id);
    struct zt_lease lease = claim(w, "w", id);
    CHECK_INT(id, zt_store_fail(w->store, &lease, "500", "x", NULL, &err), ZT_OK);
}

static void delivers_a_callback(void)
{
    struct world w;
    struct zt_delivery *d = NULL;
    struct zt_delivery_log *log = NULL;
    struct zt_delivery_try retry = {
        .outcome = ZT_DELIVERY_RETRY, .status = 503, .note = "caf\xE9 closed", .took_us = 250
    };
    struct zt_delivery_try done = {
        .outcome = ZT_DELIVERY_DONE, .status = 200, .note = "ok", .took_us = 120
    };
    int64_t next = 0;

    world_init(&w);
    CHECK_INT("none", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_E_NOT_FOUND);
    CHECK_INT("none", zt_store_delivery_next_us(w.store, &next, &err), ZT_OK);
    CHECK_INT("none", next, INT64_MAX);
    fail_task(&w, "a");
    CHECK_INT("next", zt_store_delivery_next_us(w.store, &next, &err), ZT_OK);
    CHECK_INT("at once", next, w.now_us);
    CHECK_INT("claim", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_STR("task", d->task_id, "a");
    CHECK_STR("url", d->url, "https://example.org/cb");
    CHECK_INT("key", d->key_id, 1);
    CHECK_INT("attempt", d->attempt, 1);
    CHECK_INT("created", d->created_us, START_US);
    struct zt_delivery *other = NULL;
    CHECK_INT("held", zt_store_delivery_claim(w.store, &arena, &rules, &other, &err),
              ZT_E_NOT_FOUND);
    retry.next_us = w.now_us + ZT_MINUTE_US;
    CHECK_INT("retry", zt_store_delivery_settle(w.store, d, &retry, &rules, &err), ZT_OK);
    CHECK_INT("twice", zt_store_delivery_settle(w.store, d, &retry, &rules, &err), ZT_E_CONFLICT);
    CHECK_INT("twice", zt_store_delivery_settle(w.store, d, &done, &rules, &err), ZT_E_CONFLICT);
    w.now_us += ZT_MINUTE_US - 1;
    CHECK_INT("early", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_E_NOT_FOUND);
    w.now_us++;
    CHECK_INT("due", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_INT("attempt", d->attempt, 2);

    w.now_us += LEASE_US; /* its sender died */
    CHECK_INT("again", zt_store_delivery_claim(w.store, &arena, &rules, &other, &err), ZT_OK);
    CHECK_INT("attempt", other->attempt, 3);
    CHECK_INT("the dead", zt_store_delivery_settle(w.store, d, &done, &rules, &err), ZT_E_CONFLICT);
    CHECK_INT("done", zt_store_delivery_settle(w.store, other, &done, &rules, &err), ZT_OK);
    w.now_us += ZT_DAY_US;
    CHECK_INT("over", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_E_NOT_FOUND);

    CHECK_INT("log", zt_store_delivery_of_task(w.store, &arena, "a", &log, &err), ZT_OK);
    CHECK_INT("state", log->state, ZT_DELIVERY_DONE);
    CHECK_INT("tries", log->n, 2);
    CHECK_INT("first", log->tries[0].attempt, 1);
    CHECK_INT("first", log->tries[0].result.outcome, ZT_DELIVERY_RETRY);
    CHECK_INT("first", log->tries[0].result.status, 503);
    CHECK_STR("made printable", log->tries[0].result.note, "caf? closed");
    CHECK_INT("took", log->tries[0].result.took_us, 250);
    CHECK_INT("second", log->tries[1].attempt, 3);
    CHECK_INT("none", zt_store_delivery_of_task(w.store, &arena, "b", &log, &err), ZT_E_NOT_FOUND);
    world_clear(&w);
}

static void gives_up_a_callback(void)
{
    struct world w;
    struct zt_delivery *d = NULL;
    struct zt_delivery_log *log = NULL;
    struct zt_delivery_try gone = {
        .outcome = ZT_DELIVERY_GIVEN_UP, .status = 410, .note = "gone", .took_us = 10
    };
    int64_t next = 0;

    world_init(&w);
    fail_task(&w, "a");
    w.now_us += ZT_SECOND_US;
    fail_task(&w, "b");
    CHECK_INT("claim", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_STR("due longest", d->task_id, "a");
    CHECK_INT("give up", zt_store_delivery_settle(w.store, d, &gone, &rules, &err), ZT_OK);
    CHECK_INT("log", zt_store_delivery_of_task(w.store, &arena, "a", &log, &err), ZT_OK);
    CHECK_INT("state", log->state, ZT_DELIVERY_GIVEN_UP);
    zt_store_delivery_next_us(w.store, &next, &err);
    CHECK_INT("the other waits", next, w.now_us);
    world_clear(&w);
}

/* ---- retention ----------------------------------------------------------------------------- */

static void check_due(struct world *w, const char *label, int64_t max_bytes, int64_t keep_us,
                      int limit, const char *want)
{
    const char **ids = NULL;
    char got[64] = "";
    int n = 0;

    CHECK_INT(label,
              zt_store_files_due(w->store, &arena, max_bytes, keep_us, limit, &ids, &n, &err),
              ZT_OK);
    for (int i = 0; i < n; i++)
        strncat(got, ids[i], sizeof(got) - strlen(got) - 1);
    CHECK_STR(label, got, want);
}

static void says_which_files_may_go(void)
{
    struct world w;
    struct zt_task *task = NULL;

    world_init(&w);
    for (int i = 0; i < 5; i++)
        add_for(&w, (const char *[]){ "a", "b", "c", "d", "e" }[i], 1, "");
    finish(&w, "a", "ta", START_US + 10 * ZT_HOUR_US, 100);
    w.now_us += ZT_HOUR_US;
    finish(&w, "b", "tb", START_US + 2 * ZT_HOUR_US, 100);
    w.now_us += ZT_HOUR_US - 1;
    finish(&w, "c", "tc", START_US + 10 * ZT_HOUR_US, 100);
    finish(&w, "d", "td", START_US + 10 * ZT_HOUR_US, 100);
    check_due(&w, "none expired", 0, 0, 10, "");
    w.now_us++;
    check_due(&w, "expired", 0, 0, 10, "b");
    check_due(&w, "fits", 400, 0, 10, "b");
    check_due(&w, "the expired one is enough", 300, 0, 10, "b");
    check_due(&w, "then the oldest", 299, 0, 10, "ba");
    check_due(&w, "and on", 150, 0, 10, "bac");
    check_due(&w, "limit", 150, 0, 2, "ba");
    check_due(&w, "young ones stay", 1, ZT_HOUR_US, 10, "ba");
    check_due(&w, "all young", 1, ZT_DAY_US, 10, "b");

    CHECK_INT("gone", zt_store_files_gone(w.store, "b", &err), ZT_OK);
    CHECK_INT("twice", zt_store_files_gone(w.store, "b", &err), ZT_OK);
    CHECK_INT("a waiting one", zt_store_files_gone(w.store, "e", &err), ZT_E_NOT_FOUND);
    CHECK_INT("no such", zt_store_files_gone(w.store, "x", &err), ZT_E_NOT_FOUND);
    CHECK("removed", get(&w, "b")->files_removed);
    CHECK_STR("token", get(&w, "b")->file_token, "");
    CHECK_INT("token", zt_store_task_by_token(w.store, &arena, "tb", &task, &err), ZT_E_NOT_FOUND);
    check_due(&w, "not twice", 0, 0, 10, "");
    check_due(&w, "its bytes no longer count", 300, 0, 10, "");
    world_clear(&w);
}

static void forgets(void)
{
    struct world w;
    struct zt_delivery *d = NULL;
    struct zt_delivery_try done = {
        .outcome = ZT_DELIVERY_DONE, .status = 200, .note = "ok", .took_us = 1
    };
    int n = -1;

    world_init(&w);
    add_for(&w, "a", 1, "");
    finish(&w, "a", "ta", START_US + 1, 1);
    fail_task(&w, "b");
    add_for(&w, "c", 1, "");
    add_for(&w, "e", 1, "");
    struct zt_lease c = claim(&w, "w", "c");
    zt_store_fail(w.store, &c, "500", "x", NULL, &err);
    w.now_us += ZT_DAY_US;
    CHECK_INT("too young", zt_store_forget(w.store, START_US, 10, &n, &err), ZT_OK);
    CHECK_INT("too young", n, 0);
    CHECK_INT("forget", zt_store_forget(w.store, w.now_us, 10, &n, &err), ZT_OK);
    CHECK_INT("not with files, not while a callback is owed, not waiting", n, 1);
    CHECK_STR("c is gone", ask(&w, "SELECT group_concat(id) FROM task"), "a,b,e");
    zt_store_files_gone(w.store, "a", &err);
    CHECK_INT("claim", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_INT("settle", zt_store_delivery_settle(w.store, d, &done, &rules, &err), ZT_OK);
    CHECK_INT("limit", zt_store_forget(w.store, w.now_us, 1, &n, &err), ZT_OK);
    CHECK_INT("limit", n, 1);
    CHECK_INT("rest", zt_store_forget(w.store, w.now_us, 10, NULL, &err), ZT_OK);
    CHECK_STR("left", ask(&w, "SELECT group_concat(id) FROM task"), "e");
    CHECK_STR("deliveries too", ask(&w, "SELECT count(*) FROM delivery"), "0");
    CHECK_STR("tries too", ask(&w, "SELECT count(*) FROM delivery_try"), "0");
    CHECK_STR("counted", ask(&w, "SELECT group_concat(n) FROM task_count WHERE n<>0"), "1");
    world_clear(&w);
}

int main(void)
{
    RUN(keeps_a_task);
    RUN(lists_by_page);
    RUN(counts_by_state);
    RUN(runs_a_task);
    RUN(fails_a_task);
    RUN(a_lost_lease_changes_nothing);
    RUN(shows_a_preview_while_it_runs);
    RUN(nothing_moves_a_task_that_waits_or_is_final);
    RUN(reaps_at_the_limit_and_not_before);
    RUN(reaps_a_dead_worker_at_once);
    RUN(puts_a_task_back);
    RUN(survives_a_clock_that_jumps);
    RUN(groups_calls);
#ifdef ZT_FAULTS
    RUN(a_failing_disk_changes_nothing);
#endif
    RUN(keeps_keys);
    RUN(lists_many_keys);
    RUN(delivers_a_callback);
    RUN(gives_up_a_callback);
    RUN(says_which_files_may_go);
    RUN(forgets);
    return check_done();
}
