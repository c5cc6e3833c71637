/*
 * progress.h - telling the caller how far a generation is, and hearing that it should stop.
 *
 * A generation is a row of stages, each with its share of the whole. One thread, the one that
 * called zt_generate.
 */
#ifndef ZT_ENGINE_PROGRESS_H
#define ZT_ENGINE_PROGRESS_H

#include "base/error.h"

struct zt_meter {
    const struct zt_sink *sink;
    const char *stage;
    int from, to;    /* the stage's share, in percent of the whole */
    int percent;     /* told last; never goes back */
    int step, steps; /* told last */
    unsigned beat;
    int64_t told_us;
    bool cancelled;
};

void zt_meter_init(struct zt_meter *meter, const struct zt_sink *sink);

/* Begins a stage, named by a static string, that brings the whole to to_percent. Tells. */
enum zt_code zt_meter_stage(struct zt_meter *meter, const char *stage, int to_percent,
                            struct zt_err *err);

/*
 * `step` of `steps` are done. Tells when the last time is long enough ago, or the stage is done.
 * ZT_E_CANCELLED: the caller wants no more; every later call says so too.
 */
enum zt_code zt_meter_step(struct zt_meter *meter, int step, int steps, struct zt_err *err);

/*
 * Tells again what was told last, when that is long enough ago: for callbacks out of something long
 * that runs on this thread. False: the caller wants no more.
 */
bool zt_meter_alive(struct zt_meter *meter);

/*
 * Runs a long piece of work on a thread of its own and tells meanwhile, so that a caller hears of
 * it, and can ask for a stop, while something runs that cannot be interrupted. Returns when the
 * work has ended: what it returned, or ZT_E_CANCELLED.
 */
typedef enum zt_code zt_work_fn(void *user, struct zt_err *err);
enum zt_code zt_meter_run(struct zt_meter *meter, zt_work_fn *work, void *user, struct zt_err *err);

/* Hands a frame on. ZT_E_CANCELLED as above. */
enum zt_code zt_meter_frame(struct zt_meter *meter, const struct zt_frame *frame, int index,
                            struct zt_err *err);

#endif
