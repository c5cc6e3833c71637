/*
 * fluid.c - see fluid.h. Two grids: a coarse one, of regions.h, on which velocities and swings are
 * kept and worked out anew for each moment; and a finer plane with the mask of what flows.
 */
#include "motion/fluid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "media/resize.h"
#include "motion/guided.h"
#include "motion/regions.h"
#include "motion/sight.h"
#include "motion/standing.h"
#include "motion/tones.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

#define MASK_LONG 960 /* the mask plane's longer side, at most */

/* Speeds in units of camera.h per second, at amount 1. */
#define WATER_SPEED 0.022F
#define FALLS_SPEED 0.075F
#define CLOUD_SPEED 0.014F
#define WATER_TURN  2.4 /* seconds that a copy lives */
#define CLOUD_TURN  4.5

/* Heights of swings in units, at amount 1. */
#define WAVE_SIZE    0.0034F
#define SWAY_SIZE    0.0052F
#define FLUTTER_SIZE 0.0011F

/* A fresh flow's copies are all carried from 0 at first; they are centred within this time. */
#define CENTRE_S 3.0
#define RAMP_S   1.2

#define WAVES    3
#define SWAYS    5

struct wave {
    double hz, phase;
    float along, down; /* how fast its phase runs over the picture */
    float size;
};

/* What a moment makes of a grid point: the copies' displacements, picture pixels. */
struct motion {
    float ax, ay, bx, by;
    float weight_a;
    float flow; /* the mask, grown: 0 where no flow is near */
    float core; /* the mask, shrunk: 1 where all around flows */
    float sx, sy;
};

struct zt_fluid {
    int width, height;
    double grid_x, grid_y;        /* grid points for each picture pixel */
    float *speed_x, *speed_y;     /* picture pixels per second */
    float *offset;                /* where in its turn a place is, in turns */
    float *cloud;                 /* 1 sky, 0 water: whose turns */
    float *wave_size, *sway_size; /* picture pixels */
    float *phase;                 /* radians, differing slowly from place to place */
    float *spread; /* distance from the eye over water: what waves are evenly spaced in */
    struct motion *now;
    float *memory;
    struct zt_plane mask;
    double mask_x, mask_y; /* mask samples for each picture pixel */
    double turn_s[2];      /* of water, of clouds */
    struct wave wave[WAVES], sway[SWAYS];
    double t_s, ramp;
    bool fresh, flows;
};

/* ---- getting ready ------------------------------------------------------------------------- */

struct open {
    struct zt_fluid *f;
    const struct zt_weather *weather;
    struct zt_regions r;
    struct zt_rng rng;
    float unit; /* picture pixels */
    float water, cloud, wind;
    float *flow, *tmp, *tmp2; /* [height][width]; flow: what flows, water and clouds */
    float side;               /* of the wind: -1 or 1 */
};

static float clamp01(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* 1 well inside the mask, 0 at its edge and outside. */
static void inside(const struct open *o, const float *mask, int radius, float *ret)
{
    zt_box_mean(mask, ret, o->tmp2, o->r.width, o->r.height, radius);
    for (int i = 0; i < o->r.width * o->r.height; i++)
        ret[i] = clamp01((ret[i] - 0.5F) * 2) * mask[i];
}

static enum zt_code allocate(struct open *o, struct zt_err *err)
{
    struct zt_fluid *f = o->f;
    size_t n = (size_t)f->width * (size_t)f->height;
    void *memory = NULL, *now = NULL;
    float **const parts[] = { &f->speed_x,   &f->speed_y,   &f->offset, &f->cloud,
                              &f->wave_size, &f->sway_size, &f->phase,  &f->spread,
                              &o->flow,      &o->tmp,       &o->tmp2 };

    ZT_TRY(zt_try_alloc(n * ZT_COUNT(parts), sizeof(float), "what flows", &memory, err));
    f->memory = memory;
    for (size_t i = 0; i < ZT_COUNT(parts); i++)
        *parts[i] = f->memory + n * i;
    ZT_TRY(zt_try_alloc(n, sizeof(struct motion), "what flows", &now, err));
    f->now = now;
    return ZT_OK;
}

/*
 * Water runs along its streaks, which are where the gradient is smallest: the structure tensor,
 * averaged. Only white water may fall; elsewhere upright streaks are mirror images of the shore.
 */
static void water_speeds(struct open *o)
{
    struct zt_fluid *f = o->f;
    const float *rgb = o->r.rgb, *mask = o->r.mask[ZT_REGION_WATER];
    int w = f->width, h = f->height, n = w * h;
    float *xx = f->speed_x, *xy = f->speed_y, *yy = f->offset; /* until they get their values */

    for (int i = 0; i < n; i++) {
        int right = i % w + 1 < w ? 3 * (i + 1) : 3 * i, below = i + w < n ? 3 * (i + w) : 3 * i;
        float gx = (rgb[right + 1] - rgb[3 * i + 1]) * mask[i];
        float gy = (rgb[below + 1] - rgb[3 * i + 1]) * mask[i];
        xx[i] = gx * gx;
        xy[i] = gx * gy;
        yy[i] = gy * gy;
    }
    zt_box_mean(xx, xx, o->tmp, w, h, 9);
    zt_box_mean(xy, xy, o->tmp, w, h, 9);
    zt_box_mean(yy, yy, o->tmp, w, h, 9);
    inside(o, mask, 4, o->tmp);
    for (int i = 0; i < n; i++) {
        const float *p = rgb + 3 * i;
        float spread = fmaxf(p[0], fmaxf(p[1], p[2])) - fminf(p[0], fminf(p[1], p[2]));
        float white = clamp01((p[1] - 0.45F) * 5) * clamp01((0.2F - spread) * 10);
        float turn = atan2f(2 * xy[i], xx[i] - yy[i]) / 2; /* of the gradient */
        float dx = -sinf(turn), dy = cosf(turn);
        float trace = xx[i] + yy[i] + 1e-7F;
        float sure = sqrtf((xx[i] - yy[i]) * (xx[i] - yy[i]) + 4 * xy[i] * xy[i]) / trace;
        float fall = white * clamp01((fabsf(dy) - 0.5F) * 4) * sure;
        dy = fall > 0 ? fabsf(dy) : copysignf(fminf(fabsf(dy), 0.25F), dy * dx * o->side);
        dx = copysignf(dx, o->side);
        dx = fall > 0.5F ? dx * (1 - fall) : copysignf(fmaxf(fabsf(dx), 0.9F), dx);
        float near = 0.3F + 0.9F * o->r.near[i];
        float speed = (WATER_SPEED * near * (1 - fall) + FALLS_SPEED * fall) * o->unit * o->water;
        f->speed_x[i] = dx * speed * o->tmp[i];
        f->speed_y[i] = dy * speed * o->tmp[i];
        f->wave_size[i] = (0.25F + 0.75F * o->r.near[i]) * WAVE_SIZE * o->unit * o->water *
                          (1 - fall) * o->tmp[i];
        o->flow[i] = mask[i];
    }
    zt_box_mean(f->speed_x, f->speed_x, o->tmp, w, h, 3);
    zt_box_mean(f->speed_y, f->speed_y, o->tmp, w, h, 3);
}

/*
 * Clouds are farther, and so slower, towards the horizon. They are slower near what stands before
 * them too, by so much that no copy is carried as far as that; a cell of the warp that
 * reaches over such a thing does not move.
 */
static void cloud_speeds(struct open *o, const struct zt_image *picture, struct zt_pool *pool)
{
    struct zt_fluid *f = o->f;
    const float *mask = o->r.mask[ZT_REGION_SKY];
    int w = f->width, n = w * f->height, lowest = 1;
    float top_speed = CLOUD_SPEED * 1.15F * o->unit * o->cloud;
    float carried = top_speed * (float)(f->turn_s[1] / 2 * f->grid_x); /* grid points, at most */
    float cell = 1.5F * ZT_CELL * (float)f->grid_x;

    for (int i = 0; i < n; i++)
        lowest = mask[i] > 0.5F && i / w > lowest ? i / w : lowest;
    zt_standing_ramp(picture, &o->r, mask, cell, fmaxf(4, 1.5F * carried), pool, o->tmp);
    for (int i = 0; i < n; i++) {
        float height = clamp01(1 - (float)(i / w) / (float)lowest);
        float speed = CLOUD_SPEED * (0.35F + 0.8F * height) * o->unit * o->cloud * o->tmp[i];
        if (mask[i] <= 0 || o->flow[i] > mask[i])
            continue;
        f->speed_x[i] = o->side * speed;
        f->speed_y[i] = -0.12F * speed;
        f->cloud[i] = 1;
        o->flow[i] = mask[i];
    }
}

/* Waves come in evenly spaced over the water; those too fine for the grid are left out. */
static void make_waves(struct open *o)
{
    struct zt_fluid *f = o->f;
    const float *mask = o->r.mask[ZT_REGION_WATER];
    int w = f->width, h = f->height, top = h;
    double loop_s = o->weather->loop ? o->weather->seconds : 0;

    for (int i = 0; i < w * h && mask != NULL; i++)
        top = mask[i] > 0.5F && i / w < top ? i / w : top;
    for (int k = 0; k < WAVES; k++)
        f->wave[k] = (struct wave){ .hz = zt_whole_turns(
                                        0.32 + 0.17 * k + 0.1 * zt_rng_unit(&o->rng), loop_s),
                                    .phase = 2 * M_PI * zt_rng_unit(&o->rng),
                                    .down = 5.5F + 2.3F * (float)k,
                                    .along = zt_rng_range(&o->rng, -2.5F, 2.5F) * (float)(k + 1),
                                    .size = 1 / (1 + 0.6F * (float)k) };
    for (int i = 0; i < w * h; i++) {
        float below = fmaxf(0, (float)(i / w - top) / (float)h) + 0.16F;
        float length = below * below / 10.1F * (float)h; /* of the finest wave, in grid points */
        f->spread[i] = 1 / below;
        f->wave_size[i] *= (float)zt_smooth_step((double)(length - 2) / 4);
    }
}

/* Plants swing about their foot: the lower end of the upright run of mask that a point is in. */
static void make_sways(struct open *o)
{
    struct zt_fluid *f = o->f;
    const float *mask = o->r.mask[ZT_REGION_PLANTS];
    int w = f->width, h = f->height;
    double loop_s = o->weather->loop ? o->weather->seconds : 0;
    static const double hz[SWAYS] = { 0.23, 0.41, 0.67, 1.25, 1.8 };

    for (int k = 0; k < SWAYS; k++) {
        bool fine = k >= 3; /* leaves rather than branches */
        f->sway[k] =
            (struct wave){ .hz = zt_whole_turns(hz[k] * (0.9 + 0.2 * zt_rng_unit(&o->rng)), loop_s),
                           .phase = 2 * M_PI * zt_rng_unit(&o->rng),
                           .along = o->side * (fine ? 62.0F + 20 * (float)k : 5 + 3 * (float)k),
                           .down = fine ? zt_rng_range(&o->rng, -70, 70) : 2,
                           .size = fine ? FLUTTER_SIZE : SWAY_SIZE / (1 + 0.7F * (float)k) };
    }
    for (int x = 0; x < w && mask != NULL; x++) {
        float run = 0.2F * (float)h * 0.3F; /* at the rim the foot is out of sight */
        for (int y = h - 1; y >= 0; y--) {
            float m = mask[y * w + x];
            run = m > 0.25F ? run + 1 : fmaxf(0, run - 2);
            o->tmp[y * w + x] = m * clamp01(run / (0.2F * (float)h));
        }
    }
    if (mask == NULL)
        return;
    zt_box_mean(o->tmp, o->tmp, o->tmp2, w, h, 2);
    zt_box_mean(o->tmp, f->sway_size, o->tmp2, w, h, 2);
    for (int i = 0; i < w * h; i++) {
        float size = (0.45F + 0.75F * o->r.near[i]) * f->sway_size[i];
        f->sway_size[i] = size > 0.01F ? (size - 0.01F) * o->wind * o->unit : 0;
    }
}

static void scatter_phases(struct open *o)
{
    struct zt_fluid *f = o->f;
    struct zt_noise noise;
    float aspect = (float)f->height / (float)f->width;

    zt_noise_init(&noise, &o->rng, 8, 2);
    for (int i = 0; i < f->width * f->height; i++) {
        float x = (float)(i % f->width) / (float)f->width;
        float y = (float)(i / f->width) / (float)f->height * aspect;
        f->offset[i] = 0.22F * zt_noise_at(&noise, x * 0.7F, y * 1.4F);
        f->phase[i] = 1.3F * zt_noise_at(&noise, 0.5F + x * 0.5F, y * 0.5F);
    }
    zt_noise_clear(&noise);
}

/* Smallest or largest value within a few grid points. */
static void spread_extreme(const float *src, float *dst, int w, int h, int radius, bool largest)
{
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            float v = src[y * w + x];
            for (int dy = -radius; dy <= radius; dy++) {
                for (int dx = -radius; dx <= radius; dx++) {
                    int px = x + dx, py = y + dy;
                    if (px < 0 || py < 0 || px >= w || py >= h)
                        continue;
                    float u = src[py * w + px];
                    v = largest ? fmaxf(v, u) : fminf(v, u);
                }
            }
            dst[y * w + x] = v;
        }
    }
}

/* The mask again at a size at which its edge can be seen: linear in the picture's colours. */
static enum zt_code fine_mask(struct open *o, const struct zt_image *picture, struct zt_pool *pool,
                              struct zt_err *err)
{
    struct zt_fluid *f = o->f;
    int w = f->width, h = f->height;
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    double shrink = fmin(1, (double)MASK_LONG / longest);
    int mw = (int)fmax(1, lround(picture->width_px * shrink));
    int mh = (int)fmax(1, lround(picture->height_px * shrink));
    void *fit = NULL, *bytes = NULL;

    ZT_TRY(zt_plane_init(&f->mask, mw, mh, err));
    f->mask_x = (double)mw / picture->width_px;
    f->mask_y = (double)mh / picture->height_px;
    ZT_TRY(zt_try_alloc((size_t)w * (size_t)h, 4 * sizeof(float), "what flows", &fit, err));
    zt_auto_free float *line = fit;
    ZT_TRY(zt_guided_fit(o->r.rgb, o->flow, NULL, w, h, 3, 4e-4F, pool, line, err));
    ZT_TRY(zt_try_alloc((size_t)mw * (size_t)mh, 3, "what flows", &bytes, err));
    zt_auto_free uint8_t *rgb = bytes;
    struct zt_crop all = zt_crop_all(picture);
    ZT_TRY(zt_resize_rgb24(picture, &all, rgb, (size_t)mw * 3, mw, mh, pool, err));
    for (int i = 0; i < w * h; i++) /* planes of coefficients, for zt_map_at */
        for (int c = 0; c < 4; c++)
            f->memory[(size_t)c * (size_t)w * (size_t)h + (size_t)i] = line[4 * i + c];
    for (int y = 0; y < mh; y++) {
        for (int x = 0; x < mw; x++) {
            float px = ((float)x + 0.5F) / (float)mw, py = ((float)y + 0.5F) / (float)mh;
            const uint8_t *p = rgb + 3 * ((size_t)y * (size_t)mw + (size_t)x);
            float v = 0;
            for (int c = 0; c < 4; c++) {
                float a = zt_map_at(f->memory + (size_t)c * (size_t)w * (size_t)h, w, h, px, py);
                v += a * (c < 3 ? (float)p[c] / 255 : 1);
            }
            v = fminf(v, 1.5F * zt_map_at(o->tmp, w, h, px, py)); /* not outside the grown mask */
            v = fmaxf(v, zt_map_at(o->tmp2, w, h, px, py));       /* all of the shrunk one */
            f->mask.at[(size_t)y * f->mask.stride + (size_t)x] =
                (uint8_t)(255 * clamp01((v - 0.12F) / 0.76F) + 0.5F);
        }
    }
    zt_plane_pad(&f->mask);
    return ZT_OK;
}

/* Nothing is carried in over the picture's rim, where there is nothing to carry. */
static void calm_the_rim(struct zt_fluid *f)
{
    for (int i = 0; i < f->width * f->height; i++) {
        int x = i % f->width, y = i / f->width;
        int across = x < f->width - 1 - x ? x : f->width - 1 - x;
        int down = y < f->height - 1 - y ? y : f->height - 1 - y;
        float rim = (float)(across < down ? across : down);
        f->speed_x[i] *= clamp01(rim / 6);
        f->speed_y[i] *= clamp01(rim / 6);
        f->wave_size[i] *= clamp01(rim / 2);
        f->sway_size[i] *= clamp01(rim / 2);
    }
}

static bool find_amounts(struct open *o)
{
    const float *a = o->weather->atmosphere;

    o->water = a[ZT_ATMO_WATER];
    o->wind = a[ZT_ATMO_WIND];
    o->cloud = fmaxf(a[ZT_ATMO_CLOUDS], 0.5F * o->wind);
    return o->water > 0 || o->wind > 0 || o->cloud > 0;
}

static enum zt_code prepare(struct open *o, const struct zt_image *picture, struct zt_pool *pool,
                            struct zt_err *err)
{
    struct zt_fluid *f = o->f;
    double loop_s = o->weather->loop ? o->weather->seconds : 0;

    f->width = o->r.width;
    f->height = o->r.height;
    f->grid_x = (double)f->width / picture->width_px;
    f->grid_y = (double)f->height / picture->height_px;
    f->turn_s[0] = zt_fitting_period(WATER_TURN, loop_s);
    f->turn_s[1] = zt_fitting_period(CLOUD_TURN, loop_s);
    f->fresh = o->weather->fresh && !o->weather->loop;
    ZT_TRY(allocate(o, err));
    /* The fine mask borrows the memory of the fields, so it goes first. */
    for (int i = 0; i < f->width * f->height; i++)
        for (int k = ZT_REGION_SKY; k <= ZT_REGION_WATER; k++)
            o->flow[i] = o->r.mask[k] ? fmaxf(o->flow[i], o->r.mask[k][i]) : o->flow[i];
    f->flows = o->r.mask[ZT_REGION_SKY] != NULL || o->r.mask[ZT_REGION_WATER] != NULL;
    if (f->flows) {
        spread_extreme(o->flow, o->tmp, f->width, f->height, 1, true);
        spread_extreme(o->flow, o->tmp2, f->width, f->height, 1, false);
        ZT_TRY(fine_mask(o, picture, pool, err));
        spread_extreme(o->flow, o->tmp, f->width, f->height, 3, true);
        spread_extreme(o->flow, o->tmp2, f->width, f->height, 3, false);
        for (int i = 0; i < f->width * f->height; i++) {
            f->now[i].flow = o->tmp[i];
            f->now[i].core = o->tmp2[i] > 0.99F;
        }
        memset(f->memory, 0, sizeof(float) * 11 * (size_t)f->width * (size_t)f->height);
    }
    if (o->r.mask[ZT_REGION_WATER] != NULL)
        water_speeds(o);
    if (o->r.mask[ZT_REGION_SKY] != NULL)
        cloud_speeds(o, picture, pool);
    make_waves(o);
    make_sways(o);
    calm_the_rim(f);
    scatter_phases(o);
    return ZT_OK;
}

enum zt_code zt_fluid_open(const struct zt_image *picture, const struct zt_depth *depth,
                           double unit_px, const struct zt_weather *weather, struct zt_pool *pool,
                           struct zt_fluid **ret, struct zt_err *err)
{
    struct open o = { .weather = weather, .unit = (float)unit_px };

    *ret = NULL;
    if (!find_amounts(&o))
        return ZT_OK;
    zt_auto(fluid) struct zt_fluid *f = zt_new(struct zt_fluid);
    o.f = f;
    zt_rng_init(&o.rng, weather->seed, weather->stream * 16 + 1);
    o.side = (zt_rng_u32(&o.rng) & 1) != 0 ? 1 : -1;
    unsigned wanted = (o.water > 0 ? ZT_REGION_BIT(ZT_REGION_WATER) : 0) |
                      (o.cloud > 0 ? ZT_REGION_BIT(ZT_REGION_SKY) : 0) |
                      (o.wind > 0 ? ZT_REGION_BIT(ZT_REGION_PLANTS) : 0);
    ZT_TRY(zt_regions_find(picture, depth, wanted, pool, &o.r, err));
    bool any = false;
    for (int k = 0; k < ZT_REGIONS; k++)
        any |= o.r.mask[k] != NULL;
    enum zt_code rc = any ? prepare(&o, picture, pool, err) : ZT_OK;
    zt_regions_clear(&o.r);
    if (rc == ZT_OK && any) {
        zt_fluid_set(f, 0, pool);
        *ret = zt_take_fluid(&f);
    }
    return rc;
}

void zt_fluid_close(struct zt_fluid *fluid)
{
    if (fluid == NULL)
        return;
    free(fluid->memory);
    free(fluid->now);
    zt_plane_clear(&fluid->mask);
    free(fluid);
}

/* ---- a moment ------------------------------------------------------------------------------ */

/* Sum of waves at a phase that the place adds; out of step by a quarter for the other axis. */
static void swing(const struct zt_fluid *f, const struct wave *wave, int n, float x, float y,
                  float phase, float *ret_sin, float *ret_cos)
{
    *ret_sin = *ret_cos = 0;
    for (int k = 0; k < n; k++) {
        double turns = wave[k].hz * f->t_s;
        float at = (float)(2 * M_PI * (turns - floor(turns)) + wave[k].phase);
        at += wave[k].down * y + wave[k].along * x + phase;
        *ret_sin += wave[k].size * sinf(at);
        *ret_cos += wave[k].size * cosf(at);
    }
}

static void set_flow(const struct zt_fluid *f, int i, struct motion *m)
{
    double turn_s = f->turn_s[f->cloud[i] > 0.5F];
    struct zt_turns turns = zt_turns_at(f->t_s, turn_s, (double)f->offset[i]);
    double centre = turn_s / 2;
    float carried[2];

    if (f->fresh)
        centre *= zt_smooth_step(f->t_s / CENTRE_S);
    for (int k = 0; k < 2; k++) {
        double age = f->fresh ? fmin(turns.age_s[k], f->t_s) : turns.age_s[k];
        carried[k] = (float)(centre - age); /* looked up against the stream */
    }
    m->ax = f->speed_x[i] * carried[0];
    m->ay = f->speed_y[i] * carried[0];
    m->bx = f->speed_x[i] * carried[1];
    m->by = f->speed_y[i] * carried[1];
    m->weight_a = (float)turns.weight[0];
}

static void set_rows(void *user, int first, int end)
{
    struct zt_fluid *f = user;
    float ramp = (float)f->ramp;

    for (int i = first * f->width; i < end * f->width; i++) {
        struct motion *m = &f->now[i];
        float x = (float)(i % f->width) / (float)f->width;
        float y = (float)(i / f->width) / (float)f->width;
        float a = 0, b = 0;
        m->sx = m->sy = 0;
        if (m->flow > 0)
            set_flow(f, i, m);
        if (f->wave_size[i] > 0) {
            float reach = f->spread[i];
            swing(f, f->wave, WAVES, (x - 0.5F) * reach, 6.2832F * reach, f->phase[i], &a, &b);
            m->sx += 0.3F * ramp * f->wave_size[i] * b;
            m->sy += 0.6F * ramp * f->wave_size[i] * a;
        }
        if (f->sway_size[i] > 0) {
            swing(f, f->sway, SWAYS, x, y, f->phase[i], &a, &b);
            m->sx += ramp * f->sway_size[i] * a;
            m->sy += 0.25F * ramp * f->sway_size[i] * b;
        }
    }
}

void zt_fluid_set(struct zt_fluid *f, double t_s, struct zt_pool *pool)
{
    if (f == NULL)
        return;
    f->t_s = t_s;
    f->ramp = f->fresh ? zt_smooth_step(t_s / RAMP_S) : 1;
    zt_pool_for(pool, f->height, 8, set_rows, f);
}

/* ---- drawing ------------------------------------------------------------------------------- */

/* The four grid points around a picture position, and how far between them it is. */
struct spot {
    const struct motion *at[4];
    float fx, fy;
};

static struct spot spot_at(const struct zt_fluid *f, double x, double y)
{
    double gx = fmin(fmax(x * f->grid_x - 0.5, 0), f->width - 1);
    double gy = fmin(fmax(y * f->grid_y - 0.5, 0), f->height - 1);
    int ix = (int)gx, iy = (int)gy;
    int right = ix + 1 < f->width, below = iy + 1 < f->height ? f->width : 0;
    const struct motion *m = f->now + (size_t)iy * (size_t)f->width + ix;

    return (struct spot){ .at = { m, m + right, m + below, m + below + right },
                          .fx = (float)(gx - ix),
                          .fy = (float)(gy - iy) };
}

/* The motion at a spot. */
static struct motion between(const struct spot *s)
{
    struct motion m;

#define BETWEEN(v)                                                                                 \
    m.v = (s->at[0]->v + s->fx * (s->at[1]->v - s->at[0]->v)) * (1 - s->fy) +                      \
          (s->at[2]->v + s->fx * (s->at[3]->v - s->at[2]->v)) * s->fy
    BETWEEN(ax);
    BETWEEN(ay);
    BETWEEN(bx);
    BETWEEN(by);
    BETWEEN(weight_a);
    BETWEEN(flow);
    BETWEEN(core);
    BETWEEN(sx);
    BETWEEN(sy);
#undef BETWEEN
    return m;
}

void zt_fluid_shift(const struct zt_fluid *f, double x, double y, double *ret_dx, double *ret_dy)
{
    *ret_dx = *ret_dy = 0;
    if (f == NULL)
        return;
    struct spot s = spot_at(f, x, y);
    struct motion m = between(&s);
    *ret_dx = (double)m.sx;
    *ret_dy = (double)m.sy;
}

bool zt_fluid_moves(const struct zt_fluid *f, double x, double y)
{
    if (f == NULL)
        return false;
    struct spot s = spot_at(f, x, y);
    for (int k = 0; k < 4; k++) {
        ptrdiff_t i = s.at[k] - f->now;
        if (s.at[k]->flow > 0 || f->wave_size[i] > 0 || f->sway_size[i] > 0)
            return true;
    }
    return false;
}

/* A mesh of one cell. */
struct corners {
    int32_t x[4], y[4];
    struct zt_warp_mesh mesh;
};

static void draw_corners(struct corners *c, const struct zt_plane *plane, uint8_t *dst,
                         enum zt_simd simd)
{
    c->mesh = (struct zt_warp_mesh){ .columns = 2, .rows = 2, .x = c->x, .y = c->y };
    zt_warp_cell(plane, &c->mesh, 0, 0, dst, ZT_CELL, simd);
}

/* Both copies, weighed; weight[4] at the cell's corners, 256 is all of the first. */
static void mix_copies(uint8_t *a, const uint8_t *b, const int weight[4])
{
    for (int y = 0; y < ZT_CELL; y++) {
        int left = weight[0] * (ZT_CELL - y) + weight[2] * y;
        int right = weight[1] * (ZT_CELL - y) + weight[3] * y;
        for (int x = 0; x < ZT_CELL; x++) {
            int w = left * (ZT_CELL - x) + right * x; /* 16 bits: 65536 is 1 */
            int i = y * ZT_CELL + x;
            a[i] = (uint8_t)((a[i] * w + b[i] * (65536 - w) + 32768) >> 16);
        }
    }
}

static void lay_over(uint8_t *dst, size_t stride, const uint8_t *flow, const uint8_t *mask)
{
    for (int y = 0; y < ZT_CELL; y++, dst += stride, flow += ZT_CELL, mask += ZT_CELL) {
        for (int x = 0; x < ZT_CELL; x++) {
            unsigned v = (unsigned)(dst[x] * (255 - mask[x]) + flow[x] * mask[x]) + 128;
            dst[x] = (uint8_t)((v + (v >> 8)) >> 8); /* v / 255, rounded */
        }
    }
}

/* Leaves out copies that come from beyond the layer's alpha: it has no picture of its own there. */
static void keep_off_edges(const struct zt_plane *alpha, struct corners *a, struct corners *b,
                           uint8_t *mask, enum zt_simd simd)
{
    uint8_t of[2][ZT_CELL * ZT_CELL];

    draw_corners(a, alpha, of[0], simd);
    draw_corners(b, alpha, of[1], simd);
    for (int i = 0; i < ZT_CELL * ZT_CELL; i++) {
        int least = of[0][i] < of[1][i] ? of[0][i] : of[1][i];
        int solid = least > 191 ? 4 * (least - 191) - 1 : 0; /* a little inside the edge */
        mask[i] = (uint8_t)((mask[i] * solid + 127) / 255);
    }
}

void zt_fluid_cell(const struct zt_fluid *f, const struct zt_plane *plane,
                   const struct zt_plane *alpha, const struct zt_warp_mesh *mesh, int half,
                   int column, int row, uint8_t *dst, size_t stride, enum zt_simd simd)
{
    size_t i = (size_t)row * (size_t)mesh->columns + (size_t)column;
    const size_t corner[4] = { i, i + 1, i + (size_t)mesh->columns, i + (size_t)mesh->columns + 1 };
    uint8_t copy[2][ZT_CELL * ZT_CELL], mask[ZT_CELL * ZT_CELL];
    struct corners a, b, m;
    int weight[4] = { 0 };
    float flow = 0, core = 1;
    double part = half ? 0.5 : 1;

    for (int k = 0; k < 4 && f != NULL && f->flows; k++) {
        /* To picture pixels from the corner: chroma (x, y) sits at (2x + 1/2, 2y + 1). */
        double x = mesh->x[corner[k]] / 65536.0, y = mesh->y[corner[k]] / 65536.0;
        double px = half ? 2 * x + 0.5 : x + 0.5, py = half ? 2 * y + 1 : y + 0.5;
        struct spot s = spot_at(f, px, py);
        struct motion now = between(&s);
        flow += now.flow;
        core = fminf(core, now.core);
        a.x[k] = zt_warp_mesh_position(x + part * (double)now.ax, plane->width);
        a.y[k] = zt_warp_mesh_position(y + part * (double)now.ay, plane->height);
        b.x[k] = zt_warp_mesh_position(x + part * (double)now.bx, plane->width);
        b.y[k] = zt_warp_mesh_position(y + part * (double)now.by, plane->height);
        m.x[k] = zt_warp_mesh_position(px * f->mask_x - 0.5, f->mask.width);
        m.y[k] = zt_warp_mesh_position(py * f->mask_y - 0.5, f->mask.height);
        weight[k] = (int)lrintf(256 * now.weight_a);
    }
    bool all = core >= 1 && alpha == NULL;
    if (flow == 0 || !all)
        zt_warp_cell(plane, mesh, column, row, dst, stride, simd);
    if (flow == 0)
        return;
    draw_corners(&a, plane, copy[0], simd);
    draw_corners(&b, plane, copy[1], simd);
    mix_copies(copy[0], copy[1], weight);
    if (!all) {
        draw_corners(&m, &f->mask, mask, simd);
        if (alpha != NULL)
            keep_off_edges(alpha, &a, &b, mask, simd);
        lay_over(dst, stride, copy[0], mask);
        return;
    }
    for (int y = 0; y < ZT_CELL; y++)
        memcpy(dst + (size_t)y * stride, copy[0] + (size_t)y * ZT_CELL, ZT_CELL);
}
