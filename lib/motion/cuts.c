/* cuts.c - see cuts.h. */
#include "motion/cuts.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define STEP            0.10F /* difference of neighbouring grid points that counts as a step */
#define STEP_REACH      3     /* grid points that a step may go on for, either way */
#define LEAST_STEPS     0.25F /* steps a cut crosses, in grid heights, to be worth it */
#define LEAST_APART     0.22F /* between two cuts */
#define LEVELS_OF_DEPTH 64    /* bins of the search for cuts */

/*
 * How far the depth goes on rising or falling past a point, along an axis: an estimated step takes
 * a few grid points, and all of them are one step.
 */
static float end_of_step(const struct zt_depth *depth, int x, int y, int dx, int dy, bool rising)
{
    const float *z = depth->z + (size_t)y * (size_t)depth->width + (size_t)x;

    for (int i = 0; i < STEP_REACH; i++) {
        x += dx;
        y += dy;
        if (x < 0 || y < 0 || x >= depth->width || y >= depth->height)
            break;
        const float *next = depth->z + (size_t)y * (size_t)depth->width + (size_t)x;
        if (rising ? *next < *z + STEP / 4 : *next > *z - STEP / 4)
            break;
        z = next;
    }
    return *z;
}

/*
 * steps[k], slopes[k]: neighbouring points whose depths lie on both sides of (k + 0.5) / bins. A
 * step that one of the cuts goes through already does not count again.
 */
static void count_crossings(const struct zt_depth *depth, const float *cut, int cuts, float *steps,
                            float *slopes)
{
    int width = depth->width, n = width * depth->height;
    uint8_t *level = zt_new_array(uint8_t, (size_t)n); /* thresholds below each point */

    for (int i = 0; i < n; i++) {
        float below = ceilf(depth->z[i] * LEVELS_OF_DEPTH - 0.5F);
        level[i] = (uint8_t)fminf(fmaxf(below, 0), LEVELS_OF_DEPTH);
    }
    for (int i = 0; i < 2 * n; i++) {
        int dx = i < n, dy = !dx, p = i % n, x = p % width, y = p / width;
        int q = p + 2 * (dx + dy * width); /* two points away: filtered steps are two wide */
        if ((dx && x + 2 >= width) || q >= n || level[p] == level[q])
            continue;
        float a = depth->z[p], b = depth->z[q];
        float *count = fabsf(a - b) > STEP ? steps : slopes;
        bool through = false;
        if (count == steps && cuts > 0) {
            float before = end_of_step(depth, x, y, -dx, -dy, a > b);
            float after = end_of_step(depth, x + 2 * dx, y + 2 * dy, dx, dy, b > a);
            for (int k = 0; k < cuts; k++)
                through |= fminf(before, after) < cut[k] && cut[k] <= fmaxf(before, after);
        }
        int last = level[a < b ? q : p];
        for (int k = level[a < b ? p : q]; k < last && !through; k++)
            count[k] += 0.5F;
    }
    free(level);
}

/* The best further threshold, or a negative number when none is worth it. */
static float find_cut(const struct zt_depth *depth, const float *cut, int cuts)
{
    float steps[LEVELS_OF_DEPTH] = { 0 };
    float slopes[LEVELS_OF_DEPTH] = { 0 };
    float score[LEVELS_OF_DEPTH] = { 0 };
    int best = 0;

    count_crossings(depth, cut, cuts, steps, slopes);
    for (int i = 2; i < LEVELS_OF_DEPTH - 2; i++) {
        float at = ((float)i + 0.5F) / LEVELS_OF_DEPTH;
        bool apart = true;
        for (int k = 0; k < cuts; k++)
            apart &= fabsf(cut[k] - at) >= LEAST_APART;
        if (apart && steps[i] >= LEAST_STEPS * (float)depth->height)
            score[i] = steps[i] * steps[i] / (steps[i] + slopes[i] + 1e-6F);
        best = score[i] > score[best] ? i : best;
    }
    if (score[best] <= 0)
        return -1;
    int end = best; /* a clean step is as good all the way through: cut it in the middle */
    while (end + 1 < LEVELS_OF_DEPTH && score[end + 1] >= 0.98F * score[best])
        end++;
    return ((float)(best + end) / 2 + 0.5F) / LEVELS_OF_DEPTH;
}

int zt_cuts_find(const struct zt_depth *depth, float *cut)
{
    cut[0] = find_cut(depth, cut, 0);
    if (cut[0] < 0)
        return 0;
    cut[1] = find_cut(depth, cut, 1);
    if (cut[1] < 0)
        return 1;
    if (cut[0] > cut[1]) {
        float swap = cut[0];
        cut[0] = cut[1];
        cut[1] = swap;
    }
    return 2;
}
