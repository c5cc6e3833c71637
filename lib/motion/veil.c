/*
 * veil.c - see veil.h. Light through air fades as exp(-thickness) (Bouguer, Lambert, Beer), and the
 * air's own light takes its place. Thickness is that of the way to what is seen, times noise that
 * drifts and changes: copies of it take turns (tones.h), so it closes in a loop and never repeats
 * in sight.
 */
#include "motion/veil.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "media/colour.h"
#include "motion/particles.h"
#include "motion/sight.h"
#include "motion/tones.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

/* How long a copy of the noise lives, and how fast it goes, in picture heights per second. */
#define TURN_S     7.0
#define DRIFT      0.028F
#define RISE       0.006F
#define STRUCTURE  0.62F /* of fog: standard deviation of the thickness's logarithm */
#define HAZE_SHARE 0.35F /* how much of that structure rain's haze has */

struct zt_veil {
    struct zt_noise coarse, fine;
    struct zt_tint tint;
    float near_thickness, far_thickness, structure;
    float side;
    double turn_s;
    float aspect;
    float from[4][2]; /* where copies begin in the noise */
    int columns;
    float *hides; /* [rows][columns] of sight: 0 ... 1 */
    int bump_columns, bump_rows;
    float *bumps; /* of every second point each way: how much thicker the air is there */
    /* of the moment */
    struct zt_turns turns[2];
    float weight;
    const struct zt_sight *sight;
};

enum zt_code zt_veil_new(const struct zt_weather *weather, const struct zt_ambient *ambient,
                         const struct zt_sight *sight, struct zt_veil **ret, struct zt_err *err)
{
    const float *a = weather->atmosphere;
    float fog = fminf(a[ZT_ATMO_FOG], 3);
    float haze = 0.26F * a[ZT_ATMO_RAIN] + 0.34F * a[ZT_ATMO_SNOW] + 0.12F * a[ZT_ATMO_DUST];
    void *hides = NULL;
    struct zt_rng rng;

    *ret = NULL;
    if (fog <= 0 && haze <= 0)
        return ZT_OK;
    haze = fminf(haze, 1);
    size_t n = (size_t)sight->columns * (size_t)sight->rows;
    int bump_columns = sight->columns / 2 + 1, bump_rows = sight->rows / 2 + 1;
    size_t bumps = (size_t)bump_columns * (size_t)bump_rows;
    ZT_TRY(zt_try_alloc(n + bumps, sizeof(float), "fog", &hides, err));
    struct zt_veil *veil = zt_new(struct zt_veil);
    veil->hides = hides;
    veil->columns = sight->columns;
    veil->bump_columns = bump_columns;
    veil->bump_rows = bump_rows;
    veil->bumps = veil->hides + n;
    veil->near_thickness = 0.10F * fog + 0.02F * haze;
    veil->far_thickness = 1.15F * fog + haze;
    veil->structure = fog > 0 ? STRUCTURE : STRUCTURE * HAZE_SHARE;
    veil->turn_s = zt_fitting_period(TURN_S, weather->loop ? weather->seconds : 0);
    veil->aspect = (float)(sight->share_y / sight->share_x);
    veil->tint = zt_tint_of(ambient->r, ambient->g, ambient->b);
    zt_rng_init(&rng, weather->seed, weather->stream * 16 + 3);
    veil->side = (zt_rng_u32(&rng) & 1) != 0 ? 1 : -1;
    zt_noise_init(&veil->coarse, &rng, 4, 4);
    zt_noise_init(&veil->fine, &rng, 8, 4);
    for (int k = 0; k < 4; k++) {
        veil->from[k][0] = zt_rng_unit(&rng);
        veil->from[k][1] = zt_rng_unit(&rng);
    }
    *ret = veil;
    return ZT_OK;
}

void zt_veil_free(struct zt_veil *veil)
{
    if (veil == NULL)
        return;
    zt_noise_clear(&veil->coarse);
    zt_noise_clear(&veil->fine);
    free(veil->hides);
    free(veil);
}

/* Copies of a noise at a moment, carried along: where each looks, and its weight. */
struct copies {
    const struct zt_noise *noise;
    float x[2], y[2], weight[2];
};

/* Their sum is around 0, of variance about 1: what mixing takes is given back. */
static struct copies copies_of(const struct zt_veil *v, const struct zt_noise *noise, int layer,
                               float speed, float size)
{
    const struct zt_turns *turns = &v->turns[layer];
    struct copies c = { .noise = noise };
    float square = 0;

    for (int k = 0; k < 2; k++) {
        float age = (float)(turns->age_s[k] - v->turn_s / 2);
        c.x[k] = v->from[2 * layer + k][0] - v->side * speed * age;
        c.y[k] = v->from[2 * layer + k][1] + 0.2F * speed * age;
        c.weight[k] = (float)turns->weight[k];
        square += c.weight[k] * c.weight[k];
    }
    for (int k = 0; k < 2; k++)
        c.weight[k] *= size / sqrtf(square);
    return c;
}

static inline float copies_at(const struct copies *c, float x, float y)
{
    return c->weight[0] * zt_noise_at(c->noise, x + c->x[0], y + c->y[0]) +
           c->weight[1] * zt_noise_at(c->noise, x + c->x[1], y + c->y[1]);
}

/* Points that are looked up in one go. */
#define GO 64

ZT_MEDIA_CLONES static void find_bumps(struct copies coarse, struct copies fine, float structure,
                                       const float *restrict x, const float *restrict y, int n,
                                       float *restrict ret)
{
    for (int i = 0; i < n; i++)
        ret[i] = zt_exp(structure * (copies_at(&coarse, x[i] * 0.42F, y[i] * 0.75F) +
                                     copies_at(&fine, x[i] * 0.55F, y[i] * 0.9F)));
}

/* Bumps are at least four points wide: every second one is looked up, the others lie between. */
static void set_bumps(void *user, int first, int end)
{
    struct zt_veil *v = user;
    const struct zt_sight *s = v->sight;
    struct copies coarse = copies_of(v, &v->coarse, 0, DRIFT, 0.8F);
    struct copies fine = copies_of(v, &v->fine, 1, 1.7F * DRIFT, 0.45F);
    float x[GO], y[GO];

    for (int row = first; row < end; row++) {
        int from = (2 * row < s->rows ? 2 * row : s->rows - 1) * s->columns;
        for (int column = 0; column < v->bump_columns; column += GO) {
            int n = v->bump_columns - column < GO ? v->bump_columns - column : GO;
            for (int k = 0; k < n; k++) {
                int at = 2 * (column + k);
                at = from + (at < s->columns ? at : s->columns - 1);
                x[k] = s->x[at] * v->aspect;
                y[k] = s->y[at];
            }
            find_bumps(coarse, fine, v->structure, x, y, n,
                       v->bumps + (ptrdiff_t)row * v->bump_columns + column);
        }
    }
}

/*
 * n points of a row of the grid between rows a and b of bumps; near: of each, as far as it lies
 * within 0 ... 1.
 */
ZT_MEDIA_CLONES static void hide(const struct zt_veil *v, const float *restrict a,
                                 const float *restrict b, const float *restrict y,
                                 const float *restrict near, int n, float *restrict ret)
{
    const float thin = v->near_thickness * v->weight;
    const float more = (v->far_thickness - v->near_thickness) * v->weight;

    for (int i = 0; i < n; i++) {
        float low = y[i] > 0 ? y[i] : 0, far = near[i] > 0 ? 1 - near[i] : 1;
        float bump = a[i / 2] + a[(i + 1) / 2] + b[i / 2] + b[(i + 1) / 2];
        low = low < 1 ? low : 1; /* it gathers below */
        far = far > 0 ? far : 0;
        ret[i] = 1 - zt_exp((thin + more * far * sqrtf(far)) * bump * (-0.2F - 0.1F * low));
    }
}

static void set_rows(void *user, int first, int end)
{
    struct zt_veil *v = user;
    const struct zt_sight *s = v->sight;
    /* With no depth, what is lower is nearer. */
    const float *near = s->depth.z != NULL ? s->near : s->y;

    for (int row = first; row < end; row++) {
        size_t at = (size_t)row * (size_t)v->columns;
        const float *a = v->bumps + (ptrdiff_t)(row / 2) * v->bump_columns;
        const float *b = v->bumps + (ptrdiff_t)((row + 1) / 2) * v->bump_columns;
        hide(v, a, b, s->y + at, near + at, v->columns, v->hides + at);
    }
}

void zt_veil_set(struct zt_veil *veil, const struct zt_sight *sight, double t_s, float weight,
                 struct zt_pool *pool)
{
    veil->turns[0] = zt_turns_at(t_s, veil->turn_s, 0.13);
    veil->turns[1] = zt_turns_at(t_s, veil->turn_s, 0.38);
    veil->weight = weight;
    veil->sight = sight;
    zt_pool_for(pool, veil->bump_rows, 8, set_bumps, veil);
    zt_pool_for(pool, sight->rows, 8, set_rows, veil);
}

ZT_MEDIA_CLONES static void lay(const float *restrict hides, int n, float light,
                                float *restrict keep, float *restrict ret)
{
    for (int x = 0; x < n; x++) {
        keep[x] = 1 - hides[x];
        ret[x] = hides[x] * light;
    }
}

void zt_veil_draw(const struct zt_veil *veil, const struct zt_sight *sight, struct zt_tile *tile)
{
    float hides[ZT_TILE_WIDTH];

    tile->changes = ZT_TILE_ALL;
    for (int row = 0; row < tile->height; row++) {
        zt_sight_row(sight, veil->hides, tile->left, (float)(tile->top + row) + 0.5F, tile->width,
                     1, hides);
        lay(hides, tile->width, veil->tint.light, tile->keep[row], tile->light[row]);
    }
    for (int row = 0; row < tile->half_height; row++) {
        zt_sight_row(sight, veil->hides, tile->left, (float)(tile->top + 2 * row) + 1,
                     tile->half_width, 2, hides);
        lay(hides, tile->half_width, veil->tint.u, tile->keep_c[row], tile->light_u[row]);
        lay(hides, tile->half_width, veil->tint.v, tile->keep_c[row], tile->light_v[row]);
    }
}
