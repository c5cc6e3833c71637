/*
 * run.h - one task, from its claim to its end.
 */
#ifndef ZT_SERVICE_RUN_H
#define ZT_SERVICE_RUN_H

#include "base/arena.h"

struct zt_blobs;
struct zt_client;
struct zt_config;
struct zt_drain;
struct zt_engine;
struct zt_keeper;
struct zt_store;
struct zt_stop;
struct zt_task;

/* What a worker runs every task with; all of it is the worker's. */
struct zt_run {
    const struct zt_config *config;
    const char *worker; /* the name its leases are under */
    struct zt_store *store;
    struct zt_blobs *blobs;
    struct zt_client *client;
    struct zt_engine *engine;
    const char *data; /* the data folder, for what an engine keeps between attempts */
    struct zt_keeper *keeper;
    struct zt_drain *drain;
    struct zt_stop *give_up; /* asked: fetching and decoding end at once */
};

enum zt_run_end {
    ZT_RUN_SUCCEEDED,
    ZT_RUN_FAILED,    /* for good: the asker's image or settings */
    ZT_RUN_RETRY,     /* put back, the attempt counted: our trouble, wait before the next task */
    ZT_RUN_PUT_BACK,  /* put back unharmed: a stop was asked for */
    ZT_RUN_LOST,      /* somebody else has the task; nothing was recorded */
    ZT_RUN_CANCELLED, /* so was the task; the same */
};

/*
 * Fetches, decodes, generates, publishes and records the outcome, which it logs. *ret_callback:
 * a delivery is due. Fails only when the outcome could not be recorded; the lease runs out then.
 */
enum zt_code zt_run_task(const struct zt_run *run, struct zt_arena *arena,
                         const struct zt_task *task, enum zt_run_end *ret, bool *ret_callback,
                         struct zt_err *err);

#endif
