/*
 * follow.c - those who wait for something to happen to a task: streams of events, and requests that
 * are answered when their task has ended.
 *
 * One thread serves all of them. While anybody follows, it looks for new events some twenty times a
 * second, which is one look at the end of a table. Each follower is in one of two ways:
 *
 *   behind   it reads events of its own after the last it was sent, as many as its client takes
 *   live     it is given each new event as the thread reads it; events it was sent are skipped
 *
 * A follower is behind when it comes and when its client reads slowly; it is live once its own
 * reading found nothing more, and whatever is committed after that the thread reads later.
 *
 * The mutex guards the list and the marks that other threads set. Followers are freed by the thread
 * alone, so it uses them without the mutex.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "store/events.h"

#define LOOK_US      (50 * ZT_MS_US)
#define BATCH        200                 /* events of one reading */
#define POSITION_US  ZT_SECOND_US        /* between two looks at the place in the queue */
#define HEARTBEAT_US (15 * ZT_SECOND_US) /* of silence */
#define FULL_BYTES   ((size_t)256 << 10) /* that wait for a client: the rest is read later */
#define SETTLE_TRIES 5                   /* for a moment in which nothing is committed */
#define HUNG_UP      "cancelled: the client of runTask hung up"

struct follower {
    struct follower *next;
    struct zt_api_follow follow; /* its task_id is ours, its req the connection's */
    char task_id[ZT_TASK_ID_MAX + 1];

    bool waits, dropped; /* guarded by the mutex, as is gone_why */
    bool gone;
    enum zt_http_gone gone_why;

    bool fresh, behind, done; /* the thread's own, as is the rest */
    int64_t after_id;
    int64_t position; /* in the queue, as last told; < 0: not waiting */
    int64_t looked_us, sent_us;
};

struct zt_followers {
    struct zt_api *api;
    struct zt_stop *stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct follower *first;

    struct zt_store *store; /* the thread's own, as is the rest */
    struct zt_arena arena;
    bool follows; /* cursor is true */
    int64_t cursor;
};

/* ---- for other threads --------------------------------------------------------------------- */

static struct follower *find(struct zt_followers *fs, const struct zt_http_req *req)
{
    struct follower *f = fs->first;

    while (f != NULL && (f->follow.req != req || f->dropped))
        f = f->next;
    return f;
}

void zt_api_follow(struct zt_api *api, const struct zt_api_follow *follow)
{
    struct zt_followers *fs = api->followers;
    struct follower *f = zt_new(struct follower);

    f->follow = *follow;
    zt_assert(zt_format(f->task_id, sizeof(f->task_id), "%s", follow->task_id));
    f->follow.task_id = f->task_id;
    f->waits = follow->not_yet;
    f->after_id = follow->after_id;
    f->fresh = true;
    f->position = -1;
    f->sent_us = zt_now_mono_us();
    {
        zt_locked(&fs->mutex);
        f->next = fs->first;
        fs->first = f;
    }
    zt_stop_wake(fs->stop);
}

void zt_api_follow_gone(struct zt_http_req *req, enum zt_http_gone why, void *user)
{
    struct zt_followers *fs = user;
    {
        zt_locked(&fs->mutex);
        struct follower *f = find(fs, req);
        if (f == NULL)
            return;
        f->gone = true;
        f->gone_why = why;
    }
    zt_stop_wake(fs->stop);
}

void zt_api_follow_begin(struct zt_api *api, struct zt_http_req *req, const char *task_id)
{
    struct zt_followers *fs = api->followers;
    {
        zt_locked(&fs->mutex);
        struct follower *f = find(fs, req);
        zt_assert(f != NULL && f->waits);
        if (task_id != NULL)
            zt_assert(zt_format(f->task_id, sizeof(f->task_id), "%s", task_id));
        f->waits = false;
    }
    zt_stop_wake(fs->stop);
}

void zt_api_follow_drop(struct zt_api *api, struct zt_http_req *req)
{
    struct zt_followers *fs = api->followers;

    zt_locked(&fs->mutex);
    struct follower *f = find(fs, req);
    zt_assert(f != NULL && f->waits);
    f->dropped = true;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void end(struct follower *f)
{
    zt_http_stream_end(f->follow.req);
    f->done = true;
}

static void write_stream(struct follower *f, const char *bytes, size_t n)
{
    f->sent_us = zt_now_mono_us();
    if (!zt_http_stream_write(f->follow.req, bytes, n))
        end(f);
}

/* id 0: one that is not to be resumed after. */
static void send_record(struct zt_followers *fs, struct follower *f, const char *name, int64_t id,
                        const struct zt_api_view *view)
{
    zt_auto_out struct zt_out out = { 0 };

    zt_out_init(&out, ZT_API_ANSWER_MAX);
    if (id > 0) {
        zt_out_raw(&out, "id: ");
        zt_out_int(&out, id);
        zt_out_raw(&out, "\n");
    }
    zt_out_raw(&out, "event: ");
    zt_out_raw(&out, name);
    zt_out_raw(&out, "\ndata: ");
    zt_api_write_record(fs->api, &out, view);
    zt_out_raw(&out, "\n\n");
    zt_assert(!out.full);
    write_stream(f, out.buf.data, out.buf.n);
}

static struct zt_api_view view_of(struct zt_followers *fs, const struct zt_task *task,
                                  int64_t position)
{
    return (struct zt_api_view){ .task = task,
                                 .position = task->state == ZT_TASK_WAITING ? position : -1,
                                 .now_us = zt_clock_utc_us(fs->api->options.store.clock),
                                 .arena = &fs->arena };
}

/* The answer of a request that waited; the task as it is. */
static void answer(struct zt_followers *fs, struct follower *f, const struct zt_api_view *view)
{
    zt_auto_out struct zt_out out = { 0 };

    zt_api_begin(&out, 200, "success");
    zt_api_write_record(fs->api, &out, view);
    zt_api_send(fs->api, f->follow.req, 200, &out);
    f->done = true;
}

/* Nothing more can be told: a stream ends and may be resumed, a request that waits is refused. */
static void fail(struct zt_followers *fs, struct follower *f, enum zt_code rc,
                 const struct zt_err *err)
{
    if (f->follow.how != ZT_FOLLOW_EVENTS) {
        zt_api_reply_fault(fs->api, f->follow.req, rc, err);
        f->done = true;
        return;
    }
    ZT_LOG(ERROR, "events_failed", "task=%s code=%s msg=\"%s\" detail=\"%s\"", f->task_id,
           zt_code_name(rc), err->msg, err->detail);
    end(f);
}

/* ---- one follower -------------------------------------------------------------------------- */

/* The task as it is; NULL: it was forgotten, or the key may not see it any more. */
static enum zt_code look(struct zt_followers *fs, struct follower *f, struct zt_api_view *ret,
                         struct zt_err *err)
{
    struct zt_view seen = { 0 };

    ZT_TRY(zt_store_view(fs->store, &fs->arena, f->follow.key_hash, f->task_id, &seen, err));
    if (seen.task == NULL)
        *ret = (struct zt_api_view){ 0 };
    else
        *ret = view_of(fs, seen.task, seen.position);
    f->looked_us = zt_now_mono_us();
    f->position = ret->task ? ret->position : -1;
    return ZT_OK;
}

/* The task and the last event at one moment: nothing is committed between two looks at the end. */
static enum zt_code look_settled(struct zt_followers *fs, struct follower *f,
                                 struct zt_event_span *ret_span, struct zt_api_view *ret,
                                 struct zt_err *err)
{
    struct zt_event_span after;

    ZT_TRY(zt_store_event_span(fs->store, ret_span, err));
    for (int i = 0;; i++) {
        ZT_TRY(look(fs, f, ret, err));
        ZT_TRY(zt_store_event_span(fs->store, &after, err));
        if (after.last == ret_span->last || i == SETTLE_TRIES)
            return ZT_OK;
        *ret_span = after;
    }
}

/* How an event is called: a new state, or progress within one (START sets both times alike). */
static const char *name_of(const struct zt_event *e)
{
    bool begins = e->state == ZT_TASK_GENERATING
                      ? e->started_us == e->at_us
                      : e->state != ZT_TASK_QUEUING || e->stage[0] == '\0';

    return begins ? "state" : "progress";
}

/* task is as it is now, and is made to look as it did. */
static void send_event(struct zt_followers *fs, struct follower *f, const struct zt_event *e,
                       const struct zt_task *task)
{
    struct zt_task then = *task;

    zt_event_apply(e, &then);
    struct zt_api_view view = view_of(fs, &then, -1);
    view.now_us = e->at_us; /* so that it reads the same whenever it is sent */
    if (f->follow.how != ZT_FOLLOW_EVENTS) {
        if (zt_task_is_final(e->state))
            answer(fs, f, &view);
        return;
    }
    f->after_id = e->id;
    f->position = -1;
    f->looked_us = 0; /* a task that waits again has a place again */
    send_record(fs, f, name_of(e), e->id, &view);
    if (!f->done && f->task_id[0] != '\0' && zt_task_is_final(e->state)) {
        send_record(fs, f, "end", 0, &view);
        if (!f->done)
            end(f);
    }
}

/* Where the follower begins: after what it has seen, or with how the task is now. */
static enum zt_code welcome(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    struct zt_event_span span = { 0 };
    struct zt_api_view view = { 0 };
    bool is_one = f->task_id[0] != '\0';

    f->fresh = false;
    f->behind = f->follow.how == ZT_FOLLOW_EVENTS;
    if (is_one)
        ZT_TRY(look_settled(fs, f, &span, &view, err));
    else
        ZT_TRY(zt_store_event_span(fs->store, &span, err));
    if (is_one && view.task == NULL)
        return zt_fail(err, ZT_E_NOT_FOUND, "the task is gone");
    bool is_final = is_one && zt_task_is_final(view.task->state);
    if (f->follow.how != ZT_FOLLOW_EVENTS) {
        if (is_final)
            answer(fs, f, &view);
        return ZT_OK;
    }
    if (f->after_id >= span.floor && f->after_id <= span.last && f->after_id >= 0)
        return ZT_OK; /* all that it missed is there */
    f->after_id = span.last;
    if (is_one)
        send_record(fs, f, "state", span.last, &view);
    if (!f->done && is_final) {
        send_record(fs, f, "end", 0, &view);
        if (!f->done)
            end(f);
    }
    return ZT_OK;
}

/* Reads what it has not seen, while its client takes it. */
static enum zt_code catch_up(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    const struct zt_event_filter filter = {
        .after_id = f->after_id,
        .task_id = f->task_id[0] ? f->task_id : NULL,
        .key_id = f->task_id[0] ? 0 : f->follow.key_id,
    };
    struct zt_event *events = NULL;
    struct zt_api_view view = { 0 };
    struct zt_task *task = NULL;
    int n = 0;

    if (zt_http_stream_waiting(f->follow.req) > FULL_BYTES)
        return ZT_OK;
    ZT_TRY(zt_store_events(fs->store, &fs->arena, &filter, BATCH, &events, &n, err));
    for (int i = 0; i < n && !f->done; i++) {
        if (zt_http_stream_waiting(f->follow.req) > FULL_BYTES)
            return ZT_OK;
        if (task == NULL || strcmp(task->id, events[i].task_id) != 0) {
            enum zt_code rc = zt_store_task_get(fs->store, &fs->arena, events[i].task_id,
                                                f->follow.key_id, &task, err);
            if (rc == ZT_E_NOT_FOUND) /* forgotten since */
                continue;
            ZT_TRY(rc);
        }
        send_event(fs, f, &events[i], task);
    }
    f->behind = n == BATCH;
    if (f->behind || f->done || f->task_id[0] == '\0')
        return ZT_OK;
    ZT_TRY(look(fs, f, &view, err)); /* it may have seen the end already */
    if (view.task != NULL && zt_task_is_final(view.task->state) && n == 0) {
        send_record(fs, f, "end", 0, &view);
        if (!f->done)
            end(f);
    }
    return ZT_OK;
}

/* The place in the queue changes without an event of the task's own. */
static enum zt_code tell_position(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    struct zt_api_view view = { 0 };
    int64_t before = f->position;
    bool first = f->looked_us == 0;

    ZT_TRY(look(fs, f, &view, err));
    if (view.task != NULL && view.position >= 0 && (first || view.position != before))
        send_record(fs, f, "progress", 0, &view);
    return ZT_OK;
}

static enum zt_code beat(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    struct zt_key *key = NULL;

    enum zt_code rc = zt_store_key_find(fs->store, &fs->arena, f->follow.key_hash, &key, err);
    if (rc == ZT_E_NOT_FOUND) { /* revoked meanwhile */
        end(f);
        return ZT_OK;
    }
    ZT_TRY(rc);
    write_stream(f, ":\n\n", 3);
    return ZT_OK;
}

static enum zt_code serve_stream(struct zt_followers *fs, struct follower *f, int64_t now_us,
                                 struct zt_err *err)
{
    if (f->behind)
        ZT_TRY(catch_up(fs, f, err));
    bool waits = f->position >= 0 || f->looked_us == 0;
    if (!f->done && !f->behind && f->task_id[0] && waits && now_us - f->looked_us >= POSITION_US)
        ZT_TRY(tell_position(fs, f, err));
    if (!f->done && now_us - f->sent_us >= HEARTBEAT_US)
        ZT_TRY(beat(fs, f, err));
    return ZT_OK;
}

/* Who leaves a task that was made for it alone cancels it. */
static void leave(struct zt_followers *fs, struct follower *f)
{
    struct zt_err err = { 0 };

    if (f->follow.how == ZT_FOLLOW_EVENTS) {
        end(f);
        return;
    }
    if (f->follow.how == ZT_FOLLOW_RUN) {
        enum zt_code rc =
            zt_api_cancel_task(fs->api, f->task_id, f->follow.key_id, HUNG_UP, NULL, NULL, &err);
        if (rc != ZT_OK)
            ZT_LOG(ERROR, "cancel_failed", "task=%s code=%s msg=\"%s\"", f->task_id,
                   zt_code_name(rc), err.msg);
    }
    zt_api_reply(fs->api, f->follow.req, 408, "the client hung up", NULL); /* to nobody */
    f->done = true;
}

/* The state so far, for a request whose time is up or whose server stops; the task goes on. */
static enum zt_code answer_early(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    struct zt_api_view view = { 0 };

    ZT_TRY(look(fs, f, &view, err));
    if (view.task == NULL)
        return zt_fail(err, ZT_E_NOT_FOUND, "the task is gone");
    answer(fs, f, &view);
    return ZT_OK;
}

static enum zt_code serve_one(struct zt_followers *fs, struct follower *f, struct zt_err *err)
{
    int64_t now_us = zt_now_mono_us();

    if (f->fresh)
        ZT_TRY(welcome(fs, f, err));
    if (f->done)
        return ZT_OK;
    if (f->follow.how == ZT_FOLLOW_EVENTS)
        return serve_stream(fs, f, now_us, err);
    if (f->follow.until_us != 0 && now_us >= f->follow.until_us)
        return answer_early(fs, f, err);
    return ZT_OK;
}

static void serve(struct zt_followers *fs, struct follower *f, bool gone, enum zt_http_gone why)
{
    struct zt_err err = { 0 };
    enum zt_code rc = ZT_OK;

    if (gone && why == ZT_HTTP_CLIENT_LEFT)
        leave(fs, f);
    else if (gone && f->follow.how == ZT_FOLLOW_EVENTS)
        end(f);
    else if (gone)
        rc = answer_early(fs, f, &err);
    else
        rc = serve_one(fs, f, &err);
    if (rc == ZT_E_BUSY && !gone)
        return; /* looks again */
    if (rc != ZT_OK)
        fail(fs, f, rc, &err);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static bool wants(const struct follower *f, const struct zt_event *e)
{
    if (f->done || f->fresh || f->behind || e->id <= f->after_id)
        return false;
    return f->task_id[0] ? strcmp(f->task_id, e->task_id) == 0 : f->follow.key_id == e->key_id;
}

/* To those who are live. One whose client does not keep up falls behind. */
static enum zt_code give(struct zt_followers *fs, struct follower *first, const struct zt_event *e,
                         struct zt_err *err)
{
    struct zt_task *task = NULL;

    for (struct follower *f = first; f != NULL; f = f->next) {
        if (!wants(f, e))
            continue;
        if (task == NULL)
            ZT_TRY(zt_store_task_get(fs->store, &fs->arena, e->task_id, 0, &task, err));
        if (f->follow.how == ZT_FOLLOW_EVENTS && zt_http_stream_waiting(f->follow.req) > FULL_BYTES)
            f->behind = true;
        else
            send_event(fs, f, e, task);
    }
    return ZT_OK;
}

static enum zt_code read_new(struct zt_followers *fs, struct follower *first, struct zt_err *err)
{
    struct zt_event *events = NULL;
    int n = BATCH;

    while (n == BATCH) {
        const struct zt_event_filter filter = { .after_id = fs->cursor };
        zt_arena_reset(&fs->arena);
        ZT_TRY(zt_store_events(fs->store, &fs->arena, &filter, BATCH, &events, &n, err));
        for (int i = 0; i < n; i++) {
            enum zt_code rc = give(fs, first, &events[i], err);
            if (rc != ZT_OK && rc != ZT_E_NOT_FOUND) /* not found: forgotten since */
                return rc;
            fs->cursor = events[i].id;
        }
    }
    return ZT_OK;
}

static enum zt_code open_store(struct zt_followers *fs, struct zt_err *err)
{
    struct zt_event_span span = { 0 };

    if (fs->store == NULL)
        ZT_TRY(zt_store_open(&fs->api->options.store, &fs->store, err));
    if (fs->follows)
        return ZT_OK;
    ZT_TRY(zt_store_event_span(fs->store, &span, err));
    fs->cursor = span.last; /* whoever comes reads what was before it himself */
    fs->follows = true;
    return ZT_OK;
}

/* Takes out who is done; the first of those who stay. */
static struct follower *sweep(struct zt_followers *fs)
{
    zt_locked(&fs->mutex);
    struct follower **at = &fs->first;

    while (*at != NULL) {
        struct follower *f = *at;
        if (f->done || f->dropped) {
            *at = f->next;
            free(f);
        } else {
            at = &f->next;
        }
    }
    return fs->first;
}

/* What other threads said about a follower; false: it is not to be served yet. */
static bool read_marks(struct zt_followers *fs, const struct follower *f, bool *ret_gone,
                       enum zt_http_gone *ret_why)
{
    zt_locked(&fs->mutex);
    *ret_gone = f->gone;
    *ret_why = f->gone_why;
    return !f->waits && !f->dropped;
}

static void look_once(struct zt_followers *fs, struct follower *first)
{
    struct zt_err err = { 0 };

    enum zt_code rc = open_store(fs, &err);
    if (rc == ZT_OK)
        rc = read_new(fs, first, &err);
    if (rc != ZT_OK && rc != ZT_E_BUSY)
        ZT_LOG(ERROR, "events_failed", "task=- code=%s msg=\"%s\" detail=\"%s\"", zt_code_name(rc),
               err.msg, err.detail);
    if (fs->store == NULL || !fs->follows)
        return;
    for (struct follower *f = first; f != NULL; f = f->next) {
        enum zt_http_gone why = ZT_HTTP_CLIENT_LEFT;
        bool gone = false;
        zt_arena_reset(&fs->arena);
        if (!f->done && read_marks(fs, f, &gone, &why))
            serve(fs, f, gone, why);
    }
}

static void *follow(void *user)
{
    struct zt_followers *fs = user;

    for (;;) {
        struct follower *first = sweep(fs);
        if (first == NULL) {
            fs->follows = false;
            if (zt_stop_asked(fs->stop))
                return NULL;
            zt_stop_wait(fs->stop, ZT_HOUR_US);
            continue;
        }
        look_once(fs, first);
        if (zt_stop_asked(fs->stop)) /* no request is left, so nobody is */
            return NULL;
        zt_stop_wait(fs->stop, LOOK_US);
    }
}

enum zt_code zt_api_followers_start(struct zt_api *api, struct zt_err *err)
{
    struct zt_followers *fs = zt_new(struct zt_followers);

    fs->api = api;
    fs->stop = zt_stop_new();
    pthread_mutex_init(&fs->mutex, NULL);
    int rc = pthread_create(&fs->thread, NULL, follow, fs);
    if (rc != 0) {
        pthread_mutex_destroy(&fs->mutex);
        zt_stop_free(fs->stop);
        free(fs);
        return zt_fail_errno(err, rc, "start the thread that follows tasks", NULL);
    }
    api->followers = fs;
    return ZT_OK;
}

void zt_api_followers_stop(struct zt_api *api)
{
    struct zt_followers *fs = api->followers;

    if (fs == NULL)
        return;
    zt_stop_ask(fs->stop);
    pthread_join(fs->thread, NULL);
    for (struct follower *f = fs->first; f != NULL;) {
        struct follower *next = f->next;
        if (!f->done && !f->dropped && f->follow.how == ZT_FOLLOW_EVENTS)
            zt_http_stream_end(f->follow.req);
        else if (!f->done && !f->dropped && !f->waits)
            zt_api_reply(api, f->follow.req, 503, "the server is stopping", NULL);
        free(f);
        f = next;
    }
    zt_store_close(fs->store);
    zt_arena_clear(&fs->arena);
    pthread_mutex_destroy(&fs->mutex);
    zt_stop_free(fs->stop);
    free(fs);
    api->followers = NULL;
}
