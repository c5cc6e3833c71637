/*
 * warp.h - draws a plane through a mesh: for every output sample, the cubic B-spline of planes.h at
 * the place that the mesh names.
 *
 * A mesh holds source positions at the corners of cells of ZT_CELL x ZT_CELL output samples;
 * between corners they are interpolated linearly, which is exact for zoom, shift and turn. All
 * arithmetic is in integers, 16 bits below the sample: the scalar and the vector paths give the
 * same bytes.
 */
#ifndef ZT_MOTION_WARP_H
#define ZT_MOTION_WARP_H

#include <math.h>

#include "base/error.h"
#include "motion/planes.h"

#define ZT_CELL      16
#define ZT_CELL_BITS 4

/* From least to best. */
enum zt_simd { ZT_SIMD_SCALAR, ZT_SIMD_NEON, ZT_SIMD_AVX2, ZT_SIMD_AVX512 };

/* Whether this machine has the path. */
bool zt_simd_has(enum zt_simd simd);

/*
 * The best path of this machine. ZOETROPE_SIMD in the environment names the best that may be taken:
 * scalar, neon, avx2 or avx512; other words say nothing.
 */
enum zt_simd zt_simd_choose(void);

/* Positions of the corners, in 1/65536 of a source sample; (0, 0) is the first sample's middle. */
struct zt_warp_mesh {
    int columns, rows; /* corners: cells + 1 */
    int32_t *x, *y;    /* [rows][columns] */
};

/* A mesh over width x height output samples; positions are zero. */
enum zt_code zt_warp_mesh_init(struct zt_warp_mesh *mesh, int width, int height,
                               struct zt_err *err);
void zt_warp_mesh_clear(struct zt_warp_mesh *mesh);

/*
 * A position for a mesh: clamped so that no tap leaves the plane's border. NaN and infinities are
 * our own mistakes.
 */
static inline int32_t zt_warp_mesh_position(double sample, int plane_side)
{
    double edge = ZT_PLANE_PAD - 20; /* a vector load reads up to 16 samples past a position */
    double last = plane_side - 1 + edge;

    zt_assert(isfinite(sample));
    sample = sample < -edge ? -edge : sample > last ? last : sample;
    return (int32_t)lrint(sample * 65536);
}

/* Planes that are drawn together: U and V. */
#define ZT_WARP_PLANES 2

/*
 * Draws the cell (column, row), ZT_CELL x ZT_CELL samples, of n planes of one size, each to its own
 * dst; rows are stride bytes apart. Every mesh position was made by zt_warp_mesh_position for these
 * planes or larger ones.
 */
void zt_warp_cells(const struct zt_plane *planes, int n, const struct zt_warp_mesh *mesh,
                   int column, int row, uint8_t *const dst[], size_t stride, enum zt_simd simd);

/* The same for one plane. */
static inline void zt_warp_cell(const struct zt_plane *plane, const struct zt_warp_mesh *mesh,
                                int column, int row, uint8_t *dst, size_t stride, enum zt_simd simd)
{
    zt_warp_cells(plane, 1, mesh, column, row, &dst, stride, simd);
}

#endif
