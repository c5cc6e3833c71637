/* Where a closer view looks: salience maps with things of known places. */
#include "motion/focus.h"

#include <math.h>

#include "check.h"

#define SIDE_X 96
#define SIDE_Y 54

/* Salience; u, v 0 ... 1 across the picture. */
static double head_and_shoulders(double u, double v)
{
    bool head = hypot(u - 0.4, (v - 0.2) * 0.6) < 0.08;
    bool body = fabs(u - 0.4) < 0.2 && v > 0.35;
    return head ? 0.65 : body ? 1 : 0.2;
}

static double nothing(double u, double v)
{
    return 0 * u * v;
}

static double ball_right(double u, double v)
{
    return hypot(u - 0.7, (v - 0.6) * 0.6) < 0.1 ? 1 : 0.3;
}

/* Cut by the picture's upper rim: nothing is gained by showing more of it. */
static double trunk(double u, double v)
{
    (void)v;
    return fabs(u - 0.55) < 0.15 ? 1 : 0;
}

static void looks_at_what_stands_out(void)
{
    static const struct zt_room half = { 624, 352, -624, -352, 624, 352 };
    static const struct {
        const char *label;
        double (*salient)(double u, double v);
        double x, y, off; /* of the middle of a view half as wide */
    } rows[] = { { "a head is not cut off", head_and_shoulders, 0.4, 0.25, 0.06 },
                 { "a small thing is in the middle", ball_right, 0.7, 0.6, 0.14 },
                 { "a trunk is as good anywhere", trunk, 0.55, 0.5, 0.05 },
                 { "nothing stands out", nothing, 0.5, 0.5, 0 } };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        static float salient[SIDE_X * SIDE_Y];
        struct zt_depth depth = { .width = SIDE_X, .height = SIDE_Y, .salient = salient };
        double x = 0, y = 0;
        for (int k = 0; k < SIDE_X * SIDE_Y; k++)
            salient[k] = (float)rows[i].salient((k % SIDE_X + 0.5) / SIDE_X,
                                                ((int)(k / SIDE_X) + 0.5) / SIDE_Y);
        zt_focus_find(&depth, &half, &x, &y);
        CHECK_NEAR(rows[i].label, x, rows[i].x, 0.04);
        CHECK_NEAR(rows[i].label, y, rows[i].y, rows[i].off);
        depth.salient = NULL;
        zt_focus_find(&depth, &half, &x, &y);
        CHECK_NEAR("not known", x + y, 1, 0);
    }
}

int main(void)
{
    RUN(looks_at_what_stands_out);
    return check_done();
}
