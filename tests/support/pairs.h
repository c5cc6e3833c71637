/*
 * pairs.h - pairs of pictures whose in-betweens are known: layers of photographs and of made-up
 * textures, each moving by a warp that has a value at every time.
 *
 * A layer shows source point `s` (in frame pixels at t = 0) at pairs_forward(motion, s, t).
 */
#ifndef ZT_TESTS_PAIRS_H
#define ZT_TESTS_PAIRS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "zoetrope.h"

#define PAIR_WIDTH  320
#define PAIR_HEIGHT 180
#define PAIR_LAYERS 3
#define PAIR_PI     3.14159265358979323846

enum pair_source {
    PAIR_END,
    PAIR_TEXTURE, /* octaves of noise under a grid of coloured shapes */
    PAIR_RACCOON,
    PAIR_COFFEE,
    PAIR_CAT,
    PAIR_ASTRONAUT,
    PAIR_ROCKET,
    PAIR_SOURCES
};

/* At time t: zoom^t and t * turn about the middle, then t * (dx, dy) and t * wave. */
struct pair_motion {
    double dx, dy, zoom, turn_deg, wave;
};

/* Front layers come first. radius 0: everywhere; else a disc about (x, y) at t = 0. */
struct pair_layer {
    enum pair_source source;
    double detail; /* source pixels (or texture units) for each frame pixel */
    double x, y, radius;
    struct pair_motion motion;
};

struct pair {
    const char *label;
    struct pair_layer layers[PAIR_LAYERS];
    double gain; /* brightness of the end against the beginning; 0 means 1 */
    bool hard;   /* more than one warp can undo: no PSNR promised */
};

/* clang-format off */
static const struct pair pairs[] = {
    { "texture, 20 px",      { { PAIR_TEXTURE, 1.0, 0, 0, 0, { 20, 0, 1, 0, 0 } } }, 0, false },
    { "texture, 80 px",      { { PAIR_TEXTURE, 1.0, 0, 0, 0, { 76, 25, 1, 0, 0 } } }, 0, false },
    { "raccoon, zoom 1.15",  { { PAIR_RACCOON, 1.9, 0, 0, 0, { 0, 0, 1.15, 0, 0 } } }, 0, false },
    { "raccoon, 8 degrees",  { { PAIR_RACCOON, 1.8, 0, 0, 0, { 0, 0, 1, 8, 0 } } }, 0, false },
    { "raccoon, 20 degrees", { { PAIR_RACCOON, 1.8, 0, 0, 0, { 0, 0, 1, 20, 0 } } }, 0, false },
    { "cat, non-rigid",      { { PAIR_CAT, 1.1, 0, 0, 0, { 6, 0, 1, 0, 6 } } }, 0, false },
    { "coffee, zoom out",    { { PAIR_COFFEE, 1.0, 0, 0, 0, { 0, 0, 0.87, 0, 0 } } }, 0, false },
    { "rocket, pan",         { { PAIR_ROCKET, 1.0, 0, 0, 0, { -40, 8, 1, 0, 0 } } }, 0, false },
    { "astronaut, brighter", { { PAIR_ASTRONAUT, 1.05, 0, 0, 0, { 24, 10, 1, 0, 0 } } }, 1.35, false },
    { "texture, non-rigid",  { { PAIR_TEXTURE, 0.8, 0, 0, 0, { 0, 0, 1.05, 3, 7 } } }, 0, false },
    { "cat over raccoon",    { { PAIR_CAT, 1.0, 160, 110, 60, { 40, 0, 1, 0, 0 } },
                               { PAIR_RACCOON, 1.9, 0, 0, 0, { -12, 0, 1, 0, 0 } } }, 0, false },
    { "texture over coffee", { { PAIR_TEXTURE, 1.2, 210, 120, 45, { -30, 12, 1, 0, 0 } },
                               { PAIR_COFFEE, 1.2, 0, 0, 0, { 10, 0, 1, 0, 0 } } }, 0, false },
    { "two discs, rocket",   { { PAIR_CAT, 1.0, 120, 90, 40, { 36, 14, 1, 0, 0 } },
                               { PAIR_RACCOON, 1.9, 270, 130, 48, { -28, 0, 1, 0, 0 } },
                               { PAIR_ROCKET, 1.0, 0, 0, 0, { 8, 0, 1, 0, 0 } } }, 0, true },
};
/* clang-format on */
#define PAIRS ((int)(sizeof(pairs) / sizeof(pairs[0])))

/* Sanitizers make everything ten times slower: there a few pairs stand for all. */
#ifdef ZT_SANITIZED
#define PAIRS_STEP 5
#else
#define PAIRS_STEP 1
#endif

static struct zt_image pair_photos[PAIR_SOURCES];

/* Reads the photographs; false when one is missing. */
static inline bool pairs_init(void)
{
    static const char *const files[PAIR_SOURCES] = {
        [PAIR_RACCOON] = ZT_FIXTURES "/../../examples/raccoon.jpg",
        [PAIR_COFFEE] = ZT_FIXTURES "/../../examples/coffee.jpg",
        [PAIR_CAT] = ZT_FIXTURES "/passage/cat.jpg",
        [PAIR_ASTRONAUT] = ZT_FIXTURES "/passage/astronaut.jpg",
        [PAIR_ROCKET] = ZT_FIXTURES "/passage/rocket.jpg",
    };
    static uint8_t bytes[1 << 20];

    for (int i = 0; i < PAIR_SOURCES; i++) {
        struct zt_err err = { 0 };
        if (files[i] == NULL)
            continue;
        FILE *f = fopen(files[i], "rb");
        if (f == NULL)
            return false;
        size_t n = fread(bytes, 1, sizeof(bytes), f);
        fclose(f);
        if (zt_image_decode(bytes, n, NULL, &pair_photos[i], &err) != ZT_OK) {
            printf("%s: %s\n", files[i], err.msg);
            return false;
        }
    }
    return true;
}

static inline void pairs_clear(void)
{
    for (int i = 0; i < PAIR_SOURCES; i++)
        zt_image_clear(&pair_photos[i]);
}

static inline uint32_t pairs_hash(int x, int y, uint32_t seed)
{
    uint32_t v = (uint32_t)x * 0x9e3779b9u ^ (uint32_t)y * 0x85ebca6bu ^ seed * 0xc2b2ae35u;
    v ^= v >> 15;
    v *= 0x2c1b3c6du;
    v ^= v >> 12;
    v *= 0x297a2d39u;
    return v ^ v >> 15;
}

static inline double pairs_noise(double x, double y, uint32_t seed)
{
    double fx = floor(x), fy = floor(y), tx = x - fx, ty = y - fy;
    double v[4];

    for (int i = 0; i < 4; i++)
        v[i] = pairs_hash((int)fx + (i & 1), (int)fy + (i >> 1), seed) / 4294967296.0;
    tx = tx * tx * (3.0 - 2.0 * tx);
    ty = ty * ty * (3.0 - 2.0 * ty);
    return (v[0] + tx * (v[1] - v[0])) * (1.0 - ty) + (v[2] + tx * (v[3] - v[2])) * ty;
}

static inline void pairs_texture(double x, double y, double ret[3])
{
    double n = 0.5 * pairs_noise(x / 40, y / 40, 1) + 0.3 * pairs_noise(x / 13, y / 13, 2) +
               0.2 * pairs_noise(x / 5, y / 5, 3);
    int cx = (int)floor(x / 46), cy = (int)floor(y / 46);
    uint32_t h = pairs_hash(cx, cy, 9);
    double px = x - 46 * (cx + 0.5), py = y - 46 * (cy + 0.5);
    double size = 8 + h % 11;
    bool in =
        (h >> 8 & 1) ? px * px + py * py < size * size : fabs(px) < size && fabs(py) < size * 0.7;

    for (int c = 0; c < 3; c++) {
        ret[c] = 40 + 150 * n + 40 * (pairs_noise(x / 60, y / 60, 20 + (uint32_t)c) - 0.5);
        if (in && (h >> 9 & 3) != 0)
            ret[c] = 0.4 * ret[c] + 0.6 * (double)(h >> (12 + 6 * c) & 255);
    }
}

static inline void pairs_photo(const struct zt_image *im, double x, double y, double ret[3])
{
    x = x < 0 ? 0 : x > im->width_px - 1.001 ? im->width_px - 1.001 : x;
    y = y < 0 ? 0 : y > im->height_px - 1.001 ? im->height_px - 1.001 : y;
    int ix = (int)x, iy = (int)y;
    double tx = x - ix, ty = y - iy;
    const uint8_t *p = im->pixels + (size_t)iy * im->stride + 3 * (size_t)ix, *q = p + im->stride;
    for (int c = 0; c < 3; c++)
        ret[c] = (p[c] + tx * (p[c + 3] - p[c])) * (1 - ty) + (q[c] + tx * (q[c + 3] - q[c])) * ty;
}

/* Where point s is at time t. */
static inline void pairs_forward(const struct pair_motion *m, double sx, double sy, double t,
                                 double *ret_x, double *ret_y)
{
    double mx = 0.5 * (PAIR_WIDTH - 1), my = 0.5 * (PAIR_HEIGHT - 1);
    double k = pow(m->zoom, t), a = m->turn_deg * t * PAIR_PI / 180.0;
    double x = sx - mx, y = sy - my;

    *ret_x = mx + k * (cos(a) * x - sin(a) * y) + t * (m->dx + m->wave * sin(y / 30 + x / 80));
    *ret_y = my + k * (sin(a) * x + cos(a) * y) + t * (m->dy + m->wave * cos(x / 35 - y / 90));
}

/* Which point is at (x, y) at time t: the fixed point of correcting by what is missed. */
static inline void pairs_backward(const struct pair_motion *m, double x, double y, double t,
                                  double *ret_x, double *ret_y)
{
    struct pair_motion rigid = { 0, 0, 1.0 / m->zoom, -m->turn_deg, 0 };
    double sx, sy;

    pairs_forward(&rigid, x - t * m->dx, y - t * m->dy, t, &sx, &sy);
    for (int i = 0; i < (m->wave != 0 ? 12 : 0); i++) {
        double fx, fy;
        pairs_forward(m, sx, sy, t, &fx, &fy);
        sx += x - fx;
        sy += y - fy;
    }
    *ret_x = sx;
    *ret_y = sy;
}

/* The front layer at (x, y) at time t, and which of its points is there. */
static inline int pairs_layer_at(const struct pair *p, double x, double y, double t, double *ret_x,
                                 double *ret_y)
{
    for (int i = 0; i < PAIR_LAYERS; i++) {
        const struct pair_layer *l = &p->layers[i];
        pairs_backward(&l->motion, x, y, t, ret_x, ret_y);
        double dx = *ret_x - l->x, dy = *ret_y - l->y;
        if (l->radius <= 0 || dx * dx + dy * dy < l->radius * l->radius)
            return i;
    }
    return PAIR_LAYERS - 1;
}

static inline void pairs_colour(const struct pair *p, double x, double y, double t, double ret[3])
{
    double sx, sy;
    const struct pair_layer *l = &p->layers[pairs_layer_at(p, x, y, t, &sx, &sy)];
    const struct zt_image *photo = &pair_photos[l->source];

    sx = (sx - 0.5 * (PAIR_WIDTH - 1)) * l->detail;
    sy = (sy - 0.5 * (PAIR_HEIGHT - 1)) * l->detail;
    if (l->source == PAIR_TEXTURE)
        pairs_texture(sx + 1000, sy + 1000, ret);
    else
        pairs_photo(photo, sx + 0.5 * photo->width_px, sy + 0.5 * photo->height_px, ret);
}

/* A picture of PAIR_WIDTH x PAIR_HEIGHT; cleared by the caller. */
static inline struct zt_image pairs_draw(const struct pair *p, double t)
{
    struct zt_image im = { PAIR_WIDTH, PAIR_HEIGHT, PAIR_WIDTH * 3, NULL };
    double gain = p->gain > 0 ? 1 + t * (p->gain - 1) : 1;

    im.pixels = malloc(im.stride * PAIR_HEIGHT);
    for (int y = 0; im.pixels != NULL && y < PAIR_HEIGHT; y++) {
        for (int x = 0; x < PAIR_WIDTH; x++) {
            double sum[3] = { 0 }, c[3];
            for (int i = 0; i < 4; i++) { /* four samples a pixel */
                pairs_colour(p, x + 0.5 * (i & 1) - 0.25, y + 0.5 * (i >> 1) - 0.25, t, c);
                for (int k = 0; k < 3; k++)
                    sum[k] += 0.25 * c[k];
            }
            for (int k = 0; k < 3; k++) {
                double v = sum[k] * gain + 0.5;
                im.pixels[(size_t)y * im.stride + 3 * (size_t)x + (size_t)k] =
                    (uint8_t)(v < 0     ? 0
                              : v > 255 ? 255
                                        : v);
            }
        }
    }
    return im;
}

#endif
