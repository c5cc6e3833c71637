/* test_flow.c - dense optical flow and the global similarity, on pairs whose motion is known. */
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "check.h"
#include "motion/flow.h"
#include "motion/match.h"
#include "pairs.h"

static struct zt_pool *pool;

static struct zt_flow_image shrunk(const struct zt_image *im, int width, int height)
{
    struct zt_flow_image f = { 0 };

    CHECK_INT("picture", zt_flow_image_init(&f, width, height, NULL), ZT_OK);
    zt_flow_image_shrink(im, &f, pool);
    return f;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Errors of the flow, in pixels, where the true end of a pixel's way can be seen. */
static void errors_of(const struct pair *p, const struct zt_flow *flow, double *ret_median,
                      double *ret_90th, double *ret_mean)
{
    static double all[PAIR_WIDTH * PAIR_HEIGHT];
    size_t n = 0;
    double sum = 0;

    for (int y = 0; y < PAIR_HEIGHT; y += 2) {
        for (int x = 0; x < PAIR_WIDTH; x += 2) {
            double sx, sy, tx, ty, ux, uy;
            int layer = pairs_layer_at(p, x, y, 0, &sx, &sy);
            pairs_forward(&p->layers[layer].motion, sx, sy, 1, &tx, &ty);
            bool inside = tx >= 0 && ty >= 0 && tx <= PAIR_WIDTH - 1 && ty <= PAIR_HEIGHT - 1;
            if (!inside || pairs_layer_at(p, tx, ty, 1, &ux, &uy) != layer)
                continue;
            size_t at = (size_t)y * PAIR_WIDTH + (size_t)x;
            all[n] = hypot((double)flow->u[at] - (tx - x), (double)flow->v[at] - (ty - y));
            sum += all[n++];
        }
    }
    qsort(all, n, sizeof(all[0]), ascending);
    *ret_median = all[n / 2];
    *ret_90th = all[n * 9 / 10];
    *ret_mean = sum / (double)n;
}

static void finds_known_motion(void)
{
    printf("%-22s endpoint error: median    90th    mean\n", "pair");
    for (int i = 0; i < PAIRS; i += PAIRS_STEP) {
        struct zt_image a = pairs_draw(&pairs[i], 0), b = pairs_draw(&pairs[i], 1);
        struct zt_flow_image fa = shrunk(&a, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow_image fb = shrunk(&b, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow ab = { 0 }, ba = { 0 };
        struct zt_flow_run run = { .pool = pool, .to = 100 };
        double median, most, mean;
        CHECK_INT("flow", zt_flow_between(&fa, &fb, &run, &ab, &ba, NULL), ZT_OK);
        errors_of(&pairs[i], &ab, &median, &most, &mean);
        printf("%-22s %22.3f %7.3f %7.3f\n", pairs[i].label, median, most, mean);
        if (fabs(pairs[i].layers[0].motion.turn_deg) <= 12) /* beyond, the similarity comes first */
            CHECK_BELOW(pairs[i].label, median, 1.0);
        zt_flow_clear(&ab);
        zt_flow_clear(&ba);
        zt_flow_image_clear(&fa);
        zt_flow_image_clear(&fb);
        free(a.pixels);
        free(b.pixels);
    }
}

static void does_not_depend_on_threads(void)
{
    const size_t n = (size_t)PAIR_WIDTH * PAIR_HEIGHT;
    struct zt_image a = pairs_draw(&pairs[11], 0), b = pairs_draw(&pairs[11], 1);
    struct zt_flow want[2] = { { 0 } };

    for (int threads = 1; threads <= 3; threads++) {
        struct zt_flow_run run = { .pool = zt_pool_new(threads), .to = 100 };
        struct zt_flow_image fa = shrunk(&a, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow_image fb = shrunk(&b, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow got[2] = { { 0 } };
        CHECK_INT("flow", zt_flow_between(&fa, &fb, &run, &got[0], &got[1], NULL), ZT_OK);
        for (int i = 0; i < 2; i++) {
            if (threads > 1) /* u, v and conf are one allocation */
                CHECK_INT("same flow", memcmp(got[i].u, want[i].u, 3 * n * sizeof(float)), 0);
            zt_flow_clear(&want[i]);
            want[i] = got[i];
        }
        zt_flow_image_clear(&fa);
        zt_flow_image_clear(&fb);
        zt_pool_free(run.pool);
    }
    zt_flow_clear(&want[0]);
    zt_flow_clear(&want[1]);
    free(a.pixels);
    free(b.pixels);
}

static void distances_agree(void)
{
    uint8_t p[ZT_DESCRIPTOR_BYTES], q[ZT_DESCRIPTOR_BYTES];
    uint32_t seed = 5;

    for (int i = 0; i < 200; i++) {
        for (size_t k = 0; k < sizeof(p); k++) {
            seed = seed * 1664525u + 1013904223u;
            p[k] = (uint8_t)(i == 0 ? 255 : seed >> 24);
            q[k] = (uint8_t)(i == 0 ? 0 : seed >> 16);
        }
        CHECK_INT("distance", zt_descriptor_distance(p, q), zt_descriptor_distance_portable(p, q));
    }
}

/* Powers of a similarity: ends, halves that make a whole, and a turn that keeps its size. */
static void similarities_have_powers(void)
{
    static const struct {
        const char *label;
        struct zt_similarity s;
    } rows[] = { { "none", { 1, 0, 0, 0 } },
                 { "shift", { 1, 0, 30, -7 } },
                 { "zoom", { 1.5, 0, -80, -40 } },
                 { "turn", { 0, 1, 100, 3 } },
                 { "nearly none", { 1 + 1e-9, 1e-9, 5, 5 } },
                 { "all", { 0.9, 0.3, 12, 50 } } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct zt_similarity *s = &rows[i].s;
        struct zt_similarity zero = zt_similarity_power(s, 0), one = zt_similarity_power(s, 1);
        struct zt_similarity half = zt_similarity_power(s, 0.5);
        struct zt_similarity whole = zt_similarity_after(&half, &half);
        struct zt_similarity back = zt_similarity_inverse(s);
        struct zt_similarity none = zt_similarity_after(&back, s);
        double x, y, wx, wy;
        zt_similarity_apply(&zero, 10, 20, &x, &y);
        CHECK_NEAR(rows[i].label, hypot(x - 10, y - 20), 0, 1e-9);
        zt_similarity_apply(s, 10, 20, &wx, &wy);
        zt_similarity_apply(&one, 10, 20, &x, &y);
        CHECK_NEAR(rows[i].label, hypot(x - wx, y - wy), 0, 1e-6);
        zt_similarity_apply(&whole, 10, 20, &x, &y);
        CHECK_NEAR(rows[i].label, hypot(x - wx, y - wy), 0, 1e-6);
        zt_similarity_apply(&none, 10, 20, &x, &y);
        CHECK_NEAR(rows[i].label, hypot(x - 10, y - 20), 0, 1e-9);
        CHECK_NEAR(rows[i].label, hypot(half.ar, half.ai), sqrt(hypot(s->ar, s->ai)), 1e-9);
    }
}

static void fits_through_outliers(void)
{
    const struct zt_similarity want = { 1.1, 0.2, 14, -9 };
    struct zt_point_pair points[300];
    struct zt_similarity got;
    size_t n = sizeof(points) / sizeof(points[0]);

    for (size_t i = 0; i < n; i++) {
        double x = (double)(pairs_hash((int)i, 0, 1) % 400),
               y = (double)(pairs_hash((int)i, 1, 1) % 200);
        double tx, ty;
        zt_similarity_apply(&want, x, y, &tx, &ty);
        if (i % 5 >= 2) { /* three of five are wrong */
            tx = (double)(pairs_hash((int)i, 2, 1) % 400);
            ty = (double)(pairs_hash((int)i, 3, 1) % 200);
        }
        points[i] = (struct zt_point_pair){ (float)x, (float)y, (float)tx, (float)ty };
    }
    CHECK_BELOW("inliers", 119, zt_similarity_fit(points, n, 2.0, &got));
    CHECK_NEAR("scale and turn", hypot(got.ar - want.ar, got.ai - want.ai), 0, 0.01);
    CHECK_NEAR("shift", hypot(got.bx - want.bx, got.by - want.by), 0, 1.0);
    CHECK_INT("no pairs", zt_similarity_fit(points, 0, 2.0, &got), 0);
    CHECK_NEAR("no pairs: nothing moves", got.ar, 1, 0);
}

/* Zooms, turns and shifts far beyond what descriptors bear are found and undone. */
static void finds_large_similarities(void)
{
    static const struct {
        const char *label;
        enum pair_source source;
        struct pair_motion motion;
    } rows[] = { { "zoom 1.5", PAIR_RACCOON, { 0, 0, 1.5, 0, 0 } },
                 { "zoom 0.67", PAIR_COFFEE, { 0, 0, 0.67, 0, 0 } },
                 { "zoom 2", PAIR_CAT, { 0, 0, 2.0, 0, 0 } },
                 { "turn 35", PAIR_RACCOON, { 0, 0, 1, 35, 0 } },
                 { "turn -25, zoom 1.3, shift", PAIR_ASTRONAUT, { 30, 12, 1.3, -25, 0 } },
                 { "turn 20, zoom 1.2, shift", PAIR_RACCOON, { 20, -10, 1.2, 20, 0 } } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i += PAIRS_STEP) {
        struct pair p = {
            rows[i].label, { { rows[i].source, 1.2, 0, 0, 0, rows[i].motion } }, 0, false
        };
        struct zt_image a = pairs_draw(&p, 0), b = pairs_draw(&p, 1);
        struct zt_flow_image fa = shrunk(&a, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow_image fb = shrunk(&b, PAIR_WIDTH, PAIR_HEIGHT);
        struct zt_flow_run run = { .pool = pool, .to = 100 };
        struct zt_similarity s;
        double share, wx, wy, x, y;
        CHECK_INT("fit", zt_flow_similarity(&fa, &fb, &run, &s, &share, NULL), ZT_OK);
        for (int k = 0; k < 4; k++) {
            double px = PAIR_WIDTH * (0.3 + 0.4 * (k & 1)),
                   py = PAIR_HEIGHT * (0.3 + 0.2 * (k & 2));
            pairs_forward(&rows[i].motion, px, py, 1, &wx, &wy);
            zt_similarity_apply(&s, px, py, &x, &y);
            CHECK_NEAR(rows[i].label, hypot(x - wx, y - wy), 0, 2.5);
        }
        zt_flow_image_clear(&fa);
        zt_flow_image_clear(&fb);
        free(a.pixels);
        free(b.pixels);
    }
}

int main(void)
{
    pool = zt_pool_new(0);
    CHECK("photographs", pairs_init());
    if (check_failed == 0) {
        RUN(finds_known_motion);
        RUN(does_not_depend_on_threads);
        RUN(distances_agree);
        RUN(similarities_have_powers);
        RUN(fits_through_outliers);
        RUN(finds_large_similarities);
    }
    pairs_clear();
    zt_pool_free(pool);
    return check_done();
}
