/* sqlite_tasks.c - tasks: adding, finding, and everything a lease allows. See store.h. */
#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

#define LEASE_MAX_US      (24 * ZT_HOUR_US)
#define ATTEMPTS_SEEN_MAX 1000000 /* more in a row is damage */
#define KEY_USED_STEP_US  ZT_MINUTE_US
#define SEQ_MAX           INT64_MAX
#define VIEW_ALLOW_IP     24 /* its column of ZT_STMT_VIEW */

static enum zt_code fail_lost(const struct zt_lease *lease, struct zt_err *err)
{
    return zt_fail(err, ZT_E_CONFLICT,
                   "the lease on task %s is lost: it ran out, or the task was settled",
                   lease->task_id);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum zt_task_state get_state(struct zt_query *q, int column, struct zt_arena *arena)
{
    enum zt_task_state state = ZT_TASK_WAITING;
    const char *name = zt_query_get_text(q, column, arena);

    if (!zt_task_state_parse(name, &state) && !q->nomem)
        zt_query_damaged(q, column);
    return state;
}

enum zt_code zt_sqlite_read_task(struct zt_query *q, struct zt_arena *arena, struct zt_task **ret,
                                 int *ret_extra, struct zt_err *err)
{
    struct zt_task *t = zt_arena_try(arena, sizeof(*t));
    int c = 0;

    if (t == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    t->id = zt_query_get_text(q, c++, arena);
    t->key_id = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->model = zt_query_get_text(q, c++, arena);
    t->engine = zt_query_get_text(q, c++, arena);
    t->state = get_state(q, c++, arena);
    t->param = zt_query_get_text(q, c++, arena);
    t->input = zt_query_get_text(q, c++, arena);
    t->callback_url = zt_query_get_text(q, c++, arena);
    t->attempt = (int)zt_query_get_int(q, c++, 0, ATTEMPTS_SEEN_MAX);
    t->worker = zt_query_get_text(q, c++, arena);
    t->lease_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->created_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->started_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->completed_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->updated_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->percent = (int)zt_query_get_int(q, c++, 0, 100);
    t->stage = zt_query_get_text(q, c++, arena);
    t->step = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    t->steps = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    t->result = zt_query_get_text(q, c++, arena);
    t->fail_code = zt_query_get_text(q, c++, arena);
    t->fail_msg = zt_query_get_text(q, c++, arena);
    t->file_token = zt_query_get_text(q, c++, arena);
    t->files_expire_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->file_bytes = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->files_removed = zt_query_get_int(q, c++, 0, 1) != 0;
    t->size = zt_query_get_text(q, c++, arena);
    t->moved_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->credit_milli = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->preview_token = zt_query_get_text(q, c++, arena);
    t->preview = zt_query_get_int(q, c++, 0, INT64_MAX);
    *ret = t;
    *ret_extra = c;
    return zt_query_check(q, err);
}

/* The one row of q, or ZT_E_NOT_FOUND with `missing`. */
static enum zt_code read_one(struct zt_query *q, struct zt_arena *arena, const char *missing,
                             struct zt_task **ret, struct zt_err *err)
{
    struct zt_task *task = NULL;
    bool row = false;
    int extra;

    ZT_TRY(zt_query_row(q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "%s", missing);
    ZT_TRY(zt_sqlite_read_task(q, arena, &task, &extra, err));
    *ret = task;
    return ZT_OK;
}

/* ---- adding and finding -------------------------------------------------------------------- */

static enum zt_code add(struct zt_store *store, const struct zt_task *task, int64_t now,
                        struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_ADD);

    zt_query_text(&q, task->id);
    zt_query_int(&q, task->key_id);
    zt_query_text(&q, task->model);
    zt_query_text(&q, task->param);
    zt_query_text(&q, task->input);
    zt_query_text(&q, task->callback_url);
    zt_query_int(&q, now);
    zt_query_text(&q, task->size);
    zt_query_int(&q, task->credit_milli);
    enum zt_code rc = zt_query_run(&q, NULL, err);
    if (rc == ZT_E_CONFLICT)
        return zt_fail(err, rc, "a task with the id %s exists already", task->id);
    return rc;
}

/* When a key was last used is written with the task, so that it costs no commit of its own. */
static enum zt_code touch_key(struct zt_store *store, int64_t key_id, int64_t now,
                              struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_USED);

    zt_query_int(&q, key_id);
    zt_query_int(&q, now);
    zt_query_int(&q, KEY_USED_STEP_US);
    return zt_query_run(&q, NULL, err);
}

enum zt_code zt_sqlite_task_add(struct zt_store *store, const struct zt_task *task,
                                struct zt_err *err)
{
    int64_t now = zt_sqlite_now(store);

    zt_assert(task->id != NULL && *task->id != '\0' && strlen(task->id) <= ZT_TASK_ID_MAX);
    zt_assert(task->key_id >= 0 && task->credit_milli >= 0);
    ZT_TRY(add(store, task, now, err));
    return touch_key(store, task->key_id, now, err);
}

enum zt_code zt_store_task_add(struct zt_store *store, const struct zt_task *task,
                               struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, zt_sqlite_task_add(store, task, err), ZT_POINT("task_add"), err);
}

enum zt_code zt_store_task_get(struct zt_store *store, struct zt_arena *arena, const char *id,
                               int64_t key_id, struct zt_task **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_GET);

    if (!zt_utf8_valid(id, strlen(id))) /* an id is asked for by anybody */
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    zt_query_text(&q, id);
    zt_query_int(&q, key_id);
    return read_one(&q, arena, "there is no such task", ret, err);
}

enum zt_code zt_store_task_by_token(struct zt_store *store, struct zt_arena *arena,
                                    const char *token, struct zt_task **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_BY_TOKEN);

    if (!zt_utf8_valid(token, strlen(token)))
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such file, or it has expired");
    zt_query_text(&q, token);
    zt_query_int(&q, zt_sqlite_now(store));
    return read_one(&q, arena, "there is no such file, or it has expired", ret, err);
}

/* The task's columns of ZT_STMT_VIEW. */
static enum zt_code read_viewed(struct zt_query *q, struct zt_arena *arena, struct zt_task *t,
                                struct zt_err *err)
{
    int c = 2;

    t->id = zt_query_get_text(q, c++, arena);
    t->model = zt_query_get_text(q, c++, arena);
    t->engine = zt_query_get_text(q, c++, arena);
    t->state = get_state(q, c++, arena);
    t->param = zt_query_get_text(q, c++, arena);
    t->created_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->started_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->completed_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->updated_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->percent = (int)zt_query_get_int(q, c++, 0, 100);
    t->stage = zt_query_get_text(q, c++, arena);
    t->result = zt_query_get_text(q, c++, arena);
    t->fail_code = zt_query_get_text(q, c++, arena);
    t->fail_msg = zt_query_get_text(q, c++, arena);
    t->file_token = zt_query_get_text(q, c++, arena);
    t->step = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    t->steps = (int)zt_query_get_int(q, c++, 0, INT32_MAX);
    t->size = zt_query_get_text(q, c++, arena);
    t->moved_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->credit_milli = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->preview_token = zt_query_get_text(q, c++, arena);
    t->preview = zt_query_get_int(q, c++, 0, INT64_MAX);
    t->input = t->callback_url = t->worker = "";
    return zt_query_check(q, err);
}

enum zt_code zt_store_view(struct zt_store *store, struct zt_arena *arena,
                           const uint8_t key_hash[ZT_SHA256_BYTES], const char *id,
                           struct zt_view *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_VIEW);
    struct zt_view view = { 0 };
    struct zt_task *task = zt_arena_try(arena, sizeof(*task));
    bool row = false;

    zt_assert(!store->shared);
    if (task == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    zt_query_blob(&q, key_hash, ZT_SHA256_BYTES);
    zt_query_text(&q, zt_utf8_valid(id, strlen(id)) ? id : ""); /* which no task has */
    zt_query_int(&q, zt_sqlite_now(store));
    ZT_TRY(zt_query_row(&q, &row, err));
    if (row) {
        view.key_id = zt_query_get_int(&q, 0, 1, INT64_MAX);
        int64_t seq = zt_query_get_int(&q, 1, 0, INT64_MAX);
        view.allow_ip = zt_query_get_text(&q, VIEW_ALLOW_IP, arena);
        ZT_TRY(zt_query_check(&q, err));
        if (seq != 0) {
            task->key_id = view.key_id;
            view.task = task;
            ZT_TRY(read_viewed(&q, arena, task, err));
            if (task->state == ZT_TASK_WAITING)
                ZT_TRY(zt_sqlite_position(store, view.key_id, seq, &view.position, err));
        }
    }
    *ret = view;
    return ZT_OK;
}

/* The place of a task in the order of acceptance. */
static enum zt_code find_seq(struct zt_store *store, const char *id, int64_t *ret,
                             struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_SEQ);
    bool row = false;

    zt_query_text(&q, id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no task %s to list from", id);
    *ret = zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX);
    return zt_query_check(&q, err);
}

enum zt_code zt_store_task_list(struct zt_store *store, struct zt_arena *arena, int state,
                                const char *before_id, int limit, struct zt_task ***ret, int *ret_n,
                                struct zt_err *err)
{
    int64_t before = SEQ_MAX;
    struct zt_task **tasks = NULL;
    bool row = true;
    int n = 0;
    int extra;

    zt_assert(limit > 0 && state < (int)ZT_TASK_STATES);
    if (before_id != NULL)
        ZT_TRY(find_seq(store, before_id, &before, err));
    tasks = zt_arena_try(arena, (size_t)limit * sizeof(struct zt_task *));
    if (tasks == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a list of %d tasks does not fit into memory", limit);

    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_LIST);
    zt_query_text(&q, state < 0 ? "" : zt_task_state_name((enum zt_task_state)state));
    zt_query_int(&q, before);
    zt_query_int(&q, limit);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        ZT_TRY(zt_sqlite_read_task(&q, arena, &tasks[n++], &extra, err));
    }
    *ret = tasks;
    *ret_n = n;
    return ZT_OK;
}

enum zt_code zt_store_task_counts(struct zt_store *store, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_COUNTS);
    struct zt_arena arena = { 0 };
    int64_t counts[ZT_TASK_STATES] = { 0 };
    bool row = true;
    enum zt_code rc = zt_sqlite_check_there(store, err); /* /readyz asks this */

    while (rc == ZT_OK) {
        rc = zt_query_row(&q, &row, err);
        if (rc != ZT_OK || !row)
            break;
        enum zt_task_state state = get_state(&q, 0, &arena);
        counts[state] = zt_query_get_int(&q, 1, 0, INT64_MAX);
        rc = zt_query_check(&q, err);
    }
    zt_arena_clear(&arena);
    if (rc == ZT_OK)
        memcpy(ret, counts, sizeof(counts));
    return rc;
}

/* ---- leases -------------------------------------------------------------------------------- */

/* The first parameters of every statement that a worker sends. */
static void bind_lease(struct zt_query *q, const struct zt_lease *lease)
{
    zt_assert(lease->attempt > 0);
    zt_query_text(q, lease->task_id);
    zt_query_text(q, lease->worker);
    zt_query_int(q, lease->attempt);
}

/* Runs an update that the lease allows; no row: the lease is lost. */
static enum zt_code run_leased(struct zt_query *q, const struct zt_lease *lease, struct zt_err *err)
{
    int changes = 0;

    ZT_TRY(zt_query_run(q, &changes, err));
    return changes == 1 ? ZT_OK : fail_lost(lease, err);
}

/* The same for one that ends the task and returns whether it has a callback URL. */
static enum zt_code run_final(struct zt_query *q, const struct zt_lease *lease, bool *ret_callback,
                              struct zt_err *err)
{
    bool row = false;

    ZT_TRY(zt_query_row(q, &row, err));
    if (!row)
        return fail_lost(lease, err);
    bool callback = zt_query_get_int(q, 0, 0, 1) != 0;
    ZT_TRY(zt_query_check(q, err));
    ZT_TRY(zt_query_run(q, NULL, err));
    if (ret_callback != NULL)
        *ret_callback = callback;
    return ZT_OK;
}

/* Whether a statement without parameters, or with `now`, gives a row. */
static enum zt_code any(struct zt_store *store, enum zt_stmt which, int64_t now, bool *ret,
                        struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    if (which != ZT_STMT_CLAIM_ANY)
        zt_query_int(&q, now);
    return zt_query_row(&q, ret, err);
}

/* *ret_buried is the seq of a row that was claimed and turned out to be damaged; err says how. */
static enum zt_code claim(struct zt_store *store, struct zt_arena *arena, const char *worker,
                          int64_t lease_us, struct zt_task **ret, int64_t *ret_buried,
                          struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_CLAIM);
    bool row = false;
    int extra = 0;

    zt_query_text(&q, worker);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, lease_us);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "no task is waiting");
    enum zt_code rc = zt_sqlite_read_task(&q, arena, ret, &extra, err);
    if (rc == ZT_E_CORRUPT)
        *ret_buried = zt_query_get_int(&q, extra, INT64_MIN, INT64_MAX);
    else if (rc != ZT_OK)
        return rc;
    return zt_query_run(&q, NULL, err);
}

static enum zt_code bury(struct zt_store *store, int64_t seq, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_BURY);

    zt_query_int(&q, seq);
    zt_query_int(&q, zt_sqlite_now(store));
    return zt_query_run(&q, NULL, err);
}

static enum zt_code mend_lines(struct zt_store *store, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LINES_MEND);

    return zt_query_run(&q, NULL, err);
}

static enum zt_code claim_inner(struct zt_store *store, struct zt_arena *arena, const char *worker,
                                int64_t lease_us, struct zt_task **ret, int64_t *ret_buried,
                                struct zt_err *err)
{
    enum zt_code rc = claim(store, arena, worker, lease_us, ret, ret_buried, err);
    bool waiting = false;

    if (rc == ZT_E_NOT_FOUND) { /* somebody was faster; or the lines miscount, as after damage */
        ZT_TRY(any(store, ZT_STMT_CLAIM_ANY, 0, &waiting, err));
        if (waiting)
            ZT_TRY(mend_lines(store, err));
        if (waiting)
            rc = claim(store, arena, worker, lease_us, ret, ret_buried, err);
    }
    ZT_TRY(rc);
    return *ret_buried != 0 ? bury(store, *ret_buried, NULL) : ZT_OK;
}

enum zt_code zt_store_claim(struct zt_store *store, struct zt_arena *arena, const char *worker,
                            int64_t lease_us, struct zt_task **ret, struct zt_err *err)
{
    struct zt_task *task = NULL;
    int64_t buried = 0;
    bool waiting = false;

    zt_assert(*worker != '\0' && lease_us > 0 && lease_us <= LEASE_MAX_US);
    store->notes_n = 0;
    ZT_TRY(any(store, ZT_STMT_CLAIM_ANY, 0, &waiting, err));
    if (!waiting)
        return zt_fail(err, ZT_E_NOT_FOUND, "no task is waiting");
    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(zt_sqlite_leave(store, claim_inner(store, arena, worker, lease_us, &task, &buried, err),
                           ZT_POINT("claim"), err));
    if (buried != 0)
        return ZT_E_CORRUPT;
    *ret = task;
    return ZT_OK;
}

static enum zt_code start(struct zt_store *store, const struct zt_lease *lease, const char *engine,
                          struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_START);

    bind_lease(&q, lease);
    zt_query_text(&q, engine);
    zt_query_int(&q, zt_sqlite_now(store));
    return run_leased(&q, lease, err);
}

enum zt_code zt_store_start(struct zt_store *store, const struct zt_lease *lease,
                            const char *engine, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, start(store, lease, engine, err), ZT_POINT("start"), err);
}

static int clamp(int v, int min, int max)
{
    return v < min ? min : v > max ? max : v;
}

static enum zt_code renew(struct zt_store *store, const struct zt_lease *lease, int64_t lease_us,
                          const struct zt_progress *progress, struct zt_err *err)
{
    bool report = progress != NULL && progress->stage != NULL;
    zt_auto_query struct zt_query q =
        zt_query_open(store, report ? ZT_STMT_PROGRESS : ZT_STMT_RENEW);

    bind_lease(&q, lease);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, lease_us);
    if (report) { /* clamped: what is stored must pass the checks of reading */
        zt_query_int(&q, clamp(progress->percent, 0, 100));
        zt_query_text(&q, progress->stage);
        zt_query_int(&q, clamp(progress->step, 0, INT32_MAX));
        zt_query_int(&q, clamp(progress->steps, 0, INT32_MAX));
    }
    return run_leased(&q, lease, err);
}

enum zt_code zt_store_renew(struct zt_store *store, const struct zt_lease *lease, int64_t lease_us,
                            const struct zt_progress *progress, struct zt_err *err)
{
    zt_assert(lease_us > 0 && lease_us <= LEASE_MAX_US);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, renew(store, lease, lease_us, progress, err), ZT_POINT("renew"),
                           err);
}

static enum zt_code preview(struct zt_store *store, const struct zt_lease *lease, const char *token,
                            struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_PREVIEW);

    bind_lease(&q, lease);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, token);
    return run_leased(&q, lease, err);
}

enum zt_code zt_store_preview(struct zt_store *store, const struct zt_lease *lease,
                              const char *token, struct zt_err *err)
{
    zt_assert(token[0] != '\0');
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, preview(store, lease, token, err), ZT_POINT("preview"), err);
}

static enum zt_code succeed(struct zt_store *store, const struct zt_lease *lease,
                            const struct zt_result *result, bool *ret_callback, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_SUCCEED);

    bind_lease(&q, lease);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, result->result);
    zt_query_text(&q, result->file_token);
    zt_query_int(&q, result->files_expire_us);
    zt_query_int(&q, result->file_bytes);
    ZT_TRY(run_final(&q, lease, ret_callback, err));
    return result->run ? zt_sqlite_learn(store, lease->task_id, result->run, err) : ZT_OK;
}

enum zt_code zt_store_succeed(struct zt_store *store, const struct zt_lease *lease,
                              const struct zt_result *result, bool *ret_callback,
                              struct zt_err *err)
{
    zt_assert(result->file_token != NULL && *result->file_token != '\0');
    zt_assert(result->files_expire_us >= 0 && result->file_bytes >= 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(
        store, zt_sqlite_write_notes(store, succeed(store, lease, result, ret_callback, err), err),
        ZT_POINT("succeed"), err);
}

static enum zt_code fail(struct zt_store *store, const struct zt_lease *lease,
                         const char *fail_code, const char *fail_msg, bool *ret_callback,
                         struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FAIL);
    char msg[ZT_NOTE_MAX + 1];

    bind_lease(&q, lease);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, fail_code);
    zt_query_text(&q, zt_sqlite_clean(fail_msg, msg));
    return run_final(&q, lease, ret_callback, err);
}

enum zt_code zt_store_fail(struct zt_store *store, const struct zt_lease *lease,
                           const char *fail_code, const char *fail_msg, bool *ret_callback,
                           struct zt_err *err)
{
    zt_assert(*fail_code != '\0');
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(
        store,
        zt_sqlite_write_notes(store, fail(store, lease, fail_code, fail_msg, ret_callback, err),
                              err),
        ZT_POINT("fail"), err);
}

static enum zt_code put_back(struct zt_store *store, const struct zt_lease *lease,
                             bool count_attempt, const char *reason, bool *ret_callback,
                             struct zt_err *err)
{
    char msg[ZT_NOTE_MAX + 1];

    if (count_attempt && lease->attempt >= ZT_TASK_MAX_ATTEMPTS) {
        zt_format(msg, sizeof(msg), "%.900s: %d of %d attempts are used up", reason, lease->attempt,
                  ZT_TASK_MAX_ATTEMPTS);
        return fail(store, lease, "501", msg, ret_callback, err);
    }
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_PUT_BACK);
    bind_lease(&q, lease);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, count_attempt ? 0 : 1);
    ZT_TRY(run_leased(&q, lease, err));
    if (ret_callback != NULL)
        *ret_callback = false;
    return ZT_OK;
}

enum zt_code zt_store_put_back(struct zt_store *store, const struct zt_lease *lease,
                               bool count_attempt, const char *reason, bool *ret_callback,
                               struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(
        store,
        zt_sqlite_write_notes(
            store, put_back(store, lease, count_attempt, reason, ret_callback, err), err),
        ZT_POINT("put_back"), err);
}

/* ---- reaping ------------------------------------------------------------------------------- */

/* worker NULL: whoever's lease ran out. */
static enum zt_code reap_with(struct zt_store *store, enum zt_stmt which, const char *worker,
                              const char *reason, int *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    zt_query_int(&q, zt_sqlite_now(store));
    if (which != ZT_STMT_REAP_REBASE)
        zt_query_int(&q, ZT_TASK_MAX_ATTEMPTS);
    if (worker != NULL)
        zt_query_text(&q, worker);
    if (reason != NULL)
        zt_query_text(&q, reason);
    return zt_query_run(&q, ret, err);
}

static enum zt_code reap(struct zt_store *store, int *ret_requeued, int *ret_failed,
                         struct zt_err *err)
{
    ZT_TRY(reap_with(store, ZT_STMT_REAP_REBASE, NULL, NULL, NULL, err));
    ZT_TRY(reap_with(store, ZT_STMT_REAP_FAIL, NULL, NULL, ret_failed, err));
    return reap_with(store, ZT_STMT_REAP_REQUEUE, NULL, NULL, ret_requeued, err);
}

static void give_counts(int requeued, int failed, int *ret_requeued, int *ret_failed)
{
    if (ret_requeued != NULL)
        *ret_requeued = requeued;
    if (ret_failed != NULL)
        *ret_failed = failed;
}

enum zt_code zt_store_reap(struct zt_store *store, int *ret_requeued, int *ret_failed,
                           struct zt_err *err)
{
    int requeued = 0;
    int failed = 0;
    bool due = false;

    ZT_TRY(any(store, ZT_STMT_REAP_ANY, zt_sqlite_now(store), &due, err));
    if (due) {
        ZT_TRY(zt_sqlite_enter(store, err));
        ZT_TRY(zt_sqlite_leave(store, reap(store, &requeued, &failed, err), ZT_POINT("reap"), err));
    }
    give_counts(requeued, failed, ret_requeued, ret_failed);
    return ZT_OK;
}

static enum zt_code reap_worker(struct zt_store *store, const char *worker, const char *reason,
                                int *ret_requeued, int *ret_failed, struct zt_err *err)
{
    char text[ZT_NOTE_MAX + 1];

    zt_sqlite_clean(reason, text);
    ZT_TRY(reap_with(store, ZT_STMT_REAP_WORKER_FAIL, worker, text, ret_failed, err));
    return reap_with(store, ZT_STMT_REAP_WORKER_REQUEUE, worker, NULL, ret_requeued, err);
}

enum zt_code zt_store_reap_worker(struct zt_store *store, const char *worker, const char *reason,
                                  int *ret_requeued, int *ret_failed, struct zt_err *err)
{
    int requeued = 0;
    int failed = 0;

    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(zt_sqlite_leave(store, reap_worker(store, worker, reason, &requeued, &failed, err),
                           ZT_POINT("reap_worker"), err));
    give_counts(requeued, failed, ret_requeued, ret_failed);
    return ZT_OK;
}
