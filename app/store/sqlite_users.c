/* sqlite_users.c - users, what their keys may do, their credits and the book. See users.h. */
#include "store/users.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

#define USERS_MAX 10000 /* listed at once */
#define WHY_MAX   200   /* bytes of what an operator says */

/* ---- credits as text ----------------------------------------------------------------------- */

const char *zt_credit_text(int64_t milli, char dst[ZT_CREDIT_TEXT])
{
    uint64_t left = milli < 0 ? -(uint64_t)milli : (uint64_t)milli;
    char decimals[8] = "";

    zt_format(decimals, sizeof(decimals), ".%03d", (int)(left % ZT_CREDIT));
    for (size_t n = strlen(decimals); n > 0 && (decimals[n - 1] == '0' || decimals[n - 1] == '.');)
        decimals[--n] = '\0';
    zt_format(dst, ZT_CREDIT_TEXT, "%s%" PRIu64 "%s", milli < 0 ? "-" : "", left / ZT_CREDIT,
              decimals);
    return dst;
}

bool zt_credit_parse(const char *text, int64_t *ret_milli)
{
    char whole[24];
    int64_t credits = 0;
    int64_t milli = 0;
    size_t n = strcspn(text, ".");

    if (!zt_format(whole, sizeof(whole), "%.*s", (int)n, text) ||
        !zt_parse_int(whole, 0, ZT_CREDIT_MAX / ZT_CREDIT, &credits))
        return false;
    if (text[n] == '.') {
        const char *p = text + n + 1;
        size_t digits = strspn(p, "0123456789");
        if (digits < 1 || digits > 3 || p[digits] != '\0')
            return false;
        for (size_t i = 0; i < 3; i++)
            milli = milli * 10 + (i < digits ? p[i] - '0' : 0);
    }
    milli += credits * ZT_CREDIT;
    if (milli > ZT_CREDIT_MAX || text[0] == '-')
        return false;
    *ret_milli = milli;
    return true;
}

/* ---- keys ---------------------------------------------------------------------------------- */

enum zt_code zt_sqlite_read_account(struct zt_query *q, int column, struct zt_arena *arena,
                                    struct zt_key_account *ret, struct zt_err *err)
{
    int64_t now_us = zt_sqlite_now(q->store);
    int c = column;

    ret->user_id = zt_query_get_int(q, c++, 1, INT64_MAX);
    ret->user = zt_query_get_text(q, c++, arena);
    ret->limits.rate_n = zt_query_get_int(q, c++, ZT_RATE_AS_ALL, INT32_MAX);
    ret->limits.rate_window_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->limits.cap_hour_milli = zt_query_get_int(q, c++, ZT_CREDIT_NO_LIMIT, ZT_CREDIT_MAX);
    ret->limits.cap_day_milli = zt_query_get_int(q, c++, ZT_CREDIT_NO_LIMIT, ZT_CREDIT_MAX);
    ret->limits.cap_total_milli = zt_query_get_int(q, c++, ZT_CREDIT_NO_LIMIT, ZT_CREDIT_MAX);
    ret->limits.allow_ip = zt_query_get_text(q, c++, arena);
    ret->limits.expires_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->spent_milli = zt_query_get_int(q, c++, INT64_MIN, INT64_MAX);
    int64_t spent_hour = zt_query_get_int(q, c++, 0, INT64_MAX);
    bool is_this_hour = zt_query_get_int(q, c++, 0, INT64_MAX) == now_us / ZT_HOUR_US;
    int64_t spent_day = zt_query_get_int(q, c++, 0, INT64_MAX);
    bool is_today = zt_query_get_int(q, c++, 0, INT64_MAX) == now_us / ZT_DAY_US;
    ret->spent_hour_milli = is_this_hour ? spent_hour : 0;
    ret->spent_day_milli = is_today ? spent_day : 0;
    ret->pending = zt_query_get_int(q, c++, 0, INT64_MAX);
    ret->is_limited = zt_query_get_int(q, c++, 0, 1) != 0;
    return zt_query_check(q, err);
}

static void bind_optional(struct zt_query *q, int64_t value)
{
    if (value < 0)
        zt_query_null(q);
    else
        zt_query_int(q, value);
}

/* Runs a change of one row. */
static enum zt_code change_one(struct zt_query *q, const char *missing, struct zt_err *err)
{
    int changes = 0;

    ZT_TRY(zt_query_run(q, &changes, err));
    return changes == 1 ? ZT_OK : zt_fail(err, ZT_E_NOT_FOUND, "%s", missing);
}

static enum zt_code limit_key(struct zt_store *store, int64_t key_id,
                              const struct zt_key_limits *limits, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_LIMIT);

    zt_query_int(&q, key_id);
    bind_optional(&q, limits->rate_n);
    zt_query_int(&q, limits->rate_n > 0 ? limits->rate_window_us : 0);
    bind_optional(&q, limits->cap_hour_milli);
    bind_optional(&q, limits->cap_day_milli);
    bind_optional(&q, limits->cap_total_milli);
    zt_query_text(&q, limits->allow_ip);
    zt_query_int(&q, limits->expires_us);
    return change_one(&q, "there is no such key, or it is revoked", err);
}

enum zt_code zt_store_key_limit(struct zt_store *store, int64_t key_id,
                                const struct zt_key_limits *limits, struct zt_err *err)
{
    zt_assert(limits->rate_n <= 0 || limits->rate_window_us > 0);
    zt_assert(strlen(limits->allow_ip) <= ZT_ALLOW_IP_MAX);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, limit_key(store, key_id, limits, err), ZT_POINT("key_limit"),
                           err);
}

static enum zt_code give_key(struct zt_store *store, int64_t key_id, int64_t user_id,
                             struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_GIVE);

    zt_query_int(&q, key_id);
    zt_query_int(&q, user_id);
    return change_one(&q, "there is no such key or user, or the key was used", err);
}

enum zt_code zt_store_key_give(struct zt_store *store, int64_t key_id, int64_t user_id,
                               struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, give_key(store, key_id, user_id, err), ZT_POINT("key_give"), err);
}

/* ---- users --------------------------------------------------------------------------------- */

static enum zt_code add(struct zt_store *store, const char *name, int64_t *ret_id,
                        struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_USER_ADD);
    bool row = false;

    zt_query_text(&q, name);
    zt_query_int(&q, zt_sqlite_now(store));
    enum zt_code rc = zt_query_row(&q, &row, err);
    if (rc == ZT_E_CONFLICT)
        return zt_fail(err, rc, "a user named %s exists already", name);
    if (rc != ZT_OK)
        return rc;
    *ret_id = zt_query_get_int(&q, 0, 1, INT64_MAX);
    ZT_TRY(zt_query_check(&q, err));
    return zt_query_run(&q, NULL, err);
}

enum zt_code zt_store_user_add(struct zt_store *store, const char *name, int64_t *ret_id,
                               struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, add(store, name, ret_id, err), ZT_POINT("user_add"), err);
}

/* In the order of USER_COLUMNS. */
static enum zt_code read_user(struct zt_query *q, struct zt_arena *arena, struct zt_user **ret,
                              struct zt_err *err)
{
    struct zt_user *u = zt_arena_try(arena, sizeof(*u));
    int c = 0;

    if (u == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    u->id = zt_query_get_int(q, c++, 1, INT64_MAX);
    u->name = zt_query_get_text(q, c++, arena);
    u->created_us = zt_query_get_int(q, c++, 0, INT64_MAX);
    u->credit_milli = zt_query_get_int(q, c++, ZT_CREDIT_NO_LIMIT, INT64_MAX);
    u->queue_max = zt_query_get_int(q, c++, 0, INT64_MAX);
    u->pending = zt_query_get_int(q, c++, 0, INT64_MAX);
    u->keys = zt_query_get_int(q, c++, 0, INT64_MAX);
    u->spent_milli = zt_query_get_int(q, c++, INT64_MIN, INT64_MAX);
    ZT_TRY(zt_query_check(q, err));
    *ret = u;
    return ZT_OK;
}

enum zt_code zt_store_user_by_name(struct zt_store *store, struct zt_arena *arena, const char *name,
                                   struct zt_user **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_USER_BY_NAME);
    bool row = false;

    if (zt_utf8_valid(name, strlen(name))) {
        zt_query_text(&q, name);
        ZT_TRY(zt_query_row(&q, &row, err));
    }
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no user %.80s", name);
    return read_user(&q, arena, ret, err);
}

enum zt_code zt_store_user_list(struct zt_store *store, struct zt_arena *arena,
                                struct zt_user ***ret, int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_USER_LIST);
    struct zt_user **users = zt_arena_try(arena, USERS_MAX * sizeof(struct zt_user *));
    bool row = true;
    int n = 0;

    if (users == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the list of users does not fit into memory");
    while (n < USERS_MAX) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        ZT_TRY(read_user(&q, arena, &users[n++], err));
    }
    *ret = users;
    *ret_n = n;
    return ZT_OK;
}

static enum zt_code limit_user(struct zt_store *store, int64_t user_id, int64_t queue_max,
                               struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_USER_LIMIT);

    zt_query_int(&q, user_id);
    zt_query_int(&q, queue_max);
    return change_one(&q, "there is no such user", err);
}

enum zt_code zt_store_user_limit(struct zt_store *store, int64_t user_id, int64_t queue_max,
                                 struct zt_err *err)
{
    zt_assert(queue_max >= 0);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, limit_user(store, user_id, queue_max, err),
                           ZT_POINT("user_limit"), err);
}

/* ---- credits ------------------------------------------------------------------------------- */

/* A number by the id of a row. */
static enum zt_code ask_number(struct zt_store *store, enum zt_stmt which, int64_t id,
                               const char *missing, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);
    bool row = false;

    zt_query_int(&q, id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "%s", missing);
    *ret = zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX);
    return zt_query_check(&q, err);
}

static enum zt_code write_balance(struct zt_store *store, int64_t user_id, int64_t milli,
                                  struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_USER_BALANCE);

    zt_query_int(&q, user_id);
    bind_optional(&q, milli);
    return change_one(&q, "there is no such user", err);
}

static enum zt_code write_line(struct zt_store *store, int64_t user_id, int64_t milli,
                               const char *why, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LEDGER_ADD);
    char text[ZT_NOTE_MAX + 1];

    zt_sqlite_clean(why, text);
    text[strnlen(text, WHY_MAX)] = '\0';
    zt_query_int(&q, user_id);
    zt_query_int(&q, milli);
    zt_query_text(&q, zt_utf8_valid(text, strlen(text)) ? text : "");
    zt_query_int(&q, zt_sqlite_now(store));
    return zt_query_run(&q, NULL, err);
}

/*
 * Without a balance the sum of the book may be anything, as a negative one of what was spent. The
 * line that begins a balance makes it right; a line moves a balance, so there is none meanwhile.
 */
static enum zt_code set_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                               const char *why, struct zt_err *err)
{
    int64_t sum = 0;

    if (milli == ZT_CREDIT_NO_LIMIT)
        return write_balance(store, user_id, milli, err);
    ZT_TRY(ask_number(store, ZT_STMT_LEDGER_SUM, user_id, "there is no such user", &sum, err));
    ZT_TRY(write_balance(store, user_id, ZT_CREDIT_NO_LIMIT, err));
    if (milli != sum)
        ZT_TRY(write_line(store, user_id, milli - sum, why, err));
    return write_balance(store, user_id, milli, err);
}

static enum zt_code move_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                                const char *why, int64_t *ret_milli, struct zt_err *err)
{
    char text[ZT_CREDIT_TEXT];
    int64_t balance = 0;

    ZT_TRY(ask_number(store, ZT_STMT_USER_CREDIT, user_id, "there is no such user", &balance, err));
    if (balance == ZT_CREDIT_NO_LIMIT)
        return zt_fail(err, ZT_E_LIMIT,
                       "the user has no balance to add to or take from; set one first");
    if (balance + milli < 0 || balance + milli > ZT_CREDIT_MAX)
        return zt_fail(err, ZT_E_LIMIT,
                       "the balance is %s; it cannot become less than 0 or more than %" PRId64,
                       zt_credit_text(balance, text), ZT_CREDIT_MAX / ZT_CREDIT);
    *ret_milli = balance + milli;
    return write_line(store, user_id, milli, why, err);
}

enum zt_code zt_store_user_set_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                                      const char *why, int64_t *ret_milli, struct zt_err *err)
{
    zt_assert(milli >= ZT_CREDIT_NO_LIMIT && milli <= ZT_CREDIT_MAX);
    ZT_TRY(zt_sqlite_enter(store, err));
    *ret_milli = milli;
    return zt_sqlite_leave(store, set_credit(store, user_id, milli, why, err),
                           ZT_POINT("user_credit"), err);
}

enum zt_code zt_store_user_move_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                                       const char *why, int64_t *ret_milli, struct zt_err *err)
{
    zt_assert(milli >= -ZT_CREDIT_MAX && milli <= ZT_CREDIT_MAX);
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, move_credit(store, user_id, milli, why, ret_milli, err),
                           ZT_POINT("user_credit"), err);
}

enum zt_code zt_store_key_credit(struct zt_store *store, int64_t key_id, int64_t *ret_milli,
                                 struct zt_err *err)
{
    return ask_number(store, ZT_STMT_KEY_CREDIT, key_id, "there is no such key", ret_milli, err);
}

enum zt_code zt_store_ledger(struct zt_store *store, struct zt_arena *arena, int64_t user_id,
                             int limit, struct zt_ledger_line **ret, int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LEDGER_LIST);
    struct zt_ledger_line *lines = zt_arena_try(arena, (size_t)limit * sizeof(*lines));
    bool row = true;
    int n = 0;

    zt_assert(limit > 0);
    if (lines == NULL)
        return zt_fail(err, ZT_E_NOMEM, "%d lines of the book do not fit into memory", limit);
    zt_query_int(&q, user_id);
    zt_query_int(&q, limit);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row || n == limit)
            break;
        struct zt_ledger_line *line = &lines[n++];
        line->key_id = zt_query_get_int(&q, 0, 0, INT64_MAX);
        line->task_id = zt_query_get_text(&q, 1, arena);
        line->amount_milli = zt_query_get_int(&q, 2, INT64_MIN, INT64_MAX);
        line->why = zt_query_get_text(&q, 3, arena);
        line->at_us = zt_query_get_int(&q, 4, 0, INT64_MAX);
        ZT_TRY(zt_query_check(&q, err));
    }
    *ret = lines;
    *ret_n = n;
    return ZT_OK;
}
