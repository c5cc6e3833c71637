/*
 * sqlite_deliveries.c - callbacks that are owed: claiming and settling them, host by host; and what
 * may be thrown away. See deliveries.h and store.h.
 *
 * A delivery is made by the trigger task_owes_callback in the transaction that ends its task, and a
 * trigger of its own gives it to its host. Invariant: callback_host.ready_us is never later than
 * the moment at which one of the host's deliveries may be claimed. It may be earlier, when a row
 * was added for a host that is full; the claim that comes upon it sets it right, so none comes upon
 * it twice.
 */
#include "store/deliveries.h"

#include <limits.h>

#include "base/backoff.h"
#include "base/str.h"
#include "store/sqlite_db.h"

#define ATTEMPTS_SEEN_MAX 1000000 /* more in a row is damage */
#define HOSTS_SEEN_MAX    64      /* corrected in one claim before it gives the lock back */
#define JITTER_PERCENT    20
#define NEVER             INT64_MAX

/* A row of callback_host. */
struct host {
    int64_t id;
    int failures, opens;
    int64_t open_until_us;
};

/* ---- hosts --------------------------------------------------------------------------------- */

/* *ret_any false: no such host. */
static enum zt_code read_host(struct zt_query *q, struct host *ret, bool *ret_any,
                              struct zt_err *err)
{
    ZT_TRY(zt_query_row(q, ret_any, err));
    if (!*ret_any)
        return ZT_OK;
    *ret = (struct host){
        .id = zt_query_get_int(q, 0, 1, INT64_MAX),
        .failures = (int)zt_query_get_int(q, 1, 0, INT_MAX),
        .opens = (int)zt_query_get_int(q, 2, 0, INT_MAX),
        .open_until_us = zt_query_get_int(q, 3, 0, INT64_MAX),
    };
    return zt_query_check(q, err);
}

static enum zt_code next_host(struct zt_store *store, int64_t now, struct host *ret, bool *ret_any,
                              struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_HOST_NEXT);

    zt_query_int(&q, now);
    return read_host(&q, ret, ret_any, err);
}

static enum zt_code get_host(struct zt_store *store, int64_t id, struct host *ret, bool *ret_any,
                             struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_HOST_GET);

    zt_query_int(&q, id);
    return read_host(&q, ret, ret_any, err);
}

/* Runs a statement that takes a host and one number more. */
static enum zt_code change_host(struct zt_store *store, enum zt_stmt which, int64_t id,
                                int64_t value, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    zt_query_int(&q, id);
    zt_query_int(&q, value);
    return zt_query_run(&q, NULL, err);
}

static enum zt_code forget_host(struct zt_store *store, int64_t id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_HOST_FORGET);

    zt_query_int(&q, id);
    return zt_query_run(&q, NULL, err);
}

static bool breaks(const struct host *host, const struct zt_delivery_rules *rules)
{
    return rules->break_after > 0 && host->opens > 0;
}

/* Deliveries that may be under way at once: one, the probe, while a breaker is not closed. */
static int host_limit(const struct host *host, const struct zt_delivery_rules *rules)
{
    if (breaks(host, rules))
        return 1;
    return rules->host_limit > 0 ? rules->host_limit : INT_MAX;
}

/* What a host's deliveries are doing. Times are NEVER when there is none. */
struct look {
    int64_t under_way; /* not above the host's limit */
    int64_t due_us;    /* of the first that nobody holds */
    int64_t lease_us;  /* end of the first lease */
};

static enum zt_code look_at(struct zt_store *store, const struct host *host,
                            const struct zt_delivery_rules *rules, struct look *ret,
                            struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_HOST_LOOK);
    bool row = false;

    zt_query_int(&q, host->id);
    zt_query_int(&q, host_limit(host, rules));
    zt_query_int(&q, NEVER);
    ZT_TRY(zt_query_row(&q, &row, err));
    ret->under_way = zt_query_get_int(&q, 0, 0, INT_MAX);
    ret->due_us = zt_query_get_int(&q, 1, INT64_MIN, INT64_MAX);
    ret->lease_us = zt_query_get_int(&q, 2, INT64_MIN, INT64_MAX);
    return zt_query_check(&q, err);
}

/* Sets ready_us to what it should be. A host with nothing pending is forgotten, breaker and all. */
static enum zt_code refresh_host(struct zt_store *store, const struct host *host,
                                 const struct zt_delivery_rules *rules, struct zt_err *err)
{
    struct look look;

    ZT_TRY(look_at(store, host, rules, &look, err));
    if (look.due_us == NEVER && look.lease_us == NEVER)
        return forget_host(store, host->id, err);
    int64_t ready_us = look.due_us;
    if (rules->break_after > 0 && host->open_until_us > ready_us)
        ready_us = host->open_until_us;
    if (look.under_way >= host_limit(host, rules) || look.lease_us < ready_us)
        ready_us = look.lease_us;
    return change_host(store, ZT_STMT_HOST_READY, host->id, ready_us, err);
}

/* ---- claiming ------------------------------------------------------------------------------ */

/* In the order of DELIVERY_COLUMNS; its host, the last of them, is left to the caller. */
enum zt_code zt_sqlite_read_delivery(struct zt_query *q, struct zt_arena *arena,
                                     struct zt_delivery *ret, struct zt_err *err)
{
    *ret = (struct zt_delivery){
        .id = zt_query_get_int(q, 0, 1, INT64_MAX),
        .task_id = zt_query_get_text(q, 1, arena),
        .key_id = zt_query_get_int(q, 2, 0, INT64_MAX),
        .url = zt_query_get_text(q, 3, arena),
        .attempt = (int)zt_query_get_int(q, 4, 0, ATTEMPTS_SEEN_MAX),
        .round = (int)zt_query_get_int(q, 5, 1, ATTEMPTS_SEEN_MAX),
        .nth = (int)zt_query_get_int(q, 6, 0, ATTEMPTS_SEEN_MAX),
        .created_us = zt_query_get_int(q, 7, 0, INT64_MAX),
    };
    return zt_query_check(q, err);
}

static enum zt_code any_due(struct zt_store *store, int64_t now, bool *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_ANY);

    zt_query_int(&q, now);
    return zt_query_row(&q, ret, err);
}

/* What a claim gives: one of the two, or nothing. */
struct claimed {
    bool any;
    int64_t buried; /* id of a row that turned out to be damaged */
    struct zt_err why;
};

static enum zt_code lease_one(struct zt_store *store, struct zt_arena *arena, int64_t host,
                              int64_t now, int64_t lease_us, struct zt_delivery *ret,
                              struct claimed *got, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_CLAIM);
    bool row = false;

    zt_query_int(&q, host);
    zt_query_int(&q, now);
    zt_query_int(&q, lease_us);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return ZT_OK;
    enum zt_code rc = zt_sqlite_read_delivery(&q, arena, ret, &got->why);
    if (rc == ZT_E_CORRUPT) {
        got->buried = zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX);
    } else if (rc != ZT_OK) {
        if (err != NULL)
            *err = got->why;
        return rc;
    }
    got->any = true;
    return zt_query_run(&q, NULL, err);
}

static enum zt_code bury(struct zt_store *store, int64_t id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_BURY);

    zt_query_int(&q, id);
    return zt_query_run(&q, NULL, err);
}

/* Takes a delivery of this host, unless it is full or left alone, and says when to look again. */
static enum zt_code claim_of_host(struct zt_store *store, struct zt_arena *arena,
                                  const struct host *host, const struct zt_delivery_rules *rules,
                                  int64_t now, struct zt_delivery *ret, struct claimed *got,
                                  struct zt_err *err)
{
    struct look look;

    ZT_TRY(change_host(store, ZT_STMT_DELIVERY_RELEASE, host->id, now, err));
    ZT_TRY(look_at(store, host, rules, &look, err));
    bool open = rules->break_after > 0 && host->open_until_us > now;
    if (!open && look.under_way < host_limit(host, rules) && look.due_us <= now)
        ZT_TRY(lease_one(store, arena, host->id, now, rules->lease_us, ret, got, err));
    if (got->buried != 0)
        ZT_TRY(bury(store, got->buried, err));
    return refresh_host(store, host, rules, err);
}

/* Finding nothing is a success: what was corrected on the way is kept. */
static enum zt_code claim(struct zt_store *store, struct zt_arena *arena,
                          const struct zt_delivery_rules *rules, struct zt_delivery *ret,
                          struct claimed *got, struct zt_err *err)
{
    int64_t now = zt_sqlite_now(store);

    for (int i = 0; i < HOSTS_SEEN_MAX && !got->any; i++) {
        struct host host;
        bool any = false;
        ZT_TRY(next_host(store, now, &host, &any, err));
        if (!any)
            break;
        ZT_TRY(claim_of_host(store, arena, &host, rules, now, ret, got, err));
    }
    return ZT_OK;
}

enum zt_code zt_store_delivery_claim(struct zt_store *store, struct zt_arena *arena,
                                     const struct zt_delivery_rules *rules,
                                     struct zt_delivery **ret, struct zt_err *err)
{
    struct claimed got = { 0 };
    bool due = false;

    zt_assert(rules->lease_us > 0);
    ZT_TRY(any_due(store, zt_sqlite_now(store), &due, err));
    if (due) {
        struct zt_delivery *delivery = zt_arena_new(arena, struct zt_delivery);
        ZT_TRY(zt_sqlite_enter(store, err));
        ZT_TRY(zt_sqlite_leave(store, claim(store, arena, rules, delivery, &got, err),
                               ZT_POINT("delivery_claim"), err));
        if (got.any && got.buried == 0) {
            *ret = delivery;
            return ZT_OK;
        }
    }
    if (got.buried == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "no delivery is due");
    if (err != NULL)
        *err = got.why;
    return ZT_E_CORRUPT;
}

enum zt_code zt_store_delivery_next_us(struct zt_store *store, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_NEXT);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    int64_t due = row ? zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX) : NEVER;
    ZT_TRY(zt_query_check(&q, err));
    *ret = due;
    return ZT_OK;
}

/* ---- settling ------------------------------------------------------------------------------ */

static enum zt_code fail_lost(const struct zt_delivery *delivery, struct zt_err *err)
{
    return zt_fail(err, ZT_E_CONFLICT,
                   "delivery %lld was taken over by another sender, or is settled",
                   (long long)delivery->id);
}

static enum zt_code move_on(struct zt_store *store, const struct zt_delivery *delivery,
                            const struct zt_delivery_try *attempt, int64_t now, int64_t *ret_host,
                            struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_SETTLE);
    bool row = false;

    zt_query_int(&q, delivery->id);
    zt_query_int(&q, delivery->attempt);
    zt_query_int(&q, delivery->round);
    zt_query_text(&q, zt_delivery_state_name(attempt->outcome));
    zt_query_int(&q, attempt->outcome == ZT_DELIVERY_RETRY ? attempt->next_us : now);
    zt_query_int(&q, attempt->outcome == ZT_DELIVERY_RETRY && attempt->uncounted ? 1 : 0);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return fail_lost(delivery, err);
    *ret_host = zt_query_get_int(&q, 0, 0, INT64_MAX);
    ZT_TRY(zt_query_check(&q, err));
    return zt_query_run(&q, NULL, err);
}

static enum zt_code record(struct zt_store *store, const struct zt_delivery *delivery,
                           const struct zt_delivery_try *attempt, int64_t now, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_DELIVERY_TRY);
    char note[ZT_NOTE_MAX + 1], answer[ZT_NOTE_MAX + 1];

    zt_query_int(&q, delivery->id);
    zt_query_int(&q, delivery->attempt);
    zt_query_int(&q, delivery->round);
    zt_query_text(&q, zt_sqlite_outcome_name(attempt->outcome));
    zt_query_int(&q, attempt->status);
    zt_query_text(&q, zt_sqlite_clean(attempt->note, note));
    zt_query_int(&q, attempt->took_us);
    zt_query_int(&q, now);
    zt_query_int(&q, attempt->family);
    zt_query_text(&q, zt_sqlite_clean_n(attempt->answer, attempt->answer_n, answer));
    enum zt_code rc = zt_query_run(&q, NULL, err);
    return rc == ZT_E_CONFLICT ? fail_lost(delivery, err) : rc; /* this attempt was settled */
}

/* break_us, doubled for each opening before this one. */
static int64_t open_for_us(const struct zt_delivery_rules *rules, int opens)
{
    int64_t times = 1;

    for (int i = 1; i < opens && times < ZT_BREAK_LONGEST; i++)
        times *= 2;
    return zt_jitter_us(rules->break_us * times, JITTER_PERCENT);
}

/* What a try tells about its host, by the diagram in deliveries.h. */
static void judge_host(struct host *host, enum zt_host_sign sign,
                       const struct zt_delivery_rules *rules, int64_t now)
{
    if (sign == ZT_HOST_ALIVE) {
        host->failures = host->opens = 0;
        host->open_until_us = 0;
    } else if (sign == ZT_HOST_FAILED) {
        host->failures += host->failures < INT_MAX;
        bool open = host->open_until_us > now; /* by another try that was under way with this one */
        if (rules->break_after > 0 && host->failures >= rules->break_after && !open) {
            host->opens += host->opens < INT_MAX;
            host->open_until_us = now + open_for_us(rules, host->opens);
        }
    }
}

static enum zt_code settle_host(struct zt_store *store, int64_t id, enum zt_host_sign sign,
                                const struct zt_delivery_rules *rules, int64_t now,
                                struct zt_err *err)
{
    struct host host;
    bool any = false;

    ZT_TRY(get_host(store, id, &host, &any, err));
    if (!any)
        return ZT_OK;
    judge_host(&host, sign, rules, now);
    {
        zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_HOST_SETTLE);
        zt_query_int(&q, host.id);
        zt_query_int(&q, host.failures);
        zt_query_int(&q, host.opens);
        zt_query_int(&q, host.open_until_us);
        ZT_TRY(zt_query_run(&q, NULL, err));
    }
    return refresh_host(store, &host, rules, err);
}

static enum zt_code settle(struct zt_store *store, const struct zt_delivery *delivery,
                           const struct zt_delivery_try *attempt,
                           const struct zt_delivery_rules *rules, struct zt_err *err)
{
    int64_t now = zt_sqlite_now(store);
    int64_t host = 0;

    ZT_TRY(move_on(store, delivery, attempt, now, &host, err));
    ZT_TRY(record(store, delivery, attempt, now, err));
    return settle_host(store, host, attempt->host, rules, now, err);
}

enum zt_code zt_store_delivery_settle(struct zt_store *store, const struct zt_delivery *delivery,
                                      const struct zt_delivery_try *attempt,
                                      const struct zt_delivery_rules *rules, struct zt_err *err)
{
    zt_assert((unsigned)attempt->outcome < ZT_DELIVERY_OUTCOMES);
    zt_assert(attempt->status >= 0 && attempt->took_us >= 0 && delivery->attempt > 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, settle(store, delivery, attempt, rules, err),
                           ZT_POINT("delivery_settle"), err);
}

/* Runs one of the two statements of expire, which choose the same rows. */
static enum zt_code expire_with(struct zt_store *store, enum zt_stmt which, int64_t before_us,
                                int limit, int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    zt_query_int(&q, before_us);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, limit);
    return zt_query_run(&q, ret_n, err);
}

static enum zt_code expire(struct zt_store *store, int64_t before_us, int limit, int *ret_n,
                           struct zt_err *err)
{
    ZT_TRY(expire_with(store, ZT_STMT_DELIVERY_EXPIRE, before_us, limit, NULL, err));
    return expire_with(store, ZT_STMT_DELIVERY_EXPIRED, before_us, limit, ret_n, err);
}

enum zt_code zt_store_delivery_expire(struct zt_store *store, int64_t before_us, int limit,
                                      int *ret_n, struct zt_err *err)
{
    int n = 0;

    zt_assert(limit > 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    ZT_TRY(zt_sqlite_leave(store, expire(store, before_us, limit, &n, err),
                           ZT_POINT("delivery_expire"), err));
    if (ret_n != NULL)
        *ret_n = n;
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
