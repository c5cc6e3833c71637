/*
 * light.h - light of the scene: flames and neon that flicker, rays of the sun, night. Drawn over
 * finished frames, before what is in the air (air.h).
 *
 *   flicker  the picture's lights and the glow around them brighten and dim, as band-limited noise
 *            below 8 Hz; nothing else changes
 *   rays     soft beams from the brightest part of the upper picture, or from above a corner, that
 *            turn slowly; mixed as light on light, stronger in front of what is far away
 *   night    darker, cooler and less colourful, but for the lights. The first frame is the
 *            picture the user gave, so a fresh night falls, over the first half of the shot; in a
 *            loop and after a cut it is constant. A picture that is dark already stays as it is.
 *
 * Handles ZT_ATMO_FLICKER, ZT_ATMO_SUN_RAYS and ZT_ATMO_NIGHT. Masks belong to the picture and are
 * looked up where the frame sees it.
 */
#ifndef ZT_MOTION_LIGHT_H
#define ZT_MOTION_LIGHT_H

#include "base/auto.h"
#include "base/error.h"

struct zt_depth;
struct zt_frame_buf;
struct zt_pool;
struct zt_sight;
struct zt_weather;

struct zt_light;

/*
 * picture, depth  the working picture and its depth (z may be NULL); read and not kept
 * sight           what the frames see: of it only the view is read here
 * pool            may be NULL
 * *ret is NULL when the weather names nothing for this module; the calls below take NULL.
 * ZT_E_NOMEM.
 */
enum zt_code zt_light_open(const struct zt_image *picture, const struct zt_depth *depth,
                           const struct zt_sight *sight, const struct zt_weather *weather,
                           struct zt_pool *pool, struct zt_light **ret, struct zt_err *err);
void zt_light_close(struct zt_light *light);

/* Draws onto a YUV420 frame of the view's size. sight has looked from this frame's pose. */
void zt_light_draw(struct zt_light *light, const struct zt_sight *sight, double t_s,
                   struct zt_frame_buf *frame, struct zt_pool *pool);

ZT_AUTO(struct zt_light, light, zt_light_close)

#endif
