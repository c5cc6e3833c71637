/* focus.c - see focus.h. */
#include "motion/focus.h"

#include <math.h>

#define SIDE     64
#define SAMPLES  3    /* of a cell, across and down */
#define SALIENT  0.45 /* of depth.h: what begins to stand out */
#define THING    0.65 /* and what stands out in full */
#define HEADROOM 0.1  /* of a view, above its subject */
#define FILLED   0.35 /* of a view, with what stands out: more is not better */

/* What the parts of a view's worth weigh. */
#define FOR_TOP    0.8 /* a subject's top, which may be a head, is in it */
#define FOR_EVEN   0.2 /* as much in its upper half as in its lower */
#define FOR_CENTRE 0.1

/* SIDE cells either way. */
struct attention {
    double drawn[SIDE][SIDE]; /* how much a cell draws the eye */
    double thing[SIDE][SIDE]; /* how much of it is of what stands out, 0 ... 1 */
};

/* The mean over a cell, from SAMPLES x SAMPLES places in it. */
static void look_at_cell(const struct zt_depth *depth, int x, int y, struct attention *ret)
{
    const int side = SIDE * SAMPLES;

    for (int k = 0; k < SAMPLES * SAMPLES; k++) {
        int column = (x * SAMPLES + k % SAMPLES) * depth->width / side;
        int row = (y * SAMPLES + k / SAMPLES) * depth->height / side;
        double over = fmax(0, (double)depth->salient[row * depth->width + column] - SALIENT);
        ret->drawn[y][x] += over / (SAMPLES * SAMPLES);
        ret->thing[y][x] += fmin(1, over / (THING - SALIENT)) / (SAMPLES * SAMPLES);
    }
}

/* false: nothing stands out. */
static bool pay_attention(const struct zt_depth *depth, struct attention *ret)
{
    double sum = 0;

    *ret = (struct attention){ 0 };
    for (int i = 0; depth->salient != NULL && i < SIDE * SIDE; i++) {
        look_at_cell(depth, i % SIDE, i / SIDE, ret);
        sum += ret->drawn[i / SIDE][i % SIDE];
    }
    return sum > 0;
}

/* How much of cell i lies in from ... from + length. */
static double inside_cell(int i, double from, double length)
{
    return fmax(0, fmin(i + 1, from + length) - fmax(i, from));
}

/* The sum within a rectangle of cells, which may reach beyond the grid. */
static double sum_of(double (*map)[SIDE], double x, double y, double w, double h)
{
    double sum = 0;

    for (int i = (int)fmax(0, y); i < SIDE && i < y + h; i++)
        for (int j = (int)fmax(0, x); j < SIDE && j < x + w; j++)
            sum += inside_cell(i, y, h) * inside_cell(j, x, w) * map[i][j];
    return sum;
}

/* The column that has as much on its left as on its right, of the rows y ... y + h. */
static double median_column(struct attention *a, double y, double h)
{
    double all = sum_of(a->drawn, 0, y, SIDE, h), left = 0;
    int x = 0;

    for (; x < SIDE - 1; x++) {
        double column = sum_of(a->drawn, x, y, 1, h);
        if (left + column >= all / 2)
            return x + (column > 0 ? (all / 2 - left) / column : 0.5);
        left += column;
    }
    return x;
}

/*
 * The share of a view's upper rim that cuts through a thing whose top can be seen in the picture:
 * in the same column, something above it does not stand out.
 */
static double cut_off(struct attention *a, double x, double y, double w, double h)
{
    double strip = h * HEADROOM, sum = 0;

    for (int j = 0; j < SIDE; j++) {
        double least = 1;
        for (int i = 0; i < SIDE; i++) {
            least = fmin(least, a->thing[i][j]);
            sum += inside_cell(i, y, strip) * inside_cell(j, x, w) *
                   fmax(0, a->thing[i][j] - 2 * least);
        }
    }
    return sum / (w * strip);
}

/* What a view of w x h cells from (x, y) is worth, but for what lies above it. */
static double worth(struct attention *a, double x, double y, double w, double h)
{
    double upper = sum_of(a->drawn, x, y, w, h / 2);
    double lower = sum_of(a->drawn, x, y + h / 2, w, h / 2);
    double filled = sum_of(a->thing, x, y, w, h) / (w * h);
    double uneven = upper + lower > 0 ? fabs(upper - lower) / (upper + lower) : 1;
    double centred = 1 - fabs(y + h / 2 - SIDE / 2.0) / SIDE;

    return fmin(1, filled / FILLED) - FOR_EVEN * uneven + FOR_CENTRE * centred;
}

void zt_focus_find(const struct zt_depth *depth, const struct zt_room *room, double *ret_x,
                   double *ret_y)
{
    double w = SIDE * room->width / (room->right - room->left);
    double h = SIDE * room->height / (room->bottom - room->top);
    double best = -INFINITY, lost = 0, y = 0;
    struct attention a;

    *ret_x = *ret_y = 0.5;
    if (!pay_attention(depth, &a))
        return;
    double x = fmin(fmax(median_column(&a, 0, SIDE) - w / 2, 0), SIDE - w);
    for (int half = 0; half <= 2 * (SIDE - h); half++) {
        double at = half / 2.0;
        lost = fmax(lost, cut_off(&a, x, at, w, h)); /* what is above is lost as well */
        double value = worth(&a, x, at, w, h) - FOR_TOP * lost;
        if (value > best) {
            best = value;
            y = at;
        }
    }
    *ret_x = median_column(&a, y, h) / SIDE;
    *ret_y = (y + h / 2) / SIDE;
}
