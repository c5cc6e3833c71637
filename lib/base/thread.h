/*
 * thread.h - a mutex that cleans up after itself, and a pool that splits a range over threads.
 *
 * The result of a parallel loop must not depend on the thread count: every index is handled by
 * exactly one call, and calls share nothing they write.
 */
#ifndef ZT_BASE_THREAD_H
#define ZT_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

static inline pthread_mutex_t *zt_lock_taken(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    return mutex;
}

static inline void zt_auto_unlock(pthread_mutex_t **mutex)
{
    if (*mutex)
        pthread_mutex_unlock(*mutex);
}

/* Holds the mutex until the end of the scope: zt_locked(&p->mutex); */
#define zt_locked(mutex)                                                                           \
    pthread_mutex_t *zt_lock_guard_ __attribute__((cleanup(zt_auto_unlock), unused)) =             \
        zt_lock_taken(mutex)

struct zt_pool;

/* threads 0: one a core this process may use. The caller's thread is one of them. */
struct zt_pool *zt_pool_new(int threads);
void zt_pool_free(struct zt_pool *pool);
int zt_pool_threads(const struct zt_pool *pool);

/*
 * Calls fn(user, first, end) over slices [first, end) of 0 ... n-1, `grain` indices each, on all
 * threads; returns when all are done. One loop at a time a pool; fn must not start another.
 * pool NULL: all of it in one slice, on this thread.
 */
typedef void zt_slice_fn(void *user, int first, int end);
void zt_pool_for(struct zt_pool *pool, int n, int grain, zt_slice_fn *fn, void *user);

/* Cores this process may use, at least 1. */
int zt_cores(void);

#endif
