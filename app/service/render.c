/* render.c - see render.h. */
#include "service/render.h"

#include "base/fault.h"
#include "base/str.h"
#include "service/handles.h"
#include "service/preview.h"

#define STILL_QUALITY 90

struct state {
    const struct zt_render *render;
    struct zt_plan plan;
    struct zt_video *video;
    enum zt_code rc; /* why on_frame said stop */
    struct zt_err err;
    int frames;
    struct zt_preview *preview; /* NULL: not wanted */
    int live;                   /* fragments of the video that can be watched */
};

/* A point that tests name: any frame, and any frame of a task with a given seed. */
static void pass_crash_points(const struct zt_render *render)
{
#ifdef ZT_FAULTS
    char name[64];

    zt_crash_point("render.frame");
    zt_assert(
        zt_format(name, sizeof(name), "render.frame.seed_%lld", (long long)render->request->seed));
    zt_crash_point(name);
#else
    (void)render;
#endif
}

static void tell_live(struct state *s)
{
    int live = zt_video_live(s->video);

    if (live > s->live && s->render->on_live != NULL)
        s->render->on_live(s->render->user);
    s->live = live;
}

static int on_frame(void *user, const struct zt_frame *frame, int index)
{
    struct state *s = user;
    const struct zt_render *r = s->render;

    if (r->must_end != NULL && r->must_end(r->user)) {
        s->rc = zt_fail(&s->err, ZT_E_CANCELLED, "generating was stopped");
        return 1;
    }
    pass_crash_points(r);
    s->rc = zt_video_write(s->video, frame, &s->err);
    tell_live(s);
    if (s->rc == ZT_OK && index == 0 && r->poster_path != NULL)
        s->rc = zt_frame_save_jpeg(frame, r->poster_path, STILL_QUALITY, &s->err);
    if (s->rc == ZT_OK && index == s->plan.frames - 1 && r->last_path != NULL)
        s->rc = zt_frame_save_jpeg(frame, r->last_path, STILL_QUALITY, &s->err);
    s->frames++;
    return s->rc != ZT_OK;
}

/* Once there are frames of the video itself, they are what is watched. */
static int on_preview(void *user, const struct zt_frame *frame, int index, int frames)
{
    struct state *s = user;

    return zt_video_live(s->video) > 0 || !zt_preview_frame(s->preview, frame, index, frames);
}

static int on_progress(void *user, const struct zt_progress *progress)
{
    struct state *s = user;
    const struct zt_render *r = s->render;

    if (r->must_end != NULL && r->must_end(r->user))
        return 1;
    return r->on_progress != NULL ? r->on_progress(r->user, progress) : 0;
}

enum zt_code zt_render(const struct zt_render *r, struct zt_plan *ret, struct zt_err *err)
{
    struct state s = { .render = r };

    ZT_TRY(zt_engine_plan(r->engine, r->request, &s.plan, err));
    if (r->planned != NULL)
        r->planned(r->user, &s.plan);
    const struct zt_video_options options = {
        .width_px = s.plan.width_px,
        .height_px = s.plan.height_px,
        .fps = s.plan.fps,
        .pixels = s.plan.pixels,
        .preset = r->preset,
        .crf = r->crf,
        .threads = r->threads,
        .smooth = s.plan.smooth,
        .title = r->title,
        .comment = r->comment,
        .live_path = r->live_path,
    };
    zt_auto(video) struct zt_video *video = NULL;
    ZT_TRY(zt_video_open(r->video_path, &options, &video, err));
    s.video = video;
    zt_auto(preview) struct zt_preview *preview =
        r->live_path != NULL && r->preview_every > 0 ? zt_preview_new(r, s.plan.fps) : NULL;
    s.preview = preview;
    const struct zt_sink sink = { .on_frame = on_frame,
                                  .on_progress = on_progress,
                                  .user = &s,
                                  .on_preview = preview != NULL ? on_preview : NULL,
                                  .preview_every = r->preview_every,
                                  .made = r->made };
    enum zt_code rc = zt_generate(r->engine, r->request, &sink, err);
    if (s.rc != ZT_OK) { /* the engine only knows that it was told to stop */
        if (err != NULL)
            *err = s.err;
        return s.rc;
    }
    ZT_TRY(rc);
    if (s.frames != s.plan.frames)
        return zt_fail(err, ZT_E_INTERNAL, "the engine made %d frames where %d were planned",
                       s.frames, s.plan.frames);
    ZT_TRY(zt_video_finish(video, err));
    zt_crash_point("render.finished");
    *ret = s.plan;
    return ZT_OK;
}
