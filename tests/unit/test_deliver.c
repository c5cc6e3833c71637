/*
 * Delivering callbacks to a receiver inside this test that refuses, hangs up, redirects and stalls
 * before it accepts. Every wait is a condition with a limit; retries are milliseconds apart.
 */
#include "service/deliver.h"

#include "deliver_world.h"
#include "service/sign.h"

/* ---- what follows from a try --------------------------------------------------------------- */

static void judges_answers(void)
{
    static const struct zt_durations waits = { 2, { 10 * ZT_SECOND_US, 100 * ZT_SECOND_US } };
    static const struct {
        const char *label;
        int attempt;
        enum zt_code rc;
        int status;
        int64_t retry_after_us;
        enum zt_delivery_outcome outcome;
        int64_t least_us, most_us;
    } rows[] = {
        { "200", 1, ZT_OK, 200, -1, ZT_DELIVERY_DONE, 0, 0 },
        { "204", 9, ZT_OK, 204, -1, ZT_DELIVERY_DONE, 0, 0 },
        { "500", 1, ZT_OK, 500, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "500 again", 2, ZT_OK, 500, -1, ZT_DELIVERY_RETRY, 80, 120 },
        { "500 once more", 3, ZT_OK, 500, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "302", 1, ZT_OK, 302, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "404", 1, ZT_OK, 404, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "410", 1, ZT_OK, 410, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "429, later", 1, ZT_OK, 429, 60 * ZT_SECOND_US, ZT_DELIVERY_RETRY, 60, 60 },
        { "429, sooner", 1, ZT_OK, 429, ZT_SECOND_US, ZT_DELIVERY_RETRY, 8, 12 },
        { "429, next year", 1, ZT_OK, 429, 365 * ZT_DAY_US, ZT_DELIVERY_RETRY, 86400, 86400 },
        { "no answer", 1, ZT_E_NET, 0, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "no time", 3, ZT_E_TIMEOUT, 0, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "refused address", 1, ZT_E_DENIED, 0, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "stale status", 1, ZT_E_NET, 200, -1, ZT_DELIVERY_RETRY, 8, 12 },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const struct zt_delivery_try got =
            zt_deliver_judge(&waits, rows[i].attempt, rows[i].rc, rows[i].status,
                             rows[i].retry_after_us, 1000 * ZT_SECOND_US);
        CHECK_INT(rows[i].label, got.outcome, rows[i].outcome);
        if (rows[i].outcome != ZT_DELIVERY_RETRY)
            continue;
        int64_t wait_us = got.next_us - 1000 * ZT_SECOND_US;
        CHECK(rows[i].label, wait_us >= rows[i].least_us * ZT_SECOND_US &&
                                 wait_us <= rows[i].most_us * ZT_SECOND_US);
    }
}

/* The value of a header, in a static buffer; "" when it is absent. */
static const char *header(const struct post *post, const char *name)
{
    static char value[256];
    char line[128];

    value[0] = '\0';
    zt_assert(zt_format(line, sizeof(line), "\r\n%s: ", name));
    const char *p = strstr(post->head, line);
    if (p != NULL)
        zt_assert(zt_format(value, sizeof(value), "%.*s", (int)strcspn(p + strlen(line), "\r"),
                            p + strlen(line)));
    return value;
}

static void check_signatures(const struct world *w, const struct post *post)
{
    char want[ZT_SIGN_TEXT], id[128];
    int64_t timestamp = 0;

    CHECK("time", zt_parse_int(header(post, "X-Webhook-Timestamp"), 1, INT64_MAX, &timestamp));
    CHECK("now", llabs(timestamp - zt_now_utc_us() / ZT_SECOND_US) < 60);
    zt_sign_task(w->webhook, TASK, timestamp, want);
    CHECK_STR("over the task", header(post, "X-Webhook-Signature"), want);
    zt_assert(zt_format(id, sizeof(id), "%s", header(post, "webhook-id")));
    CHECK("id", zt_starts_with(id, "msg_"));
    CHECK("time", zt_parse_int(header(post, "webhook-timestamp"), 1, INT64_MAX, &timestamp));
    CHECK_INT(
        "signs",
        zt_sign_message(w->webhook, id, timestamp, post->body, strlen(post->body), want, NULL),
        ZT_OK);
    CHECK_STR("over the body", header(post, "webhook-signature"), want);
}

static void tries_until_it_is_taken(void)
{
    static const int script[] = { 500, 302, RESET, STALL, 200 };
    struct receiver r;
    struct world w;
    char id[256];

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, ZT_SECOND_US);
    world_finish_task(&w);
    world_deliver(&w);
    CHECK_INT("posts", receiver_wait(&r, 5), 5);
    CHECK("settled", world_settled(&w));
    zt_deliver_stop(w.deliver, ZT_SECOND_US);
    w.deliver = NULL;
    CHECK_INT("and no more", r.n, 5);
    zt_assert(zt_format(id, sizeof(id), "%s", header(&r.post[0], "webhook-id")));
    for (int i = 0; i < r.n; i++) {
        CHECK_STR("same body", r.post[i].body, r.post[0].body);
        CHECK_STR("same id", header(&r.post[i], "webhook-id"), id);
        CHECK_STR("type", header(&r.post[i], "Content-Type"), "application/json");
        CHECK_INT("never elsewhere", strncmp(r.post[i].head, "POST /callback ", 15), 0);
        check_signatures(&w, &r.post[i]);
    }
    CHECK_HAS("names the task", r.post[0].body, TASK);
    world_close(&w);
    receiver_stop(&r);
}

static void gives_up(void)
{
    static const int gone[] = { 410 };
    static const int broken[] = { 500 };
    static const struct {
        const char *label;
        const int *script;
        int posts;
    } rows[] = { { "at 410", gone, 1 }, { "after the last wait", broken, 5 } };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct receiver r;
        struct world w;
        receiver_start(&r, rows[i].script, 1);
        world_open(&w, r.port, ZT_SECOND_US);
        world_finish_task(&w);
        world_deliver(&w);
        CHECK(rows[i].label, world_settled(&w));
        world_close(&w);
        CHECK_INT(rows[i].label, r.n, rows[i].posts);
        receiver_stop(&r);
    }
}

/* A stop cuts off a receiver that stalls; the callback is left, due at once, for the next start. */
static void leaves_the_rest_for_later(void)
{
    static const int script[] = { STALL, 200 };
    struct receiver r;
    struct world w;

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, 60 * ZT_SECOND_US);
    world_finish_task(&w);
    world_deliver(&w);
    CHECK_INT("stalls", receiver_wait(&r, 1), 1);
    int64_t began_us = zt_now_mono_us();
    zt_deliver_stop(w.deliver, 100 * ZT_MS_US);
    CHECK_BELOW("stops soon", zt_now_mono_us() - began_us, 5 * ZT_SECOND_US);
    world_deliver(&w);
    CHECK_INT("again", receiver_wait(&r, 2), 2);
    CHECK("settled", world_settled(&w));
    world_close(&w);
    receiver_stop(&r);
}

static void asks_the_guard(void)
{
    static const int script[] = { 200 };
    struct receiver r;
    struct world w;

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, ZT_SECOND_US);
    zt_guard_free(w.guard);
    w.guard = zt_guard_new(); /* allows public addresses alone */
    world_finish_task(&w);
    world_deliver(&w);
    CHECK("settled", world_settled(&w));
    world_close(&w);
    CHECK_INT("nothing was sent", r.n, 0);
    receiver_stop(&r);
}

int main(void)
{
    RUN(judges_answers);
    RUN(tries_until_it_is_taken);
    RUN(gives_up);
    RUN(leaves_the_rest_for_later);
    RUN(asks_the_guard);
    return check_done();
}
