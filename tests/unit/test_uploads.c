/* The names of uploads: who has them, until when, how much they take, and what may go. */
#include "store/uploads.h"

#include "store_world.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char token[ZT_UPLOAD_TOKEN + 1];

/* Adds one that lasts for a day; the token it got is in `token`. */
static enum zt_code put(struct world *w, int64_t key_id, const char *name, const char *sha256,
                        const char *new_token, int64_t bytes, int64_t max_bytes)
{
    const struct zt_upload upload = { .key_id = key_id,
                                      .path = "images",
                                      .name = name,
                                      .token = new_token,
                                      .sha256 = sha256,
                                      .type = "image/png",
                                      .bytes = bytes,
                                      .expires_us = w->now_us + ZT_DAY_US };
    err = (struct zt_err){ 0 };
    return zt_store_upload_add(w->store, &upload, max_bytes, token, &err);
}

static const char *sha_of(struct world *w, const char *of)
{
    struct zt_upload *u = NULL;

    enum zt_code rc = zt_store_upload_find(w->store, &arena, of, &u, &err);
    return rc == ZT_OK ? u->sha256 : rc == ZT_E_NOT_FOUND ? "none" : "error";
}

static const char *total(struct world *w, const char *key)
{
    static struct zt_buf buf;
    char sql[96];

    zt_buf_clear(&buf);
    zt_buf_init(&buf, 256);
    zt_format(sql, sizeof(sql), "SELECT bytes FROM upload_total WHERE key_id=%s", key);
    CHECK_INT(sql, zt_sqlite_exec(w->store, sql, &buf, &err), ZT_OK);
    const char *copy = zt_arena_strdup(&arena, buf.data ? buf.data : "");
    zt_buf_clear(&buf);
    return copy;
}

static int forgotten(struct world *w)
{
    const char **list = NULL;
    int n = -1;

    CHECK_INT("forgets", zt_store_uploads_forget(w->store, &arena, 100, &list, &n, &err), ZT_OK);
    return n;
}

static bool wanted(struct world *w, const char *sha256)
{
    bool ret = false;

    CHECK_INT("asks", zt_store_upload_wanted(w->store, sha256, &ret, &err), ZT_OK);
    return ret;
}

static void keeps_what_was_added(void)
{
    struct world w;
    struct zt_upload *u = NULL;

    world_init(&w);
    CHECK_INT("adds", put(&w, 3, "\xC3\xA9.png", SHA_A, "tok", 5000, 0), ZT_OK);
    CHECK_STR("token", token, "tok");
    CHECK_INT("finds", zt_store_upload_find(w.store, &arena, "tok", &u, &err), ZT_OK);
    CHECK_INT("key", u->key_id, 3);
    CHECK_STR("path", u->path, "images");
    CHECK_STR("name", u->name, "\xC3\xA9.png");
    CHECK_STR("hash", u->sha256, SHA_A);
    CHECK_STR("type", u->type, "image/png");
    CHECK_INT("bytes", u->bytes, 5000);
    CHECK_INT("created", u->created_us, START_US);
    CHECK_INT("expires", u->expires_us, START_US + ZT_DAY_US);
    CHECK_STR("another token", sha_of(&w, "tok2"), "none");
    CHECK_STR("no token", sha_of(&w, ""), "none");
    w.now_us += ZT_DAY_US - 1;
    CHECK_STR("to its end", sha_of(&w, "tok"), SHA_A);
    w.now_us += 1;
    CHECK_STR("not longer", sha_of(&w, "tok"), "none");
    world_clear(&w);
}

static void a_name_leads_to_the_newest_bytes(void)
{
    struct world w;

    world_init(&w);
    CHECK_INT("first", put(&w, 1, "a", SHA_A, "t1", 9000, 0), ZT_OK);
    CHECK_INT("again", put(&w, 1, "a", SHA_A, "t2", 9000, 0), ZT_OK);
    CHECK_STR("same URL", token, "t1");
    CHECK_STR("counted once", total(&w, "1"), "9000");
    CHECK_INT("other bytes", put(&w, 1, "a", SHA_B, "t3", 100, 0), ZT_OK);
    CHECK_STR("same URL", token, "t1");
    CHECK_STR("replaced", sha_of(&w, "t1"), SHA_B);
    CHECK_STR("small ones count as a block; the old one still counts", total(&w, "1"), "13096");
    CHECK_INT("another key", put(&w, 2, "a", SHA_A, "t4", 9000, 0), ZT_OK);
    CHECK_STR("its own URL", token, "t4");
    CHECK_STR("untouched", sha_of(&w, "t1"), SHA_B);
    CHECK_INT("another name", put(&w, 1, "b", SHA_A, "t5", 9000, 0), ZT_OK);
    CHECK_STR("its own URL", token, "t5");

    CHECK_INT("not yet", forgotten(&w), 0);
    w.now_us += ZT_UPLOAD_SETTLE_US;
    CHECK_INT("what was replaced", forgotten(&w), 1);
    CHECK_STR("does not count any more", total(&w, "1"), "13096");
    CHECK_STR("the name stays", sha_of(&w, "t1"), SHA_B);
    w.now_us += 2 * ZT_DAY_US;
    CHECK_INT("a name whose time is over", put(&w, 1, "a", SHA_B, "t6", 100, 0), ZT_OK);
    CHECK_STR("keeps its URL", token, "t1");
    CHECK_STR("lives again", sha_of(&w, "t1"), SHA_B);
    CHECK_INT("the others go", forgotten(&w), 2);
    CHECK_STR("nothing but this", total(&w, "1"), "4096");
    CHECK_STR("nothing", total(&w, "2"), "0");
    world_clear(&w);
}

static void limits_a_key(void)
{
    struct world w;

    world_init(&w);
    CHECK_INT("fits", put(&w, 1, "a", SHA_A, "t1", 6000, 10000), ZT_OK);
    CHECK_INT("too much", put(&w, 1, "b", SHA_B, "t2", 4001, 10000), ZT_E_LIMIT);
    CHECK_HAS("says how much", err.msg, "6000");
    CHECK_HAS("says what is allowed", err.msg, "10000");
    CHECK_INT("a block at least", put(&w, 1, "b", SHA_B, "t2", 1, 10000), ZT_E_LIMIT);
    CHECK_STR("nothing was added", sha_of(&w, "t2"), "none");
    CHECK_INT("replacing counts both", put(&w, 1, "a", SHA_B, "t2", 5000, 10000), ZT_E_LIMIT);
    CHECK_STR("and changed nothing", sha_of(&w, "t1"), SHA_A);
    CHECK_INT("the same again is free", put(&w, 1, "a", SHA_A, "t2", 6000, 10000), ZT_OK);
    CHECK_INT("another key has its own", put(&w, 2, "b", SHA_B, "t3", 6000, 10000), ZT_OK);
    CHECK_INT("no limit", put(&w, 1, "c", SHA_B, "t4", 1 << 30, 0), ZT_OK);
    world_clear(&w);
}

static void knows_what_is_wanted(void)
{
    struct world w;
    struct zt_task task = task_of("t", 1, "");

    world_init(&w);
    CHECK("nobody's", !wanted(&w, SHA_A));
    CHECK_INT("adds", put(&w, 1, "a", SHA_A, "t1", 1, 0), ZT_OK);
    CHECK("a name's", wanted(&w, SHA_A));
    task.input = "{\"image_url\":\"blob:upload/" SHA_A "\"}";
    CHECK_INT("task", zt_store_task_add(w.store, &task, &err), ZT_OK);
    w.now_us += 2 * ZT_DAY_US;
    CHECK_INT("the name goes", forgotten(&w), 1);
    CHECK("a waiting task's", wanted(&w, SHA_A));
    CHECK("not another's", !wanted(&w, SHA_B));
    struct zt_lease lease = claim(&w, "w", "t");
    CHECK("a claimed task's", wanted(&w, SHA_A));
    CHECK_INT("start", zt_store_start(w.store, &lease, "motion", &err), ZT_OK);
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    CHECK("a running task's, inside a transaction", wanted(&w, SHA_A));
    CHECK_INT("commit", zt_store_commit(w.store, &err), ZT_OK);
    CHECK_INT("succeed", zt_store_succeed(w.store, &lease, &result, NULL, &err), ZT_OK);
    CHECK("not a finished one's", !wanted(&w, SHA_A));
    world_clear(&w);
}

static void refuses_damaged_rows(void)
{
    struct world w;

    world_init(&w);
    CHECK_INT("adds", put(&w, 1, "a", SHA_A, "t1", 1, 0), ZT_OK);
    zt_sqlite_exec(w.store, "UPDATE upload SET sha256='../../etc/passwd'", NULL, &err);
    CHECK_STR("not a hash", sha_of(&w, "t1"), "error");
    zt_sqlite_exec(w.store, "UPDATE upload SET sha256='" SHA_A "', bytes=-1", NULL, &err);
    CHECK_STR("not a size", sha_of(&w, "t1"), "error");
    world_clear(&w);
}

int main(void)
{
    RUN(keeps_what_was_added);
    RUN(a_name_leads_to_the_newest_bytes);
    RUN(limits_a_key);
    RUN(knows_what_is_wanted);
    RUN(refuses_damaged_rows);
    return check_done();
}
