/*
 * deliver.h - the threads that POST callbacks: at least once each, signed, retried for days.
 */
#ifndef ZT_SERVICE_DELIVER_H
#define ZT_SERVICE_DELIVER_H

#include "store/deliveries.h"

struct zt_config;
struct zt_deliver;
struct zt_durations;
struct zt_guard;

struct zt_deliver_options {
    const struct zt_config *config; /* kept */
    struct zt_store_options store;  /* its clock decides what is due, too */
    const struct zt_guard *guard;   /* kept */
    const char *public_url;         /* copied */
};

enum zt_code zt_deliver_start(const struct zt_deliver_options *options, struct zt_deliver **ret,
                              struct zt_err *err);

/* A callback may be due now. Any thread. */
void zt_deliver_wake(struct zt_deliver *deliver);

/*
 * Takes on nothing new; what is under way gets grace_us, then is cut off and left for the next
 * start. NULL is fine.
 */
void zt_deliver_stop(struct zt_deliver *deliver, int64_t grace_us);

/*
 * What follows from a try: rc of the request, and its answer's status and Retry-After (-1: none).
 *   2xx                  done
 *   410                  given up: the receiver says that it is gone
 *   all else             again after the try's wait, moved by 20 % either way, and not before
 *                        Retry-After (at most a day); given up when no wait is left
 * `nth` is 1 for the first of a round. A host that did not answer, or with 408, 429 or 5xx, is in
 * trouble. Fills outcome, status, next_us, uncounted and host.
 */
struct zt_delivery_try zt_deliver_judge(const struct zt_durations *waits, int nth, enum zt_code rc,
                                        int status, int64_t retry_after_us, int64_t now_us);

#endif
