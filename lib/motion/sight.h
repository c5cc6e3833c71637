/*
 * sight.h - which part of the picture each part of a frame shows, and how near it is.
 *
 * What is drawn over finished frames (air, light) has to follow the camera: a mask of the picture
 * is looked up where the frame sees it, a particle hides behind what is nearer. One coarse grid
 * over the frame, made anew from every pose, answers both; scene masks are soft, so between its
 * points everything is interpolated.
 */
#ifndef ZT_MOTION_SIGHT_H
#define ZT_MOTION_SIGHT_H

#include "base/error.h"
#include "motion/camera.h"
#include "motion/depth.h"
#include "motion/stack.h"

struct zt_pool;

#define ZT_SIGHT_CELL 8 /* frame pixels between grid points */

struct zt_sight {
    struct zt_view view;
    struct zt_pose pose;     /* the one last looked from */
    int columns, rows;       /* point (column, row) is frame position (column, row) * CELL */
    float *x, *y;            /* [rows][columns] picture position, 0 ... 1 */
    float *near;             /* [rows][columns] as in depth.h */
    struct zt_depth depth;   /* a copy; z NULL: flat, and nothing hides anything */
    double share_x, share_y; /* 1 / the picture's sides */
};

/*
 * view    as for zt_stack_init, but any size will do
 * depth   of the picture that view speaks of; z NULL: unknown; read and not kept
 * ZT_E_NOMEM.
 */
enum zt_code zt_sight_init(struct zt_sight *sight, const struct zt_view *view, int picture_width_px,
                           int picture_height_px, const struct zt_depth *depth, struct zt_err *err);
void zt_sight_clear(struct zt_sight *sight);

/* Fills x, y and near for a pose; cheap when it is the same as before. pool may be NULL. */
void zt_sight_look(struct zt_sight *sight, const struct zt_pose *pose, struct zt_pool *pool);

/* Nearness at a frame position, interpolated; 0 everywhere without depth. */
float zt_sight_near(const struct zt_sight *sight, float x, float y);

/* A map over the whole picture, [height][width], at position (x, y) of 0 ... 1. */
float zt_map_at(const float *map, int width, int height, float x, float y);

/*
 * Spreads a row of a grid over frame pixels: out[i] for pixel centres first + i + 0.5, i < n, at
 * frame row y + 0.5. step 2: every other pixel (chroma: column 2i, between rows).
 */
void zt_sight_row(const struct zt_sight *sight, const float *grid, int first, float y, int n,
                  int step, float *out);

#endif
