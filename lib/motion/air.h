/*
 * air.h - what is in the air between the camera and the scene: rain, snow, fog, dust, embers,
 * petals. Drawn over finished frames.
 *
 * Particles live in the space in front of the camera, at depths of their own: they shift, grow and
 * hide behind things as the camera's travel says. Fog is a veil that thickens with distance. Where
 * everything is at a moment follows from the moment alone, so any frame can be drawn on its own.
 * Light is mixed as mix.h describes.
 *
 * Handles ZT_ATMO_RAIN, SNOW, FOG, DUST, EMBERS and PETALS.
 */
#ifndef ZT_MOTION_AIR_H
#define ZT_MOTION_AIR_H

#include "base/auto.h"
#include "base/error.h"

struct zt_depth;
struct zt_frame_buf;
struct zt_pool;
struct zt_pose;
struct zt_sight;
struct zt_weather;

struct zt_air;

/*
 * picture, depth  the working picture and its depth (z may be NULL); read and not kept
 * sight           what the frames see: of it only the view is read here
 * path[frames]    the camera at every frame: how much space the particles have to fill
 * pool            may be NULL
 * *ret is NULL when the weather names nothing for this module; the calls below take NULL.
 * ZT_E_NOMEM.
 */
enum zt_code zt_air_open(const struct zt_image *picture, const struct zt_depth *depth,
                         const struct zt_sight *sight, const struct zt_weather *weather,
                         const struct zt_pose *path, int frames, struct zt_pool *pool,
                         struct zt_air **ret, struct zt_err *err);
void zt_air_close(struct zt_air *air);

/* Draws onto a YUV420 frame of the view's size. sight has looked from this frame's pose. */
void zt_air_draw(struct zt_air *air, const struct zt_sight *sight, double t_s,
                 struct zt_frame_buf *frame, struct zt_pool *pool);

ZT_AUTO(struct zt_air, air, zt_air_close)

#endif
