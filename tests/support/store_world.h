/*
 * store_world.h - a store in a folder of its own, on a clock that the test sets, and short words
 * for what most tests of it do. One thread.
 */
#ifndef ZT_TESTS_STORE_WORLD_H
#define ZT_TESTS_STORE_WORLD_H

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "check.h"
#include "store/sqlite_db.h"
#include "store/store.h"

static struct zt_err err;
static struct zt_arena arena;

#define START_US INT64_C(1700000000000000)
#define LEASE_US (20 * ZT_SECOND_US)

static struct zt_err err;
static struct zt_arena arena;

struct world {
    char folder[128], path[160];
    int64_t now_us;
    struct zt_clock clock;
    struct zt_store *store;
};

static inline int64_t world_now(void *user)
{
    const struct world *w = user;

    return w->now_us;
}

static inline enum zt_code world_open(struct world *w, bool read_only, struct zt_store **ret)
{
    struct zt_store_options options = {
        .path = w->path, .read_only = read_only, .busy_us = 200 * ZT_MS_US, .clock = &w->clock
    };

    err = (struct zt_err){ 0 };
    return zt_store_open(&options, ret, &err);
}

/* Fills *w in place, for the clock points into it. */
static inline void world_init(struct world *w)
{
    *w = (struct world){ .folder = "/tmp/zt-store-XXXXXX", .now_us = START_US };
    w->clock = (struct zt_clock){ .utc_us = world_now, .user = w };
    if (mkdtemp(w->folder) == NULL)
        abort();
    zt_format(w->path, sizeof(w->path), "%s/zoetrope.db", w->folder);
    CHECK_INT("opens", world_open(w, false, &w->store), ZT_OK);
    if (w->store == NULL) {
        printf("%s (%s)\n", err.msg, err.detail);
        exit(1);
    }
}

static inline void world_clear(struct world *w)
{
    zt_store_close(w->store);
    zt_remove_tree(w->folder, NULL);
    zt_arena_clear(&arena);
}

static inline struct zt_task task_of(const char *id, int64_t key_id, const char *callback_url)
{
    return (struct zt_task){ .id = id,
                             .key_id = key_id,
                             .model = "v1-lite",
                             .param = "{\"model\":\"v1-lite\"}",
                             .input = "{\"prompt\":\"\xE9\x95\x9C\"}",
                             .callback_url = callback_url };
}

static inline void add_for(struct world *w, const char *id, int64_t key_id,
                           const char *callback_url)
{
    struct zt_task task = task_of(id, key_id, callback_url);

    CHECK_INT(id, zt_store_task_add(w->store, &task, &err), ZT_OK);
}

static inline void add(struct world *w, const char *id)
{
    add_for(w, id, 1, "https://example.org/cb");
}

static inline struct zt_task *get(struct world *w, const char *id)
{
    static const struct zt_task none = { .id = "(none)", .fail_msg = "", .worker = "" };
    struct zt_task *task = NULL;

    CHECK_INT(id, zt_store_task_get(w->store, &arena, id, 0, &task, &err), ZT_OK);
    return task ? task : (struct zt_task *)(uintptr_t)&none;
}

static inline const char *state_of(struct world *w, const char *id)
{
    return zt_task_state_name(get(w, id)->state);
}

/* Claims, checks which task it is, and gives its lease. */
static inline struct zt_lease claim(struct world *w, const char *worker, const char *want)
{
    struct zt_task *task = NULL;
    struct zt_lease lease = { .task_id = "", .worker = worker, .attempt = 1 };

    CHECK_INT(want, zt_store_claim(w->store, &arena, worker, LEASE_US, &task, &err), ZT_OK);
    if (task != NULL) {
        CHECK_STR(want, task->id, want);
        lease.task_id = task->id;
        lease.attempt = task->attempt;
    }
    return lease;
}

static const struct zt_result result = { .result = "{\"video\":\"media/a.mp4\"}",
                                         .file_token = "token-a",
                                         .files_expire_us = START_US + ZT_DAY_US,
                                         .file_bytes = 1000 };

static inline void finish(struct world *w, const char *id, const char *token, int64_t expire_us,
                          int64_t bytes)
{
    struct zt_result r = {
        .result = "{}", .file_token = token, .files_expire_us = expire_us, .file_bytes = bytes
    };
    struct zt_lease lease = claim(w, "w", id);

    CHECK_INT(id, zt_store_start(w->store, &lease, "motion", &err), ZT_OK);
    CHECK_INT(id, zt_store_succeed(w->store, &lease, &r, NULL, &err), ZT_OK);
}

/* The text that a statement gives. */
static inline const char *ask(struct world *w, const char *sql)
{
    static char text[4096];
    struct zt_buf buf;

    zt_buf_init(&buf, sizeof(text) - 1);
    CHECK_INT(sql, zt_sqlite_exec(w->store, sql, &buf, &err), ZT_OK);
    zt_format(text, sizeof(text), "%s", buf.data ? buf.data : "");
    zt_buf_clear(&buf);
    return text;
}

static inline void change(struct world *w, const char *sql)
{
    CHECK_INT(sql, zt_sqlite_exec(w->store, sql, NULL, &err), ZT_OK);
}

#endif
