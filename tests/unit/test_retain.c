/*
 * Housekeeping: what may go goes, what somebody may still ask for stays. Files are made old by
 * their times; tasks by a clock that the store is given.
 */
#include "service/retain.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/file.h"
#include "base/str.h"
#include "check.h"
#include "service/config.h"

#define ID(letter) "task_bytedance_1700000000000" letter "aaaaaaaaaaaaaaa"

struct world {
    char folder[64], path[96];
    int64_t ago_us; /* how far the store's clock is behind */
    struct zt_clock clock;
    struct zt_store *store;
    struct zt_blobs *blobs;
    struct zt_arena arena;
    struct zt_config config;
    struct zt_err err;
};

static int64_t past(void *user)
{
    const struct world *w = user;

    return zt_now_utc_us() - w->ago_us;
}

static void world_open(struct world *w)
{
    char files[96];

    *w = (struct world){ .folder = "/tmp/zt-retain-XXXXXX" };
    w->clock = (struct zt_clock){ .utc_us = past, .user = w };
    CHECK("folder", mkdtemp(w->folder) != NULL);
    zt_assert(zt_format(w->path, sizeof(w->path), "%s/store.db", w->folder));
    zt_assert(zt_format(files, sizeof(files), "%s/files", w->folder));
    const struct zt_store_options options = { .path = w->path, .clock = &w->clock };
    CHECK_INT("store", zt_store_open(&options, &w->store, &w->err), ZT_OK);
    CHECK_INT("blobs", zt_blobs_open(files, &w->blobs, &w->err), ZT_OK);
    w->config = (struct zt_config){ .keep_files_us = ZT_DAY_US,
                                    .keep_least_us = ZT_HOUR_US,
                                    .keep_tasks_us = 60 * ZT_DAY_US };
}

static void world_close(struct world *w)
{
    zt_arena_clear(&w->arena);
    zt_blobs_close(w->blobs);
    zt_store_close(w->store);
    zt_remove_tree(w->folder, NULL);
}

static void put(struct world *w, const char *name, int64_t age_us)
{
    char path[192];
    int64_t then_us = zt_now_utc_us() - age_us;
    struct timespec times[2] = { { .tv_sec = (time_t)(then_us / ZT_SECOND_US) },
                                 { .tv_sec = (time_t)(then_us / ZT_SECOND_US) } };

    CHECK_INT(name, zt_blobs_put(w->blobs, name, "x", 1, &w->err), ZT_OK);
    zt_assert(zt_format(path, sizeof(path), "%s/files/%s", w->folder, name));
    CHECK_INT(name, utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(struct world *w, const char *name)
{
    char path[192];

    zt_assert(zt_format(path, sizeof(path), "%s/files/%s", w->folder, name));
    return access(path, F_OK) == 0;
}

static void add(struct world *w, const char *id, const char *input)
{
    const struct zt_task task = {
        .id = id, .key_id = 1, .model = "m", .param = "{}", .input = input, .callback_url = ""
    };
    CHECK_INT(id, zt_store_task_add(w->store, &task, &w->err), ZT_OK);
}

/* A finished task with the three files of its first attempt, made ago_us before now. */
static void finish(struct world *w, const char *id, int64_t ago_us, int64_t expire_us)
{
    struct zt_task *task = NULL;
    char video[128], poster[128], last[128];
    const struct zt_lease lease = { id, "w", 1 };

    w->ago_us = ago_us;
    add(w, id, "{}");
    zt_assert(zt_format(video, sizeof(video), "media/%s.1.mp4", id));
    zt_assert(zt_format(poster, sizeof(poster), "media/%s.1.jpg", id));
    zt_assert(zt_format(last, sizeof(last), "media/%s.1.last.jpg", id));
    put(w, video, ago_us);
    put(w, poster, ago_us);
    put(w, last, ago_us);
    const struct zt_i2v_result made = { .engine = "motion",
                                        .width_px = 864,
                                        .height_px = 480,
                                        .frames = 49,
                                        .fps = 24,
                                        .video = video,
                                        .poster = poster,
                                        .last_frame = last };
    const struct zt_result result = { .result = zt_i2v_result_json(&w->arena, &made),
                                      .file_token = id,
                                      .files_expire_us = expire_us,
                                      .file_bytes = 1000 };
    CHECK_INT(id, zt_store_claim(w->store, &w->arena, "w", ZT_MINUTE_US, &task, &w->err), ZT_OK);
    CHECK_INT(id, zt_store_start(w->store, &lease, "motion", &w->err), ZT_OK);
    CHECK_INT(id, zt_store_succeed(w->store, &lease, &result, NULL, &w->err), ZT_OK);
    w->ago_us = 0;
}

static void sweep(struct world *w, bool thorough)
{
    CHECK_INT("sweeps", zt_retain_sweep(&w->config, w->store, w->blobs, thorough, &w->err), ZT_OK);
}

static bool task_is_there(struct world *w, const char *id)
{
    struct zt_task *task = NULL;

    return zt_store_task_get(w->store, &w->arena, id, 0, &task, NULL) == ZT_OK;
}

static void removes_expired_results(void)
{
    struct world w;
    int64_t now_us = zt_now_utc_us();

    world_open(&w);
    finish(&w, ID("a"), 2 * ZT_DAY_US, now_us - ZT_HOUR_US);
    finish(&w, ID("b"), 2 * ZT_DAY_US, now_us + ZT_HOUR_US);
    sweep(&w, true);
    CHECK("expired", !is_there(&w, "media/" ID("a") ".1.mp4") &&
                         !is_there(&w, "media/" ID("a") ".1.jpg") &&
                         !is_there(&w, "media/" ID("a") ".1.last.jpg"));
    CHECK("promised",
          is_there(&w, "media/" ID("b") ".1.mp4") && is_there(&w, "media/" ID("b") ".1.last.jpg"));
    CHECK("the task can be asked about", task_is_there(&w, ID("a")));
    sweep(&w, true); /* nothing is due twice */
    world_close(&w);
}

static void forgets_old_tasks(void)
{
    struct world w;

    world_open(&w);
    finish(&w, ID("a"), 61 * ZT_DAY_US, zt_now_utc_us() - ZT_DAY_US);
    finish(&w, ID("b"), 59 * ZT_DAY_US, zt_now_utc_us() - ZT_DAY_US);
    sweep(&w, false);
    CHECK("old", !task_is_there(&w, ID("a")));
    CHECK("not so old", task_is_there(&w, ID("b")));
    world_close(&w);
}

static void frees_bytes_oldest_first(void)
{
    struct world w;
    int64_t later_us = zt_now_utc_us() + ZT_DAY_US;

    world_open(&w);
    w.config.keep_bytes = 2000;
    finish(&w, ID("a"), 5 * ZT_HOUR_US, later_us);
    finish(&w, ID("b"), 4 * ZT_HOUR_US, later_us);
    finish(&w, ID("c"), 3 * ZT_HOUR_US, later_us);
    sweep(&w, false);
    CHECK("the oldest", !is_there(&w, "media/" ID("a") ".1.mp4"));
    CHECK("only that",
          is_there(&w, "media/" ID("b") ".1.mp4") && is_there(&w, "media/" ID("c") ".1.mp4"));
    w.config.keep_bytes = 1;
    w.config.keep_least_us = ZT_DAY_US;
    sweep(&w, false);
    CHECK("too young", is_there(&w, "media/" ID("b") ".1.mp4"));
    world_close(&w);
}

static void removes_left_overs(void)
{
    struct world w;

    world_open(&w);
    finish(&w, ID("a"), 8 * ZT_HOUR_US, zt_now_utc_us() + ZT_DAY_US);
    add(&w, ID("b"), "{}"); /* still waiting */
    put(&w, "media/" ID("a") ".2.mp4", 7 * ZT_HOUR_US);
    put(&w, "media/" ID("b") ".1.mp4", 7 * ZT_HOUR_US);
    put(&w, "media/" ID("c") ".1.mp4", 7 * ZT_HOUR_US);
    put(&w, "media/" ID("d") ".1.mp4", ZT_HOUR_US);
    put(&w, "tmp/old.mp4", 7 * ZT_HOUR_US);
    put(&w, "tmp/new.mp4", ZT_HOUR_US);
    sweep(&w, false);
    CHECK("old tmp", !is_there(&w, "tmp/old.mp4"));
    CHECK("new tmp", is_there(&w, "tmp/new.mp4"));
    CHECK("not looked at yet", is_there(&w, "media/" ID("c") ".1.mp4"));
    sweep(&w, true);
    CHECK("another attempt's", !is_there(&w, "media/" ID("a") ".2.mp4"));
    CHECK("the result", is_there(&w, "media/" ID("a") ".1.mp4"));
    CHECK("may become a result", is_there(&w, "media/" ID("b") ".1.mp4"));
    CHECK("nobody's", !is_there(&w, "media/" ID("c") ".1.mp4"));
    CHECK("nobody's, but young", is_there(&w, "media/" ID("d") ".1.mp4"));
    world_close(&w);
}

static void keeps_inputs_that_are_wanted(void)
{
    struct world w;

    world_open(&w);
    put(&w, "input/aaaa", 2 * ZT_DAY_US);
    put(&w, "input/bbbb", 2 * ZT_DAY_US);
    put(&w, "input/cccc", ZT_HOUR_US);
    for (int i = 0; i < 250; i++) { /* more than a page of others before it */
        char id[ZT_TASK_ID_MAX + 1];
        zt_assert(zt_format(id, sizeof(id), "task_bytedance_%d", 1000 + i));
        add(&w, id, i == 0 ? "{\"image_url\":\"blob:input/aaaa\"}" : "{}");
    }
    sweep(&w, true);
    CHECK("wanted", is_there(&w, "input/aaaa"));
    CHECK("unwanted", !is_there(&w, "input/bbbb"));
    CHECK("young", is_there(&w, "input/cccc"));
    world_close(&w);
}

static void removes_many(void)
{
    struct world w;

    world_open(&w);
    for (int i = 0; i < 230; i++) {
        char name[64];
        zt_assert(zt_format(name, sizeof(name), "media/task_gone_%d.1.mp4", i));
        put(&w, name, 7 * ZT_HOUR_US);
    }
    sweep(&w, true);
    CHECK("the first", !is_there(&w, "media/task_gone_0.1.mp4"));
    CHECK("the last", !is_there(&w, "media/task_gone_229.1.mp4"));
    world_close(&w);
}

int main(void)
{
    RUN(removes_expired_results);
    RUN(forgets_old_tasks);
    RUN(frees_bytes_oldest_first);
    RUN(removes_left_overs);
    RUN(keeps_inputs_that_are_wanted);
    RUN(removes_many);
    return check_done();
}
