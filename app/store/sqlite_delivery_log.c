/*
 * sqlite_delivery_log.c - looking at callbacks, sending them again, and the secrets that sign them.
 * See deliveries.h; claiming and settling are in sqlite_deliveries.c.
 */
#include <string.h>

#include "base/str.h"
#include "store/deliveries.h"
#include "store/sqlite_db.h"

#define ATTEMPTS_SEEN_MAX 1000000 /* more in a row is damage */
#define DUE_COUNTED_MAX   100000
#define OPENS_MAX         INT32_MAX

static const struct {
    const char *outcome; /* of the try, as stored */
    const char *state;   /* of the delivery after it */
} settled[ZT_DELIVERY_OUTCOMES] = {
    [ZT_DELIVERY_DONE] = { "done", "done" },
    [ZT_DELIVERY_RETRY] = { "retry", "pending" },
    [ZT_DELIVERY_GIVEN_UP] = { "given_up", "given_up" },
};

const char *zt_delivery_state_name(enum zt_delivery_outcome state)
{
    return settled[state].state;
}

const char *zt_sqlite_outcome_name(enum zt_delivery_outcome outcome)
{
    return settled[outcome].outcome;
}

bool zt_delivery_state_parse(const char *name, enum zt_delivery_outcome *ret)
{
    for (size_t i = 0; i < ZT_COUNT(settled); i++) {
        if (strcmp(name, settled[i].state) == 0) {
            *ret = (enum zt_delivery_outcome)i;
            return true;
        }
    }
    return false;
}

/* ---- looking ------------------------------------------------------------------------------- */

/* Reads one of the words of `settled`; the table's index is the value. */
static enum zt_delivery_outcome get_word(struct zt_query *q, int column, struct zt_arena *arena,
                                         bool state)
{
    const char *word = zt_query_get_text(q, column, arena);

    for (size_t i = 0; i < ZT_COUNT(settled); i++) {
        if (strcmp(word, state ? settled[i].state : settled[i].outcome) == 0)
            return (enum zt_delivery_outcome)i;
    }
    if (!q->nomem)
        zt_query_damaged(q, column);
    return ZT_DELIVERY_GIVEN_UP;
}

static enum zt_code read_try(struct zt_query *q, struct zt_arena *arena,
                             struct zt_delivery_entry *ret, struct zt_err *err)
{
    *ret = (struct zt_delivery_entry){
        .attempt = (int)zt_query_get_int(q, 0, 1, ATTEMPTS_SEEN_MAX),
        .round = (int)zt_query_get_int(q, 1, 1, ATTEMPTS_SEEN_MAX),
        .at_us = zt_query_get_int(q, 2, 0, INT64_MAX),
        .result = { .outcome = get_word(q, 3, arena, false),
                    .status = (int)zt_query_get_int(q, 4, 0, INT32_MAX),
                    .note = zt_query_get_text(q, 5, arena),
                    .took_us = zt_query_get_int(q, 6, 0, INT64_MAX),
                    .family = (int)zt_query_get_int(q, 7, 0, 6),
                    .answer = zt_query_get_text(q, 8, arena) },
    };
    ret->result.answer_n = strlen(ret->result.answer);
    return zt_query_check(q, err);
}

/* The newest `most` tries, put into the order in which they happened. */
static enum zt_code read_tries(struct zt_store *store, struct zt_arena *arena, int most,
                               struct zt_delivery_log *log, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_TRIES);
    int cap = log->delivery.attempt < most ? log->delivery.attempt : most;
    bool row = true;

    log->tries = zt_arena_try(arena, (size_t)(cap + 1) * sizeof(*log->tries));
    if (log->tries == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the tries of a delivery do not fit into memory");
    zt_query_int(&q, log->delivery.id);
    zt_query_int(&q, cap);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        ZT_TRY(read_try(&q, arena, &log->tries[log->n++], err));
    }
    for (int i = 0; i < log->n / 2; i++) {
        struct zt_delivery_entry first = log->tries[i];
        log->tries[i] = log->tries[log->n - 1 - i];
        log->tries[log->n - 1 - i] = first;
    }
    return ZT_OK;
}

/* The current row, in the order of DELIVERY_SHOWN. Its tries are read later. */
static enum zt_code read_log(struct zt_query *q, struct zt_arena *arena, int64_t now,
                             struct zt_delivery_log *log, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_read_delivery(q, arena, &log->delivery, err));
    log->state = get_word(q, 9, arena, true);
    log->due_us = zt_query_get_int(q, 10, INT64_MIN, INT64_MAX);
    bool held = zt_query_get_int(q, 11, 0, 1) != 0;
    log->sending = held && log->state == ZT_DELIVERY_RETRY && log->due_us > now;
    log->round_us = zt_query_get_int(q, 12, 0, INT64_MAX);
    int64_t opens = zt_query_get_int(q, 13, 0, OPENS_MAX);
    log->breaker_until_us = zt_query_get_int(q, 14, 0, INT64_MAX);
    if (opens > 0)
        log->breaker = log->breaker_until_us > now ? ZT_BREAKER_OPEN : ZT_BREAKER_HALF_OPEN;
    return zt_query_check(q, err);
}

static enum zt_code read_log_of_task(struct zt_store *store, struct zt_arena *arena,
                                     const char *task_id, struct zt_delivery_log *log,
                                     struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_OF_TASK);
    bool row = false;

    zt_query_text(&q, task_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "task %s has no callback", task_id);
    return read_log(&q, arena, zt_sqlite_now(store), log, err);
}

enum zt_code zt_store_delivery_of_task(struct zt_store *store, struct zt_arena *arena,
                                       const char *task_id, struct zt_delivery_log **ret,
                                       struct zt_err *err)
{
    struct zt_delivery_log *log = zt_arena_new(arena, struct zt_delivery_log);

    ZT_TRY(read_log_of_task(store, arena, task_id, log, err));
    ZT_TRY(read_tries(store, arena, ZT_TRIES_SHOWN, log, err));
    *ret = log;
    return ZT_OK;
}

static enum zt_code read_list(struct zt_query *q, struct zt_arena *arena, int64_t now, int limit,
                              struct zt_delivery_log **logs, int *ret_n, struct zt_err *err)
{
    bool row = true;

    while (*ret_n < limit) {
        ZT_TRY(zt_query_row(q, &row, err));
        if (!row)
            break;
        struct zt_delivery_log *log = zt_arena_try(arena, sizeof(*log));
        if (log == NULL)
            return zt_fail(err, ZT_E_NOMEM, "the list of callbacks does not fit into memory");
        ZT_TRY(read_log(q, arena, now, log, err));
        logs[(*ret_n)++] = log;
    }
    return ZT_OK;
}

static enum zt_code list(struct zt_store *store, struct zt_arena *arena, int64_t key_id, int state,
                         int64_t before_id, int limit, struct zt_delivery_log **logs, int *ret_n,
                         struct zt_err *err)
{
    enum zt_stmt which = ZT_STMT_DELIVERY_LIST;
    if (key_id != 0)
        which = state < 0 ? ZT_STMT_DELIVERY_LIST_KEY : ZT_STMT_DELIVERY_LIST_STATE;
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    zt_query_int(&q, before_id > 0 ? before_id : INT64_MAX);
    zt_query_int(&q, limit);
    zt_query_text(&q, state < 0 ? "" : settled[state].state);
    if (key_id != 0)
        zt_query_int(&q, key_id);
    return read_list(&q, arena, zt_sqlite_now(store), limit, logs, ret_n, err);
}

enum zt_code zt_store_delivery_list(struct zt_store *store, struct zt_arena *arena, int64_t key_id,
                                    int state, int64_t before_id, int limit,
                                    struct zt_delivery_log ***ret, int *ret_n, struct zt_err *err)
{
    int n = 0;

    zt_assert(limit > 0 && state < (int)ZT_DELIVERY_OUTCOMES);
    struct zt_delivery_log **logs =
        zt_arena_try(arena, (size_t)limit * sizeof(struct zt_delivery_log *));
    if (logs == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the list of callbacks does not fit into memory");
    ZT_TRY(list(store, arena, key_id, state, before_id, limit, logs, &n, err));
    for (int i = 0; i < n; i++)
        ZT_TRY(read_tries(store, arena, 1, logs[i], err));
    *ret = logs;
    *ret_n = n;
    return ZT_OK;
}

/* ---- figures ------------------------------------------------------------------------------- */

static enum zt_code read_counts(struct zt_store *store, int64_t now, struct zt_delivery_stats *ret,
                                struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_COUNTS);
    struct zt_arena arena = { 0 };
    bool row = true;

    zt_query_int(&q, now);
    enum zt_code rc = zt_query_row(&q, &row, err);
    while (rc == ZT_OK && row) {
        const char *name = zt_query_get_text(&q, 0, &arena);
        int64_t n = zt_query_get_int(&q, 1, 0, INT64_MAX);
        if (strcmp(name, "pending") == 0)
            ret->pending = n;
        else if (strcmp(name, "open") == 0)
            ret->hosts_open = n;
        for (size_t i = 0; i < ZT_COUNT(settled); i++) {
            if (strcmp(name, settled[i].outcome) == 0)
                ret->tries[i] = n;
        }
        rc = zt_query_row(&q, &row, err);
    }
    zt_arena_clear(&arena);
    return rc == ZT_OK ? zt_query_check(&q, err) : rc;
}

enum zt_code zt_store_delivery_stats(struct zt_store *store, struct zt_delivery_stats *ret,
                                     struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_DUE);
    struct zt_delivery_stats stats = { 0 };
    int64_t now = zt_sqlite_now(store);
    bool row = false;

    ZT_TRY(read_counts(store, now, &stats, err));
    zt_query_int(&q, now);
    zt_query_int(&q, DUE_COUNTED_MAX);
    ZT_TRY(zt_query_row(&q, &row, err));
    stats.due = zt_query_get_int(&q, 0, 0, DUE_COUNTED_MAX);
    stats.oldest_due_us = zt_query_get_int(&q, 1, INT64_MIN, INT64_MAX);
    ZT_TRY(zt_query_check(&q, err));
    *ret = stats;
    return ZT_OK;
}

/* ---- sending again ------------------------------------------------------------------------- */

static enum zt_code redeliver(struct zt_store *store, const char *task_id, int64_t key_id,
                              struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_REDELIVER);
    struct zt_delivery_log log = { 0 };
    struct zt_arena arena = { 0 };
    int changes = 0;

    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, task_id);
    zt_query_int(&q, key_id);
    ZT_TRY(zt_query_run(&q, &changes, err));
    if (changes > 0)
        return ZT_OK;
    enum zt_code rc = read_log_of_task(store, &arena, task_id, &log, err);
    bool theirs = rc == ZT_OK && (key_id == 0 || log.delivery.key_id == key_id);
    zt_arena_clear(&arena);
    if (rc != ZT_OK)
        return rc;
    if (!theirs)
        return zt_fail(err, ZT_E_NOT_FOUND, "task %s has no callback", task_id);
    return zt_fail(err, ZT_E_CONFLICT, "the callback is being sent right now");
}

enum zt_code zt_store_redeliver(struct zt_store *store, const char *task_id, int64_t key_id,
                                struct zt_err *err)
{
    if (!zt_utf8_valid(task_id, strlen(task_id)))
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, redeliver(store, task_id, key_id, err), ZT_POINT("redeliver"),
                           err);
}

static enum zt_code redeliver_failed(struct zt_store *store, int64_t since_us, int limit,
                                     int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_REDELIVER_FAILED);

    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, since_us);
    zt_query_int(&q, limit);
    return zt_query_run(&q, ret_n, err);
}

enum zt_code zt_store_redeliver_failed(struct zt_store *store, int64_t since_us, int limit,
                                       int *ret_n, struct zt_err *err)
{
    int n = 0;

    zt_assert(limit > 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(zt_sqlite_leave(store, redeliver_failed(store, since_us, limit, &n, err),
                           ZT_POINT("redeliver_failed"), err));
    *ret_n = n;
    return ZT_OK;
}

/* ---- the secrets that sign ----------------------------------------------------------------- */

enum zt_code zt_store_webhook_secrets(struct zt_store *store, struct zt_arena *arena,
                                      int64_t key_id, struct zt_webhook_secrets *ret,
                                      struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_WEBHOOK_SECRETS);
    bool row = false;

    zt_query_int(&q, key_id);
    zt_query_int(&q, zt_sqlite_now(store));
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such key");
    const struct zt_webhook_secrets secrets = {
        .current = zt_query_get_text(&q, 0, arena),
        .previous = zt_query_get_text(&q, 1, arena),
        .previous_until_us = zt_query_get_int(&q, 2, 0, INT64_MAX),
    };
    ZT_TRY(zt_query_check(&q, err));
    *ret = secrets;
    return ZT_OK;
}

static enum zt_code rotate(struct zt_store *store, int64_t key_id, const char *secret,
                           int64_t keep_us, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_WEBHOOK_ROTATE);
    int changes = 0;

    zt_query_int(&q, key_id);
    zt_query_text(&q, secret);
    zt_query_int(&q, zt_sqlite_now(store) + keep_us);
    ZT_TRY(zt_query_run(&q, &changes, err));
    if (changes == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no key %lld, or it is revoked",
                       (long long)key_id);
    return ZT_OK;
}

enum zt_code zt_store_webhook_rotate(struct zt_store *store, int64_t key_id, const char *secret,
                                     int64_t keep_us, struct zt_err *err)
{
    zt_assert(keep_us >= 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, rotate(store, key_id, secret, keep_us, err),
                           ZT_POINT("webhook_rotate"), err);
}
