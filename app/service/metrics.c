/*
 * metrics.c - see metrics.h. Requests are counted a row for each route, method and status that was
 * seen: the routes are a few dozen and the rest of the labels are words of ours, so that nobody can
 * make the page grow by asking for strange things.
 */
#include "service/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "service/metrics_text.h"

#define ROWS_MAX     1024
#define PATH_MAX_LOG 256

struct row {
    const char *pattern; /* "" when no route took it */
    const char *method;
    int status;
    int64_t n, took_us;
    int64_t bucket[ZT_STAT_BUCKETS];
};

struct zt_metrics {
    struct zt_metrics_options options;
    int64_t started_us;
    struct zt_store_meter meter;
    atomic_llong counters[ZT_COUNTERS];
    atomic_llong in_bytes, out_bytes;
    pthread_mutex_t mutex; /* guards the rows */
    struct row *rows;
    int rows_n;
};

struct zt_metrics *zt_metrics_new(const struct zt_metrics_options *options)
{
    struct zt_metrics *m = zt_new(struct zt_metrics);

    m->options = *options;
    m->started_us = zt_now_utc_us();
    m->rows = zt_new_array(struct row, ROWS_MAX);
    pthread_mutex_init(&m->mutex, NULL);
    return m;
}

void zt_metrics_free(struct zt_metrics *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->mutex);
    free(m->rows);
    free(m);
}

void zt_metrics_count(struct zt_metrics *m, enum zt_counter which, int64_t n)
{
    if (m != NULL)
        atomic_fetch_add(&m->counters[which], n);
}

struct zt_store_meter *zt_metrics_meter(struct zt_metrics *m)
{
    return &m->meter;
}

/* ---- requests ------------------------------------------------------------------------------ */

static const char *method_of(const struct zt_http_req *req)
{
    static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS" };

    for (size_t i = 0; i < ZT_COUNT(known); i++) {
        if (strcmp(known[i], zt_http_method(req)) == 0)
            return known[i];
    }
    return "other";
}

/* Both strings are static, so that a row is found by their addresses. NULL: there are too many. */
static struct row *row_of(struct zt_metrics *m, const char *pattern, const char *method, int status)
{
    for (int i = 0; i < m->rows_n; i++) {
        struct row *row = &m->rows[i];
        if (row->pattern == pattern && row->method == method && row->status == status)
            return row;
    }
    if (m->rows_n == ROWS_MAX)
        return NULL;
    struct row *row = &m->rows[m->rows_n++];
    *row = (struct row){ .pattern = pattern, .method = method, .status = status };
    return row;
}

/* The address without its query; of one that holds a secret, the route alone. */
static void log_request(struct zt_http_req *req, const struct zt_http_done *done)
{
    char path[PATH_MAX_LOG];
    bool secret = strstr(done->pattern, "{token}") != NULL;

    zt_log_quote(secret ? done->pattern : zt_http_path(req), path, sizeof(path));
    ZT_LOG(INFO, "request",
           "request=%s peer=%s method=%s path=%s status=%d took_us=%" PRId64 " in_bytes=%" PRId64
           " out_bytes=%" PRId64,
           zt_http_id(req), zt_http_peer(req), method_of(req), path, done->status, done->took_us,
           done->in_bytes, done->out_bytes);
}

void zt_metrics_request(struct zt_http_req *req, const struct zt_http_done *done, void *user)
{
    static const char none[] = "";
    struct zt_metrics *m = user;
    const char *pattern = *done->pattern ? done->pattern : none;

    atomic_fetch_add(&m->in_bytes, done->in_bytes);
    atomic_fetch_add(&m->out_bytes, done->out_bytes);
    {
        zt_locked(&m->mutex);
        struct row *row = row_of(m, pattern, method_of(req), done->status);
        if (row != NULL) {
            row->n++;
            row->took_us += done->took_us;
            row->bucket[zt_stat_bucket(done->took_us)]++;
        }
    }
    if (m->options.access_log)
        log_request(req, done);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void write_requests(struct zt_metrics *m, struct zt_text *t)
{
    char labels[256];

    zt_locked(&m->mutex);
    zt_text_head(t, "zoetrope_http_requests_total", "counter",
                 "Requests answered, by route and status; code 0: the client left first.");
    for (int i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];
        (void)zt_format(labels, sizeof(labels), "route=\"%s\",method=\"%s\",code=\"%d\"",
                        row->pattern, row->method, row->status);
        zt_text_int(t, "zoetrope_http_requests_total", labels, row->n);
    }
    zt_text_head(t, "zoetrope_http_request_seconds", "histogram",
                 "Time from a request's headers to the last byte of its answer, by route.");
    for (int i = 0; i < m->rows_n; i++) {
        struct row sum = m->rows[i];
        bool first = true;
        for (int j = 0; j < i && first; j++)
            first = m->rows[j].pattern != sum.pattern;
        for (int j = i + 1; j < m->rows_n && first; j++) {
            const struct row *row = &m->rows[j];
            if (row->pattern != sum.pattern)
                continue;
            sum.took_us += row->took_us;
            for (int b = 0; b < ZT_STAT_BUCKETS; b++)
                sum.bucket[b] += row->bucket[b];
        }
        (void)zt_format(labels, sizeof(labels), "route=\"%s\"", sum.pattern);
        if (first)
            zt_text_histogram(t, "zoetrope_http_request_seconds", labels, sum.bucket, sum.took_us);
    }
}

static void write_counters(struct zt_metrics *m, struct zt_text *t)
{
    static const struct {
        const char *name, *labels, *help; /* help NULL: the same metric as the row before */
    } rows[ZT_COUNTERS] = {
        [ZT_COUNT_WORKERS_STARTED] = { "zoetrope_workers_started_total", "",
                                       "Worker processes started; more than workers: restarts." },
        [ZT_COUNT_WORKERS_DIED] = { "zoetrope_workers_died_total", "",
                                    "Worker processes that ended by themselves." },
        [ZT_COUNT_LEASES_REQUEUED] = { "zoetrope_leases_reaped_total", "outcome=\"requeued\"",
                                       "Leases of workers that died or hung." },
        [ZT_COUNT_LEASES_FAILED] = { "zoetrope_leases_reaped_total", "outcome=\"failed\"", NULL },
        [ZT_COUNT_REFUSED_FULL] = { "zoetrope_refused_disk_full_total", "",
                                    "Requests refused because the disk has no room." },
    };

    for (int i = 0; i < ZT_COUNTERS; i++) {
        if (rows[i].help != NULL)
            zt_text_head(t, rows[i].name, "counter", rows[i].help);
        zt_text_int(t, rows[i].name, rows[i].labels, atomic_load(&m->counters[i]));
    }
    zt_text_one(t, "zoetrope_http_received_bytes_total", "counter", "Bytes of request bodies.",
                atomic_load(&m->in_bytes));
    zt_text_one(t, "zoetrope_http_sent_bytes_total", "counter", "Bytes of the bodies of answers.",
                atomic_load(&m->out_bytes));
}

static void write_meter(struct zt_metrics *m, struct zt_text *t)
{
    int64_t buckets[ZT_STAT_BUCKETS];

    for (int i = 0; i < ZT_STAT_BUCKETS; i++)
        buckets[i] = atomic_load(&m->meter.bucket[i]);
    zt_text_head(t, "zoetrope_store_commit_seconds", "histogram",
                 "Commits of the server process, with their sync to disk.");
    zt_text_histogram(t, "zoetrope_store_commit_seconds", "", buckets,
                      atomic_load(&m->meter.took_us));
    zt_text_one(t, "zoetrope_store_busy_total", "counter",
                "Calls of the server process that found the database locked for too long.",
                atomic_load(&m->meter.busy));
    zt_text_one(t, "zoetrope_store_errors_total", "counter",
                "Calls of the server process that the database refused for another reason.",
                atomic_load(&m->meter.failed));
}

/* The process itself, by the names that client libraries use for it. */
static void write_process(const struct zt_metrics *m, struct zt_text *t)
{
    zt_text_head(t, "zoetrope_build_info", "gauge", "1; the labels say what runs.");
    char labels[128];
    (void)zt_format(labels, sizeof(labels), "version=\"%s\",engine=\"%s\"", ZT_VERSION,
                    m->options.engine);
    zt_text_int(t, "zoetrope_build_info", labels, 1);
    zt_text_head(t, "process_start_time_seconds", "gauge", "Unix time of the start.");
    zt_text_seconds(t, "process_start_time_seconds", "", m->started_us);
    zt_text_process(t);
}

enum zt_code zt_metrics_write(struct zt_metrics *m, struct zt_store *store,
                              const struct zt_metrics_now *now, struct zt_buf *buf,
                              struct zt_err *err)
{
    struct zt_text t = { .buf = buf };

    write_process(m, &t);
    zt_text_now(&t, now);
    write_counters(m, &t);
    write_meter(m, &t);
    write_requests(m, &t);
    ZT_TRY(zt_text_store(&t, store, err));
    if (t.full)
        return zt_fail(err, ZT_E_LIMIT, "the metrics are longer than %zu bytes", buf->limit);
    return ZT_OK;
}
