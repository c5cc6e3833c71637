/* sqlite_queue.c - cancelling, and looking whether a lease still stands. See queue.h. */
#include "store/queue.h"

#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

/* ---- cancelling ---------------------------------------------------------------------------- */

/* Why ZT_STMT_CANCEL met no row. */
static enum zt_code say_why_not(struct zt_store *store, const char *id, int64_t key_id,
                                struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_STATE);
    struct zt_arena arena = { 0 };
    bool row = false;

    zt_query_text(&q, id);
    zt_query_int(&q, key_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    const char *state = zt_query_get_text(&q, 0, &arena);
    enum zt_code rc = zt_query_check(&q, err);
    if (rc == ZT_OK)
        rc = zt_fail(err, ZT_E_CONFLICT, "the task has ended already: its state is %s", state);
    zt_arena_clear(&arena);
    return rc;
}

static enum zt_code cancel(struct zt_store *store, const char *id, int64_t key_id,
                           const char *reason, bool *ret_callback, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_CANCEL);
    char msg[ZT_NOTE_MAX + 1];
    bool row = false;

    zt_query_text(&q, id);
    zt_query_int(&q, key_id);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, zt_sqlite_clean(reason, msg));
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return say_why_not(store, id, key_id, err);
    bool callback = zt_query_get_int(&q, 0, 0, 1) != 0;
    ZT_TRY(zt_query_check(&q, err));
    ZT_TRY(zt_query_run(&q, NULL, err));
    if (ret_callback != NULL)
        *ret_callback = callback;
    return ZT_OK;
}

enum zt_code zt_store_task_cancel(struct zt_store *store, const char *id, int64_t key_id,
                                  const char *reason, bool *ret_callback, struct zt_err *err)
{
    if (!zt_utf8_valid(id, strlen(id))) /* an id is named by anybody */
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, cancel(store, id, key_id, reason, ret_callback, err),
                           ZT_POINT("cancel"), err);
}

/* ---- leases -------------------------------------------------------------------------------- */

enum zt_code zt_store_lease_look(struct zt_store *store, const struct zt_lease *lease,
                                 enum zt_lease_look *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LEASE_LOOK);
    bool row = false;
    bool held = false;
    bool cancelled = false;

    zt_query_text(&q, lease->task_id);
    zt_query_text(&q, lease->worker);
    zt_query_int(&q, lease->attempt);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (row) {
        held = zt_query_get_int(&q, 0, 0, 1) != 0;
        cancelled = zt_query_get_int(&q, 1, 0, 1) != 0;
        ZT_TRY(zt_query_check(&q, err));
    }
    *ret = held ? ZT_LEASE_HELD : cancelled ? ZT_LEASE_CANCELLED : ZT_LEASE_LOST;
    return ZT_OK;
}
