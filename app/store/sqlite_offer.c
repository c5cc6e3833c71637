/* sqlite_offer.c - taking a task in: repetitions of a request, limits of key and user: offer.h. */
#include "store/offer.h"

#include <inttypes.h>

#include "base/str.h"
#include "store/sqlite_db.h"
#include "store/users.h"

/* ---- repetitions --------------------------------------------------------------------------- */

static enum zt_code look(struct zt_store *store, int64_t key_id, struct zt_offer *offer,
                         struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_IDEMPOTENCY_FIND);
    bool row = false;

    zt_query_int(&q, key_id);
    zt_query_text(&q, offer->idempotency_key);
    zt_query_int(&q, zt_sqlite_now(store) - ZT_IDEMPOTENCY_US);
    zt_query_blob(&q, offer->request_hash, ZT_SHA256_BYTES);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return ZT_OK;
    bool same = zt_query_get_int(&q, 0, 0, 1) != 0;
    const char *task = zt_query_get_text(&q, 1, offer->arena);
    const char *answer = zt_query_get_text(&q, 2, offer->arena);
    ZT_TRY(zt_query_check(&q, err));
    if (!same) {
        offer->refused = ZT_REFUSED_REUSE;
        return zt_fail(err, ZT_E_CONFLICT,
                       "this Idempotency-Key was sent with another request before, which made task"
                       " %s; use a new key for a new request",
                       task);
    }
    offer->replay_task = task;
    offer->replay = answer;
    return ZT_OK;
}

static enum zt_code keep_answer(struct zt_store *store, const struct zt_task *task,
                                const struct zt_offer *offer, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_IDEMPOTENCY_PUT);

    zt_query_int(&q, task->key_id);
    zt_query_text(&q, offer->idempotency_key);
    zt_query_blob(&q, offer->request_hash, ZT_SHA256_BYTES);
    zt_query_text(&q, task->id);
    zt_query_text(&q, offer->answer);
    zt_query_int(&q, zt_sqlite_now(store));
    return zt_query_run(&q, NULL, err);
}

/* Each answer that is kept takes two that are too old along, so the table needs no housekeeper. */
static enum zt_code forget_old_answers(struct zt_store *store, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_IDEMPOTENCY_SWEEP);

    zt_query_int(&q, zt_sqlite_now(store) - ZT_IDEMPOTENCY_US);
    return zt_query_run(&q, NULL, err);
}

/* ---- limits -------------------------------------------------------------------------------- */

/* As ZT_STMT_KEY_TERMS has them; -1: there is no such limit. */
struct terms {
    int64_t credit, queue_max, pending;
    struct {
        int64_t cap, spent;
    } span[3]; /* an hour, a day, in all */
};

static enum zt_code read_terms(struct zt_store *store, int64_t key_id, struct terms *ret,
                               struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_TERMS);
    int64_t now_us = zt_sqlite_now(store);
    bool row = false;
    int c = 0;

    zt_query_int(&q, key_id);
    zt_query_int(&q, now_us / ZT_HOUR_US);
    zt_query_int(&q, now_us / ZT_DAY_US);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no key %" PRId64, key_id);
    ret->credit = zt_query_get_int(&q, c++, -1, INT64_MAX);
    ret->queue_max = zt_query_get_int(&q, c++, 0, INT64_MAX);
    ret->pending = zt_query_get_int(&q, c++, 0, INT64_MAX);
    for (size_t i = 0; i < ZT_COUNT(ret->span); i++) {
        ret->span[i].cap = zt_query_get_int(&q, c++, -1, INT64_MAX);
        ret->span[i].spent = zt_query_get_int(&q, c++, INT64_MIN, INT64_MAX);
    }
    return zt_query_check(&q, err);
}

static enum zt_code check_caps(const struct terms *t, int64_t price, struct zt_offer *offer,
                               struct zt_err *err)
{
    static const char *const spans[] = { "in an hour", "in a day", "in all" };
    char cap[ZT_CREDIT_TEXT], spent[ZT_CREDIT_TEXT], cost[ZT_CREDIT_TEXT];

    for (size_t i = 0; i < ZT_COUNT(t->span); i++) {
        if (price == 0 || t->span[i].cap < 0 || t->span[i].spent <= t->span[i].cap - price)
            continue;
        offer->refused = ZT_REFUSED_CAP;
        return zt_fail(err, ZT_E_LIMIT,
                       "this key may spend %s credits %s and has spent %s; the task costs %s",
                       zt_credit_text(t->span[i].cap, cap), spans[i],
                       zt_credit_text(t->span[i].spent, spent), zt_credit_text(price, cost));
    }
    return ZT_OK;
}

static enum zt_code check_limits(struct zt_store *store, const struct zt_task *task,
                                 struct zt_offer *offer, struct zt_err *err)
{
    char balance[ZT_CREDIT_TEXT], cost[ZT_CREDIT_TEXT];
    struct terms t = { 0 };

    ZT_TRY(read_terms(store, task->key_id, &t, err));
    if (t.queue_max > 0 && t.pending >= t.queue_max) {
        offer->refused = ZT_REFUSED_QUEUE;
        return zt_fail(err, ZT_E_LIMIT,
                       "%" PRId64 " of your tasks are waiting or running, the limit is %" PRId64
                       "; please try again later",
                       t.pending, t.queue_max);
    }
    ZT_TRY(check_caps(&t, task->credit_milli, offer, err));
    if (task->credit_milli > 0 && t.credit >= 0 && t.credit < task->credit_milli) {
        offer->refused = ZT_REFUSED_CREDITS;
        return zt_fail(err, ZT_E_LIMIT,
                       "Insufficient Credits: the task costs %s, the balance is %s",
                       zt_credit_text(task->credit_milli, cost), zt_credit_text(t.credit, balance));
    }
    return ZT_OK;
}

/* ---- taking it in -------------------------------------------------------------------------- */

static void reset(struct zt_offer *offer)
{
    offer->refused = ZT_REFUSED_NOT;
    offer->replay = offer->replay_task = NULL;
}

static enum zt_code take(struct zt_store *store, const struct zt_task *task, struct zt_offer *offer,
                         struct zt_err *err)
{
    reset(offer);
    if (offer->idempotency_key != NULL) {
        ZT_TRY(look(store, task->key_id, offer, err));
        if (offer->replay != NULL)
            return ZT_OK;
    }
    if (offer->limited || task->credit_milli > 0)
        ZT_TRY(check_limits(store, task, offer, err));
    if (offer->idempotency_key != NULL) {
        ZT_TRY(keep_answer(store, task, offer, err));
        ZT_TRY(forget_old_answers(store, err));
    }
    return zt_sqlite_task_add(store, task, err);
}

enum zt_code zt_store_task_offer(struct zt_store *store, const struct zt_task *task,
                                 struct zt_offer *offer, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, take(store, task, offer, err), ZT_POINT("task_offer"), err);
}

enum zt_code zt_store_offer_look(struct zt_store *store, int64_t key_id, struct zt_offer *offer,
                                 struct zt_err *err)
{
    reset(offer);
    return offer->idempotency_key != NULL ? look(store, key_id, offer, err) : ZT_OK;
}
