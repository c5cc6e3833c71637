/* Taking a task in: repetitions of a request, alone, in one group, and across a crash. */
#include "store/offer.h"

#include <string.h>
#include <sys/wait.h>

#include "store_world.h"

static struct zt_offer offer_of(const char *key, uint8_t request, const char *answer)
{
    return (struct zt_offer){
        .idempotency_key = key, .request_hash = { request }, .answer = answer, .arena = &arena
    };
}

static enum zt_code offer(struct world *w, const char *id, int64_t key_id, struct zt_offer *o)
{
    const struct zt_task task = task_of(id, key_id, "");

    err = (struct zt_err){ 0 };
    return zt_store_task_offer(w->store, &task, o, &err);
}

static void gives_the_first_answer_again(void)
{
    struct world w;
    struct zt_offer first = offer_of("k", 1, "{\"taskId\":\"a\"}");
    struct zt_offer again = offer_of("k", 1, "{\"taskId\":\"b\"}");
    struct zt_offer other = offer_of("k", 2, "{\"taskId\":\"c\"}");
    struct zt_offer hers = offer_of("k", 2, "{\"taskId\":\"d\"}");
    struct zt_offer plain = offer_of(NULL, 1, "{}");

    world_init(&w);
    CHECK_INT("asked first", zt_store_offer_look(w.store, 1, &first, &err), ZT_OK);
    CHECK("not yet", first.replay == NULL);
    CHECK_INT("first", offer(&w, "a", 1, &first), ZT_OK);
    CHECK("first", first.replay == NULL && first.refused == ZT_REFUSED_NOT);
    CHECK_INT("again", offer(&w, "b", 1, &again), ZT_OK);
    CHECK_STR("again", again.replay, "{\"taskId\":\"a\"}");
    CHECK_STR("again", again.replay_task, "a");
    again.replay = NULL;
    CHECK_INT("look", zt_store_offer_look(w.store, 1, &again, &err), ZT_OK);
    CHECK_STR("look", again.replay, "{\"taskId\":\"a\"}");
    CHECK_INT("other", offer(&w, "c", 1, &other), ZT_E_CONFLICT);
    CHECK_INT("other", other.refused, ZT_REFUSED_REUSE);
    CHECK_HAS("other", err.msg, "made task a;");
    CHECK_INT("look", zt_store_offer_look(w.store, 1, &other, &err), ZT_E_CONFLICT);
    CHECK_INT("another API key", offer(&w, "d", 2, &hers), ZT_OK);
    CHECK("another API key", hers.replay == NULL);
    CHECK_INT("none", offer(&w, "e", 1, &plain), ZT_OK);
    CHECK_INT("none", offer(&w, "f", 1, &plain), ZT_OK);
    CHECK_STR("added", ask(&w, "SELECT group_concat(id) FROM (SELECT id FROM task ORDER BY id)"),
              "a,d,e,f");
    world_clear(&w);
}

/* A task that cannot be added leaves no answer behind. */
static void a_refused_task_keeps_no_answer(void)
{
    struct world w;
    struct zt_offer o = offer_of("k", 1, "{}");

    world_init(&w);
    add(&w, "a");
    CHECK_INT("the id is taken", offer(&w, "a", 1, &o), ZT_E_CONFLICT);
    CHECK_INT("not a reuse", o.refused, ZT_REFUSED_NOT);
    CHECK_STR("nothing is kept", ask(&w, "SELECT count(*) FROM idempotency"), "0");
    CHECK_INT("another id", offer(&w, "b", 1, &o), ZT_OK);
    CHECK("is new", o.replay == NULL);
    world_clear(&w);
}

static void one_group_holds_the_first_and_its_repetition(void)
{
    struct world w;
    struct zt_offer first = offer_of("k", 1, "first");
    struct zt_offer again = offer_of("k", 1, "again");
    struct zt_offer other = offer_of("k", 2, "other");

    world_init(&w);
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    CHECK_INT("first", offer(&w, "a", 1, &first), ZT_OK);
    CHECK_INT("again", offer(&w, "b", 1, &again), ZT_OK);
    CHECK_STR("again", again.replay, "first");
    CHECK_INT("other", offer(&w, "c", 1, &other), ZT_E_CONFLICT);
    zt_store_rollback(w.store);
    CHECK_INT("undone together", offer(&w, "d", 1, &other), ZT_OK);
    CHECK("undone together", other.replay == NULL);
    world_clear(&w);
}

static void answers_end_after_a_day_and_go(void)
{
    struct world w;
    char name[16];

    world_init(&w);
    for (int i = 0; i < 6; i++) {
        struct zt_offer o = offer_of(name, 1, "{}");
        zt_format(name, sizeof(name), "%d", i);
        CHECK_INT(name, offer(&w, name, 1, &o), ZT_OK);
    }
    w.now_us += ZT_IDEMPOTENCY_US - 1;
    struct zt_offer o = offer_of("0", 1, "late");
    CHECK_INT("just within", offer(&w, "x", 1, &o), ZT_OK);
    CHECK("just within", o.replay != NULL);
    w.now_us++;
    CHECK_INT("a day old", offer(&w, "x", 1, &o), ZT_OK);
    CHECK("a day old", o.replay == NULL);
    for (int i = 0; i < 3; i++) {
        o = offer_of(name, 1, "{}");
        zt_format(name, sizeof(name), "new%d", i);
        CHECK_INT(name, offer(&w, name, 1, &o), ZT_OK);
    }
    CHECK_STR(
        "the old ones are gone",
        ask(&w, "SELECT group_concat(name) FROM (SELECT name FROM idempotency ORDER BY name)"),
        "0,new0,new1,new2");
    world_clear(&w);
}

#ifdef ZT_FAULTS
/* Dies before and after the commit: the repetition finds nothing, or the whole of it. */
static void survives_a_crash(void)
{
    static const char *const points[] = { "store.task_offer", "store.task_offer.done" };

    for (size_t i = 0; i < ZT_COUNT(points); i++) {
        struct world w;
        struct zt_offer o = offer_of("k", 1, "first");
        char crash[64];
        int status = 0;

        world_init(&w);
        zt_store_close(w.store);
        zt_format(crash, sizeof(crash), "%s:1", points[i]);
        pid_t child = fork();
        if (child == 0) {
            setenv("ZOETROPE_CRASH", crash, 1);
            if (world_open(&w, false, &w.store) == ZT_OK)
                (void)offer(&w, "a", 1, &o);
            _exit(0);
        }
        waitpid(child, &status, 0);
        CHECK_INT(points[i], WEXITSTATUS(status), 137);
        CHECK_INT("opens", world_open(&w, false, &w.store), ZT_OK);
        CHECK_INT("again", offer(&w, "b", 1, &o), ZT_OK);
        CHECK_INT("is known", o.replay != NULL, i == 1);
        CHECK_STR("one task", ask(&w, "SELECT count(*) || max(id) FROM task"),
                  i == 1 ? "1a" : "1b");
        world_clear(&w);
    }
}
#endif

int main(void)
{
    RUN(gives_the_first_answer_again);
    RUN(a_refused_task_keeps_no_answer);
    RUN(one_group_holds_the_first_and_its_repetition);
    RUN(answers_end_after_a_day_and_go);
#ifdef ZT_FAULTS
    RUN(survives_a_crash);
#endif
    return check_done();
}
