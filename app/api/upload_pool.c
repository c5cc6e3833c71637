/*
 * upload_pool.c - threads that work uploads through, so that neither the disk nor another host
 * holds up the server's own. See upload.h.
 */
#include <pthread.h>
#include <stdlib.h>

#include "api/upload.h"
#include "base/mem.h"
#include "base/stop.h"
#include "net/client.h"

#define STOPPING "the server is stopping; please try again later"

struct zt_upload_pool {
    struct zt_api *api;
    struct zt_stop *stop; /* asked: ends requests under way, and the threads */
    int threads_n, queue_max;
    pthread_t *threads;

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t more;
    struct zt_upload_work *first, *last;
    int waiting;
    bool closing;
};

/* The next one; NULL: the pool is closing. */
static struct zt_upload_work *take(struct zt_upload_pool *pool)
{
    zt_locked(&pool->mutex);

    while (pool->first == NULL && !pool->closing)
        pthread_cond_wait(&pool->more, &pool->mutex);
    if (pool->closing)
        return NULL;
    struct zt_upload_work *w = pool->first;
    pool->first = w->next;
    if (pool->first == NULL)
        pool->last = NULL;
    pool->waiting--;
    return w;
}

static void *run(void *arg)
{
    struct zt_upload_pool *pool = arg;
    const struct zt_client_options options = {
        .guard = pool->api->options.uploads.guard,
        .ca_file = pool->api->options.uploads.ca_file,
        .stop = pool->stop,
    };
    struct zt_upload_hand hand = { .store = NULL };
    struct zt_upload_work *w;

    if (options.guard != NULL)
        hand.client = zt_client_new(&options);
    while ((w = take(pool)) != NULL)
        zt_upload_run(w, &hand);
    if (hand.client != NULL)
        zt_client_free(hand.client);
    zt_store_close(hand.store);
    return NULL;
}

enum zt_code zt_upload_pool_open(struct zt_api *api, int threads, int queue_max,
                                 struct zt_upload_pool **ret, struct zt_err *err)
{
    struct zt_upload_pool *pool = zt_new(struct zt_upload_pool);

    pool->api = api;
    pool->queue_max = queue_max;
    pool->stop = zt_stop_new();
    pool->threads = zt_new_array(pthread_t, (size_t)threads);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->more, NULL);
    for (; pool->threads_n < threads; pool->threads_n++) {
        int failed = pthread_create(&pool->threads[pool->threads_n], NULL, run, pool);
        if (failed != 0) {
            zt_upload_pool_close(pool);
            return zt_fail_errno(err, failed, "cannot start a thread for", "uploads");
        }
    }
    *ret = pool;
    return ZT_OK;
}

void zt_upload_pool_close(struct zt_upload_pool *pool)
{
    if (pool == NULL)
        return;
    zt_stop_ask(pool->stop);
    {
        zt_locked(&pool->mutex);
        pool->closing = true;
        pthread_cond_broadcast(&pool->more);
    }
    for (int i = 0; i < pool->threads_n; i++)
        pthread_join(pool->threads[i], NULL);
    while (pool->first != NULL) {
        struct zt_upload_work *w = pool->first;
        pool->first = w->next; /* the reply frees it */
        zt_api_reply_status(w->req, 503, 503, STOPPING, NULL);
    }
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->mutex);
    zt_stop_free(pool->stop);
    free(pool->threads);
    free(pool);
}

bool zt_upload_pool_add(struct zt_upload_pool *pool, struct zt_upload_work *w)
{
    zt_locked(&pool->mutex);

    if (pool->closing || pool->waiting >= pool->queue_max)
        return false;
    w->next = NULL;
    if (pool->last != NULL)
        pool->last->next = w;
    else
        pool->first = w;
    pool->last = w;
    pool->waiting++;
    pthread_cond_signal(&pool->more);
    return true;
}
