/*
 * layers.h - a picture cut into layers by depth, with what each one hides filled in.
 *
 * Drawn one over another, back to front, the layers give the picture again. Moved against each
 * other they show what was hidden: a layer's picture goes on behind the layers in front of it, and
 * past the soft edge of its own alpha, so that interpolation never mixes in foreign colours.
 */
#ifndef ZT_MOTION_LAYERS_H
#define ZT_MOTION_LAYERS_H

#include "base/error.h"
#include "motion/depth.h"

#define ZT_LAYERS_MAX 4

struct zt_pool;

struct zt_layer {
    struct zt_image picture; /* the size of the picture that was cut; filled in everywhere that */
                             /* its alpha or a move of up to reach_px can show it */
    uint8_t *alpha;          /* [height_px][width_px], no gaps; NULL: opaque everywhere */
    struct zt_depth depth;   /* smooth over the whole grid, beyond the layer's edge too */
};

struct zt_layers {
    int n; /* 1 ... ZT_LAYERS_MAX; layer[0] is the farthest and opaque everywhere */
    struct zt_layer layer[ZT_LAYERS_MAX];
};

/*
 * Cuts. The picture is sRGB at the size it will be drawn from; depth spans the same rectangle at
 * any size. Both are read and not kept. reach_px: how far layers will move against each other, in
 * pixels of the picture. pool may be NULL. A picture without clear steps in depth gives one layer.
 * ZT_E_NOMEM. The result does not depend on the thread count.
 */
enum zt_code zt_layers_cut(const struct zt_image *picture, const struct zt_depth *depth,
                           int reach_px, struct zt_pool *pool, struct zt_layers *ret,
                           struct zt_err *err);
void zt_layers_clear(struct zt_layers *layers);

#endif
