/*
 * sprite.c - draws the sprites of particles.h into tiles. Coverage is worked out at the middle of
 * each sample, so a sprite moves by any fraction of a pixel without jitter; the soft rim does what
 * sampling more often would.
 */
#include "motion/particles.h"

#include <math.h>

#include "media/colour.h"
#include "motion/camera.h"
#include "motion/sight.h"

/* How far in nearness a particle has to be behind a thing to be hidden altogether. */
#define HIDE_SOFT 0.05F

/* Frame rows that share one look at what is in front: half as many as the grid of sight.h. */
#define HIDE_ROWS 4

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

/* Which samples of a tile's rows lie inside the ellipse: [first, end) of each, most often none. */
struct spans {
    float first_y, step; /* of the rows; columns are `step` apart, too */
    float left;          /* the first column */
    int n;               /* columns */
    int32_t first[ZT_TILE_HEIGHT], end[ZT_TILE_HEIGHT];
};

ZT_MEDIA_CLONES static void find_spans(const struct zt_sprite *s, struct spans *ret)
{
    const float slant = s->slant, wide = s->wide, bend = s->bend, per = 1 / ret->step;
    const float mid_x = s->x - ret->left, from_y = ret->first_y - s->y, step = ret->step;
    const float n = (float)ret->n;

    for (int row = 0; row < ZT_TILE_HEIGHT; row++) {
        float dy = from_y + (float)row * step, square = wide - bend * dy * dy;
        float half = square > 0 ? sqrtf(square) : -step, mid = mid_x + slant * dy;
        float from = (mid - half) * per, to = (mid + half) * per + 1;
        from = from > 0 ? from : 0;
        from = from < n ? from : n;
        to = to > 0 ? to : 0;
        to = to < n ? to : n;
        int32_t first = (int32_t)from;
        ret->first[row] = first + (from > (float)first);
        ret->end[row] = (int32_t)to;
    }
}

/* How much of the sprite shows where the middle of a row's span is. */
static float shown(const struct zt_sprite *s, const struct zt_sight *sight, const struct spans *p,
                   int row)
{
    float x = p->left + p->step * 0.5F * (float)(p->first[row] + p->end[row] - 1);

    return s->alpha * in_front(s, sight, x, p->first_y + p->step * (float)row);
}

static float cover_at(const struct zt_sprite *s, float dx, float dy)
{
    float u = s->ux * dx + s->uy * dy, v = s->vx * dx + s->vy * dy, q = u * u + v * v;

    return q < 1 ? coverage(s, u, v, q) : 0;
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
    struct spans p = { (float)t->top + 0.5F, 1, (float)t->left + 0.5F, t->width, { 0 }, { 0 } };
    float alpha = -1;
    int row, end;

    rows_of(s, t, 0.5F, 1, t->height, &row, &end);
    find_spans(s, &p);
    for (; row < end; row++) {
        if (p.first[row] >= p.end[row])
            continue;
        if (row % HIDE_ROWS == 0 || alpha < 0)
            alpha = shown(s, sight, &p, row);
        if (alpha <= 0)
            continue;
        t->changes |= 1U << row / 2;
        float dx = p.left + (float)p.first[row] - s->x, dy = p.first_y + (float)row - s->y;
        for (int i = p.first[row]; i < p.end[row]; i++, dx += 1) {
            float cover = alpha * cover_at(s, dx, dy), keep = s->shines ? 1 : 1 - cover;
            t->light[row][i] = t->light[row][i] * keep + cover * s->tint.light;
            t->keep[row][i] *= keep;
        }
    }
}

static void draw_chroma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    struct spans p = { (float)t->top + 1, 2, (float)t->left + 0.5F, t->half_width, { 0 }, { 0 } };
    float alpha = -1;
    int row, end;

    rows_of(s, t, 1, 2, t->half_height, &row, &end);
    find_spans(s, &p);
    for (; row < end; row++) {
        if (p.first[row] >= p.end[row])
            continue;
        if (row % (HIDE_ROWS / 2) == 0 || alpha < 0)
            alpha = shown(s, sight, &p, row);
        if (alpha <= 0)
            continue;
        t->changes |= 1U << row;
        float dx = p.left + 2 * (float)p.first[row] - s->x, dy = p.first_y + 2 * (float)row - s->y;
        for (int i = p.first[row]; i < p.end[row]; i++, dx += 2) {
            float cover = alpha * cover_at(s, dx, dy), keep = s->shines ? 1 : 1 - cover;
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
