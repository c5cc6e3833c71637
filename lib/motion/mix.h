/*
 * mix.h - light added to, and kept from, a tile of a YUV420 frame.
 *
 * Mixing happens in light, not in coded values: with coded values snow would be grey and glows
 * dull. Light is taken as the square of coded luma, a close stand-in for the transfer curve of
 * sRGB and BT.709 (it errs by at most 0.04 of the range and is exact in black and white), and
 * coded chroma times coded luma goes with it: to first order around grey that is what mixing the
 * squares of R'G'B' gives. So, with y = (Y - 16) / 219 and c = C - 128:
 *
 *     y^2 -> y^2 * keep + light        y c -> y c * keep_c + light_c
 *
 * A sample whose keep is 1 and light 0 stays as it is, bit for bit; others end inside the legal
 * range. Rounding is dithered by a fixed pattern, so that soft veils show no bands.
 */
#ifndef ZT_MOTION_MIX_H
#define ZT_MOTION_MIX_H

#include "base/error.h"

struct zt_frame_buf;

#define ZT_TILE_WIDTH  128
#define ZT_TILE_HEIGHT 16
#define ZT_TILE_ALL    0xffU /* all bits of changes */

/* One tile: frame columns left ... left + width - 1, rows top ... top + height - 1; both even. */
struct zt_tile {
    int left, top, width, height;
    int half_width, half_height; /* of its chroma */
    float cast_u, cast_v;        /* coded chroma of what darkness leaves: added by 1 - keep_c */
    uint32_t changes;            /* bit i: rows 2i and 2i + 1 may change; apply skips the others */
    float keep[ZT_TILE_HEIGHT][ZT_TILE_WIDTH];
    float light[ZT_TILE_HEIGHT][ZT_TILE_WIDTH];
    float keep_c[ZT_TILE_HEIGHT / 2][ZT_TILE_WIDTH / 2];
    float light_u[ZT_TILE_HEIGHT / 2][ZT_TILE_WIDTH / 2];
    float light_v[ZT_TILE_HEIGHT / 2][ZT_TILE_WIDTH / 2];
};

/* A colour as mixing sees it: light 0 ... 1, and coded luma times coded chroma. */
struct zt_tint {
    float light, u, v;
};

/* Of coded sRGB, 0 ... 1. */
struct zt_tint zt_tint_of(float r, float g, float b);

/* Tiles across and down a frame. */
int zt_tile_columns(int width_px);
int zt_tile_rows(int height_px);

/*
 * Places the tile (column, row) of a frame, with nothing to apply. Who fills it writes keep and
 * light of all its samples, or clears it first, and sets bits of changes.
 */
void zt_tile_reset(struct zt_tile *tile, int column, int row, int width_px, int height_px);

/* Has the frame's samples brought near, for who will apply the tile a little later. */
void zt_tile_fetch(const struct zt_tile *tile, const struct zt_frame_buf *frame);

/* Keeps everything and adds no light; the second is for who writes what is kept. */
void zt_tile_clear(struct zt_tile *tile);
void zt_tile_clear_light(struct zt_tile *tile);

/* Applies the tile to the frame. Touches no sample outside it. */
void zt_tile_apply(const struct zt_tile *tile, struct zt_frame_buf *frame);

#endif
