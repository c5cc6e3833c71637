/* ahead.c - see ahead.h. */
#include "engine/ahead.h"

#include <pthread.h>

#include "base/fault.h"
#include "base/thread.h"
#include "engine/progress.h"

struct ahead {
    struct zt_frame_buf *buf; /* frame i is in buffer i % ZT_AHEAD_FRAMES */
    int first, end;
    zt_draw_fn *draw;
    void *user;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t change;
    int drawn, taken; /* frames [first, drawn) are drawn, [first, taken) handed on */
    enum zt_code rc;  /* of drawing; `drawn` stops where it failed */
    bool stop;
    struct zt_err err;
};

/* Waits for a free buffer; false when no more frames are wanted. */
static bool wait_for_room(struct ahead *a)
{
    zt_locked(&a->mutex);
    while (!a->stop && a->drawn - a->taken == ZT_AHEAD_FRAMES)
        pthread_cond_wait(&a->change, &a->mutex);
    return !a->stop;
}

static void *draw_all(void *arg)
{
    struct ahead *a = arg;
    enum zt_code rc = ZT_OK;

    for (int i = a->first; i < a->end && rc == ZT_OK && wait_for_room(a); i++) {
        rc = a->draw(a->user, i, &a->buf[i % ZT_AHEAD_FRAMES], &a->err);
        zt_locked(&a->mutex);
        a->rc = rc;
        a->drawn += rc == ZT_OK;
        pthread_cond_signal(&a->change);
    }
    return NULL;
}

/* Waits for frame i; what drawing it gave. */
static enum zt_code wait_for_frame(struct ahead *a, int i)
{
    zt_locked(&a->mutex);
    while (a->drawn <= i && a->rc == ZT_OK)
        pthread_cond_wait(&a->change, &a->mutex);
    return a->drawn > i ? ZT_OK : a->rc;
}

static void give_back(struct ahead *a)
{
    zt_locked(&a->mutex);
    a->taken++;
    pthread_cond_signal(&a->change);
}

static enum zt_code hand_on(struct zt_meter *meter, const struct ahead *a, int i,
                            struct zt_err *err)
{
    zt_crash_point("motion.frame");
    ZT_TRY(zt_meter_frame(meter, &a->buf[i % ZT_AHEAD_FRAMES].view, i, err));
    return zt_meter_step(meter, i + 1 - a->first, a->end - a->first, err);
}

static enum zt_code run_threaded(struct zt_meter *meter, struct ahead *a, pthread_t thread,
                                 struct zt_err *err)
{
    enum zt_code rc = ZT_OK;
    bool undrawn = false;

    for (int i = a->first; i < a->end && rc == ZT_OK; i++) {
        rc = wait_for_frame(a, i);
        undrawn = rc != ZT_OK;
        if (rc == ZT_OK)
            rc = hand_on(meter, a, i, err);
        give_back(a);
    }
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_signal(&a->change);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(thread, NULL);
    if (undrawn && err != NULL)
        *err = a->err;
    return rc;
}

/* No thread to be had: slower, not wrong. */
static enum zt_code run_alone(struct zt_meter *meter, struct ahead *a, struct zt_err *err)
{
    for (int i = a->first; i < a->end; i++) {
        ZT_TRY(a->draw(a->user, i, &a->buf[i % ZT_AHEAD_FRAMES], err));
        ZT_TRY(hand_on(meter, a, i, err));
    }
    return ZT_OK;
}

enum zt_code zt_ahead_run(struct zt_meter *meter, struct zt_frame_buf buf[ZT_AHEAD_FRAMES],
                          int first, int end, zt_draw_fn *draw, void *user, struct zt_err *err)
{
    struct ahead a = { .buf = buf,
                       .first = first,
                       .end = end,
                       .draw = draw,
                       .user = user,
                       .drawn = first,
                       .taken = first };
    pthread_t thread;

    pthread_mutex_init(&a.mutex, NULL);
    pthread_cond_init(&a.change, NULL);
    bool threaded = pthread_create(&thread, NULL, draw_all, &a) == 0;
    enum zt_code rc = threaded ? run_threaded(meter, &a, thread, err) : run_alone(meter, &a, err);
    pthread_cond_destroy(&a.change);
    pthread_mutex_destroy(&a.mutex);
    return rc;
}
