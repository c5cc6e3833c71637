/*
 * What a travelling camera does to a photograph: nothing is drawn out to more than twice its size,
 * and what stands before something else keeps a clean edge.
 */
#include "motion/stack.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/thread.h"
#include "check.h"
#include "media/frame.h"
#include "media/resize.h"
#include "motion/depth.h"
#include "prompt/prompt.h"
#include "zoetrope.h"

#define WIDTH   576
#define HEIGHT  416
#define DENSITY 1.5

static const struct zt_view view = {
    .width_px = WIDTH,
    .height_px = HEIGHT,
    .room = { WIDTH, HEIGHT, -WIDTH / 2.0, -HEIGHT / 2.0, WIDTH / 2.0, HEIGHT / 2.0 },
    .scale_x = DENSITY,
    .scale_y = DENSITY,
    .origin_x = WIDTH * DENSITY / 2,
    .origin_y = HEIGHT * DENSITY / 2,
};

static struct zt_pool *pool;

/* The centre of a photograph at the working size. */
static struct zt_image photograph(const char *name)
{
    struct zt_image all,
        out = { .width_px = (int)(WIDTH * DENSITY), .height_px = (int)(HEIGHT * DENSITY) };
    struct zt_err err = { 0 };
    struct zt_buf bytes;
    char path[512];

    zt_buf_init(&bytes, 16U << 20);
    snprintf(path, sizeof(path), "%s/../../examples/%s", ZT_FIXTURES, name);
    if (zt_file_read(path, &bytes, &err) != ZT_OK ||
        zt_image_decode(bytes.data, bytes.n, NULL, &all, &err) != ZT_OK) {
        fprintf(stderr, "%s: %s\n", path, err.msg);
        abort();
    }
    out.stride = (size_t)out.width_px * 3;
    out.pixels = malloc(out.stride * (size_t)out.height_px);
    struct zt_crop crop = zt_crop_to_aspect(&all, WIDTH, HEIGHT);
    if (zt_resize_rgb24(&all, &crop, out.pixels, out.stride, out.width_px, out.height_px, pool,
                        &err) != ZT_OK)
        abort();
    free(all.pixels);
    zt_buf_clear(&bytes);
    return out;
}

/* The layer that shows at (ox, oy): the front-most that is more there than not. */
static int shows(const struct zt_layers *layers, const struct zt_stack *stack,
                 const struct zt_pose *pose, double ox, double oy)
{
    for (int l = layers->n - 1; l > 0; l--) {
        const struct zt_layer *layer = &layers->layer[l];
        double x, y, d;
        zt_stack_see(stack, l, pose, ox, oy, &x, &y, &d);
        int column = (int)fmin(fmax(x, 0), layer->picture.width_px - 1);
        int row = (int)fmin(fmax(y, 0), layer->picture.height_px - 1);
        if (layer->alpha[(size_t)row * (size_t)layer->picture.width_px + (size_t)column] >= 128)
            return l;
    }
    return 0;
}

/* How much longer than at rest the picture is drawn at a point, in the worst direction. */
static double stretch_at(const struct zt_layers *layers, const struct zt_stack *stack,
                         const struct zt_pose *pose, double ox, double oy)
{
    int l = shows(layers, stack, pose, ox, oy);
    double x[4], y[4], d;

    zt_stack_see(stack, l, pose, ox - 0.5, oy, &x[0], &y[0], &d);
    zt_stack_see(stack, l, pose, ox + 0.5, oy, &x[1], &y[1], &d);
    zt_stack_see(stack, l, pose, ox, oy - 0.5, &x[2], &y[2], &d);
    zt_stack_see(stack, l, pose, ox, oy + 0.5, &x[3], &y[3], &d);
    double a = x[1] - x[0], c = y[1] - y[0], b = x[3] - x[2], e = y[3] - y[2];
    /* The smaller singular value of the step from frame to picture. */
    double sum = a * a + b * b + c * c + e * e, det = a * e - b * c;
    double least = sqrt(fmax(0, (sum - sqrt(fmax(0, sum * sum - 4 * det * det))) / 2));
    double usual = DENSITY / pose->zoom * (1 - pose->tz * d);
    return usual / fmax(least, 1e-9);
}

static void stretches_nothing_past_twice(void)
{
    static const char *const photographs[] = { "raccoon.jpg", "coffee.jpg" };
    static const enum zt_move_kind moves[] = { ZT_MOVE_PUSH_IN,       ZT_MOVE_PULL_OUT,
                                               ZT_MOVE_TRUCK_RIGHT,   ZT_MOVE_TRUCK_LEFT,
                                               ZT_MOVE_ORBIT_LEFT,    ZT_MOVE_PEDESTAL_UP,
                                               ZT_MOVE_CRANE_DOWN,    ZT_MOVE_DOLLY_ZOOM_IN,
                                               ZT_MOVE_DOLLY_ZOOM_OUT };

    for (size_t i = 0; i < ZT_COUNT(photographs); i++) {
        struct zt_image picture = photograph(photographs[i]);
        struct zt_depth depth;
        struct zt_layers layers;
        struct zt_stack stack;
        struct zt_err err = { 0 };
        CHECK_INT("depth", zt_depth_estimate(&picture, pool, &depth, &err), ZT_OK);
        CHECK_INT("layers",
                  zt_layers_cut(&picture, &depth, picture.width_px / 12, pool, &layers, &err),
                  ZT_OK);
        CHECK_INT("stack",
                  zt_stack_init(&stack, &layers, &view, DENSITY, pool, ZT_SIMD_SCALAR, &err),
                  ZT_OK);
        for (size_t m = 0; m < ZT_COUNT(moves); m++) {
            /* As strong as a prompt can ask for. */
            struct zt_shot shot = { .moves = 1, .move = { { moves[m], 2.5F, 2.5F, false } } };
            struct zt_path_options o = { .frames = 2, .seconds = 10, .seed = 1 };
            struct zt_pose path[2];
            double worst = 0;
            zt_camera_path(&shot, &view.room, &o, path);
            for (int end = 0; end < 2; end++)
                for (int y = 2; y < HEIGHT; y += 3)
                    for (int x = 2; x < WIDTH; x += 3)
                        worst = fmax(worst, stretch_at(&layers, &stack, &path[end], x - WIDTH / 2.0,
                                                       y - HEIGHT / 2.0));
            CHECK_BELOW(zt_move_name(moves[m]), worst, 2);
            if (getenv("VERBOSE") != NULL)
                printf("%-12s %-15s stretched %.2f times at most\n", photographs[i],
                       zt_move_name(moves[m]), worst);
        }
        zt_stack_clear(&stack);
        zt_layers_clear(&layers);
        zt_depth_clear(&depth);
        free(picture.pixels);
    }
}

/* ---- edges --------------------------------------------------------------------------------- */

#define DARK  40
#define LIGHT 200
#define SIDE  170 /* of the square, in picture pixels */

/* A dark square on light ground, and a depth map that knows it only roughly, as estimates do. */
static struct zt_image square(struct zt_depth *depth)
{
    int width = (int)(WIDTH * DENSITY), height = (int)(HEIGHT * DENSITY);
    struct zt_image image = { width, height, (size_t)width * 3,
                              malloc((size_t)width * (size_t)height * 3) };

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memset(image.pixels + (size_t)y * image.stride + 3 * (size_t)x,
                   abs(x - width / 2) < SIDE && abs(y - height / 2) < SIDE ? DARK : LIGHT, 3);
    *depth = (struct zt_depth){ .width = 144, .height = 104 };
    depth->z = malloc(sizeof(float) * 144 * 104);
    for (int j = 0; j < 104; j++) {
        for (int i = 0; i < 144; i++) {
            double x = fabs((i + 0.5) / 144 - 0.5) * width,
                   y = fabs((j + 0.5) / 104 - 0.5) * height;
            double out = (fmax(x, y) - SIDE) / 6; /* grid points are six pixels apart */
            depth->z[j * 144 + i] = (float)(0.9 - 0.8 * fmin(fmax((out + 1.5) / 3, 0), 1));
        }
    }
    return image;
}

/* Samples of a row that are neither the square's nor the ground's: the width of both its edges. */
static int edge_samples(const struct zt_frame_buf *f, int y)
{
    const int dark = (int)lround(16 + 219 * DARK / 255.0);
    const int light = (int)lround(16 + 219 * LIGHT / 255.0);
    int n = 0;

    for (int x = 0; x < WIDTH; x++) {
        int v = f->plane[0][(size_t)y * f->view.stride[0] + (size_t)x];
        n += abs(v - dark) > 4 && abs(v - light) > 4;
    }
    return n;
}

static void keeps_edges_clean(void)
{
    struct zt_depth depth;
    struct zt_image picture = square(&depth);
    struct zt_layers layers, alone = { .n = 1, .layer = { { .picture = picture } } };
    struct zt_stack stack, still;
    struct zt_frame_buf f;
    struct zt_err err = { 0 };
    struct zt_pose rest = { .zoom = 1 };

    CHECK_INT("layers", zt_layers_cut(&picture, &depth, picture.width_px / 12, pool, &layers, &err),
              ZT_OK);
    CHECK_INT("two of them", layers.n, 2);
    CHECK_INT("stack", zt_stack_init(&stack, &layers, &view, DENSITY, pool, zt_simd_choose(), &err),
              ZT_OK);
    CHECK_INT("alone", zt_stack_init(&still, &alone, &view, DENSITY, pool, zt_simd_choose(), &err),
              ZT_OK);
    CHECK_INT("frame", zt_frame_buf_init(&f, ZT_PIXELS_YUV420, WIDTH, HEIGHT, &err), ZT_OK);
    zt_stack_draw(&still, &rest, &f);
    int usual = edge_samples(&f, HEIGHT / 2);
    CHECK("the picture alone has narrow edges", usual >= 2 && usual <= 8);
    for (int i = -6; i <= 6; i++) {
        struct zt_pose pose = { .zoom = 1, .tx = 0.0131 * i, .ty = 0.0057 * i };
        zt_stack_draw(&stack, &pose, &f);
        for (int y = HEIGHT / 2 - 60; y <= HEIGHT / 2 + 60; y += 15)
            CHECK_BELOW("samples wider than the picture's own edges", edge_samples(&f, y) - usual,
                        2.5); /* one for each of the two edges, and a phase */
    }
    zt_frame_buf_clear(&f);
    zt_stack_clear(&stack);
    zt_stack_clear(&still);
    zt_layers_clear(&layers);
    free(picture.pixels);
    free(depth.z);
}

int main(void)
{
    pool = zt_pool_new(2);
    RUN(stretches_nothing_past_twice);
    RUN(keeps_edges_clean);
    zt_pool_free(pool);
    return check_done();
}
