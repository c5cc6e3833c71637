/*
 * splat.c - see splat.h. Each direction is one task, dropping its pixels in order: sums of floats
 * depend on the order, so the order must not depend on the threads.
 */
#include "motion/splat.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define PLANES    6
#define TOGETHER2 1.0f   /* squared pixels of motion within which pixels are of one thing */
#define BEHIND    0.002f /* weight of a pixel without confidence against one with */
#define DOUBT     0.04f  /* odds of a pixel without confidence */
#define SPARSE    0.15f  /* cover below which a place is a hole... */
#define DENSE     0.55f  /* ...and above which it is whole */

/* What has fallen on a place. */
struct zt_between_place {
    float most, lead_x, lead_y;               /* the pixel that counts most there, and its motion */
    float cover, weight, sum_x, sum_y, clean; /* of the pixels that move as it does */
};

enum zt_code zt_between_init(struct zt_between *b, int width, int height, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;

    ZT_TRY(zt_try_alloc(n, sizeof(*b->at), "motion between two pictures", (void **)&b->at, err));
    ZT_TRY(zt_try_alloc(2 * n, sizeof(*b->places), "motion between two pictures",
                        (void **)&b->places, err));
    b->width = width;
    b->height = height;
    return ZT_OK;
}

void zt_between_clear(struct zt_between *b)
{
    free(b->at);
    free(b->places);
    *b = (struct zt_between){ 0 };
}

struct drop {
    struct zt_between *b;
    const struct zt_flow *flow[2];
    float way[2];  /* how far along its flow each picture's pixels are */
    float sign[2]; /* from its flow to the motion from first to last */
};

/* Where a pixel falls: the four places around it, and its share in each. */
struct fall {
    int x, y;
    float share[4];
    float weight; /* how much it counts against others there */
    float rx, ry; /* its motion from the first picture to the last */
};

static bool falls(const struct drop *d, int i, size_t at, int x, int y, struct fall *ret)
{
    const struct zt_flow *f = d->flow[i];
    float px = (float)x + d->way[i] * f->u[at], py = (float)y + d->way[i] * f->v[at];
    float c = f->conf[at];

    if (c < 0.0f ||
        !(px > -1.0f && py > -1.0f && px < (float)d->b->width && py < (float)d->b->height))
        return false;
    ret->x = (int)(px + 1.0f) - 1;
    ret->y = (int)(py + 1.0f) - 1;
    float fx = px - (float)ret->x, fy = py - (float)ret->y;
    ret->share[0] = (1.0f - fx) * (1.0f - fy);
    ret->share[1] = fx * (1.0f - fy);
    ret->share[2] = (1.0f - fx) * fy;
    ret->share[3] = fx * fy;
    ret->weight = BEHIND + c * c;
    ret->rx = d->sign[i] * f->u[at];
    ret->ry = d->sign[i] * f->v[at];
    return true;
}

/* The place of corner k, or NULL outside. */
static struct zt_between_place *place_at(struct zt_between_place *places,
                                         const struct zt_between *b, const struct fall *f, int k)
{
    int x = f->x + (k & 1), y = f->y + (k >> 1);

    if (x < 0 || x >= b->width || y < 0 || y >= b->height)
        return NULL;
    return places + (size_t)y * (size_t)b->width + (size_t)x;
}

static void lead(struct zt_between_place *p, const struct fall *f, int k)
{
    float weight = f->share[k] * f->weight;

    if (weight > p->most) {
        p->most = weight;
        p->lead_x = f->rx;
        p->lead_y = f->ry;
    }
}

static void join(struct zt_between_place *p, const struct fall *f, int k, float clean)
{
    float dx = f->rx - p->lead_x, dy = f->ry - p->lead_y, weight = f->share[k] * f->weight;

    if (dx * dx + dy * dy > TOGETHER2)
        return;
    p->cover += f->share[k];
    p->weight += weight;
    p->sum_x += weight * f->rx;
    p->sum_y += weight * f->ry;
    p->clean += weight * clean;
}

/* First who counts most at each place, then the sum of those that move as it does. */
static void drop_picture(void *user, int first, int end)
{
    const struct drop *d = user;
    int w = d->b->width, h = d->b->height;
    size_t n = (size_t)w * (size_t)h;
    struct fall f;

    for (int i = first; i < end; i++) {
        struct zt_between_place *places = d->b->places + (size_t)i * n;
        memset(places, 0, n * sizeof(*places));
        for (int pass = 0; pass < 2; pass++) {
            for (size_t at = 0; at < n; at++) {
                if (!falls(d, i, at, (int)(at % (size_t)w), (int)(at / (size_t)w), &f))
                    continue;
                for (int k = 0; k < 4; k++) {
                    struct zt_between_place *p = place_at(places, d->b, &f, k);
                    if (p != NULL && pass == 0)
                        lead(p, &f, k);
                    else if (p != NULL)
                        join(p, &f, k, d->flow[i]->clean[at]);
                }
            }
        }
    }
}

/* What one picture's pixels say of a place. */
struct vote {
    float x, y, present, odds;
};

static struct vote vote_of(const struct zt_between_place *p)
{
    struct vote v = { 0 };
    float present = (p->cover - SPARSE) / (DENSE - SPARSE);

    v.present = present < 0.0f ? 0.0f : present > 1.0f ? 1.0f : present;
    if (p->weight > 0.0f) {
        v.x = p->sum_x / p->weight;
        v.y = p->sum_y / p->weight;
        v.odds = v.present * (DOUBT + p->clean / p->weight);
    }
    return v;
}

/* Where both pictures agree they follow one motion; where one is silent it takes the other's. */
static void merge_rows(void *user, int first, int end)
{
    const struct drop *d = user;
    struct zt_between *b = d->b;
    size_t w = (size_t)b->width, n = w * (size_t)b->height;

    for (size_t at = (size_t)first * w; at < (size_t)end * w; at++) {
        struct vote v0 = vote_of(&b->places[at]), v1 = vote_of(&b->places[n + at]);
        float all = v0.odds + v1.odds;
        b->at[at].odds0 = v0.odds;
        b->at[at].odds1 = v1.odds;
        if (all < 1e-6f)
            continue; /* filled afterwards */
        float mx = (v0.odds * v0.x + v1.odds * v1.x) / all;
        float my = (v0.odds * v0.y + v1.odds * v1.y) / all;
        float dx = v0.x - v1.x, dy = v0.y - v1.y;
        float agree = 1.0f / (1.0f + dx * dx + dy * dy);
        float k0 = 1.0f - v0.present * (1.0f - agree), k1 = 1.0f - v1.present * (1.0f - agree);
        b->at[at].r0x = v0.x + k0 * (mx - v0.x);
        b->at[at].r0y = v0.y + k0 * (my - v0.y);
        b->at[at].r1x = v1.x + k1 * (mx - v1.x);
        b->at[at].r1y = v1.y + k1 * (my - v1.y);
    }
}

/* A place nobody speaks for takes the nearest motions left and right of it, by distance. */
static void fill_rows(void *user, int first, int end)
{
    const struct drop *d = user;
    struct zt_between *b = d->b;
    int w = b->width;

    for (int y = first; y < end; y++) {
        size_t row = (size_t)y * (size_t)w;
        int left = -1;
        for (int x = 0; x < w; x++) {
            if (b->at[row + (size_t)x].odds0 + b->at[row + (size_t)x].odds1 >= 1e-6f) {
                left = x;
                continue;
            }
            int right = x;
            while (right < w &&
                   b->at[row + (size_t)right].odds0 + b->at[row + (size_t)right].odds1 < 1e-6f)
                right++;
            for (; x < right; x++) {
                float t = left < 0     ? 1.0f
                          : right >= w ? 0.0f
                                       : (float)(x - left) / (float)(right - left);
                size_t p = row + (size_t)(left < 0 ? (right < w ? right : x) : left);
                size_t q = row + (size_t)(right < w ? right : (left < 0 ? x : left));
                size_t at = row + (size_t)x;
                b->at[at].r0x = b->at[at].r1x = b->at[p].r0x + t * (b->at[q].r1x - b->at[p].r0x);
                b->at[at].r0y = b->at[at].r1y = b->at[p].r0y + t * (b->at[q].r1y - b->at[p].r0y);
            }
            x--;
        }
    }
    for (size_t at = (size_t)first * (size_t)w; at < (size_t)end * (size_t)w; at++) {
        b->at[at].odds0 += 1e-3f;
        b->at[at].odds1 += 1e-3f;
    }
}

static bool same(float ax, float ay, float bx, float by)
{
    float dx = ax - bx, dy = ay - by;
    return dx * dx + dy * dy <= 0.25f * ZT_BETWEEN_SAME2;
}

static void find_tears(void *user, int first, int end)
{
    const struct drop *d = user;
    struct zt_between *b = d->b;
    size_t w = (size_t)b->width;

    for (size_t y = (size_t)first; y < (size_t)end; y++) {
        for (size_t x = 0; x < w; x++) {
            struct zt_motion_at *m = &b->at[y * w + x];
            bool whole = x + 1 < w && y + 1 < (size_t)b->height;
            for (size_t k = 1; k < 4 && whole; k++) {
                const struct zt_motion_at *q = m + k % 2 + k / 2 * w;
                whole =
                    same(m->r0x, m->r0y, q->r0x, q->r0y) && same(m->r1x, m->r1y, q->r1x, q->r1y);
            }
            m->torn = whole ? 0.0f : 1.0f;
        }
    }
}

void zt_between_at(struct zt_between *b, const struct zt_flow *forward,
                   const struct zt_flow *backward, float t, struct zt_pool *pool)
{
    struct drop d = { b, { forward, backward }, { t, 1.0f - t }, { 1.0f, -1.0f } };

    zt_pool_for(pool, 2, 1, drop_picture, &d);
    memset(b->at, 0, (size_t)b->width * (size_t)b->height * sizeof(*b->at));
    zt_pool_for(pool, b->height, 16, merge_rows, &d);
    zt_pool_for(pool, b->height, 16, fill_rows, &d);
    zt_pool_for(pool, b->height, 16, find_tears, &d);
}
