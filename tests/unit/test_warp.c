/* The spline warp: exactness, and the vector paths against the scalar one. */
#include "motion/warp.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "motion/warp_cell.h"

#define SIDE 96

static struct zt_rng rng;

static struct zt_plane random_plane(int width, int height)
{
    struct zt_plane plane;

    if (zt_plane_init(&plane, width, height, NULL) != ZT_OK)
        abort();
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            plane.at[(size_t)y * plane.stride + (size_t)x] = (uint8_t)zt_rng_u32(&rng);
    zt_plane_pad(&plane);
    return plane;
}

/* A mesh of one cell from an affine map: source = at + x * across + y * down. */
static struct zt_warp_mesh affine_mesh(const struct zt_plane *plane, double x, double y, double xx,
                                       double xy, double yx, double yy)
{
    struct zt_warp_mesh mesh;

    if (zt_warp_mesh_init(&mesh, ZT_CELL, ZT_CELL, NULL) != ZT_OK)
        abort();
    for (int i = 0; i < 4; i++) {
        double ox = i & 1 ? ZT_CELL : 0, oy = i & 2 ? ZT_CELL : 0;
        mesh.x[i] = zt_warp_mesh_position(x + ox * xx + oy * xy, plane->width);
        mesh.y[i] = zt_warp_mesh_position(y + ox * yx + oy * yy, plane->height);
    }
    return mesh;
}

static double basis(double t)
{
    t = fabs(t);
    return t < 1   ? (4 - 6 * t * t + 3 * t * t * t) / 6
           : t < 2 ? (2 - t) * (2 - t) * (2 - t) / 6
                   : 0;
}

static double spline_at(const struct zt_plane *plane, double x, double y)
{
    double sum = 0;
    int ix = (int)floor(x), iy = (int)floor(y);

    for (int j = iy - 1; j <= iy + 2; j++)
        for (int i = ix - 1; i <= ix + 2; i++)
            sum += basis(x - i) * basis(y - j) *
                   plane->at[(ptrdiff_t)j * (ptrdiff_t)plane->stride + i];
    return sum;
}

static void evaluates_the_spline(void)
{
    struct zt_plane plane = random_plane(SIDE, SIDE);
    double worst = 0, leaning = 0;

    for (int round = 0; round < 400; round++) {
        double x = (double)zt_rng_range(&rng, 2, 60), y = (double)zt_rng_range(&rng, 2, 60);
        double s = (double)zt_rng_range(&rng, 0.4F, 1.6F);
        double turn = (double)zt_rng_range(&rng, -0.2F, 0.2F);
        turn = round % 2 == 0 ? turn : turn / 40; /* straight cells that lean */
        struct zt_warp_mesh mesh = affine_mesh(&plane, x, y, s, -turn, turn, s);
        struct zt_warp_corners corners = zt_warp_corners_at(&mesh, 0, 0);
        struct zt_warp_columns columns;
        bool straight = zt_warp_columns_from(&corners, &columns);
        uint8_t out[ZT_CELL * ZT_CELL];
        zt_warp_cell(&plane, &mesh, 0, 0, out, ZT_CELL, ZT_SIMD_SCALAR);
        for (int i = 0; i < ZT_CELL * ZT_CELL; i++) {
            int ox = i % ZT_CELL, oy = i / ZT_CELL;
            double want = spline_at(&plane, x + ox * s - oy * turn, y + ox * turn + oy * s);
            double *most = straight ? &leaning : &worst;
            *most = fmax(*most, fabs(out[i] - want));
        }
        zt_warp_mesh_clear(&mesh);
    }
    CHECK_BELOW("largest error in levels", worst, 0.6); /* 0.5 is rounding */
    CHECK_BELOW("the same where columns lean, in the hardest noise", leaning, 0.75);
    zt_plane_clear(&plane);
}

/* The vector paths that there are, by name. */
static const struct {
    enum zt_simd simd;
    const char *name;
} paths[] = {
    { ZT_SIMD_NEON, "neon" },
    { ZT_SIMD_AVX2, "avx2" },
    { ZT_SIMD_AVX512, "avx512" },
};

/* A mesh of some kind: straight, its rows falling, shrinking strongly, turning, mirrored, outside. */
static struct zt_warp_mesh random_mesh(const struct zt_plane *plane, int round)
{
    struct zt_warp_mesh mesh;
    float spread = zt_rng_range(&rng, 0, 1);
    float size = spread < 0.5F ? 16 * spread * 2 + 8 : 90;
    float left = zt_rng_range(&rng, -40, SIDE), top = zt_rng_range(&rng, -40, SIDE);
    double fall = round % 3 == 1 ? (double)zt_rng_range(&rng, -0.9F, 0.9F) : 0;

    if (zt_warp_mesh_init(&mesh, ZT_CELL, ZT_CELL, NULL) != ZT_OK)
        abort();
    for (int i = 0; i < 4; i++) {
        double jitter = round % 3 < 2 ? 0.05 : spread < 0.3F ? 2 : (double)size;
        double x =
            (double)left + (i & 1 ? (double)size : 0) + jitter * ((double)zt_rng_unit(&rng) - 0.5);
        double y = (double)top + (i & 2 ? (double)size : 0) + (i & 1 ? fall : 0) +
                   jitter * ((double)zt_rng_unit(&rng) - 0.5);
        mesh.x[i] = zt_warp_mesh_position(x, plane->width);
        mesh.y[i] = zt_warp_mesh_position(y, plane->height);
    }
    return mesh;
}

/* Cells that each path draws otherwise than the scalar one; two planes at once, as U and V are. */
static void compare(const struct zt_plane planes[2], const struct zt_warp_mesh *mesh,
                    int *different)
{
    uint8_t a[2][ZT_CELL * ZT_CELL], b[2][ZT_CELL * ZT_CELL];
    uint8_t *const both[2] = { b[0], b[1] };

    for (int i = 0; i < 2; i++)
        zt_warp_cell(&planes[i], mesh, 0, 0, a[i], ZT_CELL, ZT_SIMD_SCALAR);
    for (size_t i = 0; i < ZT_COUNT(paths); i++) {
        if (!zt_simd_has(paths[i].simd))
            continue;
        memset(b, 0, sizeof(b));
        zt_warp_cells(planes, 2, mesh, 0, 0, both, ZT_CELL, paths[i].simd);
        different[i] += memcmp(a, b, sizeof(a)) != 0;
        zt_warp_cell(&planes[1], mesh, 0, 0, b[0], ZT_CELL, paths[i].simd);
        different[i] += memcmp(a[1], b[0], sizeof(a[1])) != 0;
    }
}

static void vector_paths_give_the_same_bytes(void)
{
    struct zt_plane plane[2] = { random_plane(SIDE, SIDE - 6), random_plane(SIDE, SIDE - 6) };
    struct zt_plane high[2] = { random_plane(SIDE, 3000), random_plane(SIDE, 3000) };
    int different[ZT_COUNT(paths)] = { 0 }, straight = 0;

    for (int round = 0; round < 6000; round++) {
        struct zt_warp_mesh mesh = random_mesh(plane, round);
        struct zt_warp_corners corners = zt_warp_corners_at(&mesh, 0, 0);
        struct zt_warp_columns columns;
        straight += zt_warp_columns_from(&corners, &columns);
        compare(plane, &mesh, different);
        zt_warp_mesh_clear(&mesh);
    }
    for (int round = 0; round < 100; round++) { /* steps that 32 bits do not hold */
        double y = (double)zt_rng_range(&rng, 2000, 2900), down = y / -ZT_CELL;
        struct zt_warp_mesh mesh = affine_mesh(high, 20, y, 1, 0, round % 2, down);
        compare(high, &mesh, different);
        zt_warp_mesh_clear(&mesh);
    }
    for (size_t i = 0; i < ZT_COUNT(paths); i++)
        if (zt_simd_has(paths[i].simd))
            CHECK_INT(paths[i].name, different[i], 0);
    CHECK("many cells are straight", straight > 300);
    for (int i = 0; i < 2; i++) {
        zt_plane_clear(&plane[i]);
        zt_plane_clear(&high[i]);
    }
}

static void keeps_flat_planes_flat(void)
{
    static const int levels[] = { 0, 1, 16, 128, 235, 254, 255 };

    for (size_t i = 0; i < ZT_COUNT(levels); i++) {
        struct zt_plane plane = random_plane(SIDE, SIDE);
        int wrong = 0;
        for (int y = 0; y < SIDE; y++)
            memset(plane.at + (size_t)y * plane.stride, levels[i], SIDE);
        zt_plane_pad(&plane);
        for (int round = 0; round < 50; round++) {
            uint8_t out[ZT_CELL * ZT_CELL];
            struct zt_warp_mesh mesh =
                affine_mesh(&plane, (double)zt_rng_range(&rng, -50, SIDE + 50),
                            (double)zt_rng_range(&rng, -50, SIDE + 50), 1.3, 0.1, 0.1, 1.3);
            zt_warp_cell(&plane, &mesh, 0, 0, out, ZT_CELL, zt_simd_choose());
            for (int k = 0; k < ZT_CELL * ZT_CELL; k++)
                wrong += out[k] != levels[i];
            zt_warp_mesh_clear(&mesh);
        }
        CHECK_INT("samples that changed", wrong, 0);
        zt_plane_clear(&plane);
    }
}

/* With the prefilter for a density of 1, the spline goes through the picture. */
static void interpolates_at_density_one(void)
{
    uint8_t pixels[64 * 64 * 3];
    struct zt_image picture = { 64, 64, sizeof(pixels) / 64, pixels };
    struct zt_planes planes;
    double worst = 0;

    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            memset(pixels + (y * 64 + x) * 3, (int)(128 + 80 * sin(x * 0.9) * cos(y * 0.7)), 3);
    CHECK_INT("planes", zt_planes_init(&planes, &picture, 1.0, NULL, NULL), ZT_OK);
    for (int cell = 0; cell < 9; cell++) {
        int x0 = 8 + 16 * (cell % 3), y0 = 8 + 16 * (cell / 3);
        uint8_t out[ZT_CELL * ZT_CELL];
        struct zt_warp_mesh mesh = affine_mesh(&planes.plane[0], x0, y0, 1, 0, 0, 1);
        zt_warp_cell(&planes.plane[0], &mesh, 0, 0, out, ZT_CELL, zt_simd_choose());
        for (int i = 0; i < ZT_CELL * ZT_CELL; i++) {
            int x = x0 + i % ZT_CELL, y = y0 + i / ZT_CELL;
            double luma = 16 + 219.0 * pixels[(y * 64 + x) * 3] / 255;
            worst = fmax(worst, fabs(out[i] - luma));
        }
        zt_warp_mesh_clear(&mesh);
    }
    CHECK_BELOW("largest error in levels", worst, 2.5);
    zt_planes_clear(&planes);
}

static void obeys_the_environment(void)
{
    enum zt_simd best = ZT_SIMD_SCALAR;

    setenv("ZOETROPE_SIMD", "scalar", 1);
    CHECK_INT("scalar", zt_simd_choose(), ZT_SIMD_SCALAR);
    for (size_t i = 0; i < ZT_COUNT(paths); i++) {
        best = zt_simd_has(paths[i].simd) ? paths[i].simd : best;
        setenv("ZOETROPE_SIMD", paths[i].name, 1);
        CHECK_INT(paths[i].name, zt_simd_choose(), best);
    }
    setenv("ZOETROPE_SIMD", "other", 1);
    CHECK_INT("a word that says nothing", zt_simd_choose(), best);
    unsetenv("ZOETROPE_SIMD");
    CHECK_INT("as the machine can", zt_simd_choose(), best);
#if defined(__aarch64__)
    CHECK_INT("NEON is part of every such machine", best, ZT_SIMD_NEON);
#elif defined(__x86_64__) && !defined(ZT_SIMDE)
    CHECK_INT("avx2", zt_simd_has(ZT_SIMD_AVX2), __builtin_cpu_supports("avx2") != 0);
    CHECK_INT("avx512", zt_simd_has(ZT_SIMD_AVX512), __builtin_cpu_supports("avx512bw") != 0);
#elif defined(ZT_SIMDE)
    CHECK_INT("the path that is lowered", best, ZT_SIMD_AVX512);
#endif
}

int main(void)
{
    zt_rng_init(&rng, 1, 1);
    RUN(evaluates_the_spline);
    RUN(vector_paths_give_the_same_bytes);
    RUN(keeps_flat_planes_flat);
    RUN(interpolates_at_density_one);
    RUN(obeys_the_environment);
    return check_done();
}
