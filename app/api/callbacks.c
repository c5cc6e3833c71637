/*
 * callbacks.c - what became of a key's callbacks, and sending one again.
 *
 *     GET  /api/v1/jobs/callbacks?taskId=...                     the log of one
 *     GET  /api/v1/jobs/callbacks?limit=...&cursor=...&state=... the recent ones, newest first
 *     POST /api/v1/jobs/redeliver {"taskId": ...}
 *
 * The URL and the answer shown are the key's own: it gave the one, and its receiver the other.
 */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/url.h"
#include "store/deliveries.h"

#define TASK_ID_BYTES 256 /* of one that is looked up */
#define LIMIT_MAX     100
#define LIMIT_DEFAULT "20"
#define INVISIBLE     "recordInfo is null" /* of another key, or of nobody */

/* ---- one delivery -------------------------------------------------------------------------- */

/* "example.org:443", in arena. */
static const char *host_of(struct zt_arena *arena, const char *url)
{
    struct zt_url parts;
    const char *text = NULL;

    if (zt_url_read(url, strlen(url), false, arena, &parts, NULL) == ZT_OK)
        text = zt_arena_printf(arena, strchr(parts.host, ':') ? "[%s]:%d" : "%s:%d", parts.host,
                               parts.port);
    return text ? text : "";
}

static void key_ms(struct zt_out *out, const char *key, bool given, int64_t us)
{
    if (given)
        zt_out_key_int(out, key, us / ZT_MS_US);
    else
        zt_out_key_raw(out, key, "null");
}

static void write_try(struct zt_out *out, const struct zt_delivery_entry *e)
{
    static const char *const outcomes[ZT_DELIVERY_OUTCOMES] = {
        [ZT_DELIVERY_DONE] = "done",
        [ZT_DELIVERY_RETRY] = "retry",
        [ZT_DELIVERY_GIVEN_UP] = "given_up",
    };
    const struct zt_delivery_try *r = &e->result;

    zt_out_raw(out, "{\"attempt\":");
    zt_out_int(out, e->attempt);
    zt_out_key_int(out, "round", e->round);
    zt_out_key_int(out, "time", e->at_us / ZT_MS_US);
    zt_out_key_int(out, "durationMs", r->took_us / ZT_MS_US);
    zt_out_key_string(out, "outcome", outcomes[r->outcome]);
    if (r->status > 0)
        zt_out_key_int(out, "status", r->status);
    else
        zt_out_key_raw(out, "status", "null");
    zt_out_key_string(out, "note", r->note);
    zt_out_key_string(out, "family", r->family == 4 ? "IPv4" : r->family == 6 ? "IPv6" : NULL);
    zt_out_key_string(out, "answer", r->answer);
    zt_out_raw(out, "}");
}

static void write_delivery(struct zt_out *out, struct zt_arena *arena,
                           const struct zt_delivery_log *log)
{
    static const char *const breakers[] = {
        [ZT_BREAKER_CLOSED] = "closed",
        [ZT_BREAKER_OPEN] = "open",
        [ZT_BREAKER_HALF_OPEN] = "half_open",
    };
    const struct zt_delivery *d = &log->delivery;
    bool waits = log->state == ZT_DELIVERY_RETRY && !log->sending;
    const char *id = zt_arena_printf(arena, "msg_%" PRId64 "_%s", d->id, d->task_id);
    bool later = log->breaker == ZT_BREAKER_OPEN && log->breaker_until_us > log->due_us;

    zt_out_raw(out, "{\"taskId\":");
    zt_out_string(out, d->task_id);
    zt_out_key_string(out, "webhookId", id ? id : "");
    zt_out_key_string(out, "url", d->url);
    zt_out_key_string(out, "host", host_of(arena, d->url));
    zt_out_key_string(out, "state", zt_delivery_state_name(log->state));
    zt_out_key_raw(out, "sending", log->sending ? "true" : "false");
    zt_out_key_int(out, "round", d->round);
    zt_out_key_int(out, "attempts", d->attempt);
    zt_out_key_int(out, "attemptsInRound", d->nth);
    zt_out_key_int(out, "createTime", d->created_us / ZT_MS_US);
    key_ms(out, "nextTime", waits, later ? log->breaker_until_us : log->due_us);
    zt_out_key_string(out, "hostState", breakers[log->breaker]);
    key_ms(out, "hostOpenUntil", log->breaker == ZT_BREAKER_OPEN, log->breaker_until_us);
    zt_out_raw(out, ",\"tries\":[");
    for (int i = 0; i < log->n; i++) {
        zt_out_raw(out, i > 0 ? "," : "");
        write_try(out, &log->tries[i]);
    }
    zt_out_raw(out, "]}");
}

char *zt_api_delivery_json(struct zt_arena *arena, const struct zt_delivery_log *log)
{
    zt_auto_out struct zt_out out = { 0 };

    zt_out_init(&out, ZT_API_ANSWER_MAX);
    write_delivery(&out, arena, log);
    return out.full ? NULL : zt_arena_strndup(arena, out.buf.data, out.buf.n);
}

/* ---- looking ------------------------------------------------------------------------------- */

/* ZT_E_NOT_FOUND: no such task of this key. *ret NULL: it has no callback, or not yet. */
static enum zt_code look_up(struct zt_api *api, struct zt_arena *arena, int64_t key_id,
                            const char *task_id, struct zt_delivery_log **ret, struct zt_err *err)
{
    struct zt_store *store = NULL;
    struct zt_task *task = NULL;

    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_task_get(store, arena, task_id, key_id, &task, err);
    if (rc == ZT_OK) {
        rc = zt_store_delivery_of_task(store, arena, task_id, ret, err);
        if (rc == ZT_E_NOT_FOUND)
            rc = ZT_OK;
    }
    zt_api_give(api, store);
    return rc;
}

static void reply_one(struct zt_api *api, struct zt_http_req *req, int64_t key_id, const char *id)
{
    struct zt_arena *arena = zt_http_arena(req);
    struct zt_delivery_log *log = NULL;
    struct zt_err err = { 0 };
    zt_auto_out struct zt_out out = { 0 };

    bool possible = strlen(id) <= TASK_ID_BYTES && zt_utf8_valid(id, strlen(id));
    enum zt_code rc = possible ? look_up(api, arena, key_id, id, &log, &err) : ZT_E_NOT_FOUND;
    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply(api, req, 422, INVISIBLE, NULL);
    } else if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
    } else {
        zt_api_begin(&out, 200, "success");
        if (log != NULL)
            write_delivery(&out, arena, log);
        else
            zt_out_raw(&out, "null");
        zt_api_send(api, req, 200, &out);
    }
}

/* What of the list is asked for. */
struct page {
    int64_t limit, before_id;
    int state; /* < 0: all */
};

/* ZT_E_INVALID: a parameter is wrong; err says which and what is allowed. */
static enum zt_code read_page(const struct zt_http_req *req, struct page *ret, struct zt_err *err)
{
    const char *limit = zt_http_query(req, "limit");
    const char *cursor = zt_http_query(req, "cursor");
    const char *state = zt_http_query(req, "state");
    enum zt_delivery_outcome which;

    *ret = (struct page){ .state = -1 };
    if (!zt_parse_int(limit ? limit : LIMIT_DEFAULT, 1, LIMIT_MAX, &ret->limit))
        return zt_fail(err, ZT_E_INVALID, "limit must be a whole number from 1 to %d", LIMIT_MAX);
    if (cursor != NULL && *cursor != '\0' && !zt_parse_int(cursor, 1, INT64_MAX, &ret->before_id))
        return zt_fail(err, ZT_E_INVALID, "cursor must be the nextCursor of an earlier answer");
    if (state != NULL && *state != '\0') {
        if (!zt_delivery_state_parse(state, &which))
            return zt_fail(err, ZT_E_INVALID, "state must be pending, done or given_up");
        ret->state = (int)which;
    }
    return ZT_OK;
}

static void reply_list(struct zt_api *api, struct zt_http_req *req, int64_t key_id)
{
    struct zt_arena *arena = zt_http_arena(req);
    struct zt_delivery_log **logs = NULL;
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    struct page page;
    zt_auto_out struct zt_out out = { 0 };
    char cursor[24] = "";
    int n = 0;

    if (read_page(req, &page, &err) != ZT_OK) {
        zt_api_reply(api, req, 422, err.msg, NULL);
        return;
    }
    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_delivery_list(store, arena, key_id, page.state, page.before_id,
                                    (int)page.limit, &logs, &n, &err);
        zt_api_give(api, store);
    }
    if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
        return;
    }
    zt_api_begin(&out, 200, "success");
    zt_out_raw(&out, "{\"callbacks\":[");
    for (int i = 0; i < n; i++) {
        zt_out_raw(&out, i > 0 ? "," : "");
        write_delivery(&out, arena, logs[i]);
    }
    if (n == page.limit)
        zt_format(cursor, sizeof(cursor), "%" PRId64, logs[n - 1]->delivery.id);
    zt_out_raw(&out, "]");
    zt_out_key_string(&out, "nextCursor", cursor);
    zt_out_raw(&out, "}");
    zt_api_send(api, req, 200, &out);
}

void zt_api_callbacks(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;

    if (!zt_api_authorise(api, req))
        return;
    const struct zt_api_caller *caller = zt_http_kept(req);
    const char *id = zt_http_query(req, "taskId");
    if (id != NULL && *id != '\0')
        reply_one(api, req, caller->key_id, id);
    else
        reply_list(api, req, caller->key_id);
}

/* ---- sending again ------------------------------------------------------------------------- */

/* From the handler to `redelivered`; in the request's arena, as the id is. */
struct again {
    struct zt_api *api;
    struct zt_http_req *req;
    const char *id;
    int64_t key_id;
    bool known; /* the task is this key's */
    bool final; /* and has ended */
};

/* On the batch's thread, inside its transaction; may run again. */
static enum zt_code redeliver(struct zt_store *store, void *arg, struct zt_err *err)
{
    struct again *a = arg;
    struct zt_arena arena = { 0 };
    struct zt_task *task = NULL;

    enum zt_code rc = zt_store_task_get(store, &arena, a->id, a->key_id, &task, err);
    a->known = rc == ZT_OK;
    a->final = a->known && zt_task_is_final(task->state);
    zt_arena_clear(&arena);
    return rc == ZT_OK ? zt_store_redeliver(store, a->id, a->key_id, err) : rc;
}

/* After the commit. After the reply the request, and with it *a, is gone. */
static void redelivered(void *user, enum zt_code rc, const struct zt_err *err)
{
    const struct again *a = user;
    struct zt_api *api = a->api;
    zt_auto_out struct zt_out out = { 0 };

    if (rc == ZT_E_NOT_FOUND) {
        const char *none = a->final ? "the task has no callBackUrl"
                                    : "the task has not ended: nothing was sent yet";
        zt_api_reply(api, a->req, 422, a->known ? none : INVISIBLE, NULL);
    } else if (rc == ZT_E_CONFLICT) {
        zt_api_reply(api, a->req, 409, err->msg, NULL);
    } else if (rc != ZT_OK) {
        zt_api_reply_fault(api, a->req, rc, err);
    } else {
        ZT_LOG(INFO, "callback_redelivered", "task=%s key=%" PRId64, a->id, a->key_id);
        if (api->options.callback_due != NULL)
            api->options.callback_due(api->options.user);
        zt_api_begin(&out, 200, "success");
        zt_out_raw(&out, "{\"taskId\":");
        zt_out_string(&out, a->id);
        zt_out_key_string(&out, "state", zt_delivery_state_name(ZT_DELIVERY_RETRY));
        zt_out_raw(&out, "}");
        zt_api_send(api, a->req, 200, &out);
    }
}

void zt_api_redeliver(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    const struct zt_api_caller *caller = zt_http_kept(req);
    struct zt_err err = { 0 };

    const char *id = zt_api_read_task_id(api, req);
    if (id == NULL)
        return;
    struct again *a = zt_arena_new(zt_http_arena(req), struct again);
    *a = (struct again){ .api = api, .req = req, .id = id, .key_id = caller->key_id };
    if (zt_batch_call(api->options.batch, redeliver, a, redelivered, a, &err) != ZT_OK)
        zt_api_reply_later(api, req, ZT_SECOND_US, err.msg);
}
