/*
 * retain.h - the housekeeping thread: leases that ran out each second, old files and old tasks
 * each minute and at the start.
 */
#ifndef ZT_SERVICE_RETAIN_H
#define ZT_SERVICE_RETAIN_H

#include "store/store.h"

struct zt_blobs;
struct zt_config;
struct zt_metrics;
struct zt_retain;

struct zt_retain_options {
    const struct zt_config *config; /* kept */
    struct zt_store_options store;
    struct zt_blobs *blobs;           /* kept */
    void (*requeued)(void *user);     /* tasks wait again */
    void (*callback_due)(void *user); /* tasks failed */
    void *user;
    struct zt_metrics *metrics; /* NULL: nothing is counted; kept */
};

enum zt_code zt_retain_start(const struct zt_retain_options *options, struct zt_retain **ret,
                             struct zt_err *err);
void zt_retain_stop(struct zt_retain *retain); /* NULL is fine */

/*
 * One sweep, as the thread does each minute:
 *   - files whose task's time is over, or that exceed keep-bytes
 *   - finished tasks older than keep-tasks whose files are gone
 *   - temporary files that a crash left behind
 *   - uploads whose time is over, unless an unfinished task names them
 * and, when thorough, as at the start and each hour, with a look at every file:
 *   - results that no task refers to, which a crash or a lost lease left behind
 *   - bytes of uploads that a crash left without a name
 *   - inputs older than keep-files that no unfinished task refers to
 *   - what engines kept of tasks that have ended
 */
enum zt_code zt_retain_sweep(const struct zt_config *config, struct zt_store *store,
                             struct zt_blobs *blobs, bool thorough, struct zt_err *err);

#endif
