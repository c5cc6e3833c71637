/*
 * shape.c - see shape.h.
 */
#include "models/wan/shape.h"

#include "engine/plan.h"

#include <math.h>
#include <string.h>

#define STEP 32 /* pixels a token, each way */

static int floor_step(double px)
{
    int n = (int)(px / STEP) * STEP;

    return n < STEP ? STEP : n;
}

/* specs/wan.md 2.1, "TI2V-5B size rule", with the area as its budget. */
static void size_by_area(double area, double ratio, int *ret_w, int *ret_h)
{
    double w = sqrt(area * ratio), h = area / w;
    int w1 = floor_step(w), h1 = floor_step(area / w1);
    int h2 = floor_step(h), w2 = floor_step(area / h2);
    double r1 = (double)w1 / h1, r2 = (double)w2 / h2;
    bool first = fmax(ratio / r1, r1 / ratio) < fmax(ratio / r2, r2 / ratio);

    *ret_w = first ? w1 : w2;
    *ret_h = first ? h1 : h2;
}

void zt_wan_size(const struct zt_card *card, int width_px, int height_px, int *ret_width_px,
                 int *ret_height_px)
{
    if ((int64_t)width_px * height_px <= card->max_pixels) {
        *ret_width_px = width_px;
        *ret_height_px = height_px;
        return;
    }
    for (int r = ZT_1080P; r >= ZT_480P; r--) {
        int w, h;
        zt_size_for((enum zt_resolution)r, width_px, height_px, &w, &h);
        if ((int64_t)w * h <= card->max_pixels) {
            *ret_width_px = w;
            *ret_height_px = h;
            return;
        }
    }
    size_by_area((double)card->max_pixels, (double)width_px / height_px, ret_width_px,
                 ret_height_px);
}

int zt_wan_parts(const struct zt_card *card, int frames, struct zt_wan_part ret[ZT_WAN_PARTS_MAX])
{
    int units = (frames - 1) / 4, most = (card->max_frames - 1) / 4;
    int n = (units + most - 1) / most;

    zt_assert(frames > 1 && (frames - 1) % 4 == 0 && n <= ZT_WAN_PARTS_MAX);
    for (int i = 0; i < n; i++) {
        int own = units / n + (i < units % n);
        ret[i].overlap = i > 0 ? card->overlap_frames : 0;
        ret[i].frames = 4 * own + (i > 0 ? card->overlap_frames : 1);
    }
    return n;
}
