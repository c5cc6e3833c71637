/* eta.c - the time that a task still needs, by the histories that the store keeps (pace.h). */
#include "api/inside.h"
#include "base/clock.h"

#define FRESH_US (5 * ZT_SECOND_US)

/* Claims the reading of the histories for this thread when they are old. */
static bool must_read(struct zt_api_paces *paces)
{
    zt_locked(&paces->mutex);
    int64_t now_us = zt_now_mono_us();

    if (paces->read_us != 0 && now_us - paces->read_us <= FRESH_US)
        return false;
    paces->read_us = now_us; /* others go on with what there is */
    return true;
}

static void renew(struct zt_api *api)
{
    struct zt_api_paces *kept = &api->paces;
    struct zt_arena arena = { 0 };
    struct zt_pace *paces = NULL;
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    int n = 0;

    if (zt_api_take(api, &store, &err) != ZT_OK)
        return; /* an estimate is not worth an error; the next poll tries again */
    enum zt_code rc = zt_store_paces(store, &arena, &paces, &n, &err);
    zt_api_give(api, store);
    if (rc == ZT_OK) {
        zt_locked(&kept->mutex);
        struct zt_arena old = kept->arena;
        kept->arena = arena;
        kept->paces = paces;
        kept->n = n;
        arena = old;
    }
    zt_arena_clear(&arena);
}

void zt_api_paces_clear(struct zt_api_paces *paces)
{
    zt_arena_clear(&paces->arena);
    pthread_mutex_destroy(&paces->mutex);
}

/* Until a waiting task is claimed: those before it, and half of one that runs; -1: unknown. */
static int64_t wait_us(const struct zt_api *api, const char *engine, int64_t position)
{
    int64_t mean_us = zt_pace_mean_us(api->paces.paces, api->paces.n, engine);
    int64_t workers = api->options.workers > 0 ? api->options.workers : 1;

    if (mean_us <= 0 || position < 0)
        return -1;
    double us = ((double)position + 0.5) * (double)mean_us / (double)workers;
    return us < (double)ZT_DAY_US * 365 ? (int64_t)us : 365 * ZT_DAY_US;
}

struct zt_eta zt_api_eta(struct zt_api *api, const struct zt_api_view *view)
{
    const struct zt_task *task = view->task;
    const char *engine = task->engine && task->engine[0] ? task->engine : api->engine;

    if (zt_task_is_final(task->state))
        return zt_pace_eta(NULL, task, -1, view->now_us);
    if (must_read(&api->paces))
        renew(api);
    zt_locked(&api->paces.mutex);
    const struct zt_pace *pace =
        zt_pace_find(api->paces.paces, api->paces.n, engine, task->model, task->size);
    int64_t wait = task->state == ZT_TASK_WAITING ? wait_us(api, engine, view->position) : 0;
    return zt_pace_eta(pace, task, wait, view->now_us);
}
