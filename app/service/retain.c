/* retain.c - see retain.h. Files go before the record of them: a crash between is swept again. */
#include "service/retain.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "service/config.h"
#include "service/metrics.h"
#include "service/retain_uploads.h"
#include "service/scratch.h"
#include "store/events.h"

#define REAP_US        ZT_SECOND_US
#define SWEEP_US       ZT_MINUTE_US
#define THOROUGH       60               /* every so many sweeps, left-overs are looked for too */
#define BATCH          100              /* tasks handled between two looks at the clock */
#define LEFT_OVER_US   (6 * ZT_HOUR_US) /* older than any running task could need */
#define NAME_MAX_BYTES 192
#define KEEP_EVENTS_US ZT_DAY_US /* for clients that resume; who comes later sees the state */

struct zt_retain {
    struct zt_retain_options options;
    pthread_t thread;
    struct zt_stop *stop;
    struct zt_store *store;
};

/* What a sweep works with; names collects blobs to be removed after the folder was read. */
struct sweep {
    const struct zt_config *config;
    struct zt_store *store;
    struct zt_blobs *blobs;
    struct zt_arena arena, scratch;
    int64_t now_us, older_us;
    bool (*may_go)(struct sweep *s, const char *name); /* NULL: age alone decides */
    const char *names[BATCH];
    int n;
    int removed, failed;
};

static void remove_blob(struct sweep *s, const char *name)
{
    struct zt_err err = { 0 };

    if (zt_blobs_remove(s->blobs, name, &err) == ZT_OK) {
        s->removed++;
        return;
    }
    s->failed++;
    ZT_LOG(WARN, "file_not_removed", "file=%s detail=\"%s\"", name, err.detail);
}

/* ---- results ------------------------------------------------------------------------------- */

static enum zt_code remove_results(struct sweep *s, const char *task_id, struct zt_err *err)
{
    struct zt_task *task = NULL;
    const char *files[3];

    enum zt_code rc = zt_store_task_get(s->store, &s->arena, task_id, 0, &task, err);
    if (rc == ZT_E_NOT_FOUND)
        return ZT_OK;
    ZT_TRY(rc);
    int n = *task->result ? zt_i2v_result_files(task->result, &s->arena, files) : 0;
    for (int i = 0; i < n; i++)
        remove_blob(s, files[i]);
    ZT_TRY(zt_store_files_gone(s->store, task_id, err));
    ZT_LOG(INFO, "files_removed", "task=%s files=%d", task_id, n);
    return ZT_OK;
}

static enum zt_code sweep_results(struct sweep *s, struct zt_err *err)
{
    for (;;) {
        const char **ids = NULL;
        int n = 0;
        zt_arena_reset(&s->arena);
        ZT_TRY(zt_store_files_due(s->store, &s->arena, s->config->keep_bytes,
                                  s->config->keep_least_us, BATCH, &ids, &n, err));
        for (int i = 0; i < n; i++)
            ZT_TRY(remove_results(s, ids[i], err));
        if (n < BATCH)
            return ZT_OK;
    }
}

static enum zt_code sweep_tasks(struct sweep *s, struct zt_err *err)
{
    for (;;) {
        int n = 0;
        ZT_TRY(zt_store_forget(s->store, s->now_us - s->config->keep_tasks_us, BATCH, &n, err));
        if (n > 0)
            ZT_LOG(INFO, "tasks_forgotten", "tasks=%d", n);
        if (n < BATCH)
            return ZT_OK;
    }
}

static enum zt_code sweep_events(struct sweep *s, struct zt_err *err)
{
    int n = BATCH;

    while (n == BATCH)
        ZT_TRY(zt_store_events_forget(s->store, s->now_us - KEEP_EVENTS_US, BATCH, &n, err));
    return ZT_OK;
}

/* ---- left-overs ---------------------------------------------------------------------------- */

/* Whether no task has, or can still get, "media/<id>.<attempt>.<suffix>" as a result. */
static bool is_orphan(struct sweep *s, const char *name)
{
    char id[NAME_MAX_BYTES];
    struct zt_task *task = NULL;
    const char *files[3];
    const char *slash = strchr(name, '/');
    const char *base = slash ? slash + 1 : name;

    if (!zt_format(id, sizeof(id), "%.*s", (int)strcspn(base, "."), base))
        return false;
    zt_arena_reset(&s->scratch);
    enum zt_code rc = zt_store_task_get(s->store, &s->scratch, id, 0, &task, NULL);
    if (rc == ZT_E_NOT_FOUND)
        return true;
    if (rc != ZT_OK || !zt_task_is_final(task->state))
        return false;
    int n = *task->result ? zt_i2v_result_files(task->result, &s->scratch, files) : 0;
    for (int i = 0; i < n && !task->files_removed; i++) {
        if (strcmp(files[i], name) == 0)
            return false;
    }
    return true;
}

/* One page of unfinished tasks: whether one has `name` among its inputs; moves `before` on. */
static bool page_wants(struct sweep *s, enum zt_task_state state, const char *name,
                       char before[ZT_TASK_ID_MAX + 1], int *ret_n)
{
    struct zt_task **tasks = NULL;

    zt_arena_reset(&s->scratch);
    if (zt_store_task_list(s->store, &s->scratch, (int)state, *before ? before : NULL, BATCH,
                           &tasks, ret_n, NULL) != ZT_OK)
        return true; /* not known: keep it */
    for (int i = 0; i < *ret_n; i++) {
        if (strstr(tasks[i]->input, name) != NULL)
            return true;
    }
    if (*ret_n > 0)
        zt_assert(zt_format(before, ZT_TASK_ID_MAX + 1, "%s", tasks[*ret_n - 1]->id));
    return false;
}

/* Whether no unfinished task has the blob among its inputs. */
static bool is_unwanted(struct sweep *s, const char *name)
{
    static const enum zt_task_state states[] = { ZT_TASK_WAITING, ZT_TASK_QUEUING,
                                                 ZT_TASK_GENERATING };

    for (size_t i = 0; i < ZT_COUNT(states); i++) {
        char before[ZT_TASK_ID_MAX + 1] = "";
        for (int n = BATCH; n == BATCH;) {
            if (page_wants(s, states[i], name, before, &n))
                return false;
        }
    }
    return true;
}

static bool collect_old(void *user, const char *name, const struct zt_blob_info *info)
{
    struct sweep *s = user;

    if (info->modified_us < s->now_us - s->older_us && (s->may_go == NULL || s->may_go(s, name)))
        s->names[s->n++] = zt_arena_strdup(&s->arena, name);
    return s->n < BATCH;
}

/* Removes blobs of a part that are older than older_us and may go. */
static enum zt_code sweep_part(struct sweep *s, const char *part, int64_t older_us,
                               bool (*may_go)(struct sweep *s, const char *name),
                               struct zt_err *err)
{
    do {
        s->n = 0;
        s->older_us = older_us;
        s->may_go = may_go;
        zt_arena_reset(&s->arena);
        ZT_TRY(zt_blobs_each(s->blobs, part, collect_old, s, err));
        for (int i = 0; i < s->n; i++)
            remove_blob(s, s->names[i]);
    } while (s->n == BATCH && s->failed == 0);
    return ZT_OK;
}

enum zt_code zt_retain_sweep(const struct zt_config *config, struct zt_store *store,
                             struct zt_blobs *blobs, bool thorough, struct zt_err *err)
{
    struct sweep s = { .config = config, .store = store, .blobs = blobs };

    s.now_us = zt_now_utc_us();
    enum zt_code rc = sweep_results(&s, err);
    if (rc == ZT_OK)
        rc = sweep_tasks(&s, err);
    if (rc == ZT_OK)
        rc = sweep_events(&s, err);
    if (rc == ZT_OK)
        rc = sweep_part(&s, "tmp", LEFT_OVER_US, NULL, err);
    if (rc == ZT_OK && thorough)
        rc = sweep_part(&s, "media", LEFT_OVER_US, is_orphan, err);
    /* A blob that is sent again is written again, so an old one belongs to old tasks only. */
    int64_t keep_us = config->keep_files_us > LEFT_OVER_US ? config->keep_files_us : LEFT_OVER_US;
    if (rc == ZT_OK && thorough)
        rc = sweep_part(&s, "input", keep_us, is_unwanted, err);
    if (rc == ZT_OK)
        rc = zt_retain_uploads(store, blobs, thorough, &s.removed, err);
    if (rc == ZT_OK && thorough && config->data != NULL)
        rc = zt_scratch_sweep(config->data, store, &s.removed, err);
    if (s.removed > 0)
        ZT_LOG(INFO, "files_swept", "files=%d", s.removed);
    zt_arena_clear(&s.arena);
    zt_arena_clear(&s.scratch);
    return rc;
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void log_trouble(const char *what, enum zt_code rc, const struct zt_err *err)
{
    if (rc != ZT_OK && rc != ZT_E_BUSY) /* busy: the next round comes soon */
        ZT_LOG(ERROR, "housekeeping_failed", "what=%s code=%s msg=\"%s\" detail=\"%s\"", what,
               zt_code_name(rc), err->msg, err->detail);
}

static void reap(struct zt_retain *r)
{
    struct zt_err err = { 0 };
    int requeued = 0, failed = 0;

    enum zt_code rc = zt_store_reap(r->store, &requeued, &failed, &err);
    log_trouble("reap", rc, &err);
    if (rc != ZT_OK || requeued + failed == 0)
        return;
    zt_metrics_count(r->options.metrics, ZT_COUNT_LEASES_REQUEUED, requeued);
    zt_metrics_count(r->options.metrics, ZT_COUNT_LEASES_FAILED, failed);
    ZT_LOG(WARN, "leases_ran_out", "requeued=%d failed=%d", requeued, failed);
    if (requeued > 0)
        r->options.requeued(r->options.user);
    if (failed > 0)
        r->options.callback_due(r->options.user);
}

static void *run(void *arg)
{
    struct zt_retain *r = arg;
    int64_t sweep_us = 0;

    for (int sweeps = 0; !zt_stop_asked(r->stop);) {
        reap(r);
        if (zt_now_mono_us() >= sweep_us) {
            struct zt_err err = { 0 };
            enum zt_code rc = zt_retain_sweep(r->options.config, r->store, r->options.blobs,
                                              sweeps++ % THOROUGH == 0, &err);
            log_trouble("sweep", rc, &err);
            sweep_us = zt_now_mono_us() + SWEEP_US;
        }
        zt_stop_wait(r->stop, REAP_US);
    }
    return NULL;
}

enum zt_code zt_retain_start(const struct zt_retain_options *options, struct zt_retain **ret,
                             struct zt_err *err)
{
    struct zt_store *store = NULL;

    ZT_TRY(zt_store_open(&options->store, &store, err));
    struct zt_retain *r = zt_new(struct zt_retain);
    r->options = *options;
    r->store = store;
    r->stop = zt_stop_new();
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        zt_stop_free(r->stop);
        zt_store_close(store);
        free(r);
        return zt_fail(err, ZT_E_IO, "cannot start the housekeeping thread");
    }
    *ret = r;
    return ZT_OK;
}

void zt_retain_stop(struct zt_retain *r)
{
    if (r == NULL)
        return;
    zt_stop_ask(r->stop);
    pthread_join(r->thread, NULL);
    zt_stop_free(r->stop);
    zt_store_close(r->store);
    free(r);
}
