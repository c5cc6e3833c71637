/* Flicker, rays and night: on what they fall, how they change in time, what they leave alone. */
#include "motion/light.h"

#include "base/thread.h"
#include "check.h"
#include "weather.h"

#define W 320
#define H 192

static const enum zt_atmosphere kinds[] = { ZT_ATMO_FLICKER, ZT_ATMO_SUN_RAYS, ZT_ATMO_NIGHT };

/* A grey room with a lamp at the left, whose wall is brighter towards the top. */
static void room(double x, double y, int noise, uint8_t rgb[3])
{
    int wall = 150 - (int)(70 * y) + noise / 3;

    if ((x - 0.2) * (x - 0.2) + (y - 0.5) * (y - 0.5) * 0.36 < 0.003)
        weather_put(rgb, 255, 215, 130);
    else
        weather_put(rgb, wall, wall, wall + 5);
}

struct stage {
    struct zt_image picture;
    struct zt_sight sight;
    struct zt_weather weather;
    float atmosphere[ZT_ATMO_KINDS];
    struct zt_frame_buf clean, frame;
    struct zt_pool *pool;
    struct zt_light *light;
};

static void stage_open(struct stage *s, int width, int height, int threads)
{
    struct zt_view view = weather_view(width, height);
    struct zt_pose rest = weather_rest();

    *s = (struct stage){ .picture = weather_picture(width, height, room) };
    CHECK_INT("sight", zt_sight_init(&s->sight, &view, width, height, NULL, NULL), ZT_OK);
    zt_sight_look(&s->sight, &rest, NULL);
    s->weather = (struct zt_weather){ .seed = 11, .seconds = 5 };
    weather_frame(&s->clean, width, height);
    weather_frame(&s->frame, width, height);
    s->pool = threads > 0 ? zt_pool_new(threads) : NULL;
}

static void stage_close(struct stage *s)
{
    zt_light_close(s->light);
    zt_sight_clear(&s->sight);
    free(s->picture.pixels);
    zt_frame_buf_clear(&s->clean);
    zt_frame_buf_clear(&s->frame);
    if (s->pool != NULL)
        zt_pool_free(s->pool);
}

static void stage_light(struct stage *s, enum zt_atmosphere kind, float amount)
{
    memset(s->atmosphere, 0, sizeof(s->atmosphere));
    s->atmosphere[kind] = amount;
    s->weather.atmosphere = s->atmosphere;
    zt_light_close(s->light);
    s->light = NULL;
    CHECK_INT("opens",
              zt_light_open(&s->picture, NULL, &s->sight, &s->weather, s->pool, &s->light, NULL),
              ZT_OK);
}

static void stage_draw(struct stage *s, double t_s)
{
    weather_copy(&s->clean, &s->frame);
    zt_light_draw(s->light, &s->sight, t_s, &s->frame, s->pool);
}

static void leaves_the_picture_alone(void)
{
    struct stage s;

    stage_open(&s, W, H, 0);
    stage_light(&s, ZT_ATMO_RAIN, 1);
    CHECK("nothing to draw", s.light == NULL);
    stage_draw(&s, 1);
    CHECK("untouched", weather_equal(&s.clean, &s.frame));
    s.weather.fresh = true;
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        stage_light(&s, kinds[i], 1);
        stage_draw(&s, 0);
        CHECK("frame 0 is the picture", weather_equal(&s.clean, &s.frame));
        stage_draw(&s, 2);
        CHECK(zt_atmosphere_name(kinds[i]), !weather_equal(&s.clean, &s.frame));
    }
    stage_close(&s);
}

static void grows_with_the_words(void)
{
    static const float amounts[] = { 0.5F, 1, 2 };
    struct stage s;

    stage_open(&s, W, H, 2);
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        double before = 0;
        for (size_t k = 0; k < ZT_COUNT(amounts); k++) {
            double sum = 0;
            stage_light(&s, kinds[i], amounts[k]);
            for (int t = 0; t < 8; t++) {
                stage_draw(&s, 0.37 * t + 0.3);
                sum += weather_apart(&s.clean, &s.frame) / 8;
            }
            CHECK_BELOW(zt_atmosphere_name(kinds[i]), before * 1.2, sum);
            CHECK_INT("legal", weather_illegal(&s.frame), 0);
            before = sum;
        }
    }
    stage_close(&s);
}

static void does_not_depend_on_threads_or_order(void)
{
    struct stage one, many;

    stage_open(&one, W, H, 0);
    for (int threads = 1; threads <= 3; threads++) {
        stage_open(&many, W, H, threads);
        for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
            stage_light(&one, kinds[i], 1);
            stage_light(&many, kinds[i], 1);
            stage_draw(&one, 1.25);
            stage_draw(&many, 3);
            stage_draw(&many, 1.25);
            CHECK(zt_atmosphere_name(kinds[i]), weather_equal(&one.frame, &many.frame));
        }
        stage_close(&many);
    }
    stage_close(&one);
}

static void closes_a_loop(void)
{
    struct stage s;
    struct zt_frame_buf first;

    stage_open(&s, W, H, 0);
    weather_frame(&first, W, H);
    s.weather.loop = true;
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        stage_light(&s, kinds[i], 1);
        stage_draw(&s, 0);
        weather_copy(&s.frame, &first);
        stage_draw(&s, s.weather.seconds);
        CHECK_BELOW(zt_atmosphere_name(kinds[i]), weather_apart(&first, &s.frame), 0.01);
    }
    zt_frame_buf_clear(&first);
    stage_close(&s);
}

/* Mean luma around the lamp, and far from it. */
static double luma_in(const struct zt_frame_buf *f, double x0, double x1, double y0, double y1)
{
    double sum = 0;
    int n = 0;

    for (int y = (int)(y0 * H); y < (int)(y1 * H); y++)
        for (int x = (int)(x0 * W); x < (int)(x1 * W); x++, n++)
            sum += f->plane[0][(size_t)y * f->view.stride[0] + (size_t)x];
    return sum / n;
}

static void flickers_where_the_lamp_is(void)
{
    struct stage s;
    double lamp = 0, corner = 0;

    stage_open(&s, W, H, 0);
    stage_light(&s, ZT_ATMO_FLICKER, 1);
    for (int i = 0; i < 24; i++) {
        stage_draw(&s, i / 24.0);
        lamp +=
            fabs(luma_in(&s.frame, 0.16, 0.24, 0.4, 0.6) - luma_in(&s.clean, 0.16, 0.24, 0.4, 0.6));
        corner += fabs(luma_in(&s.frame, 0.9, 1, 0.9, 1) - luma_in(&s.clean, 0.9, 1, 0.9, 1));
    }
    CHECK_BELOW("lamp flickers", 24 * 0.8, lamp);
    CHECK_BELOW("the corner does not", corner, 0.05 * lamp);
    stage_close(&s);
}

/* Power of the lamp's luma above 9 Hz against all of it: a naive Fourier sum over 10 s. */
static void flickers_within_its_band(void)
{
    enum { N = 240 };
    struct stage s;
    double v[N], mean = 0, low = 0, high = 0;

    stage_open(&s, W, H, 2);
    stage_light(&s, ZT_ATMO_FLICKER, 1);
    for (int i = 0; i < N; i++) {
        stage_draw(&s, i / 24.0);
        v[i] = luma_in(&s.frame, 0.16, 0.24, 0.4, 0.6);
        mean += v[i] / N;
    }
    for (int k = 1; k <= N / 2; k++) {
        double re = 0, im = 0;
        for (int i = 0; i < N; i++) {
            double window = 0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / N);
            re += window * (v[i] - mean) * cos(2 * M_PI * k * i / N);
            im += window * (v[i] - mean) * sin(2 * M_PI * k * i / N);
        }
        *(k * 24.0 / N > 9 ? &high : &low) += re * re + im * im;
    }
    CHECK_BELOW("there is a flicker", 100, low);
    CHECK_BELOW("above 9 Hz", high / low, 0.05);
    stage_close(&s);
}

static void night_keeps_the_lamp(void)
{
    struct stage s;

    stage_open(&s, W, H, 0);
    stage_light(&s, ZT_ATMO_NIGHT, 1);
    stage_draw(&s, 4);
    double lamp =
        luma_in(&s.frame, 0.18, 0.22, 0.45, 0.55) / luma_in(&s.clean, 0.18, 0.22, 0.45, 0.55);
    double wall = luma_in(&s.frame, 0.7, 1, 0, 1) / luma_in(&s.clean, 0.7, 1, 0, 1);
    CHECK_BELOW("the wall is dark", wall, 0.75);
    CHECK_BELOW("the lamp is not", 0.9, lamp);
    double u = 0, was = 0;
    for (int x = 0; x < W / 2; x++) {
        u += s.frame.plane[1][60 * s.frame.view.stride[1] + (size_t)x];
        was += s.clean.plane[1][60 * s.clean.view.stride[1] + (size_t)x];
    }
    CHECK_BELOW("and bluer", was, u);
    stage_close(&s);
}

/* Dusk falls evenly, rays turn slowly: no frame stands out. */
static void changes_smoothly(void)
{
    static const enum zt_atmosphere slow[] = { ZT_ATMO_SUN_RAYS, ZT_ATMO_NIGHT };
    struct stage s;
    struct zt_frame_buf last;

    stage_open(&s, W, H, 2);
    weather_frame(&last, W, H);
    for (size_t k = 0; k < ZT_COUNT(slow); k++) {
        double most = 0;
        s.weather.fresh = slow[k] == ZT_ATMO_NIGHT;
        stage_light(&s, slow[k], 1);
        stage_draw(&s, 0);
        for (int i = 1; i <= 60; i++) {
            weather_copy(&s.frame, &last);
            stage_draw(&s, i / 24.0);
            most = fmax(most, weather_apart(&last, &s.frame));
        }
        CHECK_BELOW(zt_atmosphere_name(slow[k]), most, 1.6);
        CHECK_BELOW("not still", 0.005, most);
    }
    zt_frame_buf_clear(&last);
    stage_close(&s);
}

static void stays_sane_on_odd_sizes(void)
{
    static const int sizes[][2] = { { 1, 1 },   { 2, 2 },    { 3, 97 }, { 97, 3 },
                                    { 33, 17 }, { 129, 31 }, { 16, 16 } };

    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        struct stage s;
        stage_open(&s, sizes[i][0], sizes[i][1], 0);
        for (size_t k = 0; k < ZT_COUNT(kinds); k++) {
            stage_light(&s, kinds[k], 2);
            stage_draw(&s, 1.5);
            CHECK_INT(zt_atmosphere_name(kinds[k]), weather_illegal(&s.frame), 0);
        }
        stage_close(&s);
    }
}

int main(void)
{
    RUN(leaves_the_picture_alone);
    RUN(grows_with_the_words);
    RUN(does_not_depend_on_threads_or_order);
    RUN(closes_a_loop);
    RUN(flickers_where_the_lamp_is);
    RUN(flickers_within_its_band);
    RUN(night_keeps_the_lamp);
    RUN(changes_smoothly);
    RUN(stays_sane_on_odd_sizes);
    return check_done();
}
