/* warp_cell.h - what the scalar and the vector paths of warp.c share; for them alone. */
#ifndef ZT_MOTION_WARP_CELL_H
#define ZT_MOTION_WARP_CELL_H

#include "motion/warp.h"

#if defined(__x86_64__)
#define ZT_WARP_AVX2 1
#elif defined(__aarch64__)
#define ZT_WARP_NEON 1 /* part of every such machine */
#endif

/* 1/6 and 2/3 of 16384. */
#define ZT_SPLINE_SIXTH      2731
#define ZT_SPLINE_TWO_THIRDS 10923

/* A cell's corners: left and right at its top, and how they change a row. */
struct zt_warp_corners {
    int64_t left_x, left_y, right_x, right_y; /* 1 / (65536 * ZT_CELL) of a sample */
    int64_t left_dx, left_dy, right_dx, right_dy;
};

/* One row of a cell: the first sample's position and the step to the next. */
struct zt_warp_step {
    int32_t x, y, dx, dy;
};

static inline struct zt_warp_corners zt_warp_corners_at(const struct zt_warp_mesh *mesh, int column,
                                                        int row)
{
    const int32_t *x = mesh->x + (size_t)row * (size_t)mesh->columns + (size_t)column;
    const int32_t *y = mesh->y + (size_t)row * (size_t)mesh->columns + (size_t)column;
    int below = mesh->columns;

    return (struct zt_warp_corners){
        .left_x = (int64_t)x[0] * ZT_CELL,
        .left_y = (int64_t)y[0] * ZT_CELL,
        .right_x = (int64_t)x[1] * ZT_CELL,
        .right_y = (int64_t)y[1] * ZT_CELL,
        .left_dx = (int64_t)x[below] - x[0],
        .left_dy = (int64_t)y[below] - y[0],
        .right_dx = (int64_t)x[below + 1] - x[1],
        .right_dy = (int64_t)y[below + 1] - y[1],
    };
}

static inline struct zt_warp_step zt_warp_row(const struct zt_warp_corners *c, int y)
{
    int64_t lx = c->left_x + c->left_dx * y, ly = c->left_y + c->left_dy * y;
    int64_t rx = c->right_x + c->right_dx * y, ry = c->right_y + c->right_dy * y;
    const int64_t half = ZT_CELL / 2, half2 = ZT_CELL * ZT_CELL / 2;

    return (struct zt_warp_step){
        .x = (int32_t)((lx + half) >> ZT_CELL_BITS),
        .y = (int32_t)((ly + half) >> ZT_CELL_BITS),
        .dx = (int32_t)((rx - lx + half2) >> (2 * ZT_CELL_BITS)),
        .dy = (int32_t)((ry - ly + half2) >> (2 * ZT_CELL_BITS)),
    };
}

/* n samples of one row. */
void zt_warp_span_scalar(const struct zt_plane *plane, int32_t x, int32_t y, int32_t dx, int32_t dy,
                         int n, uint8_t *dst);

#ifdef ZT_WARP_AVX2
void zt_warp_cell_avx2(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                       uint8_t *dst, size_t stride);
#endif
#ifdef ZT_WARP_NEON
void zt_warp_cell_neon(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                       uint8_t *dst, size_t stride);
#endif

#endif
