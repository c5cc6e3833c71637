/*
 * particles.c - where the particles of particles.h are.
 *
 * Each has a place on the picture's plane and a nearness d of its own, 0.5 (as far as the scene
 * goes) to about 3 (close to the lens), and moves in closed form: falling or rising at a steady
 * speed, swaying on a few tones. Space repeats: a box as large as the widest view that the path has
 * at that nearness follows the camera, and who leaves it on one side enters on the other, out of
 * sight. In a loop the box's height is such that everything falls through it a whole number of
 * times; a particle too slow to do so once fades out and in again instead.
 */
#include "motion/particles.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "motion/camera.h"
#include "motion/regions.h"
#include "motion/sight.h"
#include "motion/tones.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

/* Lengths in camera.h's unit, at nearness 1 and amount 1; times in seconds. */
struct kind {
    enum zt_atmosphere atmosphere;
    int count; /* in a box */
    float near_max;
    float radius, radius_spread; /* share by which sizes differ */
    float fall, fall_spread;     /* down per second */
    float drift;                 /* sideways per second, with the wind */
    float sway, sway_hz;
    float shutter_s; /* how long motion smears */
    float alpha;
    float life_s; /* 0: as long as the shot */
};

/* clang-format off */
static const struct kind kinds[ZT_PARTICLE_KINDS] = {
    /*                     of                count  near  radius, spread  fall, spread   drift
     *                     sway, Hz       smear   alpha  life */
    [ZT_PARTICLE_RAIN]  = { ZT_ATMO_RAIN,    1500, 2.6F, 0.0010F, 0.3F,   1.55F, 0.15F,  0.17F,
                            0, 1,          0.026F, 0.52F, 0 },
    [ZT_PARTICLE_SNOW]  = { ZT_ATMO_SNOW,    1300, 3.4F, 0.0034F, 0.5F,   0.125F, 0.3F,  0.03F,
                            0.014F, 0.35F, 0.012F, 0.95F, 0 },
    [ZT_PARTICLE_DUST]  = { ZT_ATMO_DUST,     650, 3.2F, 0.0022F, 0.6F,   0.004F, 1.5F,  0.010F,
                            0.016F, 0.13F, 0,      0.75F, 0 },
    [ZT_PARTICLE_EMBER] = { ZT_ATMO_EMBERS,   200, 2.4F, 0.0025F, 0.5F,   -0.17F, 0.5F,  0.03F,
                            0.028F, 0.5F,  0.016F, 1.00F, 2.6F },
    [ZT_PARTICLE_PETAL] = { ZT_ATMO_PETALS,   150, 2.8F, 0.0100F, 0.4F,   0.085F, 0.3F,  0.05F,
                            0.035F, 0.28F, 0,      0.97F, 0 },
};
/* clang-format on */

#define FAR_AWAY 1.75F /* the farthest particles' distance, 1 / d */

struct particle {
    float d;
    float x, y;         /* place at t 0, frame pixels at zoom 1 */
    float fall, drift;  /* frame pixels per second */
    float box_w, box_h; /* what space repeats by */
    float life_s, born; /* 0 and: none; born in turns */
    float sway, hz[2], phase[2];
    float radius, alpha, spin_hz, lean;
    struct zt_tint tint, halo;
    uint8_t kind;
    float stretch; /* a leaf's width over its length */
};

struct zt_particles {
    struct particle *p;
    struct zt_sprite *sprite;
    int n;
    float unit; /* frame pixels */
    bool loop;
    double seconds;
    struct zt_tones gust;
    const struct zt_sight *sight;
};

/* ---- making them --------------------------------------------------------------------------- */

struct maker {
    const struct zt_weather *weather;
    const struct zt_ambient *ambient;
    const struct zt_regions *regions;
    const struct zt_sight *sight;
    const struct zt_pose *path;
    int frames;
    struct zt_rng rng;
    float side; /* where the wind blows to */
    float unit;
    double glow_sum;
};

/* How much wider than the frame the path's views are at nearness d. */
static double widest(const struct maker *m, double d)
{
    double most = 0, aspect = m->sight->view.room.width / m->sight->view.room.height;

    if (aspect < 1)
        aspect = 1 / aspect;
    for (int i = 0; i < m->frames; i++) {
        const struct zt_pose *p = &m->path[i];
        double turn = fabs(cos(p->roll)) + aspect * fabs(sin(p->roll));
        most = fmax(most, fmax(0.2, 1 - p->tz * d) / p->zoom * turn);
    }
    return fmax(most, 0.2);
}

/* The least height or more that a speed crosses a whole number of times in a loop; 0: none. */
static float fit_box(float least, float speed, double loop_s)
{
    double way = fabs((double)speed) * loop_s;

    if (loop_s <= 0 || speed == 0)
        return least;
    double turns = floor(way / (double)least);
    return turns >= 1 ? (float)(way / turns) : 0;
}

static struct zt_tint dimmed(struct zt_tint tint, float by)
{
    return (struct zt_tint){ .light = tint.light * by, .u = tint.u * by, .v = tint.v * by };
}

static void colour(struct maker *m, struct particle *p)
{
    static const float petals[][3] = { { 0.98F, 0.80F, 0.85F },
                                       { 0.96F, 0.70F, 0.79F },
                                       { 1.00F, 0.90F, 0.93F },
                                       { 0.93F, 0.62F, 0.74F } };
    static const float leaves[][3] = { { 0.90F, 0.55F, 0.18F },
                                       { 0.84F, 0.38F, 0.16F },
                                       { 0.95F, 0.74F, 0.28F },
                                       { 0.72F, 0.52F, 0.22F } };
    const struct zt_ambient *air = m->ambient;
    float bright = fmaxf(0.30F, sqrtf(air->light)); /* coded luma of the light in the air */
    float v = zt_rng_unit(&m->rng);
    const float *c = air->autumn ? leaves[(int)(v * 3.99F)] : petals[(int)(v * 3.99F)];

    switch ((enum zt_particle_kind)p->kind) {
    case ZT_PARTICLE_RAIN: /* a drop shows the sky, upside down */
        p->tint = zt_tint_of(fminf(1, 0.80F * bright + 0.22F), fminf(1, 0.82F * bright + 0.23F),
                             fminf(1, 0.84F * bright + 0.25F));
        break;
    case ZT_PARTICLE_SNOW:
        bright = fminf(1, 0.45F + 0.65F * bright);
        p->tint = zt_tint_of(0.965F * bright, 0.98F * bright, bright);
        break;
    case ZT_PARTICLE_DUST:
        p->tint = zt_tint_of(1, 0.93F, 0.80F);
        break;
    case ZT_PARTICLE_EMBER:
        p->tint = zt_tint_of(1, 0.62F + 0.25F * v, 0.20F + 0.25F * v);
        p->halo = dimmed(zt_tint_of(1, 0.38F + 0.10F * v, 0.05F), 0.34F);
        break;
    case ZT_PARTICLE_PETAL:
        bright = fminf(1, 0.52F + 0.62F * bright);
        p->tint = zt_tint_of(c[0] * bright, c[1] * bright, c[2] * bright);
        break;
    case ZT_PARTICLE_KINDS:
        break;
    }
}

/* A place among the fires of the picture, on the picture's plane; false when there are none. */
static bool from_fire(struct maker *m, float *ret_x, float *ret_y)
{
    const struct zt_regions *r = m->regions;
    const struct zt_view *view = &m->sight->view;

    if (m->glow_sum <= 0)
        return false;
    const float *glow = r->mask[ZT_REGION_GLOW];
    double at = (double)zt_rng_unit(&m->rng) * m->glow_sum;
    int i = 0;
    for (; i < r->width * r->height - 1 && at > (double)glow[i]; i++)
        at -= (double)glow[i];
    double px = (i % r->width + (double)zt_rng_unit(&m->rng)) / r->width / m->sight->share_x;
    double py = (i / r->width + (double)zt_rng_unit(&m->rng)) / r->height / m->sight->share_y;
    *ret_x = (float)((px - view->origin_x) / view->scale_x);
    *ret_y = (float)((py - view->origin_y) / view->scale_y);
    return true;
}

static struct particle make(struct maker *m, enum zt_particle_kind which, float amount)
{
    const struct kind *k = &kinds[which];
    struct zt_rng *rng = &m->rng;
    const struct zt_room *room = &m->sight->view.room;
    double loop_s = m->weather->loop ? m->weather->seconds : 0;
    float nearest = 1 / k->near_max;
    /* As many at each distance as the square root of what a cone holds: else nearly all are far. */
    float far = FAR_AWAY * FAR_AWAY, at = nearest * nearest;
    struct particle p = { .kind = (uint8_t)which,
                          .d = 1 / sqrtf(at + zt_rng_unit(rng) * (far - at)) };
    float u = m->unit * p.d;

    p.radius = k->radius * u * (1 + k->radius_spread * zt_rng_range(rng, -1, 1));
    p.fall = k->fall * u * (1 + k->fall_spread * zt_rng_range(rng, -1, 1));
    p.drift = k->drift * u * m->side * (1 + 0.5F * zt_rng_range(rng, -1, 1));
    p.sway = k->sway * u * zt_rng_range(rng, 0.6F, 1.4F);
    p.alpha = k->alpha * zt_rng_range(rng, 0.6F, 1) * (0.85F + 0.15F * amount);
    for (int i = 0; i < 2; i++) {
        double hz = (double)k->sway_hz * (i + 1) * (double)zt_rng_range(rng, 0.7F, 1.4F);
        p.hz[i] = (float)zt_whole_turns(hz, loop_s);
        p.phase[i] = 6.2832F * zt_rng_unit(rng);
    }
    p.spin_hz = (float)zt_whole_turns((double)zt_rng_range(rng, 0.3F, 1.1F), loop_s);
    p.lean = zt_rng_range(rng, -1, 1);
    p.stretch = zt_rng_range(rng, 0.45F, 0.7F);
    float margin = 2 * (p.sway * 1.6F + 10 * p.radius + 0.03F * u);
    float room_w = (float)(widest(m, (double)p.d) * room->width) + margin;
    float room_h = (float)(widest(m, (double)p.d) * room->height) + margin;
    p.box_w = room_w;
    p.box_h = fit_box(room_h, p.fall, loop_s);
    bool slow = p.box_h <= 0;
    p.box_h = slow ? room_h : p.box_h;
    p.x = (zt_rng_unit(rng) - 0.5F) * p.box_w;
    p.y = (zt_rng_unit(rng) - 0.5F) * p.box_h;
    p.born = zt_rng_unit(rng);
    if (k->life_s > 0)
        p.life_s =
            (float)zt_fitting_period((double)(k->life_s * zt_rng_range(rng, 0.6F, 1.3F)), loop_s);
    else if (slow)
        p.life_s = (float)loop_s;
    if (which == ZT_PARTICLE_EMBER && !from_fire(m, &p.x, &p.y))
        p.y = (float)room->height * (0.62F - 0.45F * zt_rng_unit(rng) * zt_rng_unit(rng));
    colour(m, &p);
    return p;
}

static int by_nearness(const void *a, const void *b)
{
    const struct particle *x = a, *y = b;

    if (x->d != y->d)
        return x->d < y->d ? -1 : 1;
    return (x->x > y->x) - (x->x < y->x);
}

void zt_particles_new(const struct zt_weather *weather, const struct zt_ambient *ambient,
                      const struct zt_regions *regions, const struct zt_sight *sight,
                      const struct zt_pose *path, int frames, struct zt_particles **ret)
{
    const struct zt_room *room = &sight->view.room;
    struct maker m = { .weather = weather,
                       .ambient = ambient,
                       .regions = regions,
                       .sight = sight,
                       .path = path,
                       .frames = frames,
                       .unit = (float)sqrt(room->width * room->height) };
    int count[ZT_PARTICLE_KINDS], n = 0;

    for (int k = 0; k < ZT_PARTICLE_KINDS; k++) {
        float amount = fminf(weather->atmosphere[kinds[k].atmosphere], 3);
        count[k] = amount > 0 ? (int)(amount * (float)kinds[k].count) : 0;
        n += count[k];
    }
    *ret = NULL;
    if (n == 0)
        return;
    const float *glow = regions->mask[ZT_REGION_GLOW];
    for (int i = 0; glow != NULL && i < regions->width * regions->height; i++)
        m.glow_sum += (double)glow[i];
    struct zt_particles *ps = zt_new(struct zt_particles);
    ps->p = zt_new_array(struct particle, (size_t)n);
    ps->sprite = zt_new_array(struct zt_sprite, 2 * (size_t)n);
    ps->unit = m.unit;
    ps->loop = weather->loop;
    ps->seconds = weather->seconds;
    zt_rng_init(&m.rng, weather->seed, weather->stream * 16 + 2);
    m.side = (zt_rng_u32(&m.rng) & 1) != 0 ? 1 : -1;
    zt_tones_init(&ps->gust, &m.rng, 0.08, 0.35, 1, weather->loop ? weather->seconds : 0);
    for (int k = 0; k < ZT_PARTICLE_KINDS; k++)
        for (int i = 0; i < count[k]; i++)
            ps->p[ps->n++] = make(&m, k, weather->atmosphere[kinds[k].atmosphere]);
    qsort(ps->p, (size_t)ps->n, sizeof(*ps->p), by_nearness);
    *ret = ps;
}

void zt_particles_free(struct zt_particles *particles)
{
    if (particles == NULL)
        return;
    free(particles->p);
    free(particles->sprite);
    free(particles);
}

/* ---- a moment ------------------------------------------------------------------------------ */

/* The pose, with what does not change over a frame worked out. */
struct look {
    const struct zt_view *view;
    double cos, sin, zoom, x, y, tx, ty, tz;
    float gust;
};

/* An ellipse of half axes (along, across), its long axis turned by (cos, sin). */
static void set_ellipse(struct zt_sprite *s, float along, float across, float cos, float sin)
{
    s->ux = cos / along;
    s->uy = sin / along;
    s->vx = -sin / across;
    s->vy = cos / across;
    /* a dx^2 + 2 b dx dy + c dy^2 <= 1, solved for dx */
    float a = s->ux * s->ux + s->vx * s->vx;
    float b = s->ux * s->uy + s->vx * s->vy;
    float c = s->uy * s->uy + s->vy * s->vy;
    s->slant = -b / a;
    s->wide = 1 / a;
    s->bend = (a * c - b * b) / (a * a);
    s->reach_x = sqrtf(along * along * cos * cos + across * across * sin * sin);
    s->reach_y = sqrtf(along * along * sin * sin + across * across * cos * cos);
}

/* Never thinner than sampling can show: what widening adds to its area, alpha gives back. */
static float at_least(float radius, float least, float *alpha)
{
    if (radius >= least)
        return radius;
    *alpha *= radius / least;
    return least;
}

/* Smeared along (vx, vy), frame pixels while the shutter is open. */
static void set_smeared(struct zt_sprite *s, float radius, float vx, float vy, bool thin)
{
    float alpha = s->alpha, length = sqrtf(vx * vx + vy * vy);
    float across = at_least(radius, thin ? 1.1F : 1.5F, &alpha);

    if (!thin)
        across = at_least(radius, 1.5F, &alpha); /* a dot is small both ways: twice */
    float along = across + length / 2;
    if (!thin)
        alpha *= across / (across + 0.35F * length);
    s->alpha = alpha;
    set_ellipse(s, along, across, length > 0 ? vx / length : 1, length > 0 ? vy / length : 0);
}

static double wrapped(double v, double period)
{
    return v - period * floor(v / period + 0.5);
}

/* Where the particle is on the picture's plane; *ret_fade is 0 ... 1 over its life. */
static void travel(const struct particle *p, const struct look *l, double t_s, double *ret_x,
                   double *ret_y, float *ret_fade)
{
    double age = t_s, swayed = 0, bobbed = 0, nudge = 0;

    *ret_fade = 1;
    if (p->life_s > 0) {
        double turn = t_s / (double)p->life_s + (double)p->born;
        turn -= floor(turn);
        age = turn * (double)p->life_s;
        *ret_fade =
            (float)(p->kind == ZT_PARTICLE_EMBER ? fmin(1, 1.6 * sin(M_PI * turn))
                                                 : zt_smooth_step(fmin(turn, 1 - turn) / 0.15));
        if (p->kind != ZT_PARTICLE_EMBER)
            age -= (double)p->life_s / 2;
    }
    for (int i = 0; i < 2 && p->sway != 0; i++) { /* rain does not */
        double at = 2 * M_PI * (double)p->hz[i] * t_s + (double)p->phase[i];
        swayed += sin(at) / (i + 1);
        bobbed += cos(at) / (i + 1);
    }
    if (p->kind == ZT_PARTICLE_EMBER) /* it starts where the fire is, and is free later */
        swayed = (swayed - sin((double)p->phase[0])) * fmin(1, age);
    nudge = (double)(l->gust * p->drift) * 0.5;
    *ret_x = (double)p->x + (double)p->drift * age + (double)p->sway * swayed + nudge;
    *ret_y = (double)p->y + (double)p->fall * age + 0.3 * (double)p->sway * bobbed;
}

/* How each kind looks once it is placed; k: frame pixels for each pixel of its own plane. */
static void dress(const struct particle *p, struct zt_sprite *s, float k, double t_s, float unit)
{
    const struct kind *kind = &kinds[p->kind];
    float vx = p->drift * kind->shutter_s * k, vy = p->fall * kind->shutter_s * k;
    float blur = fmaxf(0, p->d - 1.25F) * 0.0016F * unit * k; /* out of focus near the lens */
    float radius = p->radius * k;

    s->tint = p->tint;
    switch ((enum zt_particle_kind)p->kind) {
    case ZT_PARTICLE_RAIN:
        s->alpha *= 0.55F + 0.45F / p->d; /* near ones are out of focus and fast */
        set_smeared(s, radius * (1 + 0.35F * fmaxf(0, p->d - 1)), vx, vy, true);
        break;
    case ZT_PARTICLE_SNOW:
    case ZT_PARTICLE_DUST: {
        float wide = radius + blur;
        float loss = radius / wide;
        s->shape = blur > 0.3F * radius ? ZT_SHAPE_DISC : ZT_SHAPE_SOFT;
        s->alpha *= p->kind == ZT_PARTICLE_SNOW ? powf(loss, 1.1F) : powf(loss, 1.5F);
        if (p->kind == ZT_PARTICLE_DUST) {
            double glint = sin(2 * M_PI * (double)p->hz[1] * t_s + 3 * (double)p->phase[1]);
            s->alpha *= 0.55F + 0.45F * (float)glint;
            s->shines = true;
        }
        set_smeared(s, 1.5F * wide, vx, vy, false);
        break;
    }
    case ZT_PARTICLE_EMBER: {
        double flick = sin(2 * M_PI * (double)(p->hz[1] * 6) * t_s + (double)p->phase[0]);
        s->alpha *= 0.8F + 0.2F * (float)flick;
        s->shines = true;
        set_smeared(s, 1.3F * radius, vx, vy, false);
        break;
    }
    case ZT_PARTICLE_PETAL: {
        double turn = 2 * M_PI * (double)p->spin_hz * t_s + (double)p->phase[0];
        double roll = 2 * M_PI * (double)p->hz[0] * t_s + (double)p->phase[1];
        float face = (float)cos(turn), angle = p->lean * 3.1416F + 0.9F * (float)sin(roll);
        float width = p->stretch * (0.22F + 0.78F * fabsf(face));
        float loss = radius / (radius + blur);
        s->alpha *= loss;
        s->shape = blur > 0.8F * radius ? ZT_SHAPE_DISC : ZT_SHAPE_LEAF;
        s->tint = dimmed(p->tint, 0.84F + 0.16F * face * (float)cos(turn - 0.7));
        set_ellipse(s, fmaxf(radius + blur, 1.8F), fmaxf((radius + blur) * width, 1.2F),
                    cosf(angle), sinf(angle));
        break;
    }
    case ZT_PARTICLE_KINDS:
        break;
    }
}

/* Into the frame; false when it is out of sight. */
static bool place(const struct zt_particles *ps, const struct particle *p, const struct look *l,
                  double t_s, float weight, struct zt_sprite *s)
{
    double x, y, d = (double)p->d, shrink = 1 - l->tz * d;
    float fade;

    if (shrink < 0.2) /* the camera has passed it */
        return false;
    travel(p, l, t_s, &x, &y, &fade);
    if (p->kind != ZT_PARTICLE_EMBER) {
        double mid_x = l->x * shrink + l->tx * d, mid_y = l->y * shrink + l->ty * d;
        /* Who leaves below comes in above where its slant leads: so a loop closes. */
        double fallen = floor((y - mid_y) / (double)p->box_h + 0.5) * (double)p->box_h;
        y -= fallen;
        x -= p->life_s > 0 ? 0 : fallen * (double)(p->drift / p->fall);
        x = mid_x + wrapped(x - mid_x, (double)p->box_w);
    }
    double qx = (x - l->tx * d) / shrink - l->x, qy = (y - l->ty * d) / shrink - l->y;
    float passing = (float)zt_smooth_step((shrink - 0.2) / 0.25);
    float k = (float)(l->zoom / shrink);
    *s = (struct zt_sprite){
        .x = (float)((l->cos * qx + l->sin * qy) * l->zoom + l->view->width_px / 2.0),
        .y = (float)((l->cos * qy - l->sin * qx) * l->zoom + l->view->height_px / 2.0),
        .near = p->d,
        .alpha = p->alpha * fade * passing * weight
    };
    dress(p, s, k, t_s, ps->unit);
    float reach = fmaxf(s->reach_y, 12 * p->radius * k) + 2;
    return s->alpha > 0.002F && s->y > -reach && s->y < (float)l->view->height_px + reach;
}

const struct zt_sprite *zt_particles_place(struct zt_particles *ps, const struct zt_sight *sight,
                                           double t_s, float weight, int *ret_n)
{
    const struct zt_pose *pose = &sight->pose;
    double unit = (double)ps->unit;
    struct look l = { .view = &sight->view,
                      .cos = cos(pose->roll),
                      .sin = sin(pose->roll),
                      .zoom = pose->zoom,
                      .x = pose->x * unit,
                      .y = pose->y * unit,
                      .tx = pose->tx * unit,
                      .ty = pose->ty * unit,
                      .tz = pose->tz,
                      .gust = (float)zt_tones_at(&ps->gust, t_s) };
    int n = 0;

    for (int i = 0; i < ps->n; i++) {
        const struct particle *p = &ps->p[i];
        struct zt_sprite *s = &ps->sprite[n];
        if (!place(ps, p, &l, t_s, weight, s))
            continue;
        n++;
        if (p->halo.light > 0) { /* the glow around an ember */
            struct zt_sprite *halo = &ps->sprite[n++];
            float radius = 11 * p->radius * (float)(l.zoom / (1 - l.tz * (double)p->d));
            *halo = *s;
            halo->tint = p->halo;
            halo->alpha = fminf(1, p->alpha * s->alpha * 2);
            set_ellipse(halo, radius, radius, 1, 0);
        }
    }
    *ret_n = n;
    return ps->sprite;
}
