/*
 * thread.c - see thread.h. Threads sleep on a condition between loops; slices are taken from a
 * shared counter, so a slow core simply takes fewer.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

#define MAX_THREADS 256

struct zt_pool {
    pthread_mutex_t mutex; /* guards what follows up to `next` */
    pthread_cond_t start, done;
    unsigned long loop; /* number of loops started */
    int busy;           /* helpers still inside the current loop */
    bool quit;
    int n, grain;
    zt_slice_fn *fn;
    void *user;
    atomic_int next; /* first index not taken yet */
    int helpers;
    pthread_t thread[MAX_THREADS];
};

int zt_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

static void take_slices(struct zt_pool *pool)
{
    for (;;) {
        int first = atomic_fetch_add(&pool->next, pool->grain);
        if (first >= pool->n)
            return;
        int end = pool->n - first < pool->grain ? pool->n : first + pool->grain;
        pool->fn(pool->user, first, end);
    }
}

static void *helper(void *arg)
{
    struct zt_pool *pool = arg;
    unsigned long seen = 0;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->quit && pool->loop == seen)
            pthread_cond_wait(&pool->start, &pool->mutex);
        if (pool->quit)
            break;
        seen = pool->loop;
        pthread_mutex_unlock(&pool->mutex);
        take_slices(pool);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

struct zt_pool *zt_pool_new(int threads)
{
    struct zt_pool *pool = zt_new(struct zt_pool);

    if (threads <= 0)
        threads = zt_cores();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&pool->thread[pool->helpers], NULL, helper, pool) != 0)
            break; /* fewer threads: slower, not wrong */
        pool->helpers++;
    }
    return pool;
}

void zt_pool_free(struct zt_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->quit = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->helpers; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

int zt_pool_threads(const struct zt_pool *pool)
{
    return pool->helpers + 1;
}

void zt_pool_for(struct zt_pool *pool, int n, int grain, zt_slice_fn *fn, void *user)
{
    if (n <= 0)
        return;
    zt_assert(grain > 0);
    if (pool == NULL) {
        fn(user, 0, n);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->n = n;
    pool->grain = grain;
    pool->fn = fn;
    pool->user = user;
    atomic_store(&pool->next, 0);
    pool->busy = pool->helpers;
    pool->loop++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    take_slices(pool);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
