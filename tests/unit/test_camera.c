/* Camera paths: directions, smoothness, and a view that never leaves the picture. */
#include "motion/camera.h"

#include "base/rng.h"
#include "check.h"
#include "prompt/prompt.h"

#define FRAMES 121

/* The centre crop of a 3:2 picture in 16:9, and a picture of exactly the frame's shape. */
static const struct zt_room wide = { 1248, 704, -624, -416, 624, 416 };
static const struct zt_room exact = { 1248, 704, -624, -352, 624, 352 };
static const struct zt_room tall = { 704, 1248, -352, -624, 352, 624 };

static void path_of(const struct zt_room *room, const struct zt_shot *shot, uint64_t seed,
                    bool still, bool loop, struct zt_pose path[FRAMES])
{
    struct zt_path_options o = {
        .frames = FRAMES, .seconds = 5, .seed = seed, .still = still, .loop = loop
    };
    zt_camera_path(shot, room, &o, path);
}

static struct zt_shot one_move(enum zt_move_kind kind, float strength)
{
    return (struct zt_shot){ .moves = 1, .move = { { kind, strength, 1, false } } };
}

/*
 * Where a thing at (x, y) of the picture appears in the frame, by inverting what a frame position
 * sees: linear in the position.
 */
static void appears(const struct zt_room *room, const struct zt_pose *pose, double x, double y,
                    double d, double *ox, double *oy)
{
    double x0, y0, xx, yx, xy, yy;

    zt_camera_see(pose, room, 0, 0, d, &x0, &y0);
    zt_camera_see(pose, room, 1, 0, d, &xx, &yx);
    zt_camera_see(pose, room, 0, 1, d, &xy, &yy);
    xx -= x0;
    yx -= y0;
    xy -= x0;
    yy -= y0;
    double det = xx * yy - xy * yx;
    *ox = ((x - x0) * yy - (y - y0) * xy) / det;
    *oy = ((y - y0) * xx - (x - x0) * yx) / det;
}

/*
 * Signs of what happens to the picture from the first frame to the last: where its middle goes,
 * whether it grows, how it turns, and which way near things go against far ones. 2: anything.
 */
static const struct {
    enum zt_move_kind kind;
    int x, y, grow, turn, near_x, near_y;
} directions[] = {
    { ZT_MOVE_STATIC, 0, 0, 0, 0, 0, 0 },          { ZT_MOVE_PUSH_IN, 0, 0, 1, 0, 0, 0 },
    { ZT_MOVE_PULL_OUT, 0, 0, -1, 0, 0, 0 },       { ZT_MOVE_ZOOM_IN, 0, 0, 1, 0, 0, 0 },
    { ZT_MOVE_ZOOM_OUT, 0, 0, -1, 0, 0, 0 },       { ZT_MOVE_PAN_LEFT, 1, 0, 0, 0, 0, 0 },
    { ZT_MOVE_PAN_RIGHT, -1, 0, 0, 0, 0, 0 },      { ZT_MOVE_TILT_UP, 0, 1, 0, 0, 0, 0 },
    { ZT_MOVE_TILT_DOWN, 0, -1, 0, 0, 0, 0 },      { ZT_MOVE_TRUCK_LEFT, 1, 0, 0, 0, 1, 0 },
    { ZT_MOVE_TRUCK_RIGHT, -1, 0, 0, 0, -1, 0 },   { ZT_MOVE_PEDESTAL_UP, 0, 1, 0, 0, 0, 1 },
    { ZT_MOVE_PEDESTAL_DOWN, 0, -1, 0, 0, 0, -1 }, { ZT_MOVE_ROLL_CW, 0, 0, 0, -1, 0, 0 },
    { ZT_MOVE_ROLL_CCW, 0, 0, 0, 1, 0, 0 },        { ZT_MOVE_ORBIT_LEFT, 2, 0, 2, 0, 1, 0 },
    { ZT_MOVE_ORBIT_RIGHT, 2, 0, 2, 0, -1, 0 },    { ZT_MOVE_CRANE_UP, 0, 1, 2, 0, 0, 1 },
    { ZT_MOVE_CRANE_DOWN, 0, -1, 2, 0, 0, -1 },
};

static int sign(double v, double dead)
{
    return v > dead ? 1 : v < -dead ? -1 : 0;
}

static void check_sign(const char *label, int got, int want)
{
    if (want != 2)
        CHECK_INT(label, got, want);
}

static void moves_the_right_way(void)
{
    for (size_t i = 0; i < ZT_COUNT(directions); i++) {
        struct zt_shot shot = one_move(directions[i].kind, 1);
        struct zt_pose path[FRAMES];
        double x[2], y[2], x2[2], y2[2], nx[2], ny[2], fx[2], fy[2];
        char label[64];

        path_of(&wide, &shot, 7, false, false, path);
        for (int end = 0; end < 2; end++) {
            const struct zt_pose *pose = &path[end ? FRAMES - 1 : 0];
            appears(&wide, pose, 0, 0, ZT_D_FLAT, &x[end], &y[end]);
            appears(&wide, pose, 100, 0, ZT_D_FLAT, &x2[end], &y2[end]);
            appears(&wide, pose, 0, 0, ZT_D_NEAR, &nx[end], &ny[end]);
            appears(&wide, pose, 0, 0, ZT_D_FAR, &fx[end], &fy[end]);
        }
        snprintf(label, sizeof(label), "%s", zt_move_name(directions[i].kind));
        check_sign(label, sign(x[1] - x[0], 2), directions[i].x);
        check_sign(label, sign(y[1] - y[0], 2), directions[i].y);
        double size0 = hypot(x2[0] - x[0], y2[0] - y[0]), size1 = hypot(x2[1] - x[1], y2[1] - y[1]);
        check_sign(label, sign(size1 - size0, 2), directions[i].grow);
        check_sign(label, sign((y2[1] - y[1]) - (y2[0] - y[0]), 2), directions[i].turn);
        check_sign(label, sign((nx[1] - fx[1]) - (nx[0] - fx[0]), 1), directions[i].near_x);
        check_sign(label, sign((ny[1] - fy[1]) - (ny[0] - fy[0]), 1), directions[i].near_y);
    }
}

/* The subject keeps its size, what is behind it does not. */
static void dolly_zoom_keeps_the_subject(void)
{
    static const enum zt_move_kind kinds[] = { ZT_MOVE_DOLLY_ZOOM_IN, ZT_MOVE_DOLLY_ZOOM_OUT };

    for (int i = 0; i < 2; i++) {
        struct zt_shot shot = one_move(kinds[i], 1);
        struct zt_pose path[FRAMES];
        double x[2][2], y;
        path_of(&exact, &shot, 7, false, false, path);
        for (int end = 0; end < 2; end++) {
            appears(&exact, &path[end ? FRAMES - 1 : 0], 100, 0, ZT_D_SUBJECT, &x[end][0], &y);
            appears(&exact, &path[end ? FRAMES - 1 : 0], 100, 0, ZT_D_FAR, &x[end][1], &y);
        }
        double subject = x[1][0] / x[0][0], behind = x[1][1] / x[0][1];
        CHECK_NEAR(zt_move_name(kinds[i]), subject, 1, 1e-6);
        CHECK_INT(zt_move_name(kinds[i]), sign(behind - subject, 0.05), i == 0 ? -1 : 1);
    }
}

static double largest(double a, double b, double c)
{
    return fmax(fabs(a), fmax(fabs(b), fabs(c)));
}

/* Speed is zero at both ends, nothing jumps, and each quantity goes one way only. */
static void eases_without_jerk(void)
{
    for (int kind = 0; kind < ZT_MOVE_KINDS; kind++) {
        struct zt_shot shot = one_move((enum zt_move_kind)kind, 1);
        struct zt_pose p[FRAMES];
        double before = 0, jerk = 0, range = 0, first_step = 0, last_step = 0;
        int turned = 0;

        if (kind == ZT_MOVE_HANDHELD || kind == ZT_MOVE_FOLLOW)
            continue;
        path_of(&wide, &shot, 3, false, false, p);
        double v[FRAMES];
        for (int i = 0; i < FRAMES; i++) {
            double x, y;
            appears(&wide, &p[i], 200, 100, ZT_D_FLAT, &x, &y);
            v[i] = kind == ZT_MOVE_TILT_UP || kind == ZT_MOVE_TILT_DOWN ||
                           kind == ZT_MOVE_PEDESTAL_UP || kind == ZT_MOVE_PEDESTAL_DOWN ||
                           kind == ZT_MOVE_CRANE_UP || kind == ZT_MOVE_CRANE_DOWN ||
                           kind == ZT_MOVE_ROLL_CW || kind == ZT_MOVE_ROLL_CCW
                       ? y
                       : x;
        }
        range = fabs(v[FRAMES - 1] - v[0]);
        for (int i = 2; i < FRAMES; i++) {
            double acceleration = v[i] - 2 * v[i - 1] + v[i - 2];
            if (i > 2)
                jerk = fmax(jerk, fabs(acceleration - before));
            before = acceleration;
            turned += sign(v[i] - v[i - 1], 1e-6) * sign(v[i - 1] - v[i - 2], 1e-6) < 0;
        }
        first_step = fabs(v[1] - v[0]);
        last_step = fabs(v[FRAMES - 1] - v[FRAMES - 2]);
        CHECK_INT(zt_move_name((enum zt_move_kind)kind), turned, 0);
        CHECK(zt_move_name((enum zt_move_kind)kind), first_step <= range * 1e-4 + 1e-9);
        CHECK(zt_move_name((enum zt_move_kind)kind), last_step <= range * 1e-4 + 1e-9);
        CHECK(zt_move_name((enum zt_move_kind)kind), jerk <= range * 1e-4 + 1e-9);
    }
}

/* Any moves, rooms, seeds: what a corner sees is inside the picture at every frame. */
static void never_leaves_the_picture(void)
{
    struct zt_rng rng;
    double worst = 0;

    zt_rng_init(&rng, 5, 5);
    for (int round = 0; round < 300; round++) {
        double w = 640, h = zt_rng_u32(&rng) % 2 ? 640 : zt_rng_u32(&rng) % 2 ? 352 : 1120;
        double more_x = (double)zt_rng_range(&rng, 0, 300),
               more_y = (double)zt_rng_range(&rng, 0, 300);
        double at_x = (double)zt_rng_unit(&rng), at_y = (double)zt_rng_unit(&rng);
        struct zt_room room = { w,
                                h,
                                -w / 2 - more_x * at_x,
                                -h / 2 - more_y * at_y,
                                w / 2 + more_x * (1 - at_x),
                                h / 2 + more_y * (1 - at_y) };
        struct zt_shot shot = { .moves = (int)(zt_rng_u32(&rng) % (ZT_MOVES_MAX + 1)) };
        struct zt_pose path[FRAMES];
        for (int i = 0; i < shot.moves; i++)
            shot.move[i] = (struct zt_move){ (enum zt_move_kind)(zt_rng_u32(&rng) % ZT_MOVE_KINDS),
                                             zt_rng_range(&rng, 0, 4), zt_rng_range(&rng, 0, 4),
                                             zt_rng_u32(&rng) % 2 != 0 };
        path_of(&room, &shot, zt_rng_u32(&rng), false, zt_rng_u32(&rng) % 4 == 0, path);
        struct zt_extent e = zt_camera_extent(path, FRAMES, &room);
        worst = fmax(worst, fmax(room.left - e.left, e.right - room.right));
        worst = fmax(worst, fmax(room.top - e.top, e.bottom - room.bottom));
    }
    CHECK_BELOW("pixels outside", worst, 1e-6);
}

static void stands_still_when_told(void)
{
    struct zt_shot shot = one_move(ZT_MOVE_PUSH_IN, 2);
    struct zt_pose path[FRAMES];

    path_of(&exact, &shot, 1, true, false, path);
    for (int i = 0; i < FRAMES; i++) {
        CHECK("rest position", path[i].zoom == 1 && path[i].x == 0 && path[i].y == 0);
        CHECK("no travel", largest(path[i].tx, path[i].ty, path[i].tz) == 0 && path[i].roll == 0);
    }
}

static void loops_without_a_stop(void)
{
    struct zt_shot shot = {
        .moves = 2, .move = { { ZT_MOVE_PUSH_IN, 1, 1, false }, { ZT_MOVE_HANDHELD, 1, 1, false } }
    };
    struct zt_pose p[FRAMES];
    double v[FRAMES + 2], most = 0, y;

    path_of(&exact, &shot, 9, false, true, p);
    for (int i = 0; i < FRAMES + 2; i++)
        appears(&exact, &p[i % FRAMES], 200, 100, ZT_D_FLAT, &v[i], &y);
    for (int i = 1; i < FRAMES; i++)
        most = fmax(most, fabs(v[i] - v[i - 1]));
    CHECK("from last to first as between neighbours", fabs(v[FRAMES] - v[FRAMES - 1]) <= most);
    double bend = 0;
    for (int i = 2; i < FRAMES; i++)
        bend = fmax(bend, fabs(v[i] - 2 * v[i - 1] + v[i - 2]));
    for (int i = FRAMES; i < FRAMES + 2; i++)
        CHECK("no bend at the seam", fabs(v[i] - 2 * v[i - 1] + v[i - 2]) <= bend * 1.05);
}

static bool same_paths(const struct zt_pose *a, const struct zt_pose *b)
{
    return memcmp(a, b, FRAMES * sizeof(*a)) == 0;
}

static void draws_from_the_seed(void)
{
    struct zt_shot hand = one_move(ZT_MOVE_HANDHELD, 1), nothing = { 0 };
    struct zt_pose a[FRAMES], b[FRAMES];

    path_of(&exact, &hand, 1, false, false, a);
    path_of(&exact, &hand, 1, false, false, b);
    CHECK("same seed, same shake", same_paths(a, b));
    path_of(&exact, &hand, 2, false, false, b);
    CHECK("another seed, another shake", !same_paths(a, b));
    path_of(&exact, &nothing, 3, false, false, a);
    CHECK("nothing asked for, nothing moves", memcmp(&a[0], &a[FRAMES - 1], sizeof(a[0])) == 0);
}

static void obeys_strength_speed_and_order(void)
{
    struct zt_shot little = one_move(ZT_MOVE_ZOOM_IN, 0.5F), much = one_move(ZT_MOVE_ZOOM_IN, 1.5F);
    struct zt_shot quick = one_move(ZT_MOVE_ZOOM_IN, 0.5F);
    struct zt_shot order = {
        .moves = 2, .move = { { ZT_MOVE_ZOOM_IN, 1, 1, false }, { ZT_MOVE_ROLL_CW, 0.3F, 1, true } }
    };
    struct zt_pose a[FRAMES], b[FRAMES];

    quick.move[0].speed = 2;
    path_of(&exact, &little, 1, false, false, a);
    path_of(&exact, &much, 1, false, false, b);
    CHECK("stronger goes farther", b[FRAMES - 1].zoom > a[FRAMES - 1].zoom * 1.1);
    path_of(&exact, &quick, 1, false, false, b);
    CHECK("quicker goes farther", b[FRAMES - 1].zoom > a[FRAMES - 1].zoom * 1.02);
    path_of(&exact, &order, 1, false, false, a);
    CHECK_NEAR("first the zoom", a[FRAMES / 2].zoom, a[FRAMES - 1].zoom, 1e-3);
    CHECK_NEAR("no turn before it is done", a[FRAMES / 2].roll, 0, 1e-6);
    CHECK("then the turn", a[FRAMES - 1].roll > 0.01);
}

/* A push begins at the whole picture, a pull-out ends there. */
static void shows_the_whole_picture(void)
{
    static const struct zt_room *const rooms[] = { &wide, &exact, &tall };
    struct zt_shot in = one_move(ZT_MOVE_PUSH_IN, 1), out = one_move(ZT_MOVE_PULL_OUT, 1);

    for (size_t i = 0; i < ZT_COUNT(rooms); i++) {
        struct zt_pose path[FRAMES];
        path_of(rooms[i], &in, 1, false, false, path);
        struct zt_extent e = zt_camera_extent(&path[0], 1, rooms[i]);
        CHECK_NEAR("in: width", e.right - e.left, rooms[i]->width, 0.01);
        path_of(rooms[i], &out, 1, false, false, path);
        e = zt_camera_extent(&path[FRAMES - 1], 1, rooms[i]);
        CHECK_NEAR("out: width", e.right - e.left, rooms[i]->width, rooms[i]->width * 0.001);
    }
}

int main(void)
{
    RUN(moves_the_right_way);
    RUN(dolly_zoom_keeps_the_subject);
    RUN(eases_without_jerk);
    RUN(never_leaves_the_picture);
    RUN(stands_still_when_told);
    RUN(loops_without_a_stop);
    RUN(draws_from_the_seed);
    RUN(obeys_strength_speed_and_order);
    RUN(shows_the_whole_picture);
    return check_done();
}
