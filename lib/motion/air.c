/* air.c - see air.h. A frame is drawn tile by tile: the veil, then sprites from far to near. */
#include "motion/air.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/frame.h"
#include "motion/particles.h"
#include "motion/regions.h"
#include "motion/sight.h"
#include "motion/tones.h"
#include "motion/veil.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

/* How long weather takes to come in and to go. */
#define PARTICLES_RAMP_S 0.8
#define VEIL_RAMP_S      1.6

struct zt_air {
    struct zt_particles *particles;
    struct zt_veil *veil;
    bool fresh, leaves;
    double seconds;
};

static float luma_of(const float *p)
{
    return 0.2126F * p[0] + 0.7152F * p[1] + 0.0722F * p[2];
}

/* Colours of the air: those far away, a little greyer and lighter. */
static struct zt_ambient read_ambient(const struct zt_regions *r)
{
    struct zt_ambient air = { 0 };
    double mean = 0, bright = 0, weight = 1e-6, sum[3] = { 0 }, warm = 0;
    int n = r->width * r->height, lights = 0;

    for (int i = 0; i < n; i++)
        mean += (double)luma_of(r->rgb + 3 * i) / n;
    for (int i = 0; i < n; i++) {
        const float *p = r->rgb + 3 * i;
        double y = (double)luma_of(p), far = 1 - (double)r->near[i];
        double w = far * far * far * far * (0.1 + y);
        weight += w;
        for (int c = 0; c < 3; c++)
            sum[c] += w * (double)p[c];
        warm += p[0] > 1.25F * p[2] && p[0] > 1.12F * p[1];
        if (y >= mean) {
            bright += y * y;
            lights++;
        }
    }
    air.light = (float)(bright / (lights > 0 ? lights : 1));
    float colour[3] = { (float)(sum[0] / weight), (float)(sum[1] / weight),
                        (float)(sum[2] / weight) };
    float grey = luma_of(colour), lift = 0.10F + 0.16F * sqrtf(air.light);
    for (int c = 0; c < 3; c++)
        colour[c] = fminf(0.93F, 0.82F * (0.5F * colour[c] + 0.5F * grey) + lift);
    air.r = colour[0];
    air.g = colour[1];
    air.b = colour[2];
    air.autumn = warm > 0.3 * n;
    return air;
}

static enum zt_code fill(struct zt_air *air, const struct zt_regions *regions,
                         const struct zt_sight *sight, const struct zt_weather *weather,
                         const struct zt_pose *path, int frames, struct zt_err *err)
{
    struct zt_ambient ambient = read_ambient(regions);

    ZT_TRY(zt_veil_new(weather, &ambient, sight, &air->veil, err));
    zt_particles_new(weather, &ambient, regions, sight, path, frames, &air->particles);
    return ZT_OK;
}

enum zt_code zt_air_open(const struct zt_image *picture, const struct zt_depth *depth,
                         const struct zt_sight *sight, const struct zt_weather *weather,
                         const struct zt_pose *path, int frames, struct zt_pool *pool,
                         struct zt_air **ret, struct zt_err *err)
{
    static const enum zt_atmosphere mine[] = { ZT_ATMO_RAIN, ZT_ATMO_SNOW,   ZT_ATMO_FOG,
                                               ZT_ATMO_DUST, ZT_ATMO_EMBERS, ZT_ATMO_PETALS };
    struct zt_regions regions;
    bool any = false;

    *ret = NULL;
    for (size_t i = 0; i < ZT_COUNT(mine); i++)
        any |= weather->atmosphere[mine[i]] > 0;
    if (!any)
        return ZT_OK;
    unsigned wanted = weather->atmosphere[ZT_ATMO_EMBERS] > 0 ? ZT_REGION_BIT(ZT_REGION_GLOW) : 0;
    ZT_TRY(zt_regions_find(picture, depth, wanted, pool, &regions, err));
    zt_auto(air) struct zt_air *air = zt_new(struct zt_air);
    air->fresh = weather->fresh && !weather->loop;
    air->leaves = weather->leaves && !weather->loop;
    air->seconds = weather->seconds;
    enum zt_code rc = fill(air, &regions, sight, weather, path, frames, err);
    zt_regions_clear(&regions);
    if (rc == ZT_OK)
        *ret = zt_take_air(&air);
    return rc;
}

void zt_air_close(struct zt_air *air)
{
    if (air == NULL)
        return;
    zt_particles_free(air->particles);
    zt_veil_free(air->veil);
    free(air);
}

struct drawing {
    const struct zt_air *air;
    const struct zt_sight *sight;
    const struct zt_sprite *sprite;
    int columns, rows; /* tiles */
    int *first;        /* [tiles + 1] where a tile's begin in `met` */
    int *met;          /* sprites that may touch a tile, far to near */
    struct zt_frame_buf *frame;
};

/* Tiles from `low` to `high` frame pixels, of n; an empty range when out of sight. */
static void tiles_of(float low, float high, int side, int n, int *ret_first, int *ret_end)
{
    float from = low / (float)side, to = high / (float)side;

    *ret_first = from > 0 ? from < (float)n ? (int)from : n : 0;
    *ret_end = to < 0 ? 0 : to < (float)(n - 1) ? (int)to + 1 : n;
}

/* Counts a sprite for its tiles, or enters it; `first` has where a tile's next one goes. */
static void enter(const struct drawing *d, int i, bool count)
{
    const struct zt_sprite *s = &d->sprite[i];
    int left, right, top, bottom;

    tiles_of(s->x - s->reach_x, s->x + s->reach_x, ZT_TILE_WIDTH, d->columns, &left, &right);
    tiles_of(s->y - s->reach_y, s->y + s->reach_y, ZT_TILE_HEIGHT, d->rows, &top, &bottom);
    for (int row = top; row < bottom; row++) {
        for (int column = left; column < right; column++) {
            int *at = &d->first[row * d->columns + column + 1];
            if (!count)
                d->met[*at] = i;
            ++*at;
        }
    }
}

/* Sorts n sprites into the tiles they may touch. */
static void sort_sprites(struct drawing *d, int n)
{
    int tiles = d->columns * d->rows, sum = 0;

    d->first = zt_new_array(int, (size_t)tiles + 1);
    for (int i = 0; i < n; i++)
        enter(d, i, true);
    for (int k = 0; k <= tiles; k++) { /* from counts to where each begins; entering moves it on */
        int count = d->first[k];
        d->first[k] = sum;
        sum += count;
    }
    d->met = zt_new_array(int, (size_t)sum + 1);
    for (int i = 0; i < n; i++)
        enter(d, i, false);
}

static void draw_tile(const struct drawing *d, int column, int row, struct zt_tile *tile)
{
    int at = row * d->columns + column;

    if (d->air->veil == NULL && d->first[at] == d->first[at + 1])
        return;
    zt_tile_reset(tile, column, row, d->frame->view.width_px, d->frame->view.height_px);
    zt_tile_fetch(tile, d->frame);
    if (d->air->veil != NULL)
        zt_veil_draw(d->air->veil, d->sight, tile);
    else
        zt_tile_clear(tile);
    for (int i = d->first[at]; i < d->first[at + 1]; i++)
        zt_sprite_draw(&d->sprite[d->met[i]], d->sight, tile);
    zt_tile_apply(tile, d->frame);
}

static void draw_rows(void *user, int first, int end)
{
    const struct drawing *d = user;
    struct zt_tile tile;

    for (int row = first; row < end; row++)
        for (int column = 0; column < d->columns; column++)
            draw_tile(d, column, row, &tile);
}

/* How much of what takes ramp_s to come and to go is there. */
static float present(const struct zt_air *air, double t_s, double ramp_s)
{
    double here = air->fresh ? zt_smooth_step(t_s / ramp_s) : 1;

    return (float)(air->leaves ? here * zt_smooth_step((air->seconds - t_s) / ramp_s) : here);
}

void zt_air_draw(struct zt_air *air, const struct zt_sight *sight, double t_s,
                 struct zt_frame_buf *frame, struct zt_pool *pool)
{
    struct drawing d = { .air = air,
                         .sight = sight,
                         .columns = zt_tile_columns(frame->view.width_px),
                         .rows = zt_tile_rows(frame->view.height_px),
                         .frame = frame };
    int n = 0;

    if (air == NULL)
        return;
    zt_assert(frame->view.width_px == sight->view.width_px &&
              frame->view.height_px == sight->view.height_px);
    float here = present(air, t_s, PARTICLES_RAMP_S), veiled = present(air, t_s, VEIL_RAMP_S);
    if (here <= 0 && veiled <= 0)
        return;
    if (air->particles != NULL)
        d.sprite = zt_particles_place(air->particles, sight, t_s, here, &n);
    sort_sprites(&d, n);
    if (air->veil != NULL)
        zt_veil_set(air->veil, sight, t_s, veiled, pool);
    zt_pool_for(pool, d.rows, 2, draw_rows, &d);
    free(d.first);
    free(d.met);
}
