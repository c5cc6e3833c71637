/* Layers and what is invented behind them: at rest the picture, at an edge no halo, behind no trace. */
#include "motion/layers.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/thread.h"
#include "check.h"
#include "motion/inpaint.h"

#define W      480
#define H      320
#define RADIUS 90

static struct zt_image new_picture(int width, int height)
{
    struct zt_image image = { .width_px = width, .height_px = height, .stride = (size_t)width * 3 };

    image.pixels = calloc((size_t)height, image.stride);
    return image;
}

static bool in_disc(int x, int y)
{
    int dx = x - W / 2;
    int dy = y - H / 2;

    return dx * dx + dy * dy < RADIUS * RADIUS;
}

static void paint_ground(struct zt_image *image)
{
    for (int y = 0; y < image->height_px; y++) {
        for (int x = 0; x < image->width_px; x++) {
            uint8_t *p = image->pixels + (size_t)y * image->stride + 3 * (size_t)x;
            bool tile = ((x / 12) + (y / 12)) % 2;
            p[0] = tile ? 60 : 40;
            p[1] = tile ? 120 : 70;
            p[2] = tile ? 60 : 50;
        }
    }
}

/* A red disc at depth 0.9 before a chequered ground at 0.1. */
static void disc_scene(struct zt_image *image, struct zt_depth *depth)
{
    *image = new_picture(W, H);
    paint_ground(image);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            uint8_t *p = image->pixels + (size_t)y * image->stride + 3 * (size_t)x;
            if (in_disc(x, y)) {
                p[0] = 220;
                p[1] = 40;
                p[2] = 30;
            }
        }
    }
    *depth = (struct zt_depth){ .width = W / 4, .height = H / 4 };
    depth->z = calloc((size_t)depth->width * (size_t)depth->height, sizeof(float));
    for (int y = 0; y < depth->height; y++) {
        for (int x = 0; x < depth->width; x++)
            depth->z[y * depth->width + x] = in_disc(4 * x + 2, 4 * y + 2) ? 0.9F : 0.1F;
    }
}

/* The layers drawn over one another; returns the PSNR against the picture. */
static double psnr_at_rest(const struct zt_layers *layers, const struct zt_image *image)
{
    double sum = 0;

    for (int y = 0; y < image->height_px; y++) {
        for (int x = 0; x < image->width_px; x++) {
            size_t i = (size_t)y * (size_t)image->width_px + (size_t)x;
            for (int c = 0; c < 3; c++) {
                double v = 0;
                for (int k = 0; k < layers->n; k++) {
                    const struct zt_layer *l = &layers->layer[k];
                    double a = l->alpha ? l->alpha[i] / 255.0 : 1;
                    v = v * (1 - a) +
                        a * l->picture.pixels[(size_t)y * l->picture.stride + 3 * (size_t)x + c];
                }
                double d = v - image->pixels[(size_t)y * image->stride + 3 * (size_t)x + c];
                sum += d * d;
            }
        }
    }
    return 10 * log10(255 * 255 / (sum / (3.0 * image->width_px * image->height_px) + 1e-9));
}

static void cuts_a_disc_out(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers layers = { 0 };
    struct zt_err err;
    int inside_wrong = 0;
    int outside_wrong = 0;
    int traces = 0;

    disc_scene(&image, &depth);
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
              ZT_OK);
    CHECK_INT("two layers", layers.n, 2);
    CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 50);
    for (int y = 0; y < H && layers.n == 2; y++) {
        for (int x = 0; x < W; x++) {
            double r = sqrt((x - W / 2.0) * (x - W / 2.0) + (y - H / 2.0) * (y - H / 2.0));
            int a = layers.layer[1].alpha[y * W + x];
            const uint8_t *b = layers.layer[0].picture.pixels +
                               (size_t)y * layers.layer[0].picture.stride + 3 * (size_t)x;
            inside_wrong += r < RADIUS - 2 && a < 250;
            outside_wrong += r > RADIUS + 2 && a > 5; /* one pixel and the raster's own */
            traces += r < RADIUS && b[0] > 130;
        }
    }
    CHECK_INT("opaque inside", inside_wrong, 0);
    CHECK_INT("halo of more than a pixel", outside_wrong, 0);
    CHECK_INT("no red left behind the disc", traces, 0);
    CHECK_NEAR("ground depth goes on behind the disc",
               layers.layer[0].depth.z[depth.height / 2 * depth.width + depth.width / 2], 0.1,
               0.05);
    CHECK_NEAR("disc depth goes on beside it", layers.layer[1].depth.z[0], 0.9, 0.05);
    zt_layers_clear(&layers);
    zt_depth_clear(&depth);
    free(image.pixels);
}

static void leaves_slopes_whole(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers layers;
    struct zt_err err;

    disc_scene(&image, &depth);
    for (int i = 0; i < depth.width * depth.height; i++)
        depth.z[i] = (float)(i / depth.width) / (float)depth.height;
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
              ZT_OK);
    CHECK_INT("one layer", layers.n, 1);
    CHECK("opaque", layers.layer[0].alpha == NULL);
    CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 90);
    zt_layers_clear(&layers);
    zt_depth_clear(&depth);
    free(image.pixels);
}

/*
 * A soft rim: two pixels of it are mixtures. Whatever the layers make of them, neither may hold a
 * colour that is neither the disc's nor the ground's nor between them: it would show as a dotted
 * line once they move.
 */
static void takes_soft_edges_apart(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers layers = { 0 };
    struct zt_err err;
    int foreign = 0;

    disc_scene(&image, &depth);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            uint8_t *p = image.pixels + (size_t)y * image.stride + 3 * (size_t)x;
            double r = sqrt((x - W / 2.0) * (x - W / 2.0) + (y - H / 2.0) * (y - H / 2.0));
            double a = fmin(1, fmax(0, (RADIUS + 1.5 - r) / 3));
            p[0] = (uint8_t)(200 * a + 50 * (1 - a));
            p[1] = (uint8_t)(60 * a + 110 * (1 - a));
            p[2] = (uint8_t)(70 * a + 60 * (1 - a));
        }
    }
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
              ZT_OK);
    CHECK_INT("two layers", layers.n, 2);
    CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 45);
    for (size_t i = 0; i < (size_t)W * H && layers.n == 2; i++) {
        for (int k = 0; k < 2; k++) {
            const uint8_t *p = layers.layer[k].picture.pixels + 3 * i;
            bool shows = k == 0 || layers.layer[1].alpha[i] > 0;
            foreign += shows && (p[0] < 40 || p[0] > 225 || p[1] < 45 || p[1] > 125 || p[2] < 45 ||
                                 p[2] > 90);
        }
    }
    CHECK_INT("foreign colours", foreign, 0);
    zt_layers_clear(&layers);
    zt_depth_clear(&depth);
    free(image.pixels);
}

/*
 * A bright disc whose rim is lighter still, before a dark ground: what of the rim the matte misses
 * is the disc's all the same, and no outline stays behind when it moves.
 */
static void leaves_no_outline(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers layers = { 0 };
    struct zt_err err;
    struct zt_rng rng;
    int outline = 0;

    disc_scene(&image, &depth);
    zt_rng_init(&rng, 7, 1);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            uint8_t *p = image.pixels + (size_t)y * image.stride + 3 * (size_t)x;
            double r = sqrt((x - W / 2.0) * (x - W / 2.0) + (y - H / 2.0) * (y - H / 2.0));
            double turn = atan2(y - H / 2.0, x - W / 2.0), edge = RADIUS + 4 * sin(23 * turn);
            double a = fmin(1, fmax(0, (edge + 1.5 - r) / 3)), rim = r > edge - 6 ? 1 : 0;
            double noise = 5 * (double)zt_rng_range(&rng, -1, 1);
            p[0] = (uint8_t)(a * fmin(255, 235 + 40 * rim + noise) + (1 - a) * (8 + noise));
            p[1] = (uint8_t)(a * (150 + 50 * rim + noise) + (1 - a) * (40 + noise));
            p[2] = (uint8_t)(a * (80 + 70 * rim + noise) + (1 - a) * (45 + noise));
        }
    }
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
              ZT_OK);
    CHECK_INT("two layers", layers.n, 2);
    CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 45);
    for (size_t i = 0; i < (size_t)W * H && layers.n == 2; i++)
        outline += layers.layer[0].picture.pixels[3 * i] > 60;
    printf("of a bright disc, %d pixels are left behind\n", outline);
    CHECK_BELOW("left behind", outline, 12);
    zt_layers_clear(&layers);
    zt_depth_clear(&depth);
    free(image.pixels);
}

/*
 * A disc half before a near ground, half before a far sky: behind its upper half the ground does not
 * go on, behind its lower half it does, and nowhere is there red.
 */
static void ends_what_is_hidden(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers layers = { 0 };
    struct zt_err err;
    int above = 0, below = 0, traces = 0;

    disc_scene(&image, &depth);
    for (int y = 0; y < H / 2; y++)
        for (int x = 0; x < W; x++)
            if (!in_disc(x, y))
                memcpy(image.pixels + (size_t)y * image.stride + 3 * (size_t)x, "\x80\xb0\xe0", 3);
    for (int i = depth.width * depth.height / 2; i < depth.width * depth.height; i++)
        depth.z[i] = depth.z[i] > 0.5F ? 0.9F : 0.5F;
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
              ZT_OK);
    CHECK_INT("three layers", layers.n, 3);
    CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 45);
    for (int x = W / 2 - 40; x < W / 2 + 40 && layers.n == 3; x++) {
        for (int d = 40; d < 70; d++) {
            size_t up = (size_t)((H / 2 - d) * W + x), down = (size_t)((H / 2 + d) * W + x);
            above += layers.layer[1].alpha[up] > 40;
            below += layers.layer[1].alpha[down] < 215;
            traces += layers.layer[0].picture.pixels[3 * up] > 160;
            traces += layers.layer[1].picture.pixels[3 * down] > 160;
        }
    }
    CHECK_INT("ground before the sky", above, 0);
    CHECK_INT("no ground below", below, 0);
    CHECK_INT("red left behind", traces, 0);
    zt_layers_clear(&layers);
    zt_depth_clear(&depth);
    free(image.pixels);
}

static void does_not_depend_on_threads(void)
{
    struct zt_image image;
    struct zt_depth depth;
    struct zt_layers one;
    struct zt_err err;

    disc_scene(&image, &depth);
    CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &one, &err), ZT_OK);
    for (int threads = 2; threads <= 3; threads++) {
        struct zt_pool *pool = zt_pool_new(threads);
        struct zt_layers many;
        CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, pool, &many, &err),
                  ZT_OK);
        CHECK_INT("layers", many.n, one.n);
        for (int i = 0; i < one.n; i++) {
            CHECK_INT("pixels",
                      memcmp(one.layer[i].picture.pixels, many.layer[i].picture.pixels,
                             (size_t)W * H * 3),
                      0);
            if (one.layer[i].alpha != NULL)
                CHECK_INT("alpha", memcmp(one.layer[i].alpha, many.layer[i].alpha, (size_t)W * H),
                          0);
        }
        zt_layers_clear(&many);
        zt_pool_free(pool);
    }
    zt_layers_clear(&one);
    zt_depth_clear(&depth);
    free(image.pixels);
}

static void stays_sane_on_odd_sizes(void)
{
    static const int sizes[][2] = { { 1, 1 }, { 2, 500 }, { 500, 2 }, { 33, 65 }, { 7, 7 } };

    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        struct zt_image image = new_picture(sizes[i][0], sizes[i][1]);
        struct zt_depth depth = { .width = 12, .height = 9 };
        struct zt_layers layers;
        struct zt_err err;
        struct zt_rng rng;
        zt_rng_init(&rng, 4, i);
        depth.z = calloc(12 * 9, sizeof(float));
        for (int k = 0; k < 12 * 9; k++)
            depth.z[k] = k % 3 == 0 ? 0.9F : zt_rng_unit(&rng) * 0.2F;
        for (size_t k = 0; k < image.stride * (size_t)image.height_px; k++)
            image.pixels[k] = (uint8_t)zt_rng_u32(&rng);
        CHECK_INT("cuts", zt_layers_cut(&image, &depth, image.width_px / 12, NULL, &layers, &err),
                  ZT_OK);
        CHECK("at rest it is the picture", psnr_at_rest(&layers, &image) > 45);
        zt_layers_clear(&layers);
        zt_depth_clear(&depth);
        free(image.pixels);
    }
}

static double error_in_hole(const struct zt_image *a, const struct zt_image *b, const uint8_t *hole)
{
    double sum = 0;
    long n = 0;

    for (size_t i = 0; i < (size_t)W * H; i++) {
        for (size_t c = 0; c < 3 && hole[i]; c++, n++) {
            double d = (double)a->pixels[3 * i + c] - b->pixels[3 * i + c];
            sum += d * d;
        }
    }
    return sum / (double)(n > 0 ? n : 1);
}

/* A hole in a chequered ground is filled with chequers: far nearer than the membrane alone. */
static void continues_texture(void)
{
    struct zt_image truth = new_picture(W, H);
    struct zt_image patches = new_picture(W, H);
    struct zt_image membrane = new_picture(W, H);
    uint8_t *hole = calloc((size_t)W * H, 1);
    struct zt_err err;
    int changed = 0;

    paint_ground(&truth);
    for (int y = 130; y < 180; y++)
        memset(hole + y * W + 200, 1, 50);
    for (size_t i = 0; i < (size_t)W * H * 3; i++)
        patches.pixels[i] = membrane.pixels[i] = hole[i / 3] ? 255 : truth.pixels[i];
    const struct zt_inpaint both[2] = { { &membrane, hole, false, 60 },
                                        { &patches, hole, true, 60 } };
    CHECK_INT("filled", zt_inpaint(both, 2, NULL, &err), ZT_OK);
    double without = error_in_hole(&membrane, &truth, hole);
    double with = error_in_hole(&patches, &truth, hole);
    CHECK_BELOW("membrane keeps the tone", without, 800);
    CHECK_BELOW("patches beat the membrane", with, without * 0.6);
    for (size_t i = 0; i < (size_t)W * H * 3; i++)
        changed += !hole[i / 3] && patches.pixels[i] != truth.pixels[i];
    CHECK_INT("nothing else changes", changed, 0);
    memset(hole, 1, (size_t)W * H);
    CHECK_INT("nothing known", zt_inpaint(&both[1], 1, NULL, &err), ZT_OK);
    CHECK_INT("grey", patches.pixels[W * 3 * 7], 128);
    free(hole);
    free(truth.pixels);
    free(patches.pixels);
    free(membrane.pixels);
}

int main(void)
{
    RUN(cuts_a_disc_out);
    RUN(leaves_slopes_whole);
    RUN(takes_soft_edges_apart);
    RUN(leaves_no_outline);
    RUN(ends_what_is_hidden);
    RUN(does_not_depend_on_threads);
    RUN(stays_sane_on_odd_sizes);
    RUN(continues_texture);
    return check_done();
}
