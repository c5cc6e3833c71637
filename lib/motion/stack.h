/*
 * stack.h - layers in depth, ready for drawing: what scene.c puts a frame together from.
 *
 * Each layer is warped through its own mesh, in which a camera's travel shifts every point by its
 * nearness, and laid over those behind it by its alpha. Only cells of the frame that a layer's edge
 * passes through are blended: elsewhere the front-most opaque layer is drawn alone.
 */
#ifndef ZT_MOTION_STACK_H
#define ZT_MOTION_STACK_H

#include "base/error.h"
#include "motion/camera.h"
#include "motion/layers.h"
#include "motion/planes.h"
#include "motion/warp.h"

struct zt_frame_buf;
struct zt_pool;

/* How frame pixels at zoom 1, from the middle of the view's rest position, meet the picture. */
struct zt_view {
    int width_px, height_px; /* the frame's: multiples of 32 */
    struct zt_room room;
    double scale_x, scale_y;   /* picture pixels for each frame pixel */
    double origin_x, origin_y; /* the rest position's middle in the picture, from its corner */
};

struct zt_sheet;
struct zt_fluid;

struct zt_stack {
    struct zt_view view;
    struct zt_pool *pool;
    enum zt_simd simd;
    int n;
    struct zt_sheet *sheet;       /* [n], back to front */
    const struct zt_fluid *fluid; /* set to this frame's moment; NULL: nothing flows */
};

/*
 * layers   of the picture that view speaks of; even sides; read and not kept
 * density  as for zt_planes_init
 * pool     used by every call; outlives the stack
 * ZT_E_NOMEM.
 */
enum zt_code zt_stack_init(struct zt_stack *stack, const struct zt_layers *layers,
                           const struct zt_view *view, double density, struct zt_pool *pool,
                           enum zt_simd simd, struct zt_err *err);
void zt_stack_clear(struct zt_stack *stack);

/* Draws a whole frame: YUV420, the view's size. */
void zt_stack_draw(struct zt_stack *stack, const struct zt_pose *pose, struct zt_frame_buf *dst);

/*
 * Which picture point the sheet `layer` shows at (ox, oy) of the frame (from its middle), in
 * picture pixels from the corner, and its nearness. For tests, and for what is drawn over frames.
 */
void zt_stack_see(const struct zt_stack *stack, int layer, const struct zt_pose *pose, double ox,
                  double oy, double *ret_x, double *ret_y, double *ret_d);

#endif
