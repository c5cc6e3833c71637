/* sizes.c - the resolution x aspect table; see plan.h. */
#include <math.h>

#include "engine/plan.h"

/*
 * Seedance 1.0's sizes: about the same number of pixels in every row of a column. 9:21 is not in
 * every list of theirs, but in their clients'; it is 21:9 turned.
 */
/* clang-format off */
static const struct {
    const char *ratio;
    int width, height;                   /* the ratio as named: what pictures are compared with */
    struct { int width, height; } px[3]; /* by enum zt_resolution */
} rows[] = {
    { "16:9", 16, 9,  { {  864,  480 }, { 1248,  704 }, { 1920, 1088 } } },
    { "4:3",  4,  3,  { {  736,  544 }, { 1120,  832 }, { 1664, 1248 } } },
    { "1:1",  1,  1,  { {  640,  640 }, {  960,  960 }, { 1440, 1440 } } },
    { "3:4",  3,  4,  { {  544,  736 }, {  832, 1120 }, { 1248, 1664 } } },
    { "9:16", 9,  16, { {  480,  864 }, {  704, 1248 }, { 1088, 1920 } } },
    { "21:9", 21, 9,  { {  960,  416 }, { 1504,  640 }, { 2176,  928 } } },
    { "9:21", 9,  21, { {  416,  960 }, {  640, 1504 }, {  928, 2176 } } },
};
/* clang-format on */

void zt_size_for(enum zt_resolution resolution, int image_width_px, int image_height_px,
                 int *ret_width_px, int *ret_height_px)
{
    double want = log((double)image_width_px / image_height_px), nearest = INFINITY;
    size_t best = 0;

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        double off = fabs(log((double)rows[i].width / rows[i].height) - want);
        if (off < nearest) {
            nearest = off;
            best = i;
        }
    }
    *ret_width_px = rows[best].px[resolution].width;
    *ret_height_px = rows[best].px[resolution].height;
}

bool zt_size_row(int index, enum zt_resolution resolution, const char **ret_ratio,
                 int *ret_width_px, int *ret_height_px)
{
    if (index < 0 || (size_t)index >= ZT_COUNT(rows))
        return false;
    *ret_ratio = rows[index].ratio;
    *ret_width_px = rows[index].px[resolution].width;
    *ret_height_px = rows[index].px[resolution].height;
    return true;
}
