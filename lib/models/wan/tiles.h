/*
 * tiles.h - cutting a picture into overlapping tiles and blending them back.
 *
 * An axis of `length` is covered by n tiles of the same size, spread evenly. Where two overlap, one
 * fades into the other linearly; the weights of all tiles add up to 1 everywhere.
 */
#ifndef ZT_MODELS_WAN_TILES_H
#define ZT_MODELS_WAN_TILES_H

#include "base/auto.h"
#include "base/error.h"

struct zt_tile {
    int size;     /* latent rows and columns at most; 0: the whole */
    int overlap;  /* at least so many, or half of size where that is less */
    bool by_tile; /* each tile to the clip's end before the next: one tile's caches at a time */
};

struct zt_tile_axis {
    int n, size; /* tiles, and the size of each */
    int scale;   /* weights a unit */
    int *start;  /* [n], in units */
    float *fade; /* [n][size * scale] */
};

/* ZT_E_INVALID: a negative size or overlap; ZT_E_NOMEM. */
enum zt_code zt_tile_axis_init(struct zt_tile_axis *axis, const struct zt_tile *tile, int length,
                               int scale, struct zt_err *err);
void zt_tile_axis_clear(struct zt_tile_axis *axis);

struct zt_tile_grid {
    struct zt_tile_axis y, x;
};

/* tile NULL: the whole. */
enum zt_code zt_tile_grid_init(struct zt_tile_grid *grid, const struct zt_tile *tile, int h, int w,
                               int scale, struct zt_err *err);
void zt_tile_grid_clear(struct zt_tile_grid *grid);

static inline void zt_auto_tile_grid(struct zt_tile_grid *grid)
{
    zt_tile_grid_clear(grid);
}

#endif
