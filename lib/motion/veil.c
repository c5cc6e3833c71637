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
    ZT_TRY(zt_try_alloc(n, sizeof(float), "fog", &hides, err));
    struct zt_veil *veil = zt_new(struct zt_veil);
    veil->hides = hides;
    veil->columns = sight->columns;
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

/* Around 0, variance about 1: copies of a noise, carried along; what mixing takes is given back. */
static float copies(const struct zt_veil *v, const struct zt_noise *noise, int layer, float x,
                    float y, float speed)
{
    const struct zt_turns *turns = &v->turns[layer];
    float sum = 0, square = 0;

    for (int k = 0; k < 2; k++) {
        float age = (float)(turns->age_s[k] - v->turn_s / 2), w = (float)turns->weight[k];
        const float *from = v->from[2 * layer + k];
        sum += w * zt_noise_at(noise, x + from[0] - v->side * speed * age,
                               y + from[1] + 0.2F * speed * age);
        square += w * w;
    }
    return sum / sqrtf(square);
}

static void set_rows(void *user, int first, int end)
{
    struct zt_veil *v = user;
    const struct zt_sight *s = v->sight;

    for (int i = first * v->columns; i < end * v->columns; i++) {
        float x = s->x[i] * v->aspect, y = s->y[i];
        float near = s->depth.z != NULL ? s->near[i] : y < 0 ? 0 : y < 1 ? y : 1;
        float far = 1 - near;
        float n = 0.8F * copies(v, &v->coarse, 0, x * 0.42F, y * 0.75F, DRIFT) +
                  0.45F * copies(v, &v->fine, 1, x * 0.55F, y * 0.9F, 1.7F * DRIFT);
        float thick = v->near_thickness + (v->far_thickness - v->near_thickness) * far * sqrtf(far);
        float low = y < 0 ? 0 : y < 1 ? y : 1; /* it gathers below */
        thick *= expf(v->structure * n) * (0.8F + 0.4F * low) * v->weight;
        v->hides[i] = 1 - expf(-thick);
    }
}

void zt_veil_set(struct zt_veil *veil, const struct zt_sight *sight, double t_s, float weight,
                 struct zt_pool *pool)
{
    veil->turns[0] = zt_turns_at(t_s, veil->turn_s, 0.13);
    veil->turns[1] = zt_turns_at(t_s, veil->turn_s, 0.38);
    veil->weight = weight;
    veil->sight = sight;
    if (pool != NULL)
        zt_pool_for(pool, sight->rows, 4, set_rows, veil);
    else
        set_rows(veil, 0, sight->rows);
}

ZT_MEDIA_CLONES static void lay(const float *hides, int n, float light, float *keep, float *ret)
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
