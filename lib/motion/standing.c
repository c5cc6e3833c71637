/* standing.c - see standing.h. */
#include "motion/standing.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

/* A grid point's mean contrast from which it belongs to a thing; the points that make one up. */
#define DARK  0.1F
#define LIGHT 0.15F
#define PART  12

struct search {
    const struct zt_image *picture;
    int width, height; /* of the grid */
    uint8_t *marks;    /* 1: of a thing */
};

/* ---- thin things --------------------------------------------------------------------------- */

/*
 * How much darker (blue: a blue sky is brightest there) or lighter (red: darkest) a pixel is than
 * both that lie `offset` bytes before and behind it. An edge is darker or lighter than one. A gap
 * between clouds is darker than they are too, but bluer.
 */
static void contrast(const uint8_t *p, ptrdiff_t offset, float *dark, float *light)
{
    const uint8_t *a = p - offset, *b = p + offset;
    int blue = a[2] < b[2] ? a[2] : b[2], red = a[0] > b[0] ? a[0] : b[0];
    bool bluer = 2 * (p[2] - p[0]) > a[2] - a[0] + b[2] - b[0] + 10;

    if (p[2] < blue && !bluer)
        *dark = fmaxf(*dark, (float)(blue - p[2]) / (float)(blue + 8));
    if (p[0] > red)
        *light = fmaxf(*light, (float)(p[0] - red) / (float)(red + 30));
}

static bool is_thing(const struct search *s, int column, int row)
{
    const struct zt_image *image = s->picture;
    int x0 = column * image->width_px / s->width, x1 = (column + 1) * image->width_px / s->width;
    int y0 = row * image->height_px / s->height, y1 = (row + 1) * image->height_px / s->height;
    const int reach[2] = { (x1 - x0 + 1) / 2, (x1 - x0) * 4 / 3 }; /* for things twice as wide */
    float dark = 0, light = 0;

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            const uint8_t *p = image->pixels + (size_t)y * image->stride + (size_t)x * 3;
            float d = 0, l = 0;
            for (int k = 0; k < 2; k++) {
                int far = reach[k];
                if (x >= far && x + far < image->width_px)
                    contrast(p, (ptrdiff_t)far * 3, &d, &l);
                if (y >= far && y + far < image->height_px)
                    contrast(p, (ptrdiff_t)far * (ptrdiff_t)image->stride, &d, &l);
            }
            dark += d;
            light += l;
        }
    }
    float n = (float)((x1 - x0) * (y1 - y0));
    return dark > DARK * n || light > LIGHT * n;
}

static void mark_rows(void *user, int first, int end)
{
    const struct search *s = user;

    for (int y = first; y < end; y++)
        for (int x = 0; x < s->width; x++)
            s->marks[y * s->width + x] = is_thing(s, x, y);
}

/* ---- distance ------------------------------------------------------------------------------ */

/* One of two sweeps, forth or back, of Borgefors' chamfer distance with steps 1 and sqrt 2. */
static void sweep(float *distance, int width, int height, bool back)
{
    int n = width * height, step = back ? -1 : 1;

    for (int k = 0; k < n; k++) {
        int i = back ? n - 1 - k : k;
        int x = k % width; /* how many points of the row came before */
        float d = distance[i];
        if (x > 0)
            d = fminf(d, distance[i - step] + 1);
        if (k >= width) {
            const float *row = distance + i - step * width;
            d = fminf(d, row[0] + 1);
            d = x > 0 ? fminf(d, row[-step] + 1.41421F) : d;
            d = x + 1 < width ? fminf(d, row[step] + 1.41421F) : d;
        }
        distance[i] = d;
    }
}

void zt_standing_ramp(const struct zt_image *picture, const struct zt_regions *regions,
                      const float *mask, float calm, float reach, struct zt_pool *pool, float *ret)
{
    int w = regions->width, h = regions->height;
    int32_t *queue = zt_new_array(int32_t, (size_t)w * (size_t)h);
    uint8_t *marks = zt_new_array(uint8_t, (size_t)w * (size_t)h);
    struct search s = { .picture = picture, .width = w, .height = h, .marks = marks };

    zt_pool_for(pool, h, 4, mark_rows, &s);
    zt_drop_parts(marks, w, h, PART, -1, true, queue); /* specks go with the sky */
    for (int i = 0; i < w * h; i++)
        ret[i] = marks[i] ? 0 : mask[i] < 0.5F ? calm : calm + reach;
    sweep(ret, w, h, false);
    sweep(ret, w, h, true);
    for (int i = 0; i < w * h; i++)
        ret[i] = fmaxf(0, ret[i] - calm) / reach;
    free(queue);
    free(marks);
}
