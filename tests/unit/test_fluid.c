/* Water, clouds and plants: what moves, what must not, and that nobody sees where it starts over. */
#include "motion/fluid.h"

#include "base/thread.h"
#include "check.h"
#include "motion/planes.h"
#include "weather.h"

#define W 480
#define H 288

/* Clouded sky, a hedge, water with flat ripples, and a red buoy in it. */
static void lake(double x, double y, int noise, uint8_t rgb[3])
{
    int cloud = (int)(40 * sin(x * 17 + 3 * sin(y * 20)));
    int ripple = (int)(30 * sin(y * 160 + 2 * sin(x * 25)));

    if ((x - 0.7) * (x - 0.7) + (y - 0.8) * (y - 0.8) * 0.36 < 0.004)
        weather_put(rgb, 190, 30, 25);
    else if (y < 0.4)
        weather_put(rgb, 175 + cloud, 195 + cloud, 225);
    else if (y < 0.6)
        weather_put(rgb, 50 + 2 * noise, 110 + 2 * noise, 35 + noise);
    else
        weather_put(rgb, 60 + ripple, 95 + ripple, 130 + ripple);
}

struct stage {
    struct zt_image picture;
    struct zt_depth depth;
    struct zt_planes planes;
    struct zt_warp_mesh mesh[2];
    struct zt_weather weather;
    float atmosphere[ZT_ATMO_KINDS];
    struct zt_frame_buf clean, frame;
    struct zt_pool *pool;
    struct zt_fluid *fluid;
};

static void stage_open(struct stage *s, int threads)
{
    *s = (struct stage){ .picture = weather_picture(W, H, lake) };
    s->depth = (struct zt_depth){ .width = 60, .height = 36 };
    s->depth.z = malloc(sizeof(float) * 60 * 36);
    for (int i = 0; i < 60 * 36; i++)
        s->depth.z[i] = i / 60 < 14 ? 0 : 0.3F + 0.7F * (float)(i / 60 - 14) / 22;
    s->weather = (struct zt_weather){ .seed = 4, .seconds = 5 };
    s->pool = threads > 0 ? zt_pool_new(threads) : NULL;
    CHECK_INT("planes", zt_planes_init(&s->planes, &s->picture, 1, NULL, NULL), ZT_OK);
    for (int half = 0; half < 2; half++)
        CHECK_INT("mesh", zt_warp_mesh_init(&s->mesh[half], W >> half, H >> half, NULL), ZT_OK);
    weather_frame(&s->clean, W, H);
    weather_frame(&s->frame, W, H);
}

/* Another picture in place of the lake. */
static void stage_paint(struct stage *s,
                        void (*paint)(double x, double y, int noise, uint8_t rgb[3]))
{
    free(s->picture.pixels);
    zt_planes_clear(&s->planes);
    s->picture = weather_picture(W, H, paint);
    CHECK_INT("planes", zt_planes_init(&s->planes, &s->picture, 1, NULL, NULL), ZT_OK);
}

static void stage_close(struct stage *s)
{
    zt_fluid_close(s->fluid);
    zt_planes_clear(&s->planes);
    for (int half = 0; half < 2; half++)
        zt_warp_mesh_clear(&s->mesh[half]);
    free(s->depth.z);
    free(s->picture.pixels);
    zt_frame_buf_clear(&s->clean);
    zt_frame_buf_clear(&s->frame);
    if (s->pool != NULL)
        zt_pool_free(s->pool);
}

static void stage_fluid(struct stage *s, enum zt_atmosphere kind, float amount)
{
    memset(s->atmosphere, 0, sizeof(s->atmosphere));
    s->atmosphere[kind] = amount;
    s->weather.atmosphere = s->atmosphere;
    zt_fluid_close(s->fluid);
    s->fluid = NULL;
    CHECK_INT("opens",
              zt_fluid_open(&s->picture, &s->depth, sqrt((double)W * H), &s->weather, s->pool,
                            &s->fluid, NULL),
              ZT_OK);
}

/* What stack.c does for a camera at rest. */
static void draw(struct stage *s, const struct zt_fluid *fluid, struct zt_frame_buf *dst)
{
    for (int half = 0; half < 2; half++) {
        struct zt_warp_mesh *m = &s->mesh[half];
        const struct zt_plane *plane = &s->planes.plane[half];
        for (int row = 0; row < m->rows; row++) {
            for (int column = 0; column < m->columns; column++) {
                int i = row * m->columns + column;
                double x = column * ZT_CELL, y = row * ZT_CELL, dx, dy;
                double px = half ? 2 * x + 0.5 : x + 0.5, py = half ? 2 * y + 1 : y + 0.5;
                zt_fluid_shift(fluid, px, py, &dx, &dy);
                m->x[i] = zt_warp_mesh_position(x + dx / (1 << half), plane->width);
                m->y[i] = zt_warp_mesh_position(y + dy / (1 << half), plane->height);
            }
        }
    }
    for (int p = 0; p < 3; p++) {
        struct zt_warp_mesh *m = &s->mesh[p > 0];
        for (int row = 0; row < m->rows - 1; row++)
            for (int column = 0; column < m->columns - 1; column++)
                zt_fluid_cell(fluid, &s->planes.plane[p], NULL, m, p > 0, column, row,
                              dst->plane[p] + (size_t)(row * ZT_CELL) * dst->view.stride[p] +
                                  column * ZT_CELL,
                              dst->view.stride[p], ZT_SIMD_SCALAR);
    }
}

static void stage_draw(struct stage *s, double t_s)
{
    zt_fluid_set(s->fluid, t_s, s->pool);
    draw(s, s->fluid, &s->frame);
}

static double change_between(const struct zt_frame_buf *a, const struct zt_frame_buf *b, double y0,
                             double y1)
{
    double sum = 0;
    int n = 0;

    for (int y = (int)(y0 * H); y < (int)(y1 * H); y++)
        for (int x = 0; x < W; x++, n++)
            sum += abs(a->plane[0][(size_t)y * a->view.stride[0] + (size_t)x] -
                       b->plane[0][(size_t)y * b->view.stride[0] + (size_t)x]);
    return sum / n;
}

static const struct {
    enum zt_atmosphere kind;
    double y0, y1;         /* what it moves */
    double still0, still1; /* what it leaves alone: whole cells */
} rows[] = { { ZT_ATMO_WATER, 0.7, 0.95, 0, 0.45 },
             { ZT_ATMO_CLOUDS, 0.05, 0.3, 0.55, 1 },
             { ZT_ATMO_WIND, 0.4, 0.52, 0.725, 1 } };

static void moves_what_the_words_name(void)
{
    struct stage s;

    stage_open(&s, 2);
    draw(&s, NULL, &s.clean);
    stage_fluid(&s, ZT_ATMO_RAIN, 1);
    CHECK("nothing flows in the rain", s.fluid == NULL);
    stage_draw(&s, 1);
    CHECK("NULL stands still", weather_equal(&s.clean, &s.frame));
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        stage_fluid(&s, rows[i].kind, 1);
        stage_draw(&s, 2.1);
        CHECK(zt_atmosphere_name(rows[i].kind), s.fluid != NULL);
        CHECK_BELOW(zt_atmosphere_name(rows[i].kind), 0.1,
                    change_between(&s.clean, &s.frame, rows[i].y0, rows[i].y1));
        CHECK_NEAR("the rest is the same, bit for bit",
                   change_between(&s.clean, &s.frame, rows[i].still0, rows[i].still1), 0, 0);
    }
    stage_close(&s);
}

/* Pixels that do not move, nor lie in a cell with one that does, keep every bit. */
static void leaves_the_rest_alone(void)
{
    struct stage s;

    stage_open(&s, 2);
    draw(&s, NULL, &s.clean);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int still = 0, changed = 0;
        stage_fluid(&s, rows[i].kind, 2);
        stage_draw(&s, 3.3);
        for (int row = 0; row < H / ZT_CELL; row++) {
            for (int column = 0; column < W / ZT_CELL; column++) {
                bool moves = false;
                for (int y = 0; y <= ZT_CELL; y += 2)
                    for (int x = 0; x <= ZT_CELL; x += 2)
                        moves |= zt_fluid_moves(s.fluid, column * ZT_CELL + x, row * ZT_CELL + y);
                for (int y = 0; y < ZT_CELL && !moves; y++, still++) {
                    size_t at = (size_t)(row * ZT_CELL + y) * s.clean.view.stride[0] +
                                (size_t)(column * ZT_CELL);
                    changed += memcmp(s.clean.plane[0] + at, s.frame.plane[0] + at, ZT_CELL) != 0;
                }
            }
        }
        CHECK_BELOW("some cells stand still", 500, still);
        CHECK_INT(zt_atmosphere_name(rows[i].kind), changed, 0);
    }
    stage_close(&s);
}

/* Soft clouds over a hedge; before them a dark mast and a white one, four pixels wide. */
static void masts(double x, double y, int noise, uint8_t rgb[3])
{
    int cloud = (int)(40 * sin(x * 25 + 2 * sin(y * 6)));

    if (y < 0.4)
        weather_put(rgb, 125 + cloud, 160 + cloud, 205 + cloud / 2);
    else
        weather_put(rgb, 50 + 2 * noise, 110 + 2 * noise, 35 + noise);
    if (y > 0.08 && y < 0.5 && x > 0.3 && x < 0.308)
        weather_put(rgb, 50, 50, 55);
    if (y > 0.08 && y < 0.5 && x > 0.7 && x < 0.708)
        weather_put(rgb, 250, 250, 250);
}

static void leaves_masts_straight(void)
{
    static const int mast[2] = { 144, 336 };
    struct stage s;
    double moved = 0;
    int bent = 0;

    stage_open(&s, 2);
    stage_paint(&s, masts);
    draw(&s, NULL, &s.clean);
    stage_fluid(&s, ZT_ATMO_CLOUDS, 2);
    for (double t = 2; t < 5; t += 0.7) {
        stage_draw(&s, t);
        moved += change_between(&s.clean, &s.frame, 0.05, 0.3);
        for (int y = H / 12; y < H / 2; y++) {
            for (int k = 0; k < 2; k++) {
                size_t at = (size_t)y * s.clean.view.stride[0] + (size_t)mast[k];
                for (int x = -3; x < 7; x++) {
                    int d =
                        abs(s.clean.plane[0][at + (size_t)x] - s.frame.plane[0][at + (size_t)x]);
                    bent = d > bent ? d : bent;
                }
            }
        }
    }
    CHECK_BELOW("clouds move", 2.5, moved);
    CHECK_BELOW("masts do not", bent, 4);
    printf("masts before clouds: %d levels at most, where clouds change by %.1f\n", bent,
           moved / 5);
    stage_close(&s);
}

/* A lake in haze: its far shore ends before the picture does. Before it a pale tree. */
static void hazy_lake(double x, double y, int noise, uint8_t rgb[3])
{
    int ripple = (int)(7 * sin(y * 160 + 2 * sin(x * 25)));
    int leaf = (int)(60 * sin(x * 170) * sin(y * 110)) + 2 * noise;

    if (y > 0.75)
        weather_put(rgb, 90 + leaf, 92 + leaf, 70 + leaf);
    else if (y > 0.42 && y < 0.47 && x < 0.85)
        weather_put(rgb, 90, 100, 60);
    else
        weather_put(rgb, 195 + ripple, 205 + ripple, 208 + ripple);
}

static void finds_a_lake_in_haze(void)
{
    struct stage s;

    stage_open(&s, 2);
    stage_paint(&s, hazy_lake);
    for (int i = 0; i < 60 * 36; i++)
        s.depth.z[i] = i / 60 < 27 ? 0 : 0.7F;
    draw(&s, NULL, &s.clean);
    stage_fluid(&s, ZT_ATMO_WATER, 2);
    stage_draw(&s, 3.1);
    CHECK("it is found", s.fluid != NULL);
    CHECK_BELOW("it flows", 0.1, change_between(&s.clean, &s.frame, 0.55, 0.7));
    CHECK_NEAR("the sky does not", change_between(&s.clean, &s.frame, 0, 0.4), 0, 0);
    CHECK_NEAR("the tree does not", change_between(&s.clean, &s.frame, 0.83, 1), 0, 0);
    stage_close(&s);
}

static void begins_with_the_picture(void)
{
    struct stage s;

    stage_open(&s, 0);
    draw(&s, NULL, &s.clean);
    s.weather.fresh = true;
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        stage_fluid(&s, rows[i].kind, 1);
        stage_draw(&s, 0);
        CHECK(zt_atmosphere_name(rows[i].kind), weather_equal(&s.clean, &s.frame));
    }
    stage_close(&s);
}

static void does_not_depend_on_threads_or_order(void)
{
    struct stage one, many;

    stage_open(&one, 0);
    for (int threads = 1; threads <= 3; threads++) {
        stage_open(&many, threads);
        for (size_t i = 0; i < ZT_COUNT(rows); i++) {
            stage_fluid(&one, rows[i].kind, 1);
            stage_fluid(&many, rows[i].kind, 1);
            stage_draw(&one, 1.25);
            stage_draw(&many, 3);
            stage_draw(&many, 1.25);
            CHECK(zt_atmosphere_name(rows[i].kind), weather_equal(&one.frame, &many.frame));
        }
        stage_close(&many);
    }
    stage_close(&one);
}

static void grows_with_the_words(void)
{
    static const float amounts[] = { 0.5F, 1, 2 };
    struct stage s;

    stage_open(&s, 2);
    draw(&s, NULL, &s.clean);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        double before = 0;
        for (size_t k = 0; k < ZT_COUNT(amounts); k++) {
            double sum = 0;
            stage_fluid(&s, rows[i].kind, amounts[k]);
            for (int t = 0; t < 5; t++) {
                stage_draw(&s, 0.55 * t + 0.2);
                sum += change_between(&s.clean, &s.frame, 0, 1) / 5;
            }
            CHECK_BELOW(zt_atmosphere_name(rows[i].kind), before * 1.05, sum);
            before = sum;
        }
    }
    stage_close(&s);
}

/* From frame to frame the change is even: nobody sees where a copy starts over. */
static void never_jumps(void)
{
    struct stage s;
    struct zt_frame_buf last;
    double step[120];

    stage_open(&s, 2);
    weather_frame(&last, W, H);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        stage_fluid(&s, rows[i].kind, 1);
        stage_draw(&s, 0);
        for (int k = 0; k < 120; k++) {
            weather_copy(&s.frame, &last);
            stage_draw(&s, (k + 1) / 24.0);
            step[k] = change_between(&last, &s.frame, rows[i].y0, rows[i].y1);
        }
        double peak = weather_peak(step, 120);
        CHECK_BELOW(zt_atmosphere_name(rows[i].kind), peak, 2.2);
        CHECK_BELOW("it moves in every frame", 0.02, step[0]);
    }
    zt_frame_buf_clear(&last);
    stage_close(&s);
}

static void closes_a_loop(void)
{
    struct stage s;

    stage_open(&s, 2);
    s.weather.loop = true;
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        stage_fluid(&s, rows[i].kind, 1);
        stage_draw(&s, 0);
        weather_copy(&s.frame, &s.clean);
        stage_draw(&s, s.weather.seconds);
        CHECK_BELOW(zt_atmosphere_name(rows[i].kind), change_between(&s.clean, &s.frame, 0, 1),
                    0.02);
    }
    stage_close(&s);
}

static void stays_sane_on_odd_pictures(void)
{
    static const int sizes[][2] = {
        { 16, 16 }, { 16, 900 }, { 900, 16 }, { 50, 34 }, { 200, 150 }
    };

    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        for (int kind = 0; kind < 3; kind++) {
            struct zt_image picture = weather_picture(sizes[i][0], sizes[i][1], lake);
            float atmosphere[ZT_ATMO_KINDS] = { 0 };
            struct zt_weather weather = { .atmosphere = atmosphere, .seconds = 3 };
            struct zt_fluid *fluid = NULL;
            struct zt_rng rng;
            double dx, dy;
            zt_rng_init(&rng, 2, i);
            for (size_t k = 0; kind > 0 && k < picture.stride * (size_t)picture.height_px; k++)
                picture.pixels[k] = kind == 1 ? 0 : (uint8_t)zt_rng_u32(&rng);
            atmosphere[ZT_ATMO_WATER] = atmosphere[ZT_ATMO_WIND] = atmosphere[ZT_ATMO_CLOUDS] = 2;
            CHECK_INT("opens", zt_fluid_open(&picture, NULL, 100, &weather, NULL, &fluid, NULL),
                      ZT_OK);
            zt_fluid_set(fluid, 1.3, NULL);
            zt_fluid_shift(fluid, 1e6, -1e6, &dx, &dy);
            CHECK("finite", isfinite(dx) && isfinite(dy));
            zt_fluid_close(fluid);
            free(picture.pixels);
        }
    }
}

/* A layer's flow carries nothing in from beyond its alpha: without any, the layer stands still. */
static void stays_inside_a_layer(void)
{
    struct stage s;
    struct zt_plane alpha;
    uint8_t still[ZT_CELL * ZT_CELL], open[ZT_CELL * ZT_CELL], got[ZT_CELL * ZT_CELL];
    int column = 8, row = 14, moved = 0; /* in the water */

    stage_open(&s, 0);
    stage_fluid(&s, ZT_ATMO_WATER, 2);
    stage_draw(&s, 2.1);
    const struct zt_plane *luma = &s.planes.plane[0];
    CHECK_INT("alpha", zt_plane_init(&alpha, W, H, NULL), ZT_OK);
    zt_warp_cell(luma, &s.mesh[0], column, row, still, ZT_CELL, ZT_SIMD_SCALAR);
    zt_fluid_cell(s.fluid, luma, NULL, &s.mesh[0], 0, column, row, open, ZT_CELL, ZT_SIMD_SCALAR);
    for (int i = 0; i < ZT_CELL * ZT_CELL; i++)
        moved += still[i] != open[i];
    CHECK_BELOW("an opaque layer flows", 100, moved);
    zt_fluid_cell(s.fluid, luma, &alpha, &s.mesh[0], 0, column, row, got, ZT_CELL, ZT_SIMD_SCALAR);
    CHECK("nothing beyond alpha", memcmp(got, still, sizeof(got)) == 0);
    for (int y = 0; y < H; y++)
        memset(alpha.at + (size_t)y * alpha.stride, 255, W);
    zt_plane_pad(&alpha);
    zt_fluid_cell(s.fluid, luma, &alpha, &s.mesh[0], 0, column, row, got, ZT_CELL, ZT_SIMD_SCALAR);
    CHECK("all of it inside", memcmp(got, open, sizeof(got)) == 0);
    zt_plane_clear(&alpha);
    stage_close(&s);
}

int main(void)
{
    RUN(stays_inside_a_layer);
    RUN(moves_what_the_words_name);
    RUN(leaves_the_rest_alone);
    RUN(leaves_masts_straight);
    RUN(finds_a_lake_in_haze);
    RUN(begins_with_the_picture);
    RUN(does_not_depend_on_threads_or_order);
    RUN(grows_with_the_words);
    RUN(never_jumps);
    RUN(closes_a_loop);
    RUN(stays_sane_on_odd_pictures);
    return check_done();
}
