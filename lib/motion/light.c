/*
 * light.c - see light.h. What happens to the light is worked out on the grid of sight.h, and spread
 * over the pixels tile by tile; tiles whose light stays as it is are not touched.
 */
#include "motion/light.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "media/colour.h"
#include "media/frame.h"
#include "motion/guided.h"
#include "motion/mix.h"
#include "motion/regions.h"
#include "motion/sight.h"
#include "motion/tones.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

/* Strengths at amount 1, in light. */
#define FLICKER_DEPTH   0.21F
#define RAYS_LIGHT      0.40F
#define NIGHT_KEEPS     0.30F
#define NIGHT_GREY      0.38F /* how much of the colour goes */
#define NIGHT_BLUE      9.0F  /* coded chroma */
#define NIGHT_RED       -5.0F

#define FLICKER_LOW_HZ  0.7
#define FLICKER_HIGH_HZ 7.5
#define RAYS_TURN_S     6.0
#define RAYS_SPEED      0.014F /* of the noise's square per second */

#define FLICKER_RAMP_S  0.5
#define RAYS_RAMP_S     2.0

struct zt_light {
    float flicker, rays, night; /* amounts; night: what is left to do for this picture */
    bool fresh;
    double seconds;
    int width, height; /* of the masks, as regions.h has it */
    float *lamp;       /* lights and their glow, 0 ... 1 */
    float *kept;       /* what the night leaves alone */
    float *which;      /* 0 ... 1: whose flicker, of two */
    float *memory;
    struct zt_tones tones[2];
    struct zt_noise beams;
    double turn_s;
    float aspect, sun_x, sun_y, side;
    struct zt_tint sun;
    int columns, rows;
    float *keep, *keep_c, *ray; /* [rows][columns] of sight */
    float *grids;
    /* of the moment */
    const struct zt_sight *sight;
    float gain[2], night_now, rays_now;
    struct zt_turns turns[2];
};

/* ---- getting ready ------------------------------------------------------------------------- */

static float clamp01(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static float luma_of(const float *p)
{
    return 0.2126F * p[0] + 0.7152F * p[1] + 0.0722F * p[2];
}

/* The lights, sharp, and what they shine on around them, soft. */
static void make_masks(struct zt_light *l, const struct zt_regions *r, struct zt_rng *rng)
{
    const float *glow = r->mask[ZT_REGION_GLOW];
    int n = l->width * l->height, reach = (l->width + l->height) / 18 + 1;
    struct zt_noise noise;
    double mean = 0;

    for (int i = 0; i < n; i++)
        mean += (double)luma_of(r->rgb + 3 * i) / n;
    for (int i = 0; i < n; i++) {
        float y = luma_of(r->rgb + 3 * i);
        /* With no light in sight, the lamp is behind the camera: it lights what is bright. */
        l->lamp[i] = glow != NULL ? glow[i] : 0.35F * clamp01((y - (float)mean) * 2);
    }
    if (glow != NULL) {
        zt_box_mean(l->lamp, l->kept, l->which, l->width, l->height, reach / 2 + 1);
        zt_box_mean(l->kept, l->kept, l->which, l->width, l->height, reach);
        for (int i = 0; i < n; i++)
            l->lamp[i] = clamp01(0.75F * glow[i] + 0.8F * sqrtf(fmaxf(l->kept[i], 0)));
        zt_box_mean(glow, l->kept, l->which, l->width, l->height, 2);
        for (int i = 0; i < n; i++)
            l->kept[i] = clamp01(0.9F * clamp01(1.6F * l->kept[i]) + 0.25F * l->lamp[i]);
    }
    zt_noise_init(&noise, rng, 4, 2);
    for (int i = 0; i < n; i++) {
        float x = (float)(i % l->width) / (float)l->width;
        float y = (float)(i / l->width) / (float)l->width;
        l->which[i] = clamp01(0.5F + 0.7F * zt_noise_at(&noise, x, y));
    }
    zt_noise_clear(&noise);
    l->night *= clamp01(((float)mean - 0.12F) / 0.25F);
}

/* Beams come from the brightest part of the upper picture, or from beyond an upper corner. */
static enum zt_code find_sun(struct zt_light *l, const struct zt_regions *r, struct zt_rng *rng,
                             struct zt_err *err)
{
    int n = l->width * l->height, best = -1;
    float most = 0, mean = 0, *soft;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc((size_t)n, 2 * sizeof(float), "light", &memory, err));
    soft = memory;
    for (int i = 0; i < n; i++) {
        float y = luma_of(r->rgb + 3 * i);
        soft[i] = y * y;
        mean += y * y / (float)n;
    }
    zt_box_mean(soft, soft, soft + n, l->width, l->height, l->width / 16 + 1);
    for (int i = 0; i < n * 2 / 5; i++) {
        float light = soft[i] * (1.1F - (float)(i / l->width) / (float)l->height);
        if (light > most) {
            most = light;
            best = i;
        }
    }
    bool left = (zt_rng_u32(rng) & 1) != 0;
    l->sun_x = left ? -0.12F : 1.12F;
    l->sun_y = -0.28F;
    if (best >= 0 && most > 1.5F * mean + 0.1F) { /* from above it, so that beams are parted */
        l->sun_x = ((float)(best % l->width) + 0.5F) / (float)l->width;
        l->sun_y = ((float)(best / l->width) + 0.5F) / (float)l->height - 0.3F;
    }
    l->side = left ? 1 : -1;
    free(memory);
    return ZT_OK;
}

static enum zt_code allocate(struct zt_light *l, const struct zt_sight *sight, struct zt_err *err)
{
    size_t n = (size_t)l->width * (size_t)l->height;
    size_t points = (size_t)sight->columns * (size_t)sight->rows;
    void *memory = NULL, *grids = NULL;

    ZT_TRY(zt_try_alloc(n, 3 * sizeof(float), "light", &memory, err));
    l->memory = l->lamp = memory;
    l->kept = l->lamp + n;
    l->which = l->kept + n;
    ZT_TRY(zt_try_alloc(points, 3 * sizeof(float), "light", &grids, err));
    l->columns = sight->columns;
    l->rows = sight->rows;
    l->grids = l->keep = grids;
    l->keep_c = l->keep + points;
    l->ray = l->keep_c + points;
    return ZT_OK;
}

static enum zt_code prepare(struct zt_light *l, const struct zt_regions *r,
                            const struct zt_sight *sight, const struct zt_weather *weather,
                            struct zt_err *err)
{
    double loop_s = weather->loop ? weather->seconds : 0;
    struct zt_rng rng;

    l->width = r->width;
    l->height = r->height;
    ZT_TRY(allocate(l, sight, err));
    zt_rng_init(&rng, weather->seed, weather->stream * 16 + 4);
    for (int k = 0; k < 2; k++)
        zt_tones_init(&l->tones[k], &rng, FLICKER_LOW_HZ, FLICKER_HIGH_HZ, 0.6, loop_s);
    zt_noise_init(&l->beams, &rng, 16, 2);
    l->turn_s = zt_fitting_period(RAYS_TURN_S, loop_s);
    l->aspect = (float)(sight->share_y / sight->share_x);
    l->sun = zt_tint_of(1, 0.93F, 0.78F);
    ZT_TRY(find_sun(l, r, &rng, err));
    make_masks(l, r, &rng);
    return ZT_OK;
}

enum zt_code zt_light_open(const struct zt_image *picture, const struct zt_depth *depth,
                           const struct zt_sight *sight, const struct zt_weather *weather,
                           struct zt_pool *pool, struct zt_light **ret, struct zt_err *err)
{
    const float *a = weather->atmosphere;
    struct zt_regions regions;

    *ret = NULL;
    if (a[ZT_ATMO_FLICKER] <= 0 && a[ZT_ATMO_SUN_RAYS] <= 0 && a[ZT_ATMO_NIGHT] <= 0)
        return ZT_OK;
    ZT_TRY(zt_regions_find(picture, depth, ZT_REGION_BIT(ZT_REGION_GLOW), pool, &regions, err));
    zt_auto(light) struct zt_light *l = zt_new(struct zt_light);
    l->flicker = fminf(a[ZT_ATMO_FLICKER], 3);
    l->rays = fminf(a[ZT_ATMO_SUN_RAYS], 3);
    l->night = fminf(a[ZT_ATMO_NIGHT], 3);
    l->fresh = weather->fresh && !weather->loop;
    l->seconds = weather->seconds;
    enum zt_code rc = prepare(l, &regions, sight, weather, err);
    zt_regions_clear(&regions);
    if (rc == ZT_OK)
        *ret = zt_take_light(&l);
    return rc;
}

void zt_light_close(struct zt_light *light)
{
    if (light == NULL)
        return;
    zt_noise_clear(&light->beams);
    free(light->memory);
    free(light->grids);
    free(light);
}

/* ---- a frame ------------------------------------------------------------------------------- */

/* The angle of (x, y) from straight down, to 10^-4; atan2f without a call. */
static inline float angle_of(float x, float y)
{
    float across = fabsf(x), down = fabsf(y);
    float most = across > down ? across : down, least = across > down ? down : across;
    float r = least / (most + 1e-12F), s = r * r;
    float angle = r + r * s * ((-0.0464964749F * s + 0.15931422F) * s - 0.327622764F);

    angle = across > down ? (float)M_PI_2 - angle : angle;
    angle = y < 0 ? (float)M_PI - angle : angle;
    return x < 0 ? -angle : angle;
}

static inline float within01(float v) /* clamp01 for loops */
{
    v = v < 0 ? 0 : v;
    return v > 1 ? 1 : v;
}

/* Where the four copies of the beams are at the moment, and their weights. */
struct beams {
    float turned[4], weight[4];
};

static struct beams beams_now(const struct zt_light *l)
{
    struct beams b;
    float square = 0;

    for (int k = 0; k < 4; k++) {
        const struct zt_turns *turns = &l->turns[k / 2];
        float age = (float)(turns->age_s[k % 2] - l->turn_s / 2);
        b.turned[k] = l->side * (k > 1 ? -0.6F : 1) * RAYS_SPEED * age;
        b.weight[k] = (float)turns->weight[k % 2];
        square += b.weight[k] * b.weight[k];
    }
    for (int k = 0; k < 4; k++)
        b.weight[k] /= sqrtf(square);
    return b;
}

/* How much of a beam lies at n positions of the picture. */
ZT_MEDIA_CLONES static void beam(const struct zt_light *l, const struct beams *now,
                                 const float *restrict x, const float *restrict y,
                                 const float *restrict near, int n, float *restrict ret)
{
    const struct beams b = *now;
    const struct zt_noise noise = l->beams;
    const float sun_x = l->sun_x, sun_y = l->sun_y, aspect = l->aspect, much = l->rays_now;

    for (int i = 0; i < n; i++) {
        float dx = (x[i] - sun_x) * aspect, dy = y[i] - sun_y;
        float way = sqrtf(dx * dx + dy * dy) + 1e-3F;
        float angle = angle_of(dx, dy + 0.02F), turned = angle * 0.36F, sum = 0;
        for (int k = 0; k < 4; k++)
            sum +=
                b.weight[k] * zt_noise_at(&noise, turned + b.turned[k], 0.13F + 0.31F * (float)k);
        float part = within01((sum + 0.7F) / 3);
        float fade = zt_exp(-0.9F * way) * within01((1.75F - fabsf(angle)) * 2) * within01(way * 4);
        float ray = much * part * part * (3 - 2 * part) * fade * (1 - 0.6F * near[i]);
        ret[i] = ray < 0.9F ? ray : 0.9F;
    }
}

static void set_rows(void *user, int first, int end)
{
    struct zt_light *l = user;
    const struct zt_sight *s = l->sight;
    const float dusk = logf(NIGHT_KEEPS);

    for (int i = first * l->columns; i < end * l->columns; i++) {
        float keep = 1, grey = 0;
        float x = s->x[i], y = s->y[i];
        if (l->night_now > 0) {
            float dark = l->night_now * (1 - zt_map_at(l->kept, l->width, l->height, x, y));
            keep = zt_exp(dusk * dark);
            grey = NIGHT_GREY * fminf(dark, 1);
        }
        if (l->flicker > 0) {
            float lamp = zt_map_at(l->lamp, l->width, l->height, x, y);
            float which = zt_map_at(l->which, l->width, l->height, x, y);
            float gain = l->gain[0] + which * (l->gain[1] - l->gain[0]);
            keep *= 1 + (lamp > 0.004F ? lamp - 0.004F : 0) * gain;
        }
        l->keep[i] = keep;
        l->keep_c[i] = keep * (1 - grey);
        l->ray[i] = 0;
    }
    if (l->rays_now > 0) {
        struct beams now = beams_now(l);
        size_t at = (size_t)first * (size_t)l->columns;
        beam(l, &now, s->x + at, s->y + at, s->near + at, (end - first) * l->columns, l->ray + at);
    }
}

/* Whether the tile's part of the grids changes anything. */
static bool changes(const struct zt_light *l, const struct zt_tile *t)
{
    int x0 = t->left / ZT_SIGHT_CELL, x1 = (t->left + t->width - 1) / ZT_SIGHT_CELL + 1;
    int y0 = t->top / ZT_SIGHT_CELL, y1 = (t->top + t->height - 1) / ZT_SIGHT_CELL + 1;

    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            int i = y * l->columns + x;
            if (l->keep[i] != 1 || l->keep_c[i] != 1 || l->ray[i] != 0)
                return true;
        }
    }
    return false;
}

/* Beams lie over what they shine on: light on light, neither ever beyond white. */
ZT_MEDIA_CLONES static void shine(const float *ray, float light, int n, float *keep, float *ret)
{
    for (int x = 0; x < n; x++) {
        keep[x] *= 1 - ray[x];
        ret[x] = ray[x] * light;
    }
}

static void fill_tile(const struct zt_light *l, struct zt_tile *t)
{
    float ray[ZT_TILE_WIDTH];

    t->changes = ZT_TILE_ALL;
    if (l->rays_now <= 0)
        zt_tile_clear_light(t);
    t->cast_u = l->night_now > 0 ? NIGHT_BLUE * fminf(l->night_now, 1.5F) : 0;
    t->cast_v = l->night_now > 0 ? NIGHT_RED * fminf(l->night_now, 1.5F) : 0;
    for (int row = 0; row < t->height; row++) {
        float y = (float)(t->top + row) + 0.5F;
        zt_sight_row(l->sight, l->keep, t->left, y, t->width, 1, t->keep[row]);
        if (l->rays_now <= 0)
            continue;
        zt_sight_row(l->sight, l->ray, t->left, y, t->width, 1, ray);
        shine(ray, l->sun.light, t->width, t->keep[row], t->light[row]);
    }
    for (int row = 0; row < t->half_height; row++) {
        float y = (float)(t->top + 2 * row) + 1, unused[ZT_TILE_WIDTH / 2];
        zt_sight_row(l->sight, l->keep_c, t->left, y, t->half_width, 2, t->keep_c[row]);
        if (l->rays_now <= 0)
            continue;
        zt_sight_row(l->sight, l->ray, t->left, y, t->half_width, 2, ray);
        memcpy(unused, t->keep_c[row], sizeof(unused));
        shine(ray, l->sun.u, t->half_width, t->keep_c[row], t->light_u[row]);
        shine(ray, l->sun.v, t->half_width, unused, t->light_v[row]);
    }
}

struct drawing {
    const struct zt_light *light;
    struct zt_frame_buf *frame;
};

static void draw_rows(void *user, int first, int end)
{
    const struct drawing *d = user;
    int width = d->frame->view.width_px, height = d->frame->view.height_px;
    struct zt_tile tile;

    for (int row = first; row < end; row++) {
        for (int column = 0; column < zt_tile_columns(width); column++) {
            zt_tile_reset(&tile, column, row, width, height);
            if (!changes(d->light, &tile))
                continue;
            zt_tile_fetch(&tile, d->frame);
            fill_tile(d->light, &tile);
            zt_tile_apply(&tile, d->frame);
        }
    }
}

/* Flames dim deeper than they flare. */
static float flame(double v)
{
    return (float)(v < 0 ? tanh(0.8 * v) : 0.75 * tanh(v));
}

void zt_light_draw(struct zt_light *l, const struct zt_sight *sight, double t_s,
                   struct zt_frame_buf *frame, struct zt_pool *pool)
{
    struct drawing d = { .light = l, .frame = frame };

    if (l == NULL)
        return;
    zt_assert(frame->view.width_px == sight->view.width_px &&
              frame->view.height_px == sight->view.height_px);
    double dusk_s = fmax(1.5, 0.5 * l->seconds);
    double ramp = l->fresh ? zt_smooth_step(t_s / FLICKER_RAMP_S) : 1;
    for (int k = 0; k < 2; k++) {
        float depth = fminf(0.8F, FLICKER_DEPTH * l->flicker);
        l->gain[k] = depth * (float)ramp * flame(zt_tones_at(&l->tones[k], t_s));
        l->turns[k] = zt_turns_at(t_s, l->turn_s, 0.11 + 0.27 * k);
    }
    l->night_now = l->night * (float)(l->fresh ? zt_smooth_step(t_s / dusk_s) : 1);
    l->rays_now = l->rays * RAYS_LIGHT * (float)(l->fresh ? zt_smooth_step(t_s / RAYS_RAMP_S) : 1);
    l->sight = sight;
    zt_pool_for(pool, l->rows, 4, set_rows, l);
    zt_pool_for(pool, zt_tile_rows(frame->view.height_px), 2, draw_rows, &d);
}
