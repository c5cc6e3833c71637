/* progress.c - see progress.h. */
#include "engine/progress.h"

#include "base/clock.h"

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
    if (meter->sink->on_progress == NULL)
        return ZT_OK;
    struct zt_progress progress = {
        .stage = meter->stage, .step = step, .steps = steps, .percent = meter->percent
    };
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

enum zt_code zt_meter_frame(struct zt_meter *meter, const struct zt_frame *frame, int index,
                            struct zt_err *err)
{
    if (meter->cancelled)
        return stopped(meter, err);
    return meter->sink->on_frame(meter->sink->user, frame, index) != 0 ? stopped(meter, err)
                                                                       : ZT_OK;
}
