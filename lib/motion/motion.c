/*
 * motion.c - see motion.h. The order of the passes:
 *
 *     read the prompt -> divide the frames over its shots -> for each shot:
 *         the depth of the picture, if the camera is to travel or a move is to be found
 *         the camera's path in the room that the picture leaves
 *         the scene: the part of the picture that the path sees, in layers, ready for drawing
 *         for each frame: draw the scene from its pose -> join it to the shots beside it ->
 *         hand it on
 *
 * With an end image there is one shot, and the passage from picture to picture is its motion; what
 * is in the air lies over it.
 * Nothing here depends on the number of threads or on time.
 */
#include "motion/motion.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "engine/ahead.h"
#include "engine/plan.h"
#include "engine/progress.h"
#include "media/frame.h"
#include "media/resize.h"
#include "motion/air.h"
#include "motion/camera.h"
#include "motion/choose.h"
#include "motion/depth.h"
#include "motion/focus.h"
#include "motion/passage.h"
#include "motion/scene.h"
#include "motion/shots.h"
#include "motion/sight.h"
#include "motion/stack.h"
#include "motion/transition.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

struct engine {
    struct zt_pool *pool;
    enum zt_simd simd;
};

static void motion_close(void *self)
{
    struct engine *engine = self;

    if (engine == NULL)
        return;
    zt_pool_free(engine->pool);
    free(engine);
}

static enum zt_code motion_open(const struct zt_engine_options *options, void **ret,
                                struct zt_err *err)
{
    if (options->model_path != NULL)
        return zt_fail_field(err, ZT_E_INVALID, "model_path",
                             "the motion engine has no weights; leave model_path out");
    struct engine *engine = zt_new(struct engine);
    engine->pool = zt_pool_new(options->threads);
    engine->simd = zt_simd_choose();
    *ret = engine;
    return ZT_OK;
}

static enum zt_code motion_plan(void *self, const struct zt_request *request, struct zt_plan *ret,
                                struct zt_err *err)
{
    (void)self;
    (void)err;
    *ret = (struct zt_plan){ .frames = zt_frames_for(request->duration_s),
                             .fps = ZT_FPS,
                             .pixels = ZT_PIXELS_YUV420,
                             .smooth = true };
    zt_size_for(request->resolution, request->image->width_px, request->image->height_px,
                &ret->width_px, &ret->height_px);
    return ZT_OK;
}

/* One generation. */
struct run {
    struct engine *engine;
    const struct zt_request *request;
    const struct zt_plan *plan;
    struct zt_meter meter;
    struct zt_prompt prompt;
    struct zt_take take[ZT_SHOTS_MAX];
    int takes;
    struct zt_frame_buf frame[ZT_AHEAD_FRAMES];
    struct zt_frame_buf last; /* what the shot before ended with; made when needed */
    struct zt_pose *path;     /* of the current take */
    struct zt_depth depth;    /* of the image, once a path travels */
};

static bool stands_still(const struct run *run, const struct zt_shot *shot)
{
    bool still = run->request->camera_fixed;

    /* A first shot that names no move stands still only if the prompt is about others' moves. */
    if (shot->moves == 0 && run->prompt.camera_mentioned && run->prompt.shots == 1)
        still = true;
    for (int i = 0; i < shot->moves; i++)
        still |= shot->move[i].kind == ZT_MOVE_STATIC;
    return still;
}

static enum zt_code estimate(void *user, struct zt_err *err)
{
    struct run *run = user;

    return zt_depth_estimate(run->request->image, run->engine->pool, &run->depth, err);
}

static enum zt_code find_depth(struct run *run, struct zt_err *err)
{
    if (run->depth.z != NULL)
        return ZT_OK;
    ZT_TRY(zt_meter_stage(&run->meter, "depth", run->meter.to, err));
    return zt_meter_run(&run->meter, estimate, run, err);
}

static enum zt_code find_path(struct run *run, int index, const struct zt_room *room,
                              struct zt_err *err)
{
    const struct zt_take *take = &run->take[index];
    struct zt_shot shot = *take->shot;
    struct zt_path_options options = {
        .frames = take->end - take->first,
        .seconds = (double)(take->end - take->first) / run->plan->fps,
        .seed = (uint64_t)run->request->seed,
        .stream = (uint64_t)index,
        .still = stands_still(run, &shot),
        .loop = run->prompt.loop && run->takes == 1,
    };

    if (!options.still && shot.moves == 0) {
        ZT_TRY(find_depth(run, err));
        zt_choose_moves(&run->depth, room, &options, &shot);
    }
    zt_camera_path(&shot, room, &options, run->path);
    return ZT_OK;
}

/* A closer view goes to what stands out, unless the words say where to look. */
static enum zt_code find_focus(struct run *run, int index, struct zt_scene_source *source,
                               struct zt_room *room, struct zt_err *err)
{
    struct zt_take *take = &run->take[index];

    *room = zt_scene_room(source);
    if (take->scale <= 1 || take->shot->subject_x != 0 || take->shot->subject_y != 0)
        return ZT_OK;
    ZT_TRY(find_depth(run, err));
    zt_focus_find(&run->depth, room, &take->focus_x, &take->focus_y);
    *room = zt_scene_room(source);
    return ZT_OK;
}

/* Whether near and far things move against each other on the current path. */
static bool travels(const struct run *run, const struct zt_take *take)
{
    for (int i = 0; i < take->end - take->first; i++)
        if (run->path[i].tx != 0 || run->path[i].ty != 0 || run->path[i].tz != 0)
            return true;
    return false;
}

static bool has_weather(const struct zt_shot *shot)
{
    for (int i = 0; i < ZT_ATMO_KINDS; i++)
        if (shot->atmosphere[i] > 0)
            return true;
    return false;
}

struct opening {
    struct run *run;
    const struct zt_scene_source *source;
    int frames;
    struct zt_scene *scene;
};

static enum zt_code open_scene(void *user, struct zt_err *err)
{
    struct opening *o = user;
    struct engine *engine = o->run->engine;

    return zt_scene_open(o->source, o->run->path, o->frames, engine->pool, engine->simd, &o->scene,
                         err);
}

/*
 * What the transitions before and after a take do to its frame i; keeps what the next one needs.
 */
static enum zt_code join(struct run *run, int index, int i, struct zt_frame_buf *frame,
                         struct zt_err *err)
{
    const struct zt_take *take = &run->take[index];
    struct zt_pool *pool = run->engine->pool;
    int frames = take->end - take->first;

    if (index > 0) {
        enum zt_transition kind = take->shot->transition;
        int before = take[-1].end - take[-1].first;
        struct zt_transition_span span = zt_transition_span(kind, before, frames);
        if (i - take->first < span.in)
            zt_transition_in(kind, &span, i - take->first, &run->last, frame, pool);
    }
    if (index + 1 < run->takes) {
        enum zt_transition kind = take[1].shot->transition;
        int after = take[1].end - take[1].first;
        struct zt_transition_span span = zt_transition_span(kind, frames, after);
        if (i == take->end - 1 && span.in > 0) {
            if (run->last.pixels == NULL)
                ZT_TRY(zt_frame_buf_init(&run->last, run->plan->pixels, run->plan->width_px,
                                         run->plan->height_px, err));
            zt_frame_convert(&frame->view, &run->last, pool);
        }
        if (i >= take->end - span.out)
            zt_transition_out(kind, &span, i - (take->end - span.out), frame, pool);
    }
    return ZT_OK;
}

struct drawing {
    struct run *run;
    struct zt_scene *scene;
    int index; /* of the take */
};

static enum zt_code draw(void *user, int i, struct zt_frame_buf *frame, struct zt_err *err)
{
    const struct drawing *d = user;
    int in_take = i - d->run->take[d->index].first;

    zt_scene_draw(d->scene, &d->run->path[in_take], (double)in_take / d->run->plan->fps, frame);
    return join(d->run, d->index, i, frame, err);
}

static enum zt_code render_take(struct run *run, int index, struct zt_err *err)
{
    const struct zt_take *take = &run->take[index];
    int frames = run->plan->frames;
    const struct zt_weather weather = {
        .atmosphere = take->shot->atmosphere,
        .seed = (uint64_t)run->request->seed,
        .stream = (uint64_t)index,
        .seconds = (double)(take->end - take->first) / run->plan->fps,
        .loop = run->prompt.loop && run->takes == 1,
        .fresh = index == 0,
    };
    zt_auto(scene) struct zt_scene *scene = NULL;
    struct zt_scene_source source = { .image = run->request->image,
                                      .width_px = run->plan->width_px,
                                      .height_px = run->plan->height_px,
                                      .take = take,
                                      .weather = &weather };
    struct zt_room room;

    ZT_TRY(zt_meter_stage(&run->meter, "prepare", run->meter.to, err));
    ZT_TRY(find_focus(run, index, &source, &room, err));
    ZT_TRY(find_path(run, index, &room, err));
    source.layered = travels(run, take);
    if (source.layered || has_weather(take->shot)) {
        ZT_TRY(find_depth(run, err));
        source.depth = &run->depth;
    }
    ZT_TRY(zt_meter_stage(&run->meter, "layers", run->meter.to, err));
    struct opening opening = { run, &source, take->end - take->first, NULL };
    enum zt_code rc = zt_meter_run(&run->meter, open_scene, &opening, err);
    scene = opening.scene;
    if (rc != ZT_OK)
        return rc;
    ZT_TRY(zt_meter_stage(&run->meter, "render", 5 + 95 * take->end / frames, err));
    struct drawing drawing = { run, scene, index };
    return zt_ahead_run(&run->meter, run->frame, take->first, take->end, draw, &drawing, err);
}

/* ---- with an end image --------------------------------------------------------------------- */

static int tick(void *user, int percent)
{
    struct run *run = user;

    return zt_meter_step(&run->meter, percent, 100, NULL) != ZT_OK;
}

/* The centre crop of a picture at the size of the frames; the caller frees its pixels. */
static enum zt_code fit(struct run *run, const struct zt_image *image, struct zt_image *ret,
                        struct zt_err *err)
{
    int width = run->plan->width_px, height = run->plan->height_px;
    struct zt_crop crop = zt_crop_to_aspect(image, width, height);
    void *pixels = NULL;

    ZT_TRY(zt_try_alloc((size_t)width * 3, (size_t)height, "a fitted picture", &pixels, err));
    *ret = (struct zt_image){
        .width_px = width, .height_px = height, .stride = (size_t)width * 3, .pixels = pixels
    };
    return zt_resize_rgb24(image, &crop, pixels, ret->stride, width, height, run->engine->pool,
                           err);
}

struct passing {
    struct zt_passage *passage;
    struct zt_sight sight; /* of the air alone: it has no depth, so nothing hides in it */
    struct zt_air *air;
    struct zt_pool *pool;
    int frames, fps;
};

static void passing_clear(struct passing *p)
{
    zt_passage_close(p->passage);
    zt_air_close(p->air);
    zt_sight_clear(&p->sight);
}

/* What the prompt says is in the air comes after the first picture and goes before the last. */
static enum zt_code open_air(struct run *run, const struct zt_image *first, struct passing *p,
                             struct zt_err *err)
{
    double width = run->plan->width_px, height = run->plan->height_px;
    const struct zt_view view = {
        .width_px = run->plan->width_px,
        .height_px = run->plan->height_px,
        .room = { width, height, -width / 2, -height / 2, width / 2, height / 2 },
        .scale_x = 1,
        .scale_y = 1,
        .origin_x = width / 2,
        .origin_y = height / 2,
    };
    const struct zt_depth unknown = { 0 };
    const struct zt_weather weather = { .atmosphere = run->take[0].shot->atmosphere,
                                        .seed = (uint64_t)run->request->seed,
                                        .seconds = (double)(p->frames - 1) / p->fps,
                                        .fresh = true,
                                        .leaves = true };

    for (int i = 0; i < p->frames; i++)
        run->path[i] = (struct zt_pose){ .zoom = 1 };
    ZT_TRY(zt_sight_init(&p->sight, &view, first->width_px, first->height_px, NULL, err));
    zt_sight_look(&p->sight, run->path, run->engine->pool);
    return zt_air_open(first, &unknown, &p->sight, &weather, run->path, p->frames,
                       run->engine->pool, &p->air, err);
}

static enum zt_code open_passage(struct run *run, struct passing *p, struct zt_err *err)
{
    struct zt_image first = { 0 }, last = { 0 };

    enum zt_code rc = fit(run, run->request->image, &first, err);
    if (rc == ZT_OK)
        rc = fit(run, run->request->end_image, &last, err);
    if (rc == ZT_OK)
        rc = zt_passage_open(&first, &last, run->engine->pool, tick, run, &p->passage, err);
    if (rc == ZT_OK)
        rc = open_air(run, &first, p, err);
    free(first.pixels);
    free(last.pixels);
    return rc;
}

static enum zt_code draw_passage(void *user, int i, struct zt_frame_buf *frame, struct zt_err *err)
{
    const struct passing *p = user;
    struct zt_passage_target target = { .format = frame->view.format };
    float at = (float)zt_ease((double)i / (p->frames - 1));

    for (int k = 0; k < 3; k++) {
        target.plane[k] = frame->plane[k];
        target.stride[k] = frame->view.stride[k];
    }
    ZT_TRY(zt_passage_frame(p->passage, at, &target, err));
    zt_air_draw(p->air, &p->sight, (double)i / p->fps, frame, p->pool);
    return ZT_OK;
}

static enum zt_code pass_over(struct run *run, struct passing *p, struct zt_err *err)
{
    ZT_TRY(zt_meter_stage(&run->meter, "flow", 30, err));
    ZT_TRY(open_passage(run, p, err));
    ZT_TRY(zt_meter_stage(&run->meter, "render", 100, err));
    return zt_ahead_run(&run->meter, run->frame, 0, p->frames, draw_passage, p, err);
}

static enum zt_code render_passage(struct run *run, struct zt_err *err)
{
    struct passing p = { .frames = run->plan->frames,
                         .fps = run->plan->fps,
                         .pool = run->engine->pool };

    enum zt_code rc = pass_over(run, &p, err);
    passing_clear(&p);
    return rc;
}

/* -------------------------------------------------------------------------------------------- */

static enum zt_code render(struct run *run, struct zt_err *err)
{
    const struct zt_request *request = run->request;

    ZT_TRY(zt_meter_stage(&run->meter, "prepare", 5, err));
    ZT_TRY(zt_prompt_read(request->prompt, strlen(request->prompt), &run->prompt, err));
    run->takes = zt_shots_divide(&run->prompt, run->plan->frames, run->take);
    run->path = zt_new_array(struct zt_pose, (size_t)run->plan->frames);
    for (int i = 0; i < ZT_AHEAD_FRAMES; i++)
        ZT_TRY(zt_frame_buf_init(&run->frame[i], run->plan->pixels, run->plan->width_px,
                                 run->plan->height_px, err));
    if (request->end_image != NULL)
        return render_passage(run, err);
    for (int i = 0; i < run->takes; i++)
        ZT_TRY(render_take(run, i, err));
    return ZT_OK;
}

static enum zt_code motion_generate(void *self, const struct zt_request *request,
                                    const struct zt_plan *plan, const struct zt_sink *sink,
                                    struct zt_err *err)
{
    zt_auto_free struct run *run = zt_new(struct run);

    run->engine = self;
    run->request = request;
    run->plan = plan;
    zt_meter_init(&run->meter, sink);
    enum zt_code rc = render(run, err);
    free(run->path);
    zt_depth_clear(&run->depth);
    for (int i = 0; i < ZT_AHEAD_FRAMES; i++)
        zt_frame_buf_clear(&run->frame[i]);
    zt_frame_buf_clear(&run->last);
    return rc;
}

const struct zt_engine_type zt_motion_engine = {
    .name = "motion",
    .summary = "moves a camera through the picture as the prompt says; no weights, not a neural "
               "model",
    .open = motion_open,
    .plan = motion_plan,
    .generate = motion_generate,
    .close = motion_close,
};
