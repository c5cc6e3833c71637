/*
 * queue.h - what is done to the queue from outside: taking a task out of it, and what that looks
 * like to the worker that had it. The general remarks of store.h hold.
 */
#ifndef ZT_STORE_QUEUE_H
#define ZT_STORE_QUEUE_H

#include "store/store.h"

/*
 * Ends a task that is not final yet: FAIL with ZT_TASK_CANCELLED and `reason`, and the callback
 * row, in one transaction. Nobody runs it from then on; a worker that holds it has lost its lease.
 * key_id 0: whoever's it is. *ret_callback (may be NULL): whether a delivery is due now.
 *   ZT_E_NOT_FOUND  no such task, the same for another key's
 *   ZT_E_CONFLICT   it is final already; the message names the state
 */
enum zt_code zt_store_task_cancel(struct zt_store *store, const char *id, int64_t key_id,
                                  const char *reason, bool *ret_callback, struct zt_err *err);

enum zt_lease_look {
    ZT_LEASE_HELD,
    ZT_LEASE_LOST,      /* it ran out, or the task is gone */
    ZT_LEASE_CANCELLED, /* the task was cancelled */
};

/* Whether the lease still stands. Writes nothing and takes no lock that others wait for. */
enum zt_code zt_store_lease_look(struct zt_store *store, const struct zt_lease *lease,
                                 enum zt_lease_look *ret, struct zt_err *err);

#endif
