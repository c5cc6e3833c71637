/* What is in the air: where it is, what hides it, and that it changes nothing it should not. */
#include "motion/air.h"

#include "base/thread.h"
#include "check.h"
#include "motion/particles.h"
#include "motion/regions.h"
#include "motion/tones.h"
#include "weather.h"

#define W 320
#define H 192

static const enum zt_atmosphere kinds[] = { ZT_ATMO_RAIN, ZT_ATMO_SNOW,   ZT_ATMO_FOG,
                                            ZT_ATMO_DUST, ZT_ATMO_EMBERS, ZT_ATMO_PETALS };

/* A dim street with one fire in it. */
static void street(double x, double y, int noise, uint8_t rgb[3])
{
    if ((x - 0.5) * (x - 0.5) + (y - 0.7) * (y - 0.7) < 0.004)
        weather_put(rgb, 255, 190, 60);
    else
        weather_put(rgb, 70 + noise, 75 + noise, 85 + noise);
}

struct stage {
    struct zt_image picture;
    struct zt_depth depth; /* left half far, right half near */
    struct zt_sight sight;
    struct zt_pose path;
    float atmosphere[ZT_ATMO_KINDS];
    struct zt_weather weather;
    struct zt_frame_buf clean, frame;
    struct zt_pool *pool;
    struct zt_air *air;
};

static void stage_open(struct stage *s, int width, int height, int threads)
{
    struct zt_view view = weather_view(width, height);

    *s =
        (struct stage){ .picture = weather_picture(width, height, street), .path = weather_rest() };
    s->depth = (struct zt_depth){ .width = 40, .height = 24 };
    s->depth.z = malloc(sizeof(float) * 40 * 24);
    for (int i = 0; i < 40 * 24; i++)
        s->depth.z[i] = i % 40 < 20 ? 0 : 1;
    CHECK_INT("sight", zt_sight_init(&s->sight, &view, width, height, &s->depth, NULL), ZT_OK);
    zt_sight_look(&s->sight, &s->path, NULL);
    s->weather = (struct zt_weather){ .seed = 5, .seconds = 5 };
    weather_frame(&s->clean, width, height);
    weather_frame(&s->frame, width, height);
    s->pool = threads > 0 ? zt_pool_new(threads) : NULL;
}

static void stage_close(struct stage *s)
{
    zt_air_close(s->air);
    zt_sight_clear(&s->sight);
    free(s->depth.z);
    free(s->picture.pixels);
    zt_frame_buf_clear(&s->clean);
    zt_frame_buf_clear(&s->frame);
    if (s->pool != NULL)
        zt_pool_free(s->pool);
}

static void stage_air(struct stage *s, enum zt_atmosphere kind, float amount)
{
    memset(s->atmosphere, 0, sizeof(s->atmosphere));
    s->atmosphere[kind] = amount;
    s->weather.atmosphere = s->atmosphere;
    zt_air_close(s->air);
    s->air = NULL;
    CHECK_INT("opens",
              zt_air_open(&s->picture, &s->depth, &s->sight, &s->weather, &s->path, 1, s->pool,
                          &s->air, NULL),
              ZT_OK);
}

static void stage_draw(struct stage *s, double t_s)
{
    weather_copy(&s->clean, &s->frame);
    zt_air_draw(s->air, &s->sight, t_s, &s->frame, s->pool);
}

static void leaves_a_clear_day_alone(void)
{
    struct stage s;

    stage_open(&s, W, H, 0);
    stage_air(&s, ZT_ATMO_WATER, 1); /* not in the air */
    CHECK("nothing to draw", s.air == NULL);
    stage_draw(&s, 1);
    CHECK("untouched", weather_equal(&s.clean, &s.frame));
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        s.weather.fresh = true;
        stage_air(&s, kinds[i], 1);
        stage_draw(&s, 0);
        CHECK(zt_atmosphere_name(kinds[i]), weather_equal(&s.clean, &s.frame));
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
            stage_air(&s, kinds[i], amounts[k]);
            for (int t = 0; t < 6; t++) {
                stage_draw(&s, 0.7 * t + 0.3);
                sum += weather_apart(&s.clean, &s.frame) / 6;
            }
            CHECK_BELOW(zt_atmosphere_name(kinds[i]), before * 1.1, sum);
            CHECK_BELOW("subtle", sum, 45);
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
            stage_air(&one, kinds[i], 1);
            stage_air(&many, kinds[i], 1);
            stage_draw(&one, 1.25);
            stage_draw(&many, 3); /* frames need not come in order */
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
        stage_air(&s, kinds[i], 1);
        stage_draw(&s, 0);
        weather_copy(&s.frame, &first);
        stage_draw(&s, s.weather.seconds);
        double seam = weather_apart(&first, &s.frame);
        stage_draw(&s, s.weather.seconds / 2);
        double across = weather_apart(&first, &s.frame);
        CHECK_BELOW(zt_atmosphere_name(kinds[i]), seam, 0.01);
        CHECK_BELOW("it moves in between", 0.02, across);
    }
    zt_frame_buf_clear(&first);
    stage_close(&s);
}

/* ---- particles ----------------------------------------------------------------------------- */

static struct zt_particles *new_particles(struct stage *s, enum zt_atmosphere kind,
                                          struct zt_regions *regions)
{
    static const struct zt_ambient air = { .light = 0.3F, .r = 0.5F, .g = 0.5F, .b = 0.5F };
    struct zt_particles *ps;

    memset(s->atmosphere, 0, sizeof(s->atmosphere));
    s->atmosphere[kind] = 1;
    s->weather.atmosphere = s->atmosphere;
    CHECK_INT(
        "regions",
        zt_regions_find(&s->picture, &s->depth, ZT_REGION_BIT(ZT_REGION_GLOW), NULL, regions, NULL),
        ZT_OK);
    zt_particles_new(&s->weather, &air, regions, &s->sight, &s->path, 1, &ps);
    return ps;
}

/* How far the same particle goes in a 24th of a second; those that enter or leave are not met. */
static void falls_and_rises(void)
{
    static const struct {
        enum zt_atmosphere kind;
        double least, most; /* frame pixels, down */
    } rows[] = { { ZT_ATMO_RAIN, 5, 60 },
                 { ZT_ATMO_SNOW, 0.3, 5 },
                 { ZT_ATMO_PETALS, 0.2, 4 },
                 { ZT_ATMO_EMBERS, -6, -0.3 } };
    struct stage s;

    stage_open(&s, W, H, 0);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_regions regions;
        struct zt_particles *ps = new_particles(&s, rows[i].kind, &regions);
        static struct zt_sprite before[8000];
        double sum = 0;
        int n, later, met = 0;
        const struct zt_sprite *now = zt_particles_place(ps, &s.sight, 1, 1, &n);
        memcpy(before, now, sizeof(*now) * (size_t)n);
        now = zt_particles_place(ps, &s.sight, 1 + 1 / 24.0, 1, &later);
        for (int a = 0; a < n; a++) {
            for (int b = 0; b < later; b++) { /* nearness tells them apart */
                double dy = (double)(now[b].y - before[a].y);
                if (now[b].near != before[a].near || fabs(dy) > 100 ||
                    fabsf(now[b].tint.light - before[a].tint.light) > 0.1F)
                    continue;
                sum += dy;
                met++;
            }
        }
        CHECK_BELOW("most are met again", n * 0.5, met);
        CHECK_BELOW(zt_atmosphere_name(rows[i].kind), rows[i].least, sum / (met + 1e-9));
        CHECK_BELOW(zt_atmosphere_name(rows[i].kind), sum / (met + 1e-9), rows[i].most);
        zt_particles_free(ps);
        zt_regions_clear(&regions);
    }
    stage_close(&s);
}

/* Nearer ones shift more when the camera travels, and all shift alike when it turns. */
static void follows_the_camera(void)
{
    struct stage s;
    struct zt_regions regions;
    static struct zt_sprite before[8000];
    int n, later;

    stage_open(&s, W, H, 0);
    struct zt_particles *ps = new_particles(&s, ZT_ATMO_SNOW, &regions);
    double unit = sqrt((double)W * H), slope = 0, weight = 0;
    const struct zt_sprite *now = zt_particles_place(ps, &s.sight, 1, 1, &n);
    memcpy(before, now, sizeof(*now) * (size_t)n);
    struct zt_pose pose = { .zoom = 1, .tx = 0.02 };
    zt_sight_look(&s.sight, &pose, NULL);
    now = zt_particles_place(ps, &s.sight, 1, 1, &later);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < later; b++)
            if (now[b].near == before[a].near && fabsf(now[b].x - before[a].x) < 50) {
                slope += (double)((now[b].x - before[a].x) * before[a].near);
                weight += (double)(before[a].near * before[a].near);
            }
    CHECK_NEAR("pixels for each unit of nearness", slope / weight, -0.02 * unit, 0.01);
    zt_particles_free(ps);
    zt_regions_clear(&regions);
    stage_close(&s);
}

static double change_in(const struct stage *s, int from, int to)
{
    double sum = 0;

    for (int y = 0; y < H; y++)
        for (int x = from; x < to; x++)
            sum += abs(s->clean.plane[0][(size_t)y * s->clean.view.stride[0] + (size_t)x] -
                       s->frame.plane[0][(size_t)y * s->frame.view.stride[0] + (size_t)x]);
    return sum / H / (to - from);
}

static void hides_behind_what_is_near(void)
{
    struct stage s;

    stage_open(&s, W, H, 0);
    static const enum zt_atmosphere hidden[] = { ZT_ATMO_SNOW, ZT_ATMO_FOG };
    for (size_t i = 0; i < ZT_COUNT(hidden); i++) {
        double far = 0, near = 0;
        stage_air(&s, hidden[i], 1);
        for (int t = 0; t < 5; t++) {
            stage_draw(&s, 0.8 * t);
            far += change_in(&s, 0, W / 2 - 12);
            near += change_in(&s, W / 2 + 12, W);
        }
        CHECK_BELOW(zt_atmosphere_name(hidden[i]), near * 1.5, far);
    }
    stage_close(&s);
}

/* ---- fog ----------------------------------------------------------------------------------- */

static void drifts_smoothly(void)
{
    struct stage s;
    struct zt_frame_buf last;
    double step[120];

    stage_open(&s, W, H, 2);
    weather_frame(&last, W, H);
    stage_air(&s, ZT_ATMO_FOG, 1);
    stage_draw(&s, 0);
    for (int i = 0; i < 120; i++) {
        weather_copy(&s.frame, &last);
        stage_draw(&s, (i + 1) / 24.0);
        step[i] = weather_apart(&last, &s.frame);
    }
    double most = weather_peak(step, 120);
    CHECK_BELOW("no frame stands out", most, 2.5);
    CHECK_BELOW("slow", step[60], 1.0);
    CHECK_BELOW("not still", 0.01, step[60]);
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
            stage_air(&s, kinds[k], 2);
            stage_draw(&s, 1.5);
            CHECK_INT(zt_atmosphere_name(kinds[k]), weather_illegal(&s.frame), 0);
        }
        stage_close(&s);
    }
}

/* A camera that travels far in or out leaves no gap and no nonsense. */
static void survives_any_path(void)
{
    static const struct zt_pose poses[] = { { .zoom = 1.6, .tz = 0.6 },
                                            { .zoom = 0.7, .tz = -0.5 },
                                            { .zoom = 1, .roll = 0.5, .tx = 0.4, .ty = -0.3 },
                                            { .zoom = 1, .tz = 0.95 } };
    for (size_t i = 0; i < ZT_COUNT(poses); i++) {
        struct stage s;
        stage_open(&s, W, H, 0);
        s.path = poses[i];
        zt_sight_look(&s.sight, &s.path, NULL);
        for (size_t k = 0; k < ZT_COUNT(kinds); k++) {
            stage_air(&s, kinds[k], 1);
            stage_draw(&s, 2);
            CHECK_INT(zt_atmosphere_name(kinds[k]), weather_illegal(&s.frame), 0);
        }
        stage_air(&s, ZT_ATMO_SNOW, 2);
        stage_draw(&s, 2);
        CHECK_BELOW("left half", 0.02, change_in(&s, 0, W / 2));
        CHECK_BELOW("right half", 0.02, change_in(&s, W / 2, W));
        stage_close(&s);
    }
}

static void raises_e_to_a_power(void)
{
    double worst = 0;

    for (float x = -80; x <= 80; x += 0.0137F)
        worst = fmax(worst, fabs((double)zt_exp(x) / exp((double)x) - 1));
    CHECK_BELOW("relative error", worst, 1e-5);
    CHECK("finite and positive beyond its range", zt_exp(-1e9F) > 0 && zt_exp(1e9F) < 1e35F);
}

int main(void)
{
    RUN(leaves_a_clear_day_alone);
    RUN(grows_with_the_words);
    RUN(does_not_depend_on_threads_or_order);
    RUN(closes_a_loop);
    RUN(falls_and_rises);
    RUN(follows_the_camera);
    RUN(hides_behind_what_is_near);
    RUN(drifts_smoothly);
    RUN(stays_sane_on_odd_sizes);
    RUN(survives_any_path);
    RUN(raises_e_to_a_power);
    return check_done();
}
