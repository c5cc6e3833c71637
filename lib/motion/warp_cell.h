/* warp_cell.h - what the scalar and the vector paths of warp.c share; for them alone. */
#ifndef ZT_MOTION_WARP_CELL_H
#define ZT_MOTION_WARP_CELL_H

#include <stdlib.h>

#include "motion/warp.h"

#if defined(__x86_64__)
#define ZT_WARP_AVX2   1
#define ZT_WARP_AVX512 1
#elif defined(__aarch64__)
#define ZT_WARP_NEON 1 /* part of every such machine */
#endif

/* 1/6 and 2/3 of 32768. */
#define ZT_SPLINE_SIXTH      5461
#define ZT_SPLINE_TWO_THIRDS 21845

/* Filtering along a row cuts 4 products by half a unit each; that, and rounding: in 1/128. */
#define ZT_SPLINE_ROUNDING 66

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

/* A row that falls or rises by less than this for each sample, of 65536, is drawn level. */
#define ZT_WARP_LEVEL 8

static inline struct zt_warp_step zt_warp_row(const struct zt_warp_corners *c, int y)
{
    int64_t lx = c->left_x + c->left_dx * y, ly = c->left_y + c->left_dy * y;
    int64_t rx = c->right_x + c->right_dx * y, ry = c->right_y + c->right_dy * y;
    const int64_t half = ZT_CELL / 2, half2 = ZT_CELL * ZT_CELL / 2;

    struct zt_warp_step s = {
        .x = (int32_t)((lx + half) >> ZT_CELL_BITS),
        .y = (int32_t)((ly + half) >> ZT_CELL_BITS),
        .dx = (int32_t)((rx - lx + half2) >> (2 * ZT_CELL_BITS)),
        .dy = (int32_t)((ry - ly + half2) >> (2 * ZT_CELL_BITS)),
    };
    if (s.dy > -ZT_WARP_LEVEL && s.dy < ZT_WARP_LEVEL) { /* as its middle */
        s.y += (s.dy * (ZT_CELL - 1)) >> 1;
        s.dy = 0;
    }
    return s;
}

/* Whether 32 bits hold what the vector paths of any cell work with. */
static inline bool zt_warp_is_moderate(const struct zt_plane *plane,
                                       const struct zt_warp_corners *c)
{
    const int64_t most = (int64_t)1 << 25;
    const int64_t d[6] = { c->left_dx,
                           c->left_dy,
                           c->right_dx,
                           c->right_dy,
                           (c->right_x - c->left_x) / ZT_CELL,
                           (c->right_y - c->left_y) / ZT_CELL };
    bool is = plane->stride * ((size_t)plane->height + 2 * ZT_PLANE_PAD) < INT32_MAX;

    for (int i = 0; i < 6; i++)
        is &= d[i] > -most && d[i] < most;
    return is;
}

/* ---- straight cells ------------------------------------------------------------------------ */

/*
 * A cell whose columns run nearly down the source and whose rows run nearly along it is drawn in
 * two passes: every source row it touches is filtered at the cell's 16 columns, then each sample
 * down its column. That is 4 taps for each of some 27 rows and 4 more for each sample, instead of
 * 16 a sample. A column is a line x(y) in the source. The taps lie along it instead of straight
 * down, and a group of rows takes the x of its middle: two rows where columns lean by
 * 1 / ZT_WARP_LEAN, the most there may be, four where by half of that, and so on.
 */
#define ZT_WARP_LEAN 512
#define ZT_WARP_ROWS 36 /* source rows at most */

struct zt_warp_columns {
    int first, rows;    /* source rows */
    int left;           /* x below is from this source column on */
    int32_t x, dx;      /* at the first row: the first column, and the step to the next */
    int32_t lean, turn; /* a row down, column i moves by lean + (turn * i >> ZT_CELL_BITS) */
    int group;          /* rows that share an x: a power of two */
};

/* How far a side of the cell leans: source samples across for each one down, times 65536. */
static inline int32_t zt_warp_lean(int64_t across, int64_t down)
{
    return (int32_t)(across * 65536 / down);
}

/* Whether the cell is straight; if so, its columns. */
static inline bool zt_warp_columns_from(const struct zt_warp_corners *c,
                                        struct zt_warp_columns *ret)
{
    const int64_t least = 65536 / 4 * ZT_CELL, most = 110000 * ZT_CELL; /* across the cell */
    const int64_t deepest = (int64_t)28 * 65536;

    if (c->left_dy < 65536 || c->right_dy < 65536 || c->left_dy > deepest ||
        c->right_dy > deepest || llabs(c->left_dx) * ZT_WARP_LEAN > c->left_dy ||
        llabs(c->right_dx) * ZT_WARP_LEAN > c->right_dy)
        return false;
    int64_t left_x = c->left_x >> ZT_CELL_BITS, left_y = c->left_y >> ZT_CELL_BITS;
    int64_t right_x = c->right_x >> ZT_CELL_BITS, right_y = c->right_y >> ZT_CELL_BITS;
    int64_t top = right_x - left_x, bottom = top + c->right_dx - c->left_dx;
    int64_t drop_top = right_y - left_y, drop_bottom = drop_top + c->right_dy - c->left_dy;

    /* 7 steps fit into 16 bytes with the taps; a row falls by less than a sample. */
    if (top < least || top > most || bottom < least || bottom > most || drop_top > 60000 ||
        drop_top < -60000 || drop_bottom > 60000 || drop_bottom < -60000)
        return false;

    int64_t end_left = left_y + c->left_dy, end_right = right_y + c->right_dy;
    int64_t last = end_left > end_right ? end_left : end_right;
    /* A step's rounding may add up to 8 units over the cell. */
    ret->first = (int)(((left_y < right_y ? left_y : right_y) - ZT_CELL) >> 16) - 1;
    ret->rows = (int)((last + ZT_CELL) >> 16) + 3 - ret->first;
    int64_t lean_left = zt_warp_lean(c->left_dx, c->left_dy);
    int64_t lean_right = zt_warp_lean(c->right_dx, c->right_dy);
    int64_t at = (int64_t)ret->first * 65536;
    int64_t x_left = left_x + (((at - left_y) * lean_left) >> 16);
    int64_t x_right = right_x + (((at - right_y) * lean_right) >> 16);
    ret->left = (int)(x_left >> 16);
    ret->x = (int32_t)(x_left & 0xffff);
    ret->dx = (int32_t)((x_right - x_left + ZT_CELL / 2) >> ZT_CELL_BITS);
    ret->lean = (int32_t)lean_left;
    ret->turn = (int32_t)(lean_right - lean_left);
    lean_left = llabs(lean_left);
    lean_right = llabs(lean_right);
    int64_t most_lean = lean_left > lean_right ? lean_left : lean_right;
    for (ret->group = 2; ret->group < 64 && most_lean * ret->group * ZT_WARP_LEAN <= 65536;)
        ret->group *= 2;
    return true;
}

/* n samples of one row. */
void zt_warp_span_scalar(const struct zt_plane *plane, int32_t x, int32_t y, int32_t dx, int32_t dy,
                         int n, uint8_t *dst);

#ifdef ZT_WARP_AVX2
/* Of n planes: what follows from the mesh alone is worked out once. */
void zt_warp_cell_avx2(const struct zt_plane *planes, int n, const struct zt_warp_corners *corners,
                       uint8_t *const dst[], size_t stride);
void zt_warp_straight_avx2(const struct zt_plane *planes, int n,
                           const struct zt_warp_corners *corners,
                           const struct zt_warp_columns *columns, uint8_t *const dst[],
                           size_t stride);
#endif
#ifdef ZT_WARP_AVX512
void zt_warp_cell_avx512(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                         uint8_t *dst, size_t stride);
void zt_warp_straight_avx512(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                             const struct zt_warp_columns *columns, uint8_t *dst, size_t stride);
#endif
#ifdef ZT_WARP_NEON
void zt_warp_cell_neon(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                       uint8_t *dst, size_t stride);
void zt_warp_straight_neon(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                           const struct zt_warp_columns *columns, uint8_t *dst, size_t stride);
#endif

#endif
