/*
 * run.c - see run.h. The order is what makes a crash harmless at any line:
 *
 *   1  inputs are read and checked, the engine starts: nothing but the lease is on record
 *   2  files are written in tmp, synced, and published under names that hold the attempt's number
 *   3  one transaction makes the task succeed, if the lease is still this attempt's
 *
 * A crash before 3 leaves files that nothing refers to, which retain.c removes; a lost lease at 3
 * removes them here. So does one that is lost earlier, as when the task is cancelled: fetching,
 * decoding and the engine end then, and nothing is recorded.
 */
#include "service/run.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/auto.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"
#include "net/fetch.h"
#include "service/config.h"
#include "service/drain.h"
#include "service/lease.h"
#include "service/preview.h"
#include "service/render.h"
#include "service/sandbox.h"
#include "service/scratch.h"
#include "store/pace.h"
#include "store/queue.h"
#include "store/stats.h"

#define FETCH_TRIES    3
#define FETCH_RETRY_US (500 * ZT_MS_US) /* doubled at each further try */
#define SETTLE_TRIES   3
#define FULL_RETRY_US  (250 * ZT_MS_US)
#define STALL_WORK     (864.0 * 480 * 121) /* pixels of 5 seconds of 480p */
#define BLOB_SCHEME    "blob:"
#define TOKEN_BYTES    32
#define BLOB_NAME_MAX  128

enum { VIDEO, POSTER, LAST, FILES };
static const char *const file_suffix[FILES] = { ".mp4", ".jpg", ".last.jpg" };

struct job {
    const struct zt_run *run;
    const struct zt_task *task;
    struct zt_arena *arena;
    struct zt_lease lease;
    struct zt_i2v in;
    struct zt_image image, end_image;
    struct zt_plan plan;
    struct zt_made made;
    char tmp[FILES][PATH_MAX];            /* "" once published or when never made */
    char published[FILES][BLOB_NAME_MAX]; /* "" before */
    char scratch[PATH_MAX];               /* what the engine keeps for another attempt */
    char preview[PATH_MAX];               /* what can be watched meanwhile; "": nothing */
    char preview_token[2 * TOKEN_BYTES + 1];
    int64_t bytes;
    int64_t began_us;   /* monotonic */
    int64_t started_us; /* monotonic; of the engine */
    int told_percent;
    struct zt_pace_run pace; /* reached_us up to told_percent */
    char stage[32];          /* of the engine, "" before it reported one */
    int64_t stage_us;        /* since when, monotonic */
};

static bool must_end(void *user)
{
    const struct job *job = user;

    return zt_keeper_lost(job->run->keeper) || zt_drain_over(job->run->drain);
}

static void report(const struct job *job, const char *stage)
{
    zt_keeper_progress(job->run->keeper, &(struct zt_progress){ .stage = stage });
}

/* ---- how long it takes --------------------------------------------------------------------- */

/* Notes a phase that began at since_us and ends now; written with the end of the attempt. */
static void note(const struct job *job, const char *phase, int64_t since_us)
{
    zt_store_note(job->run->store, phase, zt_now_mono_us() - since_us);
}

/* The engine is at `stage` now; NULL: it is done. */
static void enter_stage(struct job *job, const char *stage)
{
    if (stage != NULL && strcmp(stage, job->stage) == 0)
        return;
    if (job->stage[0] != '\0')
        note(job, job->stage, job->stage_us);
    (void)zt_format(job->stage, sizeof(job->stage), "%s", stage ? stage : "");
    job->stage_us = zt_now_mono_us();
}

/* ---- inputs -------------------------------------------------------------------------------- */

/* An image by URL or by the name of a blob that was sent along, into buf. */
static enum zt_code read_source(const struct job *job, const char *source, struct zt_buf *buf,
                                struct zt_err *err)
{
    int64_t wait_us = FETCH_RETRY_US;

    if (zt_starts_with(source, BLOB_SCHEME)) {
        enum zt_code rc = zt_blobs_get(job->run->blobs, source + strlen(BLOB_SCHEME), buf, err);
        if (rc == ZT_E_NOT_FOUND)
            return zt_fail(err, rc, "the image that was sent along is no longer stored");
        return rc;
    }
    for (int i = 1;; i++) {
        buf->n = 0;
        enum zt_code rc = zt_fetch(job->run->client, source, buf, err);
        if ((rc != ZT_E_NET && rc != ZT_E_TIMEOUT) || i == FETCH_TRIES)
            return rc;
        ZT_LOG(WARN, "fetch_failed", "task=%s try=%d code=%s retry_in_us=%" PRId64 " msg=\"%s\"",
               job->task->id, i, zt_code_name(rc), wait_us, err->msg);
        if (zt_stop_wait(job->run->give_up, wait_us))
            return zt_fail(err, ZT_E_CANCELLED, "fetching was stopped");
        wait_us *= 2;
    }
}

static enum zt_code read_image(const struct job *job, const char *field, const char *source,
                               struct zt_image *ret, struct zt_err *err)
{
    const struct zt_image_limits limits = { .max_bytes =
                                                (size_t)job->run->config->max_image_bytes };
    struct zt_buf buf;

    zt_buf_init(&buf, limits.max_bytes);
    report(job, "fetch");
    int64_t since_us = zt_now_mono_us();
    enum zt_code rc = read_source(job, source, &buf, err);
    zt_crash_point("worker.fetched");
    if (rc == ZT_OK) {
        note(job, "fetch", since_us);
        since_us = zt_now_mono_us();
        report(job, "decode");
        rc = zt_sandbox_decode(buf.data ? buf.data : "", buf.n, &limits, job->run->give_up, ret,
                               err);
        note(job, "decode", since_us);
        zt_crash_point("worker.decoded");
    }
    zt_buf_clear(&buf);
    if (rc != ZT_OK)
        zt_err_prefix(err, "%s", field);
    return rc;
}

static enum zt_code read_inputs(struct job *job, struct zt_err *err)
{
    if (!zt_task_id_names_file(job->task->id))
        return zt_fail(err, ZT_E_INVALID, "the task's id cannot name a file");
    ZT_TRY(zt_i2v_from_input(job->task->input, job->arena, &job->in, err));
    ZT_TRY(read_image(job, "image_url", job->in.image_url, &job->image, err));
    if (job->in.end_image_url != NULL && *job->in.end_image_url != '\0')
        ZT_TRY(read_image(job, "end_image_url", job->in.end_image_url, &job->end_image, err));
    return ZT_OK;
}

/* ---- generating and publishing ------------------------------------------------------------- */

static void note_pace(struct job *job, int percent)
{
    int64_t reached_us = zt_now_mono_us() - job->started_us;

    while (job->told_percent < percent && job->told_percent < ZT_PACE_MARKS - 1)
        job->pace.reached_us[++job->told_percent] = reached_us;
}

static int on_progress(void *user, const struct zt_progress *progress)
{
    struct job *job = user;

    note_pace(job, progress->percent);
    enter_stage(job, progress->stage);
    zt_keeper_progress(job->run->keeper, progress);
    return must_end(user);
}

/* What may take how long follows from how much there is to do. */
static void planned(void *user, const struct zt_plan *plan)
{
    const struct job *job = user;
    double work = (double)plan->width_px * plan->height_px * plan->frames / STALL_WORK;

    zt_keeper_watch(job->run->keeper,
                    (int64_t)((double)job->run->config->stall_us * (work > 1 ? work : 1)));
}

/* There is something new to watch. It is only that: trouble with it is logged and no more. */
static void on_live(void *user)
{
    struct job *job = user;
    struct zt_err err = { 0 };

    if (zt_store_preview(job->run->store, &job->lease, job->preview_token, &err) != ZT_OK)
        ZT_LOG(WARN, "preview_not_recorded", "task=%s msg=\"%s\" detail=\"%s\"", job->task->id,
               err.msg, err.detail);
}

static void log_no_preview(const struct job *job, const struct zt_err *err)
{
    ZT_LOG(WARN, "no_preview", "task=%s msg=\"%s\" detail=\"%s\"", job->task->id, err->msg,
           err->detail);
}

/* Where what can be watched goes; nowhere for an engine that is done before anybody looks. */
static void find_preview(struct job *job)
{
    const struct zt_config *config = job->run->config;
    struct zt_err err = { 0 };

    if (config->preview_every == 0 || strcmp(config->engine, "motion") == 0)
        return;
    enum zt_code rc = zt_make_dirs(job->scratch, 0700, &err);
    if (rc == ZT_OK)
        rc = zt_preview_path(job->run->data, job->task, job->preview, &err);
    if (rc != ZT_OK) {
        job->preview[0] = '\0';
        log_no_preview(job, &err);
        return;
    }
    zt_random_token(job->preview_token, TOKEN_BYTES);
}

static void preview_first(struct job *job, const struct zt_render *render)
{
    struct zt_err err = { 0 };

    report(job, "preview");
    enum zt_code rc = zt_preview_first(render, job->preview, &err);
    if (rc == ZT_OK)
        on_live(job);
    else if (rc != ZT_E_CANCELLED)
        log_no_preview(job, &err);
}

static enum zt_code generate(struct job *job, struct zt_err *err)
{
    const struct zt_config *config = job->run->config;
    const struct zt_request request = {
        .image = &job->image,
        .end_image = job->end_image.pixels ? &job->end_image : NULL,
        .prompt = job->in.prompt,
        .resolution = job->in.resolution,
        .duration_s = job->in.duration_s,
        .camera_fixed = job->in.camera_fixed,
        .seed = job->in.seed,
        .scratch_path = job->scratch,
    };

    ZT_TRY(zt_scratch_path(job->run->data, job->task->id, job->scratch, err));
    for (int i = 0; i < FILES; i++)
        ZT_TRY(
            zt_blobs_tmp(job->run->blobs, file_suffix[i], job->tmp[i], sizeof(job->tmp[i]), err));
    find_preview(job);
    const struct zt_render render = {
        .engine = job->run->engine,
        .request = &request,
        .video_path = job->tmp[VIDEO],
        .poster_path = job->tmp[POSTER],
        .last_path = job->tmp[LAST],
        .preset = config->preset,
        .crf = (int)config->crf,
        .threads = (int)config->threads,
        .comment = zt_arena_printf(job->arena, "engine=%s model=%s seed=%" PRId64 " task=%s",
                                   config->engine, job->task->model, job->in.seed, job->task->id),
        .live_path = job->preview[0] != '\0' ? job->preview : NULL,
        .preview_every = (int)config->preview_every,
        .made = &job->made,
        .on_live = on_live,
        .planned = planned,
        .on_progress = on_progress,
        .must_end = must_end,
        .user = job,
    };
    if (render.live_path != NULL)
        preview_first(job, &render);
    return zt_render(&render, &job->plan, err);
}

static enum zt_code publish(struct job *job, struct zt_err *err)
{
    struct stat st;

    for (int i = 0; i < FILES; i++) {
        char name[BLOB_NAME_MAX];
        if (!zt_format(name, sizeof(name), "media/%s.%d%s", job->task->id, job->task->attempt,
                       file_suffix[i]))
            return zt_fail(err, ZT_E_INTERNAL, "the name of a result file is too long");
        if (stat(job->tmp[i], &st) == 0)
            job->bytes += st.st_size;
        ZT_TRY(zt_blobs_publish(job->run->blobs, job->tmp[i], name, err));
        job->tmp[i][0] = '\0';
        memcpy(job->published[i], name, sizeof(name));
        zt_crash_point("worker.published");
    }
    return ZT_OK;
}

/* ---- recording ----------------------------------------------------------------------------- */

static enum zt_code succeed(struct job *job, bool *ret_callback, struct zt_err *err)
{
    char token[2 * TOKEN_BYTES + 1];
    const struct zt_i2v_result made = {
        .engine = job->run->config->engine,
        .seed = job->in.seed,
        .width_px = job->plan.width_px,
        .height_px = job->plan.height_px,
        .frames = job->plan.frames,
        .fps = job->plan.fps,
        .video = job->published[VIDEO],
        .poster = job->published[POSTER],
        .last_frame = job->published[LAST],
    };

    zt_random_token(token, TOKEN_BYTES);
    const struct zt_result result = {
        .result = zt_i2v_result_json(job->arena, &made),
        .file_token = token,
        .files_expire_us = zt_now_utc_us() + job->run->config->keep_files_us,
        .file_bytes = job->bytes,
        .run = &job->pace,
    };
    note_pace(job, ZT_PACE_MARKS - 1);
    job->pace.total_us = zt_now_mono_us() - job->started_us;
    return zt_store_succeed(job->run->store, &job->lease, &result, ret_callback, err);
}

/* What is recorded about a job that did not succeed, and how that is called. */
static enum zt_code give_up(struct job *job, enum zt_run_end end, const struct zt_err *why,
                            bool *ret_callback, struct zt_err *err)
{
    struct zt_store *store = job->run->store;

    if (end == ZT_RUN_FAILED)
        return zt_store_fail(store, &job->lease, zt_api_fail_code(why->code), why->msg,
                             ret_callback, err);
    /* A full disk is nobody's attempt: the task waits until there is room, however often. */
    bool counts = end == ZT_RUN_RETRY && why->code != ZT_E_FULL;
    return zt_store_put_back(store, &job->lease, counts, why->msg, ret_callback, err);
}

/*
 * Whose trouble it is. An input that is wrong stays wrong; a full disk or a lack of memory may
 * pass; a stop is nobody's.
 */
static enum zt_run_end judge(const struct job *job, enum zt_code rc, bool generating)
{
    if (zt_keeper_lost(job->run->keeper))
        return ZT_RUN_LOST;
    switch (rc) {
    case ZT_E_CANCELLED:
        return ZT_RUN_PUT_BACK;
    case ZT_E_INVALID:
    case ZT_E_UNSUPPORTED:
    case ZT_E_LIMIT:
        return ZT_RUN_FAILED;
    case ZT_E_CORRUPT: /* of an engine: what it made is no video, and would not be another time */
        return ZT_RUN_FAILED;
    case ZT_E_DENIED:
    case ZT_E_NET:
    case ZT_E_TIMEOUT:
    case ZT_E_NOT_FOUND:
        return generating ? ZT_RUN_RETRY : ZT_RUN_FAILED;
    default:
        return ZT_RUN_RETRY;
    }
}

static void log_end(const struct job *job, enum zt_run_end end, const struct zt_err *why)
{
    const char *id = job->task->id;
    int attempt = job->task->attempt;
    int64_t took_us = zt_now_mono_us() - job->began_us;

    switch (end) {
    case ZT_RUN_SUCCEEDED:
        ZT_LOG(INFO, "task_succeeded",
               "task=%s attempt=%d took_us=%" PRId64 " width=%d height=%d frames=%d bytes=%" PRId64
               " passes=%d passes_reused=%d",
               id, attempt, took_us, job->plan.width_px, job->plan.height_px, job->plan.frames,
               job->bytes, job->made.passes, job->made.passes_reused);
        break;
    case ZT_RUN_FAILED:
        ZT_LOG(INFO, "task_failed",
               "task=%s attempt=%d took_us=%" PRId64 " code=%s msg=\"%s\" detail=\"%s\"", id,
               attempt, took_us, zt_code_name(why->code), why->msg, why->detail);
        break;
    case ZT_RUN_RETRY:
        ZT_LOG(WARN, "task_interrupted",
               "task=%s attempt=%d took_us=%" PRId64 " code=%s msg=\"%s\" detail=\"%s\"", id,
               attempt, took_us, zt_code_name(why->code), why->msg, why->detail);
        break;
    case ZT_RUN_PUT_BACK:
        ZT_LOG(INFO, "task_put_back", "task=%s attempt=%d took_us=%" PRId64, id, attempt, took_us);
        break;
    case ZT_RUN_CANCELLED:
        ZT_LOG(INFO, "task_given_up", "task=%s attempt=%d took_us=%" PRId64, id, attempt, took_us);
        break;
    case ZT_RUN_LOST:
        ZT_LOG(WARN, "task_lost", "task=%s attempt=%d took_us=%" PRId64, id, attempt, took_us);
        break;
    }
}

static void remove_files(struct job *job)
{
    for (int i = 0; i < FILES; i++) {
        struct zt_err err = { 0 };
        if (job->tmp[i][0] != '\0')
            unlink(job->tmp[i]);
        if (job->published[i][0] != '\0' &&
            zt_blobs_remove(job->run->blobs, job->published[i], &err) != ZT_OK)
            ZT_LOG(WARN, "file_not_removed", "task=%s detail=\"%s\"", job->task->id, err.detail);
    }
}

/* Kept only for a task that may come back. */
static void forget_scratch(const struct job *job, enum zt_run_end end)
{
    struct zt_err err = { 0 };

    if (job->preview[0] != '\0')
        unlink(job->preview);
    if (job->scratch[0] == '\0' ||
        (end != ZT_RUN_SUCCEEDED && end != ZT_RUN_FAILED && end != ZT_RUN_CANCELLED))
        return;
    if (zt_scratch_remove(job->scratch, &err) != ZT_OK)
        ZT_LOG(WARN, "file_not_removed", "task=%s detail=\"%s\"", job->task->id, err.detail);
}

static enum zt_run_end how_it_was_lost(const struct job *job)
{
    enum zt_lease_look look = ZT_LEASE_LOST;

    (void)!zt_store_lease_look(job->run->store, &job->lease, &look, NULL);
    return look == ZT_LEASE_CANCELLED ? ZT_RUN_CANCELLED : ZT_RUN_LOST;
}

/*
 * Records the end; a database that is busy gets a few more chances while the lease lasts. After a
 * success whose commit cannot be confirmed the files stay: it may have happened.
 */
static enum zt_code settle(struct job *job, enum zt_run_end *end, const struct zt_err *why,
                           bool *ret_callback, struct zt_err *err)
{
    enum zt_code rc = ZT_E_CONFLICT;

    zt_keeper_release(job->run->keeper);
    note(job, "attempt", job->began_us);
    if (*end != ZT_RUN_SUCCEEDED)
        remove_files(job); /* first: on a full disk they may be what is in the way */
    int64_t until_us = zt_now_mono_us() + job->run->config->lease_us / 2;
    for (int i = 0; *end != ZT_RUN_LOST && i < SETTLE_TRIES; i++) {
        rc = *end == ZT_RUN_SUCCEEDED ? succeed(job, ret_callback, err)
                                      : give_up(job, *end, why, ret_callback, err);
        bool waits = rc == ZT_E_FULL && zt_now_mono_us() < until_us &&
                     !zt_stop_wait(job->run->drain->stop, FULL_RETRY_US);
        i -= waits;
        if (!waits && rc != ZT_E_BUSY && rc != ZT_E_IO)
            break;
    }
    zt_crash_point("worker.settled");
    if (rc == ZT_E_CONFLICT)
        *end = how_it_was_lost(job);
    if (*end != ZT_RUN_SUCCEEDED)
        remove_files(job);
    return rc == ZT_E_CONFLICT ? ZT_OK : rc;
}

enum zt_code zt_run_task(const struct zt_run *run, struct zt_arena *arena,
                         const struct zt_task *task, enum zt_run_end *ret, bool *ret_callback,
                         struct zt_err *err)
{
    struct job job = {
        .run = run,
        .task = task,
        .arena = arena,
        .lease = { .task_id = task->id, .worker = run->worker, .attempt = task->attempt },
        .began_us = zt_now_mono_us(),
    };
    struct zt_err why = { 0 };
    enum zt_run_end end = ZT_RUN_SUCCEEDED;
    bool generating = false;

    *ret_callback = false;
    ZT_LOG(INFO, "task_claimed", "task=%s attempt=%d worker=%s", task->id, task->attempt,
           run->worker);
    zt_keeper_hold(run->keeper, &job.lease);
    if (task->attempt == 1)
        zt_store_note(run->store, "waiting", zt_now_utc_us() - task->created_us);
    enum zt_code rc = read_inputs(&job, &why);
    if (rc == ZT_OK) {
        generating = true;
        rc = zt_store_start(run->store, &job.lease, run->config->engine, &why);
        zt_crash_point("worker.started");
        job.started_us = zt_now_mono_us();
        job.pace.inputs_us = job.started_us - job.began_us;
    }
    if (rc == ZT_OK) {
        enter_stage(&job, "prepare");
        rc = generate(&job, &why);
        zt_keeper_watch(run->keeper, 0);
        enter_stage(&job, NULL);
    }
    if (rc == ZT_OK) {
        int64_t since_us = zt_now_mono_us();
        rc = publish(&job, &why);
        note(&job, "publish", since_us);
    }
    zt_image_clear(&job.image);
    zt_image_clear(&job.end_image);
    if (rc != ZT_OK)
        end = rc == ZT_E_CONFLICT ? ZT_RUN_LOST : judge(&job, rc, generating);
    rc = settle(&job, &end, &why, ret_callback, err);
    if (rc == ZT_OK)
        forget_scratch(&job, end);
    if (rc == ZT_OK)
        log_end(&job, end, &why);
    *ret = end;
    return rc;
}
