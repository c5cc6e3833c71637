/*
 * create.c - POST /api/v1/jobs/createTask: from a request to a durable task.
 *
 * Before the body is read: the key, its rate, the content type. Then the body, by the tables of
 * kie.c. Pictures sent along are on disk before the task is, so that no task can name one that
 * is not there. The answer is sent from the batch's thread, after the commit.
 */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "api/kie.h"
#include "api/own.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "store/users.h"

#define BACKLOG_FRESH_US (100 * ZT_MS_US)
#define BUSY_WAIT_US     ZT_SECOND_US /* what a client is told to wait when the queue is full */
#define BACKLOG_WAIT_US  (10 * ZT_SECOND_US)
#define SEED_BOUND       (UINT64_C(1) << 31)
#define WAIT_MAX_S       86400

/* From the handler to `done`; lives in the request's arena, as the task's strings do. */
struct creation {
    struct zt_api *api;
    struct zt_http_req *req;
    struct zt_task task;
    struct zt_offer offer;
    bool runs; /* runTask: the request is followed, and answered at the task's end */
};

/* ---- before the body ----------------------------------------------------------------------- */

void zt_api_admit_create(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;

    if (!zt_api_authorise(api, req) || !zt_api_admit_rate(api, req))
        return;
    if (zt_api_check_json(api, req))
        zt_api_has_room(api, req);
}

/* Renews the count of waiting tasks when it is old; one thread does, the others go on with it. */
static enum zt_code renew_backlog(struct zt_api *api, struct zt_err *err)
{
    struct zt_api_backlog *backlog = &api->backlog;
    int64_t counts[ZT_TASK_STATES] = { 0 };
    struct zt_store *store = NULL;

    {
        zt_locked(&backlog->mutex);
        int64_t now_us = zt_now_mono_us();
        if (backlog->counted_us != 0 && now_us - backlog->counted_us <= BACKLOG_FRESH_US)
            return ZT_OK;
        backlog->counted_us = now_us;
        backlog->added_before = backlog->added;
    }
    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_task_counts(store, counts, err);
    zt_api_give(api, store);
    ZT_TRY(rc);
    zt_locked(&backlog->mutex);
    backlog->counted = counts[ZT_TASK_WAITING];
    backlog->added -= backlog->added_before; /* those are in the count, or will be in the next */
    backlog->added_before = 0;
    return ZT_OK;
}

/*
 * Counts one more waiting task unless there are max_waiting. Between two counts what was added here
 * adds up and what was claimed is not seen, so the limit is kept on the safe side.
 */
static enum zt_code join_backlog(struct zt_api *api, struct zt_err *err)
{
    struct zt_api_backlog *backlog = &api->backlog;

    const int64_t max_waiting = zt_api_rules(api).max_waiting;

    if (max_waiting <= 0)
        return ZT_OK;
    ZT_TRY(renew_backlog(api, err));
    zt_locked(&backlog->mutex);
    int64_t waiting = backlog->counted + backlog->added;
    if (waiting >= max_waiting)
        return zt_fail(err, ZT_E_LIMIT,
                       "%" PRId64 " tasks are waiting already, the limit is %" PRId64
                       "; please try again later",
                       waiting, max_waiting);
    backlog->added++;
    return ZT_OK;
}

/* ---- from body to task --------------------------------------------------------------------- */

static const char *new_task_id(struct zt_arena *arena)
{
    char token[2 * 8 + 1];

    zt_random_token(token, 8);
    return zt_arena_printf(arena, "task_bytedance_%013" PRId64 "%s", zt_now_utc_us() / ZT_MS_US,
                           token);
}

static enum zt_code store_pictures(struct zt_api *api, const struct zt_kie_request *request,
                                   struct zt_err *err)
{
    for (int i = 0; i < ZT_KIE_PICTURES; i++) {
        const struct zt_kie_picture *picture = &request->pictures[i];
        if (picture->blob != NULL && picture->bytes.n > 0)
            ZT_TRY(zt_blobs_put(api->options.blobs, picture->blob, picture->bytes.data,
                                picture->bytes.n, err));
    }
    return ZT_OK;
}

/* The data of the answer; NULL: no memory. */
static const char *answer_text(struct zt_arena *arena, const char *id, const char *plan)
{
    if (id == NULL || plan == NULL)
        return NULL;
    return zt_arena_printf(arena, "{\"taskId\":\"%s\",\"recordId\":\"%s\",\"plan\":%s}", id, id,
                           plan);
}

/* A request that follows its task is the handler's again, to be refused. */
static void let_go(struct creation *c)
{
    if (c->runs)
        zt_api_follow_drop(c->api, c->req);
}

/* On the batch's thread. After the reply the request, and with it the creation, is gone. */
static void done(void *user, enum zt_code rc, const struct zt_err *err)
{
    struct creation *c = user;
    struct zt_api *api = c->api;

    if (rc != ZT_OK) {
        let_go(c);
        if (!zt_api_reply_refused(api, c->req, &c->offer, err))
            zt_api_reply_fault(api, c->req, rc, err);
        return;
    }
    if (c->offer.replay != NULL && c->runs) {
        zt_api_follow_begin(api, c->req, c->offer.replay_task);
        return;
    }
    if (c->offer.replay != NULL) {
        zt_api_reply_replay(api, c->req, c->task.key_id, &c->offer);
        return;
    }
    ZT_LOG(INFO, "task_created", "task=%s key=%" PRId64 " model=%s request=%s", c->task.id,
           c->task.key_id, c->task.model, zt_http_id(c->req));
    if (c->runs)
        zt_api_follow_begin(api, c->req, NULL);
    else
        zt_api_reply(api, c->req, 200, "success", c->offer.answer);
    if (api->options.created != NULL)
        api->options.created(api->options.user);
}

/*
 * Holds a runTask until its task has ended, or until `wait` is over. Who hangs up cancels the task,
 * unless an idempotency key was given: with it the client can come back.
 */
static enum zt_code follow(struct creation *c, struct zt_err *err)
{
    struct zt_api *api = c->api;
    const char *wait = zt_http_query(c->req, "wait");
    struct zt_api_follow follow = {
        .how = c->offer.idempotency_key ? ZT_FOLLOW_WAIT : ZT_FOLLOW_RUN,
        .req = c->req,
        .key_id = c->task.key_id,
        .task_id = c->task.id,
        .after_id = -1,
        .not_yet = true,
    };
    int64_t wait_s = 0;

    if (wait != NULL && zt_parse_int(wait, 1, WAIT_MAX_S, &wait_s))
        follow.until_us = zt_now_mono_us() + wait_s * ZT_SECOND_US;
    zt_api_secret_hash(c->req, follow.key_hash);
    zt_api_follow(api, &follow); /* first, so that a client that leaves at once is found */
    enum zt_code rc = zt_http_hold(c->req, zt_api_follow_gone, api->followers, err);
    if (rc != ZT_OK)
        let_go(c);
    return rc;
}

/*
 * Everything after the checks, into *c, which has its offer. Replies itself only through `done`;
 * else says what went wrong.
 */
static enum zt_code submit(struct zt_api *api, struct zt_kie_request *request, struct creation *c,
                           struct zt_err *err)
{
    const struct zt_api_caller *caller = zt_http_kept(c->req);
    struct zt_arena *arena = zt_http_arena(c->req);

    ZT_TRY(zt_api_own_pictures(api, arena, request, err));
    ZT_TRY(join_backlog(api, err));
    ZT_TRY(store_pictures(api, request, err));
    if (request->input.seed < 0)
        request->input.seed = (int64_t)zt_random_below(SEED_BOUND);
    c->task = (struct zt_task){ .id = new_task_id(arena),
                                .key_id = caller->key_id,
                                .model = request->model->name,
                                .param = zt_kie_param(request, arena),
                                .input = zt_kie_input(request, arena),
                                .size = zt_arena_printf(arena, "%s/%d", request->input.resolution,
                                                        request->input.duration_s),
                                .callback_url = request->callback_url,
                                .credit_milli = zt_api_price(api, request) };
    c->offer.limited = caller->account->is_limited;
    c->offer.answer = answer_text(arena, c->task.id, zt_api_plan(api, request, arena));
    if (c->offer.answer == NULL || c->task.param == NULL || c->task.input == NULL ||
        c->task.size == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a task");
    if (c->runs)
        ZT_TRY(follow(c, err));
    enum zt_code rc = zt_batch_offer(api->options.batch, &c->task, &c->offer, done, c, err);
    if (rc != ZT_OK)
        let_go(c);
    return rc;
}

/* Answers a request that was answered before, or that may not be: false, then there is no more. */
static bool is_new(struct zt_api *api, const struct zt_kie_request *request, struct creation *c)
{
    const struct zt_api_caller *caller = zt_http_kept(c->req);
    struct zt_err err = { 0 };

    enum zt_code rc = zt_api_offer_read(c->req, request, &c->offer, &err);
    if (rc == ZT_OK)
        rc = zt_api_offer_look(api, caller->key_id, &c->offer, &err);
    if (rc == ZT_OK && c->offer.replay == NULL)
        return true;
    if (rc == ZT_OK && c->runs) {
        c->offer.replay = NULL; /* the batch finds it again, and it is followed */
        return true;
    }
    if (rc == ZT_OK)
        zt_api_reply_replay(api, c->req, caller->key_id, &c->offer);
    else if (rc == ZT_E_INVALID)
        zt_api_reply(api, c->req, 400, err.msg, NULL);
    else if (!zt_api_reply_refused(api, c->req, &c->offer, &err))
        zt_api_reply_fault(api, c->req, rc, &err);
    return false;
}

static void create(struct zt_api *api, struct zt_http_req *req, bool runs)
{
    const struct zt_api_rules limits = zt_api_rules(api);
    const struct zt_kie_rules rules = {
        .fields = { .extended_durations = limits.extended_durations },
        .allow_unfiltered = limits.allow_unfiltered,
    };
    zt_auto_kie_request struct zt_kie_request request = { 0 };
    struct zt_problems problems = { .arena = zt_http_arena(req) };
    struct zt_err err = { 0 };
    size_t n;

    const char *body = zt_http_body(req, &n);
    enum zt_code rc = zt_kie_read(body, n, &rules, &request, &problems);
    if (rc != ZT_OK) {
        const char *text = problems.text ? problems.text : "the request is too large to be read";
        zt_api_reply(api, req, rc == ZT_E_CORRUPT ? 400 : 422, text, NULL);
        return;
    }
    struct creation *c = zt_arena_new(zt_http_arena(req), struct creation);
    *c = (struct creation){ .api = api, .req = req, .runs = runs };
    if (!is_new(api, &request, c))
        return;
    rc = submit(api, &request, c, &err);
    if (rc == ZT_OK)
        return; /* done replies, or has replied */
    if (rc == ZT_E_INVALID)
        zt_api_reply(api, req, 422, err.msg, NULL);
    else if (rc == ZT_E_CANCELLED)
        zt_api_reply(api, req, 503, err.msg, NULL);
    else if (rc == ZT_E_LIMIT)
        zt_api_reply_later(api, req, limits.max_waiting > 0 ? BACKLOG_WAIT_US : BUSY_WAIT_US,
                           err.msg);
    else
        zt_api_reply_fault(api, req, rc, &err);
}

void zt_api_create(struct zt_http_req *req, void *user)
{
    create(user, req, false);
}

void zt_api_run(struct zt_http_req *req, void *user)
{
    const char *wait = zt_http_query(req, "wait");
    int64_t wait_s;

    if (wait != NULL && !zt_parse_int(wait, 1, WAIT_MAX_S, &wait_s))
        zt_api_reply(user, req, 400, "wait must be 1 to 86400 seconds, a whole number", NULL);
    else
        create(user, req, true);
}
