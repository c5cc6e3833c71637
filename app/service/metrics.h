/*
 * metrics.h - what /metrics says, as the text that Prometheus reads (version 0.0.4).
 *
 * What happens in the server process is counted here, from its start. What workers do is counted in
 * the store, in the transaction that it happens in (store/stats.h), and read from there: it holds
 * over restarts, and no number is lost or counted twice when a process dies.
 *
 * Any thread, all calls.
 */
#ifndef ZT_SERVICE_METRICS_H
#define ZT_SERVICE_METRICS_H

#include "http/server.h"
#include "store/stats.h"

struct zt_metrics;

enum zt_counter {
    ZT_COUNT_WORKERS_STARTED,
    ZT_COUNT_WORKERS_DIED,
    ZT_COUNT_LEASES_REQUEUED, /* reaped: the task waits again */
    ZT_COUNT_LEASES_FAILED,   /* reaped: the task failed */
    ZT_COUNT_REFUSED_FULL,    /* requests refused because the disk is full */
    ZT_COUNTERS
};

struct zt_metrics_options {
    const char *engine; /* kept */
    bool access_log;    /* log each request */
};

struct zt_metrics *zt_metrics_new(const struct zt_metrics_options *options);
void zt_metrics_free(struct zt_metrics *metrics); /* NULL is fine */

/* metrics may be NULL: nothing is counted then. */
void zt_metrics_count(struct zt_metrics *metrics, enum zt_counter which, int64_t n);

/* For zt_store_options of this process. */
struct zt_store_meter *zt_metrics_meter(struct zt_metrics *metrics);

/* For zt_http_options; user is the metrics. */
void zt_metrics_request(struct zt_http_req *req, const struct zt_http_done *done, void *user);

/* What the server knows at the moment of asking. */
struct zt_metrics_now {
    int workers_wanted, workers_alive;
    int64_t disk_free_bytes, disk_bytes, disk_reserve_bytes;
    bool ready, disk_low;
};

/* Appends all of it. ZT_E_LIMIT: buf is too small; else the errors of the store. */
enum zt_code zt_metrics_write(struct zt_metrics *metrics, struct zt_store *store,
                              const struct zt_metrics_now *now, struct zt_buf *buf,
                              struct zt_err *err);

#endif
