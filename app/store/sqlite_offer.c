/* sqlite_offer.c - taking a task in: repetitions of a request. See offer.h. */
#include "store/offer.h"

#include <string.h>

#include "store/sqlite_db.h"

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
