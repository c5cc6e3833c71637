/* The move of a shot that names none: what it reveals, what it keeps, and what the seed decides. */
#include "motion/choose.h"

#include <stdlib.h>

#include "base/clock.h"
#include "check.h"
#include "prompt/prompt.h"

#define SIDE_X 96
#define SIDE_Y 54
#define SEEDS  24

static const struct zt_room room = { 1248, 704, -624, -352, 624, 352 };
static const struct zt_room panorama = { 1248, 704, -1248, -352, 1248, 352 };
static const struct zt_room tower = { 704, 1248, -352, -1000, 352, 1000 };

/* Scenes; u, v 0 ... 1 across the picture. */
static double flat(double u, double v)
{
    (void)u;
    (void)v;
    return 0.5;
}

static double ground(double u, double v)
{
    (void)u;
    return v;
}

static double slab_left(double u, double v)
{
    (void)v;
    return u < 0.35 ? 1 : 0;
}

static double slab_right(double u, double v)
{
    return slab_left(1 - u, v);
}

static double person_right(double u, double v)
{
    return fabs(u - 0.74) < 0.07 && v > 0.25 && v < 0.95 ? 0.95 : 0.6 * v;
}

static double thing_in_the_middle(double u, double v)
{
    return hypot(u - 0.5, (v - 0.55) * 0.6) < 0.12 ? 0.9 : 0.5 * v;
}

static struct zt_depth depth_of(double (*scene)(double u, double v))
{
    struct zt_depth depth = { .width = SIDE_X, .height = SIDE_Y };

    depth.z = malloc(SIDE_X * SIDE_Y * sizeof(float));
    for (int i = 0; i < SIDE_X * SIDE_Y; i++)
        depth.z[i] = (float)scene((i % SIDE_X + 0.5) / SIDE_X, ((int)(i / SIDE_X) + 0.5) / SIDE_Y);
    return depth;
}

/* The ends of the path that is chosen. */
static struct zt_shot choose(const struct zt_depth *depth, const struct zt_room *where,
                             uint64_t seed, struct zt_pose ends[2])
{
    struct zt_shot shot = { 0 };
    struct zt_path_options o = { .frames = 2, .seconds = 5, .seed = seed };

    zt_choose_moves(depth, where, &o, &shot);
    zt_camera_path(&shot, where, &o, ends);
    return shot;
}

static struct zt_pose mirrored(struct zt_pose pose)
{
    pose.x = -pose.x;
    pose.tx = -pose.tx;
    pose.roll = -pose.roll;
    return pose;
}

static double most_invented(const struct zt_depth *depth, const struct zt_pose ends[2])
{
    return fmax(zt_choose_invented(depth, &room, &ends[0]),
                zt_choose_invented(depth, &room, &ends[1]));
}

/* A slab in front of a wall: the camera travels, and a strip of known width opens beside it. */
static void measures_what_opens(void)
{
    struct zt_depth depth = depth_of(slab_left);
    double unit = sqrt(room.width * room.height);

    for (int i = -4; i <= 4; i++) {
        struct zt_pose pose = { .zoom = 1, .tx = 0.02 * i };
        /* Travelling to the right moves the slab to the left, away from what it hides. */
        double opens = i > 0 ? 0.02 * i * unit * (ZT_D_NEAR - ZT_D_FAR) * room.height : 0;
        CHECK_NEAR("share of the frame", zt_choose_invented(&depth, &room, &pose),
                   opens / (room.width * room.height), 1e-4);
    }
    struct zt_pose zoomed = { .zoom = 1.3, .x = 0.1, .roll = 0.1 };
    CHECK_NEAR("a zoom opens nothing", zt_choose_invented(&depth, &room, &zoomed), 0, 1e-9);
    free(depth.z);
    depth = depth_of(ground);
    struct zt_pose travels = { .zoom = 1, .tx = 0.1, .ty = 0.1, .tz = 0.2 };
    CHECK_NEAR("a slope opens nothing", zt_choose_invented(&depth, &room, &travels), 0, 1e-9);
    free(depth.z);
}

static void reveals_little(void)
{
    static double (*const scenes[])(double, double) = { flat,         ground,
                                                        slab_left,    slab_right,
                                                        person_right, thing_in_the_middle };

    for (size_t i = 0; i < ZT_COUNT(scenes); i++) {
        struct zt_depth depth = depth_of(scenes[i]);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct zt_pose ends[2];
            choose(&depth, &room, seed, ends);
            struct zt_pose other[2] = { mirrored(ends[0]), mirrored(ends[1]) };
            CHECK_BELOW("share invented", most_invented(&depth, ends), 0.02);
            if (scenes[i] == slab_left || scenes[i] == slab_right)
                CHECK("never the side that opens more",
                      most_invented(&depth, ends) <= most_invented(&depth, other) + 0.004);
        }
        free(depth.z);
    }
}

static void keeps_the_subject(void)
{
    struct zt_depth depth = depth_of(person_right);
    double unit = sqrt(room.width * room.height);

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct zt_pose ends[2];
        choose(&depth, &room, seed, ends);
        /* The person's corners, as the last pose shows them. */
        for (int corner = 0; corner < 4; corner++) {
            double px = (corner & 1 ? 0.31 : 0.17) * room.width;
            double d = ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) * 0.95, near = 1 - ends[1].tz * d;
            double ox = ((px - ends[1].tx * unit * d) / near - ends[1].x * unit) * ends[1].zoom;
            CHECK_BELOW("from the middle, in frames", ox / room.width, 0.5);
        }
    }
    free(depth.z);
}

static void looks_along_what_is_long(void)
{
    struct zt_depth depth = depth_of(ground);

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct zt_pose ends[2];
        choose(&depth, &panorama, seed, ends);
        CHECK("along the panorama", fabs(ends[1].x - ends[0].x) > 0.1);
        choose(&depth, &tower, seed, ends);
        CHECK("along the tower", fabs(ends[1].y - ends[0].y) > 0.1);
    }
    free(depth.z);
}

static void draws_from_the_seed(void)
{
    struct zt_depth depth = depth_of(thing_in_the_middle);
    struct zt_pose kept[SEEDS][2], again[2];
    int kinds = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct zt_shot shot = choose(&depth, &room, seed, kept[seed]);
        bool new = true;
        CHECK("some move", shot.moves >= 1 && shot.moves <= 2);
        CHECK("it moves", memcmp(&kept[seed][0], &kept[seed][1], sizeof(again[0])) != 0);
        choose(&depth, &room, seed, again);
        CHECK("same seed, same move", memcmp(again, kept[seed], sizeof(again)) == 0);
        for (uint64_t i = 0; i < seed; i++)
            new &= memcmp(kept[i], kept[seed], sizeof(again)) != 0;
        kinds += new;
    }
    CHECK("seeds differ", kinds >= 4);
    free(depth.z);
}

/* 20 ms is the aim, on a machine with nothing else to do; three times that is a mistake. */
static void is_quick(void)
{
    struct zt_depth depth = depth_of(person_right);
    double best_ms = 1e9;

    for (uint64_t seed = 0; seed < 5; seed++) {
        struct zt_pose ends[2];
        int64_t start = zt_now_mono_us();
        choose(&depth, &room, seed, ends);
        best_ms = fmin(best_ms, (double)(zt_now_mono_us() - start) / 1e3);
    }
    printf("choosing takes %.1f ms of 20\n", best_ms);
#ifndef ZT_SANITIZED
    CHECK_BELOW("ms", best_ms, 60);
#endif
    free(depth.z);
}

int main(void)
{
    RUN(measures_what_opens);
    RUN(reveals_little);
    RUN(keeps_the_subject);
    RUN(looks_along_what_is_long);
    RUN(draws_from_the_seed);
    RUN(is_quick);
    return check_done();
}
