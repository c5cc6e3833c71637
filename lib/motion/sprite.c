/*
 * sprite.c - draws the sprites of particles.h into tiles. Coverage is worked out at the middle of
 * each sample, so a sprite moves by any fraction of a pixel without jitter; the soft rim does what
 * sampling more often would.
 */
#include "motion/particles.h"

#include <math.h>

#include "motion/camera.h"
#include "motion/sight.h"

/* How far in nearness a particle has to be behind a thing to be hidden altogether. */
#define HIDE_SOFT 0.05F

/* How much of a sample the sprite covers at (u, v) of its ellipse, u^2 + v^2 = q < 1. */
static float coverage(const struct zt_sprite *s, float u, float v, float q)
{
    float soft = 1 - q;

    switch ((enum zt_shape)s->shape) {
    case ZT_SHAPE_SOFT:
        return soft * soft;
    case ZT_SHAPE_DISC:
        soft = 1 - q * q;
        return soft * soft;
    case ZT_SHAPE_LEAF: {
        float rim = (1 - u * u) * (1 + 0.25F * u) - fabsf(v); /* pointed at both ends */
        float cover = rim * 4;
        return cover <= 0 ? 0 : cover < 1 ? cover : 1;
    }
    }
    return 0;
}

/* 1 where the particle is in front of the scene. */
static float in_front(const struct zt_sprite *s, const struct zt_sight *sight, float x, float y)
{
    if (sight->depth.z == NULL || s->near > ZT_D_NEAR + HIDE_SOFT)
        return 1;
    float scene = (float)ZT_D_FAR + (float)(ZT_D_NEAR - ZT_D_FAR) * zt_sight_near(sight, x, y);
    float v = (s->near - scene) / HIDE_SOFT + 0.5F;
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* The samples of a row, `step` pixels apart from position `first`, that lie inside the ellipse. */
static bool span_of(const struct zt_sprite *s, float dy, float first, float step, int n, int *ret_i,
                    int *ret_end)
{
    float mid = -s->b * dy / s->a;
    float root = (s->b * dy) * (s->b * dy) - s->a * (s->c * dy * dy - 1);

    if (root <= 0)
        return false;
    float half = sqrtf(root) / s->a;
    float from = (s->x + mid - half - first) / step, to = (s->x + mid + half - first) / step;
    if (!(to >= 0 && from <= (float)n))
        return false;
    *ret_i = from > 0 ? (int)ceilf(from) : 0;
    *ret_end = to < (float)(n - 1) ? (int)floorf(to) + 1 : n;
    return *ret_i < *ret_end;
}

static void draw_luma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    for (int row = 0; row < t->height; row++) {
        float y = (float)(t->top + row) + 0.5F, dy = y - s->y, first = (float)t->left + 0.5F;
        int i, end;
        if (fabsf(dy) >= s->reach_y || !span_of(s, dy, first, 1, t->width, &i, &end))
            continue;
        float middle = first + 0.5F * (float)(i + end - 1);
        float alpha = s->alpha * in_front(s, sight, middle, y);
        if (alpha <= 0)
            continue;
        for (; i < end; i++) {
            float dx = first + (float)i - s->x;
            float u = s->ux * dx + s->uy * dy, v = s->vx * dx + s->vy * dy, q = u * u + v * v;
            float cover = q < 1 ? alpha * coverage(s, u, v, q) : 0;
            float keep = s->shines ? 1 : 1 - cover;
            t->light[row][i] = t->light[row][i] * keep + cover * s->tint.light;
            t->keep[row][i] *= keep;
        }
    }
}

static void draw_chroma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    for (int row = 0; row < t->half_height; row++) {
        float y = (float)(t->top + 2 * row) + 1, dy = y - s->y, first = (float)t->left + 0.5F;
        int i, end;
        if (fabsf(dy) >= s->reach_y || !span_of(s, dy, first, 2, t->half_width, &i, &end))
            continue;
        float middle = first + (float)(i + end - 1);
        float alpha = s->alpha * in_front(s, sight, middle, y);
        if (alpha <= 0)
            continue;
        for (; i < end; i++) {
            float dx = first + 2 * (float)i - s->x;
            float u = s->ux * dx + s->uy * dy, v = s->vx * dx + s->vy * dy, q = u * u + v * v;
            float cover = q < 1 ? alpha * coverage(s, u, v, q) : 0;
            float keep = s->shines ? 1 : 1 - cover;
            t->light_u[row][i] = t->light_u[row][i] * keep + cover * s->tint.u;
            t->light_v[row][i] = t->light_v[row][i] * keep + cover * s->tint.v;
            t->keep_c[row][i] *= keep;
        }
    }
}

void zt_sprite_draw(const struct zt_sprite *sprite, const struct zt_sight *sight,
                    struct zt_tile *tile)
{
    draw_luma(sprite, sight, tile);
    draw_chroma(sprite, sight, tile);
}
