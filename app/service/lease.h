/*
 * lease.h - the thread that keeps a worker's lease alive and records how far the work is, and that
 * ends the process when the work stands still: what hangs in an engine cannot be stopped otherwise.
 *
 * One keeper a worker; it has a store handle of its own, so a busy engine never delays a renewal.
 * hold, progress, release and lost are called by the worker's thread.
 */
#ifndef ZT_SERVICE_LEASE_H
#define ZT_SERVICE_LEASE_H

#include "store/store.h"

struct zt_keeper;
struct zt_stop;

/*
 * Renews every renew_us to now + lease_us; progress that changed is recorded each second. Looks a
 * few times a second, reading only, whether the lease still stands. give_up (kept, outlives the
 * keeper) is asked when the lease is lost and reset by the next hold.
 */
enum zt_code zt_keeper_start(const struct zt_store_options *options, int64_t lease_us,
                             int64_t renew_us, struct zt_stop *give_up, struct zt_keeper **ret,
                             struct zt_err *err);
void zt_keeper_stop(struct zt_keeper *keeper); /* NULL is fine */

/* Starts renewing this lease (copied), just claimed. */
void zt_keeper_hold(struct zt_keeper *keeper, const struct zt_lease *lease);

/* What the next renewal records; progress->stage is a static string. */
void zt_keeper_progress(struct zt_keeper *keeper, const struct zt_progress *progress);

/*
 * From now on the progress must change at least every stall_us. Else the task is put back, its
 * attempt counted, and the process ends with ZT_EXIT_STALLED. Until the lease ends. Time in which
 * the whole process slept does not count.
 */
#define ZT_EXIT_STALLED 76
void zt_keeper_watch(struct zt_keeper *keeper, int64_t stall_us);

/* The lease is gone: the work is for nothing and should end. */
bool zt_keeper_lost(const struct zt_keeper *keeper);

/* A task was cancelled, perhaps the one that is held: look now. Any thread. */
void zt_keeper_check(struct zt_keeper *keeper);

/* The task is settled, or about to be: no renewal begins after this returned. */
void zt_keeper_release(struct zt_keeper *keeper);

#endif
