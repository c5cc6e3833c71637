/*
 * Events: one for each change that clients see, in the change's own transaction, in an order that
 * nobody who resumes can miss anything of; and histories of how long tasks take.
 */
#include "store/events.h"
#include "store/pace.h"
#include "store_world.h"

static const struct zt_progress depth = { .stage = "depth", .percent = 3 };
static const struct zt_progress half = {
    .stage = "render", .step = 60, .steps = 121, .percent = 50
};

/* As "id state percent stage step/steps attempt; ...", ids counted from the first. */
static const char *text_of(struct world *w, struct zt_event_filter filter)
{
    static char text[4096];
    struct zt_event *events = NULL;
    int n = 0;
    size_t at = 0;

    CHECK_INT("events", zt_store_events(w->store, &arena, &filter, 100, &events, &n, &err), ZT_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        const struct zt_event *e = &events[i];
        zt_format(text + at, sizeof(text) - at, "%s%d %s:%s %d%% %s %d/%d #%d", i ? "; " : "",
                  (int)e->id, e->task_id, zt_task_state_name(e->state), e->percent, e->stage,
                  e->step, e->steps, e->attempt);
        at += strlen(text + at);
    }
    return text;
}

static struct zt_event_span span(struct world *w)
{
    struct zt_event_span s = { -1, -1 };

    CHECK_INT("span", zt_store_event_span(w->store, &s, &err), ZT_OK);
    return s;
}

static void each_change_is_an_event(void)
{
    const struct zt_event_filter all = { 0 };
    struct world w;

    world_init(&w);
    add(&w, "a");
    CHECK_STR("none for a new task", text_of(&w, all), "");
    CHECK_INT("none yet", span(&w).last, 0);
    struct zt_lease lease = claim(&w, "w", "a");
    CHECK_STR("claimed", text_of(&w, all), "1 a:queuing 0%  0/0 #1");
    zt_store_renew(w.store, &lease, LEASE_US, NULL, &err);
    CHECK_STR("a renewal alone is none", text_of(&w, all), "1 a:queuing 0%  0/0 #1");
    w.now_us += ZT_SECOND_US;
    zt_store_start(w.store, &lease, "motion", &err);
    zt_store_renew(w.store, &lease, LEASE_US, &depth, &err);
    zt_store_renew(w.store, &lease, LEASE_US, &depth, &err);
    zt_store_renew(w.store, &lease, LEASE_US, &half, &err);
    zt_store_renew(w.store, &lease, LEASE_US, &depth, &err); /* another stage, no step back */
    CHECK_STR("progress", text_of(&w, (struct zt_event_filter){ .after_id = 1 }),
              "2 a:generating 0%  0/0 #1; 3 a:generating 3% depth 0/0 #1;"
              " 4 a:generating 50% render 60/121 #1; 5 a:generating 50% depth 0/0 #1");
    zt_store_put_back(w.store, &lease, true, "", NULL, &err);
    finish(&w, "a", "token", START_US + ZT_DAY_US, 9);
    CHECK_STR("to the end", text_of(&w, (struct zt_event_filter){ .after_id = 5 }),
              "6 a:waiting 0%  0/0 #1; 7 a:queuing 0%  0/0 #2; 8 a:generating 0%  0/0 #2;"
              " 9 a:success 100%  0/0 #2");
    CHECK_INT("last", span(&w).last, 9);
    world_clear(&w);
}

static void a_change_that_fails_is_none(void)
{
    struct world w;

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = claim(&w, "w", "a");
    lease.attempt++;
    CHECK_INT("lost", zt_store_start(w.store, &lease, "motion", &err), ZT_E_CONFLICT);
    zt_store_begin(w.store, &err);
    lease.attempt--;
    CHECK_INT("starts", zt_store_start(w.store, &lease, "motion", &err), ZT_OK);
    zt_store_rollback(w.store);
    CHECK_INT("only the claim", span(&w).last, 1);
    world_clear(&w);
}

static void filters_by_task_and_key(void)
{
    struct world w;

    world_init(&w);
    for (int i = 0; i < 4; i++)
        add_for(&w, (const char *[]){ "a", "b", "c", "d" }[i], 1 + i % 2, "");
    for (int i = 0; i < 4; i++)
        claim(&w, "w", (const char *[]){ "a", "b", "c", "d" }[i]);
    CHECK_STR("task", text_of(&w, (struct zt_event_filter){ .task_id = "c" }),
              "3 c:queuing 0%  0/0 #1");
    CHECK_STR("task, after", text_of(&w, (struct zt_event_filter){ .after_id = 3, .task_id = "c" }),
              "");
    CHECK_STR("no such task", text_of(&w, (struct zt_event_filter){ .task_id = "x" }), "");
    CHECK_STR("key", text_of(&w, (struct zt_event_filter){ .after_id = 2, .key_id = 2 }),
              "4 d:queuing 0%  0/0 #1");
    struct zt_event *events = NULL;
    int n = 0;
    const struct zt_event_filter all = { 0 };
    zt_store_events(w.store, &arena, &all, 3, &events, &n, &err);
    CHECK_INT("limit", n, 3);
    CHECK_INT("oldest first", events[2].id, 3);
    world_clear(&w);
}

static void looks_as_it_did(void)
{
    struct world w;
    struct zt_event *events = NULL;
    int n = 0;
    const struct zt_event_filter all = { 0 };

    world_init(&w);
    add(&w, "a");
    struct zt_lease lease = claim(&w, "w", "a");
    zt_store_start(w.store, &lease, "motion", &err);
    w.now_us += ZT_SECOND_US;
    zt_store_renew(w.store, &lease, LEASE_US, &half, &err);
    zt_store_preview(w.store, &lease, "token", &err);
    w.now_us += ZT_SECOND_US;
    zt_store_succeed(w.store, &lease, &result, NULL, &err);
    zt_store_events(w.store, &arena, &all, 10, &events, &n, &err);
    CHECK_INT("five", n, 5);
    struct zt_task *task = get(&w, "a");
    zt_event_apply(&events[4], task);
    CHECK_STR("result", task->result, result.result);
    CHECK_INT("completed", task->completed_us, w.now_us);
    zt_event_apply(&events[3], task);
    CHECK_INT("a preview", task->preview, 1);
    zt_event_apply(&events[2], task);
    CHECK_INT("and none before", task->preview, 0);
    CHECK_INT("state", task->state, ZT_TASK_GENERATING);
    CHECK_INT("percent", task->percent, 50);
    CHECK_INT("step", task->step, 60);
    CHECK_INT("updated", task->updated_us, START_US + ZT_SECOND_US);
    CHECK_INT("started", task->started_us, START_US);
    CHECK_STR("engine", task->engine, "motion");
    CHECK("no result yet", *task->result == '\0' && *task->file_token == '\0');
    CHECK_INT("not completed", task->completed_us, 0);
    zt_event_apply(&events[0], task);
    CHECK_STR("no engine yet", task->engine, "");
    CHECK_INT("not started", task->started_us, 0);
    world_clear(&w);
}

static void forgets_the_old(void)
{
    struct world w;
    int n = -1;

    world_init(&w);
    for (int i = 0; i < 5; i++) {
        char id[8];
        zt_format(id, sizeof(id), "t%d", i);
        add(&w, id);
        claim(&w, "w", id);
        w.now_us += ZT_HOUR_US;
    }
    CHECK_INT("none", zt_store_events_forget(w.store, START_US, 10, &n, &err), ZT_OK);
    CHECK_INT("none", n, 0);
    CHECK_INT("kept", span(&w).floor, 0);
    zt_store_events_forget(w.store, START_US + 3 * ZT_HOUR_US, 2, &n, &err);
    CHECK_INT("at most two", n, 2);
    zt_store_events_forget(w.store, START_US + 3 * ZT_HOUR_US, 2, &n, &err);
    CHECK_INT("one more", n, 1);
    CHECK_INT("floor", span(&w).floor, 3);
    CHECK_INT("last", span(&w).last, 5);
    zt_store_events_forget(w.store, START_US + ZT_DAY_US, 100, &n, &err);
    CHECK_INT("all", n, 2);
    CHECK_INT("the newest is known", span(&w).last, 5);
    add(&w, "u");
    claim(&w, "w", "u");
    CHECK_INT("ids go on", span(&w).last, 6);
    world_clear(&w);
}

static void goes_with_its_task(void)
{
    struct world w;

    world_init(&w);
    add_for(&w, "a", 1, "");
    finish(&w, "a", "token", START_US, 9);
    zt_store_files_gone(w.store, "a", &err);
    CHECK_STR("there", ask(&w, "SELECT count(*) FROM event"), "3");
    zt_store_forget(w.store, START_US + 1, 10, NULL, &err);
    CHECK_STR("gone", ask(&w, "SELECT count(*) FROM event"), "0");
    add(&w, "b");
    claim(&w, "w", "b");
    CHECK_INT("ids are not used again", span(&w).last, 4);
    world_clear(&w);
}

static void costs_one_look(void)
{
    static const struct {
        enum zt_stmt which;
        const char *plan; /* all of it */
    } rows[] = {
        { ZT_STMT_EVENTS, "SEARCH e USING INTEGER PRIMARY KEY (rowid>?); "
                          "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_EVENTS_KEY, "SEARCH e USING INDEX event_key (key_id=? AND rowid>?); "
                              "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_EVENTS_TASK, "SEARCH t USING COVERING INDEX sqlite_autoindex_task_1 (id=?); "
                               "SEARCH e USING INDEX event_task (task_seq=? AND rowid>?)" },
        { ZT_STMT_EVENT_FORGET, "SEARCH event USING INTEGER PRIMARY KEY (rowid<?)" },
    };
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char sql[2048];
        zt_format(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", zt_sqlite_stmts[rows[i].which].sql);
        CHECK_STR(zt_sqlite_stmts[rows[i].which].sql, ask(&w, sql), rows[i].plan);
    }
    world_clear(&w);
}

/* ---- histories ----------------------------------------------------------------------------- */

/* A run that takes total_us in steps of equal length. */
static struct zt_pace_run even_run(int64_t inputs_us, int64_t total_us)
{
    struct zt_pace_run run = { .inputs_us = inputs_us, .total_us = total_us };

    for (int i = 0; i < ZT_PACE_MARKS; i++)
        run.reached_us[i] = total_us * i / (ZT_PACE_MARKS - 1);
    return run;
}

static enum zt_code run_one(struct world *w, const char *id, const char *size,
                            const struct zt_pace_run *run)
{
    struct zt_task task = task_of(id, 1, "");
    struct zt_result r = result;

    task.size = size;
    r.file_token = id;
    r.run = run;
    CHECK_INT(id, zt_store_task_add(w->store, &task, &err), ZT_OK);
    struct zt_lease lease = claim(w, "w", id);
    CHECK_INT(id, zt_store_start(w->store, &lease, "motion", &err), ZT_OK);
    return zt_store_succeed(w->store, &lease, &r, NULL, &err);
}

static void learns_from_success(void)
{
    const struct zt_pace_run first = even_run(ZT_SECOND_US, 10 * ZT_SECOND_US);
    const struct zt_pace_run second = even_run(3 * ZT_SECOND_US, 20 * ZT_SECOND_US);
    struct zt_pace_run mad = first;
    struct zt_pace *paces = NULL;
    struct world w;
    int n = -1;

    world_init(&w);
    CHECK_INT("none", zt_store_paces(w.store, &arena, &paces, &n, &err), ZT_OK);
    CHECK_INT("none", n, 0);
    CHECK_INT("first", run_one(&w, "a", "720p/5", &first), ZT_OK);
    CHECK_INT("second", run_one(&w, "b", "720p/5", &second), ZT_OK);
    CHECK_INT("another", run_one(&w, "c", "480p/5", &first), ZT_OK);
    CHECK_INT("nothing to learn", run_one(&w, "d", "480p/5", NULL), ZT_OK);
    mad.reached_us[50] = 0;
    CHECK_INT("no lesson", run_one(&w, "e", "480p/5", &mad), ZT_OK);
    zt_store_paces(w.store, &arena, &paces, &n, &err);
    CHECK_INT("two", n, 2);
    const struct zt_pace *p = zt_pace_find(paces, n, "motion", "v1-lite", "720p/5");
    CHECK_INT("runs", p->runs, 2);
    CHECK_INT("inputs", p->usual.inputs_us, 2 * ZT_SECOND_US);
    CHECK_INT("total", p->usual.total_us, 15 * ZT_SECOND_US);
    CHECK_INT("spread", p->spread_us, 10 * ZT_SECOND_US);
    CHECK_INT("mark", p->usual.reached_us[40], 6 * ZT_SECOND_US);
    CHECK_INT("another", zt_pace_find(paces, n, "motion", "v1-lite", "480p/5")->runs, 1);
    CHECK("of another model", zt_pace_find(paces, n, "motion", "v1-pro", "720p/5") == p);
    CHECK("of another engine", zt_pace_find(paces, n, "wan", "v1-lite", "720p/5") == NULL);
    CHECK_INT("mean", zt_pace_mean_us(paces, n, "motion"), (2 * 17 + 11) * ZT_SECOND_US / 3);
    CHECK_INT("of none", zt_pace_mean_us(paces, n, "wan"), 0);
    world_clear(&w);
}

static void survives_damage(void)
{
    static const char *const damage[] = { "marks=''",
                                          "marks='x'",
                                          "marks=marks||' 1'",
                                          "runs=0",
                                          "marks=replace(marks, ' 5000 ', ' 4 ')",
                                          "total_us=-1" };
    const struct zt_pace_run run = even_run(ZT_SECOND_US, 10 * ZT_SECOND_US);
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < ZT_COUNT(damage); i++) {
        struct zt_pace *paces = NULL;
        char sql[128];
        int n = -1;
        zt_format(sql, sizeof(sql), "UPDATE pace SET %s", damage[i]);
        change(&w, "DELETE FROM pace; DELETE FROM task");
        run_one(&w, "a", "720p/5", &run);
        change(&w, sql);
        CHECK_INT(damage[i], zt_store_paces(w.store, &arena, &paces, &n, &err), ZT_OK);
        CHECK_INT(damage[i], n, 0);
        CHECK_INT(damage[i], run_one(&w, "b", "720p/5", &run), ZT_OK);
        zt_store_paces(w.store, &arena, &paces, &n, &err);
        CHECK_INT("anew", n == 1 ? paces[0].runs : -1, 1);
    }
    world_clear(&w);
}

int main(void)
{
    RUN(each_change_is_an_event);
    RUN(a_change_that_fails_is_none);
    RUN(filters_by_task_and_key);
    RUN(looks_as_it_did);
    RUN(forgets_the_old);
    RUN(goes_with_its_task);
    RUN(costs_one_look);
    RUN(learns_from_success);
    RUN(survives_damage);
    return check_done();
}
