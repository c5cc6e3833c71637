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

/* A run of samples of one row, and how much of them shows. */
struct span {
    int first, end;
    float x, dy; /* of the first, from the sprite's middle */
    float alpha;
};

/* The samples of a row at y, `step` pixels apart from position `left`, inside the ellipse. */
static bool span_of(const struct zt_sprite *s, const struct zt_sight *sight, float left, float y,
                    float step, int n, struct span *ret)
{
    float dy = y - s->y, square = s->wide - s->bend * dy * dy;

    if (square <= 0)
        return false;
    float half = sqrtf(square), mid = s->x + s->slant * dy - left;
    float from = (mid - half) / step, to = (mid + half) / step;
    if (!(to >= 0 && from <= (float)n))
        return false;
    ret->first = from > 0 ? (int)from + (from > (float)(int)from) : 0;
    ret->end = to < (float)(n - 1) ? (int)to + 1 : n;
    if (ret->first >= ret->end)
        return false;
    ret->alpha =
        s->alpha * in_front(s, sight, left + step * 0.5F * (float)(ret->first + ret->end - 1), y);
    ret->x = left + step * (float)ret->first - s->x;
    ret->dy = dy;
    return ret->alpha > 0;
}

static float cover_at(const struct zt_sprite *s, const struct span *span, float dx)
{
    float u = s->ux * dx + s->uy * span->dy, v = s->vx * dx + s->vy * span->dy, q = u * u + v * v;

    return q < 1 ? span->alpha * coverage(s, u, v, q) : 0;
}

/* Rows of the tile, `step` pixels apart from its top + first, that the sprite may reach. */
static void rows_of(const struct zt_sprite *s, const struct zt_tile *t, float first, float step,
                    int n, int *ret_first, int *ret_end)
{
    float from = (s->y - s->reach_y - (float)t->top - first) / step;
    float to = (s->y + s->reach_y - (float)t->top - first) / step;

    *ret_first = from > 0 ? from < (float)n ? (int)from : n : 0;
    *ret_end = to < 0 ? 0 : to < (float)(n - 1) ? (int)to + 1 : n;
}

static void draw_luma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    int row, end;

    rows_of(s, t, 0.5F, 1, t->height, &row, &end);
    for (; row < end; row++) {
        struct span span;
        if (!span_of(s, sight, (float)t->left + 0.5F, (float)(t->top + row) + 0.5F, 1, t->width,
                     &span))
            continue;
        t->changes |= 1U << row / 2;
        for (int i = span.first; i < span.end; i++, span.x += 1) {
            float cover = cover_at(s, &span, span.x), keep = s->shines ? 1 : 1 - cover;
            t->light[row][i] = t->light[row][i] * keep + cover * s->tint.light;
            t->keep[row][i] *= keep;
        }
    }
}

static void draw_chroma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    int row, end;

    rows_of(s, t, 1, 2, t->half_height, &row, &end);
    for (; row < end; row++) {
        struct span span;
        if (!span_of(s, sight, (float)t->left + 0.5F, (float)(t->top + 2 * row) + 1, 2,
                     t->half_width, &span))
            continue;
        t->changes |= 1U << row;
        for (int i = span.first; i < span.end; i++, span.x += 2) {
            float cover = cover_at(s, &span, span.x), keep = s->shines ? 1 : 1 - cover;
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
