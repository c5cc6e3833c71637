/*
 * deliver.c - see deliver.h. Every thread has a store handle and a client of its own and takes the
 * delivery that is due longest; its lease covers a crash of the whole process.
 */
#include "service/deliver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/backoff.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "net/url.h"
#include "service/config.h"
#include "service/outbound.h"
#include "service/sign.h"

#define POLL_US            (500 * ZT_MS_US)
#define COLLISION_US       (20 * ZT_MS_US) /* somebody else took what seemed due */
#define RETRY_AFTER_MAX_US ZT_DAY_US
#define JITTER_PERCENT     20
#define ANSWER_MAX_BYTES   65536
#define EXPIRE_EVERY_US    ZT_MINUTE_US
#define EXPIRE_LEAST_US    (7 * ZT_DAY_US)
#define EXPIRE_LIMIT       1000
#define LOG_URL_MAX        256
#define THREADS_MAX        64

struct thread {
    struct zt_deliver *deliver;
    pthread_t id;
    struct zt_stop *stop; /* of its waits; asked: take on nothing new */
    struct zt_store *store;
    struct zt_client *client;
    struct zt_arena arena;
    int64_t expire_us; /* monotonic: when to look for what waits too long; the first thread does */
};

struct zt_deliver {
    const struct zt_config *config;
    const struct zt_clock *clock;
    struct zt_delivery_rules rules;
    char *public_url;
    struct zt_stop *cut; /* asked: end requests under way */
    int threads;
    struct thread thread[THREADS_MAX];
};

/* ---- one delivery -------------------------------------------------------------------------- */

static int64_t now_utc_us(const struct thread *t)
{
    return zt_clock_utc_us(t->deliver->clock);
}

/* The request of one try: everything that is sent. In the thread's arena. */
struct request {
    const char *headers[8];
    const char *body;
};

static enum zt_code make_request(struct thread *t, const struct zt_delivery *d,
                                 const struct zt_task *task, struct request *ret,
                                 struct zt_err *err)
{
    struct zt_webhook_secrets secrets;
    char of_task[ZT_SIGN_TEXT], of_message[ZT_SIGN_HEADER];
    int64_t now_s = now_utc_us(t) / ZT_SECOND_US;
    struct zt_arena *a = &t->arena;

    ZT_TRY(zt_store_webhook_secrets(t->store, a, d->key_id, &secrets, err));
    ret->body = zt_api_callback_body(a, task, t->deliver->public_url);
    const char *id = zt_arena_printf(a, "msg_%" PRId64 "_%s", d->id, d->task_id);
    if (ret->body == NULL || id == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the body of a callback does not fit into memory");
    zt_sign_task(secrets.current, d->task_id, now_s, of_task);
    ZT_TRY(zt_sign_header(secrets.current, secrets.previous, id, now_s, ret->body,
                          strlen(ret->body), of_message, err));
    int n = 0;
    ret->headers[n++] = "Content-Type: application/json";
    ret->headers[n++] = "User-Agent: zoetrope/" ZT_VERSION;
    ret->headers[n++] = zt_arena_printf(a, "X-Webhook-Timestamp: %" PRId64, now_s);
    ret->headers[n++] = zt_arena_printf(a, "X-Webhook-Signature: %s", of_task);
    ret->headers[n++] = zt_arena_printf(a, "webhook-id: %s", id);
    ret->headers[n++] = zt_arena_printf(a, "webhook-timestamp: %" PRId64, now_s);
    ret->headers[n++] = zt_arena_printf(a, "webhook-signature: %s", of_message);
    ret->headers[n] = NULL;
    return ZT_OK;
}

static enum zt_host_sign sign_of_host(enum zt_code rc, int status)
{
    if (rc == ZT_OK)
        return status >= 500 || status == 429 || status == 408 ? ZT_HOST_FAILED : ZT_HOST_ALIVE;
    bool theirs = rc == ZT_E_NET || rc == ZT_E_TIMEOUT || rc == ZT_E_DENIED || rc == ZT_E_LIMIT;
    return theirs ? ZT_HOST_FAILED : ZT_HOST_UNKNOWN;
}

struct zt_delivery_try zt_deliver_judge(const struct zt_durations *waits, int nth, enum zt_code rc,
                                        int status, int64_t retry_after_us, int64_t now_us)
{
    struct zt_delivery_try ret = {
        .status = rc == ZT_OK ? status : 0,
        .outcome = ZT_DELIVERY_RETRY,
        .host = sign_of_host(rc, status),
    };

    if (rc == ZT_E_CANCELLED) { /* by our own end: the receiver did nothing wrong */
        ret.uncounted = true;
        ret.next_us = now_us;
        return ret;
    }
    if (rc == ZT_OK && status >= 200 && status < 300) {
        ret.outcome = ZT_DELIVERY_DONE;
        return ret;
    }
    if ((rc == ZT_OK && status == 410) || nth > waits->n) {
        ret.outcome = ZT_DELIVERY_GIVEN_UP;
        return ret;
    }
    int64_t wait_us = zt_jitter_us(waits->us[nth > 0 ? nth - 1 : 0], JITTER_PERCENT);
    if (rc == ZT_OK && retry_after_us > wait_us)
        wait_us = retry_after_us < RETRY_AFTER_MAX_US ? retry_after_us : RETRY_AFTER_MAX_US;
    ret.next_us = now_us + wait_us;
    return ret;
}

/* A try in words, for whoever looks at the log. "" when there is nothing to say. In arena. */
static const char *in_words(struct zt_arena *arena, enum zt_code rc, const struct zt_answer *answer,
                            const struct zt_err *err)
{
    const char *text;

    if (rc != ZT_OK)
        return err->msg;
    if (answer->status >= 200 && answer->status < 300)
        return answer->cut ? "taken, though its answer had no end or broke off" : "";
    if (answer->status >= 300 && answer->status < 400)
        text = zt_arena_printf(arena, "redirects are not followed (%d%s%s)", answer->status,
                               answer->location[0] ? " to " : "", answer->location);
    else if (answer->status == 410)
        text = "the receiver is gone (410)";
    else if (answer->retry_after_us >= 0)
        text = zt_arena_printf(arena, "the receiver says %d, and to try again in %" PRId64 " s",
                               answer->status,
                               (answer->retry_after_us + ZT_SECOND_US - 1) / ZT_SECOND_US);
    else
        text = zt_arena_printf(arena, "the receiver says %d", answer->status);
    return text ? text : "";
}

static void log_try(const struct zt_delivery *d, const struct zt_delivery_try *attempt,
                    int64_t now_us, const struct zt_err *err)
{
    char url[LOG_URL_MAX], quoted[LOG_URL_MAX + 16];

    zt_log_quote(zt_url_for_log(d->url, url, sizeof(url)), quoted, sizeof(quoted));
    switch (attempt->outcome) {
    case ZT_DELIVERY_DONE:
        ZT_LOG(INFO, "callback_delivered",
               "task=%s delivery=%" PRId64 " attempt=%d status=%d took_us=%" PRId64 " url=%s",
               d->task_id, d->id, d->attempt, attempt->status, attempt->took_us, quoted);
        break;
    case ZT_DELIVERY_RETRY:
        ZT_LOG(WARN, "callback_failed",
               "task=%s delivery=%" PRId64 " attempt=%d status=%d took_us=%" PRId64
               " retry_in_us=%" PRId64 " url=%s note=\"%s\" detail=\"%s\"",
               d->task_id, d->id, d->attempt, attempt->status, attempt->took_us,
               attempt->next_us - now_us, quoted, attempt->note, err->detail);
        break;
    case ZT_DELIVERY_GIVEN_UP:
        ZT_LOG(ERROR, "callback_given_up",
               "task=%s delivery=%" PRId64 " attempt=%d status=%d url=%s note=\"%s\" detail=\"%s\"",
               d->task_id, d->id, d->attempt, attempt->status, quoted, attempt->note, err->detail);
        break;
    }
}

/*
 * Sends, and says what follows. The answer's beginning goes to `body`; err holds the reason when
 * there was none.
 */
static struct zt_delivery_try send_it(struct thread *t, const struct zt_delivery *d,
                                      const struct request *request, struct zt_buf *body,
                                      struct zt_err *err)
{
    const struct zt_config *config = t->deliver->config;
    const struct zt_call call = {
        .method = "POST",
        .url = d->url,
        .headers = request->headers,
        .body = request->body,
        .body_n = strlen(request->body),
        .connect_us = config->callback_timeout_us,
        .total_us = config->callback_timeout_us,
        .cut_body = true, /* only the status matters */
    };
    struct zt_answer answer = { .retry_after_us = -1 };
    int64_t began_us = zt_now_mono_us();

    enum zt_code rc = zt_client_call(t->client, &call, body, &answer, err);
    zt_crash_point("callback.sent");
    struct zt_delivery_try ret = zt_deliver_judge(
        &config->callback_retries, d->nth, rc, answer.status, answer.retry_after_us, now_utc_us(t));
    ret.took_us = zt_now_mono_us() - began_us;
    ret.note = in_words(&t->arena, rc, &answer, err);
    ret.family = answer.family;
    ret.answer = body->data;
    ret.answer_n = body->n;
    return ret;
}

/*
 * A delivery whose task or key was removed has nothing to say any more. Trouble of our own leaves
 * the delivery to its lease.
 */
static enum zt_code deliver_one(struct thread *t, const struct zt_delivery *d, struct zt_err *err)
{
    struct zt_task *task = NULL;
    struct request request;
    struct zt_delivery_try attempt = { .outcome = ZT_DELIVERY_GIVEN_UP };
    struct zt_err why = { 0 };
    __attribute__((cleanup(zt_buf_clear))) struct zt_buf answer = { .limit = ANSWER_MAX_BYTES };

    enum zt_code rc = zt_store_task_get(t->store, &t->arena, d->task_id, 0, &task, err);
    if (rc == ZT_OK)
        rc = make_request(t, d, task, &request, err);
    if (rc == ZT_E_NOT_FOUND)
        attempt.note = "the task or its key was removed";
    else if (rc != ZT_OK)
        return rc;
    else
        attempt = send_it(t, d, &request, &answer, &why);
    rc = zt_store_delivery_settle(t->store, d, &attempt, &t->deliver->rules, err);
    zt_crash_point("callback.settled");
    if (rc == ZT_OK)
        log_try(d, &attempt, now_utc_us(t), &why);
    return rc;
}

/* ---- threads ------------------------------------------------------------------------------- */

/* How long a round may wait for a host in trouble: twice as long as its waits are together. */
static int64_t patience_us(const struct zt_durations *waits)
{
    int64_t us = 0;

    for (int i = 0; i < waits->n; i++)
        us += 2 * waits->us[i];
    return us > EXPIRE_LEAST_US ? us : EXPIRE_LEAST_US;
}

static enum zt_code expire(struct thread *t, struct zt_err *err)
{
    int64_t now_us = zt_now_mono_us();
    int n = 0;

    if (t != &t->deliver->thread[0] || now_us < t->expire_us)
        return ZT_OK;
    int64_t before_us = now_utc_us(t) - patience_us(&t->deliver->config->callback_retries);
    ZT_TRY(zt_store_delivery_expire(t->store, before_us, EXPIRE_LIMIT, &n, err));
    if (n > 0)
        ZT_LOG(ERROR, "callbacks_expired", "n=%d", n);
    if (n < EXPIRE_LIMIT)
        t->expire_us = now_us + EXPIRE_EVERY_US;
    return ZT_OK;
}

/* Claims and sends one if there is one; returns how long to wait for the next. */
static int64_t step(struct thread *t)
{
    struct zt_delivery *d = NULL;
    struct zt_err err = { 0 };
    int64_t next_us = 0;

    zt_arena_reset(&t->arena);
    enum zt_code rc = expire(t, &err);
    if (rc == ZT_OK)
        rc = zt_store_delivery_next_us(t->store, &next_us, &err);
    int64_t now_us = now_utc_us(t);
    if (rc == ZT_OK && next_us > now_us)
        return next_us - now_us < POLL_US ? next_us - now_us : POLL_US;
    if (rc == ZT_OK)
        rc = zt_store_delivery_claim(t->store, &t->arena, &t->deliver->rules, &d, &err);
    if (rc == ZT_E_NOT_FOUND)
        return COLLISION_US;
    if (rc == ZT_OK) {
        zt_crash_point("callback.claimed");
        rc = deliver_one(t, d, &err);
    }
    if (rc == ZT_OK)
        return 0;
    if (rc != ZT_E_BUSY)
        ZT_LOG(ERROR, "callback_not_settled",
               "task=%s code=%s retry_in_us=%" PRId64 " detail=\"%s\"", d ? d->task_id : "-",
               zt_code_name(rc), POLL_US, err.detail);
    return POLL_US;
}

static void *run(void *arg)
{
    struct thread *t = arg;

    while (!zt_stop_asked(t->stop)) {
        int64_t wait_us = step(t);
        if (wait_us > 0)
            zt_stop_wait(t->stop, wait_us);
    }
    return NULL;
}

static enum zt_code start_thread(struct zt_deliver *d, const struct zt_deliver_options *options,
                                 struct zt_err *err)
{
    struct thread *t = &d->thread[d->threads];

    t->deliver = d;
    ZT_TRY(zt_store_open(&options->store, &t->store, err));
    t->stop = zt_stop_new();
    t->client = zt_outbound_client(d->config, options->guard, d->cut);
    if (pthread_create(&t->id, NULL, run, t) != 0) {
        zt_client_free(t->client);
        zt_stop_free(t->stop);
        zt_store_close(t->store);
        return zt_fail(err, ZT_E_IO, "cannot start a thread that sends callbacks");
    }
    d->threads++;
    return ZT_OK;
}

enum zt_code zt_deliver_start(const struct zt_deliver_options *options, struct zt_deliver **ret,
                              struct zt_err *err)
{
    struct zt_deliver *d = zt_new(struct zt_deliver);

    d->config = options->config;
    d->clock = options->store.clock;
    d->rules = (struct zt_delivery_rules){
        .lease_us = options->config->callback_lease_us,
        .host_limit = (int)options->config->callback_host_limit,
        .break_after = (int)options->config->callback_break_after,
        .break_us = options->config->callback_break_us,
    };
    d->public_url = zt_strdup_or_die(options->public_url);
    d->cut = zt_stop_new();
    for (int64_t i = 0; i < options->config->callback_workers && i < THREADS_MAX; i++) {
        enum zt_code rc = start_thread(d, options, err);
        if (rc != ZT_OK) {
            zt_deliver_stop(d, 0);
            return rc;
        }
    }
    *ret = d;
    return ZT_OK;
}

void zt_deliver_wake(struct zt_deliver *d)
{
    for (int i = 0; i < d->threads; i++)
        zt_stop_wake(d->thread[i].stop);
}

struct cutter {
    struct zt_stop *cut, *over;
    int64_t grace_us;
};

static void *cut_off_later(void *arg)
{
    struct cutter *c = arg;

    if (!zt_stop_wait(c->over, c->grace_us))
        zt_stop_ask(c->cut);
    return NULL;
}

void zt_deliver_stop(struct zt_deliver *d, int64_t grace_us)
{
    pthread_t id;

    if (d == NULL)
        return;
    for (int i = 0; i < d->threads; i++)
        zt_stop_ask(d->thread[i].stop);
    struct cutter cutter = { .cut = d->cut, .over = zt_stop_new(), .grace_us = grace_us };
    bool later = pthread_create(&id, NULL, cut_off_later, &cutter) == 0;
    if (!later)
        zt_stop_ask(d->cut);
    for (int i = 0; i < d->threads; i++) {
        struct thread *t = &d->thread[i];
        pthread_join(t->id, NULL);
        zt_client_free(t->client);
        zt_store_close(t->store);
        zt_arena_clear(&t->arena);
        zt_stop_free(t->stop);
    }
    zt_stop_ask(cutter.over);
    if (later)
        pthread_join(id, NULL);
    zt_stop_free(cutter.over);
    zt_stop_free(d->cut);
    free(d->public_url);
    free(d);
}
