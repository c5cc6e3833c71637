/*
 * veil.h - fog, mist and haze: a drifting veil that is thicker the farther one looks. For air.c.
 */
#ifndef ZT_MOTION_VEIL_H
#define ZT_MOTION_VEIL_H

#include "base/error.h"
#include "motion/mix.h"

struct zt_ambient;
struct zt_pool;
struct zt_sight;
struct zt_weather;

struct zt_veil;

/* *ret is NULL when the weather has no veil: fog has, and rain, snow and dust a thin one. */
enum zt_code zt_veil_new(const struct zt_weather *weather, const struct zt_ambient *ambient,
                         const struct zt_sight *sight, struct zt_veil **ret, struct zt_err *err);
void zt_veil_free(struct zt_veil *veil);

/* Works out how much is hidden where at t_s; weight scales it. */
void zt_veil_set(struct zt_veil *veil, const struct zt_sight *sight, double t_s, float weight,
                 struct zt_pool *pool);

/* Lays it over a tile that was just reset. */
void zt_veil_draw(const struct zt_veil *veil, const struct zt_sight *sight, struct zt_tile *tile);

#endif
