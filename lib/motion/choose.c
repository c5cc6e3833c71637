/* choose.c - see choose.h. Lengths are frame pixels at zoom 1, as in camera.h. */
#include "motion/choose.h"

#include <math.h>

#include "base/rng.h"
#include "prompt/prompt.h"

#define PROXY_SIDE 64
#define STEP       0.03  /* of nearness, between neighbouring cells: more than a slope has */
#define MARGIN     0.03  /* of the frame: a subject this near to the edge counts as cut */
#define FELT       0.012 /* units of parallax that are felt; more is not better */
#define WIDE       1.25  /* times the frame: a picture worth looking along */

/* What the parts of a score weigh. They add up to about 1 for a good move. */
#define FOR_SUBJECT  3.0
#define FOR_FRAMING  0.5
#define FOR_DEPTH    0.25
#define FOR_INVENTED 12.0
#define FOR_CROP     0.6
#define FOR_LENGTH   0.5 /* to look along a wide picture */
#define FOR_SEED     0.22
#define FOR_SIDE     0.02 /* the seed's say between left and right, up and down */

/* The picture, small: how near its cells are, and how much of the subject each holds. */
struct proxy {
    int width, height;
    double left, top, cell_x, cell_y;
    double d[PROXY_SIDE * PROXY_SIDE];
    double subject[PROXY_SIDE * PROXY_SIDE]; /* sums to 1, or to 0 when nothing stands out */
    double spread;                           /* standard deviation of nearness */
};

/* ---- the proxy ----------------------------------------------------------------------------- */

static int order(const double *sorted, int n, double v)
{
    int at = n;

    while (at > 0 && sorted[at - 1] > v)
        at--;
    return at;
}

/*
 * A thing that stands is nearer than the ground beside it, so it is nearer than most of its own
 * row; the ground alone is as near as its row everywhere.
 */
static void find_subject(struct proxy *p)
{
    double sum = 0, mean = 0, square = 0;
    int n = p->width * p->height;

    for (int y = 0; y < p->height; y++) {
        const double *row = p->d + (size_t)(y * p->width);
        double *out = p->subject + (size_t)(y * p->width), sorted[PROXY_SIDE] = { 0 };
        for (int x = 0; x < p->width; x++) {
            int at = order(sorted, x, row[x]);
            for (int k = x; k > at; k--)
                sorted[k] = sorted[k - 1];
            sorted[at] = row[x];
        }
        double usual = sorted[p->width / 3];
        for (int x = 0; x < p->width; x++) {
            out[x] = fmax(0, row[x] - usual - STEP);
            sum += out[x];
            mean += row[x] / n;
            square += row[x] * row[x] / n;
        }
    }
    p->spread = sqrt(fmax(0, square - mean * mean));
    for (int i = 0; i < n; i++)
        p->subject[i] = sum > 0.002 * n ? p->subject[i] / sum : 0;
}

static void make_proxy(const struct zt_depth *depth, const struct zt_room *room, struct proxy *p)
{
    double w = room->right - room->left, h = room->bottom - room->top;
    double side = fmax(w, h) / PROXY_SIDE;

    p->width = (int)fmax(4, fmin(PROXY_SIDE, round(w / side)));
    p->height = (int)fmax(4, fmin(PROXY_SIDE, round(h / side)));
    p->left = room->left;
    p->top = room->top;
    p->cell_x = w / p->width;
    p->cell_y = h / p->height;
    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            double z = zt_depth_at(depth, (x + 0.5) * depth->width / p->width,
                                   (y + 0.5) * depth->height / p->height);
            p->d[y * p->width + x] = ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) * z;
        }
    }
    find_subject(p);
}

/* ---- a pose -------------------------------------------------------------------------------- */

/* Where in the frame a point of the picture appears: camera.h's map, the other way. */
static void appears(const struct zt_pose *pose, double unit, double px, double py, double d,
                    double *ox, double *oy)
{
    double c = cos(pose->roll), s = sin(pose->roll), near = 1 - pose->tz * d;
    double qx = (px - pose->tx * unit * d) / near - pose->x * unit;
    double qy = (py - pose->ty * unit * d) / near - pose->y * unit;

    *ox = (c * qx + s * qy) * pose->zoom;
    *oy = (c * qy - s * qx) * pose->zoom;
}

/* Where every cell's middle appears. */
struct placed {
    double x[PROXY_SIDE * PROXY_SIDE], y[PROXY_SIDE * PROXY_SIDE];
};

static void place(const struct proxy *p, const struct zt_room *room, const struct zt_pose *pose,
                  struct placed *ret)
{
    double unit = sqrt(room->width * room->height);

    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            int i = y * p->width + x;
            appears(pose, unit, p->left + (x + 0.5) * p->cell_x, p->top + (y + 0.5) * p->cell_y,
                    p->d[i], &ret->x[i], &ret->y[i]);
        }
    }
}

static bool inside(const struct zt_room *room, double x, double y, double margin)
{
    return fabs(x) < room->width * (0.5 - margin) && fabs(y) < room->height * (0.5 - margin);
}

/* How far two neighbours have moved apart, where a step in depth parts them. */
static double gap(const struct proxy *p, const struct placed *at, const struct zt_room *room,
                  const struct zt_pose *pose, int a, int b, bool across)
{
    double far = fmin(p->d[a], p->d[b]);

    if (fabs(p->d[a] - p->d[b]) < STEP || !inside(room, at->x[a], at->y[a], 0) ||
        !inside(room, at->x[b], at->y[b], 0))
        return 0;
    double size = pose->zoom / (1 - pose->tz * far);
    double beside = hypot(at->x[b] - at->x[a], at->y[b] - at->y[a]);
    bool crossed = across ? at->x[b] < at->x[a] : at->y[b] < at->y[a];
    double opened = (crossed ? -beside : beside) - size * (across ? p->cell_x : p->cell_y);
    return fmax(0, opened) * size * (across ? p->cell_y : p->cell_x);
}

static double invented(const struct proxy *p, const struct placed *at, const struct zt_room *room,
                       const struct zt_pose *pose)
{
    double area = 0;

    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            int i = y * p->width + x;
            if (x + 1 < p->width)
                area += gap(p, at, room, pose, i, i + 1, true);
            if (y + 1 < p->height)
                area += gap(p, at, room, pose, i, i + p->width, false);
        }
    }
    return area / (room->width * room->height);
}

double zt_choose_invented(const struct zt_depth *depth, const struct zt_room *room,
                          const struct zt_pose *pose)
{
    struct proxy p = { 0 };
    struct placed at = { 0 };

    make_proxy(depth, room, &p);
    place(&p, room, pose, &at);
    return invented(&p, &at, room, pose);
}

/* How much of the subject is in the frame, and how far its middle is from a place that suits it. */
static void judge_subject(const struct proxy *p, const struct placed *at,
                          const struct zt_room *room, double *ret_seen, double *ret_off)
{
    double seen = 0, x = 0, y = 0;

    for (int i = 0; i < p->width * p->height; i++) {
        x += p->subject[i] * at->x[i] / room->width;
        y += p->subject[i] * at->y[i] / room->height;
        seen += inside(room, at->x[i], at->y[i], MARGIN) ? p->subject[i] : 0;
    }
    *ret_seen = seen;
    *ret_off = INFINITY;
    for (int i = -1; i <= 1; i++) /* the middle, and where lines at a third cross */
        for (int j = -1; j <= 1; j++)
            *ret_off = fmin(*ret_off, hypot(x - i / 6.0, y - j / 6.0));
}

/* ---- candidates ---------------------------------------------------------------------------- */

/* The sides of a move share a row of luck: the seed draws what, the picture says which way. */
enum luck { ALONE, TRUCK, FAR_TRUCK, ORBIT, PEDESTAL, PAN, TILT, LUCKS };

struct part {
    enum zt_move_kind kind; /* STATIC: none */
    float strength;
    double liked; /* a matter of taste */
    enum luck luck;
};

/* clang-format off */
static const struct part along[] = {
    { ZT_MOVE_PUSH_IN, 0.75F, 0.22, 0 },
    { ZT_MOVE_PUSH_IN, 0.45F, 0.16, 0 },
    { ZT_MOVE_PULL_OUT, 0.6F, 0.10, 0 },
    { ZT_MOVE_STATIC, 0, 0, 0 },
};

static const struct part across[] = {
    { ZT_MOVE_STATIC, 0, 0.02, ALONE },
    { ZT_MOVE_TRUCK_LEFT, 0.3F, 0.03, TRUCK },
    { ZT_MOVE_TRUCK_RIGHT, 0.3F, 0.03, TRUCK },
    { ZT_MOVE_TRUCK_LEFT, 0.6F, 0.03, FAR_TRUCK },
    { ZT_MOVE_TRUCK_RIGHT, 0.6F, 0.03, FAR_TRUCK },
    { ZT_MOVE_ORBIT_LEFT, 0.5F, 0.04, ORBIT },
    { ZT_MOVE_ORBIT_RIGHT, 0.5F, 0.04, ORBIT },
    { ZT_MOVE_PEDESTAL_UP, 0.35F, -0.04, PEDESTAL },
    { ZT_MOVE_PEDESTAL_DOWN, 0.35F, -0.04, PEDESTAL },
    { ZT_MOVE_PAN_LEFT, 0.3F, -0.06, PAN },
    { ZT_MOVE_PAN_RIGHT, 0.3F, -0.06, PAN },
    { ZT_MOVE_TILT_UP, 0.3F, -0.06, TILT },
    { ZT_MOVE_TILT_DOWN, 0.3F, -0.06, TILT },
};

static const struct part looking_across[] = { { ZT_MOVE_PAN_LEFT, 0.8F, FOR_LENGTH, PAN },
                                              { ZT_MOVE_PAN_RIGHT, 0.8F, FOR_LENGTH, PAN } };
static const struct part looking_down[] = { { ZT_MOVE_TILT_UP, 0.8F, FOR_LENGTH, TILT },
                                            { ZT_MOVE_TILT_DOWN, 0.8F, FOR_LENGTH, TILT } };
/* clang-format on */

struct search {
    const struct proxy *proxy;
    const struct zt_room *room;
    const struct zt_path_options *options;
    struct zt_rng rng;
    double luck[ZT_COUNT(along)][LUCKS];
    double best;
    struct zt_shot *shot; /* gets the best moves so far */
};

/* How good it is to go from path[0] to path[1]. */
static double score(const struct search *s, const struct zt_pose path[2])
{
    const struct zt_room *room = s->room;
    double seen[2], off[2], opened = 0, widest = INFINITY;
    struct placed at = { 0 };

    for (int i = 0; i < 2; i++) {
        place(s->proxy, room, &path[i], &at);
        opened = fmax(opened, invented(s->proxy, &at, room, &path[i]));
        judge_subject(s->proxy, &at, room, &seen[i], &off[i]);
        widest = fmin(widest, path[i].zoom / (1 - path[i].tz * ZT_D_FLAT));
    }
    double travel = hypot(path[1].tx - path[0].tx, path[1].ty - path[0].ty) +
                    0.4 * fabs(path[1].tz - path[0].tz);
    double lost = fmax(0, seen[0] - seen[1]);
    return FOR_FRAMING * (off[0] - off[1]) - FOR_SUBJECT * lost - FOR_INVENTED * opened -
           FOR_CROP * fmax(0, log(widest)) + FOR_DEPTH * fmin(1, travel * s->proxy->spread / FELT);
}

static void consider(struct search *s, size_t which, const struct part *b)
{
    const struct part *a = &along[which];
    struct zt_shot shot = *s->shot;
    struct zt_path_options o = *s->options;
    struct zt_pose path[2];

    shot.moves = 0;
    if (a->kind != ZT_MOVE_STATIC)
        shot.move[shot.moves++] = (struct zt_move){ a->kind, a->strength, 1, false };
    if (b->kind != ZT_MOVE_STATIC)
        shot.move[shot.moves++] = (struct zt_move){ b->kind, b->strength, 1, false };
    if (shot.moves == 0)
        return;
    o.frames = 2;
    zt_camera_path(&shot, s->room, &o, path);
    double luck = FOR_SEED * s->luck[which][b->luck] + FOR_SIDE * (double)zt_rng_unit(&s->rng);
    double value = score(s, path) + a->liked + b->liked + luck;
    if (value > s->best) {
        s->best = value;
        *s->shot = shot;
    }
}

void zt_choose_moves(const struct zt_depth *depth, const struct zt_room *room,
                     const struct zt_path_options *options, struct zt_shot *shot)
{
    struct proxy proxy = { 0 };
    struct search s = {
        .proxy = &proxy, .room = room, .options = options, .best = -INFINITY, .shot = shot
    };

    make_proxy(depth, room, &proxy);
    zt_rng_init(&s.rng, options->seed, options->stream);
    for (size_t i = 0; i < ZT_COUNT(along) * LUCKS; i++)
        s.luck[i / LUCKS][i % LUCKS] = (double)zt_rng_unit(&s.rng);
    for (size_t i = 0; i < ZT_COUNT(along); i++) {
        for (size_t j = 0; j < ZT_COUNT(across); j++)
            consider(&s, i, &across[j]);
        for (size_t j = 0; j < 2; j++) {
            if (room->right - room->left > WIDE * room->width)
                consider(&s, i, &looking_across[j]);
            if (room->bottom - room->top > WIDE * room->height)
                consider(&s, i, &looking_down[j]);
        }
    }
}
