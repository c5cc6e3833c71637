/* Layers in depth: what is in front hides, near things move more, nothing tears or shines. */
#include "motion/stack.h"

#include <stdlib.h>

#include "base/thread.h"
#include "check.h"
#include "media/frame.h"

#define WIDTH          192
#define HEIGHT         128
#define PICTURE_WIDTH  288
#define PICTURE_HEIGHT 192

static struct zt_pool *pool;

/* Two layers: a dark ground, and a bright square in front of it, 80 pixels a side, in the middle. */
#define SQUARE 40

static struct zt_layers two_layers(bool textured)
{
    struct zt_layers layers = { .n = 2 };
    size_t n = (size_t)PICTURE_WIDTH * PICTURE_HEIGHT;

    for (int l = 0; l < 2; l++) {
        struct zt_layer *layer = &layers.layer[l];
        layer->picture =
            (struct zt_image){ PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH * 3, malloc(3 * n) };
        for (size_t i = 0; i < 3 * n; i++) {
            int texture = textured ? (int)((uint32_t)(2 * i + (size_t)l) * 2654435761U >> 27) : 0;
            layer->picture.pixels[i] = (uint8_t)((l ? 200 : 40) + texture);
        }
        layer->depth = (struct zt_depth){ .width = 2, .height = 2 };
        layer->depth.z = calloc(4, sizeof(float));
        for (int i = 0; i < 4; i++)
            layer->depth.z[i] = (float)l;
    }
    layers.layer[1].alpha = calloc(n, 1);
    for (int y = -SQUARE; y < SQUARE; y++)
        memset(layers.layer[1].alpha + (PICTURE_HEIGHT / 2 + y) * PICTURE_WIDTH +
                   PICTURE_WIDTH / 2 - SQUARE,
               255, 2 * SQUARE);
    return layers;
}

static void free_layers(struct zt_layers *layers)
{
    for (int i = 0; i < layers->n; i++) {
        free(layers->layer[i].picture.pixels);
        free(layers->layer[i].alpha);
        free(layers->layer[i].depth.z);
    }
}

static const struct zt_view view = {
    .width_px = WIDTH,
    .height_px = HEIGHT,
    .room = { WIDTH, HEIGHT, -WIDTH / 2.0, -HEIGHT / 2.0, WIDTH / 2.0, HEIGHT / 2.0 },
    .scale_x = 1.5,
    .scale_y = 1.5,
    .origin_x = PICTURE_WIDTH / 2.0,
    .origin_y = PICTURE_HEIGHT / 2.0,
};

static struct zt_stack stack_of(const struct zt_layers *layers, enum zt_simd simd)
{
    struct zt_stack stack;

    if (zt_stack_init(&stack, layers, &view, 1.5, pool, simd, NULL) != ZT_OK)
        abort();
    return stack;
}

static struct zt_frame_buf new_frame(void)
{
    struct zt_frame_buf f;

    if (zt_frame_buf_init(&f, ZT_PIXELS_YUV420, WIDTH, HEIGHT, NULL) != ZT_OK)
        abort();
    return f;
}

static int luma(const struct zt_frame_buf *f, int x, int y)
{
    return f->plane[0][(size_t)y * f->view.stride[0] + (size_t)x];
}

/* Where a row crosses half way from dark to bright, from the left and from the right. */
static void edges(const struct zt_frame_buf *f, int y, double *left, double *right)
{
    const double half = 16 + 219 * 120.0 / 255;

    *left = *right = NAN;
    for (int x = 1; x < WIDTH; x++) {
        double a = luma(f, x - 1, y), b = luma(f, x, y);
        if (a < half && b >= half)
            *left = x - 0.5 + (half - a) / (b - a);
        if (a >= half && b < half)
            *right = x - 0.5 + (half - a) / (b - a);
    }
}

static void shows_what_is_in_front(void)
{
    struct zt_layers layers = two_layers(false);
    struct zt_stack stack = stack_of(&layers, zt_simd_choose());
    struct zt_frame_buf f = new_frame();
    struct zt_pose rest = { .zoom = 1 };
    double left, right;
    int halo = 0;

    zt_stack_draw(&stack, &rest, &f);
    CHECK_INT("in front", luma(&f, WIDTH / 2, HEIGHT / 2), (int)lround(16 + 219 * 200.0 / 255));
    CHECK_INT("behind", luma(&f, 5, 5), (int)lround(16 + 219 * 40.0 / 255));
    edges(&f, HEIGHT / 2, &left, &right);
    CHECK_NEAR("left edge", left, WIDTH / 2.0 - SQUARE / 1.5, 0.1);
    CHECK_NEAR("right edge", right, WIDTH / 2.0 + SQUARE / 1.5, 0.1);
    /* A step from one value to the other and nothing beside it: no halo, no dark seam. */
    for (int x = 0; x < WIDTH; x++) {
        double off = fmin(fabs(x + 0.5 - left), fabs(x + 0.5 - right));
        int v = luma(&f, x, HEIGHT / 2);
        halo += v < 50 - 2 || v > 188 + 2 || (off > 2 && v > 50 + 2 && v < 188 - 2);
    }
    CHECK_INT("samples of a halo", halo, 0);
    zt_frame_buf_clear(&f);
    zt_stack_clear(&stack);
    free_layers(&layers);
}

/* The camera travels to the right: near things go left, by their nearness times the travel. */
static void near_things_move_more(void)
{
    struct zt_layers layers = two_layers(false);
    struct zt_stack stack = stack_of(&layers, zt_simd_choose());
    struct zt_frame_buf f = new_frame();
    double unit = sqrt((double)WIDTH * HEIGHT);

    for (int i = -3; i <= 3; i++) {
        struct zt_pose pose = { .zoom = 1, .tx = i * 4.3 / unit };
        double left, right, x, y, d;
        zt_stack_draw(&stack, &pose, &f);
        edges(&f, HEIGHT / 2, &left, &right);
        CHECK_NEAR("near", left, WIDTH / 2.0 - SQUARE / 1.5 - i * 4.3 * ZT_D_NEAR, 0.1);
        zt_stack_see(&stack, 0, &pose, 0, 0, &x, &y, &d);
        CHECK_NEAR("far", x, view.origin_x + i * 4.3 * ZT_D_FAR * 1.5, 1e-6);
        CHECK_NEAR("far", d, ZT_D_FAR, 1e-6);
    }
    struct zt_pose in = { .zoom = 1, .tz = 0.2 };
    double left, right;
    zt_stack_draw(&stack, &in, &f);
    edges(&f, HEIGHT / 2, &left, &right);
    CHECK_NEAR("a push makes near things larger", right - left,
               2 * SQUARE / 1.5 / (1 - 0.2 * ZT_D_NEAR), 0.2);
    zt_frame_buf_clear(&f);
    zt_stack_clear(&stack);
    free_layers(&layers);
}

/* Cells drawn alone because they are opaque, and cells blended, agree where they meet. */
static void draws_the_same_on_every_path(void)
{
    struct zt_layers layers = two_layers(true);
    struct zt_stack a = stack_of(&layers, zt_simd_choose()), b = stack_of(&layers, ZT_SIMD_SCALAR);
    struct zt_frame_buf fa = new_frame(), fb = new_frame();

    for (int i = 0; i < 6; i++) {
        struct zt_pose pose = {
            .zoom = 1 + 0.1 * i, .roll = 0.03 * i, .tx = 0.01 * i, .tz = 0.02 * i
        };
        zt_stack_draw(&a, &pose, &fa);
        zt_stack_draw(&b, &pose, &fb);
        for (int p = 0; p < 3; p++)
            for (int y = 0; y < HEIGHT >> (p > 0); y++)
                CHECK("rows", memcmp(fa.plane[p] + (size_t)y * fa.view.stride[p],
                                     fb.plane[p] + (size_t)y * fb.view.stride[p],
                                     (size_t)(WIDTH >> (p > 0))) == 0);
    }
    zt_frame_buf_clear(&fa);
    zt_frame_buf_clear(&fb);
    zt_stack_clear(&a);
    zt_stack_clear(&b);
    free_layers(&layers);
}

/* An opaque layer over everything leaves nothing of what is behind; a clear one everything. */
static void alpha_is_exact_at_its_ends(void)
{
    static const int alphas[] = { 0, 255 };

    for (int i = 0; i < 2; i++) {
        struct zt_layers layers = two_layers(true), alone = { .n = 1 };
        memset(layers.layer[1].alpha, alphas[i], (size_t)PICTURE_WIDTH * PICTURE_HEIGHT);
        alone.layer[0] = layers.layer[i];
        alone.layer[0].alpha = NULL;
        struct zt_stack both = stack_of(&layers, zt_simd_choose());
        struct zt_stack one = stack_of(&alone, zt_simd_choose());
        struct zt_frame_buf fa = new_frame(), fb = new_frame();
        struct zt_pose pose = { .zoom = 1.13, .roll = 0.02, .tx = 0.02 };
        zt_stack_draw(&both, &pose, &fa);
        zt_stack_draw(&one, &pose, &fb);
        int wrong = 0;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                wrong += luma(&fa, x, y) != luma(&fb, x, y);
        CHECK_INT(i ? "opaque" : "clear", wrong, 0);
        zt_frame_buf_clear(&fa);
        zt_frame_buf_clear(&fb);
        zt_stack_clear(&both);
        zt_stack_clear(&one);
        free_layers(&layers);
    }
}

/* Samples of a plane that are not those of the layer that shows there, 12 pixels off its edge. */
static int differences(const struct zt_stack *stack, const struct zt_pose *pose, int p,
                       const struct zt_frame_buf *both, const struct zt_frame_buf alone[2])
{
    int wrong = 0;

    for (int i = 0; i < (WIDTH >> (p > 0)) * (HEIGHT >> (p > 0)); i++) {
        int column = i % (WIDTH >> (p > 0)), row = i / (WIDTH >> (p > 0));
        double x, y, d;
        zt_stack_see(stack, 1, pose, (p > 0 ? 2 * column : column) + 0.5 - WIDTH / 2.0,
                     (p > 0 ? 2 * row + 1 : row + 0.5) - HEIGHT / 2.0, &x, &y, &d);
        double off = fmax(fabs(x - PICTURE_WIDTH / 2.0), fabs(y - PICTURE_HEIGHT / 2.0)) - SQUARE;
        const struct zt_frame_buf *want = &alone[off < 0];
        size_t at = (size_t)row * both->view.stride[p] + (size_t)column;
        wrong += fabs(off) > 12 && both->plane[p][at] != want->plane[p][at];
    }
    return wrong;
}

/* A little off an edge each layer is drawn as if it were alone, in the cells that it crosses too. */
static void an_edge_changes_nothing_beside_it(void)
{
    struct zt_layers layers = two_layers(true);
    struct zt_stack both = stack_of(&layers, zt_simd_choose());
    struct zt_frame_buf f = new_frame(), alone[2] = { new_frame(), new_frame() };

    for (int p = 0; p < 3; p++) /* what is not drawn at all differs */
        memset(f.plane[p], 1, f.view.stride[p] * (size_t)(HEIGHT >> (p > 0)));
    for (int i = 0; i < 4; i++) {
        struct zt_pose pose = { .zoom = 1.03 + 0.1 * i, .x = 0.013 * i, .roll = 0.01 * i };
        zt_stack_draw(&both, &pose, &f);
        for (int l = 0; l < 2; l++) {
            struct zt_layers one = { .n = 1, .layer = { layers.layer[l] } };
            one.layer[0].alpha = NULL;
            struct zt_stack stack = stack_of(&one, zt_simd_choose());
            zt_stack_draw(&stack, &pose, &alone[l]);
            zt_stack_clear(&stack);
        }
        CHECK_INT("luma", differences(&both, &pose, 0, &f, alone), 0);
        CHECK_INT("U", differences(&both, &pose, 1, &f, alone), 0);
        CHECK_INT("V", differences(&both, &pose, 2, &f, alone), 0);
    }
    zt_frame_buf_clear(&f);
    zt_frame_buf_clear(&alone[0]);
    zt_frame_buf_clear(&alone[1]);
    zt_stack_clear(&both);
    free_layers(&layers);
}

int main(void)
{
    pool = zt_pool_new(2);
    RUN(shows_what_is_in_front);
    RUN(near_things_move_more);
    RUN(draws_the_same_on_every_path);
    RUN(alpha_is_exact_at_its_ends);
    RUN(an_edge_changes_nothing_beside_it);
    zt_pool_free(pool);
    return check_done();
}
