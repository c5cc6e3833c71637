/*
 * scene.c - see scene.h.
 *
 * Three rectangles of coordinates meet here: the image's pixels; the working picture's, a part of
 * the image at about 1.5 pixels for each pixel of a frame; and camera.h's, frame pixels at zoom 1
 * from the middle of the view's rest position.
 */
#include "motion/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/frame.h"
#include "media/resize.h"
#include "motion/air.h"
#include "motion/fluid.h"
#include "motion/layers.h"
#include "motion/light.h"
#include "motion/shots.h"
#include "motion/sight.h"
#include "motion/stack.h"
#include "motion/weather.h"

/* Working pixels for each frame pixel in the widest view: see planes.h; the vector path of the
 * warp takes up to 1.7. */
#define DENSITY 1.5

/* A picture this little larger than needed is used as it is: resampling it would gain nothing. */
#define DENSITY_AS_IS 1.15

/* Closer framings stop where a frame pixel is worth less than this much of an image pixel. */
#define COARSEST 0.4

/* Image pixels around what the path sees, for the taps of filters. */
#define MARGIN 4

/* Working pixels beyond what the path uncovers: soft edges, taps, what sways in the wind. */
#define REACH_MARGIN 12

struct zt_scene {
    struct zt_stack stack;
    struct zt_sight sight;     /* only where light or air needs it */
    struct zt_frame_buf still; /* what was drawn from `pose`, once it comes again */
    struct zt_pose pose;       /* the last one; zoom 0: none yet */
    bool kept;
    struct zt_fluid *fluid; /* these three: NULL where the shot names none of it */
    struct zt_light *light;
    struct zt_air *air;
};

/* The working picture, and where it lies. */
struct working {
    struct zt_image picture;
    struct zt_crop part; /* of the image */
    struct zt_view view;
    double density; /* working pixels for each frame pixel in the widest view */
};

/* ---- from the image to the working picture ------------------------------------------------- */

/* The rest position: the largest rectangle of the frame's aspect, divided by the take's scale. */
static struct zt_crop rest_position(const struct zt_scene_source *s)
{
    struct zt_crop crop = zt_crop_to_aspect(s->image, s->width_px, s->height_px);
    double closest = fmax(crop.w / s->width_px / COARSEST, 1.25); /* a cut still shows */
    double scale = fmin(s->take->scale, closest);
    double w = crop.w / scale, h = crop.h / scale;
    double x = crop.x + (crop.w - w) / 2, y = crop.y + (crop.h - h) / 2;

    if (scale > 1) { /* a closer view goes to its subject; the widest stays central */
        x = fmin(fmax(s->take->focus_x * s->image->width_px - w / 2, 0), s->image->width_px - w);
        y = fmin(fmax(s->take->focus_y * s->image->height_px - h / 2, 0), s->image->height_px - h);
    }
    return (struct zt_crop){ .x = x, .y = y, .w = w, .h = h };
}

struct zt_room zt_scene_room(const struct zt_scene_source *s)
{
    struct zt_crop rest = rest_position(s);
    double scale = s->width_px / rest.w;
    double x = rest.x + rest.w / 2, y = rest.y + rest.h / 2;

    return (struct zt_room){ .width = s->width_px,
                             .height = s->height_px,
                             .left = -x * scale,
                             .top = -y * scale,
                             .right = (s->image->width_px - x) * scale,
                             .bottom = (s->image->height_px - y) * scale };
}

/* The widest view's width over the frame's, at middle depth. */
static double widest_view(const struct zt_pose *path, int frames)
{
    double widest = 0;

    for (int i = 0; i < frames; i++)
        widest = fmax(widest, (1 - path[i].tz * ZT_D_FLAT) / path[i].zoom);
    return widest;
}

/* low ... high in whole pixels within 0 ... side, an even number of them, at least 16. */
static void whole_pixels(double low, double high, int side, double *ret_first, double *ret_n)
{
    int first = (int)fmax(0, floor(low) - MARGIN);
    int end = (int)fmin(side, ceil(high) + MARGIN);

    if (end - first < 16) {
        first = first + 16 <= side ? first : side > 16 ? side - 16 : 0;
        end = first + 16 < side ? first + 16 : side;
    }
    *ret_first = first;
    *ret_n = end - first;
}

static int even_side(double side)
{
    int n = 2 * (int)lround(side / 2);

    return n < 16 ? 16 : n;
}

/* Takes the working picture out of the image; fills the view's scale and origin. */
static enum zt_code take_out(const struct zt_scene_source *s, const struct zt_pose *path,
                             int frames, struct zt_pool *pool, struct working *w,
                             struct zt_err *err)
{
    struct zt_crop rest = rest_position(s), *part = &w->part;
    double native = rest.w / s->width_px; /* image pixels for each frame pixel at zoom 1 */
    double widest = widest_view(path, frames);
    double wanted = DENSITY / widest;
    double shrink = native > wanted * DENSITY_AS_IS ? wanted / native : 1;
    struct zt_extent e = zt_camera_extent(path, frames, &w->view.room);
    double x = rest.x + rest.w / 2, y = rest.y + rest.h / 2;
    void *pixels = NULL;

    whole_pixels(x + e.left * native, x + e.right * native, s->image->width_px, &part->x, &part->w);
    whole_pixels(y + e.top * native, y + e.bottom * native, s->image->height_px, &part->y,
                 &part->h);
    int width = even_side(part->w * shrink), height = even_side(part->h * shrink);
    ZT_TRY(
        zt_try_alloc_raw((size_t)width * 3, (size_t)height, "the working picture", &pixels, err));
    w->picture = (struct zt_image){
        .width_px = width, .height_px = height, .stride = (size_t)width * 3, .pixels = pixels
    };
    w->view.scale_x = native * width / part->w;
    w->view.scale_y = native * height / part->h;
    w->view.origin_x = (x - part->x) * width / part->w;
    w->view.origin_y = (y - part->y) * height / part->h;
    w->density = w->view.scale_x * widest;
    return zt_resize_rgb24(s->image, part, pixels, w->picture.stride, width, height, pool, err);
}

/* The depth of the working picture's part of the image, on a grid as fine as the image's. */
static enum zt_code depth_of_part(const struct zt_scene_source *s, const struct zt_crop *part,
                                  struct zt_depth *ret, struct zt_err *err)
{
    const struct zt_depth *all = s->depth;
    double across = part->w / s->image->width_px * all->width;
    double down = part->h / s->image->height_px * all->height;
    int width = (int)fmax(2, ceil(across)), height = (int)fmax(2, ceil(down));
    void *z = NULL;

    ZT_TRY(zt_try_alloc((size_t)width * (size_t)height, sizeof(float), "a depth grid", &z, err));
    *ret = (struct zt_depth){ .width = width, .height = height, .z = z };
    for (int j = 0; j < height; j++) {
        double y = part->y / s->image->height_px * all->height + (j + 0.5) * down / height;
        for (int i = 0; i < width; i++) {
            double x = part->x / s->image->width_px * all->width + (i + 0.5) * across / width;
            ret->z[j * width + i] = (float)zt_depth_at(all, x, y);
        }
    }
    return ZT_OK;
}

/* What moves by itself in the shot. */
static enum zt_code open_weather(struct zt_scene *scene, const struct zt_scene_source *s,
                                 const struct working *w, const struct zt_pose *path, int frames,
                                 struct zt_pool *pool, struct zt_err *err)
{
    const struct zt_image *picture = &w->picture;
    double unit_px = sqrt(w->view.room.width * w->view.room.height) * w->view.scale_x;
    struct zt_depth depth = { 0 };

    if (s->weather == NULL)
        return ZT_OK;
    if (s->depth != NULL)
        ZT_TRY(depth_of_part(s, &w->part, &depth, err));
    enum zt_code rc =
        zt_sight_init(&scene->sight, &w->view, picture->width_px, picture->height_px, &depth, err);
    if (rc == ZT_OK)
        rc = zt_fluid_open(picture, &depth, unit_px, s->weather, pool, &scene->fluid, err);
    if (rc == ZT_OK)
        rc = zt_light_open(picture, &depth, &scene->sight, s->weather, pool, &scene->light, err);
    if (rc == ZT_OK)
        rc = zt_air_open(picture, &depth, &scene->sight, s->weather, path, frames, pool,
                         &scene->air, err);
    free(depth.z);
    scene->stack.fluid = scene->fluid;
    return rc;
}

/* How far a path moves the nearest against the farthest at most, in working pixels. */
static int reach_of(const struct working *w, const struct zt_pose *path, int frames)
{
    const struct zt_view *v = &w->view;
    double unit = sqrt(v->room.width * v->room.height), most = 0;

    for (int i = 0; i < frames; i++) {
        const struct zt_pose *p = &path[i];
        double corner = hypot(v->width_px, v->height_px) / 2 / p->zoom + hypot(p->x, p->y) * unit;
        most = fmax(most, hypot(p->tx, p->ty) * unit + fabs(p->tz) * corner);
    }
    return (int)ceil(most * (ZT_D_NEAR - ZT_D_FAR) * fmax(v->scale_x, v->scale_y)) + REACH_MARGIN;
}

/* Layers of the working picture; without depth, the picture alone. */
static enum zt_code cut(const struct zt_scene_source *s, const struct working *w, int reach_px,
                        struct zt_pool *pool, struct zt_layers *ret, struct zt_err *err)
{
    struct zt_depth depth = { 0 };

    ZT_TRY(depth_of_part(s, &w->part, &depth, err));
    enum zt_code rc = zt_layers_cut(&w->picture, &depth, reach_px, pool, ret, err);
    free(depth.z);
    return rc;
}

static enum zt_code prepare(struct zt_scene *scene, const struct zt_scene_source *s,
                            struct working *w, int reach_px, struct zt_pool *pool,
                            enum zt_simd simd, struct zt_err *err)
{
    struct zt_layers cuts = { 0 }, alone = { .n = 1, .layer = { { .picture = w->picture } } };

    if (s->layered)
        ZT_TRY(cut(s, w, reach_px, pool, &cuts, err));
    enum zt_code rc = zt_stack_init(&scene->stack, s->layered ? &cuts : &alone, &w->view,
                                    w->density, pool, simd, err);
    zt_layers_clear(&cuts);
    return rc;
}

enum zt_code zt_scene_open(const struct zt_scene_source *s, const struct zt_pose *path, int frames,
                           struct zt_pool *pool, enum zt_simd simd, struct zt_scene **ret,
                           struct zt_err *err)
{
    zt_auto(scene) struct zt_scene *scene = zt_new(struct zt_scene);

    struct working w = {
        .view = { .width_px = s->width_px, .height_px = s->height_px, .room = zt_scene_room(s) }
    };
    enum zt_code rc = take_out(s, path, frames, pool, &w, err);
    if (rc == ZT_OK)
        rc = prepare(scene, s, &w, reach_of(&w, path, frames), pool, simd, err);
    if (rc == ZT_OK)
        rc = open_weather(scene, s, &w, path, frames, pool,
                          err); /* after stack_init, which zeroes */
    free(w.picture.pixels);
    if (rc != ZT_OK)
        return rc;
    *ret = zt_take_scene(&scene);
    return ZT_OK;
}

void zt_scene_close(struct zt_scene *scene)
{
    if (scene == NULL)
        return;
    zt_stack_clear(&scene->stack);
    zt_sight_clear(&scene->sight);
    zt_frame_buf_clear(&scene->still);
    zt_fluid_close(scene->fluid);
    zt_light_close(scene->light);
    zt_air_close(scene->air);
    free(scene);
}

static bool is_same(const struct zt_pose *a, const struct zt_pose *b)
{
    return a->zoom == b->zoom && a->x == b->x && a->y == b->y && a->roll == b->roll &&
           a->tx == b->tx && a->ty == b->ty && a->tz == b->tz;
}

/*
 * The layers from a pose. A camera that stands still sees the same again and again where nothing
 * flows: from the third time on it is copied.
 */
static void draw_layers(struct zt_scene *scene, const struct zt_pose *pose,
                        struct zt_frame_buf *dst)
{
    bool same = scene->fluid == NULL && is_same(&scene->pose, pose);
    struct zt_pool *pool = scene->stack.pool;

    scene->pose = *pose;
    scene->kept = scene->kept && same;
    if (scene->kept) {
        zt_frame_convert(&scene->still.view, dst, pool);
        return;
    }
    zt_stack_draw(&scene->stack, pose, dst);
    if (!same)
        return;
    if (scene->still.pixels == NULL &&
        zt_frame_buf_init(&scene->still, dst->view.format, dst->view.width_px, dst->view.height_px,
                          NULL) != ZT_OK)
        return; /* no room to keep it: it is drawn again */
    zt_frame_convert(&dst->view, &scene->still, pool);
    scene->kept = true;
}

void zt_scene_draw(struct zt_scene *scene, const struct zt_pose *pose, double t_s,
                   struct zt_frame_buf *dst)
{
    struct zt_pool *pool = scene->stack.pool;

    zt_fluid_set(scene->fluid, t_s, pool);
    draw_layers(scene, pose, dst);
    if (scene->light == NULL && scene->air == NULL)
        return;
    zt_sight_look(&scene->sight, pose, pool);
    zt_light_draw(scene->light, &scene->sight, t_s, dst, pool);
    zt_air_draw(scene->air, &scene->sight, t_s, dst, pool);
}
