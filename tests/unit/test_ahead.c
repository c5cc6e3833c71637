/* Frames drawn ahead: all, in order, never over one that is still being read; stops and failures. */
#include "engine/ahead.h"

#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "engine/progress.h"

struct both {
    int drawn, handed, wrong, fail_at, stop_at;
    atomic_int most_ahead, taken;
};

static enum zt_code draw(void *user, int index, struct zt_frame_buf *frame, struct zt_err *err)
{
    struct both *b = user;
    int ahead = index - atomic_load(&b->taken);

    if (ahead > atomic_load(&b->most_ahead))
        atomic_store(&b->most_ahead, ahead);
    if (index == b->fail_at)
        return zt_fail(err, ZT_E_NOMEM, "no room for frame %d", index);
    b->drawn++;
    memset(frame->plane[0], index, frame->view.stride[0] * (size_t)frame->view.height_px);
    return ZT_OK;
}

static int take(void *user, const struct zt_frame *frame, int index)
{
    struct both *b = user;
    size_t n = frame->stride[0] * (size_t)frame->height_px;

    b->wrong += index != 5 + b->handed++;
    for (size_t i = 0; i < n; i++)
        b->wrong += frame->plane[0][i] != index;
    atomic_fetch_add(&b->taken, 1);
    return index == b->stop_at;
}

static enum zt_code run(struct both *b, struct zt_err *err)
{
    struct zt_frame_buf buf[ZT_AHEAD_FRAMES];
    struct zt_sink sink = { .on_frame = take, .user = b };
    struct zt_meter meter;

    for (int i = 0; i < ZT_AHEAD_FRAMES; i++)
        CHECK_INT("buffer", zt_frame_buf_init(&buf[i], ZT_PIXELS_YUV420, 64, 48, NULL), ZT_OK);
    zt_meter_init(&meter, &sink);
    zt_meter_stage(&meter, "render", 100, NULL);
    atomic_store(&b->taken, 5);
    enum zt_code rc = zt_ahead_run(&meter, buf, 5, 105, draw, b, err);
    for (int i = 0; i < ZT_AHEAD_FRAMES; i++)
        zt_frame_buf_clear(&buf[i]);
    return rc;
}

static void hands_on_all_in_order(void)
{
    struct both b = { .fail_at = -1, .stop_at = -1 };

    CHECK_INT("runs", run(&b, NULL), ZT_OK);
    CHECK_INT("drawn", b.drawn, 100);
    CHECK_INT("handed on", b.handed, 100);
    CHECK_INT("out of order, or drawn over", b.wrong, 0);
    CHECK("never more ahead than there is room", atomic_load(&b.most_ahead) <= ZT_AHEAD_FRAMES);
}

static void passes_on_a_failure(void)
{
    struct both b = { .fail_at = 47, .stop_at = -1 };
    struct zt_err err = { 0 };

    CHECK_INT("fails", run(&b, &err), ZT_E_NOMEM);
    CHECK_STR("says why", err.msg, "no room for frame 47");
    CHECK_INT("all before it were handed on", b.handed, 42);
}

static void stops_when_told(void)
{
    for (int at = 5; at < 105; at += 33) {
        struct both b = { .fail_at = -1, .stop_at = at };
        CHECK_INT("stops", run(&b, NULL), ZT_E_CANCELLED);
        CHECK_INT("nothing after it", b.handed, at - 4);
        CHECK("little was drawn for nothing", b.drawn <= b.handed + ZT_AHEAD_FRAMES + 1);
    }
}

int main(void)
{
    RUN(hands_on_all_in_order);
    RUN(passes_on_a_failure);
    RUN(stops_when_told);
    return check_done();
}
