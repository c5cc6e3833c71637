/*
 * metrics_text.h - the text format of Prometheus, version 0.0.4, and the parts of it that are read
 * from elsewhere. Private to metrics.c and metrics_text.c.
 *
 * Label values are words of ours: names of routes, states, phases. None needs escaping.
 */
#ifndef ZT_SERVICE_METRICS_TEXT_H
#define ZT_SERVICE_METRICS_TEXT_H

#include "base/buf.h"
#include "store/stats.h"

struct zt_metrics_now;

struct zt_text {
    struct zt_buf *buf;
    bool full; /* something did not fit */
};

void zt_text_head(struct zt_text *t, const char *name, const char *type, const char *help);

/* labels as they stand between the braces; "" for none. */
void zt_text_int(struct zt_text *t, const char *name, const char *labels, int64_t value);
void zt_text_seconds(struct zt_text *t, const char *name, const char *labels, int64_t us);

/* Head and value of a metric without labels. */
void zt_text_one(struct zt_text *t, const char *name, const char *type, const char *help,
                 int64_t value);

/* Counts of each bucket by itself (ZT_STAT_BUCKETS); the format wants them added up. */
void zt_text_histogram(struct zt_text *t, const char *name, const char *labels,
                       const int64_t *buckets, int64_t total_us);

void zt_text_now(struct zt_text *t, const struct zt_metrics_now *now);
void zt_text_process(struct zt_text *t); /* memory, open files */

/* What the store counted and what is in it. */
enum zt_code zt_text_store(struct zt_text *t, struct zt_store *store, struct zt_err *err);

#endif
