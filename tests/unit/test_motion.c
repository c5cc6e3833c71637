/*
 * What a camera move looks like: smooth to a hundredth of a pixel, as sharp in every frame as in
 * the last, and where the camera path says.
 */
#include "motion/scene.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/thread.h"
#include "check.h"
#include "media/frame.h"
#include "motion/depth.h"
#include "motion/shots.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

#define WIDTH  448
#define HEIGHT 256
#define FRAMES 121

static struct zt_pool *pool;

static struct zt_image new_image(int width, int height, double (*paint)(double x, double y))
{
    struct zt_image image = { width, height, (size_t)width * 3,
                              malloc((size_t)(width * height) * 3) };

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            /* From the middle of the picture, in frame pixels. */
            double fx = (x + 0.5 - width / 2.0) * WIDTH / width;
            double fy = (y + 0.5 - height / 2.0) * HEIGHT / height;
            memset(image.pixels + (size_t)(y * width + x) * 3, (int)lround(paint(fx, fy)), 3);
        }
    }
    return image;
}

static struct zt_scene *open_scene(const struct zt_image *image, const struct zt_pose *path,
                                   int frames, enum zt_simd simd)
{
    static const struct zt_shot shot;
    struct zt_take take = { &shot, 0, frames, 1, 0.5, 0.5 };
    struct zt_scene_source source = {
        .image = image, .width_px = WIDTH, .height_px = HEIGHT, .take = &take
    };
    struct zt_scene *scene = NULL;

    CHECK_INT("scene", zt_scene_open(&source, path, frames, pool, simd, &scene, NULL), ZT_OK);
    return scene;
}

static struct zt_frame_buf new_frame(void)
{
    struct zt_frame_buf frame;

    if (zt_frame_buf_init(&frame, ZT_PIXELS_YUV420, WIDTH, HEIGHT, NULL) != ZT_OK)
        abort();
    return frame;
}

/* ---- markers ------------------------------------------------------------------------------- */

#define MARKERS       6
#define MARKER_RADIUS 14.0
#define GROUND        33 /* luma of sRGB 20 */

/* Clear of each other, far enough in to stay in view. */
static const double marker[MARKERS][2] = { { -100, -50 }, { 105, -45 }, { -60, 60 },
                                           { 70, 55 },    { 5, -55 },   { -125, 20 } };

/*
 * Bright discs on dark, flat but for an edge four pixels soft: what a camera can resolve. Rounding
 * to 8 bits shakes a measured centroid by 0.0006 px (one sigma), and so an acceleration by 0.0015.
 */
static double markers(double x, double y)
{
    for (int i = 0; i < MARKERS; i++) {
        double r = hypot(x - marker[i][0], y - marker[i][1]);
        double edge = fmin(fmax((MARKER_RADIUS + 2 - r) / 4, 0), 1);
        if (edge > 0)
            return 20 + 220 * (0.5 - 0.5 * cos(M_PI * edge));
    }
    return 20;
}

/* The centroid of what differs from the ground within reach of (x, y), in frame pixels. */
static void centroid(const struct zt_frame_buf *f, double x, double y, double *ret_x, double *ret_y)
{
    const int reach = (int)(MARKER_RADIUS * 1.5);
    int cx = (int)lround(x + WIDTH / 2.0), cy = (int)lround(y + HEIGHT / 2.0);
    double sum = 0, sx = 0, sy = 0;

    for (int j = cy - reach; j <= cy + reach; j++) {
        for (int i = cx - reach; i <= cx + reach; i++) {
            if (i < 0 || j < 0 || i >= WIDTH || j >= HEIGHT)
                continue;
            int v = f->plane[0][(size_t)j * f->view.stride[0] + (size_t)i] - GROUND;
            sum += v;
            sx += v * (i + 0.5 - WIDTH / 2.0);
            sy += v * (j + 0.5 - HEIGHT / 2.0);
        }
    }
    *ret_x = sum > 0 ? sx / sum : NAN;
    *ret_y = sum > 0 ? sy / sum : NAN;
}

/* Where a picture point appears in the frame: the inverse of zt_camera_see at a flat depth. */
static void appears(const struct zt_room *room, const struct zt_pose *pose, double x, double y,
                    double *ox, double *oy)
{
    double x0, y0, xx, yx, xy, yy;

    zt_camera_see(pose, room, 0, 0, ZT_D_FLAT, &x0, &y0);
    zt_camera_see(pose, room, 1, 0, ZT_D_FLAT, &xx, &yx);
    zt_camera_see(pose, room, 0, 1, ZT_D_FLAT, &xy, &yy);
    double a = xx - x0, b = xy - x0, c = yx - y0, d = yy - y0;
    *ox = ((x - x0) * d - (y - y0) * b) / (a * d - b * c);
    *oy = ((y - y0) * a - (x - x0) * c) / (a * d - b * c);
}

struct smoothness {
    double off;          /* farthest from the path, px */
    double acceleration; /* largest, px / frame^2 */
    double path_acceleration;
    int back_jumps; /* steps against the path's direction, or 0.01 px and more too short of it */
};

static struct smoothness follow(const struct zt_image *image, const struct zt_pose *path,
                                int frames)
{
    const struct zt_room room = { WIDTH,         HEIGHT,      -WIDTH / 2.0,
                                  -HEIGHT / 2.0, WIDTH / 2.0, HEIGHT / 2.0 };
    struct zt_scene *scene = open_scene(image, path, frames, zt_simd_choose());
    struct zt_frame_buf frame = new_frame();
    struct smoothness s = { 0 };
    double got[3][MARKERS][2] = { { { 0 } } }, want[3][MARKERS][2] = { { { 0 } } };

    for (int i = 0; i < frames; i++) {
        double(*g)[2] = got[i % 3], (*g1)[2] = got[(i + 2) % 3], (*g2)[2] = got[(i + 1) % 3];
        double(*w)[2] = want[i % 3], (*w1)[2] = want[(i + 2) % 3], (*w2)[2] = want[(i + 1) % 3];
        zt_scene_draw(scene, &path[i], 0, &frame);
        for (int m = 0; m < MARKERS; m++) {
            appears(&room, &path[i], marker[m][0], marker[m][1], &w[m][0], &w[m][1]);
            centroid(&frame, w[m][0], w[m][1], &g[m][0], &g[m][1]);
            s.off = fmax(s.off, hypot(g[m][0] - w[m][0], g[m][1] - w[m][1]));
            for (int k = 0; k < 2 && i >= 2; k++) {
                s.acceleration = fmax(s.acceleration, fabs(g[m][k] - 2 * g1[m][k] + g2[m][k]));
                s.path_acceleration =
                    fmax(s.path_acceleration, fabs(w[m][k] - 2 * w1[m][k] + w2[m][k]));
                double step = g[m][k] - g1[m][k], path_step = w[m][k] - w1[m][k];
                s.back_jumps += fabs(path_step) > 0.01 && step * path_step < 0;
            }
        }
    }
    zt_frame_buf_clear(&frame);
    zt_scene_close(scene);
    return s;
}

/*
 * A creep of 0.3 px a frame, where zoompan moves in whole pixels: no acceleration to speak of, and
 * no step back. Every kind of motion there is, steady.
 */
static void creeps_without_a_tremor(void)
{
    static const struct {
        const char *label;
        double x, y, zoom, roll, tz, tx;
    } rows[] = {
        { "pan", 0.3, 0, 0, 0, 0, 0 },
        { "tilt", 0, 0.3, 0, 0, 0, 0 },
        { "slant", 0.21, 0.13, 0, 0, 0, 0 },
        { "zoom", 0, 0, 0.0022, 0, 0, 0 },
        { "zoom out", 0, 0, -0.0022, 0, 0, 0 },
        { "turn", 0, 0, 0, 0.0025, 0, 0 },
        { "push", 0, 0, 0, 0, 0.0025, 0 },
        { "truck", 0, 0, 0, 0, 0, 0.3 },
        { "all", 0.1, 0.05, 0.001, 0.0008, 0.001, 0.1 },
    };
    static const int sizes[][2] = { { 2 * WIDTH, 2 * HEIGHT },
                                    { WIDTH, HEIGHT },
                                    { WIDTH * 3 / 4, HEIGHT * 3 / 4 } };

    for (size_t size = 0; size < ZT_COUNT(sizes); size++) {
        struct zt_image image = new_image(sizes[size][0], sizes[size][1], markers);
        for (size_t i = 0; i < ZT_COUNT(rows); i++) {
            struct zt_pose path[60];
            double unit = sqrt((double)WIDTH * HEIGHT);
            for (int f = 0; f < 60; f++) {
                path[f] = (struct zt_pose){ .zoom = exp(0.15 + rows[i].zoom * (f - 30)),
                                            .x = rows[i].x * (f - 30) / unit,
                                            .y = rows[i].y * (f - 30) / unit,
                                            .roll = rows[i].roll * (f - 30),
                                            .tx = rows[i].tx / ZT_D_FLAT * (f - 30) / unit,
                                            .tz = rows[i].tz * (f - 30) };
            }
            struct smoothness s = follow(&image, path, 60);
            CHECK_BELOW(rows[i].label, s.off, 0.05);
            CHECK_BELOW(rows[i].label, s.acceleration - s.path_acceleration, 0.01);
            CHECK_INT(rows[i].label, s.back_jumps, 0);
            if (getenv("VERBOSE") != NULL)
                printf("%-8s %4d px: off %.4f px, acceleration %.4f (path %.4f) px/frame^2\n",
                       rows[i].label, sizes[size][0], s.off, s.acceleration, s.path_acceleration);
        }
        free(image.pixels);
    }
}

/* Every move of the prompt's vocabulary, as slow as "slightly, slowly" makes it, eased. */
static void follows_the_camera_path(void)
{
    struct zt_image image = new_image(WIDTH * 2, HEIGHT * 2, markers);
    const struct zt_room room = { WIDTH,         HEIGHT,      -WIDTH / 2.0,
                                  -HEIGHT / 2.0, WIDTH / 2.0, HEIGHT / 2.0 };

    for (int kind = 0; kind < ZT_MOVE_KINDS; kind++) {
        const char *label = zt_move_name((enum zt_move_kind)kind);
        struct zt_shot shot = { .moves = 1,
                                .move = { { (enum zt_move_kind)kind, 0.35F, 0.8F, false } } };
        struct zt_path_options o = { .frames = FRAMES, .seconds = 5, .seed = 1 };
        struct zt_pose path[FRAMES];
        zt_camera_path(&shot, &room, &o, path);
        struct smoothness s = follow(&image, path, FRAMES);
        CHECK_BELOW(label, s.off, 0.05);
        CHECK_BELOW(label, s.acceleration - s.path_acceleration, 0.01);
        CHECK_INT(label, s.back_jumps, 0);
        if (getenv("VERBOSE") != NULL)
            printf("%-14s off %.4f px, acceleration %.4f (path %.4f) px/frame^2\n", label, s.off,
                   s.acceleration, s.path_acceleration);
    }
    free(image.pixels);
}

/* ---- sharpness ----------------------------------------------------------------------------- */

/*
 * Rings and spokes that look the same at every zoom: finer towards the middle, so that a zoom
 * carries every frequency through every sample phase. At radius r, 55 / (2 pi r) turns a pixel:
 * 0.37 where the measurement begins.
 */
static double star(double x, double y)
{
    double r = hypot(x, y);

    return r < 6 ? 128 : 128 + 90 * sin(40 * log(r)) * cos(38 * atan2(y, x));
}

static double gradient_energy(const struct zt_frame_buf *f, double inner)
{
    double sum = 0;

    for (int y = 1; y < HEIGHT - 1; y++) {
        for (int x = 1; x < WIDTH - 1; x++) {
            double r = hypot(x + 0.5 - WIDTH / 2.0, y + 0.5 - HEIGHT / 2.0);
            const uint8_t *p = f->plane[0] + (size_t)y * f->view.stride[0] + (size_t)x;
            double dx = p[1] - p[0], dy = p[f->view.stride[0]] - p[0];
            if (r > inner && r < 120)
                sum += dx * dx + dy * dy;
        }
    }
    return sum;
}

static double energy_range(const struct zt_image *image, const struct zt_pose *path, int frames,
                           double inner)
{
    struct zt_scene *scene = open_scene(image, path, frames, zt_simd_choose());
    struct zt_frame_buf frame = new_frame();
    double min = INFINITY, max = 0;

    for (int i = 0; i < frames; i++) {
        zt_scene_draw(scene, &path[i], 0, &frame);
        double e = gradient_energy(&frame, inner);
        min = fmin(min, e);
        max = fmax(max, e);
    }
    zt_frame_buf_clear(&frame);
    zt_scene_close(scene);
    return max / min - 1;
}

static void stays_as_sharp(void)
{
    static const struct {
        const char *label;
        double zoom, x, roll; /* over the whole path */
        int width, height;
    } rows[] = {
        { "zoom in, twice the frame", 0.10, 0, 0, 2 * WIDTH, 2 * HEIGHT },
        { "zoom out, twice the frame", -0.10, 0, 0, 2 * WIDTH, 2 * HEIGHT },
        { "zoom in, 1.5 times the frame", 0.10, 0, 0, WIDTH * 3 / 2, HEIGHT * 3 / 2 },
        { "pan over one pixel", 0, 1, 0, 2 * WIDTH, 2 * HEIGHT },
        { "turn", 0, 0, 0.05, 2 * WIDTH, 2 * HEIGHT },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_image image = new_image(rows[i].width, rows[i].height, star);
        struct zt_pose path[61];
        for (int f = 0; f < 61; f++) {
            double u = f / 60.0 - 0.5, unit = sqrt((double)WIDTH * HEIGHT);
            path[f] = (struct zt_pose){ .zoom = exp(0.08 + rows[i].zoom * u),
                                        .x = rows[i].x * u / unit,
                                        .roll = rows[i].roll * u };
        }
        double range = energy_range(&image, path, 61, 24);
        CHECK_BELOW(rows[i].label, range, 0.03);
        if (getenv("VERBOSE") != NULL)
            printf("%-30s gradient energy varies %.2f %%\n", rows[i].label, range * 100);
        free(image.pixels);
    }
}

/* ---- paths, scenes -------------------------------------------------------------------------- */

static double noise(double x, double y)
{
    uint32_t h =
        (uint32_t)(int)(x * 4 + 4096) * 2654435761U ^ (uint32_t)(int)(y * 4 + 4096) * 40503U;

    return (h >> 13) % 200 + 20;
}

static void vector_path_gives_the_same_frames(void)
{
    struct zt_image image = new_image(WIDTH * 2, HEIGHT * 2, noise);
    struct zt_pose path[2] = { { .zoom = 1.05, .roll = 0.02, .x = 0.004, .tz = 0.1 },
                               { .zoom = 1.2, .roll = -0.05, .y = -0.01, .tx = 0.02 } };
    struct zt_frame_buf a = new_frame(), b = new_frame();

    for (int i = 0; i < 2; i++) {
        struct zt_scene *scalar = open_scene(&image, path, 2, ZT_SIMD_SCALAR);
        struct zt_scene *vector = open_scene(&image, path, 2, zt_simd_choose());
        zt_scene_draw(scalar, &path[i], 0, &a);
        zt_scene_draw(vector, &path[i], 0, &b);
        for (int p = 0; p < 3; p++)
            CHECK("planes", memcmp(a.plane[p], b.plane[p],
                                   a.view.stride[p] * (size_t)(HEIGHT >> (p > 0))) == 0);
        zt_scene_close(scalar);
        zt_scene_close(vector);
    }
    zt_frame_buf_clear(&a);
    zt_frame_buf_clear(&b);
    free(image.pixels);
}

/* The rest position of a picture of the frame's size is the picture, in all three planes. */
static double ramp(double x, double y)
{
    return 128 + x * 0.3 + y * 0.2 + 30 * sin(x / 5) * cos(y / 6);
}

static void shows_the_picture_at_rest(void)
{
    struct zt_image image = new_image(WIDTH, HEIGHT, ramp);
    struct zt_pose rest = { .zoom = 1 };
    struct zt_scene *scene = open_scene(&image, &rest, 1, zt_simd_choose());
    struct zt_frame_buf got = new_frame(), want = new_frame();
    struct zt_frame rgb = { ZT_PIXELS_RGB24, WIDTH, HEIGHT, { image.pixels }, { image.stride } };

    zt_frame_convert(&rgb, &want, NULL);
    zt_scene_draw(scene, &rest, 0, &got);
    for (int p = 0; p < 3; p++) {
        int worst = 0;
        for (int y = 0; y < HEIGHT >> (p > 0); y++)
            for (int x = 0; x < WIDTH >> (p > 0); x++)
                worst = (int)fmax(worst,
                                  abs(got.plane[p][(size_t)y * got.view.stride[p] + (size_t)x] -
                                      want.plane[p][(size_t)y * want.view.stride[p] + (size_t)x]));
        CHECK("within two levels of the picture", worst <= 2);
    }
    zt_scene_close(scene);
    zt_frame_buf_clear(&got);
    zt_frame_buf_clear(&want);
    free(image.pixels);
}

/* ---- loops --------------------------------------------------------------------------------- */

/* Mean difference of two frames' luma. */
static double difference(const struct zt_frame_buf *a, const struct zt_frame_buf *b)
{
    int64_t sum = 0;

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            sum += abs(a->plane[0][(size_t)y * a->view.stride[0] + (size_t)x] -
                       b->plane[0][(size_t)y * b->view.stride[0] + (size_t)x]);
    return (double)sum / (WIDTH * HEIGHT);
}

/*
 * Played round and round, a loop has no frame at which one sees that it starts anew: over its seam
 * frames differ as neighbours do elsewhere, and so do their differences: no stop, no jump.
 */
static void closes_its_loops(void)
{
    static const struct {
        const char *label;
        struct zt_shot shot;
    } rows[] = {
        { "push in", { .moves = 1, .move = { { ZT_MOVE_PUSH_IN, 1, 1, false } } } },
        { "orbit, by hand",
          { .moves = 2,
            .move = { { ZT_MOVE_ORBIT_LEFT, 1, 1, false },
                      { ZT_MOVE_HANDHELD, 0.6F, 1, false } } } },
        { "snow", { .atmosphere = { [ZT_ATMO_SNOW] = 1 } } },
        { "wind and dust", { .atmosphere = { [ZT_ATMO_WIND] = 1, [ZT_ATMO_DUST] = 1 } } },
        { "clouds, flickering", { .atmosphere = { [ZT_ATMO_CLOUDS] = 1, [ZT_ATMO_FLICKER] = 1 } } },
    };
    const struct zt_room room = { WIDTH,         HEIGHT,      -WIDTH / 2.0,
                                  -HEIGHT / 2.0, WIDTH / 2.0, HEIGHT / 2.0 };
    struct zt_image image = new_image(WIDTH * 2, HEIGHT * 2, ramp);
    struct zt_frame_buf frame[FRAMES];

    for (int i = 0; i < FRAMES; i++)
        frame[i] = new_frame();
    for (size_t r = 0; r < ZT_COUNT(rows); r++) {
        struct zt_path_options o = {
            .frames = FRAMES, .seconds = FRAMES / 24.0, .seed = 5, .loop = true
        };
        struct zt_weather weather = {
            .atmosphere = rows[r].shot.atmosphere, .seed = 5, .seconds = FRAMES / 24.0, .loop = true
        };
        struct zt_take take = { &rows[r].shot, 0, FRAMES, 1, 0.5, 0.5 };
        struct zt_scene_source source = { .image = &image,
                                          .width_px = WIDTH,
                                          .height_px = HEIGHT,
                                          .take = &take,
                                          .weather = &weather };
        struct zt_pose path[FRAMES];
        struct zt_scene *scene = NULL;
        struct zt_depth depth;
        double most = 0, bend = 0, step[FRAMES];
        CHECK_INT("depth", zt_depth_estimate(&image, pool, &depth, NULL), ZT_OK);
        source.depth = &depth;
        zt_camera_path(&rows[r].shot, &room, &o, path);
        CHECK_INT("scene",
                  zt_scene_open(&source, path, FRAMES, pool, zt_simd_choose(), &scene, NULL),
                  ZT_OK);
        for (int i = 0; i < FRAMES; i++)
            zt_scene_draw(scene, &path[i], i / 24.0, &frame[i]);
        for (int i = 0; i < FRAMES; i++)
            step[i] = difference(&frame[i], &frame[(i + 1) % FRAMES]);
        for (int i = 0; i + 1 < FRAMES; i++) {
            most = fmax(most, step[i]);
            bend = i > 0 ? fmax(bend, fabs(step[i] - step[i - 1])) : 0;
        }
        CHECK("it moves", most > 0.01);
        CHECK_BELOW(rows[r].label, step[FRAMES - 1], most * 1.02 + 1e-9);
        CHECK_BELOW(rows[r].label, fabs(step[FRAMES - 1] - step[FRAMES - 2]), bend * 1.05 + 0.005);
        CHECK_BELOW(rows[r].label, fabs(step[0] - step[FRAMES - 1]), bend * 1.05 + 0.005);
        if (getenv("VERBOSE") != NULL)
            printf("%-20s over the seam %.3f, elsewhere up to %.3f; bends %.3f %.3f, up to %.3f\n",
                   rows[r].label, step[FRAMES - 1], most, fabs(step[FRAMES - 1] - step[FRAMES - 2]),
                   fabs(step[0] - step[FRAMES - 1]), bend);
        zt_scene_close(scene);
        zt_depth_clear(&depth);
    }
    for (int i = 0; i < FRAMES; i++)
        zt_frame_buf_clear(&frame[i]);
    free(image.pixels);
}

int main(void)
{
    pool = zt_pool_new(2);
    RUN(creeps_without_a_tremor);
    RUN(follows_the_camera_path);
    RUN(stays_as_sharp);
    RUN(vector_path_gives_the_same_frames);
    RUN(shows_the_picture_at_rest);
    RUN(closes_its_loops);
    zt_pool_free(pool);
    return check_done();
}
