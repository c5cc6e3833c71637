/*
 * Callbacks in the store: host by host, with a breaker each; rounds; lists and figures; the two
 * secrets; and what all of it costs when a hundred thousand wait for a host that is left alone.
 */
#include "store/deliveries.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "store_world.h"

static const struct zt_delivery_rules rules = {
    .lease_us = LEASE_US,
    .host_limit = 2,
    .break_after = 3,
    .break_us = 10 * ZT_SECOND_US,
};

/* ---- short words --------------------------------------------------------------------------- */

/* A task of a key that ended and owes a callback. */
static void owe_for(struct world *w, const char *id, int64_t key_id, const char *url)
{
    add_for(w, id, key_id, url);
    struct zt_lease lease = claim(w, "w", id);
    CHECK_INT(id, zt_store_fail(w->store, &lease, "500", "x", NULL, &err), ZT_OK);
}

static void owe(struct world *w, const char *id, const char *url)
{
    owe_for(w, id, 1, url);
}

/* The task whose delivery is claimed; "" for none. *ret stays as it was then. */
static const char *take(struct world *w, struct zt_delivery *ret)
{
    struct zt_delivery *d = NULL;

    enum zt_code rc = zt_store_delivery_claim(w->store, &arena, &rules, &d, &err);
    CHECK("claims or has none", rc == ZT_OK || rc == ZT_E_NOT_FOUND);
    if (rc != ZT_OK)
        return "";
    *ret = *d;
    return d->task_id;
}

static void settle(struct world *w, const struct zt_delivery *d, enum zt_delivery_outcome outcome,
                   enum zt_host_sign host, int64_t next_us)
{
    const struct zt_delivery_try attempt = { .outcome = outcome,
                                             .status = outcome == ZT_DELIVERY_DONE ? 200 : 503,
                                             .note = "x",
                                             .took_us = 1000,
                                             .next_us = next_us,
                                             .host = host };
    CHECK_INT(d->task_id, zt_store_delivery_settle(w->store, d, &attempt, &rules, &err), ZT_OK);
}

/* Claims, which must give `want`, and settles as failed, to be tried again at once. */
static void fails(struct world *w, const char *want)
{
    struct zt_delivery d = { 0 };

    CHECK_STR("fails", take(w, &d), want);
    settle(w, &d, ZT_DELIVERY_RETRY, ZT_HOST_FAILED, w->now_us);
}

static struct zt_delivery_log *log_of(struct world *w, const char *id)
{
    static struct zt_delivery_log none;
    struct zt_delivery_log *log = NULL;

    CHECK_INT(id, zt_store_delivery_of_task(w->store, &arena, id, &log, &err), ZT_OK);
    return log ? log : &none;
}

/* No host is looked at too late, and nothing pending lacks one. */
static void check_hosts(struct world *w)
{
    CHECK_STR("every pending one has a host",
              ask(w, "SELECT count(*) FROM delivery d WHERE state='pending' AND NOT EXISTS"
                     " (SELECT 1 FROM callback_host h WHERE h.id=d.host_id)"),
              "0");
    CHECK_STR("none is looked at after its first lease ends",
              ask(w, "SELECT count(*) FROM delivery d JOIN callback_host h ON h.id=d.host_id"
                     " WHERE state='pending' AND held=1 AND due_us<ready_us"),
              "0");
    CHECK_STR("nor after a free one may be claimed",
              ask(w, "SELECT count(*) FROM callback_host h WHERE ready_us>open_until_us"
                     " AND ready_us>(SELECT min(due_us) FROM delivery d WHERE d.host_id=h.id"
                     "  AND state='pending' AND held=0)"
                     " AND (SELECT count(*) FROM delivery d WHERE d.host_id=h.id"
                     "  AND state='pending' AND held=1) < iif(opens>0, 1, 2)"),
              "0");
    CHECK_STR("pending is counted",
              ask(w, "SELECT n=(SELECT count(*) FROM delivery WHERE state='pending')"
                     " FROM callback_count WHERE name='pending'"),
              "1");
}

static void world_end(struct world *w)
{
    check_hosts(w);
    world_clear(w);
}

/* ---- hosts --------------------------------------------------------------------------------- */

static void names_hosts(void)
{
    static const struct {
        const char *url, *host;
    } rows[] = {
        { "https://example.org/cb", "example.org:443" },
        { "http://example.org/cb", "example.org:80" },
        { "https://EXAMPLE.org", "example.org:443" },
        { "https://example.org?a=http://b/c", "example.org:443" },
        { "https://example.org#x/y", "example.org:443" },
        { "https://example.org:8443/?x#y", "example.org:8443" },
        { "http://[2001:db8::1]/x", "[2001:db8::1]:80" },
        { "http://[2001:db8::1]:81/x", "[2001:db8::1]:81" },
        { "nonsense", "nsense:80" }, /* whatever: it never gets here */
        { "://", ":80" },
    };
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_delivery d;
        char id[16];
        zt_format(id, sizeof(id), "t%zu", i);
        owe(&w, id, rows[i].url);
        CHECK_STR(rows[i].url, ask(&w, "SELECT group_concat(name) FROM callback_host"),
                  rows[i].host);
        CHECK_STR(rows[i].url, take(&w, &d), id);
        settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
        CHECK_STR("nothing is kept", ask(&w, "SELECT count(*) FROM callback_host"), "0");
    }
    world_end(&w);
}

static void limits_what_is_under_way(void)
{
    struct world w;
    struct zt_delivery a, b, other;

    world_init(&w);
    owe(&w, "a1", "https://a.org/1");
    owe(&w, "a2", "https://a.org/2");
    owe(&w, "a3", "https://a.org/3");
    w.now_us += ZT_SECOND_US;
    owe(&w, "b1", "https://b.org/");
    CHECK_STR("oldest", take(&w, &a), "a1");
    CHECK_STR("second", take(&w, &b), "a2");
    CHECK_STR("full", take(&w, &other), "b1");
    CHECK_STR("none", take(&w, &other), "");
    owe(&w, "a4", "https://a.org/4");
    CHECK_STR("still full", take(&w, &other), "");
    check_hosts(&w);
    settle(&w, &a, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    CHECK_STR("room", take(&w, &a), "a3");
    CHECK_STR("full again", take(&w, &other), "");
    w.now_us += LEASE_US; /* all senders died */
    CHECK_STR("waited longest", take(&w, &other), "a4");
    CHECK_INT("its first", other.attempt, 1);
    CHECK_STR("again", take(&w, &other), "a2");
    CHECK_INT("counted", other.attempt, 2);
    CHECK_STR("the other host", take(&w, &other), "b1");
    CHECK_STR("full", take(&w, &other), "");
    world_end(&w);
}

static void leaves_a_host_alone(void)
{
    struct world w;
    struct zt_delivery d, other;
    struct zt_delivery_log *log;
    int64_t next = 0;

    world_init(&w);
    for (int i = 0; i < 4; i++)
        owe(&w, (const char *[]){ "a", "b", "c", "d" }[i], "https://bad.org/");
    fails(&w, "a");
    fails(&w, "a");
    CHECK_INT("closed", log_of(&w, "b")->breaker, ZT_BREAKER_CLOSED);
    fails(&w, "a"); /* the third in a row */
    CHECK_STR("left alone", take(&w, &d), "");
    log = log_of(&w, "b");
    CHECK_INT("open", log->breaker, ZT_BREAKER_OPEN);
    CHECK("for about ten seconds", log->breaker_until_us >= w.now_us + 8 * ZT_SECOND_US &&
                                       log->breaker_until_us <= w.now_us + 12 * ZT_SECOND_US);
    CHECK_INT("no try was used up", log->delivery.attempt, 0);
    CHECK_INT("next", zt_store_delivery_next_us(w.store, &next, &err), ZT_OK);
    CHECK_INT("next", next, log->breaker_until_us);
    owe(&w, "good", "https://good.org/");
    owe(&w, "e", "https://bad.org/");
    CHECK_STR("others are served", take(&w, &other), "good");
    CHECK_STR("only they", take(&w, &d), "");
    w.now_us = next;
    CHECK_STR("a probe", take(&w, &d), "a");
    CHECK_INT("half-open", log_of(&w, "c")->breaker, ZT_BREAKER_HALF_OPEN);
    CHECK_STR("one alone", take(&w, &other), "");
    settle(&w, &d, ZT_DELIVERY_RETRY, ZT_HOST_UNKNOWN, w.now_us);
    CHECK_STR("nothing was learnt", take(&w, &d), "b");
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    CHECK_STR("closed", take(&w, &d), "c");
    CHECK_STR("for two", take(&w, &other), "d");
    CHECK_INT("closed", log_of(&w, "e")->breaker, ZT_BREAKER_CLOSED);
    settle(&w, &d, ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
    fails(&w, "e");
    CHECK_INT("counts anew", log_of(&w, "a")->breaker, ZT_BREAKER_CLOSED);
    world_end(&w);
}

/* Twice as long after each failed probe, up to 16 times; two that fail together open it once. */
static void waits_longer_each_time(void)
{
    struct world w;
    struct zt_delivery a, b;

    world_init(&w);
    owe(&w, "a", "https://bad.org/");
    owe(&w, "b", "https://bad.org/");
    fails(&w, "a");
    CHECK_STR("two", take(&w, &a), "a");
    CHECK_STR("at once", take(&w, &b), "b");
    settle(&w, &a, ZT_DELIVERY_RETRY, ZT_HOST_FAILED, w.now_us);
    settle(&w, &b, ZT_DELIVERY_RETRY, ZT_HOST_FAILED, w.now_us);
    for (int i = 0, times = 1; i < 8; i++, times = times < 16 ? 2 * times : 16) {
        int64_t left_us = log_of(&w, "a")->breaker_until_us - w.now_us;
        CHECK("at least", left_us >= times * 8 * ZT_SECOND_US);
        CHECK("at most", left_us <= times * 12 * ZT_SECOND_US);
        w.now_us += left_us;
        fails(&w, i % 2 ? "b" : "a");
    }
    check_hosts(&w);
    CHECK_STR("a new one", (owe(&w, "c", "https://bad.org/"), take(&w, &a)), "");
    world_end(&w);
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void sends_again(void)
{
    struct world w;
    struct zt_delivery first, second, d;
    struct zt_delivery_log *log;

    world_init(&w);
    owe(&w, "a", "https://a.org/");
    CHECK_INT("waits", zt_store_redeliver(w.store, "a", 1, &err), ZT_OK);
    CHECK_STR("claim", take(&w, &first), "a");
    CHECK_INT("round", first.round, 2);
    CHECK_INT("its first", first.nth, 1);
    CHECK_INT("being sent", zt_store_redeliver(w.store, "a", 1, &err), ZT_E_CONFLICT);
    CHECK_HAS("being sent", err.msg, "being sent right now");
    settle(&w, &first, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    w.now_us += ZT_DAY_US;
    CHECK_INT("no other's", zt_store_redeliver(w.store, "a", 2, &err), ZT_E_NOT_FOUND);
    CHECK_INT("none", zt_store_redeliver(w.store, "b", 1, &err), ZT_E_NOT_FOUND);
    CHECK_INT("not UTF-8", zt_store_redeliver(w.store, "\xFF", 1, &err), ZT_E_NOT_FOUND);
    CHECK_INT("done", zt_store_redeliver(w.store, "a", 0, &err), ZT_OK);
    CHECK_INT("at once", log_of(&w, "a")->due_us, w.now_us);
    CHECK_STR("claim", take(&w, &second), "a");
    CHECK_INT("same message", second.id, first.id);
    CHECK_INT("attempts go on", second.attempt, 2);
    CHECK_INT("tries begin", second.nth, 1);

    w.now_us += LEASE_US; /* that sender seems to be dead, and is not */
    CHECK_INT("lease is over", zt_store_redeliver(w.store, "a", 1, &err), ZT_OK);
    const struct zt_delivery_try late = { .outcome = ZT_DELIVERY_DONE, .status = 200 };
    CHECK_INT("too late", zt_store_delivery_settle(w.store, &second, &late, &rules, &err),
              ZT_E_CONFLICT);
    CHECK_STR("claim", take(&w, &d), "a");
    settle(&w, &d, ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
    CHECK_INT("given up", zt_store_redeliver(w.store, "a", 1, &err), ZT_OK);
    CHECK_STR("claim", take(&w, &d), "a");
    const struct zt_delivery_try ours = { .outcome = ZT_DELIVERY_RETRY,
                                          .next_us = w.now_us,
                                          .uncounted = true };
    CHECK_INT("hung up", zt_store_delivery_settle(w.store, &d, &ours, &rules, &err), ZT_OK);
    CHECK_STR("claim", take(&w, &d), "a");
    CHECK_INT("no try was used up", d.nth, 1);
    settle(&w, &d, ZT_DELIVERY_RETRY, ZT_HOST_FAILED, w.now_us);
    CHECK_STR("claim", take(&w, &d), "a");
    CHECK_INT("now one was", d.nth, 2);
    log = log_of(&w, "a");
    CHECK("sending", log->sending);
    CHECK_INT("tries", log->n, 4);
    CHECK_INT("in order", log->tries[0].attempt, 1);
    CHECK_INT("round", log->tries[0].round, 2);
    CHECK_INT("round", log->tries[3].round, 5);
    world_end(&w);
}

static void a_redelivery_is_a_probe(void)
{
    struct world w;
    struct zt_delivery d, other;

    world_init(&w);
    owe(&w, "a", "https://bad.org/");
    owe(&w, "b", "https://bad.org/");
    for (int i = 0; i < 3; i++)
        fails(&w, "a");
    CHECK_STR("left alone", take(&w, &d), "");
    CHECK_INT("again", zt_store_redeliver(w.store, "a", 1, &err), ZT_OK);
    CHECK_STR("a probe", take(&w, &d), "a");
    CHECK_STR("and no more", take(&w, &other), "");
    settle(&w, &d, ZT_DELIVERY_RETRY, ZT_HOST_FAILED, w.now_us);
    CHECK_STR("left alone", take(&w, &d), "");
    world_end(&w);
}

static void sends_failed_ones_again(void)
{
    struct world w;
    struct zt_delivery d;
    char id[16];
    int n = -1;

    world_init(&w);
    for (int i = 0; i < 6; i++) {
        zt_format(id, sizeof(id), "t%d", i);
        owe(&w, id, "https://a.org/");
        CHECK_STR(id, take(&w, &d), id);
        settle(&w, &d, i == 5 ? ZT_DELIVERY_DONE : ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
        w.now_us += ZT_HOUR_US;
    }
    CHECK_INT("since", zt_store_redeliver_failed(w.store, START_US + ZT_HOUR_US, 3, &n, &err),
              ZT_OK);
    CHECK_INT("limit", n, 3);
    zt_store_redeliver_failed(w.store, START_US + ZT_HOUR_US, 3, &n, &err);
    CHECK_INT("the rest", n, 1);
    zt_store_redeliver_failed(w.store, START_US + ZT_HOUR_US, 3, &n, &err);
    CHECK_INT("none", n, 0);
    CHECK_STR("which", ask(&w, "SELECT group_concat(task_id) FROM delivery WHERE state='pending'"),
              "t1,t2,t3,t4");
    CHECK_STR("claim", take(&w, &d), "t1");
    world_end(&w);
}

static void gives_up_what_waits_too_long(void)
{
    struct world w;
    struct zt_delivery d;
    struct zt_delivery_log *log;
    int n = -1;

    world_init(&w);
    owe(&w, "a", "https://bad.org/");
    owe(&w, "b", "https://bad.org/");
    owe(&w, "c", "https://c.org/");
    for (int i = 0; i < 3; i++)
        fails(&w, "a");
    CHECK_STR("is under way", take(&w, &d), "c");
    w.now_us += ZT_SECOND_US;
    owe(&w, "young", "https://bad.org/");
    CHECK_INT("expire", zt_store_delivery_expire(w.store, w.now_us, 10, &n, &err), ZT_OK);
    CHECK_INT("two", n, 2);
    log = log_of(&w, "b");
    CHECK_INT("given up", log->state, ZT_DELIVERY_GIVEN_UP);
    CHECK_INT("says so", log->n, 1);
    CHECK_HAS("says so", log->tries[0].result.note, "not sent");
    CHECK_INT("after three tries", log_of(&w, "a")->n, 4);
    CHECK_INT("the young one waits", log_of(&w, "young")->state, ZT_DELIVERY_RETRY);
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    CHECK_INT("again", zt_store_redeliver(w.store, "b", 1, &err), ZT_OK);
    CHECK_INT("anew", zt_store_delivery_expire(w.store, w.now_us, 10, &n, &err), ZT_OK);
    CHECK_INT("anew", n, 0);
    world_end(&w);
}

/* ---- looking ------------------------------------------------------------------------------- */

static void keeps_what_a_try_met(void)
{
    struct world w;
    struct zt_delivery d;
    char answer[2000];

    memset(answer, 'x', sizeof(answer));
    memcpy(answer, "caf\xC3\xA9 \xFF\0 \x1b[31m", 14);
    memcpy(answer + ZT_EXCERPT_MAX - 1, "\xC3\xA9", 2); /* would be cut in two */
    world_init(&w);
    owe(&w, "a", "https://a.org/");
    CHECK_STR("claim", take(&w, &d), "a");
    const struct zt_delivery_try attempt = { .outcome = ZT_DELIVERY_RETRY,
                                             .status = 503,
                                             .note = "no\xFE",
                                             .took_us = 1234567,
                                             .next_us = w.now_us + 1,
                                             .family = 6,
                                             .answer = answer,
                                             .answer_n = sizeof(answer) };
    CHECK_INT("settle", zt_store_delivery_settle(w.store, &d, &attempt, &rules, &err), ZT_OK);
    const struct zt_delivery_entry *e = &log_of(&w, "a")->tries[0];
    CHECK_INT("status", e->result.status, 503);
    CHECK_STR("note", e->result.note, "no?");
    CHECK_INT("family", e->result.family, 6);
    CHECK_INT("took", e->result.took_us, 1234567);
    CHECK_INT("at", e->at_us, w.now_us);
    CHECK_INT("cut", e->result.answer_n, ZT_EXCERPT_MAX - 1);
    CHECK("UTF-8", zt_utf8_valid(e->result.answer, e->result.answer_n));
    CHECK_INT("begins", strncmp(e->result.answer, "caf\xC3\xA9 ?? \x1b[31mxx", 16), 0);
    world_end(&w);
}

static void check_list(struct world *w, const char *label, int64_t key, int state, int64_t before,
                       int limit, const char *want)
{
    struct zt_delivery_log **logs = NULL;
    char got[128] = "";
    int n = 0;

    CHECK_INT(label,
              zt_store_delivery_list(w->store, &arena, key, state, before, limit, &logs, &n, &err),
              ZT_OK);
    for (int i = 0; i < n; i++) {
        strncat(got, logs[i]->delivery.task_id, sizeof(got) - strlen(got) - 1);
        CHECK("one try at most", logs[i]->n <= 1);
    }
    CHECK_STR(label, got, want);
}

static void lists(void)
{
    struct world w;
    struct zt_delivery d;

    world_init(&w);
    for (int i = 0; i < 6; i++)
        owe_for(&w, (const char *[]){ "a", "b", "c", "d", "e", "f" }[i], 1 + i % 2,
                "https://a.org/");
    take(&w, &d);
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    take(&w, &d);
    settle(&w, &d, ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
    check_list(&w, "all", 0, -1, 0, 10, "fedcba");
    check_list(&w, "limit", 0, -1, 0, 2, "fe");
    check_list(&w, "the next page", 0, -1, 5, 2, "dc");
    check_list(&w, "one key's", 1, -1, 0, 10, "eca");
    check_list(&w, "from there", 1, -1, 5, 10, "ca");
    check_list(&w, "a state", 1, ZT_DELIVERY_DONE, 0, 10, "a");
    check_list(&w, "another's", 2, ZT_DELIVERY_DONE, 0, 10, "");
    check_list(&w, "given up", 2, ZT_DELIVERY_GIVEN_UP, 0, 10, "b");
    check_list(&w, "pending", 0, ZT_DELIVERY_RETRY, 0, 10, "fedc");
    check_list(&w, "nobody's", 9, -1, 0, 10, "");
    enum zt_delivery_outcome state = ZT_DELIVERY_DONE;
    CHECK("word", zt_delivery_state_parse("given_up", &state) && state == ZT_DELIVERY_GIVEN_UP);
    CHECK("word", zt_delivery_state_parse("pending", &state) && state == ZT_DELIVERY_RETRY);
    CHECK("no word", !zt_delivery_state_parse("retry", &state));
    world_end(&w);
}

static void gives_figures(void)
{
    struct world w;
    struct zt_delivery d;
    struct zt_delivery_stats s = { .pending = 7 };

    world_init(&w);
    CHECK_INT("empty", zt_store_delivery_stats(w.store, &s, &err), ZT_OK);
    CHECK_INT("empty", s.pending + s.due + s.oldest_due_us + s.hosts_open, 0);
    owe(&w, "a", "https://bad.org/");
    w.now_us += ZT_SECOND_US;
    owe(&w, "b", "https://bad.org/");
    owe(&w, "c", "https://c.org/");
    for (int i = 0; i < 3; i++)
        fails(&w, "a");
    CHECK_STR("claim", take(&w, &d), "c");
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    owe(&w, "d", "https://d.org/");
    take(&w, &d);
    settle(&w, &d, ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
    owe(&w, "e", "https://e.org/");
    take(&w, &d);
    settle(&w, &d, ZT_DELIVERY_RETRY, ZT_HOST_ALIVE, w.now_us + ZT_HOUR_US);
    w.now_us += ZT_SECOND_US;
    CHECK_INT("stats", zt_store_delivery_stats(w.store, &s, &err), ZT_OK);
    CHECK_INT("pending", s.pending, 3);
    CHECK_INT("due", s.due, 2);
    CHECK_INT("since", s.oldest_due_us, w.now_us - ZT_SECOND_US);
    CHECK_INT("done", s.tries[ZT_DELIVERY_DONE], 1);
    CHECK_INT("retried", s.tries[ZT_DELIVERY_RETRY], 4);
    CHECK_INT("given up", s.tries[ZT_DELIVERY_GIVEN_UP], 1);
    CHECK_INT("open", s.hosts_open, 1);
    zt_store_forget(w.store, w.now_us + ZT_DAY_US, 100, NULL, &err);
    CHECK_INT("stats", zt_store_delivery_stats(w.store, &s, &err), ZT_OK);
    CHECK_INT("what was forgotten stays counted", s.tries[ZT_DELIVERY_DONE], 1);
    CHECK_INT("pending", s.pending, 3);
    world_end(&w);
}

/* ---- the secrets --------------------------------------------------------------------------- */

static void check_secrets(struct world *w, const char *label, int64_t id, const char *current,
                          const char *previous)
{
    struct zt_webhook_secrets s = { .current = "" };

    CHECK_INT(label, zt_store_webhook_secrets(w->store, &arena, id, &s, &err), ZT_OK);
    CHECK_STR(label, s.current, current);
    CHECK_STR(label, s.previous, previous);
}

static void rotates_secrets(void)
{
    struct world w;
    const uint8_t hash[ZT_SHA256_BYTES] = { 1 };
    struct zt_webhook_secrets s;
    int64_t id = 0;

    world_init(&w);
    CHECK_INT("key", zt_store_key_add(w.store, "k", hash, "h", "one", &id, &err), ZT_OK);
    check_secrets(&w, "first", id, "one", "");
    CHECK_INT("rotate", zt_store_webhook_rotate(w.store, id, "two", ZT_HOUR_US, &err), ZT_OK);
    check_secrets(&w, "both", id, "two", "one");
    zt_store_close(w.store);
    CHECK_INT("restart", world_open(&w, false, &w.store), ZT_OK);
    w.now_us += ZT_HOUR_US - 1;
    check_secrets(&w, "still both", id, "two", "one");
    w.now_us++;
    check_secrets(&w, "the new one alone", id, "two", "");
    CHECK_INT("rotate", zt_store_webhook_rotate(w.store, id, "three", ZT_HOUR_US, &err), ZT_OK);
    CHECK_INT("rotate", zt_store_webhook_rotate(w.store, id, "four", ZT_HOUR_US, &err), ZT_OK);
    check_secrets(&w, "never three", id, "four", "three");
    CHECK_INT("rotate", zt_store_webhook_rotate(w.store, id, "five", 0, &err), ZT_OK);
    check_secrets(&w, "at once", id, "five", "");
    CHECK_INT("none", zt_store_webhook_rotate(w.store, 99, "x", 0, &err), ZT_E_NOT_FOUND);
    CHECK_INT("none", zt_store_webhook_secrets(w.store, &arena, 99, &s, &err), ZT_E_NOT_FOUND);
    CHECK_INT("revoke", zt_store_key_revoke(w.store, id, &err), ZT_OK);
    CHECK_INT("revoked", zt_store_webhook_rotate(w.store, id, "x", 0, &err), ZT_E_NOT_FOUND);
    check_secrets(&w, "signs what is owed", id, "five", "");
    world_end(&w);
}

/* ---- cost ---------------------------------------------------------------------------------- */

static const enum zt_stmt claiming[] = { ZT_STMT_DELIVERY_ANY,     ZT_STMT_HOST_NEXT,
                                         ZT_STMT_DELIVERY_RELEASE, ZT_STMT_HOST_LOOK,
                                         ZT_STMT_DELIVERY_CLAIM,   ZT_STMT_HOST_READY,
                                         ZT_STMT_DELIVERY_NEXT };

/* Steps of SQLite's machine since the last call, over all statements of a claim. */
static int steps_of_claiming(struct world *w)
{
    int n = 0;

    for (size_t i = 0; i < ZT_COUNT(claiming); i++)
        n += sqlite3_stmt_status(w->store->stmt[claiming[i]], SQLITE_STMTSTATUS_VM_STEP, 1);
    return n;
}

/* 100 000 wait for a host that is left alone, 20 000 for one that is full. */
static void costs_the_same_with_many(void)
{
    struct world w;
    struct zt_delivery d, other;
    int64_t next;

    world_init(&w);
    owe(&w, "one", "https://one.org/");
    steps_of_claiming(&w);
    CHECK_STR("alone", take(&w, &d), "one");
    int few = steps_of_claiming(&w);
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    change(&w, "DROP TRIGGER task_counted_in; BEGIN;"
               "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<120000)"
               "INSERT INTO task (id, key_id, state, model, param, input, created_us, updated_us)"
               " SELECT 'old' || i, 1, 'fail', 'm', '{}', '{}', i, i FROM n;"
               "INSERT INTO delivery (task_id, key_id, url, due_us, created_us)"
               " SELECT id, 1, iif(seq%6, 'https://bad.org/', 'https://full.org/'), 5+created_us%7,"
               " created_us FROM task WHERE id LIKE 'old%'; COMMIT");
    change(&w,
           "UPDATE callback_host SET failures=9, opens=1, open_until_us=ready_us+9000000000000000"
           " WHERE name='bad.org:443'");
    CHECK_HAS("full", take(&w, &d), "old");
    CHECK_HAS("full", take(&w, &d), "old");
    CHECK_STR("nothing else", take(&w, &other), "");
    owe(&w, "two", "https://two.org/");
    owe(&w, "three", "https://full.org/"); /* its host seems ready again, and is not */
    steps_of_claiming(&w);
    CHECK_STR("past them", take(&w, &other), "two");
    int many = steps_of_claiming(&w);
    CHECK_BELOW("steps", many, 6 * few);
    CHECK_INT("next", zt_store_delivery_next_us(w.store, &next, &err), ZT_OK);
    CHECK_INT("the first lease", next, w.now_us + LEASE_US);
    settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
    steps_of_claiming(&w);
    CHECK_HAS("room", take(&w, &d), "old");
    CHECK_BELOW("steps", steps_of_claiming(&w), 6 * few);
    world_clear(&w);
}

/* ---- upgrading ----------------------------------------------------------------------------- */

/* A file as the first version left it: what was pending is sent, what was settled is kept. */
static void upgrades_the_first_version(void)
{
    struct world w;
    struct zt_delivery d;
    sqlite3 *db = NULL;

    world_init(&w);
    zt_store_close(w.store);
    w.store = NULL;
    CHECK_INT("anew", unlink(w.path), 0);
    CHECK_INT("open", sqlite3_open(w.path, &db), SQLITE_OK);
    CHECK_INT("tables", sqlite3_exec(db, zt_sqlite_schema[0], NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT("rows",
              sqlite3_exec(db,
                           "PRAGMA application_id=1515144532; PRAGMA user_version=1;"
                           "INSERT INTO task (id, key_id, model, param, input, created_us,"
                           " updated_us, callback_url) VALUES ('a', 1, 'm', '{}', '{}', 1, 1,"
                           " 'http://A.org/x'), ('b', 1, 'm', '{}', '{}', 2, 2, 'http://a.org:80'),"
                           " ('c', 1, 'm', '{}', '{}', 2, 2, 'https://c.org/');"
                           "UPDATE task SET state='fail', completed_us=5;"
                           "UPDATE delivery SET state='done', attempt=1 WHERE task_id='c';"
                           "INSERT INTO delivery_try VALUES (3, 1, 'done', 200, 'x', 5, 6);"
                           "UPDATE delivery SET attempt=1, due_us=7 WHERE task_id='b'",
                           NULL, NULL, NULL),
              SQLITE_OK);
    sqlite3_close(db);
    CHECK_INT("upgrades", world_open(&w, false, &w.store), ZT_OK);
    CHECK_STR("one host", ask(&w, "SELECT group_concat(name) FROM callback_host"), "a.org:80");
    CHECK_STR("first", take(&w, &d), "a");
    CHECK_STR("second", take(&w, &d), "b");
    CHECK_INT("goes on", d.attempt, 2);
    CHECK_INT("goes on", d.nth, 2);
    CHECK_INT("kept", log_of(&w, "c")->tries[0].result.status, 200);
    CHECK_STR("counted", ask(&w, "SELECT n FROM callback_count WHERE name='done'"), "1");
    CHECK_STR("whole", ask(&w, "PRAGMA integrity_check"), "ok");
    CHECK_STR("whole", ask(&w, "PRAGMA foreign_key_check"), "");
    world_end(&w);
}

/* ---- dying --------------------------------------------------------------------------------- */

#ifdef ZT_FAULTS
static void redeliver_and_die(struct world *w, const char *point)
{
    const uint8_t hash[ZT_SHA256_BYTES] = { 1 };
    int64_t id = 0;
    int n = 0;

    setenv("ZOETROPE_CRASH", point, 1);
    if (world_open(w, false, &w->store) != ZT_OK)
        _exit(1);
    zt_store_key_add(w->store, "k", hash, "h", "one", &id, &err);
    zt_store_redeliver(w->store, "a", 1, &err);
    zt_store_redeliver_failed(w->store, 0, 10, &n, &err);
    zt_store_webhook_rotate(w->store, id, "two", ZT_HOUR_US, &err);
    zt_store_delivery_expire(w->store, INT64_MAX, 10, &n, &err);
    _exit(0);
}

static void a_crash_leaves_before_or_after(void)
{
    static const struct {
        const char *point, *pending, *secret;
    } rows[] = {
        { "store.redeliver:1:kill", "", "one" },
        { "store.redeliver.done:1:kill", "a", "one" },
        { "store.redeliver_failed:1:kill", "a", "one" },
        { "store.redeliver_failed.done:1:kill", "a,b", "one" },
        { "store.webhook_rotate:1:kill", "a,b", "one" },
        { "store.webhook_rotate.done:1:kill", "a,b", "two" },
        { "store.delivery_expire:1:kill", "a,b", "two" },
        { "store.delivery_expire.done:1:kill", "", "two" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct world w;
        struct zt_delivery d;
        int status = 0;
        world_init(&w);
        owe(&w, "a", "https://a.org/");
        CHECK_STR("claim", take(&w, &d), "a");
        settle(&w, &d, ZT_DELIVERY_DONE, ZT_HOST_ALIVE, 0);
        owe(&w, "b", "https://b.org/");
        CHECK_STR("claim", take(&w, &d), "b");
        settle(&w, &d, ZT_DELIVERY_GIVEN_UP, ZT_HOST_ALIVE, 0);
        zt_store_close(w.store);
        w.store = NULL;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            redeliver_and_die(&w, rows[i].point);
        waitpid(pid, &status, 0);
        CHECK(rows[i].point, WIFSIGNALED(status));
        CHECK_INT("reopens", world_open(&w, false, &w.store), ZT_OK);
        CHECK_STR(rows[i].point,
                  ask(&w, "SELECT ifnull(group_concat(task_id), '') FROM delivery"
                          " WHERE state='pending'"),
                  rows[i].pending);
        CHECK_STR(rows[i].point, ask(&w, "SELECT webhook_secret FROM api_key"), rows[i].secret);
        CHECK_STR(rows[i].point, ask(&w, "PRAGMA integrity_check"), "ok");
        world_end(&w);
    }
}
#endif

int main(void)
{
    RUN(names_hosts);
    RUN(limits_what_is_under_way);
    RUN(leaves_a_host_alone);
    RUN(waits_longer_each_time);
    RUN(sends_again);
    RUN(a_redelivery_is_a_probe);
    RUN(sends_failed_ones_again);
    RUN(gives_up_what_waits_too_long);
    RUN(keeps_what_a_try_met);
    RUN(lists);
    RUN(gives_figures);
    RUN(rotates_secrets);
    RUN(costs_the_same_with_many);
    RUN(upgrades_the_first_version);
#ifdef ZT_FAULTS
    RUN(a_crash_leaves_before_or_after);
#endif
    return check_done();
}
