/*
 * supervise.h - worker processes: started, woken, restarted, and their tasks put back when they
 * die.
 *
 * All calls but wake, cancelled and alive are the main thread's.
 */
#ifndef ZT_SERVICE_SUPERVISE_H
#define ZT_SERVICE_SUPERVISE_H

#include "store/store.h"

struct zt_config;
struct zt_metrics;
struct zt_stop;
struct zt_supervisor;

struct zt_supervise_options {
    const struct zt_config *config;   /* kept */
    struct zt_store_options store;    /* for putting back the tasks of the dead */
    const char *const *worker_argv;   /* kept; NULL at the end; more is added to it */
    void (*callback_due)(void *user); /* a worker finished a task with a callback */
    void (*turned)(void *user);       /* by the main thread, several times a second; may be NULL */
    void *user;
    struct zt_metrics *metrics; /* NULL: nothing is counted; kept */
};

enum zt_code zt_supervisor_new(const struct zt_supervise_options *options,
                               struct zt_supervisor **ret, struct zt_err *err);

/* Kills what is left and frees. NULL is fine. */
void zt_supervisor_free(struct zt_supervisor *supervisor);

/* Worker processes that run. Any thread. */
int zt_supervisor_alive(const struct zt_supervisor *supervisor);

/* There may be work. Any thread, and cheap: many calls become one wake-up. */
void zt_supervisor_wake(struct zt_supervisor *supervisor);

/* A task was cancelled: whoever holds it should look. As wake: any thread, and cheap. */
void zt_supervisor_cancelled(struct zt_supervisor *supervisor);

/* Starts the workers, so that they are there when the server says that it is ready. */
void zt_supervisor_start(struct zt_supervisor *supervisor);

/* Looks after the workers until the stop is asked, then tells them to end. */
void zt_supervisor_run(struct zt_supervisor *supervisor, const struct zt_stop *stop);

/* Waits for the workers to end; kills those that have not after wait_us. */
void zt_supervisor_drain(struct zt_supervisor *supervisor, int64_t wait_us);

#endif
