/* The spline warp: exactness, and the vector path against the scalar one. */
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

/* Meshes of every kind: straight, shrinking strongly, turning, mirrored, outside, not affine. */
static void vector_path_gives_the_same_bytes(void)
{
    if (zt_simd_choose() == ZT_SIMD_SCALAR) {
        CHECK("this machine has the scalar path alone", true);
        return;
    }
    struct zt_plane plane = random_plane(SIDE, SIDE - 6);
    int different = 0, straight = 0;

    for (int round = 0; round < 6000; round++) {
        struct zt_warp_mesh mesh;
        struct zt_warp_columns columns;
        uint8_t a[ZT_CELL * ZT_CELL], b[ZT_CELL * ZT_CELL];
        float spread = zt_rng_range(&rng, 0, 1);
        float size = spread < 0.5F ? 16 * spread * 2 + 8 : 90;
        float left = zt_rng_range(&rng, -40, SIDE), top = zt_rng_range(&rng, -40, SIDE);
        if (zt_warp_mesh_init(&mesh, ZT_CELL, ZT_CELL, NULL) != ZT_OK)
            abort();
        for (int i = 0; i < 4; i++) {
            double jitter = round % 3 == 0 ? 0.05 : spread < 0.3F ? 2 : (double)size;
            double x = (double)left + (i & 1 ? (double)size : 0) +
                       jitter * ((double)zt_rng_unit(&rng) - 0.5);
            double y = (double)top + (i & 2 ? (double)size : 0) +
                       jitter * ((double)zt_rng_unit(&rng) - 0.5);
            mesh.x[i] = zt_warp_mesh_position(x, plane.width);
            mesh.y[i] = zt_warp_mesh_position(y, plane.height);
        }
        struct zt_warp_corners corners = zt_warp_corners_at(&mesh, 0, 0);
        straight += zt_warp_columns_from(&corners, &columns);
        zt_warp_cell(&plane, &mesh, 0, 0, a, ZT_CELL, ZT_SIMD_SCALAR);
        zt_warp_cell(&plane, &mesh, 0, 0, b, ZT_CELL, zt_simd_choose());
        different += memcmp(a, b, sizeof(a)) != 0;
        zt_warp_mesh_clear(&mesh);
    }
    CHECK_INT("cells that differ", different, 0);
    CHECK("of them many are straight", straight > 300);
    zt_plane_clear(&plane);
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
    setenv("ZOETROPE_SIMD", "scalar", 1);
    CHECK_INT("asked for", zt_simd_choose(), ZT_SIMD_SCALAR);
    unsetenv("ZOETROPE_SIMD");
#if defined(__x86_64__)
    CHECK_INT("as the machine can", zt_simd_choose(),
              __builtin_cpu_supports("avx2") ? ZT_SIMD_AVX2 : ZT_SIMD_SCALAR);
#elif defined(__aarch64__)
    CHECK_INT("as the machine can", zt_simd_choose(), ZT_SIMD_NEON);
#endif
}

int main(void)
{
    zt_rng_init(&rng, 1, 1);
    RUN(evaluates_the_spline);
    RUN(vector_path_gives_the_same_bytes);
    RUN(keeps_flat_planes_flat);
    RUN(interpolates_at_density_one);
    RUN(obeys_the_environment);
    return check_done();
}
