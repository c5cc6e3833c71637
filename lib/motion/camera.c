/*
 * camera.c - see camera.h.
 *
 * A move is a row of amounts added to the pose, scaled by an ease over its share of the shot. The
 * sum is then made to fit the room; a move never stops at an edge, it is made smaller as a whole.
 */
#include "motion/camera.h"

#include <math.h>

#include "base/rng.h"
#include "prompt/prompt.h"

/* The share of a move that it takes to reach, and to leave, its full speed. */
#define RAMP 0.4

/* Amounts in the table are for a shot of this length; longer shots go farther, but not as much. */
#define USUAL_SECONDS 5.0
#define LENGTH_POWER  0.6

/* How much of the picture may be cropped to make room for a move. */
#define CROP_MAX 1.30

/*
 * What one move of strength 1 adds up to over a shot. zoom is a logarithm. dolly is travel inwards
 * whose effect on the subject's size the zoom undoes.
 */
struct amount {
    double zoom, x, y, roll, tx, ty, tz;
    double dolly, shake;
};

/* clang-format off */
static const struct amount amounts[ZT_MOVE_KINDS] = {
    /*                           zoom      x      y   roll     tx     ty     tz  dolly  shake */
    [ZT_MOVE_STATIC]         = {     0,     0,     0,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_PUSH_IN]        = {  0.02,     0,     0,     0,     0,     0,  0.23,     0,     0 },
    [ZT_MOVE_PULL_OUT]       = { -0.02,     0,     0,     0,     0,     0, -0.26,     0,     0 },
    [ZT_MOVE_ZOOM_IN]        = {  0.26,     0,     0,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_ZOOM_OUT]       = { -0.26,     0,     0,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_DOLLY_ZOOM_IN]  = {     0,     0,     0,     0,     0,     0,     0,  0.34,     0 },
    [ZT_MOVE_DOLLY_ZOOM_OUT] = {     0,     0,     0,     0,     0,     0,     0,  -0.4,     0 },
    [ZT_MOVE_PAN_LEFT]       = {     0, -0.24,     0,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_PAN_RIGHT]      = {     0,  0.24,     0,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_TILT_UP]        = {     0,     0, -0.20,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_TILT_DOWN]      = {     0,     0,  0.20,     0,     0,     0,     0,     0,     0 },
    [ZT_MOVE_TRUCK_LEFT]     = {     0, -0.12,     0,     0, -0.15,     0,     0,     0,     0 },
    [ZT_MOVE_TRUCK_RIGHT]    = {     0,  0.12,     0,     0,  0.15,     0,     0,     0,     0 },
    [ZT_MOVE_PEDESTAL_UP]    = {     0,     0,  -0.1,     0,     0, -0.12,     0,     0,     0 },
    [ZT_MOVE_PEDESTAL_DOWN]  = {     0,     0,   0.1,     0,     0,  0.12,     0,     0,     0 },
    [ZT_MOVE_ROLL_CW]        = {     0,     0,     0,  0.10,     0,     0,     0,     0,     0 },
    [ZT_MOVE_ROLL_CCW]       = {     0,     0,     0, -0.10,     0,     0,     0,     0,     0 },
    [ZT_MOVE_ORBIT_LEFT]     = {  0.03, 0.153,     0,     0, -0.17,     0,     0,     0,     0 },
    [ZT_MOVE_ORBIT_RIGHT]    = {  0.03, -0.153,     0,     0,  0.17,     0,     0,     0,     0 },
    [ZT_MOVE_CRANE_UP]       = {     0,     0,  0.02,     0,     0, -0.16, -0.04,     0,     0 },
    [ZT_MOVE_CRANE_DOWN]     = {     0,     0, -0.02,     0,     0,  0.16,  0.04,     0,     0 },
    [ZT_MOVE_FOLLOW]         = {  0.02,     0,     0,     0,     0,     0,  0.16,     0,  0.35 },
    [ZT_MOVE_HANDHELD]       = {  0.03,     0,     0,     0,     0,     0,  0.03,     0,     1 },
};
/* clang-format on */

/* One move in its place: from .. to of the shot, 0 ... 1. */
struct leg {
    struct amount amount;
    double from, to;
};

struct legs {
    int n;
    struct leg leg[ZT_MOVES_MAX];
    double tx, ty; /* all travel sideways together */
};

/* The speed rises and falls as 3x^2 - 2x^3 over RAMP. */
double zt_ease(double u)
{
    if (u <= 0)
        return 0;
    if (u >= 1)
        return 1;
    if (u > 0.5)
        return 1 - zt_ease(1 - u);
    double full = 1 / (1 - RAMP);
    if (u >= RAMP)
        return full * (u - RAMP / 2);
    double x = u / RAMP;
    return full * RAMP * x * x * x * (1 - x / 2);
}

/* There and back: 0 at both ends of a period, 1 in its middle, smooth everywhere. */
static double swing(double u)
{
    return 0.5 - 0.5 * cos(2 * M_PI * u);
}

static struct amount scaled(const struct amount *a, double k)
{
    return (struct amount){ .zoom = a->zoom * k,
                            .x = a->x * k,
                            .y = a->y * k,
                            .roll = a->roll * k,
                            .tx = a->tx * k,
                            .ty = a->ty * k,
                            .tz = a->tz * k,
                            .dolly = a->dolly * k,
                            .shake = a->shake * k };
}

static double clamp(double v, double min, double max)
{
    return v < min ? min : v > max ? max : v;
}

/* The moves of a shot; those that run together share a stretch, `then` begins the next one. */
static void legs_of_shot(const struct zt_shot *shot, double seconds, struct legs *legs)
{
    double length = clamp(pow(seconds / USUAL_SECONDS, LENGTH_POWER), 0.3, 1.6);
    int stretches = 1, at = 0;

    for (int i = 1; i < shot->moves; i++)
        stretches += shot->move[i].then;
    length *= pow(1.0 / stretches, LENGTH_POWER);
    for (int i = 0; i < shot->moves && legs->n < ZT_MOVES_MAX; i++) {
        const struct zt_move *move = &shot->move[i];
        double strength = clamp(move->strength, 0.1, 3), speed = clamp(move->speed, 0.2, 3);
        at += i > 0 && move->then;
        legs->leg[legs->n++] = (struct leg){
            .amount = scaled(&amounts[move->kind], strength * pow(speed, 0.75) * length),
            .from = (double)at / stretches,
            .to = (double)(at + 1) / stretches,
        };
    }
}

/*
 * The most that near things may move against far ones, in units, over a shot: depth is a guess and
 * what was hidden is invented, and past this it begins to show.
 */
#define PARALLAX_MAX 0.06

/* How far from the middle of the frame a push is judged by. */
#define PUSH_RADIUS 0.4

/*
 * Travel beyond the limit becomes a pan or a zoom, which moves everything alike: the move keeps its
 * size and loses depth.
 */
static void limit_parallax(struct legs *legs)
{
    double across = 0, in = 0;

    for (int i = 0; i < legs->n; i++) {
        const struct amount *a = &legs->leg[i].amount;
        across += hypot(a->tx, a->ty);
        in += fabs(a->tz) + fabs(a->dolly);
    }
    double allowed = PARALLAX_MAX / (ZT_D_NEAR - ZT_D_FAR);
    double keep = fmin(1, allowed / fmax(across, 1e-9));
    double keep_in = fmin(1, allowed / PUSH_RADIUS / fmax(in, 1e-9));
    for (int i = 0; i < legs->n; i++) {
        struct amount *a = &legs->leg[i].amount;
        a->x += a->tx * (1 - keep) * ZT_D_FLAT;
        a->y += a->ty * (1 - keep) * ZT_D_FLAT;
        a->tx *= keep;
        a->ty *= keep;
        a->zoom += a->tz * (1 - keep_in);
        a->tz *= keep_in;
        a->dolly *= keep_in;
        legs->tx += a->tx;
        legs->ty += a->ty;
    }
}

/* ---- hand-held ----------------------------------------------------------------------------- */

#define TONES 7

/* A sum of tones between 0.25 and 2.2 Hz, softer towards the top, as a steady hand moves. */
struct shake {
    double hz[TONES], phase[TONES], size[TONES];
};

static struct shake new_shake(struct zt_rng *rng)
{
    struct shake s;
    double sum = 0;

    for (int i = 0; i < TONES; i++) {
        double at = (i + (double)zt_rng_unit(rng)) / TONES;
        s.hz[i] = 0.25 * pow(2.2 / 0.25, at);
        s.phase[i] = 2 * M_PI * (double)zt_rng_unit(rng);
        s.size[i] = 1 / s.hz[i];
        sum += s.size[i] * s.size[i] / 2;
    }
    for (int i = 0; i < TONES; i++)
        s.size[i] /= sqrt(sum); /* variance 1 */
    return s;
}

/* With a period, tones take the nearest whole number of turns in it. */
static double shake_at(const struct shake *s, double seconds, double period)
{
    double v = 0;

    for (int i = 0; i < TONES; i++) {
        double hz = period > 0 ? fmax(1, round(s->hz[i] * period)) / period : s->hz[i];
        v += s->size[i] * sin(2 * M_PI * hz * seconds + s->phase[i]);
    }
    return v;
}

/* Standard deviations of a shake of 1. */
#define SHAKE_X      0.0045
#define SHAKE_ROLL   0.0022
#define SHAKE_TRAVEL 0.003

struct hand {
    double size;
    struct shake x, y, roll, tx, ty;
};

static struct hand new_hand(const struct legs *legs, struct zt_rng *rng)
{
    struct hand h = { 0 };

    for (int i = 0; i < legs->n; i++)
        h.size = fmax(h.size, legs->leg[i].amount.shake);
    h.size = fmin(h.size, 2.5);
    h.x = new_shake(rng);
    h.y = new_shake(rng);
    h.roll = new_shake(rng);
    h.tx = new_shake(rng);
    h.ty = new_shake(rng);
    return h;
}

/* ---- the path ------------------------------------------------------------------------------ */

/* The pose at u (0 ... 1) of the shot, all amounts times k. */
static struct zt_pose pose_at(const struct legs *legs, const struct hand *hand,
                              const struct zt_path_options *o, int frame, double k)
{
    double u = o->frames > 1 ? (double)frame / (o->loop ? o->frames : o->frames - 1) : 0;
    struct zt_pose pose = { .zoom = 1 };
    double zoom = 0, dolly = 0;

    for (int i = 0; i < legs->n; i++) {
        const struct leg *leg = &legs->leg[i];
        double at = (u - leg->from) / (leg->to - leg->from);
        double e = k * (o->loop ? swing(u) : zt_ease(at));
        zoom += leg->amount.zoom * e;
        pose.x += leg->amount.x * e;
        pose.y += leg->amount.y * e;
        pose.roll += leg->amount.roll * e;
        pose.tx += leg->amount.tx * e;
        pose.ty += leg->amount.ty * e;
        pose.tz += leg->amount.tz * e;
        dolly += leg->amount.dolly * e;
    }
    /* The picture was taken in the middle of a sideways travel: half of it is seen either way. */
    pose.tx -= k * legs->tx / 2;
    pose.ty -= k * legs->ty / 2;
    pose.x += k * legs->tx / 2 * ZT_D_FLAT;
    pose.y += k * legs->ty / 2 * ZT_D_FLAT;
    if (hand->size > 0) {
        double seconds = u * o->seconds, period = o->loop ? o->seconds : 0, s = hand->size * k;
        pose.x += s * SHAKE_X * shake_at(&hand->x, seconds, period);
        pose.y += s * SHAKE_X * shake_at(&hand->y, seconds, period);
        pose.roll += s * SHAKE_ROLL * shake_at(&hand->roll, seconds, period);
        pose.tx += s * SHAKE_TRAVEL * shake_at(&hand->tx, seconds, period);
        pose.ty += s * SHAKE_TRAVEL * shake_at(&hand->ty, seconds, period);
    }
    dolly = clamp(dolly, -0.6, 0.5);
    pose.tz = clamp(pose.tz + dolly, -0.8, 0.6);
    pose.zoom = exp(zoom) * (1 - dolly * ZT_D_SUBJECT);
    return pose;
}

void zt_camera_see(const struct zt_pose *pose, const struct zt_room *room, double ox, double oy,
                   double d, double *px, double *py)
{
    double unit = sqrt(room->width * room->height);
    double c = cos(pose->roll), s = sin(pose->roll);
    double qx = (c * ox - s * oy) / pose->zoom + pose->x * unit;
    double qy = (s * ox + c * oy) / pose->zoom + pose->y * unit;

    *px = qx * (1 - pose->tz * d) + pose->tx * unit * d;
    *py = qy * (1 - pose->tz * d) + pose->ty * unit * d;
}

struct zt_extent zt_camera_extent(const struct zt_pose *path, int frames,
                                  const struct zt_room *room)
{
    struct zt_extent e = { INFINITY, INFINITY, -INFINITY, -INFINITY };

    /* What a corner sees is linear in d, and what lies between corners is between what they see. */
    for (int i = 0; i < frames; i++) {
        for (int corner = 0; corner < 8; corner++) {
            double x, y, ox = corner & 1 ? room->width / 2 : -room->width / 2;
            double oy = corner & 2 ? room->height / 2 : -room->height / 2;
            zt_camera_see(&path[i], room, ox, oy, corner & 4 ? ZT_D_NEAR : ZT_D_FAR, &x, &y);
            e.left = fmin(e.left, x);
            e.top = fmin(e.top, y);
            e.right = fmax(e.right, x);
            e.bottom = fmax(e.bottom, y);
        }
    }
    return e;
}

/*
 * How far to move [low, high] to lie in [min, max]; *over is by how much it is too long, 0 when it
 * fits.
 */
static double shift_into(double low, double high, double min, double max, double *over)
{
    *over = fmax(0, (high - low) - (max - min));
    if (*over > 0)
        return (min + max) / 2 - (low + high) / 2;
    if (low < min)
        return min - low;
    return high > max ? max - high : 0;
}

/* Fills the path with amounts k and a crop, shifted into the room; false when it is too large. */
static bool try_path(const struct legs *legs, const struct hand *hand, const struct zt_room *room,
                     const struct zt_path_options *o, double k, double crop, struct zt_pose *path)
{
    double unit = sqrt(room->width * room->height);

    for (int i = 0; i < o->frames; i++) {
        path[i] = pose_at(legs, hand, o, i, k);
        path[i].zoom *= crop;
    }
    /* A shift of the view moves what is seen by 1 - tz d, so a few rounds settle it. */
    for (int round = 0; round < 8; round++) {
        struct zt_extent e = zt_camera_extent(path, o->frames, room);
        double over_x, over_y;
        double dx = shift_into(e.left, e.right, room->left, room->right, &over_x);
        double dy = shift_into(e.top, e.bottom, room->top, room->bottom, &over_y);
        if (over_x > 1e-9 || over_y > 1e-9)
            return false;
        if (fabs(dx) < 1e-9 && fabs(dy) < 1e-9)
            return true;
        for (int i = 0; i < o->frames; i++) {
            path[i].x += dx / unit;
            path[i].y += dy / unit;
        }
    }
    return false;
}

/* The smallest crop that makes room for amounts k, or 0 when CROP_MAX is not enough. */
static double crop_for(const struct legs *legs, const struct hand *hand, const struct zt_room *room,
                       const struct zt_path_options *o, double k, struct zt_pose *path)
{
    double low = 1, high = CROP_MAX;

    if (try_path(legs, hand, room, o, k, 1, path))
        return 1;
    /* A pull-out begins as far in as it goes: its own zoom comes on top of the crop. */
    for (int i = 0; i < legs->n; i++) {
        const struct amount *a = &legs->leg[i].amount;
        high *= exp(k * fmax(0, -a->zoom)) * (1 + k * fmax(0, -a->tz)) * (1 + k * fabs(a->dolly));
    }
    if (!try_path(legs, hand, room, o, k, high, path))
        return 0;
    for (int round = 0; round < 16; round++) {
        double middle = (low + high) / 2;
        if (try_path(legs, hand, room, o, k, middle, path))
            high = middle;
        else
            low = middle;
    }
    return high;
}

void zt_camera_path(const struct zt_shot *shot, const struct zt_room *room,
                    const struct zt_path_options *o, struct zt_pose *path)
{
    struct legs legs = { 0 };
    struct zt_rng rng;
    double k = 1, crop;

    zt_rng_init(&rng, o->seed, o->stream);
    if (!o->still)
        legs_of_shot(shot, o->seconds, &legs);
    limit_parallax(&legs);
    struct hand hand = new_hand(&legs, &rng);
    for (;;) {
        crop = crop_for(&legs, &hand, room, o, k, path);
        if (crop > 0 || k < 1e-6)
            break;
        k = k < 0.02 ? 0 : k * 0.9;
    }
    bool fits = try_path(&legs, &hand, room, o, crop > 0 ? k : 0, crop > 0 ? crop : 1, path);
    zt_assert(fits || k == 0);
}
