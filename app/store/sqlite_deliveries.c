/*
 * sqlite_deliveries.c - callbacks that are owed, and what may be thrown away. See store.h.
 *
 * A delivery is made by the trigger task_owes_callback in the transaction that ends its task; here
 * it is only claimed and settled.
 */
#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

#define TRIES_MAX         1000    /* shown of one delivery */
#define ATTEMPTS_SEEN_MAX 1000000 /* more in a row is damage */

static const struct {
    const char *outcome; /* of the try, as stored */
    const char *state;   /* of the delivery after it */
} settled[] = {
    [ZT_DELIVERY_DONE] = { "done", "done" },
    [ZT_DELIVERY_RETRY] = { "retry", "pending" },
    [ZT_DELIVERY_GIVEN_UP] = { "given_up", "given_up" },
};

/* In the order of DELIVERY_COLUMNS. */
static enum zt_code read_delivery(struct zt_query *q, struct zt_arena *arena,
                                  struct zt_delivery *ret, struct zt_err *err)
{
    *ret = (struct zt_delivery){
        .id = zt_query_get_int(q, 0, 1, INT64_MAX),
        .task_id = zt_query_get_text(q, 1, arena),
        .key_id = zt_query_get_int(q, 2, 0, INT64_MAX),
        .url = zt_query_get_text(q, 3, arena),
        .attempt = (int)zt_query_get_int(q, 4, 0, ATTEMPTS_SEEN_MAX),
        .created_us = zt_query_get_int(q, 5, 0, INT64_MAX),
    };
    return zt_query_check(q, err);
}

/* ---- claiming and settling ----------------------------------------------------------------- */

static enum zt_code any_due(struct zt_store *store, int64_t now, bool *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_ANY);

    zt_query_int(&q, now);
    return zt_query_row(&q, ret, err);
}

/* *ret_buried is the id of a row that turned out to be damaged; err says how. */
static enum zt_code claim(struct zt_store *store, struct zt_arena *arena, int64_t lease_us,
                          struct zt_delivery *ret, int64_t *ret_buried, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_CLAIM);
    bool row = false;

    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, lease_us);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "no delivery is due");
    enum zt_code rc = read_delivery(&q, arena, ret, err);
    if (rc == ZT_E_CORRUPT)
        *ret_buried = zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX);
    else if (rc != ZT_OK)
        return rc;
    return zt_query_run(&q, NULL, err);
}

static enum zt_code bury(struct zt_store *store, int64_t id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_BURY);

    zt_query_int(&q, id);
    return zt_query_run(&q, NULL, err);
}

static enum zt_code claim_inner(struct zt_store *store, struct zt_arena *arena, int64_t lease_us,
                                struct zt_delivery *ret, int64_t *ret_buried, struct zt_err *err)
{
    ZT_TRY(claim(store, arena, lease_us, ret, ret_buried, err));
    return *ret_buried != 0 ? bury(store, *ret_buried, NULL) : ZT_OK;
}

enum zt_code zt_store_delivery_claim(struct zt_store *store, struct zt_arena *arena,
                                     int64_t lease_us, struct zt_delivery **ret, struct zt_err *err)
{
    struct zt_delivery *delivery = NULL;
    int64_t buried = 0;
    bool due = false;

    zt_assert(lease_us > 0);
    ZT_TRY(any_due(store, zt_sqlite_now(store), &due, err));
    if (!due)
        return zt_fail(err, ZT_E_NOT_FOUND, "no delivery is due");
    delivery = zt_arena_new(arena, struct zt_delivery);
    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(zt_sqlite_leave(store, claim_inner(store, arena, lease_us, delivery, &buried, err),
                           ZT_POINT("delivery_claim"), err));
    if (buried != 0)
        return ZT_E_CORRUPT;
    *ret = delivery;
    return ZT_OK;
}

static enum zt_code fail_lost(const struct zt_delivery *delivery, struct zt_err *err)
{
    return zt_fail(err, ZT_E_CONFLICT,
                   "delivery %lld was taken over by another sender, or is settled",
                   (long long)delivery->id);
}

static enum zt_code move_on(struct zt_store *store, const struct zt_delivery *delivery,
                            const struct zt_delivery_try *attempt, int64_t now, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_SETTLE);
    int changes = 0;

    zt_query_int(&q, delivery->id);
    zt_query_int(&q, delivery->attempt);
    zt_query_text(&q, settled[attempt->outcome].state);
    zt_query_int(&q, attempt->outcome == ZT_DELIVERY_RETRY ? attempt->next_us : now);
    ZT_TRY(zt_query_run(&q, &changes, err));
    return changes == 1 ? ZT_OK : fail_lost(delivery, err);
}

static enum zt_code record(struct zt_store *store, const struct zt_delivery *delivery,
                           const struct zt_delivery_try *attempt, int64_t now, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_TRY);
    char note[ZT_NOTE_MAX + 1];

    zt_query_int(&q, delivery->id);
    zt_query_int(&q, delivery->attempt);
    zt_query_text(&q, settled[attempt->outcome].outcome);
    zt_query_int(&q, attempt->status);
    zt_query_text(&q, zt_sqlite_clean(attempt->note, note));
    zt_query_int(&q, attempt->took_us);
    zt_query_int(&q, now);
    enum zt_code rc = zt_query_run(&q, NULL, err);
    return rc == ZT_E_CONFLICT ? fail_lost(delivery, err) : rc; /* this attempt was settled */
}

static enum zt_code settle(struct zt_store *store, const struct zt_delivery *delivery,
                           const struct zt_delivery_try *attempt, struct zt_err *err)
{
    int64_t now = zt_sqlite_now(store);

    ZT_TRY(move_on(store, delivery, attempt, now, err));
    return record(store, delivery, attempt, now, err);
}

enum zt_code zt_store_delivery_settle(struct zt_store *store, const struct zt_delivery *delivery,
                                      const struct zt_delivery_try *attempt, struct zt_err *err)
{
    zt_assert((unsigned)attempt->outcome < ZT_COUNT(settled));
    zt_assert(attempt->status >= 0 && attempt->took_us >= 0 && delivery->attempt > 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, settle(store, delivery, attempt, err),
                           ZT_POINT("delivery_settle"), err);
}

enum zt_code zt_store_delivery_next_us(struct zt_store *store, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_NEXT);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    int64_t due = row ? zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX) : INT64_MAX;
    ZT_TRY(zt_query_check(&q, err));
    *ret = due;
    return ZT_OK;
}

/* ---- looking at a delivery ----------------------------------------------------------------- */

/* Reads one of the words of `settled`; the table's index is the value. */
static int get_word(struct zt_query *q, int column, struct zt_arena *arena, bool state)
{
    const char *word = zt_query_get_text(q, column, arena);

    for (size_t i = 0; i < ZT_COUNT(settled); i++) {
        if (strcmp(word, state ? settled[i].state : settled[i].outcome) == 0)
            return (int)i;
    }
    if (!q->nomem)
        zt_query_damaged(q, column);
    return ZT_DELIVERY_GIVEN_UP;
}

static enum zt_code read_tries(struct zt_store *store, struct zt_arena *arena,
                               struct zt_delivery_log *log, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_TRIES);
    size_t cap = (size_t)(log->delivery.attempt < TRIES_MAX ? log->delivery.attempt : TRIES_MAX);
    bool row = true;

    log->tries = zt_arena_try(arena, (cap + 1) * sizeof(*log->tries));
    if (log->tries == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the tries of a delivery do not fit into memory");
    zt_query_int(&q, log->delivery.id);
    zt_query_int(&q, (int64_t)cap);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            return ZT_OK;
        struct zt_delivery_entry *e = &log->tries[log->n++];
        e->attempt = (int)zt_query_get_int(&q, 0, 1, ATTEMPTS_SEEN_MAX);
        e->at_us = zt_query_get_int(&q, 1, 0, INT64_MAX);
        e->result.outcome = (enum zt_delivery_outcome)get_word(&q, 2, arena, false);
        e->result.status = (int)zt_query_get_int(&q, 3, 0, INT32_MAX);
        e->result.note = zt_query_get_text(&q, 4, arena);
        e->result.took_us = zt_query_get_int(&q, 5, 0, INT64_MAX);
        ZT_TRY(zt_query_check(&q, err));
    }
}

enum zt_code zt_store_delivery_of_task(struct zt_store *store, struct zt_arena *arena,
                                       const char *task_id, struct zt_delivery_log **ret,
                                       struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_OF_TASK);
    struct zt_delivery_log *log = zt_arena_new(arena, struct zt_delivery_log);
    bool row = false;

    zt_query_text(&q, task_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "task %s has no callback", task_id);
    ZT_TRY(read_delivery(&q, arena, &log->delivery, err));
    log->state = (enum zt_delivery_outcome)get_word(&q, 6, arena, true);
    log->due_us = zt_query_get_int(&q, 7, INT64_MIN, INT64_MAX);
    ZT_TRY(zt_query_check(&q, err));
    ZT_TRY(read_tries(store, arena, log, err));
    *ret = log;
    return ZT_OK;
}

/* ---- retention ----------------------------------------------------------------------------- */

/* What files_due gathers. */
struct due {
    struct zt_arena *arena;
    const char **ids;
    int n, limit;
    double bytes; /* of the ids gathered; a double cannot overflow on damaged sizes */
};

/* Rows of (id, file_bytes) into due, until its bytes reach `enough` (< 0: all). */
static enum zt_code gather(struct zt_query *q, struct due *due, double enough, struct zt_err *err)
{
    bool row = true;

    while (due->n < due->limit && (enough < 0 || due->bytes < enough)) {
        ZT_TRY(zt_query_row(q, &row, err));
        if (!row)
            return ZT_OK;
        due->ids[due->n++] = zt_query_get_text(q, 0, due->arena);
        due->bytes += (double)zt_query_get_int(q, 1, 0, INT64_MAX);
        ZT_TRY(zt_query_check(q, err));
    }
    return ZT_OK;
}

static enum zt_code gather_expired(struct zt_store *store, struct due *due, int64_t now,
                                   struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FILES_EXPIRED);

    zt_query_int(&q, now);
    zt_query_int(&q, due->limit);
    return gather(&q, due, -1, err);
}

static enum zt_code total_bytes(struct zt_store *store, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FILES_TOTAL);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    *ret = zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX);
    return zt_query_check(&q, err);
}

static enum zt_code gather_oldest(struct zt_store *store, struct due *due, int64_t now,
                                  int64_t keep_us, double excess, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FILES_OLDEST);

    zt_query_int(&q, now);
    zt_query_int(&q, due->limit);
    zt_query_int(&q, now - keep_us);
    return gather(&q, due, excess, err);
}

enum zt_code zt_store_files_due(struct zt_store *store, struct zt_arena *arena, int64_t max_bytes,
                                int64_t keep_us, int limit, const char ***ret, int *ret_n,
                                struct zt_err *err)
{
    int64_t now = zt_sqlite_now(store);
    struct due due = { .arena = arena, .limit = limit };
    int64_t total = 0;

    zt_assert(limit > 0 && max_bytes >= 0 && keep_us >= 0);
    due.ids = zt_arena_try(arena, (size_t)limit * sizeof(char *));
    if (due.ids == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a list of %d tasks does not fit into memory", limit);
    ZT_TRY(gather_expired(store, &due, now, err));
    if (max_bytes > 0 && due.n < limit) {
        ZT_TRY(total_bytes(store, &total, err));
        double excess = (double)total - (double)max_bytes;
        if (excess > due.bytes)
            ZT_TRY(gather_oldest(store, &due, now, keep_us, excess, err));
    }
    *ret = due.ids;
    *ret_n = due.n;
    return ZT_OK;
}

static enum zt_code files_gone(struct zt_store *store, const char *task_id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FILES_GONE);
    int changes = 0;

    zt_query_text(&q, task_id);
    zt_query_int(&q, zt_sqlite_now(store));
    ZT_TRY(zt_query_run(&q, &changes, err));
    if (changes == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no finished task %s", task_id);
    return ZT_OK;
}

enum zt_code zt_store_files_gone(struct zt_store *store, const char *task_id, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, files_gone(store, task_id, err), ZT_POINT("files_gone"), err);
}

static enum zt_code forget(struct zt_store *store, int64_t before_us, int limit, int *ret_n,
                           struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_FORGET);

    zt_query_int(&q, before_us);
    zt_query_int(&q, limit);
    return zt_query_run(&q, ret_n, err);
}

enum zt_code zt_store_forget(struct zt_store *store, int64_t before_us, int limit, int *ret_n,
                             struct zt_err *err)
{
    int n = 0;

    zt_assert(limit > 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(
        zt_sqlite_leave(store, forget(store, before_us, limit, &n, err), ZT_POINT("forget"), err));
    if (ret_n != NULL)
        *ret_n = n;
    return ZT_OK;
}
