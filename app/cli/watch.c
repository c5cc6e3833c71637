/* watch.c - zoetrope tasks watch ID: a bar for a task, until it ends. */
#include "cli/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cli/command.h"
#include "cli/term.h"
#include "service/handles.h"
#include "store/pace.h"

#define LOOK_US (100 * ZT_MS_US)

/* What is left of it by the histories, in seconds; < 0: unknown. The queue is not looked at. */
static double left_s(struct zt_store *store, struct zt_arena *arena, const struct zt_task *task)
{
    struct zt_pace *paces = NULL;
    struct zt_err err = { 0 };
    int n = 0;

    if (task->state == ZT_TASK_WAITING || zt_store_paces(store, arena, &paces, &n, &err) != ZT_OK)
        return -1;
    const struct zt_pace *pace = zt_pace_find(paces, n, task->engine, task->model, task->size);
    struct zt_eta eta = zt_pace_eta(pace, task, -1, zt_now_utc_us());
    return eta.known ? (double)eta.us / (double)ZT_SECOND_US : -1;
}

static void show(struct zt_term *term, struct zt_store *store, struct zt_arena *arena,
                 const struct zt_task *task)
{
    const bool runs = task->state == ZT_TASK_GENERATING && task->stage[0] != '\0';
    const struct zt_progress progress = {
        .stage = runs ? task->stage : zt_task_state_name(task->state),
        .step = task->step,
        .steps = task->steps,
        .percent = task->percent,
    };

    zt_term_progress_left(term, &progress, left_s(store, arena, task));
}

/* How it ended, on standard output: what a script wants to know. */
static int tell_end(const struct zt_task *task)
{
    if (task->state == ZT_TASK_SUCCESS) {
        printf("success %s\n", task->id);
        return ZT_EXIT_OK;
    }
    printf("fail %s %s %s\n", task->id, task->fail_code, task->fail_msg);
    return ZT_EXIT_FAILED;
}

/* A look is one row: cheap enough to be done whether there is news or not. */
static enum zt_code follow(struct zt_store *store, const char *id, struct zt_stop *stop,
                           struct zt_term *term, struct zt_arena *arena, struct zt_task **ret,
                           struct zt_err *err)
{
    do {
        zt_arena_reset(arena);
        ZT_TRY(zt_store_task_get(store, arena, id, 0, ret, err));
        if (zt_task_is_final((*ret)->state))
            return ZT_OK;
        show(term, store, arena, *ret);
    } while (!zt_stop_wait(stop, LOOK_US));
    return zt_fail(err, ZT_E_CANCELLED, "stopped watching; the task goes on");
}

int zt_watch(struct zt_store *store, const char *id)
{
    struct zt_stop *stop = zt_stop_new();
    struct zt_arena arena = { 0 };
    struct zt_task *task = NULL;
    struct zt_err err = { 0 };
    struct zt_term term;
    int status;

    zt_term_init(&term);
    zt_stop_on_signals(stop);
    enum zt_code rc = follow(store, id, stop, &term, &arena, &task, &err);
    zt_term_clear(&term);
    if (rc == ZT_E_NOT_FOUND)
        zt_fail(&err, rc, "there is no task %.80s", id);
    if (rc == ZT_OK)
        status = tell_end(task);
    else
        status = zt_command_failed("tasks watch", &err);
    zt_arena_clear(&arena);
    zt_stop_free(stop);
    return status;
}
