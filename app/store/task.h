/*
 * task.h - a task, its states, and which state may follow which.
 *
 *            claim           start             succeed
 *  WAITING --------> QUEUING -------> GENERATING -------> SUCCESS
 *   ^   |               |                 |
 *   |   +--- cancel ----+-----------------+-------------> FAIL
 *   |                   |                 |                ^
 *   +----- put back ----+-----------------+-- bad input ---+
 *   |                   |                 |                |
 *   +-- lease ran out --+-----------------+----------------+ attempts used up
 *
 * Cancelling takes the lease away: who held it finds that at its next look, and changes nothing.
 */
#ifndef ZT_STORE_TASK_H
#define ZT_STORE_TASK_H

#include "base/error.h"

enum zt_task_state {
    ZT_TASK_WAITING,    /* accepted and durable; nobody works on it */
    ZT_TASK_QUEUING,    /* a worker holds it and fetches the inputs */
    ZT_TASK_GENERATING, /* the engine runs */
    ZT_TASK_SUCCESS,
    ZT_TASK_FAIL,
    ZT_TASK_STATES
};

/* "waiting", "queuing", "generating", "success", "fail": also what the store holds. */
const char *zt_task_state_name(enum zt_task_state state);
bool zt_task_state_parse(const char *name, enum zt_task_state *ret);
bool zt_task_may_become(enum zt_task_state from, enum zt_task_state to);
bool zt_task_is_final(enum zt_task_state state);

#define ZT_TASK_ID_MAX 64

/* Ids are made here; another kind in a store is damage, and no file may get its name. */
bool zt_task_id_names_file(const char *id);

#define ZT_TASK_MAX_ATTEMPTS 3
#define ZT_TASK_CANCELLED    "499" /* fail_code: clients know no sixth state */

/*
 * A row. Strings live in the arena given to the call that returned it, or with the caller where a
 * task is handed in. Times are microseconds UTC, 0 when not set.
 */
struct zt_task {
    const char *id;
    int64_t key_id;
    const char *model;  /* as asked for */
    const char *engine; /* the one that works, or worked, on it; "" before */
    enum zt_task_state state;
    const char *param;        /* JSON text of the request, as recordInfo echoes it */
    const char *input;        /* JSON object a worker reads: every field set, seed drawn */
    const char *callback_url; /* "" for none */
    int attempt;              /* 1 for the first; counts claims */
    const char *worker;       /* who holds the lease, "" for none */
    int64_t lease_us;         /* when it runs out */
    int64_t created_us, started_us, completed_us, updated_us;
    int64_t moved_us;  /* when percent last grew */
    int percent;       /* 0 ... 100 */
    const char *stage; /* "" before the first report */
    int step, steps;
    const char *preview_token; /* the unguessable part of its address; "": nothing to watch */
    int64_t preview;           /* how often what can be watched changed */
    const char *result;        /* JSON object made by the worker; "" before success */
    const char *fail_code;     /* "" unless failed: "422", "500", "501", ... */
    const char *fail_msg;
    const char *file_token; /* the unguessable part of the result's URL; "" before success */
    int64_t files_expire_us;
    int64_t file_bytes;
    bool files_removed;
    const char *size;     /* what its duration depends on beside the model, "720p/5"; "" unknown */
    int64_t credit_milli; /* thousandths of a credit that it has cost; 0 once given back */
};

#endif
