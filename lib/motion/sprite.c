/*
 * sprite.c - draws the sprites of particles.h into tiles. Coverage is worked out at the middle of
 * each sample, so a sprite moves by any fraction of a pixel without jitter; the soft rim does what
 * sampling more often would.
 */
#include "motion/particles.h"

#include <math.h>
#include <string.h>

#include "media/colour.h"
#include "motion/camera.h"
#include "motion/sight.h"

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_bits __attribute__((vector_size(16)));

/* How far in nearness a particle has to be behind a thing to be hidden altogether. */
#define HIDE_SOFT 0.05F

/* Frame rows that share one look at what is in front: half as many as the grid of sight.h. */
#define HIDE_ROWS 4

/* 1 where the particle is in front of the scene. */
static float in_front(const struct zt_sprite *s, const struct zt_sight *sight, float x, float y)
{
    if (sight->depth.z == NULL || s->near > ZT_D_NEAR + HIDE_SOFT)
        return 1;
    float scene = (float)ZT_D_FAR + (float)(ZT_D_NEAR - ZT_D_FAR) * zt_sight_near(sight, x, y);
    float v = (s->near - scene) * (1 / HIDE_SOFT) + 0.5F;
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* Which samples of a tile's rows lie inside the ellipse: [first, end) of each, most often none. */
struct spans {
    float first_y, step; /* of the rows; columns are `step` apart, too */
    float left;          /* the first column */
    int32_t first[ZT_TILE_HEIGHT], end[ZT_TILE_HEIGHT];
};

ZT_MEDIA_CLONES static void find_spans(const struct zt_sprite *s, float first_y, float left,
                                       float step, int columns, struct spans *ret)
{
    const float slant = s->slant, wide = s->wide, bend = s->bend, per = 1 / step;
    const float mid_x = s->x - left, from_y = first_y - s->y, n = (float)columns;

    ret->first_y = first_y;
    ret->step = step;
    ret->left = left;
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

/* Pointed at both ends. */
static four leaf(four u, four v, four q)
{
    four cover = { 0 };

    for (int k = 0; k < 4; k++) {
        float rim = 4 * ((1 - u[k] * u[k]) * (1 + 0.25F * u[k]) - fabsf(v[k]));
        cover[k] = q[k] >= 1 || rim <= 0 ? 0 : rim < 1 ? rim : 1;
    }
    return cover;
}

/*
 * What is needed for a row of samples, copied: light and keep are floats too, and what is written
 * there must not seem to change the sprite.
 */
struct brush {
    float ux, vx, uy, vy; /* of a row: (u, v) at dx 0 */
    float alpha, hides, step;
    enum zt_shape shape;
};

static inline struct brush brush_of(const struct zt_sprite *s, float alpha, float dy, float step)
{
    return (struct brush){ s->ux, s->vx,   s->uy * dy, s->vy * dy, alpha, s->shines ? 0 : 1,
                           step,  s->shape };
}

/* How much of four samples is covered, from dx off the middle on; of those outside, nothing. */
static inline four cover_at(struct brush b, float dx)
{
    const four lane = { 0, 1, 2, 3 };
    four x = dx + b.step * lane, u = b.ux * x + b.uy, v = b.vx * x + b.vy;
    four q = u * u + v * v;

    if (b.shape == ZT_SHAPE_LEAF)
        return b.alpha * leaf(u, v, q);
    four soft = b.shape == ZT_SHAPE_DISC ? 1 - q * q : 1 - q;
    soft = (four)((soft > 0) & (four_bits)soft);
    return b.alpha * (soft * soft);
}

/* Keeps some of four samples' light, and adds some. */
static inline void mix(float *at, four keep, four light)
{
    four v;

    memcpy(&v, at, sizeof(v));
    v = v * keep + light;
    memcpy(at, &v, sizeof(v));
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
    const four none = { 0 };
    struct spans p;
    float alpha = -1;
    int row, end;

    rows_of(s, t, 0.5F, 1, t->height, &row, &end);
    find_spans(s, (float)t->top + 0.5F, (float)t->left + 0.5F, 1, t->width, &p);
    for (; row < end; row++) {
        if (p.first[row] >= p.end[row])
            continue;
        if (row % HIDE_ROWS == 0 || alpha < 0)
            alpha = shown(s, sight, &p, row);
        if (alpha <= 0)
            continue;
        t->changes |= 1U << row / 2;
        struct brush b = brush_of(s, alpha, p.first_y + (float)row - s->y, 1);
        float *light = t->light[row], *kept = t->keep[row], from = p.left - s->x,
              tint = s->tint.light;
        for (int i = p.first[row] & ~3, to = p.end[row]; i < to; i += 4) {
            four cover = cover_at(b, from + (float)i), keep = 1 - b.hides * cover;
            mix(light + i, keep, cover * tint);
            mix(kept + i, keep, none);
        }
    }
}

static void draw_chroma(const struct zt_sprite *s, const struct zt_sight *sight, struct zt_tile *t)
{
    const four none = { 0 };
    struct spans p;
    float alpha = -1;
    int row, end;

    rows_of(s, t, 1, 2, t->half_height, &row, &end);
    find_spans(s, (float)t->top + 1, (float)t->left + 0.5F, 2, t->half_width, &p);
    for (; row < end; row++) {
        if (p.first[row] >= p.end[row])
            continue;
        if (row % (HIDE_ROWS / 2) == 0 || alpha < 0)
            alpha = shown(s, sight, &p, row);
        if (alpha <= 0)
            continue;
        t->changes |= 1U << row;
        struct brush b = brush_of(s, alpha, p.first_y + 2 * (float)row - s->y, 2);
        float *u = t->light_u[row], *v = t->light_v[row], *kept = t->keep_c[row],
              from = p.left - s->x;
        struct zt_tint tint = s->tint;
        for (int i = p.first[row] & ~3, to = p.end[row]; i < to; i += 4) {
            four cover = cover_at(b, from + 2 * (float)i), keep = 1 - b.hides * cover;
            mix(u + i, keep, cover * tint.u);
            mix(v + i, keep, cover * tint.v);
            mix(kept + i, keep, none);
        }
    }
}

void zt_sprite_draw(const struct zt_sprite *sprite, const struct zt_sight *sight,
                    struct zt_tile *tile)
{
    draw_luma(sprite, sight, tile);
    draw_chroma(sprite, sight, tile);
}
