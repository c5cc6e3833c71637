/* Depth from one picture: order where the answer is known, edges in place, no surprise on bad input. */
#include "motion/depth.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/thread.h"
#include "check.h"
#include "motion/guided.h"

#define W 320
#define H 240

static struct zt_image new_picture(int width, int height)
{
    struct zt_image image = { .width_px = width, .height_px = height, .stride = (size_t)width * 3 };

    image.pixels = calloc((size_t)height, image.stride);
    return image;
}

static void put(struct zt_image *image, int x, int y, int r, int g, int b)
{
    uint8_t *p = image->pixels + (size_t)y * image->stride + 3 * (size_t)x;

    p[0] = (uint8_t)(r < 0 ? 0 : r > 255 ? 255 : r);
    p[1] = (uint8_t)(g < 0 ? 0 : g > 255 ? 255 : g);
    p[2] = (uint8_t)(b < 0 ? 0 : b > 255 ? 255 : b);
}

/* Sky over a textured meadow, and a red ball that stands on the meadow. */
static struct zt_image landscape(void)
{
    struct zt_image image = new_picture(W, H);
    struct zt_rng rng;

    zt_rng_init(&rng, 5, 0);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            int noise = (int)(zt_rng_u32(&rng) % 40) - 20;
            int dx = x - 170;
            int dy = y - 130;
            if (dx * dx + dy * dy < 45 * 45)
                put(&image, x, y, 200 + noise, 30 + noise, 30);
            else if (y < 90)
                put(&image, x, y, 150, 190, 235);
            else
                put(&image, x, y, 70 + noise, 120 + noise, 50 + noise);
        }
    }
    return image;
}

static double mean_over(const struct zt_depth *d, double x0, double x1, double y0, double y1)
{
    double sum = 0;
    int n = 0;

    for (int y = (int)(y0 * d->height); y < (int)(y1 * d->height); y++) {
        for (int x = (int)(x0 * d->width); x < (int)(x1 * d->width); x++) {
            sum += (double)d->z[y * d->width + x];
            n++;
        }
    }
    return sum / (n > 0 ? n : 1);
}

static void orders_a_landscape(void)
{
    struct zt_image image = landscape();
    struct zt_depth d;
    struct zt_err err;

    CHECK_INT("estimates", zt_depth_estimate(&image, NULL, &d, &err), ZT_OK);
    double sky = mean_over(&d, 0, 1, 0, 0.3);
    double far_meadow = mean_over(&d, 0, 0.25, 0.42, 0.5);
    double near_meadow = mean_over(&d, 0, 1, 0.9, 1);
    double ball = mean_over(&d, 0.45, 0.6, 0.45, 0.65);
    double beside_ball = mean_over(&d, 0.02, 0.2, 0.45, 0.65);
    CHECK_BELOW("sky is farthest", sky, 0.1);
    CHECK_BELOW("sky before meadow", sky + 0.05, far_meadow);
    CHECK_BELOW("far before near meadow", far_meadow + 0.3, near_meadow);
    CHECK_BELOW("the ball is before the meadow at its height", beside_ball + 0.15, ball);
    zt_depth_clear(&d);
    free(image.pixels);
}

/* Where depth steps, the picture does: along a row through the ball, within two grid points. */
static void puts_edges_on_edges(void)
{
    struct zt_image image = landscape();
    struct zt_depth d;
    struct zt_err err;

    CHECK_INT("estimates", zt_depth_estimate(&image, NULL, &d, &err), ZT_OK);
    int row = (int)(100.0 / H * d.height); /* above the meadow's middle, across the ball */
    int steepest = 1;
    int half = (int)(170.0 / W * d.width);
    for (int x = 1; x < half; x++) {
        const float *z = d.z + row * d.width;
        if (z[x] - z[x - 1] > z[steepest] - z[steepest - 1])
            steepest = x;
    }
    double edge = (170 - sqrt(45.0 * 45 - 30 * 30)) / W * d.width;
    CHECK_NEAR("left edge of the ball", steepest, edge, 2.5);
    zt_depth_clear(&d);
    free(image.pixels);
}

static void stays_sane_on_odd_pictures(void)
{
    static const int sizes[][2] = { { 1, 1 },   { 1, 300 },  { 300, 1 },  { 2, 2 },
                                    { 64, 64 }, { 2000, 7 }, { 37, 911 }, { 192, 64 } };
    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        for (int kind = 0; kind < 3; kind++) {
            struct zt_image image = new_picture(sizes[i][0], sizes[i][1]);
            struct zt_depth d;
            struct zt_err err;
            struct zt_rng rng;
            char label[64];
            int bad = 0;
            zt_rng_init(&rng, 9, i);
            for (size_t k = 0; k < image.stride * (size_t)image.height_px; k++)
                image.pixels[k] = kind == 0 ? 0 : kind == 1 ? 255 : (uint8_t)zt_rng_u32(&rng);
            snprintf(label, sizeof(label), "%dx%d kind %d", sizes[i][0], sizes[i][1], kind);
            CHECK_INT(label, zt_depth_estimate(&image, NULL, &d, &err), ZT_OK);
            for (int k = 0; k < d.width * d.height; k++)
                bad += !(d.z[k] >= 0 && d.z[k] <= 1);
            CHECK_INT(label, bad, 0);
            zt_depth_clear(&d);
            free(image.pixels);
        }
    }
}

static void does_not_depend_on_threads(void)
{
    struct zt_image image = landscape();
    struct zt_depth one;
    struct zt_err err;

    CHECK_INT("one thread", zt_depth_estimate(&image, NULL, &one, &err), ZT_OK);
    for (int threads = 2; threads <= 3; threads++) {
        struct zt_pool *pool = zt_pool_new(threads);
        struct zt_depth many;
        CHECK_INT("threads", zt_depth_estimate(&image, pool, &many, &err), ZT_OK);
        CHECK_INT("same bytes",
                  memcmp(one.z, many.z, sizeof(float) * (size_t)one.width * (size_t)one.height), 0);
        zt_depth_clear(&many);
        zt_pool_free(pool);
    }
    zt_depth_clear(&one);
    free(image.pixels);
}

/* A soft step in the map moves onto the sharp step of the guide, even one of colour alone. */
static void filters_by_the_guide(void)
{
    for (int channel = 0; channel < 3; channel++) {
        float guide[64 * 8 * 3];
        float map[64 * 8];
        struct zt_err err;
        for (int i = 0; i < 64 * 8; i++) {
            int x = i % 64;
            for (int c = 0; c < 3; c++)
                guide[3 * i + c] = c != channel || x < 32 ? 0.2F : 0.8F;
            map[i] = x < 28 ? 0.0F : x > 36 ? 1.0F : (float)(x - 28) / 8;
        }
        CHECK_INT("filters", zt_guided_filter(guide, map, 64, 8, 8, 1e-4F, NULL, &err), ZT_OK);
        float before = map[4 * 64 + 31] - map[4 * 64 + 30];
        float across = map[4 * 64 + 32] - map[4 * 64 + 31];
        CHECK_BELOW("flat beside the edge", before, 0.05);
        CHECK("steep at the edge", across > 0.5F);
    }
}

/* Where it is asked, and across the bands it works in, a fit is what it is everywhere. */
static void fits_where_asked(void)
{
    enum { WIDE = 150, HIGH = 230, UP = 50, RADIUS = 5 };
    static float guide[HIGH * WIDE * 3], map[HIGH * WIDE];
    static float all[HIGH * WIDE * 4], part[HIGH * WIDE * 4], lower[HIGH * WIDE * 4];
    static uint8_t wanted[HIGH * WIDE];
    struct zt_rng rng;
    double off = 0, off_lower = 0;
    int asked = 0;

    zt_rng_init(&rng, 3, 0);
    for (int i = 0; i < HIGH * WIDE; i++) {
        for (int c = 0; c < 3; c++)
            guide[3 * i + c] = zt_rng_unit(&rng);
        map[i] = zt_rng_unit(&rng);
        wanted[i] = i / WIDE > 88 && i / WIDE < 102 && i % WIDE > 60 && i % WIDE < 75;
    }
    wanted[0] = wanted[HIGH * WIDE - 1] = 1;
    CHECK_INT("all", zt_guided_fit(guide, map, NULL, WIDE, HIGH, RADIUS, 1e-3F, NULL, all, NULL),
              ZT_OK);
    CHECK_INT("part",
              zt_guided_fit(guide, map, wanted, WIDE, HIGH, RADIUS, 1e-3F, NULL, part, NULL),
              ZT_OK);
    CHECK_INT("lower",
              zt_guided_fit(guide + 3 * UP * WIDE, map + UP * WIDE, NULL, WIDE, HIGH - UP, RADIUS,
                            1e-3F, NULL, lower + 4 * UP * WIDE, NULL),
              ZT_OK);
    for (int i = 0; i < 4 * HIGH * WIDE; i++) {
        if (wanted[i / 4])
            off = fmax(off, fabs((double)all[i] - (double)part[i]));
        if (i / 4 / WIDE >= UP + 2 * RADIUS)
            off_lower = fmax(off_lower, fabs((double)all[i] - (double)lower[i]));
        asked += wanted[i / 4];
    }
    CHECK("something is asked", asked > 400);
    CHECK_BELOW("where asked", off, 1e-6);
    CHECK_BELOW("across bands", off_lower, 1e-6);
}

int main(void)
{
    RUN(orders_a_landscape);
    RUN(puts_edges_on_edges);
    RUN(stays_sane_on_odd_pictures);
    RUN(does_not_depend_on_threads);
    RUN(filters_by_the_guide);
    RUN(fits_where_asked);
    return check_done();
}
