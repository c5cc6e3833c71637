/*
 * batch.h - group commit: many threads add and cancel tasks, one thread writes that, one fsync for
 * all that waited together.
 *
 * The batch owns a write handle and a thread. `done` is called on that thread after the commit,
 * so an answer sent from it tells the truth about the disk. Any thread may add.
 */
#ifndef ZT_STORE_BATCH_H
#define ZT_STORE_BATCH_H

#include "store/store.h"

struct zt_batch;
struct zt_offer;

/* rc ZT_OK: the task is durable. err lives until the call returns. */
typedef void zt_batch_done_fn(void *user, enum zt_code rc, const struct zt_err *err);

enum zt_code zt_batch_open(const struct zt_store_options *options, struct zt_batch **ret,
                           struct zt_err *err);

/* Writes what is queued, then ends. No add may be under way. */
void zt_batch_close(struct zt_batch *batch);

/*
 * Queues one task; its strings must live until done was called, which happens exactly once.
 * ZT_E_LIMIT: too many are queued already; done is not called then.
 */
enum zt_code zt_batch_add(struct zt_batch *batch, const struct zt_task *task,
                          zt_batch_done_fn *done, void *user, struct zt_err *err);

/*
 * The same with an offer (offer.h), which lives as long and is filled when done is called: rc ZT_OK
 * with a replay in it adds no task.
 */
enum zt_code zt_batch_offer(struct zt_batch *batch, const struct zt_task *task,
                            struct zt_offer *offer, zt_batch_done_fn *done, void *user,
                            struct zt_err *err);

/*
 * Queues any other call of the store, on the batch's handle and in its transaction; arg must live
 * until done was called. A call may run again when the transaction was refused, so it keeps what it
 * learns in arg and acts on nothing before done says ZT_OK. Errors as zt_batch_add.
 */
typedef enum zt_code zt_batch_call_fn(struct zt_store *store, void *arg, struct zt_err *err);
enum zt_code zt_batch_call(struct zt_batch *batch, zt_batch_call_fn *call, void *arg,
                           zt_batch_done_fn *done, void *user, struct zt_err *err);

#endif
