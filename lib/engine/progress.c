/* progress.c - see progress.h. */
#include "engine/progress.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

/* Often enough for a smooth bar and a quick stop, seldom enough to cost nothing. */
#define TELL_EVERY_US (100 * ZT_MS_US)

void zt_meter_init(struct zt_meter *meter, const struct zt_sink *sink)
{
    *meter = (struct zt_meter){ .sink = sink, .stage = "" };
}

static enum zt_code stopped(struct zt_meter *meter, struct zt_err *err)
{
    meter->cancelled = true;
    return zt_fail(err, ZT_E_CANCELLED, "the generation was cancelled");
}

static enum zt_code tell(struct zt_meter *meter, int step, int steps, struct zt_err *err)
{
    int percent = meter->from;

    if (meter->cancelled)
        return stopped(meter, err);
    if (steps > 0)
        percent += (int)((int64_t)(meter->to - meter->from) * step / steps);
    if (percent > meter->percent)
        meter->percent = percent;
    meter->told_us = zt_now_mono_us();
    meter->step = step;
    meter->steps = steps;
    if (meter->sink->on_progress == NULL)
        return ZT_OK;
    struct zt_progress progress = { .stage = meter->stage,
                                    .step = step,
                                    .steps = steps,
                                    .percent = meter->percent,
                                    .beat = meter->beat };
    return meter->sink->on_progress(meter->sink->user, &progress) != 0 ? stopped(meter, err)
                                                                       : ZT_OK;
}

enum zt_code zt_meter_stage(struct zt_meter *meter, const char *stage, int to_percent,
                            struct zt_err *err)
{
    zt_assert(to_percent >= meter->to && to_percent <= 100);
    meter->stage = stage;
    meter->from = meter->to;
    meter->to = to_percent;
    return tell(meter, 0, 0, err);
}

enum zt_code zt_meter_step(struct zt_meter *meter, int step, int steps, struct zt_err *err)
{
    if (meter->cancelled)
        return stopped(meter, err);
    if (step < steps && zt_now_mono_us() - meter->told_us < TELL_EVERY_US)
        return ZT_OK;
    return tell(meter, step, steps, err);
}

bool zt_meter_alive(struct zt_meter *meter)
{
    if (meter->cancelled)
        return false;
    meter->beat++;
    if (zt_now_mono_us() - meter->told_us < TELL_EVERY_US)
        return true;
    return tell(meter, meter->step, meter->steps, NULL) == ZT_OK;
}

struct work {
    zt_work_fn *fn;
    void *user;
    struct zt_err err;
    enum zt_code rc;
    pthread_mutex_t mutex; /* guards done */
    pthread_cond_t ended;
    bool done;
};

static void *run_work(void *arg)
{
    struct work *w = arg;

    w->rc = w->fn(w->user, &w->err);
    zt_locked(&w->mutex);
    w->done = true;
    pthread_cond_signal(&w->ended);
    return NULL;
}

/* Waits a moment, or until the work is done: true. */
static bool wait_for(struct work *w)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + TELL_EVERY_US * 1000;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    zt_locked(&w->mutex);
    while (!w->done && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&w->ended, &w->mutex, &until);
    return w->done;
}

static void work_init(struct work *w)
{
    pthread_condattr_t clock;

    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->ended, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&w->mutex, NULL);
}

enum zt_code zt_meter_run(struct zt_meter *meter, zt_work_fn *fn, void *user, struct zt_err *err)
{
    struct work w = { .fn = fn, .user = user };
    enum zt_code rc = ZT_OK;
    pthread_t thread;

    if (meter->cancelled)
        return stopped(meter, err);
    work_init(&w);
    bool threaded = pthread_create(&thread, NULL, run_work, &w) == 0;
    if (!threaded)
        run_work(&w); /* silent for once, but done */
    while (threaded && !wait_for(&w))
        if (rc == ZT_OK)
            rc = tell(meter, 0, 0, err);
    if (threaded)
        pthread_join(thread, NULL);
    pthread_cond_destroy(&w.ended);
    pthread_mutex_destroy(&w.mutex);
    if (rc == ZT_OK && w.rc != ZT_OK && err != NULL)
        *err = w.err;
    return rc != ZT_OK ? rc : w.rc;
}

enum zt_code zt_meter_frame(struct zt_meter *meter, const struct zt_frame *frame, int index,
                            struct zt_err *err)
{
    if (meter->cancelled)
        return stopped(meter, err);
    return meter->sink->on_frame(meter->sink->user, frame, index) != 0 ? stopped(meter, err)
                                                                       : ZT_OK;
}
