/* Users, limits of keys, credits: the book always sums up to the balance, and is never below 0. */
#include "store/users.h"

#include <string.h>

#include "store/offer.h"
#include "store_world.h"

#define ONE ZT_CREDIT

static const uint8_t hash_a[ZT_SHA256_BYTES] = { 1 }, hash_b[ZT_SHA256_BYTES] = { 2 };

struct accounts {
    int64_t user, key, other; /* two keys of one user */
};

static struct accounts accounts_of(struct world *w, int64_t credit_milli)
{
    struct accounts a = { 0 };
    int64_t balance = 0;

    CHECK_INT("user", zt_store_user_add(w->store, "ann", &a.user, &err), ZT_OK);
    CHECK_INT("credit",
              zt_store_user_set_credit(w->store, a.user, credit_milli, "test", &balance, &err),
              ZT_OK);
    zt_store_key_add(w->store, "a", hash_a, "h", "s", &a.key, &err);
    zt_store_key_add(w->store, "b", hash_b, "h", "s", &a.other, &err);
    CHECK_INT("give", zt_store_key_give(w->store, a.key, a.user, &err), ZT_OK);
    CHECK_INT("give", zt_store_key_give(w->store, a.other, a.user, &err), ZT_OK);
    return a;
}

static struct zt_user *user(struct world *w)
{
    struct zt_user *u = NULL;

    CHECK_INT("there", zt_store_user_by_name(w->store, &arena, "ann", &u, &err), ZT_OK);
    return u;
}

static const struct zt_key_account *account(struct world *w, int64_t id)
{
    struct zt_key *key = NULL;

    CHECK_INT("there", zt_store_key_get(w->store, &arena, id, &key, &err), ZT_OK);
    return key->account;
}

/* Offers a task that costs so much; what it is refused for. */
static enum zt_refusal offer(struct world *w, const char *id, int64_t key_id, int64_t milli)
{
    struct zt_task task = task_of(id, key_id, "");
    struct zt_offer o = { .arena = &arena, .limited = true };

    task.credit_milli = milli;
    err = (struct zt_err){ 0 };
    enum zt_code rc = zt_store_task_offer(w->store, &task, &o, &err);
    CHECK_INT(id, rc, o.refused == ZT_REFUSED_NOT ? ZT_OK : ZT_E_LIMIT);
    return o.refused;
}

static void check_book(struct world *w, const char *label, int64_t balance)
{
    char want[32];

    zt_format(want, sizeof(want), "%lld", (long long)balance);
    CHECK_STR(label, ask(w, "SELECT credit FROM user WHERE name='ann'"), want);
    CHECK_STR(label, ask(w, "SELECT sum(amount) FROM ledger WHERE user_id=2"), want);
}

static void credits_are_read_and_written(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t milli;
        const char *shown;
    } rows[] = {
        { "0", true, 0, "0" },
        { "1", true, 1000, "1" },
        { "4.5", true, 4500, "4.5" },
        { "0.001", true, 1, "0.001" },
        { "0.010", true, 10, "0.01" },
        { "100.100", true, 100100, "100.1" },
        { "1000000000", true, ZT_CREDIT_MAX, "1000000000" },
        { "1000000000.001", false, 0, "" },
        { "1000000001", false, 0, "" },
        { "1.0001", false, 0, "" },
        { "1.", false, 0, "" },
        { ".5", false, 0, "" },
        { "-1", false, 0, "" },
        { "-0.5", false, 0, "" },
        { "+1", false, 0, "" },
        { "1e3", false, 0, "" },
        { "1.5.5", false, 0, "" },
        { "1. 5", false, 0, "" },
        { "", false, 0, "" },
        { "99999999999999999999999999", false, 0, "" },
    };
    char shown[ZT_CREDIT_TEXT];

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int64_t milli = 0;
        CHECK_INT(rows[i].text, zt_credit_parse(rows[i].text, &milli), rows[i].ok);
        CHECK_INT(rows[i].text, milli, rows[i].milli);
        if (rows[i].ok)
            CHECK_STR(rows[i].text, zt_credit_text(milli, shown), rows[i].shown);
    }
    CHECK_STR("negative", zt_credit_text(-1500, shown), "-1.5");
    CHECK_STR("least", zt_credit_text(INT64_MIN, shown), "-9223372036854775.808");
}

/* Every way in which a task fails gives its price back, once; success and putting back do not. */
static void every_failure_gives_back(void)
{
    struct world w;
    struct zt_lease lease;

    world_init(&w);
    struct accounts a = accounts_of(&w, 10 * ONE);
    CHECK_INT("done", offer(&w, "done", a.key, ONE), ZT_REFUSED_NOT);
    finish(&w, "done", "token", START_US + ZT_DAY_US, 9);
    check_book(&w, "success keeps it", 9 * ONE);
    CHECK_INT("stays", get(&w, "done")->credit_milli, ONE);

    offer(&w, "failed", a.key, ONE);
    lease = claim(&w, "w", "failed");
    zt_store_fail(w.store, &lease, "422", "bad", NULL, &err);
    check_book(&w, "fail", 9 * ONE);
    CHECK_INT("fail", get(&w, "failed")->credit_milli, 0);

    offer(&w, "put back", a.key, ONE);
    for (int i = 1; i <= ZT_TASK_MAX_ATTEMPTS; i++) {
        check_book(&w, "tried again", 8 * ONE);
        lease = claim(&w, "w", "put back");
        zt_store_put_back(w.store, &lease, true, "no", NULL, &err);
    }
    check_book(&w, "attempts used up", 9 * ONE);

    offer(&w, "reaped", a.key, ONE);
    for (int i = 1; i <= ZT_TASK_MAX_ATTEMPTS; i++) {
        claim(&w, "w", "reaped");
        w.now_us += LEASE_US;
        zt_store_reap(w.store, NULL, NULL, &err);
    }
    check_book(&w, "reaped", 9 * ONE);

    offer(&w, "orphan", a.key, ONE);
    for (int i = 1; i <= ZT_TASK_MAX_ATTEMPTS; i++) {
        claim(&w, "w", "orphan");
        zt_store_reap_worker(w.store, "w", "died", NULL, NULL, &err);
    }
    check_book(&w, "reaped worker", 9 * ONE);

    offer(&w, "damaged", a.key, ONE);
    change(&w, "UPDATE task SET percent=-5 WHERE id='damaged'");
    struct zt_task *task = NULL;
    CHECK_INT("damaged", zt_store_claim(w.store, &arena, "w", LEASE_US, &task, &err), ZT_E_CORRUPT);
    check_book(&w, "buried", 9 * ONE);
    CHECK_INT("nothing pends", user(&w)->pending, 0);
    CHECK_INT("spent", user(&w)->spent_milli, ONE);
    world_clear(&w);
}

static void never_spends_more_than_there_is(void)
{
    struct world w;
    char id[16];
    int64_t balance = 0;

    world_init(&w);
    struct accounts a = accounts_of(&w, 3500);
    for (int i = 0; i < 6; i++) {
        zt_format(id, sizeof(id), "t%d", i);
        CHECK_INT(id, offer(&w, id, i % 2 ? a.key : a.other, ONE),
                  i < 3 ? ZT_REFUSED_NOT : ZT_REFUSED_CREDITS);
    }
    CHECK_HAS("says", err.msg, "Insufficient Credits: the task costs 1, the balance is 0.5");
    check_book(&w, "what is left", 500);
    CHECK_INT("free ones go on", offer(&w, "free", a.key, 0), ZT_REFUSED_NOT);
    CHECK_INT("exactly", offer(&w, "half", a.key, 500), ZT_REFUSED_NOT);
    check_book(&w, "all of it", 0);
    CHECK_INT("less", zt_store_user_move_credit(w.store, a.user, -1, "no", &balance, &err),
              ZT_E_LIMIT);
    CHECK_INT("more", zt_store_user_move_credit(w.store, a.user, 1, "yes", &balance, &err), ZT_OK);
    check_book(&w, "moved", 1);
    struct zt_task task = task_of("unasked", a.key, ""); /* the last guard is the table's own */
    task.credit_milli = 2;
    CHECK_INT("unasked", zt_store_task_add(w.store, &task, &err), ZT_E_CORRUPT);
    check_book(&w, "as it was", 1);
    world_clear(&w);
}

static void a_balance_begins_right_after_spending_without(void)
{
    struct world w;
    int64_t balance = 0;

    world_init(&w);
    struct accounts a = accounts_of(&w, ZT_CREDIT_NO_LIMIT);
    offer(&w, "a", a.key, 7 * ONE);
    CHECK_INT("none", user(&w)->credit_milli, ZT_CREDIT_NO_LIMIT);
    CHECK_INT("none to move", zt_store_user_move_credit(w.store, a.user, 1, "no", &balance, &err),
              ZT_E_LIMIT);
    CHECK_INT("set", zt_store_user_set_credit(w.store, a.user, 5 * ONE, "now", &balance, &err),
              ZT_OK);
    check_book(&w, "begins", 5 * ONE);
    CHECK_INT("again", zt_store_user_set_credit(w.store, a.user, 5 * ONE, "same", &balance, &err),
              ZT_OK);
    check_book(&w, "the same", 5 * ONE);
    CHECK_STR("two lines", ask(&w, "SELECT group_concat(why) FROM ledger"), "task,now");
    CHECK_INT("nobody", zt_store_user_set_credit(w.store, 99, 5, "", &balance, &err),
              ZT_E_NOT_FOUND);
    CHECK_INT("nobody", zt_store_user_move_credit(w.store, 99, 5, "", &balance, &err),
              ZT_E_NOT_FOUND);
    CHECK_INT("nobody", zt_store_user_limit(w.store, 99, 5, &err), ZT_E_NOT_FOUND);
    world_clear(&w);
}

static void caps_are_of_hours_and_days(void)
{
    struct world w;
    struct zt_key_limits limits = ZT_KEY_LIMITS_NONE;

    world_init(&w);
    struct accounts a = accounts_of(&w, ZT_CREDIT_NO_LIMIT);
    w.now_us = 20000 * ZT_DAY_US + 23 * ZT_HOUR_US; /* the last hour of a day */
    limits.cap_hour_milli = 2 * ONE;
    limits.cap_day_milli = 3 * ONE;
    limits.cap_total_milli = 6 * ONE;
    CHECK_INT("limit", zt_store_key_limit(w.store, a.key, &limits, &err), ZT_OK);
    static const struct {
        const char *label;
        int64_t hours;
        enum zt_refusal want;
        const char *says;
    } rows[] = {
        { "1", 0, ZT_REFUSED_NOT, "" },           { "2", 0, ZT_REFUSED_NOT, "" },
        { "hour", 0, ZT_REFUSED_CAP, "an hour" }, { "3", 1, ZT_REFUSED_NOT, "" },
        { "4", 0, ZT_REFUSED_NOT, "" },           { "hour", 0, ZT_REFUSED_CAP, "an hour" },
        { "5", 1, ZT_REFUSED_NOT, "" },           { "day", 0, ZT_REFUSED_CAP, "a day" },
        { "6", 30, ZT_REFUSED_NOT, "" },          { "all", 30, ZT_REFUSED_CAP, "in all" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char id[32];
        zt_format(id, sizeof(id), "%s%zu", rows[i].label, i);
        w.now_us += rows[i].hours * ZT_HOUR_US;
        CHECK_INT(id, offer(&w, id, a.key, ONE), rows[i].want);
        CHECK_HAS(id, err.msg, rows[i].says);
        CHECK_INT("the other key has none", offer(&w, strcat(id, "b"), a.other, ONE),
                  ZT_REFUSED_NOT);
    }
    /* What is given back later than its hour leaves that hour alone, and makes room in all. */
    change(&w, "UPDATE task SET state='fail', completed_us=created_us WHERE id='10'");
    CHECK_INT("spent", account(&w, a.key)->spent_milli, 5 * ONE);
    CHECK_INT("again", offer(&w, "again", a.key, ONE), ZT_REFUSED_NOT);
    CHECK_INT("this hour", account(&w, a.key)->spent_hour_milli, ONE);
    world_clear(&w);
}

static void the_queue_of_a_user_is_of_all_its_keys(void)
{
    struct world w;

    world_init(&w);
    struct accounts a = accounts_of(&w, ZT_CREDIT_NO_LIMIT);
    CHECK("free", !account(&w, a.key)->is_limited);
    zt_store_user_limit(w.store, a.user, 2, &err);
    CHECK("limited", account(&w, a.key)->is_limited);
    CHECK_INT("1", offer(&w, "a", a.key, 0), ZT_REFUSED_NOT);
    CHECK_INT("2", offer(&w, "b", a.other, 0), ZT_REFUSED_NOT);
    CHECK_INT("3", offer(&w, "c", a.key, 0), ZT_REFUSED_QUEUE);
    struct zt_lease lease = claim(&w, "w", "a");
    CHECK_INT("running counts", offer(&w, "c", a.key, 0), ZT_REFUSED_QUEUE);
    zt_store_fail(w.store, &lease, "422", "bad", NULL, &err);
    CHECK_INT("ended does not", offer(&w, "c", a.key, 0), ZT_REFUSED_NOT);
    CHECK_INT("pending", user(&w)->pending, 2);
    CHECK_INT("of the key", account(&w, a.key)->pending, 1);
    change(&w, "DELETE FROM task WHERE id='c'");
    CHECK_INT("pending", user(&w)->pending, 1);
    world_clear(&w);
}

static void limits_of_a_key(void)
{
    struct world w;
    struct zt_key *key = NULL;
    struct zt_view view;
    const struct zt_key_limits limits = { .rate_n = 5,
                                          .rate_window_us = ZT_SECOND_US,
                                          .cap_hour_milli = ZT_CREDIT_NO_LIMIT,
                                          .cap_day_milli = 0,
                                          .cap_total_milli = 3,
                                          .allow_ip = "10.0.0.0/8",
                                          .expires_us = START_US + ZT_HOUR_US };

    world_init(&w);
    struct accounts a = accounts_of(&w, ZT_CREDIT_NO_LIMIT);
    CHECK_INT("set", zt_store_key_limit(w.store, a.key, &limits, &err), ZT_OK);
    const struct zt_key_limits *got = &account(&w, a.key)->limits;
    CHECK_INT("rate", got->rate_n, 5);
    CHECK_INT("window", got->rate_window_us, ZT_SECOND_US);
    CHECK_INT("hour", got->cap_hour_milli, ZT_CREDIT_NO_LIMIT);
    CHECK_INT("day", got->cap_day_milli, 0);
    CHECK_INT("total", got->cap_total_milli, 3);
    CHECK_STR("from", got->allow_ip, "10.0.0.0/8");
    CHECK_INT("expires", got->expires_us, START_US + ZT_HOUR_US);
    CHECK_INT("any", offer(&w, "a", a.key, 1), ZT_REFUSED_CAP);
    CHECK_INT("view", zt_store_view(w.store, &arena, hash_a, "a", &view, &err), ZT_OK);
    CHECK_STR("view", view.allow_ip, "10.0.0.0/8");
    w.now_us += ZT_HOUR_US - 1;
    CHECK_INT("until then", zt_store_key_find(w.store, &arena, hash_a, &key, &err), ZT_OK);
    w.now_us++;
    CHECK_INT("then", zt_store_key_find(w.store, &arena, hash_a, &key, &err), ZT_E_NOT_FOUND);
    CHECK_INT("view", zt_store_view(w.store, &arena, hash_a, "a", &view, &err), ZT_OK);
    CHECK_INT("view", view.key_id, 0);
    CHECK_INT("the other", zt_store_key_find(w.store, &arena, hash_b, &key, &err), ZT_OK);
    zt_store_key_revoke(w.store, a.other, &err);
    CHECK_INT("revoked", zt_store_key_limit(w.store, a.other, &limits, &err), ZT_E_NOT_FOUND);
    CHECK_INT("keys in use", user(&w)->keys, 1);
    CHECK_INT("nobody's", zt_store_key_give(w.store, a.key, 99, &err), ZT_E_NOT_FOUND);
    change(&w, "UPDATE api_key SET used_us=1");
    CHECK_INT("used", zt_store_key_give(w.store, a.key, 1, &err), ZT_E_NOT_FOUND);
    CHECK_INT("taken", zt_store_user_add(w.store, "ann", &a.user, &err), ZT_E_CONFLICT);
    world_clear(&w);
}

static void the_book_is_read_from_its_end(void)
{
    struct world w;
    struct zt_ledger_line *lines = NULL;
    int n = 0;

    world_init(&w);
    struct accounts a = accounts_of(&w, 9 * ONE);
    offer(&w, "a", a.key, ONE);
    offer(&w, "b", a.other, 2 * ONE);
    CHECK_INT("list", zt_store_ledger(w.store, &arena, a.user, 2, &lines, &n, &err), ZT_OK);
    CHECK_INT("n", n, 2);
    CHECK_STR("last", lines[0].task_id, "b");
    CHECK_INT("last", lines[0].amount_milli, -2 * ONE);
    CHECK_INT("last", lines[0].key_id, a.other);
    CHECK_STR("before", lines[1].task_id, "a");
    CHECK_STR("why", lines[1].why, "task");
    CHECK_INT("all", zt_store_ledger(w.store, &arena, a.user, 9, &lines, &n, &err), ZT_OK);
    CHECK_INT("all", n, 3);
    CHECK_INT("default's", zt_store_ledger(w.store, &arena, 1, 9, &lines, &n, &err), ZT_OK);
    CHECK_INT("default's", n, 0);
    world_clear(&w);
}

int main(void)
{
    RUN(credits_are_read_and_written);
    RUN(every_failure_gives_back);
    RUN(never_spends_more_than_there_is);
    RUN(a_balance_begins_right_after_spending_without);
    RUN(caps_are_of_hours_and_days);
    RUN(the_queue_of_a_user_is_of_all_its_keys);
    RUN(limits_of_a_key);
    RUN(the_book_is_read_from_its_end);
    return check_done();
}
