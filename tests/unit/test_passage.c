/* test_passage.c - the passage from the first picture to the end picture. */
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "check.h"
#include "media/colour.h"
#include "motion/paint.h"
#include "motion/passage.h"
#include "pairs.h"

static struct zt_pool *pool;

static struct zt_image image_of(int width, int height)
{
    struct zt_image im = { width, height, (size_t)width * 3, NULL };
    im.pixels = calloc((size_t)width * (size_t)height, 3);
    return im;
}

static struct zt_image frame_of(struct zt_passage *p, const struct zt_image *like, float t)
{
    struct zt_image im = image_of(like->width_px, like->height_px);
    struct zt_passage_target to = { ZT_PIXELS_RGB24, { im.pixels }, { im.stride } };
    CHECK_INT("frame", zt_passage_frame(p, t, &to, NULL), ZT_OK);
    return im;
}

static struct zt_passage *open_between(const struct zt_image *a, const struct zt_image *b)
{
    struct zt_passage *p = NULL;
    struct zt_err err = { 0 };
    CHECK_INT("open", zt_passage_open(a, b, pool, NULL, NULL, &p, &err), ZT_OK);
    return p;
}

static bool same(const struct zt_image *a, const struct zt_image *b)
{
    return memcmp(a->pixels, b->pixels, a->stride * (size_t)a->height_px) == 0;
}

static double psnr(const struct zt_image *a, const struct zt_image *b)
{
    size_t n = a->stride * (size_t)a->height_px;
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double d = a->pixels[i] - b->pixels[i];
        sum += d * d;
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * (double)n / sum) : 99;
}

static struct zt_image cross_fade(const struct zt_image *a, const struct zt_image *b)
{
    struct zt_image im = image_of(a->width_px, a->height_px);
    size_t n = a->stride * (size_t)a->height_px;

    for (size_t i = 0; i < n; i++)
        im.pixels[i] = (uint8_t)((a->pixels[i] + b->pixels[i] + 1) / 2);
    return im;
}

/* The gradient of green at each pixel, 0 at the border. */
static float *edges_of(const struct zt_image *im)
{
    float *e = calloc((size_t)im->width_px * (size_t)im->height_px, sizeof(*e));

    for (int y = 1; y < im->height_px - 1; y++) {
        for (int x = 1; x < im->width_px - 1; x++) {
            const uint8_t *p = im->pixels + (size_t)y * im->stride + 3 * (size_t)x + 1;
            float dx = (float)(p[3] - p[-3]), dy = (float)(*(p + im->stride) - *(p - im->stride));
            e[(size_t)y * (size_t)im->width_px + (size_t)x] = sqrtf(dx * dx + dy * dy);
        }
    }
    return e;
}

static float strongest_near(const float *e, size_t at, size_t width)
{
    float most = 0;

    for (size_t k = 0; k < 9; k++)
        most = fmaxf(most, e[at + k / 3 * width + k % 3 - width - 1]);
    return most;
}

/*
 * Ghosting: edges of the frame where the true picture has none near, and edges of the true picture
 * that the frame has lost, as a share of all its edges. Second copies of things are the first,
 * their half transparency the second. 0 is none.
 */
static double ghosting(const struct zt_image *im, const struct zt_image *truth)
{
    size_t w = (size_t)im->width_px;
    float *e = edges_of(im), *t = edges_of(truth);
    double wrong = 0, all = 0;

    for (size_t y = 1; y + 1 < (size_t)im->height_px; y++) {
        for (size_t x = 1; x + 1 < w; x++) {
            size_t at = y * w + x;
            wrong += (double)fmaxf(e[at] - strongest_near(t, at, w), 0);
            wrong += (double)fmaxf(t[at] - strongest_near(e, at, w), 0);
            all += (double)t[at];
        }
    }
    free(e);
    free(t);
    return wrong / all;
}

static void save_as(const char *folder, int pair, const char *what, const struct zt_image *im)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/pair%02d_%s.ppm", folder, pair, what);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return;
    fprintf(f, "P6\n%d %d\n255\n", im->width_px, im->height_px);
    fwrite(im->pixels, im->stride, (size_t)im->height_px, f);
    fclose(f);
}

/* The middle frame is nearer to the true middle than a cross-fade or a cut, and ghosts less. */
static void beats_a_cross_fade(void)
{
    int better = 0, all = 0;
    const char *save = getenv("ZT_TEST_SAVE"); /* a folder, to look at the frames */

    printf("%-22s %6s | PSNR %7s %7s %7s | ghosting %7s %7s\n", "pair", "conf", "passage", "fade",
           "cut", "passage", "fade");
    for (int i = 0; i < PAIRS; i += PAIRS_STEP, all++) {
        struct zt_image a = pairs_draw(&pairs[i], 0), b = pairs_draw(&pairs[i], 1);
        struct zt_image truth = pairs_draw(&pairs[i], 0.5), fade = cross_fade(&a, &b);
        struct zt_passage *p = open_between(&a, &b);
        struct zt_image got = frame_of(p, &a, 0.5f);
        double db = psnr(&got, &truth), db_fade = psnr(&fade, &truth);
        double db_cut = fmax(psnr(&a, &truth), psnr(&b, &truth));
        double ghost = ghosting(&got, &truth), ghost_fade = ghosting(&fade, &truth);
        printf("%-22s %6.3f | %12.2f %7.2f %7.2f | %16.3f %7.3f\n", pairs[i].label,
               (double)zt_passage_confidence(p), db, db_fade, db_cut, ghost, ghost_fade);
        CHECK_BELOW(pairs[i].label, (pairs[i].hard ? db_fade : db_fade + 3.0), db);
        CHECK_BELOW(pairs[i].label, db_cut, db);
        better += ghost < ghost_fade;
        if (save != NULL) {
            save_as(save, i, "0", &a);
            save_as(save, i, "got", &got);
            save_as(save, i, "true", &truth);
            save_as(save, i, "1", &b);
        }
        struct zt_image *images[] = { &a, &b, &truth, &fade, &got };
        for (size_t k = 0; k < sizeof(images) / sizeof(images[0]); k++)
            free(images[k]->pixels);
        zt_passage_close(p);
    }
    printf("less ghosting than a cross-fade on %d of %d\n", better, all);
    CHECK("at least nine of ten ghost less", better * 10 >= all * 9);
}

/* The first and the last frame are the pictures themselves, in RGB and in YUV. */
static void ends_are_exact(void)
{
    struct zt_image a = pairs_draw(&pairs[2], 0), b = pairs_draw(&pairs[5], 1);
    struct zt_passage *p = open_between(&a, &b);
    struct zt_image first = frame_of(p, &a, 0.0f), last = frame_of(p, &a, 1.0f);
    struct zt_image before = frame_of(p, &a, -3.0f), after = frame_of(p, &a, 7.0f);
    static uint8_t got[PAIR_WIDTH * PAIR_HEIGHT * 3 / 2], want[PAIR_WIDTH * PAIR_HEIGHT * 3 / 2];
    const size_t n = PAIR_WIDTH * PAIR_HEIGHT;
    struct zt_passage_target to = { ZT_PIXELS_YUV420,
                                    { got, got + n, got + n + n / 4 },
                                    { PAIR_WIDTH, PAIR_WIDTH / 2, PAIR_WIDTH / 2 } };
    uint8_t *const planes[3] = { want, want + n, want + n + n / 4 };

    CHECK("first, t = 0", same(&first, &a));
    CHECK("last, t = 1", same(&last, &b));
    CHECK("before 0 is 0", same(&before, &a));
    CHECK("after 1 is 1", same(&after, &b));
    for (int i = 0; i < 3; i++) {
        float t = 0.5f * (float)i;
        struct zt_image rgb = frame_of(p, &a, t);
        CHECK_INT("YUV frame", zt_passage_frame(p, t, &to, NULL), ZT_OK);
        zt_rgb24_to_yuv420(rgb.pixels, rgb.stride, PAIR_WIDTH, PAIR_HEIGHT, planes, to.stride, 0,
                           PAIR_HEIGHT / 2);
        CHECK_INT("YUV is the RGB converted", memcmp(got, want, sizeof(got)), 0);
        free(rgb.pixels);
    }
    struct zt_image *images[] = { &a, &b, &first, &last, &before, &after };
    for (size_t k = 0; k < sizeof(images) / sizeof(images[0]); k++)
        free(images[k]->pixels);
    zt_passage_close(p);
}

/* Neighbouring frames differ little: nothing pops, neither at the ends nor in between. */
static void moves_smoothly(void)
{
    const int steps = PAIRS_STEP == 1 ? 24 : 8;
    struct zt_image a = pairs_draw(&pairs[10], 0), b = pairs_draw(&pairs[10], 1);
    struct zt_passage *p = open_between(&a, &b);
    struct zt_image before = frame_of(p, &a, 0.0f);
    double least = 99, sum = 0;

    for (int i = 1; i <= steps; i++) {
        struct zt_image now = frame_of(p, &a, (float)i / (float)steps);
        double db = psnr(&before, &now);
        least = fmin(least, db);
        sum += db;
        free(before.pixels);
        before = now;
    }
    printf("neighbouring frames: mean %.2f dB, least %.2f dB\n", sum / steps, least);
    CHECK_BELOW("no step stands out", sum / steps - least, 2.5);
    free(before.pixels);
    free(a.pixels);
    free(b.pixels);
    zt_passage_close(p);
}

/* The same bytes for any number of threads, and in any order of frames. */
static void does_not_depend_on_threads(void)
{
    struct zt_pool *shared = pool;
    struct zt_image a = pairs_draw(&pairs[12], 0), b = pairs_draw(&pairs[12], 1);
    struct zt_image want = { 0 };

    for (int threads = 1; threads <= 3; threads++) {
        pool = zt_pool_new(threads);
        struct zt_passage *p = open_between(&a, &b);
        if (threads == 2)
            free(frame_of(p, &a, 0.8f).pixels);
        struct zt_image got = frame_of(p, &a, 0.4f);
        if (threads == 1)
            want = got;
        else
            CHECK("same bytes", same(&got, &want));
        if (threads != 1)
            free(got.pixels);
        zt_passage_close(p);
        zt_pool_free(pool);
    }
    pool = shared;
    free(want.pixels);
    free(a.pixels);
    free(b.pixels);
}

/* The vector loop gives the bytes of the portable one, wherever the mesh points. */
static void loops_agree(void)
{
    struct zt_image a = pairs_draw(&pairs[2], 0), b = pairs_draw(&pairs[5], 1);
    struct zt_paint_image first = { 0 }, last = { 0 };
    struct zt_paint_mesh mesh = { 0 };
    uint32_t seed = 1;

    CHECK_INT("first", zt_paint_image_init(&first, &a, NULL), ZT_OK);
    CHECK_INT("last", zt_paint_image_init(&last, &b, NULL), ZT_OK);
    CHECK_INT("mesh", zt_paint_mesh_init(&mesh, PAIR_WIDTH, PAIR_HEIGHT, NULL), ZT_OK);
    float *values[5] = { mesh.x0, mesh.y0, mesh.x1, mesh.y1, mesh.mix };
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < mesh.columns * mesh.rows; i++) {
            float unit = (float)(seed >> 8) / 16777216.0f;
            seed = seed * 1664525u + 1013904223u;
            values[k][i] = k == 4 ? unit : -100.0f + unit * (float)(PAIR_WIDTH + 200);
        }
    }
    float *scratch = calloc(zt_paint_scratch_floats(&mesh), sizeof(*scratch));
    static uint8_t got[PAIR_WIDTH * 3 + 1], want[PAIR_WIDTH * 3 + 1];
    int differ = 0;
    for (int y = 0; y < PAIR_HEIGHT; y++) {
        zt_paint_row(&first, &last, &mesh, y, scratch, got);
        zt_paint_row_portable(&first, &last, &mesh, y, scratch, want);
        differ += memcmp(got, want, PAIR_WIDTH * 3) != 0;
    }
    CHECK_INT("rows that differ", differ, 0);
    free(scratch);
    zt_paint_image_clear(&first);
    zt_paint_image_clear(&last);
    zt_paint_mesh_clear(&mesh);
    free(a.pixels);
    free(b.pixels);
}

/* The extremes of both pictures within a few pixels of (x, y). */
static void extremes(const struct zt_image *im, int x, int y, int radius, int low[3], int high[3])
{
    for (int j = y - radius; j <= y + radius; j++) {
        for (int i = x - radius; i <= x + radius; i++) {
            if (i < 0 || j < 0 || i >= im->width_px || j >= im->height_px)
                continue;
            const uint8_t *p = im->pixels + (size_t)j * im->stride + 3 * (size_t)i;
            for (int c = 0; c < 3; c++) {
                low[c] = p[c] < low[c] ? p[c] : low[c];
                high[c] = p[c] > high[c] ? p[c] : high[c];
            }
        }
    }
}

/* Pictures with nothing in common dissolve: every pixel lies between what both show near there. */
static void dissolves_unrelated_pictures(void)
{
    static const int rows[][2] = { { 5, 6 }, { 2, 8 }, { 0, 7 }, { 6, 3 } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i += PAIRS_STEP) {
        struct zt_image a = pairs_draw(&pairs[rows[i][0]], 0),
                        b = pairs_draw(&pairs[rows[i][1]], 1);
        struct zt_passage *p = open_between(&a, &b);
        int outside = 0;
        printf("%s | %s: confidence %.3f\n", pairs[rows[i][0]].label, pairs[rows[i][1]].label,
               (double)zt_passage_confidence(p));
        CHECK_BELOW("confidence", zt_passage_confidence(p), ZT_PASSAGE_RELATED);
        for (int k = 1; k < 4; k++) {
            struct zt_image got = frame_of(p, &a, 0.25f * (float)k);
            for (int y = 0; y < a.height_px; y += 3) {
                for (int x = 0; x < a.width_px; x += 3) {
                    int low[3] = { 255, 255, 255 }, high[3] = { 0, 0, 0 };
                    extremes(&a, x, y, 12, low, high);
                    extremes(&b, x, y, 12, low, high);
                    const uint8_t *v = got.pixels + (size_t)y * got.stride + 3 * (size_t)x;
                    for (int c = 0; c < 3; c++)
                        outside += v[c] < low[c] - 12 || v[c] > high[c] + 12;
                }
            }
            free(got.pixels);
        }
        CHECK_INT("values outside both pictures", outside, 0);
        free(a.pixels);
        free(b.pixels);
        zt_passage_close(p);
    }
}

static struct zt_image filled(int width, int height, int red, int green, int blue)
{
    struct zt_image im = image_of(width, height);

    for (int i = 0; i < width * height; i++) {
        im.pixels[3 * i] = (uint8_t)red;
        im.pixels[3 * i + 1] = (uint8_t)green;
        im.pixels[3 * i + 2] = (uint8_t)blue;
    }
    return im;
}

static void stays_still_between_equal_pictures(void)
{
    struct zt_image a = pairs_draw(&pairs[2], 0);
    struct zt_passage *p = open_between(&a, &a);

    for (int i = 1; i < 8; i++) {
        struct zt_image got = frame_of(p, &a, (float)i / 8.0f);
        CHECK("equal to both", same(&got, &a));
        free(got.pixels);
    }
    CHECK_BELOW("confidence", 0.99, zt_passage_confidence(p));
    free(a.pixels);
    zt_passage_close(p);
}

static void bears_odd_input(void)
{
    static const struct {
        const char *label;
        int width, height;
    } rows[] = { { "smallest", 16, 16 }, { "tiny", 32, 32 },     { "odd", 67, 33 },
                 { "wide", 640, 16 },    { "narrow", 17, 1200 }, { "long", 2000, 48 } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zt_image a = filled(rows[i].width, rows[i].height, 200, 30, 60);
        struct zt_image b = filled(rows[i].width, rows[i].height, 20, 130, 160);
        struct zt_passage *p = open_between(&a, &b);
        struct zt_image got = frame_of(p, &a, 0.5f);
        int beyond = 0;
        for (size_t k = 0; k < got.stride * (size_t)got.height_px; k++) {
            int low = a.pixels[k] < b.pixels[k] ? a.pixels[k] : b.pixels[k];
            beyond += got.pixels[k] < low || got.pixels[k] > a.pixels[k] + b.pixels[k] - low;
        }
        CHECK_INT(rows[i].label, beyond, 0);
        free(got.pixels);
        free(a.pixels);
        free(b.pixels);
        zt_passage_close(p);
    }
}

static int stop_at(void *user, int percent)
{
    return percent >= *(int *)user;
}

static void refuses_and_stops(void)
{
    struct zt_image a = filled(64, 64, 1, 2, 3), b = filled(64, 48, 1, 2, 3);
    struct zt_image c = filled(8, 64, 1, 2, 3), d = filled(65, 64, 9, 9, 9);
    struct zt_passage *p = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("sizes differ", zt_passage_open(&a, &b, pool, NULL, NULL, &p, &err), ZT_E_INVALID);
    CHECK_HAS("sizes differ", err.msg, "64 x 48");
    CHECK_INT("too small", zt_passage_open(&c, &c, pool, NULL, NULL, &p, &err), ZT_E_INVALID);
    for (int percent = 0; percent <= 100; percent += 10)
        CHECK_INT("stopped", zt_passage_open(&a, &a, pool, stop_at, &percent, &p, &err),
                  ZT_E_CANCELLED);
    CHECK("nothing is returned", p == NULL);
    p = open_between(&d, &d);
    struct zt_passage_target to = { ZT_PIXELS_YUV420, { NULL }, { 0 } };
    CHECK_INT("odd side", zt_passage_frame(p, 0.5f, &to, &err), ZT_E_INVALID);
    zt_passage_close(p);
    zt_passage_close(NULL);
    free(a.pixels);
    free(b.pixels);
    free(c.pixels);
    free(d.pixels);
}

int main(void)
{
    pool = zt_pool_new(0);
    CHECK("photographs", pairs_init());
    if (check_failed == 0) {
        RUN(beats_a_cross_fade);
        RUN(ends_are_exact);
        RUN(moves_smoothly);
        RUN(does_not_depend_on_threads);
        RUN(loops_agree);
        RUN(dissolves_unrelated_pictures);
        RUN(stays_still_between_equal_pictures);
        RUN(bears_odd_input);
        RUN(refuses_and_stops);
    }
    pairs_clear();
    zt_pool_free(pool);
    return check_done();
}
