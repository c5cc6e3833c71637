/*
 * particles.h - rain, snow, dust, embers and petals as soft sprites. For air.c.
 */
#ifndef ZT_MOTION_PARTICLES_H
#define ZT_MOTION_PARTICLES_H

#include "base/error.h"
#include "motion/mix.h"

struct zt_pose;
struct zt_regions;
struct zt_sight;
struct zt_weather;

enum zt_particle_kind {
    ZT_PARTICLE_RAIN,
    ZT_PARTICLE_SNOW,
    ZT_PARTICLE_DUST,
    ZT_PARTICLE_EMBER,
    ZT_PARTICLE_PETAL,
    ZT_PARTICLE_KINDS
};

/* One particle at one moment, in frame pixels. */
struct zt_sprite {
    float x, y;              /* middle */
    float slant, wide, bend; /* its row at dy is slant dy +- sqrt(wide - bend dy^2) */
    float reach_x, reach_y;  /* half its width and height */
    float ux, uy, vx, vy;    /* (dx, dy) along and across it, 1 at the rim */
    float alpha;             /* 0 ... 1; 0: not in sight */
    float near;              /* camera.h's nearness */
    struct zt_tint tint;
    uint8_t shape; /* enum zt_shape */
    bool shines;   /* adds light and hides nothing */
};

enum zt_shape { ZT_SHAPE_SOFT, ZT_SHAPE_DISC, ZT_SHAPE_LEAF };

struct zt_particles;

/* What the picture says about the light in the air. */
struct zt_ambient {
    float light;   /* mean light of the picture's brighter half */
    float r, g, b; /* of the air itself: the colour far away, lightened */
    bool autumn;   /* brown and orange rule: leaves, not petals */
};

/*
 * regions  with the glow mask, where embers rise from; may be without
 * *ret is NULL when nothing is to be drawn.
 */
void zt_particles_new(const struct zt_weather *weather, const struct zt_ambient *ambient,
                      const struct zt_regions *regions, const struct zt_sight *sight,
                      const struct zt_pose *path, int frames, struct zt_particles **ret);
void zt_particles_free(struct zt_particles *particles);

/*
 * Where everything is at t_s under the pose of sight, far to near; ret_n of them, owned by
 * particles until the next call. weight scales all alphas.
 */
const struct zt_sprite *zt_particles_place(struct zt_particles *particles,
                                           const struct zt_sight *sight, double t_s, float weight,
                                           int *ret_n);

/* Draws a sprite's part of a tile; hidden where the scene of sight is nearer. */
void zt_sprite_draw(const struct zt_sprite *sprite, const struct zt_sight *sight,
                    struct zt_tile *tile);

#endif
