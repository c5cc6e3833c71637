/* sqlite_events.c - reading and forgetting events. See events.h. */
#include "store/events.h"

#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

#define ATTEMPTS_SEEN_MAX 1000000

static void read_event(struct zt_query *q, struct zt_arena *arena, struct zt_event *ret)
{
    int c = 0;

    ret->id = zt_query_get_int(q, c++, 1, INT64_MAX);
    ret->task_id = zt_query_get_text(q, c++, arena);
    ret->key_id = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->at_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    const char *state = zt_query_get_text(q, c, arena);
    if (!zt_task_state_parse(state, &ret->state) && !q->nomem)
        zt_query_damaged(q, c);
    c++;
    ret->attempt = (int)zt_query_get_int(q, c++, 0, ATTEMPTS_SEEN_MAX);
    ret->started_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->moved_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->percent = (int)zt_query_get_int(q, c++, 0, 100);
    ret->stage = zt_query_get_text(q, c++, arena);
    ret->step = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    ret->steps = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    ret->preview = zt_query_get_int(q, c++, 0, INT64_MAX);
}

static enum zt_stmt statement_for(const struct zt_event_filter *filter)
{
    if (filter->task_id != NULL)
        return ZT_STMT_EVENTS_TASK;
    return filter->key_id != 0 ? ZT_STMT_EVENTS_KEY : ZT_STMT_EVENTS;
}

enum zt_code zt_store_events(struct zt_store *store, struct zt_arena *arena,
                             const struct zt_event_filter *filter, int limit, struct zt_event **ret,
                             int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, statement_for(filter));
    struct zt_event *events = NULL; /* made for the first row: most looks find none */
    bool row = true;
    int n = 0;

    zt_assert(limit > 0 && filter->after_id >= 0 && (filter->task_id == NULL || !filter->key_id));
    zt_query_int(&q, filter->after_id);
    zt_query_int(&q, limit);
    if (filter->task_id != NULL)
        zt_query_text(&q, filter->task_id);
    else if (filter->key_id != 0)
        zt_query_int(&q, filter->key_id);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row || n == limit)
            break;
        if (events == NULL)
            events = zt_arena_try(arena, (size_t)limit * sizeof(*events));
        if (events == NULL)
            return zt_fail(err, ZT_E_NOMEM, "%d events do not fit into memory", limit);
        read_event(&q, arena, &events[n++]);
        ZT_TRY(zt_query_check(&q, err));
    }
    *ret = events;
    *ret_n = n;
    return ZT_OK;
}

enum zt_code zt_store_event_span(struct zt_store *store, struct zt_event_span *ret,
                                 struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_EVENT_SPAN);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_CORRUPT, "the table event_floor is empty");
    const struct zt_event_span span = { .floor = zt_query_get_int(&q, 0, 0, INT64_MAX),
                                        .last = zt_query_get_int(&q, 1, 0, INT64_MAX) };
    ZT_TRY(zt_query_check(&q, err));
    *ret = span;
    return ZT_OK;
}

/* ---- forgetting ---------------------------------------------------------------------------- */

/* The newest of the `limit` oldest events that is old enough; 0: none is. */
static enum zt_code find_old(struct zt_store *store, int64_t before_us, int limit, int64_t *ret,
                             struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_EVENT_OLD);
    bool row = false;

    zt_query_int(&q, before_us);
    zt_query_int(&q, limit);
    ZT_TRY(zt_query_row(&q, &row, err));
    *ret = row ? zt_query_get_int(&q, 0, 0, INT64_MAX) : 0;
    return zt_query_check(&q, err);
}

static enum zt_code run_with(struct zt_store *store, enum zt_stmt which, int64_t id, int *ret,
                             struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    zt_query_int(&q, id);
    return zt_query_run(&q, ret, err);
}

static enum zt_code forget(struct zt_store *store, int64_t last, int *ret_n, struct zt_err *err)
{
    ZT_TRY(run_with(store, ZT_STMT_EVENT_FLOOR, last, NULL, err));
    return run_with(store, ZT_STMT_EVENT_FORGET, last, ret_n, err);
}

enum zt_code zt_store_events_forget(struct zt_store *store, int64_t before_us, int limit,
                                    int *ret_n, struct zt_err *err)
{
    int64_t last = 0;
    int n = 0;

    zt_assert(limit > 0);
    ZT_TRY(
        find_old(store, before_us, limit, &last, err)); /* without a lock: mostly there is none */
    if (last != 0) {
        ZT_TRY(zt_sqlite_enter(store, err));
        ZT_TRY(
            zt_sqlite_leave(store, forget(store, last, &n, err), ZT_POINT("events_forget"), err));
    }
    if (ret_n != NULL)
        *ret_n = n;
    return ZT_OK;
}

void zt_event_apply(const struct zt_event *event, struct zt_task *task)
{
    bool final = zt_task_is_final(event->state);

    task->state = event->state;
    task->attempt = event->attempt;
    task->started_us = event->started_us;
    task->updated_us = event->at_us;
    task->moved_us = event->moved_us;
    task->percent = event->percent;
    task->stage = event->stage;
    task->step = event->step;
    task->steps = event->steps;
    task->preview = event->preview;
    if (final)
        return;
    task->completed_us = 0;
    task->result = task->fail_code = task->fail_msg = task->file_token = "";
    if (event->started_us == 0)
        task->engine = "";
}
