/*
 * The store, as a client's poll sees it: whose key, which task, which place in the queue, at one
 * moment. The reader keeps the head of the queue from poll to poll, so each row asks it twice.
 */
#include <string.h>

#include "store_world.h"

static const uint8_t hash_a[ZT_SHA256_BYTES] = { 1 }, hash_b[ZT_SHA256_BYTES] = { 2 },
                     hash_c[ZT_SHA256_BYTES] = { 3 };

static struct zt_view view(struct zt_store *store, const uint8_t *hash, const char *id)
{
    struct zt_view v = { .key_id = -1 };

    CHECK_INT(id, zt_store_view(store, &arena, hash, id, &v, &err), ZT_OK);
    return v;
}

static void a_view_is_of_the_keys_own_task(void)
{
    struct world w;
    int64_t a = 0;
    int64_t b = 0;
    int64_t fresh = 0;

    world_init(&w);
    zt_store_key_add(w.store, "ann", hash_a, "h", "s", &a, &err);
    zt_store_key_add(w.store, "bea", hash_b, "h", "s", &b, &err);
    add_for(&w, "t", a, "https://example.org/cb");
    finish(&w, "t", "token", START_US + ZT_DAY_US, 9);
    add_for(&w, "u", a, "");
    struct zt_view v = view(w.store, hash_a, "t");
    struct zt_task *whole = get(&w, "t");
    CHECK_INT("whose", v.key_id, a);
    CHECK("there", v.task != NULL);
    CHECK_STR("id", v.task->id, "t");
    CHECK_INT("key", v.task->key_id, a);
    CHECK_STR("model", v.task->model, whole->model);
    CHECK_STR("engine", v.task->engine, "motion");
    CHECK_INT("state", v.task->state, ZT_TASK_SUCCESS);
    CHECK_STR("param", v.task->param, whole->param);
    CHECK_INT("created", v.task->created_us, whole->created_us);
    CHECK_INT("started", v.task->started_us, whole->started_us);
    CHECK_INT("completed", v.task->completed_us, whole->completed_us);
    CHECK_INT("updated", v.task->updated_us, whole->updated_us);
    CHECK_INT("percent", v.task->percent, 100);
    CHECK_STR("stage", v.task->stage, whole->stage);
    CHECK_STR("result", v.task->result, "{}");
    CHECK_STR("no failure", v.task->fail_code, "");
    CHECK_STR("no failure", v.task->fail_msg, "");
    CHECK_STR("token", v.task->file_token, "token");
    CHECK_STR("not told", v.task->input, "");
    CHECK_INT("finished", v.position, 0);
    static const char *const nothing[] = { "", "v", "T", "t ", "\xFF" };
    for (size_t i = 0; i < ZT_COUNT(nothing); i++) {
        v = view(w.store, hash_a, nothing[i]);
        CHECK_INT(nothing[i], v.key_id, a);
        CHECK(nothing[i], v.task == NULL);
    }
    v = view(w.store, hash_b, "t");
    CHECK_INT("another key", v.key_id, b);
    CHECK("sees nothing", v.task == NULL && v.position == 0);
    v = view(w.store, hash_c, "t");
    CHECK_INT("no key", v.key_id, 0);
    CHECK("sees nothing", v.task == NULL);

    zt_store_key_reset(w.store, a, hash_c, "h", &err);
    CHECK_INT("the old secret", view(w.store, hash_a, "t").key_id, 0);
    CHECK("the new secret", view(w.store, hash_c, "t").task != NULL);
    zt_store_key_revoke(w.store, a, &err);
    v = view(w.store, hash_c, "t");
    CHECK_INT("revoked", v.key_id, 0);
    CHECK("revoked", v.task == NULL);
    zt_store_key_add(w.store, "ann", hash_a, "h", "s", &fresh, &err);
    v = view(w.store, hash_a, "t");
    CHECK_INT("a new key of the old name", v.key_id, fresh);
    CHECK("does not inherit", v.task == NULL);
    world_clear(&w);
}

/* Through the handle that writes, and through one that only sees that something was written. */
static void positions(struct world *w, const char *label, const char *id, int64_t want,
                      struct zt_store *reader)
{
    CHECK_INT(label, view(w->store, hash_a, id).position, want);
    CHECK_INT(label, view(reader, hash_a, id).position, want);
    CHECK_INT(label, view(reader, hash_a, id).position, want);
}

static void a_view_tells_the_position(void)
{
    struct world w;
    struct zt_store *reader = NULL;
    int64_t key = 0;

    world_init(&w);
    zt_store_key_add(w.store, "ann", hash_a, "h", "s", &key, &err);
    CHECK_INT("reader", world_open(&w, true, &reader), ZT_OK);
    add_for(&w, "a", key, "");
    positions(&w, "alone", "a", 0, reader);
    for (int i = 0; i < 5; i++)
        add_for(&w, (const char *[]){ "b", "c", "d", "e", "f" }[i], key, "");
    positions(&w, "e", "e", 4, reader);
    struct zt_lease a = claim(&w, "w", "a");
    positions(&w, "a is claimed", "e", 3, reader);
    positions(&w, "a itself", "a", 0, reader);
    CHECK_INT("back", zt_store_put_back(w.store, &a, false, "", NULL, &err), ZT_OK);
    positions(&w, "a is back", "e", 4, reader);
    for (int i = 0; i < 4; i++)
        claim(&w, "w", (const char *[]){ "a", "b", "c", "d" }[i]);
    positions(&w, "e is next", "e", 0, reader);
    positions(&w, "f follows", "f", 1, reader);
    for (int i = 0; i < 150; i++) { /* past what is counted one by one */
        char id[16];
        snprintf(id, sizeof(id), "t%03d", i);
        add_for(&w, id, i >= 50 ? key : key + 1, ""); /* another key takes its turn, and begins */
    }
    positions(&w, "the other key is next", "e", 1, reader);
    positions(&w, "and again", "f", 3, reader);
    positions(&w, "in turns", "t050", 5, reader);
    positions(&w, "in turns, to the last of the other's", "t097", 99, reader);
    positions(&w, "alone from then on", "t098", 100, reader);
    positions(&w, "bounded", "t149", 151, reader);
    claim(&w, "w", "t000");
    positions(&w, "one less", "e", 0, reader);
    positions(&w, "one less", "t097", 98, reader);
    positions(&w, "one less", "t099", 100, reader);
    claim(&w, "w", "e");
    claim(&w, "w", "t001");
    positions(&w, "one more less", "t099", 98, reader);
    zt_store_close(reader);
    world_clear(&w);
}

static void tells_of_damage(void)
{
    static const char *const damage[] = {
        "state='lost'", "param=NULL",        "model=x'00'",
        "percent=101",  "created_us='soon'", "fail_msg=CAST(x'C328' AS TEXT)",
    };
    struct world w;
    struct zt_view v = { .key_id = -1 };
    int64_t key = 0;

    world_init(&w);
    zt_store_key_add(w.store, "ann", hash_a, "h", "s", &key, &err);
    add_for(&w, "a", key, "");
    /* The table without its rules, as on a disk that forgot. */
    change(&w, "PRAGMA foreign_keys=OFF; CREATE TABLE loose AS SELECT * FROM task;"
               "DROP TABLE task; ALTER TABLE loose RENAME TO task");
    for (size_t i = 0; i < ZT_COUNT(damage); i++) {
        char sql[256];
        change(&w, "CREATE TABLE safe AS SELECT * FROM task");
        zt_format(sql, sizeof(sql), "UPDATE task SET %s", damage[i]);
        change(&w, sql);
        CHECK_INT(damage[i], zt_store_view(w.store, &arena, hash_a, "a", &v, &err), ZT_E_CORRUPT);
        CHECK_HAS(damage[i], err.detail, "column");
        CHECK_INT("nothing given", v.key_id, -1);
        change(&w, "DELETE FROM task; INSERT INTO task SELECT * FROM safe; DROP TABLE safe");
    }
    CHECK("whole again", view(w.store, hash_a, "a").task != NULL);
    world_clear(&w);
}

#ifdef ZT_FAULTS
/* At its first row, at the head of the queue, and at each row of that. */
static void a_failing_disk_gives_nothing(void)
{
    struct world w;
    struct zt_store *reader = NULL;
    int64_t key = 0;
    int passes = 0; /* of store_step so far: it is counted in the whole process */
    int failures = 0;

    world_init(&w);
    zt_store_key_add(w.store, "ann", hash_a, "h", "s", &key, &err);
    for (int i = 0; i < 3; i++)
        add_for(&w, (const char *[]){ "a", "b", "c" }[i], key, "");
    CHECK_INT("reader", world_open(&w, true, &reader), ZT_OK);
    for (int at = 1; at < 20; at++) {
        struct zt_view v = { .key_id = -1 };
        char fault[32];
        zt_format(fault, sizeof(fault), "store_step:%d", passes + at);
        setenv("ZOETROPE_FAULT", fault, 1);
        enum zt_code rc = zt_store_view(reader, &arena, hash_a, "c", &v, &err);
        unsetenv("ZOETROPE_FAULT");
        passes += at;
        CHECK_INT(fault, v.key_id, rc == ZT_OK ? key : -1);
        CHECK_INT("goes on", view(reader, hash_a, "c").position, 2);
        CHECK_INT(fault, rc, at == 1 ? ZT_E_IO : rc);
        failures += rc != ZT_OK;
        if (rc == ZT_OK)
            break;
        add(&w, (const char *[]){ "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
                                  "q", "r", "s", "t", "u", "v" }[at - 1]); /* the head is old */
    }
    CHECK("failed at the task and in the queue", failures > 3);
    zt_store_close(reader);
    world_clear(&w);
}
#endif

int main(void)
{
    RUN(a_view_is_of_the_keys_own_task);
    RUN(a_view_tells_the_position);
    RUN(tells_of_damage);
#ifdef ZT_FAULTS
    RUN(a_failing_disk_gives_nothing);
#endif
    return check_done();
}
