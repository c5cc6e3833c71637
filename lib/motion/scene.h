/*
 * scene.h - the picture of one shot, prepared for drawing, and its frames.
 *
 *     zt_scene_room(...)      how much picture there is around the view: what camera.h needs
 *     zt_scene_open(...)      takes out and resamples what the path sees, cuts it into layers
 *     zt_scene_draw(...)      one frame from one pose
 */
#ifndef ZT_MOTION_SCENE_H
#define ZT_MOTION_SCENE_H

#include "base/auto.h"
#include "base/error.h"
#include "motion/camera.h"
#include "motion/warp.h"

struct zt_depth;
struct zt_frame_buf;
struct zt_pool;
struct zt_take;
struct zt_weather;

struct zt_scene;

/* What a scene is made from; everything is read, nothing is kept. */
struct zt_scene_source {
    const struct zt_image *image;
    int width_px, height_px;      /* of the frames: even */
    const struct zt_take *take;   /* scale and focus */
    const struct zt_depth *depth; /* of the whole image; NULL: not known */
    bool layered;                 /* cut layers by depth: near and far move against each other */
    const struct zt_weather *weather; /* NULL: nothing moves by itself */
};

/* The view's rest position in the image, and the room around it. */
struct zt_room zt_scene_room(const struct zt_scene_source *source);

/*
 * path[frames] is all that will be drawn; pool is used for every frame and outlives the scene.
 * ZT_E_NOMEM.
 */
enum zt_code zt_scene_open(const struct zt_scene_source *source, const struct zt_pose *path,
                           int frames, struct zt_pool *pool, enum zt_simd simd,
                           struct zt_scene **ret, struct zt_err *err);

/* Draws the whole frame into a YUV420 buffer of the source's size. */
void zt_scene_draw(struct zt_scene *scene, const struct zt_pose *pose, double t_s,
                   struct zt_frame_buf *dst);

void zt_scene_close(struct zt_scene *scene); /* NULL is fine */

ZT_AUTO(struct zt_scene, scene, zt_scene_close)

#endif
