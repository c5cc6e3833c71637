/*
 * fluid.h - water that flows, clouds that drift, plants that sway.
 *
 * Works inside the warp, not on frames: what flows is drawn from the same planes through displaced
 * copies of the same mesh, so it is as sharp as the rest and no pixel is resampled twice.
 *
 *   shift  a smooth displacement: waves on water, plants in the wind, standing still at their foot.
 *          It is added to the mesh.
 *   flow   two displaced copies of the picture take turns (Max and Becker, "Flow Visualization
 *          Using Moving Textures", 1995): each is carried along a velocity field and fades out
 *          before it is carried too far. Where in its turn a place is differs from place to place,
 *          so that the whole never pulses.
 *
 * Where nothing moves, shift is 0 and a cell is the plain warp of warp.h, bit for bit.
 *
 * Handles ZT_ATMO_WATER, ZT_ATMO_CLOUDS, ZT_ATMO_WIND (plants, and clouds at half strength).
 */
#ifndef ZT_MOTION_FLUID_H
#define ZT_MOTION_FLUID_H

#include "base/auto.h"
#include "base/error.h"
#include "motion/warp.h"

struct zt_depth;
struct zt_pool;
struct zt_weather;

struct zt_fluid;

/*
 * picture  the working picture that layers are cut from; read and not kept
 * depth    of the same rectangle; z may be NULL
 * unit_px  camera.h's unit in picture pixels: how fast "slow" is
 * pool     may be NULL
 * *ret is NULL when the weather names nothing for this module or the picture shows none of it: all
 * calls below take NULL as a fluid that stands still. ZT_E_NOMEM.
 */
enum zt_code zt_fluid_open(const struct zt_image *picture, const struct zt_depth *depth,
                           double unit_px, const struct zt_weather *weather, struct zt_pool *pool,
                           struct zt_fluid **ret, struct zt_err *err);
void zt_fluid_close(struct zt_fluid *fluid);

/* Sets the moment that the calls below speak of, in seconds from the shot's start. */
void zt_fluid_set(struct zt_fluid *fluid, double t_s, struct zt_pool *pool);

/* What to add to a mesh corner that sees picture pixel (x, y), from the picture's corner. */
void zt_fluid_shift(const struct zt_fluid *fluid, double x, double y, double *ret_dx,
                    double *ret_dy);

/*
 * Draws a cell as zt_warp_cell does, with the flow in it.
 * alpha  the layer's, of the plane's size: what lies beyond it is never carried in; NULL: opaque
 * half   0: plane and mesh are luma's; 1: chroma's, at half size
 */
void zt_fluid_cell(const struct zt_fluid *fluid, const struct zt_plane *plane,
                   const struct zt_plane *alpha, const struct zt_warp_mesh *mesh, int half,
                   int column, int row, uint8_t *dst, size_t stride, enum zt_simd simd);

/* Whether anything ever moves at picture pixel (x, y). */
bool zt_fluid_moves(const struct zt_fluid *fluid, double x, double y);

ZT_AUTO(struct zt_fluid, fluid, zt_fluid_close)

#endif
